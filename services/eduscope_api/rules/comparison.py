"""Our staff beside the hub's: equal, address differs, missing here, missing there (pure).

Laws: each of our people and each account of the hub stands on exactly one line; nobody gets an account that another
line has; taking over all offers gives no address to two people.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from rapidfuzz import process
from rapidfuzz.distance import OSA

from services.eduscope_api.rules.addresses import likely_slip
from services.eduscope_api.rules.exchange import Picture, StaffRecord
from shared.language import say
from shared.names import PREFIX_WORDS, fold
from shared.roster import Role

_NEAR = 2  # so many wrong letters in a whole name
_LONG_ENOUGH = 7  # of names that are compared letter by letter


class Outcome(StrEnum):
    DIFFERS = "adres verschilt"
    MISSING_HERE = "ontbreekt hier"
    MISSING_THERE = "ontbreekt daar"
    EQUAL = "gelijk"


class MatchedBy(StrEnum):
    KEY = "sleutel"
    ADDRESS = "adres"
    NAME = "naam"


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody whom the hub knows at this school. `account`: how things stand, in Dutch."""

    key: str | None
    name: str
    email: str | None
    groups: tuple[str, ...]
    account: str


@dataclass(frozen=True, slots=True)
class Line:
    """One of ours beside one of theirs. `offer`: the hub's address, when it can be taken over. `hint`: for a person."""

    outcome: Outcome
    own: StaffRecord | None
    known: Known | None
    matched_by: MatchedBy | None = None
    offer: str | None = None
    hint: str = ""

    @property
    def name(self) -> str:
        if self.own is not None:
            return self.own.member.full_name
        return self.known.name if self.known is not None else ""


def compare(picture: Picture, known: Sequence[Known], today: date) -> list[Line]:
    """Lay our active staff beside the hub's.

    1. Pairs by key, unless the names have nothing in common; then by address; then by a name that is unique on both
       sides.
    2. What differs is offered, unless it would give one address to two people.
    3. What is left over is missing on the other side; who resembles somebody there is named.
    """
    ours = [record for record in picture.staff if record.is_active(today)]
    left = {record.member.key for record in picture.staff if not record.is_active(today)}
    pairs = _pair(ours, known, left)
    lines = [_line(ours[at], known[other], by) for at, (other, by) in pairs.items()]
    taken = {other for other, _ in pairs.values()}
    # who has no role in Basispoort never travels, so cannot be missed there
    lonely = [own for at, own in enumerate(ours) if at not in pairs and own.member.roles - {Role.ICT_COORDINATOR}]
    rest = [each for at, each in enumerate(known) if at not in taken]
    alike = _resembling(lonely, rest)
    lines += [
        Line(
            Outcome.MISSING_THERE,
            own,
            None,
            hint=say("Lijkt op %(naam)s in Basispoort.", naam=rest[alike[at]].name) if at in alike else "",
        )
        for at, own in enumerate(lonely)
    ]
    back = {other: at for at, other in reversed(alike.items())}
    for at, each in enumerate(rest):
        hint = ""
        if at in back:
            hint = say("Lijkt op %(naam)s in EDUscope.", naam=lonely[back[at]].member.full_name)
        elif each.key in left:
            hint = say("Staat hier als uit dienst.")
        lines.append(Line(Outcome.MISSING_HERE, None, each, hint=hint))
    order = list(Outcome)
    return sorted(_with_offers(lines, ours), key=lambda line: (order.index(line.outcome), fold(line.name)))


def words_of(name: str) -> frozenset[str]:
    """The folded words that can tell people apart, wherever the prefix stands."""
    return frozenset(fold(name).split()) - PREFIX_WORDS


def _pair(
    ours: Sequence[StaffRecord], known: Sequence[Known], left: Collection[str]
) -> dict[int, tuple[int, MatchedBy]]:
    """Position among ours -> position among theirs, and by what. `left`: keys of those who no longer work here."""
    own_words = [words_of(own.member.full_name) for own in ours]
    their_words = [words_of(each.name) for each in known]

    def share_a_word(at: int, other: int) -> bool:
        return not own_words[at] or not their_words[other] or bool(own_words[at] & their_words[other])

    pairs: dict[int, tuple[int, MatchedBy]] = {}
    their_keys = {each.key: other for other, each in enumerate(known) if each.key is not None}
    for at, own in enumerate(ours):
        other = their_keys.get(own.member.key)
        if other is not None and share_a_word(at, other):
            pairs[at] = other, MatchedBy.KEY
    _pair_unique(
        pairs,
        ours,
        known,
        lambda own, _: own.member.email,
        lambda each, _: each.email,
        MatchedBy.ADDRESS,
        share_a_word,
    )
    # a name that occurs twice on a side is left to a person, also when a namesake has found the account already;
    # and so is the account of somebody who left: a namesake must not get that address
    own_times, their_times = Counter(own_words), Counter(their_words)
    _pair_unique(
        pairs,
        ours,
        known,
        lambda _, at: own_words[at] if own_times[own_words[at]] == 1 else None,
        lambda each, other: (
            their_words[other] if their_times[their_words[other]] == 1 and each.key not in left else None
        ),
        MatchedBy.NAME,
        share_a_word,
    )
    return pairs


