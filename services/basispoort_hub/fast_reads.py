"""Serves the stored answers: one statement that checks key and consent and reads ETag and body.

On PostgreSQL it runs on the driver's own asynchronous connections, without a thread and without an ORM session, because
this one route is asked for whole countries of schools (docs/decisions/0011). SQLite takes the ordinary way; who is
calling and what is answered are decided in one place for both.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from fastapi import Request, Response
from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine, case, event, null, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from services.basispoort_hub.permission_requests import has_permission
from services.basispoort_hub.publisher_callers import (
    Registered,
    Shown,
    calling_publisher,
    decide_caller,
    shown_by,
    spend_request,
)
from services.basispoort_hub.tables import AnswerRow, SchoolRow
from shared.clock import now as present
from shared.database import reading
from shared.logs import log
from shared.problems import DatabaseBusy, NotFound, Problem

MOST_CONNECTIONS = 10
PACKED = "-gzip"  # what the ETag of the packed form ends with
PATIENCE_S = 5  # for a new connection, and for an answer of a server that is not heard of any more
# One picture of everything: who shows this key or certificate, the school, consent, and the answer. Two statements with
# the same middle, both fixed: what a caller sends goes in as parameters (`_parameters`).
_ASKED = """
       p.requests_per_minute,
       s.id IS NOT NULL AND coalesce(s.sandbox_of, p.id) = p.id,
       c.id IS NOT NULL, a.etag, CASE WHEN a.etag = ANY(string_to_array($3::text, ',')) THEN NULL
                                      WHEN $4::boolean THEN coalesce(a.packed, a.body) ELSE a.body END,
       a.packed IS NOT NULL
"""
_ANSWER = """
JOIN publishers p ON p.id = w.publisher_id
LEFT JOIN schools s ON s.id = $1::bigint
LEFT JOIN permissions c ON c.school_id = s.id AND c.publisher_id = p.id AND c.withdrawn_at IS NULL
LEFT JOIN answers a ON a.school_id = c.school_id AND a.part = $2::text
"""


class _Statement(NamedTuple):
    """`text` is prepared under `name` on every connection that needs it."""

    name: bytes
    text: str


_BY_KEY = _Statement(
    b"by_key",
    " ".join(
        [
            "SELECT NULL::bigint, NULL::timestamptz, NULL::timestamptz, w.publisher_id,",
            _ASKED,
            "FROM publisher_keys w",
            _ANSWER,
            "WHERE w.key_hash = $5::text AND w.revoked_at IS NULL",
        ]
    ),
)
_BY_CERTIFICATE = _Statement(
    b"by_certificate",
    " ".join(
        [
            "SELECT w.publisher_id, w.not_after, w.revoked_at, k.publisher_id,",
            _ASKED,
            "FROM publisher_certificates w",
            "LEFT JOIN publisher_keys k ON k.key_hash = $5::text AND k.revoked_at IS NULL",
            _ANSWER,
            "WHERE w.fingerprint = $6::text",
        ]
    ),
)
_TOO_SLOW = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)  # asking again would wait again


class _Row(NamedTuple):
    """What both statements select."""

    owner: int | None = None  # whose certificate it is
    not_after: datetime | None = None
    revoked_at: datetime | None = None
    key_of: int | None = None
    own_quota: int | None = None
    is_known: bool = False
    has_consent: bool = False
    etag: str | None = None
    body: bytes | None = None
    has_packed: bool = False


class PermissionMissing(Problem):
    status, slug, title = 403, "permission-missing", "The school has not given this publisher permission"
    uitleg = "De school heeft deze uitgeverij geen toestemming gegeven."


@dataclass(frozen=True, slots=True)
class Found:
    """What the database says about one question. `body` is None where the caller has it, or where there is none."""

    is_known: bool  # there is such a school, for this caller
    has_consent: bool
    etag: str | None
    body: bytes | None
    is_packed: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a stored answer a caller asks for. `known`: the ETags it has, without quotes and without `PACKED`."""

    school_id: int
    part: str
    packed: bool
    known: tuple[str, ...]
    has_any: bool  # If-None-Match: *


