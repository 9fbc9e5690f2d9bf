"""The change feed for publishers, our addition to the real interface: what changed since a cursor, as it is now.

Everything of a page is read in one picture: the rows of the feed, consent, and the stored answers that hold the present
values. A school without consent has no changes here; giving and withdrawing it are changes themselves. What happened
before consent stays out: who reads the school then has everything that is there.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import ColumnElement, Engine, Select, and_, delete, func, literal_column, or_, select, true
from sqlalchemy.orm import Session, aliased

from services.basispoort_hub.feed import Subject
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.tables import AnswerRow, FeedRow, PermissionRow, SchoolRow
from shared.clock import now as present
from shared.database import ReadDb, reading, writing
from shared.problems import Problem
from shared.wire.changes import Act, WireChange, WireFeed

KEPT = timedelta(days=45)
SLACK = timedelta(days=1)  # rows stay longer than cursors do, so that no cursor points before the oldest row
USUAL, MOST = 500, 2_000
MOST_SCHOOLS = 50  # in one page, so that a page is made in a moment and in little memory
_CURSOR = re.compile(r"1\.([0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,12})")

router = APIRouter(prefix="/api/v1", tags=["uitgevers"])


class CursorUnknown(Problem):
    status, slug, title = 422, "cursor-unknown", "This is no cursor of the feed"
    uitleg = "Deze cursor is niet van hier. Begin opnieuw zonder cursor."


class CursorTooOld(Problem):
    status, slug, title = 410, "cursor-too-old", "The cursor is too old; read every school anew and start without one"
    uitleg = "Deze cursor is te oud. Lees alle scholen opnieuw en begin daarna zonder cursor."


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the feed."""

    transaction: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class School:
    """What a publisher can read of a school now, by what a row of the feed can be about."""

    details: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]]
    composites: Mapping[str, Mapping[str, Any]]
    pupils: Mapping[int, Mapping[str, Any]]
    staff: Mapping[int, Mapping[str, Any]]


@router.get("/changes")
def show_changes(
    publisher: CallingPublisher,
    db: ReadDb,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = USUAL,
) -> WireFeed:
    """What changed since `cursor` in the schools that consent, oldest first; without a cursor only the newest one.

    So begin without one, read every school, and go on from the cursor you got. Changes carry what is there now: to take
    one over twice, or one that you have already read, does no harm.
    """
    now = present()
    newest = read_newest(db)
    if cursor is None:
        return WireFeed(changes=[], cursor=write_cursor(newest, now), more=False)
    since, _ = read_cursor(cursor, now)
    if since > newest:  # a backup was put back here
        raise CursorTooOld
    found = read_rows(db, publisher, since, limit + 1)
    rows = _first_schools(found[:limit])
    more = len(rows) < len(found)
    reached, at = (Position(rows[-1].transaction, rows[-1].id), rows[-1].made_at) if more else (newest, now)
    return WireFeed(changes=_describe(db, publisher, rows), cursor=write_cursor(reached, at), more=more)


def _first_schools(rows: list[FeedRow]) -> list[FeedRow]:
    """As far as they are about `MOST_SCHOOLS` schools: of each its whole answers are read."""
    schools: set[int] = set()
    for place, row in enumerate(rows):
        schools.add(row.school_id)
        if len(schools) > MOST_SCHOOLS:
            return rows[:place]
    return rows


def write_cursor(position: Position, at: datetime) -> str:
    text = f"1.{position.transaction}.{position.id}.{int(at.timestamp())}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, now: datetime) -> tuple[Position, datetime]:
    """The place, and when it was the newest. Raises CursorUnknown, CursorTooOld."""
    position, seconds = _parse_cursor(cursor)
    at = datetime.fromtimestamp(min(seconds, int(now.timestamp())), UTC)
    if at < now - KEPT:
        raise CursorTooOld
    return position, at


def read_own_cursor(cursor: str) -> tuple[Position, datetime]:
    """The same of one that was written and kept here, however old it is by now."""
    position, seconds = _parse_cursor(cursor)
    return position, datetime.fromtimestamp(seconds, UTC)


