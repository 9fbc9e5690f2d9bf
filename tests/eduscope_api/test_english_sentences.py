"""What EDUscope says below its pages, in English: runs, checks, faults, files. What is kept stays Dutch."""

import ast
import re
from importlib import resources
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from services.basispoort_hub.intake import waits_for
from services.eduscope_api import hub_client, runs
from services.eduscope_api.hub_client import Standing
from services.eduscope_api.nightly import School
from services.eduscope_api.rules.addresses import likely_slip
from services.eduscope_api.rules.people import check_name
from services.eduscope_api.runs import Outcome, Result, broken_road, received, refusal, say_kept, waiting
from services.eduscope_api.tables import RunRow
from shared.clock import now
from shared.database import reading, writing
from shared.edexml_stream import DROPPED
from shared.edexml_write import write_edexml
from shared.language import DUTCH, load_english, say, speaking
from shared.problems import UpstreamProblem, UpstreamTimeout, UpstreamUnavailable
from shared.roster import EMPTY
from shared.service_client import RemoteProblem
from shared.wire.rosters import WireChanges, WireReceipt
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.import_files import a_file
from tests.eduscope_api.rows import CODE, add_member, add_pupil, add_school
from tests.factories import a_group, a_pupil

ENGLISH = load_english("services.eduscope_api")
CONNECTION = f"/scholen/{CODE}/inrichten/schoolinstellingen/koppelingen"
IMPORT = f"/scholen/{CODE}/inrichten/edexml-importeren"
READER = {"Accept": "text/html", "Accept-Language": "en"}
FEW = st.integers(0, 3)
COUNTS = st.tuples(FEW, FEW, FEW).map(lambda each: WireChanges(new=each[0], changed=each[1], removed=each[2]))


@pytest.fixture
def school(client: TestClient) -> School:
    made = add_school(engine_of(client))
    sign_in(client, made)
    client.headers.update(READER)
    return made


def a_receipt(
    pupils: WireChanges | None = None,
    staff: WireChanges | None = None,
    groups: WireChanges | None = None,
    held: int = 0,
) -> WireReceipt:
    nothing = WireChanges(new=0, changed=0, removed=0)
    return WireReceipt(
        fingerprint=f"r1:{'0' * 64}",
        token="t",
        pupils=pupils or nothing,
        staff=staff or nothing,
        groups=groups or nothing,
        held=held,
        queued_mails=0,
    )


# --- what came of a run -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("school")
def test_a_run_that_an_english_page_asks_for_is_kept_in_dutch_and_read_in_both(client: TestClient) -> None:
    assert client.post(f"{CONNECTION}/nu").status_code == 303
    with reading(engine_of(client)) as db:
        kept = db.scalars(select(RunRow.sentence)).one()
    assert kept.startswith("Alle gegevens zijn verstuurd (3 leerlingen, 1 personeelsleden, 1 groepen): ")
    english = client.get(CONNECTION).text
    assert "All data was sent (pupils: 3, staff: 1, groups: 1): 3 new pupils; 1 new member of staff; 1 new group." in (
        english
    )
    assert kept not in english
    assert kept in client.get(CONNECTION, headers={"Accept-Language": "nl"}).text
    told = client.get(f"/api/v1/scholen/{CODE}/koppeling/nachten", headers={"Accept": "application/json"}).json()
    assert told["runs"][0]["zin"] == kept  # programs read Dutch, whatever language they ask for


@given(COUNTS, COUNTS, COUNTS, st.integers(0, 2), st.sampled_from([Outcome.WHOLE, Outcome.DELTA]))
def test_a_receipt_is_kept_in_dutch_and_tells_the_same_numbers_in_english(
    pupils: WireChanges, staff: WireChanges, groups: WireChanges, held: int, outcome: Outcome
) -> None:
    receipt = a_receipt(pupils, staff, groups, held)
    with speaking(ENGLISH):
        made = received(outcome, receipt, EMPTY)
        said = made.said
    assert made == received(outcome, receipt, EMPTY)
    assert made.said == made.sentence  # outside an English page
    assert said != made.sentence
    assert re.findall(r"\d+", said) == re.findall(r"\d+", made.sentence)


def test_one_is_one_and_nothing_is_said_as_nothing() -> None:
    one = WireChanges(new=1, changed=0, removed=1)
    with speaking(ENGLISH):
        assert received(Outcome.DELTA, a_receipt(one, held=1), EMPTY).said == (
            "The changes were sent: 1 new pupil, 1 removed pupil. "
            "Basispoort holds 1 change(s) until the ICT coordinator has looked at them."
        )
        assert (
            received(Outcome.DELTA, a_receipt(), EMPTY).said == "The changes were sent: nothing changed in Basispoort."
        )


