"""The night: claimed once per local date, retried until the morning, reported by mail; one school stops no other."""

from datetime import date, datetime, timedelta
from itertools import count

import httpx
import pytest
from sqlalchemy import Engine, select

from services.eduscope_api import nightly, rosters
from services.eduscope_api.night_mails import send_night_failed
from services.eduscope_api.nightly import School, run_now, run_tonight
from services.eduscope_api.rules.retries import next_attempt
from services.eduscope_api.tables import (
    AdministratorRow,
    AdministratorSchoolRow,
    NightRow,
    OutboxRow,
    RunRow,
    SchoolRow,
)
from shared.browser import Pages
from shared.clock import local_time, night_start
from shared.database import reading, writing
from shared.mail import Mailer
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school

NIGHT = date(2026, 11, 22)
MIDNIGHT = night_start(NIGHT)
DOWN = httpx.Response(503)


class StoppedClock:
    """Says what it was set to, a second later at each question."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def runs(engine: Engine, school: School) -> list[RunRow]:
    with reading(engine) as db:
        return list(db.scalars(select(RunRow).where(RunRow.school_id == school.id).order_by(RunRow.id)))


def night(engine: Engine, on: date = NIGHT) -> NightRow | None:
    with reading(engine) as db:
        return db.get(NightRow, on)


def add_administrator(engine: Engine, user_name: str, *schools: School) -> int:
    with writing(engine) as db:
        row = AdministratorRow(user_name=user_name, password_hash="-", created_at=MIDNIGHT)
        db.add(row)
        db.flush()
        db.add_all(AdministratorSchoolRow(administrator_id=row.id, school_id=school.id) for school in schools)
        return row.id


def messages(engine: Engine) -> list[dict[str, int | None]]:
    with reading(engine) as db:
        return [row.body for row in db.scalars(select(OutboxRow).order_by(OutboxRow.id))]


def tick_through(
    engine: Engine, hub: FakeHub, start: datetime, end: datetime, step: timedelta, holder: str = "a"
) -> None:
    at = start
    while at < end:
        run_tonight(engine, hub.client(), holder, clock=StoppedClock(at))
        at += step


def test_a_night_does_every_connected_school_once_and_is_finished(engine: Engine, hub: FakeHub) -> None:
    one, two = add_school(engine), add_school(engine, OTHER_CODE)
    off = add_school(engine, "99ZX00", ticked=False)
    tick_through(engine, hub, MIDNIGHT, MIDNIGHT + timedelta(hours=3), timedelta(minutes=30))
    assert [[run.outcome for run in runs(engine, school)] for school in (one, two, off)] == [["alles"], ["alles"], []]
    row = night(engine)
    assert row is not None
    assert row.finished_at is not None


def test_a_night_without_schools_is_finished_at_once(engine: Engine, hub: FakeHub) -> None:
    run_tonight(engine, hub.client(), "a", clock=lambda: MIDNIGHT)
    row = night(engine)
    assert row is not None
    assert row.finished_at is not None


def test_a_run_on_request_leaves_the_night_to_be_done(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    run_now(engine, hub.client(), clock=lambda: MIDNIGHT)
    assert night(engine) is None
    run_tonight(engine, hub.client(), "a", clock=lambda: MIDNIGHT)
    assert [run.night for run in runs(engine, school)] == [None, NIGHT]


def test_a_process_first_up_at_nine_still_does_the_night_once(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    nine = local_time(NIGHT, 9)
    tick_through(engine, hub, nine, nine + timedelta(hours=10), timedelta(hours=1))
    assert [run.night for run in runs(engine, school)] == [NIGHT]


@pytest.mark.parametrize("change", [date(2026, 3, 29), date(2026, 10, 25)], ids=["spring", "autumn"])
def test_every_local_date_around_a_change_of_the_clock_is_done_exactly_once(
    engine: Engine, hub: FakeHub, change: date
) -> None:
    school = add_school(engine)
    start = night_start(change - timedelta(days=2))
    tick_through(engine, hub, start, start + timedelta(days=5), timedelta(minutes=25))
    done = [run.night for run in runs(engine, school)]
    days = [change + timedelta(days=days) for days in range(-2, 3)]
    assert done[:5] == days
    assert len(done) == len(set(done))
    starts = [night_start(day) for day in days]
    late = [run.started_at - begins for run, begins in zip(runs(engine, school), starts, strict=False)]
    assert all(timedelta(0) <= each < timedelta(minutes=26) for each in late)


def test_a_clock_that_steps_back_over_midnight_does_no_night_twice(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    for at in (
        MIDNIGHT - timedelta(hours=1),
        MIDNIGHT,
        MIDNIGHT - timedelta(minutes=5),
        MIDNIGHT + timedelta(minutes=1),
    ):
        run_tonight(engine, hub.client(), "a", clock=StoppedClock(at))
    assert [run.night for run in runs(engine, school)] == [NIGHT - timedelta(days=1), NIGHT]


# --- several holders --------------------------------------------------------------------------------------------------


def test_of_several_processes_one_does_the_night(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    hub.answer_with[CODE] = DOWN  # so that the night stays open
    for holder in "abc":
        run_tonight(engine, hub.client(), holder, clock=StoppedClock(MIDNIGHT))
    assert [run.attempt for run in runs(engine, school)] == [1]


def test_a_process_that_fell_silent_is_taken_over_when_its_lease_ran_out(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    hub.answer_with[CODE] = DOWN
    run_tonight(engine, hub.client(), "a", clock=StoppedClock(MIDNIGHT))
    hub.answer_with.clear()
    run_tonight(engine, hub.client(), "b", clock=StoppedClock(MIDNIGHT + timedelta(minutes=3)))
    assert [run.outcome for run in runs(engine, school)] == ["mislukt"]
    run_tonight(engine, hub.client(), "b", clock=StoppedClock(MIDNIGHT + timedelta(minutes=10)))
    assert [run.outcome for run in runs(engine, school)] == ["mislukt", "alles"]
    row = night(engine)
    assert row is not None
    assert (row.holder, row.fence) == ("b", 2)


def test_what_a_late_leader_still_writes_is_refused(engine: Engine, hub: FakeHub) -> None:
    one, two = add_school(engine), add_school(engine, OTHER_CODE)
    answer = hub.answer
    overtaken = iter([True])

    def overtake(request: httpx.Request) -> httpx.Response:
        if next(overtaken, False):  # the first process is asleep for an hour, in the middle of its first school
            hub.answer = answer  # type: ignore[method-assign]  # from here on the plain hub again
            run_tonight(engine, hub.client(), "b", clock=StoppedClock(MIDNIGHT + timedelta(hours=1)))
        return answer(request)

    hub.answer = overtake  # type: ignore[method-assign]  # the hub at which the first process falls asleep
    run_tonight(engine, hub.client(), "a", clock=StoppedClock(MIDNIGHT))
    assert [[run.outcome for run in runs(engine, school)] for school in (one, two)] == [["alles"], ["alles"]]
    assert hub.sent == ["PUT", "PUT"]
    row = night(engine)
    assert row is not None
    assert (row.holder, row.fence) == ("b", 2)


def test_without_the_fence_the_late_leader_would_be_seen(
    engine: Engine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "assert_held", lambda *_: None)
    with pytest.raises(Exception, match=r"uq_runs|UNIQUE constraint failed: runs"):
        test_what_a_late_leader_still_writes_is_refused(engine, hub)


# --- failing schools --------------------------------------------------------------------------------------------------


def test_the_pauses_grow_and_end_in_the_morning() -> None:
    morning = local_time(NIGHT, 6)
    at: datetime | None = MIDNIGHT
    pauses: list[timedelta] = []
    for attempt in count(1):
        assert at is not None
        again = next_attempt(at, attempt, morning)
        if again is None:
            break
        pauses.append(again - at)
        at = again
    assert at == morning
    assert pauses[:-1] == sorted(pauses[:-1])
    assert (len(pauses), pauses[0], max(pauses)) == (10, timedelta(minutes=2), timedelta(hours=1))


def test_one_failing_school_stops_no_other_and_its_administrators_get_one_mail(engine: Engine, hub: FakeHub) -> None:
    bad, good = add_school(engine), add_school(engine, OTHER_CODE)
    told = add_administrator(engine, "beheer@regenboog.example", bad)
    add_administrator(engine, "zonder-adres", bad)
    add_administrator(engine, "ander@regenboog.example", good)
    hub.answer_with[CODE] = DOWN
    tick_through(engine, hub, MIDNIGHT, MIDNIGHT + timedelta(hours=12), timedelta(minutes=1))
    assert [run.outcome for run in runs(engine, good)] == ["alles"]
    attempts = runs(engine, bad)
    assert [run.attempt for run in attempts] == list(range(1, len(attempts) + 1))
    assert 8 <= len(attempts) <= 12
    assert attempts[-1].next_attempt_at is None
    assert attempts[-1].started_at <= local_time(NIGHT, 6) + timedelta(minutes=2)
    assert messages(engine) == [{"run": attempts[-1].id, "administrator": told}]
    row = night(engine)
    assert row is not None
    assert row.finished_at is not None


def test_a_school_that_recovers_during_the_night_is_not_reported(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    add_administrator(engine, "beheer@regenboog.example", school)
    hub.answer_with[CODE] = DOWN
    tick_through(engine, hub, MIDNIGHT, MIDNIGHT + timedelta(hours=1), timedelta(minutes=1))
    hub.answer_with.clear()
    tick_through(engine, hub, MIDNIGHT + timedelta(hours=1), MIDNIGHT + timedelta(hours=8), timedelta(minutes=1))
    assert runs(engine, school)[-1].outcome == "alles"
    assert messages(engine) == []


def test_after_the_morning_a_failure_is_reported_at_once(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    hub.answer_with[CODE] = DOWN
    run_tonight(engine, hub.client(), "a", "beheer@eduscope.example", clock=StoppedClock(local_time(NIGHT, 9)))
    assert [run.next_attempt_at for run in runs(engine, school)] == [None]
    assert messages(engine) == [{"run": runs(engine, school)[0].id, "administrator": None}]


def test_a_bug_in_one_school_stops_no_other(engine: Engine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = add_school(engine), add_school(engine, OTHER_CODE)
    read = rosters.read_picture

    def stumble(db: object, school_id: int) -> object:
        if school_id == bad.id:
            raise ZeroDivisionError
        return read(db, school_id)  # type: ignore[arg-type]  # a stand-in takes what it is given

    monkeypatch.setattr(nightly, "read_picture", stumble)
    run_tonight(engine, hub.client(), "a", clock=StoppedClock(MIDNIGHT))
    assert [[run.outcome for run in runs(engine, school)] for school in (bad, good)] == [["mislukt"], ["alles"]]


def test_a_paused_school_rests_until_its_date(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    with writing(engine) as db:
        db.get_one(SchoolRow, school.id).paused_until = NIGHT + timedelta(days=2)
    tick_through(engine, hub, MIDNIGHT, MIDNIGHT + timedelta(days=4), timedelta(hours=2))
    assert [run.night for run in runs(engine, school)] == [NIGHT + timedelta(days=2), NIGHT + timedelta(days=3)]


# --- the mail ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str, str]]:
    mails: list[tuple[str, str, str, str]] = []
    monkeypatch.setattr(Mailer, "send", lambda _self, *mail: mails.append(mail))
    return mails


def test_the_mail_says_which_school_and_why(
    engine: Engine, hub: FakeHub, posted: list[tuple[str, str, str, str]]
) -> None:
    school = add_school(engine)
    add_administrator(engine, "beheer@regenboog.example", school)
    hub.answer_with[CODE] = DOWN
    run_tonight(engine, hub.client(), "a", clock=StoppedClock(local_time(NIGHT, 9)))
    mails = Pages("services.eduscope_api", "edu", "EDUscope", "eduscope", "http://edu.example").mails
    mailer = Mailer("localhost", 25, "edu@eduscope.example")
    for _ in range(2):
        send_night_failed(engine, mailer, mails, "http://edu.example", "", 41, messages(engine)[0])
    (to, subject, text, message_id), again = posted
    assert again == (to, subject, text, message_id)
    assert to == "beheer@regenboog.example"
    assert "De Regenboog" in subject
    assert "Basispoort" in text
    assert "http://edu.example" in text


def test_a_mail_to_somebody_who_is_gone_is_not_sent(engine: Engine, posted: list[tuple[str, str, str, str]]) -> None:
    mails = Pages("services.eduscope_api", "edu", "EDUscope", "eduscope", "http://edu.example").mails
    mailer = Mailer("localhost", 25, "edu@eduscope.example")
    send_night_failed(engine, mailer, mails, "", "", 1, {"run": 1, "administrator": 9})
    assert posted == []
