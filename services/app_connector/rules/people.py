"""The two sides as frozen values: the people in the hub's roster, and the people in one app.

Nothing here knows about work: how much a pupil did is shown beside a plan and never decides anything in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from shared.roster import Role


class Mode(StrEnum):
    """How a school synchronises, in the words of its manual."""

    SELECTIVE = "selectief"
    EVERYTHING = "alles"


class Origin(StrEnum):
    """Where a person in an app came from."""

    LOCAL = "lokaal"
    PAIRED = "gekoppeld"
    CREATED = "aangemaakt"


# Who of the staff goes along: chain.md section 8. A coordinator who does not teach has no use for the app.
ROLES_IN_APPS = frozenset({Role.TEACHER, Role.INTERNAL_COACH, Role.TRAINEE, Role.SUBSTITUTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class HubGroup:
    key: str
    name: str
    year: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPupil:
    """`id` is the hub's number, `key` the administration's; `group` is the key of the home group."""

    id: int
    first_name: str | None
    last_name: str | None
    prefix: str | None = None
    key: str | None = None
    eck_id: str | None = None
    group: str | None = None
    year: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTeacher:
    id: int
    first_name: str | None
    last_name: str | None
    prefix: str | None = None
    email: str | None = None
    roles: frozenset[Role] = frozenset()
    groups: tuple[str, ...] = ()
    ends_on: date | None = None

    def goes_along(self, today: date) -> bool:
        """Does this member of staff belong in an app?"""
        return bool(self.roles & ROLES_IN_APPS) and (self.ends_on is None or self.ends_on >= today)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRoster:
    """One school as the hub shows it to a publisher; groups by key, people by the hub's number."""

    groups: Mapping[str, HubGroup] = field(default_factory=dict)
    pupils: Mapping[int, HubPupil] = field(default_factory=dict)
    staff: Mapping[int, HubTeacher] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppGroup:
    """`key` is the home group in the hub that this group follows, if any."""

    id: int
    name: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPupil:
    """`group` is the id of an AppGroup; `basispoort_id` the hub's number, once paired or created."""

    id: int
    first_name: str | None
    last_name: str | None
    prefix: str | None = None
    group: int | None = None
    year: str | None = None
    eck_id: str | None = None
    las_key: str | None = None
    basispoort_id: int | None = None
    origin: Origin = Origin.LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTeacher:
    """`groups` are keys of home groups in the hub."""

    id: int
    first_name: str | None
    last_name: str | None
    prefix: str | None = None
    email: str | None = None
    groups: tuple[str, ...] = ()
    is_admin: bool = False
    basispoort_id: int | None = None
    origin: Origin = Origin.LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """One app account of one school: who is in the app now, by id, and who left it but is not yet erased.

    `gone_pupils` and `gone_teachers`: hub number -> the account that person had, kept with all work.
    """

    groups: Mapping[int, AppGroup] = field(default_factory=dict)
    pupils: Mapping[int, AppPupil] = field(default_factory=dict)
    teachers: Mapping[int, AppTeacher] = field(default_factory=dict)
    gone_pupils: Mapping[int, AppPupil] = field(default_factory=dict)
    gone_teachers: Mapping[int, AppTeacher] = field(default_factory=dict)
    admin_user: str = ""
    pupil_seats: int | None = None
    teacher_seats: int | None = None


def full_name(person: HubPupil | HubTeacher | AppPupil | AppTeacher) -> str:
    """Call name, prefix, surname, as Dutch people read it."""
    return " ".join(part for part in (person.first_name, person.prefix, person.last_name) if part)
