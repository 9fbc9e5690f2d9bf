"""What must be sent to bring the hub to our roster: nothing, the difference, or everything (pure).

Law: whatever the hub holds, what is decided here leads it to exactly our roster.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.roster import Entry, Kind, Roster, fingerprint, kind_of
from shared.roster_delta import Delta, diff


class How(StrEnum):
    NOTHING = "niets"
    CONFIRM = "bevestiging"  # an empty difference, only to renew the hub's token
    DELTA = "verschil"
    WHOLE = "alles"


class Change(StrEnum):
    NEW = "nieuw"
    CHANGED = "gewijzigd"
    REMOVED = "verwijderd"


@dataclass(frozen=True, slots=True)
class Sending:
    """How the hub gets to `target`. `delta` is there when a difference is sent, be it an empty one."""

    how: How
    target: str
    delta: Delta | None = None


def decide_sending(roster: Roster, held: str | None, sent: tuple[str, Roster] | None) -> Sending:
    """`held` is the fingerprint of what the hub holds, `sent` what we sent it last.

    When the hub holds our roster but we last sent another one, that other one may still be under way. An empty
    difference renews the token, so that it is refused when it arrives.
    """
    target = fingerprint(roster)
    if held == target:
        if sent is None or sent[0] == target:
            return Sending(How.NOTHING, target)
        return Sending(How.CONFIRM, target, diff(roster, roster))
    if sent is not None and held == sent[0]:
        return Sending(How.DELTA, target, diff(sent[1], roster))
    return Sending(How.WHOLE, target)


def is_sendable(roster: Roster) -> bool:
    """A roster without a single pupil is a broken administration, not a school that everybody left."""
    return bool(roster.pupils)


def changes(before: Roster, delta: Delta) -> Iterator[tuple[Change, Entry]]:
    """What a delta does to each entry, for a person to read."""
    for kind in Kind:
        for key in sorted(delta.remove.get(kind, frozenset())):
            yield Change.REMOVED, before.of_kind(kind)[key]
    for entry in delta.put:
        is_known = entry.key in before.of_kind(kind_of(entry))
        yield Change.CHANGED if is_known else Change.NEW, entry
