"""What there is to see of a school: the connection, the apps, who is in them, and what a run would change."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.app_connector.app_accounts import (
    APP_NAMES,
    count_people,
    read_accounts,
    read_app_account,
    read_app_accounts,
)
from services.app_connector.holds import count_held
from services.app_connector.rosters import RosterMissing, read_roster
from services.app_connector.rules.people import Accounts, HubRoster, Mode
from services.app_connector.rules.plan import build
from services.app_connector.rules.steps import Action, Plan, Subject
from services.app_connector.rules.wizard import differences, start
from services.app_connector.sign_in import AsCoordinator, SignedIn, User, read_user
from services.app_connector.syncs import newcomers
from services.app_connector.tables import (
    AppAccountRow,
    AppGroupRow,
    AppPupilRow,
    AppTeacherRow,
    ConnectionRow,
    DraftRow,
    LinkRequestRow,
    SchoolRow,
)
from services.app_connector.wire import (
    AppName,
    AppOverview,
    AppSummary,
    Differences,
    DraftSummary,
    Overview,
    PupilInApp,
    SchoolNamed,
    TeacherInApp,
)
from shared.clock import local_date
from shared.clock import now as present
from shared.database import ReadDb, reading
from shared.language import say_count
from shared.problems import UpstreamProblem

router = APIRouter(prefix="/api/v1", tags=["overzicht"])

NOT_LINKED, ACTIVE, PAUSED = "niet gekoppeld", "actief", "gepauzeerd"


@router.get("/ik")
def show_schools(user: SignedIn, db: ReadDb) -> list[SchoolNamed]:
    """The schools of the signed-in coordinator, to choose from."""
    return _schools(db, user.schools)


def _schools(db: Session, ids: tuple[int, ...]) -> list[SchoolNamed]:
    rows = db.scalars(select(SchoolRow).where(SchoolRow.id.in_(ids)).order_by(SchoolRow.name, SchoolRow.id))
    return [SchoolNamed(school_id=row.id, name=row.name) for row in rows]


@router.get("/overzicht")
def show_overview(who: AsCoordinator, user: SignedIn, db: ReadDb) -> Overview:
    """The start page: the school, its connection with Basispoort, and one line per app."""
    return read_overview(db, who.school_id, user.schools)


def read_overview(db: Session, school_id: int, schools: tuple[int, ...]) -> Overview:
    connection = db.get(ConnectionRow, school_id)
    own = _schools(db, (school_id,))[0]
    return Overview(
        school=own,
        schools=_schools(db, schools),
        active_since=connection.activated_at if connection else None,
        asked_at=connection.asked_at if connection else None,
        trouble=connection.trouble if connection else None,
        apps=[_summary(db, account) for account in read_app_accounts(db, school_id)],
    )


def _summary(db: Session, account: AppAccountRow) -> AppSummary:
    pupils, teachers = count_people(db, account.id)
    return AppSummary(
        app=account.app,
        state=state_of(account),
        mode=Mode(account.mode) if account.mode else None,
        pupils=pupils,
        teachers=teachers,
        waiting=account.waiting,
        held=count_held(db, account.id),
        differences=read_differences(db, account),
    )


def state_of(account: AppAccountRow) -> str:
    if account.paused:
        return PAUSED
    return ACTIVE if account.mode else NOT_LINKED


def read_differences(db: Session, account: AppAccountRow) -> Differences | None:
    """What a run would change now, for an app that is set up; None while that cannot be told."""
    if account.mode is None:
        return None
    try:
        roster = read_roster(db, account.school_id)
    except (RosterMissing, UpstreamProblem):
        return None
    return count_differences(roster, read_accounts(db, account), Mode(account.mode))


def count_differences(roster: HubRoster, accounts: Accounts, mode: Mode) -> Differences:
    """In a selective app newcomers do not come by themselves; here they count as new all the same."""
    draft = differences(accounts, roster) if mode is Mode.SELECTIVE else start(accounts, roster, mode)
    today = local_date(present())
    plan = build(roster, accounts, draft, today)
    new_pupils = len(plan.of(Subject.PUPIL, Action.NEW)) + len(newcomers(roster, accounts, draft))
    fitting = {member.id for member in roster.staff.values() if member.goes_along(today)}
    new_teachers = len(fitting - {teacher.basispoort_id for teacher in accounts.teachers.values()})
    gone_pupils, gone_teachers = (_count(plan, each, Action.REMOVED) for each in (Subject.PUPIL, Subject.TEACHER))
    return Differences(
        new_pupils=new_pupils,
        gone_pupils=gone_pupils,
        changed_pupils=_count(plan, Subject.PUPIL, Action.CHANGES),
        new_teachers=new_teachers,
        gone_teachers=gone_teachers,
        changed_teachers=_count(plan, Subject.TEACHER, Action.CHANGES),
        sentence=_sentence(new_pupils, gone_pupils, new_teachers, gone_teachers),
    )


def _count(plan: Plan, subject: Subject, action: Action) -> int:
    return len(plan.of(subject, action))


def _sentence(new_pupils: int, gone_pupils: int, new_teachers: int, gone_teachers: int) -> str:
    """`3 nieuwe leerlingen, 1 vertrokken`, and the same for teachers; empty when there is nothing to say."""
    parts = []
    if new_pupils or gone_pupils:
        parts.append(
            say_count(
                "%(n)s nieuwe leerling, %(gone)s vertrokken",
                "%(n)s nieuwe leerlingen, %(gone)s vertrokken",
                new_pupils,
                gone=gone_pupils,
            )
        )
    if new_teachers or gone_teachers:
        parts.append(
            say_count(
                "%(n)s nieuwe docent, %(gone)s vertrokken",
                "%(n)s nieuwe docenten, %(gone)s vertrokken",
                new_teachers,
                gone=gone_teachers,
            )
        )
    return "; ".join(parts)


@router.get("/apps/{app}")
def show_app(app: AppName, who: AsCoordinator, db: ReadDb) -> AppOverview:
    """Who is registered in the app now, from where, and how things stand."""
    account = read_app_account(db, who.school_id, app)
    draft = db.get(DraftRow, account.id)
    return AppOverview(
        app=account.app,
        state=state_of(account),
        mode=Mode(account.mode) if account.mode else None,
        synced_at=account.synced_at,
        pupil_seats=account.pupil_seats,
        teacher_seats=account.teacher_seats,
        pupils=_pupils(db, account.id),
        teachers=_teachers(db, account.id),
        draft=DraftSummary(version=draft.version, mode=Mode(draft.body["mode"]), step=draft.body["reached"])
        if draft is not None and draft.body is not None
        else None,
        differences=read_differences(db, account),
    )


def _pupils(db: Session, account_id: int) -> list[PupilInApp]:
    rows = db.execute(
        select(AppPupilRow, AppGroupRow.name)
        .outerjoin(AppGroupRow, AppGroupRow.id == AppPupilRow.group_id)
        .where(AppPupilRow.account_id == account_id, AppPupilRow.removed_at.is_(None))
        .order_by(AppGroupRow.name, AppPupilRow.last_name, AppPupilRow.first_name, AppPupilRow.id)
    )
    return [
        PupilInApp(
            id=row.id,
            first_name=row.first_name,
            prefix=row.prefix,
            last_name=row.last_name,
            origin=row.origin,
            basispoort_id=row.basispoort_id,
            group=group,
            exercises_done=row.exercises_done,
            last_worked_on=row.last_worked_on,
        )
        for row, group in rows
    ]


def _teachers(db: Session, account_id: int) -> list[TeacherInApp]:
    living = db.execute(
        select(AppGroupRow.key, AppGroupRow.name).where(
            AppGroupRow.account_id == account_id, AppGroupRow.key.is_not(None), AppGroupRow.removed_at.is_(None)
        )
    )
    groups = {row.key: row.name for row in living}
    rows = db.scalars(
        select(AppTeacherRow)
        .where(AppTeacherRow.account_id == account_id, AppTeacherRow.removed_at.is_(None))
        .order_by(AppTeacherRow.last_name, AppTeacherRow.first_name, AppTeacherRow.id)
    )
    return [
        TeacherInApp(
            id=row.id,
            first_name=row.first_name,
            prefix=row.prefix,
            last_name=row.last_name,
            origin=row.origin,
            basispoort_id=row.basispoort_id,
            email=row.email,
            is_admin=row.is_admin,
            groups=sorted(groups[key] for key in row.groups if key in groups),
        )
        for row in rows
    ]


# --- for the status page ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """What the status page shows. `overview` for a coordinator with a school, `open_requests` for the helpdesk."""

    user: User | None
    overview: Overview | None
    open_requests: int | None
    app_names: dict[str, str]


def read_status(request: Request) -> Status:
    """Everything the status page shows to whoever asks."""
    with reading(request.app.state.engine) as db:
        user = read_user(db, request.cookies.get(request.app.state.pages.cookie))
        overview = None
        open_requests = None
        if user is not None and user.school_id is not None:
            overview = read_overview(db, user.school_id, user.schools)
        if user is not None and user.role == "helpdesk":
            waiting = select(LinkRequestRow.id).where(LinkRequestRow.completed_at.is_(None))
            open_requests = len(db.scalars(waiting).all())
        return Status(user, overview, open_requests, APP_NAMES)
