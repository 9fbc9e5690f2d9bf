"""Reads pupils, staff, groups and schools as the fields that a history and a version speak of."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.rules.contacts import KIND_WORDS, ContactKind
from services.eduscope_api.rules.history import State, Subject
from services.eduscope_api.tables import (
    ContactRow,
    GroupRow,
    PupilCompositeRow,
    PupilRow,
    SchoolRow,
    StaffRoleRow,
    StaffRow,
    TeachingRow,
)
from shared.wire.rosters import GROUP_KINDS

Ids = Collection[int] | None  # None: all of the school

KIND_NAMES = {kind.value: name for name, kind in GROUP_KINDS.items()}
PERSON_COLUMNS = {
    "roepnaam": "first_name",
    "voorvoegsel": "prefix",
    "achternaam": "last_name",
    "voorletters": "initials",
    "eckid": "eck_id",
    "instroomdatum": "came_on",
    "uitstroomdatum": "left_on",
}
PUPIL_COLUMNS = {**PERSON_COLUMNS, "jaargroep": "year", "groep": "home_group_id"}
STAFF_COLUMNS = {**PERSON_COLUMNS, "einddatum": "ends_on"}
GROUP_COLUMNS = {"naam": "name", "jaargroep": "year", "omschrijving": "description"}
DAYS = {"came_on", "left_on", "ends_on"}


def read_states(db: Session, school_id: int, kind: Subject, ids: Ids = None) -> dict[int, State]:
    """These subjects of the school by row number; nobody who is erased, nothing that is not there."""
    if ids is not None and not ids:
        return {}
    match kind:
        case Subject.PUPIL:
            return _read_pupils(db, school_id, ids)
        case Subject.STAFF:
            return _read_staff(db, school_id, ids)
        case Subject.GROUP:
            return _read_groups(db, school_id, ids)
        case Subject.SCHOOL:
            return _read_school(db, school_id)


def links_of(found: Iterable[Any]) -> dict[int, list[Any]]:
    """Owner -> what is linked to it, sorted."""
    links: dict[int, list[Any]] = {}
    for owner, linked in found:
        links.setdefault(owner, []).append(linked)
    return {owner: sorted(linked) for owner, linked in links.items()}


def read_composites(db: Session, school_id: int, ids: Ids) -> dict[int, list[int]]:
    """Pupil -> composite groups."""
    query = select(PupilCompositeRow.pupil_id, PupilCompositeRow.group_id).join(
        PupilRow, PupilRow.id == PupilCompositeRow.pupil_id
    )
    return links_of(db.execute(_only(query, PupilRow, school_id, ids)))


def read_roles(db: Session, school_id: int, ids: Ids) -> dict[int, list[str]]:
    query = select(StaffRoleRow.staff_id, StaffRoleRow.role).join(StaffRow, StaffRow.id == StaffRoleRow.staff_id)
    return links_of(db.execute(_only(query, StaffRow, school_id, ids)))


def read_taught(db: Session, school_id: int, ids: Ids) -> dict[int, list[int]]:
    """Member of staff -> groups."""
    query = select(TeachingRow.staff_id, TeachingRow.group_id).join(StaffRow, StaffRow.id == TeachingRow.staff_id)
    return links_of(db.execute(_only(query, StaffRow, school_id, ids)))


def read_contact_rows(db: Session, school_id: int, ids: Ids) -> dict[int, list[ContactRow]]:
    """Member of staff -> contact details, addresses first, in the order of their text."""
    query = select(ContactRow).join(StaffRow, StaffRow.id == ContactRow.staff_id)
    rows: dict[int, list[ContactRow]] = {}
    statement = _only(query, StaffRow, school_id, ids).order_by(ContactRow.kind, ContactRow.id)
    for row in db.scalars(statement.execution_options(populate_existing=True)):
        rows.setdefault(row.staff_id, []).append(row)
    return rows


def _only(query: Any, rows: type[PupilRow | StaffRow | GroupRow], school_id: int, ids: Ids) -> Any:
    query = query.where(rows.school_id == school_id)
    return query if ids is None else query.where(rows.id.in_(ids))


def _read_pupils(db: Session, school_id: int, ids: Ids) -> dict[int, State]:
    composites = read_composites(db, school_id, ids)
    return {
        row.id: State(row.version, {**fields, "samengesteldeGroepen": composites.get(row.id, [])})
        for row, fields in _read_fields(db, PupilRow, PUPIL_COLUMNS, school_id, ids)
    }


def _read_staff(db: Session, school_id: int, ids: Ids) -> dict[int, State]:
    roles, taught = read_roles(db, school_id, ids), read_taught(db, school_id, ids)
    contacts = read_contact_rows(db, school_id, ids)
    states = {}
    for row, fields in _read_fields(db, StaffRow, STAFF_COLUMNS, school_id, ids):
        own = contacts.get(row.id, [])
        email = next((each.value for each in own if each.for_basispoort), None)
        details = sorted((KIND_WORDS[ContactKind(each.kind)], each.value) for each in own)
        linked = {
            "emailadres": email,
            "contactgegevens": [{"soort": word, "waarde": value} for word, value in details],
            "rollen": roles.get(row.id, []),
            "groepen": taught.get(row.id, []),
        }
        states[row.id] = State(row.version, {**fields, **linked})
    return states


def _read_groups(db: Session, school_id: int, ids: Ids) -> dict[int, State]:
    columns = {**GROUP_COLUMNS, "soort": "kind"}
    return {
        row.id: State(row.version, {**fields, "soort": KIND_NAMES[row.kind]})
        for row, fields in _read_fields(db, GroupRow, columns, school_id, ids)
    }


def _read_school(db: Session, school_id: int) -> dict[int, State]:
    row = db.execute(select(SchoolRow.__table__).where(SchoolRow.id == school_id)).one()
    fields = {
        "naam": row.name,
        "basispoort": row.basispoort_on,
        "gepauzeerdTot": _json(row.paused_until),
    }
    return {school_id: State(row.version, fields)}


def _read_fields(
    db: Session, rows: type[Any], columns: dict[str, str], school_id: int, ids: Ids
) -> Iterable[tuple[Any, dict[str, Any]]]:
    table = rows.__table__
    query = _only(select(table), rows, school_id, ids)
    if "erased_at" in table.c:
        query = query.where(table.c.erased_at.is_(None))
    for row in db.execute(query):
        values = row._mapping
        yield row, {"key": row.key, **{name: _json(values[table.c[column]]) for name, column in columns.items()}}


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
