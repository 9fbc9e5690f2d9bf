"""Taking a run back: a plan again, the inverse of every step that nothing later touched.

Law: when nothing happened since, carrying out the inverse gives the accounts as they were before the run.
"""

from collections.abc import Collection
from dataclasses import dataclass

from services.app_connector.rules.people import Accounts
from services.app_connector.rules.plan import group_values, pupil_values, teacher_values
from services.app_connector.rules.steps import Action, Note, Plan, Planned, Subject, Values, order


@dataclass(frozen=True, slots=True)
class Undo:
    """The inverse plan, and the steps that stay as they are because something later touched them."""

    plan: Plan
    not_undone: tuple[Planned, ...]


def invert(done: Plan, accounts: Accounts, gone: Collection[tuple[Subject, int]]) -> Undo:
    """The inverse of `done` on the accounts as they are now; `gone`: removed rows that are not erased yet."""
    present = _living(accounts)
    sources = _sources(accounts)
    steps: list[Planned] = []
    left: list[Planned] = []
    for step in done.steps:
        if step.action is Action.STAYS:
            continue
        inverse = _inverse(step, present, sources, gone)
        (left if inverse is None else steps).append(inverse or step)
    steps, crowded = _without_crowded_groups(steps, accounts)
    steps, doubled = _without_doubles(steps, accounts)
    plan = Plan(done.mode, tuple(sorted(steps, key=order)))
    return Undo(plan, tuple(left + crowded + doubled))


_Row = tuple[Subject, int]


def _living(accounts: Accounts) -> dict[_Row, Values]:
    found: dict[_Row, Values] = {}
    found |= {(Subject.GROUP, each.id): group_values(each) for each in accounts.groups.values()}
    found |= {(Subject.PUPIL, each.id): pupil_values(each, accounts) for each in accounts.pupils.values()}
    found |= {(Subject.TEACHER, each.id): teacher_values(each) for each in accounts.teachers.values()}
    return found


def _sources(accounts: Accounts) -> dict[tuple[Subject, str | int], int]:
    """Group key or hub number -> the row that has it now."""
    found: dict[tuple[Subject, str | int], int] = {}
    found |= {(Subject.GROUP, each.key): each.id for each in accounts.groups.values() if each.key is not None}
    for pupil in accounts.pupils.values():
        if pupil.basispoort_id is not None:
            found[Subject.PUPIL, pupil.basispoort_id] = pupil.id
    for teacher in accounts.teachers.values():
        if teacher.basispoort_id is not None:
            found[Subject.TEACHER, teacher.basispoort_id] = teacher.id
    return found


def _inverse(
    step: Planned,
    present: dict[_Row, Values],
    sources: dict[tuple[Subject, str | int], int],
    gone: Collection[_Row],
) -> Planned | None:
    account = step.account
    if step.action is Action.NEW and account is None and step.source is not None:
        account = sources.get((step.subject, step.source))
    if account is None:
        return None
    row = (step.subject, account)
    if step.action is Action.REMOVED:
        if row not in gone:
            return None
        return Planned(
            subject=step.subject,
            action=Action.NEW,
            account=account,
            source=step.source,
            after=step.before,
            note=Note.RETURNS,
        )
    if row not in present or dict(present[row]) != dict(step.after):
        return None
    action = Action.REMOVED if step.action is Action.NEW else Action.CHANGES
    return Planned(
        subject=step.subject,
        action=action,
        account=account,
        source=step.source,
        before=step.after,
        after=step.before if action is Action.CHANGES else {},
    )


def _without_crowded_groups(steps: list[Planned], accounts: Accounts) -> tuple[list[Planned], list[Planned]]:
    """A group can only go when no pupil stays in it."""
    moving = {step.account for step in steps if step.subject is Subject.PUPIL}
    crowded = {pupil.group for pupil in accounts.pupils.values() if pupil.id not in moving}
    stuck = [
        step
        for step in steps
        if step.subject is Subject.GROUP and step.action is Action.REMOVED and step.account in crowded
    ]
    return [step for step in steps if step not in stuck], stuck


def _without_doubles(steps: list[Planned], accounts: Accounts) -> tuple[list[Planned], list[Planned]]:
    """Somebody whose hub number meanwhile belongs to another account in the app stays removed."""
    stuck: list[Planned] = []
    for subject, people in ((Subject.PUPIL, accounts.pupils), (Subject.TEACHER, accounts.teachers)):
        touched = {step.account for step in steps if step.subject is subject}
        taken = {each.basispoort_id for each in people.values() if each.id not in touched} - {None}
        stuck += [
            step for step in steps if step.subject is subject and step.after and step.after["basispoort_id"] in taken
        ]
    return [step for step in steps if step not in stuck], stuck
