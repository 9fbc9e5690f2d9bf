"""Signing in and out: equal answers for unknown and wrong, growing pauses, whose school is whose."""

from datetime import timedelta

import pytest
import time_machine
from fastapi import Request
from fastapi.testclient import TestClient

from services.basispoort_hub import sign_in
from services.basispoort_hub.sign_in import read_coordinated_school
from shared.clock import now
from shared.database import writing
from shared.problems import NotSignedIn
from tests.basispoort_hub.hub import CODE, PASSWORD, Hub, answered

ANNA = "anna@school.example"
NOBODY = "niemand@school.example"
BROWSER = {"Accept": "text/html"}


def attempt(client: TestClient, email: str, password: str, **headers: str) -> tuple[int, str]:
    answer = client.post("/inloggen", data={"gebruiker": email, "wachtwoord": password}, headers=headers)
    body = answer.json() if "json" in answer.headers["content-type"] else {"page": answer.text.replace(email, "")}
    body.pop("instance", None)
    return answer.status_code, str(body)


@pytest.fixture
def anna(hub: Hub) -> TestClient:
    hub.add_school()
    return hub.a_coordinator(ANNA)


def test_the_address_is_the_user_name_however_it_is_typed(hub: Hub, anna: TestClient) -> None:
    hub.sign_in(f"  {ANNA.upper()} ")


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_unknown_wrong_and_not_yet_active_cannot_be_told_apart(hub: Hub, accept: str) -> None:
    hub.appoint("nieuw@school.example")
    answers = {
        attempt(hub.client(), email, "iets anders dan het goede", Accept=accept)
        for email in (ANNA, NOBODY, "nieuw@school.example")
    }
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401


@pytest.mark.usefixtures("anna")
def test_an_unknown_address_costs_as_much_as_a_wrong_password(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str | None] = []

    def compare(hashed: str | None, _password: str) -> bool:
        calls.append(hashed)
        return False

    monkeypatch.setattr(sign_in, "password_fits", compare)
    attempt(hub.client(), NOBODY, PASSWORD)
    attempt(hub.client(), ANNA, "fout wachtwoord")
    assert [hashed is None for hashed in calls] == [True, False]


@pytest.mark.usefixtures("anna")
def test_pauses_grow_alike_for_known_and_unknown_and_nobody_is_locked_out_for_good(hub: Hub) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        for email in (ANNA, NOBODY):
            statuses = [attempt(hub.client(), email, "fout")[0] for _ in range(7)]
            assert statuses == [401] * 5 + [429] * 2
        assert attempt(hub.client(), ANNA, PASSWORD)[0] == 429
        assert attempt(hub.client(), ANNA, "fout") == attempt(hub.client(), NOBODY, "fout")
        clock.shift(timedelta(minutes=16))
        hub.sign_in(ANNA)
        assert [attempt(hub.client(), ANNA, "fout")[0] for _ in range(4)] == [401] * 4


def test_signing_out_ends_the_session(hub: Hub, anna: TestClient) -> None:
    stolen = dict(anna.cookies)
    answer = anna.post("/uitloggen")
    assert (answer.status_code, answer.headers["location"]) == (303, "/inloggen?bericht=uitgelogd")
    thief = hub.client()
    thief.cookies.update(stolen)
    assert thief.get(f"/api/v1/scholen/{CODE}/koppeling").status_code == 401


def test_a_session_ends_after_eight_hours(hub: Hub, anna: TestClient) -> None:
    with time_machine.travel(now() + timedelta(hours=9)):
        assert anna.get(f"/api/v1/scholen/{CODE}/koppeling").status_code == 401


def test_every_sign_in_is_a_new_session_and_the_one_of_before_ends(hub: Hub, anna: TestClient) -> None:
    old = dict(anna.cookies)
    answered(anna.post("/inloggen", data={"gebruiker": ANNA, "wachtwoord": PASSWORD}), 303)
    assert dict(anna.cookies) != old
    before = hub.client()
    before.cookies.update(old)
    assert before.get("/api/v1/uitnodigingen").status_code == 401


