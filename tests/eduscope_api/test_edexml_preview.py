"""The preview of an EDEXML file over HTTP: nothing is written by it, and what is taken over is what it showed."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from services.eduscope_api.nightly import School
from services.eduscope_api.tables import ChangeRow, FileKeyRow, ImportRow, PupilRow, StaffRow
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.edexml_write import write_edexml
from shared.roster import Group, Pupil, StaffMember
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.import_files import a_file
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school
from tests.factories import a_group, a_pupil, a_roster, a_staff_member
from tests.stored_state import State, read_state

API = f"/api/v1/scholen/{CODE}/edexml/voorbeelden"
XML = {"Content-Type": "application/xml"}


def xml(*entries: Group | Pupil | StaffMember, code: str | None = CODE) -> bytes:
    return write_edexml(a_file(*entries, code=code), created_at=now(), author="proef")


def stored(client: TestClient, *, imports: bool = True) -> State:
    """Everything that is kept, with or without the files that wait."""
    state = read_state("eduscope_api", engine_of(client))
    return state if imports else {table: rows for table, rows in state.items() if not table.endswith(".imports")}


def upload(client: TestClient, *entries: Group | Pupil | StaffMember) -> dict[str, Any]:
    answer = client.post(API, content=xml(*entries), headers=XML)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


@pytest.fixture
def school(client: TestClient) -> School:
    """The school of rows.py: group g5, teacher m1, pupils p1 to p3 named `Noor van der Bijl p1`."""
    made = add_school(engine_of(client), ticked=False)
    sign_in(client, made)
    return made


def known(key: str, **changes: Any) -> Pupil:
    return a_pupil(key, **{"last_name": f"Bijl {key}", **changes})


TEACHER = a_staff_member("m1", last_name="Hagen m1", email="m1@regenboog.example")
A_FILE = (
    a_group(name="Groep 5"),
    a_group("g6", name="Groep 6", year="6"),
    known("p1", home_group="g6"),  # moved
    known("p2", year="6"),  # changed
    a_pupil("nieuw", first_name="Sem", prefix=None, last_name="Vos"),  # new; p3 is gone
    TEACHER,
)


@pytest.mark.usefixtures("school")
def test_a_preview_shows_new_changed_moved_and_gone_and_writes_nothing(client: TestClient) -> None:
    before = stored(client, imports=False)
    shown = upload(client, *A_FILE)
    pupils = shown["leerlingen"]
    assert [line["naam"] for line in pupils["nieuw"]] == ["Sem Vos"]
    assert [(line["naam"], line["wijzigingen"]) for line in pupils["gewijzigd"]] == [
        ("Noor van der Bijl p2", [{"veld": "jaargroep", "oud": "5", "nieuw": "6"}])
    ]
    assert [(line["naam"], line["van"], line["naar"]) for line in pupils["verplaatst"]] == [
        ("Noor van der Bijl p1", "Groep 5", "Groep 6")
    ]
    assert [line["naam"] for line in pupils["weg"]] == ["Noor van der Bijl p3"]
    assert [line["naam"] for line in shown["groepen"]["nieuw"]] == ["Groep 6"]
    assert (shown["leerkrachten"]["gelijk"], shown["leerkrachten"]["weg"]) == (1, [])
    assert client.get(f"{API}/{shown['id']}").json() == shown
    assert stored(client, imports=False) == before
    assert stored(client) != before  # the twin: the file itself is kept


@pytest.mark.usefixtures("school")
def test_taking_over_does_what_was_shown_and_nobody_leaves_unticked(client: TestClient) -> None:
    shown = upload(client, *A_FILE)
    done = client.post(f"{API}/{shown['id']}/overnemen", json={"vingerafdruk": shown["vingerafdruk"]})
    assert done.status_code == 200, done.text
    assert done.json()["leerlingen"] == {"nieuw": 1, "gewijzigd": 2, "uitgestroomd": 0}
    with reading(engine_of(client)) as db:
        rows = {row.key: row for row in db.scalars(select(PupilRow))}
        assert (rows["p2"].year, rows["p3"].left_on, rows["nieuw"].last_name) == ("6", None, "Vos")
        changes = db.scalars(select(ChangeRow).where(ChangeRow.kind == "pupil")).all()
        assert {(each.subject_id, each.source) for each in changes} == {
            (rows[key].id, "file") for key in ("p1", "p2", "nieuw")
        }
        assert all(each.administrator_id is not None for each in changes)
        assert db.scalar(select(func.count()).select_from(ImportRow)) == 0
    assert client.post(f"{API}/{shown['id']}/overnemen", json={"vingerafdruk": "p1:0"}).status_code == 404
    again = upload(client, *A_FILE)["leerlingen"]
    assert (again["nieuw"], again["gewijzigd"], again["verplaatst"], again["gelijk"]) == ([], [], [], 3)


@pytest.mark.usefixtures("school")
def test_who_is_ticked_leaves_on_the_day_that_was_given(client: TestClient) -> None:
    shown = upload(client, *A_FILE)
    gone = [line["id"] for line in shown["leerlingen"]["weg"]]
    day = local_date(now()) + timedelta(days=5)
    body = {"vingerafdruk": shown["vingerafdruk"], "uitstroomdatum": str(day), "leerlingen": {"weg": gone}}
    assert client.post(f"{API}/{shown['id']}/overnemen", json=body).json()["leerlingen"]["uitgestroomd"] == 1
    with reading(engine_of(client)) as db:
        assert db.scalars(select(PupilRow.left_on).where(PupilRow.key == "p3")).all() == [day]


@pytest.mark.usefixtures("school")
def test_what_moved_meanwhile_is_a_409_and_nothing_is_done(client: TestClient) -> None:
    shown = upload(client, *A_FILE)
    with writing(engine_of(client)) as db:
        db.scalars(select(PupilRow).where(PupilRow.key == "p3")).one().first_name = "Nora"
    before = stored(client)
    body = {"vingerafdruk": shown["vingerafdruk"]}
    moved = client.post(f"{API}/{shown['id']}/overnemen", json=body)
    assert (moved.status_code, moved.json()["type"]) == (409, "/problems/edexml-preview-moved")
    assert stored(client) == before
    anew = client.get(moved.json()["voorbeeld"]).json()
    assert anew["vingerafdruk"] == moved.json()["vingerafdruk"]
    body = {"vingerafdruk": anew["vingerafdruk"]}
    assert client.post(f"{API}/{shown['id']}/overnemen", json=body).status_code == 200  # the twin


SWAPPED = (
    a_group(name="Groep 5"),
    known("p1"),
    known("p2"),
    a_pupil("p3", first_name="Sem", prefix=None, last_name="Vos"),
)


@pytest.mark.usefixtures("school")
@pytest.mark.parametrize("road", ["preview", "at once"])
def test_a_swap_is_never_taken_over_silently(client: TestClient, road: str) -> None:
    if road == "at once":
        answer = client.post(f"/api/v1/scholen/{CODE}/edexml", content=xml(*SWAPPED), headers=XML).json()
        assert [(each["soort"], each["aantal"]) for each in answer["meldingen"]] == [("swaps", 1)]
    else:
        shown = upload(client, *SWAPPED)
        line = shown["leerlingen"]["wissels"][0]
        assert (line["naamHier"], line["naamInBestand"], line["zelfdeKan"]) == ("Noor van der Bijl p3", "Sem Vos", True)
        client.post(f"{API}/{shown['id']}/overnemen", json={"vingerafdruk": shown["vingerafdruk"]})
    with reading(engine_of(client)) as db:
        row = db.scalars(select(PupilRow).where(PupilRow.key == "p3")).one()
        assert (row.last_name, row.left_on) == ("Bijl p3", None)


@pytest.mark.usefixtures("school")
@pytest.mark.parametrize(
    ("decision", "names"), [("zelfde", {"Vos": None}), ("ander", {"Bijl p3": "today", "Vos": None})]
)
def test_a_swap_is_decided_one_by_one(client: TestClient, decision: str, names: dict[str, str | None]) -> None:
    shown = upload(client, *SWAPPED)
    number = shown["leerlingen"]["wissels"][0]["volgnummer"]
    choices = {"wissels": [{"volgnummer": number, "besluit": decision}]}
    body = {"vingerafdruk": shown["vingerafdruk"], "leerlingen": choices}
    assert client.post(f"{API}/{shown['id']}/overnemen", json=body).status_code == 200
    with reading(engine_of(client)) as db:
        rows = db.scalars(select(PupilRow).where(PupilRow.key.not_in(["p1", "p2"])))
        found = {row.last_name: "today" if row.left_on == local_date(now()) else None for row in rows}
        assert found == names
        assert db.scalar(select(func.count()).select_from(FileKeyRow)) == (decision == "ander")
    assert upload(client, *SWAPPED)["leerlingen"]["wissels"] == []


@pytest.mark.usefixtures("school")
def test_a_suggestion_waits_for_a_person(client: TestClient) -> None:
    file = (a_group(name="Groep 5"), known("p1"), known("p2"), known("#1", last_name="Bijl p3"))
    shown = upload(client, *file)
    offer = shown["leerlingen"]["suggesties"][0]
    assert (offer["kandidaten"][0]["naam"], offer["kandidaten"][0]["score"]) == ("Noor van der Bijl p3", 100)
    body: dict[str, Any] = {"vingerafdruk": shown["vingerafdruk"]}
    pair = {"volgnummer": offer["volgnummer"], "id": offer["kandidaten"][0]["id"]}
    body["leerlingen"] = {"zelfde": [pair], "weg": [pair["id"]]}
    refused = client.post(f"{API}/{shown['id']}/overnemen", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/body/leerlingen/weg")
    body["leerlingen"] = {"zelfde": [pair]}
    taken = client.post(f"{API}/{shown['id']}/overnemen", json=body).json()["leerlingen"]
    assert taken == {"nieuw": 0, "gewijzigd": 0, "uitgestroomd": 0}


@pytest.mark.usefixtures("school")
def test_a_preview_can_be_thrown_away_and_the_oldest_makes_room(client: TestClient) -> None:
    ids = [upload(client, *A_FILE)["id"] for _ in range(4)]
    assert [client.get(f"{API}/{each}").status_code for each in ids] == [404, 200, 200, 200]
    assert client.delete(f"{API}/{ids[1]}").status_code == 204
    assert client.delete(f"{API}/{ids[1]}").status_code == 404
    assert client.get(f"{API}/{ids[1]}").status_code == 404


@pytest.mark.usefixtures("school")
def test_after_a_day_the_preview_is_gone(client: TestClient) -> None:
    shown = upload(client, *A_FILE)
    with writing(engine_of(client)) as db:
        db.get_one(ImportRow, shown["id"]).uploaded_at = now() - timedelta(days=1)
    assert client.get(f"{API}/{shown['id']}").status_code == 404


def test_a_preview_of_another_school_is_not_there(client: TestClient, school: School) -> None:
    shown = upload(client, *A_FILE)
    other = add_school(engine_of(client), OTHER_CODE)
    client.cookies.clear()
    sign_in(client, other, user_name="ander@beuk.example")
    other_api = API.replace(CODE, OTHER_CODE)
    body = {"vingerafdruk": shown["vingerafdruk"]}
    assert client.get(f"{other_api}/{shown['id']}").status_code == 404
    assert client.post(f"{other_api}/{shown['id']}/overnemen", json=body).status_code == 404
    assert client.delete(f"{other_api}/{shown['id']}").status_code == 404
    assert client.get(f"{API}/{shown['id']}").status_code == 404
    assert school.code == CODE


CONTENT = xml(*a_roster(pupils=5).entries())


@pytest.mark.usefixtures("school")
@pytest.mark.parametrize(
    ("content", "status", "line"),
    [
        (b"not xml", 422, 1),
        (b"", 422, 1),
        (b"<html><body/></html>", 422, 1),
        (CONTENT[: len(CONTENT) // 2], 422, None),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><EDEX>&a;</EDEX>', 422, 1),
        (CONTENT.replace(b"99ZZ", b"99ZY"), 409, None),
        (CONTENT.replace(b"UTF-8", b"UTF-7"), 422, 1),
        (CONTENT.replace(b"Noor1", b"No\xff\xfe"), 422, None),
        (CONTENT.replace(b'leerling key="p2"', b'leerling key="p1"'), 422, None),
    ],
    ids=["text", "nothing", "other XML", "cut off", "bomb", "other school", "encoding", "bytes", "a key twice"],
)
def test_a_bad_file_is_said_in_dutch_with_its_line_and_changes_nothing(
    client: TestClient, content: bytes, status: int, line: int | None
) -> None:
    before = stored(client)
    answer = client.post(API, content=content, headers=XML)
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert body["uitleg"].endswith("Er is niets gewijzigd.")
    if status == 422 and content:
        assert body["regel"] >= 1
        assert line is None or body["regel"] == line
    assert stored(client) == before


@pytest.mark.usefixtures("school")
@pytest.mark.parametrize(
    "body",
    [
        {"vingerafdruk": "x", "uitstroomdatum": "1999-01-01"},
        {"vingerafdruk": "x", "uitstroomdatum": "2199-01-01"},
        {"vingerafdruk": 1},
        {"vingerafdruk": "x", "leerlingen": {"weg": ["1"]}},
        {"vingerafdruk": "x", "leerlingen": {"wissels": [{"volgnummer": 1, "besluit": "misschien"}]}},
        {"vingerafdruk": "x", "onbekend": 1},
    ],
)
def test_a_bad_choice_is_refused_and_changes_nothing(client: TestClient, body: dict[str, Any]) -> None:
    shown = upload(client, *A_FILE)
    before = stored(client)
    assert client.post(f"{API}/{shown['id']}/overnemen", json=body).status_code == 422
    assert stored(client) == before


@pytest.mark.usefixtures("school")
def test_staff_is_shown_and_taken_over_too(client: TestClient) -> None:
    new = a_staff_member("m2", first_name="Els", last_name="Kok", email="els@regenboog.example")
    shown = upload(client, a_group(name="Groep 5"), known("p1"), known("p2"), known("p3"), TEACHER, new)
    assert [line["naam"] for line in shown["leerkrachten"]["nieuw"]] == ["Els Kok"]
    assert (
        client.post(f"{API}/{shown['id']}/overnemen", json={"vingerafdruk": shown["vingerafdruk"]}).status_code == 200
    )
    with reading(engine_of(client)) as db:
        assert set(db.scalars(select(StaffRow.last_name))) == {"Hagen m1", "Kok"}
