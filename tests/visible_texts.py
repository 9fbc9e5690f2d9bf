"""A language in which every text that was marked stands in ⟦brackets⟧, and what a page shows outside them."""

import csv
import gettext
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from io import StringIO

OPEN, CLOSE = "⟦", "⟧"
SHOWN_ATTRIBUTES = ("title", "aria-label", "placeholder", "alt", "label", "data-telling")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNSEEN = {"script", "style", "code"}
PROPER_NAMES = (
    *("EDUscope", "Basispoort", "Beheerportaal", "Taalblobs", "Rekenblobs", "Schakel"),
    *("EDEXML", "BRIN", "ECK iD", "API", "CSV", "Excel", "HTTP"),
)
_VALUE = re.compile(r"%\(\w+\)[sd]")
_DAY = re.compile(
    r"\b\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December) \d{4}\b"
)
_LETTER = re.compile(r"[^\W\d_]")


class Bracketed(gettext.NullTranslations):
    """Says each text of the catalogue in brackets, with its values outside them; `unknown`: texts that it has not."""

    def __init__(self, known: frozenset[str]) -> None:
        super().__init__()
        self.known, self.unknown = known, set[str]()

    def gettext(self, message: str) -> str:
        if message not in self.known:
            self.unknown.add(message)
        return bracketed(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def bracketed(text: str) -> str:
    return OPEN + _VALUE.sub(lambda value: CLOSE + value.group() + OPEN, text) + CLOSE


def unmarked(html: str, data: Iterable[str]) -> list[str]:
    """What a page says outside the brackets that is neither data nor a name: text that nobody can translate."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return _but_data(reader.outside, data)


def unmarked_cells(sheet: str, data: Iterable[str]) -> list[str]:
    """The same for the cells of a CSV file."""
    rows = csv.reader(StringIO(sheet.removeprefix("\ufeff")), delimiter=";")
    return _but_data((outside(cell) for row in rows for cell in row), data)


def outside(text: str) -> str:
    return _Reader().strip(text, 0)[0]


def _but_data(texts: Iterable[str], data: Iterable[str]) -> list[str]:
    known = sorted({*data, *PROPER_NAMES}, key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(re.escape(each) for each in known if each) + r")(?!\w)")
    return [text.strip() for text in texts if _LETTER.search(pattern.sub("", _DAY.sub("", text)))]


class _Reader(HTMLParser):
    """Gathers the texts outside brackets; what is in another language, or is code, is passed by."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self._within: list[tuple[str, bool]] = []  # open elements, and whether their text is passed by
        self._depth = 0

    def strip(self, text: str, depth: int) -> tuple[str, int]:
        kept = []
        for sign in text:
            depth += (sign == OPEN) - (sign == CLOSE)
            if sign in (OPEN, CLOSE):
                kept.append(" ")  # what stands before a text and what stands after it are two
            elif depth == 0:
                kept.append(sign)
        return "".join(kept), depth

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        passed_by = self._passed_by or tag in UNSEEN or (tag != "html" and "lang" in given)
        if not passed_by:
            self.outside += [self.strip(given[name], 0)[0] for name in SHOWN_ATTRIBUTES if name in given]
            if tag == "input" and given.get("type") in {"submit", "button"}:
                self.outside.append(self.strip(given.get("value", ""), 0)[0])
        if tag not in VOID:
            self._within.append((tag, passed_by))

    def handle_endtag(self, tag: str) -> None:
        while self._within and tag not in VOID:
            opened, _ = self._within.pop()
            if opened == tag:
                return

    def handle_data(self, data: str) -> None:
        text, self._depth = self.strip(data, self._depth)
        if not self._passed_by:
            self.outside.append(text)

    @property
    def _passed_by(self) -> bool:
        return bool(self._within) and self._within[-1][1]


def strings_in(value: object) -> Iterator[str]:
    """Every text in a value of a column, JSON included."""
    match value:
        case str():
            yield value
        case bytes():
            yield value.decode("utf-8", "replace")
        case dict():
            for key, each in value.items():
                yield from strings_in(key)
                yield from strings_in(each)
        case list() | tuple():
            for each in value:
                yield from strings_in(each)
