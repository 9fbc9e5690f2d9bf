"""Tonight's claim: one row per local date, with a lease and a fencing number.

The scheduler only ticks. Whether tonight's work is still to be done, and by whom, is decided in the database. That
cures a process that was down at 00:00, a clock that stepped, several instances, and a leader that wakes up late: its
fence is old by then, so what it still tries to write is refused.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.clock import local_date
from shared.database import UtcDateTime

LEASE = timedelta(minutes=5)


class NightColumns:
    """The columns of a service's `nights` table."""

    night: Mapped[date] = mapped_column(primary_key=True)
    holder: Mapped[str]
    fence: Mapped[int]
    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do the work of `night`, as long as no higher fence exists."""

    night: date
    fence: int


class LeaseLost(Exception):
    """Another process has taken over the night."""


def claim_tonight(db: Session, rows: type[Any], now: datetime, holder: str, lease: timedelta = LEASE) -> Claim | None:
    """Claim tonight for `holder`, or take over a claim whose lease ran out, or prolong the own one.

    None when tonight is finished or somebody else is at it. `rows` is the service's NightRow.
    """
    night = local_date(now)
    row = db.scalar(select(rows).where(rows.night == night).with_for_update())
    if row is None:
        try:
            with db.begin_nested():
                db.add(rows(night=night, holder=holder, fence=1, lease_until=now + lease))
        except IntegrityError:  # PostgreSQL: another process was first
            return None
        return Claim(night, 1)
    if row.finished_at is not None or (row.lease_until > now and row.holder != holder):
        return None
    if row.holder != holder or row.lease_until <= now:
        row.holder, row.fence = holder, row.fence + 1
    row.lease_until = now + lease
    db.flush()
    return Claim(night, row.fence)


def assert_held(db: Session, rows: type[Any], claim: Claim, now: datetime, lease: timedelta = LEASE) -> None:
    """Prolong the lease in the transaction that writes; raises LeaseLost when the fence is no longer ours."""
    moved = db.execute(
        update(rows)
        .where(rows.night == claim.night, rows.fence == claim.fence, rows.finished_at.is_(None))
        .values(lease_until=now + lease)
        .returning(rows.night)
    ).first()
    if moved is None:
        raise LeaseLost


def finish(db: Session, rows: type[Any], claim: Claim, now: datetime) -> None:
    """Tonight is done. Raises LeaseLost when the fence is no longer ours."""
    assert_held(db, rows, claim, now)
    db.execute(update(rows).where(rows.night == claim.night, rows.fence == claim.fence).values(finished_at=now))
