"""What Schemathesis cannot know of the hub: requests that are carried out, and which problem each call may answer with.

SCHAKEL_KNOWN holds, per `METHOD path`, a good request: values of its path, and the rest of it. Only cases that fit the
description are changed, and none of the stateful phase, which goes by what answers said.
"""

import json
import os
import zlib
from typing import Any

import schemathesis

PUT_BACK = "X-Put-Back"  # asks the served hub to forget what this request did
_KNOWN: dict[str, Any] = json.loads(os.environ["SCHAKEL_KNOWN"])
_OF_FORM = {"invalid-request", "bad-body", "too-large"}
_asked: set[str] = set()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """The first that fits is the good request itself; of the others most go to somewhere that exists."""
    if case.meta is None or case.meta.phase.name == "stateful":
        return
    case.headers = {**(case.headers or {}), PUT_BACK: "1"}
    known = _KNOWN.get(f"{case.operation.method.upper()} {case.operation.path}")
    if known is None or not case.meta.generation.mode.is_positive:
        return
    if case.operation.label not in _asked and case.meta.phase.name != "examples":
        _asked.add(case.operation.label)
        case.path_parameters = dict(known["values"])
        case.query = dict(known["query"])
        case.headers = {**case.headers, **known["headers"]}
        if known["body"] is not None:
            case.body = known["body"]
        if known["cookie"]:  # of somebody else than who stands for the rest
            case.cookies = dict([known["cookie"].split("=", 1)])
    elif known["values"] and zlib.crc32(repr(case.path_parameters).encode()) % 4:
        case.path_parameters = dict(known["values"])


@schemathesis.check
def problem_is_told(ctx: Any, response: Any, case: Any) -> None:
    """A refusal is one of the kinds that the description names for this call; and never of form, for what fits it."""
    if response.status_code < 400 or response.status_code == 405:
        return
    slug = response.json()["type"].removeprefix("/problems/")
    fits = case.meta is not None and case.meta.generation.mode.is_positive
    assert not (fits and slug in _OF_FORM), f"what fits the description is refused as {slug}: {case.operation.label}"
    told = case.operation.definition.raw["responses"].get(str(response.status_code), {}).get("content", {})
    kinds = told.get("application/problem+json", {}).get("examples", {})
    assert slug in kinds, f"{slug} is not among the {response.status_code} of {case.operation.label}"
