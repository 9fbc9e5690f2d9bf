"""Dummy keys of a hand-made file: the person's present key, or one of our own."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from services.basispoort_hub.rules.file_keys import with_real_keys
from shared.identifiers import is_dummy_key
from shared.roster import EMPTY, Entry, Roster, kind_of
from tests.factories import a_group, a_pupil, a_staff_member, rosters


def new_keys() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"own-{next(numbers)}"


def given_as(entries: Roster, present: Roster) -> Roster:
    return with_real_keys(entries.groups.values(), entries.pupils.values(), entries.staff.values(), present, new_keys())


def test_a_person_who_is_known_keeps_the_present_key() -> None:
    present = Roster.of(
        [
            a_group("g5"),
            a_pupil("p1", eck_id="https://eck.example/1"),
            a_pupil("p2", first_name="Daan"),
            a_staff_member("m1", email="anna@school.example"),
        ]
    )
    file = Roster.of(
        [
            a_group("#1"),
            a_pupil("#1", eck_id="https://eck.example/1", first_name="Nora", home_group="#1"),
            a_pupil("#2", first_name="dáán", home_group="#1"),
            a_staff_member("#9", email="anna@school.example", last_name="Anders", home_groups=frozenset({"#1"})),
        ]
    )
    result = given_as(file, present)
    assert (list(result.groups), sorted(result.pupils), list(result.staff)) == (["g5"], ["p1", "p2"], ["m1"])
    assert {pupil.home_group for pupil in result.pupils.values()} == {"g5"}
    assert result.staff["m1"].home_groups == {"g5"}


def test_namesakes_are_never_guessed() -> None:
    present = Roster.of([a_group(), a_pupil("p1"), a_pupil("p2")])
    result = given_as(Roster.of([a_group(), a_pupil("#1")]), present)
    assert list(result.pupils) == ["own-1"]


def test_a_key_that_the_file_itself_uses_is_not_given_away() -> None:
    present = Roster.of([a_group(), a_pupil("p1")])
    file = Roster.of([a_group(), a_pupil("p1", first_name="Iemand"), a_pupil("#1")])
    assert sorted(given_as(file, present).pupils) == ["own-1", "p1"]


@given(rosters(), st.integers(0, 7), st.booleans())
def test_no_dummy_comes_in_and_every_reference_still_points_to_its_group(
    roster: Roster, which: int, known: bool
) -> None:
    """Makes every key whose position divides by `which` a dummy."""

    def dummy(key: str) -> str:
        return f"#{key}" if which and len(key) % which == 0 else key

    file = Roster.of(
        [
            *(replace(group, key=dummy(group.key)) for group in roster.groups.values()),
            *(
                replace(
                    pupil,
                    key=dummy(pupil.key),
                    home_group=dummy(pupil.home_group) if pupil.home_group is not None else None,
                    composite_groups=frozenset(map(dummy, pupil.composite_groups)),
                )
                for pupil in roster.pupils.values()
            ),
            *(
                replace(
                    member,
                    key=dummy(member.key),
                    home_groups=frozenset(map(dummy, member.home_groups)),
                    composite_groups=frozenset(map(dummy, member.composite_groups)),
                )
                for member in roster.staff.values()
            ),
        ]
    )
    result = given_as(file, roster if known else EMPTY)
    assert [len(result.groups), len(result.pupils), len(result.staff)] == [
        len(roster.groups),
        len(roster.pupils),
        len(roster.staff),
    ]
    assert not any(is_dummy_key(entry.key) for entry in result.entries())
    for before, after in zip(file.pupils.values(), result.pupils.values(), strict=True):
        assert (before.home_group is None) == (after.home_group is None)
        if before.home_group is not None and after.home_group is not None:
            assert result.groups[after.home_group].name == file.groups[before.home_group].name
    for each in result.staff.values():
        assert each.home_groups | each.composite_groups <= result.groups.keys()
    assert kinds(result) == kinds(file)


def kinds(roster: Roster) -> list[str]:
    def kind(entry: Entry) -> str:
        return kind_of(entry)

    return [kind(entry) for entry in roster.entries()]
