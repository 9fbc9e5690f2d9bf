"""make_app: problem bodies, request ids, security headers, health, metrics, API documentation, static files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from shared import migrate
from shared.bodies import BodyGuard
from shared.browser import Pages
from shared.database import is_busy
from shared.deprecation import Operations
from shared.logs import log
from shared.openapi import describe_callers, describe_leaving
from shared.problems import (
    BadBody,
    DatabaseBusy,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    ServerFault,
)
from shared.request_frame import Meters, RequestFrame

# In the API description: any refusal or fault is a problem body, whatever the address.
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "uitleg", "instance"],
    "properties": {
        "type": {"type": "string", "description": "/problems/ and the kind"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "uitleg": {"type": "string", "description": "a Dutch sentence for a person"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "the request's number, as in X-Request-Id"},
    },
}
_PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {"application/problem+json": {"schema": _PROBLEM_SCHEMA}}}
    for status, what in {"4XX": "The request is refused", "5XX": "Something failed on our side"}.items()
}


@dataclass(frozen=True, kw_only=True)
class House:
    """What one service tells the factory. `body_limits`: last segment of a path -> bytes. `leaving`: what will go.

    The framework looks for a route in order: in `first`, what is the same in every service, and `routers`.
    """

    service: str  # the package: eduscope_api, basispoort_hub, app_connector
    title: str
    summary: str
    engine: Engine | None
    pages: Pages
    base_url: str
    body_limits: Mapping[str, int]
    leaving: Operations = field(default_factory=dict)
    first: APIRouter | None = None
    routers: Sequence[APIRouter] = ()


def make_app(house: House) -> FastAPI:
    """An application with everything that is the same in every service, and the service's own routes."""
    app = FastAPI(
        title=house.title,
        summary=house.summary,
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # the redirect would be to the Host that the caller wrote
        responses=_PROBLEM_RESPONSES,
        # we log and count ourselves; the framework's own traces would hold addresses, and a child's number with them
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.engine = house.engine
    app.state.pages = house.pages
    app.state.leaving = house.leaving
    describe_callers(app, house.pages.cookie)
    describe_leaving(app, house.leaving)
    _add_errors(app, house)
    if house.first is not None:
        app.include_router(house.first)
    _add_common_routes(app, house)
    for router in house.routers:
        app.include_router(router)
    registry = CollectorRegistry()
    app.add_middleware(
        RequestFrame,
        pages=house.pages,
        base_url=house.base_url,
        leaving=house.leaving,
        meters=Meters(registry),
        answer=_answer,
        answer_fault=_answer_fault,
    )
    app.add_api_route("/metrics", lambda: PlainTextResponse(generate_latest(registry)), include_in_schema=False)
    app.add_middleware(BodyGuard, limits=house.body_limits)
    return app


def _answer(pages: Pages, request: Request, problem: Problem) -> Response:
    instance = getattr(request.state, "request_id", "")
    if pages.wants_page(request):
        page = pages.render(request, "probleem.html", problem=problem, instance=instance, status_code=problem.status)
        page.headers.update(problem.headers)
        return page
    return JSONResponse(problem.body(instance), problem.status, problem.headers, media_type="application/problem+json")


def _answer_fault(pages: Pages, request: Request, error: Exception) -> Response:
    log.error("server_fault", exc_info=error)
    return _answer(pages, request, ServerFault())


def _add_errors(app: FastAPI, house: House) -> None:
    def answer(request: Request, problem: Problem) -> Response:
        return _answer(house.pages, request, problem)

    @app.exception_handler(Problem)
    def expected(request: Request, problem: Problem) -> Response:
        return answer(request, problem)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = error.errors()
        return answer(request, InvalidRequest(errors=[describe_error(each, _names(app)) for each in errors[:50]]))

    @app.exception_handler(HTTPException)
    def from_framework(request: Request, error: HTTPException) -> Response:
        kinds: dict[int, type[Problem]] = {404: NotFound, 405: MethodNotAllowed, 400: BadBody}
        headers = dict(error.headers or {})
        if error.status_code == 405 and (methods := _methods_of(app, request.url.path)):
            headers["Allow"] = ", ".join(sorted(methods))
        return answer(request, kinds.get(error.status_code, BadBody)(headers=headers))

    @app.exception_handler(DBAPIError)
    def database(request: Request, error: DBAPIError) -> Response:
        if is_busy(error):
            return answer(request, DatabaseBusy(headers={"Retry-After": "5"}))
        return _answer_fault(house.pages, request, error)

    @app.exception_handler(PoolTimeout)
    def pool_empty(request: Request, _error: PoolTimeout) -> Response:
        return answer(request, DatabaseBusy(headers={"Retry-After": "5"}))


# Pydantic's error types -> what a Dutch reader needs to know. Never the value itself.
_SENTENCES = {
    "missing": "Dit veld ontbreekt.",
    "extra_forbidden": "Er staat een onbekend veld bij.",
    "string_type": "Dit moet tekst zijn.",
    "string_too_long": "Deze tekst is te lang.",
    "too_long": "Dit zijn er te veel.",
    "string_too_short": "Deze tekst is te kort.",
    "string_pattern_mismatch": "Deze tekst heeft niet de juiste vorm.",
    "string_unicode": "Deze tekst bevat een teken dat niet kan worden opgeslagen.",
    "int_type": "Dit moet een geheel getal zijn.",
    "int_parsing": "Dit moet een geheel getal zijn.",
    "bool_type": "Dit moet true of false zijn.",
    "enum": "Deze waarde is hier niet bekend.",
    "literal_error": "Deze waarde is hier niet bekend.",
    "date_from_datetime_parsing": "Deze datum bestaat niet.",
    "date_parsing": "Deze datum bestaat niet.",
}


def describe_error(error: Mapping[str, Any], known_names: frozenset[str]) -> dict[str, str]:
    """One validation error without its input: a JSON pointer, a code, a Dutch sentence.

    A pointer can hold what the caller wrote (an unknown field, the key of a map), so only names that the API knows and
    positions are repeated; the rest becomes `?`.
    """
    steps = [str(step) if isinstance(step, int) or step in known_names else "?" for step in error["loc"]]
    kind = str(error["type"])
    if kind == "value_error":  # raised by our own validators, whose texts never repeat the input
        sentence = f"Deze waarde klopt niet: {error['ctx']['error']}."
    else:
        sentence = _SENTENCES.get(kind, "Deze waarde heeft niet de juiste vorm.")
    return {"pointer": "/" + "/".join(steps), "code": kind, "detail": sentence}


def _names(app: FastAPI) -> frozenset[str]:
    """Every field and parameter name of the API, from its own description."""
    found: frozenset[str] | None = getattr(app.state, "known_names", None)
    if found is None:
        names = {"body", "query", "path", "header", "cookie"}
        schema = app.openapi()
        for component in schema.get("components", {}).get("schemas", {}).values():
            names |= component.get("properties", {}).keys()
        for path in schema["paths"].values():
            for operation in path.values():
                names |= {parameter["name"] for parameter in operation.get("parameters", [])}
        app.state.known_names = found = frozenset(names)
    return found


def _methods_of(app: FastAPI, path: str) -> set[str]:
    """Every method of this address; the framework knows only those of the first route that has it."""
    templates = app.openapi()["paths"].items()
    return {
        method.upper()
        for template, operations in templates
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)), path)
        for method in operations
    }


