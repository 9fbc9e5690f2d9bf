"""What may not flow by itself from one roster to the next, and why (pure; used by hub and connector).

A wave of removals is usually a mistake, and a key that suddenly names another child always is one. `weigh` compares
what the source sent (the mirror) with what the outside world sees (the valid roster) and gives the next valid roster:
the mirror, less what is held back, plus what is held fast, with the groups these point to.

Laws, kept by property tests: weighing twice changes nothing; nobody who is held disappears; what is not held is as in
the mirror; a hold dissolves when the people are back; everybody in the result points to groups that exist.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import TypeVar

from shared.names import name_words
from shared.roster import Entry, Group, GroupKind, Kind, Person, Pupil, Roster, StaffMember

P = TypeVar("P", Pupil, StaffMember)


class Cause(StrEnum):
    REMOVALS = "removals"  # one hold per kind
    SWAP = "swap"  # one hold per person
    ADDRESSES = "addresses"  # one hold per school
    COORDINATOR = "coordinator"  # one hold per person


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings per school. A share is of the roster of 7 days ago; a floor is a number that must be exceeded too."""

    removal_share: float = 0.10
    removal_floor: int = 5
    dated_share: float = 0.25  # for removals sent with a recorded leaving date, as group 8 in summer
    whole_group: int = 5
    address_share: float = 0.25
    address_floor: int = 3


