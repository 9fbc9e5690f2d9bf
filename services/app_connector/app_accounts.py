"""The pupils, teachers and groups that exist in each app. The one file that changes if the apps become remote."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.app_connector.rules.people import Accounts, AppGroup, AppPupil, AppTeacher, Origin
from services.app_connector.rules.steps import Subject
from services.app_connector.tables import AppAccountRow, AppGroupRow, AppPupilRow, AppTeacherRow, SchoolRow
from services.app_connector.wire import AppAccountSeeded
from shared.clock import now as present
from shared.names import fold
from shared.problems import NotFound, Problem

APPS = ("taalblobs", "rekenblobs")
APP_NAMES = {"taalblobs": "Taalblobs", "rekenblobs": "Rekenblobs"}


class AppAccountExists(Problem):
    status, slug, title = 409, "app-account-exists", "This school already has an account of this app"
    uitleg = "Deze school heeft al een account van deze app."


class GroupUnknown(Problem):
    status, slug, title = 422, "group-unknown", "A pupil is in a group that was not given"
    uitleg = "Een leerling zit in een groep die niet is opgegeven. Er is niets gewijzigd."


class AddressTwice(Problem):
    status, slug, title = 422, "address-twice", "Two teachers have one e-mail address"
    uitleg = "Twee docenten hebben hetzelfde e-mailadres. Er is niets gewijzigd."


def read_app_account(db: Session, school_id: int, app: str, *, lock: bool = False) -> AppAccountRow:
    """One app of one school, locked when asked. Raises NotFound."""
    query = select(AppAccountRow).where(AppAccountRow.school_id == school_id, AppAccountRow.app == app)
    row = db.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound
    return row


def read_app_accounts(db: Session, school_id: int) -> list[AppAccountRow]:
    return list(
        db.scalars(select(AppAccountRow).where(AppAccountRow.school_id == school_id).order_by(AppAccountRow.app))
    )


def read_accounts(db: Session, account: AppAccountRow) -> Accounts:
    """Everybody who is in the app, and who left it but is not yet erased, as values."""
    pupils = db.scalars(
        select(AppPupilRow).where(AppPupilRow.account_id == account.id).order_by(AppPupilRow.removed_at)
    ).all()
    teachers = db.scalars(
        select(AppTeacherRow).where(AppTeacherRow.account_id == account.id).order_by(AppTeacherRow.removed_at)
    ).all()
    groups = db.scalars(
        select(AppGroupRow).where(AppGroupRow.account_id == account.id, AppGroupRow.removed_at.is_(None))
    )
    return Accounts(
        groups={row.id: AppGroup(id=row.id, name=row.name, key=row.key) for row in groups},
        pupils={row.id: _pupil(row) for row in pupils if row.removed_at is None},
        teachers={row.id: _teacher(row) for row in teachers if row.removed_at is None},
        gone_pupils={
            row.basispoort_id: _pupil(row)
            for row in pupils
            if row.removed_at is not None and row.basispoort_id is not None
        },
        gone_teachers={
            row.basispoort_id: _teacher(row)
            for row in teachers
            if row.removed_at is not None and row.basispoort_id is not None
        },
        admin_user=account.admin_user,
        pupil_seats=account.pupil_seats,
        teacher_seats=account.teacher_seats,
    )


def read_gone(db: Session, account: AppAccountRow) -> set[tuple[Subject, int]]:
    """The rows that were removed and are not erased yet."""
    found: set[tuple[Subject, int]] = set()
    tables: tuple[tuple[Subject, Any], ...] = (
        (Subject.GROUP, AppGroupRow),
        (Subject.PUPIL, AppPupilRow),
        (Subject.TEACHER, AppTeacherRow),
    )
    for subject, rows in tables:
        gone = db.scalars(select(rows.id).where(rows.account_id == account.id, rows.removed_at.is_not(None)))
        found |= {(subject, each) for each in gone}
    return found


def _pupil(row: AppPupilRow) -> AppPupil:
    return AppPupil(
        id=row.id,
        first_name=row.first_name,
        prefix=row.prefix,
        last_name=row.last_name,
        group=row.group_id,
        year=row.year,
        eck_id=row.eck_id,
        las_key=row.las_key,
        basispoort_id=row.basispoort_id,
        origin=Origin(row.origin),
    )


def _teacher(row: AppTeacherRow) -> AppTeacher:
    return AppTeacher(
        id=row.id,
        first_name=row.first_name,
        prefix=row.prefix,
        last_name=row.last_name,
        email=row.email,
        groups=tuple(row.groups),
        is_admin=row.is_admin,
        basispoort_id=row.basispoort_id,
        origin=Origin(row.origin),
    )


def read_work(db: Session, account_id: int) -> dict[int, int]:
    """App pupil id -> exercises done; shown beside a plan, never part of it."""
    query = select(AppPupilRow.id, AppPupilRow.exercises_done).where(AppPupilRow.account_id == account_id)
    return {row.id: row.exercises_done for row in db.execute(query)}


def count_people(db: Session, account_id: int) -> tuple[int, int]:
    """Pupils and teachers who are in the app now."""
    tables: tuple[Any, Any] = (AppPupilRow, AppTeacherRow)
    pupils, teachers = (
        db.scalar(select(func.count()).where(rows.account_id == account_id, rows.removed_at.is_(None))) or 0
        for rows in tables
    )
    return pupils, teachers


def is_known_admin(db: Session, school_id: int, app: str, admin: str) -> bool:
    """Is there an account of this app whose administrator has that address or user name?"""
    found = db.scalar(
        select(AppAccountRow.admin_user).where(AppAccountRow.school_id == school_id, AppAccountRow.app == app)
    )
    return found is not None and found.casefold() == admin.strip().casefold()


def save_app_account(db: Session, seeded: AppAccountSeeded) -> AppAccountRow:
    """An app as a school used it before the link. Raises NotFound, AppAccountExists, GroupUnknown, AddressTwice."""
    if db.get(SchoolRow, seeded.school_id, with_for_update=True) is None:
        raise NotFound
    account = AppAccountRow(
        school_id=seeded.school_id,
        app=seeded.app,
        admin_user=seeded.admin,
        pupil_seats=seeded.pupil_seats,
        teacher_seats=seeded.teacher_seats,
    )
    try:
        with db.begin_nested():
            db.add(account)
    except IntegrityError:
        raise AppAccountExists from None
    groups = _save_groups(db, account.id, [*seeded.groups])
    wanted = {pupil.group for pupil in seeded.pupils if pupil.group is not None}
    if not {fold(name) for name in wanted} <= groups.keys():
        raise GroupUnknown
    addresses = [teacher.email for teacher in seeded.teachers if teacher.email is not None]
    if len(set(addresses)) < len(addresses):
        raise AddressTwice
    common = {"account_id": account.id, "origin": Origin.LOCAL.value, "created_at": present(), "basispoort_id": None}
    pupils = [
        {**common, **each.model_dump(by_alias=False, exclude={"group"}), "group_id": groups.get(fold(each.group or ""))}
        for each in seeded.pupils
    ]
    _insert(db, AppPupilRow, pupils)
    _insert(
        db, AppTeacherRow, [{**common, **each.model_dump(by_alias=False), "groups": []} for each in seeded.teachers]
    )
    return account


def _save_groups(db: Session, account_id: int, names: Iterable[str]) -> dict[str, int]:
    """Folded name -> id; a name that occurs twice is one group."""
    found: dict[str, AppGroupRow] = {}
    for name in names:
        found.setdefault(fold(name), AppGroupRow(account_id=account_id, name=name))
    db.add_all(found.values())
    db.flush()
    return {folded: row.id for folded, row in found.items()}


def _insert(db: Session, rows: type[Any], values: list[dict[str, Any]]) -> None:
    if values:
        db.execute(insert(rows), values)
