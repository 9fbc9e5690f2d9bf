"""The checks, the Basispoort tick, both sides' state, and runs that people ask for."""

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from services.eduscope_api.contacts import save_addresses
from services.eduscope_api.domains import ANNOUNCEMENT
from services.eduscope_api.nightly import School
from services.eduscope_api.schools import send_announcement
from services.eduscope_api.tables import OutboxRow, SchoolRow, StaffRow
from shared.clock import now
from shared.database import reading, writing
from shared.outbox import SendFailed, deliver_due
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, add_member, add_school

API = f"/api/v1/scholen/{CODE}"


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client), ticked=False)
    sign_in(client, school)
    return school


def announce(client: TestClient, hub: FakeHub) -> int:
    engine = engine_of(client)
    senders = {ANNOUNCEMENT: lambda _id, body: send_announcement(engine, hub.client(), body)}
    return deliver_due(engine, OutboxRow, senders, now)


def test_the_tick_is_set_and_told_to_the_hub(client: TestClient, hub: FakeHub, school: School) -> None:
    hub.schools[CODE].is_announced = False
    assert client.get(f"{API}/koppeling").json()["hub"]["koppelingActief"] is False
    answer = client.put(f"{API}/koppeling", json={"basispoort": True, "waarschuwingenGezien": 0})
    assert (answer.status_code, answer.json()["basispoort"]) == (200, True)
    assert announce(client, hub) == 1
    assert hub.schools[CODE].is_announced
    state = client.get(f"{API}/koppeling").json()
    assert (state["basispoort"], state["hub"]["koppelingActief"], state["hub"]["bereikbaar"]) == (True, True, True)


def test_ticking_twice_tells_the_hub_once(client: TestClient, hub: FakeHub, school: School) -> None:
    for _ in range(2):
        client.put(f"{API}/koppeling", json={"basispoort": True})
    assert announce(client, hub) == 1


def test_an_old_announcement_tells_how_the_tick_stands_now(client: TestClient, hub: FakeHub, school: School) -> None:
    for ticked in (True, False):
        client.put(f"{API}/koppeling", json={"basispoort": ticked})
    with reading(engine_of(client)) as db:
        oldest = db.scalars(select(OutboxRow).order_by(OutboxRow.id)).first()
        assert oldest is not None
    send_announcement(engine_of(client), hub.client(), oldest.body)
    assert not hub.schools[CODE].is_announced


def test_a_hub_that_is_down_gets_the_announcement_later(client: TestClient, hub: FakeHub, school: School) -> None:
    hub.answer_with[CODE] = httpx.Response(503)
    with pytest.raises(SendFailed) as failed:
        send_announcement(engine_of(client), hub.client(), {"school": school.id})
    assert not failed.value.permanent


def test_errors_forbid_the_tick_and_are_all_listed(client: TestClient, school: School) -> None:
    with writing(engine_of(client)) as db:
        add_member(db, school.id, "m2", email="m1@regenboog.example")
    answer = client.put(f"{API}/koppeling", json={"basispoort": True, "waarschuwingenGezien": 99})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-ready")
    assert len(answer.json()["objections"]) == 2
    assert client.get(f"{API}/koppeling").json()["basispoort"] is False


def test_warnings_are_confirmed_with_their_number(client: TestClient, hub: FakeHub, school: School) -> None:
    with writing(engine_of(client)) as db:
        save_addresses(db, {db.scalars(select(StaffRow.id)).one(): None})
        add_member(db, school.id, "m2")
    found = client.get(f"{API}/controles").json()
    assert (found["fouten"], found["waarschuwingen"]) == (0, 2)
    for seen, status in ((None, 409), (1, 409), (3, 409), (2, 200)):
        body = {"basispoort": True, "waarschuwingenGezien": seen}
        assert client.put(f"{API}/koppeling", json=body).status_code == status
    assert announce(client, hub) == 1


