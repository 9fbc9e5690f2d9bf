"""What publishers ask most: one school out of a country, against a bare application that sends the same bytes."""

import asyncio
import os
import secrets
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Header, Response
from sqlalchemy import Engine, insert, select

from benchmarks.intake import Pusher, open_school, packed
from benchmarks.measure import Series, ratio, resident_mb, take_turns
from benchmarks.rosters import a_file, roster_of_file
from benchmarks.stage import SECRETS, Databases, free_port, start_service
from services.basispoort_hub.tables import AnswerRow, PermissionRow, PublisherKeyRow, PublisherRow, SchoolRow
from services.demo.processes import Processes
from shared.clock import now
from shared.database import writing
from shared.roster import fingerprint
from shared.service_auth import hash_key
from shared.wire.rosters import WireRoster

MODULE = "benchmarks.suppliers"
AT_ONCE = 16
TARGETS = {"whole": 0.30, "whole, gzip": 0.30, "not modified": 0.40}  # of the floor's rate, on PostgreSQL
P99_MS = 20
PACE = 200  # requests a second for the p99
AVERAGE = 212  # pupils of a school
MILLISECOND = 1000


@dataclass(frozen=True, slots=True)
class SupplierFigures:
    """Requests a second; p99 in milliseconds at `PACE`; memory before and after every school was read."""

    database: str
    schools: int
    pupils: int  # in all
    rates: dict[str, Series]
    spread: float  # requests a second when every other school is asked once
    p99_ms: float
    memory_mb: tuple[float | None, float | None]


def seed_country(engine: Engine, schools: int) -> tuple[int, list[int]]:
    """A school of 400 pupils that came in by its own road, and so many others; the publisher may read all of them."""
    at = now()
    file = a_file(1, 400)
    school_id = open_school(engine, str(file.school.school_code))
    with writing(engine) as db:
        publisher = PublisherRow(code="measured", name="Measured", sentence="Activeer", requests_per_minute=0)
        db.add(publisher)
        db.flush()
        db.add(PublisherKeyRow(key_hash=hash_key(SECRETS["publisher"]), publisher_id=publisher.id, created_at=at))
        numbers = range(school_id + 1, school_id + 1 + schools)
        for begin in range(0, schools, 1000):
            some = numbers[begin : begin + 1000]
            db.execute(
                insert(SchoolRow),
                [
                    {
                        "id": number,
                        "code": f"{number // 10000 + 10:02}X{number % 10000:03X}"[:6] + str(number),
                        "name": f"School {number}",
                        "ref": str(uuid.uuid4()),
                        "created_at": at,
                        "mutated_at": at,
                    }
                    for number in some
                ],
            )
        db.execute(
            insert(PermissionRow),
            [
                {"school_id": number, "publisher_id": publisher.id, "granted_at": at, "granted_on": date(2026, 1, 1)}
                for number in (school_id, *numbers)
            ],
        )
    return school_id, list(numbers)


def copy_answers(engine: Engine, school_id: int, others: list[int]) -> None:
    """Give every other school the answers of a school of average size: as many bytes, and none of them the same row."""
    with engine.execution_options(writes=False).connect() as connection:
        rows = [dict(row) for row in connection.execute(select(AnswerRow.__table__)).mappings()]
    whole = [row for row in rows if row["school_id"] == school_id and row["part"] == "alles"]
    share = AVERAGE / 400
    for begin in range(0, len(others), 100):
        with writing(engine) as db:
            db.execute(
                insert(AnswerRow),
                [
                    {
                        **row,
                        "school_id": number,
                        "etag": secrets.token_hex(16),
                        "body": row["body"][: int(len(row["body"]) * share)],
                        "packed": row["packed"][: int(len(row["packed"]) * share)],
                    }
                    for number in others[begin : begin + 100]
                    for row in whole
                ],
            )


class Caller:
    """Asks over lasting connections; only as much HTTP as the measurement needs."""

    def __init__(self, port: int) -> None:
        self._port = port

    def run(self, request: bytes | Iterator[bytes], times: int) -> int:
        """So many requests, `AT_ONCE` at a time; anything but 200 or 304 ends the measurement."""
        asyncio.run(self._run(request, times))
        return times

    async def _run(self, request: bytes | Iterator[bytes], times: int) -> None:
        left = iter(range(times))

        async def one() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            for _ in left:
                await _ask(reader, writer, request if isinstance(request, bytes) else next(request))
            writer.close()

        await asyncio.gather(*(one() for _ in range(AT_ONCE)))

    def p99(self, request: bytes, seconds: float) -> float:
        """In milliseconds, from when a request was due, at an even pace."""
        return asyncio.run(self._p99(request, seconds))

    async def _p99(self, request: bytes, seconds: float) -> float:
        # taken in turns, or the server would hang up on those that nobody uses
        free = [await asyncio.open_connection("127.0.0.1", self._port) for _ in range(AT_ONCE)]
        took: list[float] = []
        begin, number = time.perf_counter(), int(PACE * seconds)

        async def one(due: float) -> None:
            connection = free.pop(0) if free else await asyncio.open_connection("127.0.0.1", self._port)
            await _ask(*connection, request)
            took.append(time.perf_counter() - due)
            free.append(connection)

        async with asyncio.TaskGroup() as tasks:
            for place in range(number):
                due = begin + place / PACE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(one(due))
        return sorted(took)[int(number * 0.99) - 1] * MILLISECOND


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = head[9:12]
    if status not in {b"200", b"304"}:
        raise RuntimeError(f"the hub answered {status!r}")
    if status == b"200":
        length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))


