"""EDEXML import in two steps: a preview that writes nothing of the file, and taking over exactly what it showed."""

import gzip
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Body, Request
from pydantic import Field
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import AllowedSchool, LockedSchool, OwnSchool, ReadSchool, calling
from services.eduscope_api.edexml import LIMIT, OtherGroupKind, by_file, check_own, read_file_keys, save_import
from services.eduscope_api.edexml_wire import WireImportPreview, WireNotice, WireTakeOver, wire_notices, wire_sheets
from services.eduscope_api.history import By
from services.eduscope_api.people import RowId, new_key, refuse
from services.eduscope_api.rosters import lock_school, read_picture
from services.eduscope_api.rules.exchange import Picture
from services.eduscope_api.rules.import_plan import GroupKindDiffers, Plan, build_plan, fingerprint_of
from services.eduscope_api.rules.imports import ChoiceNotOffered, Choices, Taken, carry_out
from services.eduscope_api.tables import ImportRow, SchoolRow
from shared.clock import local_date, now
from shared.database import Db, ReadDb, reading, writing
from shared.edexml import EdexmlFile
from shared.edexml_read import read_edexml
from shared.language import say
from shared.problems import InvalidRequest, NotFound, Problem
from shared.roster import Kind
from shared.wire.base import WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/edexml/voorbeelden", tags=["edexml"])

KEPT = timedelta(days=1)
MOST_KEPT = 3  # per school; an older preview makes room
EARLIEST, LATEST = timedelta(days=30), timedelta(days=366)  # of a leaving date; who left 30 days ago is erased


class PreviewMoved(Problem):
    """`vingerafdruk` is that of the preview as it is now, `voorbeeld` its address."""

    status, slug, title = 409, "edexml-preview-moved", "The preview shows something else by now"
    uitleg = "Intussen is er in de administratie iets gewijzigd. Er is niets overgenomen; bekijk het voorbeeld opnieuw."


class WireWaiting(WireModel):
    id: int
    uploaded_at: datetime = Field(alias="ontvangenOp")


class WireWaitingList(WireModel):
    waiting: Sequence[WireWaiting] = Field(alias="voorbeelden")


class WireTakenOverKind(WireModel):
    new: int = Field(alias="nieuw")
    changed: int = Field(alias="gewijzigd")
    left: int = Field(alias="uitgestroomd")


class WireTakenOver(WireModel):
    code: str
    groups: WireTakenOverKind = Field(alias="groepen")
    pupils: WireTakenOverKind = Field(alias="leerlingen")
    staff: WireTakenOverKind = Field(alias="leerkrachten")
    notices: tuple[WireNotice, ...] = Field(alias="meldingen")


# --- the API ----------------------------------------------------------------------------------------------------------


@router.post("", status_code=201)
def save_upload(
    body: Annotated[bytes, Body(media_type="application/xml")], school: AllowedSchool, request: Request
) -> WireImportPreview:
    """Keep a file for a day at most and show what it would do: new, changed, moved, gone, suggestions, swaps."""
    return save_file(request.app.state.engine, school, BytesIO(body), calling(request).administrator_id)


@router.get("")
def show_waiting(school: ReadSchool, db: ReadDb) -> WireWaitingList:
    """Previews that wait for somebody to look at them, newest first; at most three per school."""
    return WireWaitingList(waiting=read_waiting(db, school.id))


@router.get("/{import_id}")
def show_preview(import_id: RowId, school: AllowedSchool, request: Request) -> WireImportPreview:
    """The preview anew, against the administration as it is now."""
    return read_preview(request.app.state.engine, school.id, import_id)


@router.post("/{import_id}/overnemen")
def submit_preview(import_id: RowId, body: WireTakeOver, school: AllowedSchool, request: Request) -> WireTakenOver:
    """Do exactly what the preview showed, with these choices, all or nothing. The file is thrown away with it."""
    return take_over(request.app.state.engine, school, import_id, body, by_file(request))


@router.delete("/{import_id}", status_code=204)
def remove_preview(import_id: RowId, school: LockedSchool, db: Db) -> None:
    """Throw the file and its preview away; nothing of it was written."""
    remove_import(db, school.id, import_id)


# --- the work ---------------------------------------------------------------------------------------------------------


def save_file(engine: Engine, school: OwnSchool, source: BinaryIO, administrator_id: int | None) -> WireImportPreview:
    """Keep the file and show its preview. Read before the transaction. Raises EdexmlError, OtherSchool, TooLarge."""
    file = read_edexml(source, limit_bytes=LIMIT)
    check_own(file, school.code)
    source.seek(0)
    content, at = _pack(source), now()
    with reading(engine) as db:
        _plan(db, school.id, file, local_date(at))  # a file that could never be taken over is not kept
    with writing(engine) as db:
        lock_school(db, school.id)
        row = ImportRow(school_id=school.id, administrator_id=administrator_id, uploaded_at=at, content=content)
        db.add(row)
        db.flush()
        newest = select(ImportRow.id).where(ImportRow.school_id == school.id).order_by(ImportRow.id.desc())
        kept = db.scalars(newest.limit(MOST_KEPT)).all()
        db.execute(delete(ImportRow).where(ImportRow.school_id == school.id, ImportRow.id.not_in(kept)))
        import_id = row.id
    with reading(engine) as db:
        return _show(db, school.id, import_id, at, file)


