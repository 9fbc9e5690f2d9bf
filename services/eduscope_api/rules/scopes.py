"""What the key of an integration may do: one table from the subject of an address to the scopes it takes (pure).

Laws: an address that is not in the table is closed for every key. Who may write may read, because the answer to a
change shows what it became.
"""

from collections.abc import Iterable

from shared.language import mark
from shared.problems import Problem

READ, WRITE = "lezen", "schrijven"
_READING = {"GET", "HEAD", "OPTIONS"}

# First segment behind /api/v1/scholen/{code}/ -> the subjects whose scope is needed. None: only for people.
SUBJECTS: dict[str, tuple[str, ...] | None] = {
    "leerlingen": ("leerlingen",),
    "personeel": ("personeel",),
    "groepen": ("groepen",),
    "jaarovergang": ("leerlingen", "personeel", "groepen"),
    "rapportages": ("rapportages",),
    "controles": ("rapportages",),
    "vergelijking": ("personeel",),
    "edexml": ("edexml",),
    "koppeling": ("koppeling",),
    "geschiedenis": ("geschiedenis",),
    "instellingen": ("koppeling",),
    "sleutels": None,
}
_SHOWS_PEOPLE = frozenset({("koppeling", "proef")})  # what tonight would send, with names
# In the order in which a person chooses them: scope -> what it says on the page.
SCOPES = {
    "leerlingen:lezen": mark("Leerlingen lezen"),
    "leerlingen:schrijven": mark("Leerlingen lezen, invoeren en wijzigen"),
    "personeel:lezen": mark("Personeel lezen, met de vergelijking"),
    "personeel:schrijven": mark("Personeel lezen, invoeren en wijzigen, adressen overnemen"),
    "groepen:lezen": mark("Groepen lezen"),
    "groepen:schrijven": mark("Groepen lezen, invoeren en wijzigen"),
    "rapportages:lezen": mark("Rapportages en controles lezen"),
    "edexml:lezen": mark("EDEXML exporteren"),
    "edexml:schrijven": mark("EDEXML importeren en exporteren"),
    "koppeling:lezen": mark("De koppeling met Basispoort bekijken"),
    "koppeling:schrijven": mark("De koppeling met Basispoort bekijken en instellen, en synchroniseren"),
    "geschiedenis:lezen": mark("Geschiedenis lezen"),
    "geschiedenis:schrijven": mark("Geschiedenis lezen, en wijzigingen terugdraaien"),
}


class ScopeMissing(Problem):
    """`scope` is the first of the scopes that the key would need and has not."""

    status, slug, title = 403, "scope-missing", "The key does not have the scope for this"
    uitleg = "Deze sleutel mag dit niet: de bevoegdheid ontbreekt. Er is niets gewijzigd."


class PeopleOnly(Problem):
    status, slug, title = 403, "people-only", "Only for somebody who signed in, not for a key"
    uitleg = "Dit kan alleen wie zelf is ingelogd. Met een sleutel gaat het niet."


def scopes_for(path: str, method: str) -> tuple[str, ...] | None:
    """The scopes that a key needs for this call; None when no key may do it.

    What shows or takes back somebody's history needs that scope too, wherever it stands.
    """
    start, *rest = path.removeprefix("/").split("/")
    if start != "api" or rest[:2] != ["v1", "scholen"] or len(rest) < 4:
        return None
    subjects = SUBJECTS.get(rest[3])
    if subjects is None:
        return None
    if "geschiedenis" in rest[4:]:
        subjects = (*subjects, "geschiedenis")
    action = READ if method in _READING else WRITE
    shown = ("leerlingen", "personeel", "groepen") if tuple(rest[3:5]) in _SHOWS_PEOPLE else ()
    return (*(f"{subject}:{action}" for subject in subjects), *(f"{subject}:{READ}" for subject in shown))


def check_scopes(path: str, method: str, held: Iterable[str]) -> None:
    """May a key with these scopes make this call? Raises PeopleOnly, ScopeMissing."""
    needed = scopes_for(path, method)
    if needed is None:
        raise PeopleOnly
    present = set(held)
    present |= {scope.removesuffix(WRITE) + READ for scope in present if scope.endswith(f":{WRITE}")}
    for scope in needed:
        if scope not in present:
            raise ScopeMissing(scope=scope)
