"""Reads and writes a school's two rosters as rows, and who its people are.

The mirror is exactly what the source sent; the valid roster is what everybody else sees. Both are rows of canonical
entries, so that reading back a saved roster gives the same roster and the same fingerprint.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, exists, insert, literal_column, select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.tables import CoordinatorRow, EntryRow, PersonRow
from shared.roster import (
    Entry,
    Kind,
    Roster,
    canonical_entry,
    entries_from_canonical,
    fingerprint_of_canonical,
)

Canonical = dict[Kind, dict[str, str]]  # kind -> key -> canonical entry


class Layer(StrEnum):
    MIRROR = "mirror"
    VALID = "valid"


_ENTRIES: Table = EntryRow.metadata.tables[EntryRow.__tablename__]
_OF_SCHOOL = select(_ENTRIES.c.layer, _ENTRIES.c.kind, _ENTRIES.c.key, _ENTRIES.c.body).where(
    _ENTRIES.c.school_id == bindparam("school_id")
)
_OF_LAYER = _OF_SCHOOL.where(_ENTRIES.c.layer == bindparam("layer"))


def read_canonical(db: Session, school_id: int, layer: Layer) -> Canonical:
    """The entries of a layer as they are stored."""
    rows = db.connection().execute(_OF_LAYER, {"school_id": school_id, "layer": layer})
    return _sorted_out(rows)[layer]


def read_layers(db: Session, school_id: int) -> dict[Layer, Canonical]:
    """Both rosters as they are stored."""
    return _sorted_out(db.connection().execute(_OF_SCHOOL, {"school_id": school_id}))


def _sorted_out(rows: Iterable[Any]) -> dict[Layer, Canonical]:
    found: dict[Layer, Canonical] = {layer: {kind: {} for kind in Kind} for layer in Layer}
    places = {(str(layer), str(kind)): found[layer][kind] for layer in Layer for kind in Kind}
    for layer, kind, key, body in rows:
        places[layer, kind][key] = body
    return found


@dataclass(frozen=True, slots=True)
class Spelled:
    """A roster and its canonical entries. What two layers have in common is read and spelled once."""

    roster: Roster
    canonical: Canonical


def to_roster(canonical: Canonical, known: Spelled | None = None) -> Roster:
    """Read canonical entries; those that `known` spells alike are taken from there."""
    entries: list[Entry] = []
    for kind in Kind:
        bodies = canonical[kind]
        if known is None:
            entries += entries_from_canonical(kind, bodies.values())
            continue
        spelled, read = known.canonical[kind], known.roster.of_kind(kind)
        others = iter(entries_from_canonical(kind, [body for key, body in bodies.items() if spelled.get(key) != body]))
        entries += [read[key] if spelled.get(key) == body else next(others) for key, body in bodies.items()]
    return Roster.of(entries)


def to_canonical(roster: Roster, known: Spelled | None = None) -> Canonical:
    """Spell every entry; the spelling of those that are the very entries of `known` is taken from there."""
    found: Canonical = {}
    for kind in Kind:
        entries = roster.of_kind(kind)
        if known is None:
            found[kind] = {key: canonical_entry(entry) for key, entry in entries.items()}
        else:
            read, spelled = known.roster.of_kind(kind), known.canonical[kind]
            found[kind] = {
                key: spelled[key] if read.get(key) is entry else canonical_entry(entry)
                for key, entry in entries.items()
            }
    return found


def read_roster(db: Session, school_id: int, layer: Layer) -> Roster:
    return to_roster(read_canonical(db, school_id, layer))


def recompute_fingerprint(db: Session, school_id: int) -> str:
    """The mirror's fingerprint from its rows, to be held against the one on record."""
    return fingerprint_of_canonical(read_canonical(db, school_id, Layer.MIRROR))


@dataclass(frozen=True, slots=True)
class Change:
    """What a layer holds, and what it shall hold."""

    before: Canonical
    after: Canonical


