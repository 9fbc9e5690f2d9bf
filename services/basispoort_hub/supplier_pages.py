"""The page for publishers' engineers: what here is the real interface, what is ours, and how to begin."""

from fastapi import APIRouter, Request, Response

from shared.browser import Pages
from shared.deprecation import Operations

LEAVING: Operations = {}  # what will go, and when; see "What stays as it is" in docs/suppliers.md

router = APIRouter()


@router.get("/leveranciers", include_in_schema=False)
def show_for_suppliers(request: Request) -> Response:
    """Open to everybody; says nothing about a school or a publisher."""
    pages: Pages = request.app.state.pages
    state = request.app.state
    return pages.render(
        request,
        "leveranciers.html",
        per_minute=state.quota.per_minute,
        has_sandbox=bool(state.sandbox_pupils),
        leaving=sorted(state.leaving.items()),
    )
