"""Stored answers: one picture in every form, ETags and times that move only when the answer does."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from services.basispoort_hub.fast_reads import takes_gzip
from shared.database import open_engine
from shared.roster import Roster
from shared.wire.schools import InstitutionDetails, InstitutionOverview, InstitutionPupils
from tests.basispoort_hub.a_hub import CODE, OPERATOR_KEY, PUBLISHER_KEY, Hub, open_hub
from tests.factories import a_group, a_pupil, a_staff_member

PARTS = ("", "/groepen", "/leerlingen", "/staf", "/details")
SCHOOL = Roster.of(
    [
        a_group("g5"),
        *(a_pupil(f"p{number}", home_group="g5", eck_id=f"eck-{number}") for number in range(12)),
        a_staff_member("m1", email="kim@school.example"),
    ]
)


@pytest.fixture
def hub(migrated_url: Callable[[str], str]) -> Iterator[Hub]:
    engine = open_engine(migrated_url("basispoort_hub"))
    opened = open_hub(engine)
    opened.open_school()
    opened.put(SCHOOL, token=None)
    yield opened
    opened.client.close()
    engine.dispose()
    opened.client.app.state.engine.dispose()  # type: ignore[attr-defined]


def _with_pupil(**changes: Any) -> Roster:
    return Roster.of([replace(each, **changes) if each.key == "p3" else each for each in SCHOOL.entries()])


def _times(hub: Hub) -> dict[str, str]:
    return {part: hub.rest(part).json()["metaResult"]["mutationTimestamp"] for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_the_packed_answer_is_the_plain_one(hub: Hub, part: str) -> None:
    with hub.client.stream(
        "GET",
        f"/rest/v2/instellingen/{hub.school_id}{part}",
        headers={"Authorization": f"Bearer {PUBLISHER_KEY}", "Accept-Encoding": "gzip"},
    ) as answer:
        packed = b"".join(answer.iter_raw())
    plain = hub.rest(part, **{"Accept-Encoding": "identity"})
    assert gzip.decompress(packed) == plain.content
    assert (answer.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert answer.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'


@pytest.mark.parametrize("part", PARTS)
def test_a_caller_that_has_the_answer_gets_304(hub: Hub, part: str) -> None:
    etag = hub.rest(part).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = hub.rest(part, **{"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"].removesuffix('-gzip"') == etag.removesuffix('"').removesuffix("-gzip")
    assert hub.rest(part, **{"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("part", PARTS)
def test_head_is_get_without_the_body(hub: Hub, part: str) -> None:
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    head = hub.client.head(f"/rest/v2/instellingen/{hub.school_id}{part}", headers=headers)
    assert (head.status_code, head.headers["etag"]) == (200, hub.rest(part).headers["etag"])


def test_a_time_moves_only_when_that_answer_does(hub: Hub) -> None:
    before, etags = _times(hub), {part: hub.rest(part).headers["etag"] for part in PARTS}
    hub.put(_with_pupil(first_name="Anders"))
    after = _times(hub)
    moved = {part for part in PARTS if after[part] != before[part]}
    assert moved == {"", "/leerlingen"}
    assert after[""] == after["/leerlingen"] == max(after.values())
    assert {part for part in PARTS if hub.rest(part).headers["etag"] != etags[part]} == moved


def test_what_carries_the_same_time_agrees(hub: Hub) -> None:
    whole, pupils = hub.rest().json(), hub.rest("/leerlingen").json()
    for number in range(3):
        hub.put(_with_pupil(first_name=f"Naam{number}"))
        for earlier, later in ((whole, hub.rest("/leerlingen").json()), (hub.rest().json(), pupils)):
            same_time = earlier["metaResult"]["mutationTimestamp"] == later["metaResult"]["mutationTimestamp"]
            assert same_time is (earlier["leerlingen"] == later["leerlingen"])
        whole, pupils = hub.rest().json(), hub.rest("/leerlingen").json()
        assert whole["leerlingen"] == pupils["leerlingen"]


def test_held_people_are_still_in_it(hub: Hub) -> None:
    hub.put(Roster.of([each for each in SCHOOL.entries() if each.key not in {f"p{n}" for n in range(11)}]))
    assert len(hub.rest().json()["leerlingen"]) == 12


def test_consent_comes_before_the_etag(hub: Hub) -> None:
    etag = hub.rest().headers["etag"]
    client, path = hub.client, f"/api/v1/scholen/{CODE}/uitgeverijen/ctrllearning"
    assert client.put(path, json={"toestemming": False}).status_code == 200
    for known in (etag, "*"):
        assert hub.rest(**{"If-None-Match": known}).status_code == 403
    client.put(path, json={"toestemming": True})
    assert hub.rest(**{"If-None-Match": etag}).status_code == 304


def test_some_pupils_by_number_or_eck_id(hub: Hub) -> None:
    whole = hub.rest("/leerlingen").json()
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    path = f"/rest/v2/instellingen/{hub.school_id}"
    some = whole["leerlingen"][2:5]
    asked = {
        "/leerlingen": [*(each["id"] for each in some), 10**15, -1],
        "/leerlingen_eckid": [*(each["eckid"] for each in some), "eck-elders"],
    }
    for part, body in asked.items():
        answer = hub.client.post(path + part, json=body, headers=headers)
        assert answer.json() == {"leerlingen": some, "metaResult": whole["metaResult"]}
        InstitutionPupils.model_validate_json(answer.content)
        assert hub.client.post(path + part, json=[], headers=headers).json()["leerlingen"] == []
        assert hub.client.post(path + part, json=[], headers={"Authorization": "Bearer nobody"}).status_code == 401
        assert hub.client.post(path + part, json=[None], headers=headers).status_code == 422


def test_a_new_school_answers_at_once(hub: Hub) -> None:
    body, headers = {"code": "99ZQ00", "naam": "Nieuw"}, {"Authorization": f"Bearer {OPERATOR_KEY}"}
    made = hub.client.post("/api/v1/operator/scholen", json=body, headers=headers)
    answer = hub.client.get(
        f"/rest/v2/instellingen/{made.json()['id']}", headers={"Authorization": f"Bearer {PUBLISHER_KEY}"}
    )
    assert answer.status_code == 403  # it exists, and has not consented


def test_the_stored_answers_have_the_shape_of_the_wire(hub: Hub) -> None:
    InstitutionDetails.model_validate_json(hub.rest("/details").content)
    whole = InstitutionOverview.model_validate_json(hub.rest().content)
    assert json.loads(whole.model_dump_json()) == hub.rest().json()


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("*;q=0", False),
        ("deflate", False),
    ],
)
def test_gzip_is_sent_only_to_who_takes_it(given: str, taken: bool) -> None:
    assert takes_gzip(given) is taken
