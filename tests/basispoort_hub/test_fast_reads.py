"""The two ways to a stored answer, of PostgreSQL and of SQLite, say the same to every kind of caller."""

import asyncio
import base64
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.engine import make_url
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from services.basispoort_hub import certificates, fast_reads
from services.basispoort_hub.certificates import Authority
from services.basispoort_hub.fast_reads import Reader
from services.basispoort_hub.main import create_app
from services.basispoort_hub.publisher_callers import ProxyCertificates, fingerprint_of
from services.basispoort_hub.publisher_operator import save_certificate, save_publisher
from services.basispoort_hub.quota import Quota
from services.basispoort_hub.tables import PublisherCertificateRow, PublisherKeyRow, PublisherRow, SchoolRow
from shared.clock import now
from shared.database import open_engine, writing
from shared.service_auth import hash_key
from shared.tls import PEER_CERTIFICATE
from tests.basispoort_hub.a_hub import CODE, PUBLISHER_KEY, Hub, open_hub, settings_for
from tests.conftest import POSTGRES
from tests.factories import a_roster

HEADER = "client-cert"
PROXY, ELSEWHERE = "127.0.0.1", "192.0.2.7"
REVOKED_KEY, OTHERS_KEY = "schakel_revoked", "schakel_others"
YEAR = timedelta(days=365)

postgres_only = pytest.mark.skipif(not POSTGRES, reason="SQLite has one way to a stored answer")


@dataclass(frozen=True)
class Caller:
    """What comes with a request: a key, a certificate of the connection, headers of a proxy; and from where."""

    key: str | None = None
    in_tls: bytes | None = None
    headers: tuple[str, ...] = ()
    address: str = PROXY


@dataclass
class World:
    """A hub with two publishers; only the first has the school's consent."""

    hub: Hub
    app: FastAPI
    callers: dict[str, Caller]
    schools: dict[str, int]

    def ask(self, caller: Caller, school: str, part: str = "", **headers: str) -> Response:
        """Through the whole application, as if from this address and over this TLS connection."""

        async def over_tls(scope: Scope, receive: Receive, send: Send) -> None:
            scope[PEER_CERTIFICATE] = caller.in_tls
            await self.app(scope, receive, send)

        given = [*headers.items(), *((HEADER, each) for each in caller.headers)]
        if caller.key is not None:
            given.append(("Authorization", caller.key))
        with TestClient(over_tls, client=(caller.address, 50_000)) as client:
            answer: Response = client.get(
                f"/rest/v2/instellingen/{self.schools[school]}{part}",
                headers=given,  # a list, so that a header can stand there twice
            )
        return answer


def rfc9440(der: bytes) -> str:
    return f":{base64.b64encode(der).decode()}:"


def nginx(der: bytes) -> str:
    return quote(ssl.DER_cert_to_PEM_cert(der))


def a_certificate(authority: Authority, publisher_id: int | None, engine: Engine, **changes: Any) -> bytes:
    """Registered for this publisher, or for nobody."""
    issued = certificates.issue_client(authority, "letters", now(), YEAR)
    if publisher_id is not None:
        with writing(engine) as db:
            save_certificate(db, publisher_id, issued.der, issued.not_after, now())
            row = db.get_one(PublisherCertificateRow, fingerprint_of(issued.der))
            for name, value in changes.items():
                setattr(row, name, value)
    return issued.der