def _parse_cursor(cursor: str) -> tuple[Position, int]:
    try:
        text = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise CursorUnknown from None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise CursorUnknown
    return Position(int(found[1]), int(found[2])), int(found[3])


def _is_settled(db: Session) -> ColumnElement[bool]:
    """Rows that no older transaction can still come before. On SQLite there is one writer, so all of them."""
    if db.get_bind().dialect.name != "postgresql":
        return true()
    oldest: ColumnElement[int] = literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    condition: ColumnElement[bool] = FeedRow.transaction < oldest
    return condition


def read_newest(db: Session) -> Position:
    """The end of the feed as it can be read now."""
    newest = select(FeedRow.transaction, FeedRow.id).where(_is_settled(db))
    row = db.execute(newest.order_by(FeedRow.transaction.desc(), FeedRow.id.desc()).limit(1)).first()
    return Position() if row is None else Position(row.transaction, row.id)


def read_rows(db: Session, publisher_id: int, since: Position, limit: int) -> list[FeedRow]:
    """What a publisher may know of after a place, oldest first."""
    query = _select_known(db, publisher_id, since, FeedRow).order_by(FeedRow.transaction, FeedRow.id)
    return list(db.scalars(query.limit(limit)))


def read_changed_schools(
    db: Session, publisher_id: int, since: Position, most: int
) -> tuple[list[int], tuple[Position, datetime] | None]:
    """The schools in what a publisher may know of after a place: the first `most` that changed.

    With that, how far this goes and when that was, if there are more; else None.
    """
    order = FeedRow.transaction, FeedRow.id
    place = func.row_number().over(partition_by=FeedRow.school_id, order_by=order).label("place")
    row = _select_known(db, publisher_id, since, *order, FeedRow.school_id, FeedRow.made_at, place).subquery().c
    firsts = select(row.transaction, row.id, row.school_id, row.made_at).where(row.place == 1)
    found = db.execute(firsts.order_by(row.transaction, row.id).limit(most + 1)).all()
    schools = [each.school_id for each in found[:most]]
    if len(found) <= most:
        return schools, None
    return schools, (Position(found[most].transaction, found[most].id - 1), found[most].made_at)


def _select_known(db: Session, publisher_id: int, since: Position, *wanted: Any) -> Select[Any]:
    """Of the feed after a place: schools that consent, from consent on; and what became of the own permissions."""
    told = aliased(FeedRow)
    oldest = select(func.min(aliased(FeedRow).made_at)).scalar_subquery()
    told_by = (
        select(func.max(told.id))
        .where(PermissionRow.granted_at >= oldest)  # of what was granted earlier there is nothing to look for
        .where(told.made_at == PermissionRow.granted_at, told.school_id == PermissionRow.school_id)
        .where(told.publisher_id == publisher_id)
        .correlate(PermissionRow)
        .scalar_subquery()
    )
    consents = (
        select(PermissionRow.school_id, told_by.label("told_by"))
        .where(PermissionRow.publisher_id == publisher_id, PermissionRow.withdrawn_at.is_(None))
        .subquery()
    )
    later = or_(
        FeedRow.transaction > since.transaction,
        and_(FeedRow.transaction == since.transaction, FeedRow.id > since.id),
    )
    about = or_(
        FeedRow.publisher_id == publisher_id,
        # by number, not by place or time: a school's are handed out under its lock, so in the order of commits
        and_(
            FeedRow.publisher_id.is_(None),
            consents.c.school_id.is_not(None),
            FeedRow.id > func.coalesce(consents.c.told_by, 0),
        ),
    )
    return (
        select(*wanted)
        .select_from(FeedRow)
        .outerjoin(consents, consents.c.school_id == FeedRow.school_id)
        .where(_is_settled(db), later, about)
    )