def _of_layers(layers: tuple[Layer, ...]) -> tuple[ColumnElement[bool], ...]:
    """One entry in these layers; the names are written out, because a list cannot be a parameter of many rows."""
    return (
        _ENTRIES.c.school_id == bindparam("of_school"),
        _ENTRIES.c.layer.in_([literal_column(f"'{layer}'") for layer in layers]),
        _ENTRIES.c.kind == bindparam("of_kind"),
        _ENTRIES.c.key == bindparam("of_key"),
    )


_TOGETHER = ((Layer.MIRROR,), (Layer.VALID,), (Layer.MIRROR, Layer.VALID))
_INSERT = insert(_ENTRIES)
_UPDATE = {layers: update(_ENTRIES).where(*_of_layers(layers)).values(body=bindparam("body")) for layers in _TOGETHER}
_DELETE = {layers: delete(_ENTRIES).where(*_of_layers(layers)) for layers in _TOGETHER}


def save_layers(db: Session, school_id: int, changes: Mapping[Layer, Change]) -> None:
    """Write the rows that changed, nothing else; what changes alike in both layers goes in one statement."""
    new: list[dict[str, Any]] = []
    changed: dict[tuple[Kind, str, str], tuple[Layer, ...]] = {}
    gone: dict[tuple[Kind, str], tuple[Layer, ...]] = {}
    for layer in (each for each in Layer if each in changes):
        for kind in Kind:
            old, wanted = changes[layer].before[kind], changes[layer].after[kind]
            for key, body in wanted.items():
                if (stored := old.get(key)) is None:
                    new.append({"school_id": school_id, "layer": layer, "kind": kind, "key": key, "body": body})
                elif stored != body:
                    changed[kind, key, body] = (*changed.get((kind, key, body), ()), layer)
            for key in old.keys() - wanted.keys():
                gone[kind, key] = (*gone.get((kind, key), ()), layer)
    connection = db.connection()
    for layers in _TOGETHER:
        fewer = [
            {"of_school": school_id, "of_kind": kind, "of_key": key}
            for (kind, key), where in gone.items()
            if where == layers
        ]
        other = [
            {"of_school": school_id, "of_kind": kind, "of_key": key, "body": body}
            for (kind, key, body), where in changed.items()
            if where == layers
        ]
        if fewer:
            connection.execute(_DELETE[layers], fewer)
        if other:
            connection.execute(_UPDATE[layers], other)
    if new:
        connection.execute(_INSERT, new)


@dataclass(frozen=True, slots=True)
class Numbered:
    """Somebody with a number: the one publishers know, and when the person left."""

    id: int
    left_at: datetime | None


Who = tuple[Kind, str]  # kind and key
_PEOPLE: Table = PersonRow.metadata.tables[PersonRow.__tablename__]
_WITH_KEY = select(_PEOPLE.c.kind, _PEOPLE.c.key, _PEOPLE.c.id, _PEOPLE.c.left_at).where(
    _PEOPLE.c.school_id == bindparam("school_id"), _PEOPLE.c.key.is_not(None)
)


def read_numbered(db: Session, school_id: int) -> dict[Who, Numbered]:
    """Everybody who has a number and a key, whether still here or not."""
    kinds = {str(kind): kind for kind in Kind}
    rows = db.connection().execute(_WITH_KEY, {"school_id": school_id})
    return {(kinds[kind], key): Numbered(person_id, left_at) for kind, key, person_id, left_at in rows}


def still_here(numbered: Mapping[Who, Numbered]) -> dict[Who, int]:
    """(kind, key) -> the number publishers know the person by, of everybody in the valid roster.

    And of coordinators who left it, and still have their key.
    """
    return {who: person.id for who, person in numbered.items() if person.left_at is None}


def read_people(db: Session, school_id: int) -> dict[Who, int]:
    """The same, from the rows."""
    return still_here(read_numbered(db, school_id))


def rename_people(db: Session, school_id: int, kind: Kind, rekeyed: Mapping[str, str]) -> None:
    """Let people go on under a new key (old -> new), with their number."""
    for old, new in rekeyed.items():
        _release_keys(db, school_id, kind, [new])
        db.execute(
            update(PersonRow)
            .where(PersonRow.school_id == school_id, PersonRow.kind == kind, PersonRow.key == old)
            .values(key=new)
        )


