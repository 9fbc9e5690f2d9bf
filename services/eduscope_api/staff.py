"""Staff and their e-mail addresses."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeVar

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.contacts import read_addresses, save_addresses
from services.eduscope_api.people import RowId, WireNames, check_groups, check_named, given, new_key
from services.eduscope_api.tables import ContactRow, StaffRoleRow, StaffRow, TeachingRow
from shared.database import Db, ReadDb
from shared.problems import NotFound
from shared.roster import Role
from shared.wire.base import Day, Email, Number, WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/personeel", tags=["personeel"])
T = TypeVar("T")
COLUMNS = ("first_name", "prefix", "last_name", "initials", "eck_id", "came_on", "left_on", "ends_on")


class WireStaffChange(WireNames):
    """What an administrator enters or changes. The e-mail address becomes the user name in Basispoort."""

    email: Email | None = Field(None, alias="emailadres")
    roles: frozenset[Role] | None = Field(None, alias="rollen")
    ends_on: Day | None = Field(None, alias="einddatum")
    group_ids: frozenset[Number] | None = Field(None, alias="groepen")


class WireTaught(WireModel):
    group_ids: frozenset[Number] = Field(alias="groepen")


class WireStaffShown(WireModel):
    id: int
    key: str
    first_name: str | None = Field(alias="roepnaam")
    prefix: str | None = Field(alias="voorvoegsel")
    last_name: str | None = Field(alias="achternaam")
    initials: str | None = Field(alias="voorletters")
    eck_id: str | None = Field(alias="eckid")
    email: str | None = Field(alias="emailadres")
    roles: Sequence[str] = Field(alias="rollen")
    group_ids: Sequence[int] = Field(alias="groepen")
    ends_on: date | None = Field(alias="einddatum")
    came_on: date | None = Field(alias="instroomdatum")
    left_on: date | None = Field(alias="uitstroomdatum")


class WireStaff(WireModel):
    staff: Sequence[WireStaffShown] = Field(alias="personeel")


@router.get("")
def show_staff(school: ReadSchool, db: ReadDb) -> WireStaff:
    rows = db.scalars(
        select(StaffRow)
        .where(StaffRow.school_id == school.id, StaffRow.erased_at.is_(None))
        .order_by(StaffRow.last_name, StaffRow.first_name, StaffRow.id)
    )
    roles = _by_member(
        db.execute(
            select(StaffRoleRow.staff_id, StaffRoleRow.role)
            .join(StaffRow, StaffRow.id == StaffRoleRow.staff_id)
            .where(StaffRow.school_id == school.id)
        )
    )
    taught = _by_member(
        db.execute(
            select(TeachingRow.staff_id, TeachingRow.group_id)
            .join(StaffRow, StaffRow.id == TeachingRow.staff_id)
            .where(StaffRow.school_id == school.id)
        )
    )
    addresses = read_addresses(db, school.id)
    return WireStaff(
        staff=[_shown(row, addresses.get(row.id), roles.get(row.id, []), taught.get(row.id, [])) for row in rows]
    )


@router.post("", status_code=201)
def save_new_member(body: WireStaffChange, school: LockedSchool, db: Db) -> WireStaffShown:
    """Add somebody, for example the fictitious teacher of a substitute account (whose address must be real)."""
    return _save(db, StaffRow(school_id=school.id, key=new_key()), body)


@router.patch("/{staff_id}")
def save_member(staff_id: RowId, body: WireStaffChange, school: LockedSchool, db: Db) -> WireStaffShown:
    """Merge: what is left out stays, null removes."""
    return _save(db, read_member(db, school.id, staff_id), body)


@router.put("/{staff_id}/groepen", status_code=204)
def save_taught_groups(staff_id: RowId, body: WireTaught, school: LockedSchool, db: Db) -> None:
    """Exactly these groups; for a substitute account often all of the school."""
    row = read_member(db, school.id, staff_id)
    check_groups(db, school.id, body.group_ids, "groepen")
    _replace_taught(db, row.id, body.group_ids)


def read_member(db: Session, school_id: int, staff_id: int) -> StaffRow:
    """A member of staff of this school. Raises NotFound."""
    own = select(StaffRow).where(StaffRow.school_id == school_id, StaffRow.erased_at.is_(None))
    row = db.scalar(own.where(StaffRow.id == staff_id))
    if row is None:
        raise NotFound
    return row


def _save(db: Session, row: StaffRow, body: WireStaffChange) -> WireStaffShown:
    wanted = body.group_ids or frozenset()
    check_groups(db, row.school_id, wanted, "groepen")
    for name, value in given(body, *COLUMNS).items():
        setattr(row, name, value)
    check_named(row)
    db.add(row)
    db.flush()
    if "roles" in body.model_fields_set:
        db.execute(delete(StaffRoleRow).where(StaffRoleRow.staff_id == row.id))
        if body.roles:
            db.execute(insert(StaffRoleRow), [{"staff_id": row.id, "role": role} for role in sorted(body.roles)])
    if "group_ids" in body.model_fields_set:
        _replace_taught(db, row.id, wanted)
    if "email" in body.model_fields_set:
        save_addresses(db, {row.id: body.email})
    email = db.scalar(select(ContactRow.value).where(ContactRow.staff_id == row.id, ContactRow.for_basispoort))
    roles = db.scalars(select(StaffRoleRow.role).where(StaffRoleRow.staff_id == row.id)).all()
    taught = db.scalars(select(TeachingRow.group_id).where(TeachingRow.staff_id == row.id)).all()
    return _shown(row, email, roles, taught)


def _replace_taught(db: Session, staff_id: int, group_ids: frozenset[int]) -> None:
    db.execute(delete(TeachingRow).where(TeachingRow.staff_id == staff_id))
    if group_ids:
        db.execute(
            insert(TeachingRow), [{"staff_id": staff_id, "group_id": group_id} for group_id in sorted(group_ids)]
        )


def _by_member(links: Iterable[tuple[int, T]]) -> Mapping[int, list[T]]:
    found: dict[int, list[T]] = {}
    for staff_id, linked in links:
        found.setdefault(staff_id, []).append(linked)
    return found


def _shown(row: StaffRow, email: str | None, roles: Sequence[str], taught: Sequence[int]) -> WireStaffShown:
    elsewhere = {"email", "roles", "group_ids"}
    own = {name: getattr(row, name) for name in WireStaffShown.model_fields if name not in elsewhere}
    return WireStaffShown(**own, email=email, roles=sorted(roles), group_ids=sorted(taught))
