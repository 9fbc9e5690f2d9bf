"""Schemathesis over the hub's whole API description, over real HTTP: every operation, phase and check, stateful too.

`make test` gives it a small budget, `make test-long` a large one. Outside the stateful phase every request meets the
same world: what it did is put back. So nothing is spared because an earlier request took it away.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import Engine
from starlette.types import Message, Receive, Scope, Send

from shared.openapi import OperatorKey
from shared.problems import NotFound
from tests import broken_world
from tests.basispoort_hub import hub as hubs
from tests.basispoort_hub.real_tls import serve
from tests.broken_judge import State
from tests.broken_world import World
from tests.factories import an_app
from tests.test_house_rules import start

LONG = bool(os.environ.get("SCHAKEL_LONG"))
EXAMPLES = 100 if LONG else 1
MINUTES = 60 if LONG else 10
ROOT = Path(__file__).parents[2]
PUT_BACK = b"x-put-back"  # the header of requests whose doings are to be forgotten
METHODS = ("get", "post", "put", "patch", "delete")

# What no schema can say: a request that fits the description may be refused with these problems, and with no other.
# They must stand with the operation in the description; the status counts there and nowhere else.
UNSAYABLE = {
    "not-found": "whether something exists, and is the caller's",
    "hold-gone": "whether it is still held",
    "permission-missing": "whether the school consents",
    "wrong-school": "which administration the school chose",
    "teachers-not-readable": "what the coordinator allowed",
    "sign-in-failed": "who has which password",
    "too-many-attempts": "how often somebody tried",
    "roster-diverged": "which roster is held here, and the fingerprint of the one that is sent",
    "roster-inconsistent": "that groups which people name are in the roster, and addresses occur once",
    "connection-inactive": "whether both switches are on",
    "precondition-missing": "that one of two headers must be there",
    "connection-on": "whether an administration is connected",
    "school-ended": "whether the school closed",
    "other-school": "of which school a file is",
    "edexml-invalid": "what XML is a good EDEXML file",
    "choice-not-possible": "which choices a hold has",
    "application-exists": "which ids there are",
    "application-refused": "which addresses the operator allowed, what an icon draws, that two ids are the same",
    "application-unknown": "which ids there are",
    "lika-code-taken": "whose code it is",
    "lika-code-in-use": "what stands under a code",
    "case-not-possible": "how the school stands",
    "case-changed": "what would happen now",
    "school-exists": "which codes there are",
    "publisher-exists": "which codes there are",
    "last-coordinator": "how many coordinators there are",
    "no-address": "whether somebody has an address",
    "account-active": "how an account stands",
    "unknown-administration": "which administrations there are",
    "webhook-address-refused": "which addresses are on the public internet",
    "cursor-unknown": "which cursors were given out",
    "cursor-too-old": "how long ago a cursor was given out",
    "sandbox-missing": "whether the sandbox was made",
}


@dataclass
class Kept:
    """An application of which the requests that ask for it leave nothing behind. `answered`: operation -> statuses."""

    app: FastAPI
    thread: ThreadPoolExecutor  # one: a connection of SQLite stays in the thread that made it
    state: State | None
    answered: dict[str, Counter[int]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def put_back_first(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "-")
                self.answered.setdefault(f"{scope['method']} {route}", Counter())[message["status"]] += 1
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if is_last and self.state is not None and any(name == PUT_BACK for name, _ in scope["headers"]):
                await asyncio.get_running_loop().run_in_executor(self.thread, self._put_back, self.state)
            await send(message)

        await self.app(scope, receive, put_back_first)

    @staticmethod
    def _put_back(state: State) -> None:
        if changed := state.changed():
            state.put_back(changed)

    def never_carried_out(self) -> list[str]:
        """The described operations that never answered as somebody hopes."""
        return [
            name
            for name in operations(self.app)
            if not any(status < 400 for status in self.answered.get(name, Counter()))
        ]


def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    """`METHOD path` -> what the description says of it."""
    paths = app.openapi()["paths"]
    return {
        f"{method.upper()} {path}": each for path in paths for method, each in paths[path].items() if method in METHODS
    }


def configuration(app: FastAPI, proofs: Mapping[str, Mapping[str, str]]) -> str:
    """All checks as they are, and per operation the statuses of what no schema can say, with the reasons."""
    lines = ["workers = 1"]
    for name, value in proofs.items():
        lines += [f"[auth.openapi.{name}]", *(f"{word} = {json.dumps(each)}" for word, each in value.items())]
    lines += ["[checks.positive_data_acceptance]", 'expected-statuses = ["2xx", "3xx"]']
    for name, operation in operations(app).items():
        found = {
            slug: status
            for status, answer in operation["responses"].items()
            for slug in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
            if slug in UNSAYABLE
        }
        if found:
            statuses = json.dumps(["2xx", "3xx", *sorted(set(found.values()))])
            lines += ["[[operations]]", f"include-name = {json.dumps(name)}"]
            lines += [f"# {status} {slug}: {UNSAYABLE[slug]}" for slug, status in found.items()]
            lines.append(f"checks.positive_data_acceptance.expected-statuses = {statuses}")
    # the form for a browser has the same address, and is no part of the description
    lines += ["[[operations]]", 'include-path = "/inloggen"']
    lines.append("checks.unsupported_method.enabled = false")
    return "\n".join(lines)


def run_schemathesis(
    app: FastAPI, known: Mapping[str, Any], proofs: Mapping[str, Mapping[str, str]], folder: Path, *more: str
) -> tuple[int, str, Kept]:
    """Its exit status, what it printed, and which operations answered how."""
    (folder / "schemathesis.toml").write_text(configuration(app, proofs))
    engine = app.state.engine
    with ThreadPoolExecutor(1) as thread:
        state = thread.submit(State, engine).result() if engine is not None else None
        kept = Kept(app, thread, state)
        done = _run(kept, known, folder, more)
        if state is not None:
            thread.submit(state.close).result()
    return done.returncode, done.stdout + done.stderr, kept


def _run(
    kept: Kept, known: Mapping[str, Any], folder: Path, more: tuple[str, ...]
) -> "subprocess.CompletedProcess[str]":
    with serve(kept) as url:  # type: ignore[arg-type]  # an application all the same
        return subprocess.run(
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


def goods_of(world: World) -> dict[str, Any]:
    """Per operation the good request that the hub's doors are tried with."""
    known: dict[str, Any] = {}
    described = operations(world.app)
    for good in world.goods:
        name = f"{good.method} {good.template}"
        if name not in described or name in known or "html" in good.headers.get("Accept", ""):
            continue
        proof = {"authorization", "cookie"}
        known[name] = {
            "values": dict(good.values),
            "query": dict(good.query),
            "headers": {header: each for header, each in good.headers.items() if header.lower() not in proof},
            "body": good.content.decode() if isinstance(good.content, bytes) else good.content,
            "cookie": good.headers.get("Cookie"),
        }
    return known


