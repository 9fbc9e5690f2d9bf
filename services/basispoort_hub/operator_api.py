"""What only the operator does: schools, their first coordinators, publishers, and keys, each shown once."""

import hmac
import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.coordinators import OPERATOR, remove_coordinator, save_coordinator
from services.basispoort_hub.intake import read_school
from services.basispoort_hub.publisher_operator import (
    LIVE,
    PUBLISHER_CODE,
    read_publisher,
    save_publisher,
    save_publisher_key,
)
from services.basispoort_hub.tables import AdministrationKeyRow, FormerCodeRow, SchoolRow
from shared.clock import now as present
from shared.database import Db
from shared.openapi import OperatorKey
from shared.problems import CallerUnknown, Problem
from shared.service_auth import bearer_hash, hash_key, new_key
from shared.wire.base import Code, Email, LongText, RowId, Text, WireModel


def check_operator(request: Request, _key: OperatorKey) -> None:
    """Is the operator calling? Raises CallerUnknown."""
    expected: str = request.app.state.operator_key_hash
    if not hmac.compare_digest(bearer_hash(request), expected):
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})


router = APIRouter(prefix="/api/v1/operator", tags=["operator"], dependencies=[Depends(check_operator)])


class SchoolExists(Problem):
    """Member `id`: its number, for an operator whose first answer got lost."""

    status, slug, title = 409, "school-exists", "There is a school with this code"
    uitleg = "Er is al een school met deze code."


class WireNewSchool(WireModel):
    code: Code
    name: Text = Field(alias="naam")


class WireSchoolNumber(WireModel):
    """`id` is the Basispoort-instellingsnummer."""

    id: int
    code: str


class WireNewCoordinator(WireModel):
    email: Email = Field(alias="emailadres")
    name: Text = Field(alias="naam")
    reason: LongText = Field(alias="reden")


class WireNumber(WireModel):
    id: int


class WireNewPublisher(WireModel):
    """`sentence` is what the slider says, in the publisher's own words."""

    code: Annotated[str, StringConstraints(strict=True, pattern=PUBLISHER_CODE)]
    name: Text = Field(alias="naam")
    sentence: LongText = Field(alias="zin")


class WireKey(WireModel):
    """A bearer key; it is shown this once and stored nowhere."""

    key: str = Field(alias="sleutel")


@router.post("/scholen", status_code=201)
def submit_school(body: WireNewSchool, db: Db) -> WireSchoolNumber:
    """A new school, with nobody in it yet."""
    known = db.scalar(select(SchoolRow.id).where(SchoolRow.code == body.code)) or db.scalar(
        select(FormerCodeRow.school_id).where(FormerCodeRow.code == body.code)
    )
    if known is not None:
        raise SchoolExists(id=known)
    now = present()
    school = SchoolRow(code=body.code, name=body.name, ref=str(uuid.uuid4()), created_at=now, mutated_at=now)
    db.add(school)
    db.flush()
    rebuild_answers(db, school, now)
    return WireSchoolNumber(id=school.id, code=school.code)


@router.post("/scholen/{code}/coordinatoren", status_code=201)
def submit_coordinator(code: str, body: WireNewCoordinator, request: Request, db: Db) -> WireNumber:
    """Appoint a coordinator; an activation mail goes to an address that has no account yet."""
    school = read_school(db, code, lock=True)
    account_id = save_coordinator(
        db, school, body.email, body.name, body.reason, OPERATOR, present(), request.app.state.links
    )
    return WireNumber(id=account_id)


@router.delete("/scholen/{code}/coordinatoren/{account_id}", status_code=204)
def submit_removal(code: str, account_id: RowId, request: Request, db: Db) -> None:
    """End a coordinator's role; the last one stays."""
    school = read_school(db, code, lock=True)
    remove_coordinator(db, school, account_id, present(), request.app.state.links)


@router.post("/administraties/{name}/sleutels", status_code=201)
def submit_administration_key(name: Text, db: Db) -> WireKey:
    """A new bearer key for an administration system; of more than two the oldest stops working."""
    key = new_key()
    _revoke_oldest(db, name)
    db.add(AdministrationKeyRow(key_hash=hash_key(key), administration=name, created_at=present()))
    return WireKey(key=key)


@router.post("/uitgevers", status_code=201)
def submit_publisher(body: WireNewPublisher, db: Db) -> WireNumber:
    """A new publisher; no school consents to it yet. Raises PublisherExists."""
    return WireNumber(id=save_publisher(db, body.code, body.name, body.sentence).id)


@router.post("/uitgevers/{code}/sleutels", status_code=201)
def submit_publisher_key(code: Text, db: Db) -> WireKey:
    """A new bearer key for a publisher; of more than two the oldest stops working."""
    return WireKey(key=save_publisher_key(db, read_publisher(db, code).id, present()))


def _revoke_oldest(db: Session, administration: str) -> None:
    """Leave room for one more live key."""
    live = list(
        db.scalars(
            select(AdministrationKeyRow.key_hash)
            .where(AdministrationKeyRow.administration == administration, AdministrationKeyRow.revoked_at.is_(None))
            .order_by(AdministrationKeyRow.created_at.desc())
        )
    )
    db.execute(
        update(AdministrationKeyRow)
        .where(AdministrationKeyRow.key_hash.in_(live[LIVE - 1 :]))
        .values(revoked_at=present())
    )
