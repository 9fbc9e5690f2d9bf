"""What a synchronisation will keep, change, create and remove.

Laws, kept by property tests: a linked pupil is never removed by the same plan; the last administrator of an account is
never removed; a plan carried out gives exactly the values that it shows; building again from there changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from services.app_connector.rules.pairing import fold_group
from services.app_connector.rules.people import (
    Accounts,
    AppGroup,
    AppPupil,
    AppTeacher,
    HubPupil,
    HubRoster,
    HubTeacher,
    Mode,
    Origin,
)
from services.app_connector.rules.steps import Action, Note, Plan, Planned, Subject, Values, order
from services.app_connector.rules.wizard import Draft, current_pairs
from shared.brake import is_swap
from shared.roster import Pupil


@dataclass(frozen=True, slots=True)
class Held:
    """App pupils and teachers whom this run leaves as they are, whatever the roster says."""

    pupils: frozenset[int] = frozenset()
    teachers: frozenset[int] = frozenset()


def build(
    roster: HubRoster,
    accounts: Accounts,
    draft: Draft,
    today: date,
    *,
    held: Held = Held(),
    newcomers_wait: bool = False,
) -> Plan:
    """The plan that makes the app what the draft says, from the hub's roster.

    `newcomers_wait`: with too few seats newcomers wait (a night); otherwise `seats_short` tells (a person decides).
    """
    pupils, waiting = _plan_pupils(roster, accounts, draft, held, newcomers_wait=newcomers_wait)
    teachers, teachers_waiting = _plan_teachers(roster, accounts, draft, today, held, newcomers_wait=newcomers_wait)
    groups = _plan_groups(roster, accounts, pupils, teachers)
    steps = sorted([*groups, *pupils, *teachers], key=order)
    return Plan(draft.mode, tuple(steps), tuple(sorted(waiting + teachers_waiting)))


# --- pupils -----------------------------------------------------------------------------------------------------------


def chosen_pupils(roster: HubRoster, accounts: Accounts, draft: Draft) -> frozenset[int]:
    """Hub numbers of the pupils who go along: everybody, or the pairs and those chosen besides them."""
    if draft.mode is Mode.EVERYTHING:
        return frozenset(roster.pupils)
    paired = {match.hub for match in current_pairs(draft, accounts, roster)}
    return frozenset(paired | (draft.pupils & roster.pupils.keys()))


def _plan_pupils(
    roster: HubRoster, accounts: Accounts, draft: Draft, held: Held, *, newcomers_wait: bool
) -> tuple[list[Planned], list[int]]:
    app_of = {match.hub: match.app for match in current_pairs(draft, accounts, roster)}
    linked = set(app_of.values())
    steps: list[Planned] = []
    for pupil in accounts.pupils.values():
        if pupil.id in held.pupils:
            steps.append(_held(Subject.PUPIL, pupil.id, pupil.basispoort_id, pupil_values(pupil, accounts)))
        elif pupil.id not in linked:
            steps.append(_removed(Subject.PUPIL, pupil.id, pupil.basispoort_id, pupil_values(pupil, accounts)))
    taken = {accounts.pupils[each].basispoort_id for each in held.pupils if each in accounts.pupils}
    newcomers: list[Planned] = []
    for hub_id in chosen_pupils(roster, accounts, draft) - taken:
        source = roster.pupils[hub_id]
        if hub_id in app_of:
            if app_of[hub_id] not in held.pupils:
                app = accounts.pupils[app_of[hub_id]]
                steps.append(
                    _kept(Subject.PUPIL, app.id, hub_id, pupil_values(app, accounts), _pupil_then(source, app))
                )
        else:
            gone = accounts.gone_pupils.get(hub_id)
            newcomers.append(_new(Subject.PUPIL, gone.id if gone else None, hub_id, _pupil_then(source, gone)))
    return _seated(steps, newcomers, accounts.pupil_seats if newcomers_wait else None)


def pupil_values(pupil: AppPupil, accounts: Accounts) -> dict[str, Any]:
    """What the app holds of a pupil, as a step writes it."""
    group = accounts.groups.get(pupil.group) if pupil.group is not None else None
    return {
        **_names(pupil),
        "group": group.name if group else None,
        "group_key": group.key if group else None,
        "year": pupil.year,
        "eck_id": pupil.eck_id,
        "las_key": pupil.las_key,
        "basispoort_id": pupil.basispoort_id,
        "origin": pupil.origin.value,
    }


def _pupil_then(source: HubPupil, app: AppPupil | None) -> dict[str, Any]:
    """What the app will hold; the name of the group is filled in by `_plan_groups`."""
    origin = Origin.CREATED if app is None or app.origin is Origin.CREATED else Origin.PAIRED
    return {
        **_names(source),
        "group": None,
        "group_key": source.group,
        "year": source.year,
        "eck_id": source.eck_id,
        "las_key": source.key,
        "basispoort_id": source.id,
        "origin": origin.value,
    }


# --- teachers ---------------------------------------------------------------------------------------------------------


def chosen_teachers(roster: HubRoster, draft: Draft, today: date) -> frozenset[int]:
    """Hub numbers of the staff who go along: all who belong in an app, or those of them who were chosen."""
    fitting = frozenset(member.id for member in roster.staff.values() if member.goes_along(today))
    return fitting if draft.mode is Mode.EVERYTHING else fitting & draft.teachers


def _plan_teachers(
    roster: HubRoster, accounts: Accounts, draft: Draft, today: date, held: Held, *, newcomers_wait: bool
) -> tuple[list[Planned], list[int]]:
    """Existing teachers are removed, as the manual says, but for those of earlier runs, those with the address of a
    chosen teacher, and the last administrator."""
    chosen = sorted(chosen_teachers(roster, draft, today))
    app_of = _teachers_by_source(chosen, roster, accounts, held)
    used = set(app_of.values())
    addresses = {_address(roster.staff[each].email) for each in chosen} - {None}
    steps: list[Planned] = []
    leaving: list[AppTeacher] = []
    for teacher in accounts.teachers.values():
        now = teacher_values(teacher)
        if teacher.id in held.teachers:
            steps.append(_held(Subject.TEACHER, teacher.id, teacher.basispoort_id, now))
        elif teacher.id in used:
            continue
        elif _address(teacher.email) in addresses:  # a second account with that address: it stays too
            steps.append(_kept(Subject.TEACHER, teacher.id, None, now, now, Note.SAME_ADDRESS))
        else:
            leaving.append(teacher)
    newcomers: list[Planned] = []
    for hub_id in chosen:
        source = roster.staff[hub_id]
        if hub_id in app_of:
            app = accounts.teachers[app_of[hub_id]]
            if app.id in held.teachers:
                continue
            note = Note.SAME_ADDRESS if app.basispoort_id is None else None
            then = _teacher_then(source, app)
            steps.append(_kept(Subject.TEACHER, app.id, hub_id, teacher_values(app), then, note))
        else:
            gone = accounts.gone_teachers.get(hub_id)
            newcomers.append(_new(Subject.TEACHER, gone.id if gone else None, hub_id, _teacher_then(source, gone)))
    spared = _last_admin(accounts, {teacher.id for teacher in leaving})
    for teacher in leaving:
        now = teacher_values(teacher)
        if teacher.id == spared:
            local = {**now, "basispoort_id": None, "groups": [], "origin": Origin.LOCAL.value}
            steps.append(_kept(Subject.TEACHER, teacher.id, None, now, local, Note.LAST_ADMIN))
        else:
            steps.append(_removed(Subject.TEACHER, teacher.id, teacher.basispoort_id, now))
    return _seated(steps, newcomers, accounts.teacher_seats if newcomers_wait else None)


def _teachers_by_source(chosen: Iterable[int], roster: HubRoster, accounts: Accounts, held: Held) -> dict[int, int]:
    """Chosen hub number -> app teacher: the one of an earlier run, else the one with the same address, administrators
    and older accounts first."""
    by_source: dict[int, int] = {}
    by_address: dict[str, list[AppTeacher]] = {}
    for teacher in sorted(accounts.teachers.values(), key=lambda each: (not each.is_admin, each.id)):
        if teacher.basispoort_id is not None:
            by_source.setdefault(teacher.basispoort_id, teacher.id)
        address = _address(teacher.email)
        if address is not None and teacher.basispoort_id is None and teacher.id not in held.teachers:
            by_address.setdefault(address, []).append(teacher)
    found = {hub_id: by_source[hub_id] for hub_id in chosen if hub_id in by_source}
    for hub_id in chosen:
        address = _address(roster.staff[hub_id].email)
        if hub_id not in found and address is not None and by_address.get(address):
            found[hub_id] = by_address[address].pop(0).id
    return found


def _address(email: str | None) -> str | None:
    return email.strip().casefold() if email and email.strip() else None


def _last_admin(accounts: Accounts, leaving: set[int]) -> int | None:
    """The administrator who must stay although nobody chose that person: the account's own one, else the oldest."""
    admins = [teacher for teacher in accounts.teachers.values() if teacher.is_admin]
    if not admins or any(teacher.id not in leaving for teacher in admins):
        return None
    own = _address(accounts.admin_user)
    return min(admins, key=lambda teacher: (_address(teacher.email) != own, teacher.id)).id


