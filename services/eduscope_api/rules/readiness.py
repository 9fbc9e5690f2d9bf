"""What must be put right before a school may switch the connection on (pure).

Law: errors forbid the tick; warnings are confirmed with their number. All findings are listed at once.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.eduscope_api.rules.addresses import better_domain, domain_of
from services.eduscope_api.rules.exchange import NO_YEAR, Picture, PupilRecord, StaffRecord
from shared.language import mark, say
from shared.problems import Problem
from shared.roster import Group, GroupKind, Kind, Role, full_name

_DIGITS = re.compile(r"[0-9]+")


class Weight(StrEnum):
    ERROR = "fout"
    WARNING = "waarschuwing"


class Check(StrEnum):
    """The checks, by the name they have on the wire."""

    NO_PUPIL = "geen-leerling"
    NO_GROUP = "geen-groep"
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
    """One thing that is not right: what, about whom (`kind` and our own row number), and a sentence."""

    weight: Weight
    check: Check
    kind: Kind | None
    id: int | None
    name: str
    sentence: str

    @property
    def place(self) -> str:
        """Where it is mended: the page, below that of the school."""
        if self.kind is None:
            return "groepen" if self.check is Check.NO_GROUP else "leerlingen"
        return f"{_PLACES[self.kind]}/{self.id}"


_PLACES = {Kind.PUPIL: "leerlingen", Kind.STAFF: "personeel", Kind.GROUP: "groepen"}


class NotReady(Problem):
    status, slug, title = 409, "not-ready", "The school is not ready to be connected"
    uitleg = "De koppeling kan nog niet aan. Bekijk de controles en werk de gegevens bij."


def findings(picture: Picture, today: date) -> list[Finding]:
    """Every error and warning, errors first, in the order of the manual's steps."""
    pupils = [record for record in picture.pupils if record.is_active(today)]
    staff = _travelling(picture, today)
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


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of the page with checks: what should be so, how many were looked at, and what is not so."""

    sentence: str
    looked_at: int
    of_what: tuple[str, str]  # one, several
    found: tuple[Finding, ...]

    @property
    def weight(self) -> Weight | None:
        """The heaviest finding; None when all is well."""
        return min((finding.weight for finding in self.found), key=list(Weight).index, default=None)


_PUPILS = mark("leerling"), mark("leerlingen")
_STAFF = mark("personeelslid"), mark("personeelsleden")
_GROUPS = mark("groep"), mark("groepen")
_LINES = (
    (
        mark("Alle actieve leerlingen zijn gekoppeld aan een administratieve groep"),
        _PUPILS,
        {Check.NO_PUPIL, Check.NO_HOME_GROUP},
    ),
    (
        mark("Alle leerlingen hebben een leerjaar-indicatie (i.v.m. combinatiegroepen)"),
        _PUPILS,
        {Check.NO_YEAR, Check.YEAR_DIFFERS},
    ),
    (mark("Alle actieve leerkrachten hebben een e-mailadres"), _STAFF, {Check.NO_ADDRESS}),
    (mark("Geen e-mailadres komt dubbel voor"), _STAFF, {Check.DOUBLE_ADDRESS}),
    (mark("Elke groep heeft een docent"), _GROUPS, {Check.NOBODY_TEACHES, Check.NO_GROUP}),
    (mark("Elke leerkracht heeft een groep"), _STAFF, {Check.TEACHES_NOTHING}),
    (mark("Geen e-mailadres lijkt een tikfout te bevatten"), _STAFF, {Check.ODD_ADDRESS}),
    (mark("Namen en groepen zijn compleet"), _PUPILS, {Check.LOOSE_END}),
)


def check_lines(picture: Picture, found: Iterable[Finding], today: date) -> list[CheckLine]:
    """The findings under the sentence that each contradicts. Every check stands under one of them."""
    listed = list(found)
    counts = {
        _PUPILS: sum(record.is_active(today) for record in picture.pupils),
        _STAFF: len(_travelling(picture, today)),
        _GROUPS: len(picture.groups),
    }
    return [
        CheckLine(
            say(sentence),
            counts[of_what],
            (say(of_what[0]), say(of_what[1])),
            tuple(each for each in listed if each.check in checks),
        )
        for sentence, of_what, checks in _LINES
    ]


def check_ready(found: Iterable[Finding], warnings_seen: int | None) -> None:
    """May the tick be set? Raises NotReady with every error, or with the warnings that nobody has confirmed yet."""
    listed = list(found)
    errors = [finding.sentence for finding in listed if finding.weight is Weight.ERROR]
    warnings = [finding.sentence for finding in listed if finding.weight is Weight.WARNING]
    if errors:
        raise NotReady("There are errors", objections=errors, waarschuwingen=len(warnings))
    if len(warnings) != (warnings_seen or 0):
        raise NotReady("Confirm the warnings with their number", objections=warnings, waarschuwingen=len(warnings))


def _travelling(picture: Picture, today: date) -> list[StaffRecord]:
    """The staff that Basispoort gets: a management role alone does not travel."""
    return [each for each in picture.staff if each.is_active(today) and each.member.roles - {Role.ICT_COORDINATOR}]


def _emptiness(pupils: list[PupilRecord], groups: dict[str, Group]) -> Iterator[Finding]:
    if not pupils:
        yield Finding(
            Weight.ERROR, Check.NO_PUPIL, None, None, "", say("De school heeft geen enkele actieve leerling.")
        )
    if not groups:
        yield Finding(Weight.ERROR, Check.NO_GROUP, None, None, "", say("De school heeft geen enkele groep."))


def _double_addresses(staff: list[StaffRecord]) -> Iterator[Finding]:
    holders: dict[str, list[StaffRecord]] = defaultdict(list)
    for record in staff:
        if record.member.email:
            holders[record.member.email].append(record)
    for sharing in holders.values():
        if len(sharing) > 1:
            names = ", ".join(full_name(record.member) for record in sharing)
            for record in sharing:
                sentence = say("Hetzelfde e-mailadres staat bij %(namen)s.", namen=names)
                yield _about_staff(Weight.ERROR, Check.DOUBLE_ADDRESS, record, sentence)


def _loose_ends(pupils: list[PupilRecord], staff: list[StaffRecord], groups: dict[str, Group]) -> Iterator[Finding]:
    def is_kind(key: str, kind: GroupKind) -> bool:
        return key in groups and groups[key].kind is kind

    for record in pupils:
        pupil = record.pupil
        home_is_right = pupil.home_group is None or is_kind(pupil.home_group, GroupKind.HOME)
        if not home_is_right or not all(is_kind(key, GroupKind.COMPOSITE) for key in pupil.composite_groups):
            sentence = say(
                "%(naam)s staat in een groep die niet bestaat of van een andere soort is.", naam=pupil.full_name
            )
            yield _about_pupil(Weight.ERROR, Check.LOOSE_END, record, sentence)
        if not pupil.full_name:
            yield _about_pupil(Weight.ERROR, Check.LOOSE_END, record, say("Een leerling heeft geen naam."))
    for member in staff:
        taught = member.member.home_groups | member.member.composite_groups
        if not taught <= groups.keys():
            name = member.member.full_name
            sentence = say("%(naam)s is gekoppeld aan een groep die niet bestaat.", naam=name)
            yield _about_staff(Weight.ERROR, Check.LOOSE_END, member, sentence)
        if not member.member.full_name:
            yield _about_staff(Weight.ERROR, Check.LOOSE_END, member, say("Een personeelslid heeft geen naam."))


def _pupils(pupils: list[PupilRecord], groups: dict[str, Group]) -> Iterator[Finding]:
    for record in pupils:
        pupil = record.pupil
        name = pupil.full_name
        group = groups.get(pupil.home_group) if pupil.home_group else None
        if pupil.home_group is None:
            sentence = say("%(naam)s is niet gekoppeld aan een administratieve groep.", naam=name)
            yield _about_pupil(Weight.WARNING, Check.NO_HOME_GROUP, record, sentence)
        if pupil.year is None or pupil.year in NO_YEAR:
            sentence = say("%(naam)s heeft geen leerjaar-indicatie.", naam=name)
            yield _about_pupil(Weight.WARNING, Check.NO_YEAR, record, sentence)
        elif group is not None and not year_fits(pupil.year, group):
            sentence = say(
                "%(naam)s heeft leerjaar %(jaar)s; dat past niet bij %(groep)s.",
                naam=name,
                jaar=pupil.year,
                groep=group.name,
            )
            yield _about_pupil(Weight.WARNING, Check.YEAR_DIFFERS, record, sentence)


def year_fits(year: str, group: Group) -> bool:
    """Is this year one of the group's? A combination group says its years in its name ("Groep 3/4"), if anywhere."""
    if group.year is not None and group.year not in NO_YEAR:
        return year == group.year
    named = [number for number in _DIGITS.findall(group.name) if number in set("12345678")]
    return len(named) < 2 or year in named or not year.isdigit()


