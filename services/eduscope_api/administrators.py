"""Who may what: administrators with their schools, the keys of integrations, and the operator who appoints."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security
from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from services.eduscope_api.rules.scopes import check_scopes
from services.eduscope_api.tables import AdministratorRow, AdministratorSchoolRow, ApiKeyRow, SchoolRow, SessionRow
from shared.clock import now
from shared.database import Db, ReadDb, reading, writing
from shared.identifiers import SchoolCode, tidy
from shared.openapi import OperatorKey, SessionCookie, bearer_key
from shared.passwords import hash_password, objection
from shared.problems import CallerUnknown, InvalidRequest, NotFound, NotSignedIn
from shared.service_auth import bearer_hash
from shared.sessions import end_sessions_of, read_user_id
from shared.wire.base import Code, Text, WireModel

router = APIRouter(tags=["operator"])
INTEGRATION = "integratiesleutel"
IntegrationKey = Annotated[
    object, Security(bearer_key(INTEGRATION, "The key of an integration, with the scopes that stand with the call."))
]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who does this: an administrator who signed in, or the key of an integration. `name` is for pages."""

    name: str
    administrator_id: int | None = None
    api_key_id: int | None = None


@dataclass(frozen=True, slots=True)
class OwnSchool:
    """A school of the signed-in administrator, as a value that outlives the transaction."""

    id: int
    code: str
    name: str
    basispoort_on: bool


def fold_user_name(text: str) -> str:
    """User names do not mind case or spaces around them. What cannot be stored becomes the name that nobody has."""
    try:
        return tidy(text).casefold()
    except ValueError:
        return ""


# --- guards -----------------------------------------------------------------------------------------------------------


def read_administrator(db: Session, request: Request) -> AdministratorRow | None:
    """Whose live session this request carries, if any."""
    cookie = request.cookies.get(request.app.state.pages.cookie)
    user_id = read_user_id(db, SessionRow, cookie, now())
    return db.get(AdministratorRow, user_id) if user_id is not None else None


def read_schools(db: Session, administrator_id: int) -> Sequence[SchoolRow]:
    """The administrator's schools, by code: the own ones, and those of the board."""
    return db.scalars(select(SchoolRow).where(_is_school_of(administrator_id)).order_by(SchoolRow.code)).all()


def _is_school_of(administrator_id: int) -> ColumnElement[bool]:
    own = select(AdministratorSchoolRow.school_id).where(AdministratorSchoolRow.administrator_id == administrator_id)
    # a board of NULL equals nothing, so somebody without a board sees none of the schools without one
    board = select(AdministratorRow.board_id).where(AdministratorRow.id == administrator_id).scalar_subquery()
    return or_(SchoolRow.id.in_(own), SchoolRow.board_id == board)


def _read_own(db: Session, request: Request, code: str, *, lock: bool = False) -> SchoolRow:
    """The school with this code, if it is one of the caller's. Another's school and no school are the same answer.

    Raises NotSignedIn, CallerUnknown, NotFound; of a key also ScopeMissing, PeopleOnly.
    """
    scopes: Sequence[str] | None = None
    if "authorization" in request.headers:
        caller, mine, scopes = _read_key(db, request)
    else:
        administrator = read_administrator(db, request)
        if administrator is None:
            raise NotSignedIn
        caller = Caller(administrator.user_name, administrator_id=administrator.id)
        mine = _is_school_of(administrator.id)
    try:
        parsed = str(SchoolCode.parse(code))
    except ValueError:
        raise NotFound from None
    statement = select(SchoolRow).where(SchoolRow.code == parsed, mine)
    school = db.scalar(statement.with_for_update(of=SchoolRow) if lock else statement)
    if school is None:
        raise NotFound
    if scopes is not None:
        check_scopes(request.scope["path"], request.method, scopes)
    request.state.caller = caller
    return school


def _read_key(db: Session, request: Request) -> tuple[Caller, ColumnElement[bool], Sequence[str]]:
    """The integration that calls, which school is its own, and its scopes. Raises CallerUnknown."""
    key_hash = bearer_hash(request)
    key = db.scalar(select(ApiKeyRow).where(ApiKeyRow.key_hash == key_hash, ApiKeyRow.revoked_at.is_(None)))
    if key is None:
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})
    return Caller(key.name, api_key_id=key.id), SchoolRow.id == key.school_id, key.scopes.split()


