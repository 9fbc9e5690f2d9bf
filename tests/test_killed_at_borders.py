"""Killed at any statement or commit, and started again: nothing promised is lost, nothing happens twice.

A slice here; with SCHAKEL_LONG every border of every operation, each with and without a second kill while the work is
repeated. On PostgreSQL when SCHAKEL_TEST_POSTGRES holds the address of a server.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kill_points import choose_points
from tests.killed_operations import OPERATIONS, PLANTS

LONG = bool(os.environ.get("SCHAKEL_LONG"))
ROOT = Path(__file__).parents[1]
RAM_DISK = Path("/dev/shm")  # where there is one; nothing here depends on a disk, since no power is cut
SLICE = {"patch": 7, "hub-outbox": 9, "night": 7}
ORDINARY_SLICE = 5
POSTGRES_SLICE = 3  # a new database per trial takes its time there

Sweep = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def sweep() -> Iterator[Sweep]:
    """Gives `sweep(operation, ...)`: kill_points.py's findings, from a process without threads that may fork."""
    with tempfile.TemporaryDirectory(dir=RAM_DISK if RAM_DISK.is_dir() else None, prefix="kp") as folder:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.kill_points", folder],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert nursery.stdin is not None
        assert nursery.stdout is not None

        def ask(name: str, **how: Any) -> dict[str, Any]:
            assert nursery.stdin is not None
            assert nursery.stdout is not None
            nursery.stdin.write(json.dumps({"name": name, **how}) + "\n")
            nursery.stdin.flush()
            found: dict[str, Any] = json.loads(nursery.stdout.readline())
            assert "failed" not in found, found["failed"]
            return found

        yield ask
        nursery.stdin.close()
        nursery.wait()
        nursery.stdout.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_at_any_border_loses_nothing_and_doubles_nothing(
    sweep: Sweep, operation: str, record_property: Callable[[str, object], None]
) -> None:
    slice_ = POSTGRES_SLICE if os.environ.get("SCHAKEL_TEST_POSTGRES") else SLICE.get(operation, ORDINARY_SLICE)
    most = None if LONG else slice_
    found = sweep(operation, most=most, second_kills=1 if LONG else 0.4)
    record_property(
        "figures",
        f"killed during {operation}: {found['points']} points ({found['second_kills']} with a second kill) "
        f"at {found['borders']} borders, {len(found['lost'])} lost, {len(found['doubled'])} doubled"
        + (f", {found['doubled_mails']} mails repeated unchanged" if found["doubled_mails"] else ""),
    )
    assert found["lost"] == []
    assert found["doubled"] == []
    assert found["points"] >= min(found["borders"], most or found["borders"])


# planted fault -> the operation that it is planted in, and what the comparison must call it
CAUGHT = {
    "accounts_follow_later": ("patch", "lost"),
    "answer_before_commit": ("put", "lost"),
    "link_spent_first": ("activation", "lost"),
    "run_recorded_first": ("confirm", "lost"),
    "mark_before_sending": ("hub-outbox", "lost"),
    "another_message_id": ("hub-outbox", "doubled"),
    "hold_shared_anew": ("hub-outbox", "doubled"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_caught(sweep: Sweep, plant: str) -> None:
    operation, kind = CAUGHT[plant]
    found = sweep(operation, plant=plant, at="commit", stop_at_first=True)
    assert found[kind] != []


def test_a_slice_holds_borders_where_the_outcome_turns_and_others() -> None:
    kinds = ["before select", "after select"] * 20 + ["before commit", "after commit", "before answer", "after answer"]
    chosen = [kinds[point] for point in choose_points(kinds, 8, random.Random(1))]
    assert len(chosen) == 8
    assert sum(kind.endswith(("commit", "answer")) for kind in chosen) == 4
    assert choose_points(kinds, len(kinds), random.Random(1)) == list(range(len(kinds)))
