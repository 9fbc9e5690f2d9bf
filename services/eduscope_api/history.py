"""History: who changed what and when. Every change of a person, group or school setting is remembered here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import Caller, ReadSchool, calling
from services.eduscope_api.listing import DEFAULT_LIMIT, MOST, Cursor, ListQuery, Orders, read_page, refuse_query
from services.eduscope_api.people import RowId
from services.eduscope_api.rules.history import NOWHERE, State, Subject, differences
from services.eduscope_api.states import Ids, read_states
from services.eduscope_api.tables import (
    AdministratorRow,
    ApiKeyRow,
    ChangeRow,
    GroupRow,
    PupilRow,
    SchoolRow,
    StaffRow,
)
from shared.clock import night_start, now
from shared.database import ReadDb
from shared.language import say
from shared.problems import NotFound
from shared.wire.base import Day, WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["geschiedenis"])

KindWord = Literal["leerling", "personeel", "groep", "school"]
KIND_WORDS: Mapping[Subject, KindWord] = {
    Subject.PUPIL: "leerling",
    Subject.STAFF: "personeel",
    Subject.GROUP: "groep",
    Subject.SCHOOL: "school",
}
OLDEST = date(2000, 1, 1)  # before any change; earlier days have no instant in every time zone
KINDS = {word: kind for kind, word in KIND_WORDS.items()}
ROWS: Mapping[Subject, type[Any]] = {
    Subject.PUPIL: PupilRow,
    Subject.STAFF: StaffRow,
    Subject.GROUP: GroupRow,
    Subject.SCHOOL: SchoolRow,
}


class Source(StrEnum):
    """By which road a change came."""

    PAGE = "page"
    API = "api"
    FILE = "file"
    UNDO = "undo"
    COMPARISON = "comparison"


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, by which road, and when. Nobody: the operator's own command."""

    caller: Caller | None
    source: Source
    at: datetime


def by_api(request: Request) -> By:
    """The caller of this request, which a guard let in."""
    return By(calling(request), Source.API, now())


def by_page(request: Request) -> By:
    return By(calling(request), Source.PAGE, now())


@contextmanager
def recording(
    db: Session, school_id: int, kind: Subject, ids: Ids, by: By, undone_id: int | None = None
) -> Iterator[Mapping[int, State]]:
    """Remember what the block changes of these subjects (None: of all of the school), in whatever way it writes.

    Gives the states before. What was not there before or is no longer there counts too.
    """
    db.flush()
    before = read_states(db, school_id, kind, ids)
    yield before
    db.flush()
    remember_changes(db, school_id, kind, before, read_states(db, school_id, kind, ids), by, undone_id)


def remember_changes(
    db: Session,
    school_id: int,
    kind: Subject,
    before: Mapping[int, State],
    after: Mapping[int, State],
    by: By,
    undone_id: int | None = None,
) -> list[int]:
    """Write one change for each subject that differs and move its version; returns their row numbers.

    What is missing in `before` is new (and keeps its first version), what is missing in `after` is gone.
    """
    changes: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for subject_id in sorted(before.keys() | after.keys()):
        old, new = before.get(subject_id, NOWHERE), after.get(subject_id, NOWHERE)
        fields = differences(old.fields, new.fields)
        if not fields:
            continue
        version = old.version + 1 if subject_id in before else new.version
        if subject_id in before and subject_id in after:
            moved.append({"id": subject_id, "version": version})
        changes.append({"subject_id": subject_id, "version": version, "fields": fields})
    if not changes:
        return []
    if moved:
        db.execute(update(ROWS[kind]), moved)
    common = {
        "school_id": school_id,
        "kind": kind.value,
        "changed_at": by.at,
        "administrator_id": by.caller.administrator_id if by.caller else None,
        "api_key_id": by.caller.api_key_id if by.caller else None,
        "source": by.source.value,
        "undone_id": undone_id,
    }
    db.execute(insert(ChangeRow), [{**common, **change} for change in changes])
    return [change["subject_id"] for change in changes]


# --- reading ----------------------------------------------------------------------------------------------------------


class WireChangedField(WireModel):
    """One field before and after; null: nothing."""

    before: Any = Field(alias="voor")
    after: Any = Field(alias="na")


class WireChange(WireModel):
    """One change. `teruggedraaidDoor`: the change that took it back; `draaitTerug`: the change that it takes back."""

    id: int
    kind: KindWord = Field(alias="soort")
    subject_id: int = Field(alias="onderwerp")
    name: str | None = Field(alias="naam")
    changed_at: datetime = Field(alias="gewijzigdOp")
    who: str | None = Field(alias="wie")
    source: str = Field(alias="bron")
    version: int = Field(alias="versie")
    fields: Mapping[str, WireChangedField] = Field(alias="velden")
    undone_id: int | None = Field(alias="draaitTerug")
    undone_by: int | None = Field(alias="teruggedraaidDoor")


class WireHistory(WireModel):
    """One page, the newest change first; `volgende` is the cursor of the next one."""

    changes: Sequence[WireChange] = Field(alias="wijzigingen")
    next: str | None = Field(alias="volgende")
    total: int = Field(alias="totaal")


class PersonHistoryQuery(WireModel):
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MOST, description="How many at most.")
    cursor: Cursor | None = Field(None, description="`volgende` of the page before this one.")


class HistoryQuery(PersonHistoryQuery):
    """`id` needs `soort`: numbers of pupils, staff and groups are counted apart."""

    kind: KindWord | None = Field(None, alias="soort")
    subject_id: int | None = Field(None, alias="id", ge=1, lt=2**63)
    since: Day | None = Field(None, alias="sinds", description="Changes of this day and later.")


