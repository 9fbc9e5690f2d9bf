"""Pupils with their group and year."""

from collections.abc import Sequence
from datetime import date

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.people import RowId, WireNames, check_groups, check_named, given, new_key
from services.eduscope_api.tables import PupilCompositeRow, PupilRow
from shared.database import Db, ReadDb
from shared.problems import NotFound
from shared.roster import GroupKind
from shared.wire.base import Number, WireModel
from shared.wire.rosters import Year

router = APIRouter(prefix="/api/v1/scholen/{code}/leerlingen", tags=["leerlingen"])
COLUMNS = ("first_name", "prefix", "last_name", "initials", "eck_id", "came_on", "left_on", "year", "home_group_id")


class WirePupilChange(WireNames):
    """What an administrator enters or changes. Groups are named by our own numbers."""

    year: Year | None = Field(None, alias="jaargroep")
    home_group_id: Number | None = Field(None, alias="groep")
    composite_group_ids: frozenset[Number] | None = Field(None, alias="samengesteldeGroepen")


class WirePupilShown(WireModel):
    id: int
    key: str
    first_name: str | None = Field(alias="roepnaam")
    prefix: str | None = Field(alias="voorvoegsel")
    last_name: str | None = Field(alias="achternaam")
    initials: str | None = Field(alias="voorletters")
    eck_id: str | None = Field(alias="eckid")
    year: str | None = Field(alias="jaargroep")
    home_group_id: int | None = Field(alias="groep")
    composite_group_ids: Sequence[int] = Field(alias="samengesteldeGroepen")
    came_on: date | None = Field(alias="instroomdatum")
    left_on: date | None = Field(alias="uitstroomdatum")


class WirePupils(WireModel):
    pupils: Sequence[WirePupilShown] = Field(alias="leerlingen")


@router.get("")
def show_pupils(school: ReadSchool, db: ReadDb) -> WirePupils:
    rows = db.scalars(
        select(PupilRow)
        .where(PupilRow.school_id == school.id, PupilRow.erased_at.is_(None))
        .order_by(PupilRow.last_name, PupilRow.first_name, PupilRow.id)
    )
    composites: dict[int, list[int]] = {}
    for pupil_id, group_id in db.execute(
        select(PupilCompositeRow.pupil_id, PupilCompositeRow.group_id)
        .join(PupilRow, PupilRow.id == PupilCompositeRow.pupil_id)
        .where(PupilRow.school_id == school.id)
    ):
        composites.setdefault(pupil_id, []).append(group_id)
    return WirePupils(pupils=[_shown(row, composites.get(row.id, [])) for row in rows])


@router.post("", status_code=201)
def save_new_pupil(body: WirePupilChange, school: LockedSchool, db: Db) -> WirePupilShown:
    return _save(db, PupilRow(school_id=school.id, key=new_key()), body)


@router.patch("/{pupil_id}")
def save_pupil(pupil_id: RowId, body: WirePupilChange, school: LockedSchool, db: Db) -> WirePupilShown:
    """Merge: what is left out stays, null removes."""
    own = select(PupilRow).where(PupilRow.school_id == school.id, PupilRow.erased_at.is_(None))
    row = db.scalar(own.where(PupilRow.id == pupil_id))
    if row is None:
        raise NotFound
    return _save(db, row, body)


def _save(db: Session, row: PupilRow, body: WirePupilChange) -> WirePupilShown:
    wanted = body.composite_group_ids or frozenset()
    if body.home_group_id is not None:
        check_groups(db, row.school_id, [body.home_group_id], "groep", GroupKind.HOME)
    check_groups(db, row.school_id, wanted, "samengesteldeGroepen", GroupKind.COMPOSITE)
    for name, value in given(body, *COLUMNS).items():
        setattr(row, name, value)
    check_named(row)
    db.add(row)
    db.flush()
    if "composite_group_ids" in body.model_fields_set:
        db.execute(delete(PupilCompositeRow).where(PupilCompositeRow.pupil_id == row.id))
        if wanted:
            links = [{"pupil_id": row.id, "group_id": group_id} for group_id in sorted(wanted)]
            db.execute(insert(PupilCompositeRow), links)
    composites = db.scalars(select(PupilCompositeRow.group_id).where(PupilCompositeRow.pupil_id == row.id)).all()
    return _shown(row, composites)


def _shown(row: PupilRow, composites: Sequence[int]) -> WirePupilShown:
    own = {name: getattr(row, name) for name in WirePupilShown.model_fields if name != "composite_group_ids"}
    return WirePupilShown(**own, composite_group_ids=sorted(composites))