def teacher_values(teacher: AppTeacher) -> dict[str, Any]:
    """What the app holds of a teacher, as a step writes it."""
    return {
        **_names(teacher),
        "email": teacher.email,
        "groups": sorted(teacher.groups),
        "is_admin": teacher.is_admin,
        "basispoort_id": teacher.basispoort_id,
        "origin": teacher.origin.value,
    }


def _teacher_then(source: HubTeacher, app: AppTeacher | None) -> dict[str, Any]:
    origin = Origin.CREATED if app is None or app.origin is Origin.CREATED else Origin.PAIRED
    return {
        **_names(source),
        "email": source.email,
        "groups": sorted(source.groups),
        "is_admin": app is not None and app.is_admin,
        "basispoort_id": source.id,
        "origin": origin.value,
    }


def names_another_person(step: Planned) -> bool:
    """Does a hub number that was known here seem to name somebody else now (shared/brake.py: a swap)?"""
    if step.before["basispoort_id"] is None or step.before["basispoort_id"] != step.after["basispoort_id"]:
        return False
    before, after = (
        Pupil(
            key="",
            first_name=values["first_name"],
            prefix=values["prefix"],
            last_name=values["last_name"],
            eck_id=values.get("eck_id"),
        )
        for values in (step.before, step.after)
    )
    return is_swap(before, after)


