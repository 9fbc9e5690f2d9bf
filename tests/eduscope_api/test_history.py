"""Every change is remembered with who made it, and can be taken back unless somebody went over it since."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from services.eduscope_api.nightly import School
from services.eduscope_api.retention import remove_expired
from services.eduscope_api.rules.history import changed_since, differences, inverse, is_creation, is_removal
from services.eduscope_api.tables import ChangeRow, PupilRow, StaffRow
from shared.database import reading, writing
from tests.eduscope_api.doors import USER, engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school
from tests.stored_state import read_state

API = f"/api/v1/scholen/{CODE}"
NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client))
    sign_in(client, school)
    return school


def changes(client: TestClient, path: str = "geschiedenis", **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{API}/{path}", params=query).json()["wijzigingen"]
    return found


def newest(client: TestClient) -> dict[str, Any]:
    return changes(client)[0]


def undo(client: TestClient, change: dict[str, Any]) -> Any:
    return client.post(f"{API}/geschiedenis/{change['id']}/terugdraaien")


def fields(change: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (pair["voor"], pair["na"]) for name, pair in change["velden"].items()}


# --- the rules --------------------------------------------------------------------------------------------------------

VALUES = st.one_of(st.none(), st.booleans(), st.text(max_size=3), st.lists(st.integers(0, 3), max_size=3))
FIELDS = st.dictionaries(st.sampled_from(["naam", "groep", "rollen", "key"]), VALUES)


@given(before=FIELDS, after=FIELDS)
def test_taking_back_an_untouched_change_gives_what_was_there(before: dict[str, Any], after: dict[str, Any]) -> None:
    changed = differences(before, after)
    assert changed_since(changed, after) == []
    again = {**after, **inverse(changed)}
    assert {name for name in {*again, *before} if (again.get(name) or None) != (before.get(name) or None)} == set()


@given(before=FIELDS, after=FIELDS, later=FIELDS)
def test_what_moved_since_is_named(before: dict[str, Any], after: dict[str, Any], later: dict[str, Any]) -> None:
    changed = differences(before, after)
    named = changed_since(changed, later)
    assert set(named) == {name for name in changed if (later.get(name) or None) != (after.get(name) or None)}


def test_coming_and_going_are_told_by_the_key() -> None:
    assert is_creation(differences({}, {"key": "k", "naam": "A", "rollen": []}))
    assert is_removal(differences({"key": "k", "naam": "A"}, {}))
    assert differences({}, {"rollen": [], "naam": None}) == {}
    assert differences({"naam": "A"}, {"naam": "A"}) == {}


# --- who, when, what --------------------------------------------------------------------------------------------------


def test_a_change_tells_who_when_and_what(client: TestClient, school: School) -> None:
    with time_machine.travel(NOON, tick=False):
        client.patch(f"{API}/leerlingen/1", json={"roepnaam": "Noortje", "jaargroep": "5"})
    [change] = changes(client)
    assert (change["wie"], change["gewijzigdOp"], change["bron"]) == (USER, "2026-09-01T12:00:00Z", "api")
    assert (change["soort"], change["onderwerp"], change["naam"]) == ("leerling", 1, "Noortje van der Bijl p1")
    assert fields(change) == {"roepnaam": ("Noor", "Noortje")}  # the year was what it is
    assert changes(client, "leerlingen/1/geschiedenis") == [change]
    assert changes(client, "leerlingen/2/geschiedenis") == []


def test_what_changes_nothing_is_no_change(client: TestClient, school: School) -> None:
    before = client.get(f"{API}/leerlingen/1").headers["etag"]
    client.patch(f"{API}/leerlingen/1", json={"roepnaam": "Noor"})
    client.patch(f"{API}/leerlingen/1", json={})
    assert changes(client) == []
    assert client.get(f"{API}/leerlingen/1").headers["etag"] == before
    client.patch(f"{API}/leerlingen/1", json={"roepnaam": "Noortje"})  # the twin: this one is seen
    assert len(changes(client)) == 1
    assert client.get(f"{API}/leerlingen/1").headers["etag"] != before


def test_every_kind_of_write_is_remembered(client: TestClient, school: School) -> None:
    group = client.post(f"{API}/groepen", json={"naam": "Plusklas", "soort": "samengestelde_groep"}).json()["id"]
    calls: list[tuple[str, str, Any, set[str]]] = [
        ("PATCH", f"groepen/{group}", {"naam": "Plus"}, {"naam"}),
        ("PUT", f"groepen/{group}/docenten/1", None, {"groepen"}),
        ("DELETE", f"groepen/{group}/docenten/1", None, {"groepen"}),
        ("PUT", "personeel/1/groepen", {"groepen": [group]}, {"groepen"}),
        ("PUT", "personeel/1/alle-groepen", None, {"groepen"}),
        ("PATCH", "personeel/1", {"rollen": ["Inval"], "einddatum": "2027-01-01"}, {"rollen", "einddatum"}),
        ("PATCH", "personeel/1", {"emailadres": "jo@regenboog.example"}, {"emailadres", "contactgegevens"}),
        ("POST", "personeel/1/contactgegevens", {"soort": "telefoon", "waarde": "030 1234567"}, {"contactgegevens"}),
        ("PATCH", "leerlingen/1", {"samengesteldeGroepen": [group], "groep": None}, {"samengesteldeGroepen", "groep"}),
        ("DELETE", "leerlingen/2", None, {"uitstroomdatum"}),
        ("DELETE", "personeel/1", None, {"uitstroomdatum"}),
        ("PUT", "koppeling/pauze", {"tot": "2027-08-20"}, {"gepauzeerdTot"}),
        ("PUT", "koppeling", {"basispoort": False}, {"basispoort"}),
    ]
    for number, (method, path, body, names) in enumerate(calls, start=2):
        answer = client.request(method, f"{API}/{path}", json=body)
        assert answer.status_code < 300, (path, answer.text)
        found = changes(client)
        assert len(found) == number, path
        assert set(found[0]["velden"]) == names, path


def test_the_history_comes_in_pages_and_can_be_narrowed(client: TestClient, school: School) -> None:
    with time_machine.travel(NOON, tick=False):
        for number in range(5):
            client.patch(f"{API}/leerlingen/1", json={"roepnaam": f"Noor{number}"})
    client.patch(f"{API}/personeel/1", json={"roepnaam": "Jo"})
    seen, cursor = [], None
    while True:
        page = client.get(f"{API}/geschiedenis", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [change["id"] for change in page["wijzigingen"]]
        cursor = page["volgende"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == page["totaal"] == 6
    assert len(changes(client, soort="leerling")) == 5
    assert len(changes(client, soort="leerling", id=2)) == 0
    assert [each["soort"] for each in changes(client, sinds="2026-09-02")] == ["personeel"]
    assert len(changes(client, sinds="0001-01-01")) == 6
    assert client.get(f"{API}/geschiedenis", params={"id": 1}).json()["errors"][0]["pointer"] == "/query/soort"


# --- taking back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "leerlingen/1", {"roepnaam": "X", "jaargroep": None, "groep": None, "uitstroomdatum": "2027-01-01"}),
        ("PATCH", "personeel/1", {"rollen": [], "einddatum": "2027-01-01", "groepen": []}),
        ("PATCH", "personeel/1", {"emailadres": "jo@regenboog.example"}),
        ("PATCH", "personeel/1", {"emailadres": None}),
        ("POST", "personeel/1/contactgegevens", {"soort": "telefoon", "waarde": "030 1234567"}),
        ("POST", "personeel/1/contactgegevens", {"soort": "e-mail", "waarde": "b@b.example", "voorBasispoort": True}),
        ("DELETE", "personeel/1/contactgegevens/1", None),
        ("DELETE", "groepen/1/docenten/1", None),
        ("DELETE", "leerlingen/1", None),
        ("PATCH", "groepen/1", {"naam": "Groep 5b", "jaargroep": None}),
        ("PUT", "koppeling/pauze", {"tot": "2027-08-20"}),
    ],
    ids=str,
)
def test_a_change_is_taken_back_and_taken_back_again(
    client: TestClient, school: School, method: str, path: str, body: Any
) -> None:
    before = administration(client)
    assert client.request(method, f"{API}/{path}", json=body).status_code < 300
    after = administration(client)
    assert after != before
    first = newest(client)
    answer = undo(client, first)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["bron"], answer.json()["draaitTerug"]) == ("undo", first["id"])
    assert administration(client) == before
    assert changes(client)[1]["teruggedraaidDoor"] == answer.json()["id"]
    assert undo(client, answer.json()).status_code == 200
    assert administration(client) == after


def administration(client: TestClient) -> dict[str, list[str]]:
    """All that is stored, but for history and versions."""
    state = read_state("eduscope_api", engine_of(client))
    kept = {name: rows for name, rows in state.items() if not name.endswith((".changes", ".outbox"))}
    return {name: sorted(_without_version(row) for row in rows) for name, rows in kept.items()}


def _without_version(row: str) -> str:
    return re.sub(r'"version": \d+', "", row)


def test_what_was_changed_again_is_named_and_nothing_is_taken_back(client: TestClient, school: School) -> None:
    client.patch(f"{API}/leerlingen/1", json={"roepnaam": "Een", "jaargroep": "6"})
    first = newest(client)
    client.patch(f"{API}/leerlingen/1", json={"roepnaam": "Twee"})
    before = administration(client)
    refused = undo(client, first)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/changed-since")
    assert refused.json()["gewijzigd"] == ["roepnaam"]
    assert administration(client) == before
    assert undo(client, newest(client)).status_code == 200
    assert undo(client, first).status_code == 200  # the twin: with nothing in between it goes
    assert undo(client, first).status_code == 409  # and only once


def test_who_was_added_leaves_today_and_stays_on_record(client: TestClient, school: School) -> None:
    with time_machine.travel(NOON, tick=False):
        for path in ("leerlingen", "personeel"):
            made = client.post(f"{API}/{path}", json={"achternaam": "Nieuw"}).json()
            assert undo(client, newest(client)).status_code == 200
            shown = client.get(f"{API}/{path}/{made['id']}").json()
            assert (shown["achternaam"], shown["uitstroomdatum"]) == ("Nieuw", "2026-09-01")


def test_an_added_group_goes_and_a_removed_one_comes_back_with_its_key(client: TestClient, school: School) -> None:
    made = client.post(f"{API}/groepen", json={"naam": "Groep 8", "jaargroep": "8", "omschrijving": "boven"}).json()
    creation = newest(client)
    assert client.delete(f"{API}/groepen/{made['id']}").status_code == 204
    removal = newest(client)
    assert client.get(f"{API}/groepen/{made['id']}").status_code == 404
    again = client.post(f"{API}/groepen", json={"naam": "Andere"}).json()
    assert again["id"] != made["id"]  # numbers are not given out twice
    assert undo(client, removal).status_code == 200
    shown = client.get(f"{API}/groepen/{made['id']}").json()
    assert {**shown, "versie": 0} == {**made, "versie": 0}
    assert shown["versie"] > made["versie"]
    assert len(changes(client, f"groepen/{made['id']}/geschiedenis")) == 3
    assert undo(client, removal).json()["gewijzigd"] == ["key"]
    assert undo(client, creation).status_code == 200
    assert client.get(f"{API}/groepen/{made['id']}").status_code == 404


def test_an_added_group_that_is_used_stays(client: TestClient, school: School) -> None:
    made = client.post(f"{API}/groepen", json={"naam": "Groep 8"}).json()
    creation = newest(client)
    client.patch(f"{API}/leerlingen/1", json={"groep": made["id"]})
    assert undo(client, creation).json()["type"] == "/problems/group-in-use"
    assert client.get(f"{API}/groepen/{made['id']}").status_code == 200


def test_a_way_back_into_a_group_that_is_gone_is_refused(client: TestClient, school: School) -> None:
    made = client.post(f"{API}/groepen", json={"naam": "Groep 8"}).json()
    client.patch(f"{API}/leerlingen/1", json={"groep": made["id"]})
    client.patch(f"{API}/leerlingen/1", json={"groep": None})
    away = newest(client)
    client.delete(f"{API}/groepen/{made['id']}")
    refused = undo(client, away)
    assert (refused.status_code, refused.json()["velden"]) == (409, ["groep"])


def test_the_switch_is_not_taken_back_behind_its_own_rules(client: TestClient, school: School) -> None:
    client.put(f"{API}/koppeling", json={"basispoort": False})
    refused = undo(client, newest(client))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-undoable")


def test_the_history_of_who_is_erased_is_gone_and_nobody_comes_back(client: TestClient, school: School) -> None:
    with time_machine.travel(NOON, tick=False):
        client.patch(f"{API}/leerlingen/1", json={"roepnaam": "Noortje", "uitstroomdatum": "2026-08-31"})
        change = newest(client)
        assert remove_expired(engine_of(client), NOON + timedelta(days=31)) == 1
        assert undo(client, change).status_code == 404
        assert client.get(f"{API}/leerlingen/1/geschiedenis").status_code == 404
        assert changes(client) == []
    with reading(engine_of(client)) as db:
        assert db.get_one(PupilRow, 1).sort_name == ""


def test_another_schools_history_is_not_there(client: TestClient, school: School) -> None:
    client.patch(f"{API}/leerlingen/1", json={"roepnaam": "Noortje"})
    change = newest(client)
    other = add_school(engine_of(client), OTHER_CODE)
    sign_in(client, other, user_name="ander@regenboog.example")
    theirs = f"/api/v1/scholen/{OTHER_CODE}"
    assert client.post(f"{theirs}/geschiedenis/{change['id']}/terugdraaien").status_code == 404
    assert client.get(f"{theirs}/leerlingen/1/geschiedenis").status_code == 404
    assert client.get(f"{theirs}/geschiedenis").json()["wijzigingen"] == []


def test_versions_and_history_agree(client: TestClient, school: School) -> None:
    for number in range(4):
        client.patch(f"{API}/leerlingen/1", json={"roepnaam": f"Noor{number}"})
        client.patch(f"{API}/personeel/1", json={"roepnaam": f"Jo{number}"})
    with reading(engine_of(client)) as db:
        versions = db.scalars(select(ChangeRow.version).where(ChangeRow.kind == "pupil").order_by(ChangeRow.id)).all()
        assert versions == [2, 3, 4, 5]
        assert (db.get_one(PupilRow, 1).version, db.get_one(StaffRow, 1).version) == (5, 5)


def test_a_leaving_date_that_is_past_is_not_given_again(client: TestClient, school: School) -> None:
    with writing(engine_of(client)) as db:
        db.get_one(PupilRow, 1).left_on = date(2026, 1, 1)
    assert client.delete(f"{API}/leerlingen/1").status_code == 204
    assert client.get(f"{API}/leerlingen/1").json()["uitstroomdatum"] == "2026-01-01"
    assert changes(client) == []
