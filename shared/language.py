"""The language of the pages: Dutch texts are the message ids, English stands in one catalogue per package.

`say` where a text is shown, `mark` where a constant is written that is said later. Outside a page (programs, mails, the
night) everything is Dutch, so what is stored is. A text with values names them: `say("Groep %(naam)s", naam=...)`.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO

from babel import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUE = "catalogues/en.po"  # below a package


@dataclass(frozen=True, slots=True)
class Language:
    """A language that pages can be in: its code, its own name, and its texts."""

    code: str
    name: str
    texts: gettext.NullTranslations


DUTCH = Language("nl", "Nederlands", gettext.NullTranslations())
CODES = ("nl", "en")
_spoken: ContextVar[Language] = ContextVar("language", default=DUTCH)


@cache
def load_english(package: str) -> Language:
    """English with the texts of a service and the shared ones; read once, kept in memory, no compiled files."""
    texts = _read_catalogue(package)
    texts.add_fallback(_read_catalogue("shared"))
    return Language("en", "English", texts)


def named_language(code: str, package: str) -> Language:
    """The language with this code, with the texts of a service."""
    return DUTCH if code == DUTCH.code else load_english(package)


def _read_catalogue(package: str) -> gettext.NullTranslations:
    file = resources.files(package) / CATALOGUE
    if not file.is_file():
        return gettext.NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as opened:
        write_mo(compiled, read_po(opened, locale="en"))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def choose_code(asked: str | None, remembered: str | None, accepted: str) -> str:
    """The code of the language for somebody: what was asked for now, or before, or by the browser; else Dutch.

    `accepted` is the value of an Accept-Language header.
    """
    for wish in (asked, remembered):
        if wish in CODES:
            return str(wish)
    weighted = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, weight = part.partition(";")
        try:
            weighted.append((-float(weight.partition("=")[2] or 1), place, name.strip().lower()))
        except ValueError:
            continue
    wanted = [name for weight, _, name in sorted(weighted) if weight < 0]
    return negotiate_locale(wanted, CODES, sep="-") or DUTCH.code


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Everything said within is in this language."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> Language:
    return _spoken.get()


def say(text: str, /, **values: object) -> str:
    """The text in the language of the page, with its values."""
    said = _spoken.get().texts.gettext(text) if text else ""  # gettext answers an empty text with the file's head
    return said % values if values else said


def say_count(one: str, many: str, count: int, /, **values: object) -> str:
    """The text for one or for many, in the language of the page; `%(n)s` in it is the count."""
    return _spoken.get().texts.ngettext(one, many, count) % {"n": count, **values}


def mark(text: str) -> str:
    """The text itself: a constant that is in the catalogue, for `say` to translate when it is shown."""
    return text
