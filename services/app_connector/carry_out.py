"""Carries out a stored plan on the rows of an app, in the transaction that the caller opened and locked."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from services.app_connector.rules.people import Mode
from services.app_connector.rules.steps import Action, Plan, Planned, Subject, Values, canonical, from_canonical
from services.app_connector.tables import (
    AppAccountRow,
    AppGroupRow,
    AppPupilRow,
    AppTeacherRow,
    DraftRow,
    PlanRow,
    SyncRow,
)
from shared.clock import local_date

KEPT_FOR = timedelta(days=30)

CONFIRMED, NIGHTLY, UNDONE = "bevestigd", "nacht", "teruggedraaid"

Columns = Callable[[Values], dict[str, Any]]  # values of a step -> columns of a row

_PUPIL_FIELDS = ("first_name", "prefix", "last_name", "year", "eck_id", "las_key", "basispoort_id", "origin")
_TEACHER_FIELDS = ("first_name", "prefix", "last_name", "email", "is_admin", "groups", "basispoort_id", "origin")


def save_plan(db: Session, account: AppAccountRow, plan: Plan, version: int, now: datetime) -> PlanRow:
    """The plan as a row; the same plan for the same draft is one row."""
    fingerprint = plan.fingerprint
    row = read_plan(db, account.id, version, fingerprint)
    if row is None:
        row = PlanRow(
            account_id=account.id, draft_version=version, fingerprint=fingerprint, steps=canonical(plan), made_at=now
        )
        db.add(row)
        db.flush()
    return row


def read_plan(db: Session, account_id: int, version: int, fingerprint: str) -> PlanRow | None:
    return db.scalar(
        select(PlanRow).where(
            PlanRow.account_id == account_id, PlanRow.draft_version == version, PlanRow.fingerprint == fingerprint
        )
    )


def carry_out(
    db: Session, account: AppAccountRow, row: PlanRow, kind: str, user_id: int | None, now: datetime
) -> SyncRow:
    """Do exactly what the stored plan says.

    1. Record the run.
    2. Remove who goes, so that nobody is in the app twice meanwhile.
    3. Create and change groups, then pupils and teachers.
    4. Save the mode and end the draft.
    """
    plan = from_canonical(row.steps)
    run = SyncRow(
        account_id=account.id,
        plan_id=row.id,
        kind=kind,
        user_id=user_id,
        done_at=now,
        counts=count_steps(plan),
        mode_before=account.mode,
    )
    db.add(run)
    db.flush()
    erase_on = local_date(now) + KEPT_FOR
    _remove_people(db, AppPupilRow, plan.of(Subject.PUPIL, Action.REMOVED), run, erase_on)
    _remove_people(db, AppTeacherRow, plan.of(Subject.TEACHER, Action.REMOVED), run, erase_on)
    _save_groups(db, account.id, plan)
    _save_people(db, AppPupilRow, plan.of(Subject.PUPIL), _pupil_columns(db, account.id), account.id, now)
    _save_people(db, AppTeacherRow, plan.of(Subject.TEACHER), _teacher_columns, account.id, now)
    # groups go last: the pupils who were in them have moved by now
    _remove_groups(db, plan.of(Subject.GROUP, Action.REMOVED), now, erase_on)
    account.mode = plan.mode.value
    account.synced_at = now
    account.waiting = len(plan.waiting)
    row.carried_out_at = now
    draft = db.get(DraftRow, account.id) or DraftRow(account_id=account.id, version=row.draft_version, body=None)
    draft.version, draft.saved_at = draft.version + 1, now
    if kind != NIGHTLY:
        draft.body = None
    db.add(draft)
    db.flush()
    return run


def count_steps(plan: Plan) -> dict[str, Any]:
    """Numbers of a plan, per kind of person."""
    return {
        subject.value: {action.value: len(plan.of(subject, action)) for action in Action}
        for subject in (Subject.PUPIL, Subject.TEACHER)
    } | {"wachtend": len(plan.waiting), "wijze": Mode(plan.mode).value}


def _remove_people(db: Session, rows: type[Any], steps: Iterable[Planned], run: SyncRow, erase_on: date) -> None:
    _update(db, rows, [
        {"id": step.account, "removed_at": run.done_at, "removed_by": run.id, "erase_on": erase_on} for step in steps
    ])  # fmt: skip


def _remove_groups(db: Session, steps: Iterable[Planned], now: datetime, erase_on: date) -> None:
    _update(db, AppGroupRow, [{"id": step.account, "removed_at": now, "erase_on": erase_on} for step in steps])


_BACK = {"removed_at": None, "erase_on": None}


def _save_groups(db: Session, account_id: int, plan: Plan) -> None:
    changed = [step for step in plan.of(Subject.GROUP, Action.CHANGES, Action.NEW) if step.account is not None]
    new = plan.of(Subject.GROUP, Action.NEW)
    _update(db, AppGroupRow, [{"id": step.account, **_BACK, **step.after} for step in changed])
    _insert(db, AppGroupRow, [{"account_id": account_id, **step.after} for step in new if step.account is None])


def _pupil_columns(db: Session, account_id: int) -> Columns:
    """The columns of a pupil's step, with the group looked up among those that are there now."""
    living = db.execute(
        select(AppGroupRow.id, AppGroupRow.name, AppGroupRow.key)
        .where(AppGroupRow.account_id == account_id, AppGroupRow.removed_at.is_(None))
        .order_by(AppGroupRow.id)
    ).all()
    by_key = {row.key: row.id for row in living if row.key is not None}
    by_name = {row.name: row.id for row in living if row.key is None}

    def columns(after: Values) -> dict[str, Any]:
        key = after["group_key"]
        group = by_key.get(key) if key is not None else by_name.get(after["group"])
        return {**{name: after[name] for name in _PUPIL_FIELDS}, "group_id": group}

    return columns


