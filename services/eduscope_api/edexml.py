"""EDEXML files in and out (the xml-maker)."""

from collections.abc import Mapping, Sequence
from datetime import date
from io import BytesIO
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Body, Request, Response
from pydantic import Field
from sqlalchemy import Engine, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import AllowedSchool
from services.eduscope_api.contacts import save_addresses
from services.eduscope_api.people import new_key
from services.eduscope_api.rosters import lock_school, read_picture
from services.eduscope_api.rules.exchange import Picture, PupilRecord, StaffRecord
from services.eduscope_api.rules.imports import GroupKindDiffers, Import, Taken, build_import
from services.eduscope_api.tables import (
    GroupRow,
    PupilCompositeRow,
    PupilRow,
    SchoolRow,
    StaffRoleRow,
    StaffRow,
    TeachingRow,
)
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlSchool, EdexmlStaff, Notice
from shared.edexml_read import read_edexml
from shared.edexml_write import losses, write_edexml
from shared.identifiers import SchoolCode
from shared.problems import NotFound, Problem
from shared.roster import Group
from shared.wire.base import WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/edexml", tags=["edexml"])

LIMIT = 50 * 1024 * 1024
AUTHOR = "EDUscope (Schakel)"
NEW_SCHOOL_YEAR_MONTH = 8


class OtherSchool(Problem):
    status, slug, title = 409, "edexml-other-school", "The file is about another school"
    uitleg = "Het bestand is van een andere school. Er is niets gewijzigd."


class NoSchool(Problem):
    status, slug, title = 422, "edexml-no-school", "The file does not say of which school it is"
    uitleg = "In het bestand staat niet van welke school het is. Er is niets gewijzigd."


class OtherGroupKind(Problem):
    status, slug, title = 409, "edexml-other-group-kind", "A group in the file has the key of a group of another kind"
    uitleg = "Een groep in het bestand heeft de sleutel van een groep van een andere soort. Er is niets gewijzigd."


class WireTaken(WireModel):
    new: int = Field(alias="nieuw")
    changed: int = Field(alias="gewijzigd")
    same: int = Field(alias="gelijk")


class WireNotice(WireModel):
    kind: str = Field(alias="soort")
    count: int = Field(alias="aantal")
    sentence: str = Field(alias="zin")


class WireImported(WireModel):
    code: str
    groups: WireTaken = Field(alias="groepen")
    pupils: WireTaken = Field(alias="leerlingen")
    staff: WireTaken = Field(alias="leerkrachten")
    notices: Sequence[WireNotice] = Field(alias="meldingen")


@router.post("")
def save_file(
    body: Annotated[bytes, Body(media_type="application/xml")], school: AllowedSchool, request: Request
) -> WireImported:
    """Take a file in: adds and changes, never removes. Read before the transaction. Raises EdexmlError, OtherSchool."""
    return take_in(request.app.state.engine, school.id, read_edexml(BytesIO(body), limit_bytes=LIMIT))


@router.get("", response_class=Response)
def show_file(school: AllowedSchool, request: Request) -> Response:
    """The school as an EDEXML 2.1 file, those who left not included."""
    content, _ = export_file(request.app.state.engine, school.code)
    headers = {"Content-Disposition": f'attachment; filename="EDEXML-{school.code}.xml"'}
    return Response(content, media_type="application/xml", headers=headers)


def import_file(engine: Engine, source: BinaryIO) -> WireImported:
    """`schakel import-edexml`: into the school that the file names, which is made when it is not there yet."""
    file = read_edexml(source, limit_bytes=LIMIT)
    if file.school.school_code is None:
        raise NoSchool
    code = str(file.school.school_code)
    with writing(engine) as db:
        row = db.scalar(select(SchoolRow).where(SchoolRow.code == code))
        if row is None:
            row = SchoolRow(code=code, name=f"School {code}")
            db.add(row)
            db.flush()
        school_id = row.id
    return take_in(engine, school_id, file)


def export_file(engine: Engine, school_code: str) -> tuple[bytes, tuple[Notice, ...]]:
    """`schakel export-edexml`: the file, and what it cannot hold. Raises NotFound, EdexmlUnwritable."""
    at = now()
    with reading(engine) as db:
        school = db.scalar(select(SchoolRow).where(SchoolRow.code == school_code))
        if school is None:
            raise NotFound
        file = build_file(school.code, school.school_key, read_picture(db, school.id), local_date(at))
    return write_edexml(file, created_at=at, author=AUTHOR), losses(file)


def build_file(code: str, school_key: str | None, picture: Picture, today: date) -> EdexmlFile:
    """What a file of this day holds."""
    first = today.year if today.month >= NEW_SCHOOL_YEAR_MONTH else today.year - 1
    return EdexmlFile(
        school=EdexmlSchool(
            school_code=SchoolCode.parse(code),
            school_key=school_key,
            school_year=f"{first}-{first + 1}",
            as_of=today,
        ),
        groups=tuple(record.group for record in picture.groups),
        pupils=tuple(
            EdexmlPupil(pupil=record.pupil, left_on=record.left_on)
            for record in picture.pupils
            if record.is_active(today)
        ),
        staff=tuple(EdexmlStaff(member=record.member) for record in picture.staff if record.is_active(today)),
    )


