"""The checks: errors forbid the tick, warnings are confirmed with their number."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.eduscope_api.rules.exchange import GroupRecord, Picture, PupilRecord, StaffRecord
from services.eduscope_api.rules.readiness import (
    Check,
    NotReady,
    Weight,
    check_lines,
    check_ready,
    findings,
    year_fits,
)
from shared.roster import Group, Pupil, Role, StaffMember
from tests.factories import a_group, a_pupil, a_staff_member

TODAY = date(2026, 11, 22)


def a_picture(
    *, groups: list[Group] | None = None, pupils: list[Pupil] | None = None, staff: list[StaffMember] | None = None
) -> Picture:
    """A school in perfect order, but for what is given."""
    return Picture(
        tuple(GroupRecord(number, one) for number, one in enumerate([a_group()] if groups is None else groups, 1)),
        tuple(PupilRecord(number, one) for number, one in enumerate([a_pupil()] if pupils is None else pupils, 1)),
        tuple(StaffRecord(number, one) for number, one in enumerate([a_staff_member()] if staff is None else staff, 1)),
    )


def found(picture: Picture) -> list[tuple[Check, int | None]]:
    return [(finding.check, finding.id) for finding in findings(picture, TODAY)]


def test_a_school_in_order_is_ready() -> None:
    assert found(a_picture()) == []
    check_ready([], None)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (a_picture(pupils=[]), [(Check.NO_PUPIL, None)]),
        (a_picture(groups=[], pupils=[], staff=[]), [(Check.NO_PUPIL, None), (Check.NO_GROUP, None)]),
        (a_picture(staff=[a_staff_member("m1"), a_staff_member("m2", email="m1@school.example")]), [
            (Check.DOUBLE_ADDRESS, 1), (Check.DOUBLE_ADDRESS, 2),
        ]),
        (a_picture(pupils=[a_pupil(home_group="weg")]), [(Check.LOOSE_END, 1)]),
        (a_picture(pupils=[a_pupil(composite_groups=frozenset({"g5"}))]), [(Check.LOOSE_END, 1)]),
        (a_picture(pupils=[a_pupil(first_name=None, last_name=None, prefix=None)]), [(Check.LOOSE_END, 1)]),
        (a_picture(staff=[a_staff_member(home_groups=frozenset({"g5", "weg"}))]), [(Check.LOOSE_END, 1)]),
    ],
)  # fmt: skip
def test_errors(picture: Picture, expected: list[tuple[Check, int | None]]) -> None:
    assert found(picture) == expected
    with pytest.raises(NotReady) as refused:
        check_ready(findings(picture, TODAY), 0)
    assert len(refused.value.members["objections"]) == len(expected)


@pytest.mark.parametrize(
    ("picture", "check"),
    [
        (a_picture(pupils=[a_pupil(home_group=None)]), Check.NO_HOME_GROUP),
        (a_picture(pupils=[a_pupil(year=None)]), Check.NO_YEAR),
        (a_picture(pupils=[a_pupil(year="C")]), Check.NO_YEAR),
        (a_picture(pupils=[a_pupil(year="6")]), Check.YEAR_DIFFERS),
        (a_picture(groups=[a_group(year="C", name="Groep 3/4")]), Check.YEAR_DIFFERS),
        (a_picture(staff=[a_staff_member(email=None)]), Check.NO_ADDRESS),
        (a_picture(staff=[a_staff_member(email="joris@" + "gmial.com")]), Check.ODD_ADDRESS),
    ],
)
def test_warnings(picture: Picture, check: Check) -> None:
    assert found(picture) == [(check, 1)]
    listed = findings(picture, TODAY)
    assert all(finding.weight is Weight.WARNING and finding.sentence.strip() for finding in listed)
    check_ready(listed, 1)
    with pytest.raises(NotReady):
        check_ready(listed, 0)


def test_a_teacher_without_a_group_and_a_group_without_a_teacher() -> None:
    picture = a_picture(staff=[a_staff_member(home_groups=frozenset())])
    assert found(picture) == [(Check.TEACHES_NOTHING, 1), (Check.NOBODY_TEACHES, 1)]
    coach = a_picture(staff=[a_staff_member(), a_staff_member("ib", roles={Role.INTERNAL_COACH}, home_groups=set())])
    assert found(coach) == []


def test_people_who_left_and_staff_without_a_role_are_not_checked() -> None:
    picture = a_picture()
    gone = PupilRecord(7, a_pupil("p7", home_group=None, year=None), TODAY)
    ended = StaffRecord(8, a_staff_member("m8", email="m1@school.example", ends_on=TODAY - timedelta(days=1)))
    caretaker = StaffRecord(9, a_staff_member("m9", roles=frozenset(), email=None, home_groups=frozenset()))
    more = replace(picture, pupils=(*picture.pupils, gone), staff=(*picture.staff, ended, caretaker))
    assert found(more) == []
    back = replace(more, pupils=(*picture.pupils, replace(gone, left_on=TODAY + timedelta(days=1))))
    assert found(back) == [(Check.NO_HOME_GROUP, 7), (Check.NO_YEAR, 7)]


def test_an_address_one_letter_beside_the_domain_of_the_school_looks_mistyped() -> None:
    names = ["a", "b", "c", "d"]
    good = [a_staff_member(name, email=f"{name}@regenboog.example") for name in names]
    for domain, is_odd in (
        ("regenbog.example", True),
        ("regenbooog.example", True),
        ("regneboog.example", True),
        ("regenbook.example", True),
        ("zonnebloem.example", False),
        ("invallers.example", False),
    ):
        picture = a_picture(staff=[*good, a_staff_member("e", email=f"e@{domain}")])
        assert found(picture) == ([(Check.ODD_ADDRESS, 5)] if is_odd else []), domain


@pytest.mark.parametrize(
    ("year", "group", "fits"),
    [
        ("5", {"year": "5"}, True),
        ("6", {"year": "5"}, False),
        ("3", {"year": "C", "name": "3/4a"}, True),
        ("5", {"year": "C", "name": "3/4a"}, False),
        ("5", {"year": "C", "name": "Groep 4 - 5 - 6"}, True),
        ("5", {"year": "C", "name": "De Vlinders"}, True),
        ("5", {"year": "C", "name": "Lokaal 12"}, True),
        ("S", {"year": "C", "name": "3/4"}, True),
        ("5", {"year": None, "name": "Groep 5"}, True),
    ],
)
def test_a_year_that_fits_its_group(year: str, group: dict[str, Any], fits: bool) -> None:
    assert year_fits(year, a_group(**group)) is fits


def test_the_same_number_of_other_warnings_still_has_to_be_the_number_that_was_seen() -> None:
    listed = findings(a_picture(pupils=[a_pupil(year=None), a_pupil("p2", home_group=None)]), TODAY)
    assert len(listed) == 2
    for seen in (None, 0, 1, 3):
        with pytest.raises(NotReady):
            check_ready(listed, seen)
    check_ready(listed, 2)


@pytest.mark.parametrize(
    ("domain", "is_odd"),
    [
        ("gmail" + ".nl", True),
        ("hotmial" + ".com", True),
        ("outlok" + ".com", True),
        ("ziggo" + ".nl", False),
        ("home" + ".nl", False),
        ("hone" + ".nl", False),  # so short that it has real neighbours
        ("bestuur.example", False),
    ],
)
def test_an_address_beside_a_domain_that_everybody_knows_looks_mistyped(domain: str, is_odd: bool) -> None:
    others = [a_staff_member(name, email=f"{name}@school.example") for name in ("a", "b", "c")]
    alone = a_picture(staff=[a_staff_member("e", email=f"e@{domain}")])
    among = a_picture(staff=[*others, a_staff_member("e", email=f"e@{domain}")])
    assert found(alone) == ([(Check.ODD_ADDRESS, 1)] if is_odd else [])
    assert found(among) == ([(Check.ODD_ADDRESS, 4)] if is_odd else [])


def test_a_domain_that_several_people_have_is_no_slip() -> None:
    several = [a_staff_member(name, email=f"{name}@" + "hotmial.com") for name in ("a", "b", "c")]
    assert found(a_picture(staff=several)) == []
    assert len(found(a_picture(staff=several[:2]))) == 2


def test_every_finding_says_where_it_is_mended() -> None:
    picture = a_picture(
        groups=[a_group(), a_group("g6", name="Groep 6")],
        pupils=[a_pupil(year=None)],
        staff=[a_staff_member(email=None)],
    )
    places = {finding.check: finding.place for finding in findings(picture, TODAY)}
    assert places == {
        Check.NO_YEAR: "leerlingen/1",
        Check.NO_ADDRESS: "personeel/1",
        Check.NOBODY_TEACHES: "groepen/2",
    }
    assert [each.place for each in findings(Picture(), TODAY)] == ["leerlingen", "groepen"]


def test_every_finding_stands_under_exactly_one_line_of_the_page() -> None:
    picture = a_picture(
        groups=[a_group(), a_group("g6", name="Groep 6")],
        pupils=[a_pupil(year=None), a_pupil("p2", home_group=None), a_pupil("p3", home_group="weg")],
        staff=[a_staff_member(email=None), a_staff_member("m2", home_groups=frozenset())],
    )
    listed = findings(picture, TODAY)
    lines = check_lines(picture, listed, TODAY)
    assert sorted(each.check for line in lines for each in line.found) == sorted(each.check for each in listed)
    assert [(line.looked_at, line.weight) for line in lines][:5] == [
        (3, Weight.WARNING),
        (3, Weight.WARNING),
        (2, Weight.WARNING),
        (2, None),
        (2, Weight.WARNING),
    ]
    assert lines[-1].weight is Weight.ERROR


def test_no_check_is_forgotten_on_the_page() -> None:
    """Every check there is has a line: otherwise a finding would be counted and nowhere shown."""
    everything = [replace(findings(Picture(), TODAY)[0], check=check) for check in Check]
    lines = check_lines(Picture(), everything, TODAY)
    assert sum(len(line.found) for line in lines) == len(Check)
