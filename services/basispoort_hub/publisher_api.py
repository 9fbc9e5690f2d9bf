"""What a publisher may read: /rest/v2/instellingen, in the shape of the real Basispoort REST interface."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import read_answer
from services.basispoort_hub.tables import PermissionRow, PublisherKeyRow, SchoolRow
from shared.database import ReadDb
from shared.identifiers import tidy
from shared.problems import CallerUnknown, NotFound, Problem
from shared.service_auth import bearer_hash
from shared.wire.base import Day, WireModel
from shared.wire.schools import InstitutionGroups, InstitutionOverview, InstitutionPupils, InstitutionStaff

MOST_FOUND = 100

router = APIRouter(prefix="/rest/v2", tags=["uitgevers"])
InstitutionId = Annotated[int, Field(ge=1, lt=2**63)]
Sought = Annotated[str, AfterValidator(tidy)]  # PostgreSQL cannot even look for a NUL
IfNoneMatch = Annotated[str | None, Header(max_length=2000)]


class PermissionMissing(Problem):
    status, slug, title = 403, "permission-missing", "The school has not given this publisher permission"
    uitleg = "De school heeft deze uitgeverij geen toestemming gegeven."


class InstitutionSearchResult(WireModel):
    """Oddities of the real interface kept: brincode with branch, a capital T in huisnummerToevoeging."""

    id: int
    name: str = Field(alias="naam")
    is_active: bool = Field(alias="actief")
    brin: str | None = Field(alias="brincode")
    street: str | None = Field(None, alias="straat")
    house_number: str | None = Field(None, alias="huisnummer")
    house_number_addition: str | None = Field(None, alias="huisnummerToevoeging")
    postal_code: str | None = Field(None, alias="postcode")
    town: str | None = Field(None, alias="woonplaats")
    phone_area: str | None = Field(None, alias="telefoonNet")
    phone_subscriber: str | None = Field(None, alias="telefoonAbon")
    email: str | None = Field(None, alias="emailadres")
    board_code: str | None = Field(None, alias="bestuurscode")


class SynchronizationPermission(WireModel):
    has_permission: bool = Field(alias="hasSynchronizationPermission")


def read_publisher_id(request: Request, db: Session) -> int:
    """Which publisher is calling. Raises CallerUnknown."""
    found = db.scalar(
        select(PublisherKeyRow.publisher_id).where(
            PublisherKeyRow.key_hash == bearer_hash(request), PublisherKeyRow.revoked_at.is_(None)
        )
    )
    if found is None:
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})
    return found


def has_permission(db: Session, school_id: int, publisher_id: int) -> bool:
    return (
        db.scalar(
            select(PermissionRow.id).where(
                PermissionRow.school_id == school_id,
                PermissionRow.publisher_id == publisher_id,
                PermissionRow.withdrawn_at.is_(None),
            )
        )
        is not None
    )


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


@router.get("/instellingen/{institution_id}", response_model=InstitutionOverview)
def show_institution(
    institution_id: InstitutionId, request: Request, db: ReadDb, if_none_match: IfNoneMatch = None
) -> Response:
    """Everything of one institution in one answer, with an ETag; 304 when the caller has it already."""
    return _answer(db, request, institution_id, "alles", if_none_match)


@router.get("/instellingen/{institution_id}/details")
def show_details(institution_id: InstitutionId, request: Request, db: ReadDb) -> Response:
    """Name, BRIN and branch; what the hub does not know is null."""
    return _answer(db, request, institution_id, "details", None)


@router.get("/instellingen/{institution_id}/groepen", response_model=InstitutionGroups)
def show_groups(institution_id: InstitutionId, request: Request, db: ReadDb) -> Response:
    return _answer(db, request, institution_id, "groepen", None)


@router.get("/instellingen/{institution_id}/leerlingen", response_model=InstitutionPupils)
def show_pupils(institution_id: InstitutionId, request: Request, db: ReadDb) -> Response:
    return _answer(db, request, institution_id, "leerlingen", None)


@router.get("/instellingen/{institution_id}/staf", response_model=InstitutionStaff)
def show_staff(institution_id: InstitutionId, request: Request, db: ReadDb) -> Response:
    return _answer(db, request, institution_id, "staf", None)


@router.get("/instellingen/{institution_id}/uitgever/synchronizationpermission")
def show_permission(institution_id: InstitutionId, request: Request, db: ReadDb) -> SynchronizationPermission:
    """Has this institution given the caller permission?"""
    publisher_id = read_publisher_id(request, db)
    if db.get(SchoolRow, institution_id) is None:
        raise NotFound
    return SynchronizationPermission(has_permission=has_permission(db, institution_id, publisher_id))


@router.get("/nawsearch")
def search_institutions(
    request: Request,
    db: ReadDb,
    name: Annotated[Sought | None, Query(alias="naam", max_length=200)] = None,
    brincode: Annotated[Sought | None, Query(max_length=10)] = None,
) -> list[InstitutionSearchResult]:
    """Institutions by a part of the name, or by BRIN with or without branch; open without permission."""
    read_publisher_id(request, db)
    query = select(SchoolRow.id, SchoolRow.name, SchoolRow.code).order_by(SchoolRow.id).limit(MOST_FOUND)
    if name is not None:
        query = query.where(SchoolRow.name.icontains(name.strip(), autoescape=True))
    if brincode is not None:
        query = query.where(SchoolRow.code.startswith(brincode.strip().upper(), autoescape=True))
    if name is None and brincode is None:
        return []
    return [
        InstitutionSearchResult(id=row.id, name=row.name, is_active=True, brin=row.code) for row in db.execute(query)
    ]


def _answer(db: Session, request: Request, institution_id: int, part: str, if_none_match: str | None) -> Response:
    """Consent first, then the ETag: a caller without permission learns nothing, not even that nothing changed."""
    publisher_id = read_publisher_id(request, db)
    if db.scalar(select(SchoolRow.id).where(SchoolRow.id == institution_id)) is None:
        raise NotFound
    if not has_permission(db, institution_id, publisher_id):
        raise PermissionMissing
    answer = read_answer(db, institution_id, part)
    if answer is None:
        raise NotFound
    headers = {"ETag": f'"{answer.etag}"', "Cache-Control": "private, no-cache"}
    if if_none_match is not None and _matches(if_none_match, answer.etag):
        return Response(status_code=304, headers=headers)
    return Response(answer.body, media_type="application/json", headers=headers)


def _matches(if_none_match: str, etag: str) -> bool:
    given = {each.strip().removeprefix("W/").strip('"') for each in if_none_match.split(",")}
    return "*" in given or etag in given
