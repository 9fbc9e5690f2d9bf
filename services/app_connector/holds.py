"""Removals that the brake holds: opened by the night, joined while they are open, decided by a coordinator."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
KEPT_FOR = timedelta(days=60)
WEEK = timedelta(days=7)
_ROWS: dict[Subject, Any] = {Subject.PUPIL: AppPupilRow, Subject.TEACHER: AppTeacherRow}


@dataclass(frozen=True, slots=True)
class Weighed:
    """Which removals of one kind wait for a person, and which of them were not waiting before."""

    held: frozenset[int]
    new: frozenset[int]


def weigh_removals(
    db: Session, account: AppAccountRow, subject: Subject, removing: Collection[int], now: datetime
) -> Weighed:
    """Decide which removals of a night flow, and keep the open holds up to date.

    1. A hold dissolves when its person is not removed any more, or is gone.
    2. What a coordinator let go flows; what she keeps stays, for 60 days.
    3. The rest: joins an open hold, or is held when it is a wave.
    """
    wanted = set(removing)
    today = local_date(now)
    rows = list(
        db.scalars(
            select(HoldRow).where(
                HoldRow.account_id == account.id, HoldRow.subject == subject, HoldRow.closed_at.is_(None)
            )
        )
    )
    for row in rows:
        if row.decision == KEEP and row.keep_until is not None and row.keep_until <= today:
            row.decision, row.keep_until, row.opened_at = None, None, now
        if row.person_id not in wanted:
            row.closed_at = now
    living = [row for row in rows if row.closed_at is None]
    let_go = {row.person_id for row in living if row.decision == LET_GO}
    kept = {row.person_id for row in living if row.decision == KEEP}
    waiting = {row.person_id for row in living if row.decision is None}
    fresh = wanted - let_go - kept - waiting
    everybody = fresh == _present(db, account, subject)
    wave, _ = is_wave(len(fresh), 0, _read_week(db, account, subject, now), Limits())
    new = fresh if fresh and (waiting or wave or everybody) else set()
    if new:
        common = {"account_id": account.id, "subject": subject.value, "opened_at": now}
        db.execute(insert(HoldRow), [{**common, "person_id": person} for person in sorted(new)])
    db.flush()
    return Weighed(frozenset(kept | waiting | new), frozenset(new))


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
    """Everybody whose removal is held, and what was decided about it."""
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
            name=names.get((row.subject, row.person_id), ""),
            since=row.opened_at,
            decision=row.decision,
        )
        for row in rows
    ]


@router.post("", status_code=204)
def decide_holds(app: AppName, body: HoldDecision, who: AsCoordinator, db: Db) -> None:
    """Let go: the next night removes them. Keep: they stay, for 60 days."""
    account = read_app_account(db, who.school_id, app, lock=True)
    until: date | None = local_date(present()) + KEPT_FOR if body.decision == KEEP else None
    query = update(HoldRow).where(HoldRow.account_id == account.id, HoldRow.closed_at.is_(None))
    if body.numbers is not None:
        query = query.where(HoldRow.id.in_(body.numbers))
    db.execute(query.values(decision=body.decision, keep_until=until))
    account.night_etag = None  # so that the next night looks again, whether or not the roster changed
