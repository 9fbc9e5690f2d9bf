"""What travels, and what must be sent."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eduscope_api.rules.exchange import GroupRecord, Picture, PupilRecord, StaffRecord, leavers_of, roster_of
from services.eduscope_api.rules.sending import Change, How, changes, decide_sending, is_sendable
from shared.roster import EMPTY, Kind, Role, Roster, fingerprint
from shared.roster_delta import apply
from tests.factories import a_group, a_pupil, a_roster, a_staff_member, rosters

TODAY = date(2026, 11, 22)
DAY = timedelta(days=1)
days = st.one_of(st.none(), st.dates(TODAY - 40 * DAY, TODAY + 40 * DAY))


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    roster = draw(rosters())
    return Picture(
        tuple(GroupRecord(1, group) for group in roster.groups.values()),
        tuple(PupilRecord(1, pupil, draw(days)) for pupil in roster.pupils.values()),
        tuple(StaffRecord(1, member, draw(days)) for member in roster.staff.values()),
    )


@given(pictures())
def test_nobody_who_left_and_no_management_role_travels(picture: Picture) -> None:
    roster = roster_of(picture, TODAY)
    gone = {record.pupil.key for record in picture.pupils if record.left_on is not None and record.left_on <= TODAY}
    assert not gone & roster.pupils.keys()
    assert all(member.roles and Role.ICT_COORDINATOR not in member.roles for member in roster.staff.values())
    assert all(member.ends_on is None or member.ends_on >= TODAY for member in roster.staff.values())
    leavers = leavers_of(picture, TODAY)
    assert leavers[Kind.PUPIL].keys() == gone
    assert not leavers[Kind.STAFF].keys() & roster.staff.keys()


@pytest.mark.parametrize(
    ("left_on", "travels"), [(None, True), (TODAY + DAY, True), (TODAY, False), (TODAY - DAY, False)]
)
def test_a_pupil_is_gone_from_the_leaving_date_onwards(left_on: date | None, travels: bool) -> None:
    assert ("p1" in roster_of(Picture(pupils=(PupilRecord(1, a_pupil(), left_on),)), TODAY).pupils) is travels


@pytest.mark.parametrize(
    ("changes_", "travels"),
    [
        ({}, True),
        ({"ends_on": TODAY}, True),
        ({"ends_on": TODAY - DAY}, False),
        ({"roles": frozenset()}, False),
        ({"roles": frozenset({Role.SUBSTITUTE})}, True),
        ({"roles": frozenset({Role.ICT_COORDINATOR, Role.TEACHER})}, True),
        ({"roles": frozenset({Role.ICT_COORDINATOR})}, False),
    ],
)
def test_who_of_the_staff_travels(changes_: dict[str, Any], travels: bool) -> None:
    picture = Picture(staff=(StaffRecord(1, a_staff_member(home_groups=frozenset(), **changes_)),))
    assert ("m1" in roster_of(picture, TODAY).staff) is travels


@pytest.mark.parametrize(("year", "travels"), [("5", "5"), ("C", None), (None, None), ("0", "0")])
def test_a_year_that_is_no_year_of_a_child_does_not_travel(year: str | None, travels: str | None) -> None:
    roster = roster_of(Picture(pupils=(PupilRecord(1, a_pupil(year=year)),)), TODAY)
    assert roster.pupils["p1"].year == travels
    assert not roster_of(Picture(pupils=(PupilRecord(1, a_pupil(year="H")),)), TODAY).pupils


def test_only_the_fields_of_the_roster_can_travel() -> None:
    group = GroupRecord(1, a_group())
    picture = Picture((group,), (PupilRecord(1, a_pupil()),), (StaffRecord(1, a_staff_member()),))
    assert roster_of(picture, TODAY) == Roster.of([a_group(), a_pupil(), a_staff_member()])


@given(rosters(), st.one_of(st.none(), rosters()), st.one_of(st.none(), rosters()))
def test_whatever_the_hub_holds_what_is_sent_leads_to_our_roster(
    own: Roster, held: Roster | None, sent: Roster | None
) -> None:
    remembered = (fingerprint(sent), sent) if sent is not None else None
    sending = decide_sending(own, fingerprint(held) if held is not None else None, remembered)
    assert sending.target == fingerprint(own)
    match sending.how:
        case How.NOTHING:
            assert held == own
        case How.WHOLE:
            assert held != own
        case How.DELTA | How.CONFIRM:
            assert sending.delta is not None
            assert held is not None
            assert apply(held, sending.delta) == own


def test_the_four_ways_to_send() -> None:
    own, older = a_roster(), a_roster(pupils=2)
    ours, theirs = fingerprint(own), fingerprint(older)
    assert decide_sending(own, ours, (ours, own)).how is How.NOTHING
    assert decide_sending(own, ours, None).how is How.NOTHING
    assert decide_sending(own, theirs, (theirs, older)).how is How.DELTA
    assert decide_sending(own, theirs, (ours, own)).how is How.WHOLE
    assert decide_sending(own, None, (theirs, older)).how is How.WHOLE
    # what was sent last may still be under way: an empty difference makes the hub refuse it later
    assert decide_sending(own, ours, (theirs, older)).how is How.CONFIRM


def test_a_roster_without_pupils_is_not_sendable() -> None:
    assert not is_sendable(EMPTY)
    assert not is_sendable(Roster.of([a_group(), a_staff_member()]))
    assert is_sendable(a_roster())


def test_changes_are_told_one_by_one() -> None:
    before, after = Roster.of([a_pupil("p1"), a_pupil("p2")]), Roster.of([a_pupil("p2", year="6"), a_pupil("p3")])
    sending = decide_sending(after, fingerprint(before), (fingerprint(before), before))
    assert sending.delta is not None
    told = [(change, entry.key) for change, entry in changes(before, sending.delta)]
    assert sorted(told) == [(Change.CHANGED, "p2"), (Change.NEW, "p3"), (Change.REMOVED, "p1")]
