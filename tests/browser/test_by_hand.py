"""What JavaScript adds, the keyboard alone, and a browser that is not there."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import expect

from tests.browser import conftest
from tests.browser.stage import CODE, STRANGER, Stage
from tests.browser.visits import Visitor

Visit = Callable[..., AbstractContextManager[Visitor]]
PEOPLE = f"/scholen/{CODE}/personeel"


def test_a_search_narrows_the_list_while_one_types_and_says_how_many_there_are(visit: Visit) -> None:
    with visit() as visitor:
        page = visitor.go(PEOPLE)
        region = page.locator("#melding").element_handle()
        field = page.get_by_label("Zoek op naam", exact=True)
        field.press_sequentially("jansen", delay=20)
        expect(page.locator("tbody tr")).to_have_count(1)
        visitor.said("1 gevonden")
        expect(field).to_be_focused()
        assert page.locator("#melding").element_handle().evaluate("(one, same) => one === same", region)
        expect(page).to_have_url(f"{visitor.base}{PEOPLE}?zoek=jansen")
        assert visitor.barriers() == []
        field.fill("zulma")
        visitor.said("0 gevonden")
        expect(page.get_by_text("Er is niemand gevonden.")).to_be_visible()
        page.reload()
        expect(field).to_have_value("zulma")


def test_a_search_works_without_javascript_too(visit: Visit) -> None:
    with visit(javascript=False) as visitor:
        page = visitor.go(PEOPLE)
        page.get_by_label("Zoek op naam", exact=True).fill("jansen")
        page.get_by_role("button", name="Zoeken", exact=True).click()
        expect(page.locator("tbody tr")).to_have_count(1)


def test_who_was_signed_out_meanwhile_is_told_so(visit: Visit) -> None:
    with visit() as visitor:
        page = visitor.go(PEOPLE)
        page.context.clear_cookies()
        with visitor.refused(401):
            page.get_by_label("Zoek op naam", exact=True).fill("jansen")
            expect(page.get_by_role("link", name="Inloggen", exact=True)).to_be_visible()


def test_with_the_keyboard_alone_somebody_is_found_and_gets_an_address(visit: Visit) -> None:
    """Through the menu, the search and the row to a new address; at every stop the focus can be seen."""
    with visit() as visitor:
        page = visitor.go("/")
        page.keyboard.press("Tab")
        assert visitor.focused() == "Direct naar de inhoud"
        visitor.tab_to("Personeel")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="Personeel Overzicht")).to_be_visible()
        visitor.tab_to("Zoek op naam")
        page.keyboard.type("willems")
        visitor.said("1 gevonden")
        name = page.locator("tbody a").first.inner_text()
        visitor.tab_to(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        visitor.tab_to("Toevoegen")
        page.keyboard.press("Enter")
        expect(page.get_by_label("E-mail (gebruikersnaam in Basispoort)")).to_be_visible()
        visitor.tab_to("E-mail (gebruikersnaam in Basispoort)")
        page.keyboard.type("tweede@school.example")
        visitor.tab_to("Gebruik dit adres voor Basispoort")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        visitor.said("Het contactgegeven is opgeslagen.")
        expect(visitor.row("tweede@school.example")).not_to_contain_text("gebruikersnaam in Basispoort")


def test_focus_that_something_lies_over_is_seen(visit: Visit) -> None:
    """The twin of every stop above."""
    with visit() as visitor:
        page = visitor.go("/")
        page.evaluate(
            """() => {
              const lid = document.createElement("div");
              lid.className = "deksel";
              document.body.append(lid);
              const sheet = new CSSStyleSheet();
              sheet.replaceSync(".deksel { position: fixed; inset: 0; background: white }");
              document.adoptedStyleSheets = [sheet];
            }"""
        )
        with pytest.raises(AssertionError, match="covered"):
            visitor.tab_to("Personeel")


@pytest.mark.parametrize("width", [320, 1200])
def test_another_school_is_chosen_from_every_page(visit: Visit, width: int) -> None:
    with visit() as visitor:
        visitor.page.set_viewport_size({"width": width, "height": 700})
        page = visitor.go(PEOPLE)
        page.get_by_text("Wissel van school", exact=True).click()
        assert visitor.barriers() == []
        assert visitor.overflowing() == []
        page.get_by_role("link", name="CBS De Ark", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("CBS De Ark")


def test_a_school_of_somebody_else_is_a_page_that_says_it_is_not_there(visit: Visit) -> None:
    with visit() as visitor, visitor.refused(404):
        page = visitor.go(f"/scholen/{STRANGER}/personeel")
        expect(page.get_by_role("heading", level=1, name="Niet gevonden")).to_be_visible()
        assert visitor.barriers() == []


def test_a_page_with_a_fault_keeps_nobody_out(visit: Visit, stage: Stage) -> None:
    with visit() as visitor, visitor.refused(422):
        page = visitor.go(f"{PEOPLE}/{stage.ids['staff_id']}/contactgegevens/nieuw")
        page.get_by_label("E-mail (gebruikersnaam in Basispoort)").fill("a@b@c.example")
        page.get_by_role("button", name="Opslaan", exact=True).click()
        expect(page.get_by_role("alert")).to_be_focused()
        assert visitor.barriers() == []
        assert visitor.overflowing() == []


def test_printed_is_the_list_and_not_what_one_clicks(visit: Visit) -> None:
    with visit() as visitor:
        page = visitor.go(PEOPLE)
        page.emulate_media(media="print")
        expect(page.get_by_role("table")).to_be_visible()
        for hidden in (page.get_by_role("navigation", name="Menu"), page.get_by_role("button", name="Toevoegen")):
            expect(hidden.first).to_be_hidden()


def test_a_missing_browser_fails_where_it_must_be_and_is_skipped_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(conftest, "MUST", True)
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        conftest.the_browser()
    monkeypatch.setattr(conftest, "MUST", False)
    with pytest.raises(pytest.skip.Exception):
        conftest.the_browser()
