"""The rules of the house that a linter cannot know; each check is shown to catch what it looks for."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from shared import database, migrate
from shared.database import open_engine
from shared.problems import Problem

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for room in ("services", "shared") for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SERVICES = migrate.SERVICES


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- checks of source: each takes a text and says what is wrong with it -----------------------------------------------


def transaction_ends(source: str) -> list[str]:
    """Names that end a transaction; only shared/database.py may hold them."""
    tree = ast.parse(source)
    names = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return [name for name in names if name in {"commit", "rollback"}]


DUTCH = re.compile(
    r"(?:^|_)(?:leerling|leerkracht|medewerk|personeel|groep|naam|voornaam|achternaam|roepnaam|voorvoegsel|koppel|school_naam"
    r"|uitgever|toestemming|gebruiker|wachtwoord|beheerder|bericht|verwijder|activatielink|inloggen|uitloggen|jaargroep"
    r"|omschrijving|instelling|vertrokken|ontvangen|verzonden|opslaan|synchroniseer|vastgehouden|wijzig|nacht|klaar)"
)


def dutch_names(source: str) -> list[str]:
    """Names of functions, classes, arguments and variables that are Dutch; Dutch belongs in strings."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
            case ast.arg(arg=name):
                found.append(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.append(name)
    return [name for name in found if DUTCH.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())]


