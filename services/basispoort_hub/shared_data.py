"""What a publisher with consent gets to read, field by field: taken from the bodies themselves, so it cannot differ."""

from collections.abc import Sequence
from functools import cache

from pydantic import BaseModel

from shared.language import mark
from shared.wire.schools import InstitutionDetails, PersonalData, RestGroup, RestPupil, RestStaffMember

_OF_WHOM: dict[str, type[BaseModel]] = {
    mark("leerlingen"): RestPupil,
    mark("leerkrachten"): RestStaffMember,
    mark("groepen"): RestGroup,
    mark("de school"): InstitutionDetails,
}
_IN_DUTCH = {  # name on the wire -> what a coordinator calls it; None: says nothing about anybody
    "id": mark("nummer in Basispoort"),
    "eckid": mark("ECK iD"),
    "lasKey": mark("sleutel in de leerlingadministratie"),
    "achternaam": mark("achternaam"),
    "voornaam": mark("voornaam"),
    "voorvoegsel": mark("voorvoegsel"),
    "voorletters": mark("voorletters"),
    "jaargroep": mark("leerjaar"),
    "groep": mark("groep"),
    "groepen": mark("groepen"),
    "subgroepen": mark("samengestelde groepen"),
    "emailadres": mark("e-mailadres"),
    "einddatum": mark("einddatum van de aanstelling"),
    "rollen": mark("rol"),
    "naam": mark("naam"),
    "omschrijving": mark("omschrijving"),
    "straat": mark("straat"),
    "huisnummer": mark("huisnummer"),
    "huisnummertoevoeging": mark("toevoeging bij het huisnummer"),
    "postcode": mark("postcode"),
    "woonplaats": mark("woonplaats"),
    "brincode": mark("BRIN"),
    "dependancecode": mark("vestigingsnummer"),
    "schoolkey": mark("sleutel van de school in de leerlingadministratie"),
    "instellingRef": mark("verwijzing voor snelkoppelingen"),
    "bestuurscode": mark("bestuursnummer"),
    "actief": mark("of de school nog bestaat"),
    "gefuseerdNaar": mark("de school waarin zij is opgegaan"),
    "metaResult": None,
}


@cache
def shared_fields() -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """(of whom, [(name on the wire, a marked name)]). A field that nobody has put into Dutch stops the start."""
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