@pytest.fixture
def world(migrated_url: Callable[[str], str]) -> Iterator[World]:
    engine = open_engine(migrated_url("basispoort_hub"))
    hub = open_hub(engine)
    first = hub.open_school()
    assert hub.put(a_roster(), token=None).status_code == 200
    at = now()
    with writing(engine) as db:
        own = db.scalars(select(PublisherRow.id)).one()
        other = save_publisher(db, "anders", "Anders", "Activeer").id
        third = save_publisher(db, "derde", "Derde", "Activeer").id
        for publisher_id, key, revoked_at in ((own, REVOKED_KEY, at), (other, OTHERS_KEY, None)):
            row = {"key_hash": hash_key(key), "publisher_id": publisher_id, "revoked_at": revoked_at}
            db.add(PublisherKeyRow(**row, created_at=at))
        db.add(SchoolRow(code="99Y000", name="x", ref="zand", created_at=at, mutated_at=at, sandbox_of=other))
        db.add(SchoolRow(code="99ZB00", name="x", ref="zonder", created_at=at, mutated_at=at))
        db.flush()
        schools = {row.code: row.id for row in db.scalars(select(SchoolRow))}
        assert schools[CODE] == first
    authority = certificates.make_authority(at)
    good = a_certificate(authority, own, engine)
    revoked = a_certificate(authority, own, engine, revoked_at=at)
    expired = a_certificate(authority, own, engine, not_after=at - timedelta(seconds=1))
    others = a_certificate(authority, other, engine)
    unknown = a_certificate(authority, None, engine)
    strange = a_certificate(certificates.make_authority(at), third, engine)
    key, others_key = f"Bearer {PUBLISHER_KEY}", f"Bearer {OTHERS_KEY}"
    callers = {
        "nobody": Caller(),
        "a key": Caller(key),
        "a revoked key": Caller(f"Bearer {REVOKED_KEY}"),
        "an unknown key": Caller("Bearer schakel_niets"),
        "no key at all": Caller("Basic dTpw"),
        "a key of another": Caller(others_key),
        "a certificate": Caller(in_tls=good),
        "a certificate and its key": Caller(key, in_tls=good),
        "a certificate and a key of another": Caller(others_key, in_tls=good),
        "a certificate and an unknown key": Caller("Bearer schakel_niets", in_tls=good),
        "a certificate and no key at all": Caller("Basic dTpw", in_tls=good),
        "a revoked certificate": Caller(in_tls=revoked),
        "a revoked certificate and no key at all": Caller("Basic dTpw", in_tls=revoked),
        "an expired certificate": Caller(in_tls=expired),
        "an expired certificate and its key": Caller(key, in_tls=expired),
        "an unknown certificate": Caller(in_tls=unknown),
        "an unknown certificate and a key": Caller(key, in_tls=unknown),
        "a certificate of another": Caller(in_tls=others),
        "a header of the proxy": Caller(headers=(rfc9440(good),)),
        "the other spelling": Caller(headers=(nginx(good),)),
        "a header over a certificate": Caller(in_tls=others, headers=(rfc9440(good),)),
        "an empty header and a key": Caller(key, headers=("",)),
        "an empty header": Caller(headers=("",)),
        "a header that holds nothing": Caller(key, headers=("onzin",)),
        "two headers": Caller(headers=(rfc9440(good), rfc9440(good))),
        "a header of an unknown CA": Caller(headers=(rfc9440(strange),)),
        "a revoked certificate in a header": Caller(headers=(rfc9440(revoked),)),
        "an expired certificate in a header": Caller(headers=(rfc9440(expired),)),
        "a forged header": Caller(headers=(rfc9440(good),), address=ELSEWHERE),
        "a forged header and a key": Caller(others_key, headers=(rfc9440(good),), address=ELSEWHERE),
        "a forged header over a certificate": Caller(in_tls=others, headers=(rfc9440(good),), address=ELSEWHERE),
        "a forged header without anything": Caller(key, headers=("",), address=ELSEWHERE),
    }
    app = create_app(settings_for(engine.url.render_as_string(hide_password=False)))
    networks = settings_for("sqlite://").model_copy(update={"certificate_header": HEADER, "certificate_proxies": PROXY})
    known = networks.proxy_certificates()
    authorities = (authority.certificate,)
    app.state.proxy_certificates = ProxyCertificates(
        header=known.header, networks=known.networks, authorities=authorities
    )
    yield World(hub, app, callers, {**schools, "": 999_999})
    hub.client.close()
    for each in (engine, app.state.engine, hub.client.app.state.engine):  # type: ignore[attr-defined]
        each.dispose()


