"""The HTML about groups: the overview, a new one, and one group with basics, pupils and teachers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.eduscope_api.admin_pages import render_page, submit_form
from services.eduscope_api.administrators import AllowedSchool, OwnSchool, ReadSchool
from services.eduscope_api.groups import (
    GroupQuery,
    WireGroupChange,
    WireGroupShown,
    WireNewGroup,
    read_group,
    read_groups,
    remove_group,
    remove_teacher,
    save_group,
    save_new_group,
    save_teacher,
)
from services.eduscope_api.history import By
from services.eduscope_api.page_words import GROUP_KINDS, as_typed, person_name, say_all, year_choices
from services.eduscope_api.people import RowId, refuse
from services.eduscope_api.pupil_pages import tabs_of
from services.eduscope_api.pupils import PupilQuery, WirePupilShown, read_pupils
from services.eduscope_api.staff import StaffQuery, WireStaffShown, read_staff
from shared.clock import local_date, now
from shared.database import Db, ReadDb
from shared.forms import Faults, typed
from shared.language import mark, say

router = APIRouter(prefix="/scholen/{code}/groepen", include_in_schema=False)

NOTICES = {
    "docent": mark("De docent is aan deze groep gekoppeld."),
    "docent-weg": mark("De docent is niet meer aan deze groep gekoppeld."),
    "groep-weg": mark("De groep is verwijderd."),
}
MOST = 500


class GroupForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(0, alias="versie")
    kind: str = Field("", alias="soort")
    name: str = Field("", alias="naam")
    year: str = Field("", alias="jaargroep")
    description: str = Field("", alias="omschrijving")

    def values(self, *, new: bool) -> dict[str, Any]:
        """As the API takes it; the kind is chosen once."""
        texts = typed(**self.model_dump(by_alias=True, exclude={"version", "kind"}))
        return {**texts, "soort": self.kind} if new else texts


def path_of(own: Any, group_id: int | None = None, rest: str = "") -> str:
    return f"/scholen/{own.code}/groepen" + (f"/{group_id}" if group_id is not None else "") + rest


def crumbs_above() -> list[tuple[str, str]]:
    return [(say("Administratie"), ""), (say("Leerlingen"), "")]


# --- the overview -----------------------------------------------------------------------------------------------------


@router.get("")
def show_overview(request: Request, school: ReadSchool, db: ReadDb) -> Response:
    """Every group, home groups first, with how many pupils and which teachers."""
    teachers = {each.id: person_name(each) for each in read_all_staff(db, school.id)}
    groups = read_groups(db, school.id, GroupQuery(limit=MOST)).groups
    rows: dict[str, list[tuple[WireGroupShown, str]]] = {kind: [] for kind in GROUP_KINDS}
    for each in groups:
        named = ", ".join(sorted(teachers[one] for one in each.teacher_ids if one in teachers))
        rows[each.kind].append((each, named))
    return render_page(
        request,
        "groepen.html",
        school,
        menu="leerlingen",
        crumbs=[*crumbs_above(), (say("Groepen"), "")],
        notices=NOTICES,
        bladen=tabs_of(school),
        groepen=rows["groep"],
        samengesteld=rows["samengestelde_groep"],
    )


def read_all_staff(db: Db, school_id: int) -> Sequence[WireStaffShown]:
    """Everybody who works at the school now, by name."""
    found: list[WireStaffShown] = []
    query = StaffQuery(limit=MOST, active=True)
    while True:
        page = read_staff(db, school_id, query, local_date(now()))
        found += page.staff
        if page.next is None:
            return found
        query = query.model_copy(update={"cursor": page.next})


def read_all_pupils(db: Db, school_id: int, group_id: int) -> Sequence[WirePupilShown]:
    """Who is in this home or composite group today, by name. Raises InvalidRequest for a group of elsewhere."""
    found: list[WirePupilShown] = []
    query = PupilQuery(limit=MOST, group_id=group_id, active=True)
    while True:
        page = read_pupils(db, school_id, query, local_date(now()))
        found += page.pupils
        if page.next is None:
            return found
        query = query.model_copy(update={"cursor": page.next})


# --- a new group ------------------------------------------------------------------------------------------------------


@router.get("/nieuw")
def show_new(request: Request, school: ReadSchool) -> Response:
    return _render_new(request, school, {"soort": "groep"})


@router.post("/nieuw")
def submit_new(request: Request, own: AllowedSchool, form: Annotated[GroupForm, Form()]) -> Response:
    def change(db: Db, by: By) -> str:
        made = save_new_group(db, own.id, WireNewGroup.model_validate(form.values(new=True)), by)
        return path_of(own, made.id, "?melding=toegevoegd")

    def again(_db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_new(request, own, form.model_dump(by_alias=True), status, faults)

    return submit_form(request, own, change, again, {"naam": mark("Vul een naam in van ten hoogste 256 tekens.")})


def _render_new(
    request: Request, own: Any, filled: Mapping[str, Any], status: int = 200, faults: Faults = ()
) -> Response:
    return render_page(
        request,
        "groep-nieuw.html",
        own,
        menu="leerlingen",
        crumbs=[*crumbs_above(), (say("Groepen"), path_of(own)), (say("Toevoegen"), "")],
        status_code=status,
        fouten=faults,
        ingevuld={"naam": "", "jaargroep": "", "omschrijving": "", **filled},
        soorten=list(say_all(GROUP_KINDS).items()),
        leerjaren=[("", say("Geen")), *year_choices()],
    )


# --- one group --------------------------------------------------------------------------------------------------------


@router.get("/{group_id}")
def show_basics(request: Request, school: ReadSchool, db: ReadDb, group_id: RowId) -> Response:
    """The tab Basis: name, year, description."""
    return _render_basics(request, school, db, group_id)


@router.post("/{group_id}")
def submit_basics(
    request: Request, own: AllowedSchool, group_id: RowId, form: Annotated[GroupForm, Form()]
) -> Response:
    def change(db: Db, by: By) -> str:
        body = WireGroupChange.model_validate(form.values(new=False))
        save_group(db, own.id, group_id, body, by, match=f'"{form.version}"')
        return path_of(own, group_id, "?melding=opgeslagen")

    def again(db: Db, status: int, faults: Faults, changed: Sequence[str]) -> Response:
        return _render_basics(request, own, db, group_id, status, faults, form.model_dump(by_alias=True), changed)

    return submit_form(request, own, change, again, {"naam": mark("Vul een naam in van ten hoogste 256 tekens.")})


@router.post("/{group_id}/verwijderen")
def submit_removal(request: Request, own: AllowedSchool, group_id: RowId) -> Response:
    """Remove a group that nobody is in."""

    def change(db: Db, by: By) -> str:
        remove_group(db, own.id, group_id, by)
        return path_of(own, None, "?melding=groep-weg")

    def again(db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_basics(request, own, db, group_id, status, faults)

    return submit_form(request, own, change, again)


@router.get("/{group_id}/leerlingen")
def show_pupils(request: Request, school: ReadSchool, db: ReadDb, group_id: RowId) -> Response:
    """The tab Leerlingen: who is in this group today."""
    group = read_group(db, school.id, group_id)
    rows = [(each, person_name(each)) for each in read_all_pupils(db, school.id, group_id)]
    return _render(request, school, group, "Leerlingen", "groep-leerlingen.html", rijen=rows)


@router.get("/{group_id}/docenten")
def show_teachers(request: Request, school: ReadSchool, db: ReadDb, group_id: RowId) -> Response:
    """The tab Docenten: who teaches this group, and who else could."""
    return _render_teachers(request, school, db, group_id)


@router.post("/{group_id}/docenten")
def submit_teacher(
    request: Request,
    own: AllowedSchool,
    group_id: RowId,
    chosen: Annotated[str, Form(alias="docent", max_length=20)] = "",
) -> Response:
    """Tie the chosen teacher to this group. Without a choice the page says what to do."""

    def change(db: Db, by: By) -> str:
        if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19):
            raise refuse("docent", say("Kies eerst een docent in de lijst."))
        save_teacher(db, own.id, group_id, int(chosen), by)
        return path_of(own, group_id, "/docenten?melding=docent")

    return submit_form(request, own, change, _teachers_again(request, own, group_id))


@router.post("/{group_id}/docenten/{staff_id}/verwijderen")
def submit_teacher_removal(request: Request, own: AllowedSchool, group_id: RowId, staff_id: RowId) -> Response:
    def change(db: Db, by: By) -> str:
        remove_teacher(db, own.id, group_id, staff_id, by)
        return path_of(own, group_id, "/docenten?melding=docent-weg")

    return submit_form(request, own, change, _teachers_again(request, own, group_id))


def _teachers_again(request: Request, own: OwnSchool, group_id: int) -> Any:
    def again(db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_teachers(request, own, db, group_id, status, faults)

    return again


def _render_basics(
    request: Request,
    own: Any,
    db: Db,
    group_id: int,
    status: int = 200,
    faults: Faults = (),
    filled: Mapping[str, Any] | None = None,
    changed: Sequence[str] = (),
) -> Response:
    """`filled` are typed values to keep; of the fields in `changed` the present ones are shown."""
    group = read_group(db, own.id, group_id)
    present = as_typed(group.model_dump(mode="json", by_alias=True))
    kept = {name: value for name, value in (filled or {}).items() if name not in changed}
    return _render(
        request,
        own,
        group,
        "Basis",
        "groep.html",
        status_code=status,
        fouten=faults,
        ingevuld={**present, **kept},
        soort=say(GROUP_KINDS[group.kind]),
        leerjaren=[("", say("Geen")), *year_choices()],
    )


def _render_teachers(
    request: Request, own: Any, db: Db, group_id: int, status: int = 200, faults: Faults = ()
) -> Response:
    group = read_group(db, own.id, group_id)
    names = [(each.id, person_name(each)) for each in read_all_staff(db, own.id)]
    taught = set(group.teacher_ids)
    return _render(
        request,
        own,
        group,
        "Docenten",
        "groep-docenten.html",
        status_code=status,
        fouten=faults,
        docenten=[pair for pair in names if pair[0] in taught],
        anderen=[("", say("Kies een docent")), *(pair for pair in names if pair[0] not in taught)],
    )


def _render(request: Request, own: Any, group: WireGroupShown, tab: str, template: str, **values: Any) -> Response:
    return render_page(request, template, own, notices=NOTICES, **frame_of(own, group, tab), **values)


def frame_of(own: Any, group: WireGroupShown, tab: str) -> dict[str, Any]:
    """What every page about one group shows around its tab."""
    return {
        "menu": "leerlingen",
        "crumbs": [*crumbs_above(), (say("Groepen"), path_of(own)), (group.name, "")],
        "groep": group,
        "naam": group.name,
        "bladen": [
            (say("Basis"), path_of(own, group.id)),
            (say("Leerlingen"), path_of(own, group.id, "/leerlingen")),
            (say("Docenten"), path_of(own, group.id, "/docenten")),
            (say("Geschiedenis"), path_of(own, group.id, "/geschiedenis")),
        ],
        "blad": say(tab),
        "pad": path_of(own, group.id),
    }
