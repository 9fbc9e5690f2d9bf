"""The words of the chain as frozen values: Group, Pupil, StaffMember, Role, Roster (pure).

A Roster is everything one school exchanges, and nothing else travels: no birth date, sex, address or citizen number.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from json.encoder import encode_basestring
from typing import Any

FINGERPRINT_VERSION = "r1"


class Kind(StrEnum):
    """The three kinds of entry; keys are unique per kind in a school."""

    GROUP = "group"
    PUPIL = "pupil"
    STAFF = "staff"


class GroupKind(StrEnum):
    HOME = "home"  # EDEXML groep, stamgroep
    COMPOSITE = "composite"  # EDEXML samengestelde_groep, Basispoort subgroep


class Role(StrEnum):
    """The five roles that Basispoort knows, spelled as on its wire."""

    TEACHER = "Leerkracht"
    ICT_COORDINATOR = "ICTCoordinator"
    INTERNAL_COACH = "IBRTer"
    TRAINEE = "Stagiair"
    SUBSTITUTE = "Inval"


def _nfc(entry: Any, texts: tuple[str | None, ...], *sets: frozenset[str]) -> None:
    """Give every text of a frozen value its one Unicode spelling, so that equal means equal.

    `texts` and `sets` are all its values that could have another one. Nearly always a look at all of them is enough.
    """
    if "".join(filter(None, texts)).isascii() and all("".join(each).isascii() for each in sets if each):
        return
    for name in entry.__slots__:
        value = getattr(entry, name)
        if type(value) is str:
            object.__setattr__(entry, name, unicodedata.normalize("NFC", value))
        elif value and isinstance(value, frozenset) and not "".join(value).isascii():
            normal = frozenset(unicodedata.normalize("NFC", item) for item in value)
            object.__setattr__(entry, name, normal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    key: str
    kind: GroupKind
    name: str
    year: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        _nfc(self, (self.key, self.name, self.year, self.description))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pupil:
    """At least one of `first_name` and `last_name` is known (EDEXML allows a call name alone)."""

    key: str
    first_name: str | None
    last_name: str | None
    prefix: str | None = None
    initials: str | None = None
    eck_id: str | None = None
    year: str | None = None
    home_group: str | None = None
    composite_groups: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        names = (self.first_name, self.last_name, self.prefix, self.initials)
        _nfc(self, (self.key, *names, self.eck_id, self.year, self.home_group), self.composite_groups)

    @property
    def full_name(self) -> str:
        return full_name(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffMember:
    key: str
    first_name: str | None
    last_name: str | None
    prefix: str | None = None
    initials: str | None = None
    eck_id: str | None = None
    email: str | None = None
    roles: frozenset[Role] = frozenset()
    home_groups: frozenset[str] = frozenset()
    composite_groups: frozenset[str] = frozenset()
    ends_on: date | None = None

    def __post_init__(self) -> None:
        names = (self.first_name, self.last_name, self.prefix, self.initials)
        _nfc(self, (self.key, *names, self.eck_id, self.email), self.home_groups, self.composite_groups)

    @property
    def full_name(self) -> str:
        return full_name(self)


Entry = Group | Pupil | StaffMember
Person = Pupil | StaffMember


def full_name(person: Person) -> str:
    """Call name, prefix, surname, as Dutch people read it."""
    return " ".join(part for part in (person.first_name, person.prefix, person.last_name) if part)


@dataclass(frozen=True, slots=True)
class Roster:
    """One school's groups, pupils and staff, each by key. Build it with `Roster.of`; never change the dicts."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    pupils: Mapping[str, Pupil] = field(default_factory=dict)
    staff: Mapping[str, StaffMember] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Roster":
        """Sorts entries into their kinds. Raises ValueError when a key occurs twice in a kind."""
        kinds: dict[Kind, dict[str, Any]] = {kind: {} for kind in Kind}
        for entry in entries:
            kind = kind_of(entry)
            if entry.key in kinds[kind]:
                raise ValueError(f"a key occurs twice among the {kind} entries")
            kinds[kind][entry.key] = entry
        return cls(kinds[Kind.GROUP], kinds[Kind.PUPIL], kinds[Kind.STAFF])

    def of_kind(self, kind: Kind) -> Mapping[str, Entry]:
        match kind:
            case Kind.GROUP:
                return self.groups
            case Kind.PUPIL:
                return self.pupils
            case Kind.STAFF:
                return self.staff

    def entries(self) -> Iterable[Entry]:
        yield from self.groups.values()
        yield from self.pupils.values()
        yield from self.staff.values()

    @property
    def is_empty(self) -> bool:
        return not (self.groups or self.pupils or self.staff)