def _remote(slug: str) -> RemoteProblem:
    return RemoteProblem("hub", 409, {"type": f"/problems/{slug}"})


def _standing(waits: str | None) -> Standing:
    return Standing(None, None, None, is_on=False, administration=None, waits_for=waits, held=0)


FIXED = [
    runs.EQUAL,
    runs.EMPTY,
    runs.NOT_TICKED,
    runs.CRASHED,
    waiting(_standing(None)),
    *(waiting(_standing(reason)) for reason in hub_client.AWAITED),
    *(refusal(_remote(slug)) for slug in ("caller-unknown", "not-found", "roster-inconsistent", "roster-diverged")),
    *(refusal(_remote(slug)) for slug in ("too-large", "wrong-school", "something-else")),
    broken_road(UpstreamProblem("hub", retry=True)),
    broken_road(UpstreamUnavailable("hub", retry=True)),
    broken_road(UpstreamTimeout("hub", retry=True)),
]


@pytest.mark.parametrize("result", FIXED, ids=lambda result: f"{result.outcome} {len(result.sentence)}")
def test_what_went_wrong_is_kept_in_dutch_and_said_in_english(result: Result) -> None:
    assert result.said == result.sentence
    with speaking(ENGLISH):
        assert not _dutch_in(result.said), result.said


def test_a_sentence_of_an_earlier_version_stays_as_it_was_kept() -> None:
    with speaking(ENGLISH):
        assert say_kept(Outcome.FAILED, "Dit zeggen wij niet meer.", {}) == "Dit zeggen wij niet meer."
        assert say_kept(Outcome.DELTA, "Er ging veel mee.", {}) == "Er ging veel mee."
        kept, counts = "Alle gegevens zijn verstuurd (300 leerlingen).", {"leerlingen": {"nieuw": 300}}
        assert say_kept(Outcome.WHOLE, kept, counts) == kept  # its counts do not tell how much there was


def _dutch_in(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) & {"de", "het", "een", "niet", "is", "er", "en", "van", "geen"} - {
        "is"
    }


def test_dutch_is_recognised() -> None:
    assert _dutch_in(runs.EMPTY.sentence)


# --- what the hub says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "school",
    [
        {"is_active": False, "administration": "EDUscope", "connection_on": True, "administration_on": True},
        {"is_active": True, "administration": None, "connection_on": False, "administration_on": False},
        {"is_active": True, "administration": "EDUscope", "connection_on": True, "administration_on": False},
    ],
)
def test_what_the_hub_waits_for_is_said_in_english(school: dict[str, Any]) -> None:
    awaited = waits_for(SimpleNamespace(**school))  # type: ignore[arg-type]  # as much of a row as is looked at
    assert awaited in hub_client.AWAITED
    with speaking(ENGLISH):
        assert awaited is not None
        assert say(awaited) != awaited


def test_how_an_account_stands_is_said_in_english() -> None:
    told = set(_words_of("accounts.py", "AccountState", 0)) | set(
        _words_of("staff_list.py", "WireKnownMember", "account")
    )
    assert len(told) >= 3
    assert told <= set(hub_client.ACCOUNTS)
    with speaking(ENGLISH):
        assert not [each for each in hub_client.ACCOUNTS if say(each) == each]


