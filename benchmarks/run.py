"""`make bench`: measures everything in one run and writes the page; QUICK=1 is a small run that only shows it works."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.administration import measure_administration
from benchmarks.intake import measure_intake
from benchmarks.measure import describe_machine, resident_mb
from benchmarks.memory import measure_memory
from benchmarks.night import Memory, measure_night, measure_source
from benchmarks.page import Results, write_page
from benchmarks.stage import Databases, NoPostgres, a_folder, a_postgres
from benchmarks.suppliers import measure_suppliers
from services.demo.processes import Processes
from shared import logs
from shared.clock import now

PAGE = Path("docs/benchmarks.md")
QUICK_PAGE = Path("var/benchmarks.md")
PACKAGES = ("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "sqlalchemy", "psycopg", "httpx")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    pushes: int  # in one window
    pupils: int
    schools: int  # in one window of the source's side
    night_schools: int  # on SQLite
    postgres_schools: int  # in a night on PostgreSQL, where making them takes longest
    night_rounds: int
    requests: int
    country_schools: int  # beside the one whose pages are measured, on PostgreSQL


FULL = Size(
    rounds=7,
    pushes=6,
    pupils=400,
    schools=8,
    night_schools=500,
    postgres_schools=100,
    night_rounds=2,
    requests=300,
    country_schools=6_500,
)
QUICK = Size(
    rounds=2,
    pushes=2,
    pupils=60,
    schools=2,
    night_schools=5,
    postgres_schools=5,
    night_rounds=1,
    requests=10,
    country_schools=20,
)


def measure(size: Size, *, is_quick: bool, with_postgres: bool, say: Callable[[str], None]) -> Results:
    """Measure every subject, on SQLite and, where it is installed, on PostgreSQL."""
    results = Results(began=now(), is_quick=is_quick)
    loads = [_load()]
    with a_folder() as folder:
        results.machine = describe_machine(folder, PACKAGES)
        processes = Processes(folder)
        try:
            _measure_on(Databases(folder), processes, size, results, say)
            processes.stop()
            if with_postgres:
                try:
                    with a_postgres(folder) as server:
                        _measure_on(Databases(folder, server), processes, size, results, say)
                        processes.stop()
                except NoPostgres as reason:
                    say(f"PostgreSQL is skipped: {reason}")
                    results.notes.append(f"PostgreSQL: {reason}.")
            else:
                results.notes.append("PostgreSQL: not asked for.")
        finally:
            processes.stop()
    loads.append(_load())
    results.busy = f"load average {loads[0]} at the start, {loads[1]} at the end (our own work included)"
    return results


def _measure_on(
    databases: Databases, processes: Processes, size: Size, results: Results, say: Callable[[str], None]
) -> None:
    try:
        say(f"{databases.name}: intake ...")
        figures, hub = measure_intake(databases, processes, size.rounds, size.pushes, size.pupils)
        results.intake.append(figures)
        pushes = 2 * (size.rounds + 1) * size.pushes
        results.memory.append(
            Memory(
                f"hub, serve ({databases.name})",
                figures.hub_start_mb,
                resident_mb(processes.pid_of(hub)),
                f"{pushes} rosters and deltas",
            )
        )
        say(f"{databases.name}: schools read by publishers ...")
        country = size.country_schools if databases.server is not None else min(size.country_schools, 100)
        times = size.requests * (10 if databases.server is not None else 1)  # on SQLite only to see that it holds
        results.suppliers.append(measure_suppliers(databases, processes, size.rounds, times, country))
        say(f"{databases.name}: the source's side of a night ...")
        results.source.append(measure_source(databases, size.rounds, size.schools, size.pupils))
        number = size.night_schools if databases.server is None else size.postgres_schools
        say(f"{databases.name}: nights of {number} schools ...")
        night, memory = measure_night(databases, processes, size.night_rounds, number)
        results.nights.append(night)
        results.memory += memory
        say(f"{databases.name}: pages of one school in a country ...")
        administration, serving = measure_administration(databases, processes, size.rounds, size.country_schools)
        results.administration.append(administration)
        results.memory.append(serving)
        if databases.server is None:
            say("memory of the other processes ...")
            results.memory += measure_memory(databases, processes, size.requests)
    finally:
        databases.close()


def _say(sentence: str) -> None:
    print(f"{now():%H:%M:%S} {sentence}", flush=True)


def _load() -> str:
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except OSError:
        return "unknown"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run; its page goes to var/")
    parser.add_argument("--no-postgres", action="store_true", help="SQLite only")
    parser.add_argument("--to", type=Path, help="where the page goes")
    given = parser.parse_args(arguments)
    logs.configure("bench", "WARNING")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end: nothing of ours stays behind
    results = measure(
        QUICK if given.quick else FULL, is_quick=given.quick, with_postgres=not given.no_postgres, say=_say
    )
    page = write_page(results)
    target = given.to or (QUICK_PAGE if given.quick else PAGE)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    print(page)
    print(f"Written to {target}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