EMPTY = Roster()


def kind_of(entry: Entry) -> Kind:
    if isinstance(entry, Group):
        return Kind.GROUP
    return Kind.PUPIL if isinstance(entry, Pupil) else Kind.STAFF


_TYPES: dict[Kind, type[Entry]] = {Kind.GROUP: Group, Kind.PUPIL: Pupil, Kind.STAFF: StaffMember}
_SETS = ("composite_groups", "home_groups")
# type -> its fields, sorted, each with how it begins in the canonical spelling
_SPELLED = {
    type_: [(name, f'"{name}":') for name in sorted(each.name for each in fields(type_))] for type_ in _TYPES.values()
}


def canonical_entry(entry: Entry) -> str:
    """The one JSON spelling of an entry: keys sorted, unset values left out, no spaces, Unicode NFC as it is.

    Written by hand, because every roster passes here several times a night; a test holds it against `json.dumps`.
    """
    members: list[str] = []
    for name, begin in _SPELLED[type(entry)]:
        value = getattr(entry, name)
        if value is None:
            continue
        if isinstance(value, str):
            members.append(begin + encode_basestring(value))
        elif isinstance(value, date):
            members.append(f'{begin}"{value.isoformat()}"')
        elif value:
            members.append(f"{begin}[{','.join([encode_basestring(item) for item in sorted(value)])}]")
    return "{" + ",".join(members) + "}"


def entry_from_canonical(kind: Kind, text: str) -> Entry:
    """The entry that `canonical_entry` wrote."""
    return _entry(kind, json.loads(text))


def entries_from_canonical(kind: Kind, texts: Iterable[str]) -> list[Entry]:
    """The same for many at once, which is faster."""
    return [_entry(kind, values) for values in json.loads(f"[{','.join(texts)}]")]


def _entry(kind: Kind, values: dict[str, Any]) -> Entry:
    for name in _SETS:
        if name in values:
            values[name] = frozenset(values[name])
    if kind is Kind.GROUP:
        values["kind"] = GroupKind(values["kind"])
    else:
        values.setdefault("first_name", None)
        values.setdefault("last_name", None)
    if kind is Kind.STAFF:
        values["roles"] = frozenset(Role(role) for role in values.get("roles", ()))
        values["ends_on"] = date.fromisoformat(values["ends_on"]) if "ends_on" in values else None
    return _TYPES[kind](**values)


def fingerprint(roster: Roster) -> str:
    """SHA-256 over the canonical form, entries sorted by key, with a version prefix: `r1:<64 hex digits>`.

    Equal rosters have equal fingerprints on every machine, always.
    """
    return fingerprint_of_canonical(
        {kind: {key: canonical_entry(entry) for key, entry in roster.of_kind(kind).items()} for kind in Kind}
    )


def fingerprint_of_canonical(texts: Mapping[Kind, Mapping[str, str]]) -> str:
    """The same, from canonical entries by kind and key (as the hub stores its mirror)."""
    digest = hashlib.sha256(FINGERPRINT_VERSION.encode())
    for kind in Kind:
        digest.update(f"\x1e{kind}".encode())
        for key in sorted(texts[kind]):
            digest.update(b"\x1f" + texts[kind][key].encode())
    return f"{FINGERPRINT_VERSION}:{digest.hexdigest()}"
