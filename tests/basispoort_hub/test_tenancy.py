"""Who may do what at the hub: every route, every kind of caller, every school: own, somebody else's and none.

Generated from the API description and the routers: SCOPES says of each route whom it is for, and a route that is not
in it fails the suite.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote

from fastapi import FastAPI, Request
from sqlalchemy import insert, select

from services.basispoort_hub.tables import (
    AccountRow,
    CoordinatorRow,
    PermissionRow,
    PublisherRow,
    SchoolRow,
    SessionRow,
)
from shared.clock import local_date, now
from shared.database import Db, writing
from shared.sessions import start_session
from tests import broken_world
from tests.basispoort_hub import hub as hubs
from tests.broken_bodies import Good
from tests.broken_judge import Answer, State, ask
from tests.broken_world import EMPTY, OTHER, World, bearer
from tests.test_house_rules import calls_of

SANDBOX = "99Y"  # how the codes of the first publisher's sandbox begin
ABSENT_ID, ABSENT_CODE = "999999999", "99QQ99"


class Scope(StrEnum):
    OPEN = "anybody; what it tells or does depends on nothing secret"
    OPERATOR = "the operator"
    ADMINISTRATION = "the administration that the school {code} chose"
    COORDINATOR = "a coordinator of the school {code}, or of the school in the form"
    STAFF = "who works at the school {code}, or coordinates it"
    ACCOUNT = "who is signed in, about what is theirs"
    PUBLISHER = "every publisher, about itself"
    KNOWN = "every publisher, about its own standing with {institution_id}"
    CONSENT = "a publisher to which {institution_id} consents"
    LIKA = "the publisher whose code {identityCode} is"


_SCHOOL, _REST = "/api/v1/scholen/{code}", "/rest/v2/instellingen/{institution_id}"
_METHOD = "/hosted-lika/management/lika/{identityCode}/methode"
_LISTS = [f"{base}/{kind}" for base in (f"{_METHOD}/{{mid}}", f"{_METHOD}/{{mid}}/product/{{pid}}")
          for kind in ("gebruiker", "gebruiker_eckid")]  # fmt: skip
SCOPES: dict[Scope, set[str]] = {
    Scope.OPEN: {
        "GET /",
        "GET /leveranciers",
        "GET /inloggen",
        "POST /inloggen",
        "POST /uitloggen",
        "GET /activeren/{token}",
        "POST /activeren/{token}",
        "POST /activeren/{token}/opnieuw",
    },
    Scope.OPERATOR: {
        "POST /api/v1/operator/scholen",
        "PUT /api/v1/operator/scholen/{code}/adres",
        "POST /api/v1/operator/scholen/{code}/zaak",
        "POST /api/v1/operator/scholen/{code}/coordinatoren",
        "DELETE /api/v1/operator/scholen/{code}/coordinatoren/{account_id}",
        "POST /api/v1/operator/administraties/{name}/sleutels",
        "POST /api/v1/operator/uitgevers",
        "POST /api/v1/operator/uitgevers/{code}/sleutels",
        "GET /api/v1/operator/uitgevers/{code}/adressen",
        "PUT /api/v1/operator/uitgevers/{code}/adressen",
        "PUT /api/v1/operator/uitgevers/{code}/lika/{identityCode}",
        "DELETE /api/v1/operator/uitgevers/{code}/lika/{identityCode}",
        "PUT /api/v1/operator/uitgevers/{code}/beheerportaal",
    },
    Scope.ADMINISTRATION: {
        f"GET {_SCHOOL}/stand",
        f"PUT {_SCHOOL}/aanmelding",
        f"PUT {_SCHOOL}/leerlinggegevens",
        f"PATCH {_SCHOOL}/leerlinggegevens",
    },
    Scope.COORDINATOR: {
        f"GET {_SCHOOL}/koppeling",
        f"PUT {_SCHOOL}/leerkrachtenlijst",
        f"PUT {_SCHOOL}/koppeling",
        f"POST {_SCHOOL}/edexml",
        f"GET {_SCHOOL}/leerkrachten",
        f"POST {_SCHOOL}/leerkrachten/{{person_id}}/activatielink",
        f"GET {_SCHOOL}/uitgeverijen",
        f"PUT {_SCHOOL}/uitgeverijen/{{uitgever}}",
        f"GET {_SCHOOL}/vastgehouden",
        f"POST {_SCHOOL}/vastgehouden/{{hold_id}}",
        "POST /vastgehouden/{hold_id}",
        "GET /scholen/{code}/leerkrachten",
        "POST /scholen/{code}/leerkrachten/lijst",
        "POST /scholen/{code}/leerkrachten/{person_id}/activatielink",
        "GET /scholen/{code}/beheer",
        "GET /scholen/{code}/beheer/intrekken",
        "POST /scholen/{code}/beheer/intrekken",
        "POST /scholen/{code}/beheer/koppeling",
        "POST /scholen/{code}/beheer/uitgeverijen",
        "GET /scholen/{code}/beheer/uitgeverijen/{uitgever}/gegevens",
        "GET /scholen/{code}/beheer/uitgeverijen/{uitgever}/melden",
        "POST /scholen/{code}/beheer/uitgeverijen/{uitgever}/antwoord",
        "GET /scholen/{code}/leerlingen",
        "GET /scholen/{code}/leerlingen/{person_id}",
    },
    Scope.STAFF: {
        "GET /scholen/{code}/lesmateriaal",
        "GET /scholen/{code}/lesmateriaal/waarom",
    },
    Scope.ACCOUNT: {
        "GET /lesmateriaal",
        "GET /api/v1/uitnodigingen",
        "POST /api/v1/uitnodigingen/{number}/aanvaarden",
        "POST /uitnodigingen/{number}/aanvaarden",
    },
    Scope.PUBLISHER: {
        "GET /rest/v2/instellingen",
        "GET /rest/v2/instellingen/",
        "GET /rest/v2/instellingen/synchronizationpermission/toegekend/{day}",
        "GET /rest/v2/instellingen/synchronizationpermission/ingetrokken/{day}",
        "GET /rest/v2/nawsearch",
        "GET /api/v1/changes",
        "GET /api/v1/webhooks",
        "PUT /api/v1/webhooks",
        "DELETE /api/v1/webhooks",
        "GET /api/v1/sandbox",
        "POST /api/v1/sandbox/alles-terug",
        "POST /api/v1/sandbox/{gebeurtenis}",
    },
    Scope.KNOWN: {
        f"GET {_REST}/uitgever/synchronizationpermission",
        f"DELETE {_REST}/uitgever/synchronizationpermission",
    },
    Scope.CONSENT: {
        *(f"{method} {_REST}" for method in ("GET", "HEAD")),
        *(f"{method} {_REST}/{part}" for method in ("GET", "HEAD") for part in ("details", "groepen", "leerlingen")),
        *(f"{method} {_REST}/staf" for method in ("GET", "HEAD")),
        f"POST {_REST}/leerlingen",
        f"POST {_REST}/leerlingen_eckid",
        f"GET {_REST}/ref",
    },
    Scope.LIKA: {
        *(f"{method} {_METHOD}" for method in ("GET", "POST")),
        *(f"{method} {_METHOD}/{{mid}}" for method in ("GET", "PUT", "DELETE")),
        *(f"{method} {_METHOD}/{{mid}}/product" for method in ("GET", "POST")),
        *(f"{method} {_METHOD}/{{mid}}/product/{{pid}}" for method in ("GET", "PUT", "DELETE")),
        *(f"{method} {path}" for path in _LISTS for method in ("GET", "PUT", "DELETE")),
        *(f"POST {path}/{word}" for path in _LISTS for word in ("addlist", "removelist")),
        "POST /hosted-lika/management/lika/{identityCode}/permissions/grant",
        "POST /hosted-lika/management/lika/{identityCode}/permissions/revoke",
    },
}
SCOPE_OF = {route: scope for scope, routes in SCOPES.items() for route in routes}
COMMON = ("/healthz", "/readyz", "/docs", "/metrics", "/openapi.json", "/problems/", "/static/", "/swagger/")
OWNED = re.compile(r"\{(person_id|hold_id|account_id|number|request_id)\}")  # what belongs to one school or person


@dataclass(frozen=True)
class Callers:
    """Headers per kind of caller. The first publisher has the consent of the first school, the second of the other."""

    stranger: dict[str, str]
    operator: dict[str, str]
    administration: dict[str, str]
    other_administration: dict[str, str]
    coordinator: dict[str, str]  # of every school
    coordinator_elsewhere: dict[str, str]  # of OTHER only
    publisher: dict[str, str]
    other_publisher: dict[str, str]


# Per scope the callers for whom the good request of another must be refused.
REFUSED: dict[Scope, set[str]] = {
    Scope.OPERATOR: set(Callers.__annotations__) - {"operator"},
    Scope.ADMINISTRATION: set(Callers.__annotations__) - {"administration"},
    Scope.COORDINATOR: set(Callers.__annotations__) - {"coordinator"},
    Scope.STAFF: set(Callers.__annotations__) - {"coordinator"},
    Scope.ACCOUNT: set(Callers.__annotations__) - {"coordinator", "coordinator_elsewhere"},
    Scope.PUBLISHER: set(Callers.__annotations__) - {"publisher", "other_publisher"},
    Scope.KNOWN: set(Callers.__annotations__) - {"publisher", "other_publisher"},
    Scope.CONSENT: set(Callers.__annotations__) - {"publisher"},
    Scope.LIKA: set(Callers.__annotations__) - {"publisher"},
}


# The administration that the school chose may read the list of teachers where the coordinator's slider allows it.
ALSO = {f"GET {_SCHOOL}/leerkrachten": {"administration"}}


@dataclass
class Tenants:
    world: World
    state: State
    callers: Callers
    schools: dict[str, str]  # first, other, empty -> number

    def send(self, good: Good, caller: str, **values: str) -> Answer:
        """The good request, from this caller, with some values in the path replaced; what it changed is put back."""
        kept = {name: value for name, value in good.headers.items() if name.lower() not in {"authorization", "cookie"}}
        changed = replace(good, headers={**kept, **getattr(self.callers, caller)}, values={**good.values, **values})
        answer = asyncio.run(ask(self.world.app, changed.request()))
        tables = self.state.changed()
        self.state.put_back(tables)
        # a refused request may have been counted, and nothing more
        assert not is_refused(answer) or not set(tables) - {"sign_in_attempts", "sessions"}, (good.template, tables)
        return answer


@contextmanager
def tenants(database_url: Callable[[str], str]) -> Iterator[Tenants]:
    with broken_world.basispoort(database_url) as world:
        hub, at = hubs.Hub(world.app), now()
        operator = hub.operator()
        body = {"code": "anders", "naam": "Anders", "zin": "Activeer de anderen"}
        hubs.answered(operator.post("/api/v1/operator/uitgevers", json=body), 201)
        second = hubs.answered(operator.post("/api/v1/operator/uitgevers/anders/sleutels"), 201)["sleutel"]
        path = "/api/v1/operator/administraties/Anders/sleutels"
        other_administration = hubs.answered(operator.post(path), 201)["sleutel"]
        with writing(world.engine) as db:
            schools = {row.code: row.id for row in db.scalars(select(SchoolRow).with_for_update())}
            account = AccountRow(email="elders@school.example", state="active", password_hash="-", created_at=at)
            db.add(account)
            db.flush()
            role = {"name": "Els Ders", "appointed_at": at, "appointed_by": "operator", "reason": "test"}
            db.execute(insert(CoordinatorRow).values(account_id=account.id, school_id=schools[OTHER], **role))
            publisher_id = db.scalars(select(PublisherRow.id).where(PublisherRow.code == "anders")).one()
            consent = {"school_id": schools[OTHER], "publisher_id": publisher_id}
            db.execute(insert(PermissionRow).values(**consent, granted_at=at, granted_on=local_date(at)))
            session = start_session(db, SessionRow, account.id, at)
        callers = Callers(
            stranger={},
            operator=bearer(hubs.OPERATOR_KEY),
            administration=headers_of(world, f"GET {_SCHOOL}/stand"),
            other_administration=bearer(other_administration),
            coordinator=headers_of(world, f"GET {_SCHOOL}/koppeling"),
            coordinator_elsewhere={"Cookie": f"hub={session}"},
            publisher=headers_of(world, "GET /rest/v2/instellingen"),
            other_publisher=bearer(second),
        )
        state = State(world.engine)
        yield Tenants(world, state, callers, {code: str(number) for code, number in schools.items()})
        state.close()


def headers_of(world: World, route: str) -> dict[str, str]:
    return dict(next(good.headers for good in world.goods if route_of(good) == route))


def route_of(good: Good) -> str:
    return f"{good.method} {good.template}"


def scope_of(route: str) -> Scope:
    if route.split(" ")[1].startswith(COMMON):
        return Scope.OPEN
    return SCOPE_OF[route]


def is_refused(answer: Answer) -> bool:
    """Stopped because of who calls, or because for this caller it is not there; 422 or 409 would be looking first."""
    sent_away = answer.status == 303 and answer.headers.get("location", "").startswith("/inloggen")
    return answer.status in {401, 403, 404} or sent_away


def undeclared(app: FastAPI) -> set[str]:
    """Routes of which SCOPES says nothing. What every service has is open."""
    calls = {f"{method} {path}" for method, path in calls_of("basispoort_hub", app)}
    calls |= {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    return {call for call in calls if not call.split(" ")[1].startswith(COMMON)} - SCOPE_OF.keys()


def refusals_missing(tenants: Tenants, goods: list[Good]) -> list[tuple[str, str, int]]:
    """(route, caller, status) of every request that was not refused although it should be."""
    return [
        (route_of(good), caller, answer.status)
        for good in goods
        for caller in sorted(REFUSED.get(scope_of(route_of(good)), set()) - ALSO.get(route_of(good), set()))
        if not is_refused(answer := tenants.send(good, caller))
    ]


def one_per_route(world: World) -> list[Good]:
    """The first good request of each route that is not open."""
    found: dict[str, Good] = {}
    for good in world.goods:
        if scope_of(route_of(good)) is not Scope.OPEN:
            found.setdefault(route_of(good), good)
    return list(found.values())


def test_every_route_says_whom_it_is_for(database_url: Callable[[str], str]) -> None:
    with broken_world.basispoort(database_url) as world:
        assert undeclared(world.app) == set(), "say in SCOPES whom these routes are for"
        known = {f"{method} {path}" for method, path in calls_of("basispoort_hub", world.app)}
        assert SCOPE_OF.keys() - known == set(), "these routes are gone"


def test_a_caller_of_another_kind_is_refused_everywhere(database_url: Callable[[str], str]) -> None:
    with tenants(database_url) as made:
        goods = one_per_route(made.world)
        assert len(goods) > 60, "test_broken_bodies.py sees to it that every route has a good request"
        assert refusals_missing(made, goods) == []
        for good in goods:  # twin: who it is for is let in
            answer = asyncio.run(ask(made.world.app, good.request()))
            made.state.put_back(made.state.changed())
            assert 200 <= answer.status < 400, (route_of(good), answer)
            assert not is_refused(answer)


def test_every_publisher_and_every_school(database_url: Callable[[str], str]) -> None:
    with tenants(database_url) as made:
        consents = {("publisher", hubs.CODE), ("other_publisher", OTHER)}
        consents |= {("publisher", code) for code in made.schools if code.startswith(SANDBOX)}
        tried = 0
        for good in one_per_route(made.world):
            scope = scope_of(route_of(good))
            if scope not in {Scope.CONSENT, Scope.KNOWN}:
                continue
            for caller in ("publisher", "other_publisher"):
                for code, number in (*made.schools.items(), ("", ABSENT_ID)):
                    status = made.send(good, caller, institution_id=number).status
                    open_to = scope is Scope.KNOWN or (caller, code) in consents
                    hidden = not code or (code.startswith(SANDBOX) and caller != "publisher")
                    expected = {404} if hidden else {200, 204} if open_to else {403}
                    assert status in expected, (route_of(good), caller, code or "absent", status)
                    tried += 1
        assert tried >= 2 * 4 * 6
        listed = {caller: made.send(good_for(made, "GET /rest/v2/instellingen"), caller).body
                  for caller in ("publisher", "other_publisher")}  # fmt: skip
        own = [int(made.schools[code]) for caller, code in consents if caller == "publisher"]
        assert {caller: json.loads(body) for caller, body in listed.items()} == {
            "publisher": sorted(own),
            "other_publisher": [int(made.schools[OTHER])],
        }


def good_for(made: Tenants, route: str) -> Good:
    return next(good for good in made.world.goods if route_of(good) == route)


def test_a_lika_is_only_its_publishers(database_url: Callable[[str], str]) -> None:
    with tenants(database_url) as made:
        goods = [good for good in one_per_route(made.world) if scope_of(route_of(good)) is Scope.LIKA]
        for good in goods:
            own, absent = good.values["identityCode"], "bestaat-niet"
            assert is_refused(made.send(good, "other_publisher", identityCode=own))
            assert is_refused(made.send(good, "publisher", identityCode="anders"))
            assert is_refused(made.send(good, "publisher", identityCode=absent))
            assert made.send(good, "publisher", identityCode=own).status in {200, 204}
            if good.method == "GET" and "{mid}" in good.template:  # under the own code, somebody else's method
                assert made.send(good, "other_publisher", identityCode="anders").status == 404
        assert goods


def test_a_coordinator_or_administration_reaches_no_other_school(database_url: Callable[[str], str]) -> None:
    with tenants(database_url) as made:
        tried = 0
        for good in one_per_route(made.world):
            scope = scope_of(route_of(good))
            if scope not in {Scope.COORDINATOR, Scope.STAFF, Scope.ADMINISTRATION, Scope.ACCOUNT}:
                continue
            if "code" in good.values:
                caller = "administration" if scope is Scope.ADMINISTRATION else "coordinator"
                assert made.send(good, caller, code=ABSENT_CODE).status == 404, route_of(good)
                tried += 1
            if OWNED.search(good.template):  # through the own school, or none, at what belongs to another
                own = {"code": OTHER} if "code" in good.values else {}
                assert is_refused(made.send(good, "coordinator_elsewhere", **own)), route_of(good)
                tried += 1
        assert tried >= 10
        shown = made.send(good_for(made, f"GET {_SCHOOL}/leerkrachten"), "coordinator_elsewhere", code=OTHER)
        assert shown.status == 200  # twin: at its own school it is somebody


def test_an_open_route_and_one_without_a_scope_are_noticed(database_url: Callable[[str], str]) -> None:
    with tenants(database_url) as made:
        app = made.world.app

        @app.get("/rest/v2/instellingen/{institution_id}/geheim")
        def show_secret(institution_id: int) -> int:
            return institution_id

        @app.post("/api/v1/scholen/{code}/achterdeur")
        def submit_back_door(code: str, request: Request, db: Db) -> str:
            return quote(code)

        app.openapi_schema = None
        planted = {"GET /rest/v2/instellingen/{institution_id}/geheim", "POST /api/v1/scholen/{code}/achterdeur"}
        paths = app.openapi()["paths"]
        described = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
        assert described - SCOPE_OF.keys() == planted
        goods = [
            Good("GET", _REST + "/geheim", {"institution_id": made.schools[EMPTY]}),
            Good("POST", _SCHOOL + "/achterdeur", {"code": hubs.CODE}),
        ]
        try:
            SCOPE_OF.update({route_of(goods[0]): Scope.CONSENT, route_of(goods[1]): Scope.COORDINATOR})
            missing = refusals_missing(made, goods)
        finally:
            for good in goods:
                del SCOPE_OF[route_of(good)]
        assert {route for route, _, _ in missing} == planted
        assert ("GET /rest/v2/instellingen/{institution_id}/geheim", "other_publisher", 200) in missing
