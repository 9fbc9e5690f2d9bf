"""A new coordinator's first day: an activation link, consent given and withdrawn, a tile, a question, a new domain."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.hub_stage import ASKING, HUB_STORY, MINE, MORE_NAMES, PUBLISHERS, THIRD
from tests.browser.hub_steps import choose_password, open_mail, open_menu, sign_in
from tests.browser.stage import CODE, HELPDESK, OPERATOR_KEY, Stage, done
from tests.browser.visits import Visitor

Visit = Callable[..., AbstractContextManager[Visitor]]


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def javascript(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def sentence(publisher: str) -> str:
    return f"Activeer de digitale methodes van {PUBLISHERS[publisher]}"


class Told:
    """The school of one telling, and what the publisher gets to read of it."""

    def __init__(self, stage: Stage, code: str) -> None:
        self.stage, self.code, self.name = stage, code, MORE_NAMES[code]
        self.coordinator = f"ict@school-{code.lower()}.example"
        body = {"emailadres": self.coordinator, "naam": "Tess Hoekstra", "reden": "formulier van het bestuur"}
        path = f"{stage.hub}/api/v1/operator/scholen/{code}/coordinatoren"
        done(httpx.post(path, json=body, headers=bearer(OPERATOR_KEY), timeout=60))
        found = httpx.get(f"{stage.hub}/rest/v2/nawsearch?brincode={code}", headers=bearer(stage.keys[MINE]))
        self.number = int(done(found)[0]["id"])

    def reads(self) -> int:
        path = f"{self.stage.hubs[1]}/rest/v2/instellingen/{self.number}"
        return httpx.get(path, headers=bearer(self.stage.keys[MINE]), timeout=60).status_code


def test_a_new_coordinator_finds_the_way_from_the_mail_to_the_tile_and_back(
    visit: Visit, stage: Stage, javascript: bool
) -> None:
    told = Told(stage, HUB_STORY[javascript])
    with visit(javascript=javascript, who="reader") as visitor:
        open_mail(visitor, stage, told.coordinator)
        choose_password(visitor)
        refused_sign_in(visitor, told)
        sign_in(visitor.page, told.coordinator)
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text(told.name)
        nothing_yet(visitor)
        consent_given(visitor, told)
        the_tile(visitor, stage)
        consent_withdrawn(visitor, told)
        a_question_answered(visitor, told)
        a_new_domain(visitor, told)
        signed_out(visitor)


def refused_sign_in(visitor: Visitor, told: Told) -> None:
    """One sentence for every wrong combination; what was typed stays, except the password."""
    page = visitor.page
    field = page.get_by_label("E-mailadres of gebruikersnaam", exact=True)
    field.fill(told.coordinator)
    page.get_by_label("Wachtwoord", exact=True).fill("regenboog")
    with visitor.refused(401):
        page.get_by_role("button", name="Inloggen", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Het e-mailadres of het wachtwoord klopt niet.")
    expect(field).to_have_value(told.coordinator)
    expect(field).to_have_attribute("aria-invalid", "true")


def nothing_yet(visitor: Visitor) -> None:
    page = visitor.page
    open_menu(page, "Lesmateriaal")
    expect(page.get_by_text("Er is nog geen lesmateriaal voor u.")).to_be_visible()
    page.get_by_role("link", name="Waarom zie ik dit (niet)?", exact=True).click()
    expect(page.get_by_text("U regelt dat onder Beheer.").first).to_be_visible()


def consent_given(visitor: Visitor, told: Told) -> None:
    """First which data; then the slider, and at once the message to the helpdesk with the manual's four facts."""
    page = visitor.page
    assert told.reads() == 403
    open_menu(page, "Beheer")
    page.get_by_role("link", name="Welke gegevens? Voor CtrlLearning", exact=True).click()
    expect(page.get_by_text("Dit kan CtrlLearning lezen als u toestemming geeft, en niets anders:")).to_be_visible()
    page.get_by_role("link", name="Terug naar Beheer", exact=True).click()
    page.get_by_role("checkbox", name=sentence(MINE), exact=True).check()
    assert told.reads() == 403, "a slider that is not saved gives nothing"
    page.get_by_role("button", name="Toestemmingen opslaan", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Meld de activatie bij de helpdesk")).to_be_visible()
    assert told.reads() == 200
    for fact in (told.name, str(told.number), "Taalblobs", "beheerder"):
        expect(page.get_by_role("definition").filter(has_text=fact).first).to_be_visible()
    expect(page.get_by_role("link", name=f"Mail dit naar {HELPDESK}")).to_have_attribute(
        "href", re.compile(f"^mailto:{HELPDESK}\\?subject=")
    )
    page.get_by_role("link", name="Terug naar Beheer", exact=True).click()
    expect(page.get_by_role("checkbox", name=sentence(MINE), exact=True)).to_be_checked()


def the_tile(visitor: Visitor, stage: Stage) -> None:
    page = visitor.page
    open_menu(page, "Lesmateriaal")
    expect(page.get_by_role("link", name="Beheerportaal CtrlLearning", exact=True)).to_have_attribute(
        "href", f"{stage.portal}/"
    )
    page.get_by_role("link", name="Beheerportaal CtrlLearning", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Beheerportaal", exact=True)).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Waarom zie ik dit (niet)?", exact=True).click()
    expect(page.get_by_text("U ziet dit: u bent ICT-coördinator")).to_be_visible()


def consent_withdrawn(visitor: Visitor, told: Told) -> None:
    """Asked about first; who thinks better of it changes nothing."""
    page = visitor.page
    for sure in (False, True):
        open_menu(page, "Beheer")
        page.get_by_role("checkbox", name=sentence(MINE), exact=True).uncheck()
        page.get_by_role("button", name="Toestemmingen opslaan", exact=True).click()
        expect(page.get_by_role("heading", level=1, name="Toestemming intrekken?")).to_be_visible()
        expect(page.get_by_text("Taalblobs", exact=False).first).to_be_visible()
        assert told.reads() == 200
        if sure:
            page.get_by_role("button", name="Toestemming intrekken", exact=True).click()
            visitor.said("De toestemming is ingetrokken.")
        else:
            page.get_by_role("link", name="Annuleren", exact=True).click()
            expect(page.get_by_role("checkbox", name=sentence(MINE), exact=True)).to_be_checked()
    assert told.reads() == 403
    open_menu(page, "Lesmateriaal")
    expect(page.get_by_role("link", name="Beheerportaal CtrlLearning")).to_have_count(0)


def a_question_answered(visitor: Visitor, told: Told) -> None:
    """A publisher asks, and gets no."""
    page, stage = visitor.page, told.stage
    path = f"{stage.hub}/rest/v2/instellingen/{told.number}/uitgever/synchronizationpermission"
    done(httpx.get(f"{path}?request-permission=true", headers=bearer(stage.keys[ASKING]), timeout=60))
    open_menu(page, "Overzicht")
    page.get_by_role("link", name=re.compile("^Beantwoord de vraag onder Beheer")).click()
    page.get_by_role("button", name=f"Geen toestemming geven aan {PUBLISHERS[ASKING]}", exact=True).click()
    visitor.said("U hebt geen toestemming gegeven.")
    expect(page.get_by_role("heading", name=f"{PUBLISHERS[ASKING]} vraagt uw toestemming")).to_have_count(0)


def a_new_domain(visitor: Visitor, told: Told) -> None:
    """What the administrator announces in EDUscope, the coordinator can read here."""
    page, stage = visitor.page, told.stage
    announced = {"aangezet": False, "domeinwijzigingen": [{"van": "oud.example", "naar": "nieuw.example"}]}
    path = f"{stage.hub}/api/v1/scholen/{told.code}/aanmelding"
    done(httpx.put(path, json=announced, headers=bearer(stage.keys["administration"]), timeout=60))
    open_menu(page, "Leerkrachten")
    expect(page.get_by_text("van oud.example naar nieuw.example")).to_be_visible()


def signed_out(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("button", name="Uitloggen", exact=True).click()
    visitor.said("U bent uitgelogd.")


def test_with_the_keyboard_alone_consent_is_given_and_withdrawn(visit: Visit) -> None:
    """At every stop the focus can be seen."""
    with visit(who="coordinator") as visitor:
        page = visitor.go(f"/?school={CODE}")
        visitor.tab_to("Beheer")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="Beheer", exact=True)).to_be_visible()
        visitor.tab_to(sentence(THIRD))
        page.keyboard.press("Space")
        visitor.tab_to("Toestemmingen opslaan")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="Meld de activatie bij de helpdesk")).to_be_visible()
        visitor.tab_to("Terug naar Beheer")
        page.keyboard.press("Enter")
        expect(page.get_by_role("checkbox", name=sentence(THIRD), exact=True)).to_be_checked()
        visitor.tab_to(sentence(THIRD))
        page.keyboard.press("Space")
        visitor.tab_to("Toestemmingen opslaan")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="Toestemming intrekken?")).to_be_visible()
        visitor.tab_to("Toestemming intrekken")
        page.keyboard.press("Enter")
        visitor.said("De toestemming is ingetrokken.")


