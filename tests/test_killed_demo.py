"""The demo, with its processes killed at random moments and started again at once: it ends as it should, nobody twice.

The six processes are three services and their clocks; the mail catcher keeps its mails in memory and stays. A few kills
here would cost half a minute, so all of it belongs to the long run (SCHAKEL_LONG), as `make demo` itself does.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select

from services.app_connector import tables as portal
from services.basispoort_hub import tables as hub
from services.demo import run, walk_eduscope
from services.demo import scene as run_scene
from services.demo.processes import Processes
from services.demo.scene import PORTS, NotPossible, Scene, Site
from services.eduscope_api import tables as eduscope
from shared.database import open_engine, reading
from tests import patient_people
from tests.patient_people import PatientSite

LONG = bool(os.environ.get("SCHAKEL_LONG"))
KILLS = 50
CALLS = 230  # about how many requests the walk makes
SERVICES = {"eduscope_api": "EDUscope", "basispoort_hub": "Basispoort", "app_connector": "Beheerportaal"}
SIX = [name for service in SERVICES for name in (service, f"{service}-clock")]


class KillableProcesses(Processes):
    """Remembers how each process was started, so that it can be killed and started again."""

    def start(self, name: str, *command: str, env: Mapping[str, str]) -> None:
        self.commands = {**getattr(self, "commands", {}), name: (command, env)}
        logs = self.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self, name: str) -> None:
        process = self._running[name]
        process.send_signal(signal.SIGKILL)
        process.wait()
        command, env = self.commands[name]
        self.start(name, *command, env=env)


@dataclass
class Killer:
    """Kills one of the six a random moment after chosen requests of the walk."""

    processes: KillableProcesses
    scene: Scene
    moments: set[int]  # which requests of the walk
    chance: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    _calls: int = 0
    _busy: threading.Thread | None = None

    def before_call(self) -> None:
        self._calls += 1
        if self._calls in self.moments:
            self.strike()

    def strike(self) -> None:
        self.join()
        name, wait = self.chance.choice(SIX), self.chance.uniform(0, 0.15)
        self._busy = threading.Thread(target=self._kill, args=(name, wait))
        self._busy.start()

    def join(self) -> None:
        if self._busy is not None:
            self._busy.join()

    def _kill(self, name: str, wait: float) -> None:
        time.sleep(wait)
        self.processes.kill(name)
        self.killed[name] += 1
        if name in SERVICES:
            self.processes.wait_until_ready(name, f"{self.scene.address(SERVICES[name])}/readyz")


def free_ports() -> dict[str, int]:
    """A free port for each of the demo's doors."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in PORTS}
    found = {name: each.getsockname()[1] for name, each in sockets.items()}
    for each in sockets.values():
        each.close()
    return found


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def walk(folder: Path, seed: int, kills: int, plant: Callable[[Scene], None] | None = None) -> tuple[Scene, Killer]:
    """The whole walk, with so many kills. Raises what the walk raises when the chain does not do as its manuals say."""
    chance = random.Random(seed)
    scene = run.make_scene(None, folder / "demo", free_ports())
    processes = KillableProcesses(scene.folder)
    killer = Killer(processes, scene, set(chance.sample(range(1, CALLS), kills)), chance)
    try:
        run.start(scene, processes)
        scene.make_site = lambda name, url, key: PatientSite(name, url, key, killer.before_call)
        for who, site in list(scene.sites.items()):
            if who != "mail":
                scene.sites[who] = _patient(site, killer)
        for _, _, step in run.STEPS:
            try:
                step(scene)
            except NotPossible as reason:
                raise AssertionError(f"the demo's own school carries every step: {reason}") from None
        killer.join()
        while killer.killed.total() < kills:  # the walk had fewer requests than was thought
            killer.strike()
            killer.join()
        if plant is not None:
            plant(scene)
        _wait_for_mails(scene)
        check_nobody_is_doubled(scene)
        return scene, killer
    finally:
        killer.join()
        for site in scene.sites.values():
            site.close()
        processes.stop()


def _patient(site: Site, killer: Killer) -> PatientSite:
    key = site._client.headers.get("Authorization", "").removeprefix("Bearer ") or None
    site.close()
    return PatientSite(site.name, site.base_url, key, killer.before_call)


def _engines(scene: Scene) -> dict[str, Engine]:
    return {service: open_engine(f"sqlite:///{scene.folder / service}.sqlite") for service in SERVICES}


OUTBOXES: Mapping[str, Any] = {
    "eduscope_api": eduscope.OutboxRow,
    "basispoort_hub": hub.OutboxRow,
    "app_connector": portal.OutboxRow,
}


def _wait_for_mails(scene: Scene) -> None:
    """Until nothing waits in an outbox; a message that a killed clock had claimed waits two minutes."""
    engines = _engines(scene)
    for _ in range(400):
        waiting = 0
        for service, rows in OUTBOXES.items():
            with reading(engines[service]) as db:
                left = select(func.count()).select_from(rows).where(rows.sent_at.is_(None), rows.failed_at.is_(None))
                waiting += db.scalar(left) or 0
        if not waiting:
            break
        time.sleep(0.5)
    for engine in engines.values():
        engine.dispose()
    assert waiting == 0, f"{waiting} messages never left"