@router.get("/geschiedenis")
def show_history(query: Annotated[HistoryQuery, Query()], school: ReadSchool, db: ReadDb) -> WireHistory:
    """Everything that was changed at this school, the newest first."""
    return read_history(db, school.id, query)


@router.get("/leerlingen/{subject_id}/geschiedenis")
def show_pupil_history(
    subject_id: RowId, query: Annotated[PersonHistoryQuery, Query()], school: ReadSchool, db: ReadDb
) -> WireHistory:
    """What was changed in one pupil, the newest first."""
    return read_history_of(db, school.id, Subject.PUPIL, subject_id, query)


@router.get("/personeel/{subject_id}/geschiedenis")
def show_member_history(
    subject_id: RowId, query: Annotated[PersonHistoryQuery, Query()], school: ReadSchool, db: ReadDb
) -> WireHistory:
    """What was changed in one member of staff, the newest first: contact details, roles and groups too."""
    return read_history_of(db, school.id, Subject.STAFF, subject_id, query)


@router.get("/groepen/{subject_id}/geschiedenis")
def show_group_history(
    subject_id: RowId, query: Annotated[PersonHistoryQuery, Query()], school: ReadSchool, db: ReadDb
) -> WireHistory:
    """What was changed in one group, the newest first; also of a group that is removed."""
    return read_history_of(db, school.id, Subject.GROUP, subject_id, query)


def read_history_of(
    db: Session, school_id: int, kind: Subject, subject_id: int, query: PersonHistoryQuery
) -> WireHistory:
    """Raises NotFound for what this school never had, and for who is erased."""
    own = (ChangeRow.school_id == school_id, ChangeRow.kind == kind.value, ChangeRow.subject_id == subject_id)
    if (
        not read_states(db, school_id, kind, [subject_id])
        and db.scalar(select(ChangeRow.id).where(*own).limit(1)) is None
    ):
        raise NotFound
    whole = HistoryQuery(limit=query.limit, cursor=query.cursor, kind=KIND_WORDS[kind], subject_id=subject_id)
    return read_history(db, school_id, whole)


def read_history(db: Session, school_id: int, query: HistoryQuery) -> WireHistory:
    """One page of what was changed, the newest first. Raises InvalidRequest at the parameter that makes no sense."""
    if query.subject_id is not None and query.kind is None:
        raise refuse_query("soort", "missing", say("Zeg bij een nummer ook de soort."))
    base: Select[Any] = select(ChangeRow).where(ChangeRow.school_id == school_id)
    if query.kind is not None:
        base = base.where(ChangeRow.kind == KINDS[query.kind].value)
    if query.subject_id is not None:
        base = base.where(ChangeRow.subject_id == query.subject_id)
    if query.since is not None:
        base = base.where(ChangeRow.changed_at >= night_start(max(query.since, OLDEST)))
    orders: Orders = {"id": (ChangeRow.id.expression,)}
    asked = ListQuery(limit=query.limit, cursor=query.cursor, sort="-id")
    question = ["history", query.kind, query.subject_id, query.since and query.since.isoformat()]
    rows, following, total = read_page(db, json.dumps(question), school_id, base, orders, asked)
    return WireHistory(changes=wire_changes(db, school_id, rows), next=following, total=total)


def read_change(db: Session, school_id: int, change_id: int) -> WireChange:
    """One change of this school. Raises NotFound."""
    row = db.scalar(select(ChangeRow).where(ChangeRow.school_id == school_id, ChangeRow.id == change_id))
    if row is None:
        raise NotFound
    return wire_changes(db, school_id, [row])[0]


def wire_changes(db: Session, school_id: int, rows: Sequence[ChangeRow]) -> list[WireChange]:
    """These changes with the names of who made them and whom they are about, as they are called now."""
    administrators = {row.administrator_id for row in rows} - {None}
    keys = {row.api_key_id for row in rows} - {None}
    people = dict(
        db.execute(
            select(AdministratorRow.id, AdministratorRow.user_name).where(AdministratorRow.id.in_(administrators))
        ).all()
    )
    programs = dict(db.execute(select(ApiKeyRow.id, ApiKeyRow.name).where(ApiKeyRow.id.in_(keys))).all())
    undone = select(ChangeRow.undone_id, ChangeRow.id).where(
        ChangeRow.school_id == school_id, ChangeRow.undone_id.in_([row.id for row in rows])
    )
    undone_by = dict(db.execute(undone.order_by(ChangeRow.id)).all())
    names = _read_names(db, school_id, rows)
    return [
        WireChange(
            id=row.id,
            kind=KIND_WORDS[Subject(row.kind)],
            subject_id=row.subject_id,
            name=names.get((row.kind, row.subject_id)),
            changed_at=row.changed_at,
            who=people.get(row.administrator_id or 0) or programs.get(row.api_key_id or 0),
            source=row.source,
            version=row.version,
            fields={name: WireChangedField(before=pair[0], after=pair[1]) for name, pair in row.fields.items()},
            undone_id=row.undone_id,
            undone_by=undone_by.get(row.id),
        )
        for row in rows
    ]


def _read_names(db: Session, school_id: int, rows: Sequence[ChangeRow]) -> dict[tuple[str, int], str]:
    names: dict[tuple[str, int], str] = {}
    for kind in (Subject.PUPIL, Subject.STAFF, Subject.GROUP):
        wanted = {row.subject_id for row in rows if row.kind == kind}
        for subject_id, state in read_states(db, school_id, kind, wanted).items():
            parts = (state.fields.get(each) for each in ("naam", "roepnaam", "voorvoegsel", "achternaam"))
            names[kind.value, subject_id] = " ".join(filter(None, parts))
    return names
