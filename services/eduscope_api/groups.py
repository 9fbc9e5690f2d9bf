"""Groups and the staff who teach them."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.people import RowId, new_key
from services.eduscope_api.staff import read_member
from services.eduscope_api.tables import GroupRow, PupilCompositeRow, PupilRow, StaffRow, TeachingRow
from shared.database import Db, ReadDb
from shared.problems import NotFound, Problem
from shared.wire.base import LongText, Text, WireModel
from shared.wire.rosters import GROUP_KINDS, Year

router = APIRouter(prefix="/api/v1/scholen/{code}/groepen", tags=["groepen"])
KIND_NAMES = {kind.value: name for name, kind in GROUP_KINDS.items()}


class GroupInUse(Problem):
    status, slug, title = 409, "group-in-use", "There are pupils or staff in this group"
    uitleg = "In deze groep staan nog leerlingen of leerkrachten. Verplaats hen eerst."


class WireGroupShown(WireModel):
    id: int
    key: str
    kind: str = Field(alias="soort")
    name: str = Field(alias="naam")
    year: str | None = Field(alias="jaargroep")
    description: str | None = Field(alias="omschrijving")
    pupils: int = Field(alias="leerlingen")
    teacher_ids: Sequence[int] = Field(alias="docenten")


class WireGroups(WireModel):
    groups: Sequence[WireGroupShown] = Field(alias="groepen")


class WireNewGroup(WireModel):
    kind: str = Field("groep", alias="soort", pattern="^(groep|samengestelde_groep)$")
    name: Text = Field(alias="naam")
    year: Year | None = Field(None, alias="jaargroep")
    description: LongText | None = Field(None, alias="omschrijving")


@router.get("")
def show_groups(school: ReadSchool, db: ReadDb) -> WireGroups:
    rows = db.scalars(
        select(GroupRow).where(GroupRow.school_id == school.id).order_by(GroupRow.name, GroupRow.id)
    ).all()
    in_home = select(PupilRow.home_group_id, func.count()).where(PupilRow.school_id == school.id)
    counts = dict(db.execute(in_home.group_by(PupilRow.home_group_id)).all())
    in_composite = (
        select(PupilCompositeRow.group_id, func.count())
        .join(PupilRow, PupilRow.id == PupilCompositeRow.pupil_id)
        .where(PupilRow.school_id == school.id)
        .group_by(PupilCompositeRow.group_id)
    )
    counts |= dict(db.execute(in_composite).all())
    taught: dict[int, list[int]] = {}
    links = (
        select(TeachingRow.group_id, TeachingRow.staff_id)
        .join(StaffRow, StaffRow.id == TeachingRow.staff_id)
        .where(StaffRow.school_id == school.id)
    )
    for group_id, staff_id in db.execute(links):
        taught.setdefault(group_id, []).append(staff_id)
    return WireGroups(groups=[_shown(row, counts.get(row.id, 0), taught.get(row.id, [])) for row in rows])


@router.post("", status_code=201)
def save_new_group(body: WireNewGroup, school: LockedSchool, db: Db) -> WireGroupShown:
    row = GroupRow(
        school_id=school.id,
        key=new_key(),
        kind=GROUP_KINDS[body.kind],
        name=body.name,
        year=body.year,
        description=body.description,
    )
    db.add(row)
    db.flush()
    return _shown(row, 0, [])


@router.delete("/{group_id}", status_code=204)
def remove_group(group_id: RowId, school: LockedSchool, db: Db) -> None:
    """Remove a group that nobody is in any more, such as last year's. Raises GroupInUse."""
    row = _read_group(db, school.id, group_id)
    for used in (PupilRow.home_group_id, PupilCompositeRow.group_id, TeachingRow.group_id):
        if db.scalar(select(func.count()).where(used == row.id)):
            raise GroupInUse
    db.delete(row)


@router.put("/{group_id}/docenten/{staff_id}", status_code=204)
def save_teacher(group_id: RowId, staff_id: RowId, school: LockedSchool, db: Db) -> None:
    group, member = _read_group(db, school.id, group_id), read_member(db, school.id, staff_id)
    if db.get(TeachingRow, (member.id, group.id)) is None:
        db.add(TeachingRow(staff_id=member.id, group_id=group.id))


@router.delete("/{group_id}/docenten/{staff_id}", status_code=204)
def remove_teacher(group_id: RowId, staff_id: RowId, school: LockedSchool, db: Db) -> None:
    group, member = _read_group(db, school.id, group_id), read_member(db, school.id, staff_id)
    db.execute(delete(TeachingRow).where(TeachingRow.staff_id == member.id, TeachingRow.group_id == group.id))


def _read_group(db: Session, school_id: int, group_id: int) -> GroupRow:
    row = db.scalar(select(GroupRow).where(GroupRow.school_id == school_id, GroupRow.id == group_id))
    if row is None:
        raise NotFound
    return row


def _shown(row: GroupRow, pupils: int, teacher_ids: Sequence[int]) -> WireGroupShown:
    return WireGroupShown(
        id=row.id,
        key=row.key,
        kind=KIND_NAMES[row.kind],
        name=row.name,
        year=row.year,
        description=row.description,
        pupils=pupils,
        teacher_ids=sorted(teacher_ids),
    )
