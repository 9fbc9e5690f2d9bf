"""Keeps accounts in step with a school's staff, and tells a coordinator how things stand with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import COUNTS, AccountBook
from services.basispoort_hub.links import LinkMaker, read_last_links
from services.basispoort_hub.rosters import keep_numbers, release_number
from services.basispoort_hub.rules.accounts import (
    AddressChanged,
    Announced,
    Appointed,
    Appointment,
    Dismissed,
    Left,
    State,
)
from services.basispoort_hub.tables import (
    AccountRow,
    AppointmentRow,
    CoordinatorRow,
    OutboxRow,
    PersonRow,
    SchoolRow,
)
from shared.clock import local_date
from shared.language import mark
from shared.roster import Kind, Roster, StaffMember


@dataclass(frozen=True, slots=True)
class StaffChange:
    """One member of staff of the valid roster, before and after; None where there was or is nobody."""

    person_id: int
    before: StaffMember | None
    after: StaffMember | None


@dataclass(frozen=True, slots=True)
class AccountState:
    """What a coordinator sees of somebody's account and of the last mail to it, in Dutch.

    It never tells whether an address was known elsewhere: an invitation looks like a first activation.
    """

    account: str  # uitnodiging verstuurd, actief
    link: str | None = None  # in wachtrij, verstuurd, geweigerd, verlopen, gebruikt
    link_at: datetime | None = None
    link_until: datetime | None = None


def follow_staff(
    db: Session, school: SchoolRow, changes: Sequence[StaffChange], now: datetime, links: LinkMaker
) -> int:
    """Bring accounts to where the changed staff should be; returns how many mails were queued.

    What people have is read from the appointments, not from `before`, so following twice changes nothing.

    1. Every appointment that ends or moves away.
    2. Every arrival. So addresses can be swapped or passed on in one night, and nobody gets another's account.
    3. A management role moves along with a changed address (the brake let it through, so a person confirmed it), and
       a coordinator who works here no longer keeps the number.
    """
    today = local_date(now)
    wanted = {change.person_id: usable_address(change.after, today) for change in changes}
    book = AccountBook(db, now, links, writes_mail=school.sandbox_of is None)
    book.open_by(addresses=[email for email in wanted.values() if email is not None], people=wanted.keys())
    leads: dict[int, str] = {}  # person id -> the address whose management role moves along
    for person_id, email in sorted(wanted.items()):
        held = book.address_of(person_id)
        if held is None or held == email:
            continue
        one = Appointment(school.id, person_id)
        account = book.account(held)
        is_coordinator = account is not None and one in account.counting and school.id in account.coordinates
        if email is None:
            book.happen(held, Left(one, now))
            place_coordinator(db, book, held, one, now)
        else:
            if is_coordinator:
                book.happen(held, Dismissed(school.id))
                leads[person_id] = held
            book.happen(held, AddressChanged(one))
    for person_id, email in sorted(wanted.items()):
        if email is None or book.address_of(person_id) == email:
            continue
        if person_id in leads:
            book.happen(email, Appointed(email, school.id))
            _move_role(db, school.id, book.id_of(leads[person_id]), book.id_of(email))
        one = Appointment(school.id, person_id)
        book.happen(email, Announced(email, one, now))
        place_coordinator(db, book, email, one, now)
    keep_numbers(db, school.id)
    return book.mails


def usable_address(member: StaffMember | None, today: date) -> str | None:
    """The address under which this member of staff works today, if any."""
    if member is None or (member.ends_on is not None and member.ends_on < today):
        return None
    return member.email


def place_coordinator(db: Session, book: AccountBook, email: str, one: Appointment, now: datetime) -> None:
    """By which number do publishers know this coordinator, now that something happened to an appointment of hers?

    By that of her work at the school. Who does not work there under this account goes on with a number of her own,
    which is that of the work that ended. Nothing happens to who is no coordinator of the school.
    """
    account = book.account(email)
    if account is None or one.school not in account.coordinates:
        return
    mine = (CoordinatorRow.account_id == book.id_of(email), CoordinatorRow.school_id == one.school)
    before = db.scalar(select(CoordinatorRow.person_id).where(*mine))
    works_there = any(each.school == one.school for each in account.counting)
    own = None if works_there else before or one.person
    if before != own:
        db.execute(update(CoordinatorRow).where(*mine).values(person_id=own))
        if before is not None:
            release_number(db, before, now)


def _move_role(db: Session, school_id: int, old_account_id: int, new_account_id: int) -> None:
    here = CoordinatorRow.school_id == school_id
    has_role = db.scalar(select(CoordinatorRow.account_id).where(here, CoordinatorRow.account_id == new_account_id))
    mine = (here, CoordinatorRow.account_id == old_account_id)
    if has_role is None:
        db.execute(update(CoordinatorRow).where(*mine).values(account_id=new_account_id))
    else:
        db.execute(delete(CoordinatorRow).where(*mine))


def place_coordinators(db: Session, school_id: int, roster: Roster) -> bool:
    """Give coordinators who were outside the roster, and are in it now, their key: they keep their number.

    Answers whether there was anybody outside it.

    To be called before people are numbered, in the same transaction.
    """
    known = db.execute(
        select(AccountRow.email, PersonRow.id, PersonRow.key)
        .join(CoordinatorRow, CoordinatorRow.account_id == AccountRow.id)
        .join(PersonRow, PersonRow.id == CoordinatorRow.person_id)
        .where(CoordinatorRow.school_id == school_id)
        .order_by(PersonRow.id)
    )
    outside = [(email, person_id) for email, person_id, key in known if key not in roster.staff]
    if not outside:
        return False
    keys = {member.email: member.key for member in roster.staff.values() if member.email is not None}
    numbered = set(
        db.scalars(
            select(PersonRow.key).where(
                PersonRow.school_id == school_id, PersonRow.kind == Kind.STAFF, PersonRow.key.is_not(None)
            )
        )
    )
    for email, person_id in outside:
        key = keys.get(email)
        if key is not None and key not in numbered:
            db.execute(update(PersonRow).where(PersonRow.id == person_id).values(key=key, key_hash=None, left_at=None))
    return True


def read_staff_states(db: Session, school_id: int, now: datetime, links: LinkMaker) -> dict[int, AccountState]:
    """Person id -> the state of the account and of its last link, of everybody of this school with an appointment."""
    rows = db.execute(
        select(
            AppointmentRow.person_id,
            AppointmentRow.account_id,
            AppointmentRow.state,
            AppointmentRow.since,
            AppointmentRow.message_id,
            AccountRow.state,
        )
        .join(AccountRow, AccountRow.id == AppointmentRow.account_id)
        .where(AppointmentRow.school_id == school_id)
    ).all()
    last = read_last_links(db, [row.account_id for row in rows])
    messages = [row.message_id for row in rows] + [link.message_id for link in last.values()]
    posted = _read_posted(db, [message_id for message_id in messages if message_id is not None])
    found: dict[int, AccountState] = {}
    for person_id, account_id, standing, since, message_id, state in rows:
        link = last.get(account_id)
        if standing != COUNTS:
            until = since + links.lasts
            how = "verlopen" if until <= now else posted.get(message_id or 0)
            found[person_id] = AccountState(mark("uitnodiging verstuurd"), how, since, until)
        elif state == State.ACTIVE:
            # a link from before this appointment belongs to another school's story
            used = link if link is not None and link.spent_at is not None and link.created_at >= since else None
            found[person_id] = AccountState(
                mark("actief"), "gebruikt" if used else None, used.spent_at if used else None
            )
        elif link is None:
            found[person_id] = AccountState(mark("uitnodiging verstuurd"))
        else:
            how = "verlopen" if link.expires_at <= now else posted.get(link.message_id or 0)
            found[person_id] = AccountState(mark("uitnodiging verstuurd"), how, link.created_at, link.expires_at)
    return found


def _read_posted(db: Session, message_ids: Sequence[int]) -> dict[int, str]:
    """Message id -> what became of the mail."""
    rows = db.execute(select(OutboxRow.id, OutboxRow.sent_at, OutboxRow.failed_at).where(OutboxRow.id.in_(message_ids)))
    return {
        message_id: "geweigerd" if failed_at else "verstuurd" if sent_at else "in wachtrij"
        for message_id, sent_at, failed_at in rows
    }
