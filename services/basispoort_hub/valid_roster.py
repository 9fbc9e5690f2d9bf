"""From mirror to valid roster: weighs, saves, and lets everything follow, in one transaction.

What follows is: holds opened and dissolved, people numbered, accounts invited, moved or closed, answers for publishers
built. Called after a roster came in and after somebody decided about a hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.orm import Session

from services.basispoort_hub.accounts import StaffChange, follow_staff, place_coordinators
from services.basispoort_hub.answers import save_answers
from services.basispoort_hub.domains import read_announced_domains, tell_coordinators
from services.basispoort_hub.feed import Changed, compare_groups, compare_people
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.rosters import (
    Canonical,
    Change,
    Layer,
    Spelled,
    Who,
    read_canonical,
    read_numbered,
    rename_people,
    replace_people,
    save_layers,
    save_people,
    still_here,
    to_canonical,
    to_roster,
)
from services.basispoort_hub.rules.intake import effective
from services.basispoort_hub.tables import (
    AppointmentRow,
    CoordinatorRow,
    HeldRow,
    HoldRow,
    OutboxRow,
    PersonRow,
    SchoolRow,
)
from shared.brake import Cause, Held, Limits, Picture, Week, weigh
from shared.outbox import save_message
from shared.roster import Kind, Roster, StaffMember

WEEK = timedelta(days=7)
PEOPLE = (Kind.PUPIL, Kind.STAFF)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about holds: what may flow, who goes on under a new key, whose key names another person."""

    let_go: tuple[Held, ...] = ()
    transferred: Mapping[Kind, Mapping[str, str]] = field(default_factory=dict)
    other_person: Mapping[Kind, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mirror that is not saved yet, with its canonical entries, and both layers as they are stored."""

    mirror: Spelled
    stored: Mapping[Layer, Canonical]


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of it: the valid roster, everything held, how many mails were queued."""

    valid: Roster
    held: tuple[Held, ...]
    queued_mails: int

    @property
    def held_people(self) -> int:
        return sum(len(each.keys) + len(each.newcomers) for each in self.held)


def settle(
    db: Session,
    school: SchoolRow,
    mirror: Roster,
    now: datetime,
    links: LinkMaker,
    *,
    incoming: Incoming | None = None,
    leaving: Mapping[Kind, Mapping[str, date]] | None = None,
    decision: Decision | None = None,
    is_first_push: bool = False,
) -> Settled:
    """Bring the valid roster, and all that hangs on it, to where the mirror and the holds say it should be.

    `incoming` is there when `mirror` is still to be saved. Both layers mostly change alike, so they are saved together.
    """
    leaving, decision = leaving or {}, decision or Decision()
    spelled = None if incoming is None else incoming.mirror
    before_rows = read_canonical(db, school.id, Layer.VALID) if incoming is None else incoming.stored[Layer.VALID]
    before = to_roster(before_rows, spelled)
    numbered = read_numbered(db, school.id)
    ids_before = still_here(numbered)
    open_holds = read_holds(db, school.id)
    announced = read_announced_domains(db, school.id)
    picture = Picture(
        valid=before,
        mirror=effective(mirror),
        weeks=_read_weeks(db, school, now),
        leaving=leaving,
        held=tuple(open_holds.values()),
        let_go=decision.let_go,
        transferred=decision.transferred,
        coordinators=_read_coordinator_keys(db, school.id),
        announced_domains=announced,
        is_first_push=is_first_push,
    )
    weighed = weigh(picture, Limits())
    after_rows = to_canonical(weighed.valid, spelled)
    for kind in PEOPLE:
        rename_people(db, school.id, kind, weighed.rekeyed.get(kind, {}))
        replace_people(db, school.id, kind, decision.other_person.get(kind, frozenset()), now)
    placed = place_coordinators(db, school.id, weighed.valid)
    if placed or any(weighed.rekeyed.values()) or any(decision.other_person.values()):
        numbered = read_numbered(db, school.id)
    ids_after = save_people(db, school.id, weighed.valid, numbered, leaving, now)
    opened = _save_holds(db, school.id, open_holds, weighed.held, decision.let_go, now)
    mails = 0
    for hold_id in opened if school.sandbox_of is None else ():
        save_message(db, OutboxRow, "hold", {"hold": hold_id}, now)
        mails += 1
    layers = {Layer.VALID: Change(before_rows, after_rows)}
    if incoming is not None:
        layers[Layer.MIRROR] = Change(incoming.stored[Layer.MIRROR], incoming.mirror.canonical)
    save_layers(db, school.id, layers)
    if after_rows != before_rows or ids_after != ids_before:
        if changes := staff_changes(before, ids_before, weighed.valid, ids_after):
            mails += follow_staff(db, school, changes, now, links)
        mails += tell_coordinators(db, school.id, changes, announced, now)
        db.flush()
        changed = _changed(before_rows, ids_before, after_rows, ids_after)
        save_answers(db, school, weighed.valid, ids_after, changed, now)
    return Settled(weighed.valid, weighed.held, mails)


def _changed(
    before: Canonical, ids_before: Mapping[Who, int], after: Canonical, ids_after: Mapping[Who, int]
) -> Changed:
    """What publishers have to hear of; staff is compared where the answers are, because coordinators are there too."""
    old = {key: number for (kind, key), number in ids_before.items() if kind is Kind.PUPIL}
    new = {key: number for (kind, key), number in ids_after.items() if kind is Kind.PUPIL}
    pupils, rekeyed = compare_people(before[Kind.PUPIL], old, after[Kind.PUPIL], new)
    groups = compare_groups(before[Kind.GROUP], after[Kind.GROUP])
    return Changed(groups=groups, pupils=pupils, rekeyed=rekeyed)


def staff_changes(
    before: Roster,
    ids_before: Mapping[tuple[Kind, str], int],
    after: Roster,
    ids_after: Mapping[tuple[Kind, str], int],
) -> list[StaffChange]:
    """Per person, what changed in the staff, whatever happened to the keys."""
    old: dict[int, StaffMember] = {ids_before[Kind.STAFF, key]: member for key, member in before.staff.items()}
    new: dict[int, StaffMember] = {ids_after[Kind.STAFF, key]: member for key, member in after.staff.items()}
    return [
        StaffChange(person_id, old.get(person_id), new.get(person_id))
        for person_id in sorted(old.keys() | new.keys())
        if old.get(person_id) != new.get(person_id)
    ]


def _read_weeks(db: Session, school: SchoolRow, now: datetime) -> dict[Kind, Week]:
    """How many there were 7 days ago (or when the first roster came, if that is later), and who has left since."""
    then = max(now - WEEK, school.first_received_at or school.created_at)
    was_there = (PersonRow.created_at <= then) & (PersonRow.left_at.is_(None) | (PersonRow.left_at > then))
    left = PersonRow.left_at > then

    def count(condition: object) -> object:
        return func.sum(case((condition, 1), else_=0))  # type: ignore[arg-type]  # any SQL condition

    rows = db.execute(
        select(
            PersonRow.kind,
            count(was_there),  # type: ignore[call-overload]
            count(left & PersonRow.left_on.is_(None)),
            count(left & PersonRow.left_on.is_not(None)),
        )
        .where(PersonRow.school_id == school.id)
        .group_by(PersonRow.kind)
    )
    found = {Kind(kind): Week(int(size), int(undated), int(dated)) for kind, size, undated, dated in rows}
    return {kind: found.get(kind, Week(0)) for kind in PEOPLE}


def _read_coordinator_keys(db: Session, school_id: int) -> frozenset[str]:
    """Staff keys of people with a management role here: their address is changed by people only."""
    keys = db.scalars(
        select(PersonRow.key)
        .join(AppointmentRow, AppointmentRow.person_id == PersonRow.id)
        .join(CoordinatorRow, CoordinatorRow.account_id == AppointmentRow.account_id)
        .where(CoordinatorRow.school_id == school_id, PersonRow.school_id == school_id, PersonRow.key.is_not(None))
    )
    return frozenset(key for key in keys if key is not None)


def read_holds(db: Session, school_id: int) -> dict[int, Held]:
    """The open holds of a school, by id."""
    holds = db.execute(
        select(HoldRow.id, HoldRow.cause, HoldRow.kind)
        .where(HoldRow.school_id == school_id, HoldRow.closed_at.is_(None))
        .order_by(HoldRow.id)
    ).all()
    if not holds:
        return {}
    people: dict[int, tuple[set[str], dict[str, str]]] = {hold_id: (set(), {}) for hold_id, _, _ in holds}
    for row in db.scalars(select(HeldRow).where(HeldRow.hold_id.in_(people))):
        if row.newcomer:
            people[row.hold_id][1][row.key] = row.matches or ""
        else:
            people[row.hold_id][0].add(row.key)
    return {
        hold_id: Held(Cause(cause), Kind(kind), frozenset(people[hold_id][0]), people[hold_id][1])
        for hold_id, cause, kind in holds
    }


def _identity(held: Held) -> tuple[Cause, Kind, str]:
    """One hold per kind for waves, one per person for swaps and coordinators."""
    single = held.cause in {Cause.SWAP, Cause.COORDINATOR}
    return held.cause, held.kind, min(held.keys, default="") if single else ""


def _save_holds(
    db: Session,
    school_id: int,
    open_holds: Mapping[int, Held],
    held: Sequence[Held],
    let_go: Sequence[Held],
    now: datetime,
) -> list[int]:
    """Bring the open holds to `held`; returns the ids of those that were opened now."""
    wanted = {_identity(each): each for each in held}
    decided = {_identity(each) for each in let_go}
    opened: list[int] = []
    for hold_id, known in open_holds.items():
        identity = _identity(known)
        now_held = wanted.pop(identity, None)
        if now_held is None:
            row = db.get_one(HoldRow, hold_id)
            row.closed_at = now
            row.closed_how = "losgelaten" if identity in decided else "opgelost"
        elif now_held != known:
            _save_held_people(db, hold_id, now_held)
    for each in wanted.values():
        hold = HoldRow(school_id=school_id, cause=each.cause, kind=each.kind, opened_at=now)
        db.add(hold)
        db.flush()
        _save_held_people(db, hold.id, each)
        opened.append(hold.id)
    return opened


def _save_held_people(db: Session, hold_id: int, held: Held) -> None:
    db.execute(delete(HeldRow).where(HeldRow.hold_id == hold_id))
    rows = [{"hold_id": hold_id, "key": key, "newcomer": False, "matches": None} for key in sorted(held.keys)]
    rows += [
        {"hold_id": hold_id, "key": key, "newcomer": True, "matches": old}
        for key, old in sorted(held.newcomers.items())
    ]
    if rows:
        db.execute(insert(HeldRow), rows)
