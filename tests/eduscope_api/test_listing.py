"""Lists in pages: every row once, in a stable order, whatever the sort; searches and filters; ETags of one row."""

import base64
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from fastapi.testclient import TestClient
from sqlalchemy import insert

from services.eduscope_api.nightly import School
from services.eduscope_api.tables import PupilCompositeRow, PupilRow
from shared.database import writing
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_group, add_member, add_pupil, add_school

API = f"/api/v1/scholen/{CODE}"
NAMES = [  # call name, prefix, surname, year; some alike, some with nothing to sort by
    ("Ăna", None, "de Boer", "5"),
    ("Łucja", "van der", "Berg", "6"),
    ("Jan", "van der", "Berg", None),
    ("Jan", "van der", "Berg", "6"),
    ("émile", None, None, "4"),
    (None, None, "Zwart_wit", None),
    ("Bo", None, "O'Neill", "5"),
    ("An-Sofie", "'t", "Hart", "8"),
    ("Noor", None, "Berg", "5"),
]


@pytest.fixture
def school(client: TestClient) -> School:
    engine = engine_of(client)
    school = add_school(engine, pupils=0)
    with writing(engine) as db:
        home = [add_group(db, school.id, f"g{number}", name=f"Groep {number}") for number in (5, 6)]
        plus = add_group(db, school.id, "plus", kind="composite", name="Plusklas", year=None)
        for number, (first, prefix, last, year) in enumerate(NAMES):
            group = home[number % 3] if number % 3 < 2 else None
            pupil = add_pupil(
                db,
                school.id,
                f"p{number}",
                first_name=first,
                prefix=prefix,
                last_name=last,
                year=year,
                home_group_id=group,
            )
            if number in {1, 5}:
                db.execute(insert(PupilCompositeRow), [{"pupil_id": pupil, "group_id": plus}])
        add_member(db, school.id, "m1", last_name="Hagen", groups=[home[0]])
        add_member(db, school.id, "m2", last_name="Ünal", email=None, roles=("Inval",), ends_on=date(2026, 1, 1))
        add_member(db, school.id, "m3", last_name="Bijl", roles=("Leerkracht", "IBRTer"))
    sign_in(client, school)
    return school


def ids(client: TestClient, kind: str, **query: Any) -> list[int]:
    answer = client.get(f"{API}/{kind}", params=query)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()[kind]]


def walk(client: TestClient, kind: str, **query: Any) -> tuple[list[int], int]:
    """All rows of a list from page to page, and what the list says how many there are."""
    found: list[int] = []
    cursor = None
    while True:
        page = client.get(f"{API}/{kind}", params=query | ({"cursor": cursor} if cursor else {})).json()
        assert len(page[kind]) <= query["limit"]
        found += [row["id"] for row in page[kind]]
        cursor = page["volgende"]
        if cursor is None:
            return found, page["totaal"]


@pytest.mark.parametrize("sort", ["naam", "-naam", "jaargroep", "-jaargroep", "groep", "-groep", "id", "-id"])
def test_every_pupil_comes_once_in_every_order(client: TestClient, school: School, sort: str) -> None:
    whole = ids(client, "leerlingen", sorteer=sort)
    assert sorted(whole) == sorted(ids(client, "leerlingen"))
    for limit in (1, 2, 4):
        assert walk(client, "leerlingen", sorteer=sort, limit=limit) == (whole, len(NAMES))
    turned = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
    assert ids(client, "leerlingen", sorteer=turned) == whole[::-1]


def test_names_are_sorted_by_surname_without_case_accents_and_prefix(client: TestClient, school: School) -> None:
    rows = client.get(f"{API}/leerlingen").json()["leerlingen"]
    assert [(row["achternaam"], row["roepnaam"]) for row in rows] == [
        ("Berg", "Jan"),
        ("Berg", "Jan"),
        ("Berg", "Łucja"),
        ("Berg", "Noor"),
        ("de Boer", "Ăna"),
        (None, "émile"),
        ("Hart", "An-Sofie"),
        ("O'Neill", "Bo"),
        ("Zwart_wit", None),
    ]
    years = [row["jaargroep"] for row in client.get(f"{API}/leerlingen?sorteer=jaargroep").json()["leerlingen"]]
    assert years == ["4", "5", "5", "5", "6", "6", "8", None, None]


