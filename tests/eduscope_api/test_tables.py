"""The tables and their migrations."""

from pathlib import Path

from sqlalchemy import Engine, insert, text

from services.eduscope_api.contacts import read_addresses
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.tables import Base, SchoolRow
from shared import migrate
from shared.database import open_engine, reading, writing
from shared.roster import Role


def test_the_migrations_make_exactly_the_tables(engine: Engine) -> None:
    assert migrate.is_current(engine, "eduscope_api")
    assert migrate.drift(engine, Base.metadata) == []


def test_a_table_that_differs_would_be_seen(engine: Engine) -> None:
    with writing(engine) as db:
        db.execute(insert(SchoolRow), [{"code": "99ZZ00", "name": "De Regenboog", "basispoort_on": False}])
        db.connection().exec_driver_sql("ALTER TABLE schools ADD COLUMN left_over INTEGER")
    assert migrate.drift(engine, Base.metadata) != []


def test_the_second_revision_keeps_what_the_first_one_held(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/old.db")
    migrate.upgrade(engine, "eduscope_api", "0001")
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO schools (id, code, name, basispoort_on) VALUES (1, '99ZZ00', 'De Regenboog', true)",
            "INSERT INTO staff (id, school_id, key, last_name, email) "
            "VALUES (7, 1, 'm1', 'Hagen', 'm1@school.example')",
            "INSERT INTO staff (id, school_id, key, last_name) VALUES (8, 1, 'm2', 'Bijl')",
            "INSERT INTO staff_roles (staff_id, role) VALUES (7, 'Leerkracht')",
        ):
            connection.execute(text(statement))
    migrate.upgrade(engine, "eduscope_api")
    with reading(engine) as db:
        assert read_addresses(db, 1) == {7: "m1@school.example"}
        members = [record.member for record in read_picture(db, 1).staff]
    assert [(each.key, each.email, each.roles) for each in members] == [
        ("m1", "m1@school.example", frozenset({Role.TEACHER})),
        ("m2", None, frozenset()),
    ]
    assert migrate.drift(engine, Base.metadata) == []
