"""What Schemathesis cannot know of the hub: which key each address takes, and numbers that exist. Its command loads it.

SCHAKEL_KNOWN holds them: `headers`, a list of [how the path begins, headers], and `values` per name of a parameter.
"""

import json
import os
import zlib
from typing import Any

import schemathesis

_KNOWN = json.loads(os.environ["SCHAKEL_KNOWN"])


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Half the time something that exists, the other half what was drawn."""
    if isinstance(path_parameters, dict):
        for name, value in path_parameters.items():
            if name in _KNOWN["values"] and zlib.crc32(repr(value).encode()) % 2:
                path_parameters[name] = _KNOWN["values"][name]
    return path_parameters


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """The key of the caller that this address is for."""
    for beginning, headers in _KNOWN["headers"]:
        if case.path.startswith(beginning) and (not headers.get("only") or case.path.endswith(tuple(headers["only"]))):
            case.headers = {**(case.headers or {}), **{name: each for name, each in headers.items() if name != "only"}}
            return