def proofs_of(world: World) -> dict[str, dict[str, str]]:
    """What each scheme of the description takes: the good requests have them."""
    headers = {f"{good.method} {good.template}": good.headers for good in world.goods}
    school = "/api/v1/scholen/{code}"

    def key(name: str) -> dict[str, str]:
        return {"bearer": headers[name]["Authorization"].removeprefix("Bearer ")}

    return {
        "uitgeverssleutel": key("GET /rest/v2/instellingen"),
        "administratiesleutel": key(f"GET {school}/stand"),
        "beheerderssleutel": {"bearer": hubs.OPERATOR_KEY},
        "sessie": {"api_key": headers[f"GET {school}/koppeling"]["Cookie"].partition("=")[2]},
    }


def figures(printed: str) -> str:
    found = re.search(r"(?ms)^=+ SUMMARY =+.*", printed)
    return " ".join((found.group(0) if found else printed[-500:]).split())


def count_tested(printed: str) -> int:
    found = re.search(r"Tested: (\d+)", printed)
    return int(found[1]) if found else 0


def test_schemathesis_finds_nothing_at_the_hub_and_leaves_nothing_out(
    database_url: Callable[[str], str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with broken_world.basispoort(database_url) as world:
        status, printed, kept = run_schemathesis(world.app, goods_of(world), proofs_of(world), tmp_path)
    (tmp_path / "printed.txt").write_text(printed)
    record_property("figures", f"Schemathesis: {figures(printed)[:400]}")
    assert status == 0, printed[-20_000:]
    assert count_tested(printed) == len(operations(world.app)) > 80
    assert kept.never_carried_out() == []
    assert all(status < 500 for each in kept.answered.values() for status in each)


def a_faulty_app() -> FastAPI:
    """One fault of every kind that must be seen."""
    app = an_app()

    @app.get("/telt/{number}")
    def show_count(number: int) -> int:
        return 1 // (number % 2)

    @app.get("/zegt")
    def show_words() -> list[str]:
        return JSONResponse({"geen": "lijst"})  # type: ignore[return-value]  # not what it says

    @app.get("/anders")
    def show_undeclared() -> Any:
        return JSONResponse([], 202)

    @app.get("/open")
    def show_secret(_key: OperatorKey) -> int:
        return 1

    @app.get("/verzwegen")
    def show_untold() -> int:
        raise NotFound

    @app.post("/streng")
    def submit_strictly(text: Annotated[str, Body(max_length=5)]) -> str:
        if not text.isascii():
            raise RequestValidationError([])
        return text

    return app


FOUND = {
    "Server error": "a fault",
    "Response violates schema": "a body that is not as described",
    "Undocumented status code": "a status that is not described",
    "API accepts requests without authentication": "a proof that is asked for and not looked at",
    "not-found is not among the 404": "a kind of refusal that is not described",
    "is refused as invalid-request": "a rule that the schema does not say",
}


def test_each_kind_of_fault_would_be_found_and_an_operation_that_is_left_out(tmp_path: Path) -> None:
    app = a_faulty_app()
    status, printed, kept = run_schemathesis(app, {}, {}, tmp_path, "--max-examples=20")
    assert status == 1
    assert [what for text, what in FOUND.items() if text not in printed] == []
    assert count_tested(printed) == len(operations(app))
    assert kept.never_carried_out() == ["GET /verzwegen"]
    status, printed, kept = run_schemathesis(app, {}, {}, tmp_path, "--exclude-path=/zegt")
    assert count_tested(printed) == len(operations(app)) - 1
    assert "GET /zegt" in kept.never_carried_out()


def test_what_no_schema_can_say_stands_with_the_operations_that_say_it(make_engine: Callable[[str], Engine]) -> None:
    app = start("basispoort_hub", make_engine("basispoort_hub"))
    told = {
        slug
        for operation in operations(app).values()
        for answer in operation["responses"].values()
        for slug in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert UNSAYABLE.keys() <= told, "these stand with no operation"
    assert all(status.isdigit() for operation in operations(app).values() for status in operation["responses"]), (
        "no operation may refuse in any way it likes"
    )


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
