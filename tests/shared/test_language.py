"""shared/language.py and what the pages do with it: which language somebody reads, and where it stays Dutch."""

import gettext
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from shared.browser import YEAR_S, Pages, say_day, say_time
from shared.language import CODES, DUTCH, Language, choose_code, load_english, mark, say, say_count, speaking
from shared.problems import NotFound
from tests.factories import an_app

ENGLISH = load_english("shared")
PAGE = {"Accept": "text/html"}
READER = {**PAGE, "Accept-Language": "en-GB,en;q=0.9"}
DUTCH_HEADING, ENGLISH_HEADING = "<h1>Niet gevonden</h1>", "<h1>Not found</h1>"


class Shouting(gettext.NullTranslations):
    """A language in which everything is loud."""

    def gettext(self, message: str) -> str:
        return message.upper().replace("%(NAAM)S", "%(naam)s").replace("%(N)S", "%(n)s")

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


LOUD = Language("en", "Loud", Shouting())


# --- which language ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "code"),
    [
        (None, None, "", "nl"),
        (None, None, "nl-NL,nl;q=0.9,en;q=0.8", "nl"),
        (None, None, "en-GB,en;q=0.9,nl;q=0.8", "en"),
        (None, None, "EN", "en"),
        (None, None, "nl;q=0.3, en;q=0.7", "en"),
        (None, None, "de, fr", "nl"),
        (None, None, "de, en;q=0.5, nl;q=0.4", "en"),
        (None, None, "en;q=0", "nl"),
        (None, None, "*", "nl"),
        (None, None, "en;q=veel, ;;;,,", "nl"),
        ("en", None, "nl", "en"),
        ("nl", "en", "en", "nl"),
        (None, "en", "nl", "en"),
        ("de", "en", "nl", "en"),
        ("de", "xx", "en", "en"),
        ("EN", None, "nl", "nl"),
    ],
)
def test_what_is_asked_for_now_goes_before_what_was_before_what_the_browser_says(
    asked: str | None, remembered: str | None, accepted: str, code: str
) -> None:
    assert choose_code(asked, remembered, accepted) == code


@given(st.none() | st.text(), st.none() | st.text(), st.text())
def test_whatever_a_browser_sends_there_is_a_language(asked: str | None, remembered: str | None, accepted: str) -> None:
    assert choose_code(asked, remembered, accepted) in CODES


@given(st.lists(st.sampled_from(["en", "nl", "de", "en-US", "*"]), max_size=6), st.data())
def test_the_heaviest_language_that_we_have_wins(names: list[str], data: st.DataObject) -> None:
    weights = data.draw(st.permutations(range(1, len(names) + 1)))
    header = ",".join(f"{name};q=0.{weight}" for name, weight in zip(names, weights, strict=True))
    ours = [(weight, name[:2]) for weight, name in zip(weights, names, strict=True) if name[:2] in CODES]
    assert choose_code(None, None, header) == (max(ours)[1] if ours else "nl")


# --- saying -----------------------------------------------------------------------------------------------------------


def test_a_text_is_said_in_the_language_spoken_and_is_dutch_elsewhere() -> None:
    with speaking(LOUD):
        assert say("Groep %(naam)s", naam="a") == "GROEP a"
        assert say_count("%(n)s dag", "%(n)s dagen", 1) == "1 DAG"
        with speaking(DUTCH):
            assert say("Groep") == "Groep"
        assert say_count("%(n)s dag", "%(n)s dagen", 2) == "2 DAGEN"
        assert mark("Groep") == "Groep"
    assert say("Groep %(naam)s", naam="a") == "Groep a"
    assert say_count("%(n)s dag", "%(n)s dagen", 0) == "0 dagen"


def test_after_a_fault_the_language_is_what_it_was() -> None:
    with pytest.raises(ZeroDivisionError), speaking(LOUD):
        raise ZeroDivisionError
    assert say("Groep") == "Groep"


def test_a_text_without_values_may_hold_a_percent_sign() -> None:
    assert say("100% van de leerlingen") == "100% van de leerlingen"


def test_a_text_that_no_catalogue_has_stays_dutch() -> None:
    with speaking(ENGLISH):
        assert say("Deze tekst heeft niemand vertaald.") == "Deze tekst heeft niemand vertaald."


def test_nothing_is_said_as_nothing() -> None:
    with speaking(ENGLISH):
        assert say("") == ""


def test_the_catalogue_of_a_service_falls_back_on_the_shared_one() -> None:
    shared = ENGLISH.texts.gettext("Niet gevonden")
    assert shared == "Not found"
    assert load_english("services.eduscope_api").texts.gettext("Niet gevonden") == shared


