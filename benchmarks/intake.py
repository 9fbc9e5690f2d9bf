"""Intake at the hub, over HTTP to a real process: a whole roster of 400 pupils, and a delta of one pupil."""

import gzip
import http.client
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Table, bindparam, delete, insert, select, update

from benchmarks.measure import Series, resident_mb, take_turns
from benchmarks.rosters import a_file, roster_of_file, with_every_pupil_changed, with_one_pupil_changed
from benchmarks.stage import SECRETS, Databases, analyse, copy_rows, start_service
from services.basispoort_hub.rosters import Layer
from services.basispoort_hub.tables import AdministrationKeyRow, AnswerRow, Base, EntryRow, FeedRow, SchoolRow
from services.demo.processes import Processes
from shared.clock import now
from shared.database import writing
from shared.roster import Kind, Roster, canonical_entry, fingerprint
from shared.roster_delta import diff
from shared.service_auth import hash_key
from shared.service_client import GZIP_FROM
from shared.wire.rosters import WireDelta, WireRoster

KEPT_ALIVE_S = 4  # uvicorn waits five

ENTRIES: Table = EntryRow.metadata.tables[EntryRow.__tablename__]
ANSWERS: Table = AnswerRow.metadata.tables[AnswerRow.__tablename__]
FEED: Table = FeedRow.metadata.tables[FeedRow.__tablename__]
SCHOOLS: Table = SchoolRow.metadata.tables[SchoolRow.__tablename__]


def open_school(engine: Engine, code: str) -> int:
    """A school in the hub with both switches on, and the key of its administration."""
    at = now()
    with writing(engine) as db:
        if db.get(AdministrationKeyRow, hash_key(SECRETS["administration"])) is None:
            db.add(
                AdministrationKeyRow(
                    key_hash=hash_key(SECRETS["administration"]), administration="EDUscope", created_at=at
                )
            )
        row = SchoolRow(
            code=code,
            name=f"School {code}",
            ref=str(uuid.uuid4()),
            created_at=at,
            mutated_at=at,
            administration="EDUscope",
            connection_on=True,
            administration_on=True,
        )
        db.add(row)
        db.flush()
        return row.id


