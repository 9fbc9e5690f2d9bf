"""Contact details: several per person, one address marked for Basispoort."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.eduscope_api.nightly import School
from services.eduscope_api.rules.contacts import parse_phone
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school
from tests.stored_state import read_state

PATH = f"/api/v1/scholen/{CODE}/personeel/1"
CONTACTS = f"{PATH}/contactgegevens"


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client))
    sign_in(client, school)
    client.patch(PATH, json={"emailadres": None})
    return school


def add(client: TestClient, value: str, kind: str = "e-mail", **more: Any) -> Any:
    return client.post(CONTACTS, json={"soort": kind, "waarde": value, **more})


def shown(client: TestClient) -> list[tuple[str, bool]]:
    return [(each["waarde"], each["voorBasispoort"]) for each in client.get(CONTACTS).json()["contactgegevens"]]


def test_the_first_address_is_marked_by_itself_and_another_takes_the_mark(client: TestClient, school: School) -> None:
    assert add(client, "030-123 45 67", "telefoon").status_code == 201
    first = add(client, " Jo@Regenboog.EXAMPLE ")
    assert first.json() == {
        "id": first.json()["id"],
        "soort": "e-mail",
        "waarde": "jo@regenboog.example",
        "voorBasispoort": True,
    }
    assert first.headers["location"] == f"{CONTACTS}/{first.json()['id']}"
    second = add(client, "thuis@post.example").json()
    assert second["voorBasispoort"] is False
    assert client.get(PATH).json()["emailadres"] == "jo@regenboog.example"
    moved = client.patch(f"{CONTACTS}/{second['id']}", json={"voorBasispoort": True})
    assert moved.headers["etag"] == client.get(PATH).headers["etag"] == client.get(CONTACTS).headers["etag"]
    assert shown(client) == [("jo@regenboog.example", False), ("thuis@post.example", True), ("030 123 45 67", False)]
    assert client.get(PATH).json()["emailadres"] == "thuis@post.example"
    assert client.delete(f"{CONTACTS}/{second['id']}").status_code == 204
    assert client.get(PATH).json()["emailadres"] is None  # nobody chose another one
    assert add(client, "derde@post.example").json()["voorBasispoort"] is False
    assert add(client, "vierde@post.example", voorBasispoort=True).json()["voorBasispoort"] is True


def test_a_value_is_changed_in_place(client: TestClient, school: School) -> None:
    made = add(client, "jo@regenboog.example").json()
    changed = client.patch(f"{CONTACTS}/{made['id']}", json={"waarde": "joke@regenboog.example"}).json()
    assert changed == {**made, "waarde": "joke@regenboog.example"}
    same = client.patch(f"{CONTACTS}/{made['id']}", json={"waarde": "JOKE@regenboog.example"}).json()
    assert same == changed


def test_an_address_of_two_people_is_accepted_and_twice_on_one_is_not(client: TestClient, school: School) -> None:
    other = client.post(f"/api/v1/scholen/{CODE}/personeel", json={"achternaam": "Twee"}).json()["id"]
    assert add(client, "samen@regenboog.example").status_code == 201
    theirs = f"/api/v1/scholen/{CODE}/personeel/{other}/contactgegevens"
    body = {"soort": "e-mail", "waarde": "samen@regenboog.example"}
    assert client.post(theirs, json=body).status_code == 201
    refused = add(client, "Samen@regenboog.example")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/body/waarde")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"soort": "e-mail", "waarde": "a@b@c.example"}, "waarde"),
        ({"soort": "e-mail", "waarde": "a@b.example, c@d.example"}, "waarde"),
        ({"soort": "e-mail", "waarde": "a@b.example\nBcc: c@d.example"}, "waarde"),
        ({"soort": "e-mail", "waarde": ["a@b.example"]}, "waarde"),
        ({"soort": "e-mail", "waarde": "030 1234567"}, "waarde"),
        ({"soort": "e-mail", "waarde": "   "}, "waarde"),
        ({"soort": "e-mail"}, "waarde"),
        ({"soort": "telefoon", "waarde": "12345"}, "waarde"),
        ({"soort": "telefoon", "waarde": "1" * 21}, "waarde"),
        ({"soort": "telefoon", "waarde": "bel mij"}, "waarde"),
        ({"soort": "telefoon", "waarde": "+31 6 12345678", "voorBasispoort": True}, "voorBasispoort"),
        ({"soort": "e-mail", "waarde": "a@b.example", "voorBasispoort": "ja"}, "voorBasispoort"),
        ({"soort": "fax", "waarde": "030 1234567"}, "soort"),
        ({"soort": "e-mail", "waarde": "a@b.example", "prive": True}, "?"),
    ],
    ids=str,
)
def test_a_contact_that_makes_no_sense_is_refused_at_its_field(
    client: TestClient, school: School, body: dict[str, Any], pointer: str
) -> None:
    kept = add(client, "jo@regenboog.example").json()
    before = read_state("eduscope_api", engine_of(client))
    refused = client.post(CONTACTS, json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == f"/body/{pointer}"
    change = {name: value for name, value in body.items() if name != "soort"}
    if body["soort"] == "e-mail" and "waarde" in body:
        assert client.patch(f"{CONTACTS}/{kept['id']}", json=change).status_code == 422
    assert read_state("eduscope_api", engine_of(client)) == before
    assert add(client, "goed@regenboog.example").status_code == 201  # the twin: a good one does change what is stored
    assert read_state("eduscope_api", engine_of(client)) != before


def test_a_contact_of_somebody_else_is_not_there(client: TestClient, school: School) -> None:
    mine = add(client, "jo@regenboog.example").json()["id"]
    other = client.post(f"/api/v1/scholen/{CODE}/personeel", json={"achternaam": "Twee"}).json()["id"]
    theirs = f"/api/v1/scholen/{CODE}/personeel/{other}/contactgegevens/{mine}"
    assert client.patch(theirs, json={"waarde": "x@x.example"}).status_code == 404
    assert client.delete(theirs).status_code == 404
    elsewhere = add_school(engine_of(client), OTHER_CODE)
    sign_in(client, elsewhere, user_name="ander@regenboog.example")
    for number in (1, 2):
        path = f"/api/v1/scholen/{OTHER_CODE}/personeel/{number}/contactgegevens"
        assert client.get(path).status_code == 404
        assert client.delete(f"{path}/{mine}").status_code == 404


def test_an_older_version_of_the_person_stops_a_change(client: TestClient, school: School) -> None:
    etag = client.get(PATH).headers["etag"]
    made = client.post(CONTACTS, json={"soort": "e-mail", "waarde": "a@b.example"}, headers={"If-Match": etag})
    assert made.status_code == 201
    path = f"{CONTACTS}/{made.json()['id']}"
    for answer in (
        client.post(CONTACTS, json={"soort": "e-mail", "waarde": "c@d.example"}, headers={"If-Match": etag}),
        client.patch(path, json={"waarde": "c@d.example"}, headers={"If-Match": etag}),
        client.delete(path, headers={"If-Match": etag}),
    ):
        assert answer.status_code == 412
        assert answer.json()["gewijzigd"] == ["contactgegevens", "emailadres"]
    assert shown(client) == [("a@b.example", True)]


def test_nobody_gets_more_than_twenty(client: TestClient, school: School) -> None:
    answers = [add(client, f"a{number}@b.example").status_code for number in range(21)]
    assert answers == [201] * 20 + [422]


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("030-1234567", "030 1234567"),
        ("(030) 123 45 67", "030 123 45 67"),
        ("+31 (0)6-12.34.56.78", "+31 6 12 34 56 78"),
        ("+ 31 612345678", "+31 612345678"),
        ("112112", "112112"),
    ],
)
def test_telephone_numbers_get_one_spelling(text: str, phone: str) -> None:
    assert parse_phone(text) == phone
    assert parse_phone(phone) == phone


@pytest.mark.parametrize("text", ["12345", "", "+", "1+234567", "٠٣٠١٢٣٤٥٦٧", "030 1234567 b.g.g. 06"])
def test_what_is_no_telephone_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="telefoonnummer"):
        parse_phone(text)
