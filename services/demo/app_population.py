"""Who Taalblobs and Rekenblobs know before the school is connected: its pupils as teachers once typed them in.

What is right is kept beside it, so that the demo can verify what the pairing made of it.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from services.demo.names import CALL_NAMES, FIRST_NAMES, SURNAMES
from services.demo.school import address, plain
from shared.edexml import EdexmlFile
from shared.roster import Group, GroupKind, Pupil, Role, StaffMember

PUPILS = 150
_STRANGERS = 4  # of every 150: left the school long ago, still in the app


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPupil:
    """A pupil as the app has it. `truth` is the key of the pupil at school, None for a stranger; the app lacks it."""

    first_name: str | None
    prefix: str | None
    last_name: str | None
    group: str
    exercises_done: int
    last_worked_on: date | None
    eck_id: str | None = None
    truth: str | None = None
    damage: str | None = None  # what happened to the name, in one word


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTeacher:
    first_name: str
    prefix: str | None
    last_name: str
    email: str
    is_admin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPopulation:
    """One account of one app. `groups` are the app's own names for them."""

    app: str
    admin: str  # user name of the administrator of the account
    groups: tuple[str, ...]
    pupils: tuple[AppPupil, ...]
    teachers: tuple[AppTeacher, ...]


def app_population(school: EdexmlFile, app: str, today: date, seed: int = 1) -> AppPopulation:
    """150 of the school's pupils (or as many as there are) besides a few strangers, with their work and teachers.

    Three quarters are typed in without a fault. Twins and namesakes are among them whenever the school has them.
    """
    random = Random(f"{app} {seed}")
    domain = _domain(school)
    groups = {group.key: group for group in school.groups if group.kind is GroupKind.HOME}
    known = _choose(random, [entry.pupil for entry in school.pupils if not entry.has_left(today)])
    taken = {_spelling(pupil) for pupil in known}
    pupils = [_typed_in(random, pupil, groups, today, taken) for pupil in known]
    pupils += _strangers(random, school, pupils, today)
    random.shuffle(pupils)
    return AppPopulation(
        app=app,
        admin=f"beheer.{app}@{domain}",
        groups=tuple(sorted({pupil.group for pupil in pupils})),
        pupils=tuple(pupils),
        teachers=_teachers(random, school, app, domain),
    )


def _domain(school: EdexmlFile) -> str:
    """Of the school's own addresses, or one made from its code."""
    addresses = [entry.member.email for entry in school.staff if entry.member.email]
    return addresses[0].partition("@")[2] if addresses else f"school-{str(school.school.school_code).lower()}.example"


def _choose(random: Random, pupils: list[Pupil]) -> list[Pupil]:
    """150 pupils (or all there are): those who share a name with another one first, then by lot."""
    by_name: dict[tuple[str, str, str], list[Pupil]] = {}
    for pupil in pupils:
        by_name.setdefault(_spelling(pupil), []).append(pupil)
    alike = [pupil for same in by_name.values() if len(same) > 1 for pupil in same][:20]
    chosen = {pupil.key for pupil in alike}
    others = [pupil for pupil in pupils if pupil.key not in chosen]
    return [*alike, *random.sample(others, min(len(others), PUPILS - len(alike)))]


def _typed_in(
    random: Random, pupil: Pupil, groups: dict[str, Group], today: date, taken: set[tuple[str, str, str]]
) -> AppPupil:
    """The pupil as a teacher typed it: mostly right, else with a usual fault, now and then in an old group."""
    name = (pupil.first_name or "", pupil.prefix, pupil.last_name or "")
    damage = None
    if random.random() < 0.25 and name[0] and name[2]:
        for kind in random.sample(list(_DAMAGES), len(_DAMAGES)):
            damaged = _DAMAGES[kind](random, name)
            # never into the name of another child: then nobody could tell who is meant
            if damaged != name and (damaged[0], damaged[1] or "", damaged[2]) not in taken:
                name, damage = damaged, kind
                break
    group = groups.get(pupil.home_group or "")
    is_old = random.random() < 0.05
    worked = random.random() < 0.9
    return AppPupil(
        first_name=name[0] or None,
        prefix=name[1],
        last_name=name[2] or None,
        group=_app_group(group, pupil.year, is_old=is_old),
        exercises_done=random.randint(3, 640) if worked else 0,
        last_worked_on=today - timedelta(days=random.randint(1, 200)) if worked else None,
        eck_id=pupil.eck_id if random.random() < 0.05 else None,
        truth=pupil.key,
        damage=damage,
    )


