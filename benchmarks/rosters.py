"""Schools to measure with: generated rosters, and changes to every pupil that are no two times the same."""

from dataclasses import replace
from datetime import date

from services.demo.school import another_school
from shared.edexml import EdexmlFile
from shared.roster import Pupil, Role, Roster

TODAY = date(2026, 11, 22)
SIZES = (60, 120, 200, 280, 400)  # on average 212 pupils, as Dutch primary schools have


def a_file(place: int, pupils: int = 400) -> EdexmlFile:
    """A generated school of so many pupils; the others of its 400 are left out evenly."""
    file = another_school(TODAY, place)
    step = len(file.pupils) / pupils
    return replace(file, pupils=tuple(file.pupils[int(number * step)] for number in range(pupils)))


def roster_of_file(file: EdexmlFile) -> Roster:
    """What of the file travels."""
    staff = [
        replace(entry.member, roles=roles)
        for entry in file.staff
        if (roles := entry.member.roles - {Role.ICT_COORDINATOR})
    ]
    return Roster.of([*file.groups, *(entry.pupil for entry in file.pupils), *staff])


def with_every_pupil_changed(roster: Roster, turn: int) -> Roster:
    """The same people; every pupil has other initials, another time in every turn."""
    pupils = {key: _changed(pupil, turn) for key, pupil in roster.pupils.items()}
    return Roster(roster.groups, pupils, roster.staff)


def with_one_pupil_changed(roster: Roster, turn: int) -> Roster:
    keys = list(roster.pupils)
    key = keys[turn % len(keys)]
    return Roster(roster.groups, {**roster.pupils, key: _changed(roster.pupils[key], turn)}, roster.staff)


def _changed(pupil: Pupil, turn: int) -> Pupil:
    return replace(pupil, initials=f"{(pupil.first_name or 'N')[0]}{turn:05}")
