"""Request bodies, read once and strictly: size and time capped, gzip opened within bounds, JSON without surprises."""

import asyncio
import json
import math
import zlib
from collections.abc import Callable, Coroutine, Mapping
from email.message import Message as Headers
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.problems import BadBody, Problem, TooLarge

MEGABYTE = 1024 * 1024
DEFAULT_LIMIT = 1 * MEGABYTE
PIECE = 64 * 1024
SLOWEST_S = 30
MOST_DIGITS = 18  # of a declared length; Python refuses to read a number of thousands of digits
PARSED = "schakel.parsed"  # where the scope holds what strict_json read
REFUSED = "schakel.refused"  # where the scope holds the problem with a body; the app's middleware answers it


class BodyTooSlow(Problem):
    status, slug, title = 408, "body-too-slow", "The body did not arrive in time"
    uitleg = "Het bericht kwam niet op tijd binnen. Er is niets gewijzigd."


class BodyGuard:
    """Takes the whole body before anything else looks at it, and lets JSON pass only when `strict_json` can read it.

    `limits` maps the last segment of a path to a size in bytes; other paths take `DEFAULT_LIMIT`. The limit holds for
    what comes out of gzip. Only gzip is known as a content encoding. JSON is read here, for every route, whatever
    router it came with, and once more by FastAPI; only routes of the class `ParsedOnce` take over what was read.
    """

    def __init__(self, app: ASGIApp, limits: Mapping[str, int], slowest_s: float = SLOWEST_S) -> None:
        self._app, self._limits, self._slowest_s = app, limits, slowest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        limit = self._limits.get(scope["path"].rsplit("/", 1)[-1], DEFAULT_LIMIT)
        try:
            body = await asyncio.wait_for(_read(scope, receive, limit), self._slowest_s)
            if body and _is_json(scope):
                scope[PARSED] = await asyncio.to_thread(strict_json, body)
        except Problem as problem:
            scope[REFUSED] = problem
            body = b""
        except TimeoutError:
            scope[REFUSED] = BodyTooSlow(headers={"Connection": "close"})
            body = b""
        if body is None:  # the caller went away: nobody to answer, nothing to do
            return
        # a form is given in pieces: its parser copies what it gets, and puts a file on the disk piece by piece
        is_form = body and _content_type(scope).get_content_type() == "multipart/form-data"
        step = PIECE if is_form else max(1, len(body))
        place: int | None = 0

        async def replay() -> Message:
            nonlocal place
            if place is None:
                return await receive()
            piece, after = body[place : place + step], place + step
            place = after if after < len(body) else None
            return {"type": "http.request", "body": piece, "more_body": place is not None}

        await self._app(scope, replay, send)


class ParsedOnce(APIRoute):
    """For routers with bodies of many kilobytes: the JSON that the guard has read is not read again."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_parsed(request: Request) -> Response:
            return await handle(_ParsedRequest(request.scope, request.receive))

        return handle_parsed


class _ParsedRequest(Request):
    async def json(self) -> Any:
        return self.scope[PARSED] if PARSED in self.scope else await super().json()


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    encoding = _header(scope, b"content-encoding").decode("latin-1").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise BadBody("only gzip is known as a content encoding")
    declared = _header(scope, b"content-length")
    if declared.isdigit() and (len(declared) > MOST_DIGITS or int(declared) > limit):
        raise TooLarge(headers={"Connection": "close"})
    opener = zlib.decompressobj(31) if encoding == "gzip" else None
    chunks: list[bytes] = []
    size = taken = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        taken += len(chunk)
        if opener is not None:
            chunk = _open(opener, chunk, limit - size)
        chunks.append(chunk)
        size += len(chunk)
        if size > limit or taken > limit:
            raise TooLarge(headers={"Connection": "close"})
        if not message.get("more_body", False):
            break
    if opener is not None and taken and not opener.eof:
        raise BadBody("the gzip body is cut off")
    return b"".join(chunks)


def _header(scope: Scope, name: bytes) -> bytes:
    """The value of a header. Of two lines the guard and the service could each believe another, so both are refused."""
    found = [value for key, value in scope["headers"] if key.lower() == name]
    if len(found) > 1:
        raise BadBody("a header about the body stands twice")
    return found[0] if found else b""


def _open(opener: Any, chunk: bytes, room: int) -> bytes:
    try:
        opened: bytes = opener.decompress(chunk, room + 1)
    except zlib.error as error:
        raise BadBody("the gzip body is damaged") from error
    if len(opened) > room:
        raise TooLarge(headers={"Connection": "close"})
    if opener.unused_data:
        raise BadBody("there is more after the gzip body")
    return opened


def _content_type(scope: Scope) -> Headers:
    """As FastAPI reads it, so that both agree on what is JSON."""
    headers = Headers()
    headers["content-type"] = _header(scope, b"content-type").decode("latin-1")
    return headers


def _is_json(scope: Scope) -> bool:
    headers = _content_type(scope)
    subtype = headers.get_content_subtype()
    return headers.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def strict_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it: UTF-8, no NaN or Infinity, no number that overflows, no key twice, bounded depth.

    Raises BadBody, with no part of the body in its text, for everything else.
    """
    try:
        return json.loads(
            body.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique
        )
    except BadBody:
        raise
    except UnicodeDecodeError:
        raise BadBody("the body is not UTF-8") from None
    except RecursionError:
        raise BadBody("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadBody(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # an integer of thousands of digits
        raise BadBody("a number is too large") from None


def _no_constant(_name: str) -> float:
    raise BadBody("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise BadBody("a number is too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadBody("a key occurs twice")
    return found
