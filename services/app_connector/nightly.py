"""For each connected school: ask the hub, and carry out what follows by itself; selective apps wait for a person.

The unit of work is one school. What the hub does not say clearly changes nothing: a refused, empty or broken answer
never means that people left.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from services.app_connector.app_accounts import read_accounts, read_app_account, read_app_accounts
from services.app_connector.carry_out import NIGHTLY, carry_out, erase_due, save_plan
from services.app_connector.holds import weigh_removals, weigh_swaps
from services.app_connector.hub_client import HubClient, coordinators
from services.app_connector.rosters import read_roster, refresh_roster
from services.app_connector.rules.people import Accounts, HubRoster, Mode
from services.app_connector.rules.plan import Held, build, names_another_person
from services.app_connector.rules.steps import Action, Plan, Subject, canonical, from_canonical, without_names
from services.app_connector.rules.wizard import Draft, start
from services.app_connector.tables import (
    AppAccountRow,
    ConnectionRow,
    DraftRow,
    HubRosterRow,
    NightRow,
    OutboxRow,
    PlanRow,
    SyncRow,
)
from shared.clock import local_date, local_time
from shared.database import reading, writing
from shared.logs import log
from shared.night import Claim, LeaseLost, assert_held, claim_tonight, finish
from shared.outbox import save_message
from shared.problems import Problem

MORNING = 7  # o'clock in Amsterdam: until then the hub is asked again
EVERY = timedelta(minutes=5)
LEASE = timedelta(minutes=12)
HOLD_MAIL = "vastgehouden"
NAMES_KEPT = timedelta(days=30)
RUNS_KEPT = timedelta(days=396)  # 13 months

DONE, EQUAL, WAITS, PAUSED, NOT_SET_UP, FAILED = (
    "gesynchroniseerd",
    "niets gewijzigd",
    "wacht op de coördinator",
    "gepauzeerd",
    "niet ingesteld",
    "mislukt",
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a night did for one app of one school; `app` None when the school itself could not be asked."""

    school_id: int
    app: str | None
    outcome: str
    error: str | None = None
    counts: dict[str, Any] | None = None


def tick(engine: Engine, hub: HubClient, now: datetime, holder: str) -> list[Result]:
    """One look at the night: ask for all schools between 00:00 and 07:00, or once later when that was missed."""
    with writing(engine) as db:
        claim = claim_tonight(db, NightRow, now, holder, LEASE)
    if claim is None:
        return []
    results: list[Result] = []
    try:
        for school_id in _connected(engine):
            with writing(engine) as db:
                assert_held(db, NightRow, claim, now, LEASE)
            results += run_school(engine, hub, school_id, now, night=claim.night)
        if now >= local_time(claim.night, MORNING):
            _close(engine, claim, now)
    except LeaseLost:
        log.warning("lease_lost", night=claim.night.isoformat(), fence=claim.fence)
    return results


def _close(engine: Engine, claim: Claim, now: datetime) -> None:
    with writing(engine) as db:
        finish(db, NightRow, claim, now)


def _connected(engine: Engine) -> list[int]:
    with reading(engine) as db:
        return list(db.scalars(select(ConnectionRow.school_id).order_by(ConnectionRow.school_id)))


def run_all(engine: Engine, hub: HubClient, now: datetime, school_id: int | None = None) -> list[Result]:
    """The same work at once, for one school or all; leaves tonight's claim alone."""
    schools = _connected(engine) if school_id is None else [school_id]
    return [result for each in schools for result in run_school(engine, hub, each, now, night=None)]


def run_school(engine: Engine, hub: HubClient, school_id: int, now: datetime, night: date | None) -> list[Result]:
    """One school: ask the hub, then each app by itself. Never raises but for LeaseLost; one school stops no other."""
    try:
        refresh_roster(engine, hub, school_id)
    except Problem as problem:
        log.warning("hub_not_asked", school=school_id, problem=problem.slug)
        return [Result(school_id, None, FAILED, problem.slug)]
    except Exception as error:  # one school's trouble, whatever it is, must not stop the next school
        log.error("school_failed", school=school_id, exc_info=error)
        return [Result(school_id, None, FAILED, "server-fault")]
    with reading(engine) as db:
        apps = [account.app for account in read_app_accounts(db, school_id)]
    return [_run_app_safely(engine, school_id, app, now, night) for app in apps]


def _run_app_safely(engine: Engine, school_id: int, app: str, now: datetime, night: date | None) -> Result:
    try:
        with writing(engine) as db:
            return _run_app(db, read_app_account(db, school_id, app, lock=True), now, night)
    except Problem as problem:
        log.warning("app_not_synchronised", school=school_id, problem=problem.slug)
        return Result(school_id, app, FAILED, problem.slug)
    except Exception as error:  # as above
        log.error("app_failed", school=school_id, exc_info=error)
        return Result(school_id, app, FAILED, "server-fault")


