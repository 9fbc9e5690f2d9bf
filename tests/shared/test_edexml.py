"""shared/edexml_read.py and edexml_write.py: what comes in, what stays out, what is refused with line and reason."""

import io
import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from shared import edexml_stream
from shared.edexml import (
    YEARS,
    EdexmlError,
    EdexmlFile,
    EdexmlPupil,
    EdexmlSchool,
    EdexmlStaff,
    EdexmlUnwritable,
)
from shared.edexml_read import read_edexml
from shared.edexml_write import losses, write_edexml
from shared.identifiers import SchoolCode, holds_citizen_number
from shared.problems import TooLarge
from shared.roster import Group, GroupKind, Pupil, Role, StaffMember

DATA = Path(__file__).parents[3] / "shared" / "standards" / "data"
SAMPLE_21 = DATA / "edexml-2.1" / "samples" / "EDEXML.Voorbeeld.2.1.xml"
SAMPLE_103 = DATA / "edexml-1.0.3" / "samples" / "sample.synthetic.xml"
XSD = DATA / "edexml-2.1" / "xsd" / "EDEXML.structuur.xsd"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the standards' schemas and samples are not on this machine")

CREATED = datetime(2026, 1, 12, 9, 30, tzinfo=UTC)
BSN = "123456782"  # passes the eleven test; nobody's


def a_file(
    *,
    school: str = "",
    groups: str = "",
    pupils: str = "<leerling key='1'><roepnaam>Bo</roepnaam></leerling>",
    staff: str = "",
) -> bytes:
    """A file with these parts; a line each, so that line numbers are easy to read."""
    head = school or "<schooljaar>2025-2026</schooljaar><peildatum>2025-10-01</peildatum><brincode>99ZZ</brincode>"
    parts = [
        "<EDEX>",
        f"<school>{head}</school>",
        f"<groepen>{groups}</groepen>",
        f"<leerlingen>{pupils}</leerlingen>",
        f"<leerkrachten>{staff}</leerkrachten>",
        "</EDEX>",
    ]
    return "\n".join(parts).encode()


def read(body: bytes) -> EdexmlFile:
    return read_edexml(io.BytesIO(body))


def refusal(body: bytes) -> EdexmlError:
    with pytest.raises(EdexmlError) as caught:
        read(body)
    return caught.value


GROUPS = (
    "<groep key='5a'><naam>5A</naam><jaargroep>5</jaargroep></groep>"
    "<groep key='34'><naam>3/4</naam><jaargroep>C</jaargroep></groep>"
    "<samengestelde_groep key='plus'><naam>Plusklas</naam></samengestelde_groep>"
)


# --- the samples


@needs_data
def test_the_standards_own_example_comes_in() -> None:
    with SAMPLE_21.open("rb") as source:
        file = read_edexml(source)
    assert file.school.school_code == SchoolCode("99ZZ", "00")
    assert (file.school.school_year, file.school.as_of) == ("2014-2015", date(2014, 10, 1))
    assert [group.name for group in file.groups if group.kind is GroupKind.COMPOSITE] == [
        "Samgroep 3",
        "Samgroep 1",
        "Samgroep 2",
    ]
    wimpie, ismael, gradje = file.pupils
    assert wimpie.pupil.last_name is None
    assert wimpie.pupil.composite_groups == {"sg1", "sg2"}
    assert ismael.pupil.first_name == "Ismaël Hassan"
    assert gradje.pupil.year is None
    assert gradje.left_on == date(2014, 7, 18)
    assert [entry.member.roles for entry in file.staff] == [set(), set(), {Role.TEACHER, Role.TRAINEE}]
    assert {notice.kind for notice in file.notices} == {"dropped", "additions", "branches", "other-roles"}
    assert "133456785" not in repr(file)


@needs_data
def test_the_old_format_comes_in_with_years_from_the_groups_and_teachers_without_roles() -> None:
    with SAMPLE_103.open("rb") as source:
        file = read_edexml(source)
    assert (len(file.groups), len(file.pupils), len(file.staff)) == (19, 400, 29)
    assert all(entry.member.roles == {Role.TEACHER} for entry in file.staff)
    assert all(entry.pupil.year for entry in file.pupils)
    assert all(not holds_citizen_number(repr(entry)) for entry in file.pupils)


# --- what is taken over, and how