def _pair_unique(
    pairs: dict[int, tuple[int, MatchedBy]],
    ours: Sequence[StaffRecord],
    known: Sequence[Known],
    own_value: Callable[[StaffRecord, int], Hashable],
    their_value: Callable[[Known, int], Hashable],
    by: MatchedBy,
    fits: Callable[[int, int], bool],
) -> None:
    """Pair who has the same value and nobody else has it; of several of ours, the only one whose name fits."""
    taken = {other for other, _ in pairs.values()}
    free: dict[Hashable, list[int]] = {}
    for at, own in enumerate(ours):
        value = own_value(own, at) if at not in pairs else None
        if value:
            free.setdefault(value, []).append(at)
    theirs: dict[Hashable, list[int]] = {}
    for other, each in enumerate(known):
        value = their_value(each, other) if other not in taken else None
        if value:
            theirs.setdefault(value, []).append(other)
    for value, mine in free.items():
        others = theirs.get(value, [])
        if len(others) != 1:
            continue
        fitting = mine if len(mine) == 1 else [at for at in mine if fits(at, others[0])]
        if len(fitting) == 1:
            pairs[fitting[0]] = others[0], by


def _line(own: StaffRecord, known: Known, by: MatchedBy) -> Line:
    mine, theirs = own.member.email, known.email
    mine_words, their_words = words_of(own.member.full_name), words_of(known.name)
    is_other = bool(mine_words and their_words and not mine_words & their_words)
    names = say("De namen verschillen: kijk dit goed na.") if is_other else ""
    if mine == theirs:
        return Line(Outcome.EQUAL, own, known, by, hint=names)
    slip = likely_slip(mine, theirs) if mine is not None and theirs is not None else ""
    return Line(Outcome.DIFFERS, own, known, by, offer=theirs, hint=" ".join(each for each in (slip, names) if each))


def _with_offers(lines: Iterable[Line], ours: Sequence[StaffRecord]) -> list[Line]:
    """Withhold what would leave two people with one address when everything else were taken over."""
    found = list(lines)
    while True:
        after = Counter(addresses_after(ours, {line.own.id: line.offer for line in found if line.own and line.offer}))
        clash = {at for at, line in enumerate(found) if line.offer is not None and after[line.offer] > 1}
        if not clash:
            return found
        for at in clash:
            hint = say("Dit adres staat hier al bij iemand anders.")
            found[at] = replace(found[at], offer=None, hint=f"{hint} {found[at].hint}".strip())


def addresses_after(ours: Iterable[StaffRecord], taken: Mapping[int, str]) -> list[str]:
    """The addresses of these people, once those of `taken` (row number -> address) are theirs."""
    after = (taken.get(own.id, own.member.email) for own in ours)
    return [address for address in after if address is not None]


def _resembling(ours: Sequence[StaffRecord], theirs: Sequence[Known]) -> dict[int, int]:
    """Position among ours -> position among theirs of who has nearly the same name, or else nearly the same address."""
    names = _Spellings(fold(each.name) for each in theirs)
    emails = _Spellings(each.email or "" for each in theirs)
    found = {}
    for at, own in enumerate(ours):
        other = names.nearest(fold(own.member.full_name))
        if other is None:
            other = emails.nearest(own.member.email or "")
        if other is not None:
            found[at] = other
    return found


class _Spellings:
    """Finds texts back with a letter or two wrong: those that begin or end alike are compared letter by letter."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._ends: defaultdict[tuple[bool, str], dict[int, str]] = defaultdict(dict)
        for at, text in enumerate(texts):
            for end in _ends(text):
                self._ends[end][at] = text

    def nearest(self, text: str) -> int | None:
        """Position of the text that is most alike, if any is near enough."""
        best = [
            found
            for end in _ends(text)
            if (found := process.extractOne(text, self._ends.get(end, {}), scorer=OSA.distance, score_cutoff=_NEAR))
        ]
        return min(((distance, at) for _, distance, at in best), default=(0, None))[1]


def _ends(text: str) -> list[tuple[bool, str]]:
    """The first and the last letters; of an address those of the part before the @, which tells people apart."""
    part = text.partition("@")[0]
    return [(True, part[:3]), (False, part[-3:])] if len(text) >= _LONG_ENOUGH else []
