"""shared/bodies.py: odd bodies get a clear 4xx, change nothing and are never repeated in the answer."""

import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from starlette.types import Message

from shared.bodies import MEGABYTE, BodyGuard, strict_json
from shared.problems import BadBody
from shared.wire.base import Email, Key, Number, Text, WireModel
from tests.factories import an_app

MARKER = "Zeldzaam-Geheim"


class WireNote(WireModel):
    key: Key = "k"
    text: Text = "t"
    number: Number = 1
    email: Email | None = None
    more: dict[str, int] = Field(default_factory=dict)


def note_app(**changes: Any) -> FastAPI:
    app = an_app(**changes)

    @app.post("/api/v1/notes")
    def submit_note(body: WireNote) -> WireNote:
        app.state.seen.append(body)
        return body

    app.state.seen = []
    return app


@pytest.fixture
def app() -> FastAPI:
    return note_app(body_limits={"notes": MEGABYTE})


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


def post(client: TestClient, body: bytes, **headers: str) -> Any:
    return client.post(
        "/api/v1/notes",
        content=body,
        headers={
            "Content-Type": "application/json",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        },
    )


def test_a_good_body_passes(client: TestClient, app: FastAPI) -> None:
    answer = post(client, '{"text": "Zoë 🙂"}'.encode())
    assert answer.status_code == 200
    assert app.state.seen[0].text == "Zoë 🙂"


