"""What every test gets: no network but loopback, a fresh migrated database on request, and hypothesis's two sizes."""

import ipaddress
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from shared import logs, migrate
from shared.database import open_engine

settings.register_profile(
    "small", max_examples=50, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "large", max_examples=2_000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("large" if os.environ.get("SCHAKEL_LONG") else "small")

logs.configure("tests")

POSTGRES = os.environ.get("SCHAKEL_TEST_POSTGRES", "")
_connect = socket.socket.connect


class NetworkRefused(Exception):
    """A test tried to leave this machine."""


def _connect_here_only(self: socket.socket, address: Any) -> None:
    if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(str(address[0])):
        raise NetworkRefused
    _connect(self, address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _connect_here_only)


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Gives `database_url(name)`: an empty database of that name, for this test only.

    SQLite in a file; PostgreSQL when SCHAKEL_TEST_POSTGRES holds the address of a server where databases may be made.
    """
    made: list[str] = []

    def url(name: str) -> str:
        if not POSTGRES:
            return f"sqlite:///{tmp_path / name}.db"
        database = f"test_{name}_{uuid.uuid4().hex}"
        _on_server(f'CREATE DATABASE "{database}"')
        made.append(database)
        return make_url(POSTGRES).set(database=database).render_as_string(hide_password=False)

    yield url
    for database in made:
        _on_server(f'DROP DATABASE "{database}" WITH (FORCE)')


def _on_server(statement: str) -> None:
    engine = create_engine(make_url(POSTGRES).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def make_engine(database_url: Callable[[str], str]) -> Iterator[Callable[[str], Engine]]:
    """Gives `make_engine(service)`: an engine on a fresh database with that service's migrations applied."""
    opened: list[Engine] = []

    def make(service: str) -> Engine:
        engine = open_engine(database_url(service))
        opened.append(engine)
        migrate.upgrade(engine, service)
        return engine

    yield make
    for engine in opened:
        engine.dispose()
