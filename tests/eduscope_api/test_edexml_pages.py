"""EDEXML importeren and exporteren as a person has it: a file, a preview with nothing ticked, and a confirmation."""

import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from services.eduscope_api.edexml_pages import SHOWN
from services.eduscope_api.nightly import School
from services.eduscope_api.tables import ImportRow, PupilRow
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.edexml_write import write_edexml
from shared.roster import Group, Pupil, StaffMember
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.import_files import a_file
from tests.eduscope_api.rows import CODE, add_school
from tests.factories import a_group, a_pupil

IMPORT = f"/scholen/{CODE}/inrichten/edexml-importeren"
EXPORT = f"/scholen/{CODE}/inrichten/edexml-exporteren"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def school(client: TestClient) -> School:
    made = add_school(engine_of(client), ticked=False)
    sign_in(client, made)
    client.headers.update(PAGE)
    return made


def known(key: str, **changes: Any) -> Pupil:
    return a_pupil(key, **{"last_name": f"Bijl {key}", **changes})


def send(client: TestClient, content: bytes, name: str = "school.xml") -> Any:
    return client.post(IMPORT, files={"bestand": (name, content, "text/xml")})


def upload(client: TestClient, *entries: Group | Pupil | StaffMember) -> str:
    content = write_edexml(a_file(*entries), created_at=now(), author="proef")
    answer = send(client, content)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def fingerprint_in(page: str) -> str:
    found = re.search(r'name="vingerafdruk" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def chosen_in(page: str) -> set[str]:
    """The values of what is selected and ticked, and the date."""
    marked = re.findall(r'<(?:option|input)\b[^>]*\bvalue="([^"]+)"[^>]* (?:selected|checked)', page)
    date = re.search(r'<input\b[^>]*name="uitstroomdatum"[^>]*>', page)
    assert date is not None
    return {*marked, *re.findall(r'value="([^"]+)"', date[0])}


def rows(client: TestClient) -> dict[str, PupilRow]:
    with reading(engine_of(client)) as db:
        found = {str(row.last_name): row for row in db.scalars(select(PupilRow))}
        db.expunge_all()
        return found


FILE = (
    a_group(name="Groep 5"),
    known("p1", year="6"),
    known("#2", last_name="Bijl p2"),
    a_pupil("p3", first_name="Sem", prefix=None, last_name="Vos"),
    a_pupil("nieuw", first_name="Els", prefix=None, last_name="Kok"),
)


@pytest.mark.usefixtures("school")
def test_a_file_leads_to_a_preview_in_which_nothing_is_ticked_or_chosen(client: TestClient) -> None:
    assert 'type="file"' in client.get(IMPORT).text
    place = upload(client, *FILE)
    page = client.get(place).text
    for words in (
        "Els Kok",
        "leerjaar: 5 wordt 6",
        "Dezelfde sleutel, maar iemand anders? (1)",
        "Misschien al bekend (1)",
    ):
        assert words in page
    assert " checked" not in page
    assert " selected" not in page
    assert client.get(IMPORT).text.count("Voorbeeld van ") == 1
    done = client.post(place, data={"vingerafdruk": fingerprint_in(page)})
    assert done.headers["location"] == f"{IMPORT}?melding=overgenomen"
    after = rows(client)
    assert set(after) == {"Bijl p1", "Bijl p2", "Bijl p3", "Kok"}
    assert after["Bijl p1"].year == "6"
    assert all(row.left_on is None for row in after.values())


@pytest.mark.usefixtures("school")
def test_what_is_chosen_on_the_page_is_done(client: TestClient) -> None:
    place = upload(client, *FILE)
    page = client.get(place).text
    ids = {name: row.id for name, row in rows(client).items()}
    day = local_date(now()) + timedelta(days=3)
    data = {
        "vingerafdruk": fingerprint_in(page),
        "uitstroomdatum": str(day),
        "wie-leerlingen": [f"2:{ids['Bijl p2']}"],
        "wissel-leerlingen": ["3:ander"],
    }
    assert client.post(place, data=data).status_code == 303
    after = rows(client)
    assert (after["Bijl p3"].left_on, after["Bijl p2"].left_on) == (day, None)
    assert after["Vos"].key not in {"p3", "#2"}


@pytest.mark.usefixtures("school")
def test_equal_names_can_be_confirmed_at_once_and_who_is_ticked_leaves(client: TestClient) -> None:
    place = upload(client, a_group(name="Groep 5"), known("#1", last_name="Bijl p1"), known("#2", last_name="Bijl p2"))
    page = client.get(place).text
    assert "precies dezelfde naam zijn dezelfde persoon (2)" in page
    gone = rows(client)["Bijl p3"].id
    data = {"vingerafdruk": fingerprint_in(page), "zelfdeAlle": "ja", "weg-leerlingen": [str(gone)]}
    assert client.post(place, data=data).status_code == 303
    after = rows(client)
    assert (len(after), after["Bijl p3"].left_on) == (3, local_date(now()))


@pytest.mark.usefixtures("school")
def test_namesakes_are_neither_counted_nor_confirmed_at_once(client: TestClient) -> None:
    twins = (known(f"#{number}", last_name="Bijl p1") for number in (1, 2))
    place = upload(client, a_group(name="Groep 5"), *twins, known("#3", last_name="Bijl p2", year="6"))
    page = client.get(place).text
    assert "precies dezelfde naam zijn dezelfde persoon (1)" in page
    assert client.post(place, data={"vingerafdruk": fingerprint_in(page), "zelfdeAlle": "ja"}).status_code == 303
    after = rows(client)
    assert (after["Bijl p1"].year, after["Bijl p2"].year, len(after)) == ("5", "6", 3)


@pytest.mark.usefixtures("school")
def test_what_moved_meanwhile_is_shown_again_and_nothing_is_done(client: TestClient) -> None:
    place = upload(client, *FILE)
    page = client.get(place).text
    with writing(engine_of(client)) as db:
        db.scalars(select(PupilRow).where(PupilRow.key == "p1")).one().first_name = "Nora"
    again = client.post(place, data={"vingerafdruk": fingerprint_in(page)})
    assert again.status_code == 409
    assert "Intussen is er in de administratie iets gewijzigd" in again.text
    assert fingerprint_in(again.text) != fingerprint_in(page)
    assert rows(client)["Bijl p1"].year == "5"


@pytest.mark.usefixtures("school")
@pytest.mark.parametrize("way", ["something moved", "a bad date", "a bad date and something moved"])
def test_choices_stand_there_again(client: TestClient, way: str) -> None:
    place = upload(client, *FILE)
    page = client.get(place).text
    ids = {name: row.id for name, row in rows(client).items()}
    data = {
        "vingerafdruk": fingerprint_in(page),
        "uitstroomdatum": str(local_date(now()) + timedelta(days=3)) if way == "something moved" else "1990-01-01",
        "zelfdeAlle": "ja",
        "weg-leerlingen": [str(ids["Bijl p2"])],
        "wie-leerlingen": ["", "2:nieuw"],
        "wissel-leerlingen": ["3:ander"],
    }
    assert chosen_in(page) == {str(local_date(now()))}
    if "moved" in way:
        with writing(engine_of(client)) as db:
            db.scalars(select(PupilRow).where(PupilRow.key == "p1")).one().first_name = "Nora"
    again = client.post(place, data=data)
    assert again.status_code == (409 if way == "something moved" else 422)
    assert ("Intussen is er in de administratie iets gewijzigd" in again.text) is ("moved" in way)
    assert 'value="" selected' not in again.text
    assert chosen_in(again.text) == {data["uitstroomdatum"], "ja", str(ids["Bijl p2"]), "2:nieuw", "3:ander"}
    assert set(rows(client)) == {"Bijl p1", "Bijl p2", "Bijl p3"}


@pytest.mark.usefixtures("school")
def test_a_choice_that_cannot_be_made_any_more_is_gone(client: TestClient) -> None:
    place = upload(client, *FILE)
    page = client.get(place).text
    ids = {name: row.id for name, row in rows(client).items()}
    with writing(engine_of(client)) as db:
        db.scalars(select(PupilRow).where(PupilRow.key == "p2")).one().first_name = "Wolfgang"
    data = {
        "vingerafdruk": fingerprint_in(page),
        "wie-leerlingen": [f"2:{ids['Bijl p2']}"],
        "wissel-leerlingen": ["3:ander"],
    }
    again = client.post(place, data=data)
    assert again.status_code == 409
    assert f"2:{ids['Bijl p2']}" not in again.text
    assert chosen_in(again.text) == {"3:ander"}


@pytest.mark.usefixtures("school")
@pytest.mark.parametrize(
    "choice",
    [
        {"wie-leerlingen": ["2:999"]},
        {"wie-leerlingen": ["x:y"]},
        {"wissel-leerlingen": ["3:misschien"]},
        {"wissel-leerlingen": ["3"]},
        {"weg-leerlingen": ["abc"]},
        {"weg-leerlingen": ["9" * 40]},
        {"uitstroomdatum": "1-1-2026"},
        {"uitstroomdatum": "1990-01-01"},
    ],
)
def test_a_bad_choice_gives_the_page_again_and_changes_nothing(client: TestClient, choice: dict[str, Any]) -> None:
    place = upload(client, *FILE)
    data = {"vingerafdruk": fingerprint_in(client.get(place).text), **choice}
    again = client.post(place, data=data)
    assert again.status_code == 422
    assert 'role="alert"' in again.text
    assert set(rows(client)) == {"Bijl p1", "Bijl p2", "Bijl p3"}


@pytest.mark.usefixtures("school")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"geen xml", "Regel 1: "),
        (b"<EDEX><school>", "Regel 1: het bestand is afgebroken."),
        (b"<html/>", "dit is geen EDEXML"),
        (b"<!DOCTYPE x><EDEX/>", "een DOCTYPE"),
    ],
)
def test_a_bad_file_is_said_on_the_page_with_its_line(client: TestClient, content: bytes, words: str) -> None:
    answer = send(client, content)
    assert answer.status_code == 422
    assert words in answer.text
    with reading(engine_of(client)) as db:
        assert db.scalar(select(func.count()).select_from(ImportRow)) == 0


