"""API keys: shown once, stored hashed, scopes from one table, revoked at once."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from services.eduscope_api.nightly import School
from services.eduscope_api.rules.scopes import SCOPES, SUBJECTS, ScopeMissing, check_scopes, scopes_for
from services.eduscope_api.tables import ApiKeyRow
from shared.database import reading
from shared.service_auth import hash_key
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school

BASE = f"/api/v1/scholen/{CODE}"
API = f"{BASE}/sleutels"
PAGE = f"/scholen/{CODE}/inrichten/sleutels"


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client), ticked=False)
    sign_in(client, school)
    return school


@pytest.fixture
def program(client: TestClient) -> TestClient:
    """An integration at the same door: no cookie, and the key that a test gives it."""
    return TestClient(client.app, follow_redirects=False)


def make(client: TestClient, *scopes: str, name: str = "Rooster") -> dict[str, Any]:
    answer = client.post(API, json={"naam": name, "bevoegdheden": list(scopes)})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def use(program: TestClient, key: str, method: str = "GET", path: str = f"{BASE}/leerlingen", **more: Any) -> Any:
    return program.request(method, path, headers={"Authorization": f"Bearer {key}"}, **more)


def test_a_key_is_shown_once_and_stored_hashed(client: TestClient, school: School) -> None:
    made = make(client, "leerlingen:lezen")
    assert client.get(API).json()["sleutels"] == [{name: made[name] for name in made if name != "sleutel"}]
    assert made["sleutel"] not in client.get(API).text
    with reading(engine_of(client)) as db:
        row = db.scalars(select(ApiKeyRow)).one()
    stored = [str(value) for name, value in vars(row).items() if not name.startswith("_")]
    assert hash_key(made["sleutel"]) in stored
    assert made["sleutel"] not in " ".join(stored)


def test_a_key_opens_what_its_scopes_say_and_nothing_else(
    client: TestClient, program: TestClient, school: School
) -> None:
    key = make(client, "leerlingen:lezen")["sleutel"]
    assert use(program, key).status_code == 200
    for method, path, scope in (
        ("POST", "leerlingen", "leerlingen:schrijven"),
        ("GET", "personeel", "personeel:lezen"),
        ("PUT", "koppeling", "koppeling:schrijven"),
        ("GET", "controles", "rapportages:lezen"),
    ):
        refused = use(program, key, method, f"{BASE}/{path}")
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/scope-missing"), path
        assert refused.json()["scope"] == scope


def test_a_history_needs_its_own_scope_wherever_it_stands(
    client: TestClient, program: TestClient, school: School
) -> None:
    key = make(client, "leerlingen:lezen")["sleutel"]
    refused = use(program, key, path=f"{BASE}/leerlingen/1/geschiedenis")
    assert refused.json()["scope"] == "geschiedenis:lezen"


def test_a_revoked_key_is_refused_at_once_and_revoking_twice_is_once(
    client: TestClient, program: TestClient, school: School
) -> None:
    made = make(client, "leerlingen:lezen")
    assert use(program, made["sleutel"]).status_code == 200
    assert client.delete(f"{API}/{made['id']}").status_code == 204
    first = client.get(API).json()["sleutels"][0]["ingetrokkenOp"]
    assert first is not None
    assert client.delete(f"{API}/{made['id']}").status_code == 204
    assert client.get(API).json()["sleutels"][0]["ingetrokkenOp"] == first
    refused = use(program, made["sleutel"])
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/caller-unknown")
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header", ["Bearer schakel_onbekend", "Bearer ", "Basic abc", "schakel_x", "Bearer " + "x" * 300]
)
def test_an_unknown_key_is_refused_also_beside_a_live_session(client: TestClient, school: School, header: str) -> None:
    assert client.get(f"{BASE}/leerlingen").status_code == 200
    assert client.get(f"{BASE}/leerlingen", headers={"Authorization": header}).status_code == 401


def test_a_key_knows_only_its_own_school(client: TestClient, program: TestClient, school: School) -> None:
    add_school(engine_of(client), OTHER_CODE)
    key = make(client, *SCOPES)["sleutel"]
    answers = [
        use(program, key, path=f"/api/v1/scholen/{code}/leerlingen") for code in (OTHER_CODE, "99XX00", "geen code")
    ]
    assert [answer.status_code for answer in answers] == [404] * 3
    without_number = {answer.text.replace(answer.headers["x-request-id"], "") for answer in answers}
    assert len(without_number) == 1


def test_keys_and_pages_are_for_people_only(client: TestClient, program: TestClient, school: School) -> None:
    key = make(client, *SCOPES)["sleutel"]
    for method, path in (("GET", API), ("POST", API), ("DELETE", f"{API}/1"), ("GET", PAGE)):
        refused = use(program, key, method, path)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/people-only"), path
    assert use(program, key, path="/api/v1/operator/besturen").status_code == 401


def test_a_key_writes_as_itself(client: TestClient, program: TestClient, school: School) -> None:
    made = make(client, "groepen:schrijven", "groepen:lezen", "geschiedenis:lezen", name="Importprogramma")
    body = {"soort": "groep", "naam": "Groep 7", "jaargroep": "7"}
    assert use(program, made["sleutel"], "POST", f"{BASE}/groepen", json=body).status_code == 201
    assert "Importprogramma" in use(program, made["sleutel"], path=f"{BASE}/geschiedenis").text


def test_a_request_from_another_site_is_refused_with_a_key_too(
    client: TestClient, program: TestClient, school: School
) -> None:
    key = make(client, *SCOPES)["sleutel"]
    headers = {"Authorization": f"Bearer {key}", "Origin": "http://elders.example"}
    assert program.post(f"{BASE}/groepen", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"naam": "x", "bevoegdheden": []},
        {"naam": "x", "bevoegdheden": ["alles"]},
        {"naam": "x", "bevoegdheden": "leerlingen:lezen"},
        {"naam": "   ", "bevoegdheden": ["leerlingen:lezen"]},
        {"naam": "x" * 257, "bevoegdheden": ["leerlingen:lezen"]},
        {"naam": "x", "bevoegdheden": ["leerlingen:lezen"], "school_id": 1},
    ],
)
def test_a_key_needs_a_name_and_known_scopes(client: TestClient, school: School, body: dict[str, Any]) -> None:
    assert client.post(API, json=body).status_code == 422
    assert client.get(API).json()["sleutels"] == []


def test_a_school_has_a_most_of_live_keys(client: TestClient, school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.eduscope_api.api_keys.MOST_LIVE", 2)
    first = make(client, "leerlingen:lezen")
    make(client, "leerlingen:lezen")
    refused = client.post(API, json={"naam": "x", "bevoegdheden": ["leerlingen:lezen"]})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/too-many-keys")
    client.delete(f"{API}/{first['id']}")
    make(client, "leerlingen:lezen")


def test_another_schools_key_cannot_be_revoked(client: TestClient, school: School) -> None:
    other = add_school(engine_of(client), OTHER_CODE)
    both = TestClient(client.app)
    sign_in(both, other, user_name="ander@horizon.example")
    made = both.post(f"/api/v1/scholen/{OTHER_CODE}/sleutels", json={"naam": "x", "bevoegdheden": ["groepen:lezen"]})
    assert client.delete(f"{API}/{made.json()['id']}").status_code == 404
    assert both.get(f"/api/v1/scholen/{OTHER_CODE}/sleutels").json()["sleutels"][0]["ingetrokkenOp"] is None


def test_every_scope_in_the_table_can_be_given() -> None:
    subjects = {subject for needed in SUBJECTS.values() if needed is not None for subject in needed}
    given = {f"{subject}:{action}" for subject in subjects for action in ("lezen", "schrijven")}
    assert given - set(SCOPES) == {"rapportages:schrijven"}, "there is nothing to write there"
    assert set(SCOPES) <= given


def test_what_is_not_in_the_table_is_closed() -> None:
    assert scopes_for(f"{BASE}/onbekend", "GET") is None
    assert scopes_for(BASE, "GET") is None
    assert scopes_for(f"/scholen/{CODE}/leerlingen", "GET") is None
    assert scopes_for(f"{BASE}/leerlingen", "GET") == ("leerlingen:lezen",)


def test_what_shows_people_needs_the_scopes_of_these_people() -> None:
    assert scopes_for(f"{BASE}/koppeling/proef", "GET") == (
        "koppeling:lezen",
        "leerlingen:lezen",
        "personeel:lezen",
        "groepen:lezen",
    )
    assert scopes_for(f"{BASE}/koppeling/nachten", "GET") == ("koppeling:lezen",)


def test_who_may_write_may_read_what_it_became() -> None:
    check_scopes(f"{BASE}/leerlingen", "GET", ["leerlingen:schrijven"])
    with pytest.raises(ScopeMissing):
        check_scopes(f"{BASE}/leerlingen", "POST", ["leerlingen:lezen"])
    with pytest.raises(ScopeMissing):
        check_scopes(f"{BASE}/leerlingen", "GET", ["groepen:schrijven"])


def test_the_page_shows_a_new_key_once_and_revokes_it(
    client: TestClient, program: TestClient, hub: FakeHub, school: School
) -> None:
    html = {"Accept": "text/html"}
    form = {"naam": "Rooster <b>", "bevoegdheden": ["leerlingen:lezen", "groepen:lezen"]}
    made = client.post(PAGE, data=form, headers=html)
    assert made.status_code == 200
    key = made.text.partition("<code>")[2].partition("</code>")[0]
    assert use(program, key).status_code == 200
    shown = client.get(PAGE, headers=html).text
    assert key not in shown
    assert "Rooster &lt;b&gt;" in shown
    number = client.get(API).json()["sleutels"][0]["id"]
    assert client.post(f"{PAGE}/{number}/intrekken").headers["location"] == f"{PAGE}?melding=ingetrokken"
    assert use(program, key).status_code == 401
    assert "ingetrokken" in client.get(f"{PAGE}?melding=ingetrokken", headers=html).text


def test_the_page_keeps_what_was_entered_when_something_is_missing(client: TestClient, school: School) -> None:
    html = {"Accept": "text/html"}
    without = client.post(PAGE, data={"naam": "Roosterprogramma"}, headers=html)
    assert without.status_code == 422
    assert 'value="Roosterprogramma"' in without.text
    assert "Kies ten minste één bevoegdheid." in without.text
    nameless = client.post(PAGE, data={"naam": " ", "bevoegdheden": ["groepen:lezen"]}, headers=html)
    assert "Vul in waarvoor de sleutel is" in nameless.text
    assert "<title>Fout:" in nameless.text
    assert client.get(API).json()["sleutels"] == []
