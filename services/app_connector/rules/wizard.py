"""The draft and its four steps: what may be done when.

A draft is a value; each step takes one and returns one. Law: in a draft no pupil of either side is in two pairs, and
"alles" leaves nothing to choose but the pairs.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from services.app_connector.rules.pairing import How, Match
from services.app_connector.rules.people import Accounts, HubRoster, Mode
from shared.problems import Problem


class Step(IntEnum):
    """The screens of the wizard; 0 is the choice of mode."""

    MODE = 0
    PAIR = 1
    PUPILS = 2
    TEACHERS = 3
    REVIEW = 4


class WizardOutOfOrder(Problem):
    status, slug, title = 409, "wizard-out-of-order", "An earlier step of the wizard has not been done"
    uitleg = "Deze stap kan nog niet: doorloop eerst de stappen ervoor."


class ChoiceFixed(Problem):
    status, slug, title = 409, "choice-fixed", "With 'alles' everybody goes along; there is nothing to choose"
    uitleg = "Bij ‘Alles synchroniseren’ gaat iedereen mee; er valt hier niets te kiezen."


class TooFewSeats(Problem):
    """Members: `plaatsen`, the seats of the licence, and `gekozen`, how many were chosen."""

    status, slug, title = 409, "too-few-seats", "More people were chosen than the licence has seats for"
    uitleg = "Je hebt meer mensen gekozen dan je licentie plaatsen heeft. Er is niets gewijzigd."


class UnknownPeople(Problem):
    """Member: `onbekend`, how many of the given numbers name nobody (any more)."""

    status, slug, title = 422, "unknown-people", "Some of these people are not (or no longer) there"
    uitleg = "Een of meer gekozen personen bestaan niet (meer). Ververs het overzicht en kies opnieuw."


class AlreadyPaired(Problem):
    status, slug, title = 409, "already-paired", "One of the two is already paired; undo that pair first"
    uitleg = "Een van deze twee leerlingen is al gekoppeld. Maak die koppeling eerst los."


@dataclass(frozen=True, slots=True)
class Draft:
    """What the coordinator has chosen so far. `pupils`, `teachers`: hub numbers; `reached`: the furthest step done."""

    mode: Mode
    pairs: tuple[Match, ...] = ()
    pupils: frozenset[int] = frozenset()
    teachers: frozenset[int] = frozenset()
    reached: Step = Step.MODE


def start(accounts: Accounts, roster: HubRoster, mode: Mode) -> Draft:
    """A fresh draft, with what is known from earlier runs filled in."""
    pairs = tuple(
        Match(pupil.id, pupil.basispoort_id, How.KNOWN)
        for pupil in accounts.pupils.values()
        if pupil.basispoort_id is not None and pupil.basispoort_id in roster.pupils
    )
    teachers = frozenset(
        teacher.basispoort_id
        for teacher in accounts.teachers.values()
        if teacher.basispoort_id is not None and teacher.basispoort_id in roster.staff
    )
    return Draft(mode, pairs, frozenset(), teachers if mode is Mode.SELECTIVE else frozenset())


def differences(accounts: Accounts, roster: HubRoster) -> Draft:
    """The draft that carries out what changed since the last selective run, and adds nobody."""
    return replace(start(accounts, roster, Mode.SELECTIVE), reached=Step.TEACHERS)


def choose_mode(draft: Draft | None, accounts: Accounts, roster: HubRoster, mode: Mode) -> Draft:
    """Another mode means walking all steps again; the pairs that were made stay."""
    if draft is None:
        return start(accounts, roster, mode)
    if draft.mode is mode:
        return draft
    fresh = start(accounts, roster, mode)
    return replace(fresh, pairs=draft.pairs)


def add_pairs(draft: Draft, matches: Iterable[Match], accounts: Accounts, roster: HubRoster) -> Draft:
    """Step 1: these app pupils are these Basispoort pupils, all or none. Raises UnknownPeople, AlreadyPaired."""
    new = tuple(matches)
    unknown = sum(match.app not in accounts.pupils or match.hub not in roster.pupils for match in new)
    if unknown:
        raise UnknownPeople(onbekend=unknown)
    everybody = current_pairs(draft, accounts, roster) + new
    if len({match.app for match in everybody}) < len(everybody) or len({match.hub for match in everybody}) < len(
        everybody
    ):
        raise AlreadyPaired
    return replace(draft, pairs=everybody, pupils=draft.pupils - {match.hub for match in new})


def remove_pair(draft: Draft, app: int) -> Draft:
    """Step 1: undo one pair. Raises UnknownPeople when there is none."""
    kept = tuple(match for match in draft.pairs if match.app != app)
    if len(kept) == len(draft.pairs):
        raise UnknownPeople(onbekend=1)
    return replace(draft, pairs=kept)


def current_pairs(draft: Draft, accounts: Accounts, roster: HubRoster) -> tuple[Match, ...]:
    """The pairs of which both sides still exist."""
    return tuple(match for match in draft.pairs if match.app in accounts.pupils and match.hub in roster.pupils)


def choose_pupils(draft: Draft, chosen: Collection[int], accounts: Accounts, roster: HubRoster) -> Draft:
    """Step 2, selective: who goes along besides the paired pupils, who always do. Raises ChoiceFixed, UnknownPeople,
    TooFewSeats."""
    check_may_choose(draft)
    check_known(chosen, roster.pupils)
    everybody = frozenset(chosen) | {match.hub for match in current_pairs(draft, accounts, roster)}
    check_seats(len(everybody), accounts.pupil_seats)
    extra = everybody - {match.hub for match in draft.pairs}
    return replace(draft, pupils=extra, reached=max(draft.reached, Step.PUPILS))


def choose_teachers(draft: Draft, chosen: Collection[int], accounts: Accounts, roster: HubRoster) -> Draft:
    """Step 3, selective. Raises ChoiceFixed, WizardOutOfOrder, UnknownPeople, TooFewSeats."""
    check_may_choose(draft)
    check_reached(draft, Step.PUPILS)
    check_known(chosen, roster.staff)
    check_seats(len(set(chosen)), accounts.teacher_seats)
    return replace(draft, teachers=frozenset(chosen), reached=Step.TEACHERS)


def check_may_review(draft: Draft | None) -> Draft:
    """Step 4 can be shown when the steps before it are done; with "alles" there is nothing to do in 2 and 3."""
    if draft is None:
        raise WizardOutOfOrder(stap=int(Step.MODE))
    if draft.mode is Mode.SELECTIVE:
        check_reached(draft, Step.TEACHERS)
    return draft


def check_reached(draft: Draft, step: Step) -> None:
    if draft.reached < step:
        raise WizardOutOfOrder(stap=int(draft.reached) + 1)


def check_may_choose(draft: Draft) -> None:
    if draft.mode is Mode.EVERYTHING:
        raise ChoiceFixed


def check_known(chosen: Collection[int], people: Collection[int]) -> None:
    unknown = len(set(chosen) - set(people))
    if unknown:
        raise UnknownPeople(onbekend=unknown)


def check_seats(chosen: int, seats: int | None) -> None:
    if seats is not None and chosen > seats:
        raise TooFewSeats(plaatsen=seats, gekozen=chosen)


def to_json(draft: Draft) -> dict[str, Any]:
    """The draft as it is stored."""
    return {
        "mode": draft.mode.value,
        "pairs": [[match.app, match.hub, match.how.value] for match in draft.pairs],
        "pupils": sorted(draft.pupils),
        "teachers": sorted(draft.teachers),
        "reached": int(draft.reached),
    }


def from_json(body: dict[str, Any]) -> Draft:
    """The draft that `to_json` wrote."""
    return Draft(
        Mode(body["mode"]),
        tuple(Match(app, hub, How(how)) for app, hub, how in body["pairs"]),
        frozenset(body["pupils"]),
        frozenset(body["teachers"]),
        Step(body["reached"]),
    )
