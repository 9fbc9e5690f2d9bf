"""Every "nothing is lost, nothing is doubled" has its twin: a fault planted in the code that the same check catches.

Each fault below is one line of the code, said differently. Its check is an existing test, called here twice: it passes
on the code as it is and fails on the code with the fault. Twins that stand beside their own test are listed last.
"""

import ast
import inspect
import os
import textwrap
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from services.app_connector import syncs
from services.basispoort_hub import activation, intake, links
from shared import database
from shared.database import reading, writing
from tests.app_connector import test_syncs as of_syncs
from tests.app_connector.portal import Portal, a_portal
from tests.basispoort_hub import test_activation as of_activation
from tests.basispoort_hub import test_intake as of_intake
from tests.basispoort_hub.a_hub import open_hub
from tests.basispoort_hub.hub import Hub, open_mailing_hub
from tests.shared import test_database as of_database

ROOT = Path(__file__).parent


@dataclass
class Houses:
    """Makes what a check needs: a fresh service on a fresh database."""

    make_engine: Callable[[str], Engine]
    migrated_url: Callable[[str], str]
    database_url: Callable[[str], str]

    def counters(self) -> Engine:
        engine = database.open_engine(self.database_url("counters"))
        of_database.Base.metadata.create_all(engine)
        with writing(engine) as db:
            db.add(of_database.CounterRow(value=0))
        return engine

    def connected_hub(self) -> Any:
        hub = open_hub(self.make_engine("basispoort_hub"))
        hub.open_school()
        return hub

    def mailing_hub(self) -> tuple[Hub, str]:
        """And the path of a live activation link."""
        hub = open_mailing_hub(self.migrated_url("basispoort_hub"))
        return hub, of_activation.link_of_anna(hub)

    def portal(self) -> Portal:
        return a_portal(self.make_engine)


@dataclass(frozen=True)
class Fault:
    """`says` is what the function's source holds, `planted` what stands there instead."""

    name: str
    where: Callable[..., Any]
    says: str
    planted: str
    check: Callable[[Houses], None]
    only: str = ""  # the database on which it is a fault


def late_roster_is_refused(houses: Houses) -> None:
    of_intake.test_a_delta_that_arrives_an_hour_late_is_refused(houses.connected_hub())


