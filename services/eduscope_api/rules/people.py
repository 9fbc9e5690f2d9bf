"""What may stand in the name of a person or a group (pure)."""

import unicodedata

_MARKUP = frozenset('<>"“”„«»{}\\|')
# Formats, surrogates, private and unassigned signs, symbols such as emoji. Joiners belong to several scripts.
_REFUSED = {"Cf": "een onzichtbaar teken", "Co": "een onbekend teken", "Cn": "een onbekend teken"}
_JOINERS = frozenset("\u200c\u200d")


def check_name(text: str) -> str:
    """The text itself, when it can be (a part of) the name of a person. Raises ValueError with a Dutch reason."""
    if text.isascii() and text.replace(" ", "").replace("-", "").replace("'", "").replace(".", "").isalnum():
        return text
    for sign in text:
        if sign in _MARKUP:
            raise ValueError("in een naam staan geen aanhalingstekens, haken of schuine strepen")
        category = unicodedata.category(sign)
        if category == "So":
            raise ValueError("in een naam staan geen plaatjes of symbolen")
        if category in _REFUSED and sign not in _JOINERS:
            raise ValueError(f"in de naam staat {_REFUSED[category]}")
    return text


def check_group_name(text: str) -> str:
    """The text itself, when it can be the name of a group. Raises ValueError with a Dutch reason."""
    for sign in text:
        if sign in "<>":
            raise ValueError("in de naam van een groep staan geen haken")
        if unicodedata.category(sign) in _REFUSED and sign not in _JOINERS:
            raise ValueError("in de naam staat een onzichtbaar of onbekend teken")
    return text
