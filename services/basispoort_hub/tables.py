"""Rows of the hub: schools and connections, people and rosters, holds, accounts and links, publishers and consent."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.attempts import AttemptColumns
from shared.database import BigId, UtcDateTime, new_metadata
from shared.outbox import OutboxColumns
from shared.sessions import SessionColumns


class Base(DeclarativeBase):
    metadata = new_metadata()


class SchoolRow(Base):
    """One school. `token` is renewed at every accepted roster; `fingerprint` is the mirror's."""

    __tablename__ = "schools"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    code: Mapped[str] = mapped_column(unique=True)  # BRIN and branch, always six characters
    name: Mapped[str]
    ref: Mapped[str] = mapped_column(unique=True)  # the real interface's instellingRef, a UUID
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    administration: Mapped[str | None]  # chosen by the coordinator
    connection_on: Mapped[bool] = mapped_column(default=False)  # the coordinator's switch
    administration_on: Mapped[bool] = mapped_column(default=False)  # the administrator's tick, as announced
    token: Mapped[str | None]
    fingerprint: Mapped[str | None]
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the last roster accepted from an administration
    first_received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the last sign of life of the administration
    silence_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    drift_found_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mutated_at: Mapped[datetime] = mapped_column(UtcDateTime)  # valid roster, school or coordinators last changed


class AdministrationKeyRow(Base):
    """A bearer key of an administration system, hashed; two may live at once, for rotation."""

    __tablename__ = "administration_keys"

    key_hash: Mapped[str] = mapped_column(primary_key=True)
    administration: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PersonRow(Base):
    """Who somebody is for the outside world: the number that publishers know, one space for pupils and staff.

    Numbers are never used again. A person who left keeps the row; 30 days later only a hash of the key is left in it.
    """

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("school_id", "kind", "key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), index=True)
    kind: Mapped[str]  # pupil, staff
    key: Mapped[str | None]  # None once somebody else took the key over, or when only a tombstone is left
    key_hash: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    left_on: Mapped[date | None]  # the leaving date that the administration recorded


class EntryRow(Base):
    """One entry of a school's mirror or valid roster, in its canonical form (shared/roster.py)."""

    __tablename__ = "roster_entries"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    layer: Mapped[str] = mapped_column(primary_key=True)  # mirror, valid
    kind: Mapped[str] = mapped_column(primary_key=True)  # group, pupil, staff
    key: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str]


class HoldRow(Base):
    """Something the brake stopped. Open until it is let go, kept, or dissolves because the people are back."""

    __tablename__ = "holds"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), index=True)
    cause: Mapped[str]  # rules of shared/brake.py: removals, swap, addresses, coordinator
    kind: Mapped[str]  # pupil, staff
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    kept_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_how: Mapped[str | None]  # losgelaten, opgelost


class HeldRow(Base):
    """One person in a hold. `matches`: for a new key that is kept out, the held person's key it seems to belong to."""

    __tablename__ = "held_people"

    hold_id: Mapped[int] = mapped_column(ForeignKey("holds.id"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(primary_key=True)
    newcomer: Mapped[bool] = mapped_column(primary_key=True)
    matches: Mapped[str | None]


class AccountRow(Base):
    """One sign-in account, belonging to one e-mail address, which is its user name."""

    __tablename__ = "accounts"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    email: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str]  # rules/accounts.py: invited, active, closed
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    kept_password_hash: Mapped[str | None]  # of a closed account, 30 days, for the same key with the same address
    kept_for_person_id: Mapped[int | None] = mapped_column(BigId)


class AppointmentRow(Base):
    """A member of staff of a school works under this account. One per member of staff."""

    __tablename__ = "appointments"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), index=True)
    state: Mapped[str]  # counts, waits
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("outbox.id"))  # the invitation, when it waits


class CoordinatorRow(Base):
    """A management role: given and taken by people, never by a roster."""

    __tablename__ = "coordinators"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    # the number publishers know a coordinator outside the roster by; None when the roster has the person
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    name: Mapped[str]
    appointed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    appointed_by: Mapped[str]  # operator, or the account id of a coordinator
    reason: Mapped[str]


class LinkRow(Base):
    """An activation or reset link: the row's number plus an HMAC make the address; no token is stored."""

    __tablename__ = "links"
    __table_args__ = (
        Index(
            "ix_links_one_live",
            "account_id",
            "purpose",
            unique=True,
            sqlite_where=text("spent_at IS NULL AND void_at IS NULL"),
            postgresql_where=text("spent_at IS NULL AND void_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    purpose: Mapped[str]  # activation, reset
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    email: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    void_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("outbox.id"))


class PublisherRow(Base):
    """A publisher. `sentence` is what its slider says."""

    __tablename__ = "publishers"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    sentence: Mapped[str]


class PublisherKeyRow(Base):
    """A bearer key of a publisher, hashed; two may live at once, for rotation."""

    __tablename__ = "publisher_keys"

    key_hash: Mapped[str] = mapped_column(primary_key=True)
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PermissionRow(Base):
    """One act of consent: given, and perhaps withdrawn later. At most one is open per school and publisher."""

    __tablename__ = "permissions"
    __table_args__ = (
        Index(
            "ix_permissions_one_open",
            "school_id",
            "publisher_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), index=True)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    granted_on: Mapped[date] = mapped_column(index=True)  # the day in Amsterdam
    granted_by: Mapped[int | None] = mapped_column(BigId)  # account id
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_on: Mapped[date | None] = mapped_column(index=True)


class AnswerRow(Base):
    """The answer a publisher gets about a school, built when something in it changed; served as bytes."""

    __tablename__ = "answers"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    part: Mapped[str] = mapped_column(primary_key=True)  # alles, groepen, leerlingen, staf, details
    etag: Mapped[str]
    mutated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class SessionRow(SessionColumns, Base):
    __tablename__ = "sessions"


class AttemptRow(AttemptColumns, Base):
    __tablename__ = "sign_in_attempts"


class OutboxRow(OutboxColumns, Base):
    __tablename__ = "outbox"
    __table_args__ = ({"sqlite_autoincrement": True},)
