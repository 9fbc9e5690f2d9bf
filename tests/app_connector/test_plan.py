"""The plan: its laws over random schools, and what the manual says about who stays and who goes."""

import dataclasses
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.app_connector.rules.pairing import How, Match
from services.app_connector.rules.people import (
    Accounts,
    AppGroup,
    AppPupil,
    AppTeacher,
    HubGroup,
    HubPupil,
    HubRoster,
    HubTeacher,
    Mode,
    Origin,
)
from services.app_connector.rules.plan import Held, build, seats_short
from services.app_connector.rules.steps import Action, Note, Plan, Subject, canonical, from_canonical
from services.app_connector.rules.undo import invert
from services.app_connector.rules.wizard import Draft, start
from shared.roster import Role

TODAY = date(2026, 11, 22)
NAMES = ["Noor", "Daan", "Mila", "Finn"]
KEYS = ["g5", "g6", "g7"]


def a_hub_pupil(number: int, first: str = "Noor", group: str | None = "g5") -> HubPupil:
    return HubPupil(id=number, first_name=first, last_name=f"Vos{number}", group=group, year="5", key=f"l{number}")


def a_hub_teacher(number: int, email: str | None = None, **more: Any) -> HubTeacher:
    values = {"first_name": "Lia", "last_name": f"Vos{number}", "roles": frozenset({Role.TEACHER}), **more}
    return HubTeacher(id=number, email=email, **values)


def an_app_teacher(number: int, email: str | None = None, **more: Any) -> AppTeacher:
    return AppTeacher(id=number, first_name="Lia", last_name="Oud", email=email, **more)


def roster_of(*people: HubPupil | HubTeacher) -> HubRoster:
    return HubRoster(
        groups={key: HubGroup(key=key, name=f"Groep {key[1]}A", year=key[1]) for key in KEYS},
        pupils={each.id: each for each in people if isinstance(each, HubPupil)},
        staff={each.id: each for each in people if isinstance(each, HubTeacher)},
    )


def accounts_of(*people: AppPupil | AppTeacher, groups: tuple[AppGroup, ...] = (), **more: Any) -> Accounts:
    return Accounts(
        groups={each.id: each for each in groups},
        pupils={each.id: each for each in people if isinstance(each, AppPupil)},
        teachers={each.id: each for each in people if isinstance(each, AppTeacher)},
        **more,
    )


def after(accounts: Accounts, plan: Plan) -> Accounts:
    """The accounts as the plan makes them, by its values alone (the rows do the same in carry_out.py)."""
    groups, pupils, teachers = dict(accounts.groups), dict(accounts.pupils), dict(accounts.teachers)
    gone_pupils, gone_teachers = dict(accounts.gone_pupils), dict(accounts.gone_teachers)
    new = 1_000_000
    for step in plan.of(Subject.GROUP):
        new += 1
        account = step.account or new
        if step.action is Action.REMOVED:
            groups.pop(account)
        else:
            groups[account] = AppGroup(id=account, name=step.after["name"], key=step.after["key"])
    by_key = {each.key: each.id for each in groups.values() if each.key is not None}
    by_name = {each.name: each.id for each in groups.values() if each.key is None}
    for step in plan.of(Subject.PUPIL):
        new += 1
        account = step.account or new
        if step.action is Action.REMOVED:
            gone = pupils.pop(account)
            gone_pupils |= {gone.basispoort_id: gone} if gone.basispoort_id is not None else {}
            continue
        values = {name: step.after[name] for name in ("first_name", "prefix", "last_name", "year", "eck_id", "las_key")}
        key = step.after["group_key"]
        group = by_key.get(key) if key is not None else by_name.get(step.after["group"])
        gone_pupils.pop(step.after["basispoort_id"], None)
        pupils[account] = AppPupil(
            id=account,
            group=group,
            basispoort_id=step.after["basispoort_id"],
            origin=Origin(step.after["origin"]),
            **values,
        )
    for step in plan.of(Subject.TEACHER):
        new += 1
        account = step.account or new
        if step.action is Action.REMOVED:
            left = teachers.pop(account)
            gone_teachers |= {left.basispoort_id: left} if left.basispoort_id is not None else {}
            continue
        gone_teachers.pop(step.after["basispoort_id"], None)
        values = {**step.after, "groups": tuple(step.after["groups"]), "origin": Origin(step.after["origin"])}
        teachers[account] = AppTeacher(id=account, **values)
    return dataclasses.replace(
        accounts,
        groups=groups,
        pupils=pupils,
        teachers=teachers,
        gone_pupils=gone_pupils,
        gone_teachers=gone_teachers,
    )


