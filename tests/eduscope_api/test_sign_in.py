"""Signing in and out, and the operator who appoints administrators."""

from datetime import timedelta

import time_machine
from fastapi.testclient import TestClient
from sqlalchemy import select

from services.eduscope_api.tables import AdministratorRow, SessionRow
from shared.clock import now
from shared.database import reading
from tests.eduscope_api.conftest import OPERATOR_KEY, PASSWORD
from tests.eduscope_api.doors import USER, engine_of, sign_in
from tests.eduscope_api.rows import CODE, add_school

OPERATOR = {"Authorization": f"Bearer {OPERATOR_KEY}"}
API = f"/api/v1/scholen/{CODE}"


def attempt(client: TestClient, user_name: str = USER, password: str = PASSWORD) -> int:
    return client.post("/inloggen", data={"gebruiker": user_name, "wachtwoord": password}).status_code


def test_an_administrator_signs_in_works_and_signs_out(client: TestClient, password_hash: str) -> None:
    sign_in(client, add_school(engine_of(client)), password_hash=password_hash)
    client.cookies.clear()
    assert client.get(f"{API}/personeel").status_code == 401
    answer = client.post("/inloggen", data={"gebruiker": f" {USER.upper()}", "wachtwoord": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert client.get(f"{API}/personeel").status_code == 200
    cookie = client.cookies["eduscope"]
    client.post("/uitloggen")
    client.cookies.set("eduscope", cookie)
    assert client.get(f"{API}/personeel").status_code == 401


def test_the_cookie_itself_is_stored_nowhere(client: TestClient) -> None:
    sign_in(client)
    with reading(engine_of(client)) as db:
        assert client.cookies["eduscope"] not in db.scalars(select(SessionRow.id_hash)).all()


def test_unknown_and_wrong_get_the_same_answer(client: TestClient, password_hash: str) -> None:
    sign_in(client, password_hash=password_hash)
    form = {"wachtwoord": "helemaal verkeerd geraden"}
    wrong = client.post("/inloggen", data={"gebruiker": USER, **form})
    unknown = client.post("/inloggen", data={"gebruiker": "niemand@regenboog.example", **form})
    assert wrong.status_code == unknown.status_code == 401
    assert {**wrong.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    page = client.post("/inloggen", data={"gebruiker": USER, **form}, headers={"Accept": "text/html"})
    assert "klopt niet" in page.text
    assert form["wachtwoord"] not in page.text


def test_guessing_meets_growing_pauses_for_known_and_unknown_alike_and_locks_nobody_out(
    client: TestClient, password_hash: str
) -> None:
    sign_in(client, password_hash=password_hash)
    with time_machine.travel(now(), tick=False) as clock:
        for user_name in (USER, "niemand@regenboog.example"):
            assert [attempt(client, user_name, "mis") for _ in range(7)] == [401] * 5 + [429] * 2
        assert attempt(client) == 429
        clock.shift(timedelta(seconds=6))
        assert attempt(client, password="mis") == 401
        assert attempt(client) == 429
        clock.shift(timedelta(minutes=15))
        assert attempt(client) == 303
        assert [attempt(client, password="mis") for _ in range(5)] == [401] * 5


def test_odd_input_at_the_door_is_a_plain_refusal(client: TestClient) -> None:
    for odd in ("\x00", "a" * 300, "' or 1=1 --", "%", "\u202e"):
        assert attempt(client, odd, odd) == 401
    assert client.post("/inloggen", data={"gebruiker": "x"}).status_code == 422


def test_a_form_from_another_site_is_refused(client: TestClient) -> None:
    answer = client.post("/inloggen", data={}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_the_operator_makes_schools_and_administrators(client: TestClient) -> None:
    school = {"code": "99zz", "naam": "De Regenboog"}
    assert client.post("/api/v1/operator/scholen", json=school).status_code == 401
    assert (
        client.post("/api/v1/operator/scholen", json=school, headers={"Authorization": "Bearer no"}).status_code == 401
    )
    assert client.post("/api/v1/operator/scholen", json=school, headers=OPERATOR).json()["code"] == CODE
    body = {"gebruiker": USER.upper(), "wachtwoord": PASSWORD, "scholen": [CODE]}
    assert client.post("/api/v1/operator/beheerders", json=body, headers=OPERATOR).status_code == 201
    assert attempt(client) == 303
    assert client.get(f"{API}/groepen").json() == {"groepen": [], "totaal": 0, "volgende": None}


def test_a_new_password_ends_the_sessions_and_replaces_the_schools(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client)))
    body = {"gebruiker": USER, "wachtwoord": PASSWORD, "scholen": []}
    assert client.post("/api/v1/operator/beheerders", json=body, headers=OPERATOR).status_code == 201
    assert client.get(f"{API}/groepen").status_code == 401
    attempt(client)
    assert client.get(f"{API}/groepen").status_code == 404


def test_a_weak_password_or_an_unknown_school_appoints_nobody(client: TestClient) -> None:
    weak = {"gebruiker": USER, "wachtwoord": "welkom01", "scholen": []}
    unknown = {"gebruiker": USER, "wachtwoord": PASSWORD, "scholen": ["99XX00"]}
    for body in (weak, unknown):
        answer = client.post("/api/v1/operator/beheerders", json=body, headers=OPERATOR)
        assert answer.status_code == 422
        assert "welkom01" not in answer.text
    with reading(engine_of(client)) as db:
        assert db.scalars(select(AdministratorRow)).all() == []
