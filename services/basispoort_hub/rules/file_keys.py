"""Keys for a hand-made file whose keys are dummies: the person's present key, or one of our own (pure).

A key that starts with `#` means nothing outside its file, so it never enters a roster. Law, kept by a property test:
no key in the result is a dummy, nobody gets a key that somebody else has, and every reference still points to the
group it pointed to.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from shared.identifiers import is_dummy_key
from shared.names import fold
from shared.roster import Entry, Group, Person, Pupil, Roster, StaffMember

E = TypeVar("E", bound=Entry)


def with_real_keys(
    groups: Iterable[Group],
    pupils: Iterable[Pupil],
    staff: Iterable[StaffMember],
    present: Roster,
    new_key: Callable[[], str],
) -> Roster:
    """The entries of a file as a roster. `new_key` makes a key that nobody has."""
    groups, pupils, staff = list(groups), list(pupils), list(staff)
    group_keys = _real_keys(groups, present.groups, new_key)
    pupil_keys = _real_keys(pupils, present.pupils, new_key)
    staff_keys = _real_keys(staff, present.staff, new_key)
    entries: list[Entry] = [replace(group, key=group_keys[group.key]) for group in groups]
    entries += [
        replace(
            pupil,
            key=pupil_keys[pupil.key],
            home_group=group_keys.get(pupil.home_group, pupil.home_group) if pupil.home_group is not None else None,
            composite_groups=frozenset(group_keys.get(key, key) for key in pupil.composite_groups),
        )
        for pupil in pupils
    ]
    entries += [
        replace(
            member,
            key=staff_keys[member.key],
            home_groups=frozenset(group_keys.get(key, key) for key in member.home_groups),
            composite_groups=frozenset(group_keys.get(key, key) for key in member.composite_groups),
        )
        for member in staff
    ]
    return Roster.of(entries)


def _real_keys(given: Iterable[E], present: Mapping[str, E], new_key: Callable[[], str]) -> dict[str, str]:
    """Key in the file -> key to use."""
    given = list(given)
    keys = {entry.key: entry.key for entry in given if not is_dummy_key(entry.key)}
    taken = set(keys)
    for marks in (_eck_id, _address, _name):
        known = _unique({key: marks(entry) for key, entry in present.items()})
        asked = _unique({entry.key: marks(entry) for entry in given if is_dummy_key(entry.key)})
        for mark, key in asked.items():
            found = known.get(mark)
            if key not in keys and found is not None and found not in taken:
                keys[key] = found
                taken.add(found)
    return {entry.key: keys.get(entry.key) or new_key() for entry in given}


def _unique(marks: Mapping[str, Hashable | None]) -> dict[Hashable, str]:
    """Mark -> key, of the marks that exactly one entry has."""
    found: dict[Hashable, str] = {}
    double: set[Hashable] = set()
    for key, mark in marks.items():
        if mark is not None and mark in found:
            double.add(mark)
        elif mark is not None:
            found[mark] = key
    return {mark: key for mark, key in found.items() if mark not in double}


def _eck_id(entry: Entry) -> Hashable | None:
    return None if isinstance(entry, Group) else entry.eck_id


def _address(entry: Entry) -> Hashable | None:
    return entry.email if isinstance(entry, StaffMember) else None


def _name(entry: Entry) -> Hashable | None:
    """Kind and name of a group; the folded name, and a pupil's year."""
    if isinstance(entry, Group):
        return entry.kind, fold(entry.name)
    return _whole_name(entry), entry.year if isinstance(entry, Pupil) else None


def _whole_name(person: Person) -> str:
    return fold(person.full_name)