class Pusher:
    """One administration on one lasting connection; it follows the token, as the real sender does."""

    def __init__(self, port: int, code: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._path = f"/api/v1/scholen/{code}/leerlinggegevens"
        self._token: str | None = None
        self._used_at = 0.0

    def push(self, method: str, body: bytes) -> None:
        """Send a body made by `packed`; anything but 200 ends the measurement."""
        headers = {"Authorization": f"Bearer {SECRETS['administration']}", "Content-Type": "application/json"}
        if body[:2] == b"\x1f\x8b":
            headers["Content-Encoding"] = "gzip"
        headers |= {"If-None-Match": "*"} if self._token is None else {"If-Match": self._token}
        if time.monotonic() - self._used_at > KEPT_ALIVE_S:
            self._connection.close()  # the server has closed it meanwhile; the next request opens it again
        self._connection.request(method, self._path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the hub answered {answer.status}: {content[:300]!r}")
        self._token = answer.headers["ETag"]
        self._used_at = time.monotonic()

    def close(self) -> None:
        self._connection.close()


def packed(body: WireRoster | WireDelta) -> bytes:
    """As shared/service_client.py puts it on the wire."""
    content = body.model_dump_json().encode()
    return gzip.compress(content, compresslevel=6) if len(content) >= GZIP_FROM else content


@dataclass
class Floor:
    """The statements of an accepted roster and their commit, with rows that lie ready; nothing else."""

    engine: Engine
    school_id: int

    def rows(self, before: Roster, after: Roster) -> list[dict[str, Any]]:
        return [
            {"of_kind": kind, "of_key": key, "body": canonical_entry(entry)}
            for kind in Kind
            for key, entry in after.of_kind(kind).items()
            if before.of_kind(kind).get(key) != entry
        ]

    def answers(self) -> list[dict[str, Any]]:
        with self.engine.execution_options(writes=False).connect() as connection:
            found = connection.execute(select(ANSWERS).where(ANSWERS.c.school_id == self.school_id))
            return [dict(row) for row in found.mappings()]

    def everything(self, rows: list[dict[str, Any]], answers: list[dict[str, Any]], at: datetime) -> None:
        """All that one accepted roster writes: the school, both layers, the answers, the feed."""
        with writing(self.engine) as db:
            connection = db.connection()
            connection.execute(
                update(SCHOOLS)
                .where(SCHOOLS.c.id == self.school_id)
                .values(token=secrets.token_hex(16), received_at=at)
            )
            for layer in Layer:
                connection.execute(self._update(layer), rows)
            connection.execute(delete(ANSWERS).where(ANSWERS.c.school_id == self.school_id))
            connection.execute(insert(ANSWERS), answers)
            changed = {"school_id": self.school_id, "made_at": at, "kind": Kind.PUPIL, "transaction": 0}
            connection.execute(insert(FEED), [{**changed, "person_id": place} for place, _ in enumerate(rows, start=1)])

    def mirror_only(self, rows: list[dict[str, Any]]) -> None:
        """Only the rows that came in, once: less than any hub with a brake and ready answers could write."""
        with writing(self.engine) as db:
            db.connection().execute(self._update(Layer.MIRROR), rows)

    def _update(self, layer: Layer) -> Any:
        here = (ENTRIES.c.school_id == self.school_id, ENTRIES.c.layer == layer)
        one = (ENTRIES.c.kind == bindparam("of_kind"), ENTRIES.c.key == bindparam("of_key"))
        return update(ENTRIES).where(*here, *one).values(body=bindparam("body"))


@dataclass(frozen=True, slots=True)
class IntakeFigures:
    """Pushes a second: over HTTP, the same statements, the mirror's rows alone; and likewise for one pupil."""

    database: str
    whole: dict[str, Series]
    one: dict[str, Series]
    hub_start_mb: float | None
    pupils: int = 400


def measure_intake(
    databases: Databases, processes: Processes, rounds: int, times: int, pupils: int = 400
) -> tuple[IntakeFigures, str]:
    """Returns the figures, and the name of the hub process that was pushed to."""
    url, engine = databases.new("basispoort_hub")
    file = a_file(1, pupils)
    code, roster = str(file.school.school_code), roster_of_file(file)
    school_id = open_school(engine, code)
    name = f"basispoort_hub on {databases.name}"
    pusher = Pusher(start_service(processes, "basispoort_hub", url, name), code)
    hub_start_mb = resident_mb(processes.pid_of(name))
    pusher.push("PUT", packed(WireRoster.of(roster, fingerprint(roster), {})))
    floor_url, floor_engine = databases.new("basispoort_hub")
    del floor_url
    copy_rows(engine, floor_engine, Base.metadata)
    analyse(engine)
    analyse(floor_engine)
    floor = Floor(floor_engine, school_id)
    answers = floor.answers()
    turns = 3 * (rounds + 1) * times

    wholes = [with_every_pupil_changed(roster, turn) for turn in range(turns)]
    bodies = iter([packed(WireRoster.of(each, fingerprint(each), {})) for each in wholes[: (rounds + 1) * times]])
    rows = iter([floor.rows(roster, each) for each in wholes])

    def push_whole() -> int:
        for _ in range(times):
            pusher.push("PUT", next(bodies))
        return times

    def floor_whole() -> int:
        for _ in range(times):
            floor.everything(next(rows), answers, now())
        return times

    def strict_whole() -> int:
        for _ in range(times):
            floor.mirror_only(next(rows))
        return times

    whole = take_turns({"ours": push_whole, "floor": floor_whole, "mirror only": strict_whole}, rounds)

    here = wholes[(rounds + 1) * times - 1]
    deltas, ones = [], []
    for turn in range(turns):
        after = with_one_pupil_changed(here, 50_000 + turn)
        if turn < (rounds + 1) * times:
            deltas.append(packed(WireDelta.of(diff(here, after), {})))
        ones.append(floor.rows(here, after))
        here = after
    delta, one_row = iter(deltas), iter(ones)

    def push_one() -> int:
        for _ in range(times):
            pusher.push("PATCH", next(delta))
        return times

    def floor_one() -> int:
        for _ in range(times):
            floor.everything(next(one_row), answers, now())
        return times

    def strict_one() -> int:
        for _ in range(times):
            floor.mirror_only(next(one_row))
        return times

    one = take_turns({"ours": push_one, "floor": floor_one, "mirror only": strict_one}, rounds)
    pusher.close()
    return IntakeFigures(databases.name, whole, one, hub_start_mb, pupils), name