def _pack(source: BinaryIO) -> bytes:
    packed = BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=5, mtime=0) as out:
        while chunk := source.read(1024 * 1024):
            out.write(chunk)
    return packed.getvalue()


def read_waiting(db: Session, school_id: int) -> Sequence[WireWaiting]:
    """The previews of a school that have not been taken over or thrown away, newest first."""
    rows = db.execute(
        select(ImportRow.id, ImportRow.uploaded_at)
        .where(ImportRow.school_id == school_id, ImportRow.uploaded_at > now() - KEPT)
        .order_by(ImportRow.id.desc())
    )
    return [WireWaiting(id=row.id, uploaded_at=row.uploaded_at) for row in rows]


def read_preview(engine: Engine, school_id: int, import_id: int) -> WireImportPreview:
    """The preview against the rows of this moment. Raises NotFound, and OtherGroupKind."""
    uploaded_at, file = _open(engine, school_id, import_id)
    with reading(engine) as db:
        return _show(db, school_id, import_id, uploaded_at, file)


def read_plan(engine: Engine, school_id: int, import_id: int) -> Plan:
    """The plan behind the preview. Raises NotFound, and OtherGroupKind."""
    _, file = _open(engine, school_id, import_id)
    with reading(engine) as db:
        return _plan(db, school_id, file, local_date(now()))[1]


def take_over(engine: Engine, school: OwnSchool, import_id: int, body: WireTakeOver, by: By) -> WireTakenOver:
    """Write the plan with these choices. Raises NotFound, PreviewMoved, InvalidRequest."""
    _, file = _open(engine, school.id, import_id)
    today = local_date(now())
    leaving = body.leaving or today
    if not today - EARLIEST < leaving <= today + LATEST:
        raise refuse("uitstroomdatum", say("Kies een datum van de laatste 30 dagen of van het komende jaar."))
    pupils, staff = body.pupils.to_value(), body.staff.to_value()
    with writing(engine) as db:
        row = lock_school(db, school.id)
        _, plan = _plan(db, school.id, file, today)
        fingerprint = fingerprint_of(plan)
        if fingerprint != body.fingerprint:
            address = f"/api/v1/scholen/{row.code}/edexml/voorbeelden/{import_id}"
            raise PreviewMoved(vingerafdruk=fingerprint, voorbeeld=address)
        remove_import(db, school.id, import_id)
        return _carry_out(db, row, plan, pupils, staff, leaving, by)


def _carry_out(
    db: Session, school: SchoolRow, plan: Plan, pupils: Choices, staff: Choices, leaving: date, by: By
) -> WireTakenOver:
    try:
        taken = carry_out(plan, pupils, staff, leaving, new_key)
    except ChoiceNotOffered as refused:
        raise _as_problem(refused) from None
    save_import(db, school, taken, by)
    return WireTakenOver(
        code=school.code,
        groups=_counted(taken.groups),
        pupils=_counted(taken.pupils),
        staff=_counted(taken.staff),
        notices=tuple(wire_notices(plan.notices)),
    )


def _counted(taken: Taken[Any]) -> WireTakenOverKind:
    left = len(taken.left)
    return WireTakenOverKind(new=len(taken.new), changed=len(taken.changed) - left, left=left)


_MEMBERS = {"gone": "weg", "same": "zelfde", "new": "nieuw", "swaps": "wissels"}


def _as_problem(refused: ChoiceNotOffered) -> InvalidRequest:
    kind = "leerlingen" if refused.kind is Kind.PUPIL else "leerkrachten"
    return refuse(
        f"{kind}/{_MEMBERS[refused.member]}",
        say("Deze keuze staat niet in het voorbeeld, of spreekt een andere tegen."),
    )


def remove_import(db: Session, school_id: int, import_id: int) -> None:
    """Raises NotFound. The school's row is locked."""
    found = db.scalars(
        delete(ImportRow).where(ImportRow.id == import_id, ImportRow.school_id == school_id).returning(ImportRow.id)
    ).all()
    if not found:
        raise NotFound


def _open(engine: Engine, school_id: int, import_id: int) -> tuple[datetime, EdexmlFile]:
    """When the file came in, and what it holds. Raises NotFound, also for what has been kept long enough."""
    with reading(engine) as db:
        row = db.scalar(
            select(ImportRow).where(
                ImportRow.id == import_id, ImportRow.school_id == school_id, ImportRow.uploaded_at > now() - KEPT
            )
        )
        if row is None:
            raise NotFound
        uploaded_at, content = row.uploaded_at, row.content
    with gzip.GzipFile(fileobj=BytesIO(content)) as source:
        return uploaded_at, read_edexml(cast(BinaryIO, source), limit_bytes=LIMIT)


def _plan(db: Session, school_id: int, file: EdexmlFile, today: date) -> tuple[Picture, Plan]:
    picture = read_picture(db, school_id)
    try:
        return picture, build_plan(picture, file, today, read_file_keys(db, school_id))
    except GroupKindDiffers:
        raise OtherGroupKind from None


def _show(db: Session, school_id: int, import_id: int, uploaded_at: datetime, file: EdexmlFile) -> WireImportPreview:
    picture, plan = _plan(db, school_id, file, local_date(now()))
    return WireImportPreview(
        id=import_id,
        fingerprint=fingerprint_of(plan),
        uploaded_at=uploaded_at,
        kept_until=uploaded_at + KEPT,
        school_year=file.school.school_year,
        **wire_sheets(picture, plan),
    )
