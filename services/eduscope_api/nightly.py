"""For each connected school: read, ask where the hub stands, send what is missing; keeps the run.

The unit of work is one school. The night, `Nu synchroniseren` and `schakel night` do the same unit; only the night
claims a date. One failing school never stops another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, or_, select
from sqlalchemy.orm import Session

from services.eduscope_api.domains import read_announced
from services.eduscope_api.hub_client import HubClient
from services.eduscope_api.rosters import lock_school, read_picture, read_sent, remember_sent
from services.eduscope_api.rules.exchange import Picture, leavers_of, roster_of
from services.eduscope_api.rules.retries import next_attempt
from services.eduscope_api.rules.sending import How, changes, decide_sending, is_sendable
from services.eduscope_api.runs import (
    CRASHED,
    EMPTY,
    EQUAL,
    NOT_TICKED,
    Outcome,
    Result,
    broken_road,
    read_last_attempts,
    received,
    refusal,
    save_asked_run,
    save_result,
    save_run,
    waiting,
)
from services.eduscope_api.tables import (
    AdministratorRow,
    AdministratorSchoolRow,
    NightRow,
    OutboxRow,
    RunRow,
    SchoolRow,
)
from shared.clock import local_date, local_time, now
from shared.database import reading, writing
from shared.language import say
from shared.logs import log
from shared.night import Claim, LeaseLost, assert_held, claim_tonight, finish
from shared.outbox import save_message
from shared.problems import NotFound, TooManyAttempts, UpstreamProblem
from shared.roster import Entry, Group, Kind, Roster, kind_of
from shared.service_client import RemoteProblem

MORNING = 6  # o'clock in Amsterdam: until then a failing school is tried again
NIGHT_FAILED = "nacht-mislukt"  # topic of the mail that says so

Clock = Callable[[], datetime]
Guard = Callable[[Session], None]  # may this process still write? Raises LeaseLost


@dataclass(frozen=True, slots=True)
class School:
    """One school as the night needs it."""

    id: int
    code: str
    basispoort_on: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one school, for the command line."""

    code: str
    outcome: Outcome
    sentence: str
    took_ms: int


# --- the unit of work -------------------------------------------------------------------------------------------------


def synchronise(
    engine: Engine, hub: HubClient, school: School, clock: Clock = now, guard: Guard | None = None
) -> Result:
    """Bring the hub to the school's own roster.

    1. Read the own rows.
    2. Ask the hub which roster it holds. Equal to ours, and to what was sent last: nothing to do.
    3. Remember what will be sent, in a transaction of its own, so that a lost answer is harmless.
    4. Send the difference when the hub holds what was sent last, otherwise everything.

    After a 409 `roster-diverged` all of this once more, from the rows as they are then.
    """
    try:
        try:
            return _bring(engine, hub, school, clock, guard)
        except RemoteProblem as refused:
            if refused.remote_slug != "roster-diverged":
                raise
            return _bring(engine, hub, school, clock, guard)
    except RemoteProblem as refused:
        return refusal(refused)
    except UpstreamProblem as problem:
        return broken_road(problem)
    except LeaseLost:
        raise
    except Exception as error:  # one school's trouble, whatever it is, must not stop the next school
        log.error("school_failed", school=school.code, exc_info=error)
        return CRASHED


def _bring(engine: Engine, hub: HubClient, school: School, clock: Clock, guard: Guard | None) -> Result:
    today = local_date(clock())
    with reading(engine) as db:
        if not db.get_one(SchoolRow, school.id).basispoort_on:
            return NOT_TICKED
        picture, sent = read_picture(db, school.id), read_sent(db, school.id)
        domains = read_announced(db, school.id)
    roster = roster_of(picture, today)
    if not is_sendable(roster):
        return EMPTY
    standing = hub.fetch_standing(school.code)
    if not standing.is_on:
        # an announcement can have been lost with a restored backup; saying it again is harmless
        announce_tick(engine, hub, school.id)
        standing = hub.fetch_standing(school.code)
        if not standing.is_on:
            return waiting(standing)
    sending = decide_sending(roster, standing.fingerprint, sent)
    if sent is None or sent[0] != sending.target:
        with writing(engine) as db:
            lock_school(db, school.id)
            if guard is not None:
                guard(db)
            remember_sent(db, school.id, roster, clock())
    leavers = leavers_of(picture, today)
    if sending.how is How.NOTHING:
        announce_tick(engine, hub, school.id)  # a sign of life: the hub tells the coordinator when we fall silent
        return EQUAL
    if domains:
        announce_tick(engine, hub, school.id)  # before the addresses themselves, or they would be held
    if sending.delta is None:
        receipt = hub.send_roster(school.code, roster, sending.target, leavers, standing.token)
        return received(Outcome.WHOLE, receipt, roster)
    receipt = hub.send_delta(school.code, sending.delta, leavers, standing.token)
    return EQUAL if sending.delta.is_empty else received(Outcome.DELTA, receipt, roster)