def _describe(db: Session, publisher_id: int, rows: Iterable[FeedRow]) -> list[WireChange]:
    """What the rows are about, as it is now; of several about the same only the last is told."""
    last: dict[tuple[int, str, int | None, str | None], FeedRow] = {}
    rekeyed: set[tuple[int, int | None]] = set()
    for row in rows:
        about = (row.school_id, row.kind, row.person_id, row.key)
        last.pop(about, None)
        last[about] = row
        if row.rekeyed:
            rekeyed.add((row.school_id, row.person_id))
    consenting = set(
        db.scalars(
            select(PermissionRow.school_id).where(
                PermissionRow.publisher_id == publisher_id,
                PermissionRow.withdrawn_at.is_(None),
                PermissionRow.school_id.in_({row.school_id for row in last.values()}),
            )
        )
    )
    schools = _read_schools(db, {row.school_id for row in last.values() if row.kind != Subject.PERMISSION})
    found = []
    for row in last.values():
        if row.kind == Subject.PERMISSION:
            act = Act.READ_SCHOOL if row.school_id in consenting else Act.FORGET_SCHOOL
            found.append(_change(act, None, row.school_id))
        else:
            found.append(_of_row(row, schools[row.school_id], was_rekeyed=(row.school_id, row.person_id) in rekeyed))
    return found


def _of_row(row: FeedRow, school: School, *, was_rekeyed: bool) -> WireChange:
    if row.kind == Subject.SCHOOL:
        return _change(Act.PUT, "instelling", row.school_id, value=school.details)
    if row.kind == Subject.GROUP:
        key = row.key or ""
        if key in school.groups:
            return _change(Act.PUT, "groep", row.school_id, key=key, value=school.groups[key])
        if key in school.composites:
            return _change(Act.PUT, "subgroep", row.school_id, key=key, value=school.composites[key])
        return _change(Act.REMOVE, "groep", row.school_id, key=key)
    person_id = row.person_id or 0
    subject, people = ("leerling", school.pupils) if row.kind == Subject.PUPIL else ("medewerker", school.staff)
    person = people.get(person_id)
    if person is None:
        return _change(Act.REMOVE, subject, row.school_id, person_id=person_id)
    act = Act.REKEY if was_rekeyed else Act.PUT
    return _change(act, subject, row.school_id, person_id=person_id, key=person["lasKey"], value=person)


def _change(
    act: Act,
    subject: str | None,
    school_id: int,
    *,
    person_id: int | None = None,
    key: str | None = None,
    value: Mapping[str, Any] | None = None,
) -> WireChange:
    return WireChange(
        act=act,
        subject=subject,
        institution=school_id,
        id=person_id,
        key=key,
        value=None if value is None else dict(value),
    )


def _read_schools(db: Session, school_ids: Iterable[int]) -> dict[int, School]:
    """The stored answers of these schools, a few at a time in memory."""
    found = {}
    for school_id in sorted(school_ids):
        rows = db.execute(
            select(AnswerRow.part, AnswerRow.body).where(
                AnswerRow.school_id == school_id, AnswerRow.part.in_(("alles", "details"))
            )
        )
        parts = {part: json.loads(body) for part, body in rows}
        whole = parts.get("alles", {"groepen": [], "subgroepen": [], "leerlingen": [], "medewerkers": []})
        found[school_id] = School(
            details={name: value for name, value in parts.get("details", {}).items() if name != "metaResult"},
            groups={each["lasKey"]: each for each in whole["groepen"]},
            composites={each["lasKey"]: each for each in whole["subgroepen"]},
            pupils={each["id"]: each for each in whole["leerlingen"]},
            staff={each["id"]: each for each in whole["medewerkers"]},
        )
    return found


def remove_old_changes(engine: Engine, now: datetime) -> int:
    """Take away rows that no cursor points to any more; returns how many. A school at a time.

    The newest row stays, however old: in a quiet summer the cursors of today still point to it.
    """
    with reading(engine) as db:
        due = and_(FeedRow.made_at < now - KEPT - SLACK, FeedRow.id != read_newest(db).id)
        school_ids = list(db.scalars(select(FeedRow.school_id).where(due).distinct().order_by(FeedRow.school_id)))
    removed = 0
    for school_id in school_ids:
        with writing(engine) as db:
            db.get_one(SchoolRow, school_id, with_for_update=True)
            old = (FeedRow.school_id == school_id, due)
            removed += db.scalar(select(func.count()).select_from(FeedRow).where(*old)) or 0
            db.execute(delete(FeedRow).where(*old))
    return removed
