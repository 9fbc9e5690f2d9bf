"""Step 4 and after it: show the plan, confirm it, take a run back."""

from collections.abc import Iterable

from fastapi import APIRouter, Request
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.app_connector.app_accounts import APP_NAMES, read_accounts, read_app_account, read_gone, read_work
from services.app_connector.carry_out import CONFIRMED, UNDONE, carry_out, read_plan, save_plan
from services.app_connector.holds import close_holds
from services.app_connector.rosters import refresh_roster
from services.app_connector.rules.people import Accounts, HubRoster, Mode
from services.app_connector.rules.plan import build, chosen_pupils, seats_short
from services.app_connector.rules.steps import (
    Action,
    Note,
    Plan,
    Planned,
    PlanOutdated,
    Subject,
    Values,
    from_canonical,
)
from services.app_connector.rules.undo import Undo, invert
from services.app_connector.rules.wizard import Draft, TooFewSeats, check_may_review
from services.app_connector.sign_in import AsCoordinator
from services.app_connector.tables import AppAccountRow, DraftRow, PlanRow, SyncRow
from services.app_connector.wire import (
    AppName,
    Change,
    Confirmation,
    PersonPlanned,
    PlanCounts,
    PlanShown,
    RunShown,
)
from services.app_connector.wizard import Desk, DraftOutdated, read_desk
from shared.clock import local_date
from shared.clock import now as present
from shared.database import Db, ReadDb, reading, writing
from shared.problems import NotFound

router = APIRouter(prefix="/api/v1/apps/{app}/koppeling", tags=["synchroniseren"])

FIELDS = {  # of a plan's values -> what the portal calls them
    "first_name": "roepnaam",
    "prefix": "voorvoegsel",
    "last_name": "achternaam",
    "group": "groep",
    "year": "jaargroep",
    "email": "emailadres",
    "groups": "groepen",
    "name": "naam",
    "basispoort_id": "basispoort",
}


@router.get("/controleren")
def show_plan(app: AppName, who: AsCoordinator, db: ReadDb) -> PlanShown:
    """Step 4 on the roster as it was fetched last. Raises WizardOutOfOrder, TooFewSeats."""
    desk = read_desk(db, who.school_id, app)
    return _shown(db, desk, _plan_of(desk))


@router.post("/controleren")
def prepare_plan(app: AppName, who: AsCoordinator, request: Request) -> PlanShown:
    """Step 4 on a fresh roster; the plan is kept, to be carried out exactly when it is confirmed."""
    engine: Engine = request.app.state.engine
    refresh_roster(engine, request.app.state.hub, who.school_id)
    with writing(engine) as db:
        desk = read_desk(db, who.school_id, app, lock=True)
        plan = _plan_of(desk)
        save_plan(db, desk.account, plan, desk.row.version, present())
        return _shown(db, desk, plan)


def _plan_of(desk: Desk) -> Plan:
    draft = check_may_review(desk.draft)
    plan = build(desk.roster, desk.accounts, draft, local_date(present()))
    short = seats_short(plan, desk.accounts)
    if short is not None:
        raise TooFewSeats(plaatsen=short[0], gekozen=short[1])
    return plan


@router.post("/bevestigen")
def confirm(app: AppName, body: Confirmation, who: AsCoordinator, request: Request) -> RunShown:
    """Carry out the plan that was shown, once, however often it is confirmed.

    1. Was it carried out already? Then say so again.
    2. Ask the hub, before anything is locked.
    3. Under the app's lock: build, compare, carry out the stored plan. Raises PlanOutdated when anything moved.
    """
    engine: Engine = request.app.state.engine
    with reading(engine) as db:
        account = read_app_account(db, who.school_id, app)
        done = _read_run(db, account.id, body.version, body.fingerprint)
        if done is not None:
            return _run_shown(done)
    refresh_roster(engine, request.app.state.hub, who.school_id)
    with writing(engine) as db:
        account = read_app_account(db, who.school_id, app, lock=True)
        done = _read_run(db, account.id, body.version, body.fingerprint)
        if done is not None:  # somebody else, or a second click, was first
            return _run_shown(done)
        desk = read_desk(db, who.school_id, app, lock=True)
        if desk.row.version != body.version:
            raise DraftOutdated(versie=desk.row.version)
        plan = _plan_of(desk)
        if plan.fingerprint != body.fingerprint:
            raise PlanOutdated(vingerafdruk=plan.fingerprint)
        row = save_plan(db, desk.account, plan, desk.row.version, present())
        desk.account.paused, desk.account.night_etag = False, None
        close_holds(db, desk.account, present())
        return _run_shown(carry_out(db, desk.account, row, CONFIRMED, who.user_id, present()))


