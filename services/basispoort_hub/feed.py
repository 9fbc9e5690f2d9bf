"""What changed in what publishers read: written in the transaction that changes it, as numbers and keys only.

A row says that something is not as it was; what it is now is looked up when the feed is read. So applying the feed
gives what one would read, nobody's data lie here for 45 days, and a row read twice does no harm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Text, cast, func, insert, literal
from sqlalchemy.orm import Session

from services.basispoort_hub.tables import FeedRow
from shared.roster import Kind


class Subject(StrEnum):
    """What a row of the feed is about."""

    GROUP = "group"
    PUPIL = "pupil"
    STAFF = "staff"
    SCHOOL = "school"  # name, codes, closed or merged
    PERMISSION = "permission"


@dataclass(frozen=True, slots=True)
class Changed:
    """Who and what of a school is not as it was. `rekeyed`: those who go on under another key, with their number."""

    groups: frozenset[str] = frozenset()
    pupils: frozenset[int] = frozenset()
    staff: frozenset[int] = frozenset()
    rekeyed: frozenset[int] = frozenset()
    school: bool = False

    def with_staff(
        self, before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], *, school_changed: bool
    ) -> "Changed":
        """The same with the staff that two answers have differently."""
        old, new = {each["id"]: each for each in before}, {each["id"]: each for each in after}
        differing = {number for number in old.keys() | new.keys() if old.get(number) != new.get(number)}
        rekeyed = {number for number in old.keys() & new.keys() if old[number]["lasKey"] != new[number]["lasKey"]}
        return replace(
            self, staff=frozenset(differing), rekeyed=self.rekeyed | frozenset(rekeyed), school=school_changed
        )


def compare_people(
    before: Mapping[str, str], ids_before: Mapping[str, int], after: Mapping[str, str], ids_after: Mapping[str, int]
) -> tuple[frozenset[int], frozenset[int]]:
    """Numbers of those who are not as they were, and of those among them whose key changed; by canonical entries."""
    if before == after and ids_before == ids_after:
        return frozenset(), frozenset()
    old = {ids_before[key]: (key, body) for key, body in before.items()}
    new = {ids_after[key]: (key, body) for key, body in after.items()}
    differing = frozenset(number for number in old.keys() | new.keys() if old.get(number) != new.get(number))
    return differing, frozenset(
        number for number in differing & old.keys() & new.keys() if old[number][0] != new[number][0]
    )


def compare_groups(before: Mapping[str, str], after: Mapping[str, str]) -> frozenset[str]:
    return frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def save_changes(db: Session, school_id: int, changed: Changed, now: datetime) -> None:
    """Add to the feed. The school before its groups, and groups before people, so that a reader knows them by then."""
    rows: list[dict[str, Any]] = []
    if changed.school:
        rows.append({"kind": Subject.SCHOOL})
    rows += [{"kind": Subject.GROUP, "key": key} for key in sorted(changed.groups)]
    for kind, numbers in ((Kind.PUPIL, changed.pupils), (Kind.STAFF, changed.staff)):
        rows += [
            {"kind": kind, "person_id": number, "rekeyed": number in changed.rekeyed} for number in sorted(numbers)
        ]
    _save(db, school_id, rows, now)


def save_permission_change(db: Session, school_id: int, publisher_id: int, now: datetime) -> None:
    """Consent was given or withdrawn; the school's row must be locked."""
    _save(db, school_id, [{"kind": Subject.PERMISSION, "publisher_id": publisher_id}], now)


def _save(db: Session, school_id: int, rows: list[dict[str, Any]], now: datetime) -> None:
    if not rows:
        return
    same = {"school_id": school_id, "made_at": now, "key": None, "person_id": None, "publisher_id": None}
    on_postgres = db.get_bind().dialect.name == "postgresql"
    # the number of this transaction: rows count for readers when no older transaction can still commit
    number = cast(cast(func.pg_current_xact_id(), Text), BigInteger) if on_postgres else literal(0)
    table = FeedRow.metadata.tables[FeedRow.__tablename__]
    statement = insert(table).values(transaction=number)
    db.connection().execute(statement, [{**same, "rekeyed": False, **row} for row in rows])