# --- groups -----------------------------------------------------------------------------------------------------------


def _plan_groups(
    roster: HubRoster, accounts: Accounts, pupils: list[Planned], teachers: list[Planned]
) -> list[Planned]:
    """The groups that the people of the plan need; also fills in the groups of the people's steps.

    A group of the app becomes the hub's group when it was that before, or when its name says the same (`Groep 5a`).
    """
    wanted = _wanted_groups(roster, [*pupils, *teachers])
    names = {key: roster.groups[key].name for key in wanted}
    app_of = _groups_by_key(wanted, roster, accounts)
    key_of = {group: key for key, group in app_of.items()}
    kept: set[int] = set()  # groups of pupils who are held stay too
    for index, step in enumerate(pupils):
        if step.note is Note.HELD and step.account is not None:
            group = accounts.pupils[step.account].group
            if group in key_of:  # the pupil stays where he is; the group itself may get another name
                pupils[index] = _settled(step, {**step.after, **_in_group(key_of[group], names)})
            elif group is not None:
                kept.add(group)
        elif step.after:
            pupils[index] = _settled(step, {**step.after, **_in_group(step.after["group_key"], names)})
    for index, step in enumerate(teachers):
        if step.after and step.note is not Note.HELD:
            known = [key for key in step.after["groups"] if key in names]
            teachers[index] = _settled(step, {**step.after, "groups": known})
    return _group_steps(accounts, names, app_of, kept)


def _group_steps(
    accounts: Accounts, names: Mapping[str, str], app_of: Mapping[str, int], kept: Collection[int]
) -> list[Planned]:
    steps: list[Planned] = []
    for key in sorted(names):
        then = {"name": names[key], "key": key}
        if key in app_of:
            group_now = accounts.groups[app_of[key]]
            steps.append(_kept(Subject.GROUP, group_now.id, key, group_values(group_now), then))
        else:
            steps.append(_new(Subject.GROUP, None, key, then))
    for each in accounts.groups.values():
        if each.id in kept:
            steps.append(_held(Subject.GROUP, each.id, each.key, group_values(each)))
        elif each.id not in app_of.values():
            steps.append(_removed(Subject.GROUP, each.id, each.key, group_values(each)))
    return steps


