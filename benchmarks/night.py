"""The source's side of a night per school, and an ordinary night of many schools from end to end."""

import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
from sqlalchemy import Engine, Table, insert, select, update

from benchmarks.intake import Floor, open_school
from benchmarks.measure import Series, resident_mb, take_turns
from benchmarks.rosters import SIZES, a_file
from benchmarks.stage import MODULE, SECRETS, Databases, analyse, copy_rows, environment, free_port, start_service
from services.basispoort_hub.rosters import Layer, read_canonical
from services.basispoort_hub.tables import Base as HubBase
from services.demo.processes import Processes
from services.eduscope_api.edexml import take_in
from services.eduscope_api.hub_client import HubClient
from services.eduscope_api.nightly import School, run_tonight, synchronise
from services.eduscope_api.rosters import lock_school
from services.eduscope_api.runs import Outcome
from services.eduscope_api.tables import Base as SourceBase
from services.eduscope_api.tables import (
    ContactRow,
    GroupRow,
    NightRow,
    PupilCompositeRow,
    PupilRow,
    RunRow,
    SchoolRow,
    SentRosterRow,
    StaffRoleRow,
    StaffRow,
    TeachingRow,
)
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.roster import Kind, Pupil, canonical_entry, entry_from_canonical
from shared.service_client import ServiceClient
from shared.wire.rosters import WireChanges, WireReceipt, WireStanding

TABLES = SourceBase.metadata.tables
SENT: Table = TABLES[SentRosterRow.__tablename__]
RUNS: Table = TABLES[RunRow.__tablename__]
CHANGED_SHARE = 0.01
CLOCK_WITHIN_S = 600
ETAG = "always"  # a hub that takes everything has one token


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """Schools a second: read, compare, remember and send; the bare rows; the bare rows and the commit."""

    database: str
    pupils: int
    rates: dict[str, Series]


@dataclass(frozen=True, slots=True)
class NightFigures:
    """Schools a second of whole nights, and of the same reading and writing alone."""

    database: str
    schools: int
    pupils: int
    rates: dict[str, Series]


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process held, in MB, after its start and after `load`."""

    process: str
    start: float | None
    after: float | None
    load: str


def add_schools(engine: Engine, sizes: Sequence[int]) -> list[School]:
    """Generated schools in EDUscope, each with the tick at Basispoort."""
    schools = []
    for place, size in enumerate(sizes, start=1):
        file = a_file(place, size)
        code = str(file.school.school_code)
        with writing(engine) as db:
            row = SchoolRow(code=code, name=f"School {code}", basispoort_on=True)
            db.add(row)
            db.flush()
            school = School(row.id, code, True)
        take_in(engine, school.id, file)
        schools.append(school)
    return schools


def change_some(engine: Engine, schools: Sequence[School], turn: int) -> None:
    """About one pupil in a hundred gets other initials."""
    with writing(engine) as db:
        for school in schools:
            lock_school(db, school.id)
            ids = list(db.scalars(select(PupilRow.id).where(PupilRow.school_id == school.id).order_by(PupilRow.id)))
            several = max(1, round(len(ids) * CHANGED_SHARE))
            chosen = [ids[(turn * several + place) % len(ids)] for place in range(several)]
            db.execute(update(PupilRow).where(PupilRow.id.in_(chosen)).values(initials=f"T{turn:04}"))


def read_bare(engine: Engine, school: School) -> int:
    """Fetch the rows that the night reads of a school, and do nothing with them."""
    pupils, staff = TABLES[PupilRow.__tablename__], TABLES[StaffRow.__tablename__]
    groups, sent = TABLES[GroupRow.__tablename__], SENT
    composites, roles = TABLES[PupilCompositeRow.__tablename__], TABLES[StaffRoleRow.__tablename__]
    teaching, contacts = TABLES[TeachingRow.__tablename__], TABLES[ContactRow.__tablename__]
    statements = [
        select(groups).where(groups.c.school_id == school.id),
        select(pupils).where(pupils.c.school_id == school.id, pupils.c.erased_at.is_(None)),
        select(staff).where(staff.c.school_id == school.id, staff.c.erased_at.is_(None)),
        select(composites).join(pupils, pupils.c.id == composites.c.pupil_id).where(pupils.c.school_id == school.id),
        select(teaching).join(staff, staff.c.id == teaching.c.staff_id).where(staff.c.school_id == school.id),
        select(roles).join(staff, staff.c.id == roles.c.staff_id).where(staff.c.school_id == school.id),
        select(contacts).join(staff, staff.c.id == contacts.c.staff_id).where(staff.c.school_id == school.id),
        select(sent).where(sent.c.school_id == school.id),
    ]
    with reading(engine) as db:
        connection = db.connection()
        return sum(len(connection.execute(statement).all()) for statement in statements)


def remember_bare(engine: Engine, school: School, at: datetime) -> None:
    """Write the remembered roster once more, and commit."""
    with writing(engine) as db:
        lock_school(db, school.id)
        connection = db.connection()
        body = connection.execute(select(SENT.c.body).where(SENT.c.school_id == school.id)).scalar_one()
        connection.execute(update(SENT).where(SENT.c.school_id == school.id).values(body=body + " ", remembered_at=at))


class AgreeableHub:
    """Takes everything, in this process: what is left is the source's own work."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        *_, code, last = request.url.path.split("/")
        if last == "aanmelding":
            return httpx.Response(204)
        if last == "stand":
            standing = WireStanding(
                fingerprint=self._held.get(code),
                received_at=None,
                is_on=True,
                administration="EDUscope",
                waits_for=None,
                held=0,
            )
            headers = {"ETag": f'"{ETAG}"'} if code in self._held else {}
            return httpx.Response(200, text=standing.model_dump_json(), headers=headers)
        body = request.content
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self._held[code] = json.loads(body)["target"]
        none = WireChanges(new=0, changed=0, removed=0)
        receipt = WireReceipt(
            fingerprint=self._held[code],
            token=ETAG,
            groups=none,
            pupils=none,
            staff=none,
            held=0,
            queued_mails=0,
        )
        return httpx.Response(200, text=receipt.model_dump_json())