def replace_people(db: Session, school_id: int, kind: Kind, keys: Iterable[str], now: datetime) -> None:
    """These keys name somebody else from now on: whoever had them leaves, and gives the key up."""
    for key in keys:
        db.execute(
            update(PersonRow)
            .where(PersonRow.school_id == school_id, PersonRow.kind == kind, PersonRow.key == key)
            .values(key=None, key_hash=hash_of_key(key), left_at=now)
        )


def save_people(
    db: Session,
    school_id: int,
    roster: Roster,
    known: Mapping[Who, Numbered],
    leaving: Mapping[Kind, Mapping[str, date]],
    now: datetime,
) -> dict[Who, int]:
    """Number everybody who is new, take back who returned, mark who left; returns read_people() of after.

    `known` is read_numbered() of before. Somebody who left and returns under the same key has the same number again.
    A coordinator who is known by that number has not left with the roster.
    """
    present = {(kind, key) for kind in (Kind.PUPIL, Kind.STAFF) for key in roster.of_kind(kind)}
    new = [
        {"school_id": school_id, "kind": kind, "key": key, "created_at": now}
        for kind, key in sorted(present - known.keys())
    ]
    back = [person.id for who, person in known.items() if person.left_at is not None and who in present]
    left = [
        {"of_id": person.id, "left_at": now, "left_on": leaving.get(who[0], {}).get(who[1])}
        for who, person in known.items()
        if person.left_at is None and who not in present
    ]
    if left:
        own = set(db.scalars(_own_numbers(school_id)))
        left = [each for each in left if each["of_id"] not in own]
    connection = db.connection()
    if new:
        connection.execute(insert(_PEOPLE), new)
    if back:
        connection.execute(update(_PEOPLE).where(_PEOPLE.c.id.in_(back)).values(left_at=None, left_on=None))
    if left:
        connection.execute(
            update(_PEOPLE)
            .where(_PEOPLE.c.id == bindparam("of_id"))
            .values(left_at=bindparam("left_at"), left_on=bindparam("left_on")),
            left,
        )
    return read_people(db, school_id) if new or back or left else still_here(known)


def _own_numbers(school_id: int) -> Select[int | None]:
    """The numbers of coordinators who do not work at the school under their account."""
    here = CoordinatorRow.school_id == school_id
    return select(CoordinatorRow.person_id).where(here, CoordinatorRow.person_id.is_not(None))


def keep_numbers(db: Session, school_id: int) -> None:
    """A coordinator who is known by a number of her own is here, whatever the roster says."""
    gone = PersonRow.id.in_(_own_numbers(school_id)) & PersonRow.left_at.is_not(None)
    db.execute(update(PersonRow).where(gone).values(left_at=None, left_on=None))


def release_number(db: Session, person_id: int, now: datetime) -> None:
    """A coordinator is not known by this number any more: whose it is has left, unless the roster has the person."""
    in_roster = (
        (EntryRow.school_id == PersonRow.school_id)
        & (EntryRow.layer == Layer.VALID)
        & (EntryRow.kind == PersonRow.kind)
        & (EntryRow.key == PersonRow.key)
    )
    nowhere = ~exists().where(in_roster) & ~exists().where(CoordinatorRow.person_id == PersonRow.id)
    here = (PersonRow.id == person_id) & PersonRow.left_at.is_(None)
    db.execute(update(PersonRow).where(here, nowhere).values(left_at=now))


def _release_keys(db: Session, school_id: int, kind: Kind, keys: Iterable[str]) -> None:
    """Take a key from somebody who left long ago, so that the person who has it now can carry it."""
    for key in keys:
        db.execute(
            update(PersonRow)
            .where(PersonRow.school_id == school_id, PersonRow.kind == kind, PersonRow.key == key)
            .where(PersonRow.left_at.is_not(None))
            .values(key=None, key_hash=hash_of_key(key))
        )


def hash_of_key(key: str) -> str:
    """What a tombstone keeps of a key: enough to recognise it, not enough to read it."""
    return hashlib.sha256(key.encode()).hexdigest()
