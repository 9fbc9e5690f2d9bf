"""Which pupil in the app is which pupil in Basispoort? Automatic pairs, and suggestions for what is left.

Law: an automatic pair rests on an equal ECK iD or LAS key, or on equal names that nothing contradicts; whatever could
be two children is left to a person, because a wrong pair gives one child another child's work.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from services.app_connector.rules.people import Accounts, HubRoster
from services.app_connector.rules.resemblance import Spelling, compare, look_alikes
from shared.names import fold, name_key


class How(Enum):
    """How a pair came about, as the portal writes it."""

    KNOWN = "bekend"
    ECK_ID = "ECK iD"
    LAS_KEY = "leerlingnummer"
    NAME = "gelijke naam"
    BY_HAND = "handmatig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A pupil of either side as pairing sees one; `group` is a name, `year` a jaargroep."""

    id: int
    first_name: str | None
    last_name: str | None
    prefix: str | None = None
    group: str | None = None
    year: str | None = None
    eck_id: str | None = None
    las_key: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """One pupil of the app is one pupil of Basispoort."""

    app: int
    hub: int
    how: How


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Probably the same child: `score` of 100, and why, in Dutch."""

    app: int
    hub: int
    score: int
    reason: str


class Placing(Enum):
    """What group and year say about two pupils."""

    SAME_GROUP = "zelfde groep"
    SAME_YEAR = "zelfde leerjaar"
    UNKNOWN = ""
    DIFFERENT = "andere groep"


SUGGEST_FROM = 72
_GROUP_BONUS = {Placing.SAME_GROUP: 7.0, Placing.SAME_YEAR: 4.0, Placing.UNKNOWN: 0.0, Placing.DIFFERENT: -5.0}
_KEY_NEEDS = 50  # an equal LAS key with two names that do not resemble each other is a renumbered key
_GROUP_WORDS = re.compile(r"^(?:groepen|groep|gr|klas|unit)\b\s*|^(?:groep|gr|klas)(?=\d)")
_YEARS = re.compile(r"[1-8]")


def app_children(accounts: Accounts) -> list[Child]:
    """The pupils of an app as pairing sees them."""
    return [
        Child(
            id=pupil.id,
            first_name=pupil.first_name,
            prefix=pupil.prefix,
            last_name=pupil.last_name,
            group=accounts.groups[pupil.group].name if pupil.group is not None else None,
            year=pupil.year,
            eck_id=pupil.eck_id,
            las_key=pupil.las_key,
        )
        for pupil in accounts.pupils.values()
    ]


def hub_children(roster: HubRoster) -> list[Child]:
    """The pupils of Basispoort as pairing sees them."""
    return [
        Child(
            id=pupil.id,
            first_name=pupil.first_name,
            prefix=pupil.prefix,
            last_name=pupil.last_name,
            group=_group_name(roster, pupil.group),
            year=pupil.year,
            eck_id=pupil.eck_id,
            las_key=pupil.key,
        )
        for pupil in roster.pupils.values()
    ]


def _group_name(roster: HubRoster, key: str | None) -> str | None:
    group = roster.groups.get(key) if key is not None else None
    return group.name if group is not None else None


@lru_cache(maxsize=1024)  # a school has few groups, and every pupil is in one
def fold_group(name: str) -> str:
    """`Groep 5A`, `gr. 5 a` and `5a` are one group."""
    folded = fold(name)
    return (_GROUP_WORDS.sub("", folded) or folded).replace(" ", "")


def years_of(child: Child) -> frozenset[str]:
    """The years a pupil can be in: the own one, or those in the name of the group (`3/4`). Empty when unknown."""
    if child.year is not None:
        return frozenset({child.year})
    name = fold_group(child.group or "")
    return frozenset(_YEARS.findall(name)) if re.match(r"[1-8]", name) else frozenset()


def placing(left: Child, right: Child) -> Placing:
    """Do group or year agree?"""
    if left.group and right.group and fold_group(left.group) == fold_group(right.group):
        return Placing.SAME_GROUP
    years_left, years_right = years_of(left), years_of(right)
    if not years_left or not years_right:
        return Placing.UNKNOWN
    return Placing.SAME_YEAR if years_left & years_right else Placing.DIFFERENT


def pair_automatically(app: Iterable[Child], hub: Iterable[Child]) -> list[Match]:
    """The pairs that are certain.

    1. Equal ECK iD, where both sides know it.
    2. Equal LAS key, where both sides know it, unless ECK iD or names contradict it.
    3. Equal names, when group or year agrees or is unknown on a side; a name that occurs twice on a side is decided by
       an equal group, or left to a person.
    """
    left, right = {child.id: child for child in app}, {child.id: child for child in hub}
    found: list[Match] = []

    def keep(matches: list[Match]) -> None:
        for match in matches:
            del left[match.app], right[match.hub]
        found.extend(matches)

    keep(_pair_on(left, right, How.ECK_ID, lambda child: child.eck_id))
    keep(
        [
            match
            for match in _pair_on(left, right, How.LAS_KEY, lambda child: child.las_key)
            if _key_fits(match, left, right)
        ]
    )
    keep(_pair_names(left, right))
    return found


def _pair_on(
    left: Mapping[int, Child], right: Mapping[int, Child], how: How, identity: Callable[[Child], str | None]
) -> list[Match]:
    """Pairs of those who alone on their side have that identity."""
    found = []
    lefts, rights = _by(left.values(), identity), _by(right.values(), identity)
    for value, ids in lefts.items():
        others = rights.get(value, [])
        if value and len(ids) == len(others) == 1:
            found.append(Match(ids[0], others[0], how))
    return found


def _by(children: Iterable[Child], identity: Callable[[Child], object]) -> dict[object, list[int]]:
    found: dict[object, list[int]] = defaultdict(list)
    for child in children:
        found[identity(child)].append(child.id)
    return found


def _contradict(left: Child, right: Child) -> bool:
    return bool(left.eck_id and right.eck_id and left.eck_id != right.eck_id)


def _key_fits(match: Match, left: Mapping[int, Child], right: Mapping[int, Child]) -> bool:
    ours, theirs = left[match.app], right[match.hub]
    return not _contradict(ours, theirs) and compare(_spelling(ours), _spelling(theirs)).score >= _KEY_NEEDS


def _key_of(child: Child) -> tuple[str, str] | None:
    key = name_key(child.first_name, child.prefix, child.last_name)
    return key if key[0] else None


def _pair_names(left: Mapping[int, Child], right: Mapping[int, Child]) -> list[Match]:
    found = []
    lefts, rights = _by(left.values(), _key_of), _by(right.values(), _key_of)
    for key, ids in lefts.items():
        others = rights.get(key, [])
        if key is None or not others:
            continue
        only = len(ids) == len(others) == 1
        found += [
            Match(one, other, How.NAME)
            for one, other in _by_group([left[each] for each in ids], [right[each] for each in others], only=only)
        ]
    return found


def _by_group(ours: list[Child], theirs: list[Child], *, only: bool) -> list[tuple[int, int]]:
    """Namesakes: who belongs to whom. A single one on both sides need only not differ; others need an equal group."""
    enough = {Placing.SAME_GROUP, Placing.SAME_YEAR, Placing.UNKNOWN} if only else {Placing.SAME_GROUP}
    fits = [
        (one.id, other.id)
        for one in ours
        for other in theirs
        if placing(one, other) in enough and not _contradict(one, other)
    ]
    return [
        (one, other)
        for one, other in fits
        if sum(each[0] == one for each in fits) == 1 and sum(each[1] == other for each in fits) == 1
    ]


def twice(app: Iterable[Child], hub: Iterable[Child], pairs: Collection[Match]) -> int:
    """How many names occur more than once on a side and still wait for a person."""
    paired_app, paired_hub = {match.app for match in pairs}, {match.hub for match in pairs}
    lefts = _by((child for child in app if child.id not in paired_app), _key_of)
    rights = _by((child for child in hub if child.id not in paired_hub), _key_of)
    return sum(1 for key, ids in lefts.items() if key in rights and max(len(ids), len(rights[key])) > 1)


def suggest(app: Iterable[Child], hub: Iterable[Child], from_score: int = SUGGEST_FROM) -> list[Suggestion]:
    """For the pupils that are left: who is probably who, at most one suggestion per pupil of either side, best first.

    1. For each pupil of the app, the names of Basispoort that look most alike.
    2. Each of those compared field by field, with a bonus for the same group.
    3. One-to-one: the best pair first, then the best of what is left.
    """
    left, right = list(app), list(hub)
    ours, theirs = [_spelling(child) for child in left], [_spelling(child) for child in right]
    scored: list[tuple[float, int, int, str]] = []
    for one, name, indexes in zip(left, ours, look_alikes(ours, theirs), strict=True):
        for index in indexes:
            other = right[index]
            if _contradict(one, other):
                continue
            alike, place = compare(name, theirs[index]), placing(one, other)
            score = alike.score + _GROUP_BONUS[place]
            if score >= from_score:
                reason = ", ".join(part for part in (*alike.reasons, place.value) if part)
                scored.append((score, one.id, other.id, reason or "gelijke naam"))
    scored.sort(key=lambda each: (-each[0], each[1], each[2]))
    used_left: set[int] = set()
    used_right: set[int] = set()
    found = []
    for score, one_id, other_id, reason in scored:
        if one_id not in used_left and other_id not in used_right:
            used_left.add(one_id)
            used_right.add(other_id)
            found.append(Suggestion(one_id, other_id, min(99, round(score)), reason))
    return found


def _spelling(child: Child) -> Spelling:
    return Spelling.of(child.first_name, child.prefix, child.last_name)
