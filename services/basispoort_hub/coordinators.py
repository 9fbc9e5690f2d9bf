"""The management role of a school: given and taken by people, with a reason on record; never by a roster."""

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import AccountBook
from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.rosters import Layer, read_people, read_roster, release_number
from services.basispoort_hub.rules.accounts import Appointed, Dismissed
from services.basispoort_hub.tables import AccountRow, CoordinatorRow, PersonRow, SchoolRow
from shared.problems import NotFound, Problem
from shared.roster import Kind

OPERATOR = "operator"


class LastCoordinator(Problem):
    status, slug, title = 409, "last-coordinator", "A school keeps at least one coordinator"
    uitleg = "Dit is de laatste ICT-coördinator van de school. Stel eerst een andere aan."


def save_coordinator(
    db: Session, school: SchoolRow, email: str, name: str, reason: str, by: str, now: datetime, links: LinkMaker
) -> int:
    """Make this address a coordinator of the (locked) school; returns the account's number. Twice is once."""
    book = AccountBook(db, now, links, writes_mail=school.sandbox_of is None)
    book.open_by(addresses=[email])
    book.happen(email, Appointed(email, school.id))
    account = book.account(email)
    account_id = book.id_of(email)
    if db.get(CoordinatorRow, (account_id, school.id)) is None:
        in_roster = account is not None and any(each.school == school.id for each in account.counting)
        number = None if in_roster else _find_number(db, school.id, email) or _save_number(db, school.id, now)
        db.add(
            CoordinatorRow(
                account_id=account_id,
                school_id=school.id,
                person_id=number,
                name=name,
                appointed_at=now,
                appointed_by=by,
                reason=reason,
            )
        )
        rebuild_answers(db, school, now)
    return account_id


def _find_number(db: Session, school_id: int, email: str) -> int | None:
    """That of the member of staff with this address, who does not work under it yet, or not any more."""
    keys = [member.key for member in read_roster(db, school_id, Layer.VALID).staff.values() if member.email == email]
    people = read_people(db, school_id) if keys else {}
    return min((people[Kind.STAFF, key] for key in keys), default=None)


def _save_number(db: Session, school_id: int, now: datetime) -> int:
    """The number by which publishers know somebody who is in no roster."""
    row = PersonRow(school_id=school_id, kind=Kind.STAFF, created_at=now)
    db.add(row)
    db.flush()
    return row.id


def remove_coordinator(db: Session, school: SchoolRow, account_id: int, now: datetime, links: LinkMaker) -> None:
    """End the role at the (locked) school. Raises NotFound, LastCoordinator."""
    row = db.get(CoordinatorRow, (account_id, school.id))
    if row is None:
        raise NotFound
    if count_coordinators(db, school.id) == 1:
        raise LastCoordinator
    book = AccountBook(db, now, links)
    email = book.open_one(account_id)
    assert email is not None
    book.happen(email, Dismissed(school.id))
    number = row.person_id
    db.execute(
        delete(CoordinatorRow).where(CoordinatorRow.account_id == account_id, CoordinatorRow.school_id == school.id)
    )
    if number is not None:
        release_number(db, number, now)
    rebuild_answers(db, school, now)


def count_coordinators(db: Session, school_id: int) -> int:
    query = select(func.count()).select_from(CoordinatorRow).where(CoordinatorRow.school_id == school_id)
    return db.scalar(query) or 0


def read_coordinators(db: Session, school_id: int) -> list[tuple[int, str, str, str]]:
    """(account number, name, address, state of the account) of every coordinator of a school."""
    rows = db.execute(
        select(AccountRow.id, CoordinatorRow.name, AccountRow.email, AccountRow.state)
        .join(CoordinatorRow, CoordinatorRow.account_id == AccountRow.id)
        .where(CoordinatorRow.school_id == school_id)
        .order_by(AccountRow.id)
    )
    return [(account_id, name, email, state) for account_id, name, email, state in rows]
