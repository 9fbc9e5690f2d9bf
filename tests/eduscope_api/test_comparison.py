"""Our staff beside the hub's: four outcomes, typing errors named, no account at two people, addresses taken over."""

from collections import Counter
from datetime import date
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from services.eduscope_api.contacts import read_addresses, save_addresses
from services.eduscope_api.nightly import School
from services.eduscope_api.rules.comparison import Known, Line, MatchedBy, Outcome, addresses_after, compare
from services.eduscope_api.rules.exchange import GroupRecord, Picture, StaffRecord
from services.eduscope_api.tables import ChangeRow
from shared.database import reading, writing
from shared.roster import Role, StaffMember
from shared.wire.teachers import WireKnownMember, WireKnownStaff
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, add_member, add_school
from tests.factories import a_group, a_staff_member

TODAY = date(2026, 11, 22)
API = f"/api/v1/scholen/{CODE}/vergelijking"


def a_picture(*staff: StaffMember) -> Picture:
    records = tuple(StaffRecord(number, member) for number, member in enumerate(staff, 1))
    return Picture((GroupRecord(1, a_group()),), (), records)


def known(
    key: str | None = "m1", name: str = "Joris Hagen", email: str | None = "m1@school.example", **changes: Any
) -> Known:
    return Known(**{"key": key, "name": name, "email": email, "groups": (), "account": "actief", **changes})


def laid(picture: Picture, *theirs: Known) -> list[tuple[str, int | None, str | None]]:
    """Outcome, who of ours, by what it was found."""
    lines = compare(picture, theirs, TODAY)
    return [(line.outcome, line.own.id if line.own else None, line.matched_by) for line in lines]


def only(picture: Picture, *theirs: Known) -> Line:
    (line,) = compare(picture, theirs, TODAY)
    return line


# --- the rules --------------------------------------------------------------------------------------------------------


def test_the_same_key_and_address_are_equal() -> None:
    assert laid(a_picture(a_staff_member()), known()) == [("gelijk", 1, "sleutel")]


def test_a_key_is_found_under_another_address_which_is_offered() -> None:
    line = only(a_picture(a_staff_member()), known(email="joris@elders.example"))
    assert (line.outcome, line.matched_by, line.offer) == (Outcome.DIFFERS, MatchedBy.KEY, "joris@elders.example")


def test_a_key_that_names_somebody_else_pairs_nobody() -> None:
    theirs = known(name="Mila de Wit", email="mila@school.example")
    assert laid(a_picture(a_staff_member()), theirs) == [("ontbreekt hier", None, None), ("ontbreekt daar", 1, None)]


def test_without_a_key_the_address_decides_and_then_the_name() -> None:
    assert laid(a_picture(a_staff_member()), known(key=None)) == [("gelijk", 1, "adres")]
    theirs = known(key=None, email="joris@elders.example", name="HAGEN, Joris")
    assert laid(a_picture(a_staff_member()), theirs) == [("adres verschilt", 1, "naam")]


def test_the_place_of_a_prefix_and_accents_do_not_matter() -> None:
    ours = a_staff_member(first_name="Zoë", prefix="van der", last_name="Bijl")
    assert laid(a_picture(ours), known(key=None, name="Zoe Bijl, van der", email=None))[0][2] == "naam"


def test_somebody_without_an_address_can_take_over_the_one_of_the_hub() -> None:
    assert only(a_picture(a_staff_member(email=None)), known()).offer == "m1@school.example"
    assert only(a_picture(a_staff_member()), known(email=None)).offer is None
    assert only(a_picture(a_staff_member(email=None)), known(email=None)).outcome is Outcome.EQUAL


def test_a_name_that_occurs_twice_is_left_to_a_person() -> None:
    ours = a_picture(a_staff_member("a", email=None), a_staff_member("b", email=None))
    lines = compare(ours, [known(key=None)], TODAY)
    assert [line.outcome for line in lines].count(Outcome.MISSING_THERE) == 2
    assert all(line.hint for line in lines), "each says whom it resembles"


def test_two_of_ours_with_one_address_do_not_both_get_the_account() -> None:
    ours = a_picture(a_staff_member("a", email="m1@school.example"), a_staff_member("b", email="m1@school.example"))
    assert [line.outcome for line in compare(ours, [known(key=None)], TODAY)].count(Outcome.EQUAL) == 0
    named = a_picture(
        a_staff_member("a", email="m1@school.example", first_name="Mila", last_name="Wit"),
        a_staff_member("b", email="m1@school.example"),
    )
    assert ("gelijk", 2, "adres") in laid(named, known(key=None))


