"""API keys of integrations: made by an administrator, shown once, stored hashed, with scopes, revoked at any time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import Caller, LockedSchool, ReadSchool, calling
from services.eduscope_api.rules.scopes import SCOPES
from services.eduscope_api.tables import AdministratorRow, ApiKeyRow
from shared.clock import now
from shared.database import Db, ReadDb
from shared.language import say
from shared.problems import NotFound, Problem
from shared.service_auth import hash_key, new_key
from shared.wire.base import RowId, Text, WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/sleutels", tags=["sleutels"])

MOST_LIVE = 50  # of one school


class TooManyKeys(Problem):
    status, slug, title = 409, "too-many-keys", "The school has as many live keys as it can have"
    uitleg = f"Deze school heeft al {MOST_LIVE} sleutels. Trek er eerst een in die niet meer nodig is."


def _known_scope(text: str) -> str:
    if text not in SCOPES:
        raise ValueError(say("deze bevoegdheid bestaat niet"))
    return text


class WireNewKey(WireModel):
    """What the key is for, and what may be done with it."""

    name: Text = Field(alias="naam", examples=["Roosterprogramma"])
    scopes: frozenset[Annotated[str, AfterValidator(_known_scope)]] = Field(
        alias="bevoegdheden", min_length=1, max_length=len(SCOPES), examples=[["leerlingen:lezen", "groepen:lezen"]]
    )


class WireKey(WireModel):
    id: int
    name: str = Field(alias="naam")
    scopes: Sequence[str] = Field(alias="bevoegdheden")
    made_at: datetime = Field(alias="gemaaktOp")
    made_by: str | None = Field(alias="gemaaktDoor")
    revoked_at: datetime | None = Field(alias="ingetrokkenOp")


class WireMadeKey(WireKey):
    """The only answer in which the key itself stands."""

    key: str = Field(alias="sleutel")


class WireKeys(WireModel):
    keys: Sequence[WireKey] = Field(alias="sleutels")


@router.get("")
def show_keys(school: ReadSchool, db: ReadDb) -> WireKeys:
    """The school's keys, newest first, revoked ones too; never the keys themselves."""
    return WireKeys(keys=read_keys(db, school.id))


@router.post("", status_code=201)
def submit_key(body: WireNewKey, school: LockedSchool, db: Db, request: Request) -> WireMadeKey:
    """Make a key. It is shown now and never again."""
    return save_new_key(db, school.id, body, calling(request), now())


@router.delete("/{key_id}", status_code=204)
def submit_revocation(key_id: RowId, school: LockedSchool, db: Db) -> None:
    """Revoke a key; it counts at once. Twice is once."""
    revoke_key(db, school.id, key_id, now())


def read_keys(db: Session, school_id: int) -> list[WireKey]:
    rows = db.execute(
        select(ApiKeyRow, AdministratorRow.user_name)
        .outerjoin(AdministratorRow, AdministratorRow.id == ApiKeyRow.created_by)
        .where(ApiKeyRow.school_id == school_id)
        .order_by(ApiKeyRow.id.desc())
    )
    return [WireKey(**_values(row), made_by=user_name) for row, user_name in rows]


def save_new_key(db: Session, school_id: int, body: WireNewKey, caller: Caller, at: datetime) -> WireMadeKey:
    """A new key of the (locked) school. Raises TooManyKeys."""
    live = select(ApiKeyRow.id).where(ApiKeyRow.school_id == school_id, ApiKeyRow.revoked_at.is_(None))
    if len(db.scalars(live).all()) >= MOST_LIVE:
        raise TooManyKeys
    key = new_key()
    row = ApiKeyRow(
        school_id=school_id,
        name=body.name,
        key_hash=hash_key(key),
        scopes=" ".join(scope for scope in SCOPES if scope in body.scopes),
        created_at=at,
        created_by=caller.administrator_id,
    )
    db.add(row)
    db.flush()
    return WireMadeKey(**_values(row), made_by=caller.name, key=key)


def revoke_key(db: Session, school_id: int, key_id: int, at: datetime) -> None:
    """Raises NotFound for what is no key of the (locked) school."""
    row = db.scalar(select(ApiKeyRow).where(ApiKeyRow.id == key_id, ApiKeyRow.school_id == school_id))
    if row is None:
        raise NotFound
    row.revoked_at = row.revoked_at or at


def _values(row: ApiKeyRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes.split(),
        "made_at": row.created_at,
        "revoked_at": row.revoked_at,
    }
