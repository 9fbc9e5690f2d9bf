"""What a file would do to a school, laid out for somebody to look at: nothing here is decided yet (pure).

Somebody of the file is, in this order: the person here with that ECK iD, the person to whom this key was given in an
earlier import, the person here with that key. A dummy key (`#`) is nobody's. Where the name then says otherwise
(shared/brake.py, `is_swap`), or where the key's holder turns up elsewhere in the file, it is a swap, which a person
decides. Who is not found may be somebody here whose name looks alike: a suggestion, which a person confirms.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar

from rapidfuzz import fuzz

from services.eduscope_api.rules.exchange import GroupRecord, Picture, PupilRecord, StaffRecord
from services.eduscope_api.rules.import_merge import merge_group, merge_member, merge_pupil
from shared.brake import is_swap
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlStaff, Notice
from shared.identifiers import is_dummy_key
from shared.language import say
from shared.names import fold, name_key, name_words
from shared.roster import Group, GroupKind, Kind, Person, Pupil, canonical_entry

R = TypeVar("R", PupilRecord, StaffRecord)
E = TypeVar("E", EdexmlPupil, EdexmlStaff)
T = TypeVar("T")

LIKE_ENOUGH = 80  # of 100; below it two names have little more than one word in common
MOST_CANDIDATES = 3
OWN_KEY = "#"  # stands where a key of our own will come

FileKeys = Mapping[Kind, Mapping[str, int]]  # key in earlier files -> row number of whom it was given to


class How(StrEnum):
    """By what somebody was recognised."""

    ECK_ID = "eck-id"
    EARLIER = "eerder"
    KEY = "sleutel"


class Why(StrEnum):
    """Why the same key seems to name somebody else."""

    ECK_ID = "ander-eck-id"
    NAME = "andere-naam"
    TAKEN = "elders-in-het-bestand"


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """One line of the file beside what it is here. `number`: its place in the file, from 1."""

    number: int
    before: T
    now: T
    how: How = How.KEY


@dataclass(frozen=True, slots=True)
class New(Generic[T]):
    """Somebody or something that is not here yet; a key that begins with `#` becomes one of our own."""

    number: int
    now: T


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """Somebody here whose name looks alike; `now` is what that person becomes when they are the same."""

    before: T
    now: T
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggestion(Generic[T]):
    """Somebody of the file who may be one of the candidates, or new."""

    number: int
    file_key: str
    as_new: T
    candidates: tuple[Candidate[T], ...]


@dataclass(frozen=True, slots=True)
class Swap(Generic[T]):
    """The key names `before` here and seems to name somebody else in the file.

    `as_same` is None when `before` turns up elsewhere in the file: then this can only be somebody else, and `before`
    does not leave by it.
    """

    number: int
    file_key: str
    before: T
    as_same: T | None
    as_other: T
    why: Why


@dataclass(frozen=True, slots=True)
class Sheet(Generic[T]):
    """Everything about one kind. `same` counts those who stay as they are; of the gone nobody leaves by itself."""

    new: tuple[New[T], ...] = ()
    changed: tuple[Step[T], ...] = ()
    same: int = 0
    gone: tuple[T, ...] = ()
    suggestions: tuple[Suggestion[T], ...] = ()
    swaps: tuple[Swap[T], ...] = ()
    by_eck_id: int = 0  # recognised by ECK iD under another key
    has_left: int = 0  # in the file without a leaving date, while here they have one, which stays


@dataclass(frozen=True, slots=True)
class Plan:
    groups: Sheet[GroupRecord]
    pupils: Sheet[PupilRecord]
    staff: Sheet[StaffRecord]
    school_key: str | None = None
    notices: tuple[Notice, ...] = ()


class GroupKindDiffers(ValueError):
    """A group of the file has the key of one of ours that is of the other kind."""


def build_plan(picture: Picture, file: EdexmlFile, today: date, file_keys: FileKeys | None = None) -> Plan:
    """What the file means for this school. Raises GroupKindDiffers.

    A file that holds nobody of a kind says nothing about that kind, so it makes nobody gone.
    """
    keys = _group_keys(picture, file.groups)
    names_composites = any(group.kind is GroupKind.COMPOSITE for group in file.groups)
    known = file_keys or {}
    pupils = _sheet(
        picture.pupils,
        file.pupils,
        known.get(Kind.PUPIL, {}),
        partial(merge_pupil, group_keys=keys, names_composites=names_composites),
        today,
    )
    staff = _sheet(picture.staff, file.staff, known.get(Kind.STAFF, {}), partial(merge_member, group_keys=keys), today)
    return Plan(_group_sheet(picture, file.groups, keys), pupils, staff, file.school.school_key, file.notices)


def person_of(each: PupilRecord | StaffRecord | EdexmlPupil | EdexmlStaff) -> Person:
    return each.pupil if isinstance(each, (PupilRecord, EdexmlPupil)) else each.member


# --- groups -----------------------------------------------------------------------------------------------------------


def _group_keys(picture: Picture, groups: Sequence[Group]) -> dict[str, str]:
    """Key in the file -> key here. A group with a dummy key is the one here with that name and kind, if one is."""
    by_name = {(record.group.kind, record.group.name): record.group.key for record in picture.groups}
    taken = {group.key for group in groups if not is_dummy_key(group.key)}
    keys: dict[str, str] = {}
    for group in groups:
        key = group.key
        if is_dummy_key(key):
            here = by_name.get((group.kind, group.name))
            key = here if here is not None and here not in taken else key
        taken.add(key)
        keys[group.key] = key
    return keys


def _group_sheet(picture: Picture, groups: Sequence[Group], keys: Mapping[str, str]) -> Sheet[GroupRecord]:
    known = {record.group.key: record for record in picture.groups}
    new, steps = [], []
    for number, group in enumerate(groups, start=1):
        key = keys[group.key]
        before = known.get(key)
        if before is not None and before.group.kind is not group.kind:
            raise GroupKindDiffers
        now = merge_group(before.group if before else None, _with_key(group, key))
        if before is None:
            new.append(New(number, GroupRecord(0, now)))
        else:
            steps.append(Step(number, before, GroupRecord(before.id, now)))
    named = set(keys.values())
    gone = tuple(record for record in picture.groups if record.group.key not in named) if groups else ()
    changed = tuple(step for step in steps if step.before != step.now)
    return Sheet(tuple(new), changed, len(steps) - len(changed), gone)


def _with_key(group: Group, key: str) -> Group:
    return Group(key=key, kind=group.kind, name=group.name, year=group.year, description=group.description)


# --- people -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Matching(Generic[R]):
    """Who of the file is whom here."""

    by_number: dict[int, tuple[R, How]] = field(default_factory=dict)
    crossed: dict[int, R] = field(default_factory=dict)  # whose key belongs to somebody found elsewhere in the file

    def claimed(self) -> set[int]:
        return {record.id for record, _ in self.by_number.values()}


def _match(present: Sequence[R], incoming: Sequence[E], file_keys: Mapping[str, int]) -> _Matching[R]:
    by_id = {record.id: record for record in present}
    by_key = {person_of(record).key: record for record in present}
    by_eck: dict[str, list[R]] = {}
    for record in present:
        if eck_id := person_of(record).eck_id:
            by_eck.setdefault(eck_id, []).append(record)

    def named(entry: E) -> tuple[R, How] | None:
        key = person_of(entry).key
        if is_dummy_key(key):
            return None
        earlier = by_id.get(file_keys.get(key, 0))
        if earlier is not None:
            return earlier, How.EARLIER
        return (by_key[key], How.KEY) if key in by_key else None

    found: _Matching[R] = _Matching()
    rest = []
    for number, entry in enumerate(incoming, start=1):
        bearers = by_eck.get(person_of(entry).eck_id or "", [])
        by_name_of_key = named(entry)
        if by_name_of_key is not None and by_name_of_key[0] in bearers:
            found.by_number[number] = by_name_of_key
        elif bearers:  # more than one only after "somebody else": then who has not left
            best = max(bearers, key=lambda record: (record.left_on is None, record.id))
            found.by_number[number] = (best, How.ECK_ID)
        elif by_name_of_key is not None:
            rest.append((number, by_name_of_key))
    claimed = found.claimed()
    for number, (record, how) in rest:
        if record.id in claimed:
            found.crossed[number] = record
        else:
            claimed.add(record.id)
            found.by_number[number] = (record, how)
    return found


def _sheet(
    present: Sequence[R],
    incoming: Sequence[E],
    file_keys: Mapping[str, int],
    merge: Callable[[R | None, E, str], R],
    today: date,
) -> Sheet[R]:
    found = _match(present, incoming, file_keys)
    claimed = found.claimed()
    look_alikes = _LookAlikes([record for record in present if record.id not in claimed])
    new: list[New[R]] = []
    steps: list[Step[R]] = []
    suggestions: list[Suggestion[R]] = []
    swaps: list[Swap[R]] = []
    for number, entry in enumerate(incoming, start=1):
        person = person_of(entry)
        if number in found.by_number:
            record, how = found.by_number[number]
            before = person_of(record)
            now = merge(record, entry, before.key)
            if is_swap(before, person):
                why = Why.ECK_ID if before.eck_id and person.eck_id not in (None, before.eck_id) else Why.NAME
                swaps.append(Swap(number, person.key, record, now, merge(None, entry, OWN_KEY), why))
            else:
                steps.append(Step(number, record, now, how))
        elif number in found.crossed:
            other = merge(None, entry, OWN_KEY)
            swaps.append(Swap(number, person.key, found.crossed[number], None, other, Why.TAKEN))
        elif candidates := look_alikes.of(entry, merge):
            suggestions.append(Suggestion(number, person.key, merge(None, entry, person.key), candidates))
        else:
            new.append(New(number, merge(None, entry, person.key)))
    crossed = {record.id for record in found.crossed.values()}
    gone = tuple(
        record
        for record in present
        if record.id not in claimed | crossed and record.left_on is None and record.is_active(today)
    )
    changed = tuple(step for step in steps if step.before != step.now)
    return Sheet(
        tuple(new),
        changed,
        len(steps) - len(changed),
        gone if incoming else (),
        tuple(suggestions),
        tuple(swaps),
        sum(
            step.how is How.ECK_ID and person_of(incoming[step.number - 1]).key != person_of(step.before).key
            for step in steps
        ),
        sum(
            step.before.left_on is not None and getattr(incoming[step.number - 1], "left_on", None) is None
            for step in steps
        ),
    )


class _LookAlikes(Generic[R]):
    """People here whom the file did not name by ECK iD or key, to be found by a word of their name."""

    def __init__(self, records: Iterable[R]) -> None:
        self._by_word: dict[str, list[R]] = {}
        for record in records:
            for word in _words(person_of(record)):
                self._by_word.setdefault(word, []).append(record)

    def of(self, entry: Any, merge: Callable[[R | None, Any, str], R]) -> tuple[Candidate[R], ...]:
        """The most alike first; whoever carries another ECK iD is somebody else."""
        person = person_of(entry)
        near = {record.id: record for word in _words(person) for record in self._by_word.get(word, ())}
        scored = []
        for record in near.values():
            here = person_of(record)
            if here.eck_id and person.eck_id and here.eck_id != person.eck_id:
                continue
            score = _score(here, person)
            if score >= LIKE_ENOUGH:
                scored.append((-score, _year_gap(here, person), record.id, record))
        scored.sort(key=lambda each: each[:3])
        return tuple(
            Candidate(record, merge(record, entry, person_of(record).key), -score, _reasons(person_of(record), person))
            for score, _, _, record in scored[:MOST_CANDIDATES]
        )


def _words(person: Person) -> frozenset[str]:
    """What a name is found by: its folded words, and as it is written, since folding leaves only letters."""
    written = " ".join(part for part in (person.first_name, person.prefix, person.last_name) if part)
    return name_words(person.first_name, person.prefix, person.last_name) | {written}


def _score(one: Person, other: Person) -> int:
    """How alike two names are, of 100; 100 is only for names that are equal after folding."""
    if exact_name(one)[:3] == exact_name(other)[:3]:
        return 100
    mine, yours = (name_key(each.first_name, each.prefix, each.last_name) for each in (one, other))
    if mine == yours:
        return 100 if any(mine) else 0
    return min(99, round(fuzz.token_sort_ratio(_line(one), _line(other))))


def _line(person: Person) -> str:
    return fold(" ".join(part for part in (person.first_name, person.prefix, person.last_name) if part))


def _year_gap(one: Person, other: Person) -> int:
    years = [person.year or "" for person in (one, other) if isinstance(person, Pupil)]
    if len(years) == 2 and all(year.isdigit() for year in years):
        return abs(int(years[0]) - int(years[1]))
    return 99


def _reasons(here: Person, person: Person) -> tuple[str, ...]:
    reasons = []
    if _score(here, person) == 100:
        reasons.append(say("dezelfde naam"))
    elif fold(here.last_name or "") == fold(person.last_name or "") != "":
        reasons.append(say("dezelfde achternaam"))
    elif fold(here.first_name or "") == fold(person.first_name or "") != "":
        reasons.append(say("dezelfde roepnaam"))
    else:
        reasons.append(say("de naam lijkt erop"))
    gap = _year_gap(here, person)
    if gap == 0:
        reasons.append(say("hetzelfde leerjaar"))
    elif gap == 1:
        reasons.append(say("één leerjaar verschil"))
    email = getattr(person, "email", None)
    if email is not None and email == getattr(here, "email", None):
        reasons.append(say("hetzelfde e-mailadres"))
    return tuple(reasons)


# --- the same plan, or another ----------------------------------------------------------------------------------------


def fingerprint_of(plan: Plan) -> str:
    """SHA-256 over every step and value of the plan, so that what is taken over is exactly what was shown."""
    digest = hashlib.sha256(b"plan-1")
    digest.update((plan.school_key or "").encode())
    for sheet in (plan.groups, plan.pupils, plan.staff):
        for line in _lines(sheet):
            digest.update(b"\x1e" + line.encode())
    return f"p1:{digest.hexdigest()}"


def _lines(sheet: Sheet[Any]) -> Iterator[str]:
    for new in sheet.new:
        yield f"new {new.number} {_spell(new.now)}"
    for step in sheet.changed:
        yield f"changed {step.number} {_spell(step.before)} {_spell(step.now)}"
    for record in sheet.gone:
        yield f"gone {_spell(record)}"
    for offer in sheet.suggestions:
        yield f"suggestion {offer.number} {_spell(offer.as_new)}"
        for one in offer.candidates:
            yield f"candidate {one.score} {_spell(one.before)} {_spell(one.now)}"
    for swap in sheet.swaps:
        same = _spell(swap.as_same) if swap.as_same is not None else ""
        yield f"swap {swap.number} {swap.why} {_spell(swap.before)} {same} {_spell(swap.as_other)}"


def _spell(record: GroupRecord | PupilRecord | StaffRecord) -> str:
    if isinstance(record, GroupRecord):
        return f"{record.id} {canonical_entry(record.group)}"
    return f"{record.id} {canonical_entry(person_of(record))} {record.came_on} {record.left_on}"


def count_names(persons: Iterable[Person]) -> Counter[tuple[str | None, ...]]:
    """How often each name stands there, written exactly so, with the year of a pupil."""
    return Counter(exact_name(person) for person in persons)


def exact_name(person: Person) -> tuple[str | None, ...]:
    year = person.year if isinstance(person, Pupil) else None
    return person.first_name, person.prefix, person.last_name, year