def test_the_cookie_is_closed_to_scripts_and_other_sites(hub: Hub, anna: TestClient) -> None:
    answer = hub.client().post("/inloggen", data={"gebruiker": ANNA, "wachtwoord": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("hub=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_a_sign_in_from_another_site_is_refused(hub: Hub, anna: TestClient) -> None:
    status, _ = attempt(hub.client(), ANNA, PASSWORD, **{"Sec-Fetch-Site": "cross-site"})
    assert status == 403


@pytest.mark.parametrize("path", ["koppeling", "leerkrachten", "uitgeverijen"])
def test_anothers_school_looks_like_one_that_does_not_exist(hub: Hub, anna: TestClient, path: str) -> None:
    hub.add_school("99ZB00", "De Horizon")
    answers = [anna.get(f"/api/v1/scholen/{code}/{path}") for code in ("99ZB00", "99ZC00", "onzin")]
    bodies = [{**answer.json(), "instance": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert bodies[0] == bodies[1] == bodies[2]
    assert anna.get(f"/api/v1/scholen/{CODE.lower()}/{path}").status_code == 200


def test_a_stranger_is_asked_to_sign_in_before_anything_else(hub: Hub) -> None:
    hub.add_school()
    client = hub.client()
    for method, path in [
        ("GET", f"/api/v1/scholen/{CODE}/koppeling"),
        ("PUT", f"/api/v1/scholen/{CODE}/koppeling"),
        ("PUT", f"/api/v1/scholen/{CODE}/aanmelding"),
        ("PUT", f"/api/v1/scholen/{CODE}/uitgeverijen/x"),
        ("POST", f"/api/v1/scholen/{CODE}/edexml"),
        ("POST", f"/api/v1/scholen/{CODE}/leerkrachten/1/activatielink"),
        ("POST", "/api/v1/uitnodigingen/1/aanvaarden"),
        ("POST", "/api/v1/operator/scholen"),
        ("DELETE", f"/api/v1/operator/scholen/{CODE}/coordinatoren/1"),
    ]:
        assert client.request(method, path, json={"onzin": True}).status_code == 401, path


def test_a_coordinator_who_is_dismissed_and_works_nowhere_is_signed_out_at_once(hub: Hub, anna: TestClient) -> None:
    hub.appoint("tweede@school.example")
    account_id = hub.account(ANNA).id
    answered(hub.operator().delete(f"/api/v1/operator/scholen/{CODE}/coordinatoren/{account_id}"), 204)
    assert anna.get(f"/api/v1/scholen/{CODE}/koppeling").status_code == 401


def test_odd_input_gets_a_clear_answer(hub: Hub) -> None:
    for typed in ("", "\x00", "a@b@c", "x" * 1001, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        status, body = attempt(hub.client(), typed, "y" * 1000)
        assert status in {401, 422}
        assert not typed or typed not in body


def test_the_school_can_be_read_and_locked_in_the_transaction_that_writes(hub: Hub, anna: TestClient) -> None:
    cookie = f"hub={anna.cookies['hub']}"
    request = Request({"type": "http", "app": hub.app, "headers": [(b"cookie", cookie.encode())]})
    stranger = Request({"type": "http", "app": hub.app, "headers": []})
    with writing(hub.engine) as db:
        assert read_coordinated_school(request, db, CODE, lock=True).code == CODE
        with pytest.raises(NotSignedIn):
            read_coordinated_school(stranger, db, CODE)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/api/v1/scholen/{CODE}/leerkrachten/{10**30}/activatielink"),
        ("POST", f"/api/v1/uitnodigingen/{10**30}/aanvaarden"),
        ("POST", f"/uitnodigingen/{10**30}/aanvaarden"),
        ("POST", f"/api/v1/scholen/{CODE}/vastgehouden/{10**30}"),
        ("PUT", f"/api/v1/scholen/{CODE}/uitgeverijen/%00"),
        ("PUT", f"/api/v1/scholen/{CODE}%00/koppeling"),
        ("GET", f"/?school={CODE}%00"),
        ("GET", "/activeren/1.%00"),
    ],
)
def test_an_address_with_odd_parts_is_refused_before_the_database_sees_it(
    anna: TestClient, method: str, path: str
) -> None:
    bodies = {
        "uitgeverijen": {"toestemming": True},
        "vastgehouden": {"besluit": "loslaten"},
        "koppeling": {"administratie": "EDUscope", "actief": True},
    }
    body = next((value for word, value in bodies.items() if word in path), None)
    assert anna.request(method, path, json=body).status_code in {200, 404, 410, 422}
