"""Broken requests at every door: refused without a fault, an echo or a change; and each check is shown to catch one.

`make test` sends a slice that is the same every time; `make test-long`, or `python -m tests.test_broken_bodies`, all.
"""

import asyncio
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request as FastapiRequest
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, text

from shared import logs, migrate
from shared.database import open_engine, writing
from shared.wire.base import Text, WireModel
from tests import broken_world
from tests.broken_bodies import Good, Request, all_damages, random_damages
from tests.broken_json import MARK, Description, read_strictly
from tests.broken_judge import State, Verdicts, ask, impatience, judge, one_in
from tests.broken_world import World
from tests.factories import an_app
from tests.test_house_rules import calls_of

LONG = bool(os.environ.get("SCHAKEL_LONG"))
SHARDS = 4 if LONG else 1
ONE_IN = 1 if LONG else 60  # of the table for those who may
STRANGER_ONE_IN = 1 if LONG else 300  # they are stopped at the same first door each time
BY_CHANCE = 250 if LONG else 1  # of every door that takes a body, on top of the table
SERVICES = migrate.SERVICES

MakeEngine = Callable[[str], Engine]
DatabaseUrl = Callable[[str], str]


def open_world(service: str, database_url: DatabaseUrl, make_engine: MakeEngine) -> AbstractContextManager[World]:
    match service:
        case "eduscope_api":
            return broken_world.eduscope(database_url)
        case "basispoort_hub":
            return broken_world.basispoort(database_url)
        case _:
            return broken_world.portal(make_engine)


def as_stranger(request: Request) -> Request:
    return Request(
        request.name,
        request.method,
        request.path,
        request.query,
        tuple(each for each in request.headers if each[0] not in {b"authorization", b"cookie"}),
        request.parts,
        refusable=True,
        cut_off=request.cut_off,
        slow=request.slow,
    )


