"""EDUscope in English: pages, what a form says, and the files of the reports; what people wrote stays as it is."""

import csv
import io
import re

import openpyxl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from services.eduscope_api.nightly import School
from services.eduscope_api.tables import GroupRow
from shared.clock import now
from shared.database import reading, writing
from shared.edexml_write import write_edexml
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.import_files import a_file
from tests.eduscope_api.rows import CODE, add_group, add_member, add_school
from tests.factories import a_group, a_pupil

PAGES = f"/scholen/{CODE}"
REPORTS = f"/api/v1{PAGES}/rapportages"
ENGLISH = {"Accept": "text/html", "Accept-Language": "en"}
DUTCH = {"Accept": "text/html", "Accept-Language": "nl"}


@pytest.fixture
def school(client: TestClient, hub: FakeHub) -> School:
    """A school with a group and a teacher that are called what the pages call something else."""
    school = add_school(engine_of(client), ticked=False)
    with writing(engine_of(client)) as db:
        add_group(db, school.id, "g2", kind="home", name="Leerlingen")
        add_member(db, school.id, "m2", email=None, first_name="Geen", last_name="Groepen")
    sign_in(client, school)
    return school


def page(client: TestClient, path: str, status: int = 200, **values: str) -> str:
    answer = client.post(f"{PAGES}/{path}", data=values, headers=ENGLISH, follow_redirects=True) if values else None
    answer = answer or client.get(f"{PAGES}/{path}", headers=ENGLISH)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-language"] == "en"
    return answer.text


@pytest.mark.parametrize(
    ("path", "heading", "words"),
    [
        ("leerlingen", "Pupils", ["Search by name", "All groups", "Year transition", "data-telling"]),
        ("leerlingen/nieuw", "Add pupil", ["First school day", "14 (secondary education 4)"]),
        ("groepen/nieuw", "Add group", ["Composite group", "A composite group has no year."]),
        ("personeel/nieuw?soort=vervanger", "Add member of staff", ["Internal coach", "Substitute account"]),
        ("rapportages/leerkrachten-per-groep", "Teachers per group", ["no teacher", "Download (csv)"]),
        ("inrichten/schoolinstellingen/koppelingen", "School settings", ["Teachers without an e-mail address: 1"]),
        ("inrichten/edexml-exporteren", "Export EDEXML", ["Choose 2.1"]),
        ("inrichten/sleutels", "API keys", ["What may be done with this key?", "There are no keys yet."]),
    ],
)
def test_a_page_is_english(client: TestClient, school: School, path: str, heading: str, words: list[str]) -> None:
    shown = page(client, path)
    assert f"<h1>{heading}</h1>" in shown
    assert [each for each in words if each not in shown] == []
    assert f"<h1>{heading}</h1>" not in client.get(f"{PAGES}/{path}", headers=DUTCH).text


def test_what_people_wrote_is_shown_as_they_wrote_it(client: TestClient, school: School) -> None:
    with reading(engine_of(client)) as db:
        group_id = db.scalars(select(GroupRow.id).where(GroupRow.name == "Leerlingen")).one()
    group = page(client, f"groepen/{group_id}")
    assert "<h1>Leerlingen</h1>" in group
    assert "<title>Leerlingen, Basics" in group
    assert "› Leerlingen</p>" in group, "the last crumb is the group's own name"
    assert ">Geen Groepen</a>" in page(client, "personeel")


def test_a_form_says_in_english_what_is_wrong_with_it(client: TestClient, school: School) -> None:
    refused = page(client, "groepen/nieuw", 422, soort="groep", naam="")
    assert "Enter a name of 256 characters at most." in refused
    assert "<title>Error: Add group" in refused
    assert "The data was added." in page(client, "groepen/nieuw", soort="groep", naam="Groep 6", jaargroep="6")


def test_the_history_is_told_in_english_and_kept_without_a_language(client: TestClient, school: School) -> None:
    page(client, "inrichten/schoolinstellingen", naam="De Nieuwe Boog")
    told = page(client, "inrichten/geschiedenis")
    assert "on screen" in told
    assert "Name: " in told
    dutch = client.get(f"{PAGES}/inrichten/geschiedenis", headers=DUTCH).text
    assert "op het scherm" in dutch
    assert "Naam: " in dutch


def test_a_preview_that_was_seen_in_english_is_confirmed_in_dutch(client: TestClient, school: School) -> None:
    """What is confirmed stands for the plan, not for the words it was told in."""
    known, new = a_pupil("#2", last_name="Bijl p2"), a_pupil("p9", first_name="Els", prefix=None, last_name="Kok")
    content = write_edexml(a_file(a_group(name="Groep 5"), known, new), created_at=now(), author="proef")
    place = f"{PAGES}/inrichten/edexml-importeren"
    made = client.post(place, files={"bestand": ("school.xml", content, "text/xml")}, headers=ENGLISH)
    english, dutch = (client.get(made.headers["location"], headers=headers).text for headers in (ENGLISH, DUTCH))
    fingerprints = [re.findall(r'name="vingerafdruk" value="([^"]+)"', each) for each in (english, dutch)]
    assert fingerprints[0] == fingerprints[1] != []
    assert "the same name" in english
    assert "dezelfde naam" in dutch


def heads(content: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_the_file_of_a_report_is_in_the_language_that_is_asked_for(client: TestClient, school: School) -> None:
    asked = client.get(f"{REPORTS}/contactgegevens?formaat=csv&taal=en")
    assert heads(asked.content)[:3] == ["Name", "Role", "E-mail for Basispoort"]
    assert "Teacher" in asked.text
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"{REPORTS}/contactgegevens?formaat=xlsx&taal=en").content))
    assert book.sheetnames == ["Staff contact details", "About this file"]
    assert str(book.worksheets[1]["A3"].value).startswith("Made on ")


def test_a_program_gets_dutch_whatever_its_browser_says(client: TestClient, school: School) -> None:
    """The twin: nothing but `taal` makes the file English."""
    answer = client.get(f"{REPORTS}/contactgegevens?formaat=csv", headers=ENGLISH)
    assert heads(answer.content)[:2] == ["Naam", "Functie"]
    refused = client.get(f"{REPORTS}/contactgegevens?formaat=csv&taal=fr")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/taal")


@pytest.mark.parametrize("report", ["contactgegevens", "leerkrachten-per-groep"])
def test_the_page_of_a_report_links_to_files_in_its_own_language(
    client: TestClient, school: School, report: str
) -> None:
    field = '<input type="hidden" name="taal" value="en">'
    assert page(client, f"rapportages/{report}").count(field) == 2
    assert field not in client.get(f"{PAGES}/rapportages/{report}", headers=DUTCH).text
