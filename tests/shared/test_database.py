"""shared/database.py: nothing is lost, nothing is promised before it is kept."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, Request
from fastapi.testclient import TestClient
from sqlalchemy import Engine, ForeignKey, create_engine, delete, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from shared import database
from shared.database import BigId, Db, ReadDb, UtcDateTime, new_metadata, open_engine, reading, writing
from shared.problems import DatabaseBusy
from tests.factories import an_app

POSTGRES = bool(os.environ.get("SCHAKEL_TEST_POSTGRES"))
sqlite_only = pytest.mark.skipif(POSTGRES, reason="about SQLite's own settings")
postgres_only = pytest.mark.skipif(not POSTGRES, reason="about PostgreSQL's own settings")


class Base(DeclarativeBase):
    metadata = new_metadata()


class CounterRow(Base):
    __tablename__ = "counters"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    value: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NoteRow(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    counter_id: Mapped[int] = mapped_column(
        ForeignKey("counters.id", deferrable=True, initially="DEFERRED")  # checked at the commit, so it fails there
    )


@pytest.fixture
def url(database_url: Callable[[str], str]) -> str:
    return database_url("counters")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    with writing(engine) as db:
        db.add(CounterRow(value=0))
    yield engine
    engine.dispose()


@sqlite_only
def test_sqlite_is_opened_so_that_a_power_cut_loses_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in database.SQLITE_PRAGMAS}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000


@sqlite_only
@pytest.mark.parametrize("careless", ["synchronous=1", "foreign_keys=0", "secure_delete=0", "journal_mode=delete"])
def test_an_engine_with_weaker_settings_is_refused_at_start(
    url: str, monkeypatch: pytest.MonkeyPatch, careless: str
) -> None:
    careful = database._set_pragmas

    def weaken(connection: object, record: object) -> None:
        careful(connection, record)
        connection.execute(f"PRAGMA {careless}")  # type: ignore[attr-defined]  # the driver's own connection

    monkeypatch.setattr(database, "_set_pragmas", weaken)
    with pytest.raises(RuntimeError, match=careless.split("=", maxsplit=1)[0]):
        open_engine(url)


@postgres_only
def test_postgresql_promises_only_what_is_on_the_disk(url: str) -> None:
    careless = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with careless.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{careless.url.database}" SET synchronous_commit = off'))
    careless.dispose()  # the next connections have the careless default
    engine = open_engine(url)
    with engine.connect() as house, careless.connect() as default:
        assert default.scalar(text("SHOW synchronous_commit")) == "off"
        assert house.scalar(text("SHOW synchronous_commit")) == "on"
    careless.dispose()
    engine.dispose()


def write_and_fail(db: Session) -> None:
    db.execute(update(CounterRow).values(value=2))
    raise LookupError


def test_a_writing_transaction_is_kept_at_its_end_and_undone_by_an_exception(engine: Engine) -> None:
    with writing(engine) as db:
        db.execute(update(CounterRow).values(value=1))
    with pytest.raises(LookupError), writing(engine) as db:
        write_and_fail(db)
    with reading(engine) as db:
        assert db.scalar(select(CounterRow.value)) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda db: db.add(CounterRow()) or db.flush(),
        lambda db: db.merge(CounterRow(id=1, value=5)) and db.flush(),
        lambda db: db.delete(db.get(CounterRow, 1)) or db.flush(),
        lambda db: db.execute(insert(CounterRow), [{"value": 1}]),
        lambda db: db.execute(update(CounterRow).values(value=1)),
        lambda db: db.execute(delete(CounterRow)),
        lambda db: db.execute(text("UPDATE counters SET value = 1")),
        lambda db: db.connection().exec_driver_sql("UPDATE counters SET value = 1"),
    ],
    ids=["add", "change", "delete", "insert", "update", "delete rows", "text", "driver"],
)
def test_a_reading_session_refuses_to_write(engine: Engine, write: Callable[[Session], object]) -> None:
    with pytest.raises((RuntimeError, DBAPIError)), reading(engine) as db:
        write(db)
    with writing(engine) as db:  # the same connection writes again afterwards
        assert db.scalar(select(CounterRow.value)) == 0
        write(db)


def test_a_reading_session_sees_one_picture(engine: Engine) -> None:
    with reading(engine) as db:
        before = db.scalar(select(CounterRow.value))
        with writing(engine) as other:
            other.execute(update(CounterRow).values(value=7))
        db.expire_all()
        assert db.scalar(select(CounterRow.value)) == before
    with reading(engine) as db:
        assert db.scalar(select(CounterRow.value)) == 7


def test_an_instant_comes_back_as_it_was_and_in_utc(engine: Engine) -> None:
    at = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with writing(engine) as db:
        db.execute(update(CounterRow).values(at=at))
    with reading(engine) as db:
        found = db.scalar(select(CounterRow.at))
    assert found == at
    assert found is not None
    assert found.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="without a time zone"), writing(engine) as db:
        db.execute(update(CounterRow).values(at=datetime(2026, 3, 29)))  # noqa: DTZ001


# Reads, waits and writes: what loses updates when two processes do it at once without care.
WORKER = """
import sys, time
from sqlalchemy import create_engine, event, text
from shared.database import open_engine, writing