def test_who_left_or_has_no_role_for_basispoort_is_not_missed_there() -> None:
    left = a_staff_member("a", ends_on=date(2026, 11, 21), email=None, first_name="Mila")
    chief = a_staff_member("b", roles=frozenset({Role.ICT_COORDINATOR}))
    assert laid(a_picture(left, chief)) == []
    assert only(a_picture(left), known("a", name="Mila Hagen", email=None)).hint == "Staat hier als uit dienst."


def test_the_account_of_somebody_who_left_is_not_offered_to_a_namesake() -> None:
    left = a_staff_member("a", ends_on=date(2026, 11, 21), email="oud@school.example")
    ours = a_picture(left, a_staff_member("b", email=None))
    assert laid(ours, known("a", email="oud@school.example")) == [
        ("ontbreekt hier", None, None),
        ("ontbreekt daar", 2, None),
    ]
    assert laid(ours, known("x", email="oud@school.example")) == [("adres verschilt", 2, "naam")], "the check can fail"


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [
        ("joris@school.example", "jorsi@school.example", "één teken"),
        ("joris@school.example", "jooriss@school.example", "twee tekens"),
        ("joris@school.example", "joris@schol.example", "tikfout"),
        ("joris@oud.example", "joris@heelnieuw.example", "Alleen het deel achter de @"),
        ("joris@school.example", "j.hagen@school.example", ""),
        ("joris@school.example", "mila@elders.example", ""),
    ],
)
def test_likely_typing_errors_are_named(ours: str, theirs: str, named: str) -> None:
    line = only(a_picture(a_staff_member(email=ours)), known(email=theirs))
    assert named in line.hint
    assert bool(line.hint) is bool(named)


def test_who_resembles_somebody_on_the_other_side_is_named_on_both_lines() -> None:
    ours = a_staff_member("a", first_name="Joriz", email="hagen@school.example")
    lines = compare(a_picture(ours), [known(None, "Joris Hagen", "j@elders.example")], TODAY)
    assert [line.hint for line in lines] == ["Lijkt op Joriz Hagen in EDUscope.", "Lijkt op Joris Hagen in Basispoort."]


def test_an_address_that_stays_with_somebody_else_is_not_offered() -> None:
    ours = a_picture(
        a_staff_member("a", email="a@school.example"), a_staff_member("b", first_name="Mila", email="x@school.example")
    )
    (line,) = [each for each in compare(ours, [known("a", email="x@school.example")], TODAY) if each.known]
    assert line.offer is None
    assert "bij iemand anders" in line.hint


def test_two_people_may_swap_addresses() -> None:
    ours = a_picture(
        a_staff_member("a", email="y@school.example"), a_staff_member("b", first_name="Mila", email="x@school.example")
    )
    theirs = [known("a", email="x@school.example"), known("b", name="Mila Hagen", email="y@school.example")]
    lines = compare(ours, theirs, TODAY)
    assert {line.offer for line in lines} == {"x@school.example", "y@school.example"}


KEYS = st.sampled_from(["a", "b", "c", "d", None])
NAMES = st.sampled_from(["Joris Hagen", "Mila Wit", "Noor Bijl", "Mila Bijl", ""])
EMAILS = st.sampled_from(["a@x.example", "b@x.example", "c@x.example", "d@y.example", None])
OURS = st.lists(st.tuples(NAMES, EMAILS), max_size=6)
THEIRS = st.lists(st.tuples(KEYS, NAMES, EMAILS), max_size=6)


def _people(
    ours: list[tuple[str, str | None]], theirs: list[tuple[str | None, str, str | None]]
) -> tuple[Picture, list[Known]]:
    staff = [
        a_staff_member("abcdef"[at], first_name=None, last_name=name or None, email=email)
        for at, (name, email) in enumerate(ours)
    ]
    return a_picture(*staff), [known(*each) for each in theirs]


