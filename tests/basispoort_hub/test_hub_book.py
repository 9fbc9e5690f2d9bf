"""The hub's API description: every call has a title, a chapter, examples that fit, and leads only to what is there."""

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from sqlalchemy import Engine

from services.basispoort_hub.api_book import CHAPTERS, LINKS
from services.basispoort_hub.webhooks import WireMessage
from shared.app_factory import problem_types
from tests.basispoort_hub.test_schemathesis import operations
from tests.test_house_rules import start


@pytest.fixture
def book(make_engine: Callable[[str], Engine]) -> dict[str, Any]:
    app = start("basispoort_hub", make_engine("basispoort_hub"))
    described = app.openapi()
    return {"operations": operations(app), "components": described["components"], "webhooks": described["webhooks"]}


def flaws(book: dict[str, Any]) -> list[str]:
    found = []
    for name, operation in book["operations"].items():
        found += [f"{name}: no {each}" for each in ("summary", "description", "tags") if not operation.get(each)]
        if operation["summary"].istitle():
            found.append(f"{name}: the function's name for a title")
        if not set(operation["tags"]) <= CHAPTERS.keys():
            found.append(f"{name}: no chapter")
        found += [f"{name}: {each}" for each in _flaws_of_bodies(book, operation)]
        found += [f"{name}: {each}" for each in _flaws_of_links(book, operation)]
    return found


def _flaws_of_bodies(book: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    places = [operation.get("requestBody", {})]
    places += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    found = []
    for place in places:
        body = place.get("content", {}).get("application/json")
        if body is None or not body["schema"]:  # an answer of nothing
            continue
        rules = {**body["schema"], "components": book["components"]}
        found += [f"example: {error.message}" for error in Draft202012Validator(rules).iter_errors(body["example"])]
    return found


def _flaws_of_links(book: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    targets = {each["operationId"]: each for each in book["operations"].values()}
    found = []
    for answer in operation["responses"].values():
        for link in answer.get("links", {}).values():
            target = targets.get(link["operationId"])
            known = {each["name"] for each in (target or {}).get("parameters", [])}
            if target is None or not set(link["parameters"]) <= known:
                found.append(f"a link to {link['operationId']} that leads nowhere")
    return found


def test_every_call_can_be_read_and_tried(book: dict[str, Any]) -> None:
    assert flaws(book) == []


def test_every_link_of_the_table_stands_in_the_description(book: dict[str, Any]) -> None:
    told: dict[str, set[str]] = {}
    for operation in book["operations"].values():
        for answer in operation["responses"].values():
            if "links" in answer:
                told[operation["operationId"]] = set(answer["links"])
    assert told == {name: set(targets) for name, targets in LINKS.items()}


def test_what_the_hub_sends_to_webhooks_can_be_read_and_taken(book: dict[str, Any]) -> None:
    assert list(book["webhooks"]) == ["changes"]
    message = book["webhooks"]["changes"]["post"]
    assert flaws({**book, "operations": {"changes": message}}) == []
    example = message["requestBody"]["content"]["application/json"]["example"]
    assert WireMessage.model_validate(example).model_dump(mode="json") == example
    headers = {each["name"] for each in message["parameters"] if each["in"] == "header" and each["required"]}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert set(message["responses"]) == {"204", "410", "default"}  # what each answer leads to


def test_every_refusal_that_is_told_is_a_kind_of_problem_with_that_status(book: dict[str, Any]) -> None:
    kinds, seen = problem_types(), 0
    for operation in book["operations"].values():
        for status, answer in operation["responses"].items():
            examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
            assert all(str(kinds[slug].status) == status for slug in examples)
            assert bool(examples) is status.startswith(("4", "5"))
            seen += len(examples)
    assert seen > 500


def test_what_is_missing_or_wrong_would_be_seen(book: dict[str, Any]) -> None:
    method = book["operations"]["POST /hosted-lika/management/lika/{identityCode}/methode"]
    method["requestBody"]["content"]["application/json"]["example"] = {"id": 7}
    method["tags"] = ["elders"]
    method["responses"]["204"]["links"]["show_method"]["parameters"] = {"nummer": "$response.body#/id"}
    del book["operations"]["GET /api/v1/webhooks"]["description"]
    assert len(flaws(book)) >= 4