def _add_common_routes(app: FastAPI, house: House) -> None:
    @app.get("/healthz", include_in_schema=False)
    def show_alive() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    def show_ready() -> PlainTextResponse:
        if house.engine is not None and not migrate.is_current(house.engine, house.service):
            return PlainTextResponse("the database has not the newest revision\n", 503)
        return PlainTextResponse("ready\n")

    @app.get("/docs", include_in_schema=False)
    def show_docs(request: Request) -> HTMLResponse:
        return house.pages.render(request, "api.html")

    @app.get("/docs/start.js", include_in_schema=False)
    def show_docs_start() -> Response:
        start = 'SwaggerUIBundle({url:"/openapi.json",dom_id:"#swagger-ui",deepLinking:true,validatorUrl:null});'
        return Response(start, media_type="text/javascript")

    @app.get("/problems/{slug}", include_in_schema=False)
    def show_problem_type(request: Request, slug: str) -> HTMLResponse:
        kind = problem_types().get(slug)
        if kind is None:
            raise NotFound
        return house.pages.render(request, "probleemsoort.html", kind=kind)

    app.mount("/static", StaticFiles(packages=[("shared", "static")]), name="static")
    swagger = resources.files("fastapi_offline") / "static"
    app.mount("/swagger", StaticFiles(directory=str(swagger)), name="swagger")


def problem_types() -> dict[str, type[Problem]]:
    """Every kind of problem by slug, as the classes have it."""
    found, waiting = {}, [Problem]
    while waiting:
        kind = waiting.pop()
        found[kind.slug] = kind
        waiting += kind.__subclasses__()
    return found
