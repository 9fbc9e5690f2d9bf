"""Every text that a page shows can be said in another language: each page is read in a language of brackets.

A text that nobody marked stands outside the brackets; a text that is data and was marked is not in the catalogue.
"""

import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import Request, Response
from fastapi.testclient import TestClient
from httpx2 import Response as Answer
from sqlalchemy import Engine, MetaData, select

from services import catalogues
from services.demo import mail_catcher
from shared import language, migrate
from shared.app_factory import problem_types
from shared.browser import _API_PREFIXES, Pages
from shared.database import open_engine, reading
from shared.language import Language, say, speaking
from shared.roster import Person
from tests.broken_bodies import Good
from tests.broken_world import World
from tests.factories import a_roster, an_app
from tests.test_broken_bodies import open_world
from tests.visible_texts import OPEN, Bracketed, strings_in, unmarked, unmarked_cells

# Columns that hold what somebody wrote or was given, never a word of ours.
DATA = {
    *("name", "code", "user_name", "first_name", "prefix", "last_name", "initials", "email", "value", "year", "key"),
    *("eck_id", "description", "old_domain", "new_domain", "portal_name", "portal_url", "helpdesk_email", "url"),
    *("administration", "street", "town", "admin_user", "school_name", "sender", "address", "user_name"),
}
OURS = {("publishers", "sentence")}  # what a publisher wants to be called in the list of consents
FILES = {("imports", "content")}  # whose elements hold such data
TOLD = {"joris@regenboog.example"}  # what another service says in broken_world.py
DEEP = {"fields", "body"}  # columns that hold such data among other things
NAMED = {"roepnaam", "voorvoegsel", "achternaam", "voorletters", "naam", "waarde", "omschrijving", "emailadres"}
_IN_FILE = re.compile(r"<(?:achternaam|voorvoegsel|roepnaam|voorletters-1|naam|omschrijving|emailadres)>([^<>]+)<")
TOO_LONG = "7" * 300  # no letters: it is shown again and is not a text
HEADERS = {"Accept": "text/html", "Accept-Language": "en"}


@dataclass
class Reading:
    """What was found: page -> texts outside brackets."""

    texts: Bracketed
    found: dict[str, list[str]] = field(default_factory=dict)
    pages: set[str] = field(default_factory=set)

    def read(self, name: str, answer: Answer, data: set[str]) -> None:
        kind = answer.headers.get("content-type", "")
        data = data - self.texts.known  # a word of ours that somebody also wrote must be said
        if kind.startswith("text/html"):
            self.pages.add(name)
            wrong = unmarked(answer.text, data)
        elif kind.startswith("text/csv"):
            self.pages.add(name)
            wrong = unmarked_cells(answer.text, data)
        else:
            return
        for text in wrong:
            if text not in self.found.setdefault(name, []):
                self.found[name].append(text)

    def faults(self) -> list[str]:
        return [f"{page}: {text}" for page, texts in sorted(self.found.items()) for text in texts]


def known_texts() -> frozenset[str]:
    return frozenset(
        each
        for package in catalogues.PACKAGES
        for text, _ in catalogues.texts_of(package)
        for each in ((text,) if isinstance(text, str) else text)
    )


@pytest.fixture(scope="module")
def known() -> frozenset[str]:
    return known_texts()