@given(OURS, THEIRS)
def test_everybody_stands_on_exactly_one_line(
    ours: list[tuple[str, str | None]], theirs: list[tuple[str | None, str, str | None]]
) -> None:
    picture, accounts = _people(ours, theirs)
    lines = compare(picture, accounts, TODAY)
    assert sorted(line.own.id for line in lines if line.own) == [record.id for record in picture.staff]
    assert Counter(line.known for line in lines if line.known) == Counter(accounts)


@given(OURS, THEIRS)
def test_taking_over_all_offers_gives_no_new_double_address(
    ours: list[tuple[str, str | None]], theirs: list[tuple[str | None, str, str | None]]
) -> None:
    picture, accounts = _people(ours, theirs)
    offers = {line.own.id: line.offer for line in compare(picture, accounts, TODAY) if line.own and line.offer}
    after = Counter(addresses_after(picture.staff, offers))
    assert all(after[address] == 1 for address in offers.values())


def test_a_comparison_that_offered_everything_would_be_caught() -> None:
    """The twin of the law above: without withholding, somebody gets an address that is another's."""
    picture = a_picture(
        a_staff_member("a", email=None), a_staff_member("b", first_name="Mila", email="x@school.example")
    )
    after = Counter(addresses_after(picture.staff, {1: "x@school.example"}))
    assert after["x@school.example"] == 2


# --- the service ------------------------------------------------------------------------------------------------------


def answer(*members: WireKnownMember) -> httpx.Response:
    return httpx.Response(200, text=WireKnownStaff(staff=members).model_dump_json())


def there(key: str | None, last_name: str, email: str | None, first_name: str | None = "Joris") -> WireKnownMember:
    return WireKnownMember(
        key=key,
        first_name=first_name,
        prefix=None,
        last_name=last_name,
        email=email,
        groups=["Groep 5"],
        account="actief",
    )


@pytest.fixture
def school(client: TestClient, hub: FakeHub) -> School:
    """Three members of staff; the hub knows the first under another address, and somebody whom we do not have."""
    school = add_school(engine_of(client), ticked=False)
    with writing(engine_of(client)) as db:
        add_member(db, school.id, "m2", email=None)
        add_member(db, school.id, "m3")
    sign_in(client, school)
    hub.staff[CODE] = answer(
        there("m1", "Hagen m1", "joris@regenboog.example"),
        there("m2", "Hagen m2", "m2@regenboog.example"),
        there("m3", "Hagen m3", "m3@regenboog.example"),
        there(None, "Mila de Wit", "mila@regenboog.example", None),
    )
    return school


def addresses(client: TestClient, school: School) -> dict[int, str]:
    with reading(engine_of(client)) as db:
        return read_addresses(db, school.id)


def taking(client: TestClient, *positions: int) -> list[dict[str, Any]]:
    lines = [each for each in client.get(API).json()["regels"] if each["overneembaar"]]
    return [
        {"id": lines[at]["id"], "adres": lines[at]["basispoortAdres"], "eigen": lines[at]["eigenAdres"]}
        for at in positions
    ]


def test_the_comparison_counts_and_names_every_outcome(client: TestClient, school: School) -> None:
    shown = client.get(API).json()
    assert shown["beschikbaar"]
    assert shown["aantallen"] == {"gelijk": 1, "adresVerschilt": 2, "ontbreektHier": 1, "ontbreektDaar": 0}
    missing = next(line for line in shown["regels"] if line["uitkomst"] == "ontbreekt hier")
    assert (missing["naam"], missing["id"], missing["overneembaar"]) == ("Mila de Wit", None, False)


def test_one_address_is_taken_over_with_its_history(client: TestClient, school: School) -> None:
    before = addresses(client, school)
    people = taking(client, 0)
    taken = client.post(f"{API}/overnemen", json={"personen": people})
    assert (taken.status_code, taken.json()) == (200, {"overgenomen": [people[0]["id"]]})
    after = addresses(client, school)
    assert after == {**before, people[0]["id"]: people[0]["adres"]}
    with reading(engine_of(client)) as db:
        (change,) = db.scalars(select(ChangeRow))
        assert (change.source, change.subject_id) == ("comparison", people[0]["id"])