def test_the_page_goes_on_where_it_ended_while_people_come_and_go(client: TestClient, school: School) -> None:
    first = client.get(f"{API}/leerlingen", params={"limit": 4}).json()
    seen = [row["id"] for row in first["leerlingen"]]
    client.post(f"{API}/leerlingen", json={"achternaam": "Aaa"})  # before the place where the page ended
    late = client.post(f"{API}/leerlingen", json={"achternaam": "Zzz"}).json()["id"]
    rest = ids(client, "leerlingen", limit=500, cursor=first["volgende"])
    assert not set(seen) & set(rest)
    assert len(rest) == len(NAMES) - 4 + 1
    assert rest[-1] == late


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("berg", 4),
        ("BERG łucja", 1),
        ("van der berg jan", 2),
        ("lucja", 1),
        ("Émile", 1),
        ("oneill", 1),
        ("o'neill", 1),
        ("ansofie", 0),
        ("an sofie", 1),
        ("%", 0),
        ("_", 0),
        ("wart wit", 1),
        ("   ", 0),
        ("b%g", 0),
        ("\\", 0),
        ("nobody", 0),
        ("\x00", 0),
    ],
)
def test_a_search_minds_neither_case_nor_accents_and_takes_no_wildcards(
    client: TestClient, school: School, search: str, found: int
) -> None:
    assert len(ids(client, "leerlingen", zoek=search)) == found


def test_pupils_are_filtered_by_group_year_and_presence(client: TestClient, school: School) -> None:
    groups = {row["naam"]: row["id"] for row in client.get(f"{API}/groepen").json()["groepen"]}
    assert len(ids(client, "leerlingen", groep=groups["Groep 5"])) == 3
    assert len(ids(client, "leerlingen", groep=groups["Plusklas"])) == 2
    assert len(ids(client, "leerlingen", jaargroep="6")) == 2
    assert len(ids(client, "leerlingen", jaargroep="6", groep=groups["Groep 6"])) == 1
    with time_machine.travel(datetime(2026, 9, 1, 12, tzinfo=UTC), tick=False):
        gone = ids(client, "leerlingen")[0]
        client.patch(f"{API}/leerlingen/{gone}", json={"uitstroomdatum": "2026-09-01"})
        assert ids(client, "leerlingen", actief="false") == [gone]
        assert len(ids(client, "leerlingen", actief="true")) == len(NAMES) - 1


def test_staff_are_filtered_by_role_group_address_and_presence(client: TestClient, school: School) -> None:
    groups = {row["naam"]: row["id"] for row in client.get(f"{API}/groepen").json()["groepen"]}
    hagen, unal, bijl = ids(client, "personeel", sorteer="id")
    assert ids(client, "personeel") == [bijl, hagen, unal]
    assert ids(client, "personeel", rol="Inval") == [unal]
    assert ids(client, "personeel", groep=groups["Groep 5"]) == [hagen]
    assert ids(client, "personeel", zonderEmail="true") == [unal]
    assert ids(client, "personeel", zonderEmail="false") == [bijl, hagen]
    assert ids(client, "personeel", zoek="unal") == [unal]
    with time_machine.travel(datetime(2026, 9, 1, 12, tzinfo=UTC), tick=False):
        assert ids(client, "personeel", actief="false") == [unal]
        assert ids(client, "personeel", actief="true") == [bijl, hagen]
    assert walk(client, "personeel", limit=1, sorteer="-naam") == ([unal, hagen, bijl], 3)


