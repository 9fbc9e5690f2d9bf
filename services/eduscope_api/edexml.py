"""EDEXML files in and out (the xml-maker)."""

from collections.abc import Mapping, Sequence
from datetime import date
from io import BytesIO
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import Field
from sqlalchemy import Engine, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import AllowedSchool, calling
from services.eduscope_api.contacts import save_addresses
from services.eduscope_api.edexml_wire import WireNotice, wire_notices
from services.eduscope_api.history import By, Source, recording
from services.eduscope_api.people import new_key
from services.eduscope_api.rosters import lock_school, read_picture
from services.eduscope_api.rules.exchange import GroupRecord, Picture, PupilRecord, StaffRecord
from services.eduscope_api.rules.history import Subject
from services.eduscope_api.rules.import_plan import GroupKindDiffers
from services.eduscope_api.rules.imports import Import, Taken, build_import
from services.eduscope_api.tables import (
    FileKeyRow,
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
from shared.edexml_versions import Version
from shared.edexml_write import losses, write_edexml
from shared.identifiers import SchoolCode
from shared.names import fold, sort_name
from shared.problems import NotFound, Problem
from shared.roster import Kind, Person
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


class WireImported(WireModel):
    code: str
    groups: WireTaken = Field(alias="groepen")
    pupils: WireTaken = Field(alias="leerlingen")
    staff: WireTaken = Field(alias="leerkrachten")
    notices: Sequence[WireNotice] = Field(alias="meldingen")


class WireLosses(WireModel):
    """`schrijfbaar` is false for a school without pupils, which the format cannot hold at all."""

    version: Version = Field(alias="versie")
    writable: bool = Field(alias="schrijfbaar")
    losses: Sequence[WireNotice] = Field(alias="verlies")


@router.post("")
def save_file(
    body: Annotated[bytes, Body(media_type="application/xml")], school: AllowedSchool, request: Request
) -> WireImported:
    """Take a file in: adds and changes, never removes. Read before the transaction. Raises EdexmlError, OtherSchool."""
    file = read_edexml(BytesIO(body), limit_bytes=LIMIT)
    return take_in(request.app.state.engine, school.id, file, by_file(request))


@router.get("", response_class=Response)
def show_file(
    school: AllowedSchool, request: Request, version: Annotated[Version, Query(alias="versie")] = Version.V2_1
) -> Response:
    """The school as an EDEXML file, those who left not included."""
    content, _ = export_file(request.app.state.engine, school.code, version)
    headers = {"Content-Disposition": f'attachment; filename="EDEXML-{version}-{school.code}.xml"'}
    return Response(content, media_type="application/xml", headers=headers)


@router.get("/verlies")
def show_losses(
    school: AllowedSchool, request: Request, version: Annotated[Version, Query(alias="versie")] = Version.V2_1
) -> WireLosses:
    """What a file in this version cannot hold of the school, before anybody downloads it."""
    return read_losses(request.app.state.engine, school.code, version)


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


def export_file(engine: Engine, school_code: str, version: Version = Version.V2_1) -> tuple[bytes, tuple[Notice, ...]]:
    """`schakel export-edexml`: the file, and what it cannot hold. Raises NotFound, EdexmlUnwritable."""
    at = now()
    file = _read_file(engine, school_code, local_date(at))
    return write_edexml(file, created_at=at, author=AUTHOR, version=version), losses(file, version)


def read_losses(engine: Engine, school_code: str, version: Version) -> WireLosses:
    """Raises NotFound."""
    file = _read_file(engine, school_code, local_date(now()))
    return WireLosses(version=version, writable=bool(file.pupils), losses=wire_notices(losses(file, version)))


def _read_file(engine: Engine, school_code: str, today: date) -> EdexmlFile:
    with reading(engine) as db:
        school = db.scalar(select(SchoolRow).where(SchoolRow.code == school_code))
        if school is None:
            raise NotFound
        return build_file(school.code, school.school_key, read_picture(db, school.id), today)


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
            EdexmlPupil(pupil=record.pupil, joined_on=record.came_on, left_on=record.left_on)
            for record in picture.pupils
            if record.is_active(today)
        ),
        staff=tuple(EdexmlStaff(member=record.member) for record in picture.staff if record.is_active(today)),
    )


def by_file(request: Request) -> By:
    """Somebody who takes a file in."""
    return By(calling(request), Source.FILE, now())


def take_in(engine: Engine, school_id: int, file: EdexmlFile, by: By | None = None) -> WireImported:
    """Write what the file adds and changes, all or nothing. Swaps stay out; a notice counts them."""
    with writing(engine) as db:
        school = lock_school(db, school_id)
        check_own(file, school.code)
        picture, known = read_picture(db, school_id), read_file_keys(db, school_id)
        try:
            taken = build_import(picture, file, local_date(now()), new_key, known)
        except GroupKindDiffers:
            raise OtherGroupKind from None
        save_import(db, school, taken, by or By(None, Source.FILE, now()))
        return WireImported(
            code=school.code,
            groups=_counted(taken.groups),
            pupils=_counted(taken.pupils),
            staff=_counted(taken.staff),
            notices=wire_notices(taken.notices),
        )


