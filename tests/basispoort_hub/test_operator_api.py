"""What only the operator does: schools, coordinators, publishers, keys."""

import pytest
from sqlalchemy import func, select

from services.basispoort_hub.tables import CoordinatorRow, PersonRow
from shared.database import reading
from tests.basispoort_hub.hub import CODE, OPERATOR_KEY, Hub, answered

ICT = "ict@school.example"
COORDINATORS = f"/api/v1/operator/scholen/{CODE}/coordinatoren"


@pytest.mark.parametrize("key", [None, "schakel_onzin", OPERATOR_KEY + "x", OPERATOR_KEY[:-1], ""])
def test_only_the_operator_gets_in(hub: Hub, key: str | None) -> None:
    answer = hub.client(key).post("/api/v1/operator/scholen", json={"code": CODE, "naam": "De Regenboog"})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/caller-unknown")


def test_a_school_gets_a_number_and_its_code_in_one_spelling(hub: Hub) -> None:
    made = answered(
        hub.operator().post("/api/v1/operator/scholen", json={"code": " 99za ", "naam": "De Regenboog"}), 201
    )
    assert made == {"id": made["id"], "code": "99ZA00"}
    again = hub.operator().post("/api/v1/operator/scholen", json={"code": "99ZA00", "naam": "Nog eens"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/school-exists")
    assert again.json()["id"] == made["id"], "an operator whose first answer got lost can go on"
    odd = hub.operator().post("/api/v1/operator/scholen", json={"code": "zomaariets", "naam": "x"})
    assert odd.status_code == 422
    assert "zomaariets" not in odd.text


def test_the_first_coordinator_gets_an_activation_mail_and_a_reason_on_record(hub: Hub) -> None:
    hub.add_school()
    account_id = hub.appoint(ICT)
    assert hub.appoint(ICT.upper()) == account_id, "twice is once"
    assert [to for to, *_ in hub.post_all()] == [ICT]
    with reading(hub.engine) as db:
        row = db.scalars(select(CoordinatorRow)).one()
        assert (row.reason, row.appointed_by) == ("eerste coördinator", "operator")


def test_a_coordinator_with_an_account_elsewhere_is_told_and_keeps_the_password(hub: Hub) -> None:
    hub.add_school()
    hub.add_school("99ZB00", "De Horizon")
    session = hub.a_coordinator(ICT)
    hub.appoint(ICT, "99ZB00")
    ((to, subject, text, _),) = hub.post_all()
    assert (to, subject) == (ICT, "U bent ICT-coördinator van De Horizon")
    assert "/activeren/" not in text
    assert session.get("/api/v1/scholen/99ZB00/koppeling").status_code == 200


def test_the_last_coordinator_stays(hub: Hub) -> None:
    hub.add_school()
    first = hub.appoint(ICT)
    refused = hub.operator().delete(f"{COORDINATORS}/{first}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/last-coordinator")
    hub.appoint("tweede@school.example")
    answered(hub.operator().delete(f"{COORDINATORS}/{first}"), 204)
    assert hub.operator().delete(f"{COORDINATORS}/{first}").status_code == 404
    assert hub.account(ICT).state == "closed"


@pytest.mark.parametrize("code", ["a/b", "a b", "", "a" * 65, "é", "ctrl\n"])
def test_a_publishers_code_can_stand_in_an_address(hub: Hub, code: str) -> None:
    body = {"code": code, "naam": "CtrlLearning", "zin": "Activeer"}
    assert hub.operator().post("/api/v1/operator/uitgevers", json=body).status_code == 422


def test_a_coordinator_outside_the_roster_is_in_what_publishers_read(hub: Hub) -> None:
    number = hub.add_school()
    coordinator = hub.a_coordinator(ICT)
    hub.operator().post("/api/v1/operator/uitgevers", json={"code": "ctrl", "naam": "CtrlLearning", "zin": "Activeer"})
    key = answered(hub.operator().post("/api/v1/operator/uitgevers/ctrl/sleutels"), 201)["sleutel"]
    answered(coordinator.put(f"/api/v1/scholen/{CODE}/uitgeverijen/ctrl", json={"toestemming": True}), 200)

    def staff() -> list[tuple[str, str | None, list[str]]]:
        found = answered(hub.client(key).get(f"/rest/v2/instellingen/{number}/staf"), 200)["medewerkers"]
        return [(each["emailadres"], each["lasKey"], each["rollen"]) for each in found]

    assert staff() == [(ICT, None, ["ICTCoordinator"])]
    second = hub.appoint("tweede@school.example")
    assert len(staff()) == 2
    answered(hub.operator().delete(f"{COORDINATORS}/{second}"), 204)
    assert len(staff()) == 1
    with reading(hub.engine) as db:
        assert db.scalar(select(func.count()).select_from(PersonRow).where(PersonRow.left_at.is_not(None))) == 1


def test_two_keys_live_at_once_and_a_third_replaces_the_oldest(hub: Hub) -> None:
    hub.add_school()
    keys = [hub.administration_key() for _ in range(3)]
    found = [hub.client(key).get(f"/api/v1/scholen/{CODE}/stand").status_code for key in keys]
    assert found == [401, 200, 200]
    assert len(set(keys)) == 3


def test_a_publisher_has_one_code_and_keys_of_its_own(hub: Hub) -> None:
    body = {"code": "ctrl", "naam": "CtrlLearning", "zin": "Activeer de digitale methodes van CtrlLearning"}
    answered(hub.operator().post("/api/v1/operator/uitgevers", json=body), 201)
    assert hub.operator().post("/api/v1/operator/uitgevers", json=body).status_code == 409
    assert hub.operator().post("/api/v1/operator/uitgevers/anders/sleutels").status_code == 404
    keys = [answered(hub.operator().post("/api/v1/operator/uitgevers/ctrl/sleutels"), 201)["sleutel"] for _ in range(3)]
    assert [hub.client(key).get("/rest/v2/instellingen").status_code for key in keys] == [401, 200, 200]


@pytest.mark.parametrize(
    "email", ["geen adres", "a@school.example, b@school.example", ["a@school.example"], "a@b\r\nBcc: c@d"]
)
def test_a_coordinator_has_exactly_one_address(hub: Hub, email: object) -> None:
    hub.add_school()
    answer = hub.operator().post(COORDINATORS, json={"emailadres": email, "naam": "Mila", "reden": "x"})
    assert answer.status_code == 422
    assert hub.post_all() == []
