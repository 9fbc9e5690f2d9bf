"""Sign-in attempts: growing pauses per account and a limit per network, without locking anyone out for good.

An attempt is counted before the password is looked at and forgiven when it fits. So a hundred attempts at once cannot
slip past the count, and a user name that nobody has is counted like any other.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.database import UtcDateTime

FREE_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=24)
NETWORK_WINDOW = timedelta(minutes=10)
NETWORK_FAILURES = 60  # a whole school sits behind one address at 08:30


class AttemptColumns:
    """The columns of a service's `sign_in_attempts` table. `subject` is a hash: no address or network is stored."""

    subject: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    blocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


def pause_after(failures: int) -> timedelta:
    """How long an account waits after so many failures in a row."""
    if failures < FREE_ATTEMPTS:
        return timedelta(0)
    doublings = min(failures - FREE_ATTEMPTS, 10)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def claim_attempt(db: Session, rows: type[Any], user_name: str, network: str, now: datetime) -> timedelta | None:
    """Count an attempt as failed until it is forgiven. Answers how long to wait when it may not be made now."""
    account = _row(db, rows, _subject("account", user_name.casefold()), now, FORGOTTEN_AFTER)
    home = _row(db, rows, _subject("network", network), now, NETWORK_WINDOW)
    waits: list[timedelta] = [
        row.blocked_until - now for row in (account, home) if row.blocked_until and row.blocked_until > now
    ]
    if waits:
        return max(waits)
    account.failures += 1
    account.since = now
    account.blocked_until = now + pause_after(account.failures)
    home.failures += 1
    if home.failures >= NETWORK_FAILURES:
        home.blocked_until = home.since + NETWORK_WINDOW
    db.flush()
    return None


def forgive_attempt(db: Session, rows: type[Any], user_name: str, network: str) -> None:
    """The password fitted: the account starts again at nothing, and the network is not blamed."""
    db.execute(delete(rows).where(rows.subject == _subject("account", user_name.casefold())))
    db.execute(
        update(rows)
        .where(rows.subject == _subject("network", network), rows.failures > 0)
        .values(failures=rows.failures - 1, blocked_until=None)
    )


def remove_old_attempts(db: Session, rows: type[Any], now: datetime) -> None:
    db.execute(delete(rows).where(rows.since < now - FORGOTTEN_AFTER))


def _subject(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode("utf-8", "replace")).hexdigest()


def _row(db: Session, rows: type[Any], subject: str, now: datetime, forgotten_after: timedelta) -> Any:
    locked = select(rows).where(rows.subject == subject).with_for_update()
    row: Any = db.scalar(locked)
    if row is None:
        try:
            with db.begin_nested():
                row = rows(subject=subject, failures=0, since=now)
                db.add(row)
        except IntegrityError:  # PostgreSQL: another attempt made the row at the same moment
            row = db.scalars(locked).one()
    if row.since <= now - forgotten_after:
        row.failures, row.since, row.blocked_until = 0, now, None
    return row
