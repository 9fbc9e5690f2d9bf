"""The portal as a whole: its database, its doors, its page, signing in and out."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from services.app_connector.tables import Base
from shared import migrate
from tests.app_connector.hub_simulator import SCHOOL, some_pupils
from tests.app_connector.portal import OPERATOR, Portal, a_portal

PAGE = {"Accept": "text/html"}


@pytest.fixture
def portal(make_engine: Callable[[str], Engine]) -> Portal:
    return a_portal(make_engine)


def test_the_migrations_make_exactly_the_tables(make_engine: Callable[[str], Engine]) -> None:
    assert migrate.drift(make_engine("app_connector"), Base.metadata) == []


def test_the_status_page_shows_the_school_and_its_apps(portal: Portal) -> None:
    portal.hub.pupils = some_pupils(3)
    portal.seed([])
    page = portal.client.get("/", headers=PAGE)
    assert page.status_code == 200
    assert "Basisschool De Proef" in page.text
    assert "Nog niet ingesteld" in page.text
    portal.synchronise_everything()
    assert "Synchronisatie met Basispoort is actief" in portal.client.get("/", headers=PAGE).text


def test_the_status_page_tells_a_stranger_what_this_is_and_nothing_more(portal: Portal) -> None:
    portal.client.cookies.clear()
    page = portal.client.get("/", headers=PAGE)
    assert 'href="/inloggen"' in page.text
    assert "De Proef" not in page.text


def test_after_signing_out_the_session_is_over(portal: Portal) -> None:
    cookie = portal.client.cookies["portal"]
    assert portal.client.get("/api/v1/overzicht").status_code == 200
    portal.client.post("/uitloggen", follow_redirects=False)
    portal.client.cookies.set("portal", cookie)
    assert portal.client.get("/api/v1/overzicht").status_code == 401


def test_a_wrong_password_and_an_unknown_name_get_one_answer(portal: Portal) -> None:
    answers = [
        portal.client.post("/inloggen", data={"gebruiker": name, "wachtwoord": "iets heel anders"})
        for name in ("ict@deproef.example", "niemand@deproef.example")
    ]
    bodies = [{key: value for key, value in answer.json().items() if key != "instance"} for answer in answers]
    assert bodies[0] == bodies[1]
    assert answers[0].status_code == answers[1].status_code == 401


def test_the_operators_calls_need_the_operators_key(portal: Portal) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = portal.client.post("/api/v1/operator/nacht", json={}, headers=headers)
        assert answer.json()["type"] == "/problems/caller-unknown"
    assert portal.client.post("/api/v1/operator/nacht", json={}, headers=OPERATOR).status_code == 200


def test_an_account_is_made_once_and_only_for_a_known_school(portal: Portal) -> None:
    portal.seed([])
    again = portal.operator("appaccounts", {"instellingsnummer": SCHOOL, "app": "taalblobs", "beheerder": "b"})
    assert again.json()["type"] == "/problems/app-account-exists"
    unknown = portal.operator("appaccounts", {"instellingsnummer": 99, "app": "taalblobs", "beheerder": "b"})
    assert unknown.status_code == 404
    loose = {"roepnaam": "Noor", "groep": "Geen"}
    body = {"instellingsnummer": SCHOOL, "app": "rekenblobs", "beheerder": "b", "leerlingen": [loose]}
    assert portal.operator("appaccounts", body).json()["type"] == "/problems/group-unknown"


def test_a_name_that_cannot_be_stored_is_nobodys(portal: Portal) -> None:
    """PostgreSQL cannot even look for a NUL."""
    for name in ("ict@deproef.example\0", "\0"):
        answer = portal.client.post("/inloggen", data={"gebruiker": name, "wachtwoord": "iets heel anders"})
        assert answer.status_code == 401


@pytest.mark.parametrize("password", ["\0", "een lang wachtwoord\0"])
def test_a_password_holds_no_nul(portal: Portal, password: str) -> None:
    user = {"gebruiker": "iemand@deproef.example", "wachtwoord": password, "rol": "helpdesk"}
    assert portal.operator("gebruikers", user).status_code == 422


@pytest.mark.parametrize(("sent", "status"), [(1, 422), ("true", 422), (None, 422), (True, 201)])
def test_whether_a_teacher_is_administrator_is_true_or_false(portal: Portal, sent: object, status: int) -> None:
    body = {"instellingsnummer": SCHOOL, "app": "rekenblobs", "beheerder": "baas@deproef.example"}
    teachers = [{"achternaam": "Hagen", "emailadres": "hagen@deproef.example", "isBeheerder": sent}]
    assert portal.operator("appaccounts", {**body, "docenten": teachers}).status_code == status


@pytest.mark.parametrize(("sent", "status"), [(2**31 - 1, 201), (2**31, 422), (2**53 + 1, 422), (-1, 422)])
def test_a_count_is_one_that_every_database_holds(portal: Portal, sent: int, status: int) -> None:
    body = {"instellingsnummer": SCHOOL, "app": "rekenblobs", "beheerder": "baas@deproef.example"}
    pupils = [{"achternaam": "Bijl", "opdrachten": sent}]
    assert portal.operator("appaccounts", {**body, "plaatsen": sent, "leerlingen": pupils}).status_code == status


def test_a_version_that_no_draft_can_have_is_refused(portal: Portal) -> None:
    """Asking PostgreSQL for it would be a fault of ours."""
    body = {"vingerafdruk": f"p1:{'0' * 64}", "versie": 2**31}
    for step in ("bevestigen", "terugdraaien"):
        assert portal.post(step, body, status=422)["type"] == "/problems/invalid-request"
