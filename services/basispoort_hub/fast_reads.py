"""Serves the stored answers: one statement that checks key and consent and reads ETag and body.

On PostgreSQL it runs on the driver's own asynchronous connections, without a thread and without an ORM session, because
this one route is asked for whole countries of schools (docs/decisions/0011). SQLite takes the ordinary way; who is
calling and what is answered are decided in one place for both.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import psycopg
from fastapi import Request, Response
from sqlalchemy import Engine, case, event, null, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from services.basispoort_hub.permission_requests import has_permission
from services.basispoort_hub.publisher_callers import (
    Registered,
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

_Connection = psycopg.AsyncConnection[tuple[Any, ...]]

MOST_CONNECTIONS = 10
PACKED = "-gzip"  # what the ETag of the packed form ends with
PATIENCE_S = 5  # for a new connection, and for an answer of a server that is not heard of any more
# One picture of everything: who shows this key or certificate, the school, consent, and the answer. Two statements with
# the same middle, both fixed: what a caller sends goes in as parameters.
_ASKED = """
       p.requests_per_minute,
       s.id IS NOT NULL AND coalesce(s.sandbox_of, p.id) = p.id,
       c.id IS NOT NULL, a.etag, CASE WHEN a.etag = ANY(%(known)s) THEN NULL
                                      WHEN %(packed)s THEN coalesce(a.packed, a.body) ELSE a.body END,
       a.packed IS NOT NULL
"""
_ANSWER = """
JOIN publishers p ON p.id = w.publisher_id
LEFT JOIN schools s ON s.id = %(school)s
LEFT JOIN permissions c ON c.school_id = s.id AND c.publisher_id = p.id AND c.withdrawn_at IS NULL
LEFT JOIN answers a ON a.school_id = c.school_id AND a.part = %(part)s
"""
_BY_KEY = " ".join(
    [
        "SELECT NULL, NULL, NULL, w.publisher_id,",
        _ASKED,
        "FROM publisher_keys w",
        _ANSWER,
        "WHERE w.key_hash = %(key)s AND w.revoked_at IS NULL",
    ]
)
_BY_CERTIFICATE = " ".join(
    [
        "SELECT w.publisher_id, w.not_after, w.revoked_at, k.publisher_id,",
        _ASKED,
        "FROM publisher_certificates w",
        "LEFT JOIN publisher_keys k ON k.key_hash = %(key)s AND k.revoked_at IS NULL",
        _ANSWER,
        "WHERE w.fingerprint = %(fingerprint)s",
    ]
)
_TOO_SLOW = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)  # asking again would wait again
_NOBODY = (None, None, None, None, None, False, False, None, None, False)


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
            self._idle.pop().pgconn.finish()

    async def serve(self, request: Request, wanted: Wanted) -> Response:
        """The stored answer, for whoever is calling.

        Raises CallerUnknown, CertificateRefused, QuotaSpent, NotFound, PermissionMissing, DatabaseBusy.
        """
        if not self._is_postgres:
            return await run_in_threadpool(self._serve_in_session, request, wanted)
        shown = shown_by(request)
        values: dict[str, object] = {
            "key": shown.key_hash,
            "fingerprint": shown.fingerprint,
            "school": wanted.school_id,
            "part": wanted.part,
            "packed": wanted.packed,
            "known": list(wanted.known),
        }
        row = await self._ask(_BY_KEY if shown.fingerprint is None else _BY_CERTIFICATE, values)
        owner, not_after, revoked_at, key_of, own_quota, is_known, has_consent, etag, body, has_packed = row or _NOBODY
        certificate = None if owner is None else Registered(owner, not_after, revoked_at)
        spend_request(request, decide_caller(shown, certificate, key_of, present()), own_quota)
        is_packed = wanted.packed and has_packed
        return answer(Found(is_known, has_consent, etag, body, is_packed), wanted)

    def _serve_in_session(self, request: Request, wanted: Wanted) -> Response:
        with reading(self._engine) as db:
            return answer(read_found(db, calling_publisher(request, db), wanted), wanted)

    async def _ask(self, statement: str, values: dict[str, object]) -> tuple[Any, ...] | None:
        """One row. Raises DatabaseBusy when the server cannot be reached: there is nothing that a read could lose."""
        try:
            await asyncio.wait_for(self._room.acquire(), PATIENCE_S)
        except TimeoutError:  # all of them wait for a server that does not answer: a queue would only grow
            raise DatabaseBusy(headers={"Retry-After": "5"}) from None
        try:
            if self._idle:
                try:
                    return await self._run(self._idle.pop(), statement, values)
                except _TOO_SLOW:
                    raise
                except (psycopg.OperationalError, psycopg.errors.FeatureNotSupported):
                    # the server went away, or a migration made the statement another one: all idle ones are as old
                    self.close()
            return await self._run(await self._connect(), statement, values)
        except psycopg.OperationalError as error:
            log.error("database_away", kind=type(error).__name__)
            raise DatabaseBusy(headers={"Retry-After": "5"}) from error
        finally:
            self._room.release()

    async def _run(self, connection: _Connection, statement: str, values: dict[str, object]) -> tuple[Any, ...] | None:
        generation = self._generation
        try:
            cursor = await connection.cursor(binary=True).execute(statement, values, prepare=True)
            row = await cursor.fetchone()
        except BaseException:  # also when the caller left: what is under way must not answer somebody else
            connection.pgconn.finish()
            raise
        if generation == self._generation:
            self._idle.append(connection)
        else:  # closed meanwhile, with the engine
            connection.pgconn.finish()
        return row

    async def _connect(self) -> _Connection:
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            options=f"-c default_transaction_read_only=on -c statement_timeout={PATIENCE_S * 1000}",
            connect_timeout=PATIENCE_S,
            tcp_user_timeout=PATIENCE_S * 1000,
            keepalives_idle=PATIENCE_S,
            keepalives_interval=1,
            keepalives_count=PATIENCE_S,
        )
