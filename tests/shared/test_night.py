"""shared/night.py: one leader a night, and a late one is refused."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase

from shared.database import new_metadata, open_engine, reading, writing
from shared.night import LEASE, Claim, LeaseLost, NightColumns, assert_held, claim_tonight, finish

MIDNIGHT = datetime(2026, 11, 21, 23, 0, 30, tzinfo=UTC)
TONIGHT = date(2026, 11, 22)


class Base(DeclarativeBase):
    metadata = new_metadata()


class NightRow(NightColumns, Base):
    __tablename__ = "nights"


@pytest.fixture
def engine(database_url: Callable[[str], str]) -> Engine:
    engine = open_engine(database_url("night"))
    Base.metadata.create_all(engine)
    return engine


def claim(engine: Engine, holder: str, at: datetime = MIDNIGHT) -> Claim | None:
    with writing(engine) as db:
        return claim_tonight(db, NightRow, at, holder)


def test_the_first_one_gets_the_night_and_the_second_does_not(engine: Engine) -> None:
    assert claim(engine, "one") == Claim(TONIGHT, 1)
    assert claim(engine, "two") is None


def test_the_holder_prolongs_its_own_claim_with_the_same_fence(engine: Engine) -> None:
    claim(engine, "one")
    assert claim(engine, "one", MIDNIGHT + timedelta(minutes=1)) == Claim(TONIGHT, 1)
    assert claim(engine, "two", MIDNIGHT + LEASE) is None


def test_a_claim_whose_lease_ran_out_is_taken_over_with_a_higher_fence(engine: Engine) -> None:
    claim(engine, "one")
    late = MIDNIGHT + LEASE + timedelta(seconds=1)
    assert claim(engine, "two", late) == Claim(TONIGHT, 2)
    assert claim(engine, "one", late) is None


def test_the_old_holder_that_wakes_up_cannot_write_any_more(engine: Engine) -> None:
    old = claim(engine, "one")
    late = MIDNIGHT + LEASE + timedelta(seconds=1)
    new = claim(engine, "two", late)
    assert old is not None
    assert new is not None
    with pytest.raises(LeaseLost), writing(engine) as db:
        assert_held(db, NightRow, old, late)
    with pytest.raises(LeaseLost), writing(engine) as db:
        finish(db, NightRow, old, late)
    with writing(engine) as db:
        finish(db, NightRow, new, late)


def test_a_holder_that_lets_its_lease_run_out_gets_a_new_fence_itself(engine: Engine) -> None:
    claim(engine, "one")
    assert claim(engine, "one", MIDNIGHT + LEASE) == Claim(TONIGHT, 2)


def test_working_prolongs_the_lease(engine: Engine) -> None:
    held = claim(engine, "one")
    assert held is not None
    with writing(engine) as db:
        assert_held(db, NightRow, held, MIDNIGHT + timedelta(minutes=4))
    assert claim(engine, "two", MIDNIGHT + timedelta(minutes=8)) is None


def test_a_finished_night_is_given_to_nobody_and_the_next_one_is(engine: Engine) -> None:
    held = claim(engine, "one")
    assert held is not None
    with writing(engine) as db:
        finish(db, NightRow, held, MIDNIGHT)
    assert claim(engine, "one", MIDNIGHT + timedelta(hours=1)) is None
    assert claim(engine, "two", MIDNIGHT + timedelta(hours=20)) is None
    assert claim(engine, "two", MIDNIGHT + timedelta(days=1)) == Claim(date(2026, 11, 23), 1)


def test_a_process_that_was_down_at_midnight_still_finds_the_night(engine: Engine) -> None:
    assert claim(engine, "one", MIDNIGHT + timedelta(hours=9)) == Claim(TONIGHT, 1)


def race(engine: Engine, claimants: int, attempt: Callable[[Engine, str], object]) -> int:
    """How many of them got something, all trying at once."""
    start, got = threading.Barrier(claimants), []

    def go(name: str) -> None:
        start.wait()
        if attempt(engine, name) is not None:
            got.append(name)

    threads = [threading.Thread(target=go, args=(f"holder {number}",)) for number in range(claimants)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(got)


def test_of_three_that_try_at_once_exactly_one_gets_the_night(engine: Engine) -> None:
    for _ in range(5):
        assert race(engine, 3, claim) == 1
        with writing(engine) as db:
            db.query(NightRow).delete()


def test_of_three_that_take_over_at_once_exactly_one_gets_the_night(engine: Engine) -> None:
    claim(engine, "gone")
    assert race(engine, 3, lambda engine, name: claim(engine, name, MIDNIGHT + LEASE)) == 1
    with reading(engine) as db:
        row = db.get(NightRow, TONIGHT)
    assert row is not None
    assert row.fence == 2


def test_a_claim_that_looks_first_and_writes_later_would_give_it_to_several(engine: Engine) -> None:
    looked = threading.Barrier(3)

    def careless(engine: Engine, name: str) -> object:
        with reading(engine) as db:
            free = db.get(NightRow, TONIGHT) is None
        looked.wait()
        return name if free else None

    assert race(engine, 3, careless) == 3
