"""Runs Alembic for one service: each service has its own database and its own history."""

from typing import Any

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData

SERVICES = ("eduscope_api", "basispoort_hub", "app_connector")


def _config(service: str, **attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", f"services.{service}:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


def upgrade(engine: Engine, service: str, revision: str = "head") -> None:
    """Bring the database of `service` to the newest revision, all or nothing.

    SQLite changes most tables by making them anew, and dropping the old one would drop what points to it: foreign keys
    are off meanwhile, and checked as a whole before the commit. Raises RuntimeError when one does not hold.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        if is_sqlite and driver is not None:
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                command.upgrade(_config(service, connection=connection), revision)
                if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise RuntimeError(f"the revisions of {service} would leave rows that point nowhere")
        finally:
            if is_sqlite and driver is not None:
                driver.execute("PRAGMA foreign_keys=ON")


def run_env(metadata: MetaData) -> None:
    """What each service's migrations/env.py does: run the revisions on the connection that `upgrade` opened."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def is_current(engine: Engine, service: str) -> bool:
    """Has the database the newest revision?"""
    with engine.execution_options(writes=False).connect() as connection:
        found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory.from_config(_config(service)).get_heads())


def drift(engine: Engine, metadata: MetaData) -> list[Any]:
    """What Alembic would change to make the database like the tables; empty when they agree."""
    with engine.execution_options(writes=False).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def revise(engine: Engine, service: str, metadata: MetaData, message: str) -> None:
    """Write a new revision from the difference between database and tables (for developers)."""
    with engine.begin() as connection:
        command.revision(_config(service, connection=connection, metadata=metadata), message, autogenerate=True)