def test_days_and_times_are_written_in_the_language_spoken() -> None:
    with speaking(ENGLISH):
        assert say_time(datetime(2026, 11, 21, 23, 0, tzinfo=UTC)) == "22 November 2026 00:00"
        assert say_day(date(2026, 5, 1)) == "1 May 2026"
    assert say_day(date(2026, 5, 1)) == "1 mei 2026"


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def app() -> FastAPI:
    app = an_app()

    @app.get("/lijst", include_in_schema=False)
    def show_list(request: Request) -> Response:
        pages: Pages = request.app.state.pages
        return pages.render(request, "inloggen.html")

    @app.post("/lijst", include_in_schema=False)
    def submit_list(request: Request) -> Response:
        pages: Pages = request.app.state.pages
        return pages.render(request, "inloggen.html", status_code=422)

    @app.get("/api/v1/weg")
    def show_gone() -> None:
        raise NotFound

    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


def test_a_page_says_in_which_language_it_is_and_what_that_hangs_on(client: TestClient) -> None:
    for headers, code in ((PAGE, "nl"), (READER, "en")):
        answer = client.get("/lijst", headers=headers)
        assert f'<html lang="{code}"' in answer.text
        assert answer.headers["content-language"] == code
        assert answer.headers["vary"] == "Accept-Language, Cookie"
    assert ("Sign in" in answer.text, "Inloggen" in answer.text) == (True, False)


def test_a_choice_is_kept_in_a_cookie_and_can_be_changed_back(client: TestClient) -> None:
    answer = client.get("/lijst?taal=en", headers=PAGE)
    assert answer.headers["content-language"] == "en"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("taal=en; ")
    assert all(part in cookie for part in ("HttpOnly", "Path=/", "SameSite=lax", f"Max-Age={YEAR_S}"))
    assert "Secure" not in cookie
    assert client.get("/lijst", headers=PAGE).headers["content-language"] == "en"
    assert client.get("/lijst?taal=nl", headers=READER).headers["content-language"] == "nl"
    assert client.get("/lijst", headers=READER).headers["content-language"] == "nl"


def test_on_a_safe_address_the_cookie_travels_safely() -> None:
    client = TestClient(an_app(base_url="https://hub.example"), base_url="https://hub.example")
    assert "Secure" in client.get("/docs?taal=en", headers=PAGE).headers["set-cookie"]


@pytest.mark.parametrize("query", ["", "?taal=", "?taal=de", "?taal=EN", "?taal=en%0d%0aX:1"])
def test_only_a_known_language_is_kept(query: str, client: TestClient) -> None:
    answer = client.get(f"/lijst{query}", headers=PAGE)
    assert answer.headers["content-language"] == "nl"
    assert "set-cookie" not in answer.headers


def test_each_page_links_to_itself_and_its_place_in_the_other_language(client: TestClient) -> None:
    dutch = client.get("/lijst?zoek=n%26b&groep=1&groep=2&cursor=abc&melding=opgeslagen", headers=PAGE).text
    kept = "?zoek=n%26b&amp;groep=1&amp;groep=2&amp;cursor=abc"
    assert f'href="{kept}&amp;taal=en" lang="en" hreflang="en">English</a>' in dutch
    english = client.get("/lijst?zoek=x&taal=en", headers=PAGE).text
    assert 'href="?zoek=x&amp;taal=nl" lang="nl" hreflang="nl">Nederlands</a>' in english


def test_what_came_of_a_form_links_to_the_front_page(client: TestClient) -> None:
    answer = client.post("/lijst", headers=READER)
    assert answer.headers["content-language"] == "en"
    assert 'href="/?taal=nl"' in answer.text


def test_what_goes_wrong_is_said_in_the_language_of_the_page(client: TestClient) -> None:
    assert DUTCH_HEADING in client.get("/weg", headers=PAGE).text
    answer = client.get("/weg", headers=READER)
    assert answer.headers["content-language"] == "en"
    assert ENGLISH_HEADING in answer.text
    assert NotFound.uitleg not in answer.text
    refused = client.post("/lijst", headers={**READER, "Sec-Fetch-Site": "cross-site"})
    assert "sent from another website" in refused.text


def test_programs_read_dutch_whatever_they_ask_for(client: TestClient) -> None:
    for path in ("/api/v1/weg", "/weg"):
        answer = client.get(path, params={"taal": "en"}, headers={**READER, "Accept": "application/json"})
        assert answer.json()["uitleg"] == NotFound.uitleg
        assert "set-cookie" not in answer.headers
    answer = client.get("/api/v1/weg", headers={**READER, "Cookie": "taal=en"})
    assert answer.json()["uitleg"] == NotFound.uitleg


def test_readers_at_the_same_moment_each_read_their_own_language(app: FastAPI) -> None:
    """The language belongs to the request, not to the process."""
    both = Barrier(2, timeout=10)

    @app.get("/samen", include_in_schema=False)
    def show_together(request: Request) -> Response:
        both.wait()
        pages: Pages = request.app.state.pages
        return pages.render(request, "inloggen.html")

    def read(headers: dict[str, str]) -> list[str]:
        client = TestClient(app)
        answers = [client.get("/samen", headers=headers) for _ in range(10)]
        return [f"{each.headers['content-language']} {'Sign in' in each.text}" for each in answers]

    with ThreadPoolExecutor(2) as pool:
        dutch, english = pool.map(read, (PAGE, READER))
    assert (set(dutch), set(english)) == ({"nl False"}, {"en True"})
