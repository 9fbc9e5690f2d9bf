"""The wizard over the interface: steps in order, choices kept, seats counted, nobody else's school."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tests.app_connector.hub_simulator import SCHOOL, a_pupil, a_teacher
from tests.app_connector.portal import PASSWORD, Portal, a_portal, app_pupil


@pytest.fixture
def portal(make_engine: Callable[[str], Engine]) -> Portal:
    portal = a_portal(make_engine)
    portal.hub.pupils = [a_pupil(1001, "Noor", "Bakker"), a_pupil(1002, "Daan", "Vos"), a_pupil(1003, "Mila", "Prins")]
    portal.hub.staff = [
        a_teacher(2001, "Lia", "Testman"),
        a_teacher(2002, "Wout", "Nepstra"),
        a_teacher(2003, "Ico", "Ordinator", roles=["ICTCoordinator"]),
        a_teacher(2004, "Weg", "Gegaan", ends_on="2020-01-01"),
        a_teacher(2005, "In", "Valler", roles=["Inval"], ends_on="2099-01-01"),
    ]
    return portal


def test_no_step_can_be_done_before_the_mode_is_chosen(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")])
    for answer in (
        portal.post("automatisch", status=409),
        portal.put("leerlingen", {"basispoort": []}, 409),
        portal.get("controleren", 409),
    ):
        assert answer["type"] == "/problems/wizard-out-of-order"


def test_selective_needs_every_step_in_order(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")])
    portal.put("wijze", {"wijze": "selectief"})
    assert portal.put("docenten", {"basispoort": []}, 409)["stap"] == 1
    assert portal.get("controleren", 409)["stap"] == 1
    portal.put("leerlingen", {"basispoort": [1002]})
    assert portal.get("controleren", 409)["stap"] == 3
    portal.put("docenten", {"basispoort": [2001]})
    plan = portal.get("controleren")
    assert plan["aantallenLeerlingen"]["nieuw"] == 1
    assert plan["nieuwkomers"] == [1001, 1003]


def test_selective_takes_the_pairs_and_the_chosen_and_nobody_else(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker", work=50), app_pupil("On", "Bekend")])
    portal.put("wijze", {"wijze": "selectief"})
    portal.post("automatisch")
    portal.put("leerlingen", {"basispoort": [1002]})
    portal.put("docenten", {"basispoort": [2002]})
    portal.confirm(portal.post("controleren"))
    app = portal.app()
    assert {each["basispoort"] for each in app["leerlingen"]} == {1001, 1002}
    assert {each["basispoort"] for each in app["docenten"]} == {2002}
    assert app["verschillen"]["zin"] == "1 nieuwe leerling, 0 vertrokken; 2 nieuwe docenten, 0 vertrokken"


def test_everything_takes_all_teachers_but_no_mere_coordinator_and_nobody_who_left(portal: Portal) -> None:
    portal.seed([])
    portal.synchronise_everything()
    assert {each["basispoort"] for each in portal.app()["docenten"]} == {2001, 2002, 2005}


def test_with_everything_there_is_nothing_to_choose(portal: Portal) -> None:
    portal.seed([])
    portal.put("wijze", {"wijze": "alles"})
    assert portal.put("leerlingen", {"basispoort": []}, 409)["type"] == "/problems/choice-fixed"
    assert portal.put("docenten", {"basispoort": []}, 409)["type"] == "/problems/choice-fixed"


def test_more_people_than_seats_are_refused_in_steps_2_and_3_and_in_everything(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")], plaatsen=2, plaatsenDocenten=1)
    portal.put("wijze", {"wijze": "selectief"})
    portal.post("automatisch")
    refused = portal.put("leerlingen", {"basispoort": [1002, 1003]}, 409)
    assert (refused["type"], refused["plaatsen"], refused["gekozen"]) == ("/problems/too-few-seats", 2, 3)
    portal.put("leerlingen", {"basispoort": [1002]})
    assert portal.put("docenten", {"basispoort": [2001, 2002]}, 409)["type"] == "/problems/too-few-seats"
    portal.put("wijze", {"wijze": "alles"})
    assert portal.post("controleren", status=409)["type"] == "/problems/too-few-seats"


def test_suggestions_come_with_a_score_and_a_reason_and_can_be_confirmed(portal: Portal) -> None:
    portal.seed([app_pupil("Nor", "Baker"), app_pupil("Daan", "Vos")])
    portal.put("wijze", {"wijze": "selectief"})
    assert portal.post("automatisch")["meldingen"] == ["1 leerling gekoppeld."]
    (suggestion,) = portal.get("voorstellen")
    assert suggestion["basispoort"] == 1001
    assert 72 <= suggestion["score"] < 100
    assert "zelfde groep" in suggestion["reden"]
    draft = portal.post("paren", [{"leerling": suggestion["leerling"], "basispoort": 1001}])
    assert [pair["hoe"] for pair in draft["paren"]] == ["gelijke naam", "handmatig"]
    undone = portal.client.delete(f"{portal.base}/paren/{suggestion['leerling']}").json()
    assert undone["ongekoppeld"] == 1


def test_nobody_is_in_two_pairs_and_nobody_unknown_in_one(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker"), app_pupil("Daan", "Vos")])
    portal.put("wijze", {"wijze": "selectief"})
    first, second = (each["id"] for each in portal.app()["leerlingen"])
    portal.post("paren", [{"leerling": first, "basispoort": 1001}])
    twice = portal.post("paren", [{"leerling": second, "basispoort": 1001}], 409)
    assert twice["type"] == "/problems/already-paired"
    unknown = portal.post("paren", [{"leerling": second, "basispoort": 9}], 422)
    assert (unknown["type"], unknown["onbekend"]) == ("/problems/unknown-people", 1)


def test_changing_the_mode_walks_the_steps_again_and_keeps_the_pairs(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")])
    portal.put("wijze", {"wijze": "selectief"})
    portal.post("automatisch")
    portal.put("leerlingen", {"basispoort": []})
    portal.put("docenten", {"basispoort": []})
    draft = portal.put("wijze", {"wijze": "alles"})
    assert (draft["stap"], len(draft["paren"])) == (0, 1)
    back = portal.put("wijze", {"wijze": "selectief"})
    assert back["stap"] == 0
    portal.get("controleren", 409)


def test_synchronise_again_opens_step_4_with_newcomers_unticked(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker", work=9)])
    portal.put("wijze", {"wijze": "selectief"})
    portal.post("automatisch")
    portal.put("leerlingen", {"basispoort": [1002]})
    portal.put("docenten", {"basispoort": [2001]})
    portal.confirm(portal.post("controleren"))
    portal.hub.pupils = [each for each in portal.hub.pupils if each["id"] != 1002] + [a_pupil(1004, "Nieuw", "Kind")]
    portal.post("synchroniseren")
    plan = portal.post("controleren")
    assert plan["nieuwkomers"] == [1003, 1004]
    assert plan["aantallenLeerlingen"] == {"blijven": 1, "wijzigen": 0, "nieuw": 0, "verwijderd": 1}
    portal.put("leerlingen", {"basispoort": [1004]})
    portal.confirm(portal.post("controleren"))
    assert {each["basispoort"] for each in portal.app()["leerlingen"]} == {1001, 1004}


def test_a_cancelled_draft_is_gone_and_the_app_as_it_was(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")])
    portal.put("wijze", {"wijze": "alles"})
    assert portal.app()["concept"] == {"versie": 1, "wijze": "alles", "stap": 0}
    assert portal.client.delete(portal.base).status_code == 204
    assert portal.app()["concept"] is None
    assert len(portal.app()["leerlingen"]) == 1


def test_without_an_active_connection_there_is_no_wizard(make_engine: Callable[[str], Engine]) -> None:
    portal = a_portal(make_engine, connected=False)
    portal.seed([])
    assert portal.put("wijze", {"wijze": "alles"}, 409)["type"] == "/problems/connection-inactive"


def test_an_answer_without_pupils_starts_nothing(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")])
    portal.hub.mood = "no-pupils"
    assert portal.put("wijze", {"wijze": "alles"}, 502)["type"] == "/problems/upstream-failed"
    assert portal.client.get("/api/v1/overzicht").json()["storing"] is not None


def test_a_coordinator_of_two_schools_chooses_one_and_sees_no_other(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")])
    portal.operator("scholen", {"instellingsnummer": 4712, "naam": "De Andere", "code": "99ZZ01"})
    portal.operator("scholen", {"instellingsnummer": 4713, "naam": "De Derde", "code": "99ZZ02"})
    user = {"gebruiker": "twee@deproef.example", "wachtwoord": PASSWORD, "rol": "coordinator"}
    assert portal.operator("gebruikers", {**user, "scholen": [SCHOOL, 4712]}).status_code == 204
    portal.sign_in("twee@deproef.example")
    assert portal.client.get("/api/v1/overzicht").json()["type"] == "/problems/school-not-chosen"
    assert portal.client.put("/api/v1/school", json={"instellingsnummer": 4713}).status_code == 404
    assert portal.client.put("/api/v1/school", json={"instellingsnummer": 4712}).status_code == 200
    assert portal.client.get("/api/v1/overzicht").json()["school"]["naam"] == "De Andere"
    assert portal.client.get("/api/v1/apps/taalblobs").status_code == 404
    assert portal.client.put("/api/v1/school", json={"instellingsnummer": SCHOOL}).status_code == 200
    assert len(portal.app()["leerlingen"]) == 1


def test_an_if_match_without_a_version_is_none_that_fits(portal: Portal) -> None:
    portal.seed([app_pupil("Noor", "Bakker")])
    portal.put("wijze", {"wijze": "selectief"})
    for sent, status in (("", 409), (" ", 409), ('""', 409), ("*", 200)):
        path = f"{portal.base}/leerlingen"
        answer = portal.client.put(path, json={"basispoort": [1002]}, headers={"If-Match": sent})
        assert answer.status_code == status, sent
