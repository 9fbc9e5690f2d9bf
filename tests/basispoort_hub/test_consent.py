"""Consent: asked for, given by the slider, withdrawn, handed back; what it shows before anybody says yes."""

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from httpx2 import Response
from sqlalchemy import func, insert, select

from services.basispoort_hub import shared_data
from services.basispoort_hub.tables import PermissionRequestRow, SchoolRow
from shared.database import reading, writing
from shared.wire.schools import InstitutionDetails, InstitutionOverview
from tests.basispoort_hub.hub import CODE, OPERATOR_KEY, Hub, answered, utc
from tests.basispoort_hub.test_permissions import SENTENCE, add_publisher

BEHEER = f"/scholen/{CODE}/beheer"
HTML = {"Accept": "text/html"}


class Scene:
    """A school with a coordinator, and a publisher that wants to read it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.school_id = hub.add_school()
        self.coordinator = hub.a_coordinator()
        self.publisher = hub.client(add_publisher(hub))
        self.base = f"/rest/v2/instellingen/{self.school_id}"
        hub.post_all()

    def permission(self, *, ask: bool | None = None) -> bool:
        query = "" if ask is None else f"?request-permission={'true' if ask else 'false'}"
        path = f"{self.base}/uitgever/synchronizationpermission{query}"
        body = answered(self.publisher.get(path), 200)
        assert list(body) == ["hasSynchronizationPermission"]
        return bool(body["hasSynchronizationPermission"])

    def requests(self) -> int:
        with reading(self.hub.engine) as db:
            return db.scalar(select(func.count()).select_from(PermissionRequestRow)) or 0

    def page(self, path: str = BEHEER) -> str:
        answer = self.coordinator.get(path, headers=HTML)
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    def post(self, path: str, form: dict[str, Any] | None = None) -> str:
        """Where a form leads."""
        answer = self.coordinator.post(BEHEER + path, data=form or {})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def switch_on(self) -> str:
        return self.post("/uitgeverijen", {"uitgeverij": "ctrl"})

    def reads(self) -> int:
        answer: Response = self.publisher.get(self.base)
        return int(answer.status_code)


@pytest.fixture
def scene(hub: Hub) -> Scene:
    return Scene(hub)


# --- asked for by the publisher ---------------------------------------------------------------------------------------


def test_reading_the_permission_asks_for_nothing(scene: Scene) -> None:
    assert scene.permission() is False
    assert scene.permission(ask=False) is False
    assert (scene.requests(), scene.hub.post_all()) == (0, [])


def test_asking_makes_one_task_and_one_mail_to_each_coordinator(scene: Scene) -> None:
    scene.hub.appoint("tweede@school.example")
    scene.hub.post_all()
    for _ in range(3):
        assert scene.permission(ask=True) is False
    mails = scene.hub.post_all()
    assert scene.requests() == 1
    assert sorted(to for to, *_ in mails) == ["ict@school.example", "tweede@school.example"]
    assert all(f"http://testserver{BEHEER}" in text for _, _, text, _ in mails)
    assert "CtrlLearning vraagt uw toestemming" in scene.page()


def test_the_task_can_be_answered_with_yes(scene: Scene) -> None:
    scene.permission(ask=True)
    assert scene.post("/uitgeverijen/ctrl/antwoord", {"antwoord": "ja"}).endswith("/uitgeverijen/ctrl/melden")
    assert scene.permission() is True
    assert scene.reads() == 200
    assert "vraagt uw toestemming" not in scene.page()


def test_a_no_stays_a_no_and_is_not_asked_about_again_for_a_month(scene: Scene) -> None:
    with time_machine.travel(utc(2026, 11, 2, 12), tick=False):
        scene.coordinator = scene.hub.sign_in("ict@school.example")
        scene.permission(ask=True)
        scene.post("/uitgeverijen/ctrl/antwoord", {"antwoord": "nee"})
        scene.hub.post_all()
        assert scene.permission(ask=True) is False
        assert "vraagt uw toestemming" not in scene.page()
    with time_machine.travel(utc(2026, 12, 1, 12), tick=False):
        assert scene.permission(ask=True) is False
        assert (scene.requests(), scene.hub.post_all()) == (1, [])
    with time_machine.travel(utc(2026, 12, 3, 12), tick=False):
        assert scene.permission(ask=True) is False
        assert (scene.requests(), len(scene.hub.post_all())) == (2, 1)


def test_a_school_that_closed_is_asked_nothing(scene: Scene) -> None:
    asking = f"{scene.base}/uitgever/synchronizationpermission?request-permission=true"
    carry_out(scene, "sluiten")
    refused = scene.publisher.get(asking)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/school-ended")
    assert (scene.permission(), scene.requests(), scene.hub.post_all()) == (False, 0, [])
    carry_out(scene, "terugdraaien")
    assert scene.permission(ask=True) is False
    assert (scene.requests(), len(scene.hub.post_all())) == (1, 1)  # twin: open again it is asked


def test_who_has_permission_of_a_school_that_closed_is_told_so(scene: Scene) -> None:
    scene.switch_on()
    carry_out(scene, "sluiten")
    assert scene.permission(ask=True) is True


def carry_out(scene: Scene, step: str) -> None:
    """Close the school, or take that back."""
    path, body = f"/api/v1/operator/scholen/{CODE}/zaak", {"soort": step, "reden": "besluit van het bestuur"}
    told = answered(scene.hub.operator().post(path, json=body), 200)
    answered(scene.hub.operator().post(path, json={**body, "vingerafdruk": told["vingerafdruk"]}), 200)


def test_a_school_that_withdrew_is_left_alone_for_a_month(scene: Scene) -> None:
    scene.switch_on()
    scene.post("/intrekken", {"uitgeverij": "ctrl"})
    assert scene.permission(ask=True) is False
    assert scene.requests() == 0


def test_a_mail_about_a_request_that_is_answered_already_is_not_sent(scene: Scene) -> None:
    scene.permission(ask=True)
    scene.post("/uitgeverijen/ctrl/antwoord", {"antwoord": "nee"})
    assert scene.hub.post_all() == []


def test_permission_at_a_school_that_does_not_exist_is_not_found(scene: Scene) -> None:
    for method in ("GET", "DELETE"):
        path = "/rest/v2/instellingen/99999/uitgever/synchronizationpermission?request-permission=true"
        assert scene.publisher.request(method, path).status_code == 404


def test_a_publisher_hands_its_permission_back(scene: Scene) -> None:
    scene.switch_on()
    path = f"{scene.base}/uitgever/synchronizationpermission"
    for _ in range(2):
        answer = scene.publisher.delete(path)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (scene.permission(), scene.reads()) == (False, 403)
    assert scene.permission(ask=True) is False
    assert scene.requests() == 1, "handing back is no refusal of the school: it may be asked again"


# --- the page Beheer --------------------------------------------------------------------------------------------------


def test_the_slider_gives_consent_at_once_and_leads_to_the_report(scene: Scene) -> None:
    assert SENTENCE in scene.page()
    assert scene.reads() == 403
    assert scene.switch_on() == f"{BEHEER}/uitgeverijen/ctrl/melden"
    assert scene.reads() == 200


def test_the_report_holds_the_four_facts_of_the_manual(scene: Scene) -> None:
    operator = scene.hub.client(OPERATOR_KEY)
    portal = {"naam": "Beheerportaal", "adres": "https://portaal.example", "helpdesk": "helpdesk@portaal.example"}
    answered(operator.put("/api/v1/operator/uitgevers/ctrl/beheerportaal", json=portal), 204)
    for name in ("Taalblobs", "Rekenblobs"):
        body: dict[str, Any] = {"id": name, "naam": name, "tags": []}
        answered(scene.publisher.post("/hosted-lika/management/lika/ctrl/methode", json=body), 204)
    scene.switch_on()
    page = scene.page(f"{BEHEER}/uitgeverijen/ctrl/melden")
    assert "Naam van de instelling: De Regenboog" in page
    assert f"Basispoort-instellingsnummer: {scene.school_id}" in page
    assert "- Rekenblobs: \n- Taalblobs:" in page
    assert "mailto:helpdesk@portaal.example?subject=" in page
    assert "https://portaal.example" in page


def test_there_is_nothing_to_report_without_consent(scene: Scene) -> None:
    assert scene.coordinator.get(f"{BEHEER}/uitgeverijen/ctrl/melden").status_code == 404


def test_withdrawing_asks_first_and_names_publisher_and_consequence(scene: Scene) -> None:
    scene.switch_on()
    there = scene.post("/uitgeverijen", {"stond-aan": "ctrl"})
    assert there == f"{BEHEER}/intrekken?uitgeverij=ctrl"
    assert scene.reads() == 200, "nothing happens before it is confirmed"
    page = scene.page(there)
    assert "Toestemming intrekken?" in page
    assert "CtrlLearning kan vanaf dat moment geen gegevens van De Regenboog meer lezen" in page
    scene.post("/intrekken", {"uitgeverij": "ctrl"})
    assert scene.reads() == 403


def test_a_page_from_before_a_colleague_switched_withdraws_nothing(scene: Scene) -> None:
    scene.switch_on()
    assert scene.post("/uitgeverijen", {}) == f"{BEHEER}?melding=ongewijzigd"
    assert scene.reads() == 200


def test_a_code_that_nobody_has_undoes_the_whole_form(scene: Scene) -> None:
    for path in ("/uitgeverijen", "/intrekken"):
        answer = scene.coordinator.post(BEHEER + path, data={"uitgeverij": ["nergens", "ctrl"]})
        assert answer.status_code == 404
    assert scene.reads() == 403
    assert scene.coordinator.get(f"{BEHEER}/intrekken?uitgeverij=nergens").status_code == 404


@pytest.mark.parametrize("path", ["", "/intrekken?uitgeverij=ctrl", "/uitgeverijen/ctrl/gegevens"])
def test_only_the_coordinator_of_the_school_sees_its_pages(scene: Scene, path: str) -> None:
    scene.hub.add_school("99ZB00")
    scene.hub.appoint("ander@school.example", "99ZB00")
    scene.hub.activate("ander@school.example")
    other = scene.hub.sign_in("ander@school.example")
    assert other.get(BEHEER + path, headers=HTML).status_code == 404
    assert scene.hub.client().get(BEHEER + path, headers=HTML).status_code == 401


def test_the_connection_can_be_switched_by_clicking(scene: Scene) -> None:
    on = {"administratie": "EDUscope", "automatisch": "ja"}
    assert scene.post("/koppeling", on) == f"{BEHEER}?melding=koppeling-aan"
    assert "EDUscope heeft de koppeling nog niet geactiveerd." in scene.page()
    tick = scene.hub.client(scene.hub.administration_key())
    answered(tick.put(f"/api/v1/scholen/{CODE}/aanmelding", json={"aangezet": True}), 204)
    assert "Actief. Elke dag om 00:00 uur." in scene.page()
    assert scene.post("/koppeling", {"administratie": "EDUscope"}) == f"{BEHEER}?melding=koppeling-uit"
    answered(scene.coordinator.post(f"{BEHEER}/koppeling", data={"administratie": "Anders"}), 422)


# --- which data -------------------------------------------------------------------------------------------------------


def names_in(body: Any) -> set[str]:
    """Every name of a field that a body can hold, of whatever depth."""
    found = set()
    for name, part in body.get("properties", {}).items():
        found.add(name)
        found |= names_in(part)
    for part in body.get("$defs", {}).values():
        found |= names_in(part)
    return found


def test_the_page_lists_exactly_the_fields_of_the_answers(scene: Scene) -> None:
    frame = {"leerlingen", "medewerkers", "persoonsgegevens", "metaResult", "mutationTimestamp", "generationTimestamp"}
    sent = names_in(InstitutionOverview.model_json_schema()) | names_in(InstitutionDetails.model_json_schema())
    shown = {name for _, fields in shared_data.shared_fields() for name, _ in fields}
    assert shown == sent - frame
    page = scene.page(f"{BEHEER}/uitgeverijen/ctrl/gegevens")
    assert all(f"<td><code>{name}</code></td>" in page for name in shown)


def test_a_new_field_that_nobody_explained_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shared_data._OF_WHOM, "leerlingen", InstitutionOverview)
    shared_data.shared_fields.cache_clear()
    with pytest.raises(KeyError):
        shared_data.shared_fields()
    monkeypatch.undo()
    shared_data.shared_fields.cache_clear()


# --- found without consent --------------------------------------------------------------------------------------------

ADDRESS = {
    "straat": "Voorbeeldlaan",
    "huisnummer": "1",
    "huisnummertoevoeging": "b",
    "postcode": "1234 ZZ",
    "woonplaats": "Testdorp",
    "telefoonNet": "099",
    "telefoonAbon": "1234567",
    "emailadres": "info@school.example",
    "bestuurscode": "99999",
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"naam": "regen"}, True),
        ({"naam": "horizon"}, False),
        ({"brincode": "99ZA"}, True),
        ({"brincode": "99za00"}, True),
        ({"brincode": "99ZA01"}, False),
        ({"adres": "voorbeeldlaan 1"}, True),
        ({"adres": "laan 1b"}, True),
        ({"adres": "laan 2"}, False),
        ({"postcode": "1234zz"}, True),
        ({"postcode": "1234"}, True),
        ({"postcode": "4321"}, False),
        ({"plaatsnaam": "TESTDORP"}, True),
        ({"bestuurscode": "99999"}, True),
        ({"bestuurscode": "9999"}, False),
        ({"naam": "regen", "plaatsnaam": "elders"}, False),
        ({"naam": "%"}, False),
        ({"naam": "regen", "activeOnly": "true"}, True),
        ({"naam": "regen", "activeOnly": "false"}, True),
        ({"activeOnly": "true"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_an_institution_is_found_by_everything_the_search_takes(
    scene: Scene, query: dict[str, str], found: bool
) -> None:
    answered(scene.hub.operator().put(f"/api/v1/operator/scholen/{CODE}/adres", json=ADDRESS), 204)
    answer = answered(scene.publisher.get("/rest/v2/nawsearch", params=query), 200)
    assert [each["id"] for each in answer] == ([scene.school_id] if found else [])
    if found:
        known = {name: value for name, value in ADDRESS.items() if name != "huisnummertoevoeging"}
        rest = {"id": scene.school_id, "naam": "De Regenboog", "actief": True, "brincode": CODE}
        assert answer == [{**known, **rest, "huisnummerToevoeging": "b"}]


@pytest.mark.parametrize(
    ("name", "query", "found"),
    [
        ("École Élysée", {"naam": "ÉCOLE ÉLY"}, True),
        ("École Élysée", {"naam": "école"}, True),
        ("École Élysée", {"naam": "ecole"}, True),
        ("ÉCOLE", {"naam": "école"}, True),
        ("De Häns", {"naam": "DE HÄNS"}, True),
        ("Fryslân", {"naam": "fryslan"}, True),
        ("St.-Jozefschool", {"naam": "st jozef"}, True),
        ("St.-Jozefschool", {"naam": "st.-jozef"}, True),
        ("Őrség", {"naam": "őRSÉG"}, True),
        ("Οδός", {"naam": "ΟΔΌΣ"}, True),
        ("De Häns", {"naam": "hans de"}, False),
        ("Regenboog", {"naam": "-"}, False),
        ("100%", {"naam": "%"}, False),
    ],
)
def test_a_name_is_found_whatever_its_case_accents_and_punctuation(
    scene: Scene, name: str, query: dict[str, str], found: bool
) -> None:
    number = scene.hub.add_school("99ZB00", name)
    answer = answered(scene.publisher.get("/rest/v2/nawsearch", params=query), 200)
    assert [each["id"] for each in answer if each["id"] == number] == ([number] if found else [])


def test_every_school_of_a_town_is_found_however_many(scene: Scene) -> None:
    at = utc(2026, 11, 22)
    shared = {"created_at": at, "mutated_at": at, "town": "Rotterdam", "board_code": "88888"}
    rows = [{"code": f"99X{chr(65 + n // 100)}{n % 100:02}", "name": f"Nr {n}", "ref": f"ref-{n}"} for n in range(150)]
    with writing(scene.hub.engine) as db:
        db.execute(insert(SchoolRow), [{**row, **shared} for row in rows])
    for query in ({"plaatsnaam": "rotterdam"}, {"bestuurscode": "88888"}, {"naam": "nr"}, {"brincode": "99X"}):
        answer = answered(scene.publisher.get("/rest/v2/nawsearch", params=query), 200)
        numbers = [each["id"] for each in answer]
        assert (len(numbers), numbers) == (150, sorted(numbers)), query


def test_the_address_stands_in_the_details_too(scene: Scene) -> None:
    answered(scene.hub.operator().put(f"/api/v1/operator/scholen/{CODE}/adres", json=ADDRESS), 204)
    scene.switch_on()
    details = answered(scene.publisher.get(f"{scene.base}/details"), 200)
    assert (details["straat"], details["huisnummertoevoeging"], details["bestuurscode"]) == (
        "Voorbeeldlaan",
        "b",
        "99999",
    )


def test_the_reference_is_a_json_string_and_asks_for_consent(scene: Scene) -> None:
    assert scene.publisher.get(f"{scene.base}/ref").status_code == 403
    scene.switch_on()
    ref = scene.publisher.get(f"{scene.base}/ref").json()
    assert ref == scene.publisher.get(f"{scene.base}/details").json()["instellingRef"]
    assert len(ref) == 36


def test_a_year_of_day_lists_is_a_quick_walk(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    scene.switch_on()
    base, today = "/rest/v2/instellingen/synchronizationpermission", date(2026, 11, 22)
    began = time.perf_counter()
    lists = [
        scene.publisher.get(f"{base}/{what}/{today - timedelta(days=back)}")
        for what in ("toegekend", "ingetrokken")
        for back in range(366)
    ]
    took = time.perf_counter() - began
    assert all(isinstance(each.json(), list) for each in lists)
    record_property("figures", f"732 day lists: {took:.2f} s")
    assert took < 30