def two_who_read_and_then_write_both_count(houses: Houses) -> None:
    """Two threads add one to a counter. The second is let in before the first writes, if anything lets it in."""
    engine = houses.counters()
    both_have_read = threading.Barrier(2)
    refused: list[Exception] = []

    def add_one() -> None:
        try:
            with writing(engine) as db:
                value = db.scalars(select(of_database.CounterRow.value).with_for_update()).one()
                with suppress(threading.BrokenBarrierError):  # as it should be: the other waits until we are done
                    both_have_read.wait(0.5)
                db.execute(update(of_database.CounterRow).values(value=value + 1))
        except Exception as error:
            refused.append(error)

    threads = [threading.Thread(target=add_one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as db:
        counted = db.scalar(select(of_database.CounterRow.value))
    engine.dispose()
    assert (counted, refused) == (2, [])


def a_power_cut_loses_nothing(houses: Houses) -> None:
    of_database.test_sqlite_is_opened_so_that_a_power_cut_loses_nothing(houses.counters())


def commits_wait_for_the_disk(houses: Houses) -> None:
    of_database.test_postgresql_promises_only_what_is_on_the_disk(houses.database_url("counters"))


def scanners_change_nothing(houses: Houses) -> None:
    of_activation.test_mail_scanners_change_nothing(*houses.mailing_hub())


def a_link_is_won_once(houses: Houses) -> None:
    of_activation.test_one_atomic_update_is_won_once(houses.mailing_hub()[0])


def an_overtaken_plan_is_not_carried_out(houses: Houses) -> None:
    of_syncs.test_a_plan_that_something_overtook_is_not_carried_out(houses.portal())


def fifty_confirmations_are_one_run(houses: Houses) -> None:
    of_syncs.test_fifty_confirmations_at_once_are_one_run(houses.portal())


FAULTS = [
    Fault(
        "no compare-and-swap in the hub's intake",
        intake._move_token,
        ".where(SchoolRow.id == school.id, held)",
        ".where(SchoolRow.id == school.id)",
        late_roster_is_refused,
    ),
    Fault(
        "a plain BEGIN",
        database._begin_sqlite,
        '"BEGIN IMMEDIATE" if writes else "BEGIN"',
        '"BEGIN"',
        two_who_read_and_then_write_both_count,
        only="SQLite",
    ),
    Fault(
        "synchronous NORMAL",
        database._set_pragmas,
        "**SQLITE_PRAGMAS}",
        "**SQLITE_PRAGMAS, 'synchronous': 1}",
        a_power_cut_loses_nothing,
        only="SQLite",
    ),
    Fault(
        "synchronous NORMAL, and nobody asserts it at start",
        database._set_pragmas,
        "    cursor.close()",
        "    cursor.execute('PRAGMA synchronous=1')\n    SQLITE_PRAGMAS['synchronous'] = 1\n    cursor.close()",
        a_power_cut_loses_nothing,
        only="SQLite",
    ),
    Fault(
        "a commit that is told before it is on the disk",
        database.open_engine,
        " -c synchronous_commit=on",
        "",
        commits_wait_for_the_disk,
        only="PostgreSQL",
    ),
    Fault(
        "a GET that spends a link",
        activation.show_activation,
        "    try:",
        "    with writing(request.app.state.engine) as db:\n"
        "        spend_link(db, int(token.split('.')[0]), present())\n"
        "    try:",
        scanners_change_nothing,
    ),
    Fault(
        "a link that is looked at first and spent after",
        links.spend_link,
        "LinkRow.spent_at.is_(None), ",
        "",
        a_link_is_won_once,
    ),
    Fault(
        "a plan built twice: confirming builds anew and carries that out",
        syncs.confirm,
        "if plan.fingerprint != body.fingerprint:",
        "if False:",
        an_overtaken_plan_is_not_carried_out,
    ),
    Fault(
        "a plan carried out twice: nobody asks whether it was done already",
        syncs.confirm,
        "if done is not None:",
        "if False:",
        fifty_confirmations_are_one_run,
    ),
]


def plant(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Give the function of the fault other code; whoever holds the function has the fault too."""
    source = textwrap.dedent(inspect.getsource(fault.where))
    assert fault.says in source, "the code has changed: plant the fault anew"
    tree = ast.parse(source.replace(fault.says, fault.planted))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.decorator_list.clear()
    names: dict[str, Any] = {}
    exec(compile(tree, f"<planted: {fault.name}>", "exec"), fault.where.__globals__, names)
    monkeypatch.setattr(fault.where, "__code__", names[function.name].__code__)


@pytest.fixture
def houses(
    make_engine: Callable[[str], Engine], migrated_url: Callable[[str], str], database_url: Callable[[str], str]
) -> Houses:
    return Houses(make_engine, migrated_url, database_url)


@pytest.fixture(autouse=True)
def _pragmas_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SQLITE_PRAGMAS", dict(database.SQLITE_PRAGMAS))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_check_passes_on_the_code_as_it_is_and_catches_the_planted_fault(
    fault: Fault, houses: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = "PostgreSQL" if os.environ.get("SCHAKEL_TEST_POSTGRES") else "SQLite"
    if fault.only not in {"", here}:
        pytest.skip(f"a fault of {fault.only}")
    fault.check(houses)
    plant(monkeypatch, fault)
    with pytest.raises((AssertionError, RuntimeError)):
        fault.check(houses)


# Zeros and their twins that stand beside each other in one file.
ELSEWHERE = {
    "tests/shared/test_database.py": [
        ("lose_no_update_and_are_never_refused", "with_the_defaults_of_the_library_three_processes_do_lose_updates"),
        ("sqlite_is_opened_so_that_a_power_cut_loses_nothing", "an_engine_with_weaker_settings_is_refused_at_start"),
        ("a_commit_that_fails_is_never_answered_with_ok", "with_the_default_scope_a_commit_that_fails_is_answered"),
    ],
    "tests/basispoort_hub/test_intake.py": [
        ("a_delta_that_arrives_an_hour_late_is_refused", "without_the_compare_and_swap_a_late_roster_would_win"),
    ],
    "tests/basispoort_hub/test_activation.py": [
        ("one_atomic_update_is_won_once", "looking_first_and_writing_after_is_won_more_than_once"),
    ],
    "tests/eduscope_api/test_nightly.py": [
        ("every_history_ends_right_after_one_good_night", "a_hub_without_compare_and_swap_would_be_caught"),
    ],
    "tests/app_connector/test_syncs.py": [
        ("fifty_confirmations_at_once_are_one_run", "the_count_of_runs_can_show_two"),
    ],
    "tests/test_house_rules.py": [
        ("no_door_is_open_to_a_stranger", "an_open_door_is_noticed"),
        ("the_migrations_make_exactly_the_tables", "a_column_without_a_migration_is_noticed"),
    ],
    "tests/test_row_locks.py": [
        ("the_services_lock_a_school_before_they_write", "a_service_that_forgets_its_locks_is_noticed"),
    ],
}


@pytest.mark.parametrize("path", ELSEWHERE)
def test_the_twins_in_other_files_are_there(path: str) -> None:
    tests = [
        node.name for node in ast.parse((ROOT.parent / path).read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    for pair in ELSEWHERE[path]:
        for name in pair:
            assert any(name in test for test in tests), name
