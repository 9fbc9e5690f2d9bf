"""Pairing: what is certain, what is only likely, and what is left to a person; measured on damaged schools."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.app_connector.rules.pairing import (
    Child,
    How,
    Match,
    Placing,
    fold_group,
    pair_automatically,
    placing,
    suggest,
    twice,
)
from services.app_connector.rules.resemblance import Spelling, compare, sound
from tests.app_connector.damage import Case, a_damaged_school

SEEDS = range(12)


def child(number: int, first: str = "Noor", last: str = "Bakker", **more: str | None) -> Child:
    return Child(id=number, first_name=first, last_name=last, **more)


def pairs(app: list[Child], hub: list[Child]) -> set[tuple[int, int]]:
    return {(match.app, match.hub) for match in pair_automatically(app, hub)}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (child(1, "NOOR", "bakker"), child(9)),
        (child(1, "Chloë", "Çelik"), child(9, "Chloe", "Celik")),
        (child(1, "Jan Willem", "Vos"), child(9, "Jan-Willem", "Vos")),
        (child(1, "Jan", "van der Berg"), child(9, "Jan", "Berg", prefix="van der")),
        (child(1, "Jan", "Berg, van der"), child(9, "Jan", "Berg", prefix="van der")),
        (child(1, "Jan", "Berg van der"), child(9, "Jan", "Berg", prefix="van der")),
        (child(1, "Jan van der", "Berg"), child(9, "Jan", "Berg", prefix="van der")),
        (child(1, "Jan", "Vanderberg"), child(9, "Jan", "Berg", prefix="van der")),
        (child(1, "Thijs", "'t Hart"), child(9, "Thijs", "Hart", prefix="’t")),
    ],
)
def test_names_are_equal_after_folding_case_marks_spaces_and_the_place_of_the_prefix(left: Child, right: Child) -> None:
    assert pairs([left], [right]) == {(1, 9)}


@pytest.mark.parametrize(
    "right",
    [child(9, "Noortje"), child(9, last="Bakkers"), child(9, last="Bakker", prefix="de"), child(9, "Bakker", "Noor")],
)
def test_names_that_are_not_equal_are_left_to_a_person(right: Child) -> None:
    assert pairs([child(1)], [right]) == set()


def test_an_equal_name_in_another_year_is_left_to_a_person() -> None:
    assert pairs([child(1, group="3A")], [child(9, group="7B", year="7")]) == set()
    assert pairs([child(1, group="De Vlinders")], [child(9, group="7B", year="7")]) == {(1, 9)}


def test_a_name_that_occurs_twice_is_decided_by_an_equal_group_or_left() -> None:
    app = [child(1, group="Groep 5a"), child(2, group="gr. 5 B"), child(3, "Daan"), child(4, "Daan")]
    hub = [child(8, group="5B", year="5"), child(9, group="5A", year="5"), child(10, "Daan", group="5A", year="5")]
    assert pairs(app, hub) == {(1, 9), (2, 8)}
    assert twice(app, hub, pair_automatically(app, hub)) == 1


def test_namesakes_in_one_group_are_left_to_a_person() -> None:
    same = [child(1, group="5A"), child(2, group="5A")]
    assert pairs(same, [replace(each, id=each.id + 10) for each in same]) == set()


def test_an_equal_eck_id_pairs_whatever_the_names_and_another_one_forbids_it() -> None:
    assert pair_automatically([child(1, eck_id="e1")], [child(9, "Daan", "Vos", eck_id="e1")]) == [
        Match(1, 9, How.ECK_ID)
    ]
    assert pairs([child(1, eck_id="e1")], [child(9, eck_id="e2")]) == set()
    assert suggest([child(1, eck_id="e1")], [child(9, eck_id="e2")]) == []


def test_an_equal_key_pairs_unless_it_seems_to_name_another_child() -> None:
    assert pair_automatically([child(1, las_key="k")], [child(9, "Noortje", las_key="k")]) == [Match(1, 9, How.LAS_KEY)]
    assert pairs([child(1, las_key="k")], [child(9, "Teun", "Wolters", las_key="k")]) == set()


def test_pupils_without_a_call_name_are_never_paired_by_name() -> None:
    assert pairs([child(1, "", "Bakker")], [child(9, "", "Bakker")]) == set()


@pytest.mark.parametrize(
    ("written", "folded"),
    [("Groep 5A", "5a"), ("gr. 5 a", "5a"), ("5a", "5a"), ("Groep 3/4", "34"), ("Groep", "groep")],
)
def test_group_names_are_folded(written: str, folded: str) -> None:
    assert fold_group(written) == folded


def test_a_combination_group_agrees_with_both_its_years() -> None:
    assert placing(child(1, group="groep 3/4"), child(9, group="4B", year="4")) is Placing.SAME_YEAR
    assert placing(child(1, group="groep 3/4"), child(9, group="5B", year="5")) is Placing.DIFFERENT
    assert placing(child(1), child(9, group="5B", year="5")) is Placing.UNKNOWN


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        (("Bram", "Vos"), ("Abraham", "Vos"), "roepnaam van dezelfde naam"),
        (("Sophie", "Vos"), ("Sofie", "Vos"), "klinkt hetzelfde"),
        (("N.", "Vos"), ("Noor", "Vos"), "alleen voorletter"),
        (("Noor", "Bakkr"), ("Noor", "Bakker"), "tikfout in de achternaam"),
        (("Noro", "Bakker"), ("Noor", "Bakker"), "tikfout in de roepnaam"),
        (("Bakker", "Noor"), ("Noor", "Bakker"), "voor- en achternaam verwisseld"),
        (("Noor", "Bakker"), ("Noor", "Bakker-de Wit"), "deel van een dubbele naam"),
        (("Noor Maria", "Bakker"), ("Noor", "Bakker"), "tweede voornaam"),
    ],
)
def test_a_suggestion_says_why(left: tuple[str, str], right: tuple[str, str], reason: str) -> None:
    (found,) = suggest([child(1, *left, group="5A")], [child(9, *right, group="5A", year="5")])
    assert reason in found.reason
    assert "zelfde groep" in found.reason
    assert 72 <= found.score <= 99


def test_a_missing_and_an_abbreviated_prefix_are_said() -> None:
    hub = [child(9, last="Berg", prefix="van der")]
    assert "voorvoegsel ontbreekt" in suggest([child(1, last="Berg")], hub)[0].reason
    assert "voorvoegsel afgekort" in suggest([child(1, last="Berg", prefix="v.d.")], hub)[0].reason


def test_a_brother_is_no_suggestion() -> None:
    assert suggest([child(1, "Teun")], [child(9, "Sanne")]) == []


names = st.text(alphabet="abcdeéklmnor -'", max_size=10)
spellings = st.builds(Spelling.of, names, st.sampled_from([None, "van", "de"]), names)


@given(spellings, spellings)
def test_likeness_has_no_sides(one: Spelling, other: Spelling) -> None:
    assert compare(one, other).score == pytest.approx(compare(other, one).score)
    assert 0 <= compare(one, other).score <= 100.0001


@given(st.text(max_size=20))
def test_sound_takes_any_text(text: str) -> None:
    assert isinstance(sound(text), str)


@dataclass
class Figures:
    """Added up over schools: automatic pairs and how many are wrong; all pairs with first suggestions, and how many are
    right of how many that exist."""

    automatic: int = 0
    wrong: int = 0
    found: int = 0
    right: int = 0
    exist: int = 0

    @property
    def precision(self) -> float:
        return 1 - self.wrong / self.automatic

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.exist)


def measure(cases: list[Case], figures: Figures) -> Figures:
    for case in cases:
        matches = pair_automatically(case.app, case.hub)
        ours, theirs = {match.app for match in matches}, {match.hub for match in matches}
        suggestions = suggest(
            [each for each in case.app if each.id not in ours], [each for each in case.hub if each.id not in theirs]
        )
        figures.automatic += len(matches)
        figures.wrong += sum(case.truth[match.app] != match.hub for match in matches)
        found = [(each.app, each.hub) for each in matches] + [(each.app, each.hub) for each in suggestions]
        assert len({one for one, _ in found}) == len({other for _, other in found}) == len(found)
        figures.found += len(found)
        figures.right += sum(case.truth[one] == other for one, other in found)
        figures.exist += sum(other is not None for other in case.truth.values())
    return figures


@pytest.mark.parametrize(("hard", "least"), [(False, 0.99), (True, 0.98)], ids=["ordinary", "hard"])
def test_damaged_schools_are_paired_rightly(hard: bool, least: float) -> None:
    figures = measure([a_damaged_school(seed, hard=hard) for seed in SEEDS], Figures())
    print(f"hard={hard}: precision {figures.precision:.5f} of {figures.automatic}, F1 {figures.f1:.4f}")  # noqa: T201
    assert figures.precision >= 0.9995
    assert figures.f1 >= least


def test_no_automatic_pair_is_wrong_where_no_two_children_share_a_name() -> None:
    for seed in SEEDS:
        case = a_damaged_school(seed, hard=True)
        names_there = [(each.first_name, each.prefix, each.last_name) for each in case.hub]
        unique = [each for each, name in zip(case.hub, names_there, strict=True) if names_there.count(name) == 1]
        kept = {each.id for each in unique}
        app = [each for each in case.app if case.truth[each.id] is None or case.truth[each.id] in kept]
        assert all(case.truth[match.app] == match.hub for match in pair_automatically(app, unique))


def test_the_measure_sees_a_matcher_that_is_wrong() -> None:
    """The twin of the tests above: truth turned by one makes every pair wrong."""
    case = a_damaged_school(1, children=60)
    turned = dict(zip(case.truth, [*list(case.truth.values())[1:], 0], strict=True))
    figures = measure([Case(case.app, case.hub, turned)], Figures())
    assert figures.precision < 0.1