ODD = {
    "NaN": (b'{"text": "%s", "number": NaN}', 400),
    "Infinity": (b'{"text": "%s", "number": -Infinity}', 400),
    "a float that overflows": (b'{"text": "%s", "number": 1e999}', 400),
    "an integer of 5,000 digits": (b'{"text": "%s", "number": ' + b"9" * 5_000 + b"}", 400),
    "an integer of 65 bits": (b'{"text": "%s", "number": 36893488147419103232}', 422),
    "a number as text": (b'{"text": "%s", "number": "1"}', 422),
    "a lone surrogate": (b'{"text": "%s\\ud800"}', 422),
    "a lone surrogate in a field's name": (b'{"%s\\ud800": 1}', 422),
    "NUL": (b'{"text": "%s\\u0000"}', 422),
    "NUL in a key": (b'{"key": "%s\\u0000"}', 422),
    "a raw control sign": (b'{"text": "%s\x01"}', 400),
    "a key twice": (b'{"text": "%s", "text": "b"}', 400),
    "a key twice, spelled otherwise": (b'{"text": "%s", "t\\u0065xt": "b"}', 400),
    "an unknown field": (b'{"%s": 1}', 422),
    "a wrong value under an unknown name": (b'{"more": {"%s": "x"}}', 422),
    "deep nesting": (b'{"text": "%s", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "not closed": (b'{"text": "%s"', 400),
    "two documents": (b'{"text": "%s"}{}', 400),
    "no JSON at all": (b"%s", 400),
    "empty": (b"", 422),
    "a list": (b'["%s"]', 422),
    "null": (b"null", 422),
    "not UTF-8": (b'{"text": "%s\xff"}', 400),
    "a byte order mark": (b'\xef\xbb\xbf{"text": "%s"}', 400),
    "UTF-16": ('{"text": "%s"}'.encode("utf-16"), 400),
    "a dummy key": (b'{"key": "#%s"}', 422),
    "two addresses": (b'{"email": "a@school.example,%s@school.example"}', 422),
    "a text that is too long": (b'{"text": "%s' + b"x" * 300 + b'"}', 422),
    "only spaces": (b'{"text": "   "}', 422),
}


@pytest.mark.parametrize(("body", "status"), ODD.values(), ids=ODD.keys())
def test_an_odd_body_is_refused_clearly_and_never_repeated(
    client: TestClient, app: FastAPI, body: bytes, status: int
) -> None:
    answer = post(client, body.replace(b"%s", MARKER.encode()))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == ("/problems/bad-body" if status == 400 else "/problems/invalid-request")
    assert {"title", "status", "uitleg", "instance"} <= problem.keys()
    assert MARKER not in answer.text
    assert app.state.seen == []


@pytest.mark.parametrize("name", [name for name, (body, status) in ODD.items() if body and status == 400])
def test_what_is_not_json_is_refused_without_repeating_it(name: str) -> None:
    with pytest.raises(BadBody) as refused:
        strict_json(ODD[name][0].replace(b"%s", MARKER.encode()))
    assert MARKER not in str(refused.value)


def test_the_standard_reader_does_take_what_we_refuse() -> None:
    lenient = [name for name in ("NaN", "a float that overflows", "a key twice") if json.loads(ODD[name][0])]
    assert lenient == ["NaN", "a float that overflows", "a key twice"]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values)
def test_what_is_json_reads_as_it_was_written(value: Any) -> None:
    assert strict_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        strict_json(body)
    except BadBody:
        return
    assert json.loads(body) is not NotImplemented


def test_the_pointer_names_what_the_api_knows_and_hides_the_rest(client: TestClient) -> None:
    answer = post(client, b'{"more": {"Zeldzaam-Geheim": "x"}, "number": "y", "Ander-Geheim": 1}')
    assert {each["pointer"] for each in answer.json()["errors"]} == {"/body/more/?", "/body/number", "/body/?"}
    assert "Geheim" not in answer.text


def test_a_gzip_body_is_opened(client: TestClient, app: FastAPI) -> None:
    assert post(client, gzip.compress(b'{"text": "a"}'), Content_Encoding="gzip").status_code == 200
    assert app.state.seen[0].text == "a"


GZIPPED = gzip.compress(b'{"text": "%s"}' % (MARKER.encode() * 10))


@pytest.mark.parametrize(
    ("body", "encoding", "status", "slug"),
    [
        (GZIPPED[:-9], "gzip", 400, "bad-body"),
        (GZIPPED[:12], "gzip", 400, "bad-body"),
        (GZIPPED + b"more", "gzip", 400, "bad-body"),
        (GZIPPED + GZIPPED, "gzip", 400, "bad-body"),
        (b"\0" + GZIPPED, "gzip", 400, "bad-body"),
        (MARKER.encode(), "gzip", 400, "bad-body"),
        (gzip.compress(b" " * 100 * MEGABYTE), "gzip", 413, "too-large"),
        (GZIPPED, "br", 400, "bad-body"),
        (gzip.compress(GZIPPED), "gzip, gzip", 400, "bad-body"),
    ],
    ids=[
        "cut off",
        "cut off early",
        "more after it",
        "two in a row",
        "damaged",
        "not gzip",
        "a bomb",
        "brotli",
        "twice",
    ],
)
def test_a_body_that_cannot_be_opened_is_refused(
    client: TestClient, app: FastAPI, body: bytes, encoding: str, status: int, slug: str
) -> None:
    answer = post(client, body, Content_Encoding=encoding)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert MARKER not in answer.text
    assert app.state.seen == []


JSON_HEADERS = ((b"content-type", b"application/json"),)


def chunks(total: int) -> Iterator[bytes]:
    for _ in range(total // MEGABYTE):
        yield b" " * MEGABYTE


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_100_megabytes_is_refused(client: TestClient, app: FastAPI, declared: bool) -> None:
    size = 100 * MEGABYTE
    headers = {"Content-Type": "application/json", **({"Content-Length": str(size)} if declared else {})}
    answer = client.post("/api/v1/notes", content=chunks(size), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"
    assert app.state.seen == []


def test_the_limit_is_that_of_the_path() -> None:
    body = b'{"text": "a"' + b" " * 2 * MEGABYTE + b"}"
    assert post(TestClient(note_app(body_limits={"notes": 3 * MEGABYTE})), body).status_code == 200
    assert post(TestClient(note_app(body_limits={"others": 3 * MEGABYTE})), body).status_code == 413


def call(
    app: Any, *messages: tuple[float, Message], headers: Sequence[tuple[bytes, bytes]] = JSON_HEADERS
) -> list[Message]:
    """What an ASGI app sends when these messages arrive, each after so many seconds; then the caller goes away."""
    sent: list[Message] = []
    waiting = iter([*messages, (0.0, {"type": "http.disconnect"})])

    async def receive() -> Message:
        pause, message = next(waiting)
        await asyncio.sleep(pause)
        return message

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/notes",
        "raw_path": b"/api/v1/notes",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("testserver", 80),
        "headers": list(headers),
    }
    asyncio.run(app(scope, receive, send))
    return sent


def part(body: bytes, *, more: bool, after: float = 0) -> tuple[float, Message]:
    return after, {"type": "http.request", "body": body, "more_body": more}


def test_a_body_that_does_not_come_in_time_is_refused(app: FastAPI) -> None:
    impatient = BodyGuard(app, {}, slowest_s=0.05)
    sent = call(impatient, part(b'{"text":', more=True), part(b'"a"}', more=False, after=1))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert app.state.seen == []


def test_a_body_in_pieces_that_comes_in_time_passes(app: FastAPI) -> None:
    patient = BodyGuard(app, {}, slowest_s=5)
    sent = call(patient, part(b'{"text":', more=True), part(b'"a"}', more=False, after=0.01))
    assert sent[0]["status"] == 200
    assert [note.text for note in app.state.seen] == ["a"]


def test_a_caller_that_goes_away_halfway_changes_nothing(app: FastAPI) -> None:
    assert call(app, part(b'{"text":', more=True)) == []
    assert app.state.seen == []


def test_json_under_another_content_type_is_not_taken_for_json(client: TestClient, app: FastAPI) -> None:
    answer = client.post("/api/v1/notes", content=b'{"text": "a"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422
    assert app.state.seen == []


def test_a_wrong_charset_does_not_change_how_json_is_read(client: TestClient, app: FastAPI) -> None:
    sent = '{"text": "Zoë"}'
    headers = {"Content-Type": "application/json; charset=iso-8859-1"}
    assert client.post("/api/v1/notes", content=sent.encode("latin-1"), headers=headers).status_code == 400
    assert client.post("/api/v1/notes", content=sent.encode(), headers=headers).status_code == 200
    assert [note.text for note in app.state.seen] == ["Zoë"]


NAN = b'{"text": NaN}'


@pytest.mark.parametrize("first", [b"application/json", b"text/plain"])
def test_a_content_type_that_stands_twice_is_refused(app: FastAPI, first: bytes) -> None:
    """FastAPI takes the first line, and a guard that took the last would let past what it should have read."""
    other = {b"application/json": b"text/plain", b"text/plain": b"application/json"}[first]
    sent = call(app, part(NAN, more=False), headers=[(b"content-type", first), (b"content-type", other)])
    assert sent[0]["status"] == 400
    assert app.state.seen == []


@pytest.mark.parametrize("lines", [[b"gzip", b"gzip"], [b"gzip", b"identity"], [b"identity", b"gzip"]])
def test_a_content_encoding_in_two_lines_is_refused(app: FastAPI, lines: list[bytes]) -> None:
    headers = [(b"content-type", b"application/json"), *((b"content-encoding", line) for line in lines)]
    sent = call(app, part(b'{"text": "a"}', more=False), headers=headers)
    assert sent[0]["status"] == 400
    assert app.state.seen == []


def test_a_length_of_thousands_of_digits_is_too_large(app: FastAPI) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"9" * 5000)]
    assert call(app, part(b'{"text": "a"}', more=False), headers=headers)[0]["status"] == 413
    assert app.state.seen == []
