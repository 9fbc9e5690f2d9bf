"""The pages of people and groups as forms: what they change, what they refuse, and who may not come there."""

import re
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from services.eduscope_api.nightly import School
from shared.clock import local_date, now
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school
from tests.stored_state import read_state

BASE, API = f"/scholen/{CODE}", f"/api/v1/scholen/{CODE}"
BROWSER = {"Accept": "text/html"}
NAMES = {"roepnaam": "Jo", "achternaam": "Hagen"}


@pytest.fixture
def school(client: TestClient) -> School:
    school = add_school(engine_of(client))
    sign_in(client, school)
    return school


def first(client: TestClient, kind: str, api: str = API) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{api}/{kind}").json()[kind][0]
    return found


def post(client: TestClient, path: str, **form: Any) -> Response:
    answer: Response = client.post(path, data=form, headers=BROWSER)
    return answer


def show(client: TestClient, path: str) -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def state(client: TestClient) -> Any:
    return read_state("eduscope_api", engine_of(client))


# --- what they change -------------------------------------------------------------------------------------------------


def test_the_overview_shows_who_lacks_an_address_and_finds_by_name(client: TestClient, school: School) -> None:
    post(client, f"{BASE}/personeel/nieuw", roepnaam="Zoë", achternaam="van Êl", rollen="Leerkracht")
    page = show(client, f"{BASE}/personeel")
    assert "Personeel (2)" in page
    assert page.count("ontbreekt") == 1
    assert "Menu › Administratie › Personeel › Personeel Overzicht" in re.sub(r"<[^>]+>", "", page)
    assert "Personeel (1)" in show(client, f"{BASE}/personeel?zoek=ZOE")
    assert "Personeel (1)" in show(client, f"{BASE}/personeel?zonderEmail=ja")
    assert "Er is niemand gevonden." in show(client, f"{BASE}/personeel?zoek=niemand")


def test_who_left_or_is_still_to_come_is_found_on_request(client: TestClient, school: School) -> None:
    made = post(client, f"{BASE}/personeel/nieuw", **NAMES, rollen="Leerkracht", instroomdatum="2999-08-01")
    path = made.headers["location"].partition("?")[0]
    assert path not in show(client, f"{BASE}/personeel?zoek=hagen")
    assert path in show(client, f"{BASE}/personeel?zoek=hagen&iedereen=ja")


@pytest.mark.parametrize(
    ("kind", "words", "others"),
    [("leerlingen", "Datum van vertrek", "uit dienst"), ("personeel", "Datum uit dienst", "van vertrek")],
)
def test_a_date_is_called_in_the_history_as_it_is_in_the_form(
    client: TestClient, school: School, kind: str, words: str, others: str
) -> None:
    number = first(client, kind)["id"]
    client.patch(f"{API}/{kind}/{number}", json={"uitstroomdatum": "2999-07-31"})
    page = show(client, f"{BASE}/{kind}/{number}/geschiedenis")
    assert (words in page, others in page) == (True, False)


def test_a_person_is_added_changed_and_the_change_taken_back(client: TestClient, school: School) -> None:
    made = post(client, f"{BASE}/personeel/nieuw", **NAMES, emailadres="Jo@Regenboog.example", rollen="Leerkracht")
    assert made.status_code == 303
    path = made.headers["location"].partition("?")[0]
    assert "De gegevens zijn toegevoegd." in show(client, made.headers["location"])
    version = re.search(r'name="versie" value="(\d+)"', show(client, path))
    assert version is not None
    saved = post(client, path, **{**NAMES, "roepnaam": "Johan"}, rollen="Leerkracht", versie=version[1])
    assert saved.headers["location"] == f"{path}?melding=opgeslagen"
    page = show(client, f"{path}/geschiedenis")
    assert "Johan" in page
    change = re.search(r'href="(/scholen/\w+/inrichten/geschiedenis/\d+)"', page)
    assert change is not None
    assert "Wordt weer" in show(client, change[1])
    undone = post(client, change[1])
    assert undone.headers["location"] == f"{path}/geschiedenis?melding=teruggedraaid"
    assert "Jo Hagen" in show(client, path)
    again = post(client, change[1])
    assert (again.status_code, "Deze gegevens zijn daarna opnieuw gewijzigd." in again.text) == (409, True)


