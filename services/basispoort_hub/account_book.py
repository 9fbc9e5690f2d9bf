"""The accounts that one transaction works on: lets rules/accounts.py decide, saves it, carries out what must follow."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.basispoort_hub.links import LinkMaker, save_activation_link, void_links
from services.basispoort_hub.rules.accounts import (
    KEEPS_PASSWORD,
    Account,
    Appointment,
    DestroyPassword,
    Effect,
    EndSessions,
    Event,
    Forget,
    KeepPassword,
    Kept,
    RestorePassword,
    SendActivation,
    SendAppointed,
    SendClosed,
    SendInvitation,
    State,
    VoidLinks,
    decide,
)
from services.basispoort_hub.tables import AccountRow, AppointmentRow, CoordinatorRow, OutboxRow, SessionRow
from shared.outbox import save_message
from shared.problems import DatabaseBusy
from shared.sessions import end_sessions_of

COUNTS, WAITS = "counts", "waits"
_MAILS = (SendActivation, SendAppointed, SendClosed, SendInvitation)


class AccountBook:
    """The accounts that one transaction works on: as values for the rules, as rows for the database."""

    def __init__(self, db: Session, now: datetime, links: LinkMaker, *, writes_mail: bool = True) -> None:
        """`writes_mail`: not to the people of an invented school."""
        self._db, self._now, self._links, self._writes_mail = db, now, links, writes_mail
        self._rows: dict[str, AccountRow] = {}  # by address
        self._values: dict[str, Account] = {}
        self.mails = 0

    def open_by(self, *, addresses: Collection[str] = (), people: Collection[int] = ()) -> None:
        """Read and lock the accounts with these addresses, and those under which these people work."""
        db = self._db
        theirs = select(AppointmentRow.account_id).where(AppointmentRow.person_id.in_(people))
        rows = db.scalars(
            select(AccountRow)
            .where(or_(AccountRow.email.in_(addresses), AccountRow.id.in_(theirs)))
            .order_by(AccountRow.id)
            .with_for_update()
        ).all()
        for row in rows:
            self._rows[row.email] = row
        self._read_values(rows)

    def open_one(self, account_id: int) -> str | None:
        """The same for one account by its number; returns its address."""
        row = self._db.scalar(select(AccountRow).where(AccountRow.id == account_id).with_for_update())
        if row is None:
            return None
        self._rows[row.email] = row
        self._read_values([row])
        return row.email

    def _read_values(self, rows: Iterable[AccountRow]) -> None:
        by_id = {row.id: row for row in rows}
        appointments = self._db.execute(
            select(
                AppointmentRow.account_id, AppointmentRow.school_id, AppointmentRow.person_id, AppointmentRow.state
            ).where(AppointmentRow.account_id.in_(by_id))
        ).all()
        roles = self._db.execute(
            select(CoordinatorRow.account_id, CoordinatorRow.school_id).where(CoordinatorRow.account_id.in_(by_id))
        ).all()
        theirs: dict[tuple[int, str], set[Appointment]] = defaultdict(set)  # (account id, state)
        for account_id, school_id, person_id, state in appointments:
            theirs[account_id, state].add(Appointment(school_id, person_id))
        schools: dict[int, set[int]] = defaultdict(set)
        for account_id, school_id in roles:
            schools[account_id].add(school_id)
        for account_id, row in by_id.items():
            self._values[row.email] = Account(
                email=row.email,
                state=State(row.state),
                counting=frozenset(theirs[account_id, COUNTS]),
                waiting=frozenset(theirs[account_id, WAITS]),
                coordinates=frozenset(schools[account_id]),
                kept=_kept(row),
            )

    def address_of(self, person_id: int) -> str | None:
        """The address under which a person works, or is invited to."""
        for email, account in self._values.items():
            if any(each.person == person_id for each in account.counting | account.waiting):
                return email
        return None

    def account(self, email: str) -> Account | None:
        return self._values.get(email)

    def id_of(self, email: str) -> int:
        return self._rows[email].id

    def happen(self, email: str, event: Event) -> None:
        """Let the rules decide, save what they say, and carry out what must follow."""
        before = self._values.get(email)
        after, effects = decide(before, event)
        row = self._rows.get(email) or self._new_row(email)
        if after is None:
            del self._values[email]
        else:
            self._values[email] = after
            self._save_state(row, after)
            self._save_appointments(row, before, after)
        for effect in effects:
            if self._writes_mail or not isinstance(effect, _MAILS):
                self._carry_out(row, effect)

    def _new_row(self, email: str) -> AccountRow:
        row = AccountRow(email=email, state=State.INVITED, created_at=self._now)
        try:
            with self._db.begin_nested():
                self._db.add(row)
        except IntegrityError:  # PostgreSQL: another school met the same address at the same moment
            raise DatabaseBusy(headers={"Retry-After": "1"}) from None
        self._rows[email] = row
        return row

    def _save_state(self, row: AccountRow, after: Account) -> None:
        if row.state != after.state:
            row.state = after.state
            row.closed_at = self._now if after.state is State.CLOSED else None
        self._db.flush()

    def _save_appointments(self, row: AccountRow, before: Account | None, after: Account) -> None:
        had = {**dict.fromkeys(before.waiting, WAITS), **dict.fromkeys(before.counting, COUNTS)} if before else {}
        has = {**dict.fromkeys(after.waiting, WAITS), **dict.fromkeys(after.counting, COUNTS)}
        for one in had.keys() - has.keys():
            self._db.execute(delete(AppointmentRow).where(AppointmentRow.person_id == one.person))
        for one, state in has.items():
            if one not in had:
                self._db.execute(
                    insert(AppointmentRow).values(
                        person_id=one.person, account_id=row.id, school_id=one.school, state=state, since=self._now
                    )
                )
            elif had[one] != state:
                theirs = update(AppointmentRow).where(AppointmentRow.person_id == one.person)
                self._db.execute(theirs.values(state=state))

    def _carry_out(self, row: AccountRow, effect: Effect) -> None:
        db, now = self._db, self._now
        match effect:
            case SendActivation():
                save_activation_link(db, row, now, self._links)
                self.mails += 1
            case SendInvitation(appointment=one):
                message_id = save_message(db, OutboxRow, "invitation", {"person": one.person}, now)
                invited = update(AppointmentRow).where(AppointmentRow.person_id == one.person)
                db.execute(invited.values(message_id=message_id, since=now))
                self.mails += 1
            case SendClosed():
                save_message(db, OutboxRow, "closed", {"account": row.id}, now)
                self.mails += 1
            case SendAppointed(school=school_id):
                save_message(db, OutboxRow, "appointed", {"account": row.id, "school": school_id}, now)
                self.mails += 1
            case EndSessions():
                end_sessions_of(db, SessionRow, row.id, now)
            case VoidLinks():
                void_links(db, row.id, now)
            case DestroyPassword():
                row.password_hash = row.kept_password_hash = row.kept_for_person_id = None
            case KeepPassword(person=person_id):
                row.kept_password_hash, row.kept_for_person_id = row.password_hash, person_id
                row.password_hash = None
            case RestorePassword():
                row.password_hash = row.kept_password_hash
                row.kept_password_hash = row.kept_for_person_id = None
            case Forget():
                row.email = f"#{row.id}"  # unique, and nobody's
        db.flush()


def _kept(row: AccountRow) -> Kept | None:
    if row.kept_password_hash is None or row.kept_for_person_id is None or row.closed_at is None:
        return None
    return Kept(row.kept_for_person_id, row.closed_at + KEEPS_PASSWORD)
