"""Hosted-lika, the lists: who may use a method or a product, by id and by ECK iD, one by one and in bulk.

Sets, not lists: any order and repetition on the way in, ascending on the way out. Unknown users are passed over without
a word. What an answered request wrote, the next one reads.
"""

from collections.abc import Collection

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.licences import (
    METHOD,
    PRODUCT,
    Lika,
    Pair,
    add_users,
    clear_users,
    lock_lika,
    read_eck_users,
    read_lika,
    read_method,
    read_people_by_eck_id,
    read_product,
    read_users,
    remove_users,
    replace_users,
)
from services.basispoort_hub.lika import LikaCode, MethodId, ProductId
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.tables import ApplicationRow
from shared.bodies import MEGABYTE, ParsedOnce
from shared.database import Db, ReadDb
from shared.problems import Problem
from shared.wire.licences import BulkRequest, EckUser, EckUsers, Users

# Last segment of a path -> bytes; all the pupils there are by id, 100,000 by ECK iD. Nothing else bounds a list: what
# is answered can be sent back.
BODY_LIMITS = dict.fromkeys(("gebruiker", "gebruiker_eckid", "addlist", "removelist", "grant", "revoke"), 20 * MEGABYTE)

router = APIRouter(prefix="/hosted-lika/management/lika/{identityCode}", tags=["hosted-lika"], route_class=ParsedOnce)


class ApplicationUnknown(Problem):
    """Member `errors`: a pointer to every method and product that does not exist."""

    status, slug, title = 422, "application-unknown", "Not all of these methods and products exist"
    uitleg = "Niet al deze methodes en producten bestaan. Er is niets gewijzigd."


# --- a method's users -------------------------------------------------------------------------------------------------


@router.get("/methode/{mid}/gebruiker")
def show_method_users(code: LikaCode, mid: MethodId, publisher: CallingPublisher, db: ReadDb) -> Users:
    """The users of the method, ascending."""
    lika = read_lika(db, publisher, code)
    return _users(db, lika, read_method(db, lika, mid))


@router.put("/methode/{mid}/gebruiker", status_code=204)
def submit_method_users(code: LikaCode, mid: MethodId, body: Users, publisher: CallingPublisher, db: Db) -> None:
    """Replace the whole list."""
    lika = lock_lika(db, publisher, code)
    replace_users(db, lika, read_method(db, lika, mid), body.users)


@router.delete("/methode/{mid}/gebruiker", status_code=204)
def submit_no_method_users(code: LikaCode, mid: MethodId, publisher: CallingPublisher, db: Db) -> None:
    """Empty the list."""
    clear_users(db, [read_method(db, lock_lika(db, publisher, code), mid).id])


@router.post("/methode/{mid}/gebruiker/addlist", status_code=204)
def submit_more_method_users(code: LikaCode, mid: MethodId, body: Users, publisher: CallingPublisher, db: Db) -> None:
    """Add users to the list of the method."""
    lika = lock_lika(db, publisher, code)
    add_users(db, lika, [read_method(db, lika, mid).id], body.users)


@router.post("/methode/{mid}/gebruiker/removelist", status_code=204)
def submit_fewer_method_users(code: LikaCode, mid: MethodId, body: Users, publisher: CallingPublisher, db: Db) -> None:
    """Take users from the list of the method."""
    lika = lock_lika(db, publisher, code)
    remove_users(db, [read_method(db, lika, mid).id], body.users)


@router.get("/methode/{mid}/gebruiker_eckid")
def show_method_eck_users(code: LikaCode, mid: MethodId, publisher: CallingPublisher, db: ReadDb) -> EckUsers:
    """The users of the list who have an ECK iD."""
    lika = read_lika(db, publisher, code)
    return _eck_users(db, lika, read_method(db, lika, mid))


@router.put("/methode/{mid}/gebruiker_eckid", status_code=204)
def submit_method_eck_users(code: LikaCode, mid: MethodId, body: EckUsers, publisher: CallingPublisher, db: Db) -> None:
    """Replace the whole list."""
    lika = lock_lika(db, publisher, code)
    replace_users(db, lika, read_method(db, lika, mid), _resolve(db, lika, body.users))


