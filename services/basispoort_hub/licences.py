"""Which people may open which application: a publisher's methods and products, each with a set of users.

A user counts while present at a school that consents to the publisher. Others are dropped, as if they did not exist;
those who leave or whose school withdraws are not shown, and are back with the person or the consent.
Everything that writes starts with `lock_lika`: the changes of one publisher wait for each other.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, true
from sqlalchemy.orm import Session

from services.basispoort_hub.rosters import Layer
from services.basispoort_hub.tables import (
    ApplicationRow,
    EntryRow,
    LicenceRow,
    LikaCodeRow,
    PermissionRow,
    PersonRow,
    PublisherRow,
)
from shared.logs import log
from shared.problems import NotFound
from shared.roster import Kind

METHOD, PRODUCT = "methode", "product"
CHUNK = 10_000  # numbers, or new licences, in one statement
APPLICATIONS_AT_ONCE = 100
SCHOOLS_AT_ONCE = 50
# Of an entry's JSON, in which every other quote is escaped. To read a country's entries whole takes ten times as long.
_ECK_ID = re.compile(r'"eck_id":"([^"\\]+)"')

Pair = tuple[int, str]  # school number, ECK iD


@dataclass(frozen=True, slots=True)
class Lika:
    """A publisher's licences under one of its codes."""

    code: str
    publisher_id: int


def read_lika(db: Session, publisher_id: int, code: str) -> Lika:
    """Raises NotFound for a code that does not exist as for one that is another publisher's."""
    owner = db.scalar(select(LikaCodeRow.publisher_id).where(LikaCodeRow.code == code))
    if owner is None:
        owner = db.scalar(select(PublisherRow.id).where(PublisherRow.code == code))
    if owner != publisher_id:
        raise NotFound
    return Lika(code, publisher_id)


def lock_lika(db: Session, publisher_id: int, code: str) -> Lika:
    """The same, for who is going to change it: the publisher is locked. Its own code gets its row at the first use."""
    db.execute(select(PublisherRow.id).where(PublisherRow.id == publisher_id).with_for_update())
    lika = read_lika(db, publisher_id, code)
    if db.get(LikaCodeRow, code) is None:
        db.add(LikaCodeRow(code=code, publisher_id=publisher_id))
        db.flush()
    return lika


def read_methods(db: Session, lika: Lika) -> Sequence[ApplicationRow]:
    query = select(ApplicationRow).where(ApplicationRow.lika_code == lika.code, ApplicationRow.kind == METHOD)
    return db.scalars(query.order_by(ApplicationRow.key)).all()


def read_method(db: Session, lika: Lika, key: str) -> ApplicationRow:
    """Raises NotFound."""
    found = find_application(db, lika, METHOD, key)
    if found is None:
        raise NotFound
    return found


def read_products(db: Session, method: ApplicationRow) -> Sequence[ApplicationRow]:
    query = select(ApplicationRow).where(ApplicationRow.method_id == method.id)
    return db.scalars(query.order_by(ApplicationRow.key)).all()


def read_product(db: Session, lika: Lika, method_key: str, key: str) -> ApplicationRow:
    """Raises NotFound, also for a product of another method."""
    method, found = read_method(db, lika, method_key), find_application(db, lika, PRODUCT, key)
    if found is None or found.method_id != method.id:
        raise NotFound
    return found


def find_application(db: Session, lika: Lika, kind: str, key: str) -> ApplicationRow | None:
    return db.scalar(
        select(ApplicationRow).where(
            ApplicationRow.lika_code == lika.code, ApplicationRow.kind == kind, ApplicationRow.key == key
        )
    )


def remove_application(db: Session, application: ApplicationRow) -> None:
    """With its list of users; a method takes its products along."""
    products = list(db.scalars(select(ApplicationRow.id).where(ApplicationRow.method_id == application.id)))
    for ids in (products, [application.id]):
        clear_users(db, ids)
        db.execute(delete(ApplicationRow).where(ApplicationRow.id.in_(ids)))


