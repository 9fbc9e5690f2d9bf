"""Who may what: boards and schools; another's school and no school are the same bytes at every door, none forgotten."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from services.eduscope_api.rules.scopes import SCOPES, scopes_for
from services.eduscope_api.tables import (
    AnnouncedDomainRow,
    ApiKeyRow,
    Base,
    ChangeRow,
    ContactRow,
    GroupRow,
    ImportRow,
    PupilRow,
    StaffRow,
)
from shared.clock import now
from shared.database import reading, writing
from shared.problems import NotFound, WrongSchool
from shared.service_auth import hash_key
from tests import broken_world
from tests.broken_bodies import Good
from tests.broken_world import World, bearer
from tests.eduscope_api import rows
from tests.eduscope_api.doors import engine_of, sign_in
from tests.test_house_rules import calls_of

OPERATOR = bearer("schakel_operator_0123456789abcdef")
ABSENT = "99XX99"
NOBODY = str(2**62)
SAME_NUMBER = {"X-Request-Id": "tenancy-matrix"}  # so that answers can be compared byte by byte
KEY = "schakel_alles"


@dataclass
class Two:
    """Two schools behind one door; `me` belongs to the first. `theirs`: path parameter -> a number of the second."""

    world: World
    client: TestClient
    me: dict[str, str]
    theirs: dict[str, str]

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Every door below a school."""
        found = calls_of("eduscope_api", self.world.app)
        return sorted((method, path) for method, path in found if "{code}" in path and "operator" not in path)

    def good(self, method: str, path: str) -> Good:
        """The request that is carried out there, or one without a body where nobody has described it."""
        goods = (each for each in self.world.goods if (each.method, each.template) == (method, path))
        return next(goods, Good(method, path, {}, {}, None))

    def ask(self, method: str, path: str, headers: dict[str, str], **values: str) -> Any:
        good = self.good(method, path)
        address = re.sub(r"\{(\w+)\}", lambda part: {**good.values, **values}.get(part[1], NOBODY), path)
        media = {"Content-Type": good.media.decode()} if good.takes_body else {}
        sent = {**good.headers, **media, **headers, **SAME_NUMBER}
        sent = {name: value for name, value in sent.items() if value}
        return self.client.request(method, address, content=good.raw(), headers=sent, params=dict(good.query))

    def everything(self) -> list[Any]:
        """All rows there are, but for what says who was here."""
        with reading(self.world.engine) as db:
            return [
                list(map(tuple, db.execute(select(table).order_by(*table.primary_key.columns))))
                for table in Base.metadata.sorted_tables
                if table.name not in {"sessions", "sign_in_attempts"}
            ]


@pytest.fixture
def two(database_url: Callable[[str], str]) -> Iterator[Two]:
    with broken_world.eduscope(database_url) as world:
        other = rows.add_school(world.engine, rows.OTHER_CODE)
        with writing(world.engine) as db:
            own_id = db.scalars(select(PupilRow.school_id)).first()
            key = {"name": "x", "scopes": " ".join(SCOPES), "created_at": now()}
            db.execute(insert(ApiKeyRow), [{**key, "school_id": own_id, "key_hash": hash_key(KEY)}])
            db.execute(insert(ApiKeyRow), [{**key, "school_id": other.id, "key_hash": "theirs"}])
            file = {"school_id": other.id, "uploaded_at": now(), "content": b""}
            db.execute(insert(ImportRow), [file])
            change: dict[str, Any] = {"kind": "school", "subject_id": other.id, "version": 9, "fields": {}}
            db.execute(insert(ChangeRow), [{**change, "school_id": other.id, "changed_at": now(), "source": "api"}])
            moved = {"old_domain": "oud.example", "new_domain": "nieuw.example", "announced_at": now()}
            db.execute(insert(AnnouncedDomainRow), [{**moved, "school_id": other.id}])
        with reading(world.engine) as db:
            theirs = {
                name: str(db.scalars(select(row.id).order_by(row.id.desc())).first())
                for name, row in (
                    ("pupil_id", PupilRow),
                    ("staff_id", StaffRow),
                    ("group_id", GroupRow),
                    ("contact_id", ContactRow),
                    ("key_id", ApiKeyRow),
                    ("import_id", ImportRow),
                    ("change_id", ChangeRow),
                )
            }
        me = next(good.headers for good in world.goods if "Cookie" in good.headers)
        yield Two(world, TestClient(world.app, follow_redirects=False), {"Cookie": me["Cookie"]}, theirs)


