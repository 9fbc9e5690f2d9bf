"""The page around the hub's pages: the menu, the school, who is signed in, one message after a form."""

from typing import Any

from fastapi import Request, Response

from services.basispoort_hub.places import Place
from shared.browser import Pages
from shared.language import mark, say

MESSAGES = {  # what a redirect may say; never anything about anybody
    "koppeling-aan": mark("De automatische koppeling staat aan."),
    "koppeling-uit": mark("De automatische koppeling staat uit. Er komen geen gegevens meer binnen."),
    "toestemmingen": mark("De toestemmingen zijn opgeslagen."),
    "ongewijzigd": mark("Er is niets gewijzigd."),
    "ingetrokken": mark("De toestemming is ingetrokken. De uitgeverij krijgt vanaf nu niets meer te lezen."),
    "geweigerd": mark("U hebt geen toestemming gegeven. De uitgeverij krijgt niets te lezen."),
    "besloten": mark("Uw besluit is uitgevoerd."),
    "vastgehouden": mark("Alles blijft zoals het is. Na 60 dagen vraagt Basispoort het u opnieuw."),
    "aanvaard": mark("U hebt de uitnodiging aanvaard."),
    "lijst-open": mark("EDUscope mag uw leerkrachtenlijst lezen."),
    "lijst-dicht": mark("EDUscope mag uw leerkrachtenlijst niet meer lezen zolang de koppeling uit staat."),
    "link-verstuurd": mark("De activatielink wordt opnieuw verstuurd."),
}


def message_of(request: Request) -> str:
    """What the page that redirected here has to say, or nothing."""
    message = MESSAGES.get(request.query_params.get("melding", ""))
    return say(message) if message is not None else ""


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
        melding=message_of(request),
        **values,
    )
