"""JSON log lines with a request id that travels along the chain; no names, addresses or tokens in them."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Only these keys ever reach a log line: what is not named here cannot leak a child's name by accident.
ALLOWED = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "service",
        "request",
        "method",
        "route",
        "status",
        "ms",
        "topic",
        "message",
        "reason",
        "school",
        "night",
        "fence",
        "run",
        "attempt",
        "answer",
        "job",
        "count",
        "version",
        "problem",
        "error",
        "exception",
        "port",
        "instance",
        "kind",
        "publisher",
        "unknown",
        "without_consent",
    ]
)


def _only_allowed(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in entry.items() if key in ALLOWED}


def _without_values(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A traceback with file, line and function, and the type of the error: its text could hold personal data."""
    info = entry.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        steps, trace = [], error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            steps.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
            trace = trace.tb_next
        entry["error"] = type(error).__name__
        entry["exception"] = " > ".join(steps[-12:])
    return entry


def configure(service: str, level: str = "INFO") -> None:
    """One JSON line per event on standard output, every line naming its service."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s", force=True)

    def name_service(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"service": service, **entry}

    structlog.configure(
        processors=[
            name_service,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            _only_allowed,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(),  # a line and its end in one write
    )


log: Any = structlog.get_logger()
