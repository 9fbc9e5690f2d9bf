"""Writes docs/account-states.md by walking `decide` over every situation and event, so that the page cannot lie (pure).

Run it as a module; a test fails when the page is stale.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.basispoort_hub.rules.accounts import (
    Accepted,
    Account,
    AddressChanged,
    Announced,
    Appointed,
    Appointment,
    CannotHappen,
    Dismissed,
    Effect,
    Event,
    KeepingEnded,
    Kept,
    Left,
    LinkAsked,
    PasswordChosen,
    State,
    decide,
)

PAGE = Path(__file__).parents[3] / "docs" / "account-states.md"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_EMAIL = "anna@school.example"
_HERE, _ELSEWHERE = 1, 2
_MINE, _OTHER = Appointment(_HERE, 11), Appointment(_ELSEWHERE, 22)
_COLLEAGUE = Appointment(_HERE, 12)

_INTRODUCTION = """\
# The life of an account

Made from `decide` in `services/basispoort_hub/rules/accounts.py` by `make docs`; do not edit. One table per event: what
becomes of an account in each situation, and what must follow, in that order. *Here* is the school where the event
happens, *elsewhere* another one. An appointment *counts*, or *waits* until the person has signed in and accepted it.

- **invited**: no password yet, a link was sent
- **active**: has a password
- **closed**: nobody signs in; the address is kept 30 days
"""

_SITUATIONS: dict[str, Account | None] = {
    "no account has the address": None,
    "invited, appointment here": Account(email=_EMAIL, state=State.INVITED, counting=frozenset({_MINE})),
    "active, appointment here": Account(email=_EMAIL, state=State.ACTIVE, counting=frozenset({_MINE})),
    "active, appointments here and elsewhere": Account(
        email=_EMAIL, state=State.ACTIVE, counting=frozenset({_MINE, _OTHER})
    ),
    "active, appointment elsewhere": Account(email=_EMAIL, state=State.ACTIVE, counting=frozenset({_OTHER})),
    "active, appointment elsewhere, waits here": Account(
        email=_EMAIL, state=State.ACTIVE, counting=frozenset({_OTHER}), waiting=frozenset({_MINE})
    ),
    "active, appointment here, waits elsewhere": Account(
        email=_EMAIL, state=State.ACTIVE, counting=frozenset({_MINE}), waiting=frozenset({_OTHER})
    ),
    "active, a colleague's appointment here": Account(
        email=_EMAIL, state=State.ACTIVE, counting=frozenset({_COLLEAGUE})
    ),
    "invited, coordinator here": Account(email=_EMAIL, state=State.INVITED, coordinates=frozenset({_HERE})),
    "active, coordinator here": Account(email=_EMAIL, state=State.ACTIVE, coordinates=frozenset({_HERE})),
    "active, coordinator and appointment here": Account(
        email=_EMAIL, state=State.ACTIVE, counting=frozenset({_MINE}), coordinates=frozenset({_HERE})
    ),
    "closed, password kept for this member of staff": Account(
        email=_EMAIL, state=State.CLOSED, kept=Kept(_MINE.person, _NOW + timedelta(days=1))
    ),
    "closed, password kept too long ago": Account(email=_EMAIL, state=State.CLOSED, kept=Kept(_MINE.person, _NOW)),
    "closed, password kept for another": Account(
        email=_EMAIL, state=State.CLOSED, kept=Kept(_OTHER.person, _NOW + timedelta(days=1))
    ),
    "closed": Account(email=_EMAIL, state=State.CLOSED),
}

_EVENTS: dict[str, Event] = {
    "A member of staff appears with the address, or moves to it": Announced(_EMAIL, _MINE, _NOW),
    "The address of the member of staff changes to another": AddressChanged(_MINE),
    "The member of staff leaves, or has no address any more": Left(_MINE, _NOW),
    "A person appoints a coordinator": Appointed(_EMAIL, _HERE),
    "A person ends the coordinator's role": Dismissed(_HERE),
    "The link is used: a form is posted with a password": PasswordChosen(),
    "The person, signed in, accepts the appointment": Accepted(_MINE),
    "Somebody asks for a new link": LinkAsked(_MINE),
    "The account has been closed for 30 days": KeepingEnded(),
}


def account_page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for title, event in _EVENTS.items():
        rows = "\n".join(f"| {before} | {after} | {follows} |" for before, after, follows in _rows(event))
        parts.append(f"## {title}\n\n| Before | After | What follows |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _rows(event: Event) -> Iterator[tuple[str, str, str]]:
    """Situation, account after it, effects; a situation in which the event cannot happen has no row."""
    for situation, account in _SITUATIONS.items():
        try:
            after, effects = decide(account, event)
        except CannotHappen:
            continue
        yield situation, "as it was" if after == account else _describe(after), _follows(effects)


def _describe(account: Account | None) -> str:
    if account is None:
        return "only its number is left"
    parts: list[str] = [f"**{account.state}**"]
    parts += [f"appointment {_place(each.school)}" for each in sorted(account.counting)]
    parts += [f"waits {_place(each.school)}" for each in sorted(account.waiting)]
    parts += [f"coordinator {_place(school)}" for school in sorted(account.coordinates)]
    if account.kept is not None:
        parts.append("password kept for this member of staff")
    return ", ".join(parts)


def _place(school: int) -> str:
    return "here" if school == _HERE else "elsewhere"


def _follows(effects: list[Effect]) -> str:
    return ", ".join(f"`{type(effect).__name__}`" for effect in effects) or "nothing"


if __name__ == "__main__":
    PAGE.write_text(account_page(), encoding="utf-8")
    sys.stdout.write("docs/account-states.md is as decide says\n")
