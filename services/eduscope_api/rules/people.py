"""What may stand in the name of a person or a group (pure)."""

import unicodedata

from shared.language import mark, say

_MARKUP = frozenset('<>"“”„«»{}\\|')
# Formats, surrogates, private and unassigned signs, symbols such as emoji. Joiners belong to several scripts.
_INVISIBLE, _UNKNOWN = mark("in de naam staat een onzichtbaar teken"), mark("in de naam staat een onbekend teken")
_REFUSED = {"Cf": _INVISIBLE, "Co": _UNKNOWN, "Cn": _UNKNOWN}
_JOINERS = frozenset("\u200c\u200d")


def check_name(text: str) -> str:
    """The text itself, when it can be (a part of) the name of a person. Raises ValueError with the reason."""
    if text.isascii() and text.replace(" ", "").replace("-", "").replace("'", "").replace(".", "").isalnum():
        return text
    for sign in text:
        if sign in _MARKUP:
            raise ValueError(say("in een naam staan geen aanhalingstekens, haken of schuine strepen"))
        category = unicodedata.category(sign)
        if category == "So":
            raise ValueError(say("in een naam staan geen plaatjes of symbolen"))
        if category in _REFUSED and sign not in _JOINERS:
            raise ValueError(say(_REFUSED[category]))
    return text


def check_group_name(text: str) -> str:
    """The text itself, when it can be the name of a group. Raises ValueError with the reason."""
    for sign in text:
        if sign in "<>":
            raise ValueError(say("in de naam van een groep staan geen haken"))
        if unicodedata.category(sign) in _REFUSED and sign not in _JOINERS:
            raise ValueError(say("in de naam staat een onzichtbaar of onbekend teken"))
    return text
