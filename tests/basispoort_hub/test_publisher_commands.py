"""`schakel publisher ...`: what a publisher calls with is made, shown once, rotated and revoked; no key is kept."""

import os
import re
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, text

from services import command_line
from services.basispoort_hub.main import create_app
from shared.service_auth import hash_key
from shared.tls import server_context
from tests.basispoort_hub.a_hub import OPERATOR_KEY, settings_for
from tests.basispoort_hub.real_tls import LIST, serve

Schakel = Callable[..., tuple[int, str]]


@pytest.fixture
def engine(make_engine: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The environment of a hub."""
    engine = make_engine("basispoort_hub")
    values = {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "BASE_URL": "http://127.0.0.1:1",
        "OPERATOR_KEY": OPERATOR_KEY,
        "LINK_KEYS": "k" * 40,
        "MAIL_FROM": "hub@hub.example",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"HUB_{name}", value)
    return engine


@pytest.fixture
def schakel(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Schakel:
    """Runs `schakel publisher ...` in an empty folder; gives status and everything it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["schakel", "publisher", *words])
        status = 0
        try:
            command_line.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    assert match is not None, said
    return match[1]


def test_a_publisher_is_made_with_everything_it_calls_with(schakel: Schakel, engine: Engine, tmp_path: Path) -> None:
    status, said = schakel("add", "letters", "--name", "Letters en Co")
    assert status == 0
    file, key = Path(found(r"sleutel: (\S+\.pem)", said)), found(r"getoond: (\S+)", said)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(Path("var/tls/ca.key").stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in file.read_bytes()
    assert b"BEGIN CERTIFICATE" in file.read_bytes()
    assert schakel("server", "127.0.0.1")[0] == 0
    (server,) = Path("var/tls").glob("server-*.pem")
    ca = Path("var/tls/ca.pem")
    app = create_app(settings_for(engine.url.render_as_string(hide_password=False)))
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(file)
    with serve(app, server_context(server, server, ca)) as url:
        with httpx.Client(base_url=url, verify=context) as client:
            assert client.get(LIST).status_code == 200
        plain = ssl.create_default_context(cafile=str(ca))
        with httpx.Client(base_url=url, verify=plain, headers={"Authorization": f"Bearer {key}"}) as client:
            assert client.get(LIST).status_code == 200
            status, said = schakel("revoke", "letters", "--all")
            assert (status, "letters: 2 ingetrokken." in said) == (0, True)
            assert client.get(LIST).status_code == 401
    app.state.engine.dispose()


def test_no_private_key_and_no_bearer_key_is_in_the_database(schakel: Schakel, engine: Engine) -> None:
    _, said = schakel("add", "letters", "--name", "Letters")
    key, fingerprint = found(r"getoond: (\S+)", said), found(r"Vingerafdruk: (\S+)", said)
    with engine.connect() as connection:
        rows = [
            str(row)
            for table in ("publishers", "publisher_keys", "publisher_certificates")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    held = " ".join(rows)
    assert fingerprint in held  # twin: what is kept is seen
    assert key not in held
    assert "PRIVATE" not in held


def test_rotation_keeps_two_and_refuses_a_third(schakel: Schakel) -> None:
    _, said = schakel("add", "letters", "--name", "Letters")
    first = found(r"Vingerafdruk: (\S+)", said)
    assert schakel("rotate", "letters")[0] == 0
    status, said = schakel("rotate", "letters")
    assert status == 1
    assert "twee geldige certificaten" in said
    assert len(list(Path("var/tls").glob("letters-*.pem"))) == 2  # nothing was made for nothing
    assert schakel("revoke", "letters", "--fingerprint", first[:12])[0] == 0
    assert schakel("rotate", "letters")[0] == 0
    _, said = schakel("list")
    assert first[:12] not in said
    assert "letters" in said


def test_a_key_that_leaked_is_ended_alone(schakel: Schakel, engine: Engine) -> None:
    _, said = schakel("add", "letters", "--name", "Letters")
    leaked = found(r"getoond: (\S+)", said)
    _, said = schakel("rotate", "letters")
    other, second = found(r"getoond: (\S+)", said), found(r"Vingerafdruk: (\S+)", said)
    _, said = schakel("list")
    shown = hash_key(leaked)[:12]
    assert shown in said
    assert leaked not in said
    assert schakel("revoke", "letters", "--fingerprint", shown) == (0, "letters: 1 ingetrokken.\n")
    with engine.connect() as connection:
        live = connection.execute(text("SELECT key_hash FROM publisher_keys WHERE revoked_at IS NULL")).scalars().all()
        assert live == [hash_key(other)]
    status, said = schakel("revoke", "letters", "--fingerprint", shown)
    assert (status, "geen geldig certificaat en geen geldige sleutel" in said) == (1, True)
    _, said = schakel("list")
    assert (shown in said, second[:12] in said) == (False, True)


def test_a_key_that_stops_counting_by_rotation_is_named(schakel: Schakel) -> None:
    _, said = schakel("add", "letters", "--name", "Letters")
    oldest, first = found(r"getoond: (\S+)", said), found(r"Vingerafdruk: (\S+)", said)
    _, said = schakel("rotate", "letters")
    assert "telt niet meer" not in said
    schakel("revoke", "letters", "--fingerprint", first[:12])
    _, said = schakel("rotate", "letters")
    assert f"De oudste sleutel ({hash_key(oldest)[:12]}, " in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "let/ters", "--name", "x"), "alleen letters, cijfers"),
        (("add", "letters", "--name", ""), "leeg of te lang"),
        (("add", "letters", "--name", "x", "--sentence", ""), "leeg of te lang"),
        (("rotate", "bestaat-niet"), "geen uitgever met deze code"),
        (("revoke", "bestaat-niet", "--all"), "geen uitgever met deze code"),
        (("revoke", "letters"), "of --all"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(schakel: Schakel, words: tuple[str, ...], sentence: str) -> None:
    status, said = schakel(*words)
    assert status == 1
    assert sentence in said
    assert "Traceback" not in said


def test_the_same_code_twice_and_a_broken_ca_are_said(schakel: Schakel) -> None:
    assert schakel("add", "letters", "--name", "Letters")[0] == 0
    status, said = schakel("add", "letters", "--name", "Letters")
    assert (status, "al een uitgever" in said) == (1, True)
    Path("var/tls/ca.key").chmod(0o600)
    Path("var/tls/ca.key").write_bytes(os.urandom(50))
    status, said = schakel("rotate", "letters")
    assert (status, "geen CA" in said) == (1, True)
