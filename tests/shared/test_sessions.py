"""shared/sessions.py: a row that ends, and a cookie that is stored nowhere."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase

from shared.database import new_metadata, open_engine, reading, writing
from shared.sessions import LASTS, SessionColumns, end_session, end_sessions_of, read_user_id, start_session

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = new_metadata()


class SessionRow(SessionColumns, Base):
    __tablename__ = "sessions"


@pytest.fixture
def engine(database_url: Callable[[str], str]) -> Iterator[Engine]:
    engine = open_engine(database_url("sessions"))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def start(engine: Engine, user_id: int = 7) -> str:
    with writing(engine) as db:
        return start_session(db, SessionRow, user_id, NOON)


def user_of(engine: Engine, cookie: str | None, at: datetime = NOON) -> int | None:
    with reading(engine) as db:
        return read_user_id(db, SessionRow, cookie, at)


def test_a_cookie_names_its_user_until_the_session_is_over(engine: Engine) -> None:
    cookie = start(engine)
    assert user_of(engine, cookie) == 7
    assert user_of(engine, cookie, NOON + LASTS - timedelta(seconds=1)) == 7
    assert user_of(engine, cookie, NOON + LASTS) is None


@pytest.mark.parametrize("cookie", [None, "", "x", "é" * 1_000])
def test_a_cookie_that_was_never_given_names_nobody(engine: Engine, cookie: str | None) -> None:
    start(engine)
    assert user_of(engine, cookie) is None


def test_the_cookie_itself_is_stored_nowhere(engine: Engine) -> None:
    cookie = start(engine)
    with reading(engine) as db:
        row = db.scalars(select(SessionRow)).one()
    assert cookie not in row.id_hash
    assert user_of(engine, row.id_hash) is None, "what is stored does not sign in"


def test_signing_out_ends_one_session(engine: Engine) -> None:
    here, there = start(engine), start(engine)
    with writing(engine) as db:
        end_session(db, SessionRow, here, NOON)
    assert (user_of(engine, here), user_of(engine, there)) == (None, 7)


def test_closing_an_account_ends_all_its_sessions_and_no_others(engine: Engine) -> None:
    here, there, other = start(engine), start(engine), start(engine, 8)
    with writing(engine) as db:
        end_sessions_of(db, SessionRow, 7, NOON)
    assert [user_of(engine, cookie) for cookie in (here, there, other)] == [None, None, 8]


def test_every_session_has_its_own_cookie(engine: Engine) -> None:
    cookies = {start(engine) for _ in range(50)}
    assert len(cookies) == 50
    assert min(len(cookie) for cookie in cookies) >= 43