OF_ANOTHER = (403, "permission-missing", None)
STRANGER = (401, "caller-unknown", None)
FORGED = (401, "certificate-refused", "niet-van-proxy")
EXPECTED = {
    "nobody": STRANGER,
    "a key": (200, "", None),
    "a revoked key": STRANGER,
    "an unknown key": STRANGER,
    "no key at all": STRANGER,
    "a key of another": OF_ANOTHER,
    "a certificate": (200, "", None),
    "a certificate and its key": (200, "", None),
    "a certificate and a key of another": (401, "certificate-refused", "andere-uitgever"),
    "a certificate and an unknown key": STRANGER,
    "a certificate and no key at all": STRANGER,
    "a revoked certificate": (401, "certificate-refused", "ingetrokken"),
    "a revoked certificate and no key at all": (401, "certificate-refused", "ingetrokken"),
    "an expired certificate": (401, "certificate-refused", "verlopen"),
    "an expired certificate and its key": (401, "certificate-refused", "verlopen"),
    "an unknown certificate": (401, "certificate-refused", "onbekend"),
    "an unknown certificate and a key": (401, "certificate-refused", "onbekend"),
    "a certificate of another": OF_ANOTHER,
    "a header of the proxy": (200, "", None),
    "the other spelling": (200, "", None),
    "a header over a certificate": (200, "", None),
    "an empty header and a key": (200, "", None),
    "an empty header": STRANGER,
    "a header that holds nothing": (401, "certificate-refused", "onleesbaar"),
    "two headers": (401, "certificate-refused", "onleesbaar"),
    "a header of an unknown CA": (401, "certificate-refused", "onbekend"),
    "a revoked certificate in a header": (401, "certificate-refused", "ingetrokken"),
    "an expired certificate in a header": (401, "certificate-refused", "verlopen"),
    "a forged header": FORGED,
    "a forged header and a key": FORGED,
    "a forged header over a certificate": FORGED,
    "a forged header without anything": (200, "", None),
}
SCHOOLS = (CODE, "99Y000", "99ZB00", "")  # own, the sandbox of another, without consent, absent


def said(answer: Response) -> tuple[int, str, str | None]:
    if answer.status_code < 400:
        return answer.status_code, "", None
    body = answer.json()
    return answer.status_code, body["type"].removeprefix("/problems/"), body.get("reden")


def bytes_of(answer: Response) -> tuple[Any, ...]:
    """Everything of an answer but what differs by the request: its number, and what is left of the quota."""
    number = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "ratelimit"}}
    raw = answer.content.replace(number.encode(), b"-")
    return answer.status_code, headers, "ratelimit" in answer.headers, raw


def differences(world: World) -> list[str]:
    """The questions to which the quick way and the ordinary way answer differently."""
    reader: Reader = world.app.state.reader
    etag = world.ask(world.callers["a key"], CODE).headers["etag"]
    asked: list[dict[str, str]] = [
        {},
        {"Accept-Encoding": "identity"},
        {"If-None-Match": etag},
        {"If-None-Match": "*"},
    ]
    found = []
    for name, caller in world.callers.items():
        for school in SCHOOLS:
            for headers in asked:
                quick = bytes_of(world.ask(caller, school, "/leerlingen", **headers))
                reader._is_postgres = False
                ordinary = bytes_of(world.ask(caller, school, "/leerlingen", **headers))
                reader._is_postgres = True
                if quick != ordinary:
                    found.append(f"{name} {school} {headers}: {quick[:2]} {ordinary[:2]}")
    return found


def test_every_kind_of_caller_is_known_or_refused_for_its_own_reason(world: World) -> None:
    assert {name: said(world.ask(caller, CODE)) for name, caller in world.callers.items()} == EXPECTED


@postgres_only
def test_both_ways_say_the_same_byte_for_byte(world: World) -> None:
    assert differences(world) == []


@postgres_only
def test_a_quick_way_that_forgets_a_check_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(_shown: object, certificate: Any, key_of: int | None, _now: object) -> int:
        return int(key_of or (certificate.publisher_id if certificate is not None else 1))

    monkeypatch.setattr(fast_reads, "decide_caller", careless)
    assert any(each.startswith("a revoked certificate 99ZA00") for each in differences(world))


@postgres_only
def test_a_caller_with_a_certificate_takes_the_quick_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Response:
        raise AssertionError("this is the ordinary way")

    monkeypatch.setattr(Reader, "_serve_in_session", refuse)
    for name in ("a certificate", "a certificate and its key", "a header of the proxy"):
        assert world.ask(world.callers[name], CODE).status_code == 200
    world.app.state.reader._is_postgres = False
    assert world.ask(world.callers["a certificate"], CODE).status_code == 500  # twin: it would be noticed


