"""A generated Dutch primary school, as an EDEXML file holds it: De Regenboog, 400 pupils, 16 groups.

Everything follows from the seed: the same seed gives the same school on every machine. Nobody in it exists.
"""

import hashlib
import re
import unicodedata
from dataclasses import replace
from datetime import date, timedelta
from itertools import cycle
from random import Random

from services.demo.names import CALL_NAMES, FIRST_NAMES, SURNAMES, TEACHER_FIRST_NAMES
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlSchool, EdexmlStaff
from shared.identifiers import SchoolCode, holds_citizen_number
from shared.roster import Group, GroupKind, Pupil, Role, StaffMember

SCHOOL_NAME = "OBS De Regenboog"
SCHOOL_CODE = SchoolCode("99ZA", "00")
DOMAIN = "deregenboog.example"
OLD_DOMAIN = "obs-regenboog.example"

# name, the years in it, the composite groups its pupils may be in
_HOME_GROUPS = (
    ("1/2A", "12"),
    ("1/2B", "12"),
    ("1/2C", "12"),
    ("3A", "3"),
    ("3B", "3"),
    ("3/4", "34"),
    ("4A", "4"),
    ("5A", "5"),
    ("5B", "5"),
    ("5/6", "56"),
    ("6A", "6"),
    ("7A", "7"),
    ("7B", "7"),
    ("7/8", "78"),
    ("8A", "8"),
    ("8B", "8"),
)
_COMPOSITES = (  # name, description, years, the share of those years in it
    ("Plusklas", "Verrijking op dinsdagmiddag", "5678", 0.12),
    ("Leesgroep maan", None, "34", 0.25),
    ("Rekengroep ster", "Rekenen op niveau", "56", 0.20),
    ("Taalklas", "Nederlands als tweede taal", "345678", 0.05),
    ("Schoolkoor", None, "345678", 0.10),
)
_PUPILS = 400
_TEACHERS = 28


def a_school(today: date, seed: int = 1, code: SchoolCode = SCHOOL_CODE, domain: str = DOMAIN) -> EdexmlFile:
    """The school on that day, ready to be written: groups, pupils, staff.

    1. 16 home groups (four kinds of combination group among them) and five composite groups.
    2. 400 pupils: twins, namesakes also within one group, prefixes, diacritics, ECK iDs for most.
    3. 28 teachers, two of them with the function ICT, besides an internal coach, a trainee, a substitute with an end
       date, and two people whose work gives no access.
    """
    random = Random(seed)
    start = today.year if today.month >= 8 else today.year - 1
    groups = _groups(start)
    homes = [group for group in groups if group.kind is GroupKind.HOME]
    composites = [group for group in groups if group.kind is GroupKind.COMPOSITE]
    school = EdexmlSchool(
        school_code=code,
        school_key=domain.partition(".")[0],
        school_year=f"{start}-{start + 1}",
        as_of=today,
        version="2.1",
    )
    pupils = _pupils(random, seed, start, homes, composites)
    staff = _staff(random, seed, today, domain, homes, composites)
    return EdexmlFile(school=school, groups=tuple(groups), pupils=tuple(pupils), staff=tuple(staff))


def another_school(today: date, place: int) -> EdexmlFile:
    """One of the schools besides De Regenboog, numbered from 1, each with a code, people and addresses of its own."""
    branch, letters = divmod(place, 26 * 26)
    code = SchoolCode(f"99{chr(65 + letters // 26)}{chr(65 + letters % 26)}", f"{10 + branch:02}")
    return a_school(today, seed=1_000 + place, code=code, domain=f"school-{place}.example")


def coordinators(school: EdexmlFile) -> list[StaffMember]:
    """Who in this file may be asked to become ICT coordinator: staff with that function and an address."""
    return [entry.member for entry in school.staff if entry.is_ict and entry.member.email]


