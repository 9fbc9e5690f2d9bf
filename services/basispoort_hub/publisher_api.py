"""What a publisher may read: /rest/v2/instellingen, in the shape of the real Basispoort REST interface.

The answers about one institution that are served as they are stored: `stored_answers`.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import select_pupils
from services.basispoort_hub.fast_reads import PermissionMissing, Wanted, answer, read_found
from services.basispoort_hub.permission_requests import has_permission
from services.basispoort_hub.publisher_callers import PROVEN, CallingPublisher, calling_publisher
from services.basispoort_hub.stored_answers import InstitutionId
from services.basispoort_hub.tables import PermissionRow, SchoolRow
from shared.database import ReadDb
from shared.problems import NotFound
from shared.wire.base import Day, WholeId
from shared.wire.schools import InstitutionPupils

router = APIRouter(prefix="/rest/v2", tags=["uitgevers"])
MOST_ASKED = 20_000
MOST_BYTES = 6_000_000  # 20,000 of 256 signs
BODY_LIMITS = {"leerlingen_eckid": MOST_BYTES}  # last segment of a path -> bytes
AskedIds = Annotated[list[WholeId], Field(max_length=MOST_ASKED)]
# As long as the body can be: what is no ECK iD of this school finds nothing.
AskedEckIds = Annotated[
    list[Annotated[str, StringConstraints(strict=True, max_length=MOST_BYTES)]], Field(max_length=MOST_ASKED)
]


@router.get("/instellingen/", include_in_schema=False)  # most versions of the real client ask for it like this
@router.get("/instellingen", openapi_extra=PROVEN)
def show_institutions(request: Request, db: ReadDb) -> list[int]:
    """The institutions that gave the caller permission, by id."""
    publisher_id = calling_publisher(request, db)
    granted = select(PermissionRow.school_id).where(
        PermissionRow.publisher_id == publisher_id, PermissionRow.withdrawn_at.is_(None)
    )
    return sorted(db.scalars(granted))


@router.get("/instellingen/synchronizationpermission/toegekend/{day}", openapi_extra=PROVEN)
def show_granted(day: Day, request: Request, db: ReadDb) -> list[int]:
    """Who gave the caller permission on that day in Amsterdam."""
    return _on_day(db, request, PermissionRow.granted_on == day)


@router.get("/instellingen/synchronizationpermission/ingetrokken/{day}", openapi_extra=PROVEN)
def show_withdrawn(day: Day, request: Request, db: ReadDb) -> list[int]:
    """Who withdrew it on that day in Amsterdam."""
    return _on_day(db, request, PermissionRow.withdrawn_on == day)


def _on_day(db: Session, request: Request, condition: object) -> list[int]:
    publisher_id = calling_publisher(request, db)
    query = select(PermissionRow.school_id).where(PermissionRow.publisher_id == publisher_id, condition)  # type: ignore[arg-type]  # an SQL condition
    return sorted(set(db.scalars(query)))


def _permitted(institution_id: InstitutionId, publisher: CallingPublisher, db: ReadDb) -> int:
    """The caller, if the institution gave it permission. Raises NotFound, PermissionMissing."""
    school = db.get(SchoolRow, institution_id)
    if school is None or school.sandbox_of not in {None, publisher}:
        raise NotFound
    if not has_permission(db, institution_id, publisher):
        raise PermissionMissing
    return publisher


# Looks before the body does: without permission 403 says so, whatever the rest of the request holds.
PermittedPublisher = Annotated[int, Depends(_permitted, scope="function")]


@router.post("/instellingen/{institution_id}/leerlingen", response_model=InstitutionPupils)
def show_pupils_by_id(
    institution_id: InstitutionId, publisher: PermittedPublisher, wanted: AskedIds, db: ReadDb
) -> Response:
    """Those of the pupils asked for who are at this institution. A question, though it is a POST."""
    asked = frozenset(wanted)
    return _selected(db, publisher, institution_id, lambda pupil: pupil["id"] in asked)


@router.post("/instellingen/{institution_id}/leerlingen_eckid", response_model=InstitutionPupils)
def show_pupils_by_eck_id(
    institution_id: InstitutionId, publisher: PermittedPublisher, wanted: AskedEckIds, db: ReadDb
) -> Response:
    """The same by ECK iD."""
    asked = frozenset(wanted)
    return _selected(db, publisher, institution_id, lambda pupil: pupil["eckid"] in asked)


@router.get("/instellingen/{institution_id}/ref")
def show_ref(institution_id: InstitutionId, _publisher: PermittedPublisher, db: ReadDb) -> str:
    """The reference by which a shortcut names the institution; a JSON string."""
    return db.get_one(SchoolRow, institution_id).ref


def _selected(
    db: Session, publisher_id: int, institution_id: int, is_asked: Callable[[dict[str, Any]], bool]
) -> Response:
    """From the stored answer, so that it agrees with the other answers that carry its mutationTimestamp."""
    plain = Wanted(institution_id, "leerlingen", packed=False, known=(), has_any=False)
    whole = answer(read_found(db, publisher_id, plain), plain)
    return Response(select_pupils(bytes(whole.body), is_asked), media_type="application/json")
