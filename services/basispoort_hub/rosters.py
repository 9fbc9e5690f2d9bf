"""Reads and writes a school's two rosters as rows, and who its people are.

The mirror is exactly what the source sent; the valid roster is what everybody else sees. Both are rows of canonical
entries, so that reading back a saved roster gives the same roster and the same fingerprint.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.tables import EntryRow, PersonRow
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


def read_canonical(db: Session, school_id: int, layer: Layer) -> Canonical:
    """The entries of a layer as they are stored."""
    found: Canonical = {kind: {} for kind in Kind}
    rows = db.execute(
        select(EntryRow.kind, EntryRow.key, EntryRow.body).where(
            EntryRow.school_id == school_id, EntryRow.layer == layer
        )
    )
    by_name = {kind.value: entries for kind, entries in found.items()}
    for kind, key, body in rows:
        by_name[kind][key] = body
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


def save_canonical(db: Session, school_id: int, layer: Layer, before: Canonical, after: Canonical) -> None:
    """Write the rows that changed, nothing else."""
    new, changed, gone = [], [], []
    for kind in Kind:
        old = before[kind]
        for key, body in after[kind].items():
            if key not in old:
                new.append({"school_id": school_id, "layer": layer, "kind": kind, "key": key, "body": body})
            elif old[key] != body:
                changed.append({"of_kind": kind, "of_key": key, "body": body})
        gone += [{"of_kind": kind, "of_key": key} for key in old.keys() - after[kind].keys()]
    rows: Table = EntryRow.metadata.tables[EntryRow.__tablename__]
    here = (rows.c.school_id == school_id, rows.c.layer == layer)
    one = (rows.c.kind == bindparam("of_kind"), rows.c.key == bindparam("of_key"))
    connection = db.connection()
    if gone:
        connection.execute(delete(rows).where(*here, *one), gone)
    if changed:
        connection.execute(update(rows).where(*here, *one).values(body=bindparam("body")), changed)
    if new:
        connection.execute(insert(rows), new)


def read_people(db: Session, school_id: int) -> dict[tuple[Kind, str], int]:
    """(kind, key) -> the number publishers know the person by, of everybody in the valid roster."""
    rows = db.execute(
        select(PersonRow.kind, PersonRow.key, PersonRow.id).where(
            PersonRow.school_id == school_id, PersonRow.left_at.is_(None), PersonRow.key.is_not(None)
        )
    )
    return {(Kind(kind), key): person_id for kind, key, person_id in rows if key is not None}


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
    db: Session, school_id: int, roster: Roster, leaving: Mapping[Kind, Mapping[str, date]], now: datetime
) -> dict[tuple[Kind, str], int]:
    """Number everybody who is new, take back who returned, mark who left; returns read_people() of after.

    Somebody who left and returns under the same key has the same number again.
    """
    known = {
        (Kind(kind), key): (person_id, left_at)
        for kind, key, person_id, left_at in db.execute(
            select(PersonRow.kind, PersonRow.key, PersonRow.id, PersonRow.left_at).where(
                PersonRow.school_id == school_id, PersonRow.key.is_not(None)
            )
        )
        if key is not None
    }
    present = {(kind, key) for kind in (Kind.PUPIL, Kind.STAFF) for key in roster.of_kind(kind)}
    new = [
        {"school_id": school_id, "kind": kind, "key": key, "created_at": now}
        for kind, key in sorted(present - known.keys())
    ]
    back = [person_id for who, (person_id, left_at) in known.items() if left_at is not None and who in present]
    left = [
        {"of_id": person_id, "left_at": now, "left_on": leaving.get(who[0], {}).get(who[1])}
        for who, (person_id, left_at) in known.items()
        if left_at is None and who not in present
    ]
    rows: Table = PersonRow.metadata.tables[PersonRow.__tablename__]
    connection = db.connection()
    if new:
        connection.execute(insert(rows), new)
    if back:
        connection.execute(update(rows).where(rows.c.id.in_(back)).values(left_at=None, left_on=None))
    if left:
        connection.execute(
            update(rows)
            .where(rows.c.id == bindparam("of_id"))
            .values(left_at=bindparam("left_at"), left_on=bindparam("left_on")),
            left,
        )
    if not new and not back and not left:
        return {who: person_id for who, (person_id, _) in known.items() if who in present}
    return read_people(db, school_id)


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
