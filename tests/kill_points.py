"""Kills a process exactly at the k-th statement or commit, lets another one go on, and compares what stands there.

Every trial forks: the child does one operation (tests/killed_operations.py) on a copy of a prepared database, and kills
itself with SIGKILL at a border. Others repeat the operation as the sender or the person would, one of which may be
killed too. Databases are opened in children only, so no connection is ever shared. Run as a program it answers one JSON
request a line; the tests talk to it that way, because a test process has threads and must not fork.
"""

import gc
import json
import os
import pickle
import random
import shutil
import signal
import sys
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import NullPool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import logs, migrate, passwords
from shared.database import open_engine
from tests.stored_state import State, read_ranks, read_state

Mail = tuple[str, str, str]  # to, Message-ID, text
AT = datetime(2026, 11, 23, 1, tzinfo=UTC)  # in the night, on both sides of the chain
LATER = timedelta(minutes=20)  # longer than any claim or lease lasts; it is how long a repeat comes later
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


# --- borders ----------------------------------------------------------------------------------------------------------


@dataclass
class Borders:
    """Counts the borders that this process crosses, and kills it at the chosen one.

    `kinds` says what each border was. `mail_open`: a mail was accepted, and no commit has followed yet.
    """

    tell: Callable[[str, Any], None]
    kill_at: int | None = None
    kinds: list[str] = field(default_factory=list)
    mail_open: bool = False

    def cross(self, kind: str) -> None:
        if len(self.kinds) == self.kill_at:
            self.tell("killed", {"at": kind, "mail_open": self.mail_open})
            os.kill(os.getpid(), signal.SIGKILL)
        self.kinds.append(kind)

    def listen(self) -> None:
        """From now on every statement and commit of every engine in this process is a border."""

        def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if not statement.startswith("PRAGMA"):
                self.cross(f"before {_verb(statement)}")

        def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if not statement.startswith("PRAGMA"):
                self.cross(f"after {_verb(statement)}")

        listen: Any = event.listen
        listen(Engine, "before_cursor_execute", before)
        listen(Engine, "after_cursor_execute", after)
        commit: Any = DefaultDialect.do_commit

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            self.cross("before commit")
            commit(dialect, connection)
            self.mail_open = False
            self.cross("after commit")

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]  # this process ends with its one operation


def _verb(statement: str) -> str:
    return statement.split(maxsplit=1)[0].lower()


class Answering:
    """An application at whose door the answers are borders too: what was answered with 2xx or 303 is a promise."""

    def __init__(self, app: ASGIApp, borders: Borders, promises: bool) -> None:
        self._app, self._borders, self._promises = app, borders, promises

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        promised = False

        async def watched(message: Message) -> None:
            nonlocal promised
            if message["type"] == "http.response.start":
                self._borders.cross("before answer")
                promised = self._promises and scope["method"] in UNSAFE and message["status"] < 400
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body") and promised:
                self._borders.tell("promised", None)
                self._borders.cross("after answer")

        await self._app(scope, receive, watched)


# --- processes --------------------------------------------------------------------------------------------------------


@dataclass
class Ended:
    """How a child ended: with a value, killed at a border, or with an exception (its traceback)."""

    value: Any = None
    promised: bool = False
    killed: dict[str, Any] | None = None
    failed: str | None = None


def in_child(work: Callable[[Callable[[str, Any], None]], Any]) -> Ended:
    """Do this in a forked process; `work` gets a function with which it can tell something before it is killed."""
    assert threading.active_count() == 1, "a process with threads must not fork"
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)

        def tell(kind: str, value: Any) -> None:
            packed = pickle.dumps((kind, value))
            _write(writing, len(packed).to_bytes(8, "big") + packed)

        try:
            tell("done", work(tell))
        except BaseException:
            tell("failed", traceback.format_exc())
        os._exit(0)
    os.close(writing)
    ended = Ended()
    with os.fdopen(reading, "rb") as told:
        while head := told.read(8):
            kind, value = pickle.loads(told.read(int.from_bytes(head, "big")))
            if kind == "promised":
                ended.promised = True
            else:
                setattr(ended, {"done": "value"}.get(kind, kind), value)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) == (ended.killed is not None), "the child ended otherwise than it said"
    return ended


def value_of(ended: Ended) -> Any:
    """What the child came to. Raises RuntimeError when it came to nothing."""
    if ended.failed is not None:
        raise RuntimeError(ended.failed)
    return ended.value


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


# --- databases --------------------------------------------------------------------------------------------------------