def announce_tick(engine: Engine, hub: HubClient, school_id: int) -> None:
    """Tell the hub how the tick stands at this moment, and which domains change. Repeating it is harmless."""
    with reading(engine) as db:
        school = db.get(SchoolRow, school_id)
        if school is None:
            return
        code, ticked, domains = school.code, school.basispoort_on, read_announced(db, school_id)
    hub.send_announcement(code, ticked, domains)


# --- the night --------------------------------------------------------------------------------------------------------


def run_tonight(engine: Engine, hub: HubClient, holder: str, report_to: str = "", clock: Clock = now) -> None:
    """One tick of the clock.

    1. Claim tonight, or see that it is finished or somebody else's.
    2. Do every school whose turn it is; record each in a transaction that proves the claim is still ours.
    3. When no school is left, tonight is finished.

    `report_to` gets the mail about a school none of whose administrators has an address.
    """
    with writing(engine) as db:
        claim = claim_tonight(db, NightRow, clock(), holder)
    if claim is None:
        return
    try:
        for school, attempt in _read_due(engine, claim.night, clock()):
            _do_school(engine, hub, school, attempt, claim, report_to, clock)
        with writing(engine) as db:
            assert_held(db, NightRow, claim, clock())
            if not _read_waiting(db, claim.night):
                finish(db, NightRow, claim, clock())
                log.info("night_finished", night=str(claim.night), fence=claim.fence)
    except LeaseLost:
        log.warning("lease_lost", night=str(claim.night), fence=claim.fence)


def _do_school(
    engine: Engine, hub: HubClient, school: School, attempt: int, claim: Claim, report_to: str, clock: Clock
) -> None:
    def guard(db: Session) -> None:
        assert_held(db, NightRow, claim, clock())

    started_at = clock()
    result = synchronise(engine, hub, school, clock, guard)
    ended_at = clock()
    again_at = next_attempt(ended_at, attempt, local_time(claim.night, MORNING)) if result.failed else None
    with writing(engine) as db:
        lock_school(db, school.id)
        guard(db)
        run_id = save_run(
            db,
            school.id,
            result,
            started_at,
            ended_at,
            night=claim.night,
            attempt=attempt,
            next_attempt_at=again_at,
        )
        if result.failed and again_at is None:
            _queue_reports(db, school.id, run_id, report_to, ended_at)
    log.info("school_done", school=school.code, night=str(claim.night), attempt=attempt, answer=result.outcome)


def _read_waiting(db: Session, night: date) -> list[tuple[School, RunRow | None]]:
    """Connected schools that are not done for this night, with their last attempt."""
    last = read_last_attempts(db, night)
    schools = db.scalars(
        select(SchoolRow)
        .where(SchoolRow.basispoort_on, or_(SchoolRow.paused_until.is_(None), SchoolRow.paused_until <= night))
        .order_by(SchoolRow.id)
    )
    found = [(School(row.id, row.code, row.basispoort_on), last.get(row.id)) for row in schools]
    return [(school, run) for school, run in found if run is None or run.next_attempt_at is not None]


def _read_due(engine: Engine, night: date, at: datetime) -> list[tuple[School, int]]:
    """Schools whose turn it is now, with the number of the attempt."""
    with reading(engine) as db:
        return [
            (school, 1 if run is None else run.attempt + 1)
            for school, run in _read_waiting(db, night)
            if run is None or (run.next_attempt_at is not None and run.next_attempt_at <= at)
        ]


def _queue_reports(db: Session, school_id: int, run_id: int, report_to: str, at: datetime) -> None:
    """A mail to every administrator of the school whose user name is an address; else to the operator's address."""
    administrators = db.execute(
        select(AdministratorRow.id, AdministratorRow.user_name)
        .join(AdministratorSchoolRow, AdministratorSchoolRow.administrator_id == AdministratorRow.id)
        .where(AdministratorSchoolRow.school_id == school_id)
        .order_by(AdministratorRow.id)
    ).all()
    with_address = [row.id for row in administrators if "@" in row.user_name]
    if not with_address and report_to:
        save_message(db, OutboxRow, NIGHT_FAILED, {"run": run_id, "administrator": None}, at)
    for administrator_id in with_address:
        save_message(db, OutboxRow, NIGHT_FAILED, {"run": run_id, "administrator": administrator_id}, at)


