"""The HTML about pupils: the list with its filters, somebody new, and one pupil with groups and dates."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.eduscope_api.admin_pages import query_of, render_page, submit_form
from services.eduscope_api.administrators import AllowedSchool, ReadSchool
from services.eduscope_api.groups import GroupQuery, read_groups
from services.eduscope_api.history import By
from services.eduscope_api.page_words import as_typed, person_name, year_choices
from services.eduscope_api.people import RowId
from services.eduscope_api.pupils import (
    PupilQuery,
    WirePupilChange,
    WirePupilShown,
    read_pupil,
    read_pupils,
    save_new_pupil,
    save_pupil,
)
from shared.clock import local_date, now
from shared.database import Db, ReadDb
from shared.forms import Faults, typed
from shared.language import mark, say

router = APIRouter(prefix="/scholen/{code}/leerlingen", include_in_schema=False)

NOTICES = {"jaarovergang": mark("De jaarovergang is uitgevoerd.")}
MOST = 500  # groups of one school


class PupilForm(BaseModel):
    """What the form of a pupil posts; an empty field is none."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(0, alias="versie")
    first_name: str = Field("", alias="roepnaam")
    prefix: str = Field("", alias="voorvoegsel")
    last_name: str = Field("", alias="achternaam")
    initials: str = Field("", alias="voorletters")
    year: str = Field("", alias="jaargroep")
    home_group: str = Field("", alias="groep", max_length=18)
    composites: list[int] = Field([], alias="samengesteldeGroepen")
    came_on: str = Field("", alias="instroomdatum")
    left_on: str = Field("", alias="uitstroomdatum")

    def values(self) -> dict[str, Any]:
        """As the API takes it."""
        texts = typed(**self.model_dump(by_alias=True, exclude={"version", "home_group", "composites"}))
        home = int(self.home_group) if self.home_group.isascii() and self.home_group.isdigit() else None
        return {**texts, "groep": home, "samengesteldeGroepen": self.composites}


_FIELDS = [field.alias or "" for field in PupilForm.model_fields.values()]


def path_of(own: Any, pupil_id: int | None = None, rest: str = "") -> str:
    return f"/scholen/{own.code}/leerlingen" + (f"/{pupil_id}" if pupil_id is not None else "") + rest


def crumbs_above() -> list[tuple[str, str]]:
    return [(say("Administratie"), "")]


def tabs_of(own: Any) -> list[tuple[str, str]]:
    """What stands under the menu entry Leerlingen."""
    base = f"/scholen/{own.code}"
    return [
        (say("Leerlingen"), f"{base}/leerlingen"),
        (say("Groepen"), f"{base}/groepen"),
        (say("Jaarovergang"), f"{base}/leerlingen/jaarovergang"),
    ]