def check_own(file: EdexmlFile, code: str) -> None:
    """Is the file about this school, or about none in particular? Raises OtherSchool."""
    if file.school.school_code is not None and str(file.school.school_code) != code:
        raise OtherSchool


def read_file_keys(db: Session, school_id: int) -> dict[Kind, dict[str, int]]:
    """Keys of earlier files that people gave to somebody here, per kind."""
    found: dict[Kind, dict[str, int]] = {Kind.PUPIL: {}, Kind.STAFF: {}}
    for row in db.scalars(select(FileKeyRow).where(FileKeyRow.school_id == school_id)):
        found[Kind(row.kind)][row.key] = row.person_id
    return found


def _counted(taken: Taken[Any]) -> WireTaken:
    return WireTaken(new=len(taken.new), changed=len(taken.changed), same=taken.same)


def save_import(db: Session, school: SchoolRow, taken: Import, by: By) -> None:
    """Write it, and remember in the history what changed. The school's row is locked."""
    school.school_key = taken.school_key or school.school_key
    with (
        recording(db, school.id, Subject.GROUP, None, by),
        recording(db, school.id, Subject.PUPIL, None, by),
        recording(db, school.id, Subject.STAFF, None, by),
    ):
        _save(db, school, taken)


def _save(db: Session, school: SchoolRow, taken: Import) -> None:
    """Groups first, because the others point to them; then the people, then who is in or before which group."""
    _write(db, GroupRow, school.id, [_group(each) for each in taken.groups.new])
    _rewrite(db, GroupRow, {row_id: _group(each) for row_id, each in taken.groups.changed.items()})
    groups = _ids(db, GroupRow, school.id)
    _write(db, PupilRow, school.id, [_pupil(each, groups) for each in taken.pupils.new])
    _rewrite(db, PupilRow, {row_id: _pupil(each, groups) for row_id, each in taken.pupils.changed.items()})
    _write(db, StaffRow, school.id, [_member(each) for each in taken.staff.new])
    _rewrite(db, StaffRow, {row_id: _member(each) for row_id, each in taken.staff.changed.items()})
    pupil_ids, staff_ids = _ids(db, PupilRow, school.id), _ids(db, StaffRow, school.id)
    _save_composites(db, taken.pupils, pupil_ids, groups)
    _save_staff_details(db, taken.staff, staff_ids, groups)
    for kind, ids in ((Kind.PUPIL, pupil_ids), (Kind.STAFF, staff_ids)):
        _save_file_keys(db, school.id, kind, {key: ids[here] for key, here in taken.file_keys[kind].items()})


def _save_composites(db: Session, taken: Taken[PupilRecord], ids: Mapping[str, int], groups: Mapping[str, int]) -> None:
    pupils = {ids[each.pupil.key]: each.pupil for each in (*taken.new, *taken.changed.values())}
    links = [
        {"pupil_id": row_id, "group_id": groups[key]}
        for row_id, pupil in pupils.items()
        for key in sorted(pupil.composite_groups)
    ]
    _relink(db, PupilCompositeRow, "pupil_id", list(taken.changed), links)


def _save_staff_details(
    db: Session, taken: Taken[StaffRecord], ids: Mapping[str, int], groups: Mapping[str, int]
) -> None:
    staff = {ids[each.member.key]: each.member for each in (*taken.new, *taken.changed.values())}
    save_addresses(db, {row_id: member.email for row_id, member in staff.items()})
    changed = list(taken.changed)
    roles = [{"staff_id": row_id, "role": role} for row_id, member in staff.items() for role in sorted(member.roles)]
    _relink(db, StaffRoleRow, "staff_id", changed, roles)
    taught = [
        {"staff_id": row_id, "group_id": groups[key]}
        for row_id, member in staff.items()
        for key in sorted(member.home_groups | member.composite_groups)
    ]
    _relink(db, TeachingRow, "staff_id", changed, taught)


def _save_file_keys(db: Session, school_id: int, kind: Kind, persons: Mapping[str, int]) -> None:
    for key, person_id in persons.items():
        db.merge(FileKeyRow(school_id=school_id, kind=kind.value, key=key, person_id=person_id))


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


def _group(record: GroupRecord) -> dict[str, Any]:
    group = record.group
    return {
        "key": group.key,
        "kind": group.kind.value,
        "name": group.name,
        "sort_name": fold(group.name),
        "year": group.year,
        "description": group.description,
    }


def _pupil(record: PupilRecord, groups: Mapping[str, int]) -> dict[str, Any]:
    pupil = record.pupil
    home_group_id = groups[pupil.home_group] if pupil.home_group is not None else None
    return {**_names(pupil), "year": pupil.year, "home_group_id": home_group_id, **_dates(record)}


def _member(record: StaffRecord) -> dict[str, Any]:
    return {**_names(record.member), "ends_on": record.member.ends_on, **_dates(record)}


def _dates(record: PupilRecord | StaffRecord) -> dict[str, Any]:
    return {"came_on": record.came_on, "left_on": record.left_on}


def _names(person: Person) -> dict[str, Any]:
    names = ("key", "eck_id", "first_name", "prefix", "last_name", "initials")
    values = {name: getattr(person, name) for name in names}
    return {**values, "sort_name": sort_name(person.first_name, person.prefix, person.last_name)}
