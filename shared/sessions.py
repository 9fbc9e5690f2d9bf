"""Sessions as rows: an opaque id in a cookie, of which only the hash is stored; ended with the account."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.database import BigId, UtcDateTime

LASTS = timedelta(hours=8)


class SessionColumns:
    """The columns of a service's `sessions` table. `user_id` is an id of that service's users or accounts."""

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def hash_cookie(cookie: str) -> str:
    """What is stored of a session's cookie."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def start_session(db: Session, rows: type[Any], user_id: int, now: datetime) -> str:
    """A new session; returns the cookie's value, which is stored nowhere."""
    cookie = secrets.token_urlsafe(32)
    db.add(rows(id_hash=hash_cookie(cookie), user_id=user_id, created_at=now, expires_at=now + LASTS))
    return cookie


def read_user_id(db: Session, rows: type[Any], cookie: str | None, now: datetime) -> int | None:
    """Whose live session this cookie is, if any."""
    row = db.get(rows, hash_cookie(cookie)) if cookie else None
    return row.user_id if row is not None and row.ended_at is None and row.expires_at > now else None


def end_session(db: Session, rows: type[Any], cookie: str, now: datetime) -> None:
    db.execute(update(rows).where(rows.id_hash == hash_cookie(cookie)).values(ended_at=now))


def end_sessions_of(db: Session, rows: type[Any], user_id: int, now: datetime) -> None:
    """End every session of one user, on all replicas at once."""
    db.execute(update(rows).where(rows.user_id == user_id, rows.ended_at.is_(None)).values(ended_at=now))
