"""Sends a broken request to an application as a server would, and says what is wrong with what came of it."""

import asyncio
import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from sqlalchemy import Engine

from shared.bodies import BodyGuard
from tests.broken_bodies import Request
from tests.broken_json import MARK, Wanted

PATIENCE_S = 10  # an answer that takes longer is none
# Pages that may hold what came in, never as markup: the form shows what was typed, or is sent to its own address.
MIRRORS = {
    "/inloggen",
    "/activeren/{token}",
    "/scholen/{code}/personeel/nieuw",
    "/scholen/{code}/personeel/{staff_id}",
    "/scholen/{code}/personeel/{staff_id}/contactgegevens/nieuw",
    "/scholen/{code}/personeel/{staff_id}/contactgegevens/{contact_id}",
    "/scholen/{code}/leerlingen/nieuw",
    "/scholen/{code}/leerlingen/{pupil_id}",
    "/scholen/{code}/leerlingen/jaarovergang",
    "/scholen/{code}/leerlingen/jaarovergang/uitvoeren",
    "/scholen/{code}/groepen/nieuw",
    "/scholen/{code}/groepen/{group_id}",
    "/scholen/{code}/inrichten/schoolinstellingen",
    "/scholen/{code}/inrichten/schoolinstellingen/koppelingen/pauze",
    "/scholen/{code}/inrichten/schoolinstellingen/koppelingen/domeinen",
}
ONE_ANSWER = "/activeren/{token}/opnieuw"  # says the same to everybody, so that nobody learns who has an account
# What a refused request may write all the same: a sign-in is counted before it is looked at, and a step of the wizard
# first asks the hub, remembers when, and keeps the answer.
BOOKKEEPING = {
    "/inloggen": {"sign_in_attempts"},
    "/api/v1/apps/{app}/koppeling/wijze": {"connections", "hub_rosters"},
    "/api/v1/apps/{app}/koppeling/controleren": {"connections", "hub_rosters"},
    "/api/v1/apps/{app}/koppeling/bevestigen": {"connections", "hub_rosters"},
    "/api/v1/apps/{app}/koppeling/synchroniseren": {"connections", "hub_rosters"},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` 0: nothing, because the caller had gone away. -1: nothing, and it should have."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    took_s: float = 0.0


async def ask(app: FastAPI, request: Request) -> Answer:
    """One request over ASGI, with the scope that uvicorn makes of these bytes."""
    raw_path = request.path
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "root_path": "",
        "method": request.method,
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": request.query,
        "headers": [(b"host", b"testserver"), *request.headers],
    }
    parts = _parts(request)
    sent: list[Any] = []
    done = asyncio.Event()

    async def receive() -> Any:
        for after, message in parts:
            await asyncio.sleep(after)
            return message
        await done.wait()  # like a server: no disconnect before the answer has gone
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            done.set()

    began = time.perf_counter()
    try:
        await asyncio.wait_for(app(scope, receive, send), PATIENCE_S)
    except TimeoutError:
        return Answer(-1)
    except Exception:  # past every handler of the application: uvicorn would answer a bare 500
        return Answer(500)
    took = time.perf_counter() - began
    if not sent:
        return Answer(0 if request.cut_off else -1, took_s=took)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0].get("headers", ())}
    return Answer(sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]), took)


def _parts(request: Request) -> Iterator[tuple[float, Any]]:
    pieces = [part for part, times in request.parts for _ in range(times)] or [b""]
    for number, piece in enumerate(pieces):
        more = request.cut_off or number < len(pieces) - 1
        yield (5.0 if request.slow and number else 0.0), {"type": "http.request", "body": piece, "more_body": more}
    if request.cut_off:
        yield 0.0, {"type": "http.disconnect"}


# --- every row of every table -----------------------------------------------------------------------------------------


def _as_text(value: object) -> object:
    """Texts are read as bytes; what is no text (a gzipped body) stays bytes."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


class State:
    """All rows of a database, as they were when this was made; says what changed since, and puts it back.

    It asks first whether anything was committed at all: that costs microseconds, comparing all rows milliseconds.
    """

    def __init__(self, engine: Engine) -> None:
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._connection = self._open(engine)
        self._tables = self._names()
        self._good = self._fingerprints()
        self._keep()
        self._version = self._committed()

    def _open(self, engine: Engine) -> Any:
        if self._is_sqlite:
            connection = sqlite3.connect(str(engine.url.database), isolation_level=None, timeout=10)
            connection.execute("PRAGMA synchronous=OFF")
            connection.text_factory = bytes
            return connection
        import psycopg

        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def _rows(self, statement: str) -> list[Any]:
        return list(self._connection.execute(statement).fetchall())

    def _names(self) -> list[str]:
        if self._is_sqlite:
            found = self._rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            return sorted(name.decode() for (name,) in found)
        return sorted(n for (n,) in self._rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))

    def _fingerprints(self) -> dict[str, Any]:
        if self._is_sqlite:
            return {name: sorted(map(repr, self._rows(f'SELECT * FROM "{name}"'))) for name in self._tables}
        query = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{}\" t"
        return {name: self._rows(query.format(name))[0][0] for name in self._tables}

    def _keep(self) -> None:
        if self._is_sqlite:
            self._kept = {name: self._rows(f'SELECT * FROM "{name}"') for name in self._tables}
            return
        self._connection.execute("CREATE SCHEMA kept")
        for name in self._tables:
            self._connection.execute(f'CREATE TABLE kept."{name}" AS TABLE public."{name}"')

    def _committed(self) -> Any:
        if self._is_sqlite:
            return self._rows("PRAGMA data_version")[0][0]
        return self._rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0][0]

    def changed(self) -> list[str]:
        """The tables that differ from what was kept."""
        version = self._committed()
        if version == self._version:
            return []
        self._version = version
        found = self._fingerprints()
        return [name for name in self._tables if found[name] != self._good[name]]

    def put_back(self, tables: Iterable[str]) -> None:
        run = self._connection.execute
        if self._is_sqlite:
            run("PRAGMA foreign_keys=OFF")
            run("BEGIN IMMEDIATE")
            for name in tables:
                run(f'DELETE FROM "{name}"')
                if rows := self._kept[name]:
                    marks = ", ".join("?" * len(rows[0]))
                    texts = [[_as_text(each) for each in row] for row in rows]
                    self._connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', texts)
            run("COMMIT")
        else:
            run("SET session_replication_role = replica")
            for name in tables:
                run(f'DELETE FROM public."{name}"')
                run(f'INSERT INTO public."{name}" TABLE kept."{name}"')
        self._version = self._committed()
        assert self._fingerprints() == self._good


# --- the judge --------------------------------------------------------------------------------------------------------


@dataclass
class Verdicts:
    """What was seen over many requests. A fault is (kind, caller, method, template, name, status)."""

    cases: int = 0
    refused: int = 0
    passed: int = 0  # carried out: the damage left something good
    reached: set[tuple[str, str]] = field(default_factory=set)
    statuses: dict[int, int] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""

    def of_kind(self, kind: str) -> list[str]:
        return [case for found, case in self.faults if found == kind]

    def __str__(self) -> str:
        return (
            f"{self.cases:,} cases, {len(self.of_kind('server error'))} server errors, "
            f"{len(self.of_kind('echo'))} echoes, {len(self.of_kind('change'))} changes, {len(self.faults)} faults; "
            f"{self.refused:,} refused, "
            f"{self.passed:,} were still good; slowest {self.slowest_s:.2f} s ({self.slowest})"
        )


def faults_of(answer: Answer, request: Request, template: str, changed: list[str], *, stranger: bool) -> Iterator[str]:
    """What is wrong with this answer to this request."""
    done = 200 <= answer.status < 400
    if answer.status == -1:
        yield "no answer"
    if answer.status >= 500:
        yield "server error"
    shown_in = (answer.body.decode("utf-8", "replace") + repr(answer.headers)).casefold()
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    sent_on = answer.status == 303 and answer.headers.get("location", "").startswith("/inloggen")
    away = answer.status in {301, 302, 307, 308} or not answer.headers.get("location", "/").startswith("/")
    if away:
        yield "sent away"
    if (not done or away) and (f"<{MARK}" in shown_in or (MARK in shown_in and not (is_page and template in MIRRORS))):
        yield "echo"
    if done and request.refusable and template != ONE_ANSWER and not (stranger and sent_on):
        yield "carried out"
    if (set(changed) - BOOKKEEPING.get(template, set())) and (request.refusable or not done):
        yield "change"
    # of a file whose Range cannot be read the framework's own line is enough
    is_range = template.endswith("/{path}") and any(name == b"range" for name, _ in request.headers)
    if answer.status >= 400 and not is_range and not _is_problem(answer, is_page=is_page, method=request.method):
        yield "not a problem"
    if answer.status > 0 and not {"x-request-id", "content-security-policy"} <= answer.headers.keys():
        yield "bare"


def _is_problem(answer: Answer, *, is_page: bool, method: str) -> bool:
    if method == "HEAD":
        return True
    if is_page:
        return answer.headers.get("content-language") == "nl"
    if answer.headers.get("content-type") != "application/problem+json":
        return False
    body = json.loads(answer.body)
    return bool({"type", "title", "status", "uitleg", "instance"} <= body.keys() and body["status"] == answer.status)


async def judge(
    app: FastAPI, state: State, verdicts: Verdicts, template: str, requests: Iterable[Request], *, stranger: bool
) -> None:
    """Send these one after another; after each the state is as it was."""
    who = "stranger" if stranger else "allowed"
    for request in requests:
        answer = await ask(app, request)
        if request.cut_off:
            await asyncio.sleep(0)
        changed = state.changed()
        case = f"{who} {request.method} {template}: {request.name} -> {answer.status} {changed}"
        verdicts.cases += 1
        verdicts.statuses[answer.status] = verdicts.statuses.get(answer.status, 0) + 1
        verdicts.faults += [(kind, case) for kind in faults_of(answer, request, template, changed, stranger=stranger)]
        done = 200 <= answer.status < 400
        verdicts.passed += done
        verdicts.refused += not done
        if not request.slow and answer.took_s > verdicts.slowest_s:
            verdicts.slowest_s, verdicts.slowest = answer.took_s, case
        if changed:
            state.put_back(changed)


def one_in(many: int, salt: str) -> Wanted:
    """Of the names the same part every time, spread over all of them."""

    def wanted(name: str) -> bool:
        digest = hashlib.blake2b(f"{salt}{name}".encode("utf-8", "replace"), digest_size=8).digest()
        return int.from_bytes(digest) % many == 0

    return wanted


@contextlib.contextmanager
def impatience(app: FastAPI, seconds: float) -> Iterator[None]:
    """The same application, whose guard waits only so long for a body."""
    guard_class: Any = BodyGuard
    guard = next(each for each in app.user_middleware if each.cls is guard_class)
    before, stack = dict(guard.kwargs), app.middleware_stack
    guard.kwargs["slowest_s"], app.middleware_stack = seconds, None
    try:
        yield
    finally:
        guard.kwargs.clear()
        guard.kwargs.update(before)
        app.middleware_stack = stack