def _teacher_columns(after: Values) -> dict[str, Any]:
    return {name: after[name] for name in _TEACHER_FIELDS}


def _save_people(
    db: Session, rows: type[Any], steps: list[Planned], columns: Columns, account_id: int, now: datetime
) -> None:
    changed = [step for step in steps if step.action is Action.CHANGES]
    back = [step for step in steps if step.action is Action.NEW and step.account is not None]
    new = [step for step in steps if step.action is Action.NEW and step.account is None]
    # two pupils may exchange their hub numbers: let all of them go before any is given
    free = [step for step in changed if step.before["basispoort_id"] != step.after["basispoort_id"]]
    _update(db, rows, [{"id": step.account, "basispoort_id": None} for step in free])
    _update(db, rows, [{"id": step.account, **columns(step.after)} for step in changed])
    _update(db, rows, [{"id": step.account, **_BACK, "removed_by": None, **columns(step.after)} for step in back])
    _insert(db, rows, [{"account_id": account_id, "created_at": now, **columns(step.after)} for step in new])


def _update(db: Session, rows: type[Any], values: list[dict[str, Any]]) -> None:
    if values:
        db.execute(update(rows), values)


def _insert(db: Session, rows: type[Any], values: list[dict[str, Any]]) -> None:
    if values:
        db.execute(insert(rows), values)


def erase_due(db: Session, account: AppAccountRow, today: date) -> int:
    """Erase who was removed long enough ago, with all work; the caller holds the app's lock."""
    erased = 0
    tables: tuple[Any, ...] = (AppPupilRow, AppTeacherRow)
    for rows in tables:
        due = db.execute(
            delete(rows).where(rows.account_id == account.id, rows.erase_on <= today).returning(rows.id)
        ).all()
        erased += len(due)
    used = select(AppPupilRow.group_id).where(AppPupilRow.account_id == account.id, AppPupilRow.group_id.is_not(None))
    db.execute(
        delete(AppGroupRow).where(
            AppGroupRow.account_id == account.id, AppGroupRow.erase_on <= today, AppGroupRow.id.not_in(used)
        )
    )
    return erased
