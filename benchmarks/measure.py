"""How things are measured: contestants take turns in windows, each against its own floor, on the quietest moments."""

import gc
import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

QUIET = 0.25  # share of the machine that others may use
PATIENCE_S = float(os.environ.get("BENCH_PATIENCE", "1"))  # how long a window waits for that, in seconds
PROBE_S = 0.25

Window = Callable[[], int]  # does its work once, and says how many units that was


@dataclass(frozen=True, slots=True)
class Series:
    """What one contestant reached in each round: units a second."""

    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours divided by the floor, from windows that lay beside each other."""

    shares: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.shares)

    @property
    def lowest(self) -> float:
        return min(self.shares)

    @property
    def highest(self) -> float:
        return max(self.shares)


def take_turns(
    contestants: Mapping[str, Window], rounds: int, prepare: Mapping[str, Callable[[], None]] | None = None
) -> dict[str, Series]:
    """Let every contestant do one window per round, in turn; the order turns round every time.

    The first round warms everything up and does not count. `prepare` is done before a window and not timed.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for place in range(rounds + 1):
        names = sorted(contestants, reverse=place % 2 == 0)
        for name in names:
            if prepare is not None and name in prepare:
                prepare[name]()
            wait_for_quiet()
            gc.collect()
            began = time.perf_counter()
            units = contestants[name]()
            took = time.perf_counter() - began
            if place:
                rates[name].append(units / took)
    return {name: Series(tuple(found)) for name, found in rates.items()}


def ratio(ours: Series, floor: Series) -> Ratio:
    return Ratio(tuple(one / other for one, other in zip(ours.rates, floor.rates, strict=True)))


def wait_for_quiet() -> float:
    """Wait, not for ever, until others leave the machine alone; returns the share that they use."""
    until = time.monotonic() + PATIENCE_S
    while (busy := _busy_share()) > QUIET and time.monotonic() < until:
        pass
    return busy


def _busy_share() -> float:
    """The share of all processors in use while this process sleeps; 0 where the system does not tell."""
    before = _ticks()
    if before is None:
        return 0.0
    time.sleep(PROBE_S)
    after = _ticks() or before
    total = after[0] - before[0]
    return 1 - (after[1] - before[1]) / total if total else 0.0


def _ticks() -> tuple[int, int] | None:
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    return sum(fields), fields[3] + fields[4]


def resident_mb(pid: int) -> float | None:
    """How much memory a process holds now, in MB; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(found[0]) / 1024 if found else None


def describe_machine(folder: Path, packages: Sequence[str]) -> list[tuple[str, str]]:
    """What the figures were measured on."""
    from importlib.metadata import version

    return [
        ("processor", f"{os.cpu_count()} x {_processor()}"),
        ("memory", _memory()),
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("file system of the databases", _file_system(folder)),
        ("Python", platform.python_version()),
        ("SQLite", sqlite3.sqlite_version),
        ("libraries", ", ".join(f"{name} {version(name)}" for name in packages)),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return "unknown"
    return f"{total / 1024**3:.0f} GiB"


def _file_system(folder: Path) -> str:
    """The kind of file system; a database in memory would make every commit free."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    here = folder.resolve()
    kinds = {point: kind for point, kind in mounts if here.is_relative_to(point)}
    return kinds[max(kinds, key=len)] if kinds else "unknown"
