"""What the operator sets up: schools, app accounts as they were before the link, users; and a night at once."""

import hmac

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Engine, delete, insert, select

from services.app_connector import nightly
from services.app_connector.app_accounts import save_app_account
from services.app_connector.sign_in import COORDINATOR, fold_user_name
from services.app_connector.tables import SchoolRow, SessionRow, UserRow, UserSchoolRow
from services.app_connector.wire import (
    AppAccountMade,
    AppAccountSeeded,
    NightAsked,
    NightReport,
    SchoolNamed,
    SchoolSeeded,
    UserSeeded,
)
from shared.clock import now as present
from shared.database import Db, writing
from shared.openapi import OperatorKey
from shared.passwords import hash_password
from shared.problems import CallerUnknown, NotFound, Problem
from shared.service_auth import bearer_hash
from shared.sessions import end_sessions_of


def operator(request: Request, _key: OperatorKey) -> None:
    """Is the operator calling? Raises CallerUnknown."""
    if not hmac.compare_digest(bearer_hash(request), request.app.state.operator_key_hash):
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})


router = APIRouter(prefix="/api/v1/operator", tags=["operator"], dependencies=[Depends(operator)])


class CodeTaken(Problem):
    status, slug, title = 409, "code-taken", "Another school has this code"
    uitleg = "Een andere school heeft deze code."


@router.post("/scholen", status_code=201)
def save_school(body: SchoolSeeded, db: Db) -> SchoolNamed:
    """A school, by the hub's number; again with another name or code changes those. Raises CodeTaken."""
    other = db.scalar(select(SchoolRow.id).where(SchoolRow.code == body.code, SchoolRow.id != body.school_id))
    if other is not None:
        raise CodeTaken
    row = db.get(SchoolRow, body.school_id, with_for_update=True)
    if row is None:
        row = SchoolRow(id=body.school_id, code=body.code, name=body.name)
        db.add(row)
    row.code, row.name = body.code, body.name
    return SchoolNamed(school_id=row.id, name=row.name)


@router.post("/appaccounts", status_code=201)
def save_account(body: AppAccountSeeded, db: Db) -> AppAccountMade:
    """An app as a school used it before it was linked."""
    account = save_app_account(db, body)
    return AppAccountMade(id=account.id, pupils=len(body.pupils), teachers=len(body.teachers))


@router.post("/gebruikers", status_code=204)
def save_user(body: UserSeeded, request: Request) -> None:
    """A sign-in; again for the same name gives it this password, role and schools, and ends its sessions."""
    engine: Engine = request.app.state.engine
    hashed = hash_password(body.password)  # before the transaction: it takes 20 ms of a core
    name = fold_user_name(body.user_name)
    schools = sorted(set(body.schools)) if body.role == COORDINATOR else []
    with writing(engine) as db:
        known = set(db.scalars(select(SchoolRow.id).where(SchoolRow.id.in_(schools))))
        if known != set(schools):
            raise NotFound
        row = db.scalar(select(UserRow).where(UserRow.user_name == name).with_for_update())
        if row is None:
            row = UserRow(user_name=name, password_hash=hashed, role=body.role)
            db.add(row)
        row.password_hash, row.role = hashed, body.role
        db.flush()
        end_sessions_of(db, SessionRow, row.id, present())
        db.execute(delete(UserSchoolRow).where(UserSchoolRow.user_id == row.id))
        if schools:
            db.execute(insert(UserSchoolRow), [{"user_id": row.id, "school_id": each} for each in schools])


@router.post("/nacht")
def run_night(body: NightAsked, request: Request) -> list[NightReport]:
    """The night's work at once, for one school or all; leaves tonight's claim alone."""
    results = nightly.run_all(request.app.state.engine, request.app.state.hub, present(), body.school_id)
    return [
        NightReport(school_id=each.school_id, app=each.app, outcome=each.outcome, error=each.error, counts=each.counts)
        for each in results
    ]
