"""What must be put right before a school may switch the connection on (pure).

Law: errors forbid the tick; warnings are confirmed with their number. All findings are listed at once.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.eduscope_api.rules.exchange import NO_YEAR, Picture, PupilRecord, StaffRecord
from shared.problems import Problem
from shared.roster import Group, GroupKind, Kind, Role, full_name

_DIGITS = re.compile(r"[0-9]+")
# Endings that are nearly always a slip of the finger; the right one beside it.
_SLIPS = {
    "gmial.com": "gmail.com",
    "gmail.nl": "gmail.com",
    "gmail.con": "gmail.com",
    "gmail.co": "gmail.com",
    "gamil.com": "gmail.com",
    "hotmial.com": "hotmail.com",
    "hotmail.con": "hotmail.com",
    "hotmal.com": "hotmail.com",
    "outlok.com": "outlook.com",
    "outloook.com": "outlook.com",
    "outlook.con": "outlook.com",
    "ziggo.com": "ziggo.nl",
    "kpnmail.com": "kpnmail.nl",
}
RARE_DOMAIN_SHARE = 0.1


class Weight(StrEnum):
    ERROR = "fout"
    WARNING = "waarschuwing"


class Check(StrEnum):
    """The checks, by the name they have on the wire."""

    EMPTY = "leeg"
    DOUBLE_ADDRESS = "dubbel-adres"
    LOOSE_END = "los-eind"
    NO_HOME_GROUP = "zonder-groep"
    NO_YEAR = "zonder-leerjaar"
    YEAR_DIFFERS = "leerjaar-past-niet"
    NO_ADDRESS = "zonder-adres"
    ODD_ADDRESS = "vreemd-adres"
    TEACHES_NOTHING = "leerkracht-zonder-groep"
    NOBODY_TEACHES = "groep-zonder-leerkracht"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not right: what, about whom (`kind` and our own row number), and a Dutch sentence."""

    weight: Weight
    check: Check
    kind: Kind | None
    id: int | None
    name: str
    sentence: str


class NotReady(Problem):
    status, slug, title = 409, "not-ready", "The school is not ready to be connected"
    uitleg = "De koppeling kan nog niet aan. Bekijk de controles en werk de gegevens bij."


def findings(picture: Picture, today: date) -> list[Finding]:
    """Every error and warning, errors first, in the order of the manual's steps."""
    pupils = [record for record in picture.pupils if record.is_active(today)]
    staff = [record for record in picture.staff if record.is_active(today) and record.member.roles]
    groups = {record.group.key: record.group for record in picture.groups}
    found = [
        *_emptiness(pupils, groups),
        *_double_addresses(staff),
        *_loose_ends(pupils, staff, groups),
        *_pupils(pupils, groups),
        *_addresses(staff),
        *_teaching(picture, staff),
    ]
    return sorted(found, key=lambda finding: finding.weight is not Weight.ERROR)


def check_ready(found: Iterable[Finding], warnings_seen: int | None) -> None:
    """May the tick be set? Raises NotReady with every error, or with the warnings that nobody has confirmed yet."""
    listed = list(found)
    errors = [finding.sentence for finding in listed if finding.weight is Weight.ERROR]
    warnings = [finding.sentence for finding in listed if finding.weight is Weight.WARNING]
    if errors:
        raise NotReady("There are errors", objections=errors, waarschuwingen=len(warnings))
    if len(warnings) != (warnings_seen or 0):
        raise NotReady("Confirm the warnings with their number", objections=warnings, waarschuwingen=len(warnings))


def _emptiness(pupils: list[PupilRecord], groups: dict[str, Group]) -> Iterator[Finding]:
    if not pupils:
        yield Finding(Weight.ERROR, Check.EMPTY, None, None, "", "De school heeft geen enkele actieve leerling.")
    if not groups:
        yield Finding(Weight.ERROR, Check.EMPTY, None, None, "", "De school heeft geen enkele groep.")


def _double_addresses(staff: list[StaffRecord]) -> Iterator[Finding]:
    holders: dict[str, list[StaffRecord]] = defaultdict(list)
    for record in staff:
        if record.member.email:
            holders[record.member.email].append(record)
    for sharing in holders.values():
        if len(sharing) > 1:
            names = ", ".join(full_name(record.member) for record in sharing)
            for record in sharing:
                yield _about_staff(
                    Weight.ERROR, Check.DOUBLE_ADDRESS, record, f"Hetzelfde e-mailadres staat bij {names}."
                )


