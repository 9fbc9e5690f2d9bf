"""Engines, tables and transactions: the only place that commits.

SQLite is opened in WAL with synchronous FULL, foreign keys and secure_delete on, and every engine asserts it at start:
with synchronous NORMAL a power cut loses rows whose sender was already told "received". Writing transactions begin with
BEGIN IMMEDIATE, because two processes that read and then write under a plain BEGIN silently lose updates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import BigInteger, DateTime, Dialect, Engine, Integer, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.types import TypeDecorator

from shared.problems import DatabaseBusy

BUSY_TIMEOUT_MS = 10_000
SQLITE_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}  # 2 is FULL
CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER column


def new_metadata() -> MetaData:
    """Metadata in which every constraint has a predictable name."""
    return MetaData(naming_convention=CONSTRAINT_NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, kept in UTC; SQLite forgets time zones otherwise. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def open_engine(url: str) -> Engine:
    """An engine for `url`, SQLite or PostgreSQL, with the house's settings asserted."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}, pool_size=20
        )
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_sqlite)
        _assert_pragmas(engine)
    else:
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            # the promise of SQLite's FULL: no commit is told before it is on the disk, whatever the server's default
            connect_args={"options": f"-c lock_timeout={BUSY_TIMEOUT_MS} -c synchronous_commit=on"},
            pool_size=20,
            pool_pre_ping=True,
        )
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    for pragma, value in {"busy_timeout": BUSY_TIMEOUT_MS, **SQLITE_PRAGMAS}.items():
        cursor.execute(f"PRAGMA {pragma}={value}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql(f"PRAGMA query_only={0 if writes else 1}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _assert_pragmas(engine: Engine) -> None:
    with engine.execution_options(writes=False).connect() as connection:
        for pragma, wanted in SQLITE_PRAGMAS.items():
            found = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            if found != wanted and not (pragma == "journal_mode" and found == "memory"):
                raise RuntimeError(f"SQLite runs with {pragma}={found}; Schakel needs {wanted}")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One writing transaction: committed at the end, undone by an exception."""
    with busy_as_problem(), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """A dry run: what the block writes is undone at its end, what was written before it stays."""
    with session.begin_nested() as savepoint:
        yield
        savepoint.rollback()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One consistent picture of the database; a session that refuses to write."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    else:
        engine = engine.execution_options(writes=False)
    with busy_as_problem(), Session(engine) as session:
        event.listen(session, "before_flush", _refuse_flush)
        event.listen(session, "do_orm_execute", _refuse_write)
        yield session


def _refuse_flush(session: Session, *_: Any) -> None:
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("a reading session was asked to write")


def _refuse_write(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        raise RuntimeError("a reading session was asked to write")


@contextmanager
def busy_as_problem() -> Iterator[None]:
    """A database that is locked or away becomes 503 with Retry-After; every other database error stays what it is."""
    try:
        yield
    except DBAPIError as error:
        if is_busy(error):
            raise DatabaseBusy(headers={"Retry-After": "5"}) from error
        raise


def is_busy(error: DBAPIError) -> bool:
    """Would the same transaction succeed if it were tried again?"""
    if getattr(error.orig, "pgconn", None) is not None:  # PostgreSQL could not be reached: nothing had begun
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:  # PostgreSQL: serialization failure, deadlock, lock not available
        return state in {"40001", "40P01", "55P03"}
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def _transaction(request: Request) -> Iterator[Session]:
    with writing(request.app.state.engine) as session:
        yield session


def _picture(request: Request) -> Iterator[Session]:
    with reading(request.app.state.engine) as session:
        yield session


# scope="function": commit before the response leaves, so that a 200 is a promise kept.
Db = Annotated[Session, Depends(_transaction, scope="function")]
ReadDb = Annotated[Session, Depends(_picture, scope="function")]
