"""The HTML of the portal: one status page now; the wizard's screens come with a later issue."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.app_connector.overview import read_status
from shared.browser import Pages
from shared.language import mark

router = APIRouter(include_in_schema=False)


def make_pages(base_url: str) -> Pages:
    return Pages("services.app_connector", "beheer", mark("Beheerportaal"), "portal", base_url)


@router.get("/")
def show_status(request: Request) -> HTMLResponse:
    """Signed in: the state of things for this school; signed out: what this is."""
    pages: Pages = request.app.state.pages
    status = read_status(request)
    return pages.render(
        request,
        "status.html",
        stand=status,
        gebruiker=status.user.user_name if status.user else None,
        school=status.overview.school.name if status.overview else None,
        helpdesk=request.app.state.helpdesk_mail,
    )
