"""EDEXML in and out: adds and changes, never removes; twice is once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import BytesIO
from itertools import count
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from services.eduscope_api.edexml import OtherSchool, build_file, export_file, import_file, take_in
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.rules.exchange import Picture, PupilRecord, roster_of
from services.eduscope_api.rules.import_plan import GroupKindDiffers
from services.eduscope_api.rules.imports import build_import
from services.eduscope_api.tables import SchoolRow
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlSchool, EdexmlStaff
from shared.edexml_write import write_edexml
from shared.identifiers import SchoolCode
from shared.roster import Group, GroupKind, Pupil, Role, Roster, StaffMember
from tests.eduscope_api.doors import engine_of, sign_in
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_school
from tests.factories import a_group, a_pupil, a_roster, a_staff_member, rosters

API = f"/api/v1/scholen/{CODE}/edexml"
SAMPLES = Path(__file__).parents[2].parent / "shared" / "standards" / "data"
XML = {"Content-Type": "application/xml"}
TODAY = date(2026, 11, 22)


def a_file(*entries: Group | Pupil | StaffMember, code: str | None = CODE) -> EdexmlFile:
    return EdexmlFile(
        school=EdexmlSchool(school_code=SchoolCode.parse(code) if code else None, school_year="2026-2027"),
        groups=tuple(entry for entry in entries if isinstance(entry, Group)),
        pupils=tuple(EdexmlPupil(pupil=entry) for entry in entries if isinstance(entry, Pupil)),
        staff=tuple(EdexmlStaff(member=entry) for entry in entries if isinstance(entry, StaffMember)),
    )


def fresh_keys() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"eigen-{next(numbers)}"


def school_id(engine: Engine) -> int:
    with writing(engine) as db:
        row = SchoolRow(code=CODE, name="De Regenboog")
        db.add(row)
        db.flush()
        return row.id


def picture_of(engine: Engine, school: int) -> Picture:
    with reading(engine) as db:
        return read_picture(db, school)


# --- into the rows ----------------------------------------------------------------------------------------------------


def test_a_file_fills_an_empty_school_and_twice_is_once(engine: Engine) -> None:
    school, roster = school_id(engine), a_roster(pupils=30, staff=4, groups=3)
    first = take_in(engine, school, a_file(*roster.entries()))
    assert (first.pupils.new, first.staff.new, first.groups.new) == (30, 4, 3)
    assert roster_of(picture_of(engine, school), local_date(now())) == roster
    second = take_in(engine, school, a_file(*roster.entries()))
    assert (second.pupils.new, second.pupils.changed, second.pupils.same) == (0, 0, 30)
    assert roster_of(picture_of(engine, school), local_date(now())) == roster


@given(before=rosters(), after=rosters())
def test_a_file_adds_and_changes_and_never_removes(before: Roster, after: Roster) -> None:
    picture = _apply(Picture(), a_file(*before.entries()))
    try:
        both = _apply(picture, a_file(*after.entries()))
    except GroupKindDiffers:
        return
    assert {record.pupil.key for record in both.pupils} >= before.pupils.keys()
    assert {record.group.key for record in both.groups} == before.groups.keys() | after.groups.keys()
    known_ecks = {pupil.eck_id for pupil in before.pupils.values()}
    unknown = {key for key, pupil in after.pupils.items() if pupil.eck_id not in known_ecks or not pupil.eck_id}
    assert {record.pupil.key for record in both.pupils} >= unknown
    assert _apply(both, a_file(*after.entries())) == both


def _apply(picture: Picture, file: EdexmlFile) -> Picture:
    """The school after the file, as the rows would have it."""
    taken = build_import(picture, file, TODAY, fresh_keys())
    ids = count(
        1
        + max(
            [record.id for record in picture.pupils]
            + [record.id for record in picture.staff]
            + [record.id for record in picture.groups],
            default=0,
        )
    )
    return Picture(
        (
            *(taken.groups.changed.get(each.id, each) for each in picture.groups),
            *(replace(each, id=next(ids)) for each in taken.groups.new),
        ),
        (
            *(taken.pupils.changed.get(each.id, each) for each in picture.pupils),
            *(replace(each, id=next(ids)) for each in taken.pupils.new),
        ),
        (
            *(taken.staff.changed.get(each.id, each) for each in picture.staff),
            *(replace(each, id=next(ids)) for each in taken.staff.new),
        ),
    )


def test_what_a_file_does_not_say_stays_as_it_is(engine: Engine) -> None:
    school = school_id(engine)
    full = a_staff_member(eck_id="e1", initials="J.", roles=frozenset({Role.TEACHER, Role.ICT_COORDINATOR}))
    take_in(engine, school, a_file(a_group(), a_pupil(eck_id="e9", initials="N."), full))
    bare = a_staff_member(email=None, roles=frozenset(), home_groups=frozenset())
    take_in(engine, school, a_file(a_pupil(year=None, home_group=None), bare))
    after = picture_of(engine, school)
    assert after.staff[0].member == full
    assert after.pupils[0].pupil == a_pupil(eck_id="e9", initials="N.")


def test_a_file_cannot_take_the_coordinators_role_away(engine: Engine) -> None:
    school = school_id(engine)
    take_in(engine, school, a_file(a_group(), a_pupil(), a_staff_member(roles=frozenset({Role.ICT_COORDINATOR}))))
    take_in(engine, school, a_file(a_group(), a_pupil(), a_staff_member(roles=frozenset({Role.TEACHER}))))
    assert picture_of(engine, school).staff[0].member.roles == {Role.ICT_COORDINATOR, Role.TEACHER}


def test_a_new_surname_brings_its_own_prefix(engine: Engine) -> None:
    school = school_id(engine)
    take_in(engine, school, a_file(a_group(), a_pupil(prefix="van der", last_name="Bijl")))
    take_in(engine, school, a_file(a_group(), a_pupil(prefix=None, last_name="Bakker")))
    assert picture_of(engine, school).pupils[0].pupil.full_name == "Noor Bakker"


def test_a_file_about_another_school_changes_nothing(engine: Engine) -> None:
    school = school_id(engine)
    with pytest.raises(OtherSchool):
        take_in(engine, school, a_file(a_group(), a_pupil(), code=OTHER_CODE))
    assert picture_of(engine, school) == Picture()


def test_a_pupil_who_left_here_stays_gone_and_is_counted(engine: Engine) -> None:
    picture = Picture(pupils=(PupilRecord(1, a_pupil(home_group=None), local_date(now())),))
    taken = build_import(picture, a_file(a_pupil(home_group=None)), TODAY, fresh_keys())
    assert taken.pupils.same == 1
    assert [(notice.kind, notice.count) for notice in taken.notices] == [("has-left", 1)]


# --- dummy keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eck_id", ["e1", None], ids=["with an ECK iD", "without"])
def test_a_dummy_key_never_enters_and_twice_is_once(engine: Engine, eck_id: str | None) -> None:
    school = school_id(engine)
    for round_, dummy in enumerate(("#001", "#777")):
        file = a_file(
            a_group(f"{dummy}g"),
            a_pupil(dummy, eck_id=eck_id, home_group=f"{dummy}g"),
            a_staff_member(dummy, home_groups=frozenset({f"{dummy}g"})),
        )
        taken = take_in(engine, school, file)
        assert (taken.pupils.new, taken.staff.new, taken.groups.new) == ((1, 1, 1) if round_ == 0 else (0, 0, 0))
    after = picture_of(engine, school)
    keys = {after.pupils[0].pupil.key, after.staff[0].member.key, after.groups[0].group.key}
    assert not any(key.startswith("#") for key in keys)


def test_namesakes_with_dummy_keys_are_never_taken_for_each_other() -> None:
    picture = Picture(pupils=(PupilRecord(1, a_pupil("p1", home_group=None)),))
    taken = build_import(
        picture, a_file(a_pupil("#1", home_group=None), a_pupil("#2", home_group=None)), TODAY, fresh_keys()
    )
    assert [record.pupil.key for record in taken.pupils.new] == ["eigen-1", "eigen-2"]


def test_somebody_known_by_eck_id_keeps_the_present_key() -> None:
    picture = Picture(pupils=(PupilRecord(1, a_pupil("p1", eck_id="e1", home_group=None)),))
    taken = build_import(picture, a_file(a_pupil("nieuw", eck_id="e1", home_group=None)), TODAY, fresh_keys())
    assert (taken.pupils.new, taken.pupils.same) == ((), 1)


def test_a_group_that_changes_its_kind_is_refused() -> None:
    picture = _apply(Picture(), a_file(a_group()))
    with pytest.raises(GroupKindDiffers):
        build_import(picture, a_file(a_group(kind=GroupKind.COMPOSITE)), TODAY, fresh_keys())


# --- out again --------------------------------------------------------------------------------------------------------


@given(rosters().filter(lambda roster: bool(roster.pupils)), st.sampled_from([CODE, "99ZZ07"]))
def test_what_is_exported_holds_the_whole_school(roster: Roster, code: str) -> None:
    picture = _apply(Picture(), a_file(*roster.entries(), code=code))
    file = build_file(code, None, picture, local_date(now()))
    assert {pupil.pupil.key: pupil.pupil for pupil in file.pupils} == roster.pupils
    assert str(file.school.school_code) == code


@pytest.mark.parametrize(("month", "year"), [(7, "2025-2026"), (8, "2026-2027")])
def test_the_school_year_starts_in_august(month: int, year: str) -> None:
    day = local_date(now()).replace(year=2026, month=month, day=1)
    assert build_file(CODE, None, Picture(), day).school.school_year == year


# --- over HTTP and for the command line -------------------------------------------------------------------------------


def test_a_file_goes_in_and_comes_out_over_http(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client), pupils=0, ticked=False))
    content = write_edexml(a_file(*a_roster(pupils=5, staff=2).entries()), created_at=now(), author="proef")
    answer = client.post(API, content=content, headers=XML)
    assert (answer.status_code, answer.json()["leerlingen"]["nieuw"]) == (200, 5)
    exported = client.get(API)
    assert exported.headers["content-type"] == "application/xml"
    assert client.post(API, content=exported.content, headers=XML).json()["leerlingen"]["gelijk"] == 5


def test_a_broken_file_is_said_with_line_and_reason_and_changes_nothing(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client), pupils=0, ticked=False))
    content = write_edexml(a_file(*a_roster(pupils=5).entries()), created_at=now(), author="proef")
    for broken in (
        content[: len(content) // 2],
        b"",
        b"not xml",
        b"<!DOCTYPE x><EDEX/>",
        content.replace(b"99ZZ", b"99ZY"),
    ):
        answer = client.post(API, content=broken, headers=XML)
        assert answer.status_code in {400, 409, 422}, broken[:20]
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get(f"/api/v1/scholen/{CODE}/leerlingen").json()["leerlingen"] == []


def test_a_school_without_pupils_cannot_be_exported(client: TestClient) -> None:
    sign_in(client, add_school(engine_of(client), pupils=0, ticked=False))
    assert client.get(API).json()["type"] == "/problems/edexml-unwritable"


@pytest.mark.parametrize(
    "name",
    ["edexml-2.1/samples/EDEXML.Voorbeeld.2.1.xml", "edexml-1.0.3/samples/sample.synthetic.xml"],
    ids=["2.1", "1.0.3"],
)
def test_the_samples_go_in_twice_and_out_again(engine: Engine, name: str) -> None:
    if not (SAMPLES / name).exists():
        pytest.skip(f"the sample {name} lies beside the repository, and it is not there")
    content = (SAMPLES / name).read_bytes()
    first = import_file(engine, BytesIO(content))
    again = import_file(engine, BytesIO(content))
    assert first.pupils.new > 0
    assert (again.pupils.new, again.staff.new, again.groups.new) == (0, 0, 0)
    assert (again.pupils.changed, again.staff.changed, again.groups.changed) == (0, 0, 0)
    written, _ = export_file(engine, first.code)
    exported = import_file(engine, BytesIO(written))
    assert exported.pupils.new == exported.pupils.changed == 0


def test_a_file_for_the_command_makes_its_school(engine: Engine) -> None:
    content = write_edexml(a_file(*a_roster().entries()), created_at=now(), author="proef")
    assert import_file(engine, BytesIO(content)).code == CODE
    with reading(engine) as db:
        assert db.scalars(select(SchoolRow.code)).all() == [CODE]