# --- at once, and what would be sent ----------------------------------------------------------------------------------


def run_asked(engine: Engine, hub: HubClient, school: School, clock: Clock = now) -> tuple[int, Result]:
    """The same unit at once, because somebody asks; tonight's claim stays as it is. Returns id and result of the run.

    Raises TooManyAttempts when it was asked too often.
    """
    with writing(engine) as db:
        lock_school(db, school.id)
        run_id = save_asked_run(db, school.id, clock())
    result = synchronise(engine, hub, school, clock)
    with writing(engine) as db:
        lock_school(db, school.id)
        save_result(db, run_id, result, clock())
    return run_id, result


@dataclass(frozen=True, slots=True)
class Preview:
    """What tonight would send. `entries`: what happens to whom; for everything at once, all who travel."""

    how: How
    sentence: str
    entries: Sequence[tuple[str, Entry]]

    def count(self, kind: Kind) -> int:
        return sum(kind_of(entry) is kind for _, entry in self.entries)


def preview(engine: Engine, hub: HubClient, school: School, clock: Clock = now) -> Preview:
    """A dry run: read, ask the hub, compare; send and write nothing. Raises RemoteProblem and UpstreamProblem."""
    with reading(engine) as db:
        picture, sent = read_picture(db, school.id), read_sent(db, school.id)
    return _preview(picture, sent, hub, school, clock)


def _preview(
    picture: Picture, sent: tuple[str, Roster] | None, hub: HubClient, school: School, clock: Clock
) -> Preview:
    roster = roster_of(picture, local_date(clock()))
    if not is_sendable(roster):
        return Preview(How.NOTHING, EMPTY.said, [])
    standing = hub.fetch_standing(school.code)
    sending = decide_sending(roster, standing.fingerprint, sent)
    is_on = school.basispoort_on and standing.is_on
    until = "" if is_on else " " + say("Er gaat pas iets weg als de koppeling aan beide kanten aan staat.")
    if sending.how in {How.NOTHING, How.CONFIRM}:
        return Preview(How.NOTHING, say("Basispoort heeft al precies deze gegevens.") + until, [])
    if sending.delta is not None and sent is not None:
        entries = [(change.value, entry) for change, entry in changes(sent[1], sending.delta)]
        sentence = say("Vannacht gaan %(n)s wijziging(en) naar Basispoort.", n=len(entries))
        return Preview(How.DELTA, sentence + until, entries)
    entries = [("mee", entry) for entry in roster.entries()]
    return Preview(How.WHOLE, say("Vannacht gaan alle gegevens naar Basispoort.") + until, entries)


def run_now(
    engine: Engine, hub: HubClient, school_code: str | None = None, dry_run: bool = False, clock: Clock = now
) -> list[Report]:
    """`schakel night`: one school, or every connected one, at once. Raises NotFound for an unknown school."""
    with reading(engine) as db:
        statement = select(SchoolRow).order_by(SchoolRow.id)
        if school_code is None:
            statement = statement.where(SchoolRow.basispoort_on)
        else:
            statement = statement.where(SchoolRow.code == school_code)
        schools = [School(row.id, row.code, row.basispoort_on) for row in db.scalars(statement)]
    if school_code is not None and not schools:
        raise NotFound
    return [_report(engine, hub, school, dry_run, clock) for school in schools]


def _report(engine: Engine, hub: HubClient, school: School, dry_run: bool, clock: Clock) -> Report:
    began = clock()
    try:
        if dry_run:
            result = _as_result(preview(engine, hub, school, clock))
        else:
            _, result = run_asked(engine, hub, school, clock)
    except RemoteProblem as refused:
        result = refusal(refused)
    except UpstreamProblem as problem:
        result = broken_road(problem)
    except TooManyAttempts as problem:
        result = Result(Outcome.REFUSED, problem.uitleg)
    took_ms = round((clock() - began).total_seconds() * 1000)
    return Report(school.code, result.outcome, result.sentence, took_ms)


def _as_result(shown: Preview) -> Result:
    outcomes = {How.DELTA: Outcome.DELTA, How.WHOLE: Outcome.WHOLE}
    names = {Kind.PUPIL: "leerling(en)", Kind.STAFF: "personeelsleden", Kind.GROUP: "groep(en)"}
    counted = ", ".join(f"{shown.count(kind)} {name}" for kind, name in names.items() if shown.count(kind))
    return Result(
        outcomes.get(shown.how, Outcome.EQUAL),
        f"{shown.sentence} {f'Het gaat om {counted}.' if counted else ''}".strip(),
    )


def shown_name(entry: Entry) -> str:
    return entry.name if isinstance(entry, Group) else entry.full_name