@pytest.mark.parametrize("kind", ["personeel", "leerlingen"])
def test_taking_back_that_somebody_was_added_says_what_it_does(client: TestClient, school: School, kind: str) -> None:
    made = post(client, f"{BASE}/{kind}/nieuw", **NAMES)
    path = made.headers["location"].partition("?")[0]
    change = re.search(r'href="(/scholen/\w+/inrichten/geschiedenis/\d+)"', show(client, f"{path}/geschiedenis"))
    assert change is not None
    page = show(client, change[1])
    assert ("vanaf vandaag als vertrokken" in page, "Wordt weer" in page) == (True, False)
    assert post(client, change[1]).status_code == 303
    number = path.rpartition("/")[2]
    assert client.get(f"{API}/{kind}/{number}").json()["uitstroomdatum"] == local_date(now()).isoformat()


def test_contact_details_are_added_marked_changed_and_removed(client: TestClient, school: School) -> None:
    path = f"{BASE}/personeel/{first(client, 'personeel')['id']}"
    new = f"{path}/contactgegevens/nieuw"
    assert post(client, new, soort="telefoon", waarde="020 - 123 4567").status_code == 303
    assert post(client, new, soort="e-mail", waarde="thuis@regenboog.example").status_code == 303
    contacts = first(client, "personeel")["contactgegevens"]
    assert [each["waarde"] for each in contacts if each["voorBasispoort"]] == ["m1@regenboog.example"]
    home = next(each["id"] for each in contacts if each["waarde"].startswith("thuis"))
    edit = f"{path}/contactgegevens/{home}"
    assert post(client, edit, soort="e-mail", waarde="huis@regenboog.example", voorBasispoort="ja").status_code == 303
    assert first(client, "personeel")["emailadres"] == "huis@regenboog.example"
    assert "direct gedeactiveerd" in show(client, edit)
    assert post(client, f"{edit}/verwijderen").status_code == 303
    assert first(client, "personeel")["emailadres"] is None
    assert client.get(edit, headers=BROWSER).status_code == 404


def test_the_address_of_a_colleague_is_not_overwritten_by_an_older_form(client: TestClient, school: School) -> None:
    member = first(client, "personeel")
    (contact,) = member["contactgegevens"]
    path = f"{BASE}/personeel/{member['id']}/contactgegevens/{contact['id']}"
    version = hidden(show(client, path))["versie"]
    form = {"soort": "e-mail", "voorBasispoort": "ja", "waarde": "oud@regenboog.example"}
    put = f"{API}/personeel/{member['id']}/contactgegevens/{contact['id']}"
    client.patch(put, json={"waarde": "nieuw@regenboog.example"})
    before = state(client)
    late = post(client, path, **form, versie=version)
    assert (late.status_code, "nieuw@regenboog.example" in late.text) == (412, True)
    assert state(client) == before
    assert post(client, path, **form, versie=hidden(late.text)["versie"]).status_code == 303
    assert first(client, "personeel")["emailadres"] == "oud@regenboog.example"


