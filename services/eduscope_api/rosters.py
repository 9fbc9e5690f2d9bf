"""Reads a school's picture, and so its Roster; remembers the roster that was sent."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.contacts import read_addresses
from services.eduscope_api.rules.exchange import GroupRecord, Picture, PupilRecord, StaffRecord
from services.eduscope_api.tables import (
    GroupRow,
    PupilCompositeRow,
    PupilRow,
    SchoolRow,
    SentRosterRow,
    StaffRoleRow,
    StaffRow,
    TeachingRow,
)
from shared.problems import NotFound
from shared.roster import (
    Group,
    GroupKind,
    Kind,
    Pupil,
    Role,
    Roster,
    StaffMember,
    canonical_entry,
    entry_from_canonical,
    fingerprint,
)


def lock_school(db: Session, school_id: int) -> SchoolRow:
    """Lock the school's row: the first thing every writing transaction does. Raises NotFound."""
    row = db.scalar(select(SchoolRow).where(SchoolRow.id == school_id).with_for_update())
    if row is None:
        raise NotFound
    return row


def read_picture(db: Session, school_id: int) -> Picture:
    """Everything of one school, those who left (until they are erased) included, in the order it was entered."""
    groups = {
        row.id: _group(row)
        for row in db.scalars(select(GroupRow).where(GroupRow.school_id == school_id).order_by(GroupRow.id))
    }
    composites = _links(
        db,
        select(PupilCompositeRow.pupil_id, PupilCompositeRow.group_id)
        .join(PupilRow, PupilRow.id == PupilCompositeRow.pupil_id)
        .where(PupilRow.school_id == school_id),
    )
    taught = _links(
        db,
        select(TeachingRow.staff_id, TeachingRow.group_id)
        .join(StaffRow, StaffRow.id == TeachingRow.staff_id)
        .where(StaffRow.school_id == school_id),
    )
    roles = _links(
        db,
        select(StaffRoleRow.staff_id, StaffRoleRow.role)
        .join(StaffRow, StaffRow.id == StaffRoleRow.staff_id)
        .where(StaffRow.school_id == school_id),
    )
    addresses = read_addresses(db, school_id)
    pupils = db.scalars(
        select(PupilRow).where(PupilRow.school_id == school_id, PupilRow.erased_at.is_(None)).order_by(PupilRow.id)
    )
    staff = db.scalars(
        select(StaffRow).where(StaffRow.school_id == school_id, StaffRow.erased_at.is_(None)).order_by(StaffRow.id)
    )
    return Picture(
        tuple(GroupRecord(row_id, group) for row_id, group in groups.items()),
        tuple(_pupil(row, groups, composites[row.id]) for row in pupils),
        tuple(_member(row, addresses.get(row.id), groups, taught[row.id], roles[row.id]) for row in staff),
    )


def read_sent(db: Session, school_id: int) -> tuple[str, Roster] | None:
    """Fingerprint and content of the roster that was last sent, or was about to be."""
    row = db.get(SentRosterRow, school_id)
    if row is None:
        return None
    kinds = json.loads(row.body)
    return row.fingerprint, Roster.of(entry_from_canonical(Kind(kind), text) for kind in kinds for text in kinds[kind])


def remember_sent(db: Session, school_id: int, roster: Roster, now: datetime) -> None:
    """Remember what is sent. Do it before sending, in a transaction of its own."""
    kinds = {kind: [canonical_entry(entry) for entry in roster.of_kind(kind).values()] for kind in Kind}
    row = db.get(SentRosterRow, school_id) or SentRosterRow(school_id=school_id)
    row.fingerprint, row.body, row.remembered_at = fingerprint(roster), json.dumps(kinds, ensure_ascii=False), now
    db.add(row)
    db.flush()


def _links(db: Session, statement: Any) -> defaultdict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for owner, linked in db.execute(statement):
        found[owner].append(linked)
    return found


def _group(row: GroupRow) -> Group:
    return Group(key=row.key, kind=GroupKind(row.kind), name=row.name, year=row.year, description=row.description)


def _pupil(row: PupilRow, groups: dict[int, Group], composites: list[int]) -> PupilRecord:
    pupil = Pupil(
        key=row.key,
        eck_id=row.eck_id,
        first_name=row.first_name,
        prefix=row.prefix,
        last_name=row.last_name,
        initials=row.initials,
        year=row.year,
        home_group=groups[row.home_group_id].key if row.home_group_id is not None else None,
        composite_groups=frozenset(groups[group_id].key for group_id in composites),
    )
    return PupilRecord(row.id, pupil, row.left_on, row.came_on)


def _member(
    row: StaffRow, email: str | None, groups: dict[int, Group], taught: list[int], roles: list[str]
) -> StaffRecord:
    own = [groups[group_id] for group_id in taught]
    member = StaffMember(
        key=row.key,
        eck_id=row.eck_id,
        first_name=row.first_name,
        prefix=row.prefix,
        last_name=row.last_name,
        initials=row.initials,
        email=email,
        roles=frozenset(Role(role) for role in roles),
        home_groups=frozenset(group.key for group in own if group.kind is GroupKind.HOME),
        composite_groups=frozenset(group.key for group in own if group.kind is GroupKind.COMPOSITE),
        ends_on=row.ends_on,
    )
    return StaffRecord(row.id, member, row.left_on, row.came_on)