@pytest.mark.usefixtures("school")
def test_no_file_and_a_file_of_another_school_are_said_at_the_field(client: TestClient) -> None:
    for nothing in (client.post(IMPORT), send(client, b"", name="")):
        assert nothing.status_code == 422
        assert "Kies eerst een EDEXML-bestand." in nothing.text
    other = write_edexml(a_file(a_pupil(home_group=None), code="99ZB00"), created_at=now(), author="proef")
    answer = send(client, other)
    assert answer.status_code == 409
    assert "Het bestand is van een andere school." in answer.text


@pytest.mark.usefixtures("school")
def test_a_preview_can_be_thrown_away(client: TestClient) -> None:
    place = upload(client, *FILE)
    assert client.post(f"{place}/weggooien").headers["location"].endswith("melding=weggegooid")
    assert client.get(place).status_code == 404


@pytest.mark.usefixtures("school")
def test_of_a_big_file_the_first_lines_are_shown_and_all_are_taken(client: TestClient) -> None:
    many = [a_pupil(f"n{number}", first_name=f"Kind{number}", last_name=f"Achter{number}") for number in range(450)]
    place = upload(client, a_group(name="Groep 5"), *many)
    page = client.get(place).text
    assert f"Hier staan de eerste {SHOWN} van 450. Ze worden alle 450 overgenomen." in page
    assert page.count(">Kind") == SHOWN
    client.post(place, data={"vingerafdruk": fingerprint_in(page)})
    assert len(rows(client)) == 453


