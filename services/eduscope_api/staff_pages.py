"""The HTML about staff: Personeel Overzicht, somebody new, and one person with basics and groups."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.eduscope_api.admin_pages import query_of, render_page, submit_form
from services.eduscope_api.administrators import AllowedSchool, OwnSchool, ReadSchool
from services.eduscope_api.contacts import read_contacts
from services.eduscope_api.groups import GroupQuery, read_groups
from services.eduscope_api.history import By
from services.eduscope_api.page_words import (
    CONTACT_KINDS,
    ROLES,
    as_typed,
    group_words,
    person_name,
    role_words,
    say_all,
)
from services.eduscope_api.people import RowId
from services.eduscope_api.staff import (
    StaffQuery,
    WireStaffChange,
    WireStaffShown,
    read_member,
    read_staff,
    save_all_groups,
    save_member,
    save_new_member,
    save_taught_groups,
)
from shared.clock import local_date, now
from shared.database import Db, ReadDb
from shared.forms import Faults, typed
from shared.language import mark, say
from shared.roster import Role

router = APIRouter(prefix="/scholen/{code}/personeel", include_in_schema=False)

SENTENCES = {"emailadres": mark("Vul een volledig e-mailadres in, met een @ en een domein.")}
NOTICES = {
    "adres": mark("Het contactgegeven is opgeslagen."),  # from contact_pages.py
    "weg": mark("Het contactgegeven is verwijderd."),
    "groepen": mark("De groepen zijn opgeslagen."),
    "alle": mark("Deze persoon is aan alle groepen gekoppeld."),
}
MOST = 500  # groups of one school


class StaffForm(BaseModel):
    """What the form of a person posts; an empty field is none."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(0, alias="versie")
    first_name: str = Field("", alias="roepnaam")
    prefix: str = Field("", alias="voorvoegsel")
    last_name: str = Field("", alias="achternaam")
    initials: str = Field("", alias="voorletters")
    roles: list[str] = Field([], alias="rollen")
    came_on: str = Field("", alias="instroomdatum")
    ends_on: str = Field("", alias="einddatum")
    left_on: str = Field("", alias="uitstroomdatum")

    def values(self) -> dict[str, Any]:
        """As the API takes it."""
        texts = self.model_dump(by_alias=True, exclude={"version", "roles", "everywhere"})
        return {**typed(**texts), "rollen": self.roles}


class NewStaffForm(StaffForm):
    email: str = Field("", alias="emailadres")
    everywhere: str = Field("", alias="alleGroepen")


def path_of(own: Any, staff_id: int | None = None, rest: str = "") -> str:
    return f"/scholen/{own.code}/personeel" + (f"/{staff_id}" if staff_id is not None else "") + rest


def crumbs_above() -> list[tuple[str, str]]:
    return [(say("Administratie"), ""), (say("Personeel"), "")]


# --- Personeel Overzicht ----------------------------------------------------------------------------------------------


