"""The page with the figures, as the command writes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.administration import AdministrationFigures, describe
from benchmarks.intake import IntakeFigures
from benchmarks.measure import Ratio, Series, ratio
from benchmarks.night import Memory, NightFigures, SourceFigures
from benchmarks.suppliers import SupplierFigures
from benchmarks.suppliers import describe as describe_suppliers

TARGETS = {"SQLite": 0.25, "PostgreSQL": 0.40}  # of the floor's rate, for a whole roster


@dataclass
class Results:
    """Everything one run found. `notes` say what could not be measured, and why."""

    began: datetime
    is_quick: bool
    machine: Sequence[tuple[str, str]] = ()
    busy: str = ""
    intake: list[IntakeFigures] = field(default_factory=list)
    source: list[SourceFigures] = field(default_factory=list)
    nights: list[NightFigures] = field(default_factory=list)
    administration: list[AdministrationFigures] = field(default_factory=list)
    suppliers: list[SupplierFigures] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_page(results: Results) -> str:
    """docs/benchmarks.md."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    command = "make bench QUICK=1" if results.is_quick else "make bench"
    yield f"Written by `{command}` on {results.began:%Y-%m-%d %H:%M} UTC; never by hand."
    yield ""
    yield "Every figure is a **ratio to a floor** that was measured in the same run, in windows that took"
    yield "turns with ours. A floor is the least that any program must do for the same work. Ratios hold elsewhere;"
    yield "times do not. Given are the median and, between brackets, the lowest and highest of the rounds."
    if results.is_quick:
        yield ""
        yield "**A quick run: few rounds, small schools. It shows that the measuring works, and no speed.**"
    yield ""
    yield "| Machine | |"
    yield "|---|---|"
    yield from (f"| {name} | {value} |" for name, value in results.machine)
    yield f"| others at work on it | {results.busy} |"
    yield from _intake(results.intake, {} if results.is_quick else TARGETS)
    yield from _source(results.source)
    yield from _nights(results.nights)
    yield from describe(results.administration)
    yield from describe_suppliers(results.suppliers)
    yield from _memory(results.memory)
    if results.notes:
        yield from ("", "## Not measured", "")
        yield from (f"- {note}" for note in results.notes)


def _intake(found: Sequence[IntakeFigures], targets: Mapping[str, float]) -> Iterator[str]:
    yield from (
        "",
        "## Intake at the hub",
        "",
        "A real `schakel serve basispoort_hub`, one caller, one lasting connection, bodies as EDUscope sends them",
        "(gzip from 10 kB). *Whole roster*: a later push in which every pupil changed. *One pupil*: a delta.",
        "",
        "**Floor**: the same SQLAlchemy Core statements for the same rows (both layers of the roster, the answers for",
        "publishers, the feed, the school) and their commit, in-process, rows at hand. **Mirror only**: a still lower",
        "floor, the rows that came in and nothing that follows from them.",
        "",
        "| Database | Pupils | What | Ours | Floor | Ratio to the floor | Target | Ratio to mirror only |",
        "|---|---|---|---|---|---|---|---|",
    )
    for each in found:
        for what, rates in (("whole roster", each.whole), ("one pupil", each.one)):
            to_floor, to_mirror = ratio(rates["ours"], rates["floor"]), ratio(rates["ours"], rates["mirror only"])
            target = targets.get(each.database) if what == "whole roster" else None
            yield (
                f"| {each.database} | {each.pupils} | {what} | {_ms(rates['ours'])} | {_ms(rates['floor'])} "
                f"| {_shown(to_floor)} | {_target(to_floor, target)} | {_shown(to_mirror)} |"
            )


def _source(found: Sequence[SourceFigures]) -> Iterator[str]:
    yield from (
        "",
        "## The source's side of a night, per school",
        "",
        "Read the rows, make the roster, compare, remember what is sent, send the difference; the hub is a function in",
        "the same process that takes everything. One pupil in a hundred changed. **Floor**: the same rows with bare",
        "queries. **With commit**: that, and writing the remembered roster.",
        "",
        "| Database | Pupils | Ours | Floor | Ratio to the floor | Ratio to the floor with commit |",
        "|---|---|---|---|---|---|",
    )
    for each in found:
        rates = each.rates
        yield (
            f"| {each.database} | {each.pupils} | {_ms(rates['ours'])} | {_ms(rates['floor'])} "
            f"| {_shown(ratio(rates['ours'], rates['floor']))} | {_shown(ratio(rates['ours'], rates['with commit']))} |"
        )


def _nights(found: Sequence[NightFigures]) -> Iterator[str]:
    yield from (
        "",
        "## An ordinary night, from end to end",
        "",
        "Generated schools of 60 to 400 pupils, one pupil in a hundred changed, one school after another as the night",
        "does it: `run_tonight` on EDUscope's database, HTTP to a real hub process. **Floor**: the rows that the",
        "source reads, the rows both sides write, and their commits, on copies of both databases, without HTTP.",
        "",
        "| Database | Schools | Pupils | Ours, per school | Floor, per school | Ratio to the floor | Whole night |",
        "|---|---|---|---|---|---|---|",
    )
    for each in found:
        rates = each.rates
        yield (
            f"| {each.database} | {each.schools} | {each.pupils:,} | {_ms(rates['ours'])} | {_ms(rates['floor'])} "
            f"| {_shown(ratio(rates['ours'], rates['floor']))} | {each.schools / rates['ours'].median:.1f} s |"
        )


def _memory(found: Sequence[Memory]) -> Iterator[str]:
    yield from ("", "## Memory", "", "| Process | After start, MB | After its load, MB | Load |", "|---|---|---|---|")
    for each in found:
        yield f"| {each.process} | {_mb(each.start)} | {_mb(each.after)} | {each.load} |"


def _ms(series: Series) -> str:
    times = [1000 / rate for rate in series.rates]
    return f"{1000 / series.median:.1f} ms ({min(times):.1f}–{max(times):.1f})"


def _shown(found: Ratio) -> str:
    return f"**{found.median:.2f}** ({found.lowest:.2f}–{found.highest:.2f})"


def _target(found: Ratio, target: float | None) -> str:
    if target is None:
        return "–"
    return f"{target:.2f}, {'reached' if found.median >= target else 'not reached'}"


def _mb(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f}"
