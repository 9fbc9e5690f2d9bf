"""The tables and their migrations."""

from sqlalchemy import Engine, insert

from services.eduscope_api.tables import Base, SchoolRow
from shared import migrate
from shared.database import writing


def test_the_migrations_make_exactly_the_tables(engine: Engine) -> None:
    assert migrate.is_current(engine, "eduscope_api")
    assert migrate.drift(engine, Base.metadata) == []


def test_a_table_that_differs_would_be_seen(engine: Engine) -> None:
    with writing(engine) as db:
        db.execute(insert(SchoolRow), [{"code": "99ZZ00", "name": "De Regenboog", "basispoort_on": False}])
        db.connection().exec_driver_sql("ALTER TABLE schools ADD COLUMN left_over INTEGER")
    assert migrate.drift(engine, Base.metadata) != []
