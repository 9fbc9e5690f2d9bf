"""What the clock does for people: tells of silence, closes ended appointments, erases what may not be kept longer."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from services.basispoort_hub import keeping
from services.basispoort_hub.answers import read_answer
from services.basispoort_hub.rosters import hash_of_key
from services.basispoort_hub.schedule import OnceADay
from services.basispoort_hub.tables import AccountRow, AttemptRow, LinkRow, PersonRow, SchoolRow, SessionRow
from shared.clock import now
from shared.database import reading
from shared.roster import Role, Roster, StaffMember
from shared.wire.schools import InstitutionStaff
from tests.basispoort_hub.hub import CODE, Hub, answered, utc
from tests.factories import a_group, a_staff_member

ANNA, ICT = "anna@school.example", "ict@school.example"
START = utc(2027, 1, 10, 12)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def key(hub: Hub, clock: time_machine.Traveller) -> str:
    """A linked school with a coordinator; returns the administration's key."""
    hub.add_school()
    key = hub.administration_key()
    hub.switch_on(hub.a_coordinator(ICT), key)
    return key


def push(hub: Hub, key: str, *staff: StaffMember) -> None:
    # colleagues, so that one leaver is no wave
    others = [a_staff_member(f"c{number}", email=None, first_name=f"Collega{number}") for number in range(3)]
    hub.push(key, Roster.of([a_group(), *others, *staff]))


def test_coordinators_are_told_once_of_36_hours_of_silence(hub: Hub, key: str, clock: time_machine.Traveller) -> None:
    push(hub, key)
    clock.shift(timedelta(hours=36))
    assert keeping.tell_of_silence(hub.engine, now()) == 0
    clock.shift(timedelta(minutes=1))
    assert keeping.tell_of_silence(hub.engine, now()) == 1
    assert keeping.tell_of_silence(hub.engine, now()) == 0
    ((to, subject, text, _),) = [mail for mail in hub.post_all() if "hoort niets" in mail[1]]
    assert (to, subject) == (ICT, "Basispoort hoort niets meer van EDUscope")
    assert "10 januari 2027 13:00" in text
    push(hub, key)
    clock.shift(timedelta(hours=37))
    assert keeping.tell_of_silence(hub.engine, now()) == 1, "a new silence is told again"


def test_a_school_that_is_not_linked_is_not_silent(hub: Hub, key: str, clock: time_machine.Traveller) -> None:
    answered(hub.client(key).put(f"/api/v1/scholen/{CODE}/aanmelding", json={"aangezet": False}), 204)
    clock.shift(timedelta(days=9))
    assert keeping.tell_of_silence(hub.engine, now()) == 0


def test_an_end_date_closes_the_account_on_the_day_after(hub: Hub, key: str, clock: time_machine.Traveller) -> None:
    push(hub, key, a_staff_member("m1", email=ANNA, ends_on=date(2027, 1, 31)))
    hub.activate(ANNA)
    clock.move_to(utc(2027, 1, 31, 22, 59))
    assert keeping.close_ended(hub.engine, now(), hub.links) == 0
    hub.sign_in(ANNA)
    clock.move_to(utc(2027, 1, 31, 23, 0))  # midnight in Amsterdam
    assert keeping.close_ended(hub.engine, now(), hub.links) == 1
    assert keeping.close_ended(hub.engine, now(), hub.links) == 0
    assert hub.account(ANNA).state == "closed"
    push(hub, key, a_staff_member("m1", email=ANNA, ends_on=date(2027, 2, 28)))
    hub.sign_in(ANNA)


