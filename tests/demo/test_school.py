"""services/demo/school.py and app_population.py: an invented school that has everything a real one has."""

import io
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lxml import etree

from services.demo.app_population import AppPopulation, app_population
from services.demo.school import OLD_DOMAIN, a_school, an_older_file, another_school, coordinators
from shared.edexml import EdexmlFile
from shared.edexml_read import read_edexml
from shared.edexml_write import write_edexml
from shared.identifiers import holds_citizen_number
from shared.roster import GroupKind, Role

DATA = Path(__file__).parents[3] / "shared" / "standards" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the standards' schemas and samples are not on this machine")
TODAY = date(2025, 1, 20)  # in a school year that the published schema knows
CREATED = datetime(2025, 1, 20, 9, tzinfo=UTC)
SEEDS = [1, 2, 3, 4, 5]


@pytest.fixture(params=SEEDS)
def school(request: pytest.FixtureRequest) -> EdexmlFile:
    return a_school(TODAY, seed=request.param)


def _written(file: EdexmlFile) -> bytes:
    return write_edexml(file, created_at=CREATED, author="test")


def test_the_school_has_the_numbers_it_should_have(school: EdexmlFile) -> None:
    homes = [group for group in school.groups if group.kind is GroupKind.HOME]
    roles = Counter(role for entry in school.staff for role in entry.member.roles)
    assert (len(homes), len(school.groups) - len(homes), len(school.pupils)) == (16, 5, 400)
    assert roles == {Role.TEACHER: 28, Role.INTERNAL_COACH: 1, Role.TRAINEE: 1, Role.SUBSTITUTE: 1}
    assert len(coordinators(school)) == 2
    assert sum(len(entry.member.home_groups) == 2 for entry in school.staff) >= 2
    (substitute,) = [entry.member for entry in school.staff if Role.SUBSTITUTE in entry.member.roles]
    assert substitute.ends_on
    assert substitute.ends_on > TODAY
    assert len(substitute.home_groups) == 16


def test_pupils_of_a_combination_group_carry_their_own_year_and_all_others_that_of_their_group(
    school: EdexmlFile,
) -> None:
    groups = {group.key: group for group in school.groups}
    years: dict[str, set[str | None]] = {}
    for entry in school.pupils:
        years.setdefault(entry.pupil.home_group or "", set()).add(entry.pupil.year)
    assert sum(len(found) == 2 for found in years.values()) == 6
    for key, found in years.items():
        assert groups[key].year == "C" if len(found) == 2 else found == {groups[key].year}


def test_the_names_are_as_difficult_as_real_ones(school: EdexmlFile) -> None:
    pupils = [entry.pupil for entry in school.pupils]
    names = Counter(pupil.full_name for pupil in pupils)
    within = Counter((pupil.full_name, pupil.home_group) for pupil in pupils)
    assert sum(count > 1 for count in names.values()) == 4
    assert sum(count > 1 for count in within.values()) == 2
    assert sum(pupil.prefix is not None for pupil in pupils) > 80
    assert sum(not pupil.full_name.isascii() for pupil in pupils) > 40
    assert 350 < sum(pupil.eck_id is not None for pupil in pupils) < 400


def test_no_key_number_or_address_is_there_twice(school: EdexmlFile) -> None:
    for values in (
        [group.key for group in school.groups],
        [entry.pupil.key for entry in school.pupils],
        [entry.member.key for entry in school.staff],
        [entry.member.email for entry in school.staff],
        [entry.pupil.eck_id for entry in school.pupils if entry.pupil.eck_id],
    ):
        assert len(set(values)) == len(values)
    assert not holds_citizen_number(repr(school))
    assert all((entry.member.email or "").endswith(".example") for entry in school.staff)


def test_the_same_seed_gives_the_same_school_and_another_seed_another() -> None:
    assert a_school(TODAY, seed=7) == a_school(TODAY, seed=7)
    assert a_school(TODAY, seed=7).pupils != a_school(TODAY, seed=8).pupils


def test_other_schools_share_nobody_and_nothing() -> None:
    schools = [a_school(TODAY), *(another_school(TODAY, place) for place in (1, 2, 700, 1000))]
    assert len({str(school.school.school_code) for school in schools}) == len(schools)
    addresses = [entry.member.email for school in schools for entry in school.staff]
    assert len(set(addresses)) == len(addresses)
    eck_ids = [entry.pupil.eck_id for school in schools for entry in school.pupils if entry.pupil.eck_id]
    assert len(set(eck_ids)) == len(eck_ids)