@dataclass
class Databases:
    """Copies of databases: files in `folder`, or on the PostgreSQL server when its address is given."""

    folder: Path
    postgres: str = ""
    _put_back: set[tuple[str, str]] = field(default_factory=set)  # (source, name): has a copy of its own rows

    def url(self, name: str) -> str:
        if self.postgres:
            return make_url(self.postgres).set(database=self._here(name)).render_as_string(hide_password=False)
        return f"sqlite:///{self.folder / name}.db"

    def copy(self, source: str | None, name: str) -> str:
        """A copy of the database `source` in place of the one called `name`, if any; returns its address."""
        if (source, name) in self._put_back:
            self._tell_server(*_PUT_BACK, database=self._here(name))
        elif self.postgres:
            template = self._here(source) if source else "template1"
            self._tell_server(self._drop(name), f'CREATE DATABASE "{self._here(name)}" TEMPLATE "{template}"')
        else:
            self.drop(name)
            if source:
                shutil.copyfile(self.folder / f"{source}.db", self.folder / f"{name}.db")
        return self.url(name)

    def copy_often(self, source: str, name: str) -> None:
        """The same, again and again. PostgreSQL is slow at making databases, so there the rows are put back."""
        if (source, name) not in self._put_back:
            self.copy(source, name)
            if self.postgres:
                self._tell_server(*_KEEP, database=self._here(name))
                self._put_back = {each for each in self._put_back if each[1] != name} | {(source, name)}
        else:
            self.copy(source, name)

    def drop(self, name: str) -> None:
        if self.postgres:
            self._tell_server(self._drop(name))
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"{name}.db{suffix}").unlink(missing_ok=True)

    def _here(self, name: str) -> str:
        return f"killed_{self.folder.name}_{name}"

    def _drop(self, name: str) -> str:
        return f'DROP DATABASE IF EXISTS "{self._here(name)}" WITH (FORCE)'

    def _tell_server(self, *statements: str, database: str = "") -> None:
        def work(_tell: object) -> None:
            url = make_url(self.postgres).set(drivername="postgresql+psycopg")
            url = url.set(database=database) if database else url
            engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            with engine.connect() as connection:
                for statement in statements:
                    connection.execute(text(statement))

        value_of(in_child(work))


_EACH = "FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP"
# PostgreSQL: keep a copy of all rows and counters beside them, and put them back
_KEEP = (
    "CREATE SCHEMA kept",
    f"DO $$ DECLARE t text; BEGIN {_EACH} EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', t, t); "
    "END LOOP; END $$",
    "CREATE TABLE kept.counters AS SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'",
)
_PUT_BACK = (
    # whoever was killed a moment ago may still hold a lock
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid()",
    "DO $$ DECLARE t text; BEGIN SET LOCAL session_replication_role = replica; "
    f"{_EACH} EXECUTE format('DELETE FROM public.%I', t); END LOOP; "
    f"{_EACH} EXECUTE format('INSERT INTO public.%I SELECT * FROM kept.%I', t, t); END LOOP; END $$",
    "SELECT setval(format('public.%I', sequencename), coalesce(last_value, 1), last_value IS NOT NULL) "
    "FROM kept.counters",
)


def wait_until_alone(engine: Engine) -> None:
    """PostgreSQL needs a moment to notice that somebody was killed; until then the rows stay locked."""
    if engine.dialect.name != "postgresql":
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for _ in range(500):
        with engine.connect() as connection:
            if not connection.scalar(others):
                return
        time.sleep(0.01)
    raise RuntimeError("the killed process's connection stays open")


# --- trials -----------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """What an operation works with, in one child."""

    engines: dict[str, Engine]  # service -> its database
    folder: Path
    borders: Borders
    facts: dict[str, Any]  # what `prepare` found out
    stage: int = 0  # how often somebody was at it before

    def client(self, app: FastAPI, service: str, *, promises: bool = True) -> TestClient:
        """Somebody at the door of this application. `promises`: an answer of success need not be asked for again."""
        app.state.engine = self.engines[service]
        return TestClient(Answering(app, self.borders, promises), follow_redirects=False)

    def accept(self, mail: Mail) -> None:
        """What the mail server does: from here on the mail exists, whatever becomes of the sender."""
        self.borders.cross("before mail")
        with (self.folder / "mails").open("ab") as file:
            file.write(json.dumps(mail).encode() + b"\n")
        self.borders.mail_open = True
        self.borders.cross("after mail")

    def mails(self) -> "Counter[Mail]":
        file = self.folder / "mails"
        lines = file.read_text().splitlines() if file.exists() else []
        ranks = {f"-{number}": f"-#{rank}" for engine in self.engines.values() for number, rank in read_ranks(engine)}

        def ranked(message_id: str) -> str:  # a transaction that was undone uses up numbers on PostgreSQL
            stem, dash, number = message_id.rpartition("-")
            return message_id if stem == "link" else stem + ranks.get(dash + number, dash + number)

        to_and_more = (json.loads(line) for line in lines)
        return Counter((to, ranked(message_id), written) for to, message_id, written in to_and_more)


