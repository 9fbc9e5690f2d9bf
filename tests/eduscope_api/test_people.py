"""Staff, groups and pupils over the JSON API."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.eduscope_api.nightly import School
from shared.clock import local_date, now
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school

API = f"/api/v1/scholen/{CODE}"


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client))
    sign_in(client, school)
    return school


def staff(client: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{API}/personeel").json()["personeel"]
    return found


def test_an_address_is_entered_changed_and_removed(client: TestClient, school: School) -> None:
    path = f"{API}/personeel/{staff(client)[0]['id']}"
    changed = client.patch(path, json={"emailadres": " Joris@Basispoort.EXAMPLE "})
    assert changed.json()["emailadres"] == "joris@basispoort.example"
    assert client.patch(path, json={"roepnaam": "Jo"}).json()["emailadres"] == "joris@basispoort.example"
    assert client.patch(path, json={"emailadres": None}).json()["emailadres"] is None
    assert staff(client)[0]["roepnaam"] == "Jo"


@pytest.mark.parametrize("address", ["geen adres", "a@b.example, c@d.example", "x@\u0000.example", 7, ""])
def test_what_is_no_address_is_refused_and_changes_nothing(client: TestClient, school: School, address: object) -> None:
    before = staff(client)
    answer = client.patch(f"{API}/personeel/{before[0]['id']}", json={"emailadres": address})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/body/emailadres"
    assert staff(client) == before


def test_a_substitute_gets_all_groups(client: TestClient, school: School) -> None:
    for name in ("Groep 6", "Groep 7"):
        client.post(f"{API}/groepen", json={"naam": name, "jaargroep": name[-1]})
    groups = [group["id"] for group in client.get(f"{API}/groepen").json()["groepen"]]
    body = {
        "achternaam": "Inval",
        "emailadres": "inval@regenboog.example",
        "rollen": ["Inval"],
        "einddatum": "2027-07-01",
    }
    made = client.post(f"{API}/personeel", json=body)
    assert made.status_code == 201
    assert client.put(f"{API}/personeel/{made.json()['id']}/groepen", json={"groepen": groups}).status_code == 204
    assert next(each for each in staff(client) if each["achternaam"] == "Inval")["groepen"] == sorted(groups)


def test_a_teacher_is_tied_to_a_group_and_taken_off_it(client: TestClient, school: School) -> None:
    group = client.post(f"{API}/groepen", json={"naam": "Plusklas", "soort": "samengestelde_groep"}).json()["id"]
    path = f"{API}/groepen/{group}/docenten/{staff(client)[0]['id']}"
    assert [client.put(path).status_code for _ in range(2)] == [204, 204]
    assert group in staff(client)[0]["groepen"]
    assert client.delete(f"{API}/groepen/{group}").json()["type"] == "/problems/group-in-use"
    assert [client.delete(path).status_code for _ in range(2)] == [204, 204]
    assert client.delete(f"{API}/groepen/{group}").status_code == 204


def test_a_pupil_comes_changes_and_leaves(client: TestClient, school: School) -> None:
    yesterday = str(local_date(now()) - timedelta(days=1))
    group = client.get(f"{API}/groepen").json()["groepen"][0]
    made = client.post(f"{API}/leerlingen", json={"roepnaam": "Łucja", "jaargroep": "5", "groep": group["id"]}).json()
    assert made["key"]
    path = f"{API}/leerlingen/{made['id']}"
    assert client.patch(path, json={"jaargroep": "6", "uitstroomdatum": yesterday}).json()["jaargroep"] == "6"
    pupils = client.get(f"{API}/leerlingen").json()["leerlingen"]
    assert [each["uitstroomdatum"] for each in pupils if each["id"] == made["id"]] == [yesterday]
    assert client.get(f"{API}/groepen").json()["groepen"][0]["leerlingen"] == group["leerlingen"] + 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"roepnaam": None, "achternaam": None},
        {"roepnaam": "Noor", "jaargroep": "9"},
        {"roepnaam": "Noor", "groep": 999},
        {"roepnaam": "Noor", "groep": 2**70},
        {"roepnaam": "Noor", "samengesteldeGroepen": [1]},
        {"roepnaam": "Noor", "school_id": 2},
        {"roepnaam": "Noor", "key": "p1"},
        {"roepnaam": "Noor", "eckid": "111222333"},
        {"roepnaam": "Noor 111222333"},
    ],
    ids=str,
)
def test_a_pupil_that_makes_no_sense_is_refused(client: TestClient, school: School, body: dict[str, object]) -> None:
    before = client.get(f"{API}/leerlingen").json()
    assert client.post(f"{API}/leerlingen", json=body).status_code == 422
    assert client.get(f"{API}/leerlingen").json() == before


def test_numbers_beyond_the_database_are_no_fault_of_the_server(client: TestClient, school: School) -> None:
    for number in ("0", "-1", str(2**63), str(2**80), "x"):
        assert client.patch(f"{API}/leerlingen/{number}", json={}).status_code == 422


def test_another_school_and_no_school_are_the_same_answer(client: TestClient, school: School) -> None:
    other = add_school(engine_of(client), OTHER_CODE)
    answers = []
    for code in (OTHER_CODE, "99XX00", "onzin"):
        path = f"/api/v1/scholen/{code}"
        for method, address in (
            ("GET", "personeel"),
            ("GET", "leerlingen"),
            ("GET", "groepen"),
            ("GET", "controles"),
            ("GET", "koppeling"),
            ("GET", "koppeling/proef"),
            ("GET", "koppeling/nachten"),
            ("POST", "koppeling/nu"),
            ("GET", "edexml"),
            ("GET", "rapportages/contactgegevens"),
        ):
            answer = client.request(method, f"{path}/{address}")
            answers.append((answer.status_code, {**answer.json(), "instance": ""}))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 404
    assert other.id != school.id


def test_a_row_of_another_school_cannot_be_reached_through_the_own_one(client: TestClient, school: School) -> None:
    other = add_school(engine_of(client), OTHER_CODE)
    sign_in(client, other, user_name="ander@regenboog.example")
    theirs = f"/api/v1/scholen/{OTHER_CODE}"
    mine = {kind: client.get(f"{theirs}/{kind}").json()[kind] for kind in ("personeel", "leerlingen", "groepen")}
    # row numbers of the first school, asked for under the second
    assert client.patch(f"{theirs}/personeel/1", json={"roepnaam": "X"}).status_code == 404
    assert client.patch(f"{theirs}/leerlingen/1", json={"roepnaam": "X"}).status_code == 404
    assert client.delete(f"{theirs}/groepen/1").status_code == 404
    own_member = mine["personeel"][0]["id"]
    assert client.put(f"{theirs}/groepen/1/docenten/{own_member}").status_code == 404
    assert client.put(f"{theirs}/personeel/{own_member}/groepen", json={"groepen": [1]}).status_code == 422
    assert client.post(f"{theirs}/leerlingen", json={"roepnaam": "X", "groep": 1}).status_code == 422
    assert {kind: client.get(f"{theirs}/{kind}").json()[kind] for kind in mine} == mine


def test_the_reports_show_all_staff_and_all_groups(client: TestClient, school: School) -> None:
    client.post(f"{API}/personeel", json={"achternaam": "Zonder Adres"})
    client.post(f"{API}/personeel", json={"achternaam": "Weg", "uitstroomdatum": "2020-01-01"})
    client.post(f"{API}/groepen", json={"naam": "Leeg"})
    contacts = client.get(f"{API}/rapportages/contactgegevens").json()["personeel"]
    assert [(each["naam"], each["emailadres"], each["groepen"]) for each in contacts] == [
        ("Joris Hagen m1", "m1@regenboog.example", ["Groep 5"]),
        ("Zonder Adres", None, []),
    ]
    teaching = client.get(f"{API}/rapportages/leerkrachten-per-groep").json()["groepen"]
    assert [(each["groep"], [one["naam"] for one in each["leerkrachten"]]) for each in teaching] == [
        ("Groep 5", ["Joris Hagen m1"]),
        ("Leeg", []),
    ]


def test_a_leaving_day_that_would_erase_somebody_at_once_is_refused(client: TestClient, school: School) -> None:
    """A slip in the year must not reach the keeping of thirty days."""
    pupil = client.post(f"{API}/leerlingen", json={"roepnaam": "Fenna"}).json()["id"]
    today = local_date(now())
    for days, status in ((30, 422), (400, 422), (29, 200)):
        body = {"uitstroomdatum": str(today - timedelta(days=days))}
        assert client.patch(f"{API}/leerlingen/{pupil}", json=body).status_code == status