@pytest.mark.usefixtures("school")
def test_the_export_says_what_a_version_cannot_hold_before_the_download(client: TestClient) -> None:
    newest = client.get(EXPORT).text
    assert 'href="/api/v1/scholen/99ZZ00/edexml?versie=2.1"' in newest
    assert "E-mailadressen van leerkrachten kunnen niet" not in newest
    oldest = client.get(EXPORT, params={"versie": "1.0.3"}).text
    assert "E-mailadressen van leerkrachten kunnen niet in deze versie" in oldest
    assert client.get(EXPORT, params={"versie": "onzin"}).status_code == 200
    answer = client.get(f"/api/v1/scholen/{CODE}/edexml", params={"versie": "1.0.3"})
    assert b"<xsdversie>1.03</xsdversie>" in answer.content
    told = client.get(f"/api/v1/scholen/{CODE}/edexml/verlies", params={"versie": "1.0.3"}).json()
    assert "addresses" in {each["soort"] for each in told["verlies"]}
    assert client.get(f"/api/v1/scholen/{CODE}/edexml", params={"versie": "3"}).status_code == 422


def test_a_school_without_pupils_is_told_so_and_gets_no_button(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client), pupils=0, ticked=False))
    page = client.get(EXPORT, headers=PAGE).text
    assert "Een school zonder leerlingen kan niet" in page
    assert "Downloaden" not in page
