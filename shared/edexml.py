"""EDEXML as values: what a roster file holds for us, its words, and what can be wrong with one.

`shared/edexml_read.py` makes these values from a file (1.0.3, 2.0, 2.1), `shared/edexml_write.py` a 2.1 file from them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.identifiers import SchoolCode, is_dummy_key
from shared.language import say
from shared.problems import Problem
from shared.roster import Group, Pupil, Role, StaffMember

YEARS = frozenset("BD012345678SVCNH") | frozenset({"11", "12", "13", "14", "15", "16"})
COMBINATION, HISTORICAL = "C", "H"

# The codes of `rol` that give access; every other gives none. ICT is a suggestion: a file makes nobody coordinator.
ROLES = {
    **dict.fromkeys(("LRK", "VAK", "LOS", "OWA", "KLA"), Role.TEACHER),
    **dict.fromkeys(("IB", "RT"), Role.INTERNAL_COACH),
    "STA": Role.TRAINEE,
}
ICT = "ICT"
SUBSTITUTE = "Inval"  # has no code; written as a rolomschrijving that starts with this word
NO_ACCESS = (
    "Overig"  # a rolomschrijving for staff without one of our roles: nobody becomes a teacher by a lack of words
)

# element -> length that the schema of 2.1 allows
LENGTHS = {
    "key": 256,
    "achternaam": 200,
    "voorvoegsel": 10,
    "voornamen": 200,
    "voorletters-1": 6,
    "roepnaam": 64,
    "naam": 64,
    "omschrijving": 256,
    "emailadres": 256,
    "auteur": 128,
}
LONGEST_PREFIX = 64  # real files hold longer prefixes than the schema allows; losing one would change a name


class EdexmlError(Problem):
    """A file that cannot be taken in. Says where and why, never what stood there.

    Members: `regel` and `reden` of the first error, `fouten` with all of them (at most 50) and `aantalFouten`.
    """

    status, slug, title = 422, "edexml-invalid", "The EDEXML file cannot be taken in"
    uitleg = "Het EDEXML-bestand klopt niet. Er is niets gewijzigd."

    def __init__(self, *flaws: "Flaw", more: int = 0) -> None:
        first = flaws[0]
        rows: list[dict[str, Any]] = [{"regel": flaw.line, "reden": flaw.reason} for flaw in flaws]
        super().__init__(
            say("Regel %(line)s: %(reason)s", line=first.line, reason=first.reason),
            regel=first.line,
            reden=first.reason,
            fouten=rows,
            aantalFouten=len(flaws) + more,
        )


class EdexmlUnwritable(Problem):
    status, slug, title = 409, "edexml-unwritable", "A school without pupils cannot be written as EDEXML"
    uitleg = "Een school zonder leerlingen kan niet als EDEXML-bestand worden geschreven."


@dataclass(frozen=True, slots=True)
class Flaw:
    """One error: the line in the file, and the reason."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know about a file that was read or written: a Dutch sentence and a number, no names."""

    kind: str
    count: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdexmlSchool:
    """The head of a file. `as_of` is the day for which the data are true."""

    school_code: SchoolCode | None
    school_key: str | None = None
    school_year: str  # "2025-2026"
    as_of: date | None = None
    version: str | None = None  # as the file gives it


@dataclass(frozen=True, slots=True, kw_only=True)
class EdexmlPupil:
    """A pupil with the dates of coming and going. The key may be a dummy: then it means nothing outside this file."""

    pupil: Pupil
    joined_on: date | None = None
    left_on: date | None = None

    @property
    def has_dummy_key(self) -> bool:
        return is_dummy_key(self.pupil.key)

    def has_left(self, today: date) -> bool:
        return self.left_on is not None and self.left_on <= today


@dataclass(frozen=True, slots=True, kw_only=True)
class EdexmlStaff:
    """A member of staff; `is_ict` is the file's suggestion that this may be an ICT coordinator, no more."""

    member: StaffMember
    is_ict: bool = False

    @property
    def has_dummy_key(self) -> bool:
        return is_dummy_key(self.member.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdexmlFile:
    """Everything a file holds for us, in the order of the file. Keys are unique per kind, and all groups exist."""

    school: EdexmlSchool
    groups: tuple[Group, ...]
    pupils: tuple[EdexmlPupil, ...]
    staff: tuple[EdexmlStaff, ...]
    notices: tuple[Notice, ...] = ()
