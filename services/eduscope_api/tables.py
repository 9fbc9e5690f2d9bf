"""Rows of the administration: schools, groups, pupils, staff, their history, who may what, imports, nights, runs."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.attempts import AttemptColumns
from shared.database import BigId, UtcDateTime, new_metadata
from shared.names import fold, sort_name
from shared.night import NightColumns
from shared.outbox import OutboxColumns
from shared.sessions import SessionColumns


class Base(DeclarativeBase):
    metadata = new_metadata()


# Folded names, in the order of their signs: both databases sort and compare them alike.
Folded = String().with_variant(String(collation="C"), "postgresql")


def _sort_name_of_person(context: Any) -> str:
    values = context.get_current_parameters()
    return sort_name(values.get("first_name"), values.get("prefix"), values.get("last_name"))


def _sort_name_of_group(context: Any) -> str:
    return fold(context.get_current_parameters()["name"])


class BoardRow(Base):
    """A school board: its administrators see all of its schools, later ones too."""

    __tablename__ = "boards"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(unique=True)


class SchoolRow(Base):
    """One school, and its side of the connection: the Basispoort tick and the summer pause."""

    __tablename__ = "schools"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    code: Mapped[str] = mapped_column(unique=True)  # BRIN and branch, always six characters
    name: Mapped[str]
    board_id: Mapped[int | None] = mapped_column(ForeignKey("boards.id"), index=True)
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))  # moves with every change in `changes`
    school_key: Mapped[str | None]
    basispoort_on: Mapped[bool] = mapped_column(default=False)
    ticked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_until: Mapped[date | None]  # the first night that runs again


class AnnouncedDomainRow(Base):
    """The administrator announced that addresses move to another mail domain; the hub hears it with the tick."""

    __tablename__ = "announced_domains"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    old_domain: Mapped[str] = mapped_column(primary_key=True)
    new_domain: Mapped[str]
    announced_at: Mapped[datetime] = mapped_column(UtcDateTime)


class GroupRow(Base):
    """A group. Its number is never given out again, so that its history stays its own."""

    __tablename__ = "groups"
    __table_args__ = (
        UniqueConstraint("school_id", "key"),
        Index("ix_groups_sorted", "school_id", "sort_name", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    key: Mapped[str]
    kind: Mapped[str]  # shared/roster.py: home, composite
    name: Mapped[str]
    year: Mapped[str | None]
    description: Mapped[str | None]
    sort_name: Mapped[str] = mapped_column(Folded, default=_sort_name_of_group, server_default=text("''"))
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class PupilRow(Base):
    """A pupil. `came_on`: the first day at this school; `left_on`: the first day that it is no longer its pupil."""

    __tablename__ = "pupils"
    __table_args__ = (UniqueConstraint("school_id", "key"), Index("ix_pupils_sorted", "school_id", "sort_name", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    key: Mapped[str]
    eck_id: Mapped[str | None]
    first_name: Mapped[str | None]
    prefix: Mapped[str | None]
    last_name: Mapped[str | None]
    initials: Mapped[str | None]
    year: Mapped[str | None]
    home_group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"), index=True)
    came_on: Mapped[date | None]
    left_on: Mapped[date | None]
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # only number and hash of the key are left
    sort_name: Mapped[str] = mapped_column(Folded, default=_sort_name_of_person, server_default=text("''"))
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class PupilCompositeRow(Base):
    """A pupil is in a composite group."""

    __tablename__ = "pupil_composites"

    pupil_id: Mapped[int] = mapped_column(ForeignKey("pupils.id"), primary_key=True, autoincrement=False)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True, autoincrement=False, index=True)


class StaffRow(Base):
    """A member of staff. `ends_on` is the last day of work (of a substitute); `came_on`, `left_on` as for pupils."""

    __tablename__ = "staff"
    __table_args__ = (UniqueConstraint("school_id", "key"), Index("ix_staff_sorted", "school_id", "sort_name", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    key: Mapped[str]
    eck_id: Mapped[str | None]
    first_name: Mapped[str | None]
    prefix: Mapped[str | None]
    last_name: Mapped[str | None]
    initials: Mapped[str | None]
    came_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    left_on: Mapped[date | None]
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # only number and hash of the key are left
    sort_name: Mapped[str] = mapped_column(Folded, default=_sort_name_of_person, server_default=text("''"))
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class ContactRow(Base):
    """One contact detail of a member of staff. The e-mail address marked for Basispoort becomes the user name there."""

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("staff_id", "kind", "value"),
        Index(
            "ix_contacts_one_for_basispoort",
            "staff_id",
            unique=True,
            sqlite_where=text("for_basispoort"),
            postgresql_where=text("for_basispoort"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str]  # contacts.py: email, phone
    value: Mapped[str]
    for_basispoort: Mapped[bool] = mapped_column(default=False)


class StaffRoleRow(Base):
    """A member of staff has one of the five roles that Basispoort knows."""

    __tablename__ = "staff_roles"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(primary_key=True)  # shared/roster.py: Role


class TeachingRow(Base):
    """A member of staff teaches a group."""

    __tablename__ = "teaching"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True, autoincrement=False, index=True)


class AdministratorRow(Base):
    """Somebody who keeps the administration of one or more schools."""

    __tablename__ = "administrators"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    user_name: Mapped[str] = mapped_column(unique=True)  # folded; where it is an e-mail address, mail goes there
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    board_id: Mapped[int | None] = mapped_column(ForeignKey("boards.id"), index=True)  # sees all of its schools


class AdministratorSchoolRow(Base):
    __tablename__ = "administrator_schools"

    administrator_id: Mapped[int] = mapped_column(
        ForeignKey("administrators.id"), primary_key=True, autoincrement=False
    )
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False, index=True)


class ApiKeyRow(Base):
    """The key of one integration of one school, shown once and stored hashed. `scopes`: words with a space between."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), index=True)
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("administrators.id"))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ChangeRow(Base):
    """One change of one subject, and who made it. It goes when the subject is erased.

    `fields`: name on the wire -> [before, after]. `version` is the one that the subject has since this change.
    """

    __tablename__ = "changes"
    __table_args__ = (UniqueConstraint("school_id", "kind", "subject_id", "version"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    kind: Mapped[str]  # pupil, staff, group, school
    subject_id: Mapped[int] = mapped_column(BigId)
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    administrator_id: Mapped[int | None] = mapped_column(ForeignKey("administrators.id"))
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id"))
    source: Mapped[str]  # history.py: page, api, file, undo, comparison
    undone_id: Mapped[int | None] = mapped_column(BigId)  # the change that this one takes back
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)


class ImportRow(Base):
    """An EDEXML file that waits for somebody to look at its preview; kept a day at most."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), index=True)
    administrator_id: Mapped[int | None] = mapped_column(ForeignKey("administrators.id"))
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    content: Mapped[bytes] = mapped_column(LargeBinary)  # the file, gzip


class FileKeyRow(Base):
    """The key that a file gives to somebody who has another one here; a person decided that they are the same."""

    __tablename__ = "file_keys"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)  # pupil, staff
    key: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(BigId)


class SessionRow(SessionColumns, Base):
    __tablename__ = "sessions"


class AttemptRow(AttemptColumns, Base):
    __tablename__ = "sign_in_attempts"


class SentRosterRow(Base):
    """The roster that was last sent, or was about to be: remembered before it leaves, so a lost answer is harmless."""

    __tablename__ = "sent_rosters"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    fingerprint: Mapped[str]
    body: Mapped[str] = mapped_column(Text)  # canonical entries per kind, see rosters.py
    remembered_at: Mapped[datetime] = mapped_column(UtcDateTime)


class NightRow(NightColumns, Base):
    __tablename__ = "nights"


class RunRow(Base):
    """One attempt to bring the hub to one school's roster. Holds numbers and words, never names.

    `night` is None for a run that somebody asked for. Of a night, a run without `next_attempt_at` is the last one.
    """

    __tablename__ = "runs"
    __table_args__ = (UniqueConstraint("school_id", "night", "attempt"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    night: Mapped[date | None] = mapped_column(index=True)
    attempt: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    took_ms: Mapped[int | None]  # None while it runs
    outcome: Mapped[str]  # nightly.py: Outcome
    sentence: Mapped[str]
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    hub_status: Mapped[int | None]
    hub_slug: Mapped[str | None]
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OutboxRow(OutboxColumns, Base):
    __tablename__ = "outbox"
