"""The reports as JSON, page and spreadsheet; the page of the checks; the column `In Basispoort`."""

import csv
import io
from typing import Any

import httpx
import openpyxl
import pytest
import time_machine
from fastapi.testclient import TestClient
from sqlalchemy import insert, update

from services.eduscope_api.nightly import School
from services.eduscope_api.spreadsheets import csv_bytes, xlsx_bytes
from services.eduscope_api.tables import ContactRow, PupilRow, StaffRow
from shared.database import writing
from shared.wire.teachers import WireKnownMember, WireKnownStaff
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, add_group, add_member, add_pupil, add_school

API = f"/api/v1/scholen/{CODE}/rapportages"
PAGES = f"/scholen/{CODE}"
HTML = {"Accept": "text/html"}
DANGEROUS = ["=1+1", "+31 6 1234", "-2", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://elders.example")', "'=1"]


@pytest.fixture
def school(client: TestClient, hub: FakeHub) -> School:
    """m1 teaches Groep 5, m2 has no address but two phone numbers, the composite group has nobody."""
    school = add_school(engine_of(client), ticked=False)
    with writing(engine_of(client)) as db:
        second = add_member(db, school.id, "m2", email=None, first_name="Zoë", last_name="=1+1")
        add_group(db, school.id, "c1", kind="composite", name="Plusgroep")
        phones = [
            {"staff_id": second, "kind": "phone", "value": value, "for_basispoort": False}
            for value in ("+31 6 12345678", "0101234567")
        ]
        other = {"staff_id": second, "kind": "email", "value": "thuis@prive.example", "for_basispoort": False}
        db.execute(insert(ContactRow), [*phones, other])
    sign_in(client, school)
    return school


def rows_of_csv(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf"), "without the mark a spreadsheet reads it as something else"
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def rows_of_xlsx(content: bytes) -> list[list[Any]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}, "no formula"
    assert all(cell.value is None or isinstance(cell.value, str) for cell in cells), "no number either"
    assert not any(cell.hyperlink for cell in cells)
    return [[cell.value or "" for cell in row] for row in sheet.iter_rows()]


def test_all_contact_details_are_in_the_report(client: TestClient, school: School) -> None:
    staff = client.get(f"{API}/contactgegevens").json()["personeel"]
    second = next(each for each in staff if each["naam"] == "Zoë =1+1")
    assert (second["emailadres"], second["emailadressen"]) == (None, ["thuis@prive.example"])
    assert second["telefoonnummers"] == ["+31 6 12345678", "0101234567"]
    first = next(each for each in staff if each["emailadres"] == "m1@regenboog.example")
    assert (first["groepen"], first["emailadressen"]) == (["Groep 5"], ["m1@regenboog.example"])


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            "contactgegevens",
            [
                ["Naam", "Functie", "E-mail voor Basispoort", "Andere e-mailadressen", "Telefoon", "Groepen"],
                ["Joris Hagen m1", "Leerkracht", "m1@regenboog.example", "", "", "Groep 5"],
                ["Zoë =1+1", "Leerkracht", "", "thuis@prive.example", "+31 6 12345678, 0101234567", ""],
            ],
        ),
        (
            "leerkrachten-per-groep",
            [
                ["Groep", "Leerjaar", "Docent", "E-mail voor Basispoort"],
                ["Groep 5", "5", "Joris Hagen m1", "m1@regenboog.example"],
                ["Plusgroep", "5", "", ""],
            ],
        ),
    ],
)
def test_a_report_is_downloaded_as_a_spreadsheet(
    client: TestClient, school: School, report: str, expected: list[list[str]], kind: str
) -> None:
    with time_machine.travel("2026-11-22T23:30:00Z", tick=False):
        sign_in(client, school, user_name="late@regenboog.example")
        answer = client.get(f"{API}/{report}?formaat={kind}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{report}-{CODE}-2026-11-23.{kind}"'
    if kind == "csv":
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        safe = [[cell.replace("+31", "'+31", 1) if cell.startswith("+") else cell for cell in row] for row in expected]
        assert rows_of_csv(answer.content) == safe
    else:
        assert rows_of_xlsx(answer.content) == expected
        about = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[1]
        assert [cell.value for cell in about["A"]][2] == "Gemaakt op 23 november 2026 00:30"


@pytest.mark.parametrize("cell", DANGEROUS)
def test_no_cell_of_a_csv_can_be_a_formula(cell: str) -> None:
    (_, (written, _)) = rows_of_csv(csv_bytes(["a", "b"], [[cell, '; "x"\n']]))
    assert written[0] not in "=+-@\t\r"
    assert written.removeprefix("'") == cell.removeprefix("'")


def test_a_csv_without_the_guard_would_be_caught() -> None:
    """The twin: what the guard adds is what the check above looks at."""
    assert all(cell[0] in "=+-@\t\r'" for cell in DANGEROUS)
    assert rows_of_csv(csv_bytes(["a"], [["gewoon"]]))[1] == ["gewoon"]


def test_every_cell_of_an_xlsx_is_text() -> None:
    content = xlsx_bytes("Proef", ["a", "b"], [[cell, "https://elders.example"] for cell in DANGEROUS], ["=2"])
    shown = [row[0] for row in rows_of_xlsx(content)[1:]]
    assert [text.replace("_x000D_", "\r") for text in shown] == DANGEROUS


def test_another_format_is_refused_at_its_field(client: TestClient, school: School) -> None:
    refused = client.get(f"{API}/contactgegevens?formaat=pdf")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/formaat")


# --- pages ------------------------------------------------------------------------------------------------------------


def page(client: TestClient, path: str) -> str:
    answer = client.get(f"{PAGES}/{path}", headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_reports_are_pages_with_downloads(client: TestClient, school: School) -> None:
    cards = page(client, "rapportages")
    assert f'href="{PAGES}/rapportages/contactgegevens"' in cards
    assert f'href="{PAGES}/rapportages/leerkrachten-per-groep"' in cards
    for report in ("contactgegevens", "leerkrachten-per-groep"):
        shown = page(client, f"rapportages/{report}")
        assert "Joris Hagen m1" in shown
        assert f'action="/api/v1{PAGES}/rapportages/{report}"' in shown
        assert "gemaakt op" in shown
    assert "geen docent" in page(client, "rapportages/leerkrachten-per-groep")


def test_the_first_report_says_what_basispoort_has(client: TestClient, hub: FakeHub, school: School) -> None:
    without = page(client, "rapportages/contactgegevens")
    assert '<th scope="col">In Basispoort</th>' not in without
    assert "EDUscope mag onze leerkrachtenlijst lezen" in without
    hub.staff[CODE] = httpx.Response(
        200,
        text=WireKnownStaff(
            staff=[
                WireKnownMember(
                    key="m1",
                    first_name="Joris",
                    prefix=None,
                    last_name="Hagen m1",
                    email="joris@regenboog.example",
                    groups=[],
                    account="actief",
                )
            ]
        ).model_dump_json(),
    )
    shown = page(client, "rapportages/contactgegevens")
    assert '<th scope="col">In Basispoort</th>' in shown
    assert "anders: joris@regenboog.example" in shown
    assert "onbekend" in shown


def test_the_comparison_page_takes_over_one_and_all(client: TestClient, hub: FakeHub, school: School) -> None:
    known = WireKnownMember(
        key="m1",
        first_name="Joris",
        prefix=None,
        last_name="Hagen m1",
        email="a@b.example",
        groups=[],
        account="actief",
    )
    hub.staff[CODE] = httpx.Response(200, text=WireKnownStaff(staff=[known]).model_dump_json())
    shown = page(client, "vergelijking")
    assert "Adres verschilt (1)" in shown
    line = client.get(f"/api/v1{PAGES}/vergelijking").json()["regels"][0]
    form = {"id": line["id"], "adres": "a@b.example", "eigen": "m1@regenboog.example"}
    to = f"{PAGES}/vergelijking/overnemen"
    stale = client.post(to, data={**form, "eigen": "anders@regenboog.example"}, headers=HTML)
    assert stale.headers["location"].endswith("?melding=gewijzigd")
    done = client.post(to, data=form, headers=HTML)
    assert (done.status_code, done.headers["location"]) == (303, f"{PAGES}/vergelijking?melding=overgenomen")
    assert "Het e-mailadres is overgenomen." in page(client, "vergelijking?melding=overgenomen")
    hub.staff[CODE] = httpx.Response(
        200, text=WireKnownStaff(staff=[known.model_copy(update={"email": "c@d.example"})]).model_dump_json()
    )
    version = client.get(f"/api/v1{PAGES}/vergelijking").json()["versie"]
    everybody = client.post(to, data={"alle": "ja", "versie": version}, headers=HTML)
    assert everybody.headers["location"].endswith("?melding=allemaal")
    assert client.get(f"/api/v1{PAGES}/vergelijking").json()["aantallen"]["gelijk"] == 1
    hub.staff[CODE] = httpx.Response(503)
    assert client.post(to, data={"alle": "ja", "versie": version}).headers["location"].endswith("?melding=stil")
    assert "niet bereikbaar" in page(client, "vergelijking")


@pytest.mark.parametrize(
    "form", [{}, {"id": "x", "adres": "a@b.example"}, {"id": "1", "adres": "a@b@c"}, {"alle": "ja"}]
)
def test_a_form_that_says_nothing_clear_takes_nothing_over(
    client: TestClient, hub: FakeHub, school: School, form: dict[str, str]
) -> None:
    hub.staff[CODE] = httpx.Response(200, text=WireKnownStaff(staff=[]).model_dump_json())
    before = client.get(f"{API}/contactgegevens").json()["personeel"]
    assert client.post(f"{PAGES}/vergelijking/overnemen", data=form).status_code == 422
    assert client.get(f"{API}/contactgegevens").json()["personeel"] == before


def test_the_checks_name_people_and_link_to_where_it_is_mended(client: TestClient, school: School) -> None:
    with writing(engine_of(client)) as db:
        db.execute(update(PupilRow).where(PupilRow.key == "p1").values(year=None))
        db.execute(update(StaffRow).where(StaffRow.key == "m2").values(last_name="<script>alert(1)</script>"))
    found = client.get(f"/api/v1{PAGES}/controles").json()["bevindingen"]
    shown = page(client, "controles")
    assert {each["koppeling"].split("/")[3] for each in found} == {"leerlingen", "personeel", "groepen"}
    for each in found:
        assert f'href="{each["koppeling"]}"' in shown
        assert client.get(each["koppeling"], headers=HTML).status_code == 200
    for sentence in (
        "Alle actieve leerlingen zijn gekoppeld aan een administratieve groep",
        "Alle leerlingen hebben een leerjaar-indicatie (i.v.m. combinatiegroepen)",
        "Alle actieve leerkrachten hebben een e-mailadres",
        "Geen e-mailadres komt dubbel voor",
        "Elke groep heeft een docent",
    ):
        assert sentence in shown
    assert "Let op: 1 van 3 leerlingen" in shown
    assert "3 leerlingen nagekeken" in shown
    assert "<script>alert" not in shown


def test_an_error_is_a_red_cross_with_its_word(client: TestClient, school: School) -> None:
    assert "Fout: " not in page(client, "controles")
    with writing(engine_of(client)) as db:
        add_member(db, school.id, "m3", email="m1@regenboog.example")
    assert "Fout: 2 van 3 personeelsleden" in page(client, "controles")


def test_an_empty_school_has_a_link_to_where_pupils_are_added(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client), pupils=0))
    found = client.get(f"/api/v1{PAGES}/controles").json()
    assert found["fouten"] == 2
    assert [each["koppeling"] for each in found["bevindingen"]] == [f"{PAGES}/leerlingen", f"{PAGES}/groepen"]
    page(client, "controles")


def test_pupils_without_a_group_are_listed(client: TestClient, school: School) -> None:
    with writing(engine_of(client)) as db:
        number = add_pupil(db, school.id, "p9", home_group_id=None)
    assert f'href="{PAGES}/leerlingen/{number}"' in page(client, "controles")