def wanted_of(request: Request, school_id: int, part: str, if_none_match: str | None) -> Wanted:
    tags = [] if if_none_match is None else [each.strip() for each in if_none_match.split(",")]
    known = tuple(tag.removeprefix("W/").strip('"').removesuffix(PACKED) for tag in tags if "\x00" not in tag)
    return Wanted(school_id, part, takes_gzip(request.headers.get("accept-encoding", "")), known, "*" in tags)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the caller can read gzip, by RFC 9110 section 12.5.3."""
    weights: dict[str, bool] = {}
    for each in accept_encoding.split(","):
        name, _, parameter = each.partition(";")
        weight = parameter.replace(" ", "").lower().removeprefix("q=")
        weights[name.strip().lower()] = weight.strip("0.") != "" or not parameter
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def answer(found: Found, wanted: Wanted) -> Response:
    """Consent first, then the ETag: a caller without permission learns nothing, not even that nothing changed.

    Raises NotFound, PermissionMissing.
    """
    if not found.is_known:
        raise NotFound
    if not found.has_consent:
        raise PermissionMissing
    if found.etag is None:
        raise NotFound
    headers = {
        "ETag": f'"{found.etag}{PACKED if found.is_packed else ""}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding",
    }
    if wanted.has_any or found.body is None:
        return Response(status_code=304, headers=headers)
    if found.is_packed:
        headers["Content-Encoding"] = "gzip"
    return Response(found.body, media_type="application/json", headers=headers)


def read_found(db: Session, publisher_id: int, wanted: Wanted) -> Found:
    """The ordinary way, in a reading session."""
    school = db.execute(select(SchoolRow.sandbox_of).where(SchoolRow.id == wanted.school_id)).first()
    if school is None or school.sandbox_of not in {None, publisher_id}:
        return Found(is_known=False, has_consent=False, etag=None, body=None, is_packed=False)
    if not has_permission(db, wanted.school_id, publisher_id):
        return Found(is_known=True, has_consent=False, etag=None, body=None, is_packed=False)
    body = AnswerRow.packed if wanted.packed else null()
    row = db.execute(
        select(
            AnswerRow.etag,
            case((AnswerRow.etag.in_(wanted.known), None), else_=AnswerRow.body).label("body"),
            body.label("packed"),
        ).where(AnswerRow.school_id == wanted.school_id, AnswerRow.part == wanted.part)
    ).first()
    if row is None:
        return Found(is_known=True, has_consent=True, etag=None, body=None, is_packed=False)
    is_packed = row.packed is not None
    body_sent = row.packed if is_packed and row.body is not None else row.body
    return Found(is_known=True, has_consent=True, etag=row.etag, body=body_sent, is_packed=is_packed)


class _Connection:
    """A connection that is used below the driver's cursors, which cost as much as the statement does."""

    def __init__(self, driver: psycopg.AsyncConnection[Any]) -> None:
        self._driver = driver
        self._loader = Transformer(driver)
        self._prepared: set[bytes] = set()

    @classmethod
    async def open(cls, engine: Engine) -> "_Connection":
        """To the database of `engine`, for reading only. Raises psycopg.OperationalError."""
        own = f"-c default_transaction_read_only=on -c statement_timeout={PATIENCE_S * 1000}"
        return cls(
            await psycopg.AsyncConnection.connect(
                engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
                autocommit=True,
                client_encoding="utf8",
                options=f"{engine.url.query.get('options', '')} {own}".strip(),
                connect_timeout=PATIENCE_S,
                tcp_user_timeout=PATIENCE_S * 1000,
                keepalives_idle=PATIENCE_S,
                keepalives_interval=1,
                keepalives_count=PATIENCE_S,
            )
        )

    def close(self) -> None:
        """At once, also when a statement is under way."""
        self._driver.pgconn.finish()

    async def read(self, statement: _Statement, parameters: Sequence[bytes | None]) -> _Row | None:
        """The first row. `parameters`: in UTF-8, as PostgreSQL writes them. Raises psycopg.Error."""
        if statement.name not in self._prepared:
            self._driver.pgconn.send_prepare(statement.name, statement.text.encode())
            await self._finish(ExecStatus.COMMAND_OK)
            self._prepared.add(statement.name)
        self._driver.pgconn.send_query_prepared(statement.name, parameters, result_format=Format.BINARY)
        result = await self._finish(ExecStatus.TUPLES_OK)
        if result.ntuples == 0:
            return None
        self._loader.set_pgresult(result)
        return self._loader.load_row(0, _Row._make)

    async def _finish(self, good: ExecStatus) -> PGresult:
        result: PGresult = (await self._driver.wait(generators.execute(self._driver.pgconn)))[-1]
        if result.status != good:
            raise error_from_result(result)
        return result


