"""A file of 50 MB comes in within 300 MB of memory: the whole process, with the server's own part in it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from services.eduscope_api.tables import AdministratorRow, AdministratorSchoolRow, SchoolRow, SessionRow
from shared.clock import now
from shared.database import open_engine, writing
from shared.sessions import start_session
from tests.eduscope_api.rows import CODE

MOST_MB = 300
SCRIPT = '''
import asyncio, sys
from pathlib import Path

from pydantic import SecretStr

from services.eduscope_api.main import create_app
from services.eduscope_api.settings import Settings

url, cookie, path, kind, pupils = sys.argv[1:6]
SIZE = 50 * 1024 * 1024 - 4096
BORDER = b"grens"
app = create_app(Settings(
    database_url=url, base_url="http://testserver", hub_url="http://hub.example", hub_key=SecretStr("k"),
    operator_key=SecretStr("o" * 32), mail_from="eduscope@eduscope.example",
))

def parts():
    """A file of nearly 50 MB, in which blocks of a vendor fill up what the pupils leave."""
    number = int(pupils)
    if kind == "form":
        yield (b"--" + BORDER + b"\\r\\nContent-Disposition: form-data; name=\\"bestand\\"; filename=\\"a.xml\\"\\r\\n"
               b"Content-Type: text/xml\\r\\n\\r\\n")
    yield b"<EDEX><school><schooljaar>2026-2027</schooljaar></school><leerlingen>"
    fill = SIZE // number - 200
    for n in range(number):
        yield b"<leerling key='k%d'><achternaam>Jansen%d</achternaam><roepnaam>Bo%d</roepnaam>" % (n, n, n)
        yield b"<toevoegingen><blok><code>x</code><a>" + b"y" * fill + b"</a></blok></toevoegingen></leerling>"
    yield b"</leerlingen></EDEX>"
    if kind == "form":
        yield b"\\r\\n--" + BORDER + b"--\\r\\n"

def chunks():
    pending = b""
    for part in parts():
        pending += part
        while len(pending) >= 65536:
            yield pending[:65536], True
            pending = pending[65536:]
    yield pending, False

async def call():
    source, size, status = chunks(), 0, 0

    async def receive():
        nonlocal size
        chunk, more = next(source, (b"", False))
        size += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": more}

    async def send(message):
        nonlocal status
        status = message.get("status", status)

    content_type = b"multipart/form-data; boundary=" + BORDER if kind == "form" else b"application/xml"
    headers = [(b"host", b"testserver"), (b"content-type", content_type), (b"cookie", b"eduscope=" + cookie.encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("testserver", 80), "state": {},
    }
    await app(scope, receive, send)
    return status, size

status, size = asyncio.run(call())
# not ru_maxrss: that remembers the size of the process that this one was forked from
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(status, size // 1024 // 1024, int(peak.split()[1]) // 1024)
'''


def _somebody(db: Session) -> str:
    school = SchoolRow(code=CODE, name="De Regenboog")
    person = AdministratorRow(user_name="beheer@regenboog.example", password_hash="-", created_at=now())
    db.add_all([school, person])
    db.flush()
    db.add(AdministratorSchoolRow(administrator_id=person.id, school_id=school.id))
    return start_session(db, SessionRow, person.id, now())


@pytest.mark.parametrize(
    ("path", "kind", "pupils", "status"),
    [
        (f"/api/v1/scholen/{CODE}/edexml/voorbeelden", "xml", 5000, 201),
        (f"/api/v1/scholen/{CODE}/edexml", "xml", 5000, 200),
        (f"/scholen/{CODE}/inrichten/edexml-importeren", "form", 5000, 303),
    ],
    ids=["preview", "at once", "page"],
)
def test_fifty_megabytes_come_in_within_300(
    migrated_url: Callable[[str], str], path: str, kind: str, pupils: int, status: int
) -> None:
    url = migrated_url("eduscope_api")
    engine = open_engine(url)
    with writing(engine) as db:
        cookie = _somebody(db)
    engine.dispose()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, cookie, path, kind, str(pupils)],
        capture_output=True,
        check=False,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answered, size, used = map(int, done.stdout.splitlines()[-1].split())
    assert answered == status, done.stdout[-2000:]
    assert size >= 48
    assert used < MOST_MB, f"{used} MB"
