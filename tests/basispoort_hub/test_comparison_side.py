"""The hub's side of the comparison: who may read a school's staff, what it says; and announced changes of domain."""

from typing import Any

import pytest

from shared.roster import Roster
from shared.wire.teachers import WireKnownStaff
from tests.basispoort_hub.hub import CODE, Hub, answered
from tests.factories import a_group, a_pupil, a_staff_member

API = f"/api/v1/scholen/{CODE}"
TEACHERS = f"/scholen/{CODE}/leerkrachten"
TICK = f"{API}/aanmelding"
OTHER = "99ZB00"


def read(hub: Hub, key: str, status: int = 200, code: str = CODE) -> Any:
    return answered(hub.client(key).get(f"/api/v1/scholen/{code}/leerkrachten"), status)


def a_school(count: int = 2, domain: str = "school.example", **locals_: str) -> Roster:
    """Teachers m1.. with addresses m1@domain..; `locals_` gives some another local part."""
    members = [
        a_staff_member(f"m{at}", last_name=f"Hagen{at}", email=f"{locals_.get(f'm{at}', f'm{at}')}@{domain}")
        for at in range(1, count + 1)
    ]
    return Roster.of([a_group(), a_pupil(), *members])


# --- who may read -----------------------------------------------------------------------------------------------------


def test_the_list_is_closed_until_the_coordinator_opens_it(hub: Hub) -> None:
    hub.add_school()
    chief, key = hub.a_coordinator(), hub.administration_key()
    hub.switch_on(chief, key)
    hub.push(key, a_school())
    answered(hub.client(key).put(TICK, json={"aangezet": False}), 204)
    assert hub.client(key).get(f"{API}/leerkrachten").json()["type"] == "/problems/teachers-not-readable"
    assert answered(chief.put(f"{API}/leerkrachtenlijst", json={"leesbaar": True}), 200) == {"leesbaar": True}
    assert len(read(hub, key)["leerkrachten"]) == 3
    answered(chief.put(f"{API}/leerkrachtenlijst", json={"leesbaar": False}), 200)
    read(hub, key, 403)


def test_a_link_that_is_on_opens_the_list_too(hub: Hub) -> None:
    hub.add_school()
    key = hub.administration_key()
    read(hub, key, 403)
    hub.switch_on(hub.a_coordinator(), key)
    read(hub, key)


def test_the_slider_on_the_page_opens_and_closes_the_list(hub: Hub) -> None:
    hub.add_school()
    chief, key = hub.a_coordinator(), hub.administration_key()
    for form, status, checked in (({"leesbaar": "ja"}, 200, True), ({}, 403, False)):
        answer = chief.post(f"{TEACHERS}/lijst", data={"formulier": "lijst", **form})
        message = "lijst-open" if form else "lijst-dicht"
        assert (answer.status_code, answer.headers["location"]) == (303, f"{TEACHERS}?melding={message}")
        read(hub, key, status)
        page = chief.get(TEACHERS, headers={"Accept": "text/html"}).text
        assert "EDUscope mag onze leerkrachtenlijst lezen" in page
        assert ('name="leesbaar" value="ja" checked' in page) is checked


def test_only_the_coordinator_of_the_school_moves_the_slider(hub: Hub) -> None:
    hub.add_school()
    hub.add_school(OTHER, "De Horizon")
    stranger, key = hub.a_coordinator("ander@school.example", OTHER), hub.administration_key()
    assert stranger.put(f"{API}/leerkrachtenlijst", json={"leesbaar": True}).status_code in {403, 404}
    assert stranger.post(f"{TEACHERS}/lijst", data={"formulier": "lijst", "leesbaar": "ja"}).status_code == 404
    assert hub.client(key).put(f"{API}/leerkrachtenlijst", json={"leesbaar": True}).status_code == 401
    read(hub, key, 403)


