"""What every test gets: no network but loopback, a fresh migrated database on request, and hypothesis's two sizes."""

import ipaddress
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url

from shared import logs, migrate
from shared.database import open_engine
from tests.row_locks import watch_locks

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


@pytest.fixture(autouse=True)
def _own_log() -> None:
    """A command or a bench that a test ran may have set up the log for itself."""
    logs.configure("tests")


@pytest.fixture(autouse=True)
def _no_lock_forgotten() -> Iterator[None]:
    """In every test: the services lock a school's row before they write what belongs to it."""
    with watch_locks() as forgotten:
        yield
    assert forgotten == []


@pytest.fixture(scope="session")
def server() -> Iterator[Connection | None]:
    """The PostgreSQL server where databases may be made and dropped; None when the tests run on SQLite."""
    if not POSTGRES:
        yield None
        return
    engine = create_engine(make_url(POSTGRES).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def new_database(server: Connection | None, tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """Gives `new_database(name, template)`: the address of a copy of the template, for this test only."""
    made: list[str] = []

    def new(name: str, template: str) -> str:
        made.append(database := f"test_{name}_{uuid.uuid4().hex}")
        if server is not None:
            return _create(server, database, template)
        file = tmp_path / f"{database}.db"
        if template:
            shutil.copyfile(make_url(template).database or "", file)
        return f"sqlite:///{file}"

    yield new
    if server is not None:
        for database in made:
            _drop(server, database)


@pytest.fixture
def database_url(new_database: Callable[[str, str], str]) -> Callable[[str], str]:
    """Gives `database_url(name)`: an empty database of that name, for this test only.

    SQLite in a file; PostgreSQL when SCHAKEL_TEST_POSTGRES holds the address of a server where databases may be made.
    """
    return lambda name: new_database(name, "")


@pytest.fixture(scope="session")
def migrated_once(
    server: Connection | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Gives `migrated_once(service)`: a database with that service's migrations, made once, to be copied."""
    made: dict[str, str] = {}

    def template(service: str) -> str:
        if service not in made:
            if server is not None:
                made[service] = _create(server, f"template_{service}_{uuid.uuid4().hex}", "")
            else:
                made[service] = f"sqlite:///{tmp_path_factory.mktemp('migrated') / service}.db"
            engine = open_engine(made[service])
            migrate.upgrade(engine, service)
            engine.dispose()  # PostgreSQL copies only what nobody is connected to; SQLite folds its log into the file
        return made[service]

    yield template
    if server is not None:
        for url in made.values():
            _drop(server, make_url(url).database or "")


@pytest.fixture
def migrated_url(migrated_once: Callable[[str], str], new_database: Callable[[str, str], str]) -> Callable[[str], str]:
    """Gives `migrated_url(service)`: a database with that service's migrations applied, for this test only."""
    return lambda service: new_database(service, migrated_once(service))


@pytest.fixture
def quick_url(migrated_url: Callable[[str], str]) -> Callable[[str], str]:
    """Gives `quick_url(service)`: for who makes hundreds; SQLite in memory and still empty, or as migrated_url."""
    return migrated_url if POSTGRES else lambda _service: "sqlite://"


@pytest.fixture
def make_engine(migrated_url: Callable[[str], str]) -> Iterator[Callable[[str], Engine]]:
    """Gives `make_engine(service)`: an engine on a fresh database with that service's migrations applied."""
    opened: list[Engine] = []

    def make(service: str) -> Engine:
        opened.append(engine := open_engine(migrated_url(service)))
        return engine

    yield make
    for engine in opened:
        engine.dispose()


def _create(server: Connection, database: str, template: str) -> str:
    source = make_url(template).database if template else "template1"
    server.execute(text(f'CREATE DATABASE "{database}" TEMPLATE "{source}"'))
    return make_url(POSTGRES).set(database=database).render_as_string(hide_password=False)


def _drop(server: Connection, database: str) -> None:
    server.execute(text(f'DROP DATABASE "{database}" WITH (FORCE)'))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say the figures that tests recorded (`record_property("figures", ...)`), under xdist too."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "figures":
                terminalreporter.write_line(str(value))
