"""Reading and spelling two layers of which most is equal: a shortcut that never changes what comes out."""

from dataclasses import replace

from hypothesis import given

from services.basispoort_hub.rosters import Spelled, to_canonical, to_roster
from shared.roster import Roster
from tests.factories import a_group, a_pupil, rosters


@given(rosters(), rosters())
def test_what_is_known_never_changes_what_is_read_or_spelled(held: Roster, other: Roster) -> None:
    known = Spelled(other, to_canonical(other))
    assert to_roster(to_canonical(held), known) == held
    assert to_canonical(held, known) == to_canonical(held)
    assert list(to_roster(to_canonical(held), known).entries()) == list(held.entries())


def test_a_known_entry_is_taken_only_when_it_is_spelled_alike() -> None:
    before = Roster.of([a_group(), a_pupil("p1"), a_pupil("p2", first_name="Mees")])
    after = Roster(before.groups, {**before.pupils, "p2": replace(before.pupils["p2"], first_name="Miles")}, {})
    known = Spelled(before, to_canonical(before))
    read = to_roster(to_canonical(after), known)
    assert read.pupils["p1"] is before.pupils["p1"]
    assert read.pupils["p2"].first_name == "Miles"


def test_a_false_memory_would_be_noticed() -> None:
    pupil = a_pupil()
    held = Roster.of([a_group(), pupil])
    false = Spelled(held, {kind: dict.fromkeys(held.of_kind(kind), "{}") for kind in to_canonical(held)})
    assert to_canonical(held, false) != to_canonical(held)