def test_unticking_needs_no_checks(client: TestClient, hub: FakeHub, school: School) -> None:
    client.put(f"{API}/koppeling", json={"basispoort": True})
    with writing(engine_of(client)) as db:
        add_member(db, school.id, "m2", email="m1@regenboog.example")
    assert client.put(f"{API}/koppeling", json={"basispoort": False}).status_code == 200
    announce(client, hub)
    assert not hub.schools[CODE].is_announced


@pytest.mark.parametrize(
    ("answer", "reachable"),
    [
        (httpx.Response(503), False),
        (httpx.Response(200, text="<html>"), False),
        (httpx.Response(403, json={"type": "/problems/wrong-school"}), True),
        (httpx.Response(404, json={"type": "/problems/not-found"}), True),
    ],
    ids=["down", "nonsense", "not chosen", "unknown"],
)
def test_a_hub_that_does_not_play_along_is_said_calmly(
    client: TestClient, hub: FakeHub, school: School, answer: httpx.Response, reachable: bool
) -> None:
    hub.answer_with[CODE] = answer
    shown = client.get(f"{API}/koppeling")
    assert shown.status_code == 200
    assert shown.json()["hub"]["bereikbaar"] is reachable
    assert "Basispoort" in shown.json()["hub"]["zin"]
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200


def test_a_run_at_once_with_its_dry_run_and_history(client: TestClient, hub: FakeHub, school: School) -> None:
    assert client.post(f"{API}/koppeling/nu").json()["uitkomst"] == "wacht"
    client.put(f"{API}/koppeling", json={"basispoort": True})
    trial = client.get(f"{API}/koppeling/proef").json()
    assert (trial["hoe"], len(trial["wie"])) == ("alles", 5)
    assert client.post(f"{API}/koppeling/nu").json()["uitkomst"] == "alles"
    assert client.get(f"{API}/koppeling/proef").json()["wie"] == []
    history = client.get(f"{API}/koppeling/nachten").json()["runs"]
    assert [run["uitkomst"] for run in history] == ["alles", "wacht"]
    assert history[0]["aantallen"]["leerlingen"] == {"nieuw": 3, "gewijzigd": 0, "verwijderd": 0}


def test_too_many_runs_get_429_with_a_time(client: TestClient, school: School) -> None:
    statuses = [client.post(f"{API}/koppeling/nu") for _ in range(11)]
    assert [each.status_code for each in statuses] == [200] * 10 + [429]
    assert 0 < int(statuses[-1].headers["retry-after"]) <= 601


def test_a_school_can_pause(client: TestClient, school: School) -> None:
    assert client.put(f"{API}/koppeling/pauze", json={"tot": "2099-08-20"}).status_code == 204
    client.put(f"{API}/koppeling", json={"basispoort": True})
    assert "gepauzeerd tot 20-08-2099" in client.get(f"{API}/koppeling").json()["zin"]
    client.put(f"{API}/koppeling/pauze", json={"tot": None})
    with reading(engine_of(client)) as db:
        assert db.get_one(SchoolRow, school.id).paused_until is None


def test_the_status_page_shows_school_switches_and_runs(client: TestClient, school: School) -> None:
    client.put(f"{API}/koppeling", json={"basispoort": True})
    client.post(f"{API}/koppeling/nu")
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert "De Regenboog" in page
    assert "Alle gegevens zijn verstuurd" in page
    assert "Uitloggen" in page
    client.cookies.clear()
    assert "Inloggen" in client.get("/", headers={"Accept": "text/html"}).text


def test_an_administrator_of_two_schools_switches_between_them(client: TestClient) -> None:
    one, two = add_school(engine_of(client)), add_school(engine_of(client), "99ZY01", pupils=0)
    sign_in(client, one, two)
    assert "<h1>De Regenboog 99ZZ00" in client.get(f"/?school={CODE}").text
    assert "<h1>De Regenboog 99ZY01" in client.get("/?school=99ZY01").text
