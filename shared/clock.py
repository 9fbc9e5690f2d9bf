"""The time: now in UTC, and nights in Amsterdam (pure but for `now`)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def now() -> datetime:
    """The present instant, aware, in UTC. The one place that asks; tests stop it with time-machine."""
    return datetime.now(UTC)


def local_date(instant: datetime) -> date:
    """The calendar date in Amsterdam."""
    return instant.astimezone(AMSTERDAM).date()


def night_start(night: date) -> datetime:
    """The instant at which the night of this local date begins: 00:00 in Amsterdam, as UTC."""
    return datetime.combine(night, time(0), AMSTERDAM).astimezone(UTC)


def local_time(night: date, hour: int) -> datetime:
    """`hour`:00 Amsterdam time on that local date, as UTC."""
    return datetime.combine(night, time(hour), AMSTERDAM).astimezone(UTC)


def next_night(instant: datetime) -> datetime:
    """The first 00:00 in Amsterdam after `instant`, by date arithmetic.

    APScheduler's cron trigger for the same moment leaves out one night a year (tests/shared/test_clock.py keeps it on
    record), so nothing here is counted in hours.
    """
    return night_start(local_date(instant) + timedelta(days=1))
