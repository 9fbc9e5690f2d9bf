"""A school's own pages in a country of 6,500 schools: lists, searches, checks, the comparison, against bare queries."""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, Table, func, select, text

from benchmarks.measure import Series, ratio, resident_mb, take_turns
from benchmarks.night import Memory, add_schools
from benchmarks.stage import SECRETS, Databases, analyse, environment, free_port
from services.demo.processes import Processes
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.rules.comparison import Known, compare
from services.eduscope_api.rules.readiness import findings
from services.eduscope_api.tables import (
    AdministratorRow,
    AdministratorSchoolRow,
    ContactRow,
    GroupRow,
    PupilCompositeRow,
    PupilRow,
    SchoolRow,
    SessionRow,
    StaffRoleRow,
    StaffRow,
    TeachingRow,
)
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.sessions import start_session

TYPICAL_PUPILS = 215  # 6,500 such schools have 1.4 million pupils
SHIFT = 10_000  # between the numbers of one copied school and the next
COPIED = (GroupRow, PupilRow, PupilCompositeRow, StaffRow, StaffRoleRow, TeachingRow, ContactRow)
MEASURED = 400
AFTER_WINDOW = 20  # how often each is done in one window
TARGETS_MS = {"list": 100.0, "rules": 50.0}


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing an administrator asks for: ours and the bare query of the same rows, in turns."""

    name: str
    kind: str  # a key of TARGETS_MS
    rates: Mapping[str, Series]
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class AdministrationFigures:
    database: str
    schools: int
    pupils: int
    subjects: Sequence[Subject]


def measure_administration(
    databases: Databases, processes: Processes, rounds: int, schools: int
) -> tuple[AdministrationFigures, Memory]:
    """Lists, searches and checks of one school of 400 pupils beside `schools` - 1 others."""
    url, engine = databases.new("eduscope_api")
    measured, typical = add_schools(engine, [MEASURED, TYPICAL_PUPILS])
    others = schools - 1 if databases.server is not None else 1  # rows are copied inside PostgreSQL
    copy_school(engine, typical.id, others - 1)
    analyse(engine)
    pupils = MEASURED + TYPICAL_PUPILS * others
    cookie = sign_in(engine, measured.id)

    port, name = free_port(), f"EDUscope on {databases.name}"
    settings = environment("eduscope_api", url, port, OPERATOR_KEY=SECRETS["operator"])
    processes.start(name, "services.command_line", "serve", "eduscope_api", env=settings)
    processes.wait_until_ready(name, f"http://127.0.0.1:{port}/readyz")
    start_mb = resident_mb(processes.pid_of(name))

    visitor = Visitor(port, cookie)
    own = f"/scholen/{measured.code}"
    api = f"/api/v1{own}"
    floors = Floors(engine, measured.id)
    pages = {
        "pupils, first page": (f"{api}/leerlingen?limit=100", floors.pupils),
        "pupils of a group, as a page": (f"{own}/leerlingen?groep={floors.a_group()}", floors.pupils_of_a_group),
        "search for a name, as a page": (f"{own}/leerlingen?zoek=van", floors.pupils),
        "staff, as a page": (f"{own}/personeel", floors.staff),
        "groups, as a page": (f"{own}/groepen", floors.groups),
        "checks, as a page": (f"{own}/controles", floors.everything),
    }
    subjects = [
        measure_subject(what, "list", visitor.fetch(path), floor, rounds) for what, (path, floor) in pages.items()
    ]
    subjects += [
        measure_subject(
            "checks, rows and rules", "rules", lambda: check(engine, measured.id), floors.everything, rounds
        ),
        measure_subject(
            "comparison, rows and rules", "rules", lambda: lay_beside(engine, measured.id), floors.everything, rounds
        ),
    ]
    memory = Memory(
        f"EDUscope, serve ({databases.name})",
        start_mb,
        resident_mb(processes.pid_of(name)),
        f"lists in a country of {pupils:,} pupils",
    )
    visitor.close()
    return AdministrationFigures(databases.name, others + 1, pupils, subjects), memory


def measure_subject(name: str, kind: str, ours: Callable[[], None], floor: Callable[[], int], rounds: int) -> Subject:
    slowest = 0.0

    def window() -> int:
        nonlocal slowest
        for _ in range(AFTER_WINDOW):
            began = time.perf_counter()
            ours()
            slowest = max(slowest, (time.perf_counter() - began) * 1000)
        return AFTER_WINDOW

    def bare() -> int:
        for _ in range(AFTER_WINDOW):
            floor()
        return AFTER_WINDOW

    ours()  # the very first one loads templates and plans
    return Subject(name, kind, take_turns({"ours": window, "floor": bare}, rounds), slowest)


# --- a country --------------------------------------------------------------------------------------------------------

# What is added to a column's value in the copy with number {i}; every other column is copied as it is.
SHIFTED = {
    SchoolRow: {"id"},
    GroupRow: {"id", "school_id"},
    PupilRow: {"id", "school_id", "home_group_id"},
    PupilCompositeRow: {"pupil_id", "group_id"},
    StaffRow: {"id", "school_id"},
    StaffRoleRow: {"staff_id"},
    TeachingRow: {"staff_id", "group_id"},
    ContactRow: {"id", "staff_id"},
}
OWNED = {
    SchoolRow: "t.id = :school",
    PupilCompositeRow: "t.pupil_id IN (SELECT id FROM pupils WHERE school_id = :school)",
    **dict.fromkeys((GroupRow, PupilRow, StaffRow), "t.school_id = :school"),
    **dict.fromkeys(
        (StaffRoleRow, TeachingRow, ContactRow), "t.staff_id IN (SELECT id FROM staff WHERE school_id = :school)"
    ),
}
CODE = "'99' || chr(70 + i / 2600 % 20) || chr(65 + i / 100 % 26) || lpad((i % 100)::text, 2, '0')"


def copy_school(engine: Engine, school_id: int, times: int) -> None:
    """Lay `times` copies of a school beside it, inside PostgreSQL; every number is shifted by so many SHIFTs."""
    if times < 1:
        return
    with engine.begin() as connection:
        for rows, shifted in SHIFTED.items():
            table: Table = rows.metadata.tables[rows.__tablename__]
            names = [column.name for column in table.columns]
            values = [f"t.{name} + i * {SHIFT}" if name in shifted else f"t.{name}" for name in names]
            if rows is SchoolRow:
                values[names.index("code")] = CODE
            connection.execute(
                text(
                    f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)} "  # noqa: S608  # our own names
                    f"FROM {table.name} t, generate_series(1, {times}) i WHERE {OWNED[rows]}"
                ),
                {"school": school_id},
            )
            if "id" in names:
                highest = select(func.max(table.c.id)).scalar_subquery()
                connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), highest)))


def sign_in(engine: Engine, school_id: int) -> str:
    """An administrator of this school, signed in; returns the cookie."""
    with writing(engine) as db:
        row = AdministratorRow(user_name="bench", password_hash="-", created_at=now())  # noqa: S106  # nobody can sign in with it
        db.add(row)
        db.flush()
        db.add(AdministratorSchoolRow(administrator_id=row.id, school_id=school_id))
        return start_session(db, SessionRow, row.id, now())


class Visitor:
    """A signed-in browser on one lasting connection."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Cookie": f"eduscope={cookie}", "Accept": "text/html"}

    def fetch(self, path: str) -> Callable[[], None]:
        def fetch() -> None:
            self._connection.request("GET", path, headers=self._headers)
            answer = self._connection.getresponse()
            body = answer.read()
            if answer.status != 200 or len(body) < 500:
                raise RuntimeError(f"{path.partition('?')[0]} answered {answer.status}")

        return fetch

    def close(self) -> None:
        self._connection.close()


