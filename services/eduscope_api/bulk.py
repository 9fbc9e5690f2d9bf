"""Many changes at once, all or nothing: lists of pupils or staff, and the whole year transition."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field, PlainValidator, StrictInt, StringConstraints, WithJsonSchema
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool
from services.eduscope_api.groups import GroupInUse, GroupName, KindName, drop_group, write_groups
from services.eduscope_api.history import By, WireChange, by_api, recording, remember_changes, wire_changes
from services.eduscope_api.people import Wanted, error_at, fields_of, new_key, read_group_kinds, refuse, refuse_all
from services.eduscope_api.pupils import WirePupilChange, write_pupils
from services.eduscope_api.rules.history import KEY, State, Subject
from services.eduscope_api.rules.transition import NEXT, next_year
from services.eduscope_api.staff import WireStaffChange, write_staff
from services.eduscope_api.states import read_states
from services.eduscope_api.tables import ChangeRow, GroupRow, PupilRow, StaffRow, TeachingRow
from services.eduscope_api.versions import ChangedMeanwhile, check_version
from shared.database import Db, undone
from shared.language import mark, say
from shared.names import fold
from shared.wire.base import Day, Flag, LongText, WireModel
from shared.wire.rosters import GROUP_KINDS, Year

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["jaarovergang"])

MOST_CHANGES = 5000
UNKNOWN = mark("Deze persoon bestaat niet op deze school.")
UNKNOWN_GROUP = mark("Deze groep bestaat niet op deze school.")
TWICE = mark("Deze leerling staat er twee keer in.")
COUNTED = ("groepNieuw", "groep", "groepWeg", "leerling", "leerlingUitstroom", "personeel")
Id = Annotated[StrictInt, Field(ge=1, lt=2**63)]
Ids = Annotated[tuple[Id, ...], Field(max_length=MOST_CHANGES)]
REF = r"^[A-Za-z0-9_-]{1,64}$"
Ref = Annotated[str, StringConstraints(strict=True, pattern=REF)]


def _group_pointer(value: Any) -> int | str:
    if (type(value) is int and 1 <= value < 2**63) or (type(value) is str and re.fullmatch(REF, value)):
        return value
    raise ValueError(say("een groep is een nummer, of de ref van een nieuwe groep"))


# A group that is there, by its number, or a new one of the same message, by its ref.
GroupPointer = Annotated[
    int | str,
    PlainValidator(_group_pointer),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": REF}]}),
]
NextYear = Annotated[str, StringConstraints(strict=True, pattern=r"^(?:[BD0-8SVCNH]|1[1-6]|\+1)$")]


class WirePupilEdit(WirePupilChange):
    """The fields of one pupil, as in a PATCH of that pupil alone. `etag`: only if it is still this one."""

    id: Id
    etag: Annotated[str, StringConstraints(strict=True, max_length=100)] | None = None


class WirePupilEdits(WireModel):
    pupils: tuple[WirePupilEdit, ...] = Field(alias="leerlingen", max_length=MOST_CHANGES)


class WireStaffEdit(WireStaffChange):
    """The fields of one member of staff, as in a PATCH of that person alone."""

    id: Id
    etag: Annotated[str, StringConstraints(strict=True, max_length=100)] | None = None


class WireStaffEdits(WireModel):
    staff: tuple[WireStaffEdit, ...] = Field(alias="personeel", max_length=MOST_CHANGES)


class WireEdited(WireModel):
    """Whom it changed, in order of their numbers; who already was so is not in it."""

    changed: int = Field(alias="gewijzigd")
    ids: Sequence[int]


class WireNextGroup(WireModel):
    """A new group (with a `ref` to point to it in this message), or a change of a present one (with its `id`)."""

    ref: Ref | None = None
    id: Id | None = None
    kind: KindName = Field("groep", alias="soort")
    name: GroupName | None = Field(None, alias="naam")
    year: Year | None = Field(None, alias="jaargroep")
    description: LongText | None = Field(None, alias="omschrijving")


class WireMoved(WireModel):
    """These pupils get this home group (number or `ref`) and this year (`+1`: the year after the present one)."""

    ids: Ids
    group: GroupPointer | None = Field(None, alias="groep")
    year: NextYear | None = Field(None, alias="jaargroep")


class WireLeaving(WireModel):
    ids: Ids
    day: Day = Field(alias="datum")


class WireTeachers(WireModel):
    """Exactly these members of staff teach this group (number or `ref`)."""

    group: GroupPointer = Field(alias="groep")
    ids: Annotated[tuple[Id, ...], Field(max_length=1000)]


class WireTransition(WireModel):
    """All that changes at the end of a school year. With `proef` nothing is written; the answer is the same."""

    trial: Flag = Field(alias="proef")
    groups: tuple[WireNextGroup, ...] = Field((), alias="groepen", max_length=500)
    pupils: tuple[WireMoved, ...] = Field((), alias="leerlingen", max_length=1000)
    leaving: WireLeaving | None = Field(None, alias="uitstroom")
    teachers: tuple[WireTeachers, ...] = Field((), alias="docenten", max_length=500)
    remove_groups: Annotated[tuple[Id, ...], Field(max_length=500)] = Field((), alias="verwijderGroepen")


class WireTransitionDone(WireModel):
    """How many of each kind changed, and every change. `groepen`: the number that each `ref` got; empty in a trial."""

    trial: bool = Field(alias="proef")
    counts: Mapping[str, int] = Field(alias="aantallen")
    changes: Sequence[WireChange] = Field(alias="wijzigingen")
    groups: Mapping[str, int] = Field(alias="groepen")


# --- lists ------------------------------------------------------------------------------------------------------------


@router.patch("/leerlingen")
def submit_pupils(body: WirePupilEdits, school: LockedSchool, db: Db, request: Request) -> WireEdited:
    """Change many pupils, all or nothing. Every error stands at its place in the list."""
    return save_pupils(db, school.id, body, by_api(request))


@router.patch("/personeel")
def submit_staff(body: WireStaffEdits, school: LockedSchool, db: Db, request: Request) -> WireEdited:
    """Change many members of staff, all or nothing. Every error stands at its place in the list."""
    return save_members(db, school.id, body, by_api(request))


def save_pupils(db: Session, school_id: int, body: WirePupilEdits, by: By) -> WireEdited:
    """Raises InvalidRequest with all errors, ChangedMeanwhile."""
    rows = _read_present(db, PupilRow, school_id, [each.id for each in body.pupils])
    wanted = _wanted(db, Subject.PUPIL, "leerlingen", body.pupils, rows)
    before = read_states(db, school_id, Subject.PUPIL, rows)
    write_pupils(db, school_id, wanted)
    return _edited(db, school_id, Subject.PUPIL, before, by)


def save_members(db: Session, school_id: int, body: WireStaffEdits, by: By) -> WireEdited:
    """Raises InvalidRequest with all errors, ChangedMeanwhile."""
    rows = _read_present(db, StaffRow, school_id, [each.id for each in body.staff])
    wanted = _wanted(db, Subject.STAFF, "personeel", body.staff, rows)
    before = read_states(db, school_id, Subject.STAFF, rows)
    write_staff(db, school_id, wanted)
    return _edited(db, school_id, Subject.STAFF, before, by)


def _read_present(db: Session, rows: type[Any], school_id: int, ids: Iterable[int]) -> dict[int, Any]:
    """Those of these people whom the school has, fresh from the database."""
    own = select(rows).where(rows.school_id == school_id, rows.erased_at.is_(None), rows.id.in_(set(ids)))
    return {row.id: row for row in db.scalars(own.execution_options(populate_existing=True))}


def _wanted(
    db: Session, kind: Subject, name: str, edits: Sequence[WirePupilEdit | WireStaffEdit], rows: Mapping[int, Any]
) -> list[Wanted]:
    errors, stale, seen = [], [], set()
    wanted = []
    for place, edit in enumerate(edits):
        fields = {each: value for each, value in fields_of(edit).items() if each not in {"id", "etag"}}
        each = Wanted(rows.get(edit.id), fields, f"/{name}/{place}")
        if each.row is None:
            errors.append(error_at(each, "id", say(UNKNOWN)))
            continue
        if edit.id in seen:
            errors.append(error_at(each, "id", say("Deze persoon staat er twee keer in.")))
        seen.add(edit.id)
        try:
            check_version(db, each.row.school_id, kind, edit.id, each.row.version, edit.etag)
        except ChangedMeanwhile as changed:
            stale.append({"pointer": f"/body{each.pointer}/etag", **changed.members})
        wanted.append(each)
    refuse_all(errors)
    if stale:
        raise ChangedMeanwhile(gewijzigd=sorted({name for each in stale for name in each["gewijzigd"]}), plaatsen=stale)
    return wanted


def _edited(db: Session, school_id: int, kind: Subject, before: Mapping[int, State], by: By) -> WireEdited:
    ids = remember_changes(db, school_id, kind, before, read_states(db, school_id, kind, before.keys()), by)
    return WireEdited(changed=len(ids), ids=ids)


# --- the year transition ----------------------------------------------------------------------------------------------


@router.post("/jaarovergang")
def submit_transition(body: WireTransition, school: LockedSchool, db: Db, request: Request) -> WireTransitionDone:
    """New groups, pupils to their next group and year, leavers, teachers, old groups gone: all or nothing.

    With `proef` true nothing is written, and the answer tells what would change.
    """
    return move_year(db, school.id, body, by_api(request))


def move_year(db: Session, school_id: int, body: WireTransition, by: By) -> WireTransitionDone:
    """Raises InvalidRequest with the errors at their places."""
    _check_size(body)
    if not body.trial:
        return _move_year(db, school_id, body, by)
    with undone(db):
        done = _move_year(db, school_id, body, by)
    return done.model_copy(update={"groups": {}})


def _move_year(db: Session, school_id: int, body: WireTransition, by: By) -> WireTransitionDone:
    newest = db.scalar(select(func.max(ChangeRow.id))) or 0
    refs = _save_groups(db, school_id, body.groups, by)
    _save_pupils(db, school_id, body, refs, by)
    _save_teachers(db, school_id, body.teachers, refs, by)
    _remove_groups(db, school_id, body.remove_groups, by)
    made = select(ChangeRow).where(ChangeRow.school_id == school_id, ChangeRow.id > newest).order_by(ChangeRow.id)
    changes = wire_changes(db, school_id, db.scalars(made).all())
    return WireTransitionDone(trial=body.trial, counts=_counts(changes), changes=changes, groups=refs)


def _check_size(body: WireTransition) -> None:
    lists: list[Sequence[Any]] = [body.groups, body.remove_groups]
    lists += [each.ids for each in body.pupils]
    lists += [each.ids for each in body.teachers]
    if body.leaving is not None:
        lists.append(body.leaving.ids)
    if sum(map(len, lists)) > MOST_CHANGES:
        raise refuse("leerlingen", say("Meer dan %(n)s wijzigingen in één keer kan niet.", n=MOST_CHANGES))


def _save_groups(db: Session, school_id: int, groups: Sequence[WireNextGroup], by: By) -> dict[str, int]:
    """Make and change groups; gives the number of every new one by its `ref`."""
    present = {row.id: row for row in db.scalars(select(GroupRow).where(GroupRow.school_id == school_id))}
    errors: list[dict[str, str]] = []
    made: dict[str, GroupRow] = {}
    changed: list[Wanted] = []
    for place, group in enumerate(groups):
        fields = fields_of(group)
        each = Wanted(present.get(group.id or 0), fields, f"/groepen/{place}")
        if (group.id is None) == (group.ref is None):
            errors.append(error_at(each, "ref", say("Geef een nieuwe groep een ref, en een bestaande haar id.")))
        elif group.ref is None:
            if each.row is None:
                errors.append(error_at(each, "id", say(UNKNOWN_GROUP)))
            elif "soort" in fields:
                errors.append(error_at(each, "soort", say("De soort van een groep verandert niet.")))
            else:
                changed.append(each)
        elif group.ref in made:
            errors.append(error_at(each, "ref", say("Deze ref staat er twee keer in.")))
        elif group.name is None:
            errors.append(error_at(each, "naam", say("Een groep heeft een naam.")))
        else:
            made[group.ref] = _new_group(school_id, group, group.name)
    refuse_all(errors)
    before = read_states(db, school_id, Subject.GROUP)
    write_groups(db, changed)
    db.add_all(made.values())
    db.flush()
    remember_changes(db, school_id, Subject.GROUP, before, read_states(db, school_id, Subject.GROUP), by)
    return {ref: row.id for ref, row in made.items()}


def _new_group(school_id: int, group: WireNextGroup, name: str) -> GroupRow:
    return GroupRow(
        school_id=school_id,
        key=new_key(),
        kind=GROUP_KINDS[group.kind],
        name=name,
        sort_name=fold(name),
        year=group.year,
        description=group.description,
    )


def _save_pupils(db: Session, school_id: int, body: WireTransition, refs: Mapping[str, int], by: By) -> None:
    leaving = body.leaving.ids if body.leaving is not None else ()
    rows = _read_present(db, PupilRow, school_id, [*(each for moved in body.pupils for each in moved.ids), *leaving])
    errors: list[dict[str, str]] = []
    wanted: list[Wanted] = []
    seen: set[int] = set()
    for place, moved in enumerate(body.pupils):
        pointer = f"/leerlingen/{place}"
        group, missing = _number(moved.group, refs, pointer)
        errors += missing
        for at, pupil_id in enumerate(moved.ids):
            each = Wanted(rows.get(pupil_id), {}, pointer)
            if each.row is None or pupil_id in seen:
                errors.append(error_at(each, f"ids/{at}", say(UNKNOWN if each.row is None else TWICE)))
                continue
            seen.add(pupil_id)
            fields: dict[str, Any] = {"groep": group} if "group" in moved.model_fields_set else {}
            if "year" in moved.model_fields_set:
                fields["jaargroep"] = next_year(each.row.year) if moved.year == NEXT else moved.year
                if moved.year == NEXT and fields["jaargroep"] is None:
                    errors.append(
                        error_at(each, f"ids/{at}", say("Na het leerjaar van deze leerling volgt geen ander."))
                    )
            wanted.append(Wanted(each.row, fields, pointer))
    for at, pupil_id in enumerate(leaving):
        each = Wanted(
            rows.get(pupil_id), {"uitstroomdatum": body.leaving and body.leaving.day.isoformat()}, "/uitstroom"
        )
        if each.row is None:
            errors.append(error_at(each, f"ids/{at}", say(UNKNOWN)))
        else:
            wanted.append(each)
    refuse_all(errors)
    with recording(db, school_id, Subject.PUPIL, rows, by):
        write_pupils(db, school_id, wanted)


def _save_teachers(
    db: Session, school_id: int, teachers: Sequence[WireTeachers], refs: Mapping[str, int], by: By
) -> None:
    if not teachers:
        return
    staff = set(db.scalars(select(StaffRow.id).where(StaffRow.school_id == school_id, StaffRow.erased_at.is_(None))))
    groups = read_group_kinds(db, school_id)
    errors: list[dict[str, str]] = []
    links: list[dict[str, int]] = []
    numbers: list[int] = []
    for place, taught in enumerate(teachers):
        pointer = f"/docenten/{place}"
        number, missing = _number(taught.group, refs, pointer)
        errors += missing
        if number in numbers:
            errors.append(error_at(Wanted(None, {}, pointer), "groep", say("Deze groep staat er twee keer in.")))
        elif number is not None and number not in groups:
            errors.append(error_at(Wanted(None, {}, pointer), "groep", say(UNKNOWN_GROUP)))
        elif number is not None:
            numbers.append(number)
            links += [{"staff_id": each, "group_id": number} for each in sorted(set(taught.ids))]
        for at, staff_id in enumerate(taught.ids):
            if staff_id not in staff:
                errors.append(error_at(Wanted(None, {}, pointer), f"ids/{at}", say(UNKNOWN)))
    refuse_all(errors)
    with recording(db, school_id, Subject.STAFF, None, by):
        db.execute(delete(TeachingRow).where(TeachingRow.group_id.in_(numbers)))
        if links:
            db.execute(insert(TeachingRow), links)


def _remove_groups(db: Session, school_id: int, ids: Sequence[int], by: By) -> None:
    if not ids:
        return
    rows = {row.id: row for row in db.scalars(select(GroupRow).where(GroupRow.school_id == school_id))}
    errors = []
    with recording(db, school_id, Subject.GROUP, None, by):
        for at, group_id in enumerate(ids):
            each = Wanted(rows.pop(group_id, None), {}, "")
            if each.row is None:
                errors.append(error_at(each, f"verwijderGroepen/{at}", say(UNKNOWN_GROUP)))
                continue
            try:
                drop_group(db, each.row)
            except GroupInUse:
                errors.append(error_at(each, f"verwijderGroepen/{at}", say(GroupInUse.uitleg)))
        refuse_all(errors)


def _number(group: int | str | None, refs: Mapping[str, int], pointer: str) -> tuple[int | None, list[dict[str, str]]]:
    """The number of a group that is given by number or `ref`, or what is wrong with it."""
    if not isinstance(group, str):
        return group, []
    if group in refs:
        return refs[group], []
    return None, [error_at(Wanted(None, {}, pointer), "groep", say("Deze ref staat niet bij de nieuwe groepen."))]


def _counts(changes: Sequence[WireChange]) -> dict[str, int]:
    """Changes in each kind; of groups what is new and what is gone apart, of pupils who leaves."""
    counts = dict.fromkeys(COUNTED, 0)
    for change in changes:
        word: str = change.kind
        if word == "groep" and KEY in change.fields:
            word = "groepNieuw" if change.fields[KEY].before is None else "groepWeg"
        elif word == "leerling" and "uitstroomdatum" in change.fields:
            word = "leerlingUitstroom"
        counts[word] += 1
    return counts