def take_in(engine: Engine, school_id: int, file: EdexmlFile) -> WireImported:
    """Write what the file adds and changes, all or nothing."""
    with writing(engine) as db:
        school = lock_school(db, school_id)
        if file.school.school_code is not None and str(file.school.school_code) != school.code:
            raise OtherSchool
        try:
            taken = build_import(read_picture(db, school_id), file, new_key)
        except GroupKindDiffers:
            raise OtherGroupKind from None
        school.school_key = file.school.school_key or school.school_key
        _save(db, school_id, taken)
        return WireImported(
            code=school.code,
            groups=_counted(taken.groups),
            pupils=_counted(taken.pupils),
            staff=_counted(taken.staff),
            notices=[WireNotice(kind=each.kind, count=each.count, sentence=each.text) for each in taken.notices],
        )


def _counted(taken: Taken[Any]) -> WireTaken:
    return WireTaken(new=len(taken.new), changed=len(taken.changed), same=taken.same)


def _save(db: Session, school_id: int, taken: Import) -> None:
    """Groups first, because the others point to them; then the people, then who is in or before which group."""
    _write(db, GroupRow, school_id, [_group(each) for each in taken.groups.new])
    _rewrite(db, GroupRow, {row_id: _group(each) for row_id, each in taken.groups.changed.items()})
    groups = _ids(db, GroupRow, school_id)
    _write(db, PupilRow, school_id, [_pupil(each, groups) for each in taken.pupils.new])
    _rewrite(db, PupilRow, {row_id: _pupil(each, groups) for row_id, each in taken.pupils.changed.items()})
    _write(db, StaffRow, school_id, [_member(each) for each in taken.staff.new])
    _rewrite(db, StaffRow, {row_id: _member(each) for row_id, each in taken.staff.changed.items()})

    pupil_ids = _ids(db, PupilRow, school_id)
    pupils = {pupil_ids[each.pupil.key]: each.pupil for each in (*taken.pupils.new, *taken.pupils.changed.values())}
    _relink(
        db,
        PupilCompositeRow,
        "pupil_id",
        list(taken.pupils.changed),
        [
            {"pupil_id": row_id, "group_id": groups[key]}
            for row_id, pupil in pupils.items()
            for key in sorted(pupil.composite_groups)
        ],
    )
    staff_ids = _ids(db, StaffRow, school_id)
    staff = {staff_ids[each.member.key]: each.member for each in (*taken.staff.new, *taken.staff.changed.values())}
    save_addresses(db, {row_id: member.email for row_id, member in staff.items()})
    changed = list(taken.staff.changed)
    _relink(
        db,
        StaffRoleRow,
        "staff_id",
        changed,
        [{"staff_id": row_id, "role": role} for row_id, member in staff.items() for role in sorted(member.roles)],
    )
    _relink(
        db,
        TeachingRow,
        "staff_id",
        changed,
        [
            {"staff_id": row_id, "group_id": groups[key]}
            for row_id, member in staff.items()
            for key in sorted(member.home_groups | member.composite_groups)
        ],
    )


def _write(db: Session, rows: type[Any], school_id: int, values: list[dict[str, Any]]) -> None:
    if values:
        db.execute(insert(rows), [{"school_id": school_id, **each} for each in values])


def _rewrite(db: Session, rows: type[Any], values_by_id: Mapping[int, dict[str, Any]]) -> None:
    if values_by_id:
        db.execute(update(rows), [{"id": row_id, **values} for row_id, values in values_by_id.items()])


def _relink(db: Session, rows: type[Any], owner: str, owners: list[int], links: list[dict[str, Any]]) -> None:
    """Give these owners exactly these links; owners that are new have none yet."""
    if owners:
        column = rows.__table__.c[owner]
        db.execute(delete(rows.__table__).where(column == bindparam("of")), [{"of": row_id} for row_id in owners])
    if links:
        db.execute(insert(rows), links)


def _ids(db: Session, rows: type[Any], school_id: int) -> dict[str, int]:
    return dict(db.execute(select(rows.key, rows.id).where(rows.school_id == school_id)).all())


def _group(group: Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "kind": group.kind.value,
        "name": group.name,
        "year": group.year,
        "description": group.description,
    }


def _pupil(record: PupilRecord, groups: Mapping[str, int]) -> dict[str, Any]:
    pupil = record.pupil
    home_group_id = groups[pupil.home_group] if pupil.home_group is not None else None
    return {**_names(pupil), "year": pupil.year, "home_group_id": home_group_id, "left_on": record.left_on}


def _member(record: StaffRecord) -> dict[str, Any]:
    member = record.member
    return {**_names(member), "ends_on": member.ends_on, "left_on": record.left_on}


def _names(person: Any) -> dict[str, Any]:
    names = ("key", "eck_id", "first_name", "prefix", "last_name", "initials")
    return {name: getattr(person, name) for name in names}