@router.delete("/methode/{mid}/gebruiker_eckid", status_code=204)
def submit_no_method_eck_users(code: LikaCode, mid: MethodId, publisher: CallingPublisher, db: Db) -> None:
    """Empty the list, users without an ECK iD included: it is one list."""
    clear_users(db, [read_method(db, lock_lika(db, publisher, code), mid).id])


@router.post("/methode/{mid}/gebruiker_eckid/addlist", status_code=204)
def submit_more_method_eck_users(
    code: LikaCode, mid: MethodId, body: EckUsers, publisher: CallingPublisher, db: Db
) -> None:
    """Add users to the list of the method, by school and ECK iD."""
    lika = lock_lika(db, publisher, code)
    add_users(db, lika, [read_method(db, lika, mid).id], _resolve(db, lika, body.users))


@router.post("/methode/{mid}/gebruiker_eckid/removelist", status_code=204)
def submit_fewer_method_eck_users(
    code: LikaCode, mid: MethodId, body: EckUsers, publisher: CallingPublisher, db: Db
) -> None:
    """Take users from the list of the method, by school and ECK iD."""
    lika = lock_lika(db, publisher, code)
    remove_users(db, [read_method(db, lika, mid).id], _resolve(db, lika, body.users))


# --- a product's users ------------------------------------------------------------------------------------------------


@router.get("/methode/{mid}/product/{pid}/gebruiker")
def show_product_users(code: LikaCode, mid: MethodId, pid: ProductId, publisher: CallingPublisher, db: ReadDb) -> Users:
    """The users of the product, ascending."""
    lika = read_lika(db, publisher, code)
    return _users(db, lika, read_product(db, lika, mid, pid))


@router.put("/methode/{mid}/product/{pid}/gebruiker", status_code=204)
def submit_product_users(
    code: LikaCode, mid: MethodId, pid: ProductId, body: Users, publisher: CallingPublisher, db: Db
) -> None:
    """Replace the whole list."""
    lika = lock_lika(db, publisher, code)
    replace_users(db, lika, read_product(db, lika, mid, pid), body.users)


@router.delete("/methode/{mid}/product/{pid}/gebruiker", status_code=204)
def submit_no_product_users(code: LikaCode, mid: MethodId, pid: ProductId, publisher: CallingPublisher, db: Db) -> None:
    """Empty the list."""
    clear_users(db, [read_product(db, lock_lika(db, publisher, code), mid, pid).id])


@router.post("/methode/{mid}/product/{pid}/gebruiker/addlist", status_code=204)
def submit_more_product_users(
    code: LikaCode, mid: MethodId, pid: ProductId, body: Users, publisher: CallingPublisher, db: Db
) -> None:
    """Add users to the list of the product."""
    lika = lock_lika(db, publisher, code)
    add_users(db, lika, [read_product(db, lika, mid, pid).id], body.users)


@router.post("/methode/{mid}/product/{pid}/gebruiker/removelist", status_code=204)
def submit_fewer_product_users(
    code: LikaCode, mid: MethodId, pid: ProductId, body: Users, publisher: CallingPublisher, db: Db
) -> None:
    """Take users from the list of the product."""
    lika = lock_lika(db, publisher, code)
    remove_users(db, [read_product(db, lika, mid, pid).id], body.users)


@router.get("/methode/{mid}/product/{pid}/gebruiker_eckid")
def show_product_eck_users(
    code: LikaCode, mid: MethodId, pid: ProductId, publisher: CallingPublisher, db: ReadDb
) -> EckUsers:
    """The users of the list who have an ECK iD."""
    lika = read_lika(db, publisher, code)
    return _eck_users(db, lika, read_product(db, lika, mid, pid))


@router.put("/methode/{mid}/product/{pid}/gebruiker_eckid", status_code=204)
def submit_product_eck_users(
    code: LikaCode, mid: MethodId, pid: ProductId, body: EckUsers, publisher: CallingPublisher, db: Db
) -> None:
    """Replace the whole list."""
    lika = lock_lika(db, publisher, code)
    replace_users(db, lika, read_product(db, lika, mid, pid), _resolve(db, lika, body.users))