def a_request(path: str, **headers: str) -> bytes:
    given = {"Host": "127.0.0.1", "Authorization": f"Bearer {SECRETS['publisher']}", **headers}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def measure_suppliers(
    databases: Databases, processes: Processes, rounds: int, times: int, schools: int
) -> SupplierFigures:
    """Start a hub, fill it, start a floor with its answer, and ask both in turns."""
    url, engine = databases.new("basispoort_hub")
    school_id, others = seed_country(engine, schools)
    name = f"supplier side on {databases.name}"
    port = start_service(processes, "basispoort_hub", url, name)
    roster = roster_of_file(a_file(1, 400))
    pusher = Pusher(port, str(a_file(1, 400).school.school_code))
    pusher.push("PUT", packed(WireRoster.of(roster, fingerprint(roster), {})))
    pusher.close()
    copy_answers(engine, school_id, others)
    with engine.connect() as connection:
        stored = select(AnswerRow.etag, AnswerRow.body).where(
            AnswerRow.school_id == school_id, AnswerRow.part == "alles"
        )
        etag, body = connection.execute(stored).one()
    floor = _start_floor(databases, processes, body, f'"{etag}"')
    hub, bare, path = Caller(port), Caller(floor), f"/rest/v2/instellingen/{school_id}"
    whole, unchanged = a_request(path), a_request(path, **{"If-None-Match": f'"{etag}"'})
    asked = {
        "whole": (hub, whole),
        "whole, gzip": (hub, a_request(path, **{"Accept-Encoding": "gzip"})),
        "not modified": (hub, unchanged),
        "floor": (bare, whole),
        "floor, not modified": (bare, unchanged),
    }
    rates = take_turns({name: partial(caller.run, request, times) for name, (caller, request) in asked.items()}, rounds)
    before = resident_mb(processes.pid_of(name))
    everything = iter([a_request(f"/rest/v2/instellingen/{number}") for number in others])
    begin = time.perf_counter()
    spread = hub.run(everything, len(others) - len(others) % AT_ONCE) / (time.perf_counter() - begin)
    after = resident_mb(processes.pid_of(name))
    p99 = hub.p99(whole, times / PACE)
    return SupplierFigures(databases.name, schools + 1, 400 + schools * AVERAGE, rates, spread, p99, (before, after))


def _start_floor(databases: Databases, processes: Processes, body: bytes, etag: str) -> int:
    file, port, name = databases.folder / "floor.json", free_port(), f"floor on {databases.name}"
    file.write_bytes(body)
    processes.start(name, MODULE, env={"FLOOR_BODY": str(file), "FLOOR_ETAG": etag, "FLOOR_PORT": str(port)})
    processes.wait_until_ready(name, f"http://127.0.0.1:{port}/rest/v2/instellingen/1")
    return port


def describe(found: Sequence[SupplierFigures]) -> Iterator[str]:
    """The page's part about publishers."""
    if not found:
        return
    yield from ("", "## One school out of a country, for publishers", "")
    yield "The answer of a school of 400 pupils, asked by a publisher with a key over lasting connections."
    yield "**Floor**: a bare FastAPI route in a process of its own that sends the same bytes from memory: no key, no"
    yield "consent, no database, no log. **Floor, not modified**: that route when it answers 304."
    yield from (
        "",
        "| Database | Schools | Pupils | Answer | Requests a second | Ratio to the floor | Target | Ratio to its 304 |",
        "|---|---|---|---|---|---|---|---|",
    )
    for each in found:
        for name, target in TARGETS.items():
            to_floor = ratio(each.rates[name], each.rates["floor"])
            to_304 = ratio(each.rates[name], each.rates["floor, not modified"])
            aim = "–" if each.database == "SQLite" else f"{target:.2f}, {_reached(to_floor.median >= target)}"
            yield (
                f"| {each.database} | {each.schools:,} | {each.pupils:,} | {name} | {each.rates[name].median:.0f} "
                f"| **{to_floor.median:.2f}** ({to_floor.lowest:.2f}–{to_floor.highest:.2f}) | {aim} "
                f"| {to_304.median:.2f} |"
            )
    for each in found:
        before, after = (f"{value:.0f} MB" if value is not None else "unknown" for value in each.memory_mb)
        aim = "" if each.database == "SQLite" else f" (target {P99_MS}, {_reached(each.p99_ms < P99_MS)})"
        yield ""
        yield (
            f"{each.database}: p99 {each.p99_ms:.1f} ms at {PACE} requests a second{aim}. Every other school, of "
            f"{AVERAGE} pupils, asked once: {each.spread:.0f} a second; memory of the process {before} before that, "
            f"{after} after."
        )


def _reached(is_so: bool) -> str:
    return "reached" if is_so else "not reached"


def serve_floor() -> None:
    """A bare FastAPI application, on the same server, with one route that sends the bytes of a file from memory."""
    import uvicorn
    from fastapi import FastAPI

    body, etag = Path(os.environ["FLOOR_BODY"]).read_bytes(), os.environ["FLOOR_ETAG"]
    app = FastAPI()

    @app.get("/rest/v2/instellingen/{institution_id}")
    async def show_from_memory(
        institution_id: int,  # noqa: ARG001  # the framework reads it, as ours does
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        if if_none_match == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return Response(body, media_type="application/json", headers={"ETag": etag})

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["FLOOR_PORT"]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    serve_floor()
