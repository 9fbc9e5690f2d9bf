"""Both switches, and consent per publisher."""

import time_machine
from sqlalchemy import select

from services.basispoort_hub.tables import PermissionRow
from shared.clock import now
from shared.database import reading
from shared.roster import Roster
from tests.basispoort_hub.hub import CODE, Hub, answered, utc
from tests.factories import a_group, a_staff_member

CONNECTION = f"/api/v1/scholen/{CODE}/koppeling"
TICK = f"/api/v1/scholen/{CODE}/aanmelding"
PUBLISHERS = f"/api/v1/scholen/{CODE}/uitgeverijen"
ON = {"administratie": "EDUscope", "actief": True}
SENTENCE = "Activeer de digitale methodes van CtrlLearning"


def add_publisher(hub: Hub, code: str = "ctrl", name: str = "CtrlLearning") -> str:
    body = {"code": code, "naam": name, "zin": SENTENCE}
    answered(hub.operator().post("/api/v1/operator/uitgevers", json=body), 201)
    return str(answered(hub.operator().post(f"/api/v1/operator/uitgevers/{code}/sleutels"), 201)["sleutel"])


def test_each_side_says_what_it_waits_for_until_both_switches_are_on(hub: Hub) -> None:
    hub.add_school()
    coordinator, administration = hub.a_coordinator(), hub.client(hub.administration_key())
    assert "ICT-coördinator" in answered(coordinator.get(CONNECTION), 200)["wachtOp"]
    answered(administration.put(TICK, json={"aangezet": True}), 204)
    assert "ICT-coördinator" in answered(administration.get(f"/api/v1/scholen/{CODE}/stand"), 200)["wachtOp"]
    answered(administration.put(TICK, json={"aangezet": False}), 204)
    assert answered(coordinator.put(CONNECTION, json=ON), 200)["wachtOp"] == (
        "EDUscope heeft de koppeling nog niet geactiveerd."
    )
    answered(administration.put(TICK, json={"aangezet": True}), 204)
    both = answered(coordinator.get(CONNECTION), 200)
    assert both["koppelingActief"]
    assert both["wachtOp"] is None


def test_switching_off_on_either_side_stops_the_exchange(hub: Hub) -> None:
    hub.add_school()
    coordinator, key = hub.a_coordinator(), hub.administration_key()
    hub.switch_on(coordinator, key)
    roster = Roster.of([a_group(), a_staff_member()])
    hub.push(key, roster)
    for client, path, off in (
        (coordinator, CONNECTION, {**ON, "actief": False}),
        (hub.client(key), TICK, {"aangezet": False}),
    ):
        hub.switch_on(coordinator, key)
        assert client.put(path, json=off).status_code in {200, 204}
        assert not answered(hub.client(key).get(f"/api/v1/scholen/{CODE}/stand"), 200)["koppelingActief"]


def test_only_a_known_administration_can_be_chosen(hub: Hub) -> None:
    hub.add_school()
    coordinator = hub.a_coordinator()
    answer = coordinator.put(CONNECTION, json={**ON, "administratie": "Onbekend"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-administration")
    assert coordinator.put(CONNECTION, json={**ON, "actief": "ja"}).status_code == 422


def test_another_administration_cannot_tick_for_a_school_that_chose_differently(hub: Hub) -> None:
    hub.add_school()
    coordinator = hub.a_coordinator()
    answered(coordinator.put(CONNECTION, json=ON), 200)
    key = answered(hub.operator().post("/api/v1/operator/administraties/Anders/sleutels"), 201)["sleutel"]
    assert hub.client(key).put(TICK, json={"aangezet": True}).status_code == 403
    assert hub.client("schakel_onzin").put(TICK, json={"aangezet": True}).status_code == 401
    assert hub.client(key).put("/api/v1/scholen/99ZC00/aanmelding", json={"aangezet": True}).status_code == 404


def test_consent_shows_the_publishers_sentence_and_which_data_it_gets(hub: Hub) -> None:
    hub.add_school()
    add_publisher(hub)
    (shown,) = answered(hub.a_coordinator().get(PUBLISHERS), 200)
    assert (shown["zin"], shown["toestemming"], shown["sinds"]) == (SENTENCE, False, None)
    assert "e-mailadres" in " ".join(shown["gegevens"])


def test_a_publisher_reads_only_while_there_is_consent(hub: Hub) -> None:
    number = hub.add_school()
    publisher, other = hub.client(add_publisher(hub)), hub.client(add_publisher(hub, "anders", "Anders"))
    coordinator = hub.a_coordinator()
    assert publisher.get(f"/rest/v2/instellingen/{number}").status_code == 403
    for _ in range(2):
        assert answered(coordinator.put(f"{PUBLISHERS}/ctrl", json={"toestemming": True}), 200)["toestemming"]
    assert answered(publisher.get("/rest/v2/instellingen"), 200) == [number]
    assert publisher.get(f"/rest/v2/instellingen/{number}").status_code == 200
    assert other.get(f"/rest/v2/instellingen/{number}").status_code == 403
    for _ in range(2):
        answered(coordinator.put(f"{PUBLISHERS}/ctrl", json={"toestemming": False}), 200)
    assert publisher.get(f"/rest/v2/instellingen/{number}").status_code == 403
    assert coordinator.put(f"{PUBLISHERS}/onbekend", json={"toestemming": True}).status_code == 404


def test_consent_is_given_and_withdrawn_on_the_day_it_is_in_amsterdam(hub: Hub) -> None:
    number = hub.add_school()
    publisher = hub.client(add_publisher(hub))
    hub.appoint()
    hub.activate("ict@school.example")
    lists = "/rest/v2/instellingen/synchronizationpermission"
    with time_machine.travel(utc(2027, 3, 31, 22, 30), tick=False) as clock:  # 00:30 on 1 April in Amsterdam
        coordinator = hub.sign_in("ict@school.example")
        answered(coordinator.put(f"{PUBLISHERS}/ctrl", json={"toestemming": True}), 200)
        assert answered(publisher.get(f"{lists}/toegekend/2027-04-01"), 200) == [number]
        assert answered(publisher.get(f"{lists}/toegekend/2027-03-31"), 200) == []
        clock.move_to(utc(2027, 4, 1, 4, 0))
        answered(coordinator.put(f"{PUBLISHERS}/ctrl", json={"toestemming": False}), 200)
        assert answered(publisher.get(f"{lists}/ingetrokken/2027-04-01"), 200) == [number]


def test_who_gave_consent_and_when_stays_on_record(hub: Hub) -> None:
    hub.add_school()
    add_publisher(hub)
    coordinator = hub.a_coordinator()
    for given in (True, False, True):
        answered(coordinator.put(f"{PUBLISHERS}/ctrl", json={"toestemming": given}), 200)
    with reading(hub.engine) as db:
        rows = db.scalars(select(PermissionRow).order_by(PermissionRow.id)).all()
    assert [row.withdrawn_at is None for row in rows] == [False, True]
    assert {row.granted_by for row in rows} == {hub.account("ict@school.example").id}
    assert all(row.granted_at <= now() for row in rows)