@dataclass(frozen=True, slots=True)
class Week:
    """The last 7 days of one kind: how many there were then, and how many have left since, with and without a date."""

    size_then: int
    left_undated: int = 0
    left_dated: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """What is held for one reason. `newcomers`: new key -> the held person's key it seems to belong to."""

    cause: Cause
    kind: Kind
    keys: frozenset[str]
    newcomers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything a weighing looks at. `leaving`: recorded leaving dates by kind and key."""

    valid: Roster
    mirror: Roster
    weeks: Mapping[Kind, Week]
    leaving: Mapping[Kind, Mapping[str, date]] = field(default_factory=dict)
    held: tuple[Held, ...] = ()  # what was held before this run
    let_go: tuple[Held, ...] = ()  # what a person has just decided to let through
    transferred: Mapping[Kind, Mapping[str, str]] = field(default_factory=dict)  # old key -> new key, decided
    coordinators: frozenset[str] = frozenset()  # staff keys whose address only people may change
    announced_domains: frozenset[tuple[str, str]] = frozenset()  # (old, new)
    is_first_push: bool = False


@dataclass(frozen=True, slots=True)
class Weighed:
    """The next valid roster, everything that is held now, and who goes on under a new key (old -> new)."""

    valid: Roster
    held: tuple[Held, ...]
    rekeyed: Mapping[Kind, Mapping[str, str]]


def is_wave(removing: int, dated: int, week: Week, limits: Limits) -> tuple[bool, bool]:
    """Do so many removals need a person? Answers for the undated and for the dated ones.

    `removing` counts undated removals of this run, `dated` those with a recorded leaving date.
    """
    undated_now, dated_now = removing + week.left_undated, dated + week.left_dated
    undated_wave = undated_now > limits.removal_floor and undated_now > limits.removal_share * week.size_then
    dated_wave = dated_now > limits.removal_floor and dated_now > limits.dated_share * week.size_then
    return undated_wave, dated_wave


def weigh(picture: Picture, limits: Limits) -> Weighed:
    """Decide what flows.

    1. People who go on under a new key: decided by a person, or a member of staff with the same address and a shared
       word of the name (the account and its number stay).
    2. Swaps: the key stays, the person seems another one.
    3. Addresses: a wave of them, and those of coordinators.
    4. Removals: waves, whole groups, everything at once, everybody missing on the first push.
    5. Newcomers who seem to be the people whose removal is held.
    6. Groups that the held people point to.
    """
    rekeyed = _rekeyed(picture, limits)
    valid = _with_new_keys(picture.valid, rekeyed)
    picture = replace(picture, valid=valid)
    pupils = _weigh_kind(picture, Kind.PUPIL, valid.pupils, picture.mirror.pupils, limits)
    staff = _weigh_kind(picture, Kind.STAFF, valid.staff, picture.mirror.staff, limits)
    members, addresses = _weigh_addresses(picture, staff.people, limits)
    held = (*pupils.held, *staff.held, *addresses)
    people: list[Person] = [*pupils.people.values(), *members.values()]
    after = _with_groups(picture, people)
    return Weighed(after, tuple(each for each in held if each.keys), rekeyed)


@dataclass(frozen=True, slots=True)
class _WeighedKind:
    people: dict[str, Person]
    held: tuple[Held, ...]


def _weigh_kind(
    picture: Picture, kind: Kind, valid: Mapping[str, P], mirror: Mapping[str, P], limits: Limits
) -> _WeighedKind:
    free = {(each.cause, key) for each in picture.let_go if each.kind is kind for key in each.keys}
    swapped = {
        key
        for key in valid.keys() & mirror.keys()
        if is_swap(valid[key], mirror[key]) and (Cause.SWAP, key) not in free
    }
    missing = {key for key in valid.keys() - mirror.keys() if (Cause.REMOVALS, key) not in free}
    held_fast = _held_removals(picture, kind, missing, valid, mirror, limits)
    newcomers = _newcomers(
        {key: valid[key] for key in held_fast},
        {key: mirror[key] for key in mirror.keys() - valid.keys()},
    )
    people: dict[str, Person] = {}
    for key, entry in mirror.items():
        if key in swapped:
            people[key] = valid[key]
        elif key not in newcomers:
            people[key] = entry
    for key in held_fast:
        people[key] = valid[key]
    held = [Held(Cause.SWAP, kind, frozenset({key})) for key in sorted(swapped)]
    held.append(Held(Cause.REMOVALS, kind, frozenset(held_fast), newcomers))
    return _WeighedKind(people, tuple(held))


def is_swap(before: Person, after: Person) -> bool:
    """Does the same key seem to name another person? Another ECK iD, or not one word of the name in common."""
    if before.eck_id is not None and after.eck_id is not None and before.eck_id != after.eck_id:
        return True
    if (before.first_name, before.prefix, before.last_name) == (after.first_name, after.prefix, after.last_name):
        return False
    old, new = _words(before), _words(after)
    return bool(old and new and not old & new)


def _words(person: Person) -> frozenset[str]:
    return name_words(person.first_name, person.prefix, person.last_name)


def _held_removals(
    picture: Picture, kind: Kind, missing: set[str], valid: Mapping[str, P], mirror: Mapping[str, P], limits: Limits
) -> set[str]:
    if not missing:
        return set()
    is_open = any(each.cause is Cause.REMOVALS and each.kind is kind for each in picture.held) and not any(
        each.cause is Cause.REMOVALS and each.kind is kind for each in picture.let_go
    )
    everything = not mirror
    if is_open or everything or picture.is_first_push:
        return missing
    dates = picture.leaving.get(kind, {})
    dated = {key for key in missing if key in dates}
    undated = missing - dated
    undated_wave, dated_wave = is_wave(len(undated), len(dated), picture.weeks[kind], limits)
    held = (undated if undated_wave else set()) | (dated if dated_wave else set())
    if kind is Kind.PUPIL:
        held |= _whole_groups(picture.valid, missing, undated, limits)
    return held & set(valid)


def _whole_groups(valid: Roster, missing: set[str], undated: set[str], limits: Limits) -> set[str]:
    """Pupils of home groups that leave the school as a whole, unless all of them have a recorded leaving date."""
    members: dict[str, set[str]] = {}
    for pupil in valid.pupils.values():
        if pupil.home_group is not None:
            members.setdefault(pupil.home_group, set()).add(pupil.key)
    emptied = (keys for keys in members.values() if len(keys) >= limits.whole_group and keys <= missing)
    return {key for keys in emptied if keys & undated for key in keys}


def _newcomers(held: Mapping[str, Person], new: Mapping[str, Person]) -> dict[str, str]:
    """New key -> held key of the person it seems to be: same ECK iD, else same address, else same name and year."""
    found: dict[str, str] = {}
    for marks in (_by_eck_id, _by_address, _by_name_and_year):
        known: dict[object, str] = {}
        for key, person in held.items():
            if (mark := marks(person)) is not None:
                known.setdefault(mark, key)
        for key, person in new.items():
            mark = marks(person)
            if key not in found and mark is not None and mark in known:
                found[key] = known[mark]
    return found


def _by_eck_id(person: Person) -> object | None:
    return person.eck_id


def _by_address(person: Person) -> object | None:
    return person.email if isinstance(person, StaffMember) else None


def _by_name_and_year(person: Person) -> object | None:
    words = _words(person)
    year = person.year if isinstance(person, Pupil) else None
    return (words, year) if words else None


def _rekeyed(picture: Picture, limits: Limits) -> dict[Kind, dict[str, str]]:
    found: dict[Kind, dict[str, str]] = {Kind.PUPIL: {}, Kind.STAFF: {}}
    for kind, pairs in picture.transferred.items():
        old, new = picture.valid.of_kind(kind), picture.mirror.of_kind(kind)
        found[kind] |= {a: b for a, b in pairs.items() if a in old and a not in new and b in new and b not in old}
    gone = {
        member.email: member
        for key, member in picture.valid.staff.items()
        if key not in picture.mirror.staff and member.email is not None
    }
    missing = len(picture.valid.staff.keys() - picture.mirror.staff.keys())
    undated_wave, _ = is_wave(missing, 0, picture.weeks[Kind.STAFF], limits)
    if undated_wave and not picture.is_first_push:
        return found  # so many new keys at once are for a person to look at
    for key, member in picture.mirror.staff.items():
        before = gone.get(member.email or "")
        if before is not None and key not in picture.valid.staff and not is_swap(before, member):
            found[Kind.STAFF].setdefault(before.key, key)
    return found


def _with_new_keys(valid: Roster, rekeyed: Mapping[Kind, Mapping[str, str]]) -> Roster:
    if not any(rekeyed.values()):
        return valid
    entries: list[Entry] = list(valid.groups.values())
    entries += [replace(entry, key=rekeyed[Kind.PUPIL].get(entry.key, entry.key)) for entry in valid.pupils.values()]
    entries += [replace(entry, key=rekeyed[Kind.STAFF].get(entry.key, entry.key)) for entry in valid.staff.values()]
    return Roster.of(entries)


def _weigh_addresses(
    picture: Picture, people: Mapping[str, Person], limits: Limits
) -> tuple[dict[str, Person], tuple[Held, ...]]:
    members = {key: entry for key, entry in people.items() if isinstance(entry, StaffMember)}
    before = picture.valid.staff
    changed = {
        key
        for key, entry in members.items()
        if key in before and before[key].email is not None and before[key].email != entry.email
    }
    free = {(each.cause, key) for each in picture.let_go for key in each.keys}
    coordinators = {key for key in changed if key in picture.coordinators and (Cause.COORDINATOR, key) not in free}
    counted = {
        key
        for key in changed - picture.coordinators
        if (Cause.ADDRESSES, key) not in free
        and not is_announced(before[key].email, members[key].email, picture.announced_domains)
    }
    with_address = sum(entry.email is not None for entry in before.values())
    wave = len(counted) > limits.address_floor and len(counted) > limits.address_share * with_address
    held = set(coordinators) | (counted if wave else set())
    # an address that a held person still has cannot go to somebody else meanwhile
    while clash := _clashes(members, before, held):
        held |= clash
    after: dict[str, Person] = dict(members)
    for key in held:
        after[key] = replace(members[key], email=before[key].email if key in before else None)
    one_each = [Held(Cause.COORDINATOR, Kind.STAFF, frozenset({key})) for key in sorted(coordinators)]
    return after, (*one_each, Held(Cause.ADDRESSES, Kind.STAFF, frozenset(held - coordinators)))


def _clashes(members: Mapping[str, StaffMember], before: Mapping[str, StaffMember], held: set[str]) -> set[str]:
    kept = {before[key].email for key in held if key in before}
    return {
        key
        for key, entry in members.items()
        if key not in held
        and entry.email is not None
        and entry.email in kept
        and (key not in before or before[key].email != entry.email)
    }


def is_announced(old: str | None, new: str | None, domains: frozenset[tuple[str, str]]) -> bool:
    """A change of domain only, of domains that the administrator announced."""
    if old is None or new is None:
        return False
    old_local, _, old_domain = old.rpartition("@")
    new_local, _, new_domain = new.rpartition("@")
    return old_local == new_local and (old_domain, new_domain) in domains


def _with_groups(picture: Picture, people: Iterable[Person]) -> Roster:
    """The people with the mirror's groups, and with those groups of before that held people still point to."""
    people = list(people)
    groups: dict[str, Group] = dict(picture.mirror.groups)
    wanted = Counter(key for person in people for key in _points_to(person))
    for key, group in picture.valid.groups.items():
        if key not in groups and wanted[key]:
            groups[key] = group
    home = frozenset(key for key, group in groups.items() if group.kind is GroupKind.HOME)
    composite = frozenset(groups.keys() - home)
    return Roster.of([*groups.values(), *(_fitted(person, home, composite) for person in people)])


def _points_to(person: Person) -> frozenset[str]:
    if isinstance(person, Pupil):
        home = frozenset({person.home_group}) if person.home_group is not None else frozenset[str]()
        return home | person.composite_groups
    return person.home_groups | person.composite_groups


def _fitted(person: Person, home: frozenset[str], composite: frozenset[str]) -> Person:
    """A held person may point to a key that has become a group of the other kind; such a pointer is dropped."""
    if isinstance(person, Pupil):
        kept = person.home_group if person.home_group in home else None
        if kept == person.home_group and person.composite_groups <= composite:
            return person
        return replace(person, home_group=kept, composite_groups=person.composite_groups & composite)
    if person.home_groups <= home and person.composite_groups <= composite:
        return person
    return replace(person, home_groups=person.home_groups & home, composite_groups=person.composite_groups & composite)