@dataclass(frozen=True)
class Operation:
    """`prepare` is done once, on empty databases; `act` is what is killed and repeated."""

    services: tuple[str, ...]
    prepare: Callable[[World], dict[str, Any]]
    act: Callable[[World], None]


@dataclass
class Found:
    """What a sweep found. `lost` and `doubled` hold a line per fault: where the kill was, and what differs."""

    operation: str
    borders: int = 0
    points: int = 0
    second_kills: int = 0
    doubled_mails: int = 0  # the allowed ones: same link, same Message-ID, killed between acceptance and record
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


@dataclass
class Prepared:
    """An operation with its prepared databases, and how a run without a kill ends."""

    name: str
    operation: Operation
    engines: dict[str, Engine]  # without connections; they have seen all statements, so that children start quickly
    facts: dict[str, Any]
    state: State = field(default_factory=dict)
    mails: "Counter[Mail]" = field(default_factory=Counter)
    kinds: list[str] = field(default_factory=list)


@dataclass
class Nursery:
    """Prepares operations once and kills them at any number of points."""

    databases: Databases
    operations: dict[str, Operation]
    plants: dict[str, Callable[[], None]]
    _migrated: list[str] = field(default_factory=list)
    _prepared: dict[str, Prepared] = field(default_factory=dict)

    def sweep(
        self,
        name: str,
        plant: str | None = None,
        most: int | None = None,
        second_kills: float = 0,
        seed: int = 0,
        at: str = "",
        stop_at_first: bool = False,
    ) -> Found:
        """Kill at every border, or at `most` of them, with and without a second kill while the work is repeated.

        `second_kills`: the share of points that get a second trial, with another kill while the work is repeated.
        `at`: only at borders of this kind. With `stop_at_first` it goes from the last to the first, and stops at the
        first fault.
        """
        prepared = self.prepare(name)
        planted = self.plants[plant] if plant else None
        # a planted fault may have borders of its own
        kinds = prepared.kinds if planted is None else self._count(prepared, planted)
        chance = random.Random(f"{seed} {name}")
        found = Found(name, borders=len(kinds))
        points = list(range(len(kinds))) if most is None else choose_points(kinds, most, chance)
        points = [point for point in points if kinds[point].endswith(at)]
        for point in reversed(points) if stop_at_first else points:
            self._try(prepared, planted, found, point, None)
            if chance.random() < second_kills:
                self._try(prepared, planted, found, point, chance.randrange(len(kinds)))
            if stop_at_first and (found.lost or found.doubled):
                break
        return found

    def prepare(self, name: str) -> Prepared:
        """Prepare the databases in a child; then go through the operation once here, so that forks find all warm."""
        if name in self._prepared:
            return self._prepared[name]
        operation = self.operations[name]
        for each in operation.services:
            self.databases.copy(self._migrate(each), f"{name}-{each}")

        def prepare(tell: Callable[[str, Any], None]) -> dict[str, Any]:
            engines = {each: open_engine(self.databases.url(f"{name}-{each}")) for each in operation.services}
            with time_machine.travel(AT - LATER, tick=True):
                facts = operation.prepare(World(engines, self._folder(), Borders(tell), {}))
            for engine in engines.values():
                engine.dispose()  # SQLite folds its log into the file; PostgreSQL copies what nobody uses
            return facts

        facts = value_of(in_child(prepare))
        ready = Prepared(name, operation, {}, facts)
        self._copy(ready)
        ready.engines = {each: open_engine(self.databases.url(f"work-{each}")) for each in operation.services}
        with time_machine.travel(AT, tick=True):
            operation.act(World(ready.engines, self._folder(), Borders(lambda *_: None), facts))
            for service, engine in ready.engines.items():
                read_state(service, engine)
                engine.dispose()
        passwords._TWO_AT_ONCE.shutdown()  # its threads would be missing in the forks
        passwords._TWO_AT_ONCE = ThreadPoolExecutor(2)
        gc.collect()
        gc.freeze()
        self._copy(ready)
        ready.kinds, ready.state, ready.mails = value_of(self._act(ready, None, self._folder(), 0, None))
        self._prepared[name] = ready
        return ready

    def _migrate(self, service: str) -> str:
        name = f"migrated-{service}"
        if name not in self._migrated:
            url = self.databases.copy(None, name)

            def work(_tell: object) -> None:
                engine = open_engine(url)
                migrate.upgrade(engine, service)
                engine.dispose()

            value_of(in_child(work))
            self._migrated.append(name)
        return name

    def _count(self, prepared: Prepared, planted: Callable[[], None]) -> list[str]:
        self._copy(prepared)
        kinds: list[str] = value_of(self._act(prepared, planted, self._folder(), 0, None))[0]
        return kinds

    def _copy(self, prepared: Prepared) -> None:
        for service in prepared.operation.services:
            self.databases.copy_often(f"{prepared.name}-{service}", f"work-{service}")

    def _try(
        self, prepared: Prepared, planted: Callable[[], None] | None, found: Found, point: int, second: int | None
    ) -> None:
        """One trial: killed at `point`, killed again at `second` of what follows, then left in peace.

        What was promised is not asked for again: the sender knows that it is done.
        """
        self._copy(prepared)
        folder = self._folder()
        kills: list[dict[str, Any]] = []
        ended = Ended()
        for stage, kill_at in enumerate((point, second, None)):
            if stage == 1 and second is None:
                continue
            ended = self._act(prepared, planted, folder, stage, kill_at, repeat=not ended.promised)
            if ended.killed is None:
                break
            kills.append(ended.killed)
        found.points += 1
        found.second_kills += len(kills) > 1
        where = f"killed {' and '.join(each['at'] for each in kills) or 'nowhere'} ({point}, {second})"
        if ended.failed is None:
            _, state, mails = ended.value
            _judge(prepared, state, mails, sum(each["mail_open"] for each in kills), where, found)
        else:
            found.lost.append(f"{where}: the repeat failed: {ended.failed[-300:]}")
        shutil.rmtree(folder)

    def _act(
        self,
        prepared: Prepared,
        planted: Callable[[], None] | None,
        folder: Path,
        stage: int,
        kill_at: int | None,
        repeat: bool = True,
    ) -> Ended:

        def work(tell: Callable[[str, Any], None]) -> tuple[list[str], State, Counter[Mail]]:
            time_machine.travel(AT + stage * LATER, tick=True).start()  # for as long as this process lives
            borders = Borders(tell, kill_at)
            world = World(prepared.engines, folder, borders, prepared.facts, stage)
            for engine in world.engines.values():
                wait_until_alone(engine)
            if planted is not None:
                planted()
            if repeat:
                borders.listen()
                prepared.operation.act(world)
            kinds, borders.kill_at = list(borders.kinds), None
            state = {service: read_state(service, engine) for service, engine in world.engines.items()}
            return kinds, {key: rows for part in state.values() for key, rows in part.items()}, world.mails()

        return in_child(work)

    def _folder(self) -> Path:
        folder = self.databases.folder / uuid.uuid4().hex
        folder.mkdir()
        return folder

    def close(self) -> None:
        services = {each for prepared in self._prepared.values() for each in prepared.operation.services}
        names = [f"{name}-{each}" for name in self._prepared for each in self._prepared[name].operation.services]
        for name in [*names, *self._migrated, *(f"work-{each}" for each in services)]:
            self.databases.drop(name)


