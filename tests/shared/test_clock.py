"""shared/clock.py: every night of a century once, and the cron trigger that leaves one out."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from apscheduler.triggers.cron import CronTrigger

from shared.clock import AMSTERDAM, local_date, local_time, next_night, night_start, now

FIRST, DAYS = date(2000, 1, 1), 36_525


def nights_from(step: Callable[[datetime], datetime]) -> list[datetime]:
    """Every instant that `step` gives in the years 2000 to 2099, each asked for with the one before."""
    found, instant, end = [], night_start(FIRST) - timedelta(minutes=1), night_start(date(2100, 1, 1))
    while (instant := step(instant)) < end:
        found.append(instant)
    return found


def test_every_local_date_of_a_century_has_exactly_one_night_at_midnight() -> None:
    nights = nights_from(next_night)
    assert [local_date(night) for night in nights] == [FIRST + timedelta(days=day) for day in range(DAYS)]
    assert {night.astimezone(AMSTERDAM).strftime("%H:%M:%S") for night in nights} == {"00:00:00"}


def test_counting_in_hours_would_not_do() -> None:
    nights = nights_from(lambda instant: instant + timedelta(hours=24))
    assert {night.astimezone(AMSTERDAM).hour for night in nights} != {0}


@pytest.mark.parametrize("moment", [timedelta(0), timedelta(seconds=1), timedelta(hours=12), timedelta(hours=22)])
def test_from_any_moment_of_a_day_the_next_night_is_the_next_date(moment: timedelta) -> None:
    for day in range(0, DAYS, 7):
        night = FIRST + timedelta(days=day)
        assert local_date(next_night(night_start(night) + moment)) == night + timedelta(days=1)


def test_the_stock_cron_trigger_still_leaves_out_a_night_each_spring() -> None:
    # when this fails, APScheduler has been mended and the ticker's reason may be shortened
    trigger = CronTrigger(hour=0, minute=0, timezone="Europe/Amsterdam")
    fired = night_start(date(2026, 3, 29))
    after = trigger.get_next_fire_time(fired, fired + timedelta(seconds=1))
    assert local_date(after) == date(2026, 3, 31)
    assert local_date(next_night(fired)) == date(2026, 3, 30)


def test_a_night_begins_at_another_utc_hour_in_summer() -> None:
    assert night_start(date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert night_start(date(2026, 12, 1)) == datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_six_in_the_morning_is_six_on_the_wall_also_when_the_clock_moves() -> None:
    assert local_time(date(2026, 3, 29), 6) - night_start(date(2026, 3, 29)) == timedelta(hours=5)
    assert local_time(date(2026, 10, 25), 6) - night_start(date(2026, 10, 25)) == timedelta(hours=7)


def test_now_is_aware_and_in_utc() -> None:
    with time_machine.travel(datetime(2026, 11, 22, 0, 30, tzinfo=AMSTERDAM), tick=False):
        assert now() == datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
        assert now().tzinfo is UTC
        assert local_date(now()) == date(2026, 11, 22)