class Reader:
    """Reads on connections of its own; those that the server left are replaced once before the error counts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_postgres = engine.dialect.name == "postgresql"
        self._idle: list[_Connection] = []
        self._generation = 0  # of connections; those of an earlier one are not kept
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)
        event.listen(engine, "engine_disposed", lambda _engine: self.close())

    def close(self) -> None:
        """Let go of the connections, with those of the engine."""
        self._generation += 1
        while self._idle:
            self._idle.pop().close()

    async def serve(self, request: Request, wanted: Wanted) -> Response:
        """The stored answer, for whoever is calling.

        Raises CallerUnknown, CertificateRefused, QuotaSpent, NotFound, PermissionMissing, DatabaseBusy.
        """
        if not self._is_postgres:
            return await run_in_threadpool(self._serve_in_session, request, wanted)
        shown = shown_by(request)
        statement = _BY_KEY if shown.fingerprint is None else _BY_CERTIFICATE
        row = await self._ask(statement, _parameters(shown, wanted)) or _Row()
        certificate = None
        if row.owner is not None and row.not_after is not None:
            certificate = Registered(row.owner, row.not_after, row.revoked_at)
        spend_request(request, decide_caller(shown, certificate, row.key_of, present()), row.own_quota)
        is_packed = wanted.packed and row.has_packed
        return answer(Found(row.is_known, row.has_consent, row.etag, row.body, is_packed), wanted)

    def _serve_in_session(self, request: Request, wanted: Wanted) -> Response:
        with reading(self._engine) as db:
            return answer(read_found(db, calling_publisher(request, db), wanted), wanted)

    async def _ask(self, statement: _Statement, parameters: Sequence[bytes | None]) -> _Row | None:
        """One row. Raises DatabaseBusy when the server cannot be reached: there is nothing that a read could lose."""
        await self._enter()
        try:
            if self._idle:
                try:
                    return await self._run(self._idle.pop(), statement, parameters)
                except _TOO_SLOW:
                    raise
                except (psycopg.OperationalError, psycopg.errors.FeatureNotSupported):
                    # the server went away, or a migration made the statement another one: all idle ones are as old
                    self.close()
            return await self._run(await _Connection.open(self._engine), statement, parameters)
        except psycopg.OperationalError as error:
            log.error("database_away", kind=type(error).__name__)
            raise DatabaseBusy(headers={"Retry-After": "5"}) from error
        finally:
            self._room.release()

    async def _enter(self) -> None:
        if not self._room.locked():  # the usual case, without the task that a limit in time costs
            await self._room.acquire()
            return
        try:
            await asyncio.wait_for(self._room.acquire(), PATIENCE_S)
        except TimeoutError:  # all of them wait for a server that does not answer: a queue would only grow
            raise DatabaseBusy(headers={"Retry-After": "5"}) from None

    async def _run(
        self, connection: _Connection, statement: _Statement, parameters: Sequence[bytes | None]
    ) -> _Row | None:
        generation = self._generation
        try:
            row = await connection.read(statement, parameters)
        except BaseException:  # also when the caller left: what is under way must not answer somebody else
            connection.close()
            raise
        if generation == self._generation:
            self._idle.append(connection)
        else:  # closed meanwhile, with the engine
            connection.close()
        return row


def _parameters(shown: Shown, wanted: Wanted) -> list[bytes | None]:
    """For the statement that suits what was shown."""
    values = [
        str(wanted.school_id),
        wanted.part,
        ",".join(wanted.known),  # split at commas, so that none of them has one
        "t" if wanted.packed else "f",
        shown.key_hash,
    ]
    if shown.fingerprint is not None:
        values.append(shown.fingerprint)
    return [None if each is None else each.encode() for each in values]
