"""Pupils with their group and year."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Select, and_, delete, insert, or_, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.history import By, by_api, recording, remember_changes
from services.eduscope_api.listing import ListQuery, Orders, has_words, nulls_last, read_page, refuse_query
from services.eduscope_api.people import (
    RowId,
    Wanted,
    WireNames,
    apply_person,
    fields_of,
    new_key,
    read_group_kinds,
    refuse_all,
    wrong_groups,
)
from services.eduscope_api.rules.history import Subject
from services.eduscope_api.states import PUPIL_COLUMNS, read_composites, read_states
from services.eduscope_api.tables import GroupRow, PupilCompositeRow, PupilRow
from services.eduscope_api.versions import (
    IfMatch,
    IfNoneMatch,
    check_version,
    etag_of,
    has_version,
    not_modified,
    put_etag,
)
from shared.clock import local_date, now
from shared.database import Db, ReadDb
from shared.language import say
from shared.problems import NotFound
from shared.roster import GroupKind
from shared.wire.base import Number, WireModel
from shared.wire.rosters import Year

router = APIRouter(prefix="/api/v1/scholen/{code}/leerlingen", tags=["leerlingen"])
COMPOSITES = "samengesteldeGroepen"


class WirePupilChange(WireNames):
    """What an administrator enters or changes. Groups are named by our own numbers."""

    year: Year | None = Field(None, alias="jaargroep")
    home_group_id: Number | None = Field(None, alias="groep")
    composite_group_ids: frozenset[Number] | None = Field(None, alias=COMPOSITES, max_length=100)


class WirePupilShown(WireModel):
    """One pupil. `versie` is the number in the ETag."""

    id: int
    key: str
    first_name: str | None = Field(alias="roepnaam")
    prefix: str | None = Field(alias="voorvoegsel")
    last_name: str | None = Field(alias="achternaam")
    initials: str | None = Field(alias="voorletters")
    eck_id: str | None = Field(alias="eckid")
    year: str | None = Field(alias="jaargroep")
    home_group_id: int | None = Field(alias="groep")
    composite_group_ids: Sequence[int] = Field(alias=COMPOSITES)
    came_on: date | None = Field(alias="instroomdatum")
    left_on: date | None = Field(alias="uitstroomdatum")
    version: int = Field(alias="versie")


class WirePupils(WireModel):
    """One page of the list; `volgende` is the cursor of the next one."""

    pupils: Sequence[WirePupilShown] = Field(alias="leerlingen")
    next: str | None = Field(alias="volgende")
    total: int = Field(alias="totaal")


class PupilQuery(ListQuery):
    """Sorted by naam, jaargroep, groep or id."""

    group_id: int | None = Field(None, alias="groep", ge=1, lt=2**63, description="In this home or composite group.")
    year: Year | None = Field(None, alias="jaargroep")
    active: bool | None = Field(None, alias="actief", description="Is it a pupil here today?")


# --- reading ----------------------------------------------------------------------------------------------------------


@router.get("")
def show_pupils(query: Annotated[PupilQuery, Query()], school: ReadSchool, db: ReadDb) -> WirePupils:
    """A page of the school's pupils, those who left included until they are erased."""
    return read_pupils(db, school.id, query, local_date(now()))


