"""What a file adds to a school and what it changes there (pure).

Laws: nobody is removed; what a file does not say stays as it is; a dummy key never becomes anybody's key; taking the
same file in twice changes nothing the second time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from services.eduscope_api.rules.exchange import Picture, PupilRecord, StaffRecord
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlStaff, Notice
from shared.identifiers import is_dummy_key
from shared.roster import Group, GroupKind, Person, Pupil, Role, StaffMember

T = TypeVar("T")
P = TypeVar("P", Pupil, StaffMember)
Fresh = Callable[[], str]  # gives a key that nobody has

_SENTENCES = {
    "by-eck-id": "Personen met een andere sleutel zijn aan hun ECK iD herkend en houden hun sleutel.",
    "by-name": "Personen zonder vaste sleutel zijn aan naam en leerjaar herkend.",
    "own-key": "Personen of groepen zonder vaste sleutel hebben van EDUscope een sleutel gekregen.",
    "has-left": "Leerlingen uit het bestand staan hier als uitgestroomd; dat is zo gebleven.",
}


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """The entries of one kind: new ones, changed ones by our own row number, and how many stayed as they were."""

    new: tuple[T, ...]
    changed: Mapping[int, T]
    same: int


@dataclass(frozen=True, slots=True)
class Import:
    """What is to be written. A record that is new has the row number 0."""

    groups: Taken[Group]
    pupils: Taken[PupilRecord]
    staff: Taken[StaffRecord]
    notices: tuple[Notice, ...]


class GroupKindDiffers(ValueError):
    """A group of the file has the key of one of ours that is of the other kind."""


def build_import(picture: Picture, file: EdexmlFile, fresh: Fresh) -> Import:
    """What the file means for this school. Raises GroupKindDiffers."""
    seen: Counter[str] = Counter()
    keys = _group_keys(picture, file.groups, fresh, seen)
    known_groups = {record.group.key: record for record in picture.groups}
    pupils_by_key = {record.pupil.key: record for record in picture.pupils}
    staff_by_key = {record.member.key: record for record in picture.staff}
    names_composites = any(group.kind is GroupKind.COMPOSITE for group in file.groups)

    groups = []
    for group in file.groups:
        known = known_groups.get(keys[group.key])
        if known is not None and known.group.kind is not group.kind:
            raise GroupKindDiffers
        groups.append((known, _merge_group(known.group if known else None, replace(group, key=keys[group.key]))))

    pupil_keys = _person_keys([each.pupil for each in file.pupils], [r.pupil for r in picture.pupils], fresh, seen)
    pupils = [
        (pupil := pupils_by_key.get(key), _merge_pupil(pupil, entry, key, keys, names_composites, seen))
        for entry, key in zip(file.pupils, pupil_keys, strict=True)
    ]
    staff_keys = _person_keys([each.member for each in file.staff], [r.member for r in picture.staff], fresh, seen)
    staff = [
        (member := staff_by_key.get(key), _merge_member(member, entry, key, keys))
        for entry, key in zip(file.staff, staff_keys, strict=True)
    ]
    own = tuple(Notice(kind, seen[kind], sentence) for kind, sentence in _SENTENCES.items() if seen[kind])
    return Import(
        _sort([(record.id, record.group, now) if record else (0, None, now) for record, now in groups]),
        _sort([(record.id, record, now) if record else (0, None, now) for record, now in pupils]),
        _sort([(record.id, record, now) if record else (0, None, now) for record, now in staff]),
        (*file.notices, *own),
    )


def _sort(entries: Iterable[tuple[int, T | None, T]]) -> Taken[T]:
    listed = list(entries)
    return Taken(
        new=tuple(now for _, before, now in listed if before is None),
        changed={row_id: now for row_id, before, now in listed if before is not None and before != now},
        same=sum(before == now for _, before, now in listed),
    )


def _group_keys(picture: Picture, groups: Sequence[Group], fresh: Fresh, seen: Counter[str]) -> dict[str, str]:
    """Key in the file -> key here. A group with a dummy key is the one here with that name and kind, if one is."""
    by_name = {(record.group.kind, record.group.name): record.group.key for record in picture.groups}
    taken = {group.key for group in groups if not is_dummy_key(group.key)}
    keys: dict[str, str] = {}
    for group in groups:
        key = group.key
        if is_dummy_key(key):
            key = by_name.get((group.kind, group.name), "")
            if not key or key in taken:
                key = fresh()
                seen["own-key"] += 1
        taken.add(key)
        keys[group.key] = key
    return keys


def _person_keys(incoming: Sequence[P], present: Sequence[P], fresh: Fresh, seen: Counter[str]) -> list[str]:
    """The key here of each person in the file: the same key, else that of the same ECK iD, else, for a dummy key, that
    of the only person with exactly this name and year, else the file's own key or a fresh one."""
    keys_here = {person.key for person in present}
    by_eck = {person.eck_id: person.key for person in present if person.eck_id}
    by_name = _only_one({person.key: _likeness(person) for person in present})
    in_file = Counter(_likeness(person) for person in incoming)
    used = {person.key for person in incoming if person.key in keys_here}
    keys = []
    for person in incoming:
        key = person.key
        if key not in keys_here:
            same = by_eck.get(person.eck_id) if person.eck_id else None
            how = "by-eck-id"
            if same is None and is_dummy_key(key) and in_file[_likeness(person)] == 1:
                same, how = by_name.get(_likeness(person)), "by-name"
            if same is not None and same not in used:
                key = same
                seen[how] += 1
            elif is_dummy_key(key):
                key = fresh()
                seen["own-key"] += 1
        used.add(key)
        keys.append(key)
    return keys


