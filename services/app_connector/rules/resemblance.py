"""How alike are two names? Field by field, with the reasons a person would give.

Law: symmetric, 100 for names that are equal after folding, and never above 99 for others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA, JaroWinkler

from shared.names import long_prefix, split_name

# Call names that do not look like the names they stand for. Each line is one family of names.
_FAMILIES = """
abraham bram braam bas|sebastiaan sebastian bas|cornelis cornelius kees cees cor nelis|cornelia corrie cor nel lia
johannes johan jan hans joh john jo jannes hannes|johanna hanna hanneke janneke anneke jo annie joke jopie jannie
nicolaas nikolaas klaas nico niek nick claas|petrus pieter peter piet pier pim|wilhelmus willem wim will bill pim
wilhelmina mien mina willemijn willy minke|elisabeth elizabeth lisa lies liesbeth els elsje betty bep lise elise bets
maria marie mia mieke ria marieke rita marijke mies|catharina catherine katharina karin trijn toos tine kaat kaatje
antonius anton toon ton teun tonnie|antonia toos tonny|franciscus frans sus cis frank|francisca cisca francien
gerardus gerard gerrit geert ger sjra|hendrikus hendrik henk rik hein henri harrie|hendrika rika riek
jacobus jacob jaap sjaak koos coos cobus ko|josephus jozef joseph jos sjef joep jef|lambertus bert lammert bertus
laurentius laurens lau lars rens|leonardus leonard leo lennart leendert|lodewijk louis lowie lode|ludovicus louis
matthias matthijs mathijs thijs matthew ties|mattheus matteo teus thijs|michael michiel giel maikel mike mick michel
margaretha margriet greet gretha griet margot|theodorus theodoor theo dorus dirk|helena leen lena helene heleen
alexander alex sander xander lex sacha sasha|alexandra alex sandra lexi xandra|christiaan christian chris kris bas
christina christine tina stien chris kirsten|benjamin ben benno benji|daniel daan dani danny|david dave daaf
emanuel manuel emiel manu|mohammed mohamed mohammad muhammad mo moh med|abdullah abdou ab|ibrahim ibo brahim
isabella isabel isa bella belle|frederik freek fred frits rik|ferdinand ferry nando|gijsbertus gijsbert gijs bert
adrianus adriaan arie ad janus aad|adriana ada jana ariana|martinus martin maarten tinus mart|reinier rein rinus
robertus robert rob bob bert robbie|rudolf ruud dolf rudi|stephanus stefan steven stef|stephanie steffie stef
tobias tobie tobi|valentijn tijn|augustinus guus stijn august gust|constantijn tijn stijn stan|vincent vince vin
victoria vicky vic tori|suzanna suzanne suus sanne susan|anna an anne anneke annie ans anneloes|thomas tom tommie
samuel sam sammy|samantha sam|charlotte lotte lot charl|emma em|eleonora noor nora ellen leonoor norah|rosalie roos rosa
""".strip().replace("\n", "|")
_ROOTS: dict[str, frozenset[int]] = {}
for _number, _family in enumerate(_FAMILIES.split("|")):
    for _name in _family.split():
        _ROOTS[_name] = _ROOTS.get(_name, frozenset()) | {_number}

# Spellings that sound alike in Dutch, applied in this order to a folded word.
_SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("ph", "f"), ("th", "t"), ("sch", "sg"), ("ch|gh", "g"), ("c(?=[eiy])", "s"), ("ck|c|q", "k"), ("x", "ks"),
        ("z", "s"), ("v|w(?=$)", "f"), ("dt$|d$", "t"), ("ij|ey|ei|ai|ay", "y"), ("ou|au|auw|ouw", "u"), ("ie|y", "i"),
        ("ae|aa", "a"), ("oo|oe", "o"), ("uu|ue", "u"), ("ee", "e"), ("j(?=[aeiou])", "i"), (r"(?<=\w)h", ""),
        (r"(\w)\1", r"\1"), ("e$", ""),
    )
]  # fmt: skip

_CANDIDATES = 10  # per pupil; the right one is nearly always among the first three
_WORTH_COMPARING = 48.0


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name, folded and taken apart once; `whole` is prefix and surname together, each `…_sound` how it sounds."""

    first: str
    prefix: str
    last: str
    whole: str
    first_sound: str
    last_sound: str
    whole_sound: str

    @classmethod
    def of(cls, first_name: str | None, prefix: str | None, last_name: str | None) -> "Spelling":
        return cls.made_of(*split_name(first_name, prefix, last_name))

    @classmethod
    def made_of(cls, first: str, prefix: str, last: str) -> "Spelling":
        whole = f"{prefix}{last}".replace(" ", "")
        return cls(first, prefix, last, whole, sound(first), sound(last), sound(whole))


@dataclass(frozen=True, slots=True)
class Likeness:
    """`score` of 100, and the reasons, in Dutch, most important first; none when the names are equal."""

    score: float
    reasons: tuple[str, ...] = ()


_Field = tuple[float, str]  # likeness of one field, 0 to 1, and its reason


