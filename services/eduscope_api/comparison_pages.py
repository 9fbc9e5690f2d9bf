"""The HTML of the comparison: our staff beside the hub's, with *Neem over* per person and for all."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import ValidationError

from services.eduscope_api.admin_pages import render_page
from services.eduscope_api.administrators import AllowedSchool, calling
from services.eduscope_api.comparison import (
    AddressTaken,
    ComparisonOutdated,
    NotComparable,
    WireTakeOver,
    ask_comparison,
    take_over,
)
from services.eduscope_api.history import By, Source
from services.eduscope_api.rules.comparison import Outcome
from shared.browser import see_other
from shared.clock import now
from shared.forms import typed
from shared.language import mark, say
from shared.problems import InvalidRequest, UpstreamProblem

router = APIRouter(prefix="/scholen/{code}/vergelijking", include_in_schema=False)

NOTICES = {
    "overgenomen": mark("Het e-mailadres is overgenomen."),
    "allemaal": mark("De e-mailadressen zijn overgenomen."),
    "gewijzigd": ComparisonOutdated.uitleg,
    "dubbel": AddressTaken.uitleg,
    "stil": NotComparable.uitleg,
}
HEADINGS = {
    Outcome.DIFFERS: mark("Adres verschilt"),
    Outcome.MISSING_HERE: mark("Ontbreekt hier"),
    Outcome.MISSING_THERE: mark("Ontbreekt daar"),
    Outcome.EQUAL: mark("Gelijk"),
}


@router.get("")
def show_comparison(request: Request, own: AllowedSchool) -> Response:
    """The four outcomes, each as a table; or the sentence that says why the hub gives nothing."""
    comparison = ask_comparison(request.app.state.engine, request.app.state.hub, own)
    return render_page(
        request,
        "vergelijking.html",
        own,
        menu="rapportages",
        crumbs=[(say("Rapportages"), f"/scholen/{own.code}/rapportages"), (say("Vergelijken met Basispoort"), "")],
        notices=NOTICES,
        vergelijking=comparison,
        delen=[
            (outcome.name, say(heading), [line for line in comparison.lines if line.outcome is outcome])
            for outcome, heading in HEADINGS.items()
        ],
        overneembaar=sum(line.can_take_over for line in comparison.lines),
    )


@router.post("/overnemen")
def submit_take_over(
    request: Request,
    own: AllowedSchool,
    staff_id: Annotated[str, Form(alias="id", max_length=20)] = "",
    email: Annotated[str, Form(alias="adres", max_length=320)] = "",
    present: Annotated[str, Form(alias="eigen", max_length=320)] = "",
    everybody: Annotated[str, Form(alias="alle", max_length=4)] = "",
    version: Annotated[str, Form(alias="versie", max_length=64)] = "",
) -> Response:
    """Take one address over, or all that can be. What was shown must still hold."""
    body: dict[str, Any] = {"alle": True, "versie": version}
    if everybody != "ja":
        number = int(staff_id) if staff_id.isdecimal() else staff_id
        body = {"personen": [{"id": number, "adres": email, **typed(eigen=present)}]}
    try:
        wire = WireTakeOver.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest from error
    by = By(calling(request), Source.COMPARISON, now())
    try:
        take_over(request.app.state.engine, request.app.state.hub, own, wire, by)
    except ComparisonOutdated:
        notice = "gewijzigd"
    except AddressTaken:
        notice = "dubbel"
    except (NotComparable, UpstreamProblem):
        notice = "stil"
    else:
        notice = "allemaal" if wire.everybody else "overgenomen"
    return see_other(f"/scholen/{own.code}/vergelijking?melding={notice}")