def measure_source(databases: Databases, rounds: int, schools: int, pupils: int = 400) -> SourceFigures:
    """Read, compare, remember and send, for schools of which one pupil in a hundred changed."""
    _, engine = databases.new("eduscope_api")
    found = add_schools(engine, [pupils] * schools)
    hub = HubClient(
        ServiceClient("hub", "http://hub.example", "k", transport=httpx.MockTransport(AgreeableHub().answer))
    )
    turns = count(1)

    def bring() -> int:
        for school in found:
            expect(synchronise(engine, hub, school).outcome, Outcome.DELTA, Outcome.WHOLE)
        return len(found)

    def read() -> int:
        for school in found:
            read_bare(engine, school)
        return len(found)

    def read_and_remember() -> int:
        for school in found:
            read_bare(engine, school)
            remember_bare(engine, school, now())
        return len(found)

    bring()
    analyse(engine)
    # the floor that writes has rows of its own, so that it does not disturb what was remembered
    _, floor_engine = databases.new("eduscope_api")
    copy_rows(engine, floor_engine, SourceBase.metadata)
    analyse(floor_engine)
    ours, engine_of_floor = engine, floor_engine

    def on_floor(work: Callable[[], int]) -> Callable[[], int]:
        def window() -> int:
            nonlocal engine
            engine = engine_of_floor
            try:
                return work()
            finally:
                engine = ours

        return window

    rates = take_turns(
        {"ours": bring, "floor": on_floor(read), "with commit": on_floor(read_and_remember)},
        rounds,
        {"ours": lambda: change_some(ours, found, next(turns))},
    )
    return SourceFigures(databases.name, pupils, rates)


def expect(outcome: Outcome, *wanted: Outcome) -> None:
    """A night that did something else than its work has no speed."""
    if outcome not in wanted:
        raise RuntimeError(f"a school ended as {outcome}")


@dataclass
class NightFloor:
    """What a night reads and writes, on copies of both databases: bare rows and commits, one school after another."""

    source: Engine
    hub: Engine
    schools: Sequence[School]
    hub_ids: dict[str, int]

    def __post_init__(self) -> None:
        self._floors = {school.code: Floor(self.hub, self.hub_ids[school.code]) for school in self.schools}
        self._answers = {code: floor.answers() for code, floor in self._floors.items()}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._turn = 0

    def prepare(self) -> None:
        """Lay the rows ready that one more night changes."""
        self._turn += 1
        for school in self.schools:
            with reading(self.hub) as db:
                held = read_canonical(db, self.hub_ids[school.code], Layer.MIRROR)[Kind.PUPIL]
            keys = sorted(held)
            several = max(1, round(len(keys) * CHANGED_SHARE))
            self._rows[school.code] = [
                {"of_kind": Kind.PUPIL, "of_key": key, "body": _changed(held[key], self._turn)}
                for key in keys[self._turn : self._turn + several]
            ]

    def night(self) -> int:
        at = now()
        for school in self.schools:
            read_bare(self.source, school)
            remember_bare(self.source, school, at)
            self._floors[school.code].everything(self._rows[school.code], self._answers[school.code], at)
            with writing(self.source) as db:
                lock_school(db, school.id)
                db.connection().execute(
                    insert(RUNS).values(
                        school_id=school.id,
                        night=None,
                        attempt=1,
                        started_at=at,
                        took_ms=0,
                        outcome="floor",
                        sentence="",
                        counts={},
                    )
                )
        return len(self.schools)