def test_a_substitute_account_gets_all_groups_at_once(client: TestClient, school: School) -> None:
    client.post(f"{API}/groepen", json={"naam": "Groep 6", "jaargroep": "6"})
    assert "checked" in show(client, f"{BASE}/personeel/nieuw?soort=vervanger")
    form = {"achternaam": "Inval", "rollen": "Inval", "emailadres": "inval@regenboog.example", "alleGroepen": "ja"}
    made = post(client, f"{BASE}/personeel/nieuw", **form)
    page = show(client, f"{BASE}/personeel?zoek=inval")
    assert "alle groepen" in page
    assert "Vervangersaccount" in page
    path = made.headers["location"].partition("?")[0]
    assert "Aan alle groepen koppelen" in show(client, f"{path}/groepen")
    version = re.search(r'name="versie" value="(\d+)"', show(client, f"{path}/groepen"))
    assert version is not None
    assert post(client, f"{path}/groepen", versie=version[1]).status_code == 303
    assert "alle groepen" not in show(client, f"{BASE}/personeel?zoek=inval")
    assert post(client, f"{path}/alle-groepen").status_code == 303
    assert "alle groepen" in show(client, f"{BASE}/personeel?zoek=inval")


def test_a_group_is_added_gets_a_teacher_and_can_go_when_it_is_empty(client: TestClient, school: School) -> None:
    made = post(client, f"{BASE}/groepen/nieuw", soort="groep", naam="6B", jaargroep="6")
    path = made.headers["location"].partition("?")[0]
    assert "Zonder docent is deze groep in Basispoort voor niemand zichtbaar." in show(client, f"{path}/docenten")
    teacher = first(client, "personeel")["id"]
    assert post(client, f"{path}/docenten").status_code == 422
    assert post(client, f"{path}/docenten", docent=str(teacher)).status_code == 303
    page = show(client, f"{path}/docenten")
    assert "voor niemand zichtbaar" not in page
    assert "Verwijderen" in page
    refused = post(client, f"{path}/verwijderen")
    assert (refused.status_code, "Verplaats hen eerst." in refused.text) == (409, True)
    assert post(client, f"{path}/docenten/{teacher}/verwijderen").status_code == 303
    assert post(client, f"{path}/verwijderen").headers["location"] == f"{BASE}/groepen?melding=groep-weg"


def test_a_pupil_is_added_and_moved_and_found_by_the_filters(client: TestClient, school: School) -> None:
    group = client.post(f"{API}/groepen", json={"naam": "6B", "jaargroep": "6"}).json()["id"]
    made = post(client, f"{BASE}/leerlingen/nieuw", **NAMES, jaargroep="6", groep=str(group))
    path = made.headers["location"].partition("?")[0]
    assert "Leerlingen (1)" in show(client, f"{BASE}/leerlingen?groep={group}")
    assert "Leerlingen (1)" in show(client, f"{BASE}/leerlingen?jaargroep=6")
    assert "Jo Hagen" in show(client, f"{BASE}/groepen/{group}/leerlingen")
    assert (
        post(client, path, **NAMES, jaargroep="6", uitstroomdatum=str(local_date(now())), versie="1").status_code == 303
    )
    assert "Leerlingen (0)" in show(client, f"{BASE}/leerlingen?jaargroep=6")
    assert "Leerlingen (1)" in show(client, f"{BASE}/leerlingen?jaargroep=6&iedereen=ja")


def test_long_lists_are_shown_page_by_page(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client), pupils=130))
    page = show(client, f"{BASE}/leerlingen?zoek=bijl")
    following = re.search(r'href="(\?zoek=bijl&cursor=[^"]+)"', page)
    assert following is not None
    second = show(client, f"{BASE}/leerlingen{following[1]}")
    assert page.count("/leerlingen/") - second.count("/leerlingen/") == 70
    assert "Naar het begin" in second
    assert "Naar het begin" not in page


# --- what they refuse -------------------------------------------------------------------------------------------------