emails = st.sampled_from([None, "a@x.example", "b@x.example", "C@x.example", "c@x.example", "baas@x.example"])


@st.composite
def schools(draw: st.DrawFn) -> tuple[HubRoster, Accounts, Draft]:
    """A roster, an app with people of every kind, and a draft with pairs, of which some have gone."""
    hub_pupils = [
        a_hub_pupil(100 + each, draw(st.sampled_from(NAMES)), draw(st.sampled_from([*KEYS, None, "gone"])))
        for each in range(draw(st.integers(0, 6)))
    ]
    addresses = draw(st.lists(emails, max_size=4, unique_by=lambda each: each.lower() if each else object()))
    hub_staff = [
        a_hub_teacher(
            200 + each,
            email,
            roles=frozenset(draw(st.sets(st.sampled_from(list(Role)), max_size=2))),
            ends_on=draw(st.sampled_from([None, date(2026, 1, 1), date(2027, 1, 1)])),
            groups=tuple(draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True))),
        )
        for each, email in enumerate(addresses)
    ]
    roster = roster_of(*hub_pupils, *hub_staff)
    groups = tuple(
        AppGroup(id=each + 1, name=name, key=key)
        for each, (name, key) in enumerate(
            draw(st.lists(st.sampled_from([("gr. 5a", None), ("Groep 6A", "g6"), ("Vlinders", None)]), unique=True))
        )
    )
    known = draw(st.lists(st.sampled_from(range(100, 108)), max_size=3, unique=True))
    app_pupils = [
        AppPupil(
            id=each + 1,
            first_name=draw(st.sampled_from(NAMES)),
            last_name="Oud",
            group=draw(st.sampled_from([None, *(group.id for group in groups)])),
            basispoort_id=known[each] if each < len(known) else None,
        )
        for each in range(draw(st.integers(len(known), 6)))
    ]
    staff_known = draw(st.lists(st.sampled_from(range(200, 206)), max_size=2, unique=True))
    app_teachers = [
        an_app_teacher(
            each + 1,
            draw(emails),
            is_admin=draw(st.booleans()),
            basispoort_id=staff_known[each] if each < len(staff_known) else None,
        )
        for each in range(draw(st.integers(len(staff_known), 5)))
    ]
    accounts = accounts_of(*app_pupils, *app_teachers, groups=groups, admin_user="baas@x.example")
    mode = draw(st.sampled_from(list(Mode)))
    draft = start(accounts, roster, mode)
    left = [each.id for each in app_pupils if each.id not in {match.app for match in draft.pairs}]
    free = [each.id for each in hub_pupils if each.id not in {match.hub for match in draft.pairs}]
    more = tuple(Match(app, hub, How.BY_HAND) for app, hub in zip(left, free, strict=False) if draw(st.booleans()))
    gone = (Match(9_999, 8_888, How.BY_HAND),) if draw(st.booleans()) else ()
    chosen = frozenset(each for each in roster.pupils if draw(st.booleans()))
    teachers = frozenset(each for each in roster.staff if draw(st.booleans()))
    return (
        roster,
        accounts,
        dataclasses.replace(draft, pairs=draft.pairs + more + gone, pupils=chosen, teachers=teachers),
    )


