"""Runs a command with a throw-away PostgreSQL: `python tests/postgres_server.py -- make test`.

The server lives in a temporary folder on a free loopback port, needs a password made for this run, and is gone with
the command. The command finds its address in SCHAKEL_TEST_POSTGRES. As root it runs as Debian's user postgres.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "SCHAKEL_TEST_POSTGRES"
SERVER_USER = "postgres"
DEBIAN = Path("/usr/lib/postgresql")
SECONDS_TO_START = 60
# A crash of the test server may lose everything, so nothing waits for a disk. Never a setting for real data.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "jit": "off"}
SETTINGS = FAST | {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "300"}


class NoServer(Exception):
    """PostgreSQL is not there, cannot be installed, or does not start."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """A running server; gives the URL of a role that may make databases."""
    programs = find_programs() or install()
    folder = Path(tempfile.mkdtemp(prefix="schakel-postgres-"))
    try:
        password = secrets.token_hex(16)
        make_cluster(programs, folder, password)
        port = free_port()
        with running(programs, folder, port):
            yield f"postgresql://{SERVER_USER}:{password}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`: the newest of Debian's, or where the PATH has them."""
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def install() -> Path:
    """Debian's package, without the cluster it would make and start by itself."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoServer("install PostgreSQL 15 or newer first (Debian: postgresql)")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install_package = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
    subprocess.run([*install_package, "postgresql-common"], check=True, env=quiet, stdout=sys.stderr)
    with Path("/etc/postgresql-common/createcluster.conf").open("a") as configuration:
        configuration.write("\ncreate_main_cluster = false\n")
    subprocess.run([*install_package, "postgresql"], check=True, env=quiet, stdout=sys.stderr)
    programs = find_programs()
    if programs is None:
        raise NoServer("the package is installed, but its programs are not found")
    return programs


def make_cluster(programs: Path, folder: Path, password: str) -> None:
    """A new cluster that sorts as Dutch people do, so that no test leans on the order of bytes."""
    secret = folder / "password"
    secret.write_text(password)
    if os.geteuid() == 0:
        for path in (folder, secret):
            shutil.chown(path, SERVER_USER, SERVER_USER)
    collation = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=nl"]
    access = [f"--username={SERVER_USER}", "--auth=scram-sha-256", f"--pwfile={secret}"]
    command: list[str | Path] = [programs / "initdb", "--pgdata", folder / "data", "--no-sync", *access, *collation]
    made = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, user=server_user())
    if made.returncode:
        raise NoServer(made.stderr)
    secret.unlink()


@contextmanager
def running(programs: Path, folder: Path, port: int) -> Iterator[None]:
    """The server as a child, out of reach of the terminal's Ctrl-C so that the command ends before it does."""
    options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(port), *options]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, user=server_user(), start_new_session=True
        )
    try:
        wait_until_ready(programs, server, port, folder / "log")
        yield
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's "fast": it ends the sessions that are left
        server.wait(SECONDS_TO_START)


def wait_until_ready(programs: Path, server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    ready: list[str | Path] = [programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={port}"]
    until = time.monotonic() + SECONDS_TO_START
    while subprocess.run(ready, check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            raise NoServer(log.read_text())
        time.sleep(0.05)


def server_user() -> str | None:
    """PostgreSQL refuses to run as root; anybody else runs it as themselves."""
    return SERVER_USER if os.geteuid() == 0 else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main(words: list[str]) -> int:
    if words[:1] != ["--"] or len(words) < 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server goes when we are told to
    try:
        with postgres_server() as url:
            return subprocess.run(words[1:], check=False, env={**os.environ, VARIABLE: url}).returncode
    except NoServer as error:
        sys.stderr.write(f"no PostgreSQL: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
