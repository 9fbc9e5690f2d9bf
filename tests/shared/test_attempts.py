"""Sign-in attempts: pauses that grow, a limit per network, and nobody locked out for good."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase, Session

from shared.attempts import (
    FREE_ATTEMPTS,
    LONGEST_PAUSE,
    NETWORK_FAILURES,
    AttemptColumns,
    claim_attempt,
    forgive_attempt,
    pause_after,
    remove_old_attempts,
)
from shared.database import open_engine

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class AttemptRow(AttemptColumns, Base):
    __tablename__ = "sign_in_attempts"


@pytest.fixture
def engine(database_url: Callable[[str], str]) -> Engine:
    engine = open_engine(database_url("attempts"))
    Base.metadata.create_all(engine)
    return engine


def test_pauses_grow_and_have_an_end() -> None:
    pauses = [pause_after(failures) for failures in range(200)]
    assert pauses[:FREE_ATTEMPTS] == [timedelta(0)] * FREE_ATTEMPTS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_an_attempt_counts_before_it_is_judged_and_is_forgiven_when_it_fits(engine: Engine) -> None:
    with Session(engine) as db:
        for _ in range(FREE_ATTEMPTS):
            assert claim_attempt(db, AttemptRow, "Noor", "192.0.2.1", START) is None
        assert claim_attempt(db, AttemptRow, "noor", "192.0.2.2", START) == pause_after(FREE_ATTEMPTS)
        forgive_attempt(db, AttemptRow, "noor", "192.0.2.1")
        assert claim_attempt(db, AttemptRow, "noor", "192.0.2.1", START) is None


def test_a_refused_attempt_makes_the_pause_no_longer(engine: Engine) -> None:
    with Session(engine) as db:
        for _ in range(FREE_ATTEMPTS):
            claim_attempt(db, AttemptRow, "noor", "192.0.2.1", START)
        for _ in range(50):
            claim_attempt(db, AttemptRow, "noor", "192.0.2.1", START)
        later = START + pause_after(FREE_ATTEMPTS)
        assert claim_attempt(db, AttemptRow, "noor", "192.0.2.1", later) is None


def test_a_school_that_signs_in_at_once_is_not_stopped_but_a_guesser_is(engine: Engine) -> None:
    with Session(engine) as db:
        for number in range(300):
            assert claim_attempt(db, AttemptRow, f"leerkracht{number}", "192.0.2.1", START) is None
            forgive_attempt(db, AttemptRow, f"leerkracht{number}", "192.0.2.1")
        for number in range(NETWORK_FAILURES):
            assert claim_attempt(db, AttemptRow, f"naam{number}", "192.0.2.9", START) is None
        assert claim_attempt(db, AttemptRow, "nog-een", "192.0.2.9", START) == timedelta(minutes=10)
        assert claim_attempt(db, AttemptRow, "nog-een", "192.0.2.1", START) is None
        assert claim_attempt(db, AttemptRow, "nog-een", "192.0.2.9", START + timedelta(minutes=10)) is None


def test_no_name_and_no_network_is_stored(engine: Engine) -> None:
    with Session(engine) as db:
        claim_attempt(db, AttemptRow, "noor@school.example", "192.0.2.1", START)
        assert all(len(subject) == 64 for subject in db.scalars(select(AttemptRow.subject)))
        remove_old_attempts(db, AttemptRow, START + timedelta(days=2))
        assert db.scalars(select(AttemptRow)).all() == []
