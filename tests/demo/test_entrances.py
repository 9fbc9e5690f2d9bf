"""services/demo/run.py: what the demo sets up before its first step, and where it tells one to look."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from rich.console import Console

from services.demo import run
from services.demo.processes import Processes
from services.demo.scene import HELPDESK, PORTS, Scene, Site


class NoProcesses(Processes):
    """Remembers what would have been started."""

    def start(self, name: str, *command: str, env: Mapping[str, str]) -> None:
        pass

    def run_once(self, name: str, *command: str, env: Mapping[str, str]) -> None:
        pass

    def wait_until_ready(self, name: str, url: str) -> None:
        pass


@pytest.fixture
def calls() -> list[tuple[str, str, Any]]:
    return []


@pytest.fixture
def scene(tmp_path: Path, calls: list[tuple[str, str, Any]], monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A scene just before its first step, of which no process runs."""

    class RecordingSite(Site):
        def call(self, method: str, path: str, **request: Any) -> Any:
            calls.append((method, path, request.get("json")))
            return Response(200, json={"sleutel": "schakel_sleutel"})

    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    scene = run.make_scene(None, tmp_path / "demo", PORTS)
    scene.make_site = RecordingSite
    run.start(scene, NoProcesses(scene.folder))
    return scene


def test_the_tile_in_lesmateriaal_leads_to_the_beheerportaal_that_runs(
    scene: Scene, calls: list[tuple[str, str, Any]]
) -> None:
    (portal,) = [body for method, path, body in calls if (method, path[-14:]) == ("PUT", "/beheerportaal")]
    assert portal["naam"] == "Beheerportaal"
    assert portal["adres"].rstrip("/") == scene.facts["settings"]["CONNECTOR_BASE_URL"]
    assert portal["helpdesk"] == scene.facts["settings"]["CONNECTOR_HELPDESK_MAIL"] == HELPDESK


def test_the_publisher_names_its_apps(scene: Scene, calls: list[tuple[str, str, Any]]) -> None:
    assert scene.facts["settings"]["CONNECTOR_HUB_KEY"] == "schakel_sleutel"
    assert [body["naam"] for _, path, body in calls if path.endswith("/methode")] == ["Taalblobs", "Rekenblobs"]


def test_the_demo_says_where_to_look(scene: Scene) -> None:
    written = io.StringIO()
    run._show_entrances(Console(file=written, width=200), scene)
    lessons = f"http://127.0.0.1:{PORTS['Basispoort']}/scholen/{scene.code}/lesmateriaal"
    assert lessons in written.getvalue()
