"""The sender: one school brought to the hub, whatever the road does."""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine, select

from services.eduscope_api.contacts import save_addresses
from services.eduscope_api.nightly import School, preview, run_now, synchronise
from services.eduscope_api.rosters import read_picture, read_sent
from services.eduscope_api.rules.exchange import roster_of
from services.eduscope_api.rules.sending import How
from services.eduscope_api.runs import Outcome
from services.eduscope_api.tables import Base, GroupRow, PupilRow, RunRow, SchoolRow, StaffRow
from shared.clock import local_date
from shared.database import open_engine, reading, writing
from shared.problems import NotFound
from shared.roster import Kind, Roster, fingerprint
from tests.eduscope_api.fake_hub import FakeHub, Road
from tests.eduscope_api.rows import CODE, OTHER_CODE, add_group, add_member, add_pupil, add_school, leave

TODAY = local_date(datetime.now(UTC))


def own_roster(engine: Engine, school: School) -> Roster:
    with reading(engine) as db:
        return roster_of(read_picture(db, school.id), TODAY)


def rename(engine: Engine, key: str, name: str) -> None:
    with writing(engine) as db:
        db.scalars(select(PupilRow).where(PupilRow.key == key)).one().last_name = name


def test_the_first_push_sends_everything(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    result = synchronise(engine, hub.client(), school)
    assert result.outcome is Outcome.WHOLE
    assert hub.sent == ["PUT"]
    assert hub.schools[CODE].roster == own_roster(engine, school)


def test_a_second_run_sends_nothing(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    synchronise(engine, hub.client(), school)
    assert synchronise(engine, hub.client(), school).outcome is Outcome.EQUAL
    assert hub.sent == ["PUT"]


def test_a_change_is_sent_as_a_small_difference(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine, pupils=50)
    synchronise(engine, hub.client(), school)
    rename(engine, "p3", "Nieuwenhuis")
    result = synchronise(engine, hub.client(), school)
    assert result.outcome is Outcome.DELTA
    assert hub.sent == ["PUT", "PATCH"]
    assert len(hub.bodies[1]) < 1_000 < len(hub.bodies[0])
    assert "1 leerling gewijzigd" in result.sentence
    assert hub.schools[CODE].roster == own_roster(engine, school)


def test_what_is_sent_is_remembered_before_it_leaves(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    remembered: list[str | None] = []
    answer = hub.answer

    def look(request: httpx.Request) -> httpx.Response:
        with reading(engine) as db:
            sent = read_sent(db, school.id)
        remembered.append(sent[0] if sent else None)
        return answer(request)

    hub.answer = look  # type: ignore[method-assign]  # to look at our rows at the moment of sending
    synchronise(engine, hub.client(), school)
    assert remembered == [None, fingerprint(own_roster(engine, school))]


def test_a_lost_answer_costs_nothing(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)

    def swallow(request: httpx.Request) -> httpx.Response:
        answer = hub.answer(request)
        if request.method == "PUT":
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    road = Road(hub, random.Random(0), 0)
    road.travel = swallow  # type: ignore[method-assign]  # loses exactly the answer to the roster
    assert synchronise(engine, hub.client(road), school).outcome is Outcome.FAILED
    assert synchronise(engine, hub.client(), school).outcome is Outcome.EQUAL


def test_after_a_divergence_the_own_rows_are_read_again_and_sent_once_more(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    synchronise(engine, hub.client(), school)
    rename(engine, "p1", "Eerst")
    answer = hub.answer

    def interfere(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH" and hub.sent == ["PUT"]:
            hub.schools[CODE].token = "another sender was first"
            rename(engine, "p1", "Daarna")
        return answer(request)

    hub.answer = interfere  # type: ignore[method-assign]  # another sender comes between
    assert not synchronise(engine, hub.client(), school).failed
    assert hub.schools[CODE].roster == own_roster(engine, school)
    assert hub.schools[CODE].roster.pupils["p1"].last_name == "Daarna"


def test_a_second_divergence_is_reported_and_not_tried_for_ever(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    answer = hub.answer

    def diverge(request: httpx.Request) -> httpx.Response:
        hub.schools[CODE].token = str(time.monotonic_ns())
        return answer(request)

    hub.answer = diverge  # type: ignore[method-assign]  # the hub never stands still
    result = synchronise(engine, hub.client(), school)
    assert (result.outcome, result.hub_slug, len(hub.sent)) == (Outcome.REFUSED, "roster-diverged", 2)


def test_an_empty_school_is_never_sent(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine, pupils=0)
    result = synchronise(engine, hub.client(), school)
    assert result.outcome is Outcome.EMPTY
    assert hub.seen == []


def test_a_school_whose_pupils_all_vanished_is_never_sent(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    synchronise(engine, hub.client(), school)
    with writing(engine) as db:
        for pupil in db.scalars(select(PupilRow)):
            pupil.left_on = TODAY
    assert synchronise(engine, hub.client(), school).outcome is Outcome.EMPTY
    assert len(hub.schools[CODE].roster.pupils) == 3


def test_leaving_dates_travel_with_a_removal(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    synchronise(engine, hub.client(), school)
    leave(engine, 2, TODAY)
    synchronise(engine, hub.client(), school)
    assert set(hub.schools[CODE].roster.pupils) == {"p1", "p3"}
    assert hub.schools[CODE].leavers[Kind.PUPIL] == {"p2": TODAY}


def test_nothing_is_sent_while_the_hub_waits_for_its_coordinator(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    hub.schools[CODE].is_chosen = False
    result = synchronise(engine, hub.client(), school)
    assert result.outcome is Outcome.WAITS
    assert "de coördinator zet de koppeling aan" in result.sentence
    assert hub.sent == []


def test_a_school_that_is_no_longer_ticked_is_not_sent(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    with writing(engine) as db:
        db.get_one(SchoolRow, school.id).basispoort_on = False
    assert synchronise(engine, hub.client(), school).outcome is Outcome.WAITS
    assert hub.seen == []


def test_a_night_without_changes_is_still_a_sign_of_life(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    synchronise(engine, hub.client(), school)
    synchronise(engine, hub.client(), school)
    assert hub.seen[2:] == [("GET", "stand"), ("PUT", "aanmelding")]


def test_a_roster_that_may_still_be_under_way_is_made_to_fail(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    synchronise(engine, hub.client(), school)
    rename(engine, "p1", "Anders")
    road = Road(hub, random.Random(0), 1, late=1)  # loses everything but brings it later
    travel = road.travel
    road.travel = lambda request: (hub.answer if request.method == "GET" else travel)(request)  # type: ignore[method-assign]  # only rosters get lost
    assert synchronise(engine, hub.client(road), school).outcome is Outcome.FAILED
    rename(engine, "p1", "Bijl p1")
    assert synchronise(engine, hub.client(), school).outcome is Outcome.EQUAL
    road.deliver_late(1)
    assert hub.schools[CODE].roster == own_roster(engine, school)


def test_a_hub_that_forgot_our_tick_hears_it_again(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    hub.schools[CODE].is_announced = False
    assert synchronise(engine, hub.client(), school).outcome is Outcome.WHOLE


@pytest.mark.parametrize("slug", ["connection-inactive", "wrong-school"])
def test_a_switch_that_is_off_is_a_wait_and_no_failure(engine: Engine, hub: FakeHub, slug: str) -> None:
    school = add_school(engine)
    hub.answer_with[CODE] = httpx.Response(409, json={"type": f"/problems/{slug}"})
    assert synchronise(engine, hub.client(), school).outcome is Outcome.WAITS


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(503, json={"type": "/problems/database-busy"}),
        httpx.Response(200, text="not json"),
        httpx.Response(200, json={"vingerafdruk": None}),
        httpx.Response(302, headers={"Location": "http://elsewhere.example"}),
        httpx.Response(401, json={"type": "/problems/caller-unknown"}),
        httpx.Response(404, json=["not", "a", "problem"]),
    ],
    ids=lambda answer: str(answer.status_code),
)
def test_whatever_the_hub_answers_a_run_ends_in_words(engine: Engine, hub: FakeHub, answer: httpx.Response) -> None:
    school = add_school(engine)
    hub.answer_with[CODE] = answer
    result = synchronise(engine, hub.client(), school)
    assert result.failed
    assert result.sentence.endswith(".")


def test_objections_are_counted_and_not_repeated(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    answer = hub.answer

    def refuse(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            body = {"type": "/problems/roster-inconsistent", "objections": ["Noor MARKER", "Joris MARKER"]}
            return httpx.Response(422, json=body)
        return answer(request)

    hub.answer = refuse  # type: ignore[method-assign]  # the hub finds the roster inconsistent
    result = synchronise(engine, hub.client(), school)
    assert (result.outcome, result.counts) == (Outcome.REFUSED, {"bezwaren": 2})
    assert "MARKER" not in repr(result)


# --- the dry run and the command --------------------------------------------------------------------------------------


def test_a_dry_run_tells_and_changes_nothing(engine: Engine, hub: FakeHub) -> None:
    school = add_school(engine)
    synchronise(engine, hub.client(), school)
    rename(engine, "p2", "Anders")
    seen = len(hub.sent)
    shown = preview(engine, hub.client(), school)
    assert shown.how is How.DELTA
    assert [(what, entry.key) for what, entry in shown.entries] == [("gewijzigd", "p2")]
    assert len(hub.sent) == seen
    assert synchronise(engine, hub.client(), school).outcome is Outcome.DELTA


def test_the_command_does_every_connected_school_and_says_what_came_of_it(engine: Engine, hub: FakeHub) -> None:
    add_school(engine)
    add_school(engine, OTHER_CODE, ticked=False)
    assert [(report.code, report.outcome) for report in run_now(engine, hub.client())] == [(CODE, Outcome.WHOLE)]
    assert [report.outcome for report in run_now(engine, hub.client(), dry_run=True)] == [Outcome.EQUAL]
    assert [report.outcome for report in run_now(engine, hub.client(), OTHER_CODE)] == [Outcome.WAITS]
    with pytest.raises(NotFound):
        run_now(engine, hub.client(), "99XX00")


def test_asking_is_limited_in_frequency(engine: Engine, hub: FakeHub) -> None:
    add_school(engine)
    outcomes = [run_now(engine, hub.client())[0].outcome for _ in range(12)]
    assert outcomes[:10] == [Outcome.WHOLE] + [Outcome.EQUAL] * 9
    assert outcomes[10:] == [Outcome.REFUSED] * 2
    later = datetime.now(UTC) + timedelta(minutes=11)
    assert run_now(engine, hub.client(), clock=lambda: later)[0].outcome is Outcome.EQUAL


def test_a_run_on_request_is_kept_and_leaves_no_claim(engine: Engine, hub: FakeHub) -> None:
    add_school(engine)
    run_now(engine, hub.client())
    with reading(engine) as db:
        run = db.scalars(select(RunRow)).one()
        assert (run.night, run.outcome, run.hub_status) == (None, "alles", 200)
        assert run.took_ms is not None


# --- three hundred random histories -----------------------------------------------------------------------------------


class History:
    """Nights on a bad road: edits, lost requests, lost answers, late requests, and restored backups on either side."""

    def __init__(self, url: str, seed: int, *, guards: bool = True, restores: bool) -> None:
        self.chance = random.Random(seed)
        self.hub = FakeHub(CODE, guards=guards)
        self.road = Road(self.hub, self.chance)
        self.engine = open_engine(url)
        Base.metadata.create_all(self.engine)
        self.school = add_school(self.engine, pupils=4)
        self.client = self.hub.client(self.road)
        self.restores = restores
        self.number = 0
        self.our_backup: sqlite3.Connection | None = None
        self.hub_backup = self.hub.backup()

    def close(self) -> None:
        self.engine.dispose()
        if self.our_backup is not None:
            self.our_backup.close()

    def edit(self) -> None:
        self.number += 1
        with writing(self.engine) as db:
            pupils = db.scalars(select(PupilRow).where(PupilRow.left_on.is_(None))).all()
            chosen = self.chance.choice(pupils)
            match self.chance.randrange(7):
                case 0:
                    add_pupil(db, self.school.id, f"n{self.number}")
                case 1 if len(pupils) > 1:
                    chosen.left_on = TODAY - timedelta(days=self.chance.randrange(3))
                case 2:
                    chosen.last_name = self.chance.choice(["Bijl", "Bakker", "Şahin"])  # back and forth
                case 3:
                    add_group(db, self.school.id, f"x{self.number}", kind=self.chance.choice(["home", "composite"]))
                case 4:
                    group = self.chance.choice(db.scalars(select(GroupRow).where(GroupRow.kind == "home")).all())
                    chosen.home_group_id = group.id
                case 5:
                    member = self.chance.choice(db.scalars(select(StaffRow)).all())
                    save_addresses(db, {member.id: self.chance.choice([None, f"m{self.number}@nieuw.example"])})
                case _:
                    add_member(db, self.school.id, f"s{self.number}")

    def back_up_or_restore(self) -> None:
        what = self.chance.randrange(8)
        if what == 0:
            self.hub_backup = self.hub.backup()
        elif what == 1:
            self.our_backup = sqlite3.connect(":memory:")
            self._copy(self.our_backup, into_backup=True)
        elif what == 2:
            self.hub.restore(self.hub_backup)
        elif what == 3 and self.our_backup is not None:
            self._copy(self.our_backup, into_backup=False)

    def _copy(self, other: sqlite3.Connection, *, into_backup: bool) -> None:
        ours = self.engine.raw_connection()
        source, target = (ours.driver_connection, other) if into_backup else (other, ours.driver_connection)
        assert isinstance(source, sqlite3.Connection)
        assert isinstance(target, sqlite3.Connection)
        source.backup(target)
        ours.close()

    def run(self, nights: int = 12) -> None:
        for night in range(nights):
            for _ in range(self.chance.randrange(4)):
                self.edit()
            if self.restores:
                self.back_up_or_restore()
            for _ in range(1 + self.chance.randrange(2)):  # a failing school is tried again
                synchronise(self.engine, self.client, self.school)
            if night < nights * 2 // 3:  # what was lost in the last nights arrives after the good one
                self.road.deliver_late(self.chance.randrange(2))
        if self.restores:  # a token that a restored hub gives out again can let an old request in: they come before
            self.road.deliver_late(1_000)
        self.good_night()
        self.road.deliver_late(1_000)

    def good_night(self) -> str:
        self.road.loses = 0
        before = len(self.hub.sent)
        result = synchronise(self.engine, self.client, self.school)
        assert not result.failed, result
        return "".join(self.hub.sent[before:])

    def is_right(self) -> bool:
        return self.hub.schools[CODE].roster == own_roster(self.engine, self.school)


POSTGRES = bool(os.environ.get("SCHAKEL_TEST_POSTGRES"))
HISTORIES = 30 if POSTGRES else 300  # each needs a database of its own
BLOCKS = 6  # so that several processes can share the work
QuickUrl = Callable[[str], str]


@pytest.mark.parametrize("restores", [False, True], ids=["bad road", "bad road and restored backups"])
@pytest.mark.parametrize("block", range(BLOCKS // 2))
def test_every_history_ends_right_after_one_good_night(block: int, restores: bool, quick_url: QuickUrl) -> None:
    if restores and POSTGRES:
        pytest.skip("the backups of these histories are SQLite's")
    for seed in range(block * HISTORIES // BLOCKS, (block + 1) * HISTORIES // BLOCKS):
        history = History(quick_url("eduscope_api"), seed, restores=restores)
        history.run()
        assert history.is_right(), seed
        assert history.good_night() == "", f"history {seed}: a second run sends nothing"
        history.edit()
        changed = history.good_night()
        assert changed in {"PATCH", ""}, f"history {seed}: the next change is a small difference"
        assert history.is_right(), seed
        history.close()


def test_a_hub_without_compare_and_swap_would_be_caught(quick_url: QuickUrl) -> None:
    def ends_right(seed: int) -> bool:
        history = History(quick_url("eduscope_api"), seed, guards=False, restores=False)
        history.run()
        right = history.is_right()
        history.close()
        return right

    assert not all(map(ends_right, range(HISTORIES)))


def test_a_history_on_a_migrated_database_ends_right_too(migrated_url: Callable[[str], str]) -> None:
    history = History(migrated_url("eduscope_api"), 7, restores=False)
    history.run()
    assert history.is_right()
    history.close()
