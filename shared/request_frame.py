"""What is around every request: its number, its language, its line in the log, its time, and the headers of its answer.

Plain ASGI: the framework's own kind of middleware costs a task and two streams for each request.
"""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from fastapi import Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.bodies import REFUSED
from shared.browser import Pages, static_hashes
from shared.deprecation import Operations, headers_of
from shared.language import speaking
from shared.logs import log
from shared.problems import CrossSite, Problem

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_SECURITY_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_SAFE = {"GET", "HEAD", "OPTIONS"}
_METHODS = _SAFE | {"POST", "PUT", "PATCH", "DELETE"}
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class Meters:
    """What is counted of requests. Made once for a registry: the middleware is built anew with each stack."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter("http_requests", "Requests", ["method", "route", "status"], registry=registry)
        self.seconds = Histogram("http_request_seconds", "Time per request", ["route"], registry=registry)


class RequestFrame:
    """The middleware. `answer` makes the answer to a refusal, `answer_fault` the one to an exception nobody caught."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        pages: Pages,
        base_url: str,
        leaving: Operations,
        meters: Meters,
        answer: Callable[[Pages, Request, Problem], Response],
        answer_fault: Callable[[Pages, Request, Exception], Response],
    ) -> None:
        self._app = app
        self._pages = pages
        self._own_origin = base_url.rstrip("/")
        self._leaving = leaving
        self._answer, self._answer_fault = answer, answer_fault
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        sent = request.headers.get("x-request-id", "")
        request.state.request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request.state.request_id)
        began, has_begun = time.perf_counter(), False

        async def send_framed(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                self._frame(request, message, time.perf_counter() - began)
            await send(message)

        with speaking(self._pages.language_of(request)):
            refused = CrossSite() if is_cross_site(request, self._own_origin) else scope.get(REFUSED)
            if refused is not None:
                await self._answer(self._pages, request, refused)(scope, receive, send_framed)
                return
            try:
                await self._app(scope, receive, send_framed)
            except Exception as error:  # here and not in a handler, so that a fault too has its headers and log line
                if has_begun:  # half an answer is out: only hanging up says that it is not whole
                    log.error("server_fault", exc_info=error)
                    raise
                await self._answer_fault(self._pages, request, error)(scope, receive, send_framed)

    def _frame(self, request: Request, message: Message, took_s: float) -> None:
        """Count, log, and complete the headers; before the answer leaves, so that who has it finds it logged."""
        route = getattr(request.scope.get("route"), "path", "-")
        method = request.method if request.method in _METHODS else "-"
        status: int = message["status"]
        self._meters.requests.labels(method, route, str(status)).inc()
        self._meters.seconds.labels(route).observe(took_s)
        # the route's pattern, never the path: a path can hold an id
        log.info("request", method=method, route=route, status=status, ms=round(took_s * 1000, 1))
        headers = message["headers"] = list(message.get("headers", ()))
        present = {name for name, _ in headers}
        headers.append((b"x-request-id", request.state.request_id.encode()))
        headers += [
            (name.lower().encode(), value.encode()) for name, value in headers_of(self._leaving, method, route).items()
        ]
        headers += [each for each in _SECURITY_HEADERS if each[0] not in present]
        if b"cache-control" not in present:
            headers.append((b"cache-control", _caching(request, status)))
        if _is_page(headers) and (kept := self._pages.kept_language(request)):
            headers.append((b"set-cookie", kept.encode()))


def _is_page(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers)


def _caching(request: Request, status: int) -> bytes:
    """For ever only what the address names by its hash: another version of the program may be asked for a newer one."""
    path = request.scope["path"]
    if status >= 400 or not path.startswith(("/static/", "/swagger/")):
        return b"no-store"
    wanted = request.query_params.get("v")
    is_same = wanted is not None and static_hashes().get(path.removeprefix("/static/")) == wanted
    return b"public, max-age=31536000, immutable" if is_same else b"no-cache"


def is_cross_site(request: Request, own_origin: str) -> bool:
    """Did a browser send this unsafe request from another site? Programs send neither header and pass."""
    if request.method in _SAFE:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is not None and origin != own_origin
