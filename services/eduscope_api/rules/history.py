"""What a change is, which fields differ, and what taking it back would do (pure).

Law: of a change that nobody touched since, the inverse gives exactly what was there before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Name on the wire -> a JSON value; lists are sorted, so that equal means equal. No key: it is not there (any more).
Fields = Mapping[str, Any]
# Name on the wire -> [before, after].
Changed = Mapping[str, list[Any]]
KEY = "key"


class Subject(StrEnum):
    """What has a history. The words are those of `ChangeRow.kind`."""

    PUPIL = "pupil"
    STAFF = "staff"
    GROUP = "group"
    SCHOOL = "school"


@dataclass(frozen=True, slots=True)
class State:
    """One subject at one moment: the version of its row, and everything of it that can be changed."""

    version: int
    fields: Fields


NOWHERE = State(0, {})


def differences(before: Fields, after: Fields) -> dict[str, list[Any]]:
    """Only the fields that differ; of something new all that is filled in, and the other way round."""
    names = {**before, **after}  # in the order of the fields
    found = {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
    return {name: pair for name, pair in found.items() if pair[0] or pair[1] or None not in pair}


def is_creation(changed: Changed) -> bool:
    return KEY in changed and changed[KEY][0] is None


def is_removal(changed: Changed) -> bool:
    return KEY in changed and changed[KEY][1] is None


def inverse(changed: Changed) -> dict[str, Any]:
    """The values that taking this change back would write."""
    return {name: before for name, (before, _) in changed.items()}


def changed_since(changed: Changed, present: Fields) -> list[str]:
    """The fields that no longer are as this change left them: they stand in the way of taking it back."""
    return sorted(name for name, (_, after) in changed.items() if (present.get(name) or None) != (after or None))
