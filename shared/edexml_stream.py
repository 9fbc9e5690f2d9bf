"""From the bytes of an EDEXML file to its raw entries, one at a time: encoding, limits, grammar.

What we do not exchange is dropped here, at the door: its text is never kept, not even for a moment. Memory does not
grow with the size of a file.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, NoReturn
from xml.sax import SAXParseException  # only a name: the parser below is the defused one

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from shared.edexml import EdexmlError, Flaw
from shared.language import mark, say
from shared.problems import TooLarge
from shared.roster import GroupKind

MEGABYTE = 1024 * 1024
CHUNK = 64 * 1024
LONGEST_TOKEN = MEGABYTE  # one tag or comment; expat reads an unfinished one again with every chunk
LONGEST_TEXT = 4096
MOST_PIECES = 8  # in which expat gives one text: of at most 8 kB, and two where a chunk ends
DEEPEST = 32
MOST_SKIPPED = 500_000  # elements in the parts that are not ours
MOST_ATTRIBUTES = 32
MOST_REFERENCES = 1000  # groups or roles of one person
MOST_FLAWS = 50

# Never kept; element -> the kind of data, as the notice names it
DROPPED = {
    "geboortedatum": mark("geboortedatum"),
    "geslacht": mark("geslacht"),
    "sofinummer": mark("burgerservicenummer of onderwijsnummer"),
    "bsn": mark("burgerservicenummer of onderwijsnummer"),
    "onderwijsnummer": mark("burgerservicenummer of onderwijsnummer"),
    "bsn_ondwnr-4": mark("burgerservicenummer of onderwijsnummer"),
    "rijksregisternummer": mark("rijksregisternummer"),
    "etniciteit": mark("etniciteit"),
    "land": mark("land van herkomst"),
    "land_vader": mark("land van herkomst"),
    "land_moeder": mark("land van herkomst"),
    "gewicht_nieuw": mark("leerlinggewicht"),
    "gewicht": mark("leerlinggewicht"),
    "postcodenl": mark("postcode"),
    "postnummerbe": mark("postcode"),
    "postcodeoverig": mark("postcode"),
    "fotourl": mark("foto"),
    "gebruikersnaam": mark("gebruikersnaam"),
}

_ENCODING = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_ENCODINGS = {"utf-8", "utf-16", "ascii", "iso8859-1", "iso8859-15", "cp1252"}

# What a child is: text to keep, data to drop, a part of no use to us, or else the name of its own rules.
_TEXT, _DROP, _SKIP = "=", "-", "!"


class _Step(NamedTuple):
    """What may happen at a child: its place in the order, whether it may come again, and what it is."""

    place: int
    repeats: bool
    state: str


def _order(spelled: str, skipped: str = "", dropped: str = "", **states: str) -> dict[str, _Step]:
    """The children of an element from one line: `a b|c d*`, in order, `|` for a choice, `*` for any number."""
    other = dict.fromkeys((*DROPPED, *dropped.split()), _DROP) | dict.fromkeys(skipped.split(), _SKIP) | states
    steps = {}
    for place, words in enumerate(spelled.split(), start=1):
        for word in words.split("|"):
            name = word.rstrip("*")
            steps[name] = _Step(place, word.endswith("*"), other.get(name, _TEXT))
    return steps


_NAMES = "achternaam voorvoegsel voornamen voorletters-1 roepnaam"
_NOTES = "toevoegingen mutatiedatum"
_RULES: Mapping[str, Mapping[str, _Step]] = {
    "": _order("EDEX", EDEX="EDEX"),
    "EDEX": _order(
        "school vestigingen groepen leerlingen leerkrachten",
        skipped="vestigingen",
        school="school",
        groepen="groepen",
        leerlingen="leerlingen",
        leerkrachten="leerkrachten",
    ),
    "school": _order(
        "schooljaar peildatum brincode|instellingsnummer dependancecode schoolkey aanmaakdatum auteur xsdversie "
        "commentaar toevoegingen",
        skipped="instellingsnummer auteur commentaar toevoegingen",
    ),
    "groepen": _order("groep*|samengestelde_groep*", groep="groep", samengestelde_groep="samengestelde_groep"),
    "groep": _order(f"naam jaargroep omschrijving {_NOTES}", skipped=_NOTES),
    "samengestelde_groep": _order(f"naam omschrijving {_NOTES}", skipped=_NOTES),
    "leerlingen": _order("leerling*", leerling="leerling"),
    "leerling": _order(
        f"{_NAMES} geboortedatum geslacht start_ondw_jgr3 jaargroep groep samengestelde_groepen vestiging "
        "gebruikersnaam emailadres fotourl etniciteit land land_vader land_moeder "
        "sofinummer|bsn|onderwijsnummer|bsn_ondwnr-4|rijksregisternummer gewicht_nieuw gewicht "
        f"postcodenl|postnummerbe|postcodeoverig instroomdatum uitstroomdatum {_NOTES}",
        skipped=f"start_ondw_jgr3 vestiging {_NOTES}",
        dropped="emailadres",
        groep="home",
        samengestelde_groepen="composites",
    ),
    "composites": _order("samengestelde_groep*", samengestelde_groep="composite"),
    "home": {},
    "composite": {},
    "leerkrachten": _order("leerkracht*", leerkracht="leerkracht"),
    "leerkracht": _order(
        f"{_NAMES} gebruikersnaam emailadres rol*|rolomschrijving* groepen {_NOTES}", skipped=_NOTES, groepen="teaching"
    ),
    "teaching": _order("groep*|samengestelde_groep*", groep="teaches", samengestelde_groep="teaches_composite"),
    "teaches": _order("rol*|rolomschrijving*"),
    "teaches_composite": _order("rol*|rolomschrijving*"),
}
_REFERENCES = {
    "home": GroupKind.HOME,
    "teaches": GroupKind.HOME,
    "composite": GroupKind.COMPOSITE,
    "teaches_composite": GroupKind.COMPOSITE,
}
_ENTRIES = frozenset({"school", "groep", "samengestelde_groep", "leerling", "leerkracht"})
# control signs that XML lets through, and signs that turn the reading direction: nobody's name holds one
_UNSEEN = re.compile("[\\x7f-\\x84\\x86-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
_ROLES = frozenset({"rol", "rolomschrijving"})


class Reference(NamedTuple):
    """A group that an entry names."""

    kind: GroupKind
    key: str
    line: int


@dataclass(slots=True)
class RawEntry:
    """One school, groep, samengestelde_groep, leerling or leerkracht, its texts trimmed and empty ones left out."""

    element: str
    line: int
    fields: dict[str, str]  # element or attribute -> text
    references: list[Reference] = field(default_factory=list)
    roles: list[tuple[str, str]] = field(default_factory=list)  # rol or rolomschrijving, text


class Findings:
    """What is met along the way: flaws, and counts of what was left behind."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self.more_flaws = 0
        self.dropped: Counter[str] = Counter()  # kind of data -> times
        self.additions = 0
        self.branches = 0

    def note(self, line: int, reason: str) -> None:
        """An error that leaves the structure whole: reading goes on, so that all of them are told at once."""
        if len(self.flaws) < MOST_FLAWS:
            self.flaws.append(Flaw(line, reason))
        else:
            self.more_flaws += 1

    def stop(self, line: int, reason: str) -> NoReturn:
        """The rest cannot be understood: raise this error with those noted before it."""
        raise EdexmlError(*self.flaws, Flaw(max(1, line), reason), more=self.more_flaws) from None

    def raise_if_any(self) -> None:
        if self.flaws:
            raise EdexmlError(*self.flaws, more=self.more_flaws)