def leaks(two: Two, headers: dict[str, str], calls: list[tuple[str, str]]) -> list[str]:
    """Doors at which another's school answers otherwise than no school at all."""
    found = []
    for method, path in calls:
        other = two.ask(method, path, headers, code=rows.OTHER_CODE, **two.theirs)
        absent = two.ask(method, path, headers, code=ABSENT, **two.theirs)
        same = (other.status_code, other.content, other.headers) == (absent.status_code, absent.content, absent.headers)
        if other.status_code != 404 or not same:
            found.append(f"{method} {path}: {other.status_code} and {absent.status_code}")
    return found


@pytest.mark.parametrize("who", ["somebody who signed in", "a key"])
def test_another_school_and_no_school_are_the_same_bytes_at_every_door(two: Two, who: str) -> None:
    headers = two.me if who == "somebody who signed in" else {**bearer(KEY), "Cookie": ""}
    assert len(two.calls) > 40
    before = two.everything()
    assert leaks(two, headers, two.calls) == []
    assert two.everything() == before, "and nothing changed"


def test_a_door_without_a_guard_is_caught(two: Two) -> None:
    """The twin: a route that forgot its guard, and one that looks at the school first."""
    app: FastAPI = two.world.app

    @app.get("/api/v1/scholen/{code}/vergeten")
    def show_forgotten(code: str) -> str:
        return code

    @app.get("/api/v1/scholen/{code}/bijna")
    def show_nearly(code: str, request: Request) -> Any:
        raise WrongSchool if code == rows.OTHER_CODE else NotFound

    planted = [("GET", "/api/v1/scholen/{code}/bijna"), ("GET", "/api/v1/scholen/{code}/vergeten")]
    assert leaks(two, two.me, planted) == [
        "GET /api/v1/scholen/{code}/bijna: 403 and 404",
        "GET /api/v1/scholen/{code}/vergeten: 200 and 200",
    ]


def test_an_id_of_another_school_is_as_absent_as_one_that_never_was(two: Two) -> None:
    own = {"code": rows.CODE}
    before = two.everything()
    differing, looked_at = [], 0
    for method, path in two.calls:
        for name in re.findall(r"\{(\w+)\}", path):
            if name not in two.theirs:
                continue
            looked_at += 1
            other = two.ask(method, path, two.me, **own, **{name: two.theirs[name]})
            absent = two.ask(method, path, two.me, **own, **{name: NOBODY})
            if (other.status_code, other.content) != (absent.status_code, absent.content) or other.status_code < 400:
                differing.append(f"{method} {path} {name}: {other.status_code} and {absent.status_code}")
    assert looked_at > 20
    assert differing == []
    assert two.everything() == before


def test_the_own_school_is_let_in_at_every_door(two: Two) -> None:
    """So that the equal bytes above are not those of a door that is shut for everybody."""
    shut = []
    for method, path in sorted(two.calls, key=lambda call: call[0] != "GET"):  # before anything is removed
        status = two.ask(method, path, two.me, code=rows.CODE).status_code
        is_known = set(re.findall(r"\{(\w+)\}", path)) <= {"code"} | set(two.good(method, path).values)
        if status in {401, 403} or (status == 404 and method == "GET" and is_known):
            shut.append(f"{method} {path}: {status}")
    assert shut == []


def test_every_door_of_the_api_stands_in_the_table_of_scopes(two: Two) -> None:
    people_only = {path for method, path in two.calls if path.startswith("/api/") and scopes_for(path, method) is None}
    assert people_only == {"/api/v1/scholen/{code}/sleutels", "/api/v1/scholen/{code}/sleutels/{key_id}"}
    needed = {scope for method, path in two.calls for scope in scopes_for(path, method) or ()}
    assert needed <= set(SCOPES), "every scope that is needed can be given"


def test_each_door_needs_exactly_the_scopes_of_the_table(two: Two) -> None:
    wrong = []
    for method, path in two.calls:
        needed = scopes_for(path, method)
        if needed is None:
            continue
        for missing in needed:
            _give(two, set(SCOPES) - {missing, missing.replace(":lezen", ":schrijven")})
            answer = two.ask(method, path, {**bearer(KEY), "Cookie": ""}, code=rows.CODE)
            body = answer.json() if answer.status_code == 403 else {}
            if (body.get("type"), body.get("scope")) != ("/problems/scope-missing", missing):
                wrong.append(f"{method} {path} without {missing}: {answer.status_code}")
    assert wrong == []


