"""Pages: templates, who wants a page, static addresses with a hash, cookies, redirects."""

import hashlib
from datetime import date, datetime
from functools import cache, cached_property
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_context

from shared.clock import AMSTERDAM
from shared.sessions import LASTS

MONTHS = [
    "januari",
    "februari",
    "maart",
    "april",
    "mei",
    "juni",
    "juli",
    "augustus",
    "september",
    "oktober",
    "november",
    "december",
]
_API_PREFIXES = ("/api/", "/rest/", "/hosted-lika/", "/metrics", "/healthz", "/readyz", "/openapi.json")


def dutch_time(instant: datetime) -> str:
    """`22 november 2026 00:00`, in Amsterdam."""
    local = instant.astimezone(AMSTERDAM)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year} {local:%H:%M}"


def dutch_day(day: date) -> str:
    """`22 november 2026`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


@pass_context
def page_address(context: Any, cursor: str | None) -> str:
    """The address of this list at another place: the same filters with this cursor; "" for None."""
    if cursor is None:
        return ""
    request: Request = context["request"]
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in {"cursor", "melding"}]
    return "?" + urlencode([*kept, *([("cursor", cursor)] if cursor else [])])


@cache
def static_url(name: str) -> str:
    """The address of an own static file, with a hash of its content: every replica computes the same one."""
    content = (resources.files("shared") / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:8]}"


class Pages:
    """One service's pages. `environment` (edu, hub, beheer) picks the accent, `name` stands in the header."""

    def __init__(self, package: str, environment: str, name: str, cookie: str, base_url: str) -> None:
        self._templates = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            omgeving=environment, omgeving_naam=name, static_url=static_url, bladadres=page_address
        )
        self._templates.filters.update(tijd=dutch_time, dag=dutch_day)
        self._package = package
        self._secure = base_url.startswith("https://")
        self.cookie = f"__Host-{cookie}" if self._secure else cookie

    @cached_property
    def mails(self) -> Environment:
        """The templates of this service's mails, for `shared.mail.render_mail`."""
        # mails are plain text: nothing in them is HTML, so nothing is escaped
        mails = Environment(  # noqa: S701
            loader=PackageLoader(self._package, "mails"), undefined=StrictUndefined, trim_blocks=True
        )
        mails.filters["tijd"] = dutch_time
        return mails

    def render(self, request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        text = self._templates.get_template(template).render(request=request, **values)
        # what somebody typed, in a charset of their choice, can hold half signs that UTF-8 cannot write
        content = text.encode("utf-8", "replace")
        return HTMLResponse(content, status_code, headers={"Content-Language": "nl", "Cache-Control": "no-store"})

    def wants_page(self, request: Request) -> bool:
        """Is a person looking? Programs get problem details, browsers a page."""
        if request.url.path.startswith(_API_PREFIXES):
            return False
        return "text/html" in request.headers.get("accept", "")

    def set_session(self, response: Response, cookie: str) -> None:
        response.set_cookie(
            self.cookie,
            cookie,
            max_age=int(LASTS.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def clear_session(self, response: Response) -> None:
        response.delete_cookie(self.cookie, path="/", secure=self._secure, httponly=True, samesite="lax")


def see_other(path: str) -> RedirectResponse:
    """The answer to a form that did its work: go and look there."""
    return RedirectResponse(path, status_code=303)
