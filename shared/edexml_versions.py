"""What each version of EDEXML can hold, and what becomes of a school in a version that cannot hold all of it (pure).

Law: a file that is written in a version and read again is `as_held` in that version.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from shared.edexml import COMBINATION, LENGTHS, YEARS, EdexmlFile, EdexmlPupil, EdexmlStaff, Notice
from shared.language import say
from shared.roster import Entry, Group, GroupKind, Person, Pupil, Role, StaffMember

P = TypeVar("P", Pupil, StaffMember)
_NO_YEAR_OF_ITS_OWN = "S"  # 1.0.3 wants a year of every group and has no word for "several" or "none"


class Version(StrEnum):
    V1_0_3 = "1.0.3"
    V2_0 = "2.0"
    V2_1 = "2.1"


@dataclass(frozen=True, slots=True)
class Profile:
    """`spelled`: as a file names its version. `newest_year`: the last school year in the published schema."""

    version: Version
    spelled: str
    newest_year: str
    key_length: int
    surname_length: int
    years: frozenset[str]
    holds_eck_ids: bool
    holds_details: bool  # addresses, roles, composite groups, descriptions, reference date, a year beside a group


_SMALL_YEARS = frozenset("012345678") | {"11", "12", "13", "S", "H"}
PROFILES = {
    each.version: each
    for each in (
        Profile(Version.V1_0_3, "1.03", "2019-2020", 64, 70, _SMALL_YEARS, holds_eck_ids=False, holds_details=False),
        Profile(Version.V2_0, "2.0", "2024-2025", 64, 200, YEARS, holds_eck_ids=False, holds_details=True),
        Profile(Version.V2_1, "2.1", "2024-2025", 256, 200, YEARS, holds_eck_ids=True, holds_details=True),
    )
}


def as_held(file: EdexmlFile, version: Version) -> EdexmlFile:
    """The school as a file in this version has it.

    Keys that are too long become dummies, which name nobody outside the file; where there are no roles, only those who
    teach are in it.
    """
    profile = PROFILES[version]
    years = _group_years(file, profile)
    school_key = file.school.school_key
    held = replace(
        file,
        school=replace(file.school, school_key=school_key if _fits(school_key, profile) else None),
        groups=tuple(_group(group, years, profile) for group in _groups(file, profile)),
        pupils=tuple(_pupil(entry, years, profile) for entry in file.pupils),
        staff=tuple(_member(entry, profile) for entry in _staff(file, profile)),
    )
    if profile.holds_details:
        return held
    return replace(held, school=replace(held.school, as_of=None))


def surname_of(person: Person) -> tuple[str | None, str | None]:
    """Prefix and surname; a prefix that is too long for the format goes in front of the surname, so nothing is lost."""
    prefix, surname = person.prefix, person.last_name
    if prefix and surname and len(prefix) > LENGTHS["voorvoegsel"]:
        return None, f"{prefix} {surname}"
    return prefix, surname


def losses_of_version(file: EdexmlFile, version: Version) -> tuple[Notice, ...]:
    """What this version cannot hold of a file, counted; nothing for 2.1, which holds all that we have."""
    profile = PROFILES[version]
    years = _group_years(file, profile)
    people: list[Person] = [*(entry.pupil for entry in file.pupils), *(entry.member for entry in file.staff)]
    keyed: list[Entry] = [*people, *file.groups]
    composites = [group for group in file.groups if group.kind is GroupKind.COMPOSITE]
    small = not profile.holds_details
    counted: Sequence[tuple[str, int, str]] = (
        (
            "eck-ids",
            0 if profile.holds_eck_ids else sum(person.eck_id is not None for person in people),
            say("ECK iD's kunnen niet in deze versie: een ontvanger herkent mensen alleen aan hun sleutel."),
        ),
        (
            "long-keys",
            sum(not _fits(each.key, profile) for each in keyed),
            say(
                "Sleutels van meer dan %(most)s tekens zijn in het bestand tijdelijk (#): een ontvanger "
                "herkent deze mensen of groepen een volgende keer niet.",
                most=profile.key_length,
            ),
        ),
        (
            "addresses",
            small * sum(entry.member.email is not None for entry in file.staff),
            say(
                "E-mailadressen van leerkrachten kunnen niet in deze versie: zo krijgt niemand een account "
                "in Basispoort."
            ),
        ),
        (
            "not-teachers",
            len(file.staff) - len(_staff(file, profile)),
            say("Deze versie kent geen rollen. Wie geen leerkracht of invaller is, staat niet in het bestand."),
        ),
        (
            "composites",
            small * len(composites),
            say("Samengestelde groepen kunnen niet in deze versie."),
        ),
        (
            "descriptions",
            small * sum(group.description is not None for group in file.groups if group not in composites),
            say("Omschrijvingen van groepen kunnen niet in deze versie."),
        ),
        (
            "years-of-groups",
            sum(years[group.key] != group.year for group in _homes(file)) if small else 0,
            say(
                "Combinatiegroepen en groepen zonder leerjaar hebben in deze versie het leerjaar van de meeste "
                "leerlingen."
            ),
        ),
        (
            "years",
            sum(_pupil(entry, years, profile).pupil.year != entry.pupil.year for entry in file.pupils),
            say("Leerlingen hebben in deze versie het leerjaar van hun groep, of geen."),
        ),
    )
    return tuple(Notice(kind, count, text) for kind, count, text in counted if count)


def _fits(key: str | None, profile: Profile) -> bool:
    return key is None or len(key) <= profile.key_length


def _key(key: str, profile: Profile) -> str:
    return key if _fits(key, profile) else f"#{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def _keys(keys: Iterable[str], profile: Profile) -> frozenset[str]:
    return frozenset(_key(key, profile) for key in keys)


def _homes(file: EdexmlFile) -> list[Group]:
    return [group for group in file.groups if group.kind is GroupKind.HOME]


def _groups(file: EdexmlFile, profile: Profile) -> Sequence[Group]:
    return file.groups if profile.holds_details else _homes(file)


def _staff(file: EdexmlFile, profile: Profile) -> Sequence[EdexmlStaff]:
    if profile.holds_details:
        return file.staff
    teaching = {Role.TEACHER, Role.SUBSTITUTE}
    return [entry for entry in file.staff if entry.member.roles & teaching]


def _group_years(file: EdexmlFile, profile: Profile) -> dict[str, str]:
    """The year of each home group, as this version can say it."""
    pupils: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in file.pupils:
        if entry.pupil.home_group and entry.pupil.year in profile.years:
            pupils[entry.pupil.home_group][entry.pupil.year] += 1
    years = {}
    for group in _homes(file):
        year = group.year or COMBINATION
        if year not in profile.years:
            commonest = sorted(pupils[group.key].items(), key=lambda each: (-each[1], each[0]))
            year = commonest[0][0] if commonest else _NO_YEAR_OF_ITS_OWN
        years[group.key] = year
    return years


def _group(group: Group, years: Mapping[str, str], profile: Profile) -> Group:
    held = replace(group, key=_key(group.key, profile))
    if group.kind is GroupKind.HOME:
        held = replace(held, year=years[group.key])
    return held if profile.holds_details else replace(held, description=None)


def _pupil(entry: EdexmlPupil, years: Mapping[str, str], profile: Profile) -> EdexmlPupil:
    pupil = _person(entry.pupil, profile)
    home = entry.pupil.home_group
    pupil = replace(
        pupil,
        home_group=_key(home, profile) if home else None,
        composite_groups=_keys(pupil.composite_groups, profile) if profile.holds_details else frozenset(),
    )
    if not profile.holds_details:
        year = years[home] if home else pupil.year
        pupil = replace(pupil, year=year if year in profile.years else None)
    return replace(entry, pupil=pupil)


def _member(entry: EdexmlStaff, profile: Profile) -> EdexmlStaff:
    member = _person(entry.member, profile)
    member = replace(member, home_groups=_keys(member.home_groups, profile))
    if profile.holds_details:
        return replace(entry, member=replace(member, composite_groups=_keys(member.composite_groups, profile)))
    bare = replace(member, composite_groups=frozenset(), email=None, roles=frozenset({Role.TEACHER}), ends_on=None)
    return replace(entry, member=bare, is_ict=False)


def _person(person: P, profile: Profile) -> P:
    held = replace(person, key=_key(person.key, profile), eck_id=person.eck_id if profile.holds_eck_ids else None)
    prefix, surname = surname_of(person)
    if surname and len(surname) > profile.surname_length:
        held = replace(held, prefix=prefix, last_name=surname[: profile.surname_length].rstrip())
    return held