def test_what_a_colleague_changed_meanwhile_is_shown_and_not_overwritten(client: TestClient, school: School) -> None:
    person = first(client, "personeel")
    path = f"{BASE}/personeel/{person['id']}"
    client.patch(f"{API}/personeel/{person['id']}", json={"achternaam": "de Vries"})
    before = state(client)
    form = {"roepnaam": "Jo", "achternaam": "Hagen", "rollen": "Leerkracht"}
    answer = post(client, path, **form, versie=str(person["versie"]))
    assert answer.status_code == 412
    assert "Een collega heeft dit intussen gewijzigd." in answer.text
    assert 'value="de Vries"' in answer.text  # what the colleague changed
    assert 'value="Jo"' in answer.text  # what was typed
    assert state(client) == before
    version = re.search(r'name="versie" value="(\d+)"', answer.text)
    assert version is not None
    assert post(client, path, **form, versie=version[1]).status_code == 303


@pytest.mark.parametrize("kind", ["personeel", "leerlingen", "groepen"])
def test_a_form_with_a_fault_stays_one_of_the_version_it_was_typed_over(
    client: TestClient, school: School, kind: str
) -> None:
    row, field = first(client, kind), "omschrijving" if kind == "groepen" else "achternaam"
    path = f"{BASE}/{kind}/{row['id']}"
    client.patch(f"{API}/{kind}/{row['id']}", json={field: "de Vries"})
    before = state(client)
    form = {"naam": "6B", "omschrijving": "oud"} if kind == "groepen" else {"achternaam": "Hagen"}
    fault = {"jaargroep": "9"} if kind == "groepen" else {"instroomdatum": "31-12-2026"}
    refused = post(client, path, **form, **fault, versie=str(row["versie"]))
    assert refused.status_code == 422
    version = re.search(r'name="versie" value="(\d+)"', refused.text)
    assert version is not None
    mended = post(client, path, **form, versie=version[1])
    assert (mended.status_code, "de Vries" in mended.text) == (412, True)
    assert state(client) == before
    version = re.search(r'name="versie" value="(\d+)"', mended.text)
    assert version is not None
    assert post(client, path, **form, versie=version[1]).status_code == 303


NOT_NAMES = {
    "only spaces": "   ",
    "a hidden turn": "Noor\u202eraB",
    "300 signs": "x" * 300,
    "a line break": "No\nor",
    "a script": "<script>alert(1)</script>",
    "quotes": 'Bo "de Beste" Bijl',
    "an emoji": "Zoë 🦊",
}
NOT_ADDRESSES = ["geen adres", "a@b@c.example", "a@b.example, c@d.example", "a@b.example\nc@d.example", "@", "a@"]
FINE_NAMES = ["O'Brien", "x" * 200, "Łukasz-Çelik", "نور"]


@pytest.mark.parametrize("name", NOT_NAMES.values(), ids=NOT_NAMES)
@pytest.mark.parametrize("kind", ["personeel", "leerlingen"])
def test_a_name_that_is_none_is_refused_at_its_field(client: TestClient, school: School, kind: str, name: str) -> None:
    before = state(client)
    answer = post(client, f"{BASE}/{kind}/nieuw", achternaam=name)
    assert answer.status_code == 422
    assert "<title>Fout: " in answer.text
    assert "<script>alert" not in answer.text
    assert 'href="#achternaam"' in answer.text
    assert 'aria-describedby="achternaam-fout"' in answer.text
    assert state(client) == before


@pytest.mark.parametrize("name", FINE_NAMES)
def test_any_other_name_is_kept_as_it_is(client: TestClient, school: School, name: str) -> None:
    assert post(client, f"{BASE}/leerlingen/nieuw", achternaam=name).status_code == 303
    assert name in {each["achternaam"] for each in client.get(f"{API}/leerlingen").json()["leerlingen"]}
    assert name in show(client, f"{BASE}/leerlingen")


