"""Rows of the portal: schools and connections, app accounts and who is in them, drafts, plans, runs and holds."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from shared.attempts import AttemptColumns
from shared.database import BigId, UtcDateTime, new_metadata
from shared.night import NightColumns
from shared.outbox import OutboxColumns
from shared.sessions import SessionColumns


class Base(DeclarativeBase):
    metadata = new_metadata()


class SchoolRow(Base):
    """A school that uses an app; `id` is the hub's number of the institution."""

    __tablename__ = "schools"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class ConnectionRow(Base):
    """The connection of a school with the hub, from the moment the helpdesk completed it."""

    __tablename__ = "connections"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    activated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the last time the hub gave a usable answer
    trouble: Mapped[str | None]  # Dutch, for a person: why the last question had no usable answer


class HubRosterRow(Base):
    """The hub's last usable answer about a school, as it came."""

    __tablename__ = "hub_rosters"

    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)
    etag: Mapped[str]
    body: Mapped[str]
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AppAccountRow(Base):
    """One app of one school. Everything that happens to the app locks this row first."""

    __tablename__ = "app_accounts"
    __table_args__ = (UniqueConstraint("school_id", "app"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"))
    app: Mapped[str]  # taalblobs, rekenblobs
    admin_user: Mapped[str]
    pupil_seats: Mapped[int | None]
    teacher_seats: Mapped[int | None]
    mode: Mapped[str | None]  # what was confirmed: selectief, alles
    paused: Mapped[bool] = mapped_column(default=False)
    synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    night: Mapped[date | None]  # the last night that looked at this account
    night_etag: Mapped[str | None]  # the roster that night carried out
    waiting: Mapped[int] = mapped_column(default=0)  # newcomers for whom there is no seat


class AppGroupRow(Base):
    """A group in an app; `key` is the home group in the hub that it follows."""

    __tablename__ = "app_groups"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app_accounts.id"), index=True)
    name: Mapped[str]
    key: Mapped[str | None]
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    erase_on: Mapped[date | None]


class PersonColumns:
    """What pupils and teachers of an app have in common. `removed_by` is the run that removed the person."""

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    first_name: Mapped[str | None]
    prefix: Mapped[str | None]
    last_name: Mapped[str | None]
    basispoort_id: Mapped[int | None] = mapped_column(BigId)
    origin: Mapped[str]  # lokaal, gekoppeld, aangemaakt
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    removed_by: Mapped[int | None] = mapped_column(BigId)
    erase_on: Mapped[date | None]

    @declared_attr
    @classmethod
    def account_id(cls) -> Mapped[int]:
        return mapped_column(ForeignKey("app_accounts.id"), index=True)


class AppPupilRow(PersonColumns, Base):
    """A pupil in an app, with the work. One living account per hub number in an app."""

    __tablename__ = "app_pupils"
    __table_args__ = (
        Index(
            "uq_app_pupils_living",
            "account_id",
            "basispoort_id",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    group_id: Mapped[int | None] = mapped_column(ForeignKey("app_groups.id"))
    year: Mapped[str | None]
    eck_id: Mapped[str | None]
    las_key: Mapped[str | None]
    exercises_done: Mapped[int] = mapped_column(default=0)
    last_worked_on: Mapped[date | None]


class AppTeacherRow(PersonColumns, Base):
    """A teacher in an app; `groups` are keys of home groups in the hub."""

    __tablename__ = "app_teachers"
    __table_args__ = (
        Index(
            "uq_app_teachers_living",
            "account_id",
            "basispoort_id",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    email: Mapped[str | None]
    is_admin: Mapped[bool] = mapped_column(default=False)
    groups: Mapped[list[str]] = mapped_column(JSON)


class LinkRequestRow(Base):
    """A school's message to the helpdesk, kept whatever is wrong with it."""

    __tablename__ = "link_requests"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    school_name: Mapped[str]
    school_id: Mapped[int] = mapped_column(BigId)  # the number as the school wrote it; it may not exist
    apps: Mapped[list[dict[str, str]]] = mapped_column(JSON)  # [{"app", "admin"}]
    sender: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    completed_by: Mapped[int | None] = mapped_column(BigId)


class DraftRow(Base):
    """What a coordinator has chosen so far for one app. `version` only ever grows; `body` is empty between drafts."""

    __tablename__ = "drafts"

    account_id: Mapped[int] = mapped_column(ForeignKey("app_accounts.id"), primary_key=True, autoincrement=False)
    version: Mapped[int]
    body: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PlanRow(Base):
    """A plan as it was shown. `steps` is its canonical form; 30 days later only ids and actions are left in it."""

    __tablename__ = "plans"
    __table_args__ = (UniqueConstraint("account_id", "draft_version", "fingerprint"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app_accounts.id"))
    draft_version: Mapped[int]
    fingerprint: Mapped[str]
    steps: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    carried_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    forgotten_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the names went


class SyncRow(Base):
    """One run: which plan, when, by whom, and its numbers. `kind`: bevestigd, nacht, teruggedraaid."""

    __tablename__ = "syncs"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app_accounts.id"), index=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), unique=True)
    kind: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(BigId)
    done_at: Mapped[datetime] = mapped_column(UtcDateTime)
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    mode_before: Mapped[str | None]


class HoldRow(Base):
    """One person about whom the brake waits for a decision: let go, or keep until `keep_until`."""

    __tablename__ = "holds"
    __table_args__ = (
        Index(
            "uq_holds_open",
            "account_id",
            "subject",
            "cause",
            "person_id",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("app_accounts.id"))
    subject: Mapped[str]  # leerling, docent
    cause: Mapped[str]  # verwijdering, wissel
    person_id: Mapped[int] = mapped_column(BigId)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decision: Mapped[str | None]  # loslaten, houden
    keep_until: Mapped[date | None]
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserRow(Base):
    """Somebody who can sign in to the portal. `role`: coordinator, helpdesk."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    user_name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]


class UserSchoolRow(Base):
    """Which schools a coordinator works for."""

    __tablename__ = "user_schools"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    school_id: Mapped[int] = mapped_column(ForeignKey("schools.id"), primary_key=True, autoincrement=False)


class SessionRow(SessionColumns, Base):
    """`school_id` is the school that a coordinator of several schools chose."""

    __tablename__ = "sessions"

    school_id: Mapped[int | None] = mapped_column(BigId)


class AttemptRow(AttemptColumns, Base):
    __tablename__ = "sign_in_attempts"


class NightRow(NightColumns, Base):
    __tablename__ = "nights"


class OutboxRow(OutboxColumns, Base):
    __tablename__ = "outbox"
