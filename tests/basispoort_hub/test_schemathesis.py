"""Schemathesis over the hub's whole API description, over real HTTP: every phase, every check, stateful too.

`make test` gives it a small budget, `make test-long` a large one.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from tests import broken_world
from tests.basispoort_hub import hub as hubs
from tests.basispoort_hub.real_tls import serve
from tests.broken_world import World, bearer
from tests.factories import an_app

LONG = bool(os.environ.get("SCHAKEL_LONG"))
EXAMPLES = 100 if LONG else 1
MINUTES = 60 if LONG else 10
ROOT = Path(__file__).parents[2]
# Texts have rules that a JSON Schema cannot say (signs, addresses, fingerprints), and a roster starts from a token:
# those refusals are right for a body that fits the schema. What does not fit must be refused; nothing may be a fault.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 410, 422, 428, 429]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]

[[operations]]
include-path = "/inloggen"  # the form for a browser has the same address, and is no part of the description
checks.unsupported_method.enabled = false
"""
ADMINISTRATION = ["/stand", "/aanmelding", "/leerlinggegevens"]


def run_schemathesis(app: FastAPI, known: dict[str, object], folder: Path, *more: str) -> tuple[int, str]:
    """Its exit status and what it printed."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    with serve(app) as url:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{url}/openapi.json",
                "--mode=all",
                "--seed=1",
                "--continue-on-failure",
                f"--max-examples={EXAMPLES}",
                "--no-color",
                *more,
            ],
            cwd=folder,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "tests.basispoort_hub.schemathesis_hooks",
                "PYTHONPATH": str(ROOT),
                "SCHAKEL_KNOWN": json.dumps(known),
            },
            capture_output=True,
            text=True,
            timeout=60 * MINUTES,
            check=False,
        )
    return done.returncode, done.stdout + done.stderr


def known_of(world: World) -> dict[str, object]:
    """The keys of the callers, and numbers and codes that exist, from the good request of every door."""
    values: dict[str, str] = {}
    for good in world.goods:
        for name, value in good.values.items():
            values.setdefault(name, value)
    headers = {good.template: dict(good.headers) for good in world.goods}
    school = "/api/v1/scholen/{code}"
    return {
        "values": {**values, "institution_id": values["institution_id"], "code": hubs.CODE},
        "headers": [
            ["/rest/", headers["/rest/v2/instellingen"]],
            ["/hosted-lika/", headers["/rest/v2/instellingen"]],
            ["/api/v1/changes", headers["/rest/v2/instellingen"]],
            ["/api/v1/webhooks", headers["/rest/v2/instellingen"]],
            ["/api/v1/sandbox", headers["/rest/v2/instellingen"]],
            ["/api/v1/operator", bearer(hubs.OPERATOR_KEY)],
            [school, {**headers[f"{school}/stand"], "only": ADMINISTRATION}],
            ["/api/v1/", headers[f"{school}/koppeling"]],
        ],
    }


def figures(printed: str) -> str:
    found = re.search(r"(?ms)^=+ SUMMARY =+.*", printed)
    return " ".join((found.group(0) if found else printed[-500:]).split())


def test_schemathesis_finds_nothing_at_the_hub(
    database_url: Callable[[str], str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with broken_world.basispoort(database_url) as world:
        status, printed = run_schemathesis(world.app, known_of(world), tmp_path)
    (tmp_path / "printed.txt").write_text(printed)
    record_property("figures", f"Schemathesis: {figures(printed)[:400]}")
    assert status == 0, printed[-20_000:]


def test_schemathesis_would_find_a_fault_and_an_answer_that_is_not_as_described(tmp_path: Path) -> None:
    app = an_app()

    @app.get("/telt/{number}")
    def show_count(number: int) -> int:
        return 1 // (number % 2)

    @app.get("/zegt")
    def show_words() -> list[str]:
        return JSONResponse({"geen": "lijst"})  # type: ignore[return-value]  # not what it says

    status, printed = run_schemathesis(app, {"values": {}, "headers": []}, tmp_path)
    assert status == 1
    assert "Server error" in printed
    assert "Response violates schema" in printed


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
