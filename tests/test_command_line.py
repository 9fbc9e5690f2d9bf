"""The `schakel` command: what goes wrong is said in one sentence, with status 1, and without a traceback."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from services import command_line
from services.eduscope_api.tables import PupilRow, SchoolRow
from shared.database import open_engine, reading, writing
from tests.eduscope_api.rows import CODE, add_group, add_member, add_school

SECRET = "schakel_geheim_van_minstens_32_tekens"


@pytest.fixture
def eduscope(make_engine: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch, unused_port: int) -> Engine:
    """The environment of an EDUscope whose hub cannot be reached."""
    engine = make_engine("eduscope_api")
    values = {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "BASE_URL": "http://127.0.0.1:1",
        "PORT": str(unused_port),
        "HUB_URL": "http://127.0.0.1:1",
        "HUB_KEY": SECRET,
        "OPERATOR_KEY": SECRET,
        "MAIL_FROM": "eduscope@eduscope.example",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"EDUSCOPE_{name}", value)
    return engine


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def schakel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs the command; gives status and everything it printed."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["schakel", *words])
        status = 0
        try:
            command_line.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


Schakel = Callable[..., tuple[int, str]]


@pytest.mark.parametrize("command", ["serve", "clock", "migrate"])
def test_a_missing_setting_is_named_and_nothing_else_is_said(schakel: Schakel, command: str) -> None:
    status, said = schakel(command, "basispoort_hub")
    assert status == 1
    assert "HUB_DATABASE_URL is niet ingesteld" in said
    assert "Traceback" not in said


def test_a_setting_that_makes_no_sense_is_named_without_its_value(
    schakel: Schakel, eduscope: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDUSCOPE_PORT", "geheim")
    status, said = schakel("migrate", "eduscope_api")
    assert status == 1
    assert "EDUSCOPE_PORT heeft een waarde die niet kan" in said
    assert "geheim" not in said


def test_a_port_in_use_is_said_in_one_sentence(schakel: Schakel, eduscope: Engine, unused_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_port))
        taken.listen()
        status, said = schakel("serve", "eduscope_api")
    assert status == 1
    assert f"Poort {unused_port} op 127.0.0.1 is niet te gebruiken" in said


def test_a_database_that_is_behind_is_not_served(
    schakel: Schakel, eduscope: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDUSCOPE_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    status, said = schakel("serve", "eduscope_api")
    assert status == 1
    assert "schakel migrate eduscope_api" in said


def test_a_database_that_cannot_be_opened_is_said(
    schakel: Schakel, eduscope: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDUSCOPE_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    status, said = schakel("migrate", "eduscope_api")
    assert status == 1
    assert "De database is niet te gebruiken" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("words", [("night", "--school", "99Q"), ("export-edexml", "school")])
def test_what_is_no_school_code_is_said(schakel: Schakel, eduscope: Engine, words: tuple[str, ...]) -> None:
    status, said = schakel(*words)
    assert status == 1
    assert "is geen schoolcode" in said


@pytest.mark.parametrize("words", [("night", "--school", "99QQ00"), ("export-edexml", "99QQ")])
def test_a_school_that_does_not_exist_is_said(schakel: Schakel, eduscope: Engine, words: tuple[str, ...]) -> None:
    status, said = schakel(*words)
    assert status == 1
    assert "bestaan niet" in said


def test_a_broken_file_names_its_line_and_changes_nothing(schakel: Schakel, eduscope: Engine, tmp_path: Path) -> None:
    broken = tmp_path / "school.xml"
    broken.write_text("<EDEX>\n<school>\n<schooljaar>2026-2028</schooljaar></school></EDEX>")
    status, said = schakel("import-edexml", str(broken))
    assert status == 1
    assert "Regel 2: <schooljaar>" in said
    with reading(eduscope) as db:
        assert db.scalar(select(func.count()).select_from(SchoolRow)) == 0


def test_a_file_that_is_not_there_is_said(schakel: Schakel, eduscope: Engine, tmp_path: Path) -> None:
    status, said = schakel("import-edexml", str(tmp_path / "absent.xml"))
    assert status == 1
    assert "is niet te lezen" in said


def test_a_seeded_school_goes_out_and_in_again_unchanged(schakel: Schakel, eduscope: Engine, tmp_path: Path) -> None:
    status, said = schakel("seed")
    assert status == 0
    code = said.split(":")[0].strip()
    file = tmp_path / "school.xml"
    assert schakel("export-edexml", code, "--to", str(file))[0] == 0
    status, said = schakel("import-edexml", str(file))
    assert status == 0
    assert '"nieuw": 0' in said
    with reading(open_engine(eduscope.url.render_as_string(hide_password=False))) as db:
        assert db.scalar(select(func.count()).select_from(PupilRow)) == 400


def test_a_night_whose_hub_is_away_says_so_and_fails(schakel: Schakel, eduscope: Engine) -> None:
    schakel("seed")
    status, said = schakel("night", "--school", "99AB10", "--dry-run")
    assert status == 1
    assert "99AB10" in said
    assert "Traceback" not in said
    assert SECRET not in said


def test_a_night_without_connected_schools_is_no_failure(schakel: Schakel, eduscope: Engine) -> None:
    status, said = schakel("night")
    assert status == 0
    assert "Geen enkele school" in said


def test_check_prints_what_is_not_in_order_and_says_it_with_its_status(eduscope: Engine, schakel: Schakel) -> None:
    school = add_school(eduscope)
    assert schakel("check", CODE.lower()) == (0, f"{CODE}: fouten 0, waarschuwingen 0\n")
    with writing(eduscope) as db:
        add_group(db, school.id, "g8")
    status, printed = schakel("check", CODE)
    assert (status, "waarschuwing: Groep 8 heeft geen leerkracht" in printed) == (1, True)
    with writing(eduscope) as db:
        add_member(db, school.id, "m2", email="m1@regenboog.example")
    status, printed = schakel("check", CODE)
    assert (status, "fout: Hetzelfde e-mailadres" in printed) == (2, True)
    assert printed.endswith(f"{CODE}: fouten 2, waarschuwingen 2\n")


def test_check_of_a_school_that_is_not_there_is_one_sentence(eduscope: Engine, schakel: Schakel) -> None:
    assert schakel("check", "99XX00") == (3, "School 99XX00 staat niet in EDUscope.\n")
    assert schakel("check", "geen code")[0] == 1