@given(schools())
def test_a_linked_pupil_is_never_removed_by_the_same_plan(school: tuple[HubRoster, Accounts, Draft]) -> None:
    roster, accounts, draft = school
    removed = {step.account for step in build(roster, accounts, draft, TODAY).of(Subject.PUPIL, Action.REMOVED)}
    linked = {each.app for each in draft.pairs if each.hub in roster.pupils and each.app in accounts.pupils}
    assert not removed & linked


@given(schools())
def test_the_last_administrator_is_never_removed(school: tuple[HubRoster, Accounts, Draft]) -> None:
    roster, accounts, draft = school
    then = after(accounts, build(roster, accounts, draft, TODAY))
    had = any(each.is_admin for each in accounts.teachers.values())
    assert any(each.is_admin for each in then.teachers.values()) == had


@given(schools())
def test_everybody_is_in_exactly_one_step(school: tuple[HubRoster, Accounts, Draft]) -> None:
    roster, accounts, draft = school
    plan = build(roster, accounts, draft, TODAY)
    kinds: tuple[tuple[Subject, Mapping[int, Any]], ...] = (
        (Subject.GROUP, accounts.groups),
        (Subject.PUPIL, accounts.pupils),
        (Subject.TEACHER, accounts.teachers),
    )
    for subject, people in kinds:
        assert sorted(each.account for each in plan.of(subject) if each.account is not None) == sorted(people)


@given(schools())
def test_carried_out_a_plan_gives_what_it_showed_and_doing_it_again_changes_nothing(
    school: tuple[HubRoster, Accounts, Draft],
) -> None:
    roster, accounts, draft = school
    plan = build(roster, accounts, draft, TODAY)
    then = after(accounts, plan)
    again = start(then, roster, draft.mode)
    again = dataclasses.replace(again, pupils=draft.pupils, teachers=draft.teachers)
    second = build(roster, then, again, TODAY)
    assert second.changes_nothing, [step for step in second.steps if step.action is not Action.STAYS]


@given(schools())
def test_with_everything_all_pupils_are_there_afterwards(school: tuple[HubRoster, Accounts, Draft]) -> None:
    roster, accounts, draft = school
    everything = dataclasses.replace(draft, mode=Mode.EVERYTHING)
    then = after(accounts, build(roster, accounts, everything, TODAY))
    assert {each.basispoort_id for each in then.pupils.values()} == roster.pupils.keys()


@given(schools())
def test_the_order_of_rows_does_not_change_the_fingerprint(school: tuple[HubRoster, Accounts, Draft]) -> None:
    roster, accounts, draft = school
    turned = dataclasses.replace(
        accounts,
        groups=dict(reversed(list(accounts.groups.items()))),
        pupils=dict(reversed(list(accounts.pupils.items()))),
        teachers=dict(reversed(list(accounts.teachers.items()))),
    )
    backwards = HubRoster(
        groups=dict(reversed(list(roster.groups.items()))),
        pupils=dict(reversed(list(roster.pupils.items()))),
        staff=dict(reversed(list(roster.staff.items()))),
    )
    plan = build(roster, accounts, draft, TODAY)
    assert build(backwards, turned, draft, TODAY).fingerprint == plan.fingerprint


@given(schools())
def test_a_plan_is_stored_and_read_back_without_loss(school: tuple[HubRoster, Accounts, Draft]) -> None:
    plan = build(*school, TODAY)
    assert from_canonical(canonical(plan)) == plan


@given(schools(), st.data())
def test_who_is_held_stays_as_he_was(school: tuple[HubRoster, Accounts, Draft], data: st.DataObject) -> None:
    roster, accounts, draft = school
    pupils = data.draw(st.frozensets(st.sampled_from(sorted(accounts.pupils)))) if accounts.pupils else frozenset[int]()
    plan = build(roster, accounts, draft, TODAY, held=Held(pupils=pupils))
    then = after(accounts, plan)
    for each in pupils:
        assert then.pupils[each] == accounts.pupils[each]


