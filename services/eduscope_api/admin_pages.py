"""The HTML: what every page about a school has, how a form is carried out, and the overview of a school."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from services.eduscope_api.administrators import OwnSchool, calling
from services.eduscope_api.history import By, by_page
from services.eduscope_api.overview import read_choices, read_overview
from services.eduscope_api.page_words import say_all
from services.eduscope_api.rosters import lock_school
from services.eduscope_api.schools import ask_connection
from services.eduscope_api.versions import ChangedMeanwhile
from shared.browser import Pages, see_other
from shared.database import Db, ReadDb, reading, writing
from shared.forms import FORM, Faults, form_faults
from shared.language import mark, say
from shared.problems import InvalidRequest, Problem

router = APIRouter()
Q = TypeVar("Q", bound=BaseModel)

# What `?melding=` in an address may say on any page.
NOTICES = {
    "opgeslagen": mark("De wijziging is opgeslagen."),
    "toegevoegd": mark("De gegevens zijn toegevoegd."),
    "verwijderd": mark("De gegevens zijn verwijderd."),
}
VERSION = "versie"  # the hidden field: what was typed goes with the version it was typed over
MEANWHILE = mark("Een collega heeft dit intussen gewijzigd. Controleer de gegevens en sla ze dan opnieuw op.")


def make_pages(base_url: str) -> Pages:
    """The pages and mails of this service."""
    return Pages("services.eduscope_api", "edu", mark("EDUscope"), "eduscope", base_url)


def render_page(
    request: Request,
    template: str,
    school: Any,
    menu: str,
    crumbs: Sequence[tuple[str, str]],
    status_code: int = 200,
    notices: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """A page about one school, below the menu.

    `menu` names the open entry; `crumbs` are pairs of text and address ("" where there is no page). `notices`: what
    `?melding=` in the address may say besides NOTICES, so that an address never holds a sentence, let alone a name;
    marked texts, said here.
    """
    caller, state = calling(request), request.app.state
    notice = {**NOTICES, **(notices or {})}.get(request.query_params.get("melding", ""))
    pages: Pages = state.pages
    return pages.render(
        request,
        template,
        status_code,
        eigen=school,
        school=school.name,
        scholen=read_choices(state.engine, caller.administrator_id),
        gebruiker=caller.name,
        open=menu,
        kruimels=crumbs,
        melding=say(notice) if notice else "",
        **values,
    )


def submit_form(
    request: Request,
    own: OwnSchool,
    change: Callable[[Db, By], str],
    again: Callable[[ReadDb, int, Faults, Sequence[str]], Response],
    sentences: Mapping[str, str] | None = None,
) -> Response:
    """Carry a form out, all of it or nothing, and go where `change` says; else the form again, with its faults.

    `again(db, status, faults, changed)` is called outside the transaction, which is undone by then. `changed`: the
    fields that a colleague changed meanwhile, whose present values are to be shown. `sentences` as for form_faults,
    but marked: they are said here.
    """
    engine = request.app.state.engine
    changed: Sequence[str] = ()
    try:
        with writing(engine) as db:
            lock_school(db, own.id)
            path = change(db, by_page(request))
        return see_other(path)
    except (ValidationError, InvalidRequest) as error:
        status, faults = InvalidRequest.status, form_faults(error, say_all(sentences or {}))
    except ChangedMeanwhile as problem:
        status, faults, changed = problem.status, [(FORM, say(MEANWHILE))], [*problem.members["gewijzigd"], VERSION]
    except Problem as problem:
        if problem.status != 409:
            raise
        status, faults = problem.status, [(FORM, say(problem.uitleg))]
    with reading(engine) as db:
        return again(db, status, faults, changed)


def query_of(kind: type[Q], **values: Any) -> Q:
    """The question of a list from what stands in an address; an empty field asks nothing. Raises InvalidRequest."""
    try:
        return kind.model_validate({name: value for name, value in values.items() if value not in {"", None}})
    except ValidationError as error:
        raise InvalidRequest from error


@router.get("/", include_in_schema=False)
def show_status(request: Request, school: str = "") -> Response:
    """How things stand for one school: counts, both switches, the last runs. Signed out: what this is."""
    engine, hub = request.app.state.engine, request.app.state.hub
    pages: Pages = request.app.state.pages
    overview = read_overview(engine, request, school)
    if overview is None or overview.own is None:
        return pages.render(
            request, "welkom.html", signed_in=overview is not None, gebruiker=overview.user_name if overview else ""
        )
    connection = ask_connection(engine, hub, overview.own)
    return pages.render(
        request,
        "status.html",
        overview=overview,
        connection=connection,
        eigen=overview.own,
        scholen=overview.schools,
        school=overview.own.name,
        gebruiker=overview.user_name,
        open="",
        kruimels=(),
    )
