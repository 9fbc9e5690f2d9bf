"""What of a school travels to Basispoort, and what stays at home (pure).

Law: nobody who left and no management role is ever in the roster, and so no member of staff without another role.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from shared.roster import Group, Kind, Pupil, Role, Roster, StaffMember

# EDEXML: `C` says "a combination", `H` "left": neither says in which year a child is.
NO_YEAR = frozenset({"C", "H"})


@dataclass(frozen=True, slots=True)
class GroupRecord:
    id: int
    group: Group


@dataclass(frozen=True, slots=True)
class PupilRecord:
    """A pupil as the administration has it; here from `came_on`, gone from `left_on` onwards."""

    id: int
    pupil: Pupil
    left_on: date | None = None
    came_on: date | None = None

    def is_active(self, today: date) -> bool:
        return _is_here(self.came_on, self.left_on, today) and self.pupil.year != "H"


@dataclass(frozen=True, slots=True)
class StaffRecord:
    """A member of staff; `member.ends_on` is the last day of work, `left_on` the first day without."""

    id: int
    member: StaffMember
    left_on: date | None = None
    came_on: date | None = None

    def is_active(self, today: date) -> bool:
        ended = self.member.ends_on is not None and self.member.ends_on < today
        return not ended and _is_here(self.came_on, self.left_on, today)


def _is_here(came_on: date | None, left_on: date | None, today: date) -> bool:
    return (came_on is None or came_on <= today) and (left_on is None or left_on > today)


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything of one school at one moment, those who left included."""

    groups: tuple[GroupRecord, ...] = ()
    pupils: tuple[PupilRecord, ...] = ()
    staff: tuple[StaffRecord, ...] = ()


def roster_of(picture: Picture, today: date) -> Roster:
    """The roster that Basispoort should hold on `today`."""
    pupils = [_travelling_pupil(record.pupil) for record in picture.pupils if record.is_active(today)]
    staff = [
        replace(record.member, roles=roles)
        for record in picture.staff
        if record.is_active(today) and (roles := record.member.roles - {Role.ICT_COORDINATOR})
    ]
    return Roster.of([*(record.group for record in picture.groups), *pupils, *staff])


def leavers_of(picture: Picture, today: date) -> Mapping[Kind, Mapping[str, date]]:
    """Recorded leaving dates of people who are no longer in the roster, per kind by key."""
    pupils = {
        record.pupil.key: record.left_on
        for record in picture.pupils
        if record.left_on is not None and not record.is_active(today)
    }
    staff = {
        record.member.key: left_on
        for record in picture.staff
        if (left_on := record.left_on or record.member.ends_on) is not None and not record.is_active(today)
    }
    return {Kind.PUPIL: pupils, Kind.STAFF: staff}


def _travelling_pupil(pupil: Pupil) -> Pupil:
    return replace(pupil, year=None) if pupil.year in NO_YEAR else pupil