def test_groups_are_filtered_by_kind_year_and_name(client: TestClient, school: School) -> None:
    names = [row["naam"] for row in client.get(f"{API}/groepen?sorteer=-naam").json()["groepen"]]
    assert names == ["Plusklas", "Groep 6", "Groep 5"]
    assert len(ids(client, "groepen", soort="samengestelde_groep")) == 1
    assert len(ids(client, "groepen", jaargroep="5")) == 2
    assert len(ids(client, "groepen", zoek="groep 6")) == 1
    assert walk(client, "groepen", limit=1, sorteer="jaargroep")[1] == 3


def a_cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def test_a_cursor_of_something_else_is_refused(client: TestClient, school: School) -> None:
    mine = client.get(f"{API}/leerlingen", params={"limit": 2}).json()["volgende"]
    mark = json.loads(base64.urlsafe_b64decode(mine + "=="))[0]
    other = add_school(engine_of(client), OTHER_CODE)
    sign_in(client, school, other, user_name="beide@regenboog.example")
    theirs = client.get(f"/api/v1/scholen/{OTHER_CODE}/leerlingen", params={"limit": 2}).json()["volgende"]
    assert theirs
    bad: list[tuple[str, dict[str, Any]]] = [
        ("leerlingen", {"cursor": theirs}),
        ("personeel", {"cursor": mine}),
        ("leerlingen", {"cursor": mine, "sorteer": "-naam"}),
        ("leerlingen", {"cursor": mine, "zoek": "berg"}),
        ("leerlingen", {"cursor": mine[:-3]}),
        *(
            ("leerlingen", {"cursor": each})
            for each in (
                "",
                "x",
                "é",
                "\x00",
                "A" * 4001,
                a_cursor(),
                a_cursor(mark),
                a_cursor(mark, "berg"),
                a_cursor(mark, 1, 1),
                a_cursor(mark, "berg", "1"),
                a_cursor(mark, "berg", True),
                a_cursor(mark, "berg", 2**70),
                a_cursor(mark, "be\x00rg", 1),
                a_cursor(mark, "\ud800", 1),
                a_cursor(mark, None, 1),
                a_cursor({}, "berg", 1),
            )
        ),
    ]
    for kind, query in bad:
        answer = client.get(f"{API}/{kind}", params=query)
        assert answer.status_code == 422, query
        assert answer.json()["errors"][0]["pointer"] == "/query/cursor", query
    assert client.get(f"{API}/leerlingen", params={"cursor": mine, "limit": 2}).status_code == 200  # the twin


