"""shared/roster.py: one spelling, one fingerprint."""

import json
import random
import unicodedata
from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.roster import (
    EMPTY,
    Entry,
    Group,
    GroupKind,
    Kind,
    Pupil,
    Role,
    Roster,
    StaffMember,
    canonical_entry,
    entries_from_canonical,
    entry_from_canonical,
    fingerprint,
    fingerprint_of_canonical,
    full_name,
    kind_of,
)
from tests.factories import a_group, a_pupil, a_roster, a_staff_member, rosters


def test_the_fingerprint_of_a_known_school_never_changes() -> None:
    school = Roster.of(
        [
            Group(key="g1", kind=GroupKind.HOME, name="Groep 3/4", year="C", description="combinatie"),
            Group(key="s1", kind=GroupKind.COMPOSITE, name="Plusklas"),
            Pupil(
                key="p1",
                first_name="Zoë",
                prefix="van der",
                last_name="Bijl",
                initials="Z.",
                eck_id="https://ketenid.example/1",
                year="3",
                home_group="g1",
                composite_groups=frozenset({"s1"}),
            ),
            StaffMember(
                key="m1",
                first_name="Joris",
                last_name="Hagen",
                email="j.hagen@school.example",
                roles=frozenset({Role.TEACHER, Role.ICT_COORDINATOR}),
                home_groups=frozenset({"g1"}),
                ends_on=date(2027, 7, 31),
            ),
        ]
    )
    assert fingerprint(school) == "r1:a64af14b293cd6217144f7f4f21df0ffcede56866e2b1181f6c11a322feb7310"
    assert fingerprint(EMPTY) == "r1:37557edd1ec4745d91357f6da02cf116e9ec7f734e4ae61b881f18b4417658f9"


@given(rosters(), st.randoms())
def test_equal_rosters_have_equal_fingerprints_in_any_order_and_normal_form(
    school: Roster, chance: random.Random
) -> None:
    entries = list(school.entries())
    chance.shuffle(entries)
    assert fingerprint(Roster.of(decomposed(entry) for entry in entries)) == fingerprint(school)


def decomposed(entry: Entry) -> Entry:
    """The same entry, every text in the other normal form."""

    def nfd(value: Any) -> Any:
        if isinstance(value, frozenset) and not any(isinstance(item, Role) for item in value):
            return frozenset(nfd(item) for item in value)
        return unicodedata.normalize("NFD", value) if type(value) is str else value

    return type(entry)(**{each.name: nfd(getattr(entry, each.name)) for each in fields(entry)})


@given(rosters(), rosters())
def test_rosters_with_equal_fingerprints_are_equal(one: Roster, other: Roster) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


@pytest.mark.parametrize(
    "changed",
    [
        a_pupil(first_name="Nora"),
        a_pupil(prefix=None),
        a_pupil(year=None),
        a_pupil(home_group=None),
        a_pupil(composite_groups=frozenset({"g5"})),
        a_pupil(eck_id="e1"),
        a_pupil(initials="N."),
        a_pupil("p2"),
    ],
    ids=repr,
)
def test_every_field_counts_in_the_fingerprint(changed: Pupil) -> None:
    assert fingerprint(Roster.of([changed])) != fingerprint(Roster.of([a_pupil()]))


def test_the_same_person_as_pupil_and_as_teacher_differs() -> None:
    pupil = Pupil(key="x", first_name="Noor", last_name=None)
    teacher = StaffMember(key="x", first_name="Noor", last_name=None)
    assert canonical_entry(pupil) == canonical_entry(teacher)
    assert fingerprint(Roster.of([pupil])) != fingerprint(Roster.of([teacher]))


@given(rosters())
def test_a_canonical_entry_reads_back_as_the_entry(school: Roster) -> None:
    for entry in school.entries():
        assert entry_from_canonical(kind_of(entry), canonical_entry(entry)) == entry


def spelled_by_json(entry: Entry) -> str:
    """The canonical form as it is defined; `canonical_entry` writes it by hand, for speed."""
    values = {each.name: getattr(entry, each.name) for each in fields(entry)}
    plain = {
        name: sorted(value) if isinstance(value, frozenset) else value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }
    kept = {name: value for name, value in plain.items() if value is not None and value != []}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@given(rosters())
def test_the_canonical_form_is_what_json_says_it_is(school: Roster) -> None:
    for entry in school.entries():
        assert canonical_entry(entry) == spelled_by_json(entry)


@pytest.mark.parametrize("odd", ['"', "\\", "\t\n\r\b\f", "\x01\x1f\x7f", "\u2028", "/", "", "é🙂"])
def test_odd_signs_are_spelled_as_json_spells_them(odd: str) -> None:
    pupil = a_pupil(f"k{odd}", last_name=odd, composite_groups=frozenset({odd, f"a{odd}"}))
    assert canonical_entry(pupil) == spelled_by_json(pupil)


@given(rosters())
def test_many_entries_read_as_each_of_them(school: Roster) -> None:
    for kind in Kind:
        entries = list(school.of_kind(kind).values())
        assert entries_from_canonical(kind, [canonical_entry(entry) for entry in entries]) == entries


@given(rosters())
def test_the_fingerprint_of_stored_texts_is_that_of_the_roster(school: Roster) -> None:
    texts = {kind: {key: canonical_entry(each) for key, each in school.of_kind(kind).items()} for kind in Kind}
    assert fingerprint_of_canonical(texts) == fingerprint(school)


def test_a_key_may_stand_once_per_kind() -> None:
    assert len(Roster.of([a_group("x"), a_pupil("x"), a_staff_member("x")]).pupils) == 1
    with pytest.raises(ValueError, match="a key occurs twice among the pupil entries"):
        Roster.of([a_pupil("x"), a_pupil("x", first_name="Nora")])


def test_two_spellings_of_one_key_are_one_key() -> None:
    with pytest.raises(ValueError, match="twice"):
        Roster.of([a_pupil("é"), a_pupil("e\u0301")])


def test_a_full_name_reads_as_dutch_people_say_it() -> None:
    assert full_name(a_pupil(first_name="Noor", prefix="van der", last_name="Bijl")) == "Noor van der Bijl"
    assert a_pupil(first_name="Noor", prefix=None, last_name=None).full_name == "Noor"


def test_a_roster_of_nobody_is_empty() -> None:
    assert EMPTY.is_empty
    assert not a_roster().is_empty
