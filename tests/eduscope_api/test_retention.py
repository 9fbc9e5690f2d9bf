"""People who left are kept 30 days; then only a tombstone is left."""

from datetime import timedelta

from sqlalchemy import Engine, func, select, text

from services.eduscope_api.nightly import run_now
from services.eduscope_api.retention import remove_expired
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.tables import ContactRow, PupilRow, RunRow, StaffRoleRow, StaffRow, TeachingRow
from shared.clock import local_date, now
from shared.database import reading, writing
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import add_pupil, add_school


def test_who_left_is_erased_after_thirty_days_and_not_before(engine: Engine) -> None:
    school = add_school(engine)
    today = local_date(now())
    with writing(engine) as db:
        add_pupil(db, school.id, "MARKER-KEY", first_name="MARKER", left_on=today - timedelta(days=29))
        db.scalars(select(StaffRow)).one().ends_on = today - timedelta(days=29)
    assert remove_expired(engine, now()) == 0
    assert remove_expired(engine, now() + timedelta(days=2)) == 2
    assert remove_expired(engine, now() + timedelta(days=2)) == 0
    with reading(engine) as db:
        picture = read_picture(db, school.id)
        assert [record.pupil.key for record in picture.pupils] == ["p1", "p2", "p3"]
        assert picture.staff == ()
        assert db.scalar(select(func.count()).select_from(StaffRoleRow)) == 0
        assert db.scalar(select(func.count()).select_from(TeachingRow)) == 0
        assert db.scalar(select(ContactRow.value)) is None
        rows = db.execute(text("SELECT * FROM pupils")).all()
        assert "MARKER" not in repr(rows)
        buried = db.scalars(select(PupilRow.key).where(PupilRow.erased_at.is_not(None))).one()
        assert buried.startswith("erased:")


def test_a_key_of_an_erased_pupil_can_be_used_again(engine: Engine) -> None:
    school = add_school(engine)
    today = local_date(now())
    with writing(engine) as db:
        add_pupil(db, school.id, "terug", left_on=today - timedelta(days=40))
    remove_expired(engine, now())
    with writing(engine) as db:
        add_pupil(db, school.id, "terug")
    with reading(engine) as db:
        assert [record.pupil.key for record in read_picture(db, school.id).pupils][-1] == "terug"


def test_runs_are_kept_thirteen_months(engine: Engine, hub: FakeHub) -> None:
    add_school(engine)
    run_now(engine, hub.client())
    for days, left in ((390, 1), (400, 0)):
        remove_expired(engine, now() + timedelta(days=days))
        with reading(engine) as db:
            assert db.scalar(select(func.count()).select_from(RunRow)) == left