def test_a_pupils_own_year_wins_and_a_combination_group_gives_none() -> None:
    pupils = (
        "<leerling key='a'><roepnaam>A</roepnaam><jaargroep>4</jaargroep><groep key='5a'/></leerling>"
        "<leerling key='b'><roepnaam>B</roepnaam><groep key='5a'/></leerling>"
        "<leerling key='c'><roepnaam>C</roepnaam><groep key='34'/></leerling>"
        "<leerling key='d'><roepnaam>D</roepnaam><jaargroep>C</jaargroep><groep key='34'/></leerling>"
    )
    assert [entry.pupil.year for entry in read(a_file(groups=GROUPS, pupils=pupils)).pupils] == ["4", "5", None, None]


def test_a_pupil_who_left_has_a_day_of_leaving_also_where_the_file_says_only_so() -> None:
    pupils = (
        "<leerling key='a'><roepnaam>A</roepnaam><uitstroomdatum>2025-12-31</uitstroomdatum></leerling>"
        "<leerling key='b'><roepnaam>B</roepnaam><jaargroep>H</jaargroep></leerling>"
        "<leerling key='c'><roepnaam>C</roepnaam></leerling>"
    )
    soon, gone, here = read(a_file(pupils=pupils)).pupils
    assert soon.left_on == date(2025, 12, 31)
    assert not soon.has_left(date(2025, 12, 30))
    assert soon.has_left(date(2025, 12, 31))
    assert gone.left_on == date(2025, 10, 1)
    assert gone.pupil.year is None
    assert not here.has_left(date(2099, 1, 1))


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        ("<rol>LRK</rol>", {Role.TEACHER}),
        ("<rol>VAK</rol><rol>IB</rol>", {Role.TEACHER, Role.INTERNAL_COACH}),
        ("<rol>RT</rol>", {Role.INTERNAL_COACH}),
        ("<rol>STA</rol>", {Role.TRAINEE}),
        ("<rol>DIR</rol>", set()),
        ("<rol>ICT</rol>", set()),
        ("<rolomschrijving>Invalpool</rolomschrijving>", {Role.SUBSTITUTE}),
        ("<rolomschrijving>Manusje van alles</rolomschrijving>", set()),
        ("<groepen><groep key='5a'><rol>OWA</rol></groep></groepen>", {Role.TEACHER}),
        ("<groepen><groep key='5a'/></groepen>", {Role.TEACHER}),
        ("", set()),
    ],
)
def test_roles_follow_the_codes_and_a_lack_of_words_gives_only_those_with_groups_a_role(
    words: str, roles: set[Role]
) -> None:
    staff = f"<leerkracht key='1'><achternaam>Bos</achternaam>{words}</leerkracht>"
    other = "<leerkracht key='2'><achternaam>Vos</achternaam><rol>LRK</rol></leerkracht>"
    file = read(a_file(groups=GROUPS, staff=staff + other))
    assert file.staff[0].member.roles == roles


def test_a_file_without_any_role_has_only_teachers() -> None:
    staff = "<leerkracht key='1'><achternaam>Bos</achternaam></leerkracht>"
    assert read(a_file(staff=staff)).staff[0].member.roles == {Role.TEACHER}


def test_the_function_ict_is_a_suggestion_and_no_role() -> None:
    staff = "<leerkracht key='1'><achternaam>Bos</achternaam><rol>ICT</rol><rol>LRK</rol></leerkracht>"
    file = read(a_file(staff=staff))
    assert file.staff[0].is_ict
    assert file.staff[0].member.roles == {Role.TEACHER}
    assert [notice.kind for notice in file.notices] == ["ict"]


def test_a_dummy_key_is_marked_and_counted() -> None:
    pupils = "<leerling key='#1'><roepnaam>A</roepnaam></leerling><leerling key='1'><roepnaam>B</roepnaam></leerling>"
    file = read(a_file(pupils=pupils))
    assert [entry.has_dummy_key for entry in file.pupils] == [True, False]
    assert [(notice.kind, notice.count) for notice in file.notices] == [("dummy-keys", 1)]


def test_an_address_that_is_none_is_left_out_with_its_line() -> None:
    staff = "\n<leerkracht key='1'><achternaam>Bos</achternaam><emailadres>geen adres</emailadres></leerkracht>"
    file = read(a_file(staff=staff))
    assert file.staff[0].member.email is None
    assert [(notice.kind, notice.count) for notice in file.notices] == [("bad-addresses", 1)]
    assert "regel 6" in file.notices[0].text
    assert "geen adres" not in repr(file.notices)


