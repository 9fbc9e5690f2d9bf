"""When a school that failed tonight is tried again (pure).

Law: the pauses grow, the last attempt is no later than the morning, and what fails in the morning or later is final.
"""

from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=1)


def next_attempt(failed_at: datetime, attempt: int, morning: datetime) -> datetime | None:
    """The instant of the next attempt after the `attempt`th failed, or None: then people are told."""
    if failed_at >= morning:
        return None
    doublings: int = min(attempt - 1, 10)
    pause = min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
    return min(failed_at + pause, morning)
