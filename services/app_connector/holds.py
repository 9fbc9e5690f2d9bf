"""What the brake holds: waves of removals, and numbers that seem to name another person. A coordinator decides."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from services.app_connector.app_accounts import read_accounts, read_app_account
from services.app_connector.carry_out import NIGHTLY
from services.app_connector.rules.people import full_name
from services.app_connector.rules.steps import Subject
from services.app_connector.sign_in import AsCoordinator
from services.app_connector.tables import AppAccountRow, AppPupilRow, AppTeacherRow, HoldRow, SyncRow
from services.app_connector.wire import AppName, HeldPerson, HoldDecision
from shared.brake import Limits, Week, is_wave
from shared.clock import local_date
from shared.clock import now as present
from shared.database import Db, ReadDb

router = APIRouter(prefix="/api/v1/apps/{app}/vastgehouden", tags=["vastgehouden"])

LET_GO, KEEP = "loslaten", "houden"
LIMITS = Limits()
KEPT_FOR = timedelta(days=60)
WEEK = timedelta(days=7)
_ROWS: dict[Subject, Any] = {Subject.PUPIL: AppPupilRow, Subject.TEACHER: AppTeacherRow}


class Cause(StrEnum):
    REMOVAL = "verwijdering"
    SWAP = "wissel"


@dataclass(frozen=True, slots=True)
class Weighed:
    """Whose change of one kind waits for a person, and who of them was not waiting before."""

    held: frozenset[int]
    new: frozenset[int]


def weigh_removals(
    db: Session, account: AppAccountRow, subject: Subject, removing: Collection[int], now: datetime
) -> Weighed:
    """Decide which removals of a night flow: not a wave, not a whole home group, not everybody.

    While a hold is open, later removals of that kind join it.
    """
    waiting = _keep_up(db, account, subject, Cause.REMOVAL, removing, now)
    fresh = set(removing) - waiting.known
    everybody = fresh == _present(db, account, subject)
    wave, _ = is_wave(len(fresh), 0, _read_week(db, account, subject, now), LIMITS)
    new = fresh
    if not (waiting.open or wave or everybody):
        new = _whole_groups(db, account, fresh) if subject is Subject.PUPIL else set()
    return _hold(db, account, subject, Cause.REMOVAL, waiting, new, now)


def weigh_swaps(
    db: Session, account: AppAccountRow, subject: Subject, swapped: Collection[int], now: datetime
) -> Weighed:
    """A number that suddenly names another person never flows by itself, at any percentage."""
    waiting = _keep_up(db, account, subject, Cause.SWAP, swapped, now)
    return _hold(db, account, subject, Cause.SWAP, waiting, set(swapped) - waiting.known, now)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who has an open row: not decided, to be kept, or let go."""

    open: frozenset[int]
    kept: frozenset[int]
    let_go: frozenset[int]

    @property
    def known(self) -> frozenset[int]:
        return self.open | self.kept | self.let_go


def _keep_up(
    db: Session, account: AppAccountRow, subject: Subject, cause: Cause, wanted: Collection[int], now: datetime
) -> _Waiting:
    """Bring the open rows up to date.

    A row dissolves when nothing is wanted of its person any more; who was kept for 60 days is asked about again.
    """
    rows = list(
        db.scalars(
            select(HoldRow).where(
                HoldRow.account_id == account.id,
                HoldRow.subject == subject,
                HoldRow.cause == cause,
                HoldRow.closed_at.is_(None),
            )
        )
    )
    for row in rows:
        if row.decision == KEEP and row.keep_until is not None and row.keep_until <= local_date(now):
            row.decision, row.keep_until, row.opened_at = None, None, now
        if row.person_id not in wanted:
            row.closed_at = now
    db.flush()
    by_decision: dict[str | None, set[int]] = {None: set(), KEEP: set(), LET_GO: set()}
    for row in rows:
        if row.closed_at is None:
            by_decision[row.decision].add(row.person_id)
    return _Waiting(*(frozenset(by_decision[each]) for each in (None, KEEP, LET_GO)))