def test_what_real_files_do_is_taken() -> None:
    body = a_file(
        school="<schooljaar> 2031-2032 </schooljaar><brincode>99zz01</brincode><dependancecode>01</dependancecode>",
        groups="<groep key=' 5a '><naam>5\n  A</naam><jaargroep>5</jaargroep></groep>",
        pupils="<leerling key=' 1'><achternaam>Vos</achternaam><voorvoegsel/><voorletters-1>J. P.</voorletters-1>"
        "<roepnaam><![CDATA[Jo & Bo]]></roepnaam><jaargroep>5</jaargroep><groep key='5a'/></leerling>",
    )
    file = read(b"\xef\xbb\xbf" + body.replace(b"<EDEX>", b"<?xml version='1.0' encoding='utf-8'?><!-- x --><EDEX>"))
    pupil = file.pupils[0].pupil
    assert (str(file.school.school_code), file.school.school_year) == ("99ZZ01", "2031-2032")
    assert (pupil.key, pupil.first_name, pupil.prefix, pupil.initials) == ("1", "Jo & Bo", None, "JP")
    assert (file.groups[0].name, pupil.home_group) == ("5 A", "5a")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_usual_encodings_give_the_same_name(encoding: str) -> None:
    body = a_file(pupils="<leerling key='1'><roepnaam>Zoë</roepnaam></leerling>").decode()
    file = read(f"<?xml version='1.0' encoding='{encoding}'?>{body}".encode(encoding))
    assert file.pupils[0].pupil.first_name == "Zoë"


# --- what stays outside


SENSITIVE = (
    "<geboortedatum>2016-01-02</geboortedatum><geslacht>1</geslacht><gebruikersnaam>MARKER</gebruikersnaam>"
    "<emailadres>MARKER@thuis.example</emailadres><fotourl>https://MARKER.example</fotourl><etniciteit>1</etniciteit>"
    f"<land>MA</land><land_vader>MA</land_vader><land_moeder>MA</land_moeder><bsn>{BSN}</bsn>"
    "<gewicht_nieuw>0,3</gewicht_nieuw><postcodenl>1234AB</postcodenl>"
)


def test_nothing_sensitive_is_in_what_was_read_and_one_notice_names_the_kinds() -> None:
    pupil = f"<leerling key='1'><roepnaam>Bo</roepnaam>{SENSITIVE}</leerling>"
    file = read(a_file(pupils=pupil))
    for secret in ("MARKER", BSN, "2016-01-02", "1234AB", "0,3", "'MA'"):
        assert secret not in repr(file)
    (notice,) = file.notices
    assert notice.count == 12
    assert "burgerservicenummer" in notice.text


def test_that_check_sees_a_reader_that_keeps_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {**edexml_stream._RULES["leerling"], "bsn": edexml_stream._Step(99, False, "=")}
    kept: list[edexml_stream.RawEntry] = []
    monkeypatch.setattr(edexml_stream, "_RULES", {**edexml_stream._RULES, "leerling": rules})
    body = a_file(pupils=f"<leerling key='1'><roepnaam>Bo</roepnaam><bsn>{BSN}</bsn></leerling>")
    edexml_stream.stream(io.BytesIO(body), 10**6, edexml_stream.Findings(), kept.append)
    assert BSN in repr(kept)


@pytest.mark.parametrize(
    "pupil",
    [
        f"<leerling key='{BSN}'><roepnaam>Bo</roepnaam></leerling>",
        f"<leerling key='1' eckid='urn:{BSN}'><roepnaam>Bo</roepnaam></leerling>",
        f"<leerling key='1'><roepnaam>Bo {BSN}</roepnaam></leerling>",
        "<leerling key='1'><achternaam>1234.56.782</achternaam></leerling>",
        "<leerling key='1'><achternaam>123 456 782</achternaam></leerling>",
    ],
)
def test_a_number_that_may_be_a_bsn_is_refused_where_it_hides(pupil: str) -> None:
    error = refusal(a_file(pupils=pupil))
    assert "burgerservicenummer" in error.members["reden"]
    assert BSN not in str(error.body("x"))


@pytest.mark.parametrize("key", ["123456783", "000000000", "1234567821", "a123456782f", "06-12345678"])
def test_other_numbers_are_keys_like_any_other(key: str) -> None:
    assert read(a_file(pupils=f"<leerling key='{key}'><roepnaam>Bo</roepnaam></leerling>")).pupils[0].pupil.key == key


