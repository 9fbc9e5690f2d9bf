"""A hand-made file in: it adds and changes, never removes, and is refused while an administration is connected."""

from collections.abc import Iterable
from datetime import date

import pytest
from fastapi.testclient import TestClient

from shared.clock import now
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlSchool, EdexmlStaff
from shared.edexml_write import write_edexml
from shared.identifiers import SchoolCode
from shared.roster import Pupil, StaffMember
from tests.basispoort_hub.hub import CODE, Hub, answered
from tests.factories import a_group, a_pupil, a_staff_member

PATH = f"/api/v1/scholen/{CODE}/edexml"
TEACHERS = f"/api/v1/scholen/{CODE}/leerkrachten"
ANNA, BRAM = "anna@school.example", "bram@school.example"


def a_file(pupils: Iterable[Pupil], staff: Iterable[StaffMember], code: str = CODE, left: date | None = None) -> bytes:
    file = EdexmlFile(
        school=EdexmlSchool(school_code=SchoolCode.parse(code), school_year="2026-2027"),
        groups=(a_group(),),
        pupils=tuple(EdexmlPupil(pupil=pupil, left_on=left) for pupil in pupils),
        staff=tuple(EdexmlStaff(member=member) for member in staff),
    )
    return write_edexml(file, created_at=now(), author="test")


def send(client: TestClient, body: bytes, path: str = PATH) -> tuple[int, dict[str, object]]:
    answer = client.post(path, content=body, headers={"Content-Type": "application/xml"})
    return answer.status_code, answer.json()


@pytest.fixture
def coordinator(hub: Hub) -> TestClient:
    hub.add_school()
    return hub.a_coordinator()


def test_a_file_brings_accounts_as_a_push_does(hub: Hub, coordinator: TestClient) -> None:
    status, body = send(coordinator, a_file([a_pupil()], [a_staff_member("m1", email=ANNA)]))
    assert status == 200
    assert body["ontvangst"]["leerlingen"]["nieuw"] == 1  # type: ignore[index]
    assert body["ontvangst"]["berichtenInWachtrij"] == 1  # type: ignore[index]
    hub.activate(ANNA)
    (shown,) = answered(coordinator.get(TEACHERS), 200)["leerkrachten"]
    assert (shown["emailadres"], shown["groepen"], shown["account"]) == (ANNA, ["Groep 5"], "actief")


def test_a_file_never_removes_anybody(coordinator: TestClient) -> None:
    send(coordinator, a_file([a_pupil("p1"), a_pupil("p2", first_name="Daan")], [a_staff_member("m1", email=ANNA)]))
    status, body = send(coordinator, a_file([a_pupil("p1")], [a_staff_member("m2", email=BRAM)]))
    assert status == 200
    assert body["ontvangst"]["leerlingen"] == {"nieuw": 0, "gewijzigd": 0, "verwijderd": 0}  # type: ignore[index]
    assert len(answered(coordinator.get(TEACHERS), 200)["leerkrachten"]) == 2


def test_pupils_who_left_stay_out(coordinator: TestClient) -> None:
    _, body = send(coordinator, a_file([a_pupil("p1")], [], left=date(2020, 1, 1)))
    assert body["ontvangst"]["leerlingen"]["nieuw"] == 0  # type: ignore[index]


def test_hand_made_files_are_refused_while_an_administration_is_connected(hub: Hub, coordinator: TestClient) -> None:
    hub.switch_on(coordinator, hub.administration_key())
    status, body = send(coordinator, a_file([a_pupil()], []))
    assert (status, body["type"]) == (409, "/problems/connection-on")


def test_a_file_of_another_school_is_refused(coordinator: TestClient) -> None:
    status, body = send(coordinator, a_file([a_pupil()], [], code="99ZB00"))
    assert (status, body["type"]) == (409, "/problems/other-school")


def test_a_broken_file_names_line_and_reason_and_changes_nothing(coordinator: TestClient) -> None:
    whole = a_file([a_pupil()], [a_staff_member("m1", email=ANNA)])
    status, body = send(coordinator, whole[: len(whole) // 2])
    assert (status, body["type"]) == (422, "/problems/edexml-invalid")
    assert body["regel"]
    assert body["reden"]
    assert answered(coordinator.get(TEACHERS), 200)["leerkrachten"] == []


def test_two_people_with_one_address_are_refused_and_listed(coordinator: TestClient) -> None:
    staff = [a_staff_member("m1", email=ANNA), a_staff_member("m2", email=ANNA)]
    status, body = send(coordinator, a_file([a_pupil()], staff))
    assert (status, body["type"]) == (422, "/problems/roster-inconsistent")
    assert ANNA not in str(body)


def test_a_stranger_and_another_schools_coordinator_get_nowhere(hub: Hub, coordinator: TestClient) -> None:
    file = a_file([a_pupil()], [])
    assert send(hub.client(), file)[0] == 401
    hub.add_school("99ZB00", "De Horizon")
    other = hub.a_coordinator("ander@school.example", "99ZB00")
    assert send(other, file)[0] == 404
