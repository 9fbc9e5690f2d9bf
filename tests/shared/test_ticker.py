"""shared/ticker.py in a process of its own: it ticks at once and again, outlives a failing tick, stops when told."""

import signal
import subprocess
import sys
import time

CLOCK = """
import os
from datetime import timedelta
from shared import logs
from shared.ticker import run_clock

logs.configure("tests")
ticks = []

def work():
    ticks.append(1)
    os.write(1, f"tick {len(ticks)}\\n".encode())  # in one piece: the log writes from another thread

def fail():
    os.write(1, b"fail\\n")
    raise ZeroDivisionError("Zeldzaam-Geheim")

run_clock({"work": (timedelta(seconds=1), work), "fail": (timedelta(seconds=1), fail)})
print("stopped", flush=True)
"""


def test_a_clock_ticks_through_failures_until_it_is_told_to_stop() -> None:
    clock = subprocess.Popen([sys.executable, "-c", CLOCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert clock.stdout is not None
    seen: list[str] = []
    until = time.monotonic() + 30
    while not {"tick 2", "fail"} <= set(seen) and time.monotonic() < until:
        seen.append(clock.stdout.readline().strip())
    clock.send_signal(signal.SIGTERM)
    rest, errors = clock.communicate(timeout=30)
    everything = "\n".join(seen) + rest + errors
    assert "tick 2" in seen
    assert "stopped" in rest
    assert clock.returncode == 0
    assert '"event": "tick_failed"' in everything
    assert '"error": "ZeroDivisionError"' in everything
    assert "Zeldzaam-Geheim" not in everything