_PLACES = {
    "school": "<schooljaar>2025-2026</schooljaar><schoolkey>%s</schoolkey><auteur>%s</auteur>",
    "groups": "<groep key='%s'><naam>%s</naam><jaargroep>5</jaargroep><omschrijving>%s</omschrijving></groep>",
    "pupils": "<leerling key='%s' eckid='%s'><achternaam>%s</achternaam><voornamen>%s</voornamen></leerling>",
    "staff": "<leerkracht key='%s'><roepnaam>%s</roepnaam><emailadres>%s@x.example</emailadres></leerkracht>",
}


@given(number=st.from_regex(r"[1-9][0-9]{8}", fullmatch=True), part=st.sampled_from(sorted(_PLACES)), data=st.data())
def test_no_number_that_passes_the_eleven_test_ever_gets_in(number: str, part: str, data: st.DataObject) -> None:
    weights = (9, 8, 7, 6, 5, 4, 3, 2)
    last = sum(int(sign) * weight for sign, weight in zip(number, weights, strict=False)) % 11
    number = number[:8] + str(last % 10)  # ten of eleven pass now
    chosen = data.draw(st.integers(0, _PLACES[part].count("%s") - 1))
    texts = tuple(number if place == chosen else f"x{place}" for place in range(_PLACES[part].count("%s")))
    body = a_file(**{part: _PLACES[part] % texts})
    if last == 10 or (part, chosen) == ("school", 1):  # the author is not kept
        assert read(body)
    else:
        assert number not in str(refusal(body).body("x"))


def test_private_blocks_are_left_out_with_a_notice() -> None:
    block = "<toevoegingen><blok xsi:type='x'><code>MARKER</code><a><b><c>MARKER</c></b></a></blok></toevoegingen>"
    pupils = f"<leerling key='1'><roepnaam>Bo</roepnaam>{block}</leerling>"
    file = read(a_file(pupils=pupils).replace(b"<EDEX>", b"<EDEX xmlns:xsi='x'>"))
    assert "MARKER" not in repr(file)
    assert [(notice.kind, notice.count) for notice in file.notices] == [("additions", 1)]


