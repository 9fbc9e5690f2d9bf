"""Contact details of staff: e-mail addresses and telephone numbers, one address marked for Basispoort."""

from collections.abc import Mapping, Sequence
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.history import By, by_api, recording
from services.eduscope_api.people import RowId, refuse
from services.eduscope_api.rules.contacts import KIND_WORDS, ContactKind, parse_phone
from services.eduscope_api.rules.history import Subject
from services.eduscope_api.states import read_contact_rows
from services.eduscope_api.tables import ContactRow, StaffRow
from services.eduscope_api.versions import IfMatch, check_version, etag_of, put_etag
from shared.database import Db, ReadDb
from shared.identifiers import parse_email
from shared.language import say
from shared.problems import NotFound
from shared.wire.base import Flag, Text, WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/personeel/{staff_id}/contactgegevens", tags=["contactgegevens"])

MOST_CONTACTS = 20  # of one person
KINDS = {word: kind for kind, word in KIND_WORDS.items()}


class WireContact(WireModel):
    """One contact detail. The address with `voorBasispoort` becomes the user name in Basispoort."""

    id: int
    kind: Literal["e-mail", "telefoon"] = Field(alias="soort")
    value: str = Field(alias="waarde")
    for_basispoort: bool = Field(alias="voorBasispoort")


class WireContactList(WireModel):
    contacts: Sequence[WireContact] = Field(alias="contactgegevens")


class WireNewContact(WireModel):
    """`voorBasispoort` left out: the first address of a person gets the mark by itself."""

    kind: Literal["e-mail", "telefoon"] = Field(alias="soort")
    value: Text = Field(alias="waarde")
    for_basispoort: Flag | None = Field(None, alias="voorBasispoort")


class WireContactChange(WireModel):
    value: Text | None = Field(None, alias="waarde")
    for_basispoort: Flag | None = Field(None, alias="voorBasispoort")


# --- over the wire ----------------------------------------------------------------------------------------------------


@router.get("")
def show_contact_details(staff_id: RowId, school: ReadSchool, db: ReadDb, response: Response) -> WireContactList:
    """All contact details of a member of staff. The ETag is that of the member."""
    row = read_staff_row(db, school.id, staff_id)
    put_etag(response, etag_of(row.version))
    return WireContactList(contacts=read_contacts(db, school.id, staff_id))