def stream(source: BinaryIO, limit_bytes: int, findings: Findings, take: Callable[[RawEntry], None]) -> None:
    """Give every entry of the file to `take`, in order. Raises EdexmlError for a broken structure, or TooLarge.

    1. The bytes are counted and their encoding is checked.
    2. A parser that refuses any DOCTYPE feeds a handler that knows the grammar.
    """
    parser = _Parser(findings, take)
    size = 0
    try:
        while chunk := source.read(CHUNK):
            if not size:
                _check_encoding(chunk, findings)
            size += len(chunk)
            if size > limit_bytes:
                raise TooLarge(say("Het bestand is te groot."), grens=limit_bytes)
            parser.feed(chunk)
            if parser.unread(size) > LONGEST_TOKEN:
                parser.stop(say("een tag of commentaar is te lang"))
        if not size:
            findings.stop(1, say("het bestand is leeg"))
        parser.close()
    except DefusedXmlException:
        parser.stop(say("een DOCTYPE of een eigen entiteit wordt niet toegelaten"))
    except SAXParseException as error:
        findings.stop(error.getLineNumber() or 1, _malformed(error))


def _check_encoding(start: bytes, findings: Findings) -> None:
    """The list is short on purpose: an exotic encoding can hide from one reader what another sees."""
    if start.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        findings.stop(1, say("dit is een ingepakt bestand; pak het eerst uit"))
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    declared = _ENCODING.match(start[:256].removeprefix(codecs.BOM_UTF8))
    try:
        name = codecs.lookup(declared[1].decode() if declared else "utf-8").name
    except LookupError:
        name = ""
    if name not in _ENCODINGS or b"\0" in start[:4]:
        findings.stop(1, say("deze tekenset kennen wij niet; gebruik UTF-8"))


_MALFORMED = {  # code of expat -> reason
    3: mark("het bestand is afgebroken"),
    4: mark("er staat een teken dat hier niet mag, of dat niet bij de tekenset (meestal UTF-8) hoort"),
    5: mark("het bestand is afgebroken"),
    6: mark("het bestand is afgebroken"),
    7: mark("een eindtag hoort niet bij de laatste begintag"),
    8: mark("een kenmerk staat twee keer in een tag"),
    9: mark("na het einde van de gegevens staat nog iets"),
    11: mark("er staat een entiteit die niet bestaat"),
    14: mark("er staat een tekencode die niet mag"),
    18: mark("deze tekenset kennen wij niet; gebruik UTF-8"),
    19: mark("de genoemde tekenset is niet die van het bestand"),
    20: mark("het bestand is afgebroken"),
}


