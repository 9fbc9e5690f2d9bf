"""Staff: names, roles, the groups they teach, and their e-mail addresses."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, delete, insert, or_, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.contacts import WireContact, read_staff_row, save_addresses, save_details, wire_contact
from services.eduscope_api.history import By, by_api, recording, remember_changes
from services.eduscope_api.listing import ListQuery, Orders, has_words, read_page, refuse_query
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
from services.eduscope_api.states import STAFF_COLUMNS, read_contact_rows, read_roles, read_states, read_taught
from services.eduscope_api.tables import ContactRow, StaffRoleRow, StaffRow, TeachingRow
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
from shared.roster import Role
from shared.wire.base import Day, Email, Number, WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/personeel", tags=["personeel"])


class WireStaffChange(WireNames):
    """What an administrator enters or changes. `emailadres` is the address marked for Basispoort, the user name there.

    Another `emailadres` takes the place of the marked one; an address that was there without the mark gets it.
    """

    email: Email | None = Field(None, alias="emailadres")
    roles: frozenset[Role] | None = Field(None, alias="rollen")
    ends_on: Day | None = Field(None, alias="einddatum")
    group_ids: frozenset[Number] | None = Field(None, alias="groepen", max_length=1000)


class WireTaught(WireModel):
    group_ids: frozenset[Number] = Field(alias="groepen", max_length=1000)


class WireStaffShown(WireModel):
    """One member of staff. `einddatum` is the last day of work; `versie` is the number in the ETag."""

    id: int
    key: str
    first_name: str | None = Field(alias="roepnaam")
    prefix: str | None = Field(alias="voorvoegsel")
    last_name: str | None = Field(alias="achternaam")
    initials: str | None = Field(alias="voorletters")
    eck_id: str | None = Field(alias="eckid")
    email: str | None = Field(alias="emailadres")
    contacts: Sequence[WireContact] = Field(alias="contactgegevens")
    roles: Sequence[str] = Field(alias="rollen")
    group_ids: Sequence[int] = Field(alias="groepen")
    ends_on: date | None = Field(alias="einddatum")
    came_on: date | None = Field(alias="instroomdatum")
    left_on: date | None = Field(alias="uitstroomdatum")
    version: int = Field(alias="versie")


class WireStaff(WireModel):
    """One page of the list; `volgende` is the cursor of the next one."""

    staff: Sequence[WireStaffShown] = Field(alias="personeel")
    next: str | None = Field(alias="volgende")
    total: int = Field(alias="totaal")


class StaffQuery(ListQuery):
    """Sorted by naam or id."""

    role: Role | None = Field(None, alias="rol")
    group_id: int | None = Field(None, alias="groep", ge=1, lt=2**63, description="Who teaches this group.")
    without_email: bool | None = Field(
        None, alias="zonderEmail", description="true: only who has no address for Basispoort; false: only who has one."
    )
    active: bool | None = Field(None, alias="actief", description="Does this person work here today?")


# --- reading ----------------------------------------------------------------------------------------------------------


@router.get("")
def show_staff(query: Annotated[StaffQuery, Query()], school: ReadSchool, db: ReadDb) -> WireStaff:
    """A page of the school's staff, those who left included until they are erased."""
    return read_staff(db, school.id, query, local_date(now()))


