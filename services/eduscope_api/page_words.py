"""What the pages call things: people, roles, years, fields and kinds of change."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Protocol

from shared.browser import dutch_day
from shared.edexml import YEARS
from shared.roster import Role

ROLES = {
    Role.TEACHER: "Leerkracht",
    Role.ICT_COORDINATOR: "ICT-coördinator",
    Role.INTERNAL_COACH: "IB'er of RT'er",
    Role.TRAINEE: "Stagiair",
    Role.SUBSTITUTE: "Vervangersaccount",
}
_YEAR_WORDS = {
    "B": "B (baby's)",
    "D": "D (1 en 2 jaar)",
    "0": "0 (3 jaar)",
    "S": "S (speciaal onderwijs)",
    "V": "V (voortgezet speciaal onderwijs)",
    "C": "C (combinatiegroep)",
    "N": "N (geen basis- of voortgezet onderwijs)",
    "H": "H (vertrokken)",
}
_NUMBERED = sorted((year for year in YEARS if year.isdigit()), key=int)
_SECONDARY = {year: f"{year} (voortgezet onderwijs {int(year) - 10})" for year in _NUMBERED if int(year) > 10}
YEAR_CHOICES = [
    (year, (_YEAR_WORDS | _SECONDARY).get(year, year)) for year in [*_NUMBERED, *sorted(YEARS - set(_NUMBERED))]
]
GROUP_KINDS = {"groep": "Groep", "samengestelde_groep": "Samengestelde groep"}
CONTACT_KINDS = {"e-mail": "E-mail", "telefoon": "Telefoon"}
NO_GROUP = "een verwijderde groep"
FIELDS = {
    "roepnaam": "Roepnaam",
    "voorvoegsel": "Voorvoegsel",
    "achternaam": "Achternaam",
    "voorletters": "Voorletters",
    "eckid": "ECK iD",
    "instroomdatum": "Datum in dienst",
    "uitstroomdatum": "Datum uit dienst",
    "einddatum": "Laatste werkdag",
    "rollen": "Functie",
    "groepen": "Groepen",
    "emailadres": "E-mail",
    "contactgegevens": "Contactgegevens",
    "groep": "Groep",
    "samengesteldeGroepen": "Samengestelde groepen",
    "jaargroep": "Leerjaar",
    "naam": "Naam",
    "omschrijving": "Omschrijving",
    "soort": "Soort",
    "docenten": "Docenten",
    "basispoort": "Koppeling met Basispoort",
    "gepauzeerdTot": "Gepauzeerd tot",
}
PUPIL_FIELDS = {**FIELDS, "instroomdatum": "Eerste schooldag", "uitstroomdatum": "Datum van vertrek"}


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
    return ", ".join(ROLES[role] for role in Role if role in set(roles)) or "–"


def group_words(ids: Iterable[int], names: Mapping[int, str], homes: frozenset[int]) -> str:
    """The names of groups, `alle groepen` when every home group is among them, a dash for none."""
    taught = set(ids)
    if len(homes) > 1 and homes <= taught:
        return "alle groepen"
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
            words = "ingevuld"
        case _, bool():
            words = "ja" if value else "nee"
        case "rollen", list():
            words = role_words(value)
        case "contactgegevens", list():
            words = ", ".join(str(each["waarde"]) for each in value)
        case "groep", int():
            words = groups.get(value, NO_GROUP)
        case _, list():
            words = ", ".join(sorted(groups.get(each, NO_GROUP) for each in value))
        case (("instroomdatum" | "uitstroomdatum" | "einddatum" | "gepauzeerdTot"), str()):
            words = dutch_day(date.fromisoformat(value))
        case _:
            words = str(value)
    return words