@router.post("", status_code=201)
def submit_new_contact(
    staff_id: RowId,
    body: WireNewContact,
    school: LockedSchool,
    db: Db,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> WireContact:
    """Add an address or a telephone number. The first address is marked for Basispoort by itself."""
    made = save_new_contact(db, school.id, staff_id, body, by_api(request), if_match)
    response.headers["Location"] = f"/api/v1/scholen/{school.code}/personeel/{staff_id}/contactgegevens/{made.id}"
    put_etag(response, etag_of(read_staff_row(db, school.id, staff_id).version))
    return made


@router.patch("/{contact_id}")
def submit_contact(
    staff_id: RowId,
    contact_id: RowId,
    body: WireContactChange,
    school: LockedSchool,
    db: Db,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> WireContact:
    """Change a contact detail, or mark an address for Basispoort, which takes the mark from the other one."""
    saved = save_contact(db, school.id, staff_id, contact_id, body, by_api(request), if_match)
    put_etag(response, etag_of(read_staff_row(db, school.id, staff_id).version))
    return saved


@router.delete("/{contact_id}", status_code=204)
def submit_contact_gone(
    staff_id: RowId, contact_id: RowId, school: LockedSchool, db: Db, request: Request, if_match: IfMatch = None
) -> None:
    """Remove a contact detail. Without a marked address the person has no user name in Basispoort."""
    remove_contact(db, school.id, staff_id, contact_id, by_api(request), if_match)


# --- for the API and the pages ----------------------------------------------------------------------------------------


def read_contacts(db: Session, school_id: int, staff_id: int) -> list[WireContact]:
    """Addresses first, in the order in which they were entered."""
    return [wire_contact(row) for row in read_contact_rows(db, school_id, [staff_id]).get(staff_id, [])]


def save_new_contact(
    db: Session, school_id: int, staff_id: int, body: WireNewContact, by: By, match: str | None = None
) -> WireContact:
    """Raises NotFound, ChangedMeanwhile, InvalidRequest."""
    rows = _read_own(db, school_id, staff_id, match)
    if len(rows) >= MOST_CONTACTS:
        raise refuse("waarde", say("Meer dan %(n)s contactgegevens per persoon kan niet.", n=MOST_CONTACTS))
    kind = KINDS[body.kind]
    value = _parsed(kind, body.value, rows)
    is_first = kind is ContactKind.EMAIL and not any(row.kind == kind for row in rows)
    marked = is_first if body.for_basispoort is None else body.for_basispoort
    _check_mark(kind, marked)
    with recording(db, school_id, Subject.STAFF, [staff_id], by):
        if marked:
            _unmark(db, staff_id)
        row = ContactRow(staff_id=staff_id, kind=kind.value, value=value, for_basispoort=marked)
        db.add(row)
        db.flush()
    return wire_contact(row)


def save_contact(
    db: Session,
    school_id: int,
    staff_id: int,
    contact_id: int,
    body: WireContactChange,
    by: By,
    match: str | None = None,
) -> WireContact:
    """Merge: what is left out stays. Raises NotFound, ChangedMeanwhile, InvalidRequest."""
    rows = _read_own(db, school_id, staff_id, match)
    row = _one(rows, contact_id)
    kind = ContactKind(row.kind)
    given = body.model_fields_set
    if "value" in given and body.value is None:
        raise refuse("waarde", say("Verwijder het gegeven als het weg moet."))
    if "for_basispoort" in given and body.for_basispoort is None:
        raise refuse("voorBasispoort", say("Dit moet true of false zijn."))
    value = _parsed(kind, body.value, [each for each in rows if each is not row]) if body.value else row.value
    marked = row.for_basispoort if body.for_basispoort is None else body.for_basispoort
    _check_mark(kind, marked)
    with recording(db, school_id, Subject.STAFF, [staff_id], by):
        if marked and not row.for_basispoort:
            _unmark(db, staff_id)
        row.value, row.for_basispoort = value, marked
        db.flush()
    return wire_contact(row)


def remove_contact(
    db: Session, school_id: int, staff_id: int, contact_id: int, by: By, match: str | None = None
) -> None:
    """Raises NotFound, ChangedMeanwhile."""
    row = _one(_read_own(db, school_id, staff_id, match), contact_id)
    with recording(db, school_id, Subject.STAFF, [staff_id], by):
        db.delete(row)
        db.flush()


def wire_contact(row: ContactRow) -> WireContact:
    kind = KIND_WORDS[ContactKind(row.kind)]
    return WireContact(id=row.id, kind=kind, value=row.value, for_basispoort=row.for_basispoort)


def read_staff_row(db: Session, school_id: int, staff_id: int) -> StaffRow:
    """A member of staff of this school, fresh from the database. Raises NotFound, also for who is erased."""
    own = select(StaffRow).where(StaffRow.school_id == school_id, StaffRow.erased_at.is_(None))
    row = db.scalar(own.where(StaffRow.id == staff_id).execution_options(populate_existing=True))
    if row is None:
        raise NotFound
    return row


def _read_own(db: Session, school_id: int, staff_id: int, match: str | None) -> list[ContactRow]:
    member = read_staff_row(db, school_id, staff_id)
    check_version(db, school_id, Subject.STAFF, staff_id, member.version, match)
    return read_contact_rows(db, school_id, [staff_id]).get(staff_id, [])


def _one(rows: Sequence[ContactRow], contact_id: int) -> ContactRow:
    for row in rows:
        if row.id == contact_id:
            return row
    raise NotFound


def _parsed(kind: ContactKind, text: str, others: Sequence[ContactRow]) -> str:
    """The value in its one spelling, that no other contact detail of this person has. Raises InvalidRequest."""
    try:
        value = parse_email(text) if kind is ContactKind.EMAIL else parse_phone(text)
    except ValueError as error:
        raise refuse("waarde", say("Deze waarde klopt niet: %(reden)s.", reden=error)) from None
    if any(row.kind == kind and row.value == value for row in others):
        raise refuse("waarde", say("Dit gegeven staat al bij deze persoon."))
    return value


def _check_mark(kind: ContactKind, marked: bool) -> None:
    if marked and kind is not ContactKind.EMAIL:
        raise refuse("voorBasispoort", say("Alleen een e-mailadres kan de gebruikersnaam in Basispoort zijn."))


def _unmark(db: Session, staff_id: int) -> None:
    db.execute(
        update(ContactRow)
        .where(ContactRow.staff_id == staff_id, ContactRow.for_basispoort)
        .values(for_basispoort=False)
    )


# --- for whole schools ------------------------------------------------------------------------------------------------


def read_addresses(db: Session, school_id: int) -> dict[int, str]:
    """Row number of a member of staff -> the address marked for Basispoort, for those who have one."""
    return dict(
        db.execute(
            select(ContactRow.staff_id, ContactRow.value)
            .join(StaffRow, StaffRow.id == ContactRow.staff_id)
            .where(StaffRow.school_id == school_id, ContactRow.for_basispoort)
        ).all()
    )


def save_addresses(db: Session, addresses: Mapping[int, str | None]) -> None:
    """Give each of these members of staff exactly this address for Basispoort, or none.

    The address that had the mark before is replaced; an address that was there without the mark gets it.
    """
    if not addresses:
        return
    found = db.scalars(
        select(ContactRow).where(ContactRow.staff_id.in_(list(addresses)), ContactRow.kind == ContactKind.EMAIL)
    ).all()
    marked = {row.staff_id: row.value for row in found if row.for_basispoort}
    changed = {staff_id: value for staff_id, value in addresses.items() if marked.get(staff_id) != value}
    if not changed:
        return
    db.execute(delete(ContactRow).where(ContactRow.staff_id.in_(list(changed)), ContactRow.for_basispoort))
    present = {(row.staff_id, row.value): row.id for row in found if not row.for_basispoort}
    wanted = {staff_id: value for staff_id, value in changed.items() if value is not None}
    known = [present[each] for each in wanted.items() if each in present]
    if known:
        db.execute(update(ContactRow).where(ContactRow.id.in_(known)).values(for_basispoort=True))
    new = [
        {"staff_id": staff_id, "kind": ContactKind.EMAIL.value, "value": value, "for_basispoort": True}
        for staff_id, value in wanted.items()
        if (staff_id, value) not in present
    ]
    if new:
        db.execute(insert(ContactRow), new)


def save_details(db: Session, staff_id: int, details: Sequence[tuple[str, str]], email: str | None) -> None:
    """Give a member of staff exactly these contact details (kind on the wire, value), the mark on this address.

    Details that are there already keep their number.
    """
    wanted = {(KINDS[word].value, value) for word, value in details}
    found = db.scalars(select(ContactRow).where(ContactRow.staff_id == staff_id)).all()
    for row in found:
        row.for_basispoort = False
        if (row.kind, row.value) not in wanted:
            db.delete(row)
    db.flush()
    present = {(row.kind, row.value): row for row in found}
    for kind, value in sorted(wanted):
        row = present.get((kind, value)) or ContactRow(staff_id=staff_id, kind=kind, value=value)
        row.for_basispoort = kind == ContactKind.EMAIL and value == email
        db.add(row)
    db.flush()