@router.get("/{pupil_id}", response_model=WirePupilShown)
def show_pupil(
    pupil_id: RowId, school: ReadSchool, db: ReadDb, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One pupil, with an ETag; 304 when the caller has it already."""
    shown = read_pupil(db, school.id, pupil_id)
    etag = etag_of(shown.version)
    if has_version(if_none_match, etag):
        return not_modified(etag)
    put_etag(response, etag)
    return shown


def read_pupils(db: Session, school_id: int, query: PupilQuery, today: date) -> WirePupils:
    """One page of the list. Raises InvalidRequest at the parameter that makes no sense."""
    base: Select[Any] = (
        select(PupilRow)
        .outerjoin(GroupRow, GroupRow.id == PupilRow.home_group_id)
        .where(PupilRow.school_id == school_id, PupilRow.erased_at.is_(None))
    )
    if query.search is not None:
        base = base.where(has_words(PupilRow.sort_name.expression, query.search))
    if query.year is not None:
        base = base.where(PupilRow.year == query.year)
    if query.group_id is not None:
        if query.group_id not in read_group_kinds(db, school_id):
            raise refuse_query("groep", "unknown", say("Deze groep bestaat niet op deze school."))
        members = select(PupilCompositeRow.pupil_id).where(PupilCompositeRow.group_id == query.group_id)
        base = base.where(or_(PupilRow.home_group_id == query.group_id, PupilRow.id.in_(members)))
    if query.active is not None:
        here = and_(
            or_(PupilRow.came_on.is_(None), PupilRow.came_on <= today),
            or_(PupilRow.left_on.is_(None), PupilRow.left_on > today),
            or_(PupilRow.year.is_(None), PupilRow.year != "H"),
        )
        base = base.where(here if query.active else ~here)
    orders: Orders = {
        "naam": (PupilRow.sort_name.expression, PupilRow.id.expression),
        "jaargroep": (*nulls_last(PupilRow.year.expression), PupilRow.sort_name.expression, PupilRow.id.expression),
        "groep": (*nulls_last(GroupRow.sort_name.expression), PupilRow.sort_name.expression, PupilRow.id.expression),
        "id": (PupilRow.id.expression,),
    }
    rows, following, total = read_page(db, "pupils", school_id, base, orders, query)
    return WirePupils(pupils=_shown(db, school_id, rows), next=following, total=total)


def read_pupil(db: Session, school_id: int, pupil_id: int) -> WirePupilShown:
    """Raises NotFound, also for who is erased."""
    return _shown(db, school_id, list(read_rows(db, school_id, [pupil_id]).values()))[0]


def read_rows(db: Session, school_id: int, ids: Collection[int]) -> dict[int, PupilRow]:
    """These pupils of the school by number, fresh from the database. Raises NotFound when one is not there."""
    own = select(PupilRow).where(PupilRow.school_id == school_id, PupilRow.erased_at.is_(None))
    found = db.scalars(own.where(PupilRow.id.in_(ids)).execution_options(populate_existing=True))
    rows = {row.id: row for row in found}
    if len(rows) < len(set(ids)):
        raise NotFound
    return rows


def _shown(db: Session, school_id: int, rows: Sequence[PupilRow]) -> list[WirePupilShown]:
    composites = read_composites(db, school_id, [row.id for row in rows])
    names = [name for name in WirePupilShown.model_fields if name != "composite_group_ids"]
    return [
        WirePupilShown(**{name: getattr(row, name) for name in names}, composite_group_ids=composites.get(row.id, []))
        for row in rows
    ]


# --- writing ----------------------------------------------------------------------------------------------------------


@router.post("", status_code=201)
def submit_new_pupil(
    body: WirePupilChange, school: LockedSchool, db: Db, request: Request, response: Response
) -> WirePupilShown:
    """Add a pupil. The key is one of our own; a call name or a surname is needed."""
    shown = save_new_pupil(db, school.id, body, by_api(request))
    response.headers["Location"] = f"/api/v1/scholen/{school.code}/leerlingen/{shown.id}"
    put_etag(response, etag_of(shown.version))
    return shown


@router.patch("/{pupil_id}")
def submit_pupil(
    pupil_id: RowId,
    body: WirePupilChange,
    school: LockedSchool,
    db: Db,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> WirePupilShown:
    """Change a pupil. Merge: what is left out stays, null removes."""
    shown = save_pupil(db, school.id, pupil_id, body, by_api(request), if_match)
    put_etag(response, etag_of(shown.version))
    return shown


@router.delete("/{pupil_id}", status_code=204)
def submit_pupil_gone(
    pupil_id: RowId, school: LockedSchool, db: Db, request: Request, if_match: IfMatch = None
) -> None:
    """The pupil leaves today. Who left already stays as it is; erasing follows by itself after 30 days."""
    remove_pupil(db, school.id, pupil_id, by_api(request), if_match)


def save_new_pupil(db: Session, school_id: int, body: WirePupilChange, by: By) -> WirePupilShown:
    """Raises InvalidRequest."""
    row = PupilRow(school_id=school_id, key=new_key())
    write_pupils(db, school_id, [Wanted(row, fields_of(body))])
    remember_changes(db, school_id, Subject.PUPIL, {}, read_states(db, school_id, Subject.PUPIL, [row.id]), by)
    return read_pupil(db, school_id, row.id)


def save_pupil(
    db: Session, school_id: int, pupil_id: int, body: WirePupilChange, by: By, match: str | None = None
) -> WirePupilShown:
    """Raises NotFound, ChangedMeanwhile, InvalidRequest."""
    row = read_rows(db, school_id, [pupil_id])[pupil_id]
    check_version(db, school_id, Subject.PUPIL, pupil_id, row.version, match)
    with recording(db, school_id, Subject.PUPIL, [pupil_id], by):
        write_pupils(db, school_id, [Wanted(row, fields_of(body))])
    return read_pupil(db, school_id, pupil_id)


def remove_pupil(db: Session, school_id: int, pupil_id: int, by: By, match: str | None = None) -> None:
    """A leaving date of today, unless the pupil left before. Raises NotFound, ChangedMeanwhile."""
    row = read_rows(db, school_id, [pupil_id])[pupil_id]
    check_version(db, school_id, Subject.PUPIL, pupil_id, row.version, match)
    today = local_date(by.at)
    if row.left_on is None or row.left_on > today:
        with recording(db, school_id, Subject.PUPIL, [pupil_id], by):
            row.left_on = today


def write_pupils(db: Session, school_id: int, wanted: Sequence[Wanted]) -> None:
    """Write these fields, all or nothing; the caller remembers the change. Raises InvalidRequest with every error."""
    groups = read_group_kinds(db, school_id)
    errors = []
    for each in wanted:
        errors += apply_person(each, PUPIL_COLUMNS)
        home = each.fields.get("groep")
        if home is not None:
            errors += wrong_groups(each, "groep", [home], groups, GroupKind.HOME)
        errors += wrong_groups(each, COMPOSITES, each.fields.get(COMPOSITES) or [], groups, GroupKind.COMPOSITE)
    refuse_all(errors)
    db.add_all(each.row for each in wanted)
    db.flush()
    relinked = [each for each in wanted if COMPOSITES in each.fields]
    if relinked:
        db.execute(delete(PupilCompositeRow).where(PupilCompositeRow.pupil_id.in_([each.row.id for each in relinked])))
    links = [
        {"pupil_id": each.row.id, "group_id": group_id}
        for each in relinked
        for group_id in sorted(set(each.fields[COMPOSITES] or []))
    ]
    if links:
        db.execute(insert(PupilCompositeRow), links)