def damages(world: World, good: Good, shard: int, shards: int) -> list[Request]:
    """The part of a door's damage that this run sends, random ones included."""
    salt = f"{good.method} {good.template}"
    table = all_damages(good, world.description, one_in(ONE_IN, salt))
    chance = random.Random(salt)
    by_chance = random_damages(good, world.description, chance) if good.takes_body else iter(())
    return [*islice(table, shard, None, shards), *islice(by_chance, BY_CHANCE // shards or 1)]


async def send_everything(world: World, state: State, shard: int = 0, shards: int = 1) -> Verdicts:
    verdicts = Verdicts()
    for good in world.goods:
        salt = f"stranger {good.method} {good.template}"
        mine = damages(world, good, shard, shards)
        hasty = [each for each in mine if not each.slow]
        await judge(world.app, state, verdicts, good.template, hasty, stranger=False)
        if good.needs_key:
            theirs = all_damages(good, world.description, one_in(STRANGER_ONE_IN, salt))
            theirs = islice(
                (each for each in theirs if not each.slow and not each.name.startswith("method")), shard, None, shards
            )
            sent = map(as_stranger, theirs)
            await judge(world.app, state, verdicts, good.template, sent, stranger=True)
    with impatience(world.app, 0.02):
        for good in world.goods if shard == 0 else ():
            slow = (each for each in all_damages(good, world.description, is_slow) if each.slow)
            await judge(world.app, state, verdicts, good.template, slow, stranger=False)
    return verdicts


def is_slow(name: str) -> bool:
    return name == "slow"


def report(service: str, verdicts: Verdicts) -> str:
    return f"{service}: {verdicts}\n  answers: {dict(sorted(verdicts.statuses.items()))}"


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("service", SERVICES)
def test_broken_requests_are_refused_and_change_nothing(
    service: str,
    shard: int,
    database_url: DatabaseUrl,
    make_engine: MakeEngine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_world(service, database_url, make_engine) as world:
        state = State(world.engine)
        capsys.readouterr()
        verdicts = asyncio.run(send_everything(world, state, shard, SHARDS))
        logged = capsys.readouterr().out
        state.close()
    print(report(service, verdicts))  # noqa: T201  # figures for who runs it with -s
    assert verdicts.faults == []
    assert verdicts.cases >= (5_000 if LONG else 300)
    assert verdicts.refused > verdicts.cases / 2
    assert MARK not in logged.casefold()
    assert logged.count('"event": "request"') > verdicts.cases / 2, "the log was seen"


@pytest.mark.parametrize("service", SERVICES)
def test_every_door_has_a_good_request_so_that_the_damage_gets_past_the_first_guard(
    service: str, database_url: DatabaseUrl, make_engine: MakeEngine
) -> None:
    with open_world(service, database_url, make_engine) as world:
        state = State(world.engine)
        assert calls_of(service, world.app) - {(good.method, good.template) for good in world.goods} == set()
        for good in world.goods:
            answer = asyncio.run(ask(world.app, good.request()))
            assert 200 <= answer.status < 400, (good.method, good.template, answer)
            state.put_back(state.changed())
            if good.schema is not None:
                assert world.description.is_good(good.schema, good.raw()), (good.method, good.template)
                assert unused_names(good.schema, good.content, world.description) == [], (good.method, good.template)
        state.close()


def unused_names(schema: Any, value: Any, description: Description) -> list[str]:
    """Fields of a body that the good request does not fill, so that they would not be damaged."""
    schema = description.resolve(schema)
    for option in schema.get("anyOf", ()):
        if description.allows(option, value):
            return unused_names(option, value, description)
    if isinstance(value, list):
        return unused_names(schema.get("items", {}), value[0], description) if value else []
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    found = [name for name in known if name not in value]
    for name in known.keys() & value.keys():
        found += unused_names(known[name], value[name], description)
    return found


# --- twins: what the checks must catch --------------------------------------------------------------------------------


class WireNote(WireModel):
    note: Text


NOTE = {
    "type": "object",
    "required": ["note"],
    "additionalProperties": False,
    "properties": {"note": {"type": "string", "maxLength": 256}},
}


class _Spoilt:
    """An app with one door that has one fault, and a database with one table."""

    def __init__(self, engine: Engine) -> None:
        with writing(engine) as db:
            db.execute(text("CREATE TABLE notes (note VARCHAR)"))
        self.engine = engine
        self.app = an_app(engine)
        self.good = Good("POST", "/api/v1/notes", content={"note": "a"}, schema=NOTE, needs_key=False)

    def world(self) -> World:
        world = World(self.app)
        world.goods.append(self.good)
        return world

    def keep(self, note: str) -> None:
        with writing(self.engine) as db:
            db.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})


def _kinds(spoilt: _Spoilt, *requests: Request) -> set[str]:
    world, state, verdicts = spoilt.world(), State(spoilt.engine), Verdicts()
    sent = requests or tuple(all_damages(world.goods[0], world.description, one_in(5, "")))
    asyncio.run(judge(spoilt.app, state, verdicts, "/api/v1/notes", sent, stranger=False))
    state.close()
    return {kind for kind, _ in verdicts.faults}


@pytest.fixture
def spoilt(database_url: DatabaseUrl) -> Iterator[_Spoilt]:
    engine = open_engine(database_url("notes"))
    yield _Spoilt(engine)
    engine.dispose()


def test_a_sound_door_has_no_faults(spoilt: _Spoilt) -> None:
    @spoilt.app.post("/api/v1/notes")
    def submit(body: WireNote) -> WireNote:
        spoilt.keep(body.note)
        return body

    assert _kinds(spoilt) == set()


def test_a_door_that_echoes_is_caught(spoilt: _Spoilt) -> None:
    @spoilt.app.post("/api/v1/notes")
    async def submit(request: FastapiRequest) -> JSONResponse:
        body = {"type": "x", "title": "x", "status": 422, "uitleg": "x", "instance": "x"}
        body["detail"] = f"niet goed: {(await request.body())[:500]!r}"
        return JSONResponse(body, 422, media_type="application/problem+json")

    assert _kinds(spoilt) == {"echo"}


def test_a_door_that_breaks_is_caught(spoilt: _Spoilt) -> None:
    @spoilt.app.post("/api/v1/notes")
    async def submit(request: FastapiRequest) -> str:
        value = read_strictly(await request.body())
        return str(value["note"].encode())

    assert _kinds(spoilt) >= {"server error"}


def test_a_door_that_writes_before_it_looks_is_caught(spoilt: _Spoilt) -> None:
    @spoilt.app.post("/api/v1/notes")
    async def submit(request: FastapiRequest) -> WireNote:
        raw = await request.body()
        spoilt.keep("gezien")
        return WireNote.model_validate_json(raw) if raw.isascii() else WireNote(note="x")

    assert _kinds(spoilt) >= {"change"}


def test_a_door_that_takes_anything_is_caught(spoilt: _Spoilt) -> None:
    @spoilt.app.post("/api/v1/notes")
    def submit(body: dict[str, Any]) -> str:
        return "ok"

    assert _kinds(spoilt) == {"carried out"}


def test_a_door_that_refuses_in_its_own_way_is_caught(spoilt: _Spoilt) -> None:
    @spoilt.app.post("/api/v1/notes")
    def submit() -> JSONResponse:
        return JSONResponse({"error": "no"}, 400)

    assert _kinds(spoilt) == {"not a problem"}


def test_a_door_that_does_not_answer_is_caught(spoilt: _Spoilt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.broken_judge.PATIENCE_S", 0.05)

    @spoilt.app.post("/api/v1/notes")
    async def submit() -> None:
        await asyncio.sleep(60)

    assert _kinds(spoilt, spoilt.good.request()) == {"no answer"}


def test_a_change_is_put_back_completely(spoilt: _Spoilt) -> None:
    spoilt.keep("eerst")
    state = State(spoilt.engine)
    assert state.changed() == []
    spoilt.keep("later")
    assert state.changed() == ["notes"]
    state.put_back(["notes"])
    assert state.changed() == []
    with spoilt.engine.execution_options(writes=False).connect() as connection:
        assert list(connection.execute(text("SELECT note FROM notes")).scalars()) == ["eerst"]
    state.close()


SCHEMA = {
    "type": "object",
    "required": ["a"],
    "additionalProperties": False,
    "properties": {
        "a": {"type": "integer", "minimum": 1},
        "b": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "c": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 2},
    },
}


@pytest.mark.parametrize(
    ("body", "is_good"),
    [
        (b'{"a": 1}', True),
        (b'{"a": 1, "b": null, "c": ["x", "y"]}', True),
        (b'{"a": 1, "b": "2026-11-22"}', True),
        (b'{"a": 1, "b": "2026-11-22T00:00:00Z"}', False),
        (b'{"a": 1, "c": ["z"]}', False),
        (b'{"a": 1, "c": ["x", "x", "x"]}', False),
        (b'{"a": true}', False),
        (b'{"a": 0}', False),
        (b'{"a": 1.5}', False),
        (b'{"a": 1, "a": 1}', False),
        (b'{"a": 1, "d": 1}', False),
        (b'{"a": NaN}', False),
        (b'{"a": 1e999}', False),
        (b'{"a": "\xff"}', False),
        (b"{}", False),
        (b"[]", False),
        (b"", False),
    ],
)
def test_whether_a_damaged_body_is_still_good_is_judged_by_the_description(body: bytes, is_good: bool) -> None:
    assert Description({}).is_good(SCHEMA, body) is is_good


def test_a_name_is_passed_over_only_where_the_description_leaves_names_open() -> None:
    closed, typed = {"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": {}}
    body = b'{"x\\u0000": 1}'
    assert Description({}).is_good({"type": "object"}, body)
    assert not Description({}).is_good(closed, body)
    assert not Description({}).is_good(typed, body)


# --- by itself --------------------------------------------------------------------------------------------------------


def main() -> None:
    """Everything on this machine; prints a line per service and what was wrong."""
    logs.configure("tests", "CRITICAL")
    total = Verdicts()
    with tempfile.TemporaryDirectory() as directory:

        def database_url(name: str) -> str:
            return f"sqlite:///{Path(directory) / name}.db"

        def make_engine(name: str) -> Engine:
            engine = open_engine(database_url(name))
            migrate.upgrade(engine, name)
            return engine

        for service in sys.argv[1:] or SERVICES:
            with open_world(service, database_url, make_engine) as world:
                verdicts = asyncio.run(send_everything(world, State(world.engine)))
            _say(report(service, verdicts))
            for (kind, case), count in Counter(verdicts.faults).most_common(400):
                _say(f"  {kind} ({count}): {case}")
            total.cases += verdicts.cases
            total.faults += verdicts.faults
    _say(f"together: {total}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
