"""Pages: templates, who wants a page, static addresses with a hash, cookies, redirects."""

import hashlib
from datetime import date, datetime
from functools import cache, cached_property
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_date, format_datetime
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_context

from shared.clock import AMSTERDAM
from shared.language import CODES, DUTCH, Language, choose_code, named_language, say, spoken
from shared.sessions import LASTS

LANGUAGE_COOKIE = "taal"
YEAR_S = 365 * 24 * 3600
_API_PREFIXES = ("/api/", "/rest/", "/hosted-lika/", "/metrics", "/healthz", "/readyz", "/openapi.json")


def say_time(instant: datetime) -> str:
    """`22 november 2026 00:00`, in Amsterdam, in the language of the page."""
    return format_datetime(instant.astimezone(AMSTERDAM), "d MMMM y HH:mm", locale=_locale(spoken().code))


def say_day(day: date) -> str:
    """`22 november 2026`, in the language of the page."""
    return format_date(day, "d MMMM y", locale=_locale(spoken().code))


@cache
def _locale(code: str) -> Locale:
    return Locale.parse(code)


def _ngettext(one: str, many: str, count: int) -> str:
    return spoken().texts.ngettext(one, many, count)


@pass_context
def page_address(context: Any, cursor: str | None) -> str:
    """The address of this list at another place: the same filters with this cursor; "" for None."""
    if cursor is None:
        return ""
    request: Request = context["request"]
    return _with_query(request, "cursor", cursor)


@pass_context
def language_address(context: Any, code: str) -> str:
    """The address of this page in another language; the front page where this one cannot be asked for again."""
    request: Request = context["request"]
    again = request.method in {"GET", "HEAD"} and not context["is_refusal"]  # of what was refused nothing is repeated
    return _with_query(request, "taal", code) if again else f"/?taal={code}"


def _with_query(request: Request, name: str, value: str) -> str:
    passing = {"cursor", "melding", "bericht", "taal"} - ({"cursor"} if name == "taal" else set())
    kept = [each for each in request.query_params.multi_items() if each[0] not in passing]
    return "?" + urlencode([*kept, *([(name, value)] if value else [])])


def static_url(name: str) -> str:
    """The address of an own static file, with a hash of its content: every replica computes the same one."""
    return f"/static/{name}?v={static_hashes()[name]}"


@cache
def static_hashes() -> dict[str, str]:
    """Own static file -> hash of its content: a table, so that no spelling of a caller is opened or kept."""
    folder = resources.files("shared") / "static"
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:8] for file in folder.iterdir() if file.is_file()}


class Pages:
    """One service's pages. `environment` (edu, hub, beheer) picks the accent, `name` stands in the header."""

    def __init__(self, package: str, environment: str, name: str, cookie: str, base_url: str) -> None:
        self._templates = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        self._templates.policies["ext.i18n.trimmed"] = True
        # one environment for all languages: the callables look up which is spoken
        self._templates.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
            gettext=say, ngettext=_ngettext, newstyle=True
        )
        self._templates.globals.update(
            omgeving=environment,
            omgeving_naam=name,
            static_url=static_url,
            bladadres=page_address,
            taaladres=language_address,
            spoken=spoken,
        )
        self._templates.filters.update(tijd=say_time, dag=say_day, zeg=say)
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
        mails.filters["tijd"] = say_time
        return mails

    def render(self, request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        text = self._templates.get_template(template).render(request=request, is_refusal=status_code >= 400, **values)
        # what somebody typed, in a charset of their choice, can hold half signs that UTF-8 cannot write
        content = text.encode("utf-8", "replace")
        headers = {
            "Content-Language": spoken().code,
            "Vary": "Accept-Language, Cookie",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(content, status_code, headers=headers)

    def language_of(self, request: Request) -> Language:
        """What a person reads: as asked with `?taal=`, as chosen before, as the browser says. Programs read Dutch."""
        if not self.wants_page(request):
            return DUTCH
        asked, remembered = request.query_params.get("taal"), request.cookies.get(LANGUAGE_COOKIE)
        code = choose_code(asked, remembered, request.headers.get("accept-language", ""))
        return named_language(code, self._package)

    def kept_language(self, request: Request) -> str | None:
        """The cookie that remembers what was asked for with `?taal=`, as a header; None when nothing was."""
        if b"taal" not in request.scope["query_string"] or not self.wants_page(request):
            return None
        asked = request.query_params.get("taal")
        if asked not in CODES:
            return None
        carrier = Response()
        carrier.set_cookie(
            LANGUAGE_COOKIE, asked, max_age=YEAR_S, path="/", secure=self._secure, httponly=True, samesite="lax"
        )
        return carrier.headers["set-cookie"]

    def wants_page(self, request: Request) -> bool:
        """Is a person looking? Programs get problem details, browsers a page."""
        if request.scope["path"].startswith(_API_PREFIXES):
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
