"""The clock process of a service: APScheduler as a plain ticker. What a tick does is decided in the database.

APScheduler's cron trigger is never used for the night: it leaves out one night a year, and its default grace time is
one second (tests/shared/test_clock.py keeps that on record).
"""

import signal
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from shared.clock import now
from shared.logs import log


def run_clock(jobs: Mapping[str, tuple[timedelta, Callable[[], object]]]) -> None:
    """Run every job at once and then at its interval, until SIGTERM or SIGINT. A failing tick is logged.

    `jobs`: name -> (interval, what to do). A job never overlaps with itself; missed ticks are made up by one.
    """
    scheduler = BlockingScheduler(timezone="UTC")
    for name, (interval, work) in jobs.items():
        scheduler.add_job(
            _logged(name, work),
            IntervalTrigger(seconds=int(interval.total_seconds())),
            id=name,
            next_run_time=now(),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def stop(_signal: int, _frame: object) -> None:
        threading.Thread(target=scheduler.shutdown, kwargs={"wait": True}).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    scheduler.start()


def _logged(name: str, work: Callable[[], object]) -> Callable[[], None]:
    def tick() -> None:
        try:
            work()
        except Exception as error:  # a clock must go on ticking whatever one tick ran into
            log.error("tick_failed", job=name, exc_info=error)

    return tick
