"""What a publisher with consent gets to read, field by field: taken from the bodies themselves, so it cannot differ."""

from collections.abc import Sequence
from functools import cache

from pydantic import BaseModel

from shared.wire.schools import InstitutionDetails, PersonalData, RestGroup, RestPupil, RestStaffMember

_OF_WHOM: dict[str, type[BaseModel]] = {
    "leerlingen": RestPupil,
    "leerkrachten": RestStaffMember,
    "groepen": RestGroup,
    "de school": InstitutionDetails,
}
_IN_DUTCH = {  # name on the wire -> what a coordinator calls it; None: says nothing about anybody
    "id": "nummer in Basispoort",
    "eckid": "ECK iD",
    "lasKey": "sleutel in de leerlingadministratie",
    "achternaam": "achternaam",
    "voornaam": "voornaam",
    "voorvoegsel": "voorvoegsel",
    "voorletters": "voorletters",
    "jaargroep": "leerjaar",
    "groep": "groep",
    "groepen": "groepen",
    "subgroepen": "samengestelde groepen",
    "emailadres": "e-mailadres",
    "einddatum": "einddatum van de aanstelling",
    "rollen": "rol",
    "naam": "naam",
    "omschrijving": "omschrijving",
    "straat": "straat",
    "huisnummer": "huisnummer",
    "huisnummertoevoeging": "toevoeging bij het huisnummer",
    "postcode": "postcode",
    "woonplaats": "woonplaats",
    "brincode": "BRIN",
    "dependancecode": "vestigingsnummer",
    "schoolkey": "sleutel van de school in de leerlingadministratie",
    "instellingRef": "verwijzing voor snelkoppelingen",
    "bestuurscode": "bestuursnummer",
    "actief": "of de school nog bestaat",
    "gefuseerdNaar": "de school waarin zij is opgegaan",
    "metaResult": None,
}


@cache
def shared_fields() -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """(of whom, [(name on the wire, name in Dutch)]). A field that nobody has put into Dutch stops the start."""
    return [(whom, [(name, text) for name in _names(body) if (text := _IN_DUTCH[name])])
            for whom, body in _OF_WHOM.items()]  # fmt: skip


def shared_sentences() -> list[str]:
    """The same in one line per kind."""
    return [f"van {whom}: {', '.join(text for _, text in fields)}" for whom, fields in shared_fields()]


def _names(body: type[BaseModel]) -> list[str]:
    found: list[str] = []
    for name, field in body.model_fields.items():
        if field.annotation is PersonalData:
            found += _names(PersonalData)
        else:
            found.append(field.alias or name)
    return found
