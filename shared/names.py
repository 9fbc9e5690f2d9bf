"""Names folded for comparison: case, diacritics, spaces and hyphens, and the place of the prefix (pure).

Folded forms are for comparing only; what a person reads is always the name as it was written.
"""

import re
import unicodedata

# Words that stand between call name and surname. Together they cover the prefixes of Dutch, Flemish and Frisian names
# and the commonest of other languages spoken at Dutch schools.
_PREFIXES = """
aan aen af al auf bij da dal das de degli dei del della den der des di do dos du el het im in la las le les lo los mc of
onder op over t te ten ter thoe tho to toe tot uijt uit unter van vande vanden vander ver voor vom von vor zu zum zur
"""
PREFIX_WORDS = frozenset(_PREFIXES.split())
# How prefixes are shortened in hand-made lists, after folding.
_SHORT_PREFIXES = {"vd": "van der", "vdr": "van der", "v": "van", "vh": "van het", "vt": "van t", "vdn": "van den"}
# Letters that Unicode does not take apart into a letter and a mark.
_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ĸ": "k", "ŋ": "n"}
)
_NOT_WORD = re.compile(r"[^\w]+|_+")
_APOSTROPHES = re.compile("['’‘`´ʼ′]")

NameKey = tuple[str, str]


def fold(text: str) -> str:
    """Words in lower case without diacritics, one space between them; hyphens, dots and apostrophes are gone."""
    open_text = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).casefold()
    letters = "".join(letter for letter in open_text if not unicodedata.combining(letter)).translate(_LETTERS)
    return " ".join(_NOT_WORD.split(letters)).strip()


def squeeze(text: str) -> str:
    """The folded text without its spaces."""
    return fold(text).replace(" ", "")


def split_name(first_name: str | None, prefix: str | None, last_name: str | None) -> tuple[str, str, str]:
    """Folded (first name, prefix, surname), with the prefix found wherever it was written.

    `Jan | van der | Berg`, `Jan | | van der Berg`, `Jan | | Berg, van der` and `Jan van der | | Berg` are one name.
    """
    first = fold(first_name or "").split()
    front = fold(prefix or "").split()
    surname, _, behind = (last_name or "").partition(",")
    words = fold(surname).split()
    behind_words = fold(behind).split()
    if behind_words and not all(word in PREFIX_WORDS for word in behind_words):
        words, behind_words = words + behind_words, []
    front += behind_words
    lead: list[str] = []
    while len(words) > 1 and words[0] in PREFIX_WORDS:
        lead.append(words.pop(0))
    front += lead
    tail: list[str] = []
    while len(words) > 1 and words[-1] in PREFIX_WORDS and not front:
        tail.insert(0, words.pop())
    front += tail
    borrowed: list[str] = []
    while len(first) > 1 and first[-1] in PREFIX_WORDS and not front:
        borrowed.insert(0, first.pop())
    return " ".join(first), " ".join(borrowed + front), " ".join(words)


def name_key(first_name: str | None, prefix: str | None, last_name: str | None) -> NameKey:
    """What two spellings of one name have in common: call name, and prefix with surname, without spaces."""
    first, front, surname = split_name(first_name, prefix, last_name)
    return first.replace(" ", ""), f"{front}{surname}".replace(" ", "")


def name_words(first_name: str | None, prefix: str | None, last_name: str | None) -> frozenset[str]:
    """The folded words of a name that can tell people apart: everything but the prefix."""
    first, _, surname = split_name(first_name, prefix, last_name)
    return frozenset(f"{first} {surname}".split())


def sort_name(first_name: str | None, prefix: str | None, last_name: str | None) -> str:
    """What a list is sorted and searched by: the folded surname, then the call name, then the prefix."""
    first, front, surname = split_name(first_name, prefix, last_name)
    return " ".join(filter(None, (surname, first, front)))


def long_prefix(prefix: str) -> str:
    """A folded prefix with its abbreviations written out: `vd` and `v d` become `van der`."""
    joined = prefix.replace(" ", "")
    if joined in _SHORT_PREFIXES:
        return _SHORT_PREFIXES[joined]
    return " ".join(_SHORT_PREFIXES.get(word, word) for word in prefix.split())
