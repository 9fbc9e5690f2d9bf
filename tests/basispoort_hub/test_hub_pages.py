"""The hub's pages in every state a person can meet: what they say, what comes next, what a form answers."""

from typing import Any

import pytest
from httpx2 import Response

from shared.roster import Roster
from tests.basispoort_hub.hub import CODE, PASSWORD, Hub, answered
from tests.factories import a_group, a_pupil, a_staff_member

HTML = {"Accept": "text/html"}
ANNA, BEP = "anna@school.example", "bep@school.example"
OTHER = "99ZB00"
SMALL = Roster.of([a_group(), a_pupil("p1"), a_staff_member("m1", email=ANNA), a_staff_member("m2", email=BEP)])


def page(client: Any, path: str, status: int = 200) -> str:
    answer: Response = client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    return str(answer.text)


def post(client: Any, path: str, form: dict[str, str] | None = None) -> tuple[str, str]:
    """Where a form leads, and what the page there says."""
    answer = client.post(path, data=form or {}, headers=HTML)
    assert answer.status_code == 303, answer.text
    shown = page(client, answer.headers["location"])
    return answer.headers["location"], shown.split('role="status">', 1)[1].split("</div>", 1)[0]


class School:
    """A connected school with two teachers; Anna activated her account."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.number = hub.add_school()
        self.chief = hub.a_coordinator()
        self.key = hub.administration_key()
        hub.switch_on(self.chief, self.key)
        hub.push(self.key, SMALL)
        hub.activate(ANNA)

    def end(self, code: str = CODE, **more: str) -> None:
        case = {"soort": "sluiten", "reden": "besluit van het bestuur", **more}
        path = f"/api/v1/operator/scholen/{code}/zaak"
        told = answered(self.hub.operator().post(path, json=case), 200)
        answered(self.hub.operator().post(path, json={**case, "vingerafdruk": told["vingerafdruk"]}), 200)


@pytest.fixture
def school(hub: Hub) -> School:
    return School(hub)


# --- Leerkrachten -----------------------------------------------------------------------------------------------------


def test_a_link_is_sent_again_from_the_list_to_who_did_not_use_it(school: School) -> None:
    shown = page(school.chief, f"/scholen/{CODE}/leerkrachten")
    assert shown.count("Opnieuw versturen") == 1
    numbers = {
        each["emailadres"]: each["id"]
        for each in answered(school.chief.get(f"/api/v1/scholen/{CODE}/leerkrachten"), 200)["leerkrachten"]
    }
    there, said = post(school.chief, f"/scholen/{CODE}/leerkrachten/{numbers[BEP]}/activatielink")
    assert there == f"/scholen/{CODE}/leerkrachten?melding=link-verstuurd"
    assert "opnieuw verstuurd" in said
    assert [to for to, *_ in school.hub.post_all()] == [BEP]
    refused = school.chief.post(f"/scholen/{CODE}/leerkrachten/{numbers[ANNA]}/activatielink", headers=HTML)
    assert refused.status_code == 409
    assert "Dit account is al actief." in refused.text
    assert school.hub.post_all() == []


def test_the_list_says_what_became_of_each_link(school: School) -> None:
    school.hub.post_all()
    shown = page(school.chief, f"/scholen/{CODE}/leerkrachten")
    assert "verstuurd op " in shown
    refused = Roster.of([*SMALL.entries(), a_staff_member("m3", email="c@weiger.example")])
    school.hub.push(school.key, refused)
    school.hub.post_all()
    assert "niet aangekomen: het e-mailadres werkt niet" in page(school.chief, f"/scholen/{CODE}/leerkrachten")


def test_a_missing_address_says_where_it_is_mended(school: School) -> None:
    school.hub.push(school.key, Roster.of([*SMALL.entries(), a_staff_member("m3", email=None)]))
    assert "ontbreekt: vul het aan in de leerlingadministratie" in page(school.chief, f"/scholen/{CODE}/leerkrachten")


def test_an_announced_domain_stands_there_until_it_is_taken_back(school: School) -> None:
    path, client = f"/api/v1/scholen/{CODE}/aanmelding", school.hub.client(school.key)
    for changes, there in (([{"van": "oud.example", "naar": "nieuw.example"}], True), ([], False)):
        answered(client.put(path, json={"aangezet": True, "domeinwijzigingen": changes}), 204)
        shown = page(school.chief, f"/scholen/{CODE}/leerkrachten")
        assert ("van oud.example naar nieuw.example" in shown) is there


def test_the_list_is_the_coordinators_alone(school: School) -> None:
    anna = school.hub.sign_in(ANNA)
    page(anna, f"/scholen/{CODE}/leerkrachten", 404)
    page(school.hub.client(), f"/scholen/{CODE}/leerkrachten", 401)


# --- a school that ended ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", *(f"/scholen/{CODE}/{tab}" for tab in ("lesmateriaal", "leerkrachten", "beheer"))]
)
def test_every_page_of_a_closed_school_says_so(school: School, path: str) -> None:
    assert "gesloten. Er komen geen nieuwe gegevens" not in page(school.chief, path)
    school.end()
    assert "gesloten. Er komen geen nieuwe gegevens" in page(school.chief, path)


def test_a_merged_school_says_into_which_one_to_teachers_too(school: School) -> None:
    school.hub.add_school(OTHER, "De Horizon")
    school.end(soort="fuseren", naar=OTHER)
    anna = school.hub.sign_in(ANNA)
    for client in (school.chief, anna):
        assert "opgegaan in De Horizon" in page(client, f"/scholen/{CODE}/lesmateriaal")


def test_a_school_that_ended_invites_nobody(school: School) -> None:
    school.hub.add_school(OTHER, "De Horizon")
    school.hub.switch_on(school.hub.a_coordinator("ander@school.example", OTHER), school.key, OTHER)
    school.hub.push(school.key, Roster.of([a_group(), a_staff_member("m1", email=ANNA)]), OTHER)
    anna = school.hub.sign_in(ANNA)
    assert "Uitnodiging van De Horizon" in page(anna, "/")
    school.end(code=OTHER)
    assert "Uitnodiging van De Horizon" not in page(anna, "/")


def test_the_link_of_a_school_that_ended_cannot_be_switched_on(school: School) -> None:
    on = {"administratie": "EDUscope", "automatisch": "ja"}
    assert "Automatische koppeling gebruiken" in page(school.chief, f"/scholen/{CODE}/beheer")
    school.end()
    assert "Automatische koppeling gebruiken" not in page(school.chief, f"/scholen/{CODE}/beheer")
    refused = school.chief.post(f"/scholen/{CODE}/beheer/koppeling", data=on, headers=HTML)
    assert refused.status_code == 409
    assert "gesloten of samengegaan" in refused.text
    path = f"/api/v1/scholen/{CODE}/koppeling"
    refused = school.chief.put(path, json={"administratie": "EDUscope", "actief": True})
    assert refused.json()["type"] == "/problems/school-ended"
    state = answered(school.chief.get(path), 200)
    assert (state["koppelingActief"], "gesloten" in state["wachtOp"]) == (False, True)


# --- held -------------------------------------------------------------------------------------------------------------


def test_a_decision_is_confirmed_and_a_second_one_is_told_that_it_comes_too_late(school: School) -> None:
    pupils = [a_pupil(f"q{number}", first_name=f"Noor{number}") for number in range(8)]
    school.hub.push(school.key, Roster.of([*SMALL.entries(), *pupils]))
    school.hub.push(school.key, SMALL)
    (hold,) = answered(school.chief.get(f"/api/v1/scholen/{CODE}/vastgehouden"), 200)
    path, form = f"/vastgehouden/{hold['id']}", {"school": CODE, "besluit": "vasthouden"}
    assert "8 leerlingen zouden verdwijnen" in page(school.chief, "/")
    assert "Alles blijft zoals het is." in post(school.chief, path, form)[1]
    assert "U houdt dit vast tot" in page(school.chief, "/")
    assert "Uw besluit is uitgevoerd." in post(school.chief, path, {**form, "besluit": "loslaten"})[1]
    late = school.chief.post(path, data={**form, "besluit": "loslaten"}, headers=HTML)
    assert late.status_code == 404
    assert "Hierover is al besloten" in late.text


def test_one_person_is_spoken_of_as_one(school: School) -> None:
    school.hub.push(school.key, Roster.of([*SMALL.entries(), a_pupil("p9", first_name="Yfke", last_name="Quist")]))
    school.hub.push(school.key, Roster.of([*SMALL.entries(), a_pupil("p9", first_name="Bram", last_name="Ubels")]))
    shown = page(school.chief, "/")
    assert "1 leerling lijkt iemand anders te worden" in shown
    assert "leerlingen lijk" not in shown


# --- Lesmateriaal -----------------------------------------------------------------------------------------------------


def test_with_no_material_everybody_is_told_what_they_can_do_themselves(school: School) -> None:
    anna = school.hub.sign_in(ANNA)
    hers, chiefs = (page(each, f"/scholen/{CODE}/lesmateriaal") for each in (anna, school.chief))
    assert "Vraag uw ICT-coördinator." in hers
    assert "Mila de Wit" in hers
    assert "Vraag uw ICT-coördinator" not in chiefs
    assert f'href="/scholen/{CODE}/beheer#uitgeverijen"' in chiefs


def test_the_reasons_do_not_send_a_coordinator_to_her_coordinator(school: School) -> None:
    body = {"code": "ctrl", "naam": "CtrlLearning", "zin": "Activeer de digitale methodes van CtrlLearning"}
    answered(school.hub.operator().post("/api/v1/operator/uitgevers", json=body), 201)
    anna = school.hub.sign_in(ANNA)
    hers, chiefs = (page(each, f"/scholen/{CODE}/lesmateriaal/waarom") for each in (anna, school.chief))
    assert "Uw ICT-coördinator regelt dat onder Beheer." in hers
    assert "U regelt dat onder Beheer." in chiefs


# --- before anything happened -----------------------------------------------------------------------------------------


def test_a_new_school_says_at_every_page_what_comes_first(hub: Hub) -> None:
    hub.add_school()
    chief = hub.a_coordinator()
    assert "U hebt de automatische koppeling nog niet geactiveerd." in page(chief, "/")
    assert "De koppeling staat uit. Kies de leerlingadministratie" in page(chief, f"/scholen/{CODE}/beheer")
    for tab in ("leerkrachten", "leerlingen"):
        assert "zodra de koppeling met de leerlingadministratie actief is" in page(chief, f"/scholen/{CODE}/{tab}")
    answered(
        hub.client(hub.administration_key()).put(f"/api/v1/scholen/{CODE}/aanmelding", json={"aangezet": True}), 204
    )
    assert "Alleen uw vinkje ontbreekt nog." in page(chief, f"/scholen/{CODE}/beheer")


def test_a_link_that_waits_for_the_administrator_says_what_to_ask(hub: Hub) -> None:
    hub.add_school()
    chief = hub.a_coordinator()
    post(chief, f"/scholen/{CODE}/beheer/koppeling", {"administratie": "EDUscope", "automatisch": "ja"})
    shown = page(chief, f"/scholen/{CODE}/beheer")
    assert "EDUscope heeft de koppeling nog niet geactiveerd." in shown
    assert "Inrichten › Administratie › Scholen › Schoolinstellingen" in shown


def test_a_link_that_was_switched_off_does_not_promise_a_night(school: School) -> None:
    assert "Elke dag om 00:00 uur." in page(school.chief, "/")
    post(school.chief, f"/scholen/{CODE}/beheer/koppeling", {"administratie": "EDUscope"})
    shown = page(school.chief, "/")
    assert "De automatische koppeling staat uit." in shown
    assert "Elke dag om 00:00 uur." not in shown


# --- signing in -------------------------------------------------------------------------------------------------------


def test_too_many_attempts_are_told_on_the_form_with_what_was_typed(school: School) -> None:
    visitor, wrong = school.hub.client(), {"gebruiker": BEP, "wachtwoord": PASSWORD}
    answers = [visitor.post("/inloggen", data=wrong, headers=HTML) for _ in range(6)]
    assert [each.status_code for each in answers] == [401] * 5 + [429]
    for answer in answers:
        assert f'value="{BEP}"' in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert PASSWORD not in answer.text
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "Te veel pogingen." in answers[-1].text
