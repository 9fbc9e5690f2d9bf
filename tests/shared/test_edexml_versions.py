"""EDEXML 1.0.3, 2.0 and 2.1: what each holds comes back, is valid by its schema, and what it cannot hold is told."""

from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlSchool, EdexmlStaff
from shared.edexml_read import read_edexml
from shared.edexml_versions import PROFILES, Version, as_held
from shared.edexml_write import losses, write_edexml
from shared.identifiers import SchoolCode
from shared.roster import GroupKind, Role
from tests.factories import a_group, a_pupil, a_staff_member
from tests.shared.test_edexml import CREATED, DATA, _files, needs_data

XSD = "{http://www.w3.org/2001/XMLSchema}"


def xsd_of(version: Version) -> Path:
    return DATA / f"edexml-{version}" / "xsd" / "EDEXML.structuur.xsd"


@pytest.fixture(scope="module")
def schemas() -> dict[Version, etree.XMLSchema]:
    """The published schemas, each with a list of school years that goes on; the files are not touched."""
    return {version: _schema(xsd_of(version)) for version in Version}


def _schema(path: Path) -> etree.XMLSchema:
    kinds = etree.parse(str(path.with_name("EDEXML.types.variabel.xsd")))
    (years,) = kinds.iterfind(f"{XSD}simpleType[@name='EDEXSchooljaarType']/{XSD}restriction")
    for year in range(2019, 2100):
        etree.SubElement(years, f"{XSD}enumeration", value=f"{year}-{year + 1}")
    patched = etree.tostring(kinds)

    class Patched(etree.Resolver):
        # lxml calls it with three arguments, its stubs know two
        def resolve(self, system_url: str, _public_id: str, context: Any) -> Any:  # type: ignore[override]
            is_kinds = system_url.endswith("EDEXML.types.variabel.xsd")
            return self.resolve_string(patched, context, base_url=system_url) if is_kinds else None

    parser = etree.XMLParser()
    parser.resolvers.add(Patched())
    return etree.XMLSchema(etree.parse(str(path), parser))


def written(file: EdexmlFile, version: Version) -> bytes:
    return write_edexml(file, created_at=CREATED, author="test", version=version)


def read(content: bytes) -> EdexmlFile:
    return read_edexml(BytesIO(content))


@settings(max_examples=60)
@given(file=_files(), version=st.sampled_from(Version), year=st.sampled_from(["2019-2020", "2025-2026", "2031-2032"]))
def test_what_a_version_holds_reads_back_the_same(file: EdexmlFile, version: Version, year: str) -> None:
    file = replace(file, school=replace(file.school, school_year=year))
    held, back = as_held(file, version), read(written(file, version))
    assert (back.groups, back.pupils, back.staff) == (held.groups, held.pupils, held.staff)
    assert back.school.school_year == year
    assert back.school.version == PROFILES[version].spelled
    again = read(written(back, version))
    assert (again.groups, again.pupils, again.staff) == (back.groups, back.pupils, back.staff)


@needs_data
@settings(max_examples=60)
@given(file=_files(), version=st.sampled_from(Version))
def test_every_version_is_valid_by_its_schema(
    file: EdexmlFile, version: Version, schemas: dict[Version, etree.XMLSchema]
) -> None:
    schemas[version].assertValid(etree.fromstring(written(file, version)))


@needs_data
def test_the_older_schemas_refuse_what_only_the_newer_ones_hold(schemas: dict[Version, etree.XMLSchema]) -> None:
    newest = etree.fromstring(written(SCHOOL, Version.V2_1))
    assert schemas[Version.V2_1].validate(newest)
    assert not schemas[Version.V2_0].validate(newest)
    assert not schemas[Version.V1_0_3].validate(etree.fromstring(written(SCHOOL, Version.V2_0)))


