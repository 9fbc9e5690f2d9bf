"""What the API description says of a text is what the validator behind it takes: each pattern against its type."""

import json
import re
import string
from typing import Annotated, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from shared.wire.base import Code, Domain, Email, Fingerprint, Key, LongText, Text, WholeId, WireModel
from shared.wire.licences import ApplicationId, EckId, Name

TYPES: dict[str, Any] = {
    "text": Text,
    "long text": LongText,
    "key": Key,
    "domain": Domain,
    "code": Code,
    "fingerprint": Fingerprint,
    "application": ApplicationId,
    "ECK iD": EckId,
    "name as sent": Name,
}


class Inner(WireModel):
    count: int = Field(alias="aantal")


class Outer(WireModel):
    school: str = Field(alias="school")
    parts: list[Inner] = Field(alias="delen")


@pytest.mark.parametrize(
    "body",
    [
        {"school": "x", "parts": []},
        {"school": "x", "delen": [{"count": 1}]},
        {"school": "x", "delen": [], "parts": []},
    ],
)
def test_a_body_has_the_names_of_the_wire_alone(body: dict[str, Any]) -> None:
    """A client that passes here with our names would fail at the real interface."""
    good = {"school": "x", "delen": [{"aantal": 1}]}
    ours = Outer(school="x", parts=[Inner(count=1)])
    assert TypeAdapter(Outer).validate_python(good) == Outer.model_validate_json(json.dumps(good)) == ours
    with pytest.raises(ValidationError):
        TypeAdapter(Outer).validate_python(body, from_attributes=True)  # as the framework reads a body
    with pytest.raises(ValidationError):
        Outer.model_validate_json(json.dumps(body))


# Letters of every kind that matters here: plain, spaces, controls, signs that reorder, and some that NFC changes.
SIGNS = st.sampled_from([*string.printable, *"é\u0301\u00a0\u2003\u2028\u202e\u2066\x00\x1c\x85#/.@-:ßẞ"])
NEAR = st.one_of(
    st.text(SIGNS, max_size=12),
    st.from_regex(r"[0-9]{2}[A-Za-z]{2}([0-9]{2})?", fullmatch=True),
    st.from_regex(r"@?([a-z]{1,5}\.){1,3}[a-z]{2,4}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,3}:[0-9a-f]{64}", fullmatch=True),
)


def takes(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def described(kind: Any, text: str) -> bool:
    schema = TypeAdapter(kind).json_schema()
    fits = re.search(schema["pattern"].removesuffix("$") + r"\Z", text) is not None
    return fits and schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 10_000)


@pytest.mark.parametrize("name", TYPES)
@given(text=NEAR)
@example(text="99ZA00")
@example(text="..")
@example(text="a" * 257)
def test_what_fits_the_description_is_taken(name: str, text: str) -> None:
    assert not described(TYPES[name], text) or takes(TYPES[name], text)


@pytest.mark.parametrize("name", ["text", "long text", "name as sent", "application", "ECK iD", "fingerprint", "key"])
@given(text=NEAR)
@example(text="een gewone tekst")
@example(text="#1")
def test_what_is_taken_fits_the_description_but_for_what_is_trimmed(name: str, text: str) -> None:
    trimmed = text.strip()
    assert not takes(TYPES[name], trimmed) or described(TYPES[name], trimmed)


def test_a_description_that_says_too_much_or_too_little_would_be_seen() -> None:
    generous = Annotated[Text, TYPES["code"].__metadata__[-1]]
    assert described(generous, "99ZA00")
    assert not described(generous, "gewoon")
    assert takes(generous, "gewoon")  # taken and not described
    assert not takes(Code, "gewoon")


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
def test_every_type_has_an_example_that_it_takes_or_needs_none(kind: Any) -> None:
    schema = TypeAdapter(kind).json_schema()
    assert all(takes(kind, each) and described(kind, each) for each in schema.get("examples", []))
    assert "examples" in schema or kind in {Text, LongText}
    assert takes(Email, TypeAdapter(Email).json_schema()["examples"][0])


@pytest.mark.parametrize(("value", "taken"), [(7, True), (7.0, True), (7.5, False), (True, False), ("7", False)])
def test_a_whole_number_is_one_however_json_writes_it(value: object, taken: bool) -> None:
    assert takes(WholeId, value) is taken
    assert takes(WholeId, 2**63) is takes(WholeId, float("inf")) is False
