"""What the pages call things: people, roles, years, fields and kinds of change."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Protocol, TypeVar

from shared.browser import say_day
from shared.edexml import YEARS
from shared.language import mark, say
from shared.roster import Role

K = TypeVar("K")

ROLES = {
    Role.TEACHER: mark("Leerkracht"),
    Role.ICT_COORDINATOR: mark("ICT-coördinator"),
    Role.INTERNAL_COACH: mark("IB'er of RT'er"),
    Role.TRAINEE: mark("Stagiair"),
    Role.SUBSTITUTE: mark("Vervangersaccount"),
}
_YEAR_WORDS = {
    "B": mark("B (baby's)"),
    "D": mark("D (1 en 2 jaar)"),
    "0": mark("0 (3 jaar)"),
    "S": mark("S (speciaal onderwijs)"),
    "V": mark("V (voortgezet speciaal onderwijs)"),
    "C": mark("C (combinatiegroep)"),
    "N": mark("N (geen basis- of voortgezet onderwijs)"),
    "H": mark("H (vertrokken)"),
}
_NUMBERED = sorted((year for year in YEARS if year.isdigit()), key=int)
_BEFORE_SECONDARY = 10
GROUP_KINDS = {"groep": mark("Groep"), "samengestelde_groep": mark("Samengestelde groep")}
_KINDS_IN_HISTORY = {"groep": mark("groep"), "samengestelde_groep": mark("samengestelde groep")}
CONTACT_KINDS = {"e-mail": mark("E-mail"), "telefoon": mark("Telefoon")}
NO_GROUP = mark("een verwijderde groep")
FIELDS = {
    "roepnaam": mark("Roepnaam"),
    "voorvoegsel": mark("Voorvoegsel"),
    "achternaam": mark("Achternaam"),
    "voorletters": mark("Voorletters"),
    "eckid": mark("ECK iD"),
    "instroomdatum": mark("Datum in dienst"),
    "uitstroomdatum": mark("Datum uit dienst"),
    "einddatum": mark("Laatste werkdag"),
    "rollen": mark("Functie"),
    "groepen": mark("Groepen"),
    "emailadres": mark("E-mail"),
    "contactgegevens": mark("Contactgegevens"),
    "groep": mark("Groep"),
    "samengesteldeGroepen": mark("Samengestelde groepen"),
    "jaargroep": mark("Leerjaar"),
    "naam": mark("Naam"),
    "omschrijving": mark("Omschrijving"),
    "soort": mark("Soort"),
    "docenten": mark("Docenten"),
    "basispoort": mark("Koppeling met Basispoort"),
    "gepauzeerdTot": mark("Gepauzeerd tot"),
}
PUPIL_FIELDS = {**FIELDS, "instroomdatum": mark("Eerste schooldag"), "uitstroomdatum": mark("Datum van vertrek")}


def say_all(words: Mapping[K, str]) -> dict[K, str]:
    """The same words in the language of the page."""
    return {key: say(word) for key, word in words.items()}


def year_choices() -> list[tuple[str, str]]:
    """Every year, with what a person reads of it."""
    return [(year, _year_words(year)) for year in [*_NUMBERED, *sorted(YEARS - set(_NUMBERED))]]


def _year_words(year: str) -> str:
    if year in _YEAR_WORDS:
        return say(_YEAR_WORDS[year])
    if year in _NUMBERED and int(year) > _BEFORE_SECONDARY:
        return say("%(jaar)s (voortgezet onderwijs %(klas)s)", jaar=year, klas=int(year) - _BEFORE_SECONDARY)
    return year


class Named(Protocol):
    """Whoever has a name in three parts."""

    @property
    def first_name(self) -> str | None: ...
    @property
    def prefix(self) -> str | None: ...
    @property
    def last_name(self) -> str | None: ...


def person_name(person: Named) -> str:
    """Call name, prefix, surname."""
    return " ".join(part for part in (person.first_name, person.prefix, person.last_name) if part)


def role_words(roles: Iterable[str]) -> str:
    """`Leerkracht, ICT-coördinator`; a dash for none."""
    return ", ".join(say(ROLES[role]) for role in Role if role in set(roles)) or "–"


def group_words(ids: Iterable[int], names: Mapping[int, str], homes: frozenset[int]) -> str:
    """The names of groups, `alle groepen` when every home group is among them, a dash for none."""
    taught = set(ids)
    if len(homes) > 1 and homes <= taught:
        return say("alle groepen")
    return ", ".join(sorted(names[each] for each in taught if each in names)) or "–"


def as_typed(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values as a form holds them: nothing is an empty field."""
    return {name: "" if value is None else value for name, value in shown.items()}


def field_words(name: str, value: Any, groups: Mapping[int, str]) -> str:
    """The value of one field of a history for a person; `groups`: the name of each group by number.

    Of a pseudonym only that there is one: it says nothing to people, and should not be copied from a screen.
    """
    match name, value:
        case _, None | "" | []:
            words = "–"
        case "eckid", _:
            words = say("ingevuld")
        case _, bool():
            words = say("ja") if value else say("nee")
        case "rollen", list():
            words = role_words(value)
        case "contactgegevens", list():
            words = ", ".join(str(each["waarde"]) for each in value)
        case "soort", str():
            words = say(_KINDS_IN_HISTORY[value])
        case "groep", int():
            words = groups.get(value, say(NO_GROUP))
        case _, list():
            words = ", ".join(sorted(groups.get(each, say(NO_GROUP)) for each in value))
        case (("instroomdatum" | "uitstroomdatum" | "einddatum" | "gepauzeerdTot"), str()):
            words = say_day(date.fromisoformat(value))
        case _:
            words = str(value)
    return words
