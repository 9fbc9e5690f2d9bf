"""Changes of mail domain that the administrator announced: they are no wave, and the coordinators hear of them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from services.basispoort_hub.accounts import StaffChange
from services.basispoort_hub.tables import AnnouncedDomainRow, CoordinatorRow, OutboxRow
from shared.brake import is_announced
from shared.outbox import save_message


def save_announced_domains(db: Session, school_id: int, changes: Mapping[str, str]) -> None:
    """Exactly these changes (old domain -> new one) are announced for this (locked) school."""
    if read_announced_domains(db, school_id) == frozenset(changes.items()):
        return  # said again every night
    db.execute(delete(AnnouncedDomainRow).where(AnnouncedDomainRow.school_id == school_id))
    if changes:
        rows = [{"school_id": school_id, "old_domain": old, "new_domain": new} for old, new in changes.items()]
        db.execute(insert(AnnouncedDomainRow), rows)


def read_announced_domains(db: Session, school_id: int) -> frozenset[tuple[str, str]]:
    """Pairs of the old and the new domain."""
    rows = db.execute(
        select(AnnouncedDomainRow.old_domain, AnnouncedDomainRow.new_domain).where(
            AnnouncedDomainRow.school_id == school_id
        )
    )
    return frozenset((old, new) for old, new in rows)


def tell_coordinators(
    db: Session,
    school_id: int,
    changes: Iterable[StaffChange],
    announced: frozenset[tuple[str, str]],
    now: datetime,
) -> int:
    """Queue a mail to each coordinator at both addresses, when announced changes came through; returns how many.

    `other`: the coordinator's address at the other domain of the change. One of the two may have stopped working.
    """
    moved = sum(
        change.before is not None
        and change.after is not None
        and change.before.email != change.after.email
        and is_announced(change.before.email, change.after.email, announced)
        for change in changes
    )
    if not moved:
        return 0
    accounts = db.scalars(
        select(CoordinatorRow.account_id)
        .where(CoordinatorRow.school_id == school_id)
        .order_by(CoordinatorRow.account_id)
    ).all()
    for account_id in accounts:
        for other in (False, True):
            body = {"school": school_id, "account": account_id, "people": moved, "other": other}
            save_message(db, OutboxRow, "domain-moved", body, now)
    return 2 * len(accounts)


def addresses_elsewhere(email: str, announced: frozenset[tuple[str, str]]) -> list[str]:
    """The same address at the other side of each announced change that it is part of."""
    local, _, domain = email.rpartition("@")
    pairs = [*sorted(announced), *sorted((new, old) for old, new in announced)]
    return [f"{local}@{there}" for here, there in pairs if here == domain]
