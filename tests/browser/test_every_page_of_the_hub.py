"""Every page of the hub, the portal and the demo's letterbox, as each kind of person sees it: usable by everybody."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser

from services.demo.mail_catcher import Letterbox, create_app
from tests.browser.hub_stage import ENDED, MINE, NEW, PUBLISHERS, THIRD
from tests.browser.stage import CODE, Stage
from tests.browser.visits import Visitor
from tests.test_house_rules import routes_of

Visit = Callable[..., AbstractContextManager[Visitor]]
SCHOOL = "/scholen/{code}"
PUBLISHER = f"{SCHOOL}/beheer/uitgeverijen/{{uitgever}}"


@dataclass(frozen=True)
class Sight:
    """A page as somebody sees it. `path` is that of its route; `more` what follows it in the address."""

    who: str
    route: str
    code: str = CODE
    more: str = ""
    status: int = 200
    names: tuple[tuple[str, str], ...] = ()  # what a name in the route is called in stage.ids, or is

    @property
    def path(self) -> str:
        path = self.route
        for name, value in self.names:
            path = path.replace(f"{{{name}}}", value)
        return path + self.more


def of(publisher: str) -> tuple[tuple[str, str], ...]:
    return (("uitgever", publisher),)


PUPIL = (("person_id", "{hub_pupil}"),)
OF_COORDINATORS = ("/lesmateriaal", "/lesmateriaal/waarom", "/leerkrachten", "/leerlingen", "/beheer")
SIGHTS = [
    # signed out
    *(Sight("stranger", path) for path in ("/", "/inloggen", "/leveranciers", "/activeren/{token}")),
    Sight("stranger", "/inloggen", more="?bericht=geactiveerd"),
    Sight("stranger", "/activeren/{token}", status=410, names=(("token", "{used}"),)),
    Sight("stranger", "/activeren/{token}", status=410, names=(("token", "verlopen"),)),
    Sight("stranger", SCHOOL + "/beheer", status=401),
    # a coordinator of several schools: something held, something asked, an announced domain, one who consents
    Sight("coordinator", "/", more=f"?school={CODE}"),
    Sight("coordinator", "/lesmateriaal"),
    *(Sight("coordinator", SCHOOL + path) for path in OF_COORDINATORS),
    Sight("coordinator", SCHOOL + "/leerlingen", more="?zoek=zulma"),
    Sight("coordinator", SCHOOL + "/leerlingen/{person_id}", names=PUPIL),
    Sight("coordinator", SCHOOL + "/beheer", more="?melding=ingetrokken"),
    Sight("coordinator", SCHOOL + "/beheer/intrekken", more=f"?uitgeverij={MINE}"),
    Sight("coordinator", PUBLISHER + "/gegevens", names=of(MINE)),
    Sight("coordinator", PUBLISHER + "/gegevens", names=of(THIRD)),
    Sight("coordinator", PUBLISHER + "/melden", names=of(MINE)),
    Sight("coordinator", SCHOOL + "/beheer", code=NEW, status=404),
    # where nothing happened yet
    Sight("newcomer", "/"),
    *(Sight("newcomer", SCHOOL + path, code=NEW) for path in OF_COORDINATORS),
    # a school that merged into another one
    Sight("remainer", "/"),
    *(Sight("remainer", SCHOOL + path, code=ENDED) for path in OF_COORDINATORS),
    # teachers: with tiles and an invitation, and with nothing
    Sight("teacher", "/"),
    *(Sight("teacher", SCHOOL + path) for path in OF_COORDINATORS[:2]),
    Sight("teacher", SCHOOL + "/beheer", status=404),
    Sight("idle teacher", "/"),
    *(Sight("idle teacher", SCHOOL + path) for path in OF_COORDINATORS[:2]),
    # the portal, and the letterbox of the demo
    *(Sight(who, "/") for who in ("portal stranger", "portal coordinator", "portal newcomer", "helpdesk", "reader")),
    Sight("portal stranger", "/inloggen"),
    Sight("reader", "/berichten/{number}", names=(("number", "{mail}"),)),
]


def pages_of(routes: list[APIRoute]) -> set[str]:
    hidden = {route.path for route in routes if "GET" in (route.methods or ()) and not route.include_in_schema}
    return {path for path in hidden if not path.startswith("/rest/")}  # another spelling of a call is no page


def name_of(sight: Sight) -> str:
    return f"{sight.who} {sight.path} {sight.code if sight.code != CODE else ''}".strip()


@pytest.mark.parametrize("sight", SIGHTS, ids=name_of)
def test_everybody_can_use_what_they_see(sight: Sight, visit: Visit, stage: Stage) -> None:
    with visit(who=sight.who) as visitor:
        look_at(visitor, sight, stage)


def look_at(visitor: Visitor, sight: Sight, stage: Stage) -> None:
    if sight.status >= 400:
        visitor.bearable.add(sight.status)
    page = visitor.page
    answer = page.goto(visitor.base + sight.path.format_map({"code": sight.code, **stage.ids}))
    assert answer is not None
    assert answer.status == sight.status
    assert page.get_by_role("heading", level=1).count() == 1
    assert visitor.barriers() == []
    assert visitor.overflowing() == []
    assert visitor.cut_off_when_spaced() == []


IN_ENGLISH = [  # the fullest pages, since every page is tried in Dutch
    Sight("stranger", "/leveranciers"),
    Sight("stranger", "/activeren/{token}"),
    Sight("coordinator", "/", more=f"?school={CODE}"),
    *(Sight("coordinator", SCHOOL + path) for path in OF_COORDINATORS),
    Sight("coordinator", PUBLISHER + "/gegevens", names=of(MINE)),
    Sight("helpdesk", "/"),
    Sight("portal coordinator", "/"),
]


@pytest.mark.parametrize("sight", IN_ENGLISH, ids=name_of)
def test_an_english_page_of_the_hub_can_be_used_by_everybody(sight: Sight, visit: Visit, stage: Stage) -> None:
    with visit(who=sight.who, locale="en-GB") as visitor:
        look_at(visitor, sight, stage)
        assert visitor.page.locator("html").get_attribute("lang") == "en"


def test_no_page_is_left_out() -> None:
    letterbox = create_app(Letterbox(), "http://127.0.0.1")
    routes = [route for route in letterbox.routes if isinstance(route, APIRoute)]
    ours = {*pages_of(routes_of("basispoort_hub")), *pages_of(routes_of("app_connector"))}
    own = {"/healthz", "/readyz", "/metrics", "/docs", "/problems/{slug}"}
    mails = {each for each in pages_of(routes) if not each.startswith(("/docs", "/problems", "/static", "/metrics"))}
    seen = {sight.route for sight in SIGHTS}
    assert (ours | mails) - own - seen == set(), "put these into SIGHTS"
    assert seen - ours - mails == set(), "these are gone"
    assert len(PUBLISHERS) == 3


def test_everybody_here_asks_for_dutch(visit: Visit, browser: Browser, stage: Stage) -> None:
    """The twin asks for what Chromium asks for by itself."""
    with visit(who="stranger") as visitor:
        assert visitor.go("/").locator("html").get_attribute("lang") == "nl"
    context = browser.new_context()
    page = context.new_page()
    page.goto(stage.hub)
    assert page.locator("html").get_attribute("lang") == "en"
    context.close()
