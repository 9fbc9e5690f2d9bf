"""The night: 'alles' follows by itself, a wave waits for a person, and a bad answer is never a leaver."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import Engine, func, select

from services.app_connector import nightly
from services.app_connector.tables import AppPupilRow, HoldRow, NightRow, OutboxRow, PlanRow, SyncRow
from shared.database import reading
from tests.app_connector.hub_simulator import SCHOOL, a_pupil, a_teacher, some_pupils
from tests.app_connector.portal import Portal, a_portal, app_pupil

EVENING = datetime(2026, 11, 22, 20, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 22, 23, tzinfo=UTC)  # 00:00 on the 23rd in Amsterdam


@pytest.fixture
def portal(make_engine: Callable[[str], Engine]) -> Portal:
    with time_machine.travel(EVENING, tick=False):
        portal = a_portal(make_engine)
        portal.hub.pupils = some_pupils(40)
        portal.hub.staff = [a_teacher(2001, "Lia", "Testman"), a_teacher(2003, "Ico", "Baas", roles=["ICTCoordinator"])]
        portal.seed([app_pupil("Noor", "Bakker", work=77)])
        portal.synchronise_everything()
    return portal


def night(portal: Portal, later: timedelta = timedelta(0)) -> list[nightly.Result]:
    with time_machine.travel(MIDNIGHT + later, tick=False):
        return nightly.tick(portal.engine, portal.hub.client, MIDNIGHT + later, "me")


def present(portal: Portal) -> set[int | None]:
    with reading(portal.engine) as db:
        return set(db.scalars(select(AppPupilRow.basispoort_id).where(AppPupilRow.removed_at.is_(None))))


def count(portal: Portal, rows: Any) -> int:
    with reading(portal.engine) as db:
        return db.scalar(select(func.count()).select_from(rows)) or 0


def test_a_newcomer_a_leaver_and_a_change_follow_in_one_night(portal: Portal) -> None:
    portal.hub.pupils = [*portal.hub.pupils[1:], a_pupil(1900, "Nieuw", "Kind")]
    portal.hub.pupils[0] = a_pupil(portal.hub.pupils[0]["id"], "Daan", "Anders")
    (result,) = night(portal)
    assert result.outcome == nightly.DONE
    assert result.counts is not None
    assert result.counts["leerling"] == {"blijft": 38, "wijzigt": 1, "nieuw": 1, "wordt verwijderd": 1}
    assert 1900 in present(portal)
    assert 1000 not in present(portal)


def test_a_night_without_changes_makes_no_run(portal: Portal) -> None:
    assert [result.outcome for result in night(portal)] == [nightly.EQUAL]
    assert count(portal, SyncRow) == 1  # the one that the fixture confirmed


def test_a_change_that_comes_later_in_the_night_is_carried_out_in_the_same_night(portal: Portal) -> None:
    night(portal)
    portal.hub.pupils = [*portal.hub.pupils, a_pupil(1900, "Nieuw", "Kind")]
    night(portal, timedelta(minutes=40))
    assert 1900 in present(portal)


def test_the_night_is_finished_after_seven_and_not_done_again(portal: Portal) -> None:
    assert night(portal, timedelta(hours=7, minutes=1))
    assert night(portal, timedelta(hours=7, minutes=6)) == []
    with reading(portal.engine) as db:
        assert db.scalars(select(NightRow.finished_at)).one() is not None


def test_a_second_process_leaves_the_night_to_the_first(portal: Portal) -> None:
    night(portal)
    assert nightly.tick(portal.engine, portal.hub.client, MIDNIGHT, "somebody else") == []


@pytest.mark.parametrize("mood", ["forbidden", "missing", "broken", "cut-off", "empty", "no-pupils", "text", "down"])
def test_an_answer_that_is_no_roster_changes_nothing(portal: Portal, mood: str) -> None:
    before = present(portal)
    portal.hub.mood = mood
    (result,) = night(portal)
    assert result.outcome == nightly.FAILED
    assert present(portal) == before
    with time_machine.travel(EVENING, tick=False):
        assert portal.client.get("/api/v1/overzicht").json()["storing"]


def test_a_wave_of_removals_is_held_while_newcomers_flow_and_the_coordinator_is_told(portal: Portal) -> None:
    portal.hub.pupils = [*portal.hub.pupils[10:], a_pupil(1900, "Nieuw", "Kind")]
    night(portal)
    assert len(present(portal)) == 41
    assert count(portal, HoldRow) == 10
    with reading(portal.engine) as db:
        (mail,) = db.scalars(select(OutboxRow)).all()
    assert mail.topic == nightly.HOLD_MAIL
    assert mail.body == {"school": SCHOOL, "app": "taalblobs", "person": 2003}


def test_five_leavers_of_forty_are_no_wave(portal: Portal) -> None:
    """The twin of the test above: without a wave people do go."""
    portal.hub.pupils = portal.hub.pupils[5:]
    night(portal)
    assert len(present(portal)) == 35
    assert count(portal, HoldRow) == 0


def test_a_wave_in_small_steps_is_a_wave_too(portal: Portal) -> None:
    everybody = portal.hub.pupils
    for day in range(3):
        portal.hub.pupils = everybody[3 * (day + 1) :]
        night(portal, timedelta(days=day))
    assert len(present(portal)) == 37  # the first three went; with the next three it was a wave


def test_what_is_held_stays_held_joined_by_later_leavers_and_dissolves_when_they_are_back(portal: Portal) -> None:
    everybody = portal.hub.pupils
    portal.hub.pupils = everybody[10:]
    night(portal)
    portal.hub.pupils = everybody[11:]
    night(portal, timedelta(days=1))
    assert len(present(portal)) == 40
    portal.hub.pupils = everybody
    night(portal, timedelta(days=2))
    with reading(portal.engine) as db:
        assert db.scalar(select(func.count()).where(HoldRow.closed_at.is_(None))) == 0
    assert len(present(portal)) == 40


def test_what_a_coordinator_lets_go_goes_the_next_night(portal: Portal) -> None:
    portal.hub.pupils = portal.hub.pupils[10:]
    night(portal)
    with time_machine.travel(MIDNIGHT + timedelta(hours=9), tick=False):
        portal.sign_in()
        held = portal.client.get("/api/v1/apps/taalblobs/vastgehouden").json()
        assert len(held) == 10
        body = {"besluit": "loslaten", "nummers": [each["nummer"] for each in held[:4]]}
        assert portal.client.post("/api/v1/apps/taalblobs/vastgehouden", json=body).status_code == 204
    night(portal, timedelta(days=1))
    assert len(present(portal)) == 36


def test_what_a_coordinator_keeps_stays_sixty_days_and_is_asked_again(portal: Portal) -> None:
    portal.hub.pupils = portal.hub.pupils[10:]
    night(portal)
    with time_machine.travel(MIDNIGHT + timedelta(hours=9), tick=False):
        portal.sign_in()
        answer = portal.client.post("/api/v1/apps/taalblobs/vastgehouden", json={"besluit": "houden"})
        assert answer.status_code == 204
    night(portal, timedelta(days=1))
    night(portal, timedelta(days=61))
    assert len(present(portal)) == 40
    with reading(portal.engine) as db:
        assert set(db.scalars(select(HoldRow.decision))) == {None}


def test_a_whole_home_group_that_leaves_is_held_though_it_is_no_wave(make_engine: Callable[[str], Engine]) -> None:
    with time_machine.travel(EVENING, tick=False):
        portal = a_portal(make_engine)
        small = [a_pupil(1900 + each, f"Kind{each}", "Klein", group="g6", year="6") for each in range(5)]
        portal.hub.pupils = [*some_pupils(60), *small]
        for pupil in portal.hub.pupils[:60]:
            pupil["groep"] = "g5"
        portal.hub.staff = [a_teacher(2001, "Lia", "Testman")]
        portal.seed([])
        portal.synchronise_everything()
    portal.hub.pupils = portal.hub.pupils[:60]
    night(portal)
    assert len(present(portal)) == 65
    assert count(portal, HoldRow) == 5


def test_a_number_that_names_another_child_waits_for_a_person(portal: Portal) -> None:
    portal.hub.pupils[0] = a_pupil(1000, "Teun", "Wolters")
    portal.hub.pupils[1] = a_pupil(1001, "Daantje", "Bakker")
    night(portal)
    with time_machine.travel(EVENING, tick=False):
        names = {each["basispoort"]: each["roepnaam"] for each in portal.app()["leerlingen"]}
        assert (names[1000], names[1001]) == ("Noor", "Daantje")
        (held,) = portal.client.get("/api/v1/apps/taalblobs/vastgehouden").json()
        assert (held["reden"], held["naam"]) == ("wissel", "Noor Bakker")
        body = {"besluit": "loslaten", "nummers": [held["nummer"]]}
        assert portal.client.post("/api/v1/apps/taalblobs/vastgehouden", json=body).status_code == 204
    night(portal, timedelta(days=1))
    with time_machine.travel(EVENING, tick=False):
        assert {each["basispoort"]: each["roepnaam"] for each in portal.app()["leerlingen"]}[1000] == "Teun"


def test_a_selective_app_waits_for_its_coordinator(portal: Portal) -> None:
    with time_machine.travel(EVENING, tick=False):
        portal.put("wijze", {"wijze": "selectief"})
        portal.put("leerlingen", {"basispoort": [each["id"] for each in portal.hub.pupils]})
        portal.put("docenten", {"basispoort": [2001]})
        portal.confirm(portal.post("controleren"))
    portal.hub.pupils = [*portal.hub.pupils[1:], a_pupil(1900, "Nieuw", "Kind"), a_pupil(1901, "Nog", "Een")]
    assert [result.outcome for result in night(portal)] == [nightly.WAITS]
    assert len(present(portal)) == 40
    with time_machine.travel(EVENING, tick=False):
        assert portal.app()["verschillen"]["zin"] == "2 nieuwe leerlingen, 1 vertrokken"


def test_an_app_that_was_taken_back_is_left_alone_by_the_night(portal: Portal) -> None:
    with time_machine.travel(EVENING, tick=False):
        undo = portal.get("terugdraaien")
        portal.post("terugdraaien", {"vingerafdruk": undo["vingerafdruk"], "versie": undo["versie"]})
    assert [result.outcome for result in night(portal)] == [nightly.NOT_SET_UP]
    assert present(portal) == {None}


def test_newcomers_without_a_seat_wait_and_get_one_when_somebody_leaves(make_engine: Callable[[str], Engine]) -> None:
    with time_machine.travel(EVENING, tick=False):
        portal = a_portal(make_engine)
        portal.hub.pupils = some_pupils(3)
        portal.hub.staff = [a_teacher(2001, "Lia", "Testman")]
        portal.seed([], plaatsen=4)
        portal.synchronise_everything()
    portal.hub.pupils = some_pupils(6)
    night(portal)
    assert present(portal) == {1000, 1001, 1002, 1003}
    with time_machine.travel(EVENING, tick=False):
        assert portal.client.get("/api/v1/overzicht").json()["apps"][0]["wachtend"] == 2
    portal.hub.pupils = some_pupils(6)[1:]
    night(portal, timedelta(days=1))
    assert present(portal) == {1001, 1002, 1003, 1004}


def test_who_was_removed_is_erased_after_thirty_days_and_not_before(portal: Portal) -> None:
    portal.hub.pupils = portal.hub.pupils[1:]
    night(portal)
    nightly.keep_house(portal.engine, MIDNIGHT + timedelta(days=29))
    assert count(portal, AppPupilRow) == 40
    nightly.keep_house(portal.engine, MIDNIGHT + timedelta(days=30))
    assert count(portal, AppPupilRow) == 39


def test_old_plans_lose_their_names_and_later_go(portal: Portal) -> None:
    with reading(portal.engine) as db:
        assert "Bakker" in db.scalars(select(PlanRow.steps)).one()
    nightly.keep_house(portal.engine, EVENING + timedelta(days=31))
    with reading(portal.engine) as db:
        plan = db.scalars(select(PlanRow)).one()
        assert "Bakker" not in plan.steps
        assert '"source":1000' in plan.steps
    with time_machine.travel(EVENING, tick=False):
        portal.get("terugdraaien", 404)
    nightly.keep_house(portal.engine, EVENING + timedelta(days=400))
    assert count(portal, PlanRow) == count(portal, SyncRow) == 0


def test_a_night_at_once_by_the_operator_leaves_the_claim_alone(portal: Portal) -> None:
    portal.hub.pupils = [*portal.hub.pupils, a_pupil(1900, "Nieuw", "Kind")]
    answer = portal.operator("nacht", {"instellingsnummer": SCHOOL})
    assert [(each["app"], each["uitkomst"]) for each in answer.json()] == [("taalblobs", nightly.DONE)]
    assert count(portal, NightRow) == 0