def _likeness(person: Person) -> tuple[str | None, ...]:
    year = person.year if isinstance(person, Pupil) else None
    return person.first_name, person.prefix, person.last_name, year


def _only_one(likenesses: Mapping[str, tuple[str | None, ...]]) -> dict[tuple[str | None, ...], str]:
    counts = Counter(likenesses.values())
    return {likeness: key for key, likeness in likenesses.items() if counts[likeness] == 1}


def _merge_group(before: Group | None, now: Group) -> Group:
    if before is None:
        return now
    return replace(now, year=now.year or before.year, description=now.description or before.description)


def _merge_names(before: P, now: P) -> P:
    """A surname comes with its prefix, or with none; the rest stays when the file is silent."""
    changed = replace(
        now,
        first_name=now.first_name or before.first_name,
        initials=now.initials or before.initials,
        eck_id=now.eck_id or before.eck_id,
    )
    if now.last_name is None:
        changed = replace(changed, last_name=before.last_name, prefix=before.prefix)
    return changed


def _merge_pupil(
    known: PupilRecord | None,
    entry: EdexmlPupil,
    key: str,
    group_keys: Mapping[str, str],
    names_composites: bool,
    seen: Counter[str],
) -> PupilRecord:
    pupil = replace(
        entry.pupil,
        key=key,
        home_group=group_keys[entry.pupil.home_group] if entry.pupil.home_group else None,
        composite_groups=frozenset(group_keys[group] for group in entry.pupil.composite_groups),
    )
    if known is None:
        return PupilRecord(0, pupil, entry.left_on)
    before = known.pupil
    merged = replace(
        _merge_names(before, pupil),
        year=pupil.year or before.year,
        home_group=pupil.home_group or before.home_group,
        composite_groups=pupil.composite_groups if names_composites else before.composite_groups,
    )
    if entry.left_on is None and known.left_on is not None:
        seen["has-left"] += 1
    return PupilRecord(known.id, merged, entry.left_on or known.left_on, known.came_on)


def _merge_member(
    known: StaffRecord | None, entry: EdexmlStaff, key: str, group_keys: Mapping[str, str]
) -> StaffRecord:
    member = replace(
        entry.member,
        key=key,
        home_groups=frozenset(group_keys[group] for group in entry.member.home_groups),
        composite_groups=frozenset(group_keys[group] for group in entry.member.composite_groups),
    )
    if known is None:
        return StaffRecord(0, member)
    before = known.member
    teaches = bool(member.home_groups or member.composite_groups)
    coordinator = before.roles & {Role.ICT_COORDINATOR}
    merged = replace(
        _merge_names(before, member),
        email=member.email or before.email,
        roles=(member.roles | coordinator) if member.roles else before.roles,
        home_groups=member.home_groups if teaches else before.home_groups,
        composite_groups=member.composite_groups if teaches else before.composite_groups,
        ends_on=member.ends_on or before.ends_on,
    )
    return StaffRecord(known.id, merged, known.left_on, known.came_on)