@pytest.mark.parametrize("address", NOT_ADDRESSES)
def test_an_address_that_is_none_is_refused_at_its_field(client: TestClient, school: School, address: str) -> None:
    before = state(client)
    path = f"{BASE}/personeel/{first(client, 'personeel')['id']}/contactgegevens/nieuw"
    answer = post(client, path, soort="e-mail", waarde=address, voorBasispoort="ja")
    assert answer.status_code == 422
    assert answer.text.count("Vul een volledig e-mailadres in, met een @ en een domein.") == 2
    assert 'href="#waarde"' in answer.text
    new = post(client, f"{BASE}/personeel/nieuw", **NAMES, emailadres=address)
    assert (new.status_code, 'href="#emailadres"' in new.text) == (422, True)
    assert state(client) == before


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("personeel/nieuw", {**NAMES, "bsn": "1"}),
        ("personeel/nieuw", {**NAMES, "rollen": "Directeur"}),
        ("personeel/nieuw", {**NAMES, "einddatum": "31-12-2026"}),
        ("personeel/nieuw", {**NAMES, "einddatum": "2026-02-30"}),
        ("leerlingen/nieuw", {**NAMES, "jaargroep": "9"}),
        ("leerlingen/nieuw", {**NAMES, "samengesteldeGroepen": "x"}),
        ("groepen/nieuw", {"soort": "klas", "naam": "6B"}),
        ("groepen/nieuw", {"soort": "groep", "naam": ""}),
        ("leerlingen/nieuw", {**NAMES, "groep": "9" * 5000}),
        ("groepen/1/docenten", {"docent": "9" * 20}),
        ("leerlingen/jaarovergang", {"groep": "1", "naar": "9" * 5000}),
    ],
)
def test_a_form_that_makes_no_sense_changes_nothing(
    client: TestClient, school: School, path: str, form: dict[str, str]
) -> None:
    before = state(client)
    assert post(client, f"{BASE}/{path}", **form).status_code == 422
    assert state(client) == before


def test_the_same_forms_without_the_fault_do_change_something(client: TestClient, school: School) -> None:
    before = state(client)
    assert post(client, f"{BASE}/personeel/nieuw", **NAMES, einddatum="2026-12-31", rollen="Inval").status_code == 303
    assert post(client, f"{BASE}/leerlingen/nieuw", **NAMES, jaargroep="8").status_code == 303
    assert post(client, f"{BASE}/groepen/nieuw", soort="groep", naam="6B").status_code == 303
    assert state(client) != before


@pytest.mark.parametrize("query", ["cursor=x", "jaargroep=9", "groep=999999", "groep=x"])
def test_an_address_that_makes_no_sense_is_refused(client: TestClient, school: School, query: str) -> None:
    assert client.get(f"{BASE}/leerlingen?{query}", headers=BROWSER).status_code == 422


def test_an_unknown_word_for_a_message_says_nothing(client: TestClient, school: School) -> None:
    assert '<div id="melding" role="status"></div>' in show(client, f"{BASE}/personeel?melding=<b>verzonnen</b>")


# --- other schools ----------------------------------------------------------------------------------------------------


def test_what_belongs_to_another_school_is_not_there(client: TestClient, school: School) -> None:
    sign_in(client, other := add_school(engine_of(client), OTHER_CODE), user_name="ander@school.example")
    theirs = {
        kind: first(client, kind, f"/api/v1/scholen/{OTHER_CODE}") for kind in ("personeel", "leerlingen", "groepen")
    }
    sign_in(client, school, user_name="terug@school.example")
    before = state(client)
    own_group, own_member = first(client, "groepen")["id"], first(client, "personeel")["id"]
    for kind, row in theirs.items():
        path = f"{BASE}/{kind}/{row['id']}"
        assert client.get(path, headers=BROWSER).status_code == 404
        assert client.get(f"{path}/geschiedenis", headers=BROWSER).status_code == 404
        assert post(client, path, **NAMES, naam="6B").status_code in {404, 422}
        assert client.get(f"/scholen/{OTHER_CODE}/{kind}", headers=BROWSER).status_code == 404
    assert (
        post(client, f"{BASE}/groepen/{own_group}/docenten", docent=str(theirs["personeel"]["id"])).status_code == 404
    )
    member = first(client, "personeel")
    groups = post(
        client, f"{BASE}/personeel/{own_member}/groepen", groepen=str(theirs["groepen"]["id"]), versie=member["versie"]
    )
    assert (groups.status_code, "bestaat niet op deze school" in groups.text) == (422, True)
    pupil = post(client, f"{BASE}/leerlingen/nieuw", **NAMES, groep=str(theirs["groepen"]["id"]))
    assert (pupil.status_code, 'href="#groep"' in pupil.text) == (422, True)
    assert state(client) == before
    assert other.id != school.id