def _read_run(db: Session, account_id: int, version: int, fingerprint: str) -> SyncRow | None:
    row = read_plan(db, account_id, version, fingerprint)
    return db.scalar(select(SyncRow).where(SyncRow.plan_id == row.id)) if row is not None else None


def _run_shown(run: SyncRow) -> RunShown:
    pupils, teachers = (_counts_from(run.counts[subject.value]) for subject in (Subject.PUPIL, Subject.TEACHER))
    return RunShown(
        run=run.id,
        done_at=run.done_at,
        pupil_counts=pupils,
        teacher_counts=teachers,
        sentence=f"De synchronisatie is klaar. {_children(pupils.new)} toegevoegd, {pupils.removed} verwijderd.",
    )


def _children(count: int) -> str:
    return f"{count} {'leerling' if count == 1 else 'leerlingen'}"


def _counts_from(counts: dict[str, int]) -> PlanCounts:
    return PlanCounts(
        stay=counts[Action.STAYS], change=counts[Action.CHANGES], new=counts[Action.NEW], removed=counts[Action.REMOVED]
    )


# --- take back --------------------------------------------------------------------------------------------------------


@router.get("/terugdraaien")
def show_undo(app: AppName, who: AsCoordinator, db: ReadDb) -> PlanShown:
    """What taking back the last run would do. Raises NotFound when there is none to take back."""
    account = read_app_account(db, who.school_id, app)
    _, undo = _read_undo(db, account)
    version = _version(db, account)
    return _as_shown(undo.plan, version, read_work(db, account.id), _undo_sentences(undo), undo)


@router.post("/terugdraaien")
def submit_undo(app: AppName, body: Confirmation, who: AsCoordinator, db: Db) -> RunShown:
    """Take the last run back, by the fingerprint of what was shown. The app is paused, or the night would repeat it."""
    account = read_app_account(db, who.school_id, app, lock=True)
    done = _read_run(db, account.id, body.version, body.fingerprint)
    if done is not None:
        return _run_shown(done)
    last, undo = _read_undo(db, account)
    version = _version(db, account)
    if version != body.version or undo.plan.fingerprint != body.fingerprint:
        raise PlanOutdated(vingerafdruk=undo.plan.fingerprint)
    row = save_plan(db, account, undo.plan, version, present())
    run = carry_out(db, account, row, UNDONE, who.user_id, present())
    account.mode, account.paused = last.mode_before, True
    return _run_shown(run)


def _read_undo(db: Session, account: AppAccountRow) -> tuple[SyncRow, Undo]:
    last = db.scalar(select(SyncRow).where(SyncRow.account_id == account.id).order_by(SyncRow.id.desc()).limit(1))
    plan = db.get(PlanRow, last.plan_id) if last is not None and last.kind != UNDONE else None
    if last is None or plan is None or plan.forgotten_at is not None:
        raise NotFound
    accounts = read_accounts(db, account)
    return last, invert(from_canonical(plan.steps), accounts, read_gone(db, account))


def _version(db: Session, account: AppAccountRow) -> int:
    return db.scalar(select(DraftRow.version).where(DraftRow.account_id == account.id)) or 0


def _undo_sentences(undo: Undo) -> list[str]:
    sentences = [
        "Na het terugdraaien staat deze app op gepauzeerd: ’s nachts gebeurt er niets tot je opnieuw bevestigt."
    ]
    if undo.not_undone:
        sentences.append(
            f"{len(undo.not_undone)} wijzigingen worden niet teruggedraaid: daar is later iets mee gebeurd."
        )
    return sentences