def _loose_ends(pupils: list[PupilRecord], staff: list[StaffRecord], groups: dict[str, Group]) -> Iterator[Finding]:
    def is_kind(key: str, kind: GroupKind) -> bool:
        return key in groups and groups[key].kind is kind

    for record in pupils:
        pupil = record.pupil
        home_is_right = pupil.home_group is None or is_kind(pupil.home_group, GroupKind.HOME)
        if not home_is_right or not all(is_kind(key, GroupKind.COMPOSITE) for key in pupil.composite_groups):
            sentence = f"{pupil.full_name} staat in een groep die niet bestaat of van een andere soort is."
            yield _about_pupil(Weight.ERROR, Check.LOOSE_END, record, sentence)
        if not pupil.full_name:
            yield _about_pupil(Weight.ERROR, Check.LOOSE_END, record, "Een leerling heeft geen naam.")
    for member in staff:
        taught = member.member.home_groups | member.member.composite_groups
        if not taught <= groups.keys():
            sentence = f"{member.member.full_name} is gekoppeld aan een groep die niet bestaat."
            yield _about_staff(Weight.ERROR, Check.LOOSE_END, member, sentence)
        if not member.member.full_name:
            yield _about_staff(Weight.ERROR, Check.LOOSE_END, member, "Een personeelslid heeft geen naam.")


def _pupils(pupils: list[PupilRecord], groups: dict[str, Group]) -> Iterator[Finding]:
    for record in pupils:
        pupil = record.pupil
        name = pupil.full_name
        group = groups.get(pupil.home_group) if pupil.home_group else None
        if pupil.home_group is None:
            sentence = f"{name} is niet gekoppeld aan een administratieve groep."
            yield _about_pupil(Weight.WARNING, Check.NO_HOME_GROUP, record, sentence)
        if pupil.year is None or pupil.year in NO_YEAR:
            sentence = f"{name} heeft geen leerjaar-indicatie."
            yield _about_pupil(Weight.WARNING, Check.NO_YEAR, record, sentence)
        elif group is not None and not year_fits(pupil.year, group):
            sentence = f"{name} heeft leerjaar {pupil.year}; dat past niet bij {group.name}."
            yield _about_pupil(Weight.WARNING, Check.YEAR_DIFFERS, record, sentence)


def year_fits(year: str, group: Group) -> bool:
    """Is this year one of the group's? A combination group says its years in its name ("Groep 3/4"), if anywhere."""
    if group.year is not None and group.year not in NO_YEAR:
        return year == group.year
    named = [number for number in _DIGITS.findall(group.name) if number in set("12345678")]
    return len(named) < 2 or year in named or not year.isdigit()


def _addresses(staff: list[StaffRecord]) -> Iterator[Finding]:
    domains = Counter(record.member.email.rpartition("@")[2] for record in staff if record.member.email)
    common = domains.most_common(1)[0] if domains else ("", 0)
    for record in staff:
        address, name = record.member.email, full_name(record.member)
        if address is None:
            sentence = f"{name} heeft geen e-mailadres en krijgt dus geen activatielink."
            yield _about_staff(Weight.WARNING, Check.NO_ADDRESS, record, sentence)
        elif (better := _better_domain(address.rpartition("@")[2], domains, common)) is not None:
            sentence = f"Het e-mailadres van {name} lijkt een tikfout te bevatten: bedoelt u @{better}?"
            yield _about_staff(Weight.WARNING, Check.ODD_ADDRESS, record, sentence)


def _better_domain(domain: str, domains: Counter[str], common: tuple[str, int]) -> str | None:
    """The domain that was probably meant: a known slip, or one letter away from the one that nearly everybody has."""
    if domain in _SLIPS:
        return _SLIPS[domain]
    is_rare = domains[domain] <= max(1, int(common[1] * RARE_DOMAIN_SHARE))
    if domain != common[0] and common[1] >= 3 and is_rare and _is_one_slip(domain, common[0]):
        return common[0]
    return None


def _is_one_slip(left: str, right: str) -> bool:
    """One letter more, less or other, or two neighbours swapped."""
    short, long = sorted((left, right), key=len)
    if len(long) - len(short) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = short[:at] + short[at : at + 2][::-1] + short[at + 2 :]
    return short[at + 1 :] == long[at + 1 :] or swapped == long


def _teaching(picture: Picture, staff: list[StaffRecord]) -> Iterator[Finding]:
    taught = set[str]()
    for record in staff:
        own = record.member.home_groups | record.member.composite_groups
        taught |= own
        if not own and Role.TEACHER in record.member.roles:
            sentence = f"{full_name(record.member)} is aan geen enkele groep gekoppeld en ziet dus geen leerlingen."
            yield _about_staff(Weight.WARNING, Check.TEACHES_NOTHING, record, sentence)
    for group in picture.groups:
        if group.group.key not in taught:
            sentence = f"{group.group.name} heeft geen leerkracht en is in Basispoort voor niemand zichtbaar."
            yield Finding(Weight.WARNING, Check.NOBODY_TEACHES, Kind.GROUP, group.id, group.group.name, sentence)


def _about_pupil(weight: Weight, check: Check, record: PupilRecord, sentence: str) -> Finding:
    return Finding(weight, check, Kind.PUPIL, record.id, record.pupil.full_name, sentence)


def _about_staff(weight: Weight, check: Check, record: StaffRecord, sentence: str) -> Finding:
    return Finding(weight, check, Kind.STAFF, record.id, record.member.full_name, sentence)
