"""WireModel: Dutch aliases, unknown fields refused, frozen; and the text types that every body uses."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)

from shared.identifiers import SchoolCode, parse_domain, parse_email, parse_key, tidy
from shared.language import say


class WireModel(BaseModel):
    """A body on the wire. Aliases are what travels; our own code makes and reads it by its English attributes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    def __init__(self, /, **values: Any) -> None:
        self.__pydantic_validator__.validate_python(values, self_instance=self, by_alias=True, by_name=True)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # as pydantic marks its own: not for bodies


# The line above tells the type checker how models are made here; a body that came in knows aliases alone.
WireModel.model_config["populate_by_name"] = False


# Line breaks and other control signs would let one value forge a line in a mail; bidi overrides hide what is written.
_UNSEEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]")


def _readable(text: str) -> str:
    if text.isascii() and text.isprintable() and (plain := text.strip()):
        return plain  # nearly every text; all that follows would change nothing
    text = tidy(text)
    if _UNSEEN.search(text):
        raise ValueError(say("een regeleinde of een onzichtbaar teken mag hier niet"))
    if not text:
        raise ValueError(say("lege tekst; laat de waarde dan weg"))
    return text


def readable_as_sent(text: str) -> str:
    """For a text that comes back byte for byte: looked at, and not changed."""
    _readable(text)
    return text


def _code(text: str) -> str:
    return str(SchoolCode.parse(text))


def _day(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        return value
    raise ValueError(say("een datum is JJJJ-MM-DD"))


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _int64(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError(say("het getal is te groot"))
    return value


# How the API description says what the validators above look for.
_HIDDEN = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069"


def shown_as(pattern: str, longest: int, **more: object) -> WithJsonSchema:
    """What a text type looks like in the API description; for types that a validator looks at."""
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": longest, "pattern": pattern, **more})


def readable(but: str = "") -> str:
    """The pattern of what `_readable` takes, without the signs in `but`."""
    some = rf"[^{_HIDDEN}{but}]*"
    return rf"^{some}[^\s{_HIDDEN}{but}]{some}$"


_TRIMMED = r"\s\u001c-\u001f\u0085"  # of which not every dialect counts all as spaces
_LABEL = "[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20})?"

# Text that can be stored: no NUL, no lone surrogate, trimmed, in NFC, not empty.
Text = Annotated[
    str, StringConstraints(strict=True, max_length=256), AfterValidator(_readable), shown_as(readable(), 256)
]
LongText = Annotated[
    str, StringConstraints(strict=True, max_length=2000), AfterValidator(_readable), shown_as(readable(), 2000)
]
Key = Annotated[
    str,
    StringConstraints(strict=True, max_length=1024),
    AfterValidator(parse_key),
    # what stands around it is trimmed, and counts for nothing; the description is for who sends no more than it takes
    shown_as(rf"^[^#{_TRIMMED}\u0000]([^\u0000]*[^{_TRIMMED}\u0000])?$", 256, examples=["l-41"]),
]
Domain = Annotated[
    str,
    StringConstraints(strict=True, max_length=255),
    AfterValidator(parse_domain),
    shown_as(rf"^@?({_LABEL}\.){{1,3}}[A-Za-z]{{2,20}}$", 255, examples=["deregenboog.example"]),
]
Email = Annotated[
    str,
    StringConstraints(strict=True, max_length=320),
    AfterValidator(parse_email),
    WithJsonSchema(
        {"type": "string", "format": "email", "maxLength": 320, "examples": ["n.vanderbijl@deregenboog.example"]}
    ),
]
Fingerprint = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[a-z0-9]{1,8}:[0-9a-f]{64}$"),
    Field(examples=["v1:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]),
]
Code = Annotated[
    str,
    StringConstraints(strict=True, max_length=16),
    AfterValidator(_code),
    shown_as(r"^[0-9]{2}[A-Za-z]{2}([0-9]{2})?$", 6, examples=["99ZA00"]),
]
Day = Annotated[date, BeforeValidator(_day)]
Flag = StrictBool
Number = Annotated[StrictInt, AfterValidator(_int64)]
# A number of somebody or something, in a body. To JSON 7 and 7.0 are one number.
WholeId = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63), BeforeValidator(_whole)]
RowId = Annotated[int, Field(ge=1, lt=2**63)]  # in a path