url, way, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
if way == "house":
    engine = open_engine(url)
else:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
refused = 0
for _ in range(times):
    try:
        if way == "house":
            with writing(engine) as db:
                value = db.execute(text("SELECT value FROM counters WHERE id = 1 @lock@")).scalar()
                time.sleep(0.002)
                db.execute(text("UPDATE counters SET value = :value WHERE id = 1"), {"value": value + 1})
        else:
            with engine.begin() as connection:
                value = connection.execute(text("SELECT value FROM counters WHERE id = 1")).scalar()
                time.sleep(0.002)
                connection.execute(text("UPDATE counters SET value = :value WHERE id = 1"), {"value": value + 1})
    except Exception as error:
        refused += 1
print(refused)
"""


def three_processes_count(url: str, way: str, times: int) -> int:
    """Lets three processes add one `times` times each; returns how often they were refused."""
    lock = "" if url.startswith("sqlite") else "FOR UPDATE"
    command = [sys.executable, "-c", WORKER.replace("@lock@", lock), url, way, str(times)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    return sum(int(worker.communicate(timeout=120)[0]) for worker in workers)


MOST_TURNS = 8


def test_three_processes_that_read_and_then_write_lose_no_update_and_are_never_refused(
    engine: Engine, url: str
) -> None:
    assert three_processes_count(url, "house", 40) == 0
    with reading(engine) as db:
        assert db.scalar(select(CounterRow.value)) == 120


def test_with_the_defaults_of_the_library_three_processes_do_lose_updates(engine: Engine, url: str) -> None:
    added = refused = counted = 0
    while counted == added and not refused and added < MOST_TURNS * 120:  # chance: they must meet at least once
        refused = three_processes_count(url, "library", 40)
        added += 120
        with reading(engine) as db:
            counted = db.scalars(select(CounterRow.value)).one()
    assert counted < added or refused > 0


def test_a_commit_that_fails_is_never_answered_with_ok(engine: Engine) -> None:
    app = an_app(engine)

    @app.post("/api/v1/notes")
    def submit_note(db: Db) -> str:
        db.add(NoteRow(counter_id=999))
        return "kept"

    answer = TestClient(app).post("/api/v1/notes")
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/server-fault"


def test_with_the_default_scope_a_commit_that_fails_is_answered_with_ok(engine: Engine) -> None:
    app = an_app(engine)

    def transaction(request: Request) -> Iterator[Session]:
        with writing(request.app.state.engine) as session:
            yield session

    @app.post("/api/v1/notes")
    def submit_note(db: Annotated[Session, Depends(transaction)]) -> str:
        db.add(NoteRow(counter_id=999))
        return "kept"

    assert TestClient(app, raise_server_exceptions=False).post("/api/v1/notes").status_code == 200


def test_raise_undoes_and_return_keeps(engine: Engine) -> None:
    app = an_app(engine)

    @app.post("/api/v1/tries/{value}")
    def submit_try(value: int, db: Db) -> None:
        db.execute(update(CounterRow).values(value=value))
        if value < 0:
            raise DatabaseBusy

    @app.get("/api/v1/tries")
    def show_value(db: ReadDb) -> int | None:
        return db.scalar(select(CounterRow.value))

    client = TestClient(app)
    assert client.post("/api/v1/tries/3").status_code == 200
    assert client.post("/api/v1/tries/-4").status_code == 503
    assert client.get("/api/v1/tries").json() == 3


def test_a_database_that_stays_locked_is_503_with_retry_after(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 100)
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    with writing(engine) as db:
        db.add(CounterRow())
    app = an_app(engine)

    @app.post("/api/v1/tries")
    def submit_try(db: Db) -> None:
        db.execute(update(CounterRow).values(value=1))

    client = TestClient(app)
    with writing(engine) as db:
        db.execute(select(CounterRow).with_for_update())
        answer = client.post("/api/v1/tries")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["type"] == "/problems/database-busy"
    assert client.post("/api/v1/tries").status_code == 200


def test_only_a_locked_database_is_called_busy(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match="elsewhere"), writing(engine) as db:
        db.execute(text("UPDATE elsewhere SET value = 1"))


@sqlite_only
def test_what_is_erased_is_gone_from_the_file(engine: Engine, url: str) -> None:
    with writing(engine) as db:
        db.execute(text("CREATE TABLE names (name TEXT)"))
        db.execute(text("INSERT INTO names VALUES ('Onvindbaar-Straks')"))
    with writing(engine) as db:
        db.execute(text("DELETE FROM names"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Onvindbaar" not in Path(url.removeprefix("sqlite:///")).read_bytes()