def test_each_caller_spends_its_own_quota(world: World) -> None:
    world.app.state.quota = Quota(2)
    for name in ("a certificate", "a key"):
        assert world.ask(world.callers[name], CODE).status_code == 200
    refused = world.ask(world.callers["a header of the proxy"], CODE)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert world.ask(world.callers["a certificate of another"], CODE).status_code == 403
    assert world.ask(world.callers["a revoked certificate"], CODE).status_code == 401  # who is refused spends nothing


# --- a database that is away ------------------------------------------------------------------------------------------


def let_in(database: str, *, open_to: bool) -> None:
    """Nobody is connected to the database any more, and nobody can be until it is opened again."""
    server = create_engine(make_url(POSTGRES).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS {str(open_to).lower()}'))
        if not open_to:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(query), {"name": database})
    server.dispose()


@postgres_only
def test_a_database_that_stays_away_is_said_and_its_return_is_seen(world: World) -> None:
    database = str(world.hub.engine.url.database)
    ways = [(world.callers[name], part) for name in ("a key", "a certificate") for part in ("", "/ref")]
    assert [world.ask(*_place(way)).status_code for way in ways] == [200] * 4
    let_in(database, open_to=False)
    try:
        for _ in range(2):
            for way in ways:
                answer = world.ask(*_place(way))
                assert said(answer)[:2] == (503, "database-busy"), way
                assert answer.headers["retry-after"] == "5"
    finally:
        let_in(database, open_to=True)
    assert [world.ask(*_place(way)).status_code for way in ways] == [200] * 4
    reader: Reader = world.app.state.reader
    assert len(reader._idle) == 1  # and not one for every question that failed


def _place(way: tuple[Caller, str]) -> tuple[Caller, str, str]:
    return way[0], CODE, way[1]


@postgres_only
def test_connections_that_the_server_ended_are_replaced_without_a_word(world: World) -> None:
    database = str(world.hub.engine.url.database)
    assert world.ask(world.callers["a key"], CODE).status_code == 200
    let_in(database, open_to=False)
    let_in(database, open_to=True)
    assert world.ask(world.callers["a key"], CODE).status_code == 200


@postgres_only
def test_a_migration_under_a_running_hub_is_met_without_a_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses a prepared statement whose columns have become others."""
    ways = [world.callers[name] for name in ("a key", "a certificate")]
    for length in (64, 65):
        assert [world.ask(caller, CODE).status_code for caller in ways] == [200, 200]
        with world.hub.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE answers ALTER etag TYPE varchar({length})"))
        if length == 65:  # twin: without asking again it would be noticed
            monkeypatch.setattr(Reader, "_ask", _ask_once)
            assert world.ask(ways[0], CODE).status_code == 500


async def _ask_once(self: Reader, statement: Any, parameters: Any) -> Any:
    return await self._run(self._idle.pop(), statement, parameters)


@postgres_only
def test_a_server_that_does_not_answer_holds_nobody_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_reads, "PATIENCE_S", 1)
    with world.hub.engine.begin() as connection:
        connection.execute(text("LOCK TABLE answers IN ACCESS EXCLUSIVE MODE"))
        assert said(world.ask(world.callers["a key"], CODE))[:2] == (503, "database-busy")
    assert world.ask(world.callers["a key"], CODE).status_code == 200


@postgres_only
def test_a_queue_before_a_server_that_does_not_answer_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_reads, "PATIENCE_S", 1)
    reader: Reader = world.app.state.reader
    room, reader._room = reader._room, asyncio.Semaphore(0)
    assert said(world.ask(world.callers["a key"], CODE))[:2] == (503, "database-busy")
    reader._room = room
    assert world.ask(world.callers["a key"], CODE).status_code == 200


@pytest.mark.parametrize(("address", "is_trusted"), [("10.0.0.1", True), ("::ffff:10.0.0.1", True), ("::1", False)])
def test_a_proxy_is_known_by_its_address_on_either_kind_of_socket(address: str, *, is_trusted: bool) -> None:
    proxies = ProxyCertificates(networks=(ip_network("10.0.0.0/8"),))
    assert proxies.trusts(address) is is_trusted