@needs_data
@pytest.mark.parametrize("version", Version)
def test_only_the_school_year_stands_between_a_new_file_and_the_published_schema(version: Version) -> None:
    published = etree.XMLSchema(etree.parse(str(xsd_of(version))))
    newest = PROFILES[version].newest_year
    assert published.validate(etree.fromstring(written(_in_year(newest), version)))
    later = _in_year("2026-2027")
    assert not published.validate(etree.fromstring(written(later, version)))
    log: Any = published.error_log  # can be walked, though its stubs do not say so
    assert {error.path for error in log} == {"/EDEX/school/schooljaar"}
    assert "school-year" in [notice.kind for notice in losses(later, version)]
    assert "school-year" not in [notice.kind for notice in losses(_in_year(newest), version)]


SCHOOL = EdexmlFile(
    school=EdexmlSchool(school_code=SchoolCode("99ZZ", "00"), school_year="2026-2027", as_of=date(2026, 11, 22)),
    groups=(
        a_group("g34", name="Groep 3/4", year="C", description="boven"),
        a_group("c1", kind=GroupKind.COMPOSITE, name="Plusklas", year=None),
    ),
    pupils=(
        EdexmlPupil(pupil=a_pupil("p1", year="4", home_group="g34", eck_id="e1", composite_groups=frozenset({"c1"}))),
        EdexmlPupil(pupil=a_pupil("p2", year="4", home_group="g34")),
        EdexmlPupil(pupil=a_pupil("p3", year="3", home_group="g34")),
        EdexmlPupil(pupil=a_pupil("k" * 100, year="N", home_group=None)),
    ),
    staff=(
        EdexmlStaff(member=a_staff_member("m1", home_groups=frozenset({"g34"}))),
        EdexmlStaff(member=a_staff_member("m2", roles=frozenset({Role.INTERNAL_COACH}), home_groups=frozenset())),
    ),
)


def _in_year(year: str) -> EdexmlFile:
    return replace(SCHOOL, school=replace(SCHOOL.school, school_year=year))


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (Version.V2_1, {"school-year": 1}),
        (Version.V2_0, {"school-year": 1, "eck-ids": 1, "long-keys": 1}),
        (
            Version.V1_0_3,
            {
                "school-year": 1,
                "eck-ids": 1,
                "long-keys": 1,
                "addresses": 2,
                "not-teachers": 1,
                "composites": 1,
                "descriptions": 1,
                "years-of-groups": 1,
                "years": 2,
            },
        ),
    ],
)
def test_what_a_version_cannot_hold_is_told_and_counted(version: Version, told: dict[str, int]) -> None:
    assert {notice.kind: notice.count for notice in losses(SCHOOL, version)} == told


def test_a_key_that_is_too_long_becomes_a_dummy_and_never_half_a_key() -> None:
    back = read(written(SCHOOL, Version.V2_0))
    assert back.pupils[3].has_dummy_key
    assert len(back.pupils[3].pupil.key) <= 64
    other = replace(SCHOOL, pupils=(*SCHOOL.pupils, EdexmlPupil(pupil=a_pupil("k" * 99 + "x", home_group=None))))
    keys = [entry.pupil.key for entry in read(written(other, Version.V2_0)).pupils]
    assert len(keys) == len(set(keys))  # cut off at 64 they would be one


def test_without_roles_nobody_becomes_a_teacher_by_being_in_the_file() -> None:
    assert [entry.member.key for entry in read(written(SCHOOL, Version.V1_0_3)).staff] == ["m1"]


def test_a_combination_group_has_the_year_of_most_of_its_pupils_in_the_oldest_version() -> None:
    back = read(written(SCHOOL, Version.V1_0_3))
    assert [group.year for group in back.groups] == ["4"]
    assert [entry.pupil.year for entry in back.pupils] == ["4", "4", "4", None]
    assert [entry.pupil.year for entry in read(written(SCHOOL, Version.V2_0)).pupils] == ["4", "4", "3", "N"]
