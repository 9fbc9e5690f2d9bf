"""The HTML of the reports: contact details of all staff, who teaches which group; to print and to download."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.eduscope_api.admin_pages import render_page
from services.eduscope_api.administrators import AllowedSchool, ReadSchool
from services.eduscope_api.comparison import WireComparison, ask_comparison
from services.eduscope_api.page_words import role_words
from services.eduscope_api.reports import read_contact_report, read_teaching_report
from services.eduscope_api.rules.comparison import Outcome
from shared.database import ReadDb, reading
from shared.language import say

router = APIRouter(prefix="/scholen/{code}/rapportages", include_in_schema=False)


@router.get("")
def show_reports(request: Request, school: ReadSchool) -> Response:
    """What reports there are."""
    return render_page(request, "rapportages.html", school, menu="rapportages", crumbs=[(say("Rapportages"), "")])


@router.get("/contactgegevens")
def show_contact_details(request: Request, own: AllowedSchool) -> Response:
    """Report 1. The hub is asked without a transaction; when it gives nothing, its column is left out."""
    engine = request.app.state.engine
    comparison = ask_comparison(engine, request.app.state.hub, own)
    with reading(engine) as db:
        report = read_contact_report(db, own.id)
    return render_page(
        request,
        "rapportage-contactgegevens.html",
        own,
        menu="rapportages",
        crumbs=_crumbs(own.code, say("Contactgegevens personeel")),
        rijen=[(contact, role_words(contact.roles)) for contact in report.staff],
        gemaakt=report.made_at,
        in_basispoort=_words(comparison) if comparison.available else None,
        waarom_niet=comparison.sentence,
    )


@router.get("/leerkrachten-per-groep")
def show_teaching_report(request: Request, school: ReadSchool, db: ReadDb) -> Response:
    """Report 2."""
    report = read_teaching_report(db, school.id)
    return render_page(
        request,
        "rapportage-groepen.html",
        school,
        menu="rapportages",
        crumbs=_crumbs(school.code, say("Leerkrachten per groep")),
        groepen=report.groups,
        gemaakt=report.made_at,
    )


def _crumbs(code: str, title: str) -> list[tuple[str, str]]:
    return [(say("Rapportages"), f"/scholen/{code}/rapportages"), (title, "")]


def _words(comparison: WireComparison) -> Mapping[int, tuple[str, str]]:
    """Row number -> a word and a colour, for who was found in the hub; who is not in it is `onbekend` there."""
    found = {}
    for line in comparison.lines:
        if line.id is None:
            continue
        if line.outcome is Outcome.EQUAL:
            found[line.id] = (say("gelijk"), "groen")
        elif line.outcome is Outcome.DIFFERS:
            found[line.id] = (say("anders: %(adres)s", adres=line.known_email or say("geen adres")), "geel")
    return found
