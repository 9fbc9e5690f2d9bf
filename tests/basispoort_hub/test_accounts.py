"""Accounts in step with the staff: what a roster brings about, through the database and over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import permutations
from threading import Barrier
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, insert, select

from services.basispoort_hub.accounts import StaffChange, follow_staff
from services.basispoort_hub.tables import (
    AccountRow,
    AppointmentRow,
    CoordinatorRow,
    EntryRow,
    LinkRow,
    OutboxRow,
    PersonRow,
    SchoolRow,
    SessionRow,
)
from shared.clock import now
from shared.database import reading, writing
from shared.problems import DatabaseBusy
from shared.roster import Roster, StaffMember, canonical_entry
from tests.basispoort_hub.hub import CODE, PASSWORD, Hub, answered, utc
from tests.factories import a_group, a_staff_member

ANNA, BRAM, CARA, DAAN = "anna@school.example", "bram@school.example", "cara@school.example", "daan@school.example"
OTHER_CODE = "99ZB00"


def add_people(hub: Hub, school_id: int, count: int) -> list[int]:
    with writing(hub.engine) as db:
        rows = [
            PersonRow(school_id=school_id, kind="staff", key=f"m{number}", created_at=now()) for number in range(count)
        ]
        db.add_all(rows)
        db.flush()
        return [row.id for row in rows]


def member(email: str | None, **changes: Any) -> StaffMember:
    return a_staff_member(email=email, **changes)


def follow(hub: Hub, school_id: int, wanted: dict[int, str | None]) -> int:
    """Person id -> address from now on; None when the person left."""
    changes = [
        StaffChange(person_id, None, None if email is None else member(email)) for person_id, email in wanted.items()
    ]
    with writing(hub.engine) as db:
        return follow_staff(db, db.get_one(SchoolRow, school_id), changes, now(), hub.links)


def addresses(hub: Hub) -> dict[int, str]:
    """Person id -> the address under which the person works."""
    with reading(hub.engine) as db:
        rows = db.execute(
            select(AppointmentRow.person_id, AccountRow.email).join(
                AccountRow, AccountRow.id == AppointmentRow.account_id
            )
        )
        return {person_id: email for person_id, email in rows}  # noqa: C416 - rows are not yet pairs for mypy


def can_sign_in(hub: Hub, email: str, password: str = PASSWORD) -> bool:
    answer = hub.client().post("/inloggen", data={"gebruiker": email, "wachtwoord": password})
    return answer.status_code == 303


def test_following_the_same_staff_twice_changes_nothing(hub: Hub) -> None:
    school = hub.add_school()
    one, two = add_people(hub, school, 2)
    assert follow(hub, school, {one: ANNA, two: BRAM}) == 2
    assert follow(hub, school, {one: ANNA, two: BRAM}) == 0
    assert addresses(hub) == {one: ANNA, two: BRAM}
    assert sorted(to for to, *_ in hub.post_all()) == [ANNA, BRAM]


def test_a_changed_address_closes_the_old_one_at_once(hub: Hub) -> None:
    school = hub.add_school()
    (one,) = add_people(hub, school, 1)
    follow(hub, school, {one: ANNA})
    hub.activate(ANNA)
    session = hub.sign_in(ANNA)
    assert follow(hub, school, {one: BRAM}) == 2
    assert session.get("/api/v1/uitnodigingen").status_code == 401
    assert not can_sign_in(hub, ANNA)
    old = hub.account(ANNA)
    assert (old.state, old.password_hash, old.kept_password_hash) == ("closed", None, None)
    mails = hub.post_all()
    assert [(to, subject) for to, subject, *_ in mails] == [
        (ANNA, "Dit e-mailadres is geen gebruikersnaam meer"),
        (BRAM, "Activeer uw account bij Basispoort"),
    ]
    assert BRAM not in mails[0][2], "the old address learns nothing about the new one"
    hub.activate(BRAM, "iets heel anders dan daarvoor")
    assert can_sign_in(hub, BRAM, "iets heel anders dan daarvoor")


@pytest.mark.parametrize(
    "after", list(permutations([ANNA, BRAM, CARA])), ids=lambda order: "-".join(e[0] for e in order)
)
def test_swapped_addresses_give_nobody_anothers_account_password_or_link(hub: Hub, after: tuple[str, ...]) -> None:
    school = hub.add_school()
    people = add_people(hub, school, 3)
    before = [ANNA, BRAM, CARA]
    follow(hub, school, dict(zip(people, before, strict=True)))
    for email in before:
        hub.activate(email, f"het wachtwoord van {email}")
    sessions = {email: hub.sign_in(email, f"het wachtwoord van {email}") for email in before}
    follow(hub, school, dict(zip(people, after, strict=True)))
    assert addresses(hub) == dict(zip(people, after, strict=True))
    for old, new in zip(before, after, strict=True):
        stays = old == new
        assert can_sign_in(hub, old, f"het wachtwoord van {old}") is stays
        assert (sessions[old].get("/api/v1/uitnodigingen").status_code == 200) is stays


def test_a_chain_of_addresses_moves_on_in_one_night(hub: Hub) -> None:
    school = hub.add_school()
    one, two, three = add_people(hub, school, 3)
    follow(hub, school, {one: ANNA, two: BRAM, three: CARA})
    old_links = [hub.link_for(email) for email in (ANNA, BRAM, CARA)]
    follow(hub, school, {one: BRAM, two: CARA, three: DAAN})
    assert addresses(hub) == {one: BRAM, two: CARA, three: DAAN}
    for link in old_links:
        assert hub.client().get(link).status_code == 410
    with reading(hub.engine) as db:
        live = db.scalars(select(LinkRow.email).where(LinkRow.void_at.is_(None), LinkRow.spent_at.is_(None))).all()
    assert sorted(live) == [BRAM, CARA, DAAN]


def test_who_returns_within_30_days_finds_the_account_as_it_was(hub: Hub) -> None:
    school = hub.add_school()
    (one,) = add_people(hub, school, 1)
    follow(hub, school, {one: ANNA})
    hub.activate(ANNA)
    assert follow(hub, school, {one: None}) == 0
    assert not can_sign_in(hub, ANNA)
    assert hub.account(ANNA).password_hash is None
    with time_machine.travel(now() + timedelta(days=29)):
        assert follow(hub, school, {one: ANNA}) == 0
        assert can_sign_in(hub, ANNA)


def test_another_person_with_the_same_mailbox_chooses_a_password_of_their_own(hub: Hub) -> None:
    school = hub.add_school()
    one, two = add_people(hub, school, 2)
    follow(hub, school, {one: ANNA})
    hub.activate(ANNA)
    follow(hub, school, {one: None, two: ANNA})
    assert addresses(hub) == {two: ANNA}
    assert not can_sign_in(hub, ANNA)
    assert hub.account(ANNA).state == "invited"


def test_an_end_date_that_has_passed_counts_as_left(hub: Hub) -> None:
    school = hub.add_school()
    (one,) = add_people(hub, school, 1)
    ended = member(ANNA, ends_on=date(2020, 1, 1))
    with writing(hub.engine) as db:
        follow_staff(db, db.get_one(SchoolRow, school), [StaffChange(one, None, ended)], now(), hub.links)
    assert addresses(hub) == {}


def test_an_address_known_elsewhere_waits_and_looks_the_same(hub: Hub) -> None:
    first, second = hub.add_school(), hub.add_school(OTHER_CODE, "De Horizon")
    coordinator = hub.a_coordinator(code=OTHER_CODE)
    (here,), (there, new) = add_people(hub, first, 1), add_people(hub, second, 2)
    follow(hub, first, {here: ANNA})
    hub.activate(ANNA)
    assert follow(hub, second, {there: ANNA, new: BRAM}) == 2
    with writing(hub.engine) as db:
        entry = {"school_id": second, "layer": "valid", "kind": "staff"}
        db.execute(
            insert(EntryRow),
            [
                {**entry, "key": "m0", "body": canonical_entry(member(ANNA, key="m0", home_groups=frozenset()))},
                {**entry, "key": "m1", "body": canonical_entry(member(BRAM, key="m1", home_groups=frozenset()))},
            ],
        )
    hub.post_all()
    shown = answered(coordinator.get(f"/api/v1/scholen/{OTHER_CODE}/leerkrachten"), 200)["leerkrachten"]
    known, unknown = ({**each, "id": 0, "emailadres": "", "naam": ""} for each in shown)
    assert known["account"] == "uitnodiging verstuurd"
    for each in (known, unknown):
        each["activatielink"] |= {"op": "", "geldigTot": ""}
    assert known == unknown
    anna = hub.sign_in(ANNA)
    assert answered(anna.get("/api/v1/uitnodigingen"), 200) == [{"id": there, "school": "De Horizon"}]
    _set_active(hub, second, is_active=False)
    answered(anna.post(f"/api/v1/uitnodigingen/{there}/aanvaarden"), 404)  # the page was open while the school closed
    _set_active(hub, second, is_active=True)
    answered(anna.post(f"/api/v1/uitnodigingen/{there}/aanvaarden"), 204)
    answered(anna.post(f"/api/v1/uitnodigingen/{there}/aanvaarden"), 204)
    assert answered(anna.get("/api/v1/uitnodigingen"), 200) == []
    with reading(hub.engine) as db:
        assert db.get_one(AppointmentRow, there).state == "counts"


def test_nobody_accepts_what_is_anothers(hub: Hub) -> None:
    first, second = hub.add_school(), hub.add_school(OTHER_CODE, "De Horizon")
    (here,), (there, own) = add_people(hub, first, 1), add_people(hub, second, 2)
    follow(hub, first, {here: ANNA})
    follow(hub, second, {own: BRAM})
    hub.activate(ANNA)
    hub.activate(BRAM)
    follow(hub, second, {there: ANNA})
    bram = hub.sign_in(BRAM)
    assert bram.post(f"/api/v1/uitnodigingen/{there}/aanvaarden").status_code == 404
    assert bram.post("/api/v1/uitnodigingen/999999/aanvaarden").status_code == 404


def test_a_coordinators_account_is_adopted_with_its_number(hub: Hub) -> None:
    hub.add_school()
    coordinator = hub.a_coordinator(ANNA)
    with reading(hub.engine) as db:
        number = db.scalars(select(CoordinatorRow.person_id)).one()
    key = hub.administration_key()
    hub.switch_on(coordinator, key)
    hub.post_all()
    receipt = hub.push(key, Roster.of([a_group(), a_staff_member("m1", email=ANNA)]))
    assert receipt["berichtenInWachtrij"] == 0
    assert addresses(hub) == {number: ANNA}
    assert can_sign_in(hub, ANNA)
    with reading(hub.engine) as db:
        assert db.scalars(select(CoordinatorRow.person_id)).one() is None


def test_no_roster_ends_a_management_role(hub: Hub) -> None:
    school = hub.add_school()
    session = hub.a_coordinator(ANNA)
    (one,) = add_people(hub, school, 1)
    follow(hub, school, {one: ANNA})
    follow(hub, school, {one: None})
    assert session.get(f"/api/v1/scholen/{CODE}/koppeling").status_code == 200
    with reading(hub.engine) as db:
        assert db.scalars(select(CoordinatorRow.person_id)).one() == one


def test_a_confirmed_change_of_a_coordinators_address_takes_the_role_along(hub: Hub) -> None:
    school = hub.add_school()
    session = hub.a_coordinator(ANNA)
    (one,) = add_people(hub, school, 1)
    follow(hub, school, {one: ANNA})
    follow(hub, school, {one: BRAM})
    assert session.get(f"/api/v1/scholen/{CODE}/koppeling").status_code == 401
    assert hub.account(ANNA).state == "closed"
    hub.activate(BRAM)
    assert hub.sign_in(BRAM).get(f"/api/v1/scholen/{CODE}/koppeling").status_code == 200
    with reading(hub.engine) as db:
        assert db.scalar(select(func.count()).select_from(CoordinatorRow)) == 1


def test_what_a_first_push_does_to_accounts_of_a_hand_made_file(hub: Hub) -> None:
    """Same address: adopted, password stays, no mail. Another address: the old one closes. New: invited."""
    hub.add_school()
    coordinator = hub.a_coordinator()
    key = hub.administration_key()
    hub.switch_on(coordinator, key)
    hub.push(key, Roster.of([a_group(), a_staff_member("m1", email=ANNA), a_staff_member("m2", email=BRAM)]))
    hub.activate(ANNA)
    hub.activate(BRAM)
    people = [
        a_staff_member("m1", email=ANNA),
        a_staff_member("m2", email=CARA),
        a_staff_member("m3", email=DAAN, first_name="Daan"),
    ]
    assert hub.push(key, Roster.of([a_group(), *people]))["berichtenInWachtrij"] == 3
    assert can_sign_in(hub, ANNA)
    assert not can_sign_in(hub, BRAM)
    assert sorted(to for to, *_ in hub.post_all()) == [BRAM, CARA, DAAN]


def test_a_push_that_is_refused_leaves_no_account_and_no_mail(hub: Hub) -> None:
    school = hub.add_school()

    def intake() -> None:
        with writing(hub.engine) as db:
            person = PersonRow(school_id=school, kind="staff", key="m1", created_at=now())
            db.add(person)
            db.flush()
            change = StaffChange(person.id, None, member(ANNA))
            assert follow_staff(db, db.get_one(SchoolRow, school), [change], now(), hub.links) == 1
            raise RuntimeError("the rest of the intake failed")

    with pytest.raises(RuntimeError):
        intake()
    with reading(hub.engine) as db:
        for rows in (AccountRow, LinkRow, OutboxRow, SessionRow):
            assert db.scalar(select(func.count()).select_from(rows)) == 0


def test_a_mail_that_was_refused_is_seen_by_the_coordinator(hub: Hub) -> None:
    hub.add_school()
    coordinator = hub.a_coordinator()
    key = hub.administration_key()
    hub.switch_on(coordinator, key)
    hub.push(key, Roster.of([a_group(), a_staff_member("m1", email="anna@weiger.example")]))
    hub.post_all()
    (shown,) = answered(coordinator.get(f"/api/v1/scholen/{CODE}/leerkrachten"), 200)["leerkrachten"]
    assert shown["activatielink"]["stand"] == "geweigerd"


def test_links_and_accounts_tell_how_they_stand(hub: Hub) -> None:
    school = hub.add_school()
    coordinator = hub.a_coordinator()
    key = hub.administration_key()
    hub.switch_on(coordinator, key)

    def shown() -> tuple[str, str | None]:
        (each,) = answered(coordinator.get(f"/api/v1/scholen/{CODE}/leerkrachten"), 200)["leerkrachten"]
        return each["account"], (each["activatielink"] or {}).get("stand")

    with time_machine.travel(utc(2026, 3, 1, 0, 1)) as clock:
        coordinator = hub.sign_in("ict@school.example")
        hub.push(key, Roster.of([a_group(), a_staff_member("m1", email=ANNA)]))
        assert shown() == ("uitnodiging verstuurd", "in wachtrij")
        hub.post_all()
        assert shown() == ("uitnodiging verstuurd", "verstuurd")
        clock.move_to(utc(2026, 3, 15, 0, 2))
        coordinator = hub.sign_in("ict@school.example")
        assert shown() == ("uitnodiging verstuurd", "verlopen")
        (person,) = addresses(hub)
        again = f"/api/v1/scholen/{CODE}/leerkrachten/{person}/activatielink"
        answered(coordinator.post(again), 202)
        hub.activate(ANNA)
        assert shown() == ("actief", "gebruikt")
        assert coordinator.post(again).status_code == 409
    assert school


def test_two_schools_that_meet_one_address_at_the_same_moment_make_one_account(hub: Hub) -> None:
    schools = [hub.add_school(), hub.add_school(OTHER_CODE, "De Horizon")]
    people = [add_people(hub, school, 2) for school in schools]
    together = Barrier(2)

    def announce(place: int) -> None:
        emails = [ANNA, BRAM] if place == 0 else [BRAM, ANNA]
        together.wait(10)
        for _ in range(10):
            try:
                follow(hub, schools[place], dict(zip(people[place], emails, strict=True)))
            except DatabaseBusy:  # PostgreSQL: the sender is told to try again
                continue
            return
        raise AssertionError("it never got through")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(announce, range(2)))
    with reading(hub.engine) as db:
        assert sorted(db.scalars(select(AccountRow.email))) == [ANNA, BRAM]
        states = sorted(db.scalars(select(AppointmentRow.state)))
    assert states == ["counts", "counts", "waits", "waits"]


def _set_active(hub: Hub, school_id: int, *, is_active: bool) -> None:
    with writing(hub.engine) as db:
        db.get_one(SchoolRow, school_id, with_for_update=True).is_active = is_active
