"""shared/outbox.py: at least once, by one worker at a time, and no message keeps the others waiting."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase

from shared import outbox
from shared.database import new_metadata, open_engine, reading, writing
from shared.outbox import OutboxColumns, Sender, SendFailed, deliver_due, save_message

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = new_metadata()


class OutboxRow(OutboxColumns, Base):
    __tablename__ = "outbox"


@pytest.fixture
def engine(database_url: Callable[[str], str]) -> Iterator[Engine]:
    engine = open_engine(database_url("outbox"))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def queue(engine: Engine, *numbers: int, topic: str = "mail", due_at: datetime = NOON) -> None:
    with writing(engine) as db:
        for number in numbers:
            save_message(db, OutboxRow, topic, {"number": number}, due_at)


def deliver(engine: Engine, send: Sender, at: datetime = NOON) -> int:
    return deliver_due(engine, OutboxRow, {"mail": send}, lambda: at)


def row(engine: Engine, message_id: int = 1) -> OutboxRow:
    with reading(engine) as db:
        found = db.get(OutboxRow, message_id)
        assert found is not None
        return found


class Post:
    """Remembers what was sent; `fails` decides what is refused."""

    def __init__(self, fails: Callable[[int], BaseException | None] = lambda _number: None) -> None:
        self.sent: list[int] = []
        self._fails = fails

    def __call__(self, _message_id: int, body: dict[str, Any]) -> None:
        if (error := self._fails(body["number"])) is not None:
            raise error
        self.sent.append(body["number"])


def test_a_message_leaves_once(engine: Engine) -> None:
    queue(engine, 1, 2, 3)
    post = Post()
    assert deliver(engine, post) == 3
    assert deliver(engine, post) == 0
    assert post.sent == [1, 2, 3]
    assert row(engine).sent_at == NOON


def test_a_message_is_not_sent_before_it_is_due(engine: Engine) -> None:
    queue(engine, 1, due_at=NOON + timedelta(minutes=1))
    assert deliver(engine, Post()) == 0
    assert deliver(engine, Post(), NOON + timedelta(minutes=1)) == 1


def test_a_message_is_saved_only_with_the_data_it_belongs_to(engine: Engine) -> None:
    def save_and_fail() -> None:
        with writing(engine) as db:
            save_message(db, OutboxRow, "mail", {"number": 1}, NOON)
            raise LookupError

    with pytest.raises(LookupError):
        save_and_fail()
    assert deliver(engine, Post()) == 0


def test_a_failure_is_tried_again_after_pauses_that_grow(engine: Engine) -> None:
    queue(engine, 1)
    post = Post(lambda _number: SendFailed("the mail server cannot be reached", permanent=False))
    at, pauses = NOON, []
    for _ in range(4):
        deliver(engine, post, at)
        assert deliver(engine, post, at) == 0
        pauses.append(row(engine).due_at - at)
        at = row(engine).due_at
    assert pauses == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert row(engine).last_error == "the mail server cannot be reached"
    assert deliver(engine, Post(), at) == 1


def test_a_message_that_fails_twelve_times_is_given_up(engine: Engine) -> None:
    queue(engine, 1)
    post, at = Post(lambda _number: SendFailed("no", permanent=False)), NOON
    for _ in range(outbox.MOST_ATTEMPTS):
        deliver(engine, post, at)
        assert row(engine).due_at - at <= outbox.LONGEST_PAUSE
        at = max(row(engine).due_at, at)
    assert row(engine).failed_at is not None
    assert deliver(engine, Post(), at + timedelta(days=1)) == 0


def test_a_permanent_refusal_is_not_tried_again(engine: Engine) -> None:
    queue(engine, 1)
    deliver(engine, Post(lambda _number: SendFailed("refused (550)", permanent=True)))
    assert row(engine).failed_at == NOON
    assert row(engine).last_error == "refused (550)"
    assert deliver(engine, Post(), NOON + timedelta(days=1)) == 0


@pytest.mark.parametrize(
    "error", [SendFailed("no", permanent=False), KeyError("number"), ZeroDivisionError()], ids=repr
)
def test_a_failing_message_does_not_keep_the_others_waiting(engine: Engine, error: Exception) -> None:
    queue(engine, 1, 2, 3)
    post = Post(lambda number: error if number == 1 else None)
    assert deliver(engine, post) == 2
    assert post.sent == [2, 3]
    assert row(engine).due_at > NOON


def test_a_message_without_a_sender_is_put_off(engine: Engine) -> None:
    queue(engine, 1, topic="unheard of")
    assert deliver(engine, Post()) == 0
    assert row(engine).last_error == "the sender failed (KeyError)"


def test_a_kill_between_sending_and_marking_repeats_the_message(engine: Engine) -> None:
    queue(engine, 1)
    post = Post()

    def send_and_die(message_id: int, body: dict[str, Any]) -> None:
        post(message_id, body)
        raise KeyboardInterrupt  # as good as a kill: nothing after it runs

    with pytest.raises(KeyboardInterrupt):
        deliver(engine, send_and_die)
    assert deliver(engine, post) == 0, "the claim of the dead worker still holds"
    assert deliver(engine, post, NOON + outbox.CLAIM + timedelta(seconds=1)) == 1
    assert post.sent == [1, 1]


def test_a_worker_that_was_overtaken_does_not_undo_what_the_other_did(engine: Engine) -> None:
    queue(engine, 1)
    late = NOON + outbox.CLAIM + timedelta(seconds=1)

    def overtaken(_message_id: int, _body: dict[str, Any]) -> None:
        assert deliver(engine, Post(), late) == 1
        raise SendFailed("the line broke", permanent=True)

    assert deliver(engine, overtaken) == 0
    assert row(engine).sent_at == late
    assert row(engine).failed_at is None


def test_no_transaction_is_open_while_a_message_is_sent(engine: Engine) -> None:
    queue(engine, 1)

    def send(_message_id: int, _body: dict[str, Any]) -> None:
        queue(engine, 2, due_at=NOON + timedelta(hours=1))  # would wait for the lock of an open transaction

    assert deliver(engine, send) == 1


def two_workers(engine: Engine, post: Post) -> None:
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        deliver(engine, post)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_two_workers_share_the_work_and_send_nothing_twice(engine: Engine) -> None:
    queue(engine, *range(40))
    post = Post()
    two_workers(engine, post)
    assert sorted(post.sent) == list(range(40))


def test_without_claims_two_workers_would_send_twice(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    both_read = threading.Barrier(2)

    def claim_nothing(
        engine: Engine, rows: type[Any], _now: datetime, tried: set[int]
    ) -> tuple[int, str, dict[str, Any], int] | None:
        with reading(engine) as db:
            found = db.scalars(select(rows).where(rows.sent_at.is_(None), rows.id.not_in(tried))).first()
        both_read.wait()
        return (found.id, found.topic, found.body, found.attempts) if found is not None else None

    monkeypatch.setattr(outbox, "_claim", claim_nothing)
    queue(engine, 1)
    post = Post()
    two_workers(engine, post)
    assert post.sent == [1, 1]
