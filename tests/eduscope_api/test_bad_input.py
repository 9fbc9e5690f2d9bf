"""What a school must never be made to store: each is refused at its field, and nothing is changed."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.eduscope_api.nightly import School
from services.eduscope_api.rules.people import check_name
from shared.database import writing
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_group, add_member, add_pupil, add_school
from tests.stored_state import read_state

API = f"/api/v1/scholen/{CODE}"

BAD_NAMES = {
    "quotes": 'Noor "de Beste"',
    "curly quotes": "Noor “de Beste”",
    "markup": "<script>alert(1)</script>",
    "right-to-left mark": "Noor\u200f",
    "right-to-left override": "Noor\u202eabc",
    "isolate": "Noor\u2066",
    "zero width": "No\u200bor",
    "soft hyphen": "No\u00ador",
    "too long": "x" * 201,
    "emoji": "Noor 🦄",
    "heart": "Noor ♥",
    "spaces": "   ",
    "nothing": "",
    "line break": "Noor\nBijl",
    "tab": "Noor\tBijl",
    "NUL": "Noor\x00",
    "lone surrogate": "\ud83e",
    "private sign": "Noor\ue000",
    "array": ["Noor"],
    "object": {"naam": "Noor"},
    "number": 7,
    "truth": True,
    "citizen number": "Noor 111222333",
}
BAD_ADDRESSES = {
    "two @": "a@b@c.example",
    "comma": "a@b.example,c@d.example",
    "line break": "a@b.example\nBcc: c@d.example",
    "carriage return": "a@b\r.example",
    "array": ["a@b.example"],
    "object": {"adres": "a@b.example"},
    "spaces": "   ",
    "name in front": "Noor <a@b.example>",
    "no domain": "a@",
    "no dot": "a@b",
    "emoji": "a🦄@b@example",
    "NUL": "a\x00@b.example",
    "too long": "a" * 320 + "@b.example",
}


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client))
    sign_in(client, school)
    return school


def all_refused_and_nothing_changed(client: TestClient, calls: Iterable[tuple[str, str, Any, str]]) -> None:
    """Method, path, body, and the field at which each must be refused."""
    before = read_state("eduscope_api", engine_of(client))
    for method, path, body, pointer in calls:
        text = json.dumps(body).encode()  # not by the client, which cannot write a lone surrogate
        answer = client.request(method, f"{API}/{path}", content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, (method, path, body)
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/body/{pointer}"], body
    assert read_state("eduscope_api", engine_of(client)) == before


@pytest.mark.parametrize("field", ["roepnaam", "achternaam", "voorvoegsel", "voorletters"])
def test_a_bad_name_is_refused_at_its_field(client: TestClient, school: School, field: str) -> None:
    all_refused_and_nothing_changed(
        client,
        [
            (method, path, {"roepnaam": "Noor", field: name}, field)
            for name in BAD_NAMES.values()
            for method, path in (("POST", "leerlingen"), ("PATCH", "leerlingen/1"), ("PATCH", "personeel/1"))
        ],
    )


def test_a_bad_group_name_is_refused_at_its_field(client: TestClient, school: School) -> None:
    may_be_in_a_group = {"quotes", "curly quotes", "too long", "emoji", "heart", "citizen number"}
    bad = [name for what, name in BAD_NAMES.items() if what not in may_be_in_a_group]
    all_refused_and_nothing_changed(
        client,
        [
            (method, path, {"naam": name}, "naam")
            for name in bad
            for method, path in (("POST", "groepen"), ("PATCH", "groepen/1"))
        ],
    )
    for what in may_be_in_a_group:
        assert client.patch(f"{API}/groepen/1", json={"naam": BAD_NAMES[what]}).status_code == 200, what


def test_a_bad_address_is_refused_at_its_field(client: TestClient, school: School) -> None:
    contacts = "personeel/1/contactgegevens"
    calls: list[tuple[str, str, Any, str]] = []
    for address in BAD_ADDRESSES.values():
        calls.append(("PATCH", "personeel/1", {"emailadres": address}, "emailadres"))
        calls.append(("POST", contacts, {"soort": "e-mail", "waarde": address}, "waarde"))
        calls.append(("PATCH", f"{contacts}/1", {"waarde": address}, "waarde"))
    all_refused_and_nothing_changed(client, calls)


def test_good_values_in_the_same_places_are_stored(client: TestClient, school: School) -> None:
    """The twin of all these refusals."""
    for method, path, body in (
        ("POST", "leerlingen", {"roepnaam": "Noor"}),
        ("PATCH", "leerlingen/1", {"achternaam": "x" * 200}),
        ("PATCH", "personeel/1/contactgegevens/1", {"waarde": "beter@regenboog.example"}),
        ("PATCH", "personeel/1", {"emailadres": "goed@regenboog.example"}),
        ("PATCH", "groepen/1", {"naam": "Groep 5b"}),
    ):
        before = read_state("eduscope_api", engine_of(client))
        assert client.request(method, f"{API}/{path}", json=body).status_code < 300, path
        assert read_state("eduscope_api", engine_of(client)) != before, path


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "leerlingen", {"roepnaam": "Noor", "onbekend": 1}),
        ("PATCH", "leerlingen/1", {"bsn": "1"}),
        ("PATCH", "leerlingen/1", {"version": 7}),
        ("PATCH", "personeel/1", {"sort_name": "x"}),
        ("PATCH", "groepen/1", {"soort": "samengestelde_groep"}),
        ("POST", "groepen", {"naam": "Groep", "key": "g9"}),
        ("PUT", "personeel/1/groepen", {"groepen": [], "alle": True}),
    ],
    ids=str,
)
def test_an_unknown_field_is_refused(client: TestClient, school: School, method: str, path: str, body: Any) -> None:
    before = read_state("eduscope_api", engine_of(client))
    answer = client.request(method, f"{API}/{path}", json=body)
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["extra_forbidden"]
    assert read_state("eduscope_api", engine_of(client)) == before


def test_numbers_of_another_school_are_refused_wherever_they_stand(client: TestClient, school: School) -> None:
    other = add_school(engine_of(client), OTHER_CODE)
    with writing(engine_of(client)) as db:
        group = add_group(db, other.id, "g9")
        plus = add_group(db, other.id, "plus", kind="composite")
        pupil = add_pupil(db, other.id, "p9")
        member = add_member(db, other.id, "m9")
    before = read_state("eduscope_api", engine_of(client))
    calls: list[tuple[str, str, Any, int]] = [
        ("GET", f"leerlingen/{pupil}", None, 404),
        ("PATCH", f"leerlingen/{pupil}", {"roepnaam": "X"}, 404),
        ("DELETE", f"leerlingen/{pupil}", None, 404),
        ("GET", f"leerlingen/{pupil}/geschiedenis", None, 404),
        ("GET", f"personeel/{member}", None, 404),
        ("PATCH", f"personeel/{member}", {"roepnaam": "X"}, 404),
        ("DELETE", f"personeel/{member}", None, 404),
        ("PUT", f"personeel/{member}/groepen", {"groepen": []}, 404),
        ("PUT", f"personeel/{member}/alle-groepen", None, 404),
        ("POST", f"personeel/{member}/contactgegevens", {"soort": "telefoon", "waarde": "030 1234567"}, 404),
        ("GET", f"groepen/{group}", None, 404),
        ("PATCH", f"groepen/{group}", {"naam": "X"}, 404),
        ("DELETE", f"groepen/{group}", None, 404),
        ("PUT", f"groepen/{group}/docenten/1", None, 404),
        ("PUT", f"groepen/1/docenten/{member}", None, 404),
        ("PATCH", "leerlingen/1", {"groep": group}, 422),
        ("PATCH", "leerlingen/1", {"samengesteldeGroepen": [plus]}, 422),
        ("PUT", "personeel/1/groepen", {"groepen": [group]}, 422),
        ("PATCH", "personeel/1", {"groepen": [1, group]}, 422),
        ("PATCH", "leerlingen", {"leerlingen": [{"id": pupil}]}, 422),
        ("PATCH", "personeel", {"personeel": [{"id": member}]}, 422),
        ("GET", f"leerlingen?groep={group}", None, 422),
        ("GET", f"personeel?groep={group}", None, 422),
        ("GET", f"leerlingen?sorteer={other.id}", None, 422),
    ]
    for method, path, body, status in calls:
        answer = client.request(method, f"{API}/{path}", json=body)
        assert answer.status_code == status, (method, path, answer.text)
    assert read_state("eduscope_api", engine_of(client)) == before


NAMES = [
    "d'Hondt-O’Neill",
    "van 't Hart",
    "Łucja",
    "Ngũgĩ wa Thiong'o",
    "محمد",
    "אבי",
    "李小龍",
    "Jr. (2)",
    "A/B",
    "x" * 64,
]


def test_names_of_people_from_everywhere_are_taken(client: TestClient, school: School) -> None:
    for name in (*NAMES, "نرگس\u200cناز"):
        assert check_name(name) == name
        assert client.post(f"{API}/leerlingen", json={"roepnaam": name}).json()["roepnaam"] == name
