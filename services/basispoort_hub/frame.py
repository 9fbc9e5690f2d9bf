"""The page around the hub's pages: the menu, the school, who is signed in, one message after a form."""

from typing import Any

from fastapi import Request, Response

from services.basispoort_hub.places import Place
from shared.browser import Pages

MESSAGES = {  # what a redirect may say; never anything about anybody
    "koppeling-aan": "De automatische koppeling staat aan.",
    "koppeling-uit": "De automatische koppeling staat uit. Er komen geen gegevens meer binnen.",
    "toestemmingen": "De toestemmingen zijn opgeslagen.",
    "ongewijzigd": "Er is niets gewijzigd.",
    "ingetrokken": "De toestemming is ingetrokken. De uitgeverij krijgt vanaf nu niets meer te lezen.",
    "geweigerd": "U hebt geen toestemming gegeven. De uitgeverij krijgt niets te lezen.",
}


def render_page(request: Request, template: str, place: Place, menu: str, **values: Any) -> Response:
    """A page below the hub's menu. `menu`: the entry that is open."""
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        template,
        plek=place,
        menu=menu,
        school=place.name,
        gebruiker=place.email,
        melding=MESSAGES.get(request.query_params.get("melding", ""), ""),
        **values,
    )
