"""After whatever happens to people, accounts and roles, the answers are those that a rebuild would give."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from services.basispoort_hub import accounts, coordinators, keeping, teachers
from services.basispoort_hub.answers import read_answer, rebuild_answers
from services.basispoort_hub.coordinators import remove_coordinator, save_coordinator
from services.basispoort_hub.holds import Choice, decision_of
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.tables import (
    AccountRow,
    AnswerRow,
    AppointmentRow,
    CoordinatorRow,
    PersonRow,
    SchoolRow,
)
from services.basispoort_hub.valid_roster import Decision, settle
from shared.brake import Cause
from shared.database import reading, writing
from shared.roster import Kind, Role, Roster
from shared.wire.schools import InstitutionStaff
from tests.basispoort_hub.a_hub import open_hub
from tests.factories import a_group, a_staff_member

EXAMPLES = 200 if os.environ.get("SCHAKEL_LONG") else 15
NAMES = ("anna", "bram", "cara")  # bram's account is known at another school already
START = datetime.fromisoformat("2027-01-10T12:00:00+00:00")
LAST_DAY = date(2027, 1, 20)

Staff = dict[str, tuple[str | None, bool, str]]  # key -> whose address, is there an end date, first name
Step = tuple[str, Staff | str | int | bool]


@dataclass
class World:
    """One school and the people around it; the addresses of every world are its own."""

    engine: Engine
    links: LinkMaker
    number: int
    now: datetime = START
    school_id: int = field(init=False)

    def __post_init__(self) -> None:
        code = f"99{chr(65 + self.number // 100)}A{self.number % 100:02}"
        elsewhere = self._add_school(f"{code[:3]}B{code[4:]}")
        self.school_id = self._add_school(code)
        self._appoint(elsewhere, "bram")
        self.appoint("dirk")
        with writing(self.engine) as db:
            db.execute(update(AccountRow).values(state="active"))

    def _add_school(self, code: str) -> int:
        with writing(self.engine) as db:
            school = SchoolRow(code=code, name="De Proef", ref=code, created_at=self.now, mutated_at=self.now)
            db.add(school)
            db.flush()
            rebuild_answers(db, school, self.now)
            return school.id

    def _address(self, name: str) -> str:
        return f"{name}@wereld{self.number}.example"

    def lock(self, db: Session) -> SchoolRow:
        return db.get_one(SchoolRow, self.school_id, with_for_update=True)

    def _account(self, db: Session, name: str) -> int | None:
        return db.scalar(select(AccountRow.id).where(AccountRow.email == self._address(name)))

    def push(self, staff: Staff, *, somebody_else: bool = False) -> None:
        """A roster of which nothing stays held; two swapped people are each other, or other people."""
        people = [
            a_staff_member(
                key,
                first_name=first_name,
                email=None if name is None else self._address(name),
                ends_on=LAST_DAY if has_end else None,
            )
            for key, (name, has_end, first_name) in staff.items()
        ]
        roster = Roster.of([a_group(), *people])
        with writing(self.engine) as db:
            school = self.lock(db)
            settled = settle(db, school, roster, self.now, self.links)
            while settled.held:
                decision = Decision(let_go=settled.held)
                if somebody_else and settled.held[0].cause is Cause.SWAP:
                    decision = decision_of(Choice.OTHER_PERSON, settled.held[0])
                settled = settle(db, school, roster, self.now, self.links, decision=decision)

    def appoint(self, name: str) -> None:
        self._appoint(self.school_id, name)

    def _appoint(self, school_id: int, name: str) -> None:
        with writing(self.engine) as db:
            school = db.get_one(SchoolRow, school_id, with_for_update=True)
            save_coordinator(db, school, self._address(name), name.title(), "proef", "operator", self.now, self.links)

    def dismiss(self, name: str) -> None:
        with writing(self.engine) as db:
            school, account_id = self.lock(db), self._account(db, name)
            if account_id is not None and db.get(CoordinatorRow, (account_id, school.id)) is not None:
                remove_coordinator(db, school, account_id, self.now, self.links)

    def accept(self, name: str) -> None:
        """Whatever waits for this person."""
        with writing(self.engine) as db:
            account_id = self._account(db, name)
            db.execute(update(AccountRow).where(AccountRow.id == account_id).values(state="active"))
            waiting = select(AppointmentRow.person_id).where(
                AppointmentRow.account_id == account_id, AppointmentRow.state == "waits"
            )
            for person_id in db.scalars(waiting).all():
                assert account_id is not None
                teachers.accept(db, account_id, person_id, self.links)

    def pass_days(self, days: int) -> None:
        self.now += timedelta(days=days)
        keeping.close_ended(self.engine, self.now, self.links)
        keeping.forget_leavers(self.engine, self.now)

    def staff(self) -> InstitutionStaff:
        with reading(self.engine) as db:
            answer = read_answer(db, self.school_id, "staf")
        assert answer is not None
        return InstitutionStaff.model_validate_json(answer.body)

    def coordinating(self) -> list[int]:
        return [each.id for each in self.staff().staff if Role.ICT_COORDINATOR in each.roles]

    def check(self) -> None:
        """A rebuild changes nothing; nobody is told twice; who is told, and nobody else, counts for licences."""
        told = [each.id for each in self.staff().staff]
        assert len(told) == len(set(told))
        assert self.coordinating() != []
        with writing(self.engine) as db:
            here = select(PersonRow.id).where(
                PersonRow.school_id == self.school_id, PersonRow.kind == Kind.STAFF, PersonRow.left_at.is_(None)
            )
            assert sorted(told) == sorted(db.scalars(here))
            tags = select(AnswerRow.part, AnswerRow.etag).where(AnswerRow.school_id == self.school_id)
            before = sorted(db.execute(tags).all())
            rebuild_answers(db, self.lock(db), self.now)
            assert sorted(db.execute(tags).all()) == before


@pytest.fixture
def make_world(make_engine: Callable[[str], Engine]) -> Iterator[Callable[[], World]]:
    opened = open_hub(make_engine("basispoort_hub"))
    app, numbers = opened.client.app, count()
    yield lambda: World(opened.engine, app.state.links, next(numbers))  # type: ignore[attr-defined]
    opened.client.close()
    app.state.engine.dispose()  # type: ignore[attr-defined]


@st.composite
def staffs(draw: st.DrawFn) -> Staff:
    """Also with one address twice, as can be while an address is held."""
    keys = draw(st.lists(st.sampled_from(["m1", "m2", "m3"]), unique=True))
    person = st.tuples(st.sampled_from([*NAMES, None]), st.booleans(), st.sampled_from(["Joris", "Wendelin"]))
    return {key: draw(person) for key in keys}


steps: st.SearchStrategy[Step] = st.one_of(
    staffs().map(lambda staff: ("push", staff)),
    staffs().map(lambda staff: ("push others", staff)),
    st.sampled_from(NAMES).map(lambda name: ("appoint", name)),
    st.sampled_from(NAMES).map(lambda name: ("dismiss", name)),
    st.sampled_from(NAMES).map(lambda name: ("accept", name)),
    st.sampled_from([1, 31]).map(lambda days: ("days", days)),
)


def follow(world: World, history: list[Step]) -> None:
    """Every step, with the check after each."""
    world.check()
    for step in history:
        match step:
            case ("push", dict(staff)):
                world.push(staff)
            case ("push others", dict(staff)):
                world.push(staff, somebody_else=True)
            case ("appoint", str(name)):
                world.appoint(name)
            case ("dismiss", str(name)):
                world.dismiss(name)
            case ("accept", str(name)):
                world.accept(name)
            case ("days", int(days)):
                world.pass_days(days)
        world.check()


ANNA = ("anna", False, "Joris")
ENDING_ANNA = ("anna", True, "Joris")
NO_ADDRESS = (None, False, "Joris")
BRAM = ("bram", False, "Wendelin")
CARA = ("cara", False, "Joris")
HISTORIES: dict[str, list[Step]] = {
    "her appointment ends by its date": [
        ("push", {"m1": ENDING_ANNA}),
        ("appoint", "anna"),
        ("days", 31),
        ("push", {"m1": ENDING_ANNA, "m2": CARA}),
        ("dismiss", "anna"),
    ],
    "her address goes away": [
        ("push", {"m1": ANNA}),
        ("appoint", "anna"),
        ("push", {"m1": NO_ADDRESS}),
        ("push", {}),
        ("push", {"m1": NO_ADDRESS}),
        ("dismiss", "anna"),
    ],
    "she leaves the roster, is forgotten by it, and is dismissed": [
        ("push", {"m1": ANNA}),
        ("appoint", "anna"),
        ("push", {"m2": CARA}),
        ("push", {"m2": BRAM}),
        ("days", 31),
        ("dismiss", "anna"),
    ],
    "she leaves the roster and is back under another key": [
        ("push", {"m1": ANNA}),
        ("appoint", "anna"),
        ("push", {}),
        ("push", {}),
        ("push", {"m2": ANNA}),
        ("dismiss", "anna"),
    ],
    "she leaves the roster and is back with another address": [
        ("push", {"m1": ANNA}),
        ("appoint", "anna"),
        ("push", {}),
        ("push", {"m1": CARA}),
        ("appoint", "cara"),
        ("push", {}),
        ("dismiss", "anna"),
        ("dismiss", "cara"),
    ],
    "her appointment waits": [
        ("push", {"m1": BRAM}),
        ("appoint", "bram"),
        ("accept", "bram"),
        ("push", {}),
        ("dismiss", "bram"),
    ],
    "the appointment of an outsider is another's first": [
        ("push", {"m1": NO_ADDRESS}),
        ("appoint", "anna"),
        ("push", {"m1": ANNA}),
        ("dismiss", "anna"),
    ],
    "she works here twice, as can be while an address is held": [
        ("push", {"m1": ENDING_ANNA, "m2": ANNA}),
        ("appoint", "anna"),
        ("accept", "anna"),
        ("days", 31),
        ("push", {"m1": ENDING_ANNA}),
        ("push", {}),
        ("dismiss", "anna"),
    ],
    "her key is another's after her last day": [
        ("push", {"m1": ENDING_ANNA}),
        ("appoint", "anna"),
        ("days", 31),
        ("push others", {"m1": (None, False, "Wendelin")}),
        ("dismiss", "anna"),
    ],
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_after_each_of_these_the_answers_are_those_of_a_rebuild(
    make_world: Callable[[], World], history: list[Step]
) -> None:
    follow(make_world(), history)


def _nobody_takes_part(*_: object) -> None:
    return None


@pytest.mark.parametrize(
    ("history", "module", "forgotten"),
    [
        ("she leaves the roster, is forgotten by it, and is dismissed", accounts, "keep_numbers"),
        ("she works here twice, as can be while an address is held", teachers, "rebuild_answers"),
        ("she works here twice, as can be while an address is held", keeping, "rebuild_answers"),
        ("the appointment of an outsider is another's first", accounts, "release_number"),
        ("she leaves the roster, is forgotten by it, and is dismissed", coordinators, "release_number"),
    ],
)
def test_what_is_forgotten_once_is_found_out(
    make_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch, history: str, module: ModuleType, forgotten: str
) -> None:
    monkeypatch.setattr(module, forgotten, _nobody_takes_part)
    with pytest.raises(AssertionError):
        follow(make_world(), HISTORIES[history])


def test_who_is_appointed_goes_on_under_the_number_of_her_work(make_world: Callable[[], World]) -> None:
    """Also when her appointment waits until she accepts, or has ended."""
    world = make_world()
    world.push({"m1": BRAM, "m2": ENDING_ANNA})
    world.pass_days(31)
    told = {each.key: each.id for each in world.staff().staff}
    for name, key in (("bram", "m1"), ("anna", "m2")):
        world.appoint(name)
        assert {each.key: each.id for each in world.staff().staff} == told
        assert told[key] in world.coordinating()
    before = world.staff()
    world.accept("bram")
    assert world.staff() == before
    world.check()


@pytest.mark.parametrize("key", ["m1", "m2"])
def test_a_coordinator_who_left_the_roster_is_back_with_her_number(make_world: Callable[[], World], key: str) -> None:
    world = make_world()
    world.push({"m1": ANNA})
    (number,) = (each.id for each in world.staff().staff if each.key == "m1")
    world.appoint("anna")
    world.push({})
    assert (number, None) in {(each.id, each.key) for each in world.staff().staff}
    world.push({key: ANNA})
    assert (number, key) in {(each.id, each.key) for each in world.staff().staff}


def _with_a_second_number(world: World) -> int:
    """As earlier versions wrote it: a coordinator whose appointment waits, under a number of her own."""
    world.push({"m1": BRAM})
    (number,) = (each.id for each in world.staff().staff if each.key == "m1")
    world.appoint("bram")
    with writing(world.engine) as db:
        school = world.lock(db)
        row = PersonRow(school_id=school.id, kind=Kind.STAFF, created_at=world.now)
        db.add(row)
        db.flush()
        mine = update(CoordinatorRow).where(CoordinatorRow.person_id == number)
        db.execute(mine.values(person_id=row.id))
        rebuild_answers(db, school, world.now)
    assert number not in world.coordinating()
    return number


def test_who_accepts_is_told_at_once_under_the_number_of_her_work(make_world: Callable[[], World]) -> None:
    world = make_world()
    number = _with_a_second_number(world)
    world.check()
    world.accept("bram")
    world.check()
    assert number in world.coordinating()


def test_answers_that_are_not_rebuilt_are_found_out(
    make_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    _with_a_second_number(world)
    monkeypatch.setattr(teachers, "rebuild_answers", _nobody_takes_part)
    world.accept("bram")
    with pytest.raises(AssertionError):
        world.check()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(steps, min_size=1, max_size=8))
def test_whatever_happens_the_answers_are_those_of_a_rebuild(
    make_world: Callable[[], World], history: list[Step]
) -> None:
    follow(make_world(), history)
