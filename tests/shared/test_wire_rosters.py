"""shared/wire/rosters.py: what leaves EDUscope arrives in the hub, and odd values do not."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from shared.roster import Kind, Roster, fingerprint
from shared.roster_delta import apply, diff
from shared.wire.rosters import WireDelta, WireEntries, WirePupil, WireRoster, WireStaffMember
from tests.factories import a_roster, rosters

LEAVERS = {Kind.PUPIL: {"p9": date(2026, 7, 31)}, Kind.STAFF: {}}


@given(rosters())
def test_a_whole_roster_arrives_as_it_was_sent(school: Roster) -> None:
    sent = WireRoster.of(school, fingerprint(school), LEAVERS).model_dump_json()
    arrived = WireRoster.model_validate_json(sent)
    assert Roster.of(arrived.entries.values()) == school
    assert fingerprint(Roster.of(arrived.entries.values())) == arrived.target
    assert arrived.leavers.values() == LEAVERS


@given(rosters(), rosters())
def test_a_delta_arrives_as_it_was_sent(before: Roster, after: Roster) -> None:
    sent = WireDelta.of(diff(before, after), LEAVERS).model_dump_json()
    assert apply(before, WireDelta.model_validate_json(sent).to_value()) == after


def test_the_names_on_the_wire_are_dutch() -> None:
    sent = json.loads(WireRoster.of(a_roster(), fingerprint(a_roster()), {}).model_dump_json())
    assert sent.keys() == {"target", "gegevens", "vertrokken"}
    assert sent["gegevens"].keys() == {"groepen", "leerlingen", "leerkrachten"}
    assert {"key", "roepnaam", "voorvoegsel", "achternaam", "jaargroep", "groep"} <= sent["gegevens"]["leerlingen"][
        0
    ].keys()
    assert sent["gegevens"]["groepen"][0]["soort"] == "groep"
    assert sent["gegevens"]["leerkrachten"][0]["rollen"] == ["Leerkracht"]


def test_nothing_travels_that_is_not_exchanged() -> None:
    for field in ("geboortedatum", "geslacht", "bsn", "adres", "nationaliteit"):
        with pytest.raises(ValidationError, match="Extra inputs"):
            WirePupil.model_validate({"key": "p1", "roepnaam": "Noor", field: "x"})


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "#1"},
        {"key": ""},
        {"key": "k" * 257},
        {"key": 1},
        {"roepnaam": ""},
        {"roepnaam": "a\0"},
        {"roepnaam": "x" * 300},
        {"jaargroep": "9"},
        {"jaargroep": 5},
        {"groep": "#g"},
        {"samengestelde_groepen": "g1"},
    ],
    ids=repr,
)
def test_a_pupil_with_an_odd_value_is_refused(changes: dict[str, Any]) -> None:
    good = {"key": "p1", "roepnaam": "Noor", "jaargroep": "5", "groep": "g1", "samengestelde_groepen": ["s1"]}
    assert WirePupil.model_validate(good).to_value().first_name == "Noor"
    with pytest.raises(ValidationError):
        WirePupil.model_validate({**good, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"emailadres": "geen adres"},
        {"emailadres": "a@b.example,c@d.example"},
        {"rollen": ["Directeur"]},
        {"rollen": None},
        {"einddatum": "2026-02-30"},
        {"einddatum": "31-07-2026"},
        {"einddatum": 1767222000},
        {"einddatum": "2026-07-31T00:00:00"},
    ],
    ids=repr,
)
def test_a_member_of_staff_with_an_odd_value_is_refused(changes: dict[str, Any]) -> None:
    good = {"key": "m1", "achternaam": "Hagen", "emailadres": "J.Hagen@School.example", "rollen": ["Inval"]}
    assert WireStaffMember.model_validate(good).to_value().email == "j.hagen@school.example"
    with pytest.raises(ValidationError):
        WireStaffMember.model_validate({**good, **changes})


def test_a_key_twice_is_left_to_the_intake_which_lists_them_all() -> None:
    pupil = {"key": "p1", "roepnaam": "Noor"}
    entries = WireEntries.model_validate({"leerlingen": [pupil, pupil]}).values()
    with pytest.raises(ValueError, match="a key occurs twice"):
        Roster.of(entries)
