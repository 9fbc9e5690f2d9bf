"""The difference between two rosters: diff and apply (pure).

Law, kept by a property test: apply(before, diff(before, after)) == after.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.problems import Problem
from shared.roster import Entry, Kind, Roster, fingerprint, kind_of


class RosterDiverged(Problem):
    status, slug, title = 409, "roster-diverged", "The change starts from another roster than the one held here"
    uitleg = "De wijziging gaat uit van andere gegevens dan hier staan. Er is niets gewijzigd."


@dataclass(frozen=True, slots=True)
class Delta:
    """What leads from one roster to another. `base` and `target` are fingerprints; `remove` holds keys per kind."""

    base: str
    target: str
    put: tuple[Entry, ...] = ()
    remove: Mapping[Kind, frozenset[str]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.put and not any(self.remove.values())


def diff(before: Roster, after: Roster) -> Delta:
    """The smallest delta from `before` to `after`."""
    put: list[Entry] = []
    remove: dict[Kind, frozenset[str]] = {}
    for kind in Kind:
        old, new = before.of_kind(kind), after.of_kind(kind)
        put += [entry for key, entry in new.items() if old.get(key) != entry]
        remove[kind] = frozenset(old.keys() - new.keys())
    return Delta(fingerprint(before), fingerprint(after), tuple(put), remove)


def apply(before: Roster, delta: Delta) -> Roster:
    """The roster that `delta` leads to. Raises RosterDiverged when it starts elsewhere or misses its target."""
    held = fingerprint(before)
    if held != delta.base:
        raise RosterDiverged(expected=delta.base, actual=held)
    kinds: dict[Kind, dict[str, Entry]] = {kind: dict(before.of_kind(kind)) for kind in Kind}
    for kind in Kind:
        for key in delta.remove.get(kind, frozenset()):
            kinds[kind].pop(key, None)
    for entry in delta.put:
        kinds[kind_of(entry)][entry.key] = entry
    after = Roster.of(entry for entries in kinds.values() for entry in entries.values())
    reached = fingerprint(after)
    if reached != delta.target:
        raise RosterDiverged(expected=delta.target, actual=reached)
    return after