def _malformed(error: SAXParseException) -> str:
    return say(_MALFORMED.get(getattr(error.getException(), "code", 0), mark("dit is geen geldige XML")))


class _Parser(DefusedExpatParser):
    """Follows the grammar with a stack of rules, and keeps of every entry only what we exchange.

    The handlers are put on expat itself, past SAX's own: the same events in less than half the time.
    """

    def __init__(self, findings: Findings, take: Callable[[RawEntry], None]) -> None:
        super().__init__(forbid_dtd=True)
        self._findings = findings
        self._take = take
        self._states = [""]
        self._rules: list[Mapping[str, _Step]] = [_RULES[""]]
        self._places = [0]  # of the last child at every level
        self._skipped = 0  # levels deep inside a part that is not ours
        self._skipped_in_all = 0
        self._text: list[str] | None = None  # of the element that is being kept
        self._entry = RawEntry("", 1, {})

    def reset(self) -> None:
        super().reset()
        self._expat: Any = self._parser  # type: ignore[attr-defined]  # the stubs leave it out
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters

    def unread(self, size: int) -> int:
        """How many of the bytes fed belong to a tag or comment that has not ended."""
        return size - max(0, int(self._expat.CurrentByteIndex))

    def stop(self, reason: str) -> NoReturn:
        self._findings.stop(self._expat.CurrentLineNumber, reason)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._skipped:
            self._skip_deeper(name)
            return
        step = self._rules[-1].get(name)
        if step is None or self._text is not None:
            self._refuse_child()
        place, repeats, state = step
        last = self._places[-1]
        if place <= last and (place < last or not repeats):
            self.stop(say("<%(name)s> staat niet op de juiste plaats, of staat er twee keer", name=name))
        self._places[-1] = place
        if len(attributes) > MOST_ATTRIBUTES:
            self.stop(say("een tag heeft te veel kenmerken"))
        if state == _TEXT:
            self._text = []
        elif state in {_DROP, _SKIP}:
            self._skip(name, state)
        else:
            self._enter(state, attributes)

    def _characters(self, content: str) -> None:
        if self._text is not None:
            self._text.append(content)
            if len(self._text) > MOST_PIECES:
                self.stop(say("een tekst is te lang"))
        elif not self._skipped and not content.isspace():
            self.stop(say("er staat losse tekst tussen de gegevens"))

    def _end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif self._text is not None:
            self._keep(name, self._text)
            self._text = None
        else:
            self._rules.pop()
            self._places.pop()
            if self._states.pop() in _ENTRIES:
                self._take(self._entry)

    def _refuse_child(self) -> NoReturn:
        if self._text is not None:
            self.stop(say("binnen een tekst staat een element"))
        if self._states == [""]:
            self.stop(say("dit is geen EDEXML: het eerste element is niet <EDEX>"))
        self.stop(say("er staat een element dat hier niet in EDEXML hoort"))

    def _skip(self, name: str, state: str) -> None:
        self._skipped = 1
        if state == _DROP:
            self._findings.dropped[DROPPED.get(name, mark("e-mailadres van leerlingen"))] += 1
        elif name == "vestigingen":
            self._findings.branches += 1

    def _skip_deeper(self, name: str) -> None:
        self._skipped += 1
        self._skipped_in_all += 1
        if self._skipped + len(self._states) > DEEPEST:
            self.stop(say("de elementen zijn te diep genest"))
        if self._skipped_in_all > MOST_SKIPPED:
            self.stop(say("er staan te veel eigen toevoegingen in"))
        if name == "blok":
            self._findings.additions += 1

    def _enter(self, state: str, attributes: dict[str, str]) -> None:
        if state in _ENTRIES:
            keys = ((name, attributes.get(name, "").strip()) for name in ("key", "eckid"))
            self._entry = RawEntry(state, self._expat.CurrentLineNumber, {name: text for name, text in keys if text})
        elif state in _REFERENCES:
            key = attributes.get("key", "").strip()
            self._entry.references.append(Reference(_REFERENCES[state], key, self._expat.CurrentLineNumber))
            self._check_number(self._entry.references)
        self._states.append(state)
        self._rules.append(_RULES[state])
        self._places.append(0)

    def _keep(self, name: str, pieces: list[str]) -> None:
        text = _UNSEEN.sub("", "".join(pieces)).strip()
        if not text:
            return
        if len(text) > LONGEST_TEXT:
            self.stop(say("een tekst is te lang"))
        if not text.isprintable():  # a line break inside a name is the lay-out of the file
            text = " ".join(text.split())
        if name in _ROLES:
            self._entry.roles.append((name, text))
            self._check_number(self._entry.roles)
        else:
            self._entry.fields[name] = text

    def _check_number(self, found: list[Any]) -> None:
        if len(found) > MOST_REFERENCES:
            self.stop(say("bij één persoon staan te veel groepen of functies"))