def _wanted_groups(roster: HubRoster, steps: Iterable[Planned]) -> set[str]:
    wanted: set[str] = set()
    for step in steps:
        if step.after and step.note is not Note.HELD:
            wanted |= {key for key in step.after.get("groups") or [step.after.get("group_key")] if key in roster.groups}
    return wanted


def _in_group(key: str | None, names: Mapping[str, str]) -> dict[str, Any]:
    return {"group_key": key if key in names else None, "group": names.get(key) if key is not None else None}


def group_values(group: AppGroup) -> dict[str, Any]:
    """What the app holds of a group, as a step writes it."""
    return {"name": group.name, "key": group.key}


def _settled(step: Planned, after: dict[str, Any]) -> Planned:
    """The step with other values, and the action that goes with them."""
    action = step.action
    if action in (Action.STAYS, Action.CHANGES):
        action = Action.STAYS if dict(step.before) == after else Action.CHANGES
    return replace(step, action=action, after=after)


def _groups_by_key(wanted: Collection[str], roster: HubRoster, accounts: Accounts) -> dict[str, int]:
    """Hub group key -> group of the app that becomes it."""
    found = {group.key: group.id for group in accounts.groups.values() if group.key in wanted and group.key is not None}
    free: dict[str, list[int]] = {}
    for group in sorted(accounts.groups.values(), key=lambda each: each.id):
        if group.key is None:
            free.setdefault(fold_group(group.name), []).append(group.id)
    for key in sorted(set(wanted) - found.keys()):
        names = free.get(fold_group(roster.groups[key].name))
        if names:
            found[key] = names.pop(0)
    return found


# --- steps ------------------------------------------------------------------------------------------------------------


def _names(person: HubPupil | HubTeacher | AppPupil | AppTeacher) -> dict[str, Any]:
    return {"first_name": person.first_name, "prefix": person.prefix, "last_name": person.last_name}


def _kept(
    subject: Subject, account: int, source: str | int | None, before: Values, after: Values, note: Note | None = None
) -> Planned:
    action = Action.STAYS if dict(before) == dict(after) else Action.CHANGES
    return Planned(
        subject=subject, action=action, account=account, source=source, before=before, after=after, note=note
    )


def _held(subject: Subject, account: int, source: str | int | None, now: Values) -> Planned:
    return _kept(subject, account, source, now, now, Note.HELD)


def _removed(subject: Subject, account: int, source: str | int | None, before: Values) -> Planned:
    return Planned(subject=subject, action=Action.REMOVED, account=account, source=source, before=before)


def _new(subject: Subject, gone: int | None, source: str | int, after: Values) -> Planned:
    """Somebody who is not in the app; `gone` is the account that the person had and that is not erased yet."""
    note = Note.RETURNS if gone is not None else None
    return Planned(subject=subject, action=Action.NEW, account=gone, source=source, after=after, note=note)


def _seated(steps: list[Planned], newcomers: list[Planned], seats: int | None) -> tuple[list[Planned], list[int]]:
    """The steps with as many newcomers as there are seats; who returns goes first, then the lowest number."""
    newcomers = sorted(newcomers, key=lambda step: (step.account is None, step.source))
    taken = sum(step.action is not Action.REMOVED for step in steps)
    room = len(newcomers) if seats is None else max(0, seats - taken)
    return steps + newcomers[:room], [int(step.source or 0) for step in newcomers[room:]]


def seats_short(plan: Plan, accounts: Accounts) -> tuple[int, int] | None:
    """(seats, people) of the first kind for which the licence has too few seats, if any."""
    for subject, seats in ((Subject.PUPIL, accounts.pupil_seats), (Subject.TEACHER, accounts.teacher_seats)):
        there = len(plan.of(subject)) - len(plan.of(subject, Action.REMOVED))
        if seats is not None and there > seats:
            return seats, there
    return None