def compare(one: Spelling, other: Spelling) -> Likeness:
    """How alike two names are."""
    straight = _combine(_compare_first(one, other), _compare_last(one, other))
    if straight.score >= 90 or not (one.first and other.first and one.last and other.last):
        return straight
    if max(_edits(one.first, other.last), _edits(one.last, other.first)) < 0.5:
        return straight
    crossed = max(_crossed(one, other), _crossed(other, one), key=lambda each: each.score)
    if crossed.score * 0.97 > straight.score:
        reasons = ("voor- en achternaam verwisseld", *crossed.reasons)
        return Likeness(crossed.score * 0.97, reasons)
    return straight


def _crossed(one: Spelling, other: Spelling) -> Likeness:
    """The first name with call name and surname in each other's column."""
    turned = Spelling.made_of(one.last, one.prefix, one.first)
    return _combine(_compare_first(turned, other), _compare_last(turned, other))


def _combine(first: _Field, last: _Field) -> Likeness:
    # the product under the root: one field that says "somebody else" is not made good by the other one
    score = 100 * (first[0] * last[0]) ** 0.5
    return Likeness(score, tuple(reason for _, reason in sorted((first, last)) if reason))


def _compare_first(one: Spelling, other: Spelling) -> _Field:
    if not one.first or not other.first:
        return 0.5, "roepnaam onbekend"
    if one.first.replace(" ", "") == other.first.replace(" ", ""):
        return 1.0, ""
    short, long = sorted((one.first, other.first), key=len)
    if all(len(word) == 1 for word in short.split()):
        return (0.8, "alleen voorletter") if short[0] == long[0] else (0.1, "andere voorletter")
    if one.first_sound == other.first_sound:
        return 0.93, "klinkt hetzelfde"
    return _related(short, long) or _typed_first(short, long)


def _related(short: str, long: str) -> _Field | None:
    """Two call names that people know to be one, whatever the letters say."""
    heads = short.partition(" ")[0], long.partition(" ")[0]
    if heads[0] == heads[1]:
        return 0.95, "tweede voornaam"
    if _are_one_family(*heads):
        return 0.92, "roepnaam van dezelfde naam"
    return None


def _typed_first(short: str, long: str) -> _Field:
    typed = _typed(short, long)
    if typed < 0.85 and len(short) >= 3 and short in long:
        return (0.86 if long.startswith(short) else 0.8), "verkorte roepnaam"
    return typed, "tikfout in de roepnaam" if typed >= 0.6 else "andere roepnaam"


def _compare_last(one: Spelling, other: Spelling) -> _Field:
    if not one.last or not other.last:
        return 0.5, "achternaam onbekend"
    if one.whole == other.whole:
        return 1.0, ""
    if one.last.replace(" ", "") == other.last.replace(" ", ""):
        return _compare_prefixes(one.prefix, other.prefix)
    if one.whole_sound == other.whole_sound or (one.prefix == other.prefix and one.last_sound == other.last_sound):
        return 0.95, "klinkt hetzelfde"
    halves = _half_of_double(one, other)
    if halves:
        return 0.9, "deel van een dubbele naam"
    # glued (`vanderberg`) and forgotten prefixes: the best of the ways to lay the two beside each other
    typed = max(_typed(one.whole, other.whole), _typed(one.last, other.last) * 0.98)
    return typed, "tikfout in de achternaam" if typed >= 0.6 else "andere achternaam"


def _compare_prefixes(one: str, other: str) -> _Field:
    if not one or not other:
        return 0.97, "voorvoegsel ontbreekt"
    if long_prefix(one) == long_prefix(other):
        return 0.99, "voorvoegsel afgekort"
    return 0.93, "ander voorvoegsel"


def _half_of_double(one: Spelling, other: Spelling) -> bool:
    words, others = set(one.last.split()), set(other.last.split())
    shared = {word for word in words & others if len(word) >= 3}
    return bool(shared) and (len(words) > 1 or len(others) > 1)


def _are_one_family(one: str, other: str) -> bool:
    return bool(_ROOTS.get(one, frozenset()) & _ROOTS.get(other, frozenset()))


def _edits(one: str, other: str) -> float:
    return OSA.normalized_similarity(one, other)


def _typed(one: str, other: str) -> float:
    """Likeness of two words of which one may be mistyped: 0.8 for one error in five letters."""
    edits = _edits(one, other)
    return edits if edits < 0.5 else max(edits, JaroWinkler.similarity(one, other) - 0.05)


def sound(text: str) -> str:
    """A folded name by its sound in Dutch: `Sophie` and `Sofie`, `Kuiper` and `Kuyper` are one."""
    for pattern, letters in _SOUNDS:
        text = pattern.sub(letters, text)
    return text


def look_alikes(ours: Sequence[Spelling], theirs: Sequence[Spelling]) -> list[set[int]]:
    """For each of our names, the positions of their names that are worth comparing field by field."""
    lines = [f"{each.first} {each.last}" for each in theirs]
    return [
        _nearest(f"{each.first} {each.last}", lines) | _nearest(f"{each.last} {each.first}", lines) for each in ours
    ]


def _nearest(line: str, lines: Sequence[str]) -> set[int]:
    found = process.extract(
        line, lines, scorer=fuzz.ratio, processor=None, limit=_CANDIDATES, score_cutoff=_WORTH_COMPARING
    )
    return {index for _, _, index in found}
