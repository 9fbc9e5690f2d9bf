"""What is written of an import plan, given what a person chose (pure).

Laws: nobody leaves who was not ticked, unless the file gives the date; a swap never flows by itself; a dummy key never
becomes anybody's key; row numbers and keys of people who are here stay; taking the same file in twice changes nothing
the second time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Generic, TypeVar

from services.eduscope_api.rules.exchange import GroupRecord, Picture, PupilRecord, StaffRecord
from services.eduscope_api.rules.import_plan import (
    Plan,
    Sheet,
    Suggestion,
    build_plan,
    count_names,
    exact_name,
    person_of,
)
from shared.edexml import EdexmlFile, Notice
from shared.identifiers import is_dummy_key
from shared.language import mark, say
from shared.roster import Group, Kind, Pupil

T = TypeVar("T")
R = TypeVar("R", PupilRecord, StaffRecord)
Fresh = Callable[[], str]  # gives a key that nobody has

_SENTENCES = {
    "by-eck-id": mark("Personen met een andere sleutel zijn aan hun ECK iD herkend en houden hun sleutel."),
    "by-name": mark("Personen zonder vaste sleutel zijn aan naam en leerjaar herkend."),
    "own-key": mark("Personen of groepen zonder vaste sleutel hebben van EDUscope een sleutel gekregen."),
    "has-left": mark("Leerlingen uit het bestand staan hier als uitgestroomd; dat is zo gebleven."),
    "swaps": mark(
        "Niet overgenomen: personen wier sleutel hier van iemand anders is (een ander ECK iD of een heel andere naam). "
        "Bekijk ze bij EDEXML importeren, in het voorbeeld."
    ),
}


class Decision(StrEnum):
    """What a person says of a swap."""

    SAME = "zelfde"  # the person here, under changed data
    OTHER = "ander"  # somebody else: who was here leaves, and a new person gets a key of our own


@dataclass(frozen=True, slots=True)
class Choices:
    """What somebody chose for one kind. Who is not named here stays as they are, and stays out."""

    gone: frozenset[int] = frozenset()  # row numbers of those who leave
    same: Mapping[int, int] = field(default_factory=dict)  # number of a suggestion -> row number of who it is
    new: frozenset[int] = frozenset()  # numbers of suggestions that are somebody new
    swaps: Mapping[int, Decision] = field(default_factory=dict)  # by number


class ChoiceNotOffered(ValueError):
    """Something was chosen that the plan does not offer, or that contradicts another choice."""

    def __init__(self, kind: Kind, member: str) -> None:
        super().__init__(f"{kind} {member}")
        self.kind, self.member = kind, member


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """The entries of one kind: new ones, changed ones by our own row number, and how many stayed as they were.

    `left`: which of the changed ones got the leaving date that was chosen.
    """

    new: tuple[T, ...]
    changed: Mapping[int, T]
    same: int
    left: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Import:
    """What is to be written. A record that is new has the row number 0.

    `file_keys`: per kind, key in the file -> the key here of whom a person gave it to.
    """

    groups: Taken[GroupRecord]
    pupils: Taken[PupilRecord]
    staff: Taken[StaffRecord]
    school_key: str | None
    notices: tuple[Notice, ...]
    file_keys: Mapping[Kind, Mapping[str, str]]

    def changes_nothing(self) -> bool:
        kinds: tuple[Taken[Any], ...] = (self.groups, self.pupils, self.staff)
        return not any(taken.new or taken.changed for taken in kinds)


def build_import(
    picture: Picture,
    file: EdexmlFile,
    today: date,
    fresh: Fresh,
    file_keys: Mapping[Kind, Mapping[str, int]] | None = None,
) -> Import:
    """What a file means when nobody looks at it first: it adds and changes, and leaves swaps out.

    Somebody with a dummy key is the only person with exactly that name and year, if there is one; whoever else is not
    recognised is new. Raises GroupKindDiffers.
    """
    plan = build_plan(picture, file, today, file_keys)
    pupils = _unseen(plan.pupils, picture.pupils, count_names(entry.pupil for entry in file.pupils))
    staff = _unseen(plan.staff, picture.staff, count_names(entry.member for entry in file.staff))
    written = carry_out(plan, pupils, staff, today, fresh)
    counts = {
        "by-eck-id": plan.pupils.by_eck_id + plan.staff.by_eck_id,
        "by-name": len(pupils.same) + len(staff.same),
        "own-key": _own_keys(plan, pupils, staff),
        "has-left": plan.pupils.has_left,
        "swaps": len(plan.pupils.swaps) + len(plan.staff.swaps),
    }
    own = tuple(Notice(kind, counts[kind], say(sentence)) for kind, sentence in _SENTENCES.items() if counts[kind])
    return replace(written, notices=(*plan.notices, *own))


def _unseen(sheet: Sheet[R], present: Iterable[R], in_file: Mapping[tuple[str | None, ...], int]) -> Choices:
    here = count_names(person_of(record) for record in present)
    same: dict[int, int] = {}
    for offer in sheet.suggestions:
        name = exact_name(person_of(offer.as_new))
        exact = [one.before.id for one in offer.candidates if exact_name(person_of(one.before)) == name]
        if is_dummy_key(offer.file_key) and len(exact) == here[name] == in_file[name] == 1:
            same[offer.number] = exact[0]
    return Choices(same=same, new=frozenset(offer.number for offer in sheet.suggestions if offer.number not in same))


def _own_keys(plan: Plan, pupils: Choices, staff: Choices) -> int:
    groups = sum(is_dummy_key(new.now.group.key) for new in plan.groups.new)
    return groups + _own_keys_of(plan.pupils, pupils) + _own_keys_of(plan.staff, staff)


def _own_keys_of(sheet: Sheet[R], choices: Choices) -> int:
    chosen = [offer.file_key for offer in sheet.suggestions if offer.number in choices.new]
    return sum(map(is_dummy_key, chosen)) + sum(is_dummy_key(person_of(new.now).key) for new in sheet.new)


def carry_out(plan: Plan, pupils: Choices, staff: Choices, leaving: date, fresh: Fresh) -> Import:
    """The plan as it was chosen. `leaving`: the first day that those who leave are no longer here.

    Raises ChoiceNotOffered.
    """
    keys = {new.now.group.key: fresh() for new in plan.groups.new if is_dummy_key(new.now.group.key)}
    groups = Taken(
        tuple(GroupRecord(0, _with_group_key(new.now.group, keys)) for new in plan.groups.new),
        {step.before.id: step.now for step in plan.groups.changed},
        plan.groups.same,
    )
    pupil_keys: dict[str, str] = {}
    staff_keys: dict[str, str] = {}
    return Import(
        groups,
        _carry_out(plan.pupils, Kind.PUPIL, pupils, leaving, fresh, keys, pupil_keys),
        _carry_out(plan.staff, Kind.STAFF, staff, leaving, fresh, keys, staff_keys),
        plan.school_key,
        plan.notices,
        {Kind.PUPIL: pupil_keys, Kind.STAFF: staff_keys},
    )


def _carry_out(
    sheet: Sheet[R],
    kind: Kind,
    choices: Choices,
    leaving: date,
    fresh: Fresh,
    group_keys: Mapping[str, str],
    file_keys: dict[str, str],
) -> Taken[R]:
    _check_offered(sheet, kind, choices)
    changed: dict[int, R] = {step.before.id: _settle(step.now, None, group_keys) for step in sheet.changed}
    new = [_settle(each.now, fresh, group_keys) for each in sheet.new]
    leavers = {record.id: record for record in sheet.gone if record.id in choices.gone}
    for offer in sheet.suggestions:
        if offer.number in choices.same:
            one = _candidate(offer, choices.same[offer.number])
            _remember(file_keys, offer.file_key, person_of(one.now).key)
            if one.now != one.before:
                changed[one.before.id] = _settle(one.now, None, group_keys)
        elif offer.number in choices.new:
            new.append(_settle(offer.as_new, fresh, group_keys))
    for swap in sheet.swaps:
        decision = choices.swaps.get(swap.number)
        if decision is Decision.SAME and swap.as_same is not None:
            if swap.as_same != swap.before:
                changed[swap.before.id] = _settle(swap.as_same, None, group_keys)
        elif decision is Decision.OTHER:
            other = _settle(swap.as_other, fresh, group_keys)
            new.append(other)
            _remember(file_keys, swap.file_key, person_of(other).key)
            if swap.as_same is not None and swap.before.left_on is None:
                leavers[swap.before.id] = swap.before
    changed |= {row_id: replace(record, left_on=leaving) for row_id, record in leavers.items()}
    return Taken(tuple(new), changed, sheet.same, frozenset(leavers))


def _check_offered(sheet: Sheet[R], kind: Kind, choices: Choices) -> None:
    offers = {offer.number: {one.before.id for one in offer.candidates} for offer in sheet.suggestions}
    swaps = {swap.number: swap for swap in sheet.swaps}
    chosen = list(choices.same.values())
    if not choices.gone <= {record.id for record in sheet.gone} or choices.gone & set(chosen):
        raise ChoiceNotOffered(kind, "gone")
    if any(row_id not in offers.get(number, ()) for number, row_id in choices.same.items()):
        raise ChoiceNotOffered(kind, "same")
    if len(chosen) != len(set(chosen)):
        raise ChoiceNotOffered(kind, "same")
    if not choices.new <= offers.keys() - choices.same.keys():
        raise ChoiceNotOffered(kind, "new")
    for number, decision in choices.swaps.items():
        if number not in swaps or (decision is Decision.SAME and swaps[number].as_same is None):
            raise ChoiceNotOffered(kind, "swaps")


def _candidate(offer: Suggestion[R], row_id: int) -> Any:
    return next(one for one in offer.candidates if one.before.id == row_id)


def _remember(file_keys: dict[str, str], file_key: str, key: str) -> None:
    """So that the next import recognises whom a person recognised in this one."""
    if not is_dummy_key(file_key) and file_key != key:
        file_keys[file_key] = key


def _with_group_key(group: Group, keys: Mapping[str, str]) -> Group:
    return replace(group, key=keys.get(group.key, group.key))


def _settle(record: R, fresh: Fresh | None, group_keys: Mapping[str, str]) -> R:
    """The record with the final keys of its groups; somebody new (`fresh`) with a dummy key gets one of our own."""
    person = person_of(record)
    changes: dict[str, Any] = {}
    if fresh is not None and is_dummy_key(person.key):
        changes["key"] = fresh()
    if group_keys:
        changes["composite_groups"] = frozenset(group_keys.get(key, key) for key in person.composite_groups)
        if isinstance(person, Pupil):
            changes["home_group"] = group_keys.get(person.home_group or "", person.home_group)
        else:
            changes["home_groups"] = frozenset(group_keys.get(key, key) for key in person.home_groups)
    if not changes:
        return record
    settled: Any = replace(person, **changes)
    return replace(record, pupil=settled) if isinstance(record, PupilRecord) else replace(record, member=settled)


def offered_exactly(sheet: Sheet[R]) -> dict[int, int]:
    """Suggestions that a person may confirm at once: one candidate with an equal name, whom no other one may be."""
    sure = {
        offer.number: offer.candidates[0].before.id
        for offer in sheet.suggestions
        if offer.candidates[0].score == 100 and not any(one.score == 100 for one in offer.candidates[1:])
    }
    wanted = list(sure.values())
    return {number: row_id for number, row_id in sure.items() if wanted.count(row_id) == 1}
