"""Watches the transactions of the services: who writes rows of a school must first have locked that school's row.

PostgreSQL lets two transactions read the same rows and then both write; the lock on the school (in the Beheerportaal
also on the app's account) makes them wait for each other. On SQLite, with one writer at a time, nothing would show; the
watch looks at the statements before they become SQL, and therefore sees a forgotten lock on both.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Delete, Engine, Insert, Select, Table, Update, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, SessionTransaction

ROOTS = {"schools", "app_accounts"}
WHO_MAY_SEE = {"user_schools", "administrator_schools"}  # these belong to a person, and that row is locked
LOCKS = re.compile(r"FROM (?:schools|app_accounts)\b.*FOR UPDATE(?: OF (?:schools|app_accounts))?$", re.DOTALL)
TESTS = str(Path(__file__).parent)
PLUMBING = ("/sqlalchemy/", "/contextlib.py", "/shared/database.py", __file__)


@dataclass
class Transaction:
    """What one transaction has done: has it locked a school, and what did it write before that?"""

    opened_by: str
    locked: bool = False
    too_early: list[str] = field(default_factory=list)


@contextmanager
def watch_locks() -> Iterator[list[str]]:
    """Gives a list that fills with the forgotten locks of the services' own transactions, those of tests left out."""
    forgotten: list[str] = []
    opened: WeakKeyDictionary[Session, str] = WeakKeyDictionary()
    running: WeakKeyDictionary[Connection, Transaction] = WeakKeyDictionary()

    def on_create(session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            opened[session] = _opener()

    def on_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if not transaction.nested:
            running[connection] = Transaction(opened.get(session, ""))

    def on_execute(connection: Connection, statement: Any, *_: Any) -> None:
        current = running.get(connection)
        if current is not None and not current.opened_by.startswith(TESTS):
            _judge(current, statement, forgotten)

    listeners: list[tuple[type, str, Callable[..., None]]] = [
        (Session, "after_transaction_create", on_create),
        (Session, "after_begin", on_begin),
        (Engine, "before_execute", on_execute),
    ]
    for listener in listeners:
        event.listen(*listener)
    try:
        yield forgotten
    finally:
        for listener in listeners:
            event.remove(*listener)


def _judge(current: Transaction, statement: Any, forgotten: list[str]) -> None:
    if isinstance(statement, Select):
        if not current.locked and _locks_a_school(statement):
            current.locked = True
            if current.too_early:  # the order of locks would not be the same everywhere: a deadlock one day
                forgotten.append(
                    f"{current.opened_by}: {', '.join(current.too_early)} before the lock on the school's row"
                )
    elif isinstance(statement, Insert | Update | Delete) and not current.locked:
        table = statement.table
        assert isinstance(table, Table)
        if isinstance(statement, Insert) and table.name in ROOTS:
            current.locked = True  # nobody else can see the new school yet
            return
        current.too_early.append(f"{type(statement).__name__} {table.name}")
        if belongs_to_a_school(table):
            forgotten.append(f"{current.opened_by}: {', '.join(current.too_early)} without a lock on the school's row")


def _locks_a_school(statement: Select[Any]) -> bool:
    if statement._for_update_arg is None:
        return False
    return LOCKS.search(str(statement.compile(dialect=postgresql.dialect()))) is not None  # type: ignore[no-untyped-call]


def belongs_to_a_school(table: Table) -> bool:
    """Is this a school's row, or does a foreign key lead from it to one?"""
    if table.name in ROOTS | WHO_MAY_SEE:
        return table.name in ROOTS
    return any(belongs_to_a_school(key.column.table) for key in table.foreign_keys if key.column.table is not table)


def _opener() -> str:
    """The file and line that opened the transaction; FastAPI's when it is an endpoint's `Db`."""
    frame = sys._getframe(1)
    while frame.f_back is not None and any(part in frame.f_code.co_filename for part in PLUMBING):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
