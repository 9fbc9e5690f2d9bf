"""Starts the services, their clocks and the mail catcher as processes of their own, and stops exactly those."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

START_WITHIN_S = 90
STOP_WITHIN_S = 8


class DidNotStart(Exception):
    """A process did not come up; the text is one sentence for the person at the terminal."""


def check_ports(ports: Mapping[str, int]) -> None:
    """Raises DidNotStart, naming every port that is taken, before anything is started."""
    taken = [f"{port} ({name})" for name, port in ports.items() if not _is_free(port)]
    if taken:
        raise DidNotStart(f"Poort al in gebruik: {', '.join(taken)}. Sluit wat daar draait en probeer het opnieuw.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass
class Processes:
    """The processes of one demo, by name. Their output goes to `<folder>/logs`."""

    folder: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, env: Mapping[str, str]) -> None:
        """Start `schakel <command>` (or a module) in the background."""
        logs = self.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # no threads yet
            )

    def run_once(self, name: str, *command: str, env: Mapping[str, str]) -> None:
        """Run `python -m <command>` to its end. Raises DidNotStart when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", *command], env={**os.environ, **env}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise DidNotStart(f"{name} lukte niet: {done.stderr.strip()[-500:]}")

    def wait_until_ready(self, name: str, url: str) -> None:
        """Wait until `url` answers 200. Raises DidNotStart when the process ends or takes too long."""
        until = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until:
            if self._running[name].poll() is not None:
                break
            try:
                if httpx.get(url, timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise DidNotStart(f"{name} kwam niet op gang. Zie {self.folder / 'logs' / (name + '.log')}.")

    def pid_of(self, name: str) -> int:
        """The process id of one of them."""
        return self._running[name].pid

    def ended(self) -> list[str]:
        """The names of processes that stopped by themselves, which none should."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def stop(self) -> None:
        """Ask every process to end, and end those that do not."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def _end_with_parent() -> None:
    """Linux: a demo that is killed takes its processes along (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
