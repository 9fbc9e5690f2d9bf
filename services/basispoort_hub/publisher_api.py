"""What a publisher may read: /rest/v2/instellingen, in the shape of the real Basispoort REST interface."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import select_pupils
from services.basispoort_hub.fast_reads import PermissionMissing, Reader, Wanted, answer, read_found, wanted_of
from services.basispoort_hub.permission_requests import has_permission
from services.basispoort_hub.publisher_callers import PROVEN, CallingPublisher, calling_publisher
from services.basispoort_hub.tables import PermissionRow, SchoolRow
from shared.database import ReadDb
from shared.problems import NotFound
from shared.wire.base import Day, WholeId
from shared.wire.schools import (
    InstitutionDetails,
    InstitutionGroups,
    InstitutionOverview,
    InstitutionPupils,
    InstitutionStaff,
)

# most routes look for themselves who is calling, in the statement or the picture that gives the answer
router = APIRouter(prefix="/rest/v2", tags=["uitgevers"], dependencies=PROVEN)
InstitutionId = Annotated[int, Field(ge=1, lt=2**63)]
IfNoneMatch = Annotated[str | None, Header(max_length=2000)]
MOST_ASKED = 20_000
BODY_LIMITS = {"leerlingen_eckid": 6_000_000}  # last segment of a path -> bytes; 20,000 of 256 signs
AskedIds = Annotated[list[WholeId], Field(max_length=MOST_ASKED)]
AskedEckIds = Annotated[
    list[Annotated[str, StringConstraints(strict=True, max_length=256)]], Field(max_length=MOST_ASKED)
]
CONDITIONAL: dict[int | str, dict[str, Any]] = {304: {"description": "Not Modified"}}


read_publisher_id = calling_publisher


@router.get("/instellingen")
def show_institutions(request: Request, db: ReadDb) -> list[int]:
    """The institutions that gave the caller permission, by id."""
    publisher_id = read_publisher_id(request, db)
    granted = select(PermissionRow.school_id).where(
        PermissionRow.publisher_id == publisher_id, PermissionRow.withdrawn_at.is_(None)
    )
    return sorted(db.scalars(granted))


# The two day lists stand before the routes with an id, so that the word is never taken for one.
@router.get("/instellingen/synchronizationpermission/toegekend/{day}")
def show_granted(day: Day, request: Request, db: ReadDb) -> list[int]:
    """Who gave the caller permission on that day in Amsterdam."""
    return _on_day(db, request, PermissionRow.granted_on == day)


@router.get("/instellingen/synchronizationpermission/ingetrokken/{day}")
def show_withdrawn(day: Day, request: Request, db: ReadDb) -> list[int]:
    """Who withdrew it on that day in Amsterdam."""
    return _on_day(db, request, PermissionRow.withdrawn_on == day)


def _on_day(db: Session, request: Request, condition: object) -> list[int]:
    publisher_id = read_publisher_id(request, db)
    query = select(PermissionRow.school_id).where(PermissionRow.publisher_id == publisher_id, condition)  # type: ignore[arg-type]  # an SQL condition
    return sorted(set(db.scalars(query)))


@router.head("/instellingen/{institution_id}", include_in_schema=False)
@router.get("/instellingen/{institution_id}", response_model=InstitutionOverview, responses=CONDITIONAL)
async def show_institution(
    institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None
) -> Response:
    """Everything of one institution in one answer, with an ETag; 304 when the caller has it already."""
    return await _serve(request, institution_id, "alles", if_none_match)


@router.head("/instellingen/{institution_id}/details", include_in_schema=False)
@router.get("/instellingen/{institution_id}/details", response_model=InstitutionDetails, responses=CONDITIONAL)
async def show_details(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Name, BRIN and branch; what the hub does not know is null."""
    return await _serve(request, institution_id, "details", if_none_match)


@router.head("/instellingen/{institution_id}/groepen", include_in_schema=False)
@router.get("/instellingen/{institution_id}/groepen", response_model=InstitutionGroups, responses=CONDITIONAL)
async def show_groups(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Home groups and composite groups."""
    return await _serve(request, institution_id, "groepen", if_none_match)


@router.head("/instellingen/{institution_id}/leerlingen", include_in_schema=False)
@router.get("/instellingen/{institution_id}/leerlingen", response_model=InstitutionPupils, responses=CONDITIONAL)
async def show_pupils(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Every pupil, with the group and the year."""
    return await _serve(request, institution_id, "leerlingen", if_none_match)


@router.post("/instellingen/{institution_id}/leerlingen", response_model=InstitutionPupils)
def show_pupils_by_id(
    institution_id: InstitutionId, publisher: CallingPublisher, wanted: AskedIds, db: ReadDb
) -> Response:
    """Those of the pupils asked for who are at this institution. A question, though it is a POST."""
    asked = frozenset(wanted)
    return _selected(db, publisher, institution_id, lambda pupil: pupil["id"] in asked)


@router.post("/instellingen/{institution_id}/leerlingen_eckid", response_model=InstitutionPupils)
def show_pupils_by_eck_id(
    institution_id: InstitutionId, publisher: CallingPublisher, wanted: AskedEckIds, db: ReadDb
) -> Response:
    """The same by ECK iD."""
    asked = frozenset(wanted)
    return _selected(db, publisher, institution_id, lambda pupil: pupil["eckid"] in asked)


@router.head("/instellingen/{institution_id}/staf", include_in_schema=False)
@router.get("/instellingen/{institution_id}/staf", response_model=InstitutionStaff, responses=CONDITIONAL)
async def show_staff(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Every member of staff, the coordinators outside the roster too."""
    return await _serve(request, institution_id, "staf", if_none_match)


@router.get("/instellingen/{institution_id}/ref")
def show_ref(institution_id: InstitutionId, publisher: CallingPublisher, db: ReadDb) -> str:
    """The reference by which a shortcut names the institution; a JSON string."""
    school = db.get(SchoolRow, institution_id)
    if school is None or school.sandbox_of not in {None, publisher}:
        raise NotFound
    if not has_permission(db, institution_id, publisher):
        raise PermissionMissing
    return school.ref


async def _serve(request: Request, institution_id: int, part: str, if_none_match: str | None) -> Response:
    reader: Reader = request.app.state.reader
    return await reader.serve(request, wanted_of(request, institution_id, part, if_none_match))


def _selected(
    db: Session, publisher_id: int, institution_id: int, is_asked: Callable[[dict[str, Any]], bool]
) -> Response:
    """From the stored answer, so that it agrees with the other answers that carry its mutationTimestamp."""
    plain = Wanted(institution_id, "leerlingen", packed=False, known=(), has_any=False)
    whole = answer(read_found(db, publisher_id, plain), plain)
    return Response(select_pupils(bytes(whole.body), is_asked), media_type="application/json")
