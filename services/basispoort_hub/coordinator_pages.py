"""The HTML: the status page, and accepting an invitation on it."""

from fastapi import APIRouter, Request, Response

from services.basispoort_hub.overview import read_overview
from services.basispoort_hub.sign_in import read_signed_in
from services.basispoort_hub.teachers import accept
from shared.browser import Pages, see_other
from shared.database import Db
from shared.wire.base import RowId

router = APIRouter()


def make_pages(base_url: str) -> Pages:
    """The pages and mails of this service."""
    return Pages("services.basispoort_hub", "hub", "Basispoort", "hub", base_url)


@router.get("/", include_in_schema=False)
def show_status(request: Request, school: str = "") -> Response:
    """How things stand for one school of the signed-in coordinator. Signed out: what this is."""
    pages: Pages = request.app.state.pages
    overview = read_overview(request.app.state.engine, request, school)
    return pages.render(
        request,
        "status.html",
        overview=overview,
        school=overview.own.name if overview is not None and overview.own is not None else "",
        gebruiker=overview.email if overview is not None else "",
    )


@router.post("/uitnodigingen/{number}/aanvaarden", include_in_schema=False)
def submit_accepted(number: RowId, request: Request, db: Db) -> Response:
    """The button under an invitation."""
    accept(db, read_signed_in(request, db).account_id, number, request.app.state.links)
    return see_other("/")
