"""shared/roster_delta.py: the law, and what breaks it."""

from dataclasses import replace

import pytest
from hypothesis import assume, given

from shared.roster import Kind, Roster, fingerprint
from shared.roster_delta import Delta, RosterDiverged, apply, diff
from tests.factories import a_pupil, a_roster, a_staff_member, rosters


@given(rosters(), rosters())
def test_applying_the_difference_leads_to_the_other_roster(before: Roster, after: Roster) -> None:
    assert apply(before, diff(before, after)) == after


@given(rosters(), rosters())
def test_a_difference_that_lost_an_entry_is_noticed(before: Roster, after: Roster) -> None:
    delta = diff(before, after)
    assume(delta.put)
    with pytest.raises(RosterDiverged):
        apply(before, replace(delta, put=delta.put[1:]))


@given(rosters())
def test_a_roster_differs_in_nothing_from_itself(school: Roster) -> None:
    delta = diff(school, school)
    assert delta.is_empty
    assert delta.base == delta.target == fingerprint(school)


@given(rosters(), rosters(), rosters())
def test_a_difference_cannot_be_applied_to_a_third_roster(before: Roster, after: Roster, third: Roster) -> None:
    assume(before != third)
    with pytest.raises(RosterDiverged):
        apply(third, diff(before, after))


def test_a_difference_names_only_what_changed() -> None:
    before = a_roster(pupils=400)
    after = Roster.of(
        [
            *before.groups.values(),
            *(each for key, each in before.pupils.items() if key not in {"p1", "p2"}),
            a_pupil("p2", first_name="Nora", home_group="g1"),
            *before.staff.values(),
            a_staff_member("m2", home_groups=frozenset({"g1"})),
        ]
    )
    delta = diff(before, after)
    assert [entry.key for entry in delta.put] == ["p2", "m2"]
    assert delta.remove == {Kind.GROUP: frozenset(), Kind.PUPIL: frozenset({"p1"}), Kind.STAFF: frozenset()}


def test_removing_a_key_that_is_not_there_misses_the_target_only_when_it_matters() -> None:
    school = a_roster()
    held = fingerprint(school)
    assert apply(school, Delta(held, held, (), {Kind.PUPIL: frozenset({"never"})})) == school
    with pytest.raises(RosterDiverged) as refused:
        apply(school, Delta(held, held, (), {Kind.PUPIL: frozenset({"p1"})}))
    assert refused.value.members["expected"] == held