def _reading_school(code: str, request: Request, db: ReadDb, _key: IntegrationKey, _cookie: SessionCookie) -> SchoolRow:
    return _read_own(db, request, code)


def _writing_school(code: str, request: Request, db: Db, _key: IntegrationKey, _cookie: SessionCookie) -> SchoolRow:
    return _read_own(db, request, code, lock=True)


def _allowed_school(code: str, request: Request, _key: IntegrationKey, _cookie: SessionCookie) -> OwnSchool:
    with reading(request.app.state.engine) as db:
        row = _read_own(db, request, code)
        return OwnSchool(row.id, row.code, row.name, row.basispoort_on)


def _operator(request: Request, _key: OperatorKey) -> None:
    if not hmac.compare_digest(bearer_hash(request), request.app.state.operator_key_hash):
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})


# Every address below /api/v1/scholen/{code} takes one of these three, and so can touch no other school.
ReadSchool = Annotated[SchoolRow, Depends(_reading_school, scope="function")]  # in the endpoint's ReadDb
LockedSchool = Annotated[SchoolRow, Depends(_writing_school, scope="function")]  # in the endpoint's Db, row locked
AllowedSchool = Annotated[OwnSchool, Depends(_allowed_school)]  # for slow work: no transaction is left open
Operator = Depends(_operator)


def calling(request: Request) -> Caller:
    """Who was let in by one of the three guards above."""
    caller: Caller = request.state.caller
    return caller


# --- the operator appoints --------------------------------------------------------------------------------------------


class WireAdministrator(WireModel):
    user_name: Text = Field(alias="gebruiker")
    password: Annotated[str, StringConstraints(strict=True, max_length=1000)] = Field(alias="wachtwoord")
    schools: tuple[Code, ...] = Field(alias="scholen", max_length=1000)


class WireAdministratorMade(WireModel):
    id: int
    user_name: str = Field(alias="gebruiker")
    schools: tuple[str, ...] = Field(alias="scholen")


@router.post("/api/v1/operator/beheerders", status_code=201, dependencies=[Operator])
def save_administrator(body: WireAdministrator, request: Request) -> WireAdministratorMade:
    """Appoint an administrator, or give a known one a new password and exactly these schools. Ends the sessions."""
    user_name = fold_user_name(body.user_name)
    refused = objection(body.password, local_words=frozenset({user_name, user_name.partition("@")[0]}))
    if refused is not None:
        raise InvalidRequest(errors=[{"pointer": "/body/wachtwoord", "code": "weak", "detail": refused}])
    hashed = hash_password(body.password)  # slow, so before the transaction
    with writing(request.app.state.engine) as db:
        school_ids = _school_ids(db, body.schools)
        row = db.scalar(select(AdministratorRow).where(AdministratorRow.user_name == user_name).with_for_update())
        if row is None:
            row = AdministratorRow(user_name=user_name, password_hash=hashed, created_at=now())
            db.add(row)
            db.flush()
        else:
            row.password_hash = hashed
            end_sessions_of(db, SessionRow, row.id, now())
            db.execute(delete(AdministratorSchoolRow).where(AdministratorSchoolRow.administrator_id == row.id))
        db.add_all(AdministratorSchoolRow(administrator_id=row.id, school_id=each) for each in school_ids.values())
        return WireAdministratorMade(id=row.id, user_name=user_name, schools=tuple(sorted(school_ids)))


def _school_ids(db: Session, codes: Sequence[str]) -> dict[str, int]:
    found = {row.code: row.id for row in db.scalars(select(SchoolRow).where(SchoolRow.code.in_(set(codes))))}
    unknown = [f"/body/scholen/{at}" for at, code in enumerate(codes) if code not in found]
    if unknown:
        detail = "Deze school bestaat hier niet."
        raise InvalidRequest(errors=[{"pointer": each, "code": "unknown", "detail": detail} for each in unknown])
    return found