def _words_of(module: str, name: str, argument: int | str) -> list[str]:
    """The texts that this module of the hub gives as this argument to calls of this name."""
    source = resources.files("services.basispoort_hub").joinpath(module).read_text(encoding="utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]
    values = [call.args[argument] for call in named if isinstance(argument, int)]
    values += [each.value for call in named for each in call.keywords if each.arg == argument]
    within = [node for value in values for node in ast.walk(value)]
    return [node.value for node in within if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.usefixtures("school")
def test_a_silent_hub_is_said_calmly_in_english(client: TestClient, hub: FakeHub) -> None:
    hub.answer_with[CODE] = httpx.Response(500)
    sentence = "Basispoort cannot be reached at the moment."
    for path in (CONNECTION, f"{CONNECTION}/vannacht", f"/scholen/{CODE}/vergelijking"):
        assert sentence in client.get(path).text
    hub.answer_with.clear()
    assert sentence not in client.get(CONNECTION).text


# --- checks and faults ------------------------------------------------------------------------------------------------


def test_the_checks_are_english_on_an_english_page_and_dutch_for_programs(client: TestClient, school: School) -> None:
    with writing(engine_of(client)) as db:
        add_pupil(db, school.id, "p9", first_name="Loes", home_group_id=None)
        add_member(db, school.id, "m9", email="fout@" + "gmail.nl", first_name="Els")
    page = client.get(f"/scholen/{CODE}/controles").text
    assert "Loes van der Bijl p9 is not in an administrative group." in page
    assert "do you mean @gmail.com?" in page
    assert not re.search(r"\b(leerling|personeelsleden|gekoppeld|tikfout)\b", page)
    told = client.get(f"/api/v1/scholen/{CODE}/controles", headers={"Accept": "application/json"}).json()
    assert "Loes van der Bijl p9 is niet gekoppeld aan een administratieve groep." in [
        each["zin"] for each in told["bevindingen"]
    ]


@pytest.mark.usefixtures("school")
def test_a_fault_at_a_field_is_english_on_an_english_page_and_dutch_for_programs(
    client: TestClient,
) -> None:
    typed = {"roepnaam": "<b>", "achternaam": "Vos"}
    shown = client.post(f"/scholen/{CODE}/leerlingen/nieuw", data=typed)
    assert shown.status_code == 422
    assert "A name holds no quotation marks, brackets or slashes." in shown.text
    told = client.post(f"/api/v1/scholen/{CODE}/leerlingen", json=typed, headers={"Accept": "application/json"}).json()
    reason = "in een naam staan geen aanhalingstekens, haken of schuine strepen"
    assert [each["detail"] for each in told["errors"]] == [f"Deze waarde klopt niet: {reason}."]


@pytest.mark.parametrize("name", ["<b>", "Noor 🎈", "No\u202eor", "No\ue000or"])
def test_a_name_is_refused_in_the_language_of_the_page(name: str) -> None:
    with pytest.raises(ValueError, match=r"^in (een|de) naam staa"):
        check_name(name)
    with speaking(ENGLISH), pytest.raises(ValueError, match=r"^(a|the) name holds "):
        check_name(name)


def test_a_likely_typing_error_is_said_in_the_language_of_the_page() -> None:
    pairs = [
        ("noor@a.example", "noor@b.example"),
        ("anoor@x.example", "anor@x.example"),
        ("noor1@x.example", "n00r1@x.example"),
    ]
    for left, right in pairs:
        assert _dutch_in(likely_slip(left, right))
        with speaking(ENGLISH):
            assert likely_slip(left, right)
            assert not _dutch_in(likely_slip(left, right))


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("school")
def test_a_file_that_cannot_be_taken_in_is_said_in_english_with_its_lines(client: TestClient) -> None:
    cut_off = write_edexml(a_file(a_group(), a_pupil("p1")), created_at=now(), author="proef")[:-20]
    shown = client.post(IMPORT, files={"bestand": ("school.xml", cut_off, "text/xml")})
    assert shown.status_code == 422
    assert "the file is cut off" in shown.text
    api = f"/api/v1/scholen/{CODE}/edexml/voorbeelden"
    xml = {"Accept": "application/json", "Content-Type": "application/xml"}
    assert client.post(api, content=cut_off, headers=xml).json()["reden"] == "het bestand is afgebroken"


@pytest.mark.usefixtures("school")
def test_what_a_file_leaves_out_is_said_in_english(client: TestClient) -> None:
    content = write_edexml(a_file(a_group(), a_pupil("p1")), created_at=now(), author="proef")
    start, year, end = content.rpartition(b"<jaargroep>")  # of the pupil
    born = b"<geboortedatum>2017-01-01</geboortedatum>"
    answer = client.post(IMPORT, files={"bestand": ("school.xml", start + born + year + end, "text/xml")})
    page = client.get(answer.headers["location"]).text
    assert "Not taken over, because this is not exchanged: date of birth." in page
    exported = client.get(f"/scholen/{CODE}/inrichten/edexml-exporteren?versie=1.0.3").text
    assert "This version cannot hold the e-mail addresses of teachers" in exported


def test_every_kind_of_data_that_is_dropped_has_an_english_word() -> None:
    with speaking(ENGLISH):
        assert {each for each in DROPPED.values() if say(each) == each} <= {"postcode"}  # the same word
    with speaking(DUTCH):
        assert all(say(each) == each for each in DROPPED.values())
