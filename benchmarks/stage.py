"""Where the measuring happens: real processes on free ports, SQLite or PostgreSQL in a folder of its own."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, func, insert, select, text

from services.demo.processes import Processes
from shared import migrate
from shared.database import open_engine
from shared.service_auth import new_key

SECRETS = {name: new_key() for name in ("administration", "publisher", "operator")}
MODULE = "services.command_line"


class NoPostgres(Exception):
    """PostgreSQL cannot be measured here; the text says why."""


@dataclass
class Databases:
    """Makes empty databases: files in `folder`, or databases on `server`."""

    folder: Path
    server: str | None = None  # postgresql://user@host:port, without a database
    _opened: list[Engine] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "SQLite" if self.server is None else "PostgreSQL"

    def new(self, service: str) -> tuple[str, Engine]:
        """A fresh database of `service` with its tables: address and engine."""
        name = f"{service}_{secrets.token_hex(4)}"
        if self.server is None:
            url = f"sqlite:///{self.folder / name}.db"
        else:
            _on_server(self.server, f'CREATE DATABASE "{name}"')
            url = f"{self.server}/{name}"
        engine = open_engine(url)
        self._opened.append(engine)
        migrate.upgrade(engine, service)
        return url, engine

    def close(self) -> None:
        for engine in self._opened:
            engine.dispose()


def copy_rows(source: Engine, target: Engine, metadata: MetaData) -> None:
    """Give one database the rows of another."""
    with source.execution_options(writes=False).connect() as reading, target.begin() as writing:
        for table in metadata.sorted_tables:
            if rows := [dict(row) for row in reading.execute(select(table)).mappings()]:
                writing.execute(insert(table), rows)
                _continue_numbering(writing, table)


def _continue_numbering(connection: Connection, table: Table) -> None:
    """PostgreSQL numbers on from its own counter, which rows that come with a number do not move."""
    column = table.autoincrement_column
    if connection.dialect.name == "postgresql" and column is not None:
        highest = select(func.max(column)).scalar_subquery()
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, column.name), highest)))


def analyse(engine: Engine) -> None:
    """Let the database count its rows, as it does by itself in a database that has been used for a while."""
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")


def _on_server(server: str, statement: str) -> None:
    address = server.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(service: str, url: str, port: int, **more: str) -> dict[str, str]:
    """The settings of one service, as an operator would give them."""
    prefix = {"eduscope_api": "EDUSCOPE_", "basispoort_hub": "HUB_", "app_connector": "CONNECTOR_"}[service]
    own = {
        "eduscope_api": {"HUB_URL": "http://127.0.0.1:9", "HUB_KEY": SECRETS["administration"]},
        "basispoort_hub": {"LINK_KEYS": "a-link-key-for-measuring-0123456789"},
        "app_connector": {
            "HUB_URL": "http://127.0.0.1:9",
            "HUB_KEY": SECRETS["publisher"],
            "HELPDESK_MAIL": "helpdesk@schakel.example",
        },
    }[service]
    common = {
        "DATABASE_URL": url,
        "BASE_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        "MAIL_FROM": f"{service} <post@schakel.example>",
        "OPERATOR_KEY": SECRETS["operator"],
        "SMTP_PORT": "9",
    }
    return {prefix + name: value for name, value in {**common, **own, **more}.items()}


def start_service(processes: Processes, service: str, url: str, name: str | None = None) -> int:
    """Start `schakel serve` and wait until it is ready; returns the port."""
    port, name = free_port(), name or service
    processes.start(name, MODULE, "serve", service, env=environment(service, url, port))
    processes.wait_until_ready(name, f"http://127.0.0.1:{port}/readyz")
    return port


@contextmanager
def a_folder() -> Iterator[Path]:
    """A folder on a real disk, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="schakel-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own with its own settings, fsync and synchronous_commit on. Raises NoPostgres."""
    programs = _postgres_programs()
    data, port = folder / "postgres", free_port()
    data.mkdir()
    user: dict[str, str] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        try:
            shutil.chown(data, "postgres")
        except LookupError:
            raise NoPostgres("there is no user postgres, and root may not run it") from None
        user = {"user": "postgres"}

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=data, capture_output=True, text=True, check=False, **user)  # type: ignore[call-overload]  # user only where it is needed
        if done.returncode != 0:
            raise NoPostgres(f"{Path(command[0]).name} failed: {done.stderr.strip()[-200:]}")

    run(str(programs / "initdb"), "-D", str(data / "d"), "-U", "schakel", "-A", "trust", "-E", "UTF8", "--locale=C")
    options = f"-p {port} -h 127.0.0.1 -k {data} -c fsync=on -c synchronous_commit=on"
    control = str(programs / "pg_ctl")
    run(control, "-D", str(data / "d"), "-l", str(data / "log"), "-o", options, "-w", "start")
    try:
        yield f"postgresql://schakel@127.0.0.1:{port}"
    finally:
        run(control, "-D", str(data / "d"), "-m", "fast", "-w", "stop")


def _postgres_programs() -> Path:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    if not versions:
        raise NoPostgres("PostgreSQL is not installed here")
    return versions[-1].parent