@given(schools())
def test_taking_back_gives_the_accounts_of_before(school: tuple[HubRoster, Accounts, Draft]) -> None:
    roster, accounts, draft = school
    plan = build(roster, accounts, draft, TODAY)
    then = after(accounts, plan)
    gone = {(step.subject, step.account) for step in plan.steps if step.action is Action.REMOVED and step.account}
    undo = invert(plan, then, gone)
    assert undo.not_undone == ()
    back = after(then, undo.plan)
    assert (back.groups, back.pupils, back.teachers) == (accounts.groups, accounts.pupils, accounts.teachers)


def test_work_is_no_part_of_a_plan() -> None:
    text = canonical(build(roster_of(a_hub_pupil(1)), accounts_of(), Draft(Mode.EVERYTHING), TODAY))
    assert "exercises" not in text
    assert "worked" not in text


def test_another_value_is_another_fingerprint() -> None:
    plans = [build(roster_of(a_hub_pupil(1, first)), accounts_of(), Draft(Mode.EVERYTHING), TODAY) for first in NAMES]
    assert len({plan.fingerprint for plan in plans}) == len(NAMES)


def test_an_existing_teacher_with_the_address_of_a_chosen_one_stays_and_is_named() -> None:
    accounts = accounts_of(an_app_teacher(1, "LIA@x.example"), an_app_teacher(2, "oud@x.example"))
    roster = roster_of(a_hub_teacher(200, "lia@x.example"))
    plan = build(roster, accounts, Draft(Mode.EVERYTHING), TODAY)
    kept, removed = plan.of(Subject.TEACHER)[1], plan.of(Subject.TEACHER)[0]
    assert (kept.account, kept.note, kept.action) == (1, Note.SAME_ADDRESS, Action.CHANGES)
    assert (removed.account, removed.action) == (2, Action.REMOVED)


@pytest.mark.parametrize("own", [1, 2])
def test_of_several_administrators_the_accounts_own_one_is_spared(own: int) -> None:
    admins = [an_app_teacher(each, f"baas{each}@x.example", is_admin=True) for each in (1, 2)]
    accounts = accounts_of(*admins, admin_user=f"Baas{own}@x.example")
    plan = build(roster_of(), accounts, Draft(Mode.EVERYTHING), TODAY)
    assert [step.account for step in plan.of(Subject.TEACHER, Action.STAYS)] == [own]
    assert [step.note for step in plan.of(Subject.TEACHER, Action.STAYS)] == [Note.LAST_ADMIN]


def test_an_administrator_goes_when_another_one_stays() -> None:
    """The twin of the tests above: only the last one is spared."""
    accounts = accounts_of(
        an_app_teacher(1, "a@x.example", is_admin=True), an_app_teacher(2, "b@x.example", is_admin=True)
    )
    plan = build(roster_of(a_hub_teacher(200, "a@x.example")), accounts, Draft(Mode.EVERYTHING), TODAY)
    assert [step.account for step in plan.of(Subject.TEACHER, Action.REMOVED)] == [2]


def test_a_group_that_says_the_same_is_not_made_again() -> None:
    accounts = accounts_of(groups=(AppGroup(id=1, name="gr. 5a"), AppGroup(id=2, name="Vlinders")))
    plan = build(roster_of(a_hub_pupil(1)), accounts, Draft(Mode.EVERYTHING), TODAY)
    assert {(step.account, step.action) for step in plan.of(Subject.GROUP)} == {
        (1, Action.CHANGES),
        (2, Action.REMOVED),
    }


def test_newcomers_wait_for_a_seat_in_the_night_and_are_counted_short_in_the_wizard() -> None:
    roster, accounts = roster_of(*(a_hub_pupil(each) for each in range(1, 5))), accounts_of(pupil_seats=3)
    wizard = build(roster, accounts, Draft(Mode.EVERYTHING), TODAY)
    assert seats_short(wizard, accounts) == (3, 4)
    night = build(roster, accounts, Draft(Mode.EVERYTHING), TODAY, newcomers_wait=True)
    assert seats_short(night, accounts) is None
    assert night.waiting == (4,)
