"""The six steps of the EDUscope manual as one story, at a real hub, with and without JavaScript."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import expect

from tests.browser.hub_steps import choose_password, choose_school, open_mail, open_menu, sign_in
from tests.browser.stage import ADMINISTRATOR, COORDINATOR, NAMES, TOLD, Stage, address
from tests.browser.visits import Visitor

Visit = Callable[..., AbstractContextManager[Visitor]]


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def javascript(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def open_row(visitor: Visitor, name: str) -> None:
    """As the manual has it, with a double click; without JavaScript by the link."""
    row = visitor.row(name)
    if visitor.javascript:
        row.locator("td").last.dblclick()
    else:
        row.get_by_role("link", name=name).click()
    expect(visitor.page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_the_manual_can_be_followed_from_step_1_to_step_6(visit: Visit, stage: Stage, javascript: bool) -> None:
    code = TOLD[javascript]
    with visit(javascript=javascript, who="coordinator", signed_in=False) as hub:
        compare_at_basispoort(hub, code)
    with visit(javascript=javascript, signed_in=False) as visitor:
        page = visitor.go("/inloggen")
        sign_in(page, ADMINISTRATOR)
        switch_school(visitor, code)
        step_1_the_reports(visitor)
        step_1_the_comparison(visitor, code)
        step_2_the_addresses(visitor, code)
        step_3_the_groups(visitor)
        step_3_the_substitute(visitor, code)
        step_4_the_checks(visitor)
        step_5_the_tick(visitor)
    assert stage.get(f"/api/v1/scholen/{code}/koppeling")["basispoort"] is True
    people = {row["achternaam"]: row for row in stage.get(f"/api/v1/scholen/{code}/personeel")["personeel"]}
    groups = stage.get(f"/api/v1/scholen/{code}/groepen")["groepen"]
    homes = {group["id"] for group in groups if group["soort"] == "groep"}
    assert people["Jansen"]["emailadres"] == address("piet.jansen", code)
    assert people["de Wit"]["emailadres"] == address("anna.de.wit", code)
    assert set(people["Jansen"]["groepen"]) == {group["id"] for group in groups if group["naam"] == "3A"}
    assert set(people["Regenboog"]["groepen"]) >= homes
    with (
        visit(javascript=javascript, who="coordinator", signed_in=False) as hub,
        visit(javascript=javascript) as visitor,
    ):
        step_6_the_switch(hub, code)
        synchronise(visitor, code)
        what_came_of_it(hub, code)
    with visit(javascript=javascript, who="reader") as reader:
        open_mail(reader, stage, address("vervanger", code))
        choose_password(reader)
        sign_in(reader.page, address("vervanger", code))
        expect(reader.page.get_by_text(f"U werkt bij: {NAMES[code]}.")).to_be_visible()
        open_menu(reader.page, "Lesmateriaal")
        expect(reader.page.get_by_text("Er is nog geen lesmateriaal voor u. Vraag uw ICT-coördinator.")).to_be_visible()


def compare_at_basispoort(hub: Visitor, code: str) -> None:
    """Step 1: the coordinator sees the teachers with their addresses in Basispoort."""
    page = hub.go("/inloggen")
    sign_in(page, COORDINATOR)
    choose_school(page, NAMES[code])
    open_menu(page, "Leerkrachten")
    expect(hub.row("Piet Jansen")).to_contain_text(address("piet.jansen", code))
    page.get_by_label("EDUscope mag onze leerkrachtenlijst lezen").check()
    page.get_by_role("button", name="Opslaan", exact=True).click()
    hub.said("EDUscope mag uw leerkrachtenlijst lezen.")


def switch_school(visitor: Visitor, code: str) -> None:
    page = visitor.page
    page.get_by_text("Wissel van school", exact=True).click()
    page.get_by_role("link", name=NAMES[code], exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAMES[code])


def step_1_the_reports(visitor: Visitor) -> None:
    """Contact details of all staff, and who is tied to which groups."""
    page = visitor.page
    for report in ("Contactgegevens personeel", "Leerkrachten per groep"):
        open_menu(page, "Rapportages")
        page.get_by_role("link", name=report).click()
        expect(page.get_by_role("heading", level=1, name=report)).to_be_visible()


def step_1_the_comparison(visitor: Visitor, code: str) -> None:
    """The machine lays the two lists side by side, and one address with a slip in it is taken over."""
    page = visitor.page
    open_menu(page, "Rapportages")
    page.get_by_role("link", name="Vergelijken met Basispoort").click()
    different = visitor.row("Anna de Wit")
    expect(different).to_contain_text(address("anna.de.wti", code))
    expect(different).to_contain_text(address("anna.de.wit", code))
    page.get_by_role("button", name="Neem over voor Anna de Wit", exact=True).click()
    expect(page.locator("#melding")).not_to_be_empty()
    expect(page.get_by_role("button", name="Neem over voor Anna de Wit", exact=True)).to_have_count(0)


def step_2_the_addresses(visitor: Visitor, code: str) -> None:
    """Personeel Overzicht, double click, Basis, Contactgegevens, Toevoegen, E-mail; and a wrong address is changed."""
    page = visitor.page
    open_menu(page, "Personeel")
    expect(page.get_by_text("Menu › Administratie › Personeel › Personeel Overzicht")).to_be_visible()
    expect(visitor.row("Piet Jansen").get_by_text("ontbreekt", exact=True)).to_be_visible()
    page.get_by_label("Alleen zonder e-mailadres", exact=True).check()
    if not visitor.javascript:
        page.get_by_role("button", name="Zoeken", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    open_row(visitor, "Piet Jansen")
    expect(page.get_by_role("link", name="Basis", exact=True)).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("heading", name="Contactgegevens", exact=True)).to_be_visible()
    page.get_by_role("button", name="Toevoegen", exact=True).click()
    page.get_by_role("link", name="E-mail", exact=True).click()
    expect(page.get_by_text("Neem het adres over dat nu in Basispoort staat.")).to_be_visible()
    refused_address(visitor)
    page.get_by_label("E-mail (gebruikersnaam in Basispoort)").fill(address("piet.jansen", code))
    page.get_by_role("button", name="Opslaan", exact=True).click()
    visitor.said("Het contactgegeven is opgeslagen.")
    expect(visitor.row(address("piet.jansen", code))).to_be_visible()

    open_menu(page, "Personeel")
    open_row(visitor, "Anna de Wit")
    page.get_by_role("link", name="Wijzigen van").click()
    expect(page.get_by_text("Het oude e-mailadres wordt in Basispoort direct gedeactiveerd.")).to_be_visible()
    page.get_by_role("link", name="Annuleren", exact=True).click()
    expect(visitor.row(address("anna.de.wit", code))).to_be_visible()


def refused_address(visitor: Visitor) -> None:
    """An address that is none: said on top and at the field, and what was typed stays."""
    page = visitor.page
    field = page.get_by_label("E-mail (gebruikersnaam in Basispoort)")
    field.fill("p.jansen@regenboog")
    with visitor.refused(422):
        page.get_by_role("button", name="Opslaan", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Vul een volledig e-mailadres in, met een @ en een domein.")
    if visitor.javascript:
        expect(page.get_by_role("alert")).to_be_focused()
    assert page.title().startswith("Fout: ")
    expect(field).to_have_value("p.jansen@regenboog")
    expect(field).to_have_attribute("aria-invalid", "true")
    page.get_by_role("alert").get_by_role("link").click()
    if visitor.javascript:
        expect(field).to_be_focused()


def step_3_the_groups(visitor: Visitor) -> None:
    """Groepen, double click, tab Docenten, Toevoegen."""
    page = visitor.page
    open_menu(page, "Leerlingen")
    page.get_by_role("link", name="Groepen", exact=True).click()
    expect(page.get_by_text("Menu › Administratie › Leerlingen › Groepen")).to_be_visible()
    open_row(visitor, "3A")
    page.get_by_role("link", name="Docenten", exact=True).click()
    with visitor.refused(422):
        page.get_by_role("button", name="Toevoegen", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Kies eerst een docent in de lijst.")
    page.get_by_label("Docent", exact=True).select_option("Piet Jansen")
    page.get_by_role("button", name="Toevoegen", exact=True).click()
    visitor.said("De docent is aan deze groep gekoppeld.")
    expect(page.get_by_role("button", name="Verwijderen van Piet Jansen", exact=True)).to_be_visible()


def step_3_the_substitute(visitor: Visitor, code: str) -> None:
    """A new, fictitious teacher with a real address, tied to all groups."""
    page = visitor.page
    open_menu(page, "Personeel")
    page.get_by_role("button", name="Vervangersaccount toevoegen", exact=True).click()
    expect(page.get_by_text("Het e-mailadres mag niet fictief zijn")).to_be_visible()
    page.get_by_label("Roepnaam", exact=True).fill("Vervanger")
    page.get_by_label("Achternaam", exact=True).fill("Regenboog")
    page.get_by_label("E-mail (gebruikersnaam in Basispoort)").fill(address("vervanger", code))
    page.get_by_label("Aan alle groepen koppelen").uncheck()
    page.get_by_role("button", name="Opslaan", exact=True).click()
    visitor.said("De gegevens zijn toegevoegd.")
    page.get_by_role("link", name="Groepen", exact=True).click()
    page.get_by_role("button", name="Aan alle groepen koppelen", exact=True).click()
    visitor.said("Deze persoon is aan alle groepen gekoppeld.")
    open_menu(page, "Personeel")
    expect(visitor.row("Vervanger Regenboog")).to_contain_text("Vervangersaccount")
    expect(visitor.row("Vervanger Regenboog")).to_contain_text("alle groepen")


def step_4_the_checks(visitor: Visitor) -> None:
    page = visitor.page
    open_menu(page, "Controles")
    expect(page.get_by_role("heading", level=1, name="Controles")).to_be_visible()
    for check in (
        "Alle actieve leerlingen zijn gekoppeld aan een administratieve groep",
        "Alle leerlingen hebben een leerjaar-indicatie",
        "Alle actieve leerkrachten hebben een e-mailadres",
    ):
        expect(page.get_by_text(check).first).to_be_visible()


def step_5_the_tick(visitor: Visitor) -> None:
    """Inrichten, Schoolinstellingen, at the bottom of the tab Koppelingen: Basispoort."""
    page = visitor.page
    open_menu(page, "Inrichten")
    page.get_by_role("link", name="Schoolinstellingen").first.click()
    expect(page.get_by_text("Inrichten › Administratie › Scholen › Schoolinstellingen")).to_be_visible()
    page.get_by_role("link", name="Koppelingen", exact=True).click()
    page.get_by_role("checkbox", name="Basispoort", exact=True).check()
    with visitor.refused(409), visitor.refused(422):
        page.get_by_role("button", name="Opslaan", exact=True).click()
        seen = page.get_by_label(re.compile("^Ik heb (het aandachtspunt|de \\d+ aandachtspunten) gezien$"))
        expect(seen.or_(page.locator("#melding p"))).to_be_visible()
        if seen.count():
            seen.check()
            page.get_by_role("button", name="Opslaan", exact=True).click()
    visitor.said("Laatste stap: activeer de koppeling in Basispoort onder Beheer.")
    expect(page.get_by_role("checkbox", name="Basispoort", exact=True)).to_be_checked()


def step_6_the_switch(hub: Visitor, code: str) -> None:
    """Beheer: the administration is chosen, and the automatic link is switched on."""
    page = hub.go("/inloggen")
    sign_in(page, COORDINATOR)
    choose_school(page, NAMES[code])
    expect(page.get_by_text("U hebt de automatische koppeling nog niet geactiveerd.")).to_be_visible()
    page.get_by_role("link", name="Naar Beheer", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Beheer", exact=True)).to_be_visible()
    page.get_by_label("Leerlingadministratie", exact=True).select_option("EDUscope")
    page.get_by_role("checkbox", name="Automatische koppeling gebruiken", exact=True).check()
    page.get_by_role("button", name="Opslaan", exact=True).click()
    hub.said("De automatische koppeling staat aan.")
    expect(page.get_by_role("checkbox", name="Automatische koppeling gebruiken", exact=True)).to_be_checked()


def synchronise(visitor: Visitor, code: str) -> None:
    """The administrator does not wait for the night."""
    page = visitor.go(f"/scholen/{code}/inrichten/schoolinstellingen/koppelingen")
    page.get_by_role("button", name="Nu synchroniseren", exact=True).click()
    expect(page.locator("#melding")).not_to_be_empty()


def what_came_of_it(hub: Visitor, code: str) -> None:
    """The data are there; of what the hub knew from the file and EDUscope lacks, the coordinator decides."""
    page = hub.page
    open_menu(page, "Beheer")
    expect(page.get_by_text("Actief. Elke dag om 00:00 uur.", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("^Laatste keer: "))).to_be_visible()
    open_menu(page, "Leerkrachten")
    expect(hub.row("Vervanger Regenboog")).to_contain_text("uitnodiging verstuurd")
    hub.row("Vervanger Regenboog").get_by_role("button").click()
    hub.said("De activatielink wordt opnieuw verstuurd.")
    open_menu(page, "Overzicht")
    expect(page.get_by_role("heading", level=2, name="Vastgehouden", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="1 leerkracht zou verdwijnen", exact=True)).to_be_visible()
    page.get_by_text("Wie het zijn (1)", exact=True).click()
    expect(hub.row("Bep Vertrokken")).to_contain_text("zou verdwijnen")
    page.get_by_role("button", name="Vasthouden, 60 dagen").click()
    hub.said("Alles blijft zoals het is.")
    expect(page.get_by_text(re.compile("^U houdt dit vast tot "))).to_be_visible()
    page.get_by_role("button", name="Loslaten: laat het doorgaan").click()
    hub.said("Uw besluit is uitgevoerd.")
    expect(page.get_by_role("heading", level=2, name="Vastgehouden", exact=True)).to_have_count(0)