def test_it_goes_in_as_a_real_file(school: EdexmlFile) -> None:
    back = read_edexml(io.BytesIO(_written(school)))
    assert (back.school, back.groups, back.pupils, back.staff) == (
        school.school,
        school.groups,
        school.pupils,
        school.staff,
    )


@needs_data
def test_its_file_is_valid_by_the_schema_as_published(school: EdexmlFile) -> None:
    schema = etree.XMLSchema(etree.parse(str(DATA / "edexml-2.1" / "xsd" / "EDEXML.structuur.xsd")))
    schema.assertValid(etree.fromstring(_written(school)))
    schema.assertValid(etree.fromstring(_written(an_older_file(school))))


def test_the_older_file_knows_most_teachers_by_the_same_address(school: EdexmlFile) -> None:
    now = {entry.member.key: entry.member.email for entry in school.staff}
    then = {entry.member.key: entry.member.email for entry in an_older_file(school).staff}
    equal = [key for key, email in then.items() if email == now[key]]
    assert then.keys() < now.keys()
    assert len(equal) >= 15
    assert sum((email or "").endswith(OLD_DOMAIN) for email in then.values()) >= 3
    assert sum(email is None for email in then.values()) >= 2
    addresses = [email for email in then.values() if email]
    assert len(set(addresses)) == len(addresses)
    assert coordinators(an_older_file(school)) == coordinators(school)


@pytest.fixture(params=["taalblobs", "rekenblobs"])
def population(request: pytest.FixtureRequest, school: EdexmlFile) -> AppPopulation:
    return app_population(school, request.param, TODAY)


def test_an_app_knows_150_pupils_and_a_few_strangers(population: AppPopulation, school: EdexmlFile) -> None:
    known = [pupil for pupil in population.pupils if pupil.truth]
    strangers = [pupil for pupil in population.pupils if not pupil.truth]
    assert (len(known), len(strangers)) == (150, 4)
    assert len({pupil.truth for pupil in known}) == 150
    present = {(entry.pupil.first_name, entry.pupil.last_name) for entry in school.pupils}
    assert not {(pupil.first_name, pupil.last_name) for pupil in strangers} & present
    assert {pupil.group for pupil in population.pupils} == set(population.groups)


def test_most_names_in_an_app_are_right_and_the_usual_faults_are_there(population: AppPopulation) -> None:
    damaged = Counter(pupil.damage for pupil in population.pupils if pupil.truth)
    assert 105 <= damaged[None] <= 135
    assert len(damaged) >= 4


def test_no_fault_makes_one_child_look_like_another(population: AppPopulation, school: EdexmlFile) -> None:
    names = {entry.pupil.key: entry.pupil.full_name for entry in school.pupils}
    for pupil in population.pupils:
        shown = " ".join(part for part in (pupil.first_name, pupil.prefix, pupil.last_name) if part)
        assert not (pupil.damage and shown in names.values() and shown != names[pupil.truth or ""])


def test_an_app_has_one_administrator_and_teachers_under_old_and_new_addresses(
    population: AppPopulation, school: EdexmlFile
) -> None:
    addresses = {entry.member.email for entry in school.staff}
    assert [teacher.email for teacher in population.teachers if teacher.is_admin] == [population.admin]
    assert sum(teacher.email in addresses for teacher in population.teachers) == 7
    assert sum(teacher.email not in addresses for teacher in population.teachers) == 3


def test_the_two_apps_do_not_know_the_same_children() -> None:
    school = a_school(TODAY)
    one, other = (
        {pupil.truth for pupil in app_population(school, app, TODAY).pupils} for app in ("taalblobs", "rekenblobs")
    )
    assert one != other


@needs_data
@pytest.mark.parametrize(
    ("sample", "pupils"),
    [("edexml-2.1/samples/EDEXML.Voorbeeld.2.1.xml", 2), ("edexml-1.0.3/samples/sample.synthetic.xml", 150)],
)
def test_another_file_gives_as_many_as_there_are_and_no_address_is_invented_for_its_staff(
    sample: str, pupils: int
) -> None:
    with (DATA / sample).open("rb") as source:
        file = read_edexml(source)
    population = app_population(file, "taalblobs", TODAY)
    assert sum(pupil.truth is not None for pupil in population.pupils) == pupils
    assert not any(entry.member.email for entry in an_older_file(file).staff)
    assert coordinators(file) == []
    assert an_older_file(file).pupils