@router.get("")
def show_overview(
    request: Request,
    school: ReadSchool,
    db: ReadDb,
    search: Annotated[str, Query(alias="zoek", max_length=200)] = "",
    without_email: Annotated[str, Query(alias="zonderEmail", max_length=10)] = "",
    everybody: Annotated[str, Query(alias="iedereen", max_length=10)] = "",
    cursor: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """All who work here now, page by page; on request also those who left or are still to come."""
    query = query_of(
        StaffQuery,
        zoek=search.strip(),
        zonderEmail=True if without_email else None,
        cursor=cursor,
        actief=None if everybody else True,
    )
    found = read_staff(db, school.id, query, local_date(now()))
    names, homes = _group_names(db, school.id)
    rows = [
        (each, person_name(each), role_words(each.roles), group_words(each.group_ids, names, homes))
        for each in found.staff
    ]
    return render_page(
        request,
        "personeel.html",
        school,
        menu="personeel",
        crumbs=[*crumbs_above(), (say("Personeel Overzicht"), "")],
        notices=NOTICES,
        rijen=rows,
        totaal=found.total,
        volgende=found.next,
        zoek=search,
        zonder_email=bool(without_email),
        iedereen=bool(everybody),
        begin=not cursor,
    )


def _group_names(db: Db, school_id: int) -> tuple[dict[int, str], frozenset[int]]:
    """Row number -> name of every group, and the numbers of the home groups."""
    groups = read_groups(db, school_id, GroupQuery(limit=MOST)).groups
    return {each.id: each.name for each in groups}, frozenset(each.id for each in groups if each.kind == "groep")


# --- somebody new -----------------------------------------------------------------------------------------------------


@router.get("/nieuw")
def show_new(
    request: Request, school: ReadSchool, kind: Annotated[str, Query(alias="soort", max_length=20)] = ""
) -> Response:
    """An empty form; `?soort=vervanger`: as for a substitute account."""
    is_substitute = kind == "vervanger"
    filled = {"rollen": [Role.SUBSTITUTE.value] if is_substitute else [], "alleGroepen": is_substitute}
    return _render_new(request, school, filled, 200, [])


@router.post("/nieuw")
def submit_new(request: Request, own: AllowedSchool, form: Annotated[NewStaffForm, Form()]) -> Response:
    def change(db: Db, by: By) -> str:
        body = WireStaffChange.model_validate(form.values())
        made = save_new_member(db, own.id, body, by)
        if form.everywhere:
            save_all_groups(db, own.id, made.id, by)
        return path_of(own, made.id, "?melding=toegevoegd")

    def again(_db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_new(request, own, form.model_dump(by_alias=True), status, faults)

    return submit_form(request, own, change, again, SENTENCES)


def _render_new(request: Request, own: Any, filled: Mapping[str, Any], status: int, faults: Faults) -> Response:
    return render_page(
        request,
        "personeelslid-nieuw.html",
        own,
        menu="personeel",
        crumbs=[*crumbs_above(), (say("Personeel Overzicht"), path_of(own)), (say("Toevoegen"), "")],
        status_code=status,
        fouten=faults,
        ingevuld={**as_typed(dict.fromkeys(_FIELDS)), **filled},
        functies=list(say_all(ROLES).items()),
    )


_FIELDS = [field.alias or "" for field in NewStaffForm.model_fields.values()]


# --- one person: the tab Basis ----------------------------------------------------------------------------------------


@router.get("/{staff_id}")
def show_person(request: Request, school: ReadSchool, db: ReadDb, staff_id: RowId) -> Response:
    """The tab Basis: name, functions, dates, and below them the contact details."""
    return _render_person(request, school, db, staff_id)


@router.post("/{staff_id}")
def submit_person(
    request: Request, own: AllowedSchool, staff_id: RowId, form: Annotated[StaffForm, Form()]
) -> Response:
    def change(db: Db, by: By) -> str:
        body = WireStaffChange.model_validate(form.values())
        save_member(db, own.id, staff_id, body, by, match=f'"{form.version}"')
        return path_of(own, staff_id, "?melding=opgeslagen")

    def again(db: Db, status: int, faults: Faults, changed: Sequence[str]) -> Response:
        return _render_person(request, own, db, staff_id, status, faults, form.model_dump(by_alias=True), changed)

    return submit_form(request, own, change, again, SENTENCES)


def _render_person(
    request: Request,
    own: Any,
    db: Db,
    staff_id: int,
    status: int = 200,
    faults: Faults = (),
    filled: Mapping[str, Any] | None = None,
    changed: Sequence[str] = (),
) -> Response:
    """`filled` are typed values to keep; of the fields in `changed` the present ones are shown."""
    member = read_member(db, own.id, staff_id)
    present = as_typed(member.model_dump(mode="json", by_alias=True))
    kept = {name: value for name, value in (filled or {}).items() if name not in changed}
    return _render(
        request,
        own,
        member,
        "Basis",
        "personeelslid.html",
        status_code=status,
        fouten=faults,
        ingevuld={**present, **kept},
        functies=list(say_all(ROLES).items()),
        contacten=read_contacts(db, own.id, staff_id),
        soorten=say_all(CONTACT_KINDS),
    )


def _render(request: Request, own: Any, member: WireStaffShown, tab: str, template: str, **values: Any) -> Response:
    return render_page(request, template, own, notices=NOTICES, **frame_of(own, member, tab), **values)


def frame_of(own: Any, member: WireStaffShown, tab: str) -> dict[str, Any]:
    """What every page about one member of staff shows around its tab."""
    name = person_name(member)
    return {
        "menu": "personeel",
        "crumbs": [*crumbs_above(), (say("Personeel Overzicht"), path_of(own)), (name, "")],
        "lid": member,
        "naam": name,
        "bladen": [
            (say("Basis"), path_of(own, member.id)),
            (say("Groepen"), path_of(own, member.id, "/groepen")),
            (say("Geschiedenis"), path_of(own, member.id, "/geschiedenis")),
        ],
        "blad": say(tab),
        "pad": path_of(own, member.id),
        "vervanger": Role.SUBSTITUTE.value in member.roles,
    }


# --- groups -----------------------------------------------------------------------------------------------------------


@router.get("/{staff_id}/groepen")
def show_groups(request: Request, school: ReadSchool, db: ReadDb, staff_id: RowId) -> Response:
    """Which groups this person teaches; a substitute account can get all of them at once."""
    return _render_groups(request, school, db, staff_id)


@router.post("/{staff_id}/groepen")
def submit_groups(
    request: Request,
    own: AllowedSchool,
    staff_id: RowId,
    group_ids: Annotated[list[int] | None, Form(alias="groepen")] = None,
    version: Annotated[int, Form(alias="versie")] = 0,
) -> Response:
    def change(db: Db, by: By) -> str:
        save_taught_groups(db, own.id, staff_id, frozenset(group_ids or ()), by, match=f'"{version}"')
        return path_of(own, staff_id, "/groepen?melding=groepen")

    return _submit_groups(request, own, staff_id, change)


@router.post("/{staff_id}/alle-groepen")
def submit_all_groups(request: Request, own: AllowedSchool, staff_id: RowId) -> Response:
    def change(db: Db, by: By) -> str:
        save_all_groups(db, own.id, staff_id, by)
        return path_of(own, staff_id, "/groepen?melding=alle")

    return _submit_groups(request, own, staff_id, change)


def _submit_groups(request: Request, own: OwnSchool, staff_id: int, change: Any) -> Response:
    def again(db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_groups(request, own, db, staff_id, status, faults)

    return submit_form(request, own, change, again)


def _render_groups(
    request: Request, own: Any, db: Db, staff_id: int, status: int = 200, faults: Faults = ()
) -> Response:
    member = read_member(db, own.id, staff_id)
    groups = read_groups(db, own.id, GroupQuery(limit=MOST)).groups
    return _render(
        request,
        own,
        member,
        "Groepen",
        "personeelslid-groepen.html",
        status_code=status,
        fouten=faults,
        groepen=[(each.id, each.name) for each in groups if each.kind == "groep"],
        samengesteld=[(each.id, each.name) for each in groups if each.kind != "groep"],
    )
