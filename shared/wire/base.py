"""WireModel: Dutch aliases, unknown fields refused, frozen; and the text types that every body uses."""

import re
from datetime import date
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
)

from shared.identifiers import SchoolCode, parse_domain, parse_email, parse_key, tidy


class WireModel(BaseModel):
    """A body on the wire. Attributes are English, aliases are what travels."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)


# Line breaks and other control signs would let one value forge a line in a mail; bidi overrides hide what is written.
_UNSEEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]")


def _readable(text: str) -> str:
    if text.isascii() and text.isprintable() and (plain := text.strip()):
        return plain  # nearly every text; all that follows would change nothing
    text = tidy(text)
    if _UNSEEN.search(text):
        raise ValueError("een regeleinde of een onzichtbaar teken mag hier niet")
    if not text:
        raise ValueError("lege tekst; laat de waarde dan weg")
    return text


def _code(text: str) -> str:
    return str(SchoolCode.parse(text))


def _day(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        return value
    raise ValueError("een datum is JJJJ-MM-DD")


def _int64(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("het getal is te groot")
    return value


# Text that can be stored: no NUL, no lone surrogate, trimmed, in NFC, not empty.
Text = Annotated[str, StringConstraints(strict=True, max_length=256), AfterValidator(_readable)]
LongText = Annotated[str, StringConstraints(strict=True, max_length=2000), AfterValidator(_readable)]
Key = Annotated[str, StringConstraints(strict=True, max_length=1024), AfterValidator(parse_key)]
Domain = Annotated[str, StringConstraints(strict=True, max_length=255), AfterValidator(parse_domain)]
Email = Annotated[str, StringConstraints(strict=True, max_length=320), AfterValidator(parse_email)]
Fingerprint = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9]{1,8}:[0-9a-f]{64}$")]
Code = Annotated[str, StringConstraints(strict=True, max_length=16), AfterValidator(_code)]
Day = Annotated[date, BeforeValidator(_day)]
Flag = StrictBool
Number = Annotated[StrictInt, AfterValidator(_int64)]
RowId = Annotated[int, Field(ge=1, lt=2**63)]  # in a path
