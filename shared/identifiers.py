"""School codes, keys, e-mail addresses: parsed once at the border, then trusted (pure)."""

import re
import unicodedata
from dataclasses import dataclass

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from shared.language import say

MAX_KEY_LENGTH = 256  # EDEXML 2.1 EDEXKeyType
_BRIN = re.compile(r"[0-9]{2}[A-Z]{2}")
_BRANCH = re.compile(r"[0-9]{2}")
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
# Nine digits, as such or as they are printed on a pass: 1234.56.789, 123 456 789.
_MAY_HOLD_NINE = re.compile(r"\d\d\d[\d. ]\d\d")  # a cheap first look
_NINE_DIGITS = re.compile(
    r"(?<![^\W_])(?:\d{9}|(?<!\d[. ])(?:\d{4}([. ])\d{2}\1\d{3}|\d{3}([. ])\d{3}\2\d{3})(?![. ]\d))(?![^\W_])"
)
# Addresses of letters, digits, dots and hyphens, which the library takes as they are; it judges all others itself. A
# school has dozens of these, and looking at one takes the library half a millisecond.
_LABEL = r"(?!..--)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"
_PLAIN_EMAIL = re.compile(
    rf"(?=.{{1,50}}@)[a-zA-Z0-9_+-]+(?:\.[a-zA-Z0-9_+-]+)*@(?:{_LABEL}\.){{1,4}}(?P<top>[a-zA-Z]{{2,30}})", re.ASCII
)
_SPECIAL_TOPS = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


def tidy(text: str) -> str:
    """Trimmed and in Unicode NFC; the one spelling every comparison and fingerprint starts from.

    Raises ValueError for NUL and lone surrogates, which PostgreSQL and UTF-8 cannot hold.
    """
    if text.isascii() and "\x00" not in text:
        return text.strip()  # in NFC by itself
    if _FORBIDDEN.search(text):
        raise ValueError(say("bevat een teken dat niet kan worden opgeslagen"))
    return unicodedata.normalize("NFC", text).strip()


@dataclass(frozen=True, slots=True, order=True)
class SchoolCode:
    """BRIN plus branch, `99ZZ00`; an absent branch means `00`, and case and spaces do not matter."""

    brin: str
    branch: str = "00"

    @classmethod
    def parse(cls, text: str) -> "SchoolCode":
        folded = tidy(text).upper()
        brin, branch = folded[:4], folded[4:] or "00"
        if not (_BRIN.fullmatch(brin) and _BRANCH.fullmatch(branch)):
            raise ValueError(
                say("een schoolcode is een BRIN (twee cijfers, twee letters) met een vestigingsnummer van twee cijfers")
            )
        return cls(brin, branch)

    def __str__(self) -> str:
        return self.brin + self.branch


def parse_key(text: str) -> str:
    """A key of the administration: opaque, 1 to 256 characters, never a dummy (`#…`)."""
    key = tidy(text)
    if not key or len(key) > MAX_KEY_LENGTH:
        raise ValueError(say("een sleutel heeft 1 tot 256 tekens"))
    if is_dummy_key(key):
        raise ValueError(say("een sleutel die met # begint, is tijdelijk en wijst niemand aan"))
    return key


def is_dummy_key(key: str) -> bool:
    """EDEXML: a key that starts with `#` is made up for one file and must not be used for matching."""
    return key.startswith("#")


def holds_citizen_number(text: str) -> bool:
    """Whether somewhere in the text stand nine digits that pass the eleven test: such a number may be a BSN.

    Digits inside a longer code (the hexadecimal of an ECK iD) do not count.
    """
    if not _MAY_HOLD_NINE.search(text):
        return False
    return any(_passes_eleven_test(found[0]) for found in _NINE_DIGITS.finditer(text))


def _passes_eleven_test(text: str) -> bool:
    digits = [int(sign) for sign in text if sign.isdigit()]
    weighed = sum(weight * digit for weight, digit in zip((9, 8, 7, 6, 5, 4, 3, 2, -1), digits, strict=True))
    return any(digits) and weighed % 11 == 0


def parse_email(text: str) -> str:
    """One e-mail address in canonical form: NFC, lower case. Syntax only, no look-up.

    Raises ValueError, without the address in it, for everything else (two addresses, a name in front, line breaks).
    """
    text = tidy(text)
    plain = _PLAIN_EMAIL.fullmatch(text)
    if plain is not None and plain["top"].lower() not in _SPECIAL_TOPS:
        return text.lower()
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError as refused:
        raise ValueError(say("dit is geen e-mailadres")) from refused
    return found.normalized.lower()


def parse_domain(text: str) -> str:
    """A mail domain in the form that it has behind the `@` of our addresses. Raises ValueError, without the text."""
    try:
        return parse_email(f"naam@{tidy(text).removeprefix('@')}").rpartition("@")[2]
    except ValueError as refused:
        raise ValueError(say("dit is geen maildomein")) from refused
