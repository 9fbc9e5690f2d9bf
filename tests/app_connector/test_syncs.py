"""Step 4 and after it: what was shown is what happens, once, and can be taken back."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from services.app_connector.tables import AppPupilRow, SyncRow
from shared.database import reading, writing
from tests.app_connector.hub_simulator import a_pupil, a_teacher, some_pupils
from tests.app_connector.portal import Portal, a_portal, app_pupil


@pytest.fixture
def portal(make_engine: Callable[[str], Engine]) -> Portal:
    return a_portal(make_engine)


def a_school(portal: Portal) -> None:
    portal.hub.pupils = [
        a_pupil(1001, "Noor", "Bakker"),
        a_pupil(1002, "Daan", "Vos"),
        a_pupil(1003, "Mila", "Prins", "g6"),
    ]
    portal.hub.staff = [a_teacher(2001, "Lia", "Testman"), a_teacher(2002, "Wout", "Nepstra")]
    portal.seed(
        [app_pupil("Noor", "Bakker", work=120), app_pupil("Daan", "Vos", work=7), app_pupil("Oud", "Leerling", work=3)],
        [
            {"roepnaam": "Lia", "achternaam": "T.", "emailadres": "LIA@deproef.example"},
            {"roepnaam": "Oud", "achternaam": "Docent", "emailadres": "oud@deproef.example"},
            {"roepnaam": "De", "achternaam": "Baas", "emailadres": "baas@deproef.example", "isBeheerder": True},
        ],
    )


def people(app: dict[str, Any], kind: str) -> set[tuple[Any, ...]]:
    return {(each["roepnaam"], each["achternaam"], each["basispoort"]) for each in app[kind]}


def test_everything_keeps_work_creates_newcomers_and_removes_who_is_not_paired(portal: Portal) -> None:
    a_school(portal)
    portal.put("wijze", {"wijze": "alles"})
    draft = portal.post("automatisch")
    assert draft["ongekoppeld"] == 1
    plan = portal.post("controleren")
    assert plan["aantallenLeerlingen"] == {"blijven": 0, "wijzigen": 2, "nieuw": 1, "verwijderd": 1}
    assert plan["aantallenDocenten"] == {"blijven": 1, "wijzigen": 1, "nieuw": 1, "verwijderd": 1}
    assert "Dat zijn er nu 1." in plan["zinnen"][0]
    portal.confirm(plan)
    app = portal.app()
    assert people(app, "leerlingen") == {("Noor", "Bakker", 1001), ("Daan", "Vos", 1002), ("Mila", "Prins", 1003)}
    assert {each["basispoort"]: each["opdrachten"] for each in app["leerlingen"]} == {1001: 120, 1002: 7, 1003: 0}
    assert people(app, "docenten") == {("Lia", "Testman", 2001), ("Wout", "Nepstra", 2002), ("De", "Baas", None)}
    assert app["staat"] == "actief"
    assert app["wijze"] == "alles"


def test_the_app_holds_exactly_what_step_4_showed(portal: Portal) -> None:
    a_school(portal)
    portal.put("wijze", {"wijze": "alles"})
    portal.post("automatisch")
    plan = portal.post("controleren")
    portal.confirm(plan)
    shown = {(each["naam"], each["groep"]) for each in plan["leerlingen"] if each["actie"] != "wordt verwijderd"}
    app = portal.app()
    assert {(f"{each['roepnaam']} {each['achternaam']}", each["groep"]) for each in app["leerlingen"]} == shown


def test_a_second_run_changes_nothing(portal: Portal) -> None:
    a_school(portal)
    portal.synchronise_everything()
    before = portal.app()
    portal.put("wijze", {"wijze": "alles"})
    plan = portal.post("controleren")
    assert {each["actie"] for each in plan["leerlingen"] + plan["docenten"] + plan["groepen"]} == {"blijft"}
    portal.confirm(plan)
    assert portal.app()["leerlingen"] == before["leerlingen"]


def test_get_and_post_of_step_4_show_the_same_plan(portal: Portal) -> None:
    a_school(portal)
    portal.put("wijze", {"wijze": "alles"})
    assert portal.get("controleren") == portal.post("controleren")


def test_a_plan_that_something_overtook_is_not_carried_out(portal: Portal) -> None:
    a_school(portal)
    portal.put("wijze", {"wijze": "alles"})
    plan = portal.post("controleren")
    portal.hub.pupils = portal.hub.pupils[:2]
    refused = portal.confirm(plan, 409)
    assert refused["type"] == "/problems/plan-outdated"
    assert refused["vingerafdruk"] == portal.get("controleren")["vingerafdruk"] != plan["vingerafdruk"]
    assert len(portal.app()["leerlingen"]) == 3  # as they were: nothing was done
    assert portal.app()["wijze"] is None


def test_work_done_meanwhile_does_not_outdate_a_plan(portal: Portal) -> None:
    a_school(portal)
    portal.put("wijze", {"wijze": "alles"})
    plan = portal.post("controleren")
    with writing(portal.engine) as db:
        db.execute(update(AppPupilRow).values(exercises_done=AppPupilRow.exercises_done + 1))
    portal.confirm(plan)


def test_a_draft_that_somebody_else_changed_is_refused(portal: Portal) -> None:
    a_school(portal)
    portal.put("wijze", {"wijze": "alles"})
    plan = portal.post("controleren")
    portal.post("automatisch")
    assert portal.confirm(plan, 409)["type"] == "/problems/draft-outdated"
    answer = portal.client.post(f"{portal.base}/automatisch", headers={"If-Match": '"1"'})
    assert answer.json()["type"] == "/problems/draft-outdated"


def test_fifty_confirmations_at_once_are_one_run(portal: Portal) -> None:
    portal.hub.pupils, portal.hub.staff = some_pupils(40), [a_teacher(2001, "Lia", "Testman")]
    portal.seed([app_pupil("Noor", "Bakker")])
    portal.put("wijze", {"wijze": "alles"})
    plan = portal.post("controleren")
    body = {"vingerafdruk": plan["vingerafdruk"], "versie": plan["versie"]}
    answers: list[tuple[int, int]] = []

    def confirm() -> None:
        answer = portal.client.post(f"{portal.base}/bevestigen", json=body)
        answers.append((answer.status_code, answer.json().get("run", 0)))

    threads = [threading.Thread(target=confirm) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 50
    assert set(answers) == {answers[0]}
    assert answers[0][0] == 200
    with reading(portal.engine) as db:
        assert db.scalar(select(func.count()).select_from(SyncRow)) == 1
    assert len(portal.app()["leerlingen"]) == 40


def test_the_count_of_runs_can_show_two(portal: Portal) -> None:
    """The twin of the test above: two different confirmations are two rows."""
    a_school(portal)
    portal.synchronise_everything()
    portal.synchronise_everything()
    with reading(portal.engine) as db:
        assert db.scalar(select(func.count()).select_from(SyncRow)) == 2


def test_a_pupil_who_comes_back_within_thirty_days_has_the_work_of_before(portal: Portal) -> None:
    a_school(portal)
    portal.synchronise_everything()
    everybody = portal.hub.pupils
    portal.hub.pupils = everybody[1:]
    portal.synchronise_everything()
    assert 1001 not in {each["basispoort"] for each in portal.app()["leerlingen"]}
    portal.hub.pupils = everybody
    portal.put("wijze", {"wijze": "alles"})
    plan = portal.post("controleren")
    (back,) = [each for each in plan["leerlingen"] if each["basispoort"] == 1001]
    assert back["actie"] == "nieuw"
    assert "eerdere werk" in back["toelichting"]
    portal.confirm(plan)
    assert {each["basispoort"]: each["opdrachten"] for each in portal.app()["leerlingen"]}[1001] == 120


def test_two_pupils_can_exchange_their_pairs(portal: Portal) -> None:
    a_school(portal)
    portal.synchronise_everything()
    ids = {each["basispoort"]: each["id"] for each in portal.app()["leerlingen"]}
    portal.put("wijze", {"wijze": "alles"})
    for number in (1001, 1002):
        portal.client.delete(f"{portal.base}/paren/{ids[number]}").raise_for_status()
    pairs = [{"leerling": ids[1001], "basispoort": 1002}, {"leerling": ids[1002], "basispoort": 1001}]
    portal.post("paren", pairs)
    portal.confirm(portal.post("controleren"))
    work = {each["basispoort"]: each["opdrachten"] for each in portal.app()["leerlingen"]}
    assert (work[1001], work[1002]) == (7, 120)


def test_taking_back_gives_exactly_what_was_there(portal: Portal) -> None:
    a_school(portal)
    before = portal.app()
    portal.synchronise_everything()
    undo = portal.get("terugdraaien")
    assert undo["nietTeruggedraaid"] == []
    portal.post("terugdraaien", {"vingerafdruk": undo["vingerafdruk"], "versie": undo["versie"]})
    after = portal.app()
    for kind in ("leerlingen", "docenten"):
        assert after[kind] == before[kind]
    assert after["staat"] == "gepauzeerd"


def test_taking_back_leaves_alone_what_was_touched_later_and_says_so(portal: Portal) -> None:
    a_school(portal)
    portal.synchronise_everything()
    with writing(portal.engine) as db:
        db.execute(update(AppPupilRow).where(AppPupilRow.basispoort_id == 1001).values(first_name="Noortje"))
    undo = portal.get("terugdraaien")
    assert undo["nietTeruggedraaid"] == ["leerling: Noor Bakker"]
    portal.post("terugdraaien", {"vingerafdruk": undo["vingerafdruk"], "versie": undo["versie"]})
    assert ("Noortje", "Bakker", 1001) in people(portal.app(), "leerlingen")


def test_a_run_that_was_taken_back_cannot_be_taken_back_again(portal: Portal) -> None:
    a_school(portal)
    portal.synchronise_everything()
    undo = portal.get("terugdraaien")
    portal.post("terugdraaien", {"vingerafdruk": undo["vingerafdruk"], "versie": undo["versie"]})
    portal.get("terugdraaien", 404)
