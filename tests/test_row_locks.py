"""The services lock a school's row before they write what belongs to it; conftest.py watches that in every test.

Here every service writes a little, and the same watch notices when the locks are taken out.
"""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, Select, Table

from services.app_connector.tables import AppPupilRow, UserSchoolRow
from services.basispoort_hub.tables import AccountRow, EntryRow, PersonRow, SchoolRow
from services.eduscope_api.nightly import synchronise
from services.eduscope_api.tables import PupilCompositeRow
from shared.roster import Roster
from tests.app_connector.portal import a_portal
from tests.app_connector.test_syncs import a_school
from tests.basispoort_hub.a_hub import CODE as HUB_SCHOOL
from tests.basispoort_hub.a_hub import open_hub
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, add_school
from tests.factories import a_pupil, a_roster
from tests.row_locks import belongs_to_a_school, watch_locks

MakeEngine = Callable[[str], Engine]


@pytest.fixture(autouse=True)
def _no_lock_forgotten() -> None:
    """Instead of the watch of conftest.py: here locks are forgotten on purpose."""


def a_night(make_engine: MakeEngine) -> None:
    engine = make_engine("eduscope_api")
    assert not synchronise(engine, FakeHub(CODE).client(), add_school(engine)).failed


def a_push(make_engine: MakeEngine) -> None:
    hub = open_hub(make_engine("basispoort_hub"))
    hub.open_school()
    roster = a_roster(pupils=20, staff=2)
    assert hub.put(roster, token=None).status_code == 200
    assert hub.patch(roster, Roster.of([*roster.entries(), a_pupil("new", home_group="g1")])).status_code == 200
    switch = {"administratie": "EDUscope", "actief": False}
    assert hub.client.put(f"/api/v1/scholen/{HUB_SCHOOL}/koppeling", json=switch).status_code == 200


def a_plan(make_engine: MakeEngine) -> None:
    portal = a_portal(make_engine)
    a_school(portal)
    portal.synchronise_everything()


WRITES = {"eduscope_api": a_night, "basispoort_hub": a_push, "app_connector": a_plan}


@pytest.mark.parametrize("service", WRITES)
def test_the_services_lock_a_school_before_they_write(service: str, make_engine: MakeEngine) -> None:
    with watch_locks() as forgotten:
        WRITES[service](make_engine)
    assert forgotten == []


@pytest.mark.parametrize("service", WRITES)
def test_a_service_that_forgets_its_locks_is_noticed(
    service: str, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_a_lock(statement: Select[tuple[object]], **_: object) -> Select[tuple[object]]:
        return statement

    monkeypatch.setattr(Select, "with_for_update", without_a_lock)
    with watch_locks() as forgotten:
        WRITES[service](make_engine)
    assert forgotten


TRANSACTION = """
from sqlalchemy import select, update
from services.basispoort_hub.tables import AccountRow, PersonRow, SchoolRow
from shared.database import writing
def run(engine):
    with writing(engine) as db:
        {}
"""
LOCK = "db.execute(select(SchoolRow).with_for_update())"
ACCOUNT, PERSON = "db.execute(update(AccountRow).values(state='x'))", "db.execute(update(PersonRow).values(key=None))"


@pytest.mark.parametrize(
    ("steps", "file", "count"),
    [
        ((LOCK, PERSON, ACCOUNT), "services/planted.py", 0),
        ((ACCOUNT,), "services/planted.py", 0),
        ((PERSON,), "services/planted.py", 1),
        ((ACCOUNT, PERSON), "services/planted.py", 1),
        ((ACCOUNT, LOCK, PERSON), "services/planted.py", 1),
        (("db.execute(select(SchoolRow))", PERSON), "services/planted.py", 1),
        (("db.execute(select(AccountRow).with_for_update())", PERSON), "services/planted.py", 1),
        (("db.get(SchoolRow, 1, with_for_update=True)", PERSON), "services/planted.py", 0),
        (("db.execute(update(SchoolRow).values(name='x'))",), "services/planted.py", 1),
        ((PERSON,), __file__, 0),
    ],
)
def test_the_watch_knows_a_forgotten_and_a_late_lock(
    steps: tuple[str, ...], file: str, count: int, make_engine: MakeEngine
) -> None:
    planted: dict[str, Callable[[Engine], None]] = {}
    exec(compile(TRANSACTION.format("\n        ".join(steps)), file, "exec"), planted)
    with watch_locks() as forgotten:
        planted["run"](make_engine("basispoort_hub"))
    assert len(forgotten) == count


@pytest.mark.parametrize(
    ("row", "belongs"),
    [
        (SchoolRow, True),
        (PersonRow, True),
        (EntryRow, True),
        (AppPupilRow, True),
        (PupilCompositeRow, True),
        (AccountRow, False),
        (UserSchoolRow, False),
    ],
)
def test_what_belongs_to_a_school(row: type, belongs: bool) -> None:
    table = row.__table__  # type: ignore[attr-defined]  # every row has one
    assert isinstance(table, Table)
    assert belongs_to_a_school(table) is belongs