def _changed(body: str, turn: int) -> str:
    entry = entry_from_canonical(Kind.PUPIL, body)
    assert isinstance(entry, Pupil)
    return canonical_entry(replace(entry, initials=f"F{turn:04}"))


def measure_night(
    databases: Databases, processes: Processes, rounds: int, number: int
) -> tuple[NightFigures, list[Memory]]:
    """Nights of `number` schools against a hub process; then one more night by a real clock process, for its memory."""
    source_url, source = databases.new("eduscope_api")
    hub_url, hub_engine = databases.new("basispoort_hub")
    schools = add_schools(source, [SIZES[place % len(SIZES)] for place in range(number)])
    hub_ids = {school.code: open_school(hub_engine, school.code) for school in schools}
    name = f"the hub of a night on {databases.name}"
    port = start_service(processes, "basispoort_hub", hub_url, name)
    hub_start = resident_mb(processes.pid_of(name))
    client = ServiceClient("hub", f"http://127.0.0.1:{port}", SECRETS["administration"])
    hub = HubClient(client)
    began, nights = now(), count(1)

    def do_night() -> int:
        at = began + timedelta(days=next(nights))
        run_tonight(source, hub, "bench", clock=lambda: at)
        check_night(source, local_date(at), number)
        return number

    do_night()  # everything goes over, once
    analyse(source)
    analyse(hub_engine)
    _, floor_source = databases.new("eduscope_api")
    _, floor_hub = databases.new("basispoort_hub")
    copy_rows(source, floor_source, SourceBase.metadata)
    copy_rows(hub_engine, floor_hub, HubBase.metadata)
    analyse(floor_source)
    analyse(floor_hub)
    floor = NightFloor(floor_source, floor_hub, schools, hub_ids)
    turns = count(1)
    rates = take_turns(
        {"ours": do_night, "floor": floor.night},
        rounds,
        {"ours": lambda: change_some(source, schools, next(turns)), "floor": floor.prepare},
    )
    hub_memory = Memory(
        f"hub, serve ({databases.name})", hub_start, resident_mb(processes.pid_of(name)), f"nights of {number} schools"
    )
    client.close()
    change_some(source, schools, next(turns))
    memory = [hub_memory, clock_memory(databases, processes, source_url, source, port, number)]
    pupils = sum(SIZES[place % len(SIZES)] for place in range(number))
    return NightFigures(databases.name, number, pupils, rates), memory


def check_night(source: Engine, night: Any, number: int) -> None:
    """Every school must have been brought over in this night, with something to send."""
    with reading(source) as db:
        outcomes = list(db.scalars(select(RunRow.outcome).where(RunRow.night == night)))
    sent = [outcome for outcome in outcomes if outcome in {Outcome.DELTA, Outcome.WHOLE}]
    if len(sent) != number:
        raise RuntimeError(f"{len(sent)} of {number} schools were brought over: {sorted(set(outcomes))}")


def clock_memory(
    databases: Databases, processes: Processes, url: str, engine: Engine, hub_port: int, number: int
) -> Memory:
    """Let `schakel clock eduscope_api` do tonight, and see what it holds."""
    name = f"eduscope clock on {databases.name}"
    settings = environment("eduscope_api", url, free_port(), HUB_URL=f"http://127.0.0.1:{hub_port}")
    processes.start(name, MODULE, "clock", "eduscope_api", env=settings)
    until, start = time.monotonic() + CLOCK_WITHIN_S, None
    while time.monotonic() < until:
        time.sleep(0.2)
        with reading(engine) as db:
            row = db.get(NightRow, local_date(now()))
            begun, finished = row is not None, row is not None and row.finished_at is not None
        if begun and start is None:
            start = resident_mb(processes.pid_of(name))
        if finished:
            return Memory(
                f"EDUscope, clock ({databases.name})",
                start,
                resident_mb(processes.pid_of(name)),
                f"one night of {number} schools",
            )
    raise RuntimeError("the clock did not finish the night")
