"""The HTML about the history: of one person, of one group, of the whole school, and taking a change back."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.eduscope_api import group_pages, pupil_pages, staff_pages
from services.eduscope_api.admin_pages import query_of, render_page, submit_form
from services.eduscope_api.administrators import AllowedSchool, ReadSchool
from services.eduscope_api.groups import GroupQuery, read_group, read_groups
from services.eduscope_api.history import (
    By,
    HistoryQuery,
    PersonHistoryQuery,
    WireChange,
    read_change,
    read_history,
    read_history_of,
)
from services.eduscope_api.page_words import FIELDS, PUPIL_FIELDS, field_words
from services.eduscope_api.people import RowId
from services.eduscope_api.pupils import read_pupil
from services.eduscope_api.rules.history import KEY, Subject
from services.eduscope_api.staff import read_member
from services.eduscope_api.undo import undo_change
from shared.database import Db, ReadDb
from shared.forms import Faults
from shared.language import mark, say

router = APIRouter(prefix="/scholen/{code}", include_in_schema=False)

NOTICES = {"teruggedraaid": mark("De wijziging is teruggedraaid.")}
SOURCES = {
    "page": mark("op het scherm"),
    "api": mark("door een programma"),
    "file": mark("uit een bestand"),
    "undo": mark("teruggedraaid"),
    "comparison": mark("overgenomen uit Basispoort"),
}
SUBJECTS = {"leerling": "leerlingen", "personeel": "personeel", "groep": "groepen"}  # kind -> its place in an address
Cursor = Annotated[str, Query(max_length=4000)]
MOST = 500
SHOWN = 25  # changes on one page


@router.get("/personeel/{staff_id}/geschiedenis")
def show_staff_history(
    request: Request, school: ReadSchool, db: ReadDb, staff_id: RowId, cursor: Cursor = ""
) -> Response:
    frame = staff_pages.frame_of(school, read_member(db, school.id, staff_id), "Geschiedenis")
    return _render_of(request, school, db, Subject.STAFF, staff_id, cursor, frame)


@router.get("/leerlingen/{pupil_id}/geschiedenis")
def show_pupil_history(
    request: Request, school: ReadSchool, db: ReadDb, pupil_id: RowId, cursor: Cursor = ""
) -> Response:
    frame = pupil_pages.frame_of(school, read_pupil(db, school.id, pupil_id), "Geschiedenis")
    return _render_of(request, school, db, Subject.PUPIL, pupil_id, cursor, frame)


@router.get("/groepen/{group_id}/geschiedenis")
def show_group_history(
    request: Request, school: ReadSchool, db: ReadDb, group_id: RowId, cursor: Cursor = ""
) -> Response:
    frame = group_pages.frame_of(school, read_group(db, school.id, group_id), "Geschiedenis")
    return _render_of(request, school, db, Subject.GROUP, group_id, cursor, frame)


def _render_of(
    request: Request, school: Any, db: Db, kind: Subject, subject_id: int, cursor: str, frame: Mapping[str, Any]
) -> Response:
    query = query_of(PersonHistoryQuery, cursor=cursor, limit=SHOWN)
    found = read_history_of(db, school.id, kind, subject_id, query)
    return render_page(
        request,
        "geschiedenis.html",
        school,
        notices=NOTICES,
        rijen=rows_of(db, school, found.changes),
        totaal=found.total,
        volgende=found.next,
        begin=not cursor,
        **frame,
    )


@router.get("/inrichten/geschiedenis")
def show_school_history(request: Request, school: ReadSchool, db: ReadDb, cursor: Cursor = "") -> Response:
    """All that was changed at this school, the newest first."""
    found = read_history(db, school.id, query_of(HistoryQuery, cursor=cursor, limit=SHOWN))
    return render_page(
        request,
        "geschiedenis.html",
        school,
        menu="inrichten",
        crumbs=[*crumbs_above(), (say("Geschiedenis"), "")],
        notices=NOTICES,
        naam=say("Geschiedenis"),
        bladen=(),
        blad="",
        rijen=rows_of(db, school, found.changes),
        totaal=found.total,
        volgende=found.next,
        begin=not cursor,
    )


@router.get("/inrichten/geschiedenis/{change_id}")
def show_change(request: Request, school: ReadSchool, db: ReadDb, change_id: RowId) -> Response:
    """One change, and what taking it back would do."""
    return _render_change(request, school, db, change_id)


@router.post("/inrichten/geschiedenis/{change_id}")
def submit_undo(request: Request, own: AllowedSchool, change_id: RowId) -> Response:
    """Take the change back, unless somebody has changed the same since."""

    def change(db: Db, by: By) -> str:
        undone = undo_change(db, own.id, change_id, by)
        place = SUBJECTS.get(undone.kind)
        gone = undone.kind == "groep" and all(each.after is None for each in undone.fields.values())
        history = f"{place}/{undone.subject_id}/geschiedenis" if place and not gone else "inrichten/geschiedenis"
        return f"/scholen/{own.code}/{history}?melding=teruggedraaid"

    def again(db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_change(request, own, db, change_id, status, faults)

    return submit_form(request, own, change, again)


def _render_change(
    request: Request, school: Any, db: Db, change_id: int, status: int = 200, faults: Faults = ()
) -> Response:
    change = read_change(db, school.id, change_id)
    row = rows_of(db, school, [change])[0]
    history = f"/scholen/{school.code}/inrichten/geschiedenis"
    return render_page(
        request,
        "geschiedenis-wijziging.html",
        school,
        menu="inrichten",
        crumbs=[*crumbs_above(), (say("Geschiedenis"), history), (say("Terugdraaien"), "")],
        status_code=status,
        fouten=faults,
        rij=row,
        terug=row["adres"] + "/geschiedenis" if row["adres"] else history,
    )


def crumbs_above() -> list[tuple[str, str]]:
    return [(say("Inrichten"), ""), (say("Administratie"), "")]


def rows_of(db: Db, school: Any, changes: Sequence[WireChange]) -> list[dict[str, Any]]:
    """Each change as a page shows it: who, when, and per field what it was and became."""
    names = {each.id: each.name for each in read_groups(db, school.id, GroupQuery(limit=MOST)).groups}
    return [
        {
            "id": each.id,
            "wanneer": each.changed_at,
            "wie": each.who or say("de beheerder van EDUscope"),
            "bron": say(SOURCES.get(each.source, each.source)),
            "naam": each.name or (say("de school") if each.kind == "school" else say("(verwijderd)")),
            "adres": _address(school, each),
            "velden": [
                (
                    say(words.get(name, name)),
                    field_words(name, field.before, names),
                    field_words(name, field.after, names),
                )
                for name, field in each.fields.items()
                if name != KEY
            ],
            "teruggedraaid": each.undone_by is not None,
            "gekomen": KEY in each.fields
            and each.fields[KEY].before is None
            and each.kind in {"leerling", "personeel"},
        }
        for each in changes
        for words in [PUPIL_FIELDS if each.kind == "leerling" else FIELDS]
    ]


def _address(school: Any, change: WireChange) -> str:
    place = SUBJECTS.get(change.kind)
    return f"/scholen/{school.code}/{place}/{change.subject_id}" if place and change.name else ""