# --- what is refused, with line and reason


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        (b"", 1, "leeg"),
        (b"   \n ", 2, "afgebroken"),
        (b"naam;groep\nBo;5A", 1, "niet mag"),
        (b"PK\x03\x04rest", 1, "ingepakt"),
        (b"<html/>", 1, "geen EDEXML"),
        (b"<EDEX><school>", 1, "afgebroken"),
        (a_file()[:-8], 5, "afgebroken"),
        (a_file() + b"<EDEX/>", 6, "na het einde"),
        (a_file(groups="<groep>").replace(b"</groepen>", b"</groep></groepen>", 1), 3, "geen sleutel"),
        (a_file().replace(b"<leerlingen>", b"<leerlingen></leerlingen>\n<leerlingen>"), 5, "twee keer"),
        (a_file(school="<brincode>99ZZ</brincode><schooljaar>2025-2026</schooljaar>"), 2, "juiste plaats"),
        (a_file(school="<schooljaar>2025-2027</schooljaar>"), 2, "schooljaar"),
        (a_file(school="<schooljaar>2025-2026</schooljaar><peildatum>1 mei</peildatum>"), 2, "peildatum"),
        (a_file(school="<schooljaar>2025-2026</schooljaar><brincode>9ZZZ</brincode>"), 2, "schoolcode"),
        (a_file(groups="<groep key='1'><naam>A</naam></groep>"), 3, "geen jaargroep"),
        (a_file(groups="<groep key='1'><jaargroep>5</jaargroep></groep>"), 3, "geen naam"),
        (a_file(groups="<groep key='1'><naam>A</naam><jaargroep>9</jaargroep></groep>"), 3, "jaargroep"),
        (a_file(pupils="<leerling key='1'><voorletters-1>B</voorletters-1></leerling>"), 4, "allebei"),
        (
            a_file(pupils="<leerling key='1'><voorvoegsel>de</voorvoegsel><roepnaam>B</roepnaam></leerling>"),
            4,
            "zonder",
        ),
        (
            a_file(pupils="<leerling key='1'><roepnaam>B</roepnaam><jaargroep>1/2</jaargroep></leerling>"),
            4,
            "jaargroep",
        ),
        (
            a_file(pupils="<leerling key='1'><roepnaam>B</roepnaam><groep key='x'/></leerling>"),
            4,
            "niet in het bestand",
        ),
        (
            a_file(groups=GROUPS, pupils="<leerling key='1'><roepnaam>B</roepnaam><groep key='plus'/></leerling>"),
            4,
            "niet in het bestand",
        ),
        (a_file(pupils=f"<leerling key='{'k' * 257}'><roepnaam>B</roepnaam></leerling>"), 4, "langer dan 256"),
        (a_file(pupils="<leerling key='1'><roepnaam>" + "B" * 65 + "</roepnaam></leerling>"), 4, "langer dan 64"),
        (a_file(pupils="<leerling key='1'><roepnaam>" + "B" * 90_000 + "</roepnaam></leerling>"), 4, "te lang"),
        (a_file(pupils="<leerling key='1'><roepnaam><b>B</b></roepnaam></leerling>"), 4, "binnen een tekst"),
        (a_file(pupils="los<leerling key='1'><roepnaam>B</roepnaam></leerling>"), 4, "losse tekst"),
        (a_file(pupils="<leerling key='1'><roepnaam>B</roepnaam><adres>x</adres></leerling>"), 4, "niet in EDEXML"),
        (a_file(pupils="<leerling key='1'><roepnaam>B\0</roepnaam></leerling>"), 4, "niet mag"),
        (a_file(pupils="<leerling key='1'><roepnaam>B&#xD800;</roepnaam></leerling>"), 4, "tekencode"),
        (a_file(pupils="<leerling key='1'><roepnaam>B&#0;</roepnaam></leerling>"), 4, "tekencode"),
        (a_file(pupils="<leerling key='1'><roepnaam>B&naam;</roepnaam></leerling>"), 4, "entiteit"),
        (a_file().replace(b"Bo", "Zoë".encode("latin-1")), 4, "tekenset"),
        (a_file().replace(b"<EDEX>", b"<?xml version='1.0' encoding='utf-7'?><EDEX>"), 1, "tekenset"),
        (a_file().replace(b"<EDEX>", b"<?xml version='1.0' encoding='utf-16'?><EDEX>"), 1, "tekenset"),
        (a_file().decode().encode("utf-16-le"), 1, "tekenset"),
        (a_file().decode().encode("utf-32"), 1, ""),
        (a_file().replace(b"<EDEX>", b"<!DOCTYPE EDEX>\n<EDEX>"), 1, "DOCTYPE"),
    ],
)
def test_a_broken_file_names_line_and_reason(body: bytes, line: int, reason: str) -> None:
    error = refusal(body)
    assert error.status == 422
    assert error.members["regel"] == line
    assert reason in error.members["reden"]


def test_every_loose_end_is_told_at_once_with_its_line() -> None:
    pupils = "".join(f"\n<leerling key='{n}'><roepnaam>B</roepnaam><groep key='weg'/></leerling>" for n in (1, 1, 2))
    error = refusal(a_file(pupils=pupils))
    assert [(flaw["regel"], flaw["reden"].split()[0]) for flaw in error.members["fouten"]] == [
        (5, "hier"),
        (6, "deze"),
        (6, "hier"),
        (7, "hier"),
    ]
    assert "regel 5" in error.members["fouten"][1]["reden"]


def test_of_very_many_errors_fifty_are_told_and_all_are_counted() -> None:
    pupils = "".join(f"<leerling key='{n}'></leerling>" for n in range(200))
    error = refusal(a_file(pupils=pupils))
    assert len(error.members["fouten"]) == 50
    assert error.members["aantalFouten"] == 200


@pytest.mark.parametrize("place", ["leerling", "leerkracht"])
def test_an_eck_id_belongs_to_one_person_of_a_kind(place: str) -> None:
    people = "".join(f"<{place} key='{n}' eckid='e'><roepnaam>A</roepnaam></{place}>" for n in (1, 2))
    body = a_file(pupils=people) if place == "leerling" else a_file(staff=people)
    assert "dezelfde ECK iD" in refusal(body).members["reden"]


def test_no_name_or_key_stands_in_an_error() -> None:
    name, year = "<achternaam>SECRET</achternaam>", "<jaargroep>SECRET</jaargroep>"
    pupils = f"<leerling key='KEY'>{name}{year}<groep key='SECRET'/></leerling>"
    error = refusal(a_file(pupils=pupils * 2))
    told = str(error) + str(error.body("x"))
    assert "SECRET" not in told
    assert "KEY" not in told