@pytest.mark.parametrize(
    ("kind", "query", "pointer"),
    [
        ("leerlingen", {"limit": 0}, "limit"),
        ("leerlingen", {"limit": 501}, "limit"),
        ("leerlingen", {"limit": "x"}, "limit"),
        ("leerlingen", {"sorteer": "geslacht"}, "sorteer"),
        ("leerlingen", {"sorteer": "--naam"}, "sorteer"),
        ("leerlingen", {"sorteer": "achternaam; DROP TABLE pupils"}, "sorteer"),
        ("leerlingen", {"jaargroep": "9"}, "jaargroep"),
        ("leerlingen", {"groep": 2**63}, "groep"),
        ("leerlingen", {"groep": 999}, "groep"),
        ("leerlingen", {"actief": "misschien"}, "actief"),
        ("leerlingen", {"zoek": "x" * 201}, "zoek"),
        ("leerlingen", {"onbekend": "1"}, "?"),
        ("personeel", {"rol": "Directeur"}, "rol"),
        ("personeel", {"groep": 999}, "groep"),
        ("groepen", {"soort": "klas"}, "soort"),
        ("geschiedenis", {"sinds": "gisteren"}, "sinds"),
        ("geschiedenis", {"soort": "ouder"}, "soort"),
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_answered_at_its_parameter(
    client: TestClient, school: School, kind: str, query: dict[str, Any], pointer: str
) -> None:
    answer = client.get(f"{API}/{kind}", params=query)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [f"/query/{pointer}"]


def test_a_group_of_another_school_is_no_filter_here(client: TestClient, school: School) -> None:
    other = add_school(engine_of(client), OTHER_CODE)
    with writing(engine_of(client)) as db:
        group = add_group(db, other.id, "vreemd")
    for kind in ("leerlingen", "personeel"):
        answer = client.get(f"{API}/{kind}", params={"groep": group})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/groep")


# --- one resource -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["leerlingen", "personeel", "groepen"])
def test_one_resource_has_an_etag_and_is_not_sent_twice(client: TestClient, school: School, kind: str) -> None:
    body = {"leerlingen": {"roepnaam": "X"}, "personeel": {"roepnaam": "X"}, "groepen": {"naam": "X"}}[kind]
    made = client.post(f"{API}/{kind}", json=body)
    assert made.headers["location"] == f"{API}/{kind}/{made.json()['id']}"
    path = made.headers["location"]
    shown = client.get(path)
    assert shown.json() == made.json()
    etag = shown.headers["etag"]
    assert etag == made.headers["etag"]
    for header in (etag, f"W/{etag}", "*", f'"0", {etag}'):
        answer = client.get(path, headers={"If-None-Match": header})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    changed = client.patch(path, json={next(iter(body)): "Y"})
    assert changed.headers["etag"] == client.get(path).headers["etag"] != etag
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("kind", "mine", "theirs"),
    [
        ("leerlingen", {"roepnaam": "Mijn"}, {"jaargroep": "7", "voorletters": "N."}),
        ("personeel", {"roepnaam": "Mijn"}, {"rollen": ["Inval"]}),
        ("groepen", {"naam": "Mijn"}, {"omschrijving": "van hen"}),
    ],
)
def test_who_read_an_older_version_is_told_what_changed(
    client: TestClient, school: School, kind: str, mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    path = f"{API}/{kind}/{ids(client, kind)[0]}"
    old = client.get(path).headers["etag"]
    present = client.patch(path, json=theirs, headers={"If-Match": old})
    assert present.status_code == 200
    before = client.get(path).json()
    for method in ("PATCH", "DELETE"):
        body = mine if method == "PATCH" else None
        refused = client.request(method, path, headers={"If-Match": old}, json=body)
        assert (refused.status_code, refused.json()["type"]) == (412, "/problems/changed-meanwhile")
        assert refused.json()["gewijzigd"] == sorted(theirs)
        assert refused.json()["etag"] == refused.headers["etag"] == present.headers["etag"]
    for header in ("onzin", '"onzin"', '"999"', '"', f"W/{present.headers['etag']}", ""):
        assert client.patch(path, json=mine, headers={"If-Match": header}).status_code == 412, header
    assert client.get(path).json() == before
    assert client.patch(path, json=mine, headers={"If-Match": f'"77", {present.headers["etag"]}'}).status_code == 200
    assert client.patch(path, json=mine, headers={"If-Match": "*"}).status_code == 200


def test_a_group_is_new_when_somebody_joins_it_and_can_still_be_renamed(client: TestClient, school: School) -> None:
    path = f"{API}/groepen/{ids(client, 'groepen')[0]}"
    etag = client.get(path).headers["etag"]
    client.post(f"{API}/leerlingen", json={"roepnaam": "Erbij", "groep": int(path.rpartition("/")[2])})
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 200
    assert client.patch(path, json={"naam": "Nieuw"}, headers={"If-Match": etag}).status_code == 200


def test_the_folded_name_follows_every_change(client: TestClient, school: School) -> None:
    made = client.post(f"{API}/leerlingen", json={"roepnaam": "Zoë", "achternaam": "Ångström"}).json()
    assert ids(client, "leerlingen", zoek="angstrom zoe") == [made["id"]]
    client.patch(f"{API}/leerlingen/{made['id']}", json={"achternaam": "Bril"})
    assert ids(client, "leerlingen", zoek="angstrom") == []
    assert ids(client, "leerlingen", zoek="bril") == [made["id"]]
    with writing(engine_of(client)) as db:
        assert db.get_one(PupilRow, made["id"]).sort_name == "bril zoe"
