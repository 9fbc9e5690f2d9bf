"""What only the operator does: schools, their first coordinators, publishers, and keys, each shown once."""

import hmac
import uuid
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.coordinators import OPERATOR, remove_coordinator, save_coordinator
from services.basispoort_hub.intake import read_school
from services.basispoort_hub.tables import AdministrationKeyRow, PublisherKeyRow, PublisherRow, SchoolRow
from shared.clock import now as present
from shared.database import Db
from shared.problems import CallerUnknown, NotFound, Problem
from shared.service_auth import bearer_hash, hash_key, new_key
from shared.wire.base import Code, Email, LongText, RowId, Text, WireModel

LIVE_KEYS = 2  # so that a key can be replaced without a night lost


def check_operator(request: Request) -> None:
    """Is the operator calling? Raises CallerUnknown."""
    expected: str = request.app.state.operator_key_hash
    if not hmac.compare_digest(bearer_hash(request), expected):
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})


router = APIRouter(prefix="/api/v1/operator", tags=["operator"], dependencies=[Depends(check_operator)])


class SchoolExists(Problem):
    """Member `id`: its number, for an operator whose first answer got lost."""

    status, slug, title = 409, "school-exists", "There is a school with this code"
    uitleg = "Er is al een school met deze code."


class PublisherExists(Problem):
    status, slug, title = 409, "publisher-exists", "There is a publisher with this code"
    uitleg = "Er is al een uitgever met deze code."


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

    code: Text
    name: Text = Field(alias="naam")
    sentence: LongText = Field(alias="zin")


class WireKey(WireModel):
    """A bearer key; it is shown this once and stored nowhere."""

    key: str = Field(alias="sleutel")


@router.post("/scholen", status_code=201)
def submit_school(body: WireNewSchool, db: Db) -> WireSchoolNumber:
    """A new school, with nobody in it yet."""
    known = db.scalar(select(SchoolRow.id).where(SchoolRow.code == body.code))
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
    _revoke_oldest(db, AdministrationKeyRow, AdministrationKeyRow.administration == name)
    db.add(AdministrationKeyRow(key_hash=hash_key(key), administration=name, created_at=present()))
    return WireKey(key=key)


@router.post("/uitgevers", status_code=201)
def submit_publisher(body: WireNewPublisher, db: Db) -> WireNumber:
    """A new publisher; no school consents to it yet."""
    if db.scalar(select(PublisherRow.id).where(PublisherRow.code == body.code)) is not None:
        raise PublisherExists
    publisher = PublisherRow(code=body.code, name=body.name, sentence=body.sentence)
    db.add(publisher)
    db.flush()
    return WireNumber(id=publisher.id)


@router.post("/uitgevers/{code}/sleutels", status_code=201)
def submit_publisher_key(code: Text, db: Db) -> WireKey:
    """A new bearer key for a publisher; of more than two the oldest stops working."""
    publisher_id = db.scalar(select(PublisherRow.id).where(PublisherRow.code == code).with_for_update())
    if publisher_id is None:
        raise NotFound
    key = new_key()
    _revoke_oldest(db, PublisherKeyRow, PublisherKeyRow.publisher_id == publisher_id)
    db.add(PublisherKeyRow(key_hash=hash_key(key), publisher_id=publisher_id, created_at=present()))
    return WireKey(key=key)


def _revoke_oldest(db: Session, rows: type[Any], whose: Any) -> None:
    """Leave room for one more live key."""
    live = list(
        db.scalars(select(rows.key_hash).where(whose, rows.revoked_at.is_(None)).order_by(rows.created_at.desc()))
    )
    db.execute(update(rows).where(rows.key_hash.in_(live[LIVE_KEYS - 1 :])).values(revoked_at=present()))
