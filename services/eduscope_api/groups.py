"""Groups and the staff who teach them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from zlib import crc32

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, Field
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.history import By, by_api, recording, remember_changes
from services.eduscope_api.listing import ListQuery, Orders, has_words, nulls_last, read_page
from services.eduscope_api.people import RowId, Wanted, apply_fields, error_at, fields_of, new_key, refuse_all
from services.eduscope_api.rules.history import Subject
from services.eduscope_api.rules.people import check_group_name
from services.eduscope_api.staff import save_teaching
from services.eduscope_api.states import GROUP_COLUMNS, KIND_NAMES, read_states
from services.eduscope_api.tables import GroupRow, PupilCompositeRow, PupilRow, StaffRow, TeachingRow
from services.eduscope_api.versions import (
    IfMatch,
    IfNoneMatch,
    check_version,
    etag_of,
    has_version,
    not_modified,
    put_etag,
)
from shared.database import Db, ReadDb
from shared.language import say
from shared.names import fold
from shared.problems import NotFound, Problem
from shared.wire.base import LongText, Text, WireModel
from shared.wire.rosters import GROUP_KINDS, Year

router = APIRouter(prefix="/api/v1/scholen/{code}/groepen", tags=["groepen"])
GroupName = Annotated[Text, AfterValidator(check_group_name)]
KindName = Literal["groep", "samengestelde_groep"]


class GroupInUse(Problem):
    status, slug, title = 409, "group-in-use", "There are pupils or staff in this group"
    uitleg = "In deze groep staan nog leerlingen of leerkrachten. Verplaats hen eerst."


class WireGroupShown(WireModel):
    """One group. `leerlingen` counts its pupils, those who left included until they are erased."""

    id: int
    key: str
    kind: str = Field(alias="soort")
    name: str = Field(alias="naam")
    year: str | None = Field(alias="jaargroep")
    description: str | None = Field(alias="omschrijving")
    pupils: int = Field(alias="leerlingen")
    teacher_ids: Sequence[int] = Field(alias="docenten")
    version: int = Field(alias="versie")


class WireGroups(WireModel):
    """One page of the list; `volgende` is the cursor of the next one."""

    groups: Sequence[WireGroupShown] = Field(alias="groepen")
    next: str | None = Field(alias="volgende")
    total: int = Field(alias="totaal")


class WireNewGroup(WireModel):
    kind: KindName = Field("groep", alias="soort")
    name: GroupName = Field(alias="naam")
    year: Year | None = Field(None, alias="jaargroep")
    description: LongText | None = Field(None, alias="omschrijving")


class WireGroupChange(WireModel):
    """The kind of a group never changes."""

    name: GroupName | None = Field(None, alias="naam")
    year: Year | None = Field(None, alias="jaargroep")
    description: LongText | None = Field(None, alias="omschrijving")


class GroupQuery(ListQuery):
    """Sorted by naam, jaargroep or id."""

    kind: KindName | None = Field(None, alias="soort")
    year: Year | None = Field(None, alias="jaargroep")


# --- reading ----------------------------------------------------------------------------------------------------------


@router.get("")
def show_groups(query: Annotated[GroupQuery, Query()], school: ReadSchool, db: ReadDb) -> WireGroups:
    """A page of the school's groups."""
    return read_groups(db, school.id, query)