def test_a_stranger_is_sent_to_the_sign_in(client: TestClient, school: School) -> None:
    client.cookies.clear()
    for path in ("personeel", "leerlingen", "groepen", "inrichten/geschiedenis"):
        assert client.get(f"{BASE}/{path}", headers=BROWSER).status_code == 401
    assert post(client, f"{BASE}/personeel/nieuw", **NAMES).status_code == 401


# --- the year transition ----------------------------------------------------------------------------------------------


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))


def test_a_year_transition_is_shown_first_and_then_done_exactly_so(client: TestClient, school: School) -> None:
    target = client.post(f"{API}/groepen", json={"naam": "Groep 6", "jaargroep": "6"}).json()["id"]
    home = first(client, "leerlingen")["groep"]
    before = state(client)
    form = {"groep": str(home), "naar": str(target), "omhoog": "ja"}
    preview = post(client, f"{BASE}/leerlingen/jaarovergang", **form)
    assert (preview.status_code, "Er is nog niets gewijzigd." in preview.text) == (200, True)
    assert state(client) == before
    done = post(client, f"{BASE}/leerlingen/jaarovergang/uitvoeren", **{**form, **hidden(preview.text)})
    assert done.headers["location"] == f"{BASE}/leerlingen?melding=jaarovergang"
    pupils = client.get(f"{API}/leerlingen").json()["leerlingen"]
    assert {(each["groep"], each["jaargroep"]) for each in pupils} == {(target, "6")}


def test_a_transition_that_is_no_longer_what_was_shown_is_not_done(client: TestClient, school: School) -> None:
    target = client.post(f"{API}/groepen", json={"naam": "Groep 6", "jaargroep": "6"}).json()["id"]
    pupil = first(client, "leerlingen")
    form = {"groep": str(pupil["groep"]), "naar": str(target), "omhoog": "ja"}
    preview = post(client, f"{BASE}/leerlingen/jaarovergang", **form)
    client.patch(f"{API}/leerlingen/{pupil['id']}", json={"jaargroep": "7"})
    before = state(client)
    late = post(client, f"{BASE}/leerlingen/jaarovergang/uitvoeren", **{**form, **hidden(preview.text)})
    assert (late.status_code, "bekijk het voorbeeld opnieuw" in late.text) == (409, True)
    assert state(client) == before


def test_who_leaves_gets_a_date_and_without_one_nothing_happens(client: TestClient, school: School) -> None:
    form = {"groep": str(first(client, "leerlingen")["groep"]), "naar": "weg"}
    for wrong in ({}, form, {**form, "naar": "999999"}, {**form, "naar": "x!"}):
        assert post(client, f"{BASE}/leerlingen/jaarovergang", **wrong).status_code == 422
    assert 'href="#datum"' in post(client, f"{BASE}/leerlingen/jaarovergang", **form).text
    preview = post(client, f"{BASE}/leerlingen/jaarovergang", **form, datum="2027-08-01")
    done = post(
        client, f"{BASE}/leerlingen/jaarovergang/uitvoeren", **{**form, **hidden(preview.text), "datum": "2027-08-01"}
    )
    assert done.status_code == 303
    assert {each["uitstroomdatum"] for each in client.get(f"{API}/leerlingen").json()["leerlingen"]} == {"2027-08-01"}