def _addresses(staff: list[StaffRecord]) -> Iterator[Finding]:
    domains = Counter(domain_of(record.member.email) for record in staff if record.member.email)
    for record in staff:
        address, name = record.member.email, full_name(record.member)
        if address is None:
            sentence = say("%(naam)s heeft geen e-mailadres en krijgt dus geen activatielink.", naam=name)
            yield _about_staff(Weight.WARNING, Check.NO_ADDRESS, record, sentence)
        elif (better := better_domain(domain_of(address), domains)) is not None:
            sentence = say(
                "Het e-mailadres van %(naam)s lijkt een tikfout te bevatten: bedoelt u @%(domein)s?",
                naam=name,
                domein=better,
            )
            yield _about_staff(Weight.WARNING, Check.ODD_ADDRESS, record, sentence)


def _teaching(picture: Picture, staff: list[StaffRecord]) -> Iterator[Finding]:
    taught = set[str]()
    for record in staff:
        own = record.member.home_groups | record.member.composite_groups
        taught |= own
        if not own and Role.TEACHER in record.member.roles:
            sentence = say(
                "%(naam)s is aan geen enkele groep gekoppeld en ziet dus geen leerlingen.",
                naam=full_name(record.member),
            )
            yield _about_staff(Weight.WARNING, Check.TEACHES_NOTHING, record, sentence)
    for group in picture.groups:
        if group.group.key not in taught:
            name = group.group.name
            sentence = say("%(groep)s heeft geen leerkracht en is in Basispoort voor niemand zichtbaar.", groep=name)
            yield Finding(Weight.WARNING, Check.NOBODY_TEACHES, Kind.GROUP, group.id, group.group.name, sentence)


def _about_pupil(weight: Weight, check: Check, record: PupilRecord, sentence: str) -> Finding:
    return Finding(weight, check, Kind.PUPIL, record.id, record.pupil.full_name, sentence)


def _about_staff(weight: Weight, check: Check, record: StaffRecord, sentence: str) -> Finding:
    return Finding(weight, check, Kind.STAFF, record.id, record.member.full_name, sentence)