class Floors:
    """The rows that lie under a page, fetched and thrown away."""

    def __init__(self, engine: Engine, school_id: int) -> None:
        self._engine, self._school_id = engine, school_id

    def a_group(self) -> int:
        with reading(self._engine) as db:
            found = db.scalars(
                select(GroupRow.id).where(GroupRow.school_id == self._school_id, GroupRow.kind == "home")
            )
            return found.first() or 0

    def pupils(self) -> int:
        return self._fetch(PupilRow)

    def pupils_of_a_group(self) -> int:
        return self._fetch(PupilRow, home_group_id=self.a_group())

    def staff(self) -> int:
        return self._fetch(StaffRow)

    def groups(self) -> int:
        return self._fetch(GroupRow)

    def everything(self) -> int:
        return self.groups() + self.pupils() + self.staff()

    def _fetch(self, rows: type[GroupRow | PupilRow | StaffRow], **also: int) -> int:
        table: Table = rows.metadata.tables[rows.__tablename__]
        wanted = select(table).where(table.c.school_id == self._school_id)
        for name, value in also.items():
            wanted = wanted.where(table.c[name] == value)
        with reading(self._engine) as db:
            return len(db.connection().execute(wanted).all())


def check(engine: Engine, school_id: int) -> None:
    """Read the school and apply the checks."""
    with reading(engine) as db:
        findings(read_picture(db, school_id), local_date(now()))


def lay_beside(engine: Engine, school_id: int) -> None:
    """Read the school and compare its staff with what a hub could answer: some equal, some different, some missing."""
    with reading(engine) as db:
        picture = read_picture(db, school_id)
        known = [
            Known(
                record.member.key if place % 3 else None,
                record.member.full_name,
                f"anders{place}@school.example" if place % 4 == 0 else record.member.email,
                (),
                "actief",
            )
            for place, record in enumerate(picture.staff)
            if place % 5
        ]
        compare(picture, known, local_date(now()))


# --- its part of the page ---------------------------------------------------------------------------------------------


def describe(found: Sequence[AdministrationFigures]) -> Iterator[str]:
    yield from (
        "",
        "## EDUscope: one school in a whole country",
        "",
        "A school of 400 pupils among others of 215; a real `schakel serve eduscope_api`, one caller, signed in, the",
        "whole answer over HTTP; the rules in-process, rows read. **Floor**: a bare query of the same rows.",
        "",
        "| Database | Schools | Pupils | What | Ours, median | Slowest of all | Target | Ratio to the floor |",
        "|---|---|---|---|---|---|---|---|",
    )
    for each in found:
        for subject in each.subjects:
            ours, floor = subject.rates["ours"], subject.rates["floor"]
            target, median = TARGETS_MS[subject.kind], 1000 / ours.median
            shares = ratio(ours, floor)
            yield (
                f"| {each.database} | {each.schools:,} | {each.pupils:,} | {subject.name} | {median:.1f} ms "
                f"| {subject.slowest_ms:.1f} ms | {target:.0f} ms, {'reached' if median < target else 'not reached'} "
                f"| **{shares.median:.2f}** ({shares.lowest:.2f}–{shares.highest:.2f}) |"
            )