def test_all_are_taken_over_and_then_nothing_differs(client: TestClient, school: School) -> None:
    version = client.get(API).json()["versie"]
    taken = client.post(f"{API}/overnemen", json={"alle": True, "versie": version}).json()["overgenomen"]
    assert len(taken) == 2
    after = client.get(API).json()
    assert (after["aantallen"]["adresVerschilt"], after["aantallen"]["gelijk"]) == (0, 3)
    again = client.post(f"{API}/overnemen", json={"alle": True, "versie": version})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/comparison-outdated")


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_what_changed_since_it_was_shown_is_not_taken_over(
    client: TestClient, hub: FakeHub, school: School, side: str
) -> None:
    people, version = taking(client, 0, 1), client.get(API).json()["versie"]
    if side == "ours":
        with writing(engine_of(client)) as db:
            save_addresses(db, {people[0]["id"]: "anders@regenboog.example"})
    else:
        hub.staff[CODE] = answer(there("m1", "Hagen m1", "weer@regenboog.example"))
    before = addresses(client, school)
    for body in ({"personen": people}, {"alle": True, "versie": version}):
        refused = client.post(f"{API}/overnemen", json=body)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/comparison-outdated")
    assert addresses(client, school) == before
    assert client.post(f"{API}/overnemen", json={"personen": taking(client, 0)}).status_code == 200


def test_an_address_is_never_given_to_two_people(client: TestClient, hub: FakeHub, school: School) -> None:
    hub.staff[CODE] = answer(there("m1", "Hagen m1", "m3@regenboog.example"))
    (line,) = [each for each in client.get(API).json()["regels"] if each["uitkomst"] == "adres verschilt"]
    assert not line["overneembaar"]
    body = {"personen": [{"id": line["id"], "adres": line["basispoortAdres"], "eigen": line["eigenAdres"]}]}
    refused = client.post(f"{API}/overnemen", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/address-taken")
    assert refused.json()["personen"] == [line["id"]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"alle": True},
        {"alle": True, "versie": "x", "personen": [{"id": 1, "adres": "a@b.example", "eigen": None}]},
        {"personen": [{"id": 1, "adres": "a@b@c.example", "eigen": None}]},
        {"personen": [{"id": 1, "adres": ["a@b.example"], "eigen": None}]},
        {"personen": [1]},
        {"personen": [], "alle": False, "anders": 1},
    ],
)
def test_a_request_that_says_nothing_clear_is_refused(client: TestClient, school: School, body: dict[str, Any]) -> None:
    before = addresses(client, school)
    assert client.post(f"{API}/overnemen", json=body).status_code == 422
    assert addresses(client, school) == before


def test_somebody_of_another_school_cannot_be_given_an_address(client: TestClient, school: School) -> None:
    other = add_school(engine_of(client), "99ZY01")
    (theirs,) = addresses(client, other)
    body = {"personen": [{"id": theirs, "adres": "joris@regenboog.example", "eigen": "m1@regenboog.example"}]}
    refused = client.post(f"{API}/overnemen", json=body)
    assert (refused.status_code, refused.json()["personen"]) == (409, [theirs])
    assert addresses(client, other) == {theirs: "m1@regenboog.example"}


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (httpx.Response(503), "niet bereikbaar"),
        (httpx.Response(200, text="<html>"), "niet bereikbaar"),
        (httpx.Response(200, json={"leerkrachten": [{}]}), "niet bereikbaar"),
        (
            httpx.Response(403, json={"type": "/problems/teachers-not-readable"}),
            "EDUscope mag onze leerkrachtenlijst lezen",
        ),
        (httpx.Response(403, json={"type": "/problems/wrong-school"}), "andere leerlingadministratie"),
        (httpx.Response(404, json={"type": "/problems/not-found"}), "kent deze school nog niet"),
        (httpx.Response(401, json={"type": "/problems/caller-unknown"}), "wil nu geen antwoord geven"),
    ],
    ids=["down", "nonsense", "wrong body", "not allowed", "other administration", "unknown", "key refused"],
)
def test_a_hub_that_gives_no_list_is_said_calmly(
    client: TestClient, hub: FakeHub, school: School, reply: httpx.Response, says: str
) -> None:
    hub.staff[CODE] = reply
    shown = client.get(API)
    assert (shown.status_code, shown.json()["beschikbaar"], shown.json()["regels"]) == (200, False, [])
    assert says in shown.json()["zin"]
    before = addresses(client, school)
    refused = client.post(f"{API}/overnemen", json={"alle": True, "versie": "x"})
    assert refused.status_code in {409, 502, 503}
    assert addresses(client, school) == before
