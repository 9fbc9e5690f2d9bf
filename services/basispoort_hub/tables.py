"""Rows of the hub: schools and connections, people and rosters, holds, accounts and links, publishers and consent."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, false, text, true
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
    teachers_readable: Mapped[bool] = mapped_column(default=False, server_default=false())  # before the link is on
    token: Mapped[str | None]
    fingerprint: Mapped[str | None]
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the last roster accepted from an administration
    first_received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the last sign of life of the administration
    silence_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    drift_found_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mutated_at: Mapped[datetime] = mapped_column(UtcDateTime)  # valid roster, school or coordinators last changed
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())  # not closed, nor merged into another
    # what DUO's register knows of a school
    street: Mapped[str | None]
    house_number: Mapped[str | None]
    house_number_addition: Mapped[str | None]
    postal_code: Mapped[str | None]
    town: Mapped[str | None]
    phone_area: Mapped[str | None]
    phone_subscriber: Mapped[str | None]
    email: Mapped[str | None]
    board_code: Mapped[str | None]
    school_key: Mapped[str | None]
    # the publisher this invented school is for, so that its engineers can try everything; no other publisher sees it
    sandbox_of: Mapped[int | None] = mapped_column(ForeignKey("publishers.id"))


class AnnouncedDomainRow(Base):
    """The administrator announced that addresses move to another mail domain: such changes are no wave."""

    __tablename__ = "announced_domains"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    old_domain: Mapped[str] = mapped_column(primary_key=True)
    new_domain: Mapped[str]


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
    # the number publishers know a coordinator by who does not work here under this account; None for who does
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
    requests_per_minute: Mapped[int | None]  # None: the hub's own default; 0: no limit
    portal_name: Mapped[str | None]  # the tile under which coordinators manage this publisher's applications
    portal_url: Mapped[str | None]
    helpdesk_email: Mapped[str | None]


class PublisherKeyRow(Base):
    """A bearer key of a publisher, hashed; two may live at once, for rotation."""

    __tablename__ = "publisher_keys"

    key_hash: Mapped[str] = mapped_column(primary_key=True)
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PublisherCertificateRow(Base):
    """A client certificate of a publisher, by the SHA-256 of its DER form; the private key is never here."""

    __tablename__ = "publisher_certificates"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
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
        # publishers walk through a year of days, both lists
        Index("ix_permissions_granted", "publisher_id", "granted_on"),
        Index("ix_permissions_withdrawn", "publisher_id", "withdrawn_on"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"))
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    granted_on: Mapped[date]  # the day in Amsterdam
    granted_by: Mapped[int | None] = mapped_column(BigId)  # account id
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_on: Mapped[date | None]
    withdrawn_by: Mapped[int | None] = mapped_column(BigId)  # account id; None: the publisher handed it back


class PermissionRequestRow(Base):
    """A publisher asked a school for consent. At most one is open per school and publisher."""

    __tablename__ = "permission_requests"
    __table_args__ = (
        Index(
            "ix_permission_requests_one_open",
            "school_id",
            "publisher_id",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_how: Mapped[str | None]  # toegestaan, geweigerd, teruggetrokken


class LikaCodeRow(Base):
    """A code under which a publisher keeps licences here; its own code is always one, made at the first use."""

    __tablename__ = "lika_codes"

    code: Mapped[str] = mapped_column(primary_key=True)
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), index=True)


class AllowedAddressRow(Base):
    """An address that applications of a publisher may start with, as the operator allowed it."""

    __tablename__ = "allowed_addresses"

    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), primary_key=True, autoincrement=False)
    address: Mapped[str] = mapped_column(primary_key=True)


class ApplicationRow(Base):
    """A method (a tile in Lesmateriaal), or a product of a method. Each has its own list of users."""

    __tablename__ = "applications"
    __table_args__ = (UniqueConstraint("lika_code", "kind", "key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    lika_code: Mapped[str] = mapped_column(ForeignKey("lika_codes.code"))
    kind: Mapped[str]  # methode, product
    key: Mapped[str]  # the id that the publisher chose
    method_id: Mapped[int | None] = mapped_column(ForeignKey("applications.id"), index=True)  # of a product
    code: Mapped[str | None]
    name: Mapped[str]
    icon: Mapped[str | None]
    icon_url: Mapped[str | None]
    url: Mapped[str | None]
    tags: Mapped[str]  # with a space between


class LicenceRow(Base):
    """This person may use this application.

    No foreign key to the person: a list of a publisher spans hundreds of schools, none of which it locks. A number is
    never used again, and what is read is held against the people who are there.
    """

    __tablename__ = "licences"

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id"), primary_key=True, autoincrement=False)
    person_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False, index=True)


class AnswerRow(Base):
    """The answer a publisher gets about a school, built when something in it changed; served as bytes."""

    __tablename__ = "answers"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    part: Mapped[str] = mapped_column(primary_key=True)  # alles, groepen, leerlingen, staf, details
    etag: Mapped[str]
    mutated_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when what this part says last changed
    content_hash: Mapped[str] = mapped_column(server_default="")  # of what it says, times left out
    body: Mapped[bytes] = mapped_column(LargeBinary)
    packed: Mapped[bytes | None] = mapped_column(LargeBinary)  # the same in gzip; None: not built since that was added


class SchoolEndRow(Base):
    """A school that closed or merged. Its number stays, and its answers say where its pupils went."""

    __tablename__ = "school_ends"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    into_id: Mapped[int | None] = mapped_column(ForeignKey("schools.id"), index=True)  # None: closed
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str]


class FormerCodeRow(Base):
    """A code that a school had before. It still leads to the school, and goes to no other one."""

    __tablename__ = "former_codes"

    code: Mapped[str] = mapped_column(primary_key=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), index=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class FeedRow(Base):
    """Something of a school that publishers read changed; what it is now is read when the feed is.

    `transaction` and `id` are the order: numbers are handed out before the commit, so on PostgreSQL a smaller one may
    appear later. On SQLite, with one writer, it is 0.
    """

    __tablename__ = "feed"
    __table_args__ = (Index("ix_feed_order", "transaction", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    transaction: Mapped[int] = mapped_column(BigId)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), index=True)
    kind: Mapped[str]  # group, pupil, staff, school, permission
    person_id: Mapped[int | None] = mapped_column(BigId)
    key: Mapped[str | None]  # of a group
    publisher_id: Mapped[int | None] = mapped_column(BigId)  # whose permission changed
    rekeyed: Mapped[bool] = mapped_column(default=False, server_default=false())
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class WebhookRow(Base):
    """Where a publisher wants to hear that there are changes. Nothing but positions and numbers of schools is sent."""

    __tablename__ = "webhooks"

    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"), primary_key=True, autoincrement=False)
    url: Mapped[str]
    secret: Mapped[str]  # signing needs it as it is
    former_secret: Mapped[str | None]  # signs too, until the publisher has taken over the new one
    former_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_transaction: Mapped[int] = mapped_column(BigId)  # the position in the feed that was told last
    told_id: Mapped[int] = mapped_column(BigId)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("outbox.id"))  # the message that is on its way
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(SessionColumns, Base):
    __tablename__ = "sessions"


class AttemptRow(AttemptColumns, Base):
    __tablename__ = "sign_in_attempts"


class OutboxRow(OutboxColumns, Base):
    __tablename__ = "outbox"
    __table_args__ = ({"sqlite_autoincrement": True},)
