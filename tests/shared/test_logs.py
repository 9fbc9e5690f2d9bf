"""shared/logs.py: JSON lines that cannot hold a child's name."""

import io
import json
import logging
import sys
from typing import Any

import pytest
import structlog

from shared.logs import ALLOWED, log

SECRET = "Zeldzaam-Geheim"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_json_and_names_its_service(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("roster_received", school="99ZZ00", count=3)
    line = lines(capsys)[0]
    assert line.items() >= {"event": "roster_received", "school": "99ZZ00", "count": 3, "service": "tests"}.items()
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_a_key_that_is_not_named_never_reaches_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.warning("refused", name=SECRET, email=SECRET, token=SECRET, reason="unknown")
    line = lines(capsys)[0]
    assert SECRET not in json.dumps(line)
    assert line["reason"] == "unknown"
    assert line.keys() <= ALLOWED


def test_a_line_leaves_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or what else writes to the same output could stand between a line and its end."""

    class Pieces(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    pieces: list[str] = []
    monkeypatch.setattr(sys, "stdout", Pieces())
    log.info("roster_received", count=3)
    log.info("roster_received", count=4)
    assert [json.loads(piece)["count"] for piece in pieces] == [3, 4]
    assert all(piece.endswith("\n") for piece in pieces)
    structlog.PrintLogger().info("stock")  # twin: what printing does would be noticed
    assert pieces[2:] == ["stock", "\n"]


def fail_with_a_name() -> None:
    pupil = SECRET
    raise LookupError(f"no {pupil}")


@pytest.mark.parametrize("way", ["the error", "True"])
def test_a_traceback_has_places_and_types_and_no_values(capsys: pytest.CaptureFixture[str], way: str) -> None:
    try:
        fail_with_a_name()
    except LookupError as error:
        log.error("fault", exc_info=error if way == "the error" else True)
    line = lines(capsys)[0]
    assert line["error"] == "LookupError"
    assert "fail_with_a_name" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_the_stock_log_does_show_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    stock = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    try:
        fail_with_a_name()
    except LookupError:
        stock.error("fault", name=SECRET, exc_info=True)
    assert capsys.readouterr().out.count(SECRET) >= 2


def test_what_travels_with_the_request_stands_on_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    with structlog.contextvars.bound_contextvars(request="abcdef123456", pupil=SECRET):
        log.info("one")
    log.info("two")
    first, second = lines(capsys)
    assert first["request"] == "abcdef123456"
    assert "pupil" not in first
    assert "request" not in second


def test_other_libraries_are_heard_only_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("httpx").info("GET http://hub.example/?k=%s", SECRET)
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err
