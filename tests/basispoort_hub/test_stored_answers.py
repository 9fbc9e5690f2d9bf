"""The short way to a stored answer: it takes only what is beyond doubt, and says what the framework's way says."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Engine, text

from services.basispoort_hub import stored_answers
from services.basispoort_hub.fast_reads import Reader, _Connection
from services.basispoort_hub.stored_answers import LONGEST_TAGS, InstitutionId, is_ordinary
from tests.basispoort_hub.a_hub import PUBLISHER_KEY, Hub, open_hub
from tests.conftest import POSTGRES
from tests.factories import a_roster

PARTS = ("", "/details", "/groepen", "/leerlingen", "/staf")
ODD = ["0", "01", "-1", "+1", "1_0", "1.0", "²", "٣", "x", "%201", "9" * 19, str(2**63)]
BY_FRAMEWORK: TypeAdapter[int] = TypeAdapter(InstitutionId)

postgres_only = pytest.mark.skipif(not POSTGRES, reason="about PostgreSQL's tables and connections")


@pytest.fixture
def hub(make_engine: Callable[[str], Engine]) -> Iterator[Hub]:
    opened = open_hub(make_engine("basispoort_hub"))
    opened.open_school()
    opened.put(a_roster(pupils=4), token=None)
    yield opened
    opened.client.close()


def ask(hub: Hub, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Everything of an answer but the request's number."""
    given = {"Authorization": f"Bearer {PUBLISHER_KEY}", **headers}
    answer = hub.client.request(method, f"/rest/v2/instellingen/{path}", headers=given)
    number = answer.headers["x-request-id"]
    kept = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "ratelimit"}}
    return answer.status_code, kept, answer.content.replace(number.encode(), b"-")


def agrees(takes: Callable[[str], bool], number: str) -> bool:
    """What is taken as ordinary must be the number that the framework reads."""
    if not takes(number):
        return True
    try:
        return BY_FRAMEWORK.validate_python(number) == int(number)
    except ValidationError:
        return False


@given(st.text(min_size=1) | st.integers().map(str) | st.from_regex(r"\s?[+-]?[0-9_]{1,20}(\.0)?", fullmatch=True))
@example("0")
@example("1" * 18)
@example("1" * 19)
@example("²")
def test_what_is_taken_as_ordinary_is_what_the_framework_reads(number: str) -> None:
    assert agrees(is_ordinary, number)


def test_a_reading_that_takes_too_much_is_noticed() -> None:
    assert [odd for odd in ODD if not agrees(str.isdigit, odd)] == ["0", "²", "٣", "9" * 19, str(2**63)]
    assert [odd for odd in ODD if is_ordinary(odd)] == []


@pytest.mark.parametrize("part", ["", "/staf"])
def test_both_ways_say_the_same(hub: Hub, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    etag = ask(hub, f"1{part}")[1]["etag"]
    long = f'"{"a" * LONGEST_TAGS}"'
    asked: list[dict[str, Any]] = [
        {},
        {"Accept-Encoding": "identity"},
        {"If-None-Match": etag},
        {"If-None-Match": f'"other", {etag}'},
        {"If-None-Match": ""},
        {"If-None-Match": long},
        {"Authorization": "Bearer nobody"},
        {"method": "HEAD"},
        {"method": "HEAD", "If-None-Match": etag},
    ]
    addresses = ["1", "2", *ODD]
    short = [ask(hub, f"{address}{part}", **headers) for address in addresses for headers in asked]
    monkeypatch.setattr(stored_answers, "is_ordinary", lambda _number: False)
    assert [ask(hub, f"{address}{part}", **headers) for address in addresses for headers in asked] == short
    assert {status for status, _, _ in short} == {200, 304, 401, 404, 422}
    monkeypatch.setattr(stored_answers, "is_ordinary", str.isdigit)
    assert ask(hub, f"0{part}")[0] != 422  # twin: a careless reading would be noticed


def test_an_ordinary_request_takes_the_short_way(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(**_: object) -> None:
        raise AssertionError("this is the framework's way")

    monkeypatch.setattr("fastapi.routing.solve_dependencies", refuse)
    assert [ask(hub, f"1{part}")[0] for part in PARTS] == [200] * 5
    assert ask(hub, "01")[0] == 500  # twin: it would be noticed


class Fake:
    """A connection in the middle of a statement, in which `meanwhile` happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.is_closed, self._meanwhile = False, meanwhile

    def close(self) -> None:
        self.is_closed = True

    async def read(self, *_: object) -> None:
        self._meanwhile()


def leave() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("what", ["nothing", "the engine lets go", "the caller leaves"])
def test_only_a_connection_that_is_done_and_wanted_is_kept(hub: Hub, what: str) -> None:
    reader = Reader(hub.engine)
    fake = Fake({"nothing": lambda: None, "the engine lets go": hub.engine.dispose, "the caller leaves": leave}[what])
    with suppress(asyncio.CancelledError):
        asyncio.run(reader._run(fake, None, ()))  # type: ignore[arg-type]  # as much of a connection as is needed
    kept: list[object] = list(reader._idle)
    assert (fake in kept, fake.is_closed) == ((True, False) if what == "nothing" else (False, True))


@postgres_only
def test_postgres_does_not_pack_the_answers_again(hub: Hub) -> None:
    query = text("SELECT attname, attstorage FROM pg_attribute WHERE attrelid = 'answers'::regclass AND attnum > 0")
    with hub.engine.connect() as connection:
        storage = {row.attname: row.attstorage for row in connection.execute(query)}
    assert (storage["body"], storage["packed"], storage["etag"]) == ("e", "e", "x")


@postgres_only
def test_a_connection_keeps_the_options_of_the_address(hub: Hub) -> None:
    class Addressed:
        url = hub.engine.url.update_query_dict({"options": "-c application_name=proef -c client_encoding=LATIN1"})

    async def look() -> None:
        connection = await _Connection.open(Addressed())  # type: ignore[arg-type]  # of an engine, only its address
        try:
            assert await (await connection._driver.execute("SHOW application_name")).fetchone() == ("proef",)
            assert await (await connection._driver.execute("SHOW client_encoding")).fetchone() == ("UTF8",)
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await connection._driver.execute("DELETE FROM answers")
        finally:
            connection.close()

    asyncio.run(look())
