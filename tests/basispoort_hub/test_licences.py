"""Lists of users behave as sets of those who count; what was written is read; big ones are quick."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, update

from services.basispoort_hub.keeping import forget_leavers
from services.basispoort_hub.licences import APPLICATIONS_AT_ONCE
from services.basispoort_hub.tables import LicenceRow, PermissionRow, PersonRow, PublisherRow, SchoolRow
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.roster import Kind, Roster
from tests.basispoort_hub.a_hub import Hub, open_hub
from tests.basispoort_hub.test_lika import METHOD, PRODUCT, Publisher, allow, pupils_of
from tests.factories import a_group, a_pupil, a_roster, a_staff_member

ONE, OTHER = "99ZA00", "99ZB00"
LISTS = ["/methode/rekenapp", "/methode/rekenapp/product/rekenapp-5"]
EXAMPLES = 400 if os.environ.get("SCHAKEL_LONG") else 25


@pytest.fixture
def publisher(make_engine: Callable[[str], Engine]) -> Iterator[Publisher]:
    """A method with a product; people with an ECK iD, one without, two who share one."""
    opened = open_hub(make_engine("basispoort_hub"))
    opened.open_school()
    answer = opened.put(
        Roster.of(
            [
                a_group("g1"),
                a_pupil("p1", eck_id="eck-1", home_group="g1"),
                a_pupil("p2", eck_id="eck-2", home_group="g1"),
                a_pupil("p3", home_group="g1"),
                a_pupil("p4", eck_id="eck-dubbel", home_group="g1"),
                a_staff_member("m1", eck_id="eck-m1", home_groups=frozenset({"g1"})),
                a_staff_member("m2", eck_id="eck-dubbel", home_groups=frozenset({"g1"})),
            ]
        ),
        token=None,
    )
    assert answer.status_code == 200, answer.text
    allow(opened, "https://app.example.org")
    made = Publisher(opened)
    made.done("POST", "/methode", METHOD)
    made.done("POST", "/methode/rekenapp/product", PRODUCT)
    yield made
    opened.client.close()


def numbers(hub: Hub) -> dict[str, int]:
    """Key -> number of everybody of the school."""
    with reading(hub.engine) as db:
        rows = db.execute(select(PersonRow.key, PersonRow.id).where(PersonRow.school_id == hub.school_id))
        return {key: person_id for key, person_id in rows if key is not None}


def withdraw(hub: Hub) -> None:
    at = now()
    with writing(hub.engine) as db:
        db.execute(update(PermissionRow).values(withdrawn_at=at, withdrawn_on=local_date(at)))


@pytest.mark.parametrize("path", LISTS)
def test_each_call_is_read_by_the_next(publisher: Publisher, path: str) -> None:
    one, two, three = pupils_of(publisher.hub)[:3]
    users = f"{path}/gebruiker"
    assert publisher.users(users) == []
    publisher.done("PUT", users, {"gebruikers": [two, one, two]})
    assert publisher.users(users) == [one, two]
    publisher.done("POST", f"{users}/addlist", {"gebruikers": [three, 4_000_000_000, -1, 0]})
    assert publisher.users(users) == [one, two, three]
    publisher.done("POST", f"{users}/removelist", {"gebruikers": [one, 4_000_000_000]})
    assert publisher.users(users) == [two, three]
    publisher.done("POST", f"{users}/removelist", {"gebruikers": [one]})
    publisher.done("PUT", users, {"gebruikers": [one]})
    assert publisher.users(users) == [one]
    publisher.done("DELETE", users)
    assert publisher.users(users) == []


def test_the_lists_of_a_method_and_of_its_product_are_independent(publisher: Publisher) -> None:
    people = pupils_of(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": people[:1]})
    publisher.done("PUT", f"{LISTS[1]}/gebruiker", {"gebruikers": people[1:]})
    assert (publisher.users(f"{LISTS[0]}/gebruiker"), publisher.users(f"{LISTS[1]}/gebruiker")) == (
        people[:1],
        people[1:],
    )


@pytest.mark.parametrize("path", LISTS)
def test_ids_and_eck_ids_are_two_addressings_of_one_set(publisher: Publisher, path: str) -> None:
    people, school = numbers(publisher.hub), publisher.hub.school_id
    known = [{"instellingId": school, "eckId": eck} for eck in ("eck-2", "eck-1", "eck-m1")]
    unknown = [{"instellingId": school, "eckId": "eck-9"}, {"instellingId": 999, "eckId": "eck-1"}]
    publisher.done("PUT", f"{path}/gebruiker_eckid", {"gebruikers": known[:2] + unknown})
    assert publisher.users(f"{path}/gebruiker") == sorted([people["p1"], people["p2"]])
    publisher.done("POST", f"{path}/gebruiker_eckid/addlist", {"gebruikers": [known[2], *unknown]})
    publisher.done("POST", f"{path}/gebruiker/addlist", {"gebruikers": [people["p3"]]})
    assert publisher.got(f"{path}/gebruiker_eckid") == {"gebruikers": [known[1], known[0], known[2]]}
    publisher.done("POST", f"{path}/gebruiker_eckid/removelist", {"gebruikers": [known[1], *unknown]})
    assert publisher.users(f"{path}/gebruiker") == sorted([people["p2"], people["p3"], people["m1"]])
    publisher.done("DELETE", f"{path}/gebruiker_eckid")
    assert publisher.users(f"{path}/gebruiker") == []


def test_an_eck_id_that_two_people_share_names_nobody(publisher: Publisher) -> None:
    shared = {"gebruikers": [{"instellingId": publisher.hub.school_id, "eckId": "eck-dubbel"}]}
    publisher.done("PUT", f"{LISTS[0]}/gebruiker_eckid", shared)
    assert publisher.users() == []


def test_a_coordinator_who_left_the_roster_can_hold_a_licence(publisher: Publisher) -> None:
    hub = publisher.hub
    school = a_roster(staff=3)
    coordinator = a_staff_member("m9", email="ict-99za00@school.example", home_groups=frozenset())
    assert hub.put(Roster.of([*school.entries(), coordinator])).status_code == 200
    number = numbers(hub)["m9"]
    publisher.done("PUT", "/methode/rekenapp/gebruiker", {"gebruikers": [number]})
    assert hub.put(school).status_code == 200
    assert (number, None) in {(each["id"], each["lasKey"]) for each in hub.rest("/staf").json()["medewerkers"]}
    assert publisher.users() == [number]
    forget_leavers(hub.engine, now() + timedelta(days=31))
    assert hub.put(a_roster(staff=4)).status_code == 200
    assert publisher.users() == [number]
    publisher.done("DELETE", "/methode/rekenapp/gebruiker")
    publisher.done("PUT", "/methode/rekenapp/gebruiker", {"gebruikers": [number]})
    assert publisher.users() == [number]


def test_users_of_a_school_without_consent_are_dropped_and_counted(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = pupils_of(publisher.hub)
    publisher.hub.token = None
    publisher.hub.open_school(OTHER)
    publisher.hub.put(a_roster(pupils=2, staff=1), token=None, code=OTHER)
    theirs = pupils_of(publisher.hub)
    with writing(publisher.hub.engine) as db:
        at = now()
        here = PermissionRow.school_id == publisher.hub.school_id
        db.execute(update(PermissionRow).where(here).values(withdrawn_at=at, withdrawn_on=local_date(at)))
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": [*mine, *theirs, 4_000_000_000]})
    assert publisher.users() == mine


def test_withdrawn_consent_hides_the_users_and_given_again_shows_them(publisher: Publisher) -> None:
    people = pupils_of(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": people})
    withdraw(publisher.hub)
    assert publisher.users() == []
    assert publisher.got(f"{LISTS[0]}/gebruiker_eckid") == {"gebruikers": []}
    with writing(publisher.hub.engine) as db:
        db.execute(update(PermissionRow).values(withdrawn_at=None, withdrawn_on=None))
    assert publisher.users() == people


def test_who_left_is_not_shown_and_is_back_with_the_person(publisher: Publisher) -> None:
    people = numbers(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": [people["p1"], people["p2"]]})
    with writing(publisher.hub.engine) as db:
        db.execute(update(PersonRow).where(PersonRow.id == people["p1"]).values(left_at=now()))
    assert publisher.users() == [people["p2"]]
    publisher.done("POST", f"{LISTS[0]}/gebruiker/addlist", {"gebruikers": [people["p1"]]})
    with writing(publisher.hub.engine) as db:
        db.execute(update(PersonRow).where(PersonRow.id == people["p1"]).values(left_at=None))
    assert publisher.users() == [people["p1"], people["p2"]]


def bulk(**named: Any) -> dict[str, Any]:
    return {"methodes": [], "producten": [], "gebruikers": [], "gebruikerEckIds": [], **named}


def test_bulk_gives_every_user_every_application_and_takes_them_away(publisher: Publisher) -> None:
    people, school = numbers(publisher.hub), publisher.hub.school_id
    eck = [{"instellingId": school, "eckId": "eck-2"}]
    both = {"methodes": ["rekenapp"], "producten": ["rekenapp-5"]}
    publisher.done("POST", "/permissions/grant", bulk(**both, gebruikers=[people["p1"], 77777], gebruikerEckIds=eck))
    for path in LISTS:
        assert publisher.users(f"{path}/gebruiker") == sorted([people["p1"], people["p2"]])
    revoked = bulk(producten=["rekenapp-5"], gebruikers=[people["p1"], people["p3"]])
    publisher.done("POST", "/permissions/revoke", revoked)
    assert publisher.users(f"{LISTS[1]}/gebruiker") == [people["p2"]]
    assert publisher.users() == sorted([people["p1"], people["p2"]])


def test_a_list_of_any_length_is_taken_and_the_same_user_many_times_is_one(publisher: Publisher) -> None:
    one, two, *_ = pupils_of(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": [one] * 50_001})
    assert publisher.users() == [one]
    strangers = list(range(10**9, 10**9 + 60_000))
    publisher.done("POST", f"{LISTS[0]}/gebruiker/addlist", {"gebruikers": [*strangers, two]})
    assert publisher.users() == [one, two]
    publisher.done("POST", f"{LISTS[0]}/gebruiker/removelist", {"gebruikers": [*strangers, one]})
    assert publisher.users() == [two]


def test_bulk_reaches_every_one_of_many_applications(publisher: Publisher) -> None:
    people = pupils_of(publisher.hub)[:3]
    names = [f"m{number}" for number in range(APPLICATIONS_AT_ONCE + 1)]
    for name in names:
        publisher.done("PUT", f"/methode/{name}", {**METHOD, "id": name})
    body = bulk(methodes=names, gebruikers=[*people, *range(10**9, 10**9 + 500)])
    publisher.done("POST", "/permissions/grant", body)
    assert [publisher.users(f"/methode/{name}/gebruiker") for name in names] == [people] * len(names)
    publisher.done("POST", "/permissions/revoke", {**body, "gebruikers": people[1:]})
    assert [publisher.users(f"/methode/{name}/gebruiker") for name in names] == [people[:1]] * len(names)


def test_granting_to_an_unknown_application_changes_nothing_and_points_to_it(publisher: Publisher) -> None:
    people = pupils_of(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": people[:1]})
    body = bulk(methodes=["rekenapp", "leesapp"], producten=["rekenapp"], gebruikers=people)
    answer = publisher.send("POST", "/permissions/grant", body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/application-unknown")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/body/methodes/1", "/body/producten/0"]
    assert publisher.users() == people[:1]


def test_revoking_from_an_unknown_application_revokes_the_others(publisher: Publisher) -> None:
    people = pupils_of(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": people})
    body = bulk(methodes=["rekenapp", "leesapp"], producten=["rekenapp"], gebruikers=people[1:])
    publisher.done("POST", "/permissions/revoke", body)
    assert publisher.users() == people[:1]


@pytest.mark.parametrize(
    "body",
    [[1], {"gebruikers": None}, {"gebruikers": ["1"]}, {"gebruikers": [1.5]}, {"gebruikers": [2**63]}, {}],
    ids=str,
)
def test_a_list_of_another_form_is_refused(publisher: Publisher, body: Any) -> None:
    people = pupils_of(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": people})
    assert publisher.send("PUT", f"{LISTS[0]}/gebruiker", body).status_code == 422
    assert publisher.users() == people


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "addlist", "removelist", "delete", "grant", "revoke"]),
        st.sampled_from(LISTS),
        st.booleans(),  # by ECK iD
        st.lists(st.sampled_from(["p1", "p2", "p3", "m1", "nobody"]), max_size=5),
    ),
    max_size=8,
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_history_of_calls_agrees_with_plain_sets(publisher: Publisher, steps: list[Any]) -> None:
    known = numbers(publisher.hub)
    people = {name: known[name] for name in ("p1", "p2", "p3", "m1")}
    model: dict[str, set[str]] = {path: set() for path in LISTS}
    for path in LISTS:
        publisher.done("DELETE", f"{path}/gebruiker")
    for what, path, by_eck, names in steps:
        meant = {name for name in names if name in people and not (by_eck and name == "p3")}
        _carry_out(publisher, what, path, by_eck, names, people)
        lists = LISTS if what in {"grant", "revoke"} else [path]
        for each in lists:
            match what:
                case "put":
                    model[each] = set(meant)
                case "addlist" | "grant":
                    model[each] |= meant
                case "removelist" | "revoke":
                    model[each] -= meant
                case "delete":
                    model[each] = set()
        for each in LISTS:
            assert publisher.users(f"{each}/gebruiker") == sorted(people[name] for name in model[each])


def _carry_out(
    publisher: Publisher, what: str, path: str, by_eck: bool, names: list[str], people: dict[str, int]
) -> None:
    ids = [people.get(name, 4_000_000_000) for name in names]
    ecks = [{"instellingId": publisher.hub.school_id, "eckId": f"eck-{name.removeprefix('p')}"} for name in names]
    if what in {"grant", "revoke"}:
        named = {"gebruikerEckIds": ecks} if by_eck else {"gebruikers": ids}
        both = {"methodes": ["rekenapp"], "producten": ["rekenapp-5"]}
        publisher.done("POST", f"/permissions/{what}", bulk(**both, **named))
        return
    base = f"{path}/{'gebruiker_eckid' if by_eck else 'gebruiker'}"
    body = {"gebruikers": ecks if by_eck else ids}
    match what:
        case "put":
            publisher.done("PUT", base, body)
        case "delete":
            publisher.done("DELETE", base)
        case _:
            publisher.done("POST", f"{base}/{what}", body)


def test_fifty_thousand_users_in_one_call_are_set_and_read_quickly(
    publisher: Publisher, record_property: Callable[[str, object], None]
) -> None:
    people = add_country(publisher.hub, schools=100, pupils=500)
    began = time.perf_counter()
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": people[::-1]})
    written = time.perf_counter()
    assert publisher.users() == people
    read = time.perf_counter()
    record_property("figures", f"50,000 users: PUT {written - began:.2f} s, GET {read - written:.2f} s")
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": people[:100]})
    assert publisher.users() == people[:100]
    assert written - began < 10


def add_country(hub: Hub, *, schools: int, pupils: int) -> list[int]:
    """Pupils of schools that consent; their numbers."""
    at = now()
    with writing(hub.engine) as db:
        publisher_id = db.scalars(select(PublisherRow.id)).one()
        made = [
            {"code": f"99Y{chr(65 + each // 100)}{each % 100:02}", "name": "x", "ref": f"r{each}", "created_at": at,
             "mutated_at": at, "connection_on": False, "administration_on": False}
            for each in range(schools)
        ]  # fmt: skip
        db.execute(insert(SchoolRow), made)
        query = select(SchoolRow.id).where(SchoolRow.code.startswith("99Y"))
        ids = list(db.scalars(query))
        db.execute(
            insert(PermissionRow),
            [{"school_id": each, "publisher_id": publisher_id, "granted_at": at, "granted_on": local_date(at)}
             for each in ids],
        )  # fmt: skip
        rows = [
            {"school_id": each, "kind": Kind.PUPIL, "key": f"p{number}", "created_at": at}
            for each in ids
            for number in range(pupils)
        ]
        db.execute(insert(PersonRow), rows)
        return list(db.scalars(select(PersonRow.id).where(PersonRow.school_id.in_(ids)).order_by(PersonRow.id)))


def test_a_forgotten_person_has_no_licences_any_more(publisher: Publisher) -> None:
    people = numbers(publisher.hub)
    publisher.done("PUT", f"{LISTS[0]}/gebruiker", {"gebruikers": [people["p1"], people["p2"]]})
    with writing(publisher.hub.engine) as db:
        db.execute(update(PersonRow).where(PersonRow.id == people["p1"]).values(left_at=now() - timedelta(days=31)))
    forget_leavers(publisher.hub.engine, now())
    with reading(publisher.hub.engine) as db:
        assert list(db.scalars(select(LicenceRow.person_id))) == [people["p2"]]


def test_a_stranger_is_told_nothing_whatever_the_body(publisher: Publisher) -> None:
    for key in ("", "schakel_wrong"):
        caller = Publisher(publisher.hub, key)
        assert caller.send("PUT", f"{LISTS[0]}/gebruiker", {"x": 1}).status_code == 401