def test_another_administration_never_reads_the_list(hub: Hub) -> None:
    hub.add_school()
    chief = hub.a_coordinator()
    answered(chief.put(f"{API}/leerkrachtenlijst", json={"leesbaar": True}), 200)
    path = "/api/v1/operator/administraties/Anders/sleutels"
    other = str(answered(hub.operator().post(path), 201)["sleutel"])
    assert hub.client(other).get(f"{API}/leerkrachten").json()["type"] == "/problems/wrong-school"
    assert hub.client("schakel_onbekend").get(f"{API}/leerkrachten").status_code == 401
    read(hub, hub.administration_key(), 404, "99ZX00")


def test_the_coordinator_still_sees_the_own_list_at_the_same_address(hub: Hub) -> None:
    hub.add_school()
    shown = answered(hub.a_coordinator().get(f"{API}/leerkrachten"), 200)
    assert set(shown) == {"leerkrachten", "ictCoordinatoren"}


# --- what it says -----------------------------------------------------------------------------------------------------


def test_the_list_holds_staff_by_key_and_coordinators_outside_the_roster(hub: Hub) -> None:
    hub.add_school()
    chief, key = hub.a_coordinator(), hub.administration_key()
    hub.switch_on(chief, key)
    hub.push(key, a_school())
    hub.activate("m1@school.example")
    found = {each.email: each for each in WireKnownStaff.model_validate(read(hub, key)).staff}
    assert [found[f"m{at}@school.example"].key for at in (1, 2)] == ["m1", "m2"]
    assert [found[f"m{at}@school.example"].account for at in (1, 2)] == ["actief", "uitnodiging verstuurd"]
    assert found["m1@school.example"].groups == ["Groep 5"]
    assert (found["ict@school.example"].key, found["ict@school.example"].last_name) == (None, "Mila de Wit")


def test_a_coordinator_in_the_roster_stands_in_the_list_once(hub: Hub) -> None:
    hub.add_school()
    chief, key = hub.a_coordinator("m1@school.example"), hub.administration_key()
    hub.switch_on(chief, key)
    hub.push(key, a_school())
    assert [each["emailadres"] for each in read(hub, key)["leerkrachten"]] == ["m1@school.example", "m2@school.example"]


def test_it_does_not_show_whether_an_address_is_known_at_another_school(hub: Hub) -> None:
    """m1 has an active account at the other school, m2 is known nowhere: the list tells them apart by nothing."""
    for code, name in ((CODE, "De Regenboog"), (OTHER, "De Horizon")):
        hub.add_school(code, name)
    key = hub.administration_key()
    hub.switch_on(hub.a_coordinator("ict@horizon.example", OTHER), key, OTHER)
    hub.push(key, a_school(1), OTHER)
    hub.activate("m1@school.example")
    hub.switch_on(hub.a_coordinator(), key)
    hub.push(key, a_school(2))
    one, two = read(hub, key)["leerkrachten"][:2]
    own_to_each = {"lasKey", "emailadres", "achternaam"}
    assert {name for name in one if one[name] != two[name]} == own_to_each
    hub.appoint("m1@school.example", OTHER)
    own = read(hub, key)["leerkrachten"][0]
    assert own["account"] == one["account"], "a role elsewhere does not show either"


# --- announced changes of domain --------------------------------------------------------------------------------------

COUNT = 12
MOVE = [{"van": "school.example", "naar": "nieuw.example"}]


def a_linked_hub(hub: Hub, count: int = COUNT) -> str:
    hub.add_school()
    key = hub.administration_key()
    hub.switch_on(hub.a_coordinator(), key)
    hub.push(key, a_school(count))
    hub.post_all()
    return key


def announce(hub: Hub, key: str, moves: list[dict[str, str]]) -> None:
    answered(hub.client(key).put(TICK, json={"aangezet": True, "domeinwijzigingen": moves}), 204)


