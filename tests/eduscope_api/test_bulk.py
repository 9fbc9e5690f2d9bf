"""Many changes at once: all or nothing, and a dry run that shows what the real one does."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.eduscope_api.nightly import School
from services.eduscope_api.rules.transition import next_year
from shared.database import writing
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_group, add_member, add_pupil, add_school
from tests.stored_state import read_state

API = f"/api/v1/scholen/{CODE}"


@pytest.fixture
def school(client: TestClient) -> School:
    """Groups 7 and 8 with two pupils each, a teacher each, and an empty group of last year."""
    engine = engine_of(client)
    school = add_school(engine, pupils=0)
    with writing(engine) as db:
        for year in ("7", "8"):
            group = add_group(db, school.id, f"g{year}", year=year)
            add_member(db, school.id, f"m{year}", groups=[group])
            for number in (1, 2):
                add_pupil(db, school.id, f"p{year}{number}", year=year, home_group_id=group)
        add_group(db, school.id, "oud")
    sign_in(client, school)
    return school


def rows(client: TestClient, kind: str) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in client.get(f"{API}/{kind}").json()[kind]}


def a_transition(client: TestClient, **changes: Any) -> dict[str, Any]:
    pupils, groups, staff = (rows(client, kind) for kind in ("leerlingen", "groepen", "personeel"))
    return {
        "proef": False,
        "groepen": [
            {"ref": "acht", "naam": "Groep 8 nieuw", "jaargroep": "8"},
            {"id": groups["g7"]["id"], "omschrijving": "blijft"},
        ],
        "leerlingen": [{"ids": [pupils["p71"]["id"], pupils["p72"]["id"]], "groep": "acht", "jaargroep": "+1"}],
        "uitstroom": {"ids": [pupils["p81"]["id"], pupils["p82"]["id"]], "datum": "2027-07-31"},
        "docenten": [{"groep": "acht", "ids": [staff["m8"]["id"], staff["m7"]["id"]]}],
        "verwijderGroepen": [groups["oud"]["id"]],
        **changes,
    }


def state(client: TestClient) -> dict[str, list[str]]:
    return read_state("eduscope_api", engine_of(client))


def test_the_year_moves_on(client: TestClient, school: School) -> None:
    answer = client.post(f"{API}/jaarovergang", json=a_transition(client))
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert done["aantallen"] == {
        "groepNieuw": 1,
        "groep": 1,
        "groepWeg": 1,
        "leerling": 2,
        "leerlingUitstroom": 2,
        "personeel": 2,
    }
    new = done["groepen"]["acht"]
    pupils = rows(client, "leerlingen")
    assert [(pupils[key]["groep"], pupils[key]["jaargroep"]) for key in ("p71", "p72")] == [(new, "8")] * 2
    assert [pupils[key]["uitstroomdatum"] for key in ("p81", "p82")] == ["2027-07-31"] * 2
    group = client.get(f"{API}/groepen/{new}").json()
    assert (group["leerlingen"], group["docenten"]) == (2, [row["id"] for row in rows(client, "personeel").values()])
    assert "oud" not in rows(client, "groepen")
    assert client.get(f"{API}/geschiedenis").json()["totaal"] == len(done["wijzigingen"]) == 9


def test_a_dry_run_writes_nothing_and_says_what_the_real_run_does(client: TestClient, school: School) -> None:
    before = state(client)
    trial = client.post(f"{API}/jaarovergang", json=a_transition(client, proef=True)).json()
    assert state(client) == before
    assert (trial["proef"], trial["groepen"]) == (True, {})
    real = client.post(f"{API}/jaarovergang", json=a_transition(client)).json()
    assert state(client) != before  # the twin: the real one does write
    assert real["aantallen"] == trial["aantallen"]
    assert [(each["soort"], each["naam"]) for each in trial["wijzigingen"]] == [
        (each["soort"], each["naam"]) for each in real["wijzigingen"]
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"groepen": [{"naam": "Zonder ref"}]}, "groepen/0/ref"),
        ({"groepen": [{"ref": "a", "naam": "A"}, {"ref": "a", "naam": "B"}]}, "groepen/1/ref"),
        ({"groepen": [{"ref": "a"}]}, "groepen/0/naam"),
        ({"groepen": [{"id": 999, "naam": "A"}]}, "groepen/0/id"),
        ({"groepen": [{"id": 1, "soort": "samengestelde_groep"}]}, "groepen/0/soort"),
        ({"groepen": [{"id": 1, "naam": None}]}, "groepen/0/naam"),
        ({"leerlingen": [{"ids": [1], "groep": "weg"}]}, "leerlingen/0/groep"),
        ({"leerlingen": [{"ids": [1], "groep": 999}]}, "leerlingen/0/groep"),
        ({"leerlingen": [{"ids": [1], "groep": {"id": 1}}]}, "leerlingen/0/groep"),
        ({"leerlingen": [{"ids": [1, 999]}]}, "leerlingen/0/ids/1"),
        ({"leerlingen": [{"ids": [1]}, {"ids": [2, 1]}]}, "leerlingen/1/ids/1"),
        ({"leerlingen": [{"ids": [1], "jaargroep": "+2"}]}, "leerlingen/0/jaargroep"),
        ({"leerlingen": [{"ids": [3], "jaargroep": "+1"}]}, "leerlingen/0/ids/0"),
        ({"uitstroom": {"ids": [999], "datum": "2027-07-31"}}, "uitstroom/ids/0"),
        ({"uitstroom": {"ids": [1], "datum": "31-07-2027"}}, "uitstroom/datum"),
        ({"docenten": [{"groep": "weg", "ids": []}]}, "docenten/0/groep"),
        ({"docenten": [{"groep": 999, "ids": []}]}, "docenten/0/groep"),
        ({"docenten": [{"groep": 1, "ids": [999]}]}, "docenten/0/ids/0"),
        ({"docenten": [{"groep": 1, "ids": []}, {"groep": 1, "ids": []}]}, "docenten/1/groep"),
        ({"verwijderGroepen": [3, 999]}, "verwijderGroepen/1"),
        ({"verwijderGroepen": [3, 2]}, "verwijderGroepen/1"),
        ({"onbekend": []}, "?"),
        ({"proef": "nee"}, "proef"),
    ],
    ids=str,
)
def test_one_error_stops_everything_and_stands_at_its_place(
    client: TestClient, school: School, changes: dict[str, Any], pointer: str
) -> None:
    before = state(client)
    whole = {"docenten": [], "leerlingen": [], "verwijderGroepen": [], **changes}
    answer = client.post(f"{API}/jaarovergang", json=a_transition(client, **whole))
    assert answer.status_code == 422
    assert f"/body/{pointer}" in [each["pointer"] for each in answer.json()["errors"]], answer.text
    assert state(client) == before


def test_too_much_at_once_is_refused(client: TestClient, school: School) -> None:
    ids = list(range(1, 2001))
    body = {"proef": True, "leerlingen": [{"ids": ids}, {"ids": ids}, {"ids": ids}]}
    answer = client.post(f"{API}/jaarovergang", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/body/leerlingen")


def test_nobody_of_another_school_can_be_moved(client: TestClient, school: School) -> None:
    other = add_school(engine_of(client), OTHER_CODE)
    sign_in(client, other, user_name="ander@regenboog.example")
    theirs = f"/api/v1/scholen/{OTHER_CODE}"
    before = state(client)
    for body in (
        {"proef": False, "leerlingen": [{"ids": [1], "jaargroep": "8"}]},
        {"proef": False, "uitstroom": {"ids": [1], "datum": "2027-07-31"}},
        {"proef": False, "docenten": [{"groep": 1, "ids": []}]},
        {"proef": False, "verwijderGroepen": [3]},
        {"proef": False, "groepen": [{"id": 1, "naam": "X"}]},
    ):
        assert client.post(f"{theirs}/jaarovergang", json=body).status_code == 422
    for kind in ("leerlingen", "personeel"):
        assert client.patch(f"{theirs}/{kind}", json={kind: [{"id": 1, "roepnaam": "X"}]}).status_code == 422
    assert state(client) == before


def test_a_list_of_changes_is_carried_out(client: TestClient, school: School) -> None:
    pupils = rows(client, "leerlingen")
    edits = [
        {"id": pupils["p71"]["id"], "roepnaam": "Een", "etag": f'"{pupils["p71"]["versie"]}"'},
        {"id": pupils["p72"]["id"], "jaargroep": None},
        {"id": pupils["p81"]["id"]},
    ]
    answer = client.patch(f"{API}/leerlingen", json={"leerlingen": edits})
    assert answer.json() == {"gewijzigd": 2, "ids": [pupils["p71"]["id"], pupils["p72"]["id"]]}
    after = rows(client, "leerlingen")
    assert (after["p71"]["roepnaam"], after["p72"]["jaargroep"], after["p81"]) == ("Een", None, pupils["p81"])
    staff = rows(client, "personeel")
    edit = {"id": staff["m7"]["id"], "rollen": ["Inval"], "emailadres": "nieuw@regenboog.example", "groepen": []}
    assert client.patch(f"{API}/personeel", json={"personeel": [edit]}).json()["gewijzigd"] == 1
    assert {name: rows(client, "personeel")["m7"][name] for name in edit} == edit


@pytest.mark.parametrize(
    ("edit", "pointer"),
    [
        ({"id": 999}, "id"),
        ({"id": 1}, "id"),
        ({"id": 2, "groep": 999}, "groep"),
        ({"id": 2, "roepnaam": None, "achternaam": None}, "achternaam"),
        ({"id": 2, "roepnaam": 7}, "roepnaam"),
        ({"id": 2, "instroomdatum": "2027-01-01", "uitstroomdatum": "2026-01-01"}, "uitstroomdatum"),
        ({"roepnaam": "X"}, "id"),
    ],
    ids=str,
)
def test_one_wrong_line_stops_the_whole_list(
    client: TestClient, school: School, edit: dict[str, Any], pointer: str
) -> None:
    before = state(client)
    answer = client.patch(f"{API}/leerlingen", json={"leerlingen": [{"id": 1, "roepnaam": "Goed"}, edit]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/body/leerlingen/1/{pointer}")
    assert state(client) == before


def test_one_older_version_stops_the_whole_list(client: TestClient, school: School) -> None:
    client.patch(f"{API}/leerlingen/2", json={"voorletters": "N."})
    before = state(client)
    edits = [{"id": 1, "roepnaam": "Goed", "etag": '"1"'}, {"id": 2, "roepnaam": "Oud", "etag": '"1"'}]
    answer = client.patch(f"{API}/leerlingen", json={"leerlingen": edits})
    assert answer.status_code == 412
    assert answer.json()["gewijzigd"] == ["voorletters"]
    assert answer.json()["plaatsen"] == [
        {"pointer": "/body/leerlingen/1/etag", "etag": '"2"', "gewijzigd": ["voorletters"]}
    ]
    assert state(client) == before
    edits[1]["etag"] = '"2"'
    assert client.patch(f"{API}/leerlingen", json={"leerlingen": edits}).status_code == 200


def test_years_follow_each_other_up_to_eight() -> None:
    assert [next_year(str(year)) for year in range(1, 8)] == [str(year) for year in range(2, 9)]
    assert [next_year(year) for year in ("8", "0", "S", "11", None)] == [None] * 5