@router.delete("/methode/{mid}/product/{pid}/gebruiker_eckid", status_code=204)
def submit_no_product_eck_users(
    code: LikaCode, mid: MethodId, pid: ProductId, publisher: CallingPublisher, db: Db
) -> None:
    """Empty the list, users without an ECK iD included: it is one list."""
    clear_users(db, [read_product(db, lock_lika(db, publisher, code), mid, pid).id])


@router.post("/methode/{mid}/product/{pid}/gebruiker_eckid/addlist", status_code=204)
def submit_more_product_eck_users(
    code: LikaCode, mid: MethodId, pid: ProductId, body: EckUsers, publisher: CallingPublisher, db: Db
) -> None:
    """Add users to the list of the product, by school and ECK iD."""
    lika = lock_lika(db, publisher, code)
    add_users(db, lika, [read_product(db, lika, mid, pid).id], _resolve(db, lika, body.users))


@router.post("/methode/{mid}/product/{pid}/gebruiker_eckid/removelist", status_code=204)
def submit_fewer_product_eck_users(
    code: LikaCode, mid: MethodId, pid: ProductId, body: EckUsers, publisher: CallingPublisher, db: Db
) -> None:
    """Take users from the list of the product, by school and ECK iD."""
    lika = lock_lika(db, publisher, code)
    remove_users(db, [read_product(db, lika, mid, pid).id], _resolve(db, lika, body.users))


# --- in bulk ----------------------------------------------------------------------------------------------------------


@router.post("/permissions/grant", status_code=204)
def submit_grant(code: LikaCode, body: BulkRequest, publisher: CallingPublisher, db: Db) -> None:
    """Every listed user gets every listed method and product; an unknown application undoes all of it."""
    lika = lock_lika(db, publisher, code)
    known, unknown = _find_applications(db, lika, body)
    if unknown:
        raise ApplicationUnknown(errors=unknown[:50])
    add_users(db, lika, known, _everybody(db, lika, body))


@router.post("/permissions/revoke", status_code=204)
def submit_revoke(code: LikaCode, body: BulkRequest, publisher: CallingPublisher, db: Db) -> None:
    """Every listed user loses every listed method and product; for an unknown one there is nothing to lose."""
    lika = lock_lika(db, publisher, code)
    known, _ = _find_applications(db, lika, body)
    remove_users(db, known, _everybody(db, lika, body))


def _find_applications(db: Session, lika: Lika, body: BulkRequest) -> tuple[list[int], list[dict[str, str]]]:
    """The rows that are named, and a pointer to each name that is none."""
    rows = db.execute(
        select(ApplicationRow.kind, ApplicationRow.key, ApplicationRow.id).where(ApplicationRow.lika_code == lika.code)
    )
    known = {(kind, key): number for kind, key, number in rows}
    found: set[int] = set()
    unknown = []
    for kind, field, keys in ((METHOD, "methodes", body.methods), (PRODUCT, "producten", body.products)):
        for position, key in enumerate(keys):
            if (kind, key) in known:
                found.add(known[kind, key])
            else:
                pointer = f"/body/{field}/{position}"
                unknown.append({"pointer": pointer, "detail": "Deze id bestaat niet in deze lika."})
    return sorted(found), unknown


def _everybody(db: Session, lika: Lika, body: BulkRequest) -> set[int]:
    return set(body.users) | _resolve(db, lika, body.eck_users)


def _resolve(db: Session, lika: Lika, users: Collection[EckUser]) -> set[int]:
    pairs: set[Pair] = {(user.school_id, user.eck_id) for user in users}
    return read_people_by_eck_id(db, lika, pairs) if pairs else set()


def _users(db: Session, lika: Lika, application: ApplicationRow) -> Users:
    return Users.model_construct(users=list(read_users(db, lika, application)))


def _eck_users(db: Session, lika: Lika, application: ApplicationRow) -> EckUsers:
    pairs = read_eck_users(db, lika, application)
    return EckUsers.model_construct(
        users=[EckUser.model_construct(school_id=school_id, eck_id=eck_id) for school_id, eck_id in pairs]
    )
