"""What people do in the hub, click by click: the stories are told with these."""

import re

from playwright.sync_api import Page, expect

from tests.browser.hub_stage import token_for
from tests.browser.stage import PASSWORD, Stage
from tests.browser.visits import Visitor


def sign_in(page: Page, user: str) -> None:
    """On the page Inloggen of the hub, or of EDUscope."""
    page.get_by_label("E-mailadres of gebruikersnaam", exact=True).fill(user)
    page.get_by_label("Wachtwoord", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Inloggen", exact=True).click()


def open_menu(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Menu").get_by_role("link", name=name, exact=True).click()


def choose_school(page: Page, name: str) -> None:
    """On the overview of who coordinates several."""
    schools = page.get_by_role("navigation", name="Uw scholen")
    expect(schools).to_be_visible()
    link = schools.get_by_role("link", name=name, exact=True)
    if link.count():  # else it is the one that is shown
        link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def open_mail(reader: Visitor, stage: Stage, email: str) -> None:
    """The last mail to this address, once it is there; the reader follows the activation link in it."""
    token_for(stage, email)
    page = reader.go("/")
    reader.row(email).first.get_by_role("link").click()
    expect(page.get_by_text("Uw gebruikersnaam is dit e-mailadres.")).to_be_visible()
    page.get_by_role("link", name=re.compile("activeren")).click()
    expect(page.get_by_role("heading", level=1, name="Account activeren", exact=True)).to_be_visible()
    expect(page.get_by_text(email, exact=True)).to_be_visible()


def choose_password(reader: Visitor) -> None:
    """First one that is too short, then two that differ, then a good one."""
    page = reader.page
    for first, again, reason in (
        ("welkom2026", "welkom2026", "15"),
        (PASSWORD, PASSWORD + "x", "De twee wachtwoorden zijn niet gelijk."),
    ):
        with reader.refused(422):
            _choose(page, first, again)
            expect(page.get_by_role("alert")).to_contain_text(reason)
        assert page.title().startswith("Fout: ")
        expect(page.get_by_label("Nieuw wachtwoord", exact=True)).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Nieuw wachtwoord", exact=True)).to_have_value("")
    _choose(page, PASSWORD, PASSWORD)
    reader.said("Uw account is actief.")


def _choose(page: Page, first: str, again: str) -> None:
    page.get_by_label("Nieuw wachtwoord", exact=True).fill(first)
    page.get_by_label("Herhaal het wachtwoord", exact=True).fill(again)
    page.get_by_role("button", name="Account activeren", exact=True).click()
