"""The real client's reading of every answer: good ones pass, bad ones are rejected, and ours are read for a country."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from shared.clock import local_date, now
from shared.roster import Group, GroupKind, Pupil, Role, Roster, StaffMember
from tests.basispoort_hub.a_hub import OPERATOR_KEY, PUBLISHER_KEY, Hub, open_hub
from tests.basispoort_hub.strict_decoder import ANSWERS, Rejected, decode_answer, is_real
from tests.factories import NAMES, a_pupil

SHARED = Path(__file__).parents[2].parent / "shared"
EXAMPLES = SHARED / "standards" / "data" / "basispoort-rest" / "examples"
SCHOOL = "/rest/v2/instellingen/{id}"
METHOD = "/hosted-lika/management/lika/{code}/methode"
STAMPS = {"mutationTimestamp": "2024-10-01T22:00:04Z", "generationTimestamp": "2024-10-02T08:15:00.5+02:00"}
NOBODY = {"achternaam": None, "voornaam": None, "voorvoegsel": None, "voorletters": None}
PUPIL = {"id": 1, "eckid": None, "persoonsgegevens": NOBODY, "jaargroep": "3", "groep": None, "subgroepen": ["s"]}
MEMBER = {
    "id": 2,
    "persoonsgegevens": {},
    "einddatum": "2027-07-31",
    "rollen": ["Leerkracht", "ICTCoordinator"],
    "groepen": ["g"],
    "subgroepen": [],
}
OVERVIEW: dict[str, Any] = {
    "groepen": [{"lasKey": "g", "naam": "Groep 3", "jaargroep": "3", "onbekend": 1}],
    "subgroepen": [],
    "leerlingen": [PUPIL],
    "medewerkers": [MEMBER],
    "actief": True,
    "gefuseerdNaar": None,
    "metaResult": STAMPS,
}
FOUND = [{"id": 1, "naam": "De Proef", "actief": True, "brincode": "99XX00"}]
APPLICATION = {"id": "a", "naam": "A", "url": "https://app.example/#x", "iconUrl": None, "tags": ["toetsApplicatie"]}
GOOD: dict[tuple[str, str], Any] = {
    ("GET", SCHOOL): OVERVIEW,
    ("GET", "/rest/v2/nawsearch"): FOUND,
    ("GET", "/rest/v2/instellingen"): [1, 2],
    ("GET", METHOD): {"methodes": [APPLICATION]},
    ("GET", METHOD + "/{mid}/product"): {"producten": [APPLICATION]},
    ("GET", METHOD + "/{mid}/gebruiker"): {"gebruikers": [1, 5]},
    ("GET", SCHOOL + "/ref"): "6f1f1f8e-0000-4000-8000-000000004711",
}
ABSENT = object()
# (address, where in the good answer, what stands there instead)
Bad = tuple[tuple[str, str], tuple[Any, ...], Any]
_WRONG_IDS: list[Any] = ["1", 1.0, None, ABSENT, 2**63, True]
_WRONG_WRAPS: list[Any] = [[], {}, {"methodes": None}]
BAD: list[Bad] = [
    *[(("GET", SCHOOL), (name,), value) for name in ("groepen", "subgroepen", "leerlingen", "medewerkers")
      for value in (None, ABSENT, {}, "")],
    *[(("GET", SCHOOL), ("leerlingen", 0, "subgroepen"), value) for value in (None, ABSENT, [1])],
    *[(("GET", SCHOOL), ("medewerkers", 0, name), value) for name in ("rollen", "groepen", "subgroepen")
      for value in (None, ABSENT)],
    *[(("GET", SCHOOL), ("medewerkers", 0, "rollen"), [role]) for role in ("leerkracht", "Directeur", "", None)],
    *[(("GET", SCHOOL), ("medewerkers", 0, "einddatum"), value)
      for value in ("2027-07-31T00:00:00Z", "31-07-2027", "2027-02-30", 1)],
    *[(("GET", SCHOOL), (kind, 0, "id"), value) for kind in ("leerlingen", "medewerkers")
      for value in _WRONG_IDS],
    (("GET", SCHOOL), ("leerlingen",), [PUPIL, PUPIL]),
    (("GET", SCHOOL), ("medewerkers",), [MEMBER, {**MEMBER, "lasKey": "m2"}]),
    *[(("GET", SCHOOL), ("leerlingen", 0, "persoonsgegevens"), value) for value in (None, ABSENT, [])],
    (("GET", SCHOOL), ("leerlingen", 0, "persoonsgegevens", "voornaam"), 3),
    (("GET", SCHOOL), ("leerlingen", 0, "jaargroep"), 3),
    (("GET", SCHOOL), ("groepen", 0, "jaargroep"), 3),
    *[(("GET", SCHOOL), ("actief",), value) for value in (None, ABSENT, "true", 1)],
    (("GET", SCHOOL), ("gefuseerdNaar",), "5"),
    *[(("GET", SCHOOL), ("metaResult", name), value) for name in STAMPS
      for value in (None, ABSENT, 1727820004, "2024-10-01T22:00:04", "2024-10-01", "2024-13-01T22:00:04Z")],
    *[(("GET", SCHOOL), ("metaResult",), value) for value in (None, ABSENT)],
    *[(("GET", "/rest/v2/nawsearch"), (0, name), value) for name in ("id", "naam", "actief")
      for value in (None, ABSENT)],
    (("GET", "/rest/v2/nawsearch"), (), {"instellingen": FOUND}),
    (("GET", "/rest/v2/instellingen"), (0,), "1"),
    *[(("GET", METHOD), (), value) for value in _WRONG_WRAPS],
    *[(("GET", METHOD), ("methodes", 0, name), None) for name in ("id", "naam", "tags")],
    (("GET", METHOD), ("methodes", 0, "tags"), ["beheerApplicatie"]),
    *[(("GET", METHOD), ("methodes", 0, name), value) for name in ("url", "iconUrl")
      for value in ("", "/start", "app")],
    *[(("GET", METHOD + "/{mid}/product"), ("producten", 0, "url"), value) for value in (None, ABSENT)],
    *[(("GET", METHOD + "/{mid}/gebruiker"), (), value) for value in ([], [1], {"gebruikers": ["1"]})],
    *[(("GET", METHOD + "/{mid}/gebruiker"), ("gebruikers",), value) for value in ([5, 1], [1, 1])],
    (("GET", SCHOOL + "/ref"), (), {"ref": "x"}),
]  # fmt: skip


@pytest.mark.parametrize("door", GOOD, ids=str)
def test_a_good_answer_is_read(door: tuple[str, str]) -> None:
    decode_answer(*door, 200, json.dumps(GOOD[door]).encode())


@pytest.mark.parametrize(("door", "place", "value"), BAD)
def test_an_answer_that_breaks_the_real_client_is_rejected(
    door: tuple[str, str], place: tuple[Any, ...], value: Any
) -> None:
    whole = {"it": copy.deepcopy(GOOD[door])}
    inner, last = whole, "it"
    for step in place:
        inner, last = inner[last], step
    if value is ABSENT:
        del inner[last]
    else:
        inner[last] = value
    with pytest.raises(Rejected):
        decode_answer(*door, 200, json.dumps(whole["it"]).encode())


@pytest.mark.parametrize("body", [b"{}", b'{"status":"ok"}', b"[]", b" ", b"ok"])
def test_a_mutation_that_answers_with_a_body_is_rejected(body: bytes) -> None:
    decode_answer("PUT", METHOD + "/{mid}", 204, b"")
    decode_answer("PUT", METHOD + "/{mid}", 200, b"null")
    with pytest.raises(Rejected):
        decode_answer("PUT", METHOD + "/{mid}", 200, body)


@pytest.mark.parametrize("body", [b"6f1f1f8e-0000-4000-8000-000000004711", b"", b"NaN", b"\xff"])
def test_what_is_no_json_is_rejected(body: bytes) -> None:
    with pytest.raises(Rejected):
        decode_answer("GET", SCHOOL + "/ref", 200, body)
    with pytest.raises(Rejected):
        decode_answer("GET", "/rest/v2/geheim", 200, b"[]")
    with pytest.raises(Rejected):
        decode_answer("GET", SCHOOL + "/ref", 403, b'"x"')


EXAMPLE_OF = {
    "GET_instellingen.json": "/rest/v2/instellingen",
    "GET_instellingen_id.json": SCHOOL,
    "GET_instellingen_id_details.json": SCHOOL + "/details",
    "GET_instellingen_id_groepen.json": SCHOOL + "/groepen",
    "GET_instellingen_id_leerlingen.json": SCHOOL + "/leerlingen",
    "GET_instellingen_id_staf.json": SCHOOL + "/staf",
    "GET_instellingen_id_ref.json": SCHOOL + "/ref",
    "GET_nawsearch.json": "/rest/v2/nawsearch",
    "GET_synchronizationpermission.json": SCHOOL + "/uitgever/synchronizationpermission",
    "GET_synchronizationpermission_toegekend_datum.json": (
        "/rest/v2/instellingen/synchronizationpermission/toegekend/{day}"
    ),
    "GET_methode.json": METHOD,
    "GET_product.json": METHOD + "/{mid}/product",
    "GET_gebruiker.json": METHOD + "/{mid}/gebruiker",
    "GET_gebruiker_eckid.json": METHOD + "/{mid}/gebruiker_eckid",
}


def test_the_examples_of_the_real_interface_are_read() -> None:
    if not EXAMPLES.is_dir():
        pytest.skip("the examples of the real interface are not on this machine")
    assert {path.name for path in EXAMPLES.glob("GET_*.json")} == EXAMPLE_OF.keys()
    for name, template in EXAMPLE_OF.items():
        decode_answer("GET", template, 200, (EXAMPLES / name).read_bytes())


# --- a country --------------------------------------------------------------------------------------------------------

SCHOOLS = 200
YEARS = [None, "0", "1", "3", "8", "11", "S", "N"]


def an_odd_school(chance: Random) -> Roster:
    """A small school with what rosters may hold: any sign in a name, nobody in a group, people without anything."""
    homes = [f"g{place}" for place in range(chance.randint(1, 3))]
    composites = [f"s{place}" for place in range(chance.randint(0, 2))]

    def names() -> dict[str, str | None]:
        return {
            "first_name": chance.choice(NAMES),
            "prefix": chance.choice([None, "van der"]),
            "last_name": chance.choice([None, *NAMES]),
            "initials": chance.choice([None, "A.B."]),
            "eck_id": chance.choice([None, f"https://ketenid.example/{chance.randrange(10**9)}"]),
        }

    def some(options: list[str]) -> frozenset[str]:
        return frozenset(each for each in options if chance.random() < 0.5)

    groups = [
        Group(key=key, kind=kind, name=chance.choice(NAMES), year=chance.choice(YEARS), description=None)
        for kind, keys in ((GroupKind.HOME, homes), (GroupKind.COMPOSITE, composites))
        for key in keys
    ]
    pupils = [
        Pupil(
            key=f"p/{place}",
            **names(),
            year=chance.choice(YEARS),
            home_group=chance.choice([None, *homes]),
            composite_groups=some(composites),
        )
        for place in range(chance.randint(0, 8))
    ]
    staff = [
        StaffMember(
            key=f"m {place}",
            **names(),
            email=chance.choice([None, f"m{place}.{chance.randrange(10**9)}@school.example"]),
            roles=frozenset(chance.sample(list(Role), chance.randint(1, 3))),
            home_groups=some(homes),
            composite_groups=some(composites),
            ends_on=chance.choice([None, date(2199, 7, 31)]),
        )
        for place in range(chance.randint(0, 4))
    ]
    return Roster.of([*groups, *pupils, *staff])


def a_code(place: int) -> str:
    return f"99{chr(65 + place // 26)}{chr(65 + place % 26)}00"


def doors_of(app: FastAPI) -> set[tuple[str, str]]:
    """Every address of the real interface that this hub has, from its description."""
    paths = app.openapi()["paths"]
    return {(method.upper(), template) for template in paths if is_real(template) for method in paths[template]}


@pytest.fixture
def hub(make_engine: Callable[[str], Engine]) -> Iterator[Hub]:
    opened = open_hub(make_engine("basispoort_hub"))
    yield opened
    opened.client.close()


def test_a_real_client_reads_every_answer_about_a_country(hub: Hub) -> None:
    chance = Random(5)
    ids: list[int] = []
    for place in range(SCHOOLS):
        code = a_code(place)
        ids.append(hub.open_school(code))
        roster = an_odd_school(chance)
        assert hub.put(roster, token=None, code=code).status_code == 200
    app = hub.client.app
    assert isinstance(app, FastAPI)
    doors = {door for door in doors_of(app) if door in READS or door[0] == "GET"}
    doors = {door for door in doors if "/hosted-lika/" not in door[1]}
    assert {shape_of(door) for door in doors} == {shape_of(door) for door in ANSWERS if "/hosted-lika/" not in door[1]}
    read = sum(read_as_the_real_client(hub, method, template, ids) for method, template in sorted(doors))
    assert read >= SCHOOLS * 9


READS = {("POST", "/rest/v2/instellingen/{institution_id}/" + tail) for tail in ("leerlingen", "leerlingen_eckid")}
AS_PUBLISHER = {"Authorization": f"Bearer {PUBLISHER_KEY}"}


def shape_of(door: tuple[str, str]) -> tuple[str, str]:
    return door[0], re.sub(r"\{[^}]*\}", "{}", door[1])


def read_as_the_real_client(hub: Hub, method: str, template: str, ids: list[int]) -> int:
    """Call one address, for every school when it is about one; returns how many answers were read."""
    if "{institution_id}" in template:
        paths = [template.replace("{institution_id}", str(each)) for each in ids]
    elif "{day}" in template:
        paths = [template.replace("{day}", str(local_date(now())))]
    elif template.endswith("/nawsearch"):
        paths = [f"{template}?naam=proef&activeOnly=true", f"{template}?brincode=99AA", f"{template}?naam=niets"]
    else:
        paths = [template]
    for path in paths:
        more: dict[str, Any] = {"json": []} if method == "POST" else {}
        more |= {"params": {"request-permission": "false"}} if path.endswith("synchronizationpermission") else {}
        answer = hub.client.request(method, path, headers=AS_PUBLISHER, **more)
        decode_answer(method, template, answer.status_code, answer.content)
    return len(paths)


def test_a_real_client_reads_every_answer_of_hosted_lika(hub: Hub) -> None:
    """The whole conversation, mutations too, in an order in which each has something to do."""
    school = hub.open_school()
    pupils = [a_pupil(f"p{place}", home_group=None, eck_id=f"eck-{place}" if place < 3 else None) for place in range(5)]
    assert hub.put(Roster.of(pupils), token=None).status_code == 200
    ids = [each["id"] for each in hub.rest("/leerlingen").json()["leerlingen"]]
    app = hub.client.app
    assert isinstance(app, FastAPI)
    left = {door for door in doors_of(app) if "/hosted-lika/" in door[1]}
    users, by_eck = {"gebruikers": [*reversed(ids), 99, ids[0]]}, [{"instellingId": school, "eckId": "eck-1"}]
    details: dict[str, Any] = {
        "id": "m",
        "code": None,
        "naam": "M",
        "icon": None,
        "iconUrl": None,
        "url": None,
        "tags": [],
    }
    product = {**details, "id": "p", "url": "https://app.example/start?a=b#c", "tags": ["leerkrachtApplicatie"]}
    bulk = {"methodes": ["m"], "producten": ["p"], "gebruikers": ids, "gebruikerEckIds": by_eck}
    bodies = {"/methode": details, "/methode/{mid}": details, "/product": product, "/product/{pid}": product}
    grants = [door for door in left if door[1].endswith("/grant")]
    order = ["POST", "PUT", "bulk", "GET", "DELETE"]

    def place_of(door: tuple[str, str]) -> tuple[int, int, str]:
        """Make first, then fill, then look, then clear; what is made last is cleared first."""
        steps = door[1].count("/")
        word = "bulk" if "/permissions/" in door[1] else door[0]
        return order.index(word), -steps if door[0] == "DELETE" else steps, door[1]

    allow_address(hub)
    for method, template in sorted(left, key=place_of):
        tail = next((each for each in sorted(bodies, key=len, reverse=True) if template.endswith(each)), "")
        body = bulk if "/permissions/" in template else bodies.get(tail, users)
        if "_eckid" in template:
            body = {"gebruikers": by_eck}
        path = template.format(identityCode="ctrllearning", mid="m", pid="p")
        more: dict[str, Any] = {} if method in {"GET", "DELETE"} else {"json": body}
        answer = hub.client.request(method, path, headers=AS_PUBLISHER, **more)
        assert answer.status_code < 400, (method, template, answer.text)
        decode_answer(method, template, answer.status_code, answer.content)
    assert len(grants) == 1
    expected = {shape_of(door) for door in ANSWERS if "/hosted-lika/" in door[1]}
    assert expected <= {shape_of(door) for door in left}


def allow_address(hub: Hub) -> None:
    path = "/api/v1/operator/uitgevers/ctrllearning/adressen"
    body = {"adressen": ["https://app.example/"]}
    assert hub.client.put(path, json=body, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}).status_code == 204