# --- lists by id ------------------------------------------------------------------------------------------------------


def _consents(publisher_id: int) -> ColumnElement[bool]:
    """Does the school of this person consent to the publisher?"""
    return (
        select(PermissionRow.id)
        .where(
            PermissionRow.school_id == PersonRow.school_id,
            PermissionRow.publisher_id == publisher_id,
            PermissionRow.withdrawn_at.is_(None),
        )
        .exists()
    )


def read_users(db: Session, lika: Lika, application: ApplicationRow) -> Sequence[int]:
    """Ascending."""
    query = (
        select(LicenceRow.person_id)
        .join(PersonRow, PersonRow.id == LicenceRow.person_id)
        .where(LicenceRow.application_id == application.id, PersonRow.left_at.is_(None), _consents(lika.publisher_id))
    )
    return db.scalars(query.order_by(LicenceRow.person_id)).all()


def replace_users(db: Session, lika: Lika, application: ApplicationRow, users: Collection[int]) -> None:
    """From now on exactly those who count; only what is different is written."""
    counting = _drop_unknown(db, lika, users)
    present = set(db.scalars(select(LicenceRow.person_id).where(LicenceRow.application_id == application.id)))
    remove_users(db, [application.id], present.difference(counting))
    _insert(db, [application.id], [number for number in counting if number not in present])


