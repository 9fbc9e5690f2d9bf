"""shared/browser.py and the templates: the page around every page."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from jinja2 import UndefinedError

from shared.browser import Pages, say_time, see_other, static_url
from tests.factories import an_app


def pages(base_url: str = "http://testserver", environment: str = "hub") -> Pages:
    return Pages("shared", environment, "Basispoort", "hub", base_url)


def shown(template: str, **values: Any) -> str:
    app = FastAPI()

    @app.get("/")
    def show(request: Request) -> Response:
        return pages().render(request, template, **values)

    return TestClient(app).get("/").text


def part(call: str, **values: object) -> str:
    """What one macro of onderdelen.html makes."""
    template = pages()._templates.from_string('{% import "onderdelen.html" as o %}' + call)
    return re.sub(r"\s+", " ", template.render(**values)).strip()


def test_a_page_has_what_every_page_has() -> None:
    page = shown("inloggen.html")
    assert '<html lang="nl" data-omgeving="hub">' in page
    assert page.index("Direct naar de inhoud") < page.index("<header")
    assert '<div id="melding" role="status"></div>' in page
    assert page.count("<h1") == page.count("<main") == 1
    assert "<title>Inloggen – Basispoort</title>" in page
    assert "Uitloggen" not in page


def test_a_signed_in_page_names_school_and_person_and_lets_them_out_by_a_form() -> None:
    page = shown("inloggen.html", school="De Regenboog", gebruiker="M. de Wit", melding="Opgeslagen.")
    assert "De Regenboog" in page
    assert '<form method="post" action="/uitloggen">' in page
    assert '<div id="melding" role="status"><p>Opgeslagen.</p></div>' in page


def test_a_refused_sign_in_says_so_in_title_and_summary_and_keeps_the_name_but_not_the_password() -> None:
    page = shown("inloggen.html", fout="E-mailadres of wachtwoord klopt niet.", ingevuld="m@school.example")
    assert "<title>Fout: Inloggen" in page
    assert 'role="alert"' in page
    assert 'value="m@school.example"' in page
    password = re.findall(r"<input[^>]*type=\"password\"[^>]*>", page)
    assert len(password) == 1
    assert "value=" not in password[0]


def test_what_people_typed_is_escaped_everywhere() -> None:
    page = shown("inloggen.html", school="<b>", gebruiker="<b>", melding="<b>", fout="<b>", ingevuld='"><b>')
    assert "<b>" not in page
    for call in (
        'o.veld("n", x, waarde=x, uitleg=x, fout=x)',
        'o.keuze("n", x, [(x, x)])',
        "o.tabel(x, [x], [[x, x]])",
        "o.statusbalk(x, x)",
        'o.vink("n", x, uitleg=x)',
        "o.getallen([(x, x)])",
        "o.letop(x)",
        'o.controle("fout", x, x)',
        "o.etiket(x)",
        "o.tegel(x, x, x)",
        "o.knoppenbalk(x, x, x)",
        "o.foutoverzicht([(x, x)])",
    ):
        assert "<b>" not in part("{{ " + call + " }}", x='"><b>')


def test_a_forgotten_value_is_a_fault_and_not_an_empty_spot() -> None:
    with pytest.raises(UndefinedError):
        part("{{ forgotten }}")


def test_a_field_with_a_fault_is_tied_to_its_help_and_its_fault() -> None:
    field = part('{{ o.veld("email", "E-mail", "email", "x", "Uw adres.", "dit is geen adres") }}')
    assert 'aria-describedby="email-uitleg email-fout"' in field
    assert 'aria-invalid="true"' in field
    assert '<label for="email">' in field
    assert "aria-" not in part('{{ o.veld("email", "E-mail") }}')


def test_a_table_says_when_it_is_empty() -> None:
    assert "Nog niemand." in part('{{ o.tabel("Leerlingen", ["Naam", "Groep"], [], "Nog niemand.") }}')
    table = part('{{ o.tabel("Leerlingen", ["Naam", "Groep"], [["Noor", o.etiket("5A", "groen")]]) }}')
    assert '<th scope="row">Noor</th>' in table
    assert '<td><span class="etiket groen">5A</span></td>' in table


def test_a_status_bar_says_in_words_what_its_colour_says() -> None:
    assert "Let op:" in part('{{ o.statusbalk("Nog niet actief", loopt=false) }}')
    assert "Let op:" not in part('{{ o.statusbalk("Actief") }}')
    assert "wijzig" in part('{% call o.statusbalk("Actief") %}<a href="/w">wijzig</a>{% endcall %}')


def test_the_session_cookie_has_its_prefix_only_on_a_safe_address() -> None:
    response = Response()
    pages("https://hub.school.example").set_session(response, "x")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-hub=x; ")
    assert all(word in cookie for word in ("Secure", "HttpOnly", "Path=/", "SameSite=lax", "Max-Age=28800"))
    assert "Domain" not in cookie
    response = Response()
    pages("http://127.0.0.1:8002").set_session(response, "x")
    assert response.headers["set-cookie"].startswith("hub=x; ")
    assert "Secure" not in response.headers["set-cookie"]


def test_signing_out_removes_the_cookie() -> None:
    response = Response()
    pages().clear_session(response)
    assert 'hub=""' in response.headers["set-cookie"]
    assert "Max-Age=0" in response.headers["set-cookie"]


def test_a_time_is_written_as_dutch_people_read_it_in_their_own_zone() -> None:
    assert say_time(datetime(2026, 11, 21, 23, 0, tzinfo=UTC)) == "22 november 2026 00:00"
    assert say_time(datetime(2026, 7, 1, 10, 5, tzinfo=UTC)) == "1 juli 2026 12:05"


def test_a_static_address_changes_with_the_content() -> None:
    assert re.fullmatch(r"/static/stijl\.css\?v=[0-9a-f]{8}", static_url("stijl.css"))


def test_after_a_form_the_browser_is_sent_on() -> None:
    answer = see_other("/beheer")
    assert (answer.status_code, answer.headers["location"]) == (303, "/beheer")


@pytest.mark.parametrize(
    ("accept", "path", "page"),
    [
        ("text/html,*/*", "/leerkrachten", True),
        ("*/*", "/leerkrachten", False),
        ("application/json", "/leerkrachten", False),
        ("text/html", "/api/v1/scholen", False),
        ("text/html", "/rest/v2/instellingen", False),
    ],
)
def test_browsers_get_pages_and_programs_get_problems(accept: str, path: str, page: bool) -> None:
    answer = TestClient(an_app()).get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html" if page else "application/problem+json")


def test_half_a_sign_that_somebody_typed_does_not_break_the_page() -> None:
    assert 'value="Noor?"' in shown("inloggen.html", fout="Dat klopt niet.", ingevuld="Noor\ud800")