def prints(source: str) -> list[str]:
    return [
        node.func.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def strange_addresses(source: str) -> list[str]:
    """E-mail addresses that could belong to somebody."""
    found = re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", source)
    return [address for address in found if not address.lower().endswith(".example")]


def missing_docstring(source: str) -> list[str]:
    return [] if ast.get_docstring(ast.parse(source)) else ["the module has no docstring"]


CHECKS: dict[str, tuple[Callable[[str], list[str]], Callable[[str], bool]]] = {
    "only the database module ends transactions": (transaction_ends, lambda path: path != "shared/database.py"),
    "Dutch stands in strings only": (dutch_names, lambda _path: True),
    "only what a person runs prints": (
        prints,
        lambda path: not path.startswith(("services/command_line", "services/demo")),
    ),
    "addresses are invented": (strange_addresses, lambda _path: True),
    "every module says what it holds": (missing_docstring, lambda _path: True),
}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
@pytest.mark.parametrize("rule", CHECKS)
def test_the_sources_keep_the_rules_of_the_house(rule: str, path: Path) -> None:
    check, holds_for = CHECKS[rule]
    if holds_for(relative(path)):
        assert check(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_the_tests_say_what_they_hold_and_name_only_invented_people(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert missing_docstring(source) == []
    assert path == Path(__file__) or strange_addresses(source) == []


PLANTED = {
    "only the database module ends transactions": [
        "def save(db):\n    db.add(1)\n    db.commit()",
        "undo = db.rollback",
        "from x import commit\ncommit()",
    ],
    "Dutch stands in strings only": [
        "def read_leerlingen(db): ...",
        "class Leerkracht: ...",
        "groepen = []",
        "def save(school_naam): ...",
        "row.achternaam = 'Bijl'",
        "class WireKoppeling: ...",
        "for leerling in pupils: ...",
    ],
    "only what a person runs prints": ["def read():\n    print('x')"],
    "addresses are invented": ["to = 'jan@gmail.com'", "# ask jan.jansen@basisschool.nl"],
    "every module says what it holds": ["x = 1", "# a comment\nx = 1"],
}
INNOCENT = {
    "only the database module ends transactions": ["'commit'", "commits = 1", "# rollback"],
    "Dutch stands in strings only": [
        'name = Field(alias="naam")',
        "groups = ['groep']",
        "page(gebruiker=1)",
    ],
    "only what a person runs prints": ["fingerprint(1)", "'print(1)'"],
    "addresses are invented": ["to = 'jan@school.example'", "@router.get('/x')", "a @ b.c"],
    "every module says what it holds": ['"""A module."""'],
}


@pytest.mark.parametrize(("rule", "source"), [(rule, source) for rule, bad in PLANTED.items() for source in bad])
def test_each_rule_catches_what_it_looks_for(rule: str, source: str) -> None:
    assert CHECKS[rule][0](source) != []


@pytest.mark.parametrize(("rule", "source"), [(rule, source) for rule, good in INNOCENT.items() for source in good])
def test_each_rule_leaves_the_rest_alone(rule: str, source: str) -> None:
    assert CHECKS[rule][0](source) == []


def test_every_rule_is_tried_and_sees_the_house() -> None:
    assert CHECKS.keys() == PLANTED.keys() == INNOCENT.keys()
    assert len(SOURCES) > 60
    assert {relative(path) for path in SOURCES} >= {
        "shared/database.py",
        *(f"services/{name}/tables.py" for name in SERVICES),
    }


# --- the running services ---------------------------------------------------------------------------------------------


def settings_for(service: str, url: str) -> Any:
    values = {
        "database_url": url,
        "base_url": "http://testserver",
        "mail_from": "niet-antwoorden@schakel.example",
        "operator_key": "schakel_operator_0123456789abcdef",
        "hub_url": "http://127.0.0.1:9",
        "hub_key": "schakel_hub",
        "link_keys": "een-sleutel-van-minstens-32-tekens!",
        "helpdesk_mail": "helpdesk@schakel.example",
    }
    return importlib.import_module(f"services.{service}.settings").Settings(**values)


def start(service: str, engine: Engine) -> FastAPI:
    url = engine.url.render_as_string(hide_password=False)
    app: FastAPI = importlib.import_module(f"services.{service}.main").create_app(settings_for(service, url))
    return app


def routes_of(service: str) -> list[APIRoute]:
    """Every route that the modules of a service declare, those outside the API description too."""
    package = importlib.import_module(f"services.{service}")
    found: list[APIRoute] = []
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".migrations" in module.name:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, APIRouter):
                found += [route for route in value.routes if isinstance(route, APIRoute) and route not in found]
    return found


def calls_of(service: str, app: FastAPI) -> set[tuple[str, str]]:
    """Every method and path: those of the API description, and the pages that it leaves out."""
    described = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    # what has a name and no address is a message that the service itself sends
    addresses = [route for route in routes_of(service) if route.path.startswith("/")]
    declared = {(method, route.path) for route in addresses for method in route.methods or ()}
    assert described <= declared, "a route that no router declares would not be seen"
    return described | declared


# The doors that stand open, and why.
OPEN = {
    ("GET", "/"): "says what this is, and nothing about a school",
    ("GET", "/leveranciers"): "for publishers' engineers; says nothing about a school",
    ("GET", "/inloggen"): "the form",
    ("POST", "/inloggen"): "the way in",
    ("POST", "/uitloggen"): "the way out; without a session it does nothing",
    ("GET", "/activeren/{token}"): "the link in the mail is the key; this only shows the form",
    ("POST", "/activeren/{token}"): "the link in the mail is the key",
    ("POST", "/activeren/{token}/opnieuw"): "writes only to the stored address, and gives everybody one answer",
    ("POST", "/api/v1/koppelverzoeken"): "a school's message to the helpdesk, limited in number",
}
SAMPLES = {"code": "99ZZ00", "app": "taalblobs", "day": "2026-11-22"}


def address(path: str) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda found: SAMPLES.get(found.group(1), "1"), path)


def is_closed(client: TestClient, method: str, path: str, headers: dict[str, str]) -> bool:
    """Is a stranger stopped? 422 or 404 would mean: looked at something first, asked later."""
    answer = client.request(method, address(path), headers=headers, follow_redirects=False)
    sent_on = answer.status_code == 303 and answer.headers["location"].startswith("/inloggen")
    return answer.status_code == 401 or sent_on


STRANGERS: dict[str, dict[str, str]] = {
    "nobody": {},
    "a false key": {"Authorization": "Bearer schakel_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    "a false cookie": {"Cookie": "eduscope=x; hub=x; portal=x"},
    "a browser": {"Accept": "text/html"},
}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("service", SERVICES)
def test_no_door_is_open_to_a_stranger(service: str, stranger: str, make_engine: Callable[[str], Engine]) -> None:
    app = start(service, make_engine(service))
    client = TestClient(app)
    calls = calls_of(service, app) - OPEN.keys()
    assert len(calls) >= 10
    assert [call for call in sorted(calls) if not is_closed(client, *call, STRANGERS[stranger])] == []


def test_an_open_door_is_noticed(make_engine: Callable[[str], Engine]) -> None:
    app = start("eduscope_api", make_engine("eduscope_api"))

    @app.get("/api/v1/scholen/{code}/geheim")
    def show_secret(code: str) -> str:
        return code

    @app.post("/api/v1/scholen/{code}/later")
    def submit_looked_first(code: str, count: int) -> str:
        return code * count

    client = TestClient(app)
    assert not is_closed(client, "GET", "/api/v1/scholen/{code}/geheim", {})
    assert not is_closed(client, "POST", "/api/v1/scholen/{code}/later", {})


@pytest.mark.parametrize("service", SERVICES)
def test_every_open_door_exists(service: str, make_engine: Callable[[str], Engine]) -> None:
    calls = calls_of(service, start(service, make_engine(service)))
    assert {("GET", "/"), ("GET", "/inloggen"), ("POST", "/inloggen"), ("POST", "/uitloggen")} <= calls


def dependencies(route: APIRoute) -> Iterator[Any]:
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        yield dependant.call
        waiting += dependant.dependencies


def writing_gets(routes: list[APIRoute]) -> list[str]:
    """GET routes that open a writing transaction, by themselves or through what they depend on."""
    return [
        route.path
        for route in routes
        if "GET" in (route.methods or ()) and database._transaction in list(dependencies(route))
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_get_never_writes(service: str) -> None:
    assert len(routes_of(service)) >= 10
    assert writing_gets(routes_of(service)) == []


def test_a_get_that_writes_is_noticed() -> None:
    router = APIRouter()

    def caller(db: database.Db) -> str:
        return str(db)

    @router.get("/direct")
    def show_direct(db: database.Db) -> None: ...

    @router.get("/indirect")
    def show_indirect(name: str = Depends(caller)) -> None: ...

    @router.get("/reads")
    def show_reads(db: database.ReadDb) -> None: ...

    @router.post("/writes")
    def submit_writes(db: database.Db) -> None: ...

    assert writing_gets([route for route in router.routes if isinstance(route, APIRoute)]) == ["/direct", "/indirect"]


# --- databases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_make_exactly_the_tables(service: str, make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine(service)
    base = importlib.import_module(f"services.{service}.tables").Base
    assert migrate.is_current(engine, service)
    assert migrate.drift(engine, base.metadata) == []
    migrate.upgrade(engine, service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_column_without_a_migration_is_noticed(service: str, make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine(service)
    base = importlib.import_module(f"services.{service}.tables").Base
    table = next(iter(base.metadata.tables.values()))
    with engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER TABLE "{table.name}" ADD COLUMN forgotten INTEGER')
    assert migrate.drift(engine, base.metadata) != []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_ready_only_with_its_newest_revision(
    service: str, make_engine: Callable[[str], Engine], database_url: Callable[[str], str]
) -> None:
    assert TestClient(start(service, make_engine(service))).get("/readyz").status_code == 200
    empty = open_engine(database_url(f"{service}_empty"))
    client = TestClient(start(service, empty))
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


# --- problems ---------------------------------------------------------------------------------------------------------


def contradictions(kinds: list[type[Problem]]) -> list[str]:
    """Slugs that mean different things in different places; two services may each have the same one."""
    meanings: dict[str, set[tuple[int, str]]] = {}
    for kind in kinds:
        meanings.setdefault(kind.slug, set()).add((kind.status, kind.title))
    return [slug for slug, found in meanings.items() if len(found) > 1]


def test_every_kind_of_problem_has_one_meaning_and_both_languages() -> None:
    for service in SERVICES:
        routes_of(service)  # imports every module
    kinds, waiting = [], list(Problem.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith(("shared.", "services.")):
            kinds.append(kind)
    assert len(kinds) > 20
    assert contradictions(kinds) == []
    for kind in kinds:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
        assert 400 <= kind.status < 600
        assert not kind.title.endswith(".")
        assert kind.uitleg.endswith((".", "?"))


def test_a_slug_with_two_meanings_is_noticed() -> None:
    class One(Problem):
        slug = "one"

    class Other(One):
        status = 409

    assert contradictions([One, Other]) == ["one"]
    assert contradictions([One, One]) == []
