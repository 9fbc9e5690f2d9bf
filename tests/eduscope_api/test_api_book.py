"""EDUscope's API description: every call has a title, a chapter, an example that fits, and its errors."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema_rs import Draft202012Validator

from services.eduscope_api.api_book import CHAPTERS
from shared.app_factory import problem_types
from shared.openapi import sample
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, add_school

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def book(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(book: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = [
        (f"{method.upper()} {path}", operation)
        for path, methods in book["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]
    assert len(found) > 50
    return found


def flaws(book: dict[str, Any]) -> list[str]:
    """What is not as a reader may expect."""
    found = []
    for name, operation in operations(book):
        found += [f"{name}: no {each}" for each in ("summary", "description", "tags") if not operation.get(each)]
        if operation["summary"].istitle():
            found.append(f"{name}: the function's name for a title")
        if not set(operation["tags"]) <= set(CHAPTERS):
            found.append(f"{name}: no chapter")
        found += [f"{name}: {each}" for each in _flaws_of_bodies(book, operation)]
        found += [f"{name}: {each}" for each in _flaws_of_errors(operation)]
    return found


def _flaws_of_bodies(book: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    found = []
    places = [operation.get("requestBody", {})]
    places += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for place in places:
        body = place.get("content", {}).get("application/json")
        if body is None:
            continue
        if "example" not in body:
            found.append("no example")
            continue
        rules = {**body["schema"], "components": book["components"]}
        found += [f"example: {error.message}" for error in Draft202012Validator(rules).iter_errors(body["example"])]
    return found


def _flaws_of_errors(operation: dict[str, Any]) -> list[str]:
    refused = {status: answer for status, answer in operation["responses"].items() if status[1:].isdigit()}
    found = [f"no {status}" for status in ("422", "503") if status not in refused]
    for status, answer in refused.items():
        if not status.startswith(("4", "5")):
            continue
        for slug, example in answer["content"]["application/problem+json"]["examples"].items():
            kind = problem_types()[slug]
            if (str(kind.status), kind.uitleg) != (status, example["value"]["uitleg"]):
                found.append(f"{status} is not {slug}")
    return found


def test_every_call_can_be_read_and_tried(book: dict[str, Any]) -> None:
    assert flaws(book) == []


def test_what_is_missing_or_wrong_would_be_seen(book: dict[str, Any]) -> None:
    pupil = book["paths"]["/api/v1/scholen/{code}/leerlingen/{pupil_id}"]["patch"]
    pupil["requestBody"]["content"]["application/json"]["example"] = {"roepnaam": 7}
    del pupil["responses"]["422"]
    pupil["tags"] = ["elders"]
    del book["paths"]["/api/v1/scholen/{code}/groepen"]["get"]["responses"]["200"]["content"]["application/json"][
        "example"
    ]
    assert len(flaws(book)) >= 4


def test_names_are_plain_and_differ(book: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(book)]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "api_v1" in name]


def test_the_chapters_stand_in_order_and_all_are_used(book: dict[str, Any]) -> None:
    assert [tag["name"] for tag in book["tags"]] == list(CHAPTERS)
    assert {tag for _, operation in operations(book) for tag in operation["tags"]} == set(CHAPTERS)


def test_the_errors_that_come_are_the_errors_that_are_told(client: TestClient, book: dict[str, Any]) -> None:
    school = add_school(engine_of(client))
    told = book["paths"]["/api/v1/scholen/{code}/groepen/{group_id}"]["delete"]["responses"]
    path = f"/api/v1/scholen/{CODE}/groepen"

    def slug(answer: Any) -> str:
        return str(answer.json()["type"]).removeprefix("/problems/")

    answers = [client.delete(f"{path}/1")]
    sign_in(client, school)
    answers += [
        client.delete(f"{path}/1"),
        client.delete(f"{path}/99"),
        client.delete(f"{path}/x"),
        client.delete(f"{path}/1", headers={"If-Match": '"9"'}),
        client.delete(f"{path}/1", headers={"Sec-Fetch-Site": "cross-site"}),
        client.delete(f"{path}/1", headers={"Authorization": "Bearer niets"}),
    ]
    assert sorted({answer.status_code for answer in answers}) == [401, 403, 404, 409, 412, 422]
    for answer in answers:
        assert slug(answer) in told[str(answer.status_code)]["content"]["application/problem+json"]["examples"]


def test_a_sample_fits_where_a_value_does_not() -> None:
    schema = {
        "properties": {
            "naam": {"type": "integer", "minimum": 5},
            "kind": {"enum": ["a", "b"]},
            "soort": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "lijst": {"type": "array", "items": {"$ref": "#/components/schemas/One"}},
        }
    }
    components = {"One": {"properties": {"dag": {"type": "string", "format": "date"}}}}
    made = sample(schema, components, {"naam": "Noor", "soort": "groep"})
    assert made == {"naam": 5, "kind": "a", "soort": "groep", "lijst": [{"dag": "2026-09-01"}]}