def _run_app(db: Session, account: AppAccountRow, now: datetime, night: date | None) -> Result:
    """One app, under its lock.

    1. Nothing to do for an app that is not set up, paused, selective, or already at this roster tonight.
    2. Build the same plan as the wizard does, from the saved choice.
    3. The brake: a wave of removals is held, and the coordinators hear of it; everything else flows.
    4. Carry out the plan that is left.
    """

    def result(outcome: str, counts: dict[str, Any] | None = None) -> Result:
        return Result(account.school_id, account.app, outcome, None, counts)

    if account.mode is None:
        return result(NOT_SET_UP)
    if account.paused:
        return result(PAUSED)
    if account.mode != Mode.EVERYTHING:
        return result(WAITS)
    etag = db.scalar(select(HubRosterRow.etag).where(HubRosterRow.school_id == account.school_id))
    if night is not None and account.night == night and account.night_etag == etag:
        return result(EQUAL)
    roster, accounts = read_roster(db, account.school_id), read_accounts(db, account)
    draft = start(accounts, roster, Mode.EVERYTHING)
    plan, newly_held = _build_with_brake(db, account, roster, accounts, draft, now)
    if newly_held:
        _queue_hold_mails(db, account, roster, now)
    account.night, account.night_etag = night or account.night, etag
    account.waiting = len(plan.waiting)
    if plan.changes_nothing:
        return result(EQUAL)
    version = db.scalar(select(DraftRow.version).where(DraftRow.account_id == account.id)) or 0
    run = carry_out(db, account, save_plan(db, account, plan, version, now), NIGHTLY, None, now)
    return result(DONE, run.counts)


def _build_with_brake(
    db: Session, account: AppAccountRow, roster: HubRoster, accounts: Accounts, draft: Draft, now: datetime
) -> tuple[Plan, bool]:
    today = local_date(now)
    wanted = build(roster, accounts, draft, today, newcomers_wait=True)
    held: dict[Subject, frozenset[int]] = {}
    newly_held = False
    for subject in (Subject.PUPIL, Subject.TEACHER):
        leaving = {step.account for step in wanted.of(subject, Action.REMOVED) if step.account is not None}
        swapped = {
            step.account
            for step in wanted.of(subject, Action.CHANGES)
            if step.account is not None and names_another_person(step)
        }
        removals = weigh_removals(db, account, subject, leaving, now)
        swaps = weigh_swaps(db, account, subject, swapped, now)
        held[subject] = removals.held | swaps.held
        newly_held = newly_held or bool(removals.new or swaps.new)
    if not any(held.values()):
        return wanted, newly_held
    people = Held(held[Subject.PUPIL], held[Subject.TEACHER])
    return build(roster, accounts, draft, today, held=people, newcomers_wait=True), newly_held


def _queue_hold_mails(db: Session, account: AppAccountRow, roster: HubRoster, now: datetime) -> None:
    for member in coordinators(roster):
        body = {"school": account.school_id, "app": account.app, "person": member.id}
        save_message(db, OutboxRow, HOLD_MAIL, body, now)


def keep_house(engine: Engine, now: datetime) -> None:
    """Once a day: erase who was removed 30 days ago, and forget old plans and runs."""
    today = local_date(now)
    with reading(engine) as db:
        accounts = [(row.school_id, row.app) for row in db.scalars(select(AppAccountRow))]
    for school_id, app in accounts:
        with writing(engine) as db:
            account = read_app_account(db, school_id, app, lock=True)
            erase_due(db, account, today)
            _forget_plans(db, account, now)


def _forget_plans(db: Session, account: AppAccountRow, now: datetime) -> None:
    """Of an old plan only numbers and actions are left, after 13 months nothing; what was never carried out goes."""
    own = PlanRow.account_id == account.id
    db.execute(delete(PlanRow).where(own, PlanRow.carried_out_at.is_(None), PlanRow.made_at < now - NAMES_KEPT))
    named = select(PlanRow).where(own, PlanRow.made_at < now - NAMES_KEPT, PlanRow.forgotten_at.is_(None))
    for row in db.scalars(named):
        row.steps, row.forgotten_at = canonical(without_names(from_canonical(row.steps))), now
    db.flush()
    db.execute(delete(SyncRow).where(SyncRow.account_id == account.id, SyncRow.done_at < now - RUNS_KEPT))
    runs = select(SyncRow.plan_id).where(SyncRow.account_id == account.id)
    db.execute(delete(PlanRow).where(own, PlanRow.carried_out_at < now - RUNS_KEPT, PlanRow.id.not_in(runs)))
