"""Taking back a change: the inverse of what was written, unless somebody has changed the same fields since."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, calling
from services.eduscope_api.groups import drop_group, write_groups
from services.eduscope_api.history import By, Source, WireChange, recording, remember_changes, wire_changes
from services.eduscope_api.people import RowId, Wanted
from services.eduscope_api.pupils import read_rows as read_pupil_rows
from services.eduscope_api.pupils import write_pupils
from services.eduscope_api.rules.history import (
    KEY,
    State,
    Subject,
    changed_since,
    inverse,
    is_creation,
    is_removal,
)
from services.eduscope_api.staff import read_rows as read_staff_rows
from services.eduscope_api.staff import write_staff
from services.eduscope_api.states import read_states
from services.eduscope_api.tables import ChangeRow, GroupRow, SchoolRow
from shared.clock import local_date, now
from shared.database import Db
from shared.names import fold
from shared.problems import InvalidRequest, NotFound, Problem
from shared.wire.rosters import GROUP_KINDS

router = APIRouter(prefix="/api/v1/scholen/{code}/geschiedenis", tags=["geschiedenis"])

# Of a school's settings only these; the switch and its messages have rules of their own.
SCHOOL_FIELDS = {"naam", "gepauzeerdTot"}


class ChangedSince(Problem):
    """`gewijzigd` names the fields that are no longer as the change left them."""

    status, slug, title = 409, "changed-since", "The same fields have been changed since"
    uitleg = "Deze gegevens zijn daarna opnieuw gewijzigd. Er is niets teruggedraaid; pas ze zelf aan."


class NotUndoable(Problem):
    """`velden` names what cannot be as it was."""

    status, slug, title = 409, "not-undoable", "What was there before cannot be there any more"
    uitleg = "Hoe het was, kan nu niet meer. Er is niets teruggedraaid."


@router.post("/{change_id}/terugdraaien")
def submit_undo(change_id: RowId, school: LockedSchool, db: Db, request: Request) -> WireChange:
    """Take a change back; answers with the change that does so, which can be taken back too.

    A person who was added leaves today; a group that was added goes when nobody is in it; a group that was removed
    comes back with its key.
    """
    return undo_change(db, school.id, change_id, By(calling(request), Source.UNDO, now()))


def undo_change(db: Session, school_id: int, change_id: int, by: By) -> WireChange:
    """Raises NotFound, ChangedSince, NotUndoable, GroupInUse; then nothing is changed."""
    change = db.scalar(select(ChangeRow).where(ChangeRow.school_id == school_id, ChangeRow.id == change_id))
    if change is None:
        raise NotFound
    by = By(by.caller, Source.UNDO, by.at)
    kind, subject_id = Subject(change.kind), change.subject_id
    present = read_states(db, school_id, kind, [subject_id])
    try:
        if is_removal(change.fields):
            _restore_group(db, change, present, by)
        elif subject_id not in present:
            raise NotUndoable(velden=sorted(change.fields))
        else:
            with recording(db, school_id, kind, [subject_id], by, change.id):
                _write(db, change, present[subject_id], local_date(by.at))
    except InvalidRequest as refused:  # what was there before does not fit what is here now
        fields = sorted({str(error["pointer"]).removeprefix("/body/") for error in refused.members["errors"]})
        raise NotUndoable(velden=fields) from None
    made = db.scalars(
        select(ChangeRow)
        .where(ChangeRow.school_id == school_id, ChangeRow.undone_id == change.id)
        .order_by(ChangeRow.id)
    ).all()
    if not made:
        raise ChangedSince(gewijzigd=sorted(change.fields))
    return wire_changes(db, school_id, made[-1:])[0]


def _write(db: Session, change: ChangeRow, present: State, today: date) -> None:
    """Write what was there before this change."""
    kind, school_id, subject_id = Subject(change.kind), change.school_id, change.subject_id
    if is_creation(change.fields) and kind in {Subject.PUPIL, Subject.STAFF}:
        _leave(db, change, present, today)
        return
    moved = changed_since(change.fields, present.fields)
    if moved:
        raise ChangedSince(gewijzigd=moved)
    fields = inverse(change.fields)
    match kind:
        case Subject.PUPIL:
            row = read_pupil_rows(db, school_id, [subject_id])[subject_id]
            write_pupils(db, school_id, [Wanted(row, fields)])
        case Subject.STAFF:
            member = read_staff_rows(db, school_id, [subject_id])[subject_id]
            if fields.keys() & {"emailadres", "contactgegevens"}:  # the mark needs the address, the address the mark
                both = {name: present.fields[name] for name in ("emailadres", "contactgegevens")}
                fields = {**both, **fields}
            write_staff(db, school_id, [Wanted(member, fields)])
        case Subject.GROUP:
            group = db.get_one(GroupRow, subject_id)
            if is_creation(change.fields):
                drop_group(db, group)
            else:
                write_groups(db, [Wanted(group, fields)])
        case Subject.SCHOOL:
            _write_school(db, school_id, fields)


def _leave(db: Session, change: ChangeRow, present: State, today: date) -> None:
    """Somebody who was added may have travelled: a leaving date, and never a row that is gone."""
    left = present.fields["uitstroomdatum"]
    if left is not None and left <= today.isoformat():
        raise ChangedSince(gewijzigd=["uitstroomdatum"])
    read = read_pupil_rows if change.kind == Subject.PUPIL else read_staff_rows
    read(db, change.school_id, [change.subject_id])[change.subject_id].left_on = today


def _restore_group(db: Session, change: ChangeRow, present: dict[int, State], by: By) -> None:
    """The removed group again, with its key and number."""
    fields = inverse(change.fields)
    same_key = GroupRow.school_id == change.school_id, GroupRow.key == fields[KEY]
    if present or db.scalar(select(GroupRow.id).where(*same_key)) is not None:
        raise ChangedSince(gewijzigd=[KEY])
    latest = select(ChangeRow.version).where(
        ChangeRow.school_id == change.school_id,
        ChangeRow.kind == change.kind,
        ChangeRow.subject_id == change.subject_id,
    )
    version = max(db.scalars(latest)) + 1
    group = GroupRow(
        id=change.subject_id,
        school_id=change.school_id,
        key=fields[KEY],
        kind=GROUP_KINDS[fields["soort"]],
        name=fields["naam"],
        sort_name=fold(fields["naam"]),
        year=fields.get("jaargroep"),
        description=fields.get("omschrijving"),
        version=version,
    )
    db.add(group)
    db.flush()
    after = read_states(db, change.school_id, Subject.GROUP, [group.id])
    remember_changes(db, change.school_id, Subject.GROUP, {}, after, by, change.id)


def _write_school(db: Session, school_id: int, fields: dict[str, Any]) -> None:
    others = sorted(fields.keys() - SCHOOL_FIELDS)
    if others:
        raise NotUndoable(velden=others)
    row = db.get_one(SchoolRow, school_id)
    if "naam" in fields:
        row.name = fields["naam"]
    if "gepauzeerdTot" in fields:
        until = fields["gepauzeerdTot"]
        row.paused_until = date.fromisoformat(until) if until is not None else None
