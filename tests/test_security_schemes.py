"""Every operation says which proof of the caller it takes, and takes that; from each service's description."""

import importlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.basispoort_hub.sign_in import CurrentAccount
from shared import migrate
from shared.openapi import OperatorKey
from shared.problems import CallerUnknown
from tests.basispoort_hub.test_tenancy import SCOPE_OF, Scope
from tests.test_house_rules import address, start

METHODS = ("get", "post", "put", "patch", "delete")
PUBLISHER = {"uitgeverssleutel", "clientcertificaat"}
# What the hub's table of scopes says of a route -> the proofs that its description must name.
PROOFS = {
    Scope.OPEN: set(),
    Scope.OPERATOR: {"beheerderssleutel"},
    Scope.ADMINISTRATION: {"administratiesleutel"},
    Scope.COORDINATOR: {"sessie"},
    Scope.STAFF: {"sessie"},
    Scope.ACCOUNT: {"sessie"},
    Scope.PUBLISHER: PUBLISHER,
    Scope.KNOWN: PUBLISHER,
    Scope.CONSENT: PUBLISHER,
    Scope.LIKA: PUBLISHER,
}
EITHER = {"GET /api/v1/scholen/{code}/leerkrachten": {"sessie", "administratiesleutel"}}
TYPES = {
    "sessie": "apiKey",
    "clientcertificaat": "mutualTLS",
    **dict.fromkeys(["uitgeverssleutel", "administratiesleutel", "beheerderssleutel", "integratiesleutel"], "http"),
}


def proofs_of(app: FastAPI) -> dict[str, set[str]]:
    """Operation -> the names of the schemes that it declares, each of them enough by itself."""
    found = {}
    for path, methods in app.openapi()["paths"].items():
        for method in METHODS:
            if method in methods:
                security = methods[method].get("security", [])
                assert all(len(each) == 1 for each in security)
                found[f"{method.upper()} {path}"] = {name for each in security for name in each}
    return found


def contradictions(app: FastAPI) -> list[str]:
    """Operations that stop a stranger and do not say for whom they are, or the other way round."""
    client = TestClient(app)
    found = []
    for name, proofs in proofs_of(app).items():
        method, path = name.split(" ")
        status = client.request(method, address(path), follow_redirects=False).status_code
        # the ways in say 401 too, to who does not give a password: that is no proof that goes with a request
        is_closed = status == 401 and not path.endswith("/inloggen")
        if is_closed is not bool(proofs):
            found.append(name)
    return found


@pytest.mark.parametrize("service", migrate.SERVICES)
def test_who_is_stopped_as_a_stranger_is_told_what_to_bring(service: str, make_engine: Callable[[str], Engine]) -> None:
    app = start(service, make_engine(service))
    assert contradictions(app) == []
    assert sum(bool(proofs) for proofs in proofs_of(app).values()) >= 15
    schemes = app.openapi()["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {name: TYPES[name] for name in schemes}
    assert schemes["sessie"]["name"] == app.state.pages.cookie
    used = {name for proofs in proofs_of(app).values() for name in proofs}
    assert used == schemes.keys()


def test_an_open_operation_that_names_a_proof_and_a_closed_one_that_names_none_are_noticed(
    make_engine: Callable[[str], Engine],
) -> None:
    app = start("basispoort_hub", make_engine("basispoort_hub"))

    @app.get("/api/v1/open")
    def show_open(_key: OperatorKey) -> int:
        return 1

    @app.get("/api/v1/dicht")
    def show_closed() -> int:
        raise CallerUnknown

    @app.get("/api/v1/goed")
    def show_good(_account: CurrentAccount) -> int:
        return 1

    app.openapi_schema = None
    assert contradictions(app) == ["GET /api/v1/open", "GET /api/v1/dicht"]


def test_the_hub_names_exactly_the_proofs_of_whom_a_route_is_for(make_engine: Callable[[str], Engine]) -> None:
    app = start("basispoort_hub", make_engine("basispoort_hub"))
    told = proofs_of(app)
    assert {name: EITHER.get(name, PROOFS[SCOPE_OF[name]]) for name in told} == told


def test_a_key_of_an_integration_is_told_its_scopes_and_where_it_is_never_enough(
    make_engine: Callable[[str], Engine],
) -> None:
    app = start("eduscope_api", make_engine("eduscope_api"))
    paths: dict[str, Any] = app.openapi()["paths"]
    base = "/api/v1/scholen/{code}"
    pupils = paths[f"{base}/leerlingen"]["get"]["security"]
    assert {"integratiesleutel": ["leerlingen:lezen"]} in pupils
    assert {"sessie": []} in pupils
    assert paths[f"{base}/sleutels"]["post"]["security"] == [{"sessie": []}]
    assert len([path for path in paths if path.startswith(base)]) > 30


@pytest.mark.parametrize("service", migrate.SERVICES)
def test_the_cookie_is_told_as_it_is_called_over_https(service: str, make_engine: Callable[[str], Engine]) -> None:
    settings = importlib.import_module(f"services.{service}.settings").Settings
    url = make_engine(service).url.render_as_string(hide_password=False)
    values = {
        "database_url": url,
        "base_url": "https://schakel.example",
        "mail_from": "niet-antwoorden@schakel.example",
        "operator_key": "schakel_operator_0123456789abcdef",
        "hub_url": "http://127.0.0.1:9",
        "hub_key": "schakel_hub",
        "link_keys": "een-sleutel-van-minstens-32-tekens!",
        "helpdesk_mail": "helpdesk@schakel.example",
    }
    app = importlib.import_module(f"services.{service}.main").create_app(settings(**values))
    assert re.fullmatch(r"__Host-[a-z]+", app.openapi()["components"]["securitySchemes"]["sessie"]["name"])
    app.state.engine.dispose()
