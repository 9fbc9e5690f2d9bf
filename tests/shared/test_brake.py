"""The brake: waves, whole groups, swaps, addresses, new keys for the same people, and its laws."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import brake
from shared.brake import Cause, Held, Limits, Picture, Week, weigh
from shared.roster import Entry, Group, GroupKind, Kind, Person, Pupil, Roster, StaffMember
from tests.factories import a_group, a_pupil, a_roster, a_staff_member, rosters

LIMITS = Limits()


def a_picture(valid: Roster, mirror: Roster, **changes: object) -> Picture:
    weeks = {Kind.PUPIL: Week(len(valid.pupils)), Kind.STAFF: Week(len(valid.staff))}
    return Picture(**{"valid": valid, "mirror": mirror, "weeks": weeks, **changes})  # type: ignore[arg-type]


def without(roster: Roster, *keys: str) -> Roster:
    return Roster.of(entry for entry in roster.entries() if entry.key not in keys)


def changed(roster: Roster, *entries: Entry) -> Roster:
    by_key = {entry.key: entry for entry in entries}
    return Roster.of(by_key.get(entry.key, entry) for entry in roster.entries())


def some(number: int, first: int = 1) -> list[str]:
    return [f"p{index}" for index in range(first, first + number)]


SCHOOL = a_roster(pupils=100, staff=12, groups=4)


def test_a_few_removals_flow() -> None:
    weighed = weigh(a_picture(SCHOOL, without(SCHOOL, *some(5))), LIMITS)
    assert len(weighed.valid.pupils) == 95
    assert weighed.held == ()


def test_more_than_ten_percent_and_more_than_five_are_held() -> None:
    weighed = weigh(a_picture(SCHOOL, without(SCHOOL, *some(11))), LIMITS)
    assert weighed.valid == SCHOOL
    assert weighed.held == (Held(Cause.REMOVALS, Kind.PUPIL, frozenset(some(11))),)


def test_exactly_ten_percent_flows() -> None:
    assert weigh(a_picture(SCHOOL, without(SCHOOL, *some(10))), LIMITS).held == ()


def test_removals_of_the_last_seven_days_count_too() -> None:
    weeks = {Kind.PUPIL: Week(100, left_undated=6), Kind.STAFF: Week(12)}
    weighed = weigh(a_picture(SCHOOL, without(SCHOOL, *some(5)), weeks=weeks), LIMITS)
    assert weighed.held[0].keys == frozenset(some(5))


def test_removals_with_a_leaving_date_count_only_above_a_quarter() -> None:
    leaving = {Kind.PUPIL: dict.fromkeys(some(100), date(2026, 7, 31))}
    flows = weigh(a_picture(SCHOOL, without(SCHOOL, *some(25)), leaving=leaving), LIMITS)
    assert flows.held == ()
    held = weigh(a_picture(SCHOOL, without(SCHOOL, *some(26)), leaving=leaving), LIMITS)
    assert held.held[0].keys == frozenset(some(26))


def test_a_whole_group_that_leaves_is_held_though_it_is_small() -> None:
    big = a_roster(pupils=200, groups=40)  # five pupils a group
    group = [pupil.key for pupil in big.pupils.values() if pupil.home_group == "g7"]
    assert len(group) == 5
    weighed = weigh(a_picture(big, without(big, "g7", *group)), LIMITS)
    assert weighed.held[0].keys == frozenset(group)
    assert "g7" in weighed.valid.groups, "held people keep their group"


def test_a_vanished_group_key_whose_pupils_stay_is_no_removal() -> None:
    moved = [replace(p, home_group="g2") for p in SCHOOL.pupils.values() if p.home_group == "g1"]
    staff = [replace(m, home_groups=frozenset({"g2"})) for m in SCHOOL.staff.values() if "g1" in m.home_groups]
    weighed = weigh(a_picture(SCHOOL, without(changed(SCHOOL, *moved, *staff), "g1")), LIMITS)
    assert weighed.held == ()
    assert "g1" not in weighed.valid.groups


def test_everything_at_once_is_held_however_small_the_school() -> None:
    small = a_roster(pupils=3)
    weighed = weigh(a_picture(small, without(small, *some(3))), LIMITS)
    assert weighed.valid.pupils == small.pupils


def test_while_a_hold_is_open_later_removals_join_it() -> None:
    held = (Held(Cause.REMOVALS, Kind.PUPIL, frozenset(some(11))),)
    weighed = weigh(a_picture(SCHOOL, without(SCHOOL, *some(11), "p50"), held=held), LIMITS)
    assert weighed.held[0].keys == frozenset([*some(11), "p50"])


def test_a_hold_dissolves_when_the_people_are_back() -> None:
    held = (Held(Cause.REMOVALS, Kind.PUPIL, frozenset(some(11))),)
    assert weigh(a_picture(SCHOOL, SCHOOL, held=held), LIMITS).held == ()


def test_let_go_means_that_exactly_these_people_leave() -> None:
    held = Held(Cause.REMOVALS, Kind.PUPIL, frozenset(some(11)))
    weighed = weigh(a_picture(SCHOOL, without(SCHOOL, *some(11)), held=(held,), let_go=(held,)), LIMITS)
    assert weighed.valid == without(SCHOOL, *some(11))
    assert weighed.held == ()


def test_on_the_first_push_everybody_missing_is_held() -> None:
    weighed = weigh(a_picture(SCHOOL, without(SCHOOL, "p1", "m2"), is_first_push=True), LIMITS)
    assert {(each.kind, each.keys) for each in weighed.held} == {
        (Kind.PUPIL, frozenset({"p1"})),
        (Kind.STAFF, frozenset({"m2"})),
    }


def test_new_people_and_changes_flow_while_others_are_held() -> None:
    mirror = changed(without(SCHOOL, *some(20)), replace(SCHOOL.pupils["p60"], year="8"))
    mirror = Roster.of([*mirror.entries(), a_pupil("new", first_name="Brechtje", last_name="Wassink", home_group="g1")])
    weighed = weigh(a_picture(SCHOOL, mirror), LIMITS)
    assert weighed.valid.pupils["p60"].year == "8"
    assert "new" in weighed.valid.pupils
    assert len(weighed.valid.pupils) == 101


@pytest.mark.parametrize(
    ("before", "after", "is_swap"),
    [
        (a_pupil(eck_id="e1"), a_pupil(eck_id="e2"), True),
        (a_pupil(), a_pupil(first_name="Sem", prefix=None, last_name="Dekker"), True),
        (a_pupil(eck_id="e1"), a_pupil(eck_id="e1", first_name="Noortje"), False),
        (a_pupil(eck_id=None), a_pupil(eck_id="e1"), False),
        (a_pupil(last_name="Bijl"), a_pupil(last_name="Smit"), False),  # the first name is shared: perhaps a marriage
        (a_pupil(first_name="Zoë", last_name=None), a_pupil(first_name="ZOE", last_name=None), False),
    ],
)
def test_a_swap_is_another_eck_id_or_not_one_word_of_the_name(before: Pupil, after: Pupil, *, is_swap: bool) -> None:
    assert brake.is_swap(before, after) is is_swap


def test_a_swap_never_flows_and_holds_only_that_person() -> None:
    mirror = changed(SCHOOL, replace(SCHOOL.pupils["p9"], first_name="Sem", prefix=None, last_name="Dekker"))
    weighed = weigh(a_picture(SCHOOL, mirror), LIMITS)
    assert weighed.valid == SCHOOL
    assert weighed.held == (Held(Cause.SWAP, Kind.PUPIL, frozenset({"p9"})),)


def readdressed(number: int, domain: str = "new.example") -> Roster:
    members = list(SCHOOL.staff.values())[:number]
    return changed(SCHOOL, *(replace(m, email=f"{(m.email or '').split('@')[0]}@{domain}") for m in members))


def test_a_wave_of_changed_addresses_is_held_and_three_flow() -> None:
    assert weigh(a_picture(SCHOOL, readdressed(3)), LIMITS).held == ()
    weighed = weigh(a_picture(SCHOOL, readdressed(4)), LIMITS)
    assert weighed.valid == SCHOOL
    assert weighed.held[0].cause is Cause.ADDRESSES
    assert len(weighed.held[0].keys) == 4


def test_an_announced_change_of_domain_flows() -> None:
    announced = frozenset({("school.example", "new.example")})
    assert weigh(a_picture(SCHOOL, readdressed(12), announced_domains=announced), LIMITS).held == ()
    other = frozenset({("school.example", "elsewhere.example")})
    assert weigh(a_picture(SCHOOL, readdressed(12), announced_domains=other), LIMITS).held != ()


def test_a_coordinators_address_never_changes_by_itself() -> None:
    weighed = weigh(a_picture(SCHOOL, readdressed(1), coordinators=frozenset({"m1"})), LIMITS)
    assert weighed.valid == SCHOOL
    assert weighed.held == (Held(Cause.COORDINATOR, Kind.STAFF, frozenset({"m1"})),)


def test_an_address_that_a_held_person_still_has_goes_to_nobody_else() -> None:
    one, two = SCHOOL.staff["m1"], SCHOOL.staff["m2"]
    mirror = changed(SCHOOL, replace(one, email=two.email), replace(two, email=one.email))
    weighed = weigh(a_picture(SCHOOL, mirror, coordinators=frozenset({"m1"})), LIMITS)
    addresses = [member.email for member in weighed.valid.staff.values()]
    assert len(set(addresses)) == len(addresses)


def test_a_new_key_with_the_same_address_is_the_same_member_of_staff() -> None:
    mirror = Roster.of(replace(entry, key="new") if entry.key == "m1" else entry for entry in SCHOOL.entries())
    weighed = weigh(a_picture(SCHOOL, mirror), LIMITS)
    assert weighed.rekeyed[Kind.STAFF] == {"m1": "new"}
    assert weighed.held == ()


def test_an_address_handed_to_another_person_is_no_new_key() -> None:
    stranger = a_staff_member("new", first_name="Wilma", last_name="Zandstra", email=SCHOOL.staff["m1"].email)
    mirror = Roster.of([*without(SCHOOL, "m1").entries(), replace(stranger, home_groups=frozenset({"g1"}))])
    assert weigh(a_picture(SCHOOL, mirror), LIMITS).rekeyed[Kind.STAFF] == {}


def test_new_keys_for_held_people_are_held_with_them_and_can_be_transferred() -> None:
    renumbered = {key: f"n{key}" for key in some(20)}
    mirror = Roster.of(replace(entry, key=renumbered.get(entry.key, entry.key)) for entry in SCHOOL.entries())
    weighed = weigh(a_picture(SCHOOL, mirror), LIMITS)
    assert weighed.valid == SCHOOL, "nobody is doubled"
    assert weighed.held[0].newcomers == {new: old for old, new in renumbered.items()}
    decided = weigh(a_picture(SCHOOL, mirror, held=weighed.held, transferred={Kind.PUPIL: renumbered}), LIMITS)
    assert decided.valid == mirror
    assert decided.rekeyed[Kind.PUPIL] == renumbered
    assert decided.held == ()


def consistent(roster: Roster) -> bool:
    home = {key for key, group in roster.groups.items() if group.kind is GroupKind.HOME}
    composite = roster.groups.keys() - home
    return all(
        (p.home_group is None or p.home_group in home) and p.composite_groups <= composite
        for p in roster.pupils.values()
    ) and all(m.home_groups <= home and m.composite_groups <= composite for m in roster.staff.values())


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Roster, Roster]:
    """A valid roster and a mirror that mostly agree: some gone, renamed, renumbered, readdressed, and some new."""
    valid, other = draw(rosters()), draw(rosters())
    people: list[Person] = [*valid.pupils.values(), *valid.staff.values()]
    newcomers: list[Person] = [*other.pupils.values(), *other.staff.values()]
    kept: list[Entry] = list(valid.groups.values())
    for person in people:
        match draw(st.integers(0, 6)):
            case 0:
                continue
            case 1:
                kept.append(replace(person, first_name="Anders", last_name="Dan Voorheen", prefix=None))
            case 2:
                kept.append(replace(person, key=f"nieuw {person.key}"))
            case 3 if isinstance(person, StaffMember):
                kept.append(replace(person, email=f"{len(kept)}@elders.example"))
            case _:
                kept.append(person)
    taken = {entry.key for entry in kept}
    addresses = {entry.email for entry in kept if isinstance(entry, StaffMember)}
    kept += [one for one in other.groups.values() if one.key not in taken]
    known = {entry.key: entry.kind for entry in kept if isinstance(entry, Group)}
    fits = (
        one for one in newcomers if one.key not in taken and getattr(one, "email", None) not in (addresses - {None})
    )
    kept += [one for one in fits if all(known.get(k) == other.groups[k].kind for k in points_to(one))]
    return valid, Roster.of(kept)


def points_to(person: Person) -> frozenset[str]:
    return brake._points_to(person)


@given(st.one_of(neighbours(), st.tuples(rosters(), rosters())), st.booleans())
def test_laws_of_weighing(pair: tuple[Roster, Roster], is_first: bool) -> None:
    valid, mirror = pair
    first = weigh(a_picture(valid, mirror, is_first_push=is_first), LIMITS)
    held = {(each.kind, key) for each in first.held for key in each.keys}
    for kind, key in held:
        assert key in first.valid.of_kind(kind), "nobody who is held disappears"
    newcomers = {(each.kind, key) for each in first.held for key in each.newcomers}
    for kind in (Kind.PUPIL, Kind.STAFF):
        for key, entry in mirror.of_kind(kind).items():
            if (kind, key) not in held | newcomers:
                assert first.valid.of_kind(kind)[key] == entry, "what is not held is as in the mirror"
    assert consistent(first.valid)
    again = weigh(a_picture(first.valid, mirror, held=first.held), LIMITS)
    assert again.valid == first.valid, "weighing twice changes nothing"
    assert again.held == first.held


@given(rosters())
def test_equal_rosters_hold_nothing(roster: Roster) -> None:
    assert weigh(a_picture(roster, roster), LIMITS).held == ()


@pytest.mark.parametrize(
    ("fault", "replacement", "caught_by"),
    [
        ("is_wave", lambda *_: (False, False), test_more_than_ten_percent_and_more_than_five_are_held),
        ("is_swap", lambda *_: False, test_a_swap_never_flows_and_holds_only_that_person),
        ("_whole_groups", lambda *_: set(), test_a_whole_group_that_leaves_is_held_though_it_is_small),
        ("_newcomers", lambda *_: {}, test_new_keys_for_held_people_are_held_with_them_and_can_be_transferred),
        ("_clashes", lambda *_: set(), test_an_address_that_a_held_person_still_has_goes_to_nobody_else),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_fault_is_seen(
    monkeypatch: pytest.MonkeyPatch, fault: str, replacement: Callable[..., object], caught_by: Callable[[], None]
) -> None:
    monkeypatch.setattr(brake, fault, replacement)
    with pytest.raises((AssertionError, IndexError)):
        caught_by()


def a_composite(key: str) -> Group:
    return a_group(key, kind=GroupKind.COMPOSITE, year=None)


def test_a_held_person_drops_a_pointer_to_a_group_that_became_of_another_kind() -> None:
    member: StaffMember = a_staff_member("m1", home_groups=frozenset({"g1"}))
    before = Roster.of([a_group("g1"), member, *(a_staff_member(f"x{n}", home_groups=frozenset()) for n in range(9))])
    after = weigh(a_picture(before, Roster.of([a_composite("g1")])), LIMITS).valid
    assert after.staff["m1"].home_groups == frozenset()
