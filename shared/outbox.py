"""Save a message with your data, deliver it later, claimed by one worker.

It promises at least once: claim, send, mark as sent. A kill between sending and marking repeats the message, so senders
must make the repeat harmless (the same link and Message-ID, a PUT). Each service has an `outbox` table of its own.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Engine, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.database import BigId, UtcDateTime, writing
from shared.logs import log

CLAIM = timedelta(minutes=2)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
MOST_ATTEMPTS = 12


class OutboxColumns:
    """The columns of a service's `outbox` table. `body` holds ids, never names or addresses."""

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    topic: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None]


class SendFailed(Exception):
    """A message could not be sent. `permanent`: trying again makes no sense. The reason holds no personal data."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


Sender = Callable[[int, dict[str, Any]], None]  # (outbox id, body) -> sent, or SendFailed


def save_message(db: Session, rows: type[Any], topic: str, body: dict[str, Any], due_at: datetime) -> int:
    """Queue a message in the transaction of the data it belongs to; returns its id."""
    row = rows(topic=topic, body=body, due_at=due_at)
    db.add(row)
    db.flush()
    return int(row.id)


def deliver_due(engine: Engine, rows: type[Any], senders: Mapping[str, Sender], clock: Callable[[], datetime]) -> int:
    """Send every message that is due, one at a time, without a transaction open meanwhile; returns how many left.

    1. Claim one with a compare-and-swap on its number of attempts.
    2. Send it.
    3. Mark it as sent, or plan the next attempt with a growing pause, or give up and say why.
    """
    sent = 0
    tried: set[int] = set()
    while (claimed := _claim(engine, rows, clock(), tried)) is not None:
        message_id, topic, body, attempts = claimed
        tried.add(message_id)
        try:
            senders[topic](message_id, body)
        except SendFailed as failure:
            _put_off(engine, rows, message_id, attempts, failure, clock())
            log.warning("message_not_sent", topic=topic, message=message_id, reason=str(failure))
        except Exception as error:  # a fault in one message must not keep the others waiting
            unknown = SendFailed(f"the sender failed ({type(error).__name__})", permanent=False)
            _put_off(engine, rows, message_id, attempts, unknown, clock())
            log.error("message_not_sent", topic=topic, message=message_id, exc_info=error)
        else:
            with writing(engine) as db:
                _mark(db, rows, message_id, attempts, {"sent_at": clock(), "claimed_until": None, "last_error": None})
            sent += 1
    return sent


def _claim(
    engine: Engine, rows: type[Any], now: datetime, tried: set[int]
) -> tuple[int, str, dict[str, Any], int] | None:
    with writing(engine) as db:
        row = db.execute(
            select(rows.id, rows.topic, rows.body, rows.attempts)
            .where(rows.sent_at.is_(None), rows.failed_at.is_(None), rows.due_at <= now)
            .where(or_(rows.claimed_until.is_(None), rows.claimed_until < now), rows.id.not_in(tried))
            .order_by(rows.due_at, rows.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        _mark(db, rows, row.id, row.attempts, {"attempts": row.attempts + 1, "claimed_until": now + CLAIM})
        return row.id, row.topic, row.body, row.attempts + 1


def _put_off(
    engine: Engine, rows: type[Any], message_id: int, attempts: int, failure: SendFailed, now: datetime
) -> None:
    with writing(engine) as db:
        _mark(db, rows, message_id, attempts, _after_failure(failure, attempts, now))


def _mark(db: Session, rows: type[Any], message_id: int, attempts: int, values: dict[str, Any]) -> None:
    # the number of attempts is the fence: a worker that was overtaken changes nothing any more
    db.execute(update(rows).where(rows.id == message_id, rows.attempts == attempts).values(**values))


def _after_failure(failure: SendFailed, attempts: int, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"claimed_until": None, "last_error": str(failure)}
    if failure.permanent or attempts >= MOST_ATTEMPTS:
        return {**values, "failed_at": now}
    return {**values, "due_at": now + min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)}