def _hold(
    db: Session,
    account: AppAccountRow,
    subject: Subject,
    cause: Cause,
    waiting: _Waiting,
    new: Collection[int],
    now: datetime,
) -> Weighed:
    if new:
        common = {"account_id": account.id, "subject": subject.value, "cause": cause.value, "opened_at": now}
        db.execute(insert(HoldRow), [{**common, "person_id": person} for person in sorted(new)])
    return Weighed(waiting.open | waiting.kept | frozenset(new), frozenset(new))


def _whole_groups(db: Session, account: AppAccountRow, leaving: set[int]) -> set[int]:
    """The pupils of home groups that would leave as a whole."""
    members: dict[int, set[int]] = {}
    rows = db.execute(
        select(AppPupilRow.id, AppPupilRow.group_id).where(
            AppPupilRow.account_id == account.id, AppPupilRow.removed_at.is_(None), AppPupilRow.group_id.is_not(None)
        )
    )
    for row in rows:
        members.setdefault(row.group_id, set()).add(row.id)
    emptied = (people for people in members.values() if len(people) >= LIMITS.whole_group and people <= leaving)
    return {person for people in emptied for person in people}


def _present(db: Session, account: AppAccountRow, subject: Subject) -> set[int]:
    rows = _ROWS[subject]
    return set(db.scalars(select(rows.id).where(rows.account_id == account.id, rows.removed_at.is_(None))))


def _read_week(db: Session, account: AppAccountRow, subject: Subject, now: datetime) -> Week:
    """How many there were 7 days ago, and how many the nights removed since; what a person confirmed is no wave."""
    rows, since = _ROWS[subject], now - WEEK
    there_then = db.scalar(
        select(func.count()).where(
            rows.account_id == account.id,
            rows.created_at <= since,
            rows.removed_at.is_(None) | (rows.removed_at > since),
        )
    )
    there_now = len(_present(db, account, subject))
    left = db.scalar(
        select(func.count())
        .select_from(rows)
        .join(SyncRow, SyncRow.id == rows.removed_by)
        .where(rows.account_id == account.id, rows.removed_at > since, SyncRow.kind == NIGHTLY)
    )
    # an app that was filled this week has no week to look back on: what is there now counts
    return Week(size_then=there_then or there_now, left_undated=left or 0)


def close_holds(db: Session, account: AppAccountRow, now: datetime) -> None:
    """A person confirmed a whole plan: what was held has been decided by it."""
    db.execute(
        update(HoldRow).where(HoldRow.account_id == account.id, HoldRow.closed_at.is_(None)).values(closed_at=now)
    )


def count_held(db: Session, account_id: int) -> int:
    """How many people wait for a decision."""
    return (
        db.scalar(
            select(func.count()).where(
                HoldRow.account_id == account_id, HoldRow.closed_at.is_(None), HoldRow.decision.is_(None)
            )
        )
        or 0
    )


@router.get("")
def show_holds(app: AppName, who: AsCoordinator, db: ReadDb) -> list[HeldPerson]:
    """Everybody about whom the night waits, why, and what was decided."""
    account = read_app_account(db, who.school_id, app)
    accounts = read_accounts(db, account)
    names = {(Subject.PUPIL.value, each.id): full_name(each) for each in accounts.pupils.values()}
    names |= {(Subject.TEACHER.value, each.id): full_name(each) for each in accounts.teachers.values()}
    rows = db.scalars(
        select(HoldRow).where(HoldRow.account_id == account.id, HoldRow.closed_at.is_(None)).order_by(HoldRow.id)
    )
    return [
        HeldPerson(
            number=row.id,
            subject=row.subject,
            cause=row.cause,
            name=names.get((row.subject, row.person_id), ""),
            since=row.opened_at,
            decision=row.decision,
        )
        for row in rows
    ]


@router.post("", status_code=204)
def decide_holds(app: AppName, body: HoldDecision, who: AsCoordinator, db: Db) -> None:
    """Let go: the next night does it. Keep: they stay as they are, for 60 days."""
    account = read_app_account(db, who.school_id, app, lock=True)
    until: date | None = local_date(present()) + KEPT_FOR if body.decision == KEEP else None
    query = update(HoldRow).where(HoldRow.account_id == account.id, HoldRow.closed_at.is_(None))
    if body.numbers is not None:
        query = query.where(HoldRow.id.in_(body.numbers))
    db.execute(query.values(decision=body.decision, keep_until=until))
    account.night_etag = None  # so that the next night looks again, whether or not the roster changed