@router.get("")
def show_overview(
    request: Request,
    school: ReadSchool,
    db: ReadDb,
    search: Annotated[str, Query(alias="zoek", max_length=200)] = "",
    group: Annotated[str, Query(alias="groep", max_length=20)] = "",
    year: Annotated[str, Query(alias="jaargroep", max_length=10)] = "",
    everybody: Annotated[str, Query(alias="iedereen", max_length=10)] = "",
    cursor: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """The pupils of today, page by page; on request also those who left or are still to come."""
    wanted = {"zoek": search.strip(), "groep": group, "jaargroep": year, "cursor": cursor}
    query = query_of(PupilQuery, **wanted, actief=None if everybody else True)
    found = read_pupils(db, school.id, query, local_date(now()))
    groups = read_groups(db, school.id, GroupQuery(limit=MOST)).groups
    names = {each.id: each.name for each in groups}
    rows = [
        (
            each,
            person_name(each),
            names.get(each.home_group_id or 0, ""),
            ", ".join(sorted(names[one] for one in each.composite_group_ids if one in names)) or "–",
        )
        for each in found.pupils
    ]
    return render_page(
        request,
        "leerlingen.html",
        school,
        menu="leerlingen",
        crumbs=[*crumbs_above(), (say("Leerlingen"), "")],
        notices=NOTICES,
        bladen=tabs_of(school),
        rijen=rows,
        totaal=found.total,
        volgende=found.next,
        begin=not cursor,
        zoek=search,
        groep=group,
        jaargroep=year,
        iedereen=bool(everybody),
        groepen=[("", say("Alle groepen")), *((each.id, each.name) for each in groups)],
        leerjaren=[("", say("Alle leerjaren")), *year_choices()],
    )


@router.get("/nieuw")
def show_new(request: Request, school: ReadSchool, db: ReadDb) -> Response:
    return _render_new(request, school, db, {})


@router.post("/nieuw")
def submit_new(request: Request, own: AllowedSchool, form: Annotated[PupilForm, Form()]) -> Response:
    def change(db: Db, by: By) -> str:
        made = save_new_pupil(db, own.id, WirePupilChange.model_validate(form.values()), by)
        return path_of(own, made.id, "?melding=toegevoegd")

    def again(db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_new(request, own, db, form.model_dump(by_alias=True), status, faults)

    return submit_form(request, own, change, again)


def _render_new(
    request: Request, own: Any, db: Db, filled: Mapping[str, Any], status: int = 200, faults: Faults = ()
) -> Response:
    empty = {**as_typed(dict.fromkeys(_FIELDS)), "samengesteldeGroepen": []}
    return render_page(
        request,
        "leerling-nieuw.html",
        own,
        menu="leerlingen",
        crumbs=[*crumbs_above(), (say("Leerlingen"), path_of(own)), (say("Toevoegen"), "")],
        status_code=status,
        fouten=faults,
        ingevuld={**empty, **filled},
        **_choices(db, own.id),
    )


@router.get("/{pupil_id}")
def show_person(request: Request, school: ReadSchool, db: ReadDb, pupil_id: RowId) -> Response:
    """Name, group, year, composite groups and dates of one pupil."""
    return _render_person(request, school, db, pupil_id)


@router.post("/{pupil_id}")
def submit_person(
    request: Request, own: AllowedSchool, pupil_id: RowId, form: Annotated[PupilForm, Form()]
) -> Response:
    def change(db: Db, by: By) -> str:
        body = WirePupilChange.model_validate(form.values())
        save_pupil(db, own.id, pupil_id, body, by, match=f'"{form.version}"')
        return path_of(own, pupil_id, "?melding=opgeslagen")

    def again(db: Db, status: int, faults: Faults, changed: Sequence[str]) -> Response:
        return _render_person(request, own, db, pupil_id, status, faults, form.model_dump(by_alias=True), changed)

    return submit_form(request, own, change, again)


def _render_person(
    request: Request,
    own: Any,
    db: Db,
    pupil_id: int,
    status: int = 200,
    faults: Faults = (),
    filled: Mapping[str, Any] | None = None,
    changed: Sequence[str] = (),
) -> Response:
    """`filled` are typed values to keep; of the fields in `changed` the present ones are shown."""
    pupil = read_pupil(db, own.id, pupil_id)
    present = as_typed(pupil.model_dump(mode="json", by_alias=True))
    kept = {name: value for name, value in (filled or {}).items() if name not in changed}
    return render_page(
        request,
        "leerling.html",
        own,
        status_code=status,
        fouten=faults,
        ingevuld={**present, **kept},
        leerling=pupil,
        **frame_of(own, pupil, "Basis"),
        **_choices(db, own.id),
    )


def frame_of(own: Any, pupil: WirePupilShown, tab: str) -> dict[str, Any]:
    """What every page about one pupil shows around its tab."""
    name = person_name(pupil)
    return {
        "menu": "leerlingen",
        "crumbs": [*crumbs_above(), (say("Leerlingen"), path_of(own)), (name, "")],
        "naam": name,
        "bladen": [
            (say("Basis"), path_of(own, pupil.id)),
            (say("Geschiedenis"), path_of(own, pupil.id, "/geschiedenis")),
        ],
        "blad": say(tab),
        "pad": path_of(own, pupil.id),
    }


def _choices(db: Db, school_id: int) -> dict[str, Any]:
    groups = read_groups(db, school_id, GroupQuery(limit=MOST)).groups
    return {
        "groepen": [("", say("Geen")), *((each.id, each.name) for each in groups if each.kind == "groep")],
        "samengesteld": [(each.id, each.name) for each in groups if each.kind != "groep"],
        "leerjaren": [("", say("Onbekend")), *year_choices()],
    }
