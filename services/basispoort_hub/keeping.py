"""What the clock does for people: tells of silence, closes ended appointments, erases what may not be kept longer."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, or_, select, update

from services.basispoort_hub.account_book import AccountBook
from services.basispoort_hub.accounts import StaffChange, follow_staff, usable_address
from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.post import read_coordinator_ids
from services.basispoort_hub.rosters import Layer, hash_of_key, read_people, read_roster
from services.basispoort_hub.rules.accounts import KEEPS_PASSWORD, KeepingEnded, State
from services.basispoort_hub.tables import (
    AccountRow,
    AppointmentRow,
    AttemptRow,
    LicenceRow,
    LinkRow,
    OutboxRow,
    PersonRow,
    SchoolRow,
    SessionRow,
)
from shared.attempts import remove_old_attempts
from shared.clock import local_date
from shared.database import reading, writing
from shared.outbox import save_message
from shared.roster import Kind

LEAVERS_KEPT = timedelta(days=30)
LINKS_KEPT = timedelta(days=90)
SILENCE = timedelta(hours=36)


def tell_of_silence(engine: Engine, now: datetime) -> int:
    """Queue a mail to every coordinator of a linked school whose administration has been silent; once per silence."""
    with writing(engine) as db:
        quiet = db.scalars(
            select(SchoolRow)
            .where(
                SchoolRow.connection_on,
                SchoolRow.administration_on,
                SchoolRow.heard_at < now - SILENCE,
                or_(SchoolRow.silence_told_at.is_(None), SchoolRow.silence_told_at < SchoolRow.heard_at),
            )
            .order_by(SchoolRow.id)
            .with_for_update()
        ).all()
        for school in quiet:
            for account_id in read_coordinator_ids(db, school.id):
                save_message(db, OutboxRow, "silence", {"account": account_id, "school": school.id}, now)
            school.silence_told_at = now
    return len(quiet)


def close_ended(engine: Engine, now: datetime, links: LinkMaker) -> int:
    """End the appointments of staff whose end date has passed; returns how many. A school at a time."""
    today, ended = local_date(now), 0
    with reading(engine) as db:
        school_ids = list(db.scalars(select(AppointmentRow.school_id).distinct()))
    for school_id in school_ids:
        with writing(engine) as db:
            school = db.get_one(SchoolRow, school_id, with_for_update=True)
            people = read_people(db, school_id)
            working = set(db.scalars(select(AppointmentRow.person_id).where(AppointmentRow.school_id == school_id)))
            staff = read_roster(db, school_id, Layer.VALID).staff
            changes = [
                StaffChange(people[Kind.STAFF, key], member, member)
                for key, member in staff.items()
                if people[Kind.STAFF, key] in working and usable_address(member, today) is None
            ]
            if changes:
                follow_staff(db, school, changes, now, links)
                rebuild_answers(db, school, now)
            ended += len(changes)
    return ended


def forget_leavers(engine: Engine, now: datetime) -> int:
    """Leave only a number and a hash of the key of people who left 30 days ago, no licences; returns how many."""
    due = (PersonRow.left_at < now - LEAVERS_KEPT, PersonRow.key.is_not(None))
    with reading(engine) as db:
        school_ids = list(db.scalars(select(PersonRow.school_id).where(*due).distinct().order_by(PersonRow.school_id)))
    forgotten = 0
    for school_id in school_ids:
        with writing(engine) as db:
            db.get_one(SchoolRow, school_id, with_for_update=True)  # nobody comes back meanwhile
            gone = db.execute(select(PersonRow.id, PersonRow.key).where(PersonRow.school_id == school_id, *due)).all()
            for person_id, key in gone:
                assert key is not None
                db.execute(
                    update(PersonRow).where(PersonRow.id == person_id).values(key=None, key_hash=hash_of_key(key))
                )
                db.execute(delete(LicenceRow).where(LicenceRow.person_id == person_id))
            forgotten += len(gone)
    return forgotten


def forget_closed_accounts(engine: Engine, now: datetime, links: LinkMaker) -> int:
    """Erase address and kept password of accounts that have been closed for 30 days; returns how many."""
    with writing(engine) as db:
        closed = db.scalars(
            select(AccountRow.id).where(
                AccountRow.state == State.CLOSED,
                AccountRow.closed_at < now - KEEPS_PASSWORD,
                AccountRow.email.contains("@"),
            )
        ).all()
        for account_id in closed:
            book = AccountBook(db, now, links)
            email = book.open_one(account_id)
            account = book.account(email) if email is not None else None
            if email is not None and account is not None and account.state is State.CLOSED:
                book.happen(email, KeepingEnded())
    return len(closed)


def remove_old_rows(engine: Engine, now: datetime) -> None:
    """Links after 90 days; sessions that ended or ran out, and sign-in attempts, after a day."""
    with writing(engine) as db:
        db.execute(delete(LinkRow).where(LinkRow.created_at < now - LINKS_KEPT, LinkRow.expires_at < now))
        db.execute(delete(SessionRow).where(SessionRow.expires_at < now - timedelta(days=1)))
        remove_old_attempts(db, AttemptRow, now)
