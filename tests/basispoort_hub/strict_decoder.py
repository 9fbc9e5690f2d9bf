"""A decoder as strict as the real client, written from the description of the wire contract and from nothing of ours.

It rejects what makes that client fail: missing or null arrays, wrong types, unknown roles and tags, timestamps without
an offset, relative addresses, lists wrapped wrongly, a mutation that answers with a body.
"""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

Decoder = Callable[[Any], None]

ROLES = {"Leerkracht", "ICTCoordinator", "IBRTer", "Stagiair", "Inval"}
TAGS = {"leerkrachtApplicatie", "toetsApplicatie"}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class Rejected(Exception):
    """The real client would fail on this answer."""


def text(value: Any) -> None:
    if not isinstance(value, str):
        raise Rejected(f"text expected, not {type(value).__name__}")


def flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise Rejected(f"true or false expected, not {type(value).__name__}")


def number(value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Rejected(f"a whole number expected, not {type(value).__name__}")
    if not -(2**63) <= value < 2**63:
        raise Rejected("the number does not fit in 64 bits")


def day(value: Any) -> None:
    text(value)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise Rejected("a day is YYYY-MM-DD")
    try:
        date.fromisoformat(value)
    except ValueError:
        raise Rejected("there is no such day") from None


def timestamp(value: Any) -> None:
    text(value)
    if not _TIMESTAMP.fullmatch(value):
        raise Rejected("a timestamp is RFC 3339 with an offset")
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        raise Rejected("there is no such moment") from None


def address(value: Any) -> None:
    text(value)
    parts = urlsplit(value)
    if not parts.scheme or not parts.netloc:
        raise Rejected("an address is absolute")


def one_of(words: set[str]) -> Decoder:
    def decode(value: Any) -> None:
        text(value)
        if value not in words:
            raise Rejected("a word that this list does not have")

    return decode


def many(each: Decoder) -> Decoder:
    def decode(value: Any) -> None:
        if not isinstance(value, list):
            raise Rejected(f"an array expected, not {type(value).__name__}")
        for one in value:
            each(one)

    return decode


def maybe(decode_value: Decoder) -> Decoder:
    """May be null, and may be absent."""

    def decode(value: Any) -> None:
        if value is not None:
            decode_value(value)

    decode.may_be_absent = True  # type: ignore[attr-defined]
    return decode


def members(**fields: Decoder) -> Decoder:
    """An object; names it does not know are ignored, as the real client does."""

    def decode(value: Any) -> None:
        if not isinstance(value, dict):
            raise Rejected(f"an object expected, not {type(value).__name__}")
        for name, decode_field in fields.items():
            if name not in value:
                if not getattr(decode_field, "may_be_absent", False):
                    raise Rejected(f"{name} is missing")
                continue
            try:
                decode_field(value[name])
            except Rejected as rejected:
                raise Rejected(f"{name}: {rejected}") from None

    return decode


def ascending(decode_list: Decoder, key: Callable[[Any], Any] = lambda one: one) -> Decoder:
    """A set: in ascending order, nothing twice."""

    def decode(value: Any) -> None:
        decode_list(value)
        order = [key(one) for one in value]
        if order != sorted(set(order)):
            raise Rejected("a set is ascending and holds nothing twice")

    return decode


def distinct(each: Decoder) -> Decoder:
    """An array of people, in which no number occurs twice."""

    def decode(value: Any) -> None:
        many(each)(value)
        if len({one["id"] for one in value}) < len(value):
            raise Rejected("one id for two people")

    return decode


optional = maybe(text)
METADATA = members(mutationTimestamp=timestamp, generationTimestamp=timestamp)
GROUP = members(lasKey=optional, naam=optional, jaargroep=optional, omschrijving=optional)
PERSONAL = members(achternaam=optional, voornaam=optional, voorvoegsel=optional, voorletters=optional)
STUDENT = members(
    id=number,
    eckid=optional,
    lasKey=optional,
    persoonsgegevens=PERSONAL,
    jaargroep=optional,
    groep=optional,
    subgroepen=many(text),
)
STAFF_MEMBER = members(
    id=number,
    eckid=optional,
    lasKey=optional,
    persoonsgegevens=PERSONAL,
    emailadres=optional,
    einddatum=maybe(day),
    rollen=many(one_of(ROLES)),
    groepen=many(text),
    subgroepen=many(text),
)
GROUPS = members(groepen=many(GROUP), subgroepen=many(GROUP), metaResult=METADATA)
STUDENTS = members(leerlingen=distinct(STUDENT), metaResult=METADATA)
STAFF = members(medewerkers=distinct(STAFF_MEMBER), metaResult=METADATA)
OVERVIEW = members(
    groepen=many(GROUP),
    subgroepen=many(GROUP),
    leerlingen=distinct(STUDENT),
    medewerkers=distinct(STAFF_MEMBER),
    actief=flag,
    gefuseerdNaar=maybe(number),
    metaResult=METADATA,
)
DETAILS = members(
    **dict.fromkeys(
        [
            "naam",
            "straat",
            "huisnummer",
            "huisnummertoevoeging",
            "postcode",
            "woonplaats",
            "brincode",
            "dependancecode",
            "schoolkey",
            "instellingRef",
            "bestuurscode",
        ],
        optional,
    ),
    actief=flag,
    gefuseerdNaar=maybe(number),
    metaResult=METADATA,
)
FOUND = members(
    id=number,
    naam=text,
    actief=flag,
    **dict.fromkeys(
        [
            "brincode",
            "straat",
            "huisnummer",
            "huisnummerToevoeging",
            "postcode",
            "woonplaats",
            "telefoonNet",
            "telefoonAbon",
            "emailadres",
            "bestuurscode",
        ],
        optional,
    ),
)
PERMISSION = members(hasSynchronizationPermission=flag)
_APPLICATION = {
    "id": text,
    "code": optional,
    "naam": text,
    "icon": optional,
    "iconUrl": maybe(address),
    "tags": many(one_of(TAGS)),
}
METHOD = members(**_APPLICATION, url=maybe(address))
PRODUCT = members(**_APPLICATION, url=address)
USERS = members(gebruikers=ascending(many(number)))
USERS_BY_ECK_ID = members(gebruikers=many(members(instellingId=number, eckId=text)))

_SCHOOL = "/rest/v2/instellingen/{}"
_METHOD = "/hosted-lika/management/lika/{}/methode"
# Every GET and every query in the form of a POST, with what it answers; everything else is a mutation.
ANSWERS: dict[tuple[str, str], Decoder] = {
    ("GET", "/rest/v2/instellingen"): many(number),
    ("GET", _SCHOOL): OVERVIEW,
    ("GET", _SCHOOL + "/details"): DETAILS,
    ("GET", _SCHOOL + "/groepen"): GROUPS,
    ("GET", _SCHOOL + "/leerlingen"): STUDENTS,
    ("POST", _SCHOOL + "/leerlingen"): STUDENTS,
    ("POST", _SCHOOL + "/leerlingen_eckid"): STUDENTS,
    ("GET", _SCHOOL + "/staf"): STAFF,
    ("GET", _SCHOOL + "/ref"): text,
    ("GET", _SCHOOL + "/uitgever/synchronizationpermission"): PERMISSION,
    ("GET", "/rest/v2/instellingen/synchronizationpermission/toegekend/{}"): many(number),
    ("GET", "/rest/v2/instellingen/synchronizationpermission/ingetrokken/{}"): many(number),
    ("GET", "/rest/v2/nawsearch"): many(FOUND),
    ("GET", _METHOD): members(methodes=many(METHOD)),
    ("GET", _METHOD + "/{}"): METHOD,
    ("GET", _METHOD + "/{}/gebruiker"): USERS,
    ("GET", _METHOD + "/{}/gebruiker_eckid"): USERS_BY_ECK_ID,
    ("GET", _METHOD + "/{}/product"): members(producten=many(PRODUCT)),
    ("GET", _METHOD + "/{}/product/{}"): PRODUCT,
    ("GET", _METHOD + "/{}/product/{}/gebruiker"): USERS,
    ("GET", _METHOD + "/{}/product/{}/gebruiker_eckid"): USERS_BY_ECK_ID,
}
REAL = ("/rest/v2/", "/hosted-lika/")


def is_real(template: str) -> bool:
    """Does this address belong to the real interface, and not to our additions?"""
    return template.startswith(REAL)


def decode_answer(method: str, template: str, status: int, body: bytes) -> None:
    """Read an answer as the real client reads it. `template`: the path with anything between its braces.

    Raises Rejected.
    """
    if not 200 <= status < 300:
        raise Rejected(f"status {status}")
    shape = ANSWERS.get((method, re.sub(r"\{[^}]*\}", "{}", template)))
    if shape is None:
        if method == "GET":
            raise Rejected("an address that the real interface does not have")
        if body not in {b"", b"null"}:
            raise Rejected("a mutation answers with an empty body")
        return
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except ValueError:
        raise Rejected("this is no JSON") from None
    shape(value)


def _no_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")
