"""The HTML: the status page of the signed-in administrator's schools."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.eduscope_api.administrators import calling
from services.eduscope_api.overview import read_overview
from services.eduscope_api.schools import ask_connection
from shared.browser import Pages

router = APIRouter()


def make_pages(base_url: str) -> Pages:
    """The pages and mails of this service."""
    return Pages("services.eduscope_api", "edu", "EDUscope", "eduscope", base_url)


def render_page(
    request: Request,
    template: str,
    school: Any,
    menu: str,
    crumbs: Sequence[tuple[str, str]],
    status_code: int = 200,
    **values: Any,
) -> Response:
    """A page about one school, below the menu.

    `menu` names the open entry; `crumbs` are pairs of text and address ("" where there is no page).
    """
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        template,
        status_code,
        eigen=school,
        school=school.name,
        gebruiker=calling(request).name,
        open=menu,
        kruimels=crumbs,
        **values,
    )


@router.get("/", include_in_schema=False)
def show_status(request: Request, school: str = "") -> Response:
    """How things stand for one school: counts, both switches, the last runs. Signed out: what this is."""
    engine, hub, pages = request.app.state.engine, request.app.state.hub, request.app.state.pages
    overview = read_overview(engine, request, school)
    connection = None
    if overview is not None and overview.own is not None:
        connection = ask_connection(engine, hub, overview.own)
    page: Response = pages.render(
        request,
        "status.html",
        overview=overview,
        connection=connection,
        school=overview.own.name if overview is not None and overview.own is not None else "",
        gebruiker=overview.user_name if overview is not None else "",
    )
    return page
