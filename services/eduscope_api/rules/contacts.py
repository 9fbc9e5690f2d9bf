"""Kinds of contact details, and telephone numbers in one spelling (pure)."""

import re
from enum import StrEnum

from shared.language import say


class ContactKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"


KIND_WORDS = {ContactKind.EMAIL: "e-mail", ContactKind.PHONE: "telefoon"}  # on the wire
_PHONE = re.compile(r"\+?[0-9]{6,20}")
_BETWEEN = re.compile(r"[\s().\-/\u2010-\u2015]+")


def parse_phone(text: str) -> str:
    """A telephone number as people write it, in one spelling: digits, with single spaces and perhaps a + before them.

    Raises ValueError, without the number in it, for what has no 6 to 20 digits or other signs.
    """
    spaced = _BETWEEN.sub(" ", text.replace("(0)", " ")).strip()
    spaced = re.sub(r"^\+ ", "+", spaced)
    if not spaced.isascii() or not _PHONE.fullmatch(spaced.replace(" ", "")):
        raise ValueError(say("dit is geen telefoonnummer (6 tot 20 cijfers)"))
    return spaced