def an_older_file(school: EdexmlFile, seed: int = 1) -> EdexmlFile:
    """What somebody wrote by hand for the hub a while ago, with the xml-maker.

    The same school half a year back: most staff with the address of today (whoever minds the computers always), some
    with an older or another one, a few without, one not there yet. A file without addresses gives an old one without.
    """
    random = Random(f"older {seed}")
    staff = [
        entry
        if entry.is_ict
        else replace(entry, member=replace(entry.member, email=_older_address(entry.member.email, place)))
        for place, entry in enumerate(entry for entry in school.staff if Role.SUBSTITUTE not in entry.member.roles)
    ]
    if len(staff) > 10:
        staff.remove(random.choice([entry for entry in staff if not entry.is_ict]))
    as_of = school.school.as_of and school.school.as_of - timedelta(days=180)
    pupils = school.pupils[: max(1, len(school.pupils) - len(school.pupils) // 40)]
    return replace(school, school=replace(school.school, as_of=as_of), staff=tuple(staff), pupils=pupils)


def _older_address(email: str | None, place: int) -> str | None:
    """Of every ten: two on the old domain of the school, one at another provider, one unknown, the others as now."""
    if email is None:
        return None
    local = email.partition("@")[0]
    match place % 10:
        case 3 | 8:
            return f"{local}@{OLD_DOMAIN}"
        case 5:
            return f"{local.replace('.', '')}@thuispost.example"
        case 7:
            return None
        case _:
            return email


def _groups(start: int) -> list[Group]:
    """Keys of groups carry the school year: EDEXML lets a group live for one year."""
    year = f"{start % 100:02}"
    homes = [
        Group(key=f"{year}-{name}", kind=GroupKind.HOME, name=name, year=years if len(years) == 1 else "C")
        for name, years in _HOME_GROUPS
    ]
    composites = [
        Group(key=f"{year}-s{place}", kind=GroupKind.COMPOSITE, name=name, description=description)
        for place, (name, description, _, _) in enumerate(_COMPOSITES, start=1)
    ]
    return [*homes, *composites]


def _pupils(random: Random, seed: int, start: int, homes: list[Group], composites: list[Group]) -> list[EdexmlPupil]:
    names = _pupil_names(random)
    entries = []
    for place, (first_name, prefix, last_name) in enumerate(names):
        number = place // (_PUPILS // len(homes))
        group, years = homes[number], _HOME_GROUPS[number][1]
        year = years[place * len(years) // (_PUPILS // len(homes)) % len(years)]
        key = str(1_000_417 + 13 * place)
        pupil = Pupil(
            key=key,
            first_name=first_name,
            prefix=prefix,
            last_name=last_name,
            initials=_initials(random, first_name),
            eck_id=_eck_id(seed, "LL", key) if random.random() < 0.95 else None,
            year=year,
            home_group=group.key,
            composite_groups=frozenset(
                composite.key
                for composite, (_, _, its_years, share) in zip(composites, _COMPOSITES, strict=True)
                if year in its_years and random.random() < share
            ),
        )
        joined = date(start - max(0, int(year) - 1), 8, 1) if random.random() < 0.9 else date(start, 10, 13)
        entries.append(EdexmlPupil(pupil=pupil, joined_on=joined))
    return entries


def _pupil_names(random: Random) -> list[tuple[str, str | None, str]]:
    """400 names, different but for those that must be alike: twins share a surname, namesakes all of it."""
    first_names = [*FIRST_NAMES, *CALL_NAMES]
    seen: set[tuple[str, str]] = set()
    names: list[tuple[str, str | None, str]] = []
    while len(names) < _PUPILS:
        first_name = random.choice(first_names)
        prefix, last_name = random.choice(SURNAMES)
        if (first_name, last_name) not in seen:
            seen.add((first_name, last_name))
            names.append((first_name, prefix, last_name))
    for one, other in ((80, 81), (203, 204), (280, 310)):  # twins: two pairs in one group, one pair in 7A and 7B
        twin = random.choice([name for name in first_names if (name, names[one][2]) not in seen])
        names[other] = (twin, *names[one][1:])
    for one, other in ((127, 139), (178, 190), (90, 265), (155, 380)):  # namesakes: two pairs within one group
        names[other] = names[one]
    return names


def _staff(
    random: Random, seed: int, today: date, domain: str, homes: list[Group], composites: list[Group]
) -> list[EdexmlStaff]:
    names = random.sample(TEACHER_FIRST_NAMES, _TEACHERS + 5)
    surnames = random.sample(SURNAMES, len(names))
    homes_of: list[set[str]] = [set() for _ in names]
    for place, group in enumerate(homes):  # the first sixteen teach a group each, the next nine share one with them
        homes_of[place].add(group.key)
    for place, group in zip(range(len(homes), 25), cycle(homes), strict=False):
        homes_of[place].add(group.key)
    homes_of[2].add(homes[4].key)
    homes_of[9].add(homes[10].key)
    everywhere = {group.key for group in homes}
    homes_of[25] = set(everywhere)  # gym, to all groups
    homes_of[26], homes_of[27] = {group.key for group in homes[8:]}, {homes[0].key, homes[1].key}
    substitute, coach, trainee = _TEACHERS, _TEACHERS + 1, _TEACHERS + 2
    homes_of[substitute] = set(everywhere)
    homes_of[trainee] = {homes[6].key}
    entries = []
    for place, (first_name, (prefix, last_name)) in enumerate(zip(names, surnames, strict=True)):
        key = f"P{201 + 7 * place}"
        roles = {substitute: {Role.SUBSTITUTE}, coach: {Role.INTERNAL_COACH}, trainee: {Role.TRAINEE}}.get(
            place, {Role.TEACHER} if place < _TEACHERS else set()
        )
        member = StaffMember(
            key=key,
            first_name=first_name,
            prefix=prefix,
            last_name=last_name,
            initials=_initials(random, first_name),
            eck_id=_eck_id(seed, "LK", key) if random.random() < 0.9 else None,
            email=f"inval@{domain}" if place == substitute else address(first_name, prefix, last_name, domain),
            roles=frozenset(roles),
            home_groups=frozenset(homes_of[place]),
            composite_groups=frozenset({composites[place].key} if place < len(composites) else ()),
            ends_on=today + timedelta(days=60) if place == substitute else None,
        )
        entries.append(EdexmlStaff(member=member, is_ict=place in {11, 25}))
    return entries


def plain(text: str) -> str:
    """In lower case, letters a to z only: Zoë van der Meer -> zoevandermeer."""
    spelled = text.translate(str.maketrans("ıłŁøØ", "ilLoO"))
    return re.sub(r"[^a-z]", "", unicodedata.normalize("NFKD", spelled).casefold())


def address(first_name: str, prefix: str | None, last_name: str, domain: str) -> str:
    return f"{plain(first_name)}.{plain((prefix or '') + last_name)}@{domain}"


def _initials(random: Random, first_name: str) -> str:
    return first_name[0] + "".join(random.choice("ABCDEHJLMPRST") for _ in range(random.choice((0, 0, 1, 2))))


def _eck_id(seed: int, kind: str, key: str) -> str:
    """A pseudonym as the chain has them: the same person always gets the same one, and it tells nothing."""
    for turn in range(100):
        made = f"https://ketenid.example/{kind}/{hashlib.sha256(f'{seed} {kind} {key} {turn}'.encode()).hexdigest()}"
        if not holds_citizen_number(made):
            return made
    raise AssertionError("no digest of a hundred is free of nine digits on their own")