def choose_points(kinds: Sequence[str], most: int, chance: random.Random) -> list[int]:
    """Borders around commits, answers and mails first, since there the outcome turns; the rest by chance."""
    turning = [number for number, kind in enumerate(kinds) if kind.split()[-1] in {"commit", "answer", "mail"}]
    others = [number for number in range(len(kinds)) if number not in set(turning)]
    half = min(len(turning), max(most // 2, most - len(others)))
    return sorted(chance.sample(turning, half) + chance.sample(others, min(len(others), most - half)))


def _judge(prepared: Prepared, state: State, mails: "Counter[Mail]", open_kills: int, where: str, found: Found) -> None:
    for table in prepared.state.keys() | state.keys():
        wanted, there = Counter(prepared.state.get(table, ())), Counter(state.get(table, ()))
        if missing := wanted - there:
            found.lost.append(f"{where}: {table} lacks {sorted(missing.elements())[:3]}")
        if extra := there - wanted:
            found.doubled.append(f"{where}: {table} has {sorted(extra.elements())[:3]}")
    if unsent := prepared.mails - mails:
        found.lost.append(f"{where}: not mailed {sorted(unsent)[:3]}")
    again = mails - prepared.mails
    if again.keys() - prepared.mails.keys():
        found.doubled.append(f"{where}: another mail {sorted(again.keys() - prepared.mails.keys())[:3]}")
    elif again.total() > open_kills:
        found.doubled.append(f"{where}: mailed twice without need {sorted(again)[:3]}")
    else:
        found.doubled_mails += again.total()


def serve(folder: Path, postgres: str) -> None:
    """Answer requests, one JSON object a line: {"name": ..., and what sweep() takes}."""
    from tests.killed_operations import OPERATIONS, PLANTS  # here: it imports this module

    logs.configure("killed", "ERROR")
    nursery = Nursery(Databases(folder, postgres), OPERATIONS, PLANTS)
    try:
        for line in sys.stdin:
            try:
                answer: dict[str, Any] = asdict(nursery.sweep(**json.loads(line)))
            except Exception:
                answer = {"failed": traceback.format_exc()}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        nursery.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), os.environ.get("SCHAKEL_TEST_POSTGRES", ""))