def _app_group(group: Group | None, year: str | None, *, is_old: bool) -> str:
    """The app's own spelling: 5A is Groep 5a; an old group is that of a year ago."""
    if is_old and year and year in "45678":
        return f"Groep {int(year) - 1} (vorig jaar)"
    if group is None:
        return f"Groep {year}" if year else "Zonder groep"
    return group.name if group.name.casefold().startswith("groep") else f"Groep {group.name.lower()}"


Name = tuple[str, str | None, str]


def _without_diacritics(_random: Random, name: Name) -> Name:
    def bare(text: str) -> str:
        spelled = text.translate(str.maketrans("ıłŁ", "ilL"))
        return "".join(sign for sign in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(sign))

    return bare(name[0]), name[1], bare(name[2])


def _without_prefix(_random: Random, name: Name) -> Name:
    return name[0], None, name[2]


def _short_prefix(_random: Random, name: Name) -> Name:
    short = {"van der": "v.d.", "van den": "v.d.", "van de": "v.d.", "van": "v.", "van 't": "v.t.", "ter": "t."}
    return name[0], short.get(name[1] or "", name[1]), name[2]


def _prefix_behind(_random: Random, name: Name) -> Name:
    return (name[0], None, f"{name[2]}, {name[1]}") if name[1] else name


def _swapped_letters(random: Random, name: Name) -> Name:
    at = random.randrange(1, max(2, len(name[2]) - 1))
    return name[0], name[1], name[2][:at] + name[2][at : at + 2][::-1] + name[2][at + 2 :]


def _missing_letter(random: Random, name: Name) -> Name:
    at = random.randrange(1, max(2, len(name[2])))
    return (name[0], name[1], name[2][:at] + name[2][at + 1 :]) if len(name[2]) > 3 else name


def _call_name(_random: Random, name: Name) -> Name:
    return CALL_NAMES.get(name[0], name[0]), name[1], name[2]


_DAMAGES: dict[str, Callable[[Random, Name], Name]] = {
    "diacritics": _without_diacritics,
    "prefix-missing": _without_prefix,
    "prefix-short": _short_prefix,
    "prefix-behind": _prefix_behind,
    "swapped": _swapped_letters,
    "missing-letter": _missing_letter,
    "call-name": _call_name,
}


def _spelling(pupil: Pupil) -> tuple[str, str, str]:
    return pupil.first_name or "", pupil.prefix or "", pupil.last_name or ""


def _strangers(random: Random, school: EdexmlFile, pupils: list[AppPupil], today: date) -> list[AppPupil]:
    """Pupils who left the school: nobody there has both their names."""
    present = {(plain(entry.pupil.first_name or ""), plain(entry.pupil.last_name or "")) for entry in school.pupils}
    strangers: list[AppPupil] = []
    groups = sorted({pupil.group for pupil in pupils}) or ["Groep 8"]
    while len(strangers) < _STRANGERS * len(pupils) // PUPILS:
        first_name, (prefix, last_name) = random.choice(FIRST_NAMES), random.choice(SURNAMES)
        if (plain(first_name), plain(last_name)) in present:
            continue
        present.add((plain(first_name), plain(last_name)))
        strangers.append(
            AppPupil(
                first_name=first_name,
                prefix=prefix,
                last_name=last_name,
                group=random.choice(groups),
                exercises_done=random.randint(10, 300),
                last_worked_on=today - timedelta(days=random.randint(200, 700)),
            )
        )
    return strangers


def _teachers(random: Random, school: EdexmlFile, app: str, domain: str) -> tuple[AppTeacher, ...]:
    """Some teachers under the school's address, one under a private one, one who left, and the administrator."""
    own = [
        entry.member
        for entry in school.staff
        if Role.TEACHER in entry.member.roles and entry.member.email and entry.member.last_name
    ]
    chosen = random.sample(own, min(8, len(own)))
    teachers = [_app_teacher(member, member.email or "") for member in chosen[:-1]]
    teachers += [
        _app_teacher(member, address(member.first_name or "", None, "thuis", "post.example")) for member in chosen[-1:]
    ]
    left = address("Gerda", "van", "Zanten", domain)
    teachers.append(AppTeacher(first_name="Gerda", prefix="van", last_name="Zanten", email=left))
    admin = f"beheer.{app}@{domain}"
    return (*teachers, AppTeacher(first_name="Beheer", prefix=None, last_name=app.title(), email=admin, is_admin=True))


def _app_teacher(member: StaffMember, email: str) -> AppTeacher:
    return AppTeacher(
        first_name=member.first_name or "", prefix=member.prefix, last_name=member.last_name or "", email=email
    )