@router.get("/{staff_id}", response_model=WireStaffShown)
def show_member(
    staff_id: RowId, school: ReadSchool, db: ReadDb, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One member of staff, with an ETag; 304 when the caller has it already."""
    shown = read_member(db, school.id, staff_id)
    etag = etag_of(shown.version)
    if has_version(if_none_match, etag):
        return not_modified(etag)
    put_etag(response, etag)
    return shown


def read_staff(db: Session, school_id: int, query: StaffQuery, today: date) -> WireStaff:
    """One page of the list. Raises InvalidRequest at the parameter that makes no sense."""
    base: Select[Any] = select(StaffRow).where(StaffRow.school_id == school_id, StaffRow.erased_at.is_(None))
    for condition in _conditions(db, school_id, query, today):
        base = base.where(condition)
    number = StaffRow.id.expression
    orders: Orders = {"naam": (StaffRow.sort_name.expression, number), "id": (number,)}
    rows, following, total = read_page(db, "staff", school_id, base, orders, query)
    return WireStaff(staff=_shown(db, school_id, rows), next=following, total=total)


def _conditions(db: Session, school_id: int, query: StaffQuery, today: date) -> Iterable[ColumnElement[bool]]:
    if query.search is not None:
        yield has_words(StaffRow.sort_name.expression, query.search)
    if query.role is not None:
        yield StaffRow.id.in_(select(StaffRoleRow.staff_id).where(StaffRoleRow.role == query.role.value))
    if query.group_id is not None:
        if query.group_id not in read_group_kinds(db, school_id):
            raise refuse_query("groep", "unknown", say("Deze groep bestaat niet op deze school."))
        yield StaffRow.id.in_(select(TeachingRow.staff_id).where(TeachingRow.group_id == query.group_id))
    if query.without_email is not None:
        has_address = select(ContactRow.id).where(ContactRow.staff_id == StaffRow.id, ContactRow.for_basispoort)
        yield ~has_address.exists() if query.without_email else has_address.exists()
    if query.active is not None:
        here = and_(
            or_(StaffRow.came_on.is_(None), StaffRow.came_on <= today),
            or_(StaffRow.left_on.is_(None), StaffRow.left_on > today),
            or_(StaffRow.ends_on.is_(None), StaffRow.ends_on >= today),
        )
        yield here if query.active else ~here


def read_member(db: Session, school_id: int, staff_id: int) -> WireStaffShown:
    """Raises NotFound, also for who is erased."""
    return _shown(db, school_id, [read_staff_row(db, school_id, staff_id)])[0]


def read_rows(db: Session, school_id: int, ids: Collection[int]) -> dict[int, StaffRow]:
    """These members of staff by number, fresh from the database. Raises NotFound when one is not there."""
    own = select(StaffRow).where(StaffRow.school_id == school_id, StaffRow.erased_at.is_(None))
    found = db.scalars(own.where(StaffRow.id.in_(ids)).execution_options(populate_existing=True))
    rows = {row.id: row for row in found}
    if len(rows) < len(set(ids)):
        raise NotFound
    return rows


def _shown(db: Session, school_id: int, rows: Sequence[StaffRow]) -> list[WireStaffShown]:
    ids = [row.id for row in rows]
    roles, taught = read_roles(db, school_id, ids), read_taught(db, school_id, ids)
    contacts = read_contact_rows(db, school_id, ids)
    linked = {"email", "contacts", "roles", "group_ids"}
    names = [name for name in WireStaffShown.model_fields if name not in linked]
    return [
        WireStaffShown(
            **{name: getattr(row, name) for name in names},
            email=next((each.value for each in contacts.get(row.id, []) if each.for_basispoort), None),
            contacts=[wire_contact(each) for each in contacts.get(row.id, [])],
            roles=roles.get(row.id, []),
            group_ids=taught.get(row.id, []),
        )
        for row in rows
    ]


# --- writing ----------------------------------------------------------------------------------------------------------


@router.post("", status_code=201)
def submit_new_member(
    body: WireStaffChange, school: LockedSchool, db: Db, request: Request, response: Response
) -> WireStaffShown:
    """Add somebody, for example the fictitious teacher of a substitute account (whose address must be real)."""
    shown = save_new_member(db, school.id, body, by_api(request))
    response.headers["Location"] = f"/api/v1/scholen/{school.code}/personeel/{shown.id}"
    put_etag(response, etag_of(shown.version))
    return shown


@router.patch("/{staff_id}")
def submit_member(
    staff_id: RowId,
    body: WireStaffChange,
    school: LockedSchool,
    db: Db,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> WireStaffShown:
    """Change a member of staff. Merge: what is left out stays, null removes."""
    shown = save_member(db, school.id, staff_id, body, by_api(request), if_match)
    put_etag(response, etag_of(shown.version))
    return shown


@router.delete("/{staff_id}", status_code=204)
def submit_member_gone(
    staff_id: RowId, school: LockedSchool, db: Db, request: Request, if_match: IfMatch = None
) -> None:
    """This person leaves today. Who left already stays as it is; erasing follows by itself after 30 days."""
    remove_member(db, school.id, staff_id, by_api(request), if_match)


@router.put("/{staff_id}/groepen", status_code=204)
def submit_taught_groups(
    staff_id: RowId, body: WireTaught, school: LockedSchool, db: Db, request: Request, if_match: IfMatch = None
) -> None:
    """Teach exactly these groups."""
    save_taught_groups(db, school.id, staff_id, body.group_ids, by_api(request), if_match)


@router.put("/{staff_id}/alle-groepen", status_code=204)
def submit_all_groups(
    staff_id: RowId, school: LockedSchool, db: Db, request: Request, if_match: IfMatch = None
) -> None:
    """Teach all groups that the school has now, as a substitute account does."""
    save_all_groups(db, school.id, staff_id, by_api(request), if_match)


def save_new_member(db: Session, school_id: int, body: WireStaffChange, by: By) -> WireStaffShown:
    """Raises InvalidRequest."""
    row = StaffRow(school_id=school_id, key=new_key())
    write_staff(db, school_id, [Wanted(row, fields_of(body))])
    remember_changes(db, school_id, Subject.STAFF, {}, read_states(db, school_id, Subject.STAFF, [row.id]), by)
    return read_member(db, school_id, row.id)


def save_member(
    db: Session, school_id: int, staff_id: int, body: WireStaffChange, by: By, match: str | None = None
) -> WireStaffShown:
    """Raises NotFound, ChangedMeanwhile, InvalidRequest."""
    with changing_member(db, school_id, staff_id, by, match) as row:
        write_staff(db, school_id, [Wanted(row, fields_of(body))])
    return read_member(db, school_id, staff_id)


def remove_member(db: Session, school_id: int, staff_id: int, by: By, match: str | None = None) -> None:
    """A leaving date of today, unless this person left before. Raises NotFound, ChangedMeanwhile."""
    today = local_date(by.at)
    with changing_member(db, school_id, staff_id, by, match) as row:
        if row.left_on is None or row.left_on > today:
            row.left_on = today


def save_taught_groups(
    db: Session, school_id: int, staff_id: int, group_ids: Collection[int], by: By, match: str | None = None
) -> None:
    """Exactly these groups. Raises NotFound, ChangedMeanwhile, InvalidRequest."""
    with changing_member(db, school_id, staff_id, by, match) as row:
        write_staff(db, school_id, [Wanted(row, {"groepen": sorted(group_ids)})])


def save_all_groups(db: Session, school_id: int, staff_id: int, by: By, match: str | None = None) -> None:
    """All groups that the school has now. Raises NotFound, ChangedMeanwhile."""
    save_taught_groups(db, school_id, staff_id, read_group_kinds(db, school_id), by, match)


def save_teaching(db: Session, school_id: int, staff_id: int, group_id: int, by: By, *, teaches: bool) -> None:
    """Teach this group too, or no longer. Raises NotFound."""
    if group_id not in read_group_kinds(db, school_id):
        raise NotFound
    with changing_member(db, school_id, staff_id, by) as row:
        link = db.get(TeachingRow, (row.id, group_id), populate_existing=True)
        if teaches and link is None:
            db.add(TeachingRow(staff_id=row.id, group_id=group_id))
        elif link is not None and not teaches:
            db.delete(link)


@contextmanager
def changing_member(db: Session, school_id: int, staff_id: int, by: By, match: str | None = None) -> Iterator[StaffRow]:
    """A member of staff whose changes in the block are remembered. Raises NotFound, ChangedMeanwhile."""
    row = read_staff_row(db, school_id, staff_id)
    check_version(db, school_id, Subject.STAFF, staff_id, row.version, match)
    with recording(db, school_id, Subject.STAFF, [staff_id], by):
        yield row


def write_staff(db: Session, school_id: int, wanted: Sequence[Wanted]) -> None:
    """Write these fields, all or nothing; the caller remembers the change. Raises InvalidRequest with every error."""
    groups = read_group_kinds(db, school_id)
    errors = []
    for each in wanted:
        errors += apply_person(each, STAFF_COLUMNS)
        errors += wrong_groups(each, "groepen", each.fields.get("groepen") or [], groups)
    refuse_all(errors)
    db.add_all(each.row for each in wanted)
    db.flush()
    _relink(db, StaffRoleRow, "rollen", wanted, lambda staff_id, role: {"staff_id": staff_id, "role": role})
    _relink(db, TeachingRow, "groepen", wanted, lambda staff_id, group: {"staff_id": staff_id, "group_id": group})
    save_addresses(
        db,
        {
            each.row.id: each.fields["emailadres"]
            for each in wanted
            if "emailadres" in each.fields and "contactgegevens" not in each.fields
        },
    )
    for each in wanted:
        if "contactgegevens" in each.fields:
            details = [(detail["soort"], detail["waarde"]) for detail in each.fields["contactgegevens"] or []]
            save_details(db, each.row.id, details, each.fields["emailadres"])


def _relink(
    db: Session,
    rows: type[StaffRoleRow | TeachingRow],
    name: str,
    wanted: Sequence[Wanted],
    build: Callable[[int, Any], dict[str, Any]],
) -> None:
    """Give those of whom this field is wanted exactly these links."""
    owners = [each for each in wanted if name in each.fields]
    if owners:
        db.execute(delete(rows).where(rows.staff_id.in_([each.row.id for each in owners])))
    links = [build(each.row.id, linked) for each in owners for linked in sorted(set(each.fields[name] or []))]
    if links:
        db.execute(insert(rows), links)
