"""The HTML of the checks: what is in order, what is not, and where it is mended."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.eduscope_api.admin_pages import render_page
from services.eduscope_api.administrators import ReadSchool
from services.eduscope_api.checks import link_of, read_check_lines
from shared.clock import now
from shared.database import ReadDb
from shared.language import say

router = APIRouter(include_in_schema=False)


@router.get("/scholen/{code}/controles")
def show_checks(request: Request, school: ReadSchool, db: ReadDb) -> Response:
    """Every check with a sign, a word and a number; what is not in order opens to the people it is about."""
    lines = read_check_lines(db, school.id)
    found = [[(finding, link_of(finding, school.code)) for finding in line.found] for line in lines]
    return render_page(
        request,
        "controles.html",
        school,
        menu="controles",
        crumbs=[(say("Controles"), "")],
        regels=list(zip(lines, found, strict=True)),
        gemaakt=now(),
    )