def test_an_announced_change_of_domain_flows_and_the_coordinator_is_told_at_both_addresses(hub: Hub) -> None:
    key = a_linked_hub(hub)
    announce(hub, key, MOVE)
    assert hub.push(key, a_school(COUNT, "nieuw.example"))["vastgehouden"] == 0
    told = [(to, text) for to, subject, text, _ in hub.post_all() if subject.startswith("De e-mailadressen")]
    assert sorted(to for to, _ in told) == ["ict@nieuw.example", "ict@school.example"]
    assert all("12 personeelsleden" in text.replace("\n", " ") for _, text in told)


def test_an_unannounced_change_of_domain_is_held(hub: Hub) -> None:
    key = a_linked_hub(hub)
    assert hub.push(key, a_school(COUNT, "nieuw.example"))["vastgehouden"] == COUNT
    assert not [mail for mail in hub.post_all() if mail[1].startswith("De e-mailadressen")]


@pytest.mark.parametrize(
    "moves",
    [[], [{"van": "elders.example", "naar": "nieuw.example"}], [{"van": "nieuw.example", "naar": "school.example"}]],
)
def test_another_announcement_does_not_open_the_door(hub: Hub, moves: list[dict[str, str]]) -> None:
    key = a_linked_hub(hub)
    announce(hub, key, moves)
    assert hub.push(key, a_school(COUNT, "nieuw.example"))["vastgehouden"] == COUNT


def test_a_change_in_front_of_the_at_sign_is_held_although_the_domain_was_announced(hub: Hub) -> None:
    key = a_linked_hub(hub)
    announce(hub, key, MOVE)
    others = {f"m{at}": f"anders{at}" for at in range(1, COUNT + 1)}
    assert hub.push(key, a_school(COUNT, "nieuw.example", **others))["vastgehouden"] == COUNT


def test_an_announcement_stays_until_a_list_without_it_comes(hub: Hub) -> None:
    key = a_linked_hub(hub)
    announce(hub, key, MOVE)
    answered(hub.client(key).put(TICK, json={"aangezet": True}), 204)
    assert hub.push(key, a_school(COUNT, "nieuw.example"))["vastgehouden"] == 0
    announce(hub, key, [])
    assert hub.push(key, a_school(COUNT, "school.example"))["vastgehouden"] == COUNT


def test_a_coordinator_whose_address_is_in_neither_domain_gets_one_mail(hub: Hub) -> None:
    hub.add_school()
    key = hub.administration_key()
    hub.switch_on(hub.a_coordinator("ict@bestuur.example"), key)
    hub.push(key, a_school(COUNT))
    announce(hub, key, MOVE)
    hub.push(key, a_school(COUNT, "nieuw.example"))
    told = [to for to, subject, _, _ in hub.post_all() if subject.startswith("De e-mailadressen")]
    assert told == ["ict@bestuur.example"]


def test_what_changes_beside_the_addresses_tells_nobody(hub: Hub) -> None:
    key = a_linked_hub(hub)
    announce(hub, key, MOVE)
    renamed = a_staff_member("m1", last_name="de Nieuwe Hagen1", email="m1@school.example")
    others = [each for each in a_school(COUNT).entries() if each.key != "m1"]
    hub.push(key, Roster.of([*others, renamed]))
    assert not [mail for mail in hub.post_all() if mail[1].startswith("De e-mailadressen")]


@pytest.mark.parametrize(
    "moves",
    [
        [{"van": "geen domein", "naar": "nieuw.example"}],
        [{"van": "school.example"}],
        [{"van": ["school.example"], "naar": "nieuw.example"}],
        [{"van": "a@school.example", "naar": "nieuw.example"}],
        MOVE * 21,
        "school.example",
    ],
)
def test_an_announcement_that_is_no_change_of_domain_is_refused(hub: Hub, moves: Any) -> None:
    hub.add_school()
    client = hub.client(hub.administration_key())
    assert client.put(TICK, json={"aangezet": True, "domeinwijzigingen": moves}).status_code == 422
