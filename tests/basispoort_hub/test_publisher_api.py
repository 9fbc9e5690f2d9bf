"""What publishers read: the real shape, consent before anything else, ETags that tell the truth."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from services.basispoort_hub.tables import PermissionRow
from shared.clock import local_date, now
from shared.database import writing
from shared.roster import GroupKind, Role, Roster
from shared.wire.base import WireModel
from shared.wire.schools import InstitutionGroups, InstitutionOverview, InstitutionPupils, InstitutionStaff
from tests.basispoort_hub.a_hub import CODE, PUBLISHER_KEY, Hub, open_hub
from tests.factories import a_group, a_pupil, a_roster, a_staff_member

SHARED = Path(__file__).parents[2].parent / "shared"
EXAMPLES = SHARED / "standards" / "data" / "basispoort-rest" / "examples"
SCHOOL = Roster.of(
    [
        a_group("g-5a", name="5A"),
        a_group("s-plus", kind=GroupKind.COMPOSITE, name="Plusgroep", year=None, description="Rekenen"),
        a_pupil("1001", home_group="g-5a", composite_groups=frozenset({"s-plus"}), eck_id="eck-1"),
        a_pupil("1002", first_name="Wimpie", prefix=None, last_name=None, home_group=None, year=None),
        a_staff_member(
            "t-1", home_groups=frozenset({"g-5a"}), ends_on=date(2027, 7, 31), roles=frozenset({Role.SUBSTITUTE})
        ),
    ]
)


@pytest.fixture
def hub(make_engine: Callable[[str], Engine]) -> Iterator[Hub]:
    opened = open_hub(make_engine("basispoort_hub"))
    opened.open_school()
    opened.put(SCHOOL, token=None)
    yield opened
    opened.client.close()


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("", InstitutionOverview),
        ("/groepen", InstitutionGroups),
        ("/leerlingen", InstitutionPupils),
        ("/staf", InstitutionStaff),
    ],
)
def test_the_stored_bytes_are_those_of_the_models(hub: Hub, path: str, model: type[WireModel]) -> None:
    body = hub.rest(path).content
    assert model.model_validate_json(body).model_dump_json().encode() == body


def test_the_overview_holds_everything_in_the_real_shape(hub: Hub) -> None:
    body = hub.rest().json()
    assert body["groepen"] == [{"lasKey": "g-5a", "naam": "5A", "jaargroep": "5", "omschrijving": None}]
    assert body["subgroepen"][0]["omschrijving"] == "Rekenen"
    pupil = body["leerlingen"][0]
    assert isinstance(pupil.pop("id"), int)
    assert pupil == {
        "eckid": "eck-1",
        "lasKey": "1001",
        "persoonsgegevens": {"achternaam": "Bijl", "voornaam": "Noor", "voorvoegsel": "van der", "voorletters": None},
        "jaargroep": "5",
        "groep": "g-5a",
        "subgroepen": ["s-plus"],
    }
    assert body["leerlingen"][1]["persoonsgegevens"]["achternaam"] is None
    [outsider, member] = sorted(body["medewerkers"], key=lambda each: each["lasKey"] or "")
    assert member["rollen"] == ["Inval"]
    assert member["einddatum"] == "2027-07-31"
    assert (outsider["lasKey"], outsider["rollen"]) == (None, ["ICTCoordinator"])
    assert (body["actief"], body["gefuseerdNaar"]) == (True, None)
    stamp = datetime.fromisoformat(body["metaResult"]["mutationTimestamp"])
    assert stamp.tzinfo is not None
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 60


def test_the_parts_agree_with_the_whole(hub: Hub) -> None:
    whole = hub.rest().json()
    for part, names in (
        ("groepen", ("groepen", "subgroepen")),
        ("leerlingen", ("leerlingen",)),
        ("staf", ("medewerkers",)),
    ):
        body = hub.rest(f"/{part}").json()
        assert {name: body[name] for name in names} == {name: whole[name] for name in names}
        assert body["metaResult"] == whole["metaResult"]


def shape(value: Any) -> Any:
    """The names of an answer, without its values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


@pytest.mark.parametrize(
    ("path", "example"),
    [
        ("", "GET_instellingen_id.json"),
        ("/details", "GET_instellingen_id_details.json"),
        ("/groepen", "GET_instellingen_id_groepen.json"),
        ("/leerlingen", "GET_instellingen_id_leerlingen.json"),
        ("/staf", "GET_instellingen_id_staf.json"),
        ("/uitgever/synchronizationpermission", "GET_synchronizationpermission.json"),
    ],
)
def test_answers_have_the_names_of_the_real_interface(hub: Hub, path: str, example: str) -> None:
    if not EXAMPLES.is_dir():
        pytest.skip("the examples of the real interface are not on this machine")
    assert shape(hub.rest(path).json()) == shape(json.loads((EXAMPLES / example).read_text()))


def test_without_consent_nothing_is_told_not_even_that_nothing_changed(hub: Hub) -> None:
    etag = hub.rest().headers["etag"]
    with writing(hub.engine) as db:
        db.execute(update(PermissionRow).values(withdrawn_at=now(), withdrawn_on=local_date(now())))
    for path in ("", "/details", "/groepen", "/leerlingen", "/staf"):
        answer = hub.rest(path, **{"If-None-Match": etag})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/permission-missing")
    assert hub.rest("/uitgever/synchronizationpermission").json() == {"hasSynchronizationPermission": False}
    key = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    assert hub.client.get("/rest/v2/instellingen", headers=key).json() == []
    today = local_date(now())
    day = f"/rest/v2/instellingen/synchronizationpermission/ingetrokken/{today}"
    assert hub.client.get(day, headers=key).json() == [hub.school_id]