def test_who_is_held_can_be_opened_and_read_by_everybody(visit: Visit) -> None:
    with visit(who="coordinator") as visitor:
        page = visitor.go(f"/?school={CODE}")
        for summary in page.locator("details.wissel summary, .kader summary").all():
            summary.click()
        assert visitor.barriers() == []
        assert visitor.overflowing() == []


def test_the_search_for_a_pupil_answers_while_one_types_and_without_scripts(visit: Visit, javascript: bool) -> None:
    with visit(who="coordinator", javascript=javascript) as visitor:
        page = visitor.go(f"/scholen/{CODE}/leerlingen")
        name = page.locator("tbody th").first.inner_text()
        page.get_by_label("Zoek op naam", exact=True).press_sequentially(name, delay=10)
        if not javascript:
            page.get_by_role("button", name="Zoeken", exact=True).click()
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("link", name=f"Wat ziet deze leerling? {name}", exact=True).click()
        expect(page.get_by_role("heading", level=1, name="Wat ziet deze leerling?")).to_be_visible()


def test_another_process_and_no_javascript_show_the_same_page(visit: Visit, stage: Stage) -> None:
    shown = []
    for base in stage.hubs:
        for javascript in (True, False):
            with visit(who="coordinator", at=base, javascript=javascript) as visitor:
                visitor.go(f"/scholen/{CODE}/beheer")
                shown.append(visitor.page.locator("main").inner_text())
    assert len(set(shown)) == 1