@pytest.fixture
def texts(known: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> Bracketed:
    """English is the language of brackets in this test."""
    said = Bracketed(known)
    monkeypatch.setattr(language, "load_english", lambda _package: Language("en", "English", said))
    return said


def data_of(engine: Engine) -> set[str]:
    """What people wrote, out of every table."""
    found = set(problem_types()) | TOLD
    roster = a_roster(pupils=40, staff=2, groups=2)  # of the hub's world, which keeps people as a whole
    found |= {group.name for group in roster.groups.values()}
    people: list[Person] = [*roster.pupils.values(), *roster.staff.values()]
    for person in people:
        found |= {each for each in (person.first_name, person.prefix, person.last_name) if each}
    tables = MetaData()
    tables.reflect(engine)
    with reading(engine) as db:
        for table in tables.sorted_tables:
            for column in table.columns:
                if column.name in DATA or (table.name, column.name) in OURS:
                    found |= {str(each) for each in db.scalars(select(column).where(column.is_not(None)))}
                elif (table.name, column.name) in FILES:
                    for each in db.scalars(select(column)):
                        found |= set(_IN_FILE.findall(gzip.decompress(each).decode()))
                elif column.name in DEEP:
                    for each in db.scalars(select(column).where(column.is_not(None))):
                        found |= set(named_in(each))
    return {each for each in found if each}


def named_in(value: object) -> Iterator[str]:
    """What stands under a name of a person or a group, at any depth."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from strings_in(each) if key in NAMED else named_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from named_in(each)


def read_doors(world: World, client: TestClient, seen: Reading) -> None:
    """Every page with GET, as those who may."""
    data = data_of(world.engine)
    for good in pages_of(world, "GET"):
        seen.read(f"GET {good.template}", send(client, good), data)


def pages_of(world: World, method: str) -> list[Good]:
    """Every door that shows a page, and the files that a page offers."""
    return [
        each
        for each in world.goods
        if each.method == method and (not each.template.startswith(_API_PREFIXES) or each.query.get("formaat") == "csv")
    ]


def send(client: TestClient, good: Good, form: dict[str, str] | None = None) -> Answer:
    media = {"Content-Type": good.media.decode()} if good.takes_body else {}
    content = good.raw() if form is None else Good("", "", content=form, is_form=True).raw()
    return client.request(
        good.method,
        good.path().decode(),
        content=content,
        params={**good.query, "taal": "en"} if "formaat" in good.query else dict(good.query),
        headers={**media, **good.headers, **HEADERS},
    )


def read_forms(world: World, client: TestClient, seen: Reading) -> None:
    """Every form: empty, far too long, from another site, and as it should be, with the page that follows."""
    posts, data = pages_of(world, "POST"), data_of(world.engine)
    for good in posts:
        if good.is_form:
            for form in ({}, dict.fromkeys(good.content, TOO_LONG)):
                seen.read(f"POST {good.template}", send(client, good, form), data)
    for good in posts:
        answer = send(client, good)
        if answer.status_code == 303:
            headers = {name: value for name, value in good.headers.items() if name == "Cookie"}
            answer = client.get(answer.headers["location"], headers={**headers, **HEADERS})
        seen.read(f"after POST {good.template}", answer, data_of(world.engine))


def read_refusals(world: World, client: TestClient, seen: Reading) -> None:
    """What nobody finds, may or can do, and what each kind of problem means."""
    data = data_of(world.engine)
    seen.read("no such page", client.get("/bestaat-niet", headers=HEADERS), data)
    seen.read("no such method", client.delete("/", headers=HEADERS), data)
    elsewhere = {**HEADERS, "Sec-Fetch-Site": "cross-site"}
    seen.read("another site", client.post("/inloggen", headers=elsewhere), data)
    wrong = {"gebruiker": "niemand@school.example", "wachtwoord": TOO_LONG}
    seen.read("a wrong password", client.post("/inloggen", data=wrong, headers=HEADERS), data | {wrong["gebruiker"]})
    for slug in problem_types():
        seen.read(f"/problems/{slug}", client.get(f"/problems/{slug}", headers=HEADERS), data)


@pytest.mark.parametrize("service", migrate.SERVICES)
def test_every_text_of_a_page_can_be_said_in_another_language(
    service: str,
    texts: Bracketed,
    database_url: Callable[[str], str],
    make_engine: Callable[[str], Engine],
) -> None:
    with open_world(service, database_url, make_engine) as world:
        client = TestClient(world.app, follow_redirects=False)
        seen = Reading(texts)
        read_doors(world, client, seen)
        read_refusals(world, client, seen)
        read_forms(world, client, seen)
        read_doors(world, client, seen)  # now that there is a history
        stored = bracketed_rows(world.engine)
    found = {"unmarked": seen.faults(), "data, or said twice": sorted(texts.unknown), "stored": stored}
    assert found == {"unmarked": [], "data, or said twice": [], "stored": []}
    assert len(seen.pages) > 5


def bracketed_rows(engine: Engine) -> list[str]:
    """What a database holds that a page said."""
    tables = MetaData()
    tables.reflect(engine)
    with reading(engine) as db:
        return [
            f"{table.name}: {text}"
            for table in tables.sorted_tables
            for row in db.execute(select(table))
            for value in row
            for text in strings_in(value)
            if OPEN in text
        ]


def test_every_text_of_the_mailbox_can_be_said_in_another_language(texts: Bracketed) -> None:
    box = mail_catcher.Letterbox()
    client = TestClient(mail_catcher.create_app(box, "http://testserver"))
    seen = Reading(texts)
    data = {"Bijl", "ict@school.example", mail_catcher.REFUSED_DOMAIN}
    seen.read("empty", client.get("/", headers=HEADERS), data)
    box.add("ict@school.example", b"Subject: Bijl\r\n\r\nBijl")
    box.add("ict@school.example", b"\r\n")
    for path in ("/", "/berichten/1", "/berichten/2", "/berichten/3"):
        seen.read(path, client.get(path, headers=HEADERS), data)
    assert (seen.faults(), sorted(texts.unknown), len(seen.pages)) == ([], [], 5)


# --- the twins --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "html",
    [
        "<p>vergeten</p>",
        "<p>⟦Groep⟧ vergeten</p>",
        "<p>⟦Groep ⟧onbekend⟦.⟧</p>",
        '<p title="vergeten">⟦Groep⟧</p>',
        '<nav aria-label="Menu"></nav>',
        '<input placeholder="Zoek"><img alt="Een school">',
        '<input type="submit" value="Weg ermee">',
        "<select><option>vergeten</option></select>",
        "<p>⟦Ga <b>weg</b>.⟧</p><p>en blijf weg</p>",
        "<p>Noortje</p>",
    ],
)
def test_a_forgotten_text_is_seen(html: str) -> None:
    assert unmarked(html, {"Noor"}) != []


@pytest.mark.parametrize(
    "html",
    [
        '<p title="⟦Groep⟧">⟦Groep ⟧5A⟦ en meer⟧</p>',
        "<p>⟦Ga <b>weg</b>.⟧</p>",
        "<p>Noor van der Bijl, 22 November 2026 10:00 – EDUscope</p>",
        '<html lang="en"><p lang="nl">Dit is Nederlands</p><code>code</code><br><script>x = y</script></html>',
        '<input type="text" name="naam" value="getypt"><input type="hidden" value="sleutel">',
    ],
)
def test_what_is_marked_or_data_is_left_alone(html: str) -> None:
    assert unmarked(html, {"Noor", "van der", "Bijl", "5A"}) == []


def test_a_forgotten_cell_of_a_file_is_seen() -> None:
    assert unmarked_cells("\ufeff⟦Naam⟧;⟦Groep⟧\r\nNoor;5\r\n", {"Noor"}) == []
    assert unmarked_cells("⟦Naam⟧;Groep\r\n", ()) == ["Groep"]


def test_data_that_somebody_tried_to_translate_is_seen(texts: Bracketed) -> None:
    with speaking(Language("en", "English", texts)):
        assert say("Fout:") == "⟦Fout:⟧"
        assert texts.unknown == set()
        say("Noor")
        say(say("Fout:"))
    assert texts.unknown == {"Noor", "⟦Fout:⟧"}


def test_a_page_that_forgot_a_text_is_seen(texts: Bracketed) -> None:
    app = an_app()

    @app.get("/vergeten", include_in_schema=False)
    def show_forgotten(request: Request) -> Response:
        pages: Pages = request.app.state.pages
        return pages.render(request, "inloggen.html", fout="Dit is vergeten.")

    seen = Reading(texts)
    seen.read("/vergeten", TestClient(app).get("/vergeten", headers=HEADERS), {"Proef"})
    assert seen.faults() == ["/vergeten: Dit is vergeten."]


def test_what_is_stored_in_another_language_is_seen(database_url: Callable[[str], str]) -> None:
    engine = open_engine(database_url("proef"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (sentence TEXT, body TEXT)")
        connection.exec_driver_sql("INSERT INTO runs VALUES ('Klaar.', '⟦Klaar.⟧')")
    assert bracketed_rows(engine) == ["runs: ⟦Klaar.⟧"]
    engine.dispose()
