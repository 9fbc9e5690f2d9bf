"""Announced changes of mail domain: entered, listed, taken back, and told to the hub with the tick."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.eduscope_api.domains import ANNOUNCEMENT
from services.eduscope_api.nightly import School
from services.eduscope_api.schools import send_announcement
from services.eduscope_api.tables import OutboxRow
from shared.clock import now
from shared.outbox import deliver_due
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, add_school

API = f"/api/v1/scholen/{CODE}/koppeling/domeinen"
MOVE = {"van": "oud.example", "naar": "nieuw.example"}


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client))
    sign_in(client, school)
    return school


def listed(client: TestClient) -> list[tuple[str, str]]:
    return [(each["van"], each["naar"]) for each in client.get(API).json()["domeinwijzigingen"]]


def told(client: TestClient, hub: FakeHub) -> dict[str, str]:
    engine = engine_of(client)
    senders = {ANNOUNCEMENT: lambda _id, body: send_announcement(engine, hub.client(), body)}
    deliver_due(engine, OutboxRow, senders, now)
    return hub.schools[CODE].domains


def test_a_change_of_domain_is_announced_and_told_to_the_hub(client: TestClient, hub: FakeHub, school: School) -> None:
    assert told(client, hub) == {}
    assert client.put(API, json={"van": "@OUD.example ", "naar": "nieuw.example"}).status_code == 204
    assert listed(client) == [("oud.example", "nieuw.example")]
    assert told(client, hub) == {"oud.example": "nieuw.example"}


def test_a_second_announcement_for_a_domain_replaces_the_first(
    client: TestClient, hub: FakeHub, school: School
) -> None:
    for new in ("nieuw.example", "anders.example"):
        client.put(API, json={**MOVE, "naar": new})
    assert listed(client) == [("oud.example", "anders.example")]
    assert told(client, hub) == {"oud.example": "anders.example"}


def test_an_announcement_is_taken_back(client: TestClient, hub: FakeHub, school: School) -> None:
    client.put(API, json=MOVE)
    assert client.delete(f"{API}?van=oud.example").status_code == 204
    assert (listed(client), told(client, hub)) == ([], {})
    assert client.delete(f"{API}?van=oud.example").status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"van": "oud.example", "naar": "oud.example"}, "/body/naar"),
        ({"van": "geen domein", "naar": "nieuw.example"}, "/body/van"),
        ({"van": "a@oud.example", "naar": "nieuw.example"}, "/body/van"),
        ({"van": "oud.example", "naar": ["nieuw.example"]}, "/body/naar"),
        ({"van": "oud.example"}, "/body/naar"),
        ({**MOVE, "school": CODE}, "/body/?"),
    ],
)
def test_what_is_no_change_of_domain_is_refused_at_its_field(
    client: TestClient, school: School, body: dict[str, Any], pointer: str
) -> None:
    refused = client.put(API, json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] in {pointer, "/body/school"}
    assert listed(client) == []


def test_no_more_than_the_hub_takes_can_be_announced(client: TestClient, school: School) -> None:
    statuses = [client.put(API, json={**MOVE, "van": f"oud{number}.example"}).status_code for number in range(21)]
    assert statuses == [204] * 20 + [422]
    assert client.put(API, json={"van": "oud3.example", "naar": "anders.example"}).status_code == 204
