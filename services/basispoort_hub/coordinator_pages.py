"""The HTML: the status page, deciding on it about what is held, accepting an invitation."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response

from services.basispoort_hub.frame import message_of
from services.basispoort_hub.holds import Choice, save_decision
from services.basispoort_hub.overview import read_overview
from services.basispoort_hub.sign_in import CurrentAccount, read_signed_in
from services.basispoort_hub.teachers import accept
from shared.browser import Pages, see_other
from shared.database import Db
from shared.language import mark
from shared.wire.base import RowId

router = APIRouter()


def make_pages(base_url: str) -> Pages:
    """The pages and mails of this service."""
    return Pages("services.basispoort_hub", "hub", mark("Basispoort"), "hub", base_url)


@router.get("/", include_in_schema=False)
def show_status(request: Request, school: str = "") -> Response:
    """How things stand for one school of the signed-in coordinator. Signed out: what this is."""
    pages: Pages = request.app.state.pages
    overview = read_overview(request.app.state.engine, request, school)
    return pages.render(
        request,
        "status.html",
        overview=overview,
        plek=overview.place if overview is not None else None,
        menu="Overzicht",
        school=overview.own.name if overview is not None and overview.own is not None else "",
        gebruiker=overview.email if overview is not None else "",
        melding=message_of(request),
    )


@router.post("/vastgehouden/{hold_id}", include_in_schema=False)
def submit_decision(
    hold_id: RowId,
    _account: CurrentAccount,
    code: Annotated[str, Form(alias="school", max_length=16)],
    choice: Annotated[Choice, Form(alias="besluit")],
    request: Request,
    db: Db,
) -> Response:
    """A button under what is held."""
    save_decision(request, db, code, hold_id, choice)
    return see_other(f"/?school={quote(code)}&melding={'vastgehouden' if choice is Choice.KEEP else 'besloten'}")


@router.post("/uitnodigingen/{number}/aanvaarden", include_in_schema=False)
def submit_accepted(number: RowId, request: Request, db: Db) -> Response:
    """The button under an invitation."""
    accept(db, read_signed_in(request, db).account_id, number, request.app.state.links)
    return see_other("/?melding=aanvaard")