def test_a_coordinator_is_told_once_after_her_last_day_and_can_be_dismissed(
    hub: Hub, key: str, clock: time_machine.Traveller
) -> None:
    anna = a_staff_member("m1", email=ANNA, ends_on=date(2027, 1, 31))
    push(hub, key, anna)
    account_id = hub.appoint(ANNA)
    clock.move_to(utc(2027, 2, 1))
    assert keeping.close_ended(hub.engine, now(), hub.links) == 1
    push(hub, key, anna, a_staff_member("m2", email=None))
    found = [(each.key, each.roles) for each in _staff(hub).staff if each.key in {"m1", None}]
    assert found == [("m1", [Role.ICT_COORDINATOR, Role.TEACHER]), (None, [Role.ICT_COORDINATOR])]  # and the other one
    answered(hub.operator().delete(f"/api/v1/operator/scholen/{CODE}/coordinatoren/{account_id}"), 204)
    assert [each.roles for each in _staff(hub).staff if each.key == "m1"] == [[Role.TEACHER]]


def _staff(hub: Hub) -> InstitutionStaff:
    with reading(hub.engine) as db:
        answer = read_answer(db, db.scalars(select(SchoolRow.id)).one(), "staf")
    assert answer is not None
    return InstitutionStaff.model_validate_json(answer.body)


def test_after_30_days_a_leaver_is_a_number_and_a_hash(hub: Hub, key: str, clock: time_machine.Traveller) -> None:
    push(hub, key, a_staff_member("m1", email=ANNA))
    hub.activate(ANNA)
    push(hub, key)
    account_id = hub.account(ANNA).id
    clock.shift(timedelta(days=30))
    assert keeping.forget_leavers(hub.engine, now()) == 0
    assert keeping.forget_closed_accounts(hub.engine, now(), hub.links) == 0
    assert hub.account(ANNA).kept_password_hash is not None
    clock.shift(timedelta(seconds=1))
    assert keeping.forget_leavers(hub.engine, now()) == 1
    assert keeping.forget_closed_accounts(hub.engine, now(), hub.links) == 1
    assert keeping.forget_closed_accounts(hub.engine, now(), hub.links) == 0
    with reading(hub.engine) as db:
        person = db.scalars(select(PersonRow).where(PersonRow.left_at.is_not(None))).one()
        account = db.get_one(AccountRow, account_id)
    assert (person.key, person.key_hash) == (None, hash_of_key("m1"))
    assert (account.email, account.password_hash, account.kept_password_hash) == (f"#{account_id}", None, None)


def test_an_address_that_was_forgotten_starts_anew(hub: Hub, key: str, clock: time_machine.Traveller) -> None:
    push(hub, key, a_staff_member("m1", email=ANNA))
    hub.activate(ANNA)
    old = hub.account(ANNA).id
    push(hub, key)
    clock.shift(timedelta(days=31))
    keeping.forget_closed_accounts(hub.engine, now(), hub.links)
    push(hub, key, a_staff_member("m1", email=ANNA))
    new = hub.account(ANNA)
    assert new.id != old
    assert (new.state, new.password_hash) == ("invited", None)


def test_old_links_sessions_and_attempts_go(hub: Hub, key: str, clock: time_machine.Traveller) -> None:
    hub.sign_in(ICT)
    hub.client().post("/inloggen", data={"gebruiker": "niemand@school.example", "wachtwoord": "x"})

    def counts() -> list[int]:
        keeping.remove_old_rows(hub.engine, now())
        with reading(hub.engine) as db:
            return [
                db.scalar(select(func.count()).select_from(rows)) or 0 for rows in (LinkRow, SessionRow, AttemptRow)
            ]

    assert min(counts()) > 0
    clock.shift(timedelta(days=2))
    links, sessions, attempts = counts()
    assert (links, sessions, attempts) == (1, 0, 0)
    clock.shift(timedelta(days=89))
    assert counts() == [0, 0, 0]


def test_the_evening_job_runs_once_a_day_from_its_hour(clock: time_machine.Traveller) -> None:
    done: list[int] = []
    job = OnceADay(20, lambda: done.append(1))
    for hour, total in [(18, 0), (19, 1), (20, 1), (22, 1)]:  # UTC; Amsterdam is an hour ahead
        clock.move_to(utc(2027, 1, 11, hour))
        job()
        assert len(done) == total
    clock.move_to(utc(2027, 1, 12, 19))
    job()
    assert len(done) == 2