def add_users(db: Session, lika: Lika, application_ids: Sequence[int], users: Collection[int]) -> None:
    """Give everybody who counts a licence for every application; who has one already keeps it."""
    counting = _drop_unknown(db, lika, users)
    for applications in _chunks(application_ids, APPLICATIONS_AT_ONCE):
        for numbers in _chunks(counting, CHUNK // len(applications)):
            # an anti-join inside the INSERT would be shorter; PostgreSQL then reads all licences for every chunk
            has = select(LicenceRow.person_id, LicenceRow.application_id).where(
                LicenceRow.person_id.in_(_written_out(numbers)),
                LicenceRow.application_id.in_(_written_out(applications)),
            )
            missing: dict[int, set[int]] = {number: set(applications) for number in numbers}
            for number, application_id in db.execute(has):
                missing[number].discard(application_id)
            alike: dict[tuple[int, ...], list[int]] = {}  # applications -> who misses just these
            for number, missed in missing.items():
                alike.setdefault(tuple(sorted(missed)), []).append(number)
            for some, people in alike.items():
                if some:
                    _insert(db, some, people)


def _insert(db: Session, application_ids: Sequence[int], users: Sequence[int]) -> None:
    """A licence for each of these applications, for each of these people, none of whom has one."""
    for numbers in _chunks(users, CHUNK):
        new = select(ApplicationRow.id, PersonRow.id).join(PersonRow, true())
        new = new.where(ApplicationRow.id.in_(_written_out(application_ids)), PersonRow.id.in_(_written_out(numbers)))
        db.execute(insert(LicenceRow).from_select(["application_id", "person_id"], new))


def _drop_unknown(db: Session, lika: Lika, users: Collection[int]) -> list[int]:
    """Those of the users who count, ascending; how many were dropped stands in the log."""
    counting: list[int] = []
    dropped = unconsented = 0
    for numbers in _chunks(sorted(set(users)), CHUNK):
        present = select(PersonRow.id).where(PersonRow.id.in_(_written_out(numbers)), PersonRow.left_at.is_(None))
        found = sorted(db.scalars(present.where(_consents(lika.publisher_id))))
        counting += found
        if len(found) < len(numbers):
            dropped += len(numbers) - len(found)
            unconsented += len(db.scalars(present).all()) - len(found)
    log_dropped(lika, dropped, unconsented)
    return counting


def remove_users(db: Session, application_ids: Sequence[int], users: Collection[int]) -> None:
    """Take the licences of these people away; who has none is passed over."""
    for applications in _chunks(application_ids, APPLICATIONS_AT_ONCE):
        for numbers in _chunks(sorted(set(users)), CHUNK // len(applications)):
            db.execute(
                delete(LicenceRow).where(
                    LicenceRow.application_id.in_(_written_out(applications)),
                    LicenceRow.person_id.in_(_written_out(numbers)),
                )
            )


def clear_users(db: Session, application_ids: Sequence[int]) -> None:
    db.execute(delete(LicenceRow).where(LicenceRow.application_id.in_(_written_out(application_ids))))


def log_dropped(lika: Lika, dropped: int, unconsented: int) -> None:
    """The audit line of what was passed over silently: numbers of people, never who."""
    if dropped:
        log.info(
            "licences_dropped", publisher=lika.publisher_id, unknown=dropped - unconsented, without_consent=unconsented
        )


def _written_out(numbers: Sequence[int]) -> ColumnElement[list[int]]:
    """Numbers for an IN, written into the statement: databases bound how many parameters it may have."""
    return bindparam(None, list(numbers), expanding=True, literal_execute=True)


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


# --- the same lists by ECK iD -----------------------------------------------------------------------------------------


def read_eck_users(db: Session, lika: Lika, application: ApplicationRow) -> list[Pair]:
    """The users who have an ECK iD, by school and ECK iD, ascending."""
    query = (
        select(PersonRow.school_id, PersonRow.id, EntryRow.body)
        .join(LicenceRow, LicenceRow.person_id == PersonRow.id)
        .join(EntryRow, _is_entry_of_person())
        .where(LicenceRow.application_id == application.id, PersonRow.left_at.is_(None), _consents(lika.publisher_id))
    )
    return sorted({(school_id, eck_id) for school_id, _, eck_id in _with_eck_id(db.execute(query))})


def read_people_by_eck_id(db: Session, lika: Lika, pairs: Collection[Pair]) -> set[int]:
    """The numbers of the people whom these pairs name, at schools that consent.

    A pair that names two people names nobody: a licence must not reach the wrong child.
    """
    asked = set(pairs)
    schools = sorted({school_id for school_id, _ in asked if school_id > 0})
    found: set[int] = set()
    for some in _chunks(schools, SCHOOLS_AT_ONCE):
        query = (
            select(PersonRow.school_id, PersonRow.id, EntryRow.body)
            .join(EntryRow, _is_entry_of_person())
            .where(PersonRow.school_id.in_(_written_out(some)), EntryRow.school_id.in_(_written_out(some)))
            .where(PersonRow.left_at.is_(None), _consents(lika.publisher_id))
        )
        named: dict[Pair, list[int]] = {}
        for school_id, person_id, eck_id in _with_eck_id(db.execute(query)):
            if (school_id, eck_id) in asked:
                named.setdefault((school_id, eck_id), []).append(person_id)
        found |= {people[0] for people in named.values() if len(people) == 1}
    if len(asked) > len(found):
        log_dropped(lika, len(asked) - len(found), 0)
    return found


def _is_entry_of_person() -> ColumnElement[bool]:
    return (
        (EntryRow.school_id == PersonRow.school_id)
        & (EntryRow.layer == Layer.VALID)
        & (EntryRow.kind == PersonRow.kind)
        & EntryRow.kind.in_([Kind.PUPIL, Kind.STAFF])
        & (EntryRow.key == PersonRow.key)
    )


def _with_eck_id(rows: object) -> Iterator[tuple[int, int, str]]:
    """(school number, person, ECK iD) of the rows whose entry has one."""
    for school_id, person_id, body in rows:  # type: ignore[attr-defined]  # a result of three columns
        plain = _ECK_ID.search(body)
        eck_id = plain[1] if plain else json.loads(body).get("eck_id")
        if eck_id is not None:
            yield school_id, person_id, eck_id