def test_a_file_above_the_limit_is_refused_while_it_streams() -> None:
    with pytest.raises(TooLarge):
        read_edexml(io.BytesIO(a_file()), limit_bytes=100)
    assert read_edexml(io.BytesIO(a_file()), limit_bytes=len(a_file()))


# --- bombs


def _bombs() -> Iterator[tuple[str, bytes]]:
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    opened = "<EDEX><school><schooljaar>2025-2026</schooljaar>"
    yield "billion laughs", f"<!DOCTYPE EDEX [<!ENTITY l0 'ha'>{laughs}]><EDEX>&l9;</EDEX>".encode()
    yield "quadratic", f"<!DOCTYPE EDEX [<!ENTITY a '{'a' * 50_000}'>]><EDEX>{'&a;' * 50_000}</EDEX>".encode()
    yield "external entity", b"<!DOCTYPE EDEX [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><EDEX>&x;</EDEX>"
    yield "external subset", b"<!DOCTYPE EDEX SYSTEM 'http://127.0.0.1:9/x.dtd'><EDEX/>"
    yield "parameter entity", b"<!DOCTYPE EDEX [<!ENTITY % x SYSTEM 'http://127.0.0.1:9/'> %x;]><EDEX/>"
    yield "200,000 deep", b"<EDEX>" + b"<a>" * 200_000
    yield "200,000 deep in an addition", (f"{opened}<toevoegingen>" + "<a>" * 200_000).encode()
    yield "2 million elements in an addition", (f"{opened}<toevoegingen>" + "<a/>" * 2_000_000).encode()
    yield "200,000 attributes", b"<EDEX " + b" ".join(b"a%d=''" % n for n in range(200_000)) + b"/>"
    yield "200 attributes", b"<EDEX " + b" ".join(b"a%d=''" % n for n in range(200)) + b"/>"
    yield "long attribute", b"<EDEX a='" + b"x" * 30_000_000 + b"'/>"
    yield "long comment", b"<EDEX><!--" + b"x" * 30_000_000
    yield "long text", f"<EDEX><school><schooljaar>{'2' * 30_000_000}".encode()
    yield (
        "many groups at one person",
        a_file(
            groups=GROUPS,
            pupils="<leerling key='1'><roepnaam>B</roepnaam><samengestelde_groepen>"
            + "<samengestelde_groep key='plus'/>" * 100_000
            + "</samengestelde_groepen></leerling>",
        ),
    )
    yield (
        "many pupils",
        a_file(pupils="".join(f"<leerling key='{n}'><roepnaam>B</roepnaam></leerling>" for n in range(21_000))),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(("name", "body"), list(_bombs()), ids=[name for name, _ in _bombs()])
def test_a_bomb_is_refused_before_it_goes_off(name: str, body: bytes, encoding: str) -> None:
    """What goes off takes minutes, or never ends; how fast a refusal is, no test says."""
    if encoding != "utf-8":
        body = body.decode().encode(encoding)
    started = time.thread_time()
    refusal(body)
    assert time.thread_time() - started < 30


def test_the_refusal_of_a_doctype_is_what_stops_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(edexml_stream._Parser):
        def reset(self) -> None:
            super().reset()
            for handler in ("StartDoctypeDeclHandler", "EntityDeclHandler", "UnparsedEntityDeclHandler"):
                setattr(self._expat, handler, None)

    monkeypatch.setattr(edexml_stream, "_Parser", Careless)
    body = a_file(pupils="<leerling key='1'><roepnaam>&a;</roepnaam></leerling>")
    assert read(b"<!DOCTYPE EDEX [<!ENTITY a 'Bom'>]>" + body).pupils[0].pupil.first_name == "Bom"


@needs_data
def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    body = SAMPLE_103.read_bytes()
    for end in range(0, body.rindex(b">"), 997):
        assert refusal(body[:end]).members["regel"] >= 1


def test_a_file_of_40_megabytes_needs_little_memory() -> None:
    script = """
import io, resource, sys
from shared.edexml_read import read_edexml

class Source(io.RawIOBase):
    def __init__(self):
        self.parts, self.left = self.write(), b""
    def write(self):
        yield b"<EDEX><school><schooljaar>2025-2026</schooljaar></school><leerlingen>"
        block = b"<toevoegingen><blok><code>x</code><a>" + b"y" * 1800 + b"</a></blok></toevoegingen>"
        for n in range(20_000):
            yield b"<leerling key='%d'><achternaam>Jansen</achternaam><roepnaam>Bo</roepnaam>" % n
            yield block + b"</leerling>"
        yield b"</leerlingen></EDEX>"
    def read(self, size=-1):
        while len(self.left) < size and (part := next(self.parts, b"")):
            self.left += part
        taken, self.left = self.left[:size], self.left[size:]
        return taken

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = read_edexml(Source())
print(len(file.pupils), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    pupils, megabytes = map(int, done.stdout.split())
    assert pupils == 20_000
    assert megabytes < 100


# --- writing


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """The schema of 2.1, with a list of school years that goes on; in memory, the file is not touched."""
    kinds = etree.parse(str(XSD.with_name("EDEXML.types.variabel.xsd")))
    namespace = "{http://www.w3.org/2001/XMLSchema}"
    (years,) = kinds.iterfind(f"{namespace}simpleType[@name='EDEXSchooljaarType']/{namespace}restriction")
    for year in range(2025, 2100):
        etree.SubElement(years, f"{namespace}enumeration", value=f"{year}-{year + 1}")
    patched = etree.tostring(kinds)

    class Patched(etree.Resolver):
        # lxml calls it with three arguments, its stubs know two
        def resolve(self, system_url: str, _public_id: str, context: Any) -> Any:  # type: ignore[override]
            is_kinds = system_url.endswith("EDEXML.types.variabel.xsd")
            return self.resolve_string(patched, context, base_url=system_url) if is_kinds else None

    parser = etree.XMLParser()
    parser.resolvers.add(Patched())
    return etree.XMLSchema(etree.parse(str(XSD), parser))


# No control characters; no text that changes when it is trimmed or normalised.
_signs = st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp", "Cf", "Co", "Zs"))


def _texts(most: int) -> st.SearchStrategy[str]:
    return (
        st.text(_signs | st.just(" "), min_size=1, max_size=most)
        .map(lambda text: unicodedata.normalize("NFC", text).strip())
        .filter(lambda text: 0 < len(text) <= most and not holds_citizen_number(text))
    )


_keys = _texts(20)
_names = st.fixed_dictionaries(
    {
        "last_name": _texts(30),
        "first_name": st.none() | _texts(20),
        "prefix": st.none() | st.sampled_from(["van", "van der", "'t"]),
        "initials": st.none() | st.text("ABCÉ", min_size=1, max_size=6),
    }
) | st.fixed_dictionaries({"last_name": st.none(), "first_name": _texts(20)})
_days = st.none() | st.dates(date(1990, 1, 1), date(2090, 1, 1))
_years = sorted(YEARS - {"C", "H"})


@st.composite
def _files(draw: st.DrawFn) -> EdexmlFile:
    """Files with what EDEXML can hold: no pupil without a year in a group with one, no end date but a substitute's."""
    groups = [
        Group(key=key, kind=GroupKind.HOME, name=draw(_texts(20)), year=draw(st.sampled_from([*_years, "C"])))
        if draw(st.booleans())
        else Group(key=key, kind=GroupKind.COMPOSITE, name=draw(_texts(20)), description=draw(st.none() | _texts(40)))
        for key in draw(st.lists(_keys, unique=True, max_size=6))
    ]
    homes = {group.key: group for group in groups if group.kind is GroupKind.HOME}
    composites = st.frozensets(st.sampled_from([group.key for group in groups if group.key not in homes] or [""])).map(
        lambda keys: keys - {""}
    )
    eck_ids = iter(draw(st.lists(_texts(60), unique=True, max_size=12)))
    pupils = []
    for key in draw(st.lists(_keys, unique=True, min_size=1, max_size=6)):
        home = draw(st.sampled_from([None, *homes]))
        bare = home is None or homes[home].year == "C"
        pupil = Pupil(
            key=key,
            eck_id=next(eck_ids, None),
            year=draw(st.sampled_from([None, *_years] if bare else _years)),
            home_group=home,
            composite_groups=draw(composites),
            **draw(_names),
        )
        pupils.append(EdexmlPupil(pupil=pupil, joined_on=draw(_days), left_on=draw(_days)))
    staff = []
    for key in draw(st.lists(_keys, unique=True, max_size=4)):
        roles = draw(st.frozensets(st.sampled_from(sorted(set(Role) - {Role.ICT_COORDINATOR}))))
        member = StaffMember(
            key=key,
            eck_id=next(eck_ids, None),
            email=draw(st.none() | st.sampled_from(["a.bos@school.example", "zoë@school.example"])),
            roles=roles,
            home_groups=draw(st.frozensets(st.sampled_from(sorted(homes) or [""])).map(lambda keys: keys - {""})),
            composite_groups=draw(composites),
            ends_on=draw(_days) if Role.SUBSTITUTE in roles else None,
            **draw(_names),
        )
        staff.append(EdexmlStaff(member=member, is_ict=draw(st.booleans())))
    school = EdexmlSchool(
        school_code=draw(st.sampled_from([None, SchoolCode("99ZZ", "07")])),
        school_key=draw(st.none() | _keys),
        school_year="2025-2026",
        as_of=date(2025, 10, 1),
        version="2.1",
    )
    return EdexmlFile(school=school, groups=tuple(groups), pupils=tuple(pupils), staff=tuple(staff))


@given(_files())
def test_what_is_written_reads_back_the_same(file: EdexmlFile) -> None:
    back = read(write_edexml(file, created_at=CREATED, author="test"))
    assert (back.school, back.groups, back.pupils, back.staff) == (file.school, file.groups, file.pupils, file.staff)


@needs_data
@given(file=_files())
def test_what_is_written_is_valid_by_the_schema(file: EdexmlFile, schema: etree.XMLSchema) -> None:
    schema.assertValid(etree.fromstring(write_edexml(file, created_at=CREATED, author="test")))


@needs_data
def test_the_schema_sees_what_is_not_valid(schema: etree.XMLSchema) -> None:
    assert not schema.validate(etree.fromstring(a_file()))  # an empty <groepen> is not


def _one_pupil(**values: object) -> EdexmlFile:
    given_: dict[str, object] = {"key": "1", "first_name": "Bo", "last_name": "Vos", **values}
    pupil = Pupil(**given_)  # type: ignore[arg-type]  # the test names them
    school = EdexmlSchool(school_code=None, school_year="2023-2024", as_of=date(2023, 10, 1))
    return EdexmlFile(school=school, groups=(), pupils=(EdexmlPupil(pupil=pupil),), staff=())


@needs_data
def test_a_prefix_that_is_too_long_moves_in_front_of_the_surname_and_is_told(schema: etree.XMLSchema) -> None:
    file = _one_pupil(prefix="van den ouden")
    body = write_edexml(file, created_at=CREATED, author="test")
    schema.assertValid(etree.fromstring(body))
    assert read(body).pupils[0].pupil.last_name == "van den ouden Vos"
    assert [(notice.kind, notice.count) for notice in losses(file)] == [("long-prefixes", 1)]


@needs_data
@pytest.mark.parametrize(
    "values",
    [{"first_name": "B" * 100}, {"last_name": "V" * 250}, {"initials": "A.B.C.D.E.F.G."}, {"initials": "A. B."}],
)
def test_what_is_too_long_is_cut_and_told(values: dict[str, object], schema: etree.XMLSchema) -> None:
    file = _one_pupil(**values)
    schema.assertValid(etree.fromstring(write_edexml(file, created_at=CREATED, author="test")))
    cut = values != {"initials": "A. B."}
    assert [notice.kind for notice in losses(file)] == ["shortened"] * cut


def test_a_character_that_xml_cannot_hold_is_left_out() -> None:
    body = write_edexml(_one_pupil(first_name="B\x0bo\uffff"), created_at=CREATED, author="test")
    assert read(body).pupils[0].pupil.first_name == "Bo"


def test_names_that_look_like_markup_stay_names() -> None:
    body = write_edexml(_one_pupil(first_name="<b>&amp;", key="\"'<&>"), created_at=CREATED, author="test")
    pupil = read(body).pupils[0].pupil
    assert (pupil.first_name, pupil.key) == ("<b>&amp;", "\"'<&>")


def test_a_school_without_pupils_cannot_be_written() -> None:
    school = EdexmlSchool(school_code=None, school_year="2025-2026")
    with pytest.raises(EdexmlUnwritable):
        write_edexml(EdexmlFile(school=school, groups=(), pupils=(), staff=()), created_at=CREATED, author="test")


def test_the_file_says_when_and_for_which_day_it_was_made() -> None:
    text = write_edexml(_one_pupil(), created_at=CREATED, author="EDUscope").decode()
    assert "<peildatum>2023-10-01</peildatum>" in text
    assert "<aanmaakdatum>2026-01-12T10:30:00</aanmaakdatum>" in text
    assert re.search(r"<auteur>EDUscope</auteur>\s*<xsdversie>2.1</xsdversie>", text)
