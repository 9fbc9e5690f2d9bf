"""How many requests a publisher may make: a token bucket per publisher, in the memory of this process.

A GET never writes, so nothing of it is in the database; each process has buckets of its own.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.problems import Problem

WINDOW_S = 60


class QuotaSpent(Problem):
    """Retry-After says when one more request is possible."""

    status, slug, title = 429, "quota-spent", "This publisher has made too many requests; wait before the next"
    uitleg = "Deze uitgeverij doet te veel verzoeken. Wacht even en probeer het dan opnieuw."


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_at: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left after a request: how many at once, and in how many seconds the bucket is full again."""

    per_minute: int
    left: int
    full_in_s: int

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy, as the draft of the IETF has them."""
        return {
            "RateLimit-Policy": f'"publisher";q={self.per_minute};w={WINDOW_S}',
            "RateLimit": f'"publisher";r={self.left};t={self.full_in_s}',
        }


class Quota:
    """The buckets. One holds a minute's worth: that many at once, refilled evenly. 0 per minute is no limit."""

    def __init__(self, per_minute: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._seconds = seconds
        self._buckets: dict[int, _Bucket] = {}
        self._lock = threading.Lock()

    @property
    def per_minute(self) -> int:
        """What a publisher without a number of its own may do."""
        return self._per_minute

    def spend(self, publisher_id: int, own_per_minute: int | None) -> Standing | None:
        """Take one request from the publisher's bucket; None when there is no limit. Raises QuotaSpent."""
        per_minute = self._per_minute if own_per_minute is None else own_per_minute
        if per_minute == 0:
            return None
        per_second = per_minute / WINDOW_S
        with self._lock:
            at = self._seconds()
            bucket = self._buckets.setdefault(publisher_id, _Bucket(per_minute, at))
            bucket.left = min(per_minute, bucket.left + (at - bucket.filled_at) * per_second)
            bucket.filled_at = at
            if granted := bucket.left >= 1:
                bucket.left -= 1
            left = bucket.left
        standing = Standing(per_minute, int(left), math.ceil((per_minute - left) / per_second))
        if not granted:
            wait = math.ceil((1 - left) / per_second)
            raise QuotaSpent(headers={"Retry-After": str(wait), **standing.headers()})
        return standing
