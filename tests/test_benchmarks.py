"""The measuring works and the page is made by the command; how fast anything is, no test says."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.intake import IntakeFigures, Pusher, open_school, packed
from benchmarks.measure import Series, ratio, take_turns
from benchmarks.night import Memory, add_schools, change_some, expect, measure_source, read_bare
from benchmarks.page import Results, write_page
from benchmarks.rosters import a_file, roster_of_file, with_every_pupil_changed
from benchmarks.stage import Databases, a_folder, start_service
from services.demo.processes import Processes
from services.eduscope_api.runs import Outcome
from shared.roster import fingerprint
from shared.wire.rosters import WireRoster

ROOT = Path(__file__).parents[1]


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    made = Databases(tmp_path)
    yield made
    made.close()


def test_every_contestant_has_its_windows_and_the_warm_up_does_not_count() -> None:
    turns: list[str] = []

    def window(name: str) -> int:
        turns.append(name)
        return 3

    found = take_turns({"ours": lambda: window("ours"), "floor": lambda: window("floor")}, rounds=2)
    assert sorted(turns) == ["floor"] * 3 + ["ours"] * 3
    assert turns[:2] != turns[2:4], "the order turns round"
    assert {name: len(series.rates) for name, series in found.items()} == {"ours": 2, "floor": 2}


def test_what_a_window_needs_is_made_ready_before_it() -> None:
    steps: list[str] = []

    def window() -> int:
        steps.append("window")
        return 1

    take_turns({"ours": window}, 1, {"ours": lambda: steps.append("ready")})
    assert steps == ["ready", "window", "ready", "window"]


def test_a_ratio_is_taken_from_windows_that_lay_beside_each_other() -> None:
    found = ratio(Series((1.0, 2.0, 9.0)), Series((2.0, 8.0, 12.0)))
    assert (found.lowest, found.median, found.highest) == (0.25, 0.5, 0.75)


def figures(ours: float) -> IntakeFigures:
    rates = {"ours": Series((ours, ours)), "floor": Series((100.0, 100.0)), "mirror only": Series((200.0, 200.0))}
    return IntakeFigures("SQLite", rates, rates, 80.0)


def test_the_page_says_of_a_target_whether_it_was_reached() -> None:
    began = datetime(2026, 11, 22, tzinfo=UTC)
    reached = write_page(Results(began, is_quick=False, intake=[figures(30.0)]))
    missed = write_page(Results(began, is_quick=False, intake=[figures(20.0)]))
    assert "**0.30** (0.30–0.30) | 0.25, reached" in reached
    assert "**0.20** (0.20–0.20) | 0.25, not reached" in missed


def test_every_turn_changes_every_pupil_and_nothing_else() -> None:
    roster = roster_of_file(a_file(1, 40))
    one, other = with_every_pupil_changed(roster, 1), with_every_pupil_changed(roster, 2)
    assert len(roster.pupils) == 40
    assert one.groups == roster.groups
    assert one.staff == roster.staff
    for key in roster.pupils:
        assert len({roster.pupils[key], one.pupils[key], other.pupils[key]}) == 3


def test_a_push_that_is_refused_ends_the_measurement(databases: Databases, tmp_path: Path) -> None:
    url, engine = databases.new("basispoort_hub")
    roster = roster_of_file(a_file(1, 12))
    open_school(engine, "99ZA10")
    processes = Processes(tmp_path)
    try:
        pusher = Pusher(start_service(processes, "basispoort_hub", url), "99ZA10")
        pusher.push("PUT", packed(WireRoster.of(roster, fingerprint(roster), {})))
        changed = with_every_pupil_changed(roster, 1)
        pusher.push("PUT", packed(WireRoster.of(changed, fingerprint(changed), {})))
        with pytest.raises(RuntimeError, match="409"):
            pusher.push("PUT", packed(WireRoster.of(roster, fingerprint(changed), {})))
        pusher.close()
    finally:
        processes.stop()


def test_the_sources_side_is_measured_on_schools_that_really_changed(databases: Databases) -> None:
    found = measure_source(databases, rounds=1, schools=1, pupils=12)
    assert set(found.rates) == {"ours", "floor", "with commit"}
    with pytest.raises(RuntimeError, match="ended as"):
        expect(Outcome.EQUAL, Outcome.DELTA)


def test_the_bare_reading_sees_the_whole_school(databases: Databases) -> None:
    _, engine = databases.new("eduscope_api")
    (small, large) = add_schools(engine, [12, 24])
    assert read_bare(engine, large) > read_bare(engine, small) > 12
    change_some(engine, [small], 1)


def test_a_folder_for_measuring_is_removed() -> None:
    with a_folder() as folder:
        (folder / "x").write_text("x")
    assert not folder.exists()


def test_the_command_writes_the_page_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(_size: run.Size, *, is_quick: bool, **_more: object) -> Results:
        began = datetime(2026, 11, 22, tzinfo=UTC)
        return Results(began, is_quick, intake=[figures(30.0)], memory=[Memory("hub", 80.0, 90.0, "rosters")])

    monkeypatch.setattr(run, "measure", measured)
    page = tmp_path / "docs" / "page.md"
    assert run.main(["--quick", "--to", str(page)]) == 0
    assert "A quick run" in page.read_text(encoding="utf-8")
    assert "| hub | 80 | 90 | rosters |" in page.read_text(encoding="utf-8")


def test_a_quick_run_never_overwrites_the_figures() -> None:
    assert run.PAGE != run.QUICK_PAGE
    assert run.QUICK_PAGE.parts[0] == "var"


@pytest.mark.skipif(not (ROOT / run.PAGE).exists(), reason="make bench has not run here yet")
def test_the_page_in_the_repository_was_written_by_the_whole_command() -> None:
    page = (ROOT / run.PAGE).read_text(encoding="utf-8")
    assert "Written by `make bench` on" in page
    assert all(title in page for title in ("## Intake", "## The source", "## An ordinary night", "## Memory"))
