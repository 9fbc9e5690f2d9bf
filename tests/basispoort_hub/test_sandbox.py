"""The sandbox: a school with every nasty case, what can be made to happen to it, and nobody else who sees it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update
from starlette.testclient import TestClient

from services.basispoort_hub.holds import remind
from services.basispoort_hub.main import create_app
from services.basispoort_hub.publisher_operator import save_publisher, save_publisher_key
from services.basispoort_hub.rules.intake import objections
from services.basispoort_hub.rules.sandbox_school import (
    PUPILS,
    Event,
    a_small_school,
    a_whole_school,
    happen,
    with_held,
)
from services.basispoort_hub.tables import OutboxRow, SchoolRow
from shared.clock import now
from shared.database import reading, writing
from shared.roster import GroupKind, Kind, Role
from tests.basispoort_hub.a_hub import OPERATOR_KEY, settings_for
from tests.basispoort_hub.strict_decoder import decode_answer

DAY = date(2026, 8, 1)
BASE = "/api/v1/sandbox"
TO_A_ROSTER = [event for event in Event if event not in {Event.CONSENT, Event.NO_CONSENT, Event.MERGER}]


class Sandbox:
    """A publisher with a sandbox; the school is small here, so that a test is quick."""

    def __init__(self, engine: Engine, size: int = 400) -> None:
        settings = settings_for(engine.url.render_as_string(hide_password=False)).model_copy(update={"sandbox": True})
        self.app = create_app(settings)
        self.app.state.sandbox_pupils = size
        with writing(engine) as db:
            keys = {
                code: save_publisher_key(db, save_publisher(db, code, code, "Activeer").id, now())
                for code in ("letters", "cijfers")
            }
        self.clients = {
            code: TestClient(self.app, headers={"Authorization": f"Bearer {key}"}) for code, key in keys.items()
        }
        self.me = self.clients["letters"]
        self.stand: dict[str, Any] = {}

    def post(self, event: str) -> dict[str, Any]:
        answer: Response = self.me.post(f"{BASE}/{event}")
        assert answer.status_code == 200, answer.text
        self.stand = answer.json()
        return self.stand

    def get(self, tail: str = "", school: str = "instelling") -> Any:
        answer = self.me.get(f"/rest/v2/instellingen/{self.stand[school]}{tail}")
        template = f"/rest/v2/instellingen/{{id}}{tail}"
        decode_answer("GET", template, answer.status_code, answer.content)
        return answer.json()


@pytest.fixture
def sandbox(make_engine: Callable[[str], Engine]) -> Iterator[Sandbox]:
    made = Sandbox(make_engine("basispoort_hub"))
    made.post("alles-terug")
    yield made
    made.app.state.engine.dispose()


def test_the_school_has_every_nasty_case_and_no_fault() -> None:
    school = a_whole_school(PUPILS, "zandbak1.example")
    assert objections(school) == []
    assert len(school.pupils) == 1_500
    names = [pupil.full_name for pupil in school.pupils.values()]
    assert names.count("Noor van der Bijl") >= 3
    assert any(pupil.last_name is None for pupil in school.pupils.values())
    assert any(pupil.first_name is None for pupil in school.pupils.values())
    assert max(map(len, names)) > 200
    assert any(pupil.home_group is None for pupil in school.pupils.values())
    assert any(pupil.eck_id is None for pupil in school.pupils.values())
    assert any(not name.isascii() for name in names)
    used = {pupil.home_group for pupil in school.pupils.values()}
    assert {"g-leeg", "g-combi"} <= {key for key, group in school.groups.items() if group.kind is GroupKind.HOME} - used
    assert any(pupil.composite_groups for pupil in school.pupils.values())
    roles = {role for member in school.staff.values() for role in member.roles}
    assert {Role.TRAINEE, Role.SUBSTITUTE, Role.INTERNAL_COACH} <= roles
    assert any(member.email is None for member in school.staff.values())
    assert a_whole_school(PUPILS, "zandbak1.example") == school


@pytest.mark.parametrize("event", TO_A_ROSTER)
@pytest.mark.parametrize("size", [40, 80, PUPILS])
def test_whatever_happens_the_school_stays_one_that_can_come_in(event: Event, size: int) -> None:
    school = with_held(a_whole_school(size, "zandbak1.example"))
    for _ in range(3):
        after, leaving = happen(event, school, DAY)
        assert objections(after) == []
        assert after != school
        assert set(leaving.get(Kind.PUPIL, {})) <= school.pupils.keys() - after.pupils.keys()
        school = after
    assert objections(a_small_school("zandbak1.example")) == []


@given(st.sampled_from([8, 40, 80]), st.lists(st.sampled_from(TO_A_ROSTER), max_size=30))
def test_thirty_events_in_any_order_leave_a_school_that_can_come_in(size: int, events: Sequence[Event]) -> None:
    school = with_held(a_whole_school(size, "zandbak1.example"))
    for event in events:
        after, leaving = happen(event, school, DAY)
        assert objections(after) == []
        assert set(leaving.get(Kind.PUPIL, {})) <= school.pupils.keys() - after.pupils.keys()
        swapped = [key for key in school.pupils if event is Event.SWAP and after.pupils[key] != school.pupils[key]]
        known = [key for key, pupil in school.pupils.items() if pupil.eck_id is not None]
        assert len(swapped) == (2 if event is Event.SWAP and len(known) > 1 else 0)
        school = after


@pytest.mark.parametrize(("event", "times"), [("jaarovergang", 8), ("golf", 25)])
def test_keys_can_change_places_however_few_are_left(sandbox: Sandbox, event: str, times: int) -> None:
    for _ in range(times):
        sandbox.post(event)
    before = sandbox.stand
    assert sandbox.post("wissel") == before  # nobody is left who could
    for other in ("vertrek", "golf", "jaarovergang", "adreswijziging", "nieuwe-leerling"):
        sandbox.post(other)


def test_nobody_in_a_sandbox_gets_mail(sandbox: Sandbox) -> None:
    engine: Engine = sandbox.app.state.engine
    for event in ("wissel", "golf", "adreswijziging", "toestemming-intrekken"):
        sandbox.post(event)
    path = f"/rest/v2/instellingen/{sandbox.stand['instelling']}/uitgever/synchronizationpermission"
    assert sandbox.me.get(path, params={"request-permission": "true"}).status_code == 200
    later = now() + timedelta(days=3)
    assert remind(engine, later) == 0
    assert topics(engine) == []
    with writing(engine) as db:  # twin: as ordinary schools they would get it
        db.execute(select(SchoolRow.id).with_for_update())
        db.execute(update(SchoolRow).values(sandbox_of=None))
    assert remind(engine, later) > 0
    school = {"code": "99ZQ00", "naam": "Gewoon"}
    coordinator = {"emailadres": "ict@school.example", "naam": "Ida Cate", "reden": "eerste"}
    operator = TestClient(sandbox.app, headers={"Authorization": f"Bearer {OPERATOR_KEY}"})
    assert operator.post("/api/v1/operator/scholen", json=school).status_code == 201
    assert operator.post("/api/v1/operator/scholen/99ZQ00/coordinatoren", json=coordinator).status_code == 201
    assert set(topics(engine)) == {"hold-reminder", "activation"}


def topics(engine: Engine) -> list[str]:
    with reading(engine) as db:
        return list(db.scalars(select(OutboxRow.topic)))


def test_a_reset_makes_the_sandbox_and_a_second_one_keeps_every_number(sandbox: Sandbox) -> None:
    first, pupils = sandbox.stand, sandbox.get("/leerlingen")["leerlingen"]
    assert first["toestemming"] is True
    assert first["vastgehouden"] > 0
    assert len(pupils) == 400  # who is held is still in it
    for event in ("vertrek", "nieuwe-leerling", "wissel", "jaarovergang", "toestemming-intrekken", "fusie"):
        sandbox.post(event)
    assert sandbox.post("alles-terug") == first
    again = {each["lasKey"]: each["id"] for each in sandbox.get("/leerlingen")["leerlingen"]}
    assert again == {each["lasKey"]: each["id"] for each in pupils}


def test_each_trigger_is_seen_through_the_interface(sandbox: Sandbox) -> None:
    before = sandbox.get()
    sandbox.post("nieuwe-leerling")
    after = sandbox.get()
    [new] = [each for each in after["leerlingen"] if each["lasKey"] == "n-0001"]
    assert new["id"] not in {each["id"] for each in before["leerlingen"]}
    assert after["metaResult"]["mutationTimestamp"] > before["metaResult"]["mutationTimestamp"]
    sandbox.post("vertrek")
    assert new["id"] in {each["id"] for each in before["leerlingen"] + after["leerlingen"]}
    assert len(sandbox.get()["leerlingen"]) == len(after["leerlingen"]) - 1
    address = {each["lasKey"]: each["emailadres"] for each in sandbox.get("/staf")["medewerkers"]}
    sandbox.post("adreswijziging")
    changed = {each["lasKey"]: each["emailadres"] for each in sandbox.get("/staf")["medewerkers"]}
    assert sum(address[key] != changed[key] for key in address) == 1
    held = sandbox.stand["vastgehouden"]
    names = {each["lasKey"]: each["persoonsgegevens"] for each in sandbox.get("/leerlingen")["leerlingen"]}
    assert sandbox.post("wissel")["vastgehouden"] > held
    assert sandbox.post("golf")["vastgehouden"] > 90  # a hundred are gone at once: held, and still in the answers
    assert names == {each["lasKey"]: each["persoonsgegevens"] for each in sandbox.get("/leerlingen")["leerlingen"]}


def test_consent_can_be_withdrawn_and_given(sandbox: Sandbox) -> None:
    path = f"/rest/v2/instellingen/{sandbox.stand['instelling']}"
    assert sandbox.post("toestemming-intrekken")["toestemming"] is False
    assert sandbox.me.get(path).status_code == 403
    assert sandbox.post("toestemming-geven")["toestemming"] is True
    assert sandbox.me.get(path).status_code == 200


def test_a_merged_school_says_into_which(sandbox: Sandbox) -> None:
    assert sandbox.get("/details", "buren")["actief"] is True
    sandbox.post("fusie")
    for which in ("buren", "opgegaan"):
        details = sandbox.get("/details", which)
        assert (details["actief"], details["gefuseerdNaar"]) == (False, sandbox.stand["instelling"])
    sandbox.post("alles-terug")
    for answer in (sandbox.get("/details", "buren"), sandbox.get("", "buren")):
        assert (answer["actief"], answer["gefuseerdNaar"]) == (True, None)


def test_a_coordinator_outside_the_roster_is_there(sandbox: Sandbox) -> None:
    [outside] = [each for each in sandbox.get("/staf")["medewerkers"] if each["lasKey"] is None]
    assert outside["rollen"] == ["ICTCoordinator"]


def test_no_other_publisher_sees_it(sandbox: Sandbox) -> None:
    other = sandbox.clients["cijfers"]
    assert other.get("/rest/v2/nawsearch", params={"naam": "zandbak"}).json() == []
    assert sandbox.me.get("/rest/v2/nawsearch", params={"naam": "zandbak"}).json() != []
    assert other.get("/rest/v2/instellingen").json() == []
    for tail in ("", "/details", "/uitgever/synchronizationpermission"):
        assert other.get(f"/rest/v2/instellingen/{sandbox.stand['instelling']}{tail}").status_code == 404
    assert other.get(BASE).json()["type"] == "/problems/sandbox-missing"
    theirs = other.post(f"{BASE}/alles-terug").json()
    assert theirs["instelling"] != sandbox.stand["instelling"]
    assert sandbox.me.get(BASE).json() == sandbox.stand


def test_where_it_is_off_there_is_none_and_a_stranger_learns_nothing(sandbox: Sandbox) -> None:
    stranger = TestClient(sandbox.app)
    assert stranger.post(f"{BASE}/alles-terug").status_code == 401
    assert sandbox.me.post(f"{BASE}/bestaat-niet").status_code == 422
    sandbox.app.state.sandbox_pupils = 0
    assert stranger.post(f"{BASE}/alles-terug").status_code == 401
    for method, path in (("GET", ""), ("POST", "/alles-terug"), ("POST", "/vertrek")):
        assert sandbox.me.request(method, BASE + path).status_code == 404


def test_the_school_in_its_full_size_comes_in(make_engine: Callable[[str], Engine]) -> None:
    made = Sandbox(make_engine("basispoort_hub"), PUPILS)
    stand = made.post("alles-terug")
    assert stand["leerlingen"] == PUPILS
    assert len(made.get("/leerlingen")["leerlingen"]) == PUPILS