def _give(two: Two, scopes: set[str]) -> None:
    with writing(two.world.engine) as db:
        db.scalars(select(ApiKeyRow).where(ApiKeyRow.key_hash == hash_key(KEY))).one().scopes = " ".join(scopes)


# --- boards -----------------------------------------------------------------------------------------------------------

BOARDS = "/api/v1/operator/besturen"


def board(client: TestClient, schools: list[str], people: list[str], name: str = "Stichting De Beuk") -> dict[str, Any]:
    made = client.post(BOARDS, json={"naam": name}, headers=OPERATOR)
    assert made.status_code == 201
    body = {"naam": name, "scholen": schools, "beheerders": people}
    answer = client.put(f"{BOARDS}/{made.json()['id']}", json=body, headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_board_sees_its_schools_later_ones_too_and_no_others(client: TestClient) -> None:
    for code in ("99ZA00", "99ZB00", "99ZC00"):
        rows.add_school(engine_of(client), code)
    sign_in(client, user_name="bestuur@beuk.example")

    def seen() -> list[int]:
        paths = [f"/api/v1/scholen/{code}/groepen" for code in ("99ZA00", "99ZB00", "99ZC00")]
        return [client.get(path).status_code for path in paths]

    assert seen() == [404, 404, 404]
    board(client, ["99ZA00"], ["bestuur@beuk.example"])
    assert seen() == [200, 404, 404]
    board(client, ["99ZA00", "99ZC00"], ["bestuur@beuk.example"])
    assert seen() == [200, 404, 200]
    board(client, ["99ZB00"], ["Bestuur@Beuk.example "])
    assert seen() == [404, 200, 404]
    board(client, ["99ZB00"], [])
    assert seen() == [404, 404, 404]


def test_somebody_without_a_board_sees_no_school_without_one(client: TestClient) -> None:
    """Two NULLs are not the same board."""
    rows.add_school(engine_of(client))
    sign_in(client)
    assert client.get(f"/api/v1/scholen/{rows.CODE}/groepen").status_code == 404


def test_own_schools_stay_beside_those_of_the_board(client: TestClient) -> None:
    own = rows.add_school(engine_of(client))
    rows.add_school(engine_of(client), rows.OTHER_CODE)
    sign_in(client, own)
    board(client, [rows.OTHER_CODE], ["beheer@regenboog.example"])
    for code in (rows.CODE, rows.OTHER_CODE):
        assert client.get(f"/api/v1/scholen/{code}/groepen").status_code == 200
        body = {"soort": "groep", "naam": "Groep 8"}
        assert client.post(f"/api/v1/scholen/{code}/groepen", json=body).status_code == 201


def test_boards_are_listed_and_a_known_name_gives_the_same_board(client: TestClient) -> None:
    rows.add_school(engine_of(client))
    sign_in(client)
    first = board(client, [rows.CODE], ["beheer@regenboog.example"])
    assert client.post(BOARDS, json={"naam": "Stichting De Beuk"}, headers=OPERATOR).json() == first
    assert client.get(BOARDS, headers=OPERATOR).json() == {"besturen": [first]}
    assert first["scholen"] == [rows.CODE]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scholen": [rows.CODE, ABSENT]}, "/body/scholen/1"),
        ({"beheerders": ["nergens@beuk.example"]}, "/body/beheerders/0"),
        ({"naam": "Stichting De Eik"}, "/body/naam"),
        ({"scholen": ["geen code"]}, "/body/scholen/0"),
    ],
)
def test_what_is_not_there_cannot_be_put_in_a_board(client: TestClient, body: dict[str, Any], pointer: str) -> None:
    rows.add_school(engine_of(client))
    made = board(client, [rows.CODE], [])
    board(client, [], [], "Stichting De Eik")
    asked = {"naam": "Stichting De Beuk", "scholen": [], "beheerders": [], **body}
    answer = client.put(f"{BOARDS}/{made['id']}", json=asked, headers=OPERATOR)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert client.get(BOARDS, headers=OPERATOR).json()["besturen"][0] == made


def test_a_board_that_is_not_there_is_not_found_and_needs_the_operator(client: TestClient) -> None:
    body = {"naam": "x", "scholen": [], "beheerders": []}
    assert client.put(f"{BOARDS}/77", json=body, headers=OPERATOR).status_code == 404
    sign_in(client)
    for method, path in (("GET", BOARDS), ("POST", BOARDS), ("PUT", f"{BOARDS}/1")):
        assert client.request(method, path, json=body).status_code == 401
