"""The import plan: what is shown is what happens, twice is once, nobody leaves unticked, a swap never flows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.eduscope_api.rules.exchange import Picture, PupilRecord, StaffRecord
from services.eduscope_api.rules.import_plan import (
    GroupKindDiffers,
    How,
    Plan,
    Sheet,
    Why,
    build_plan,
    fingerprint_of,
    person_of,
)
from services.eduscope_api.rules.imports import ChoiceNotOffered, Choices, Decision, build_import, offered_exactly
from shared.brake import is_swap
from shared.edexml import EdexmlFile
from shared.roster import Kind, Pupil, Roster
from tests.eduscope_api.import_files import TODAY, FileKeys, a_file, after, fresh_keys, keys_after, taken_over
from tests.factories import a_group, a_pupil, a_staff_member, rosters

LEAVING = date(2026, 12, 1)
Draw = Callable[[st.SearchStrategy[Any]], Any]


def a_picture(*pupils: Pupil) -> Picture:
    return Picture(pupils=tuple(PupilRecord(number, pupil) for number, pupil in enumerate(pupils, start=1)))


def loose(key: str = "p1", **changes: object) -> Pupil:
    """A pupil without a group."""
    return a_pupil(key, **{"home_group": None, **changes})


def plan_of(picture: Picture, *pupils: Pupil) -> Plan:
    return build_plan(picture, a_file(*pupils), TODAY)


# --- the laws ---------------------------------------------------------------------------------------------------------


@st.composite
def a_school_and_a_file(draw: st.DrawFn) -> tuple[Picture, EdexmlFile]:
    """A school, and a file in which some people changed keys, ECK iDs, names, or came to have dummy keys."""
    before, later = draw(rosters(most=4)), draw(rosters(most=3))
    picture = after(Picture(), build_import(Picture(), a_file(*before.entries()), TODAY, fresh_keys()))
    people: list[Pupil] = [*later.pupils.values()]
    for pupil in before.pupils.values():
        free = replace(pupil, home_group=None, composite_groups=frozenset())
        match draw(st.sampled_from(["same", "key", "name", "eck", "dummy", "half-name", "gone", "borrowed"])):
            case "same":
                people.append(free)
            case "key":
                people.append(replace(free, key=f"new {len(people)}"))
            case "name":
                people.append(replace(free, first_name="Quirijn", prefix=None, last_name="Zwartkruis"))
            case "half-name":
                people.append(replace(free, last_name="Zwartkruis"))
            case "eck":
                people.append(replace(free, eck_id=f"eck {len(people)}"))
            case "dummy":
                people.append(replace(free, key=f"#{len(people)}"))
            case "borrowed":  # the ECK iD under another key, and the key with somebody else
                people += [replace(free, key=f"new {len(people)}"), replace(free, first_name="Wim", eck_id=None)]
    unique_keys = {pupil.key: pupil for pupil in people}
    unique: dict[str, Pupil] = {}
    for pupil in unique_keys.values():
        unique.setdefault(pupil.eck_id or f"without {pupil.key}", pupil)
    return picture, a_file(*later.groups.values(), *unique.values(), *later.staff.values())


def _choose(draw: Draw, plan: Plan) -> tuple[Choices, Choices]:
    return _choose_for(draw, plan.pupils), _choose_for(draw, plan.staff)


def _choose_for(draw: Draw, sheet: Sheet[Any]) -> Choices:
    same: dict[int, int] = {}
    new: set[int] = set()
    for offer in sheet.suggestions:
        free = [one.before.id for one in offer.candidates if one.before.id not in same.values()]
        answer = draw(st.sampled_from(["open", "new", *free]))
        if answer == "new":
            new.add(offer.number)
        elif answer != "open":
            same[offer.number] = int(answer)
    swaps = {}
    for swap in sheet.swaps:
        decisions = [None, Decision.OTHER] + ([Decision.SAME] if swap.as_same is not None else [])
        decision = draw(st.sampled_from(decisions))
        if decision is not None:
            swaps[swap.number] = decision
    gone = {record.id for record in sheet.gone} - set(same.values())
    return Choices(frozenset(row_id for row_id in gone if draw(st.booleans())), same, frozenset(new), swaps)


@settings(max_examples=60)
@given(school=a_school_and_a_file(), data=st.data())
def test_taking_over_gives_exactly_what_was_shown_and_twice_is_once(
    school: tuple[Picture, EdexmlFile], data: st.DataObject
) -> None:
    picture, file = school
    try:
        plan = build_plan(picture, file, TODAY)
    except GroupKindDiffers:
        return
    pupils, staff = _choose(data.draw, plan)
    taken = taken_over(plan, pupils, staff, LEAVING)
    done = after(picture, taken)
    for sheet, choices, before, now in (
        (plan.pupils, pupils, picture.pupils, done.pupils),
        (plan.staff, staff, picture.staff, done.staff),
    ):
        shown = {record.id: person_of(record).full_name for record in before}
        shown |= {step.before.id: person_of(step.now).full_name for step in sheet.changed}
        for offer in sheet.suggestions:
            for one in offer.candidates:
                if choices.same.get(offer.number) == one.before.id:
                    shown[one.before.id] = person_of(one.now).full_name
        for swap in sheet.swaps:
            if choices.swaps.get(swap.number) is Decision.SAME and swap.as_same is not None:
                shown[swap.before.id] = person_of(swap.as_same).full_name
        assert {record.id: person_of(record).full_name for record in now if record.id in shown} == shown
        others = [person_of(new.now).full_name for new in sheet.new]
        others += [person_of(offer.as_new).full_name for offer in sheet.suggestions if offer.number in choices.new]
        others += [
            person_of(swap.as_other).full_name
            for swap in sheet.swaps
            if choices.swaps.get(swap.number) is Decision.OTHER
        ]
        assert sorted(person_of(record).full_name for record in now if record.id not in shown) == sorted(others)

    again = build_plan(done, file, TODAY, keys_after(done, taken))
    sheets: tuple[Sheet[Any], ...] = (again.groups, again.pupils, again.staff)
    assert [(sheet.new, sheet.changed) for sheet in sheets] == [((), ())] * 3
    assert {swap.number for swap in again.pupils.swaps} == {
        swap.number for swap in plan.pupils.swaps if swap.number not in pupils.swaps
    }


@settings(max_examples=60)
@given(school=a_school_and_a_file(), data=st.data())
def test_nobody_leaves_unticked_a_swap_never_flows_and_keys_stay(
    school: tuple[Picture, EdexmlFile], data: st.DataObject
) -> None:
    picture, file = school
    try:
        plan = build_plan(picture, file, TODAY)
    except GroupKindDiffers:
        return
    pupils, staff = _choose(data.draw, plan)
    done = after(picture, taken_over(plan, pupils, staff, LEAVING))
    for choices, sheet, before, now in (
        (pupils, plan.pupils, picture.pupils, done.pupils),
        (staff, plan.staff, picture.staff, done.staff),
    ):
        ticked = choices.gone | {
            swap.before.id for swap in sheet.swaps if choices.swaps.get(swap.number) is Decision.OTHER
        }
        decided = {swap.before.id for swap in sheet.swaps if choices.swaps.get(swap.number) is Decision.SAME}
        later = {record.id: record for record in now}
        for record in before:
            new = later[record.id]
            assert person_of(new).key == person_of(record).key
            assert new.left_on == record.left_on or record.id in ticked
            if record.id not in decided and record.id not in choices.same.values():
                assert not is_swap(person_of(record), person_of(new))
        keys = [person_of(record).key for record in now]
        assert len(keys) == len(set(keys))
        assert not any(key.startswith("#") for key in keys)


@settings(max_examples=60)
@given(school=a_school_and_a_file())
def test_without_a_look_at_it_no_swap_flows_nobody_leaves_and_twice_is_once(
    school: tuple[Picture, EdexmlFile],
) -> None:
    picture, file = school
    try:
        taken = build_import(picture, file, TODAY, fresh_keys("een"))
    except GroupKindDiffers:
        return
    done = after(picture, taken)
    later = {record.id: record for record in done.pupils}
    for record in picture.pupils:
        assert later[record.id].left_on is None
        assert not is_swap(record.pupil, later[record.id].pupil)
    known: FileKeys = keys_after(done, taken)
    dummies = any(each.has_dummy_key for each in file.pupils) or any(each.has_dummy_key for each in file.staff)
    assert dummies or build_import(done, file, TODAY, fresh_keys("twee"), known).changes_nothing()


# --- who is whom ------------------------------------------------------------------------------------------------------


def test_an_eck_id_goes_before_the_key() -> None:
    picture = a_picture(loose("p1", eck_id="e1"), loose("p2", first_name="Sem", last_name="Vos"))
    plan = plan_of(picture, loose("p2", eck_id="e1", year="6"))
    assert [(step.before.id, step.how) for step in plan.pupils.changed] == [(1, How.ECK_ID)]
    assert plan.pupils.changed[0].now.pupil.key == "p1"


def test_a_dummy_key_matches_nobody_and_an_equal_name_is_only_a_suggestion() -> None:
    plan = plan_of(a_picture(loose("p1")), loose("#1"))
    assert (plan.pupils.new, plan.pupils.changed) == ((), ())
    assert [(one.before.id, one.score) for one in plan.pupils.suggestions[0].candidates] == [(1, 100)]
    assert taken_over(plan).changes_nothing()
    confirmed = taken_over(plan, Choices(same={1: 1}))
    assert (confirmed.pupils.new, dict(confirmed.file_keys[Kind.PUPIL])) == ((), {})


def test_a_key_that_a_person_recognised_is_recognised_from_then_on() -> None:
    picture = a_picture(loose("p1"))
    file = a_file(loose("x9", first_name="Nora"))
    plan = build_plan(picture, file, TODAY)
    assert plan.pupils.suggestions[0].candidates[0].reasons == ("dezelfde achternaam", "hetzelfde leerjaar")
    taken = taken_over(plan, Choices(same={1: 1}))
    done = after(picture, taken)
    again = build_plan(done, file, TODAY, keys_after(done, taken))
    assert (again.pupils.same, again.pupils.suggestions) == (1, ())
    without = build_plan(done, file, TODAY)  # the twin: what is remembered makes the difference
    assert len(without.pupils.suggestions) == 1


def test_somebody_with_another_eck_id_is_no_candidate() -> None:
    assert plan_of(a_picture(loose("p1", eck_id="e1")), loose("x", eck_id="e2")).pupils.suggestions == ()
    assert plan_of(a_picture(loose("p1")), loose("x", eck_id="e2")).pupils.suggestions != ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"eck_id": "e2"}, Why.ECK_ID),
        ({"eck_id": "e1", "first_name": "Sem", "prefix": None, "last_name": "Vos"}, Why.NAME),
        ({"eck_id": None, "first_name": "Sem", "prefix": None, "last_name": "Vos"}, Why.NAME),
    ],
)
def test_a_swap_is_listed_and_nothing_of_it_flows(changes: dict[str, str | None], why: Why) -> None:
    plan = plan_of(a_picture(loose("p1", eck_id="e1")), loose("p1", **changes))
    assert [(swap.before.id, swap.why) for swap in plan.pupils.swaps] == [(1, why)]
    assert taken_over(plan).changes_nothing()


def test_the_same_person_gets_the_data_and_somebody_else_gets_a_key_of_our_own() -> None:
    picture = a_picture(loose("p1", eck_id="e1"))
    plan = plan_of(picture, loose("p1", eck_id="e2"))
    same = taken_over(plan, Choices(swaps={1: Decision.SAME}))
    assert same.pupils.changed[1].pupil.eck_id == "e2"
    other = taken_over(plan, Choices(swaps={1: Decision.OTHER}), leaving=LEAVING)
    assert other.pupils.changed[1] == replace(picture.pupils[0], left_on=LEAVING)
    assert [record.pupil.key for record in other.pupils.new] == ["eigen-1"]
    assert dict(other.file_keys[Kind.PUPIL]) == {"p1": "eigen-1"}


def test_whose_key_names_somebody_else_does_not_leave_while_the_file_knows_them() -> None:
    picture = a_picture(loose("p1", eck_id="e1"))
    plan = plan_of(picture, loose("p7", eck_id="e1"), loose("p1", first_name="Nora"))
    assert [(swap.number, swap.why, swap.as_same) for swap in plan.pupils.swaps] == [(2, Why.TAKEN, None)]
    done = taken_over(plan, Choices(swaps={2: Decision.OTHER}))
    assert (dict(done.pupils.changed), len(done.pupils.new)) == ({}, 1)
    with pytest.raises(ChoiceNotOffered):
        taken_over(plan, Choices(swaps={2: Decision.SAME}))


def test_gone_is_who_is_active_here_and_not_in_the_file() -> None:
    picture = Picture(
        pupils=(
            PupilRecord(1, loose("p1")),
            PupilRecord(2, loose("p2"), left_on=date(2026, 7, 1)),
            PupilRecord(3, loose("p3"), left_on=date(2027, 7, 1)),
        ),
        staff=(StaffRecord(9, a_staff_member(home_groups=frozenset())),),
    )
    plan = plan_of(picture, loose("nieuw", first_name="Sem", last_name="Vos", prefix=None))
    assert [record.id for record in plan.pupils.gone] == [1]
    assert plan.staff.gone == ()  # the file says nothing about staff at all
    assert dict(taken_over(plan).pupils.changed) == {}
    assert taken_over(plan, Choices(gone=frozenset({1})), leaving=LEAVING).pupils.changed[1].left_on == LEAVING


@pytest.mark.parametrize(
    "choices",
    [
        Choices(gone=frozenset({7})),
        Choices(same={1: 7}),
        Choices(same={4: 1}),
        Choices(same={1: 1}, new=frozenset({1})),
        Choices(same={1: 1}, gone=frozenset({1})),
        Choices(new=frozenset({9})),
        Choices(swaps={1: Decision.SAME}),
    ],
)
def test_a_choice_that_was_not_offered_is_refused(choices: Choices) -> None:
    plan = plan_of(a_picture(loose("p1")), loose("#1"))
    with pytest.raises(ChoiceNotOffered):
        taken_over(plan, choices)


def test_one_person_cannot_be_two_of_the_file() -> None:
    plan = plan_of(a_picture(loose("p1")), loose("#1"), loose("#2"))
    with pytest.raises(ChoiceNotOffered):
        taken_over(plan, Choices(same={1: 1, 2: 1}))
    assert offered_exactly(plan.pupils) == {}
    assert offered_exactly(plan_of(a_picture(loose("p1")), loose("#1")).pupils) == {1: 1}


def test_a_group_with_a_dummy_key_gets_one_of_our_own_and_its_pupils_follow() -> None:
    plan = build_plan(
        Picture(),
        a_file(a_group("#g"), a_pupil("p1", home_group="#g"), a_staff_member(home_groups=frozenset({"#g"}))),
        TODAY,
    )
    taken = taken_over(plan)
    key = taken.groups.new[0].group.key
    assert not key.startswith("#")
    assert taken.pupils.new[0].pupil.home_group == key
    assert taken.staff.new[0].member.home_groups == {key}


# --- the fingerprint --------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(school=a_school_and_a_file())
def test_the_same_file_and_school_give_the_same_fingerprint(school: tuple[Picture, EdexmlFile]) -> None:
    picture, file = school
    try:
        assert fingerprint_of(build_plan(picture, file, TODAY)) == fingerprint_of(build_plan(picture, file, TODAY))
    except GroupKindDiffers:
        return


@pytest.mark.parametrize(
    "moved",
    [
        a_picture(loose("p1", year="4"), loose("p2", first_name="Sem")),
        a_picture(loose("p1")),
        a_picture(loose("p1"), loose("p2", first_name="Sam")),
        Picture(pupils=(PupilRecord(1, loose("p1")), PupilRecord(2, loose("p2", first_name="Sem"), left_on=TODAY))),
    ],
    ids=["a value", "somebody less", "the name of somebody gone", "a leaving date"],
)
def test_whatever_moves_here_moves_the_fingerprint(moved: Picture) -> None:
    file = a_file(loose("p1", year="6"))
    before = a_picture(loose("p1"), loose("p2", first_name="Sem"))
    assert fingerprint_of(build_plan(before, file, TODAY)) != fingerprint_of(build_plan(moved, file, TODAY))


def test_a_roster_lies_beside_itself_without_a_difference() -> None:
    roster = Roster.of([a_group(), a_pupil(), a_staff_member()])
    picture = after(Picture(), build_import(Picture(), a_file(*roster.entries()), TODAY, fresh_keys()))
    plan = build_plan(picture, a_file(*roster.entries()), TODAY)
    assert (plan.groups.same, plan.pupils.same, plan.staff.same) == (1, 1, 1)
    assert taken_over(plan).changes_nothing()