def check_nobody_is_doubled(scene: Scene) -> None:
    """Each person, account, link, app pupil and message is there once; a repeated mail is the same mail."""
    engines = _engines(scene)
    with reading(engines["eduscope_api"]) as db:
        for table, of_file in (
            (eduscope.PupilRow, [each.pupil for each in scene.school.pupils]),
            (eduscope.StaffRow, [each.member for each in scene.school.staff]),
        ):
            there = Counter(f"{first} {last}" for first, last in db.execute(select(table.first_name, table.last_name)))
            namesakes = Counter(f"{each.first_name} {each.last_name}" for each in of_file)
            known = namesakes + Counter(["Yfke Zandbergen", "Vervanger Regenboog"])  # the walk enters one of each
            assert there <= known, f"{(there - known).total()} too many in {table.__tablename__}"
    with reading(engines["basispoort_hub"]) as db:
        people = select(hub.PersonRow.kind, hub.PersonRow.key).where(hub.PersonRow.key.is_not(None))
        twice(db.execute(people), "people in Basispoort")
        twice(db.execute(select(func.lower(hub.AccountRow.email))), "accounts")
        live = select(hub.LinkRow.account_id).where(hub.LinkRow.spent_at.is_(None), hub.LinkRow.void_at.is_(None))
        twice(db.execute(live), "live links")
        numbered = db.scalar(select(func.count()).select_from(hub.PersonRow).where(hub.PersonRow.left_at.is_(None)))
        valid = select(func.count()).where(hub.EntryRow.layer == "valid", hub.EntryRow.kind != "group")
        assert (numbered or 0) == (db.scalar(valid) or 0), "people and the valid roster differ"
    with reading(engines["app_connector"]) as db:
        for rows in (portal.AppPupilRow, portal.AppTeacherRow):
            living = select(rows.account_id, rows.basispoort_id).where(
                rows.removed_at.is_(None), rows.basispoort_id.is_not(None)
            )
            twice(db.execute(living), "people in an app")
        names = select(portal.AppPupilRow.account_id, portal.AppPupilRow.first_name, portal.AppPupilRow.last_name,
                       portal.AppPupilRow.basispoort_id, portal.AppPupilRow.exercises_done)  # fmt: skip
        twice(db.execute(names.where(portal.AppPupilRow.removed_at.is_(None))), "pupils in an app")
        twice(db.execute(select(portal.SyncRow.plan_id)), "runs of a plan")
    for engine in engines.values():
        engine.dispose()
    same: dict[tuple[str, str], set[str]] = {}
    for mail in httpx.get(f"{scene.address('mailpagina')}/api/v1/berichten").json():
        same.setdefault((mail["aan"], mail["berichtId"]), set()).add(mail["tekst"])
    assert all(len(texts) == 1 for texts in same.values()), "a repeated mail says something else"
    links = Counter((to, message) for to, message in same if message.startswith("link-"))
    assert not links or max(links.values()) == 1


def twice(rows: Iterable[Any], what: str) -> None:
    counted = Counter(tuple(row) for row in rows)
    doubled = [row for row, count in counted.items() if count > 1]
    assert not doubled, f"{len(doubled)} {what} are there twice"


@pytest.mark.skipif(not LONG, reason="minutes: SCHAKEL_LONG=1 (make test-long)")
def test_the_demo_survives_fifty_kills(
    tmp_path: Path,
    umask: None,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setattr(walk_eduscope, "run_night", patient_people.run_night_until_it_works)
    monkeypatch.setattr(walk_eduscope, "last_run", patient_people.last_run_that_did_something)
    monkeypatch.setattr(run_scene, "MAIL_WITHIN_S", 200)  # what a killed clock had claimed waits two minutes
    seed = int(os.environ.get("SCHAKEL_SEED", "1"))
    _, killer = walk(tmp_path, seed, KILLS)
    assert killer.killed.total() >= KILLS
    record_property(
        "figures",
        f"killed demo (seed {seed}): {killer.killed.total()} kills ({dict(sorted(killer.killed.items()))}), "
        "all steps as in the manuals, 0 lost, 0 doubled",
    )


@pytest.mark.skipif(not LONG, reason="minutes: SCHAKEL_LONG=1 (make test-long)")
def test_a_pupil_who_is_entered_twice_is_noticed(tmp_path: Path, umask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: somebody repeats without looking."""
    monkeypatch.setattr(walk_eduscope, "run_night", patient_people.run_night_until_it_works)

    def enter_again(scene: Scene) -> None:
        path = f"/api/v1/scholen/{scene.code}/leerlingen"
        scene.site("eduscope").call("POST", path, json=scene.facts["newcomer"])

    with pytest.raises(AssertionError, match="1 too many in pupils"):
        walk(tmp_path, 1, 0, enter_again)