# --- step 4 in words --------------------------------------------------------------------------------------------------


def _shown(db: Session, desk: Desk, plan: Plan) -> PlanShown:
    draft = check_may_review(desk.draft)
    shown = _as_shown(plan, desk.row.version, read_work(db, desk.account.id), _sentences(plan, desk.account.app), None)
    return shown.model_copy(update={"newcomers": newcomers(desk.roster, desk.accounts, draft)})


def newcomers(roster: HubRoster, accounts: Accounts, draft: Draft) -> list[int]:
    """Pupils in Basispoort who do not go along now and could be ticked."""
    return sorted(roster.pupils.keys() - chosen_pupils(roster, accounts, draft))


def _sentences(plan: Plan, app: str) -> list[str]:
    """The manual's own warnings, with their numbers."""
    gone, teachers = len(plan.of(Subject.PUPIL, Action.REMOVED)), len(plan.of(Subject.TEACHER, Action.REMOVED))
    same = sum(step.note is Note.SAME_ADDRESS for step in plan.of(Subject.TEACHER))
    sentences = [
        "Let op: leerlingen die niet (kunnen) worden gekoppeld aan een Basispoort-leerling, worden verwijderd. "
        f"Dat zijn er nu {gone}.",
        f"Alle bestaande docenten worden verwijderd! Dat zijn er nu {teachers}.",
    ]
    if same:
        sentences.append(
            f"Behalve {same} {'docent' if same == 1 else 'docenten'} met hetzelfde e-mailadres als een gekozen docent: "
            "die accounts blijven."
        )
    if any(step.note is Note.LAST_ADMIN for step in plan.of(Subject.TEACHER)):
        sentences.append("De laatste beheerder van het account wordt nooit verwijderd.")
    everybody = plan.mode is Mode.EVERYTHING
    sentences.append(
        f"Nieuwe leerlingen en docenten komen daarna vanzelf in {APP_NAMES[app]}."
        if everybody
        else "Nieuwe leerlingen en docenten komen niet vanzelf mee: daarvoor synchroniseer je zelf opnieuw."
    )
    return sentences


def _as_shown(plan: Plan, version: int, work: dict[int, int], sentences: list[str], undo: Undo | None) -> PlanShown:
    return PlanShown(
        fingerprint=plan.fingerprint,
        version=version,
        mode=plan.mode,
        pupils=[_person(step, work) for step in plan.of(Subject.PUPIL)],
        teachers=[_person(step, {}) for step in plan.of(Subject.TEACHER)],
        groups=[_person(step, {}) for step in plan.of(Subject.GROUP)],
        pupil_counts=_counts(plan, Subject.PUPIL),
        teacher_counts=_counts(plan, Subject.TEACHER),
        newcomers=[],
        sentences=sentences,
        not_undone=[_label(step) for step in undo.not_undone] if undo is not None else [],
    )


def _counts(plan: Plan, subject: Subject) -> PlanCounts:
    stay, change, new, removed = (
        len(plan.of(subject, action)) for action in (Action.STAYS, Action.CHANGES, Action.NEW, Action.REMOVED)
    )
    return PlanCounts(stay=stay, change=change, new=new, removed=removed)


def _person(step: Planned, work: dict[int, int]) -> PersonPlanned:
    values = step.after or step.before
    return PersonPlanned(
        account=step.account,
        basispoort_id=step.source,
        name=_name(values),
        group=values.get("group"),
        action=step.action.value,
        changes=list(_changes(step)),
        note=step.note.value if step.note else None,
        exercises_done=work.get(step.account) if step.account is not None else None,
    )


def _name(values: Values) -> str:
    if "name" in values:
        return str(values["name"])
    return " ".join(str(values[name]) for name in ("first_name", "prefix", "last_name") if values.get(name))


def _label(step: Planned) -> str:
    return f"{step.subject.value}: {_name(step.after or step.before)}"


def _changes(step: Planned) -> Iterable[Change]:
    if step.action is not Action.CHANGES:
        return
    for name, label in FIELDS.items():
        if step.before.get(name) != step.after.get(name):
            yield Change(field=label, old=step.before.get(name), new=step.after.get(name))
