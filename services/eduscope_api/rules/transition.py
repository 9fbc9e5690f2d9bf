"""The year transition: which year comes after which (pure)."""

from collections.abc import Sequence
from itertools import pairwise

NEXT = "+1"
_YEARS: Sequence[str] = ("1", "2", "3", "4", "5", "6", "7", "8")
_FOLLOWING = dict(pairwise(_YEARS))


def next_year(year: str | None) -> str | None:
    """The year after this one; None where none follows by itself: after group 8, in toddlers' and special groups."""
    return _FOLLOWING.get(year or "")
