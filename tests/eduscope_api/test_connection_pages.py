"""Schoolinstellingen as a person has it: the tick box, both sides' state, the nights, the pause, the domain."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from services.eduscope_api.nightly import School
from services.eduscope_api.tables import AnnouncedDomainRow, ChangeRow, OutboxRow, RunRow, SchoolRow
from shared.clock import local_date, now
from shared.database import reading, writing
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, add_pupil, add_school

HOME = f"/scholen/{CODE}/inrichten"
BASICS = f"{HOME}/schoolinstellingen"
CONNECTION = f"{BASICS}/koppelingen"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def school(client: TestClient) -> School:
    made = add_school(engine_of(client), ticked=False)
    sign_in(client, made)
    client.headers.update(PAGE)
    return made


def row_of(client: TestClient) -> SchoolRow:
    with reading(engine_of(client)) as db:
        row = db.scalars(select(SchoolRow)).one()
        db.expunge(row)
        return row


def a_warning(client: TestClient, school: School) -> None:
    with writing(engine_of(client)) as db:
        add_pupil(db, school.id, "p9", first_name="Loes", home_group_id=None)


@pytest.mark.usefixtures("school")
def test_the_tick_goes_on_and_says_what_is_left_to_do(client: TestClient) -> None:
    page = client.get(CONNECTION).text
    assert "Gegevens gaan één keer per dag, om 00:00 uur, naar Basispoort." in page
    assert "Alle controles zijn in orde" in page
    answer = client.post(CONNECTION, data={"basispoort": "ja"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{CONNECTION}?melding=aangevinkt")
    assert row_of(client).basispoort_on
    said = client.get(answer.headers["location"]).text
    assert "De koppeling met Basispoort is geactiveerd. Laatste stap: activeer de koppeling in Basispoort" in said
    with reading(engine_of(client)) as db:
        assert [message.topic for message in db.scalars(select(OutboxRow))] == ["aanmelding"]
        assert [(each.kind, each.source) for each in db.scalars(select(ChangeRow))] == [("school", "page")]
    assert client.post(CONNECTION, data={"basispoort": "nee"}).status_code == 422  # and no untick by mistake
    assert row_of(client).basispoort_on
    off = client.post(CONNECTION, data={})
    assert off.headers["location"].endswith("melding=uitgevinkt")
    assert not row_of(client).basispoort_on


def test_an_error_forbids_the_tick_and_is_named(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client), ticked=False, pupils=0))
    answer = client.post(CONNECTION, data={"basispoort": "ja"}, headers=PAGE)
    assert answer.status_code == 409
    assert "<title>Fout: " in answer.text
    assert 'role="alert"' in answer.text
    assert "De school heeft geen enkele actieve leerling." in answer.text
    assert not row_of(client).basispoort_on


def test_warnings_are_named_and_confirmed_with_their_number(client: TestClient, school: School) -> None:
    a_warning(client, school)
    asked = client.post(CONNECTION, data={"basispoort": "ja"})
    assert asked.status_code == 409
    assert "Loes van der Bijl p9 is niet gekoppeld aan een administratieve groep." in asked.text
    assert 'name="waarschuwingenGezien" value="1"' in asked.text
    for wrong in ("2", "0", "x", "9" * 30):
        body = {"basispoort": "ja", "waarschuwingenGezien": wrong}
        assert client.post(CONNECTION, data=body).status_code in {409, 422}
    assert not row_of(client).basispoort_on
    seen = client.post(CONNECTION, data={"basispoort": "ja", "waarschuwingenGezien": "1"})
    assert seen.status_code == 303
    assert row_of(client).basispoort_on


def test_the_checks_stand_on_top_with_a_link(client: TestClient, school: School) -> None:
    a_warning(client, school)
    page = client.get(CONNECTION).text
    assert "Leerlingen die niet aan een administratieve groep zijn gekoppeld: 1" in page
    assert page.index("Controles voor Basispoort") < page.index("Nu synchroniseren") < page.index('id="basispoort"')


@pytest.mark.usefixtures("school")
def test_synchronising_now_is_said_in_the_history(client: TestClient, hub: FakeHub) -> None:
    client.post(CONNECTION, data={"basispoort": "ja"})
    hub.schools[CODE].is_announced = True
    answer = client.post(f"{CONNECTION}/nu")
    assert answer.headers["location"].endswith("melding=nu")
    assert hub.sent == ["PUT"]
    assert "Alle gegevens zijn verstuurd (3 leerlingen, 1 personeelsleden, 1 groepen)" in client.get(CONNECTION).text
    for _ in range(9):
        client.post(f"{CONNECTION}/nu")
    assert client.post(f"{CONNECTION}/nu").status_code == 429


@pytest.mark.usefixtures("school")
def test_tonight_is_shown_with_names_and_nothing_is_sent(client: TestClient, hub: FakeHub) -> None:
    page = client.get(f"{CONNECTION}/vannacht").text
    assert "Noor van der Bijl p1" in page
    assert "er is niets verstuurd" in page
    assert hub.sent == []
    with reading(engine_of(client)) as db:
        assert db.scalars(select(RunRow)).all() == []


@pytest.mark.usefixtures("school")
def test_a_silent_hub_is_said_calmly(client: TestClient, hub: FakeHub) -> None:
    import httpx

    hub.answer_with[CODE] = httpx.Response(500)
    for path in (CONNECTION, f"{CONNECTION}/vannacht"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "op dit moment niet bereikbaar" in answer.text


@pytest.mark.usefixtures("school")
def test_pausing_until_a_date_and_going_on(client: TestClient) -> None:
    day = local_date(now()) + timedelta(days=40)
    assert (
        client.post(f"{CONNECTION}/pauze", data={"formulier": "pauze", "tot": str(day)})
        .headers["location"]
        .endswith("gepauzeerd")
    )
    assert row_of(client).paused_until == day
    assert f'value="{day}"' in client.get(CONNECTION).text
    assert client.post(f"{CONNECTION}/pauze", data={"formulier": "pauze", "tot": "31-07-2027"}).status_code == 422
    assert row_of(client).paused_until == day
    assert client.post(f"{CONNECTION}/pauze", content=b"<tot/>").status_code == 422
    assert row_of(client).paused_until == day
    assert (
        client.post(f"{CONNECTION}/pauze", data={"formulier": "pauze", "tot": ""})
        .headers["location"]
        .endswith("doorgaan")
    )
    assert row_of(client).paused_until is None


@pytest.mark.usefixtures("school")
def test_a_change_of_domain_is_announced_and_taken_back(client: TestClient) -> None:
    body = {"van": "oud.example", "naar": "nieuw.example"}
    assert client.post(f"{CONNECTION}/domeinen", data=body).headers["location"].endswith("melding=domein")
    with reading(engine_of(client)) as db:
        row = db.scalars(select(AnnouncedDomainRow)).one()
        assert (row.old_domain, row.new_domain) == ("oud.example", "nieuw.example")
    assert "oud.example" in client.get(CONNECTION).text
    for wrong in ({"van": "", "naar": ""}, {"van": "a b", "naar": "x"}, {"van": "o.example", "naar": "o.example"}):
        assert client.post(f"{CONNECTION}/domeinen", data=wrong).status_code == 422
    for unknown in ("", "anders.example", "oud\x00.example"):
        assert client.post(f"{CONNECTION}/domeinen/intrekken", data={"van": unknown}).status_code == 404
    gone = client.post(f"{CONNECTION}/domeinen/intrekken", data={"van": "oud.example"})
    assert gone.headers["location"].endswith("melding=domein-weg")
    with reading(engine_of(client)) as db:
        assert db.scalars(select(AnnouncedDomainRow)).all() == []


@pytest.mark.usefixtures("school")
def test_what_the_hub_holds_waits_for_confirmation_on_the_page(client: TestClient, monkeypatch: Any) -> None:
    from services.eduscope_api import connection_pages
    from services.eduscope_api.schools import ask_connection

    assert "Wacht op bevestiging" not in client.get(CONNECTION).text

    def held(*arguments: Any) -> Any:
        shown = ask_connection(*arguments)
        return shown.model_copy(update={"hub": shown.hub.model_copy(update={"held": 3})})

    monkeypatch.setattr(connection_pages, "ask_connection", held)
    assert "Basispoort houdt 3 wijzigingen vast" in client.get(CONNECTION).text


@pytest.mark.usefixtures("school")
def test_the_name_of_the_school_changes_through_the_history(client: TestClient) -> None:
    assert "Naam van de school" in client.get(BASICS).text
    assert client.post(BASICS, data={"naam": "De Beuk"}).status_code == 303
    assert row_of(client).name == "De Beuk"
    for wrong in ("", "   ", "x" * 257, "a\x00b"):
        refused = client.post(BASICS, data={"naam": wrong})
        assert refused.status_code == 422
        assert "Vul de naam van de school in" in refused.text
    with reading(engine_of(client)) as db:
        change = db.scalars(select(ChangeRow)).one()
        assert change.fields == {"naam": ["De Regenboog 99ZZ00", "De Beuk"]}


@pytest.mark.usefixtures("school")
def test_inrichten_leads_to_everything_that_can_be_set_up(client: TestClient) -> None:
    page = client.get(HOME).text
    for word in ("Schoolinstellingen", "EDEXML importeren", "EDEXML exporteren", "API-sleutels", "Geschiedenis"):
        assert word in page
    client.cookies.clear()
    assert client.get(HOME).status_code in {303, 401}