@router.get("/{group_id}", response_model=WireGroupShown)
def show_group(
    group_id: RowId, school: ReadSchool, db: ReadDb, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One group, with an ETag; 304 when the caller has it already."""
    shown = read_group(db, school.id, group_id)
    if has_version(if_none_match, _etag(shown)):
        return not_modified(_etag(shown))
    put_etag(response, _etag(shown))
    return shown


def read_groups(db: Session, school_id: int, query: GroupQuery) -> WireGroups:
    """One page of the list. Raises InvalidRequest at the parameter that makes no sense."""
    base: Select[Any] = select(GroupRow).where(GroupRow.school_id == school_id)
    if query.search is not None:
        base = base.where(has_words(GroupRow.sort_name.expression, query.search))
    if query.kind is not None:
        base = base.where(GroupRow.kind == GROUP_KINDS[query.kind])
    if query.year is not None:
        base = base.where(GroupRow.year == query.year)
    name, number = GroupRow.sort_name.expression, GroupRow.id.expression
    orders: Orders = {
        "naam": (name, number),
        "jaargroep": (*nulls_last(GroupRow.year.expression), name, number),
        "id": (number,),
    }
    rows, following, total = read_page(db, "groups", school_id, base, orders, query)
    return WireGroups(groups=_shown(db, school_id, rows), next=following, total=total)


def read_group(db: Session, school_id: int, group_id: int) -> WireGroupShown:
    """Raises NotFound."""
    return _shown(db, school_id, [_read_row(db, school_id, group_id)])[0]


def _read_row(db: Session, school_id: int, group_id: int) -> GroupRow:
    own = select(GroupRow).where(GroupRow.school_id == school_id, GroupRow.id == group_id)
    row = db.scalar(own.execution_options(populate_existing=True))
    if row is None:
        raise NotFound
    return row


def _shown(db: Session, school_id: int, rows: Sequence[GroupRow]) -> list[WireGroupShown]:
    ids = [row.id for row in rows]
    in_home = select(PupilRow.home_group_id, func.count()).where(
        PupilRow.school_id == school_id, PupilRow.home_group_id.in_(ids)
    )
    counts = dict(db.execute(in_home.group_by(PupilRow.home_group_id)).all())
    in_composite = (
        select(PupilCompositeRow.group_id, func.count())
        .where(PupilCompositeRow.group_id.in_(ids))
        .group_by(PupilCompositeRow.group_id)
    )
    counts |= dict(db.execute(in_composite).all())
    taught: dict[int, list[int]] = {}
    links = (
        select(TeachingRow.group_id, TeachingRow.staff_id)
        .join(StaffRow, StaffRow.id == TeachingRow.staff_id)
        .where(StaffRow.school_id == school_id, TeachingRow.group_id.in_(ids))
        .order_by(TeachingRow.staff_id)
    )
    for group_id, staff_id in db.execute(links):
        taught.setdefault(group_id, []).append(staff_id)
    return [
        WireGroupShown(
            id=row.id,
            key=row.key,
            kind=KIND_NAMES[row.kind],
            name=row.name,
            year=row.year,
            description=row.description,
            pupils=counts.get(row.id, 0),
            teacher_ids=taught.get(row.id, []),
            version=row.version,
        )
        for row in rows
    ]


def _etag(shown: WireGroupShown) -> str:
    """Who is in it and before it is shown too, so it is part of the mark, though not of the version."""
    return etag_of(shown.version, f"{crc32(repr((shown.pupils, shown.teacher_ids)).encode()):08x}")


# --- writing ----------------------------------------------------------------------------------------------------------


@router.post("", status_code=201)
def submit_new_group(
    body: WireNewGroup, school: LockedSchool, db: Db, request: Request, response: Response
) -> WireGroupShown:
    """Add a home group or a composite group. The key is one of our own."""
    shown = save_new_group(db, school.id, body, by_api(request))
    response.headers["Location"] = f"/api/v1/scholen/{school.code}/groepen/{shown.id}"
    put_etag(response, _etag(shown))
    return shown


@router.patch("/{group_id}")
def submit_group(
    group_id: RowId,
    body: WireGroupChange,
    school: LockedSchool,
    db: Db,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> WireGroupShown:
    """Change a group's name, year or description; never its kind."""
    shown = save_group(db, school.id, group_id, body, by_api(request), if_match)
    put_etag(response, _etag(shown))
    return shown


@router.delete("/{group_id}", status_code=204)
def submit_group_gone(
    group_id: RowId, school: LockedSchool, db: Db, request: Request, if_match: IfMatch = None
) -> None:
    """Remove a group that nobody is in any more, such as last year's. The history can give it back."""
    remove_group(db, school.id, group_id, by_api(request), if_match)


@router.put("/{group_id}/docenten/{staff_id}", status_code=204)
def submit_teacher(group_id: RowId, staff_id: RowId, school: LockedSchool, db: Db, request: Request) -> None:
    """This person teaches this group. Again is no change."""
    save_teacher(db, school.id, group_id, staff_id, by_api(request))


@router.delete("/{group_id}/docenten/{staff_id}", status_code=204)
def submit_teacher_gone(group_id: RowId, staff_id: RowId, school: LockedSchool, db: Db, request: Request) -> None:
    """This person no longer teaches this group. Again is no change."""
    remove_teacher(db, school.id, group_id, staff_id, by_api(request))


def save_new_group(db: Session, school_id: int, body: WireNewGroup, by: By) -> WireGroupShown:
    row = GroupRow(
        school_id=school_id,
        key=new_key(),
        kind=GROUP_KINDS[body.kind],
        name=body.name,
        year=body.year,
        description=body.description,
    )
    db.add(row)
    db.flush()
    remember_changes(db, school_id, Subject.GROUP, {}, read_states(db, school_id, Subject.GROUP, [row.id]), by)
    return read_group(db, school_id, row.id)


def save_group(
    db: Session, school_id: int, group_id: int, body: WireGroupChange, by: By, match: str | None = None
) -> WireGroupShown:
    """Merge: what is left out stays, null removes. Raises NotFound, ChangedMeanwhile, InvalidRequest."""
    row = _read_row(db, school_id, group_id)
    _check_version(db, row, match)
    with recording(db, school_id, Subject.GROUP, [group_id], by):
        write_groups(db, [Wanted(row, fields_of(body))])
    return read_group(db, school_id, group_id)


def remove_group(db: Session, school_id: int, group_id: int, by: By, match: str | None = None) -> None:
    """Raises NotFound, ChangedMeanwhile, GroupInUse."""
    row = _read_row(db, school_id, group_id)
    _check_version(db, row, match)
    with recording(db, school_id, Subject.GROUP, [group_id], by):
        drop_group(db, row)


def save_teacher(db: Session, school_id: int, group_id: int, staff_id: int, by: By) -> None:
    """Raises NotFound."""
    save_teaching(db, school_id, staff_id, group_id, by, teaches=True)


def remove_teacher(db: Session, school_id: int, group_id: int, staff_id: int, by: By) -> None:
    """Raises NotFound."""
    save_teaching(db, school_id, staff_id, group_id, by, teaches=False)


def write_groups(db: Session, wanted: Sequence[Wanted]) -> None:
    """Write these fields, all or nothing; the caller remembers the change. Raises InvalidRequest with every error."""
    errors = []
    for each in wanted:
        if "naam" in each.fields and each.fields["naam"] is None:
            errors.append(error_at(each, "naam", say("Een groep heeft een naam.")))
            continue
        apply_fields(each, GROUP_COLUMNS)
        each.row.sort_name = fold(each.row.name)
    refuse_all(errors)
    db.flush()


def drop_group(db: Session, row: GroupRow) -> None:
    """Delete the row; the caller remembers it. Raises GroupInUse."""
    for used in (PupilRow.home_group_id, PupilCompositeRow.group_id, TeachingRow.group_id):
        if db.scalar(select(func.count()).where(used == row.id)):
            raise GroupInUse
    db.delete(row)
    db.flush()


def _check_version(db: Session, row: GroupRow, match: str | None) -> None:
    if match is not None:
        etag = _etag(_shown(db, row.school_id, [row])[0])
        check_version(db, row.school_id, Subject.GROUP, row.id, row.version, match, etag)