def test_consent_comes_before_the_body(hub: Hub) -> None:
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    bad: list[dict[str, Any]] = [{"json": {"a": 1}}, {"json": [None]}, {"json": [{}] * 20_001}, {"content": b""}]

    def statuses(school_id: int) -> set[int]:
        paths = [f"/rest/v2/instellingen/{school_id}/{tail}" for tail in ("leerlingen", "leerlingen_eckid")]
        return {hub.client.post(path, headers=headers, **body).status_code for path in paths for body in bad}

    assert statuses(hub.school_id) == {422}  # twin: with consent the body is looked at
    with writing(hub.engine) as db:
        db.execute(update(PermissionRow).values(withdrawn_at=now(), withdrawn_on=local_date(now())))
    assert statuses(hub.school_id) == {403}
    assert statuses(999_999) == {404}


def test_an_eck_id_that_nobody_can_have_finds_nobody(hub: Hub) -> None:
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    path = f"/rest/v2/instellingen/{hub.school_id}/leerlingen_eckid"
    answer = hub.client.post(path, json=["e" * 257, "e" * 100_000, "", "eck-1"], headers=headers)
    assert [each["eckid"] for each in answer.json()["leerlingen"]] == ["eck-1"]


def test_the_list_of_institutions_may_be_asked_for_with_a_slash_behind_it(hub: Hub) -> None:
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    plain, slashed = (hub.client.get(f"/rest/v2/instellingen{end}", headers=headers) for end in ("", "/"))
    assert (plain.status_code, plain.json()) == (200, [hub.school_id])
    assert (slashed.status_code, slashed.content) == (200, plain.content)
    assert hub.client.get("/rest/v2/instellingen/").status_code == 401
    assert "/rest/v2/instellingen/" not in hub.client.get("/openapi.json").json()["paths"]


def test_an_etag_answers_304_until_something_changes(hub: Hub) -> None:
    etag = hub.rest().headers["etag"]
    again = hub.rest(**{"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    hub.patch(SCHOOL, Roster.of([*SCHOOL.entries(), a_pupil("1003", first_name="Wies", home_group="g-5a")]))
    assert hub.rest(**{"If-None-Match": etag}).status_code == 200


def test_equal_mutation_times_mean_equal_answers(hub: Hub) -> None:
    first = hub.rest().json()["metaResult"]["mutationTimestamp"]
    hub.patch(SCHOOL, Roster.of([*SCHOOL.entries(), a_pupil("1003", first_name="Wies", home_group="g-5a")]))
    assert hub.rest().json()["metaResult"]["mutationTimestamp"] > first


@pytest.mark.parametrize("path", ["/rest/v2/instellingen", "/rest/v2/instellingen/1", "/rest/v2/nawsearch?naam=x"])
def test_a_stranger_gets_nothing(hub: Hub, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer schakel_wrong"}, {"Authorization": "Basic abc"}):
        assert hub.client.get(path, headers=headers).status_code == 401


def test_search_finds_by_part_of_the_name_and_by_brin_with_or_without_branch(hub: Hub) -> None:
    key = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    for query in ({"naam": "de proef"}, {"brincode": CODE[:4]}, {"brincode": CODE}):
        [found] = hub.client.get("/rest/v2/nawsearch", params=query, headers=key).json()
        assert (found["id"], found["naam"], found["brincode"]) == (hub.school_id, "OBS De Proef", CODE)
    assert hub.client.get("/rest/v2/nawsearch", params={"naam": "%"}, headers=key).json() == []


def test_a_publisher_sees_only_schools_that_gave_consent(hub: Hub) -> None:
    first = hub.school_id
    second = hub.open_school("99ZB00")
    with writing(hub.engine) as db:
        db.execute(
            update(PermissionRow)
            .where(PermissionRow.school_id == second)
            .values(withdrawn_at=now(), withdrawn_on=local_date(now()))
        )
    key = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    assert hub.client.get("/rest/v2/instellingen", headers=key).json() == [first]
    assert hub.client.get("/rest/v2/instellingen/999999", headers=key).status_code == 404


def test_a_big_school_is_served_from_what_was_built(hub: Hub) -> None:
    hub.token = None
    hub.open_school("99ZC00")
    assert hub.put(a_roster(pupils=300, staff=20, groups=10), token=None, code="99ZC00").status_code == 200
    assert len(hub.rest("/leerlingen").json()["leerlingen"]) == 300


@pytest.mark.parametrize("query", ["naam=%00", "brincode=99%00", "naam=a%00&brincode=99"])
def test_a_search_for_what_no_name_can_hold_is_refused(hub: Hub, query: str) -> None:
    """PostgreSQL cannot even look for a NUL."""
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    assert hub.client.get(f"/rest/v2/nawsearch?{query}", headers=headers).status_code == 422


@pytest.mark.parametrize("day", ["0", "1700000000", "2026-11-22T00:00:00Z", "20261122"])
def test_a_day_is_written_in_one_way(hub: Hub, day: str) -> None:
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    for what in ("toegekend", "ingetrokken"):
        path = f"/rest/v2/instellingen/synchronizationpermission/{what}/{day}"
        assert hub.client.get(path, headers=headers).status_code == 422
