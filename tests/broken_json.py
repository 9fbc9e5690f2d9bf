"""Damages every place of a good JSON body in every way, and judges whether what comes of it is still a good one.

The judge reads strictly and knows the API description; it shares no code with what it judges.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MARK = "zq7merk"  # stands in every bad value; no answer may repeat it

# --- is this JSON still a good body? ----------------------------------------------------------------------------------


class _NotJson(Exception):
    """What strict_json must refuse."""


def _refuse(*_: Any) -> Any:
    raise _NotJson


def _finite(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _refuse()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else _refuse()


def read_strictly(body: bytes) -> Any:
    """The value of a JSON body. Raises _NotJson."""
    try:
        return json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _NotJson from None


def is_json_text(body: bytes) -> bool:
    try:
        read_strictly(body)
    except _NotJson:
        return False
    return True


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


@dataclass(frozen=True, slots=True)
class Description:
    """The part of JSON Schema that the API descriptions use; what it does not know is an error."""

    components: Mapping[str, Any]

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self.components[schema["$ref"].rsplit("/", 1)[-1]]
        return schema

    def allows(self, schema: Mapping[str, Any], value: Any) -> bool:
        schema = self.resolve(schema)
        if "anyOf" in schema:
            return any(self.allows(each, value) for each in schema["anyOf"])
        of_type = "type" not in schema or _TYPES[schema["type"]](value)
        if not of_type or value not in schema.get("enum", [value]) or value != schema.get("const", value):
            return False
        return self._allows_inside(schema, value)

    def _allows_inside(self, schema: Mapping[str, Any], value: Any) -> bool:
        match value:
            case str():
                return self._allows_text(schema, value)
            case int() | float() if not isinstance(value, bool):
                return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
            case list():
                items = schema.get("items", {})
                return len(value) <= schema.get("maxItems", len(value)) and all(self.allows(items, x) for x in value)
            case dict():
                return self._allows_members(schema, value)
        return True

    def _allows_text(self, schema: Mapping[str, Any], text: str) -> bool:
        if re.search("[\x00\ud800-\udfff]", text):
            return False
        if "pattern" in schema and re.search(schema["pattern"], text) is None:
            return False
        if schema.get("format") == "date" and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is None:
            return False
        return bool(schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)))

    def _allows_members(self, schema: Mapping[str, Any], value: dict[str, Any]) -> bool:
        known = schema.get("properties", {})
        other = schema.get("additionalProperties")  # without it: other names are passed over, whatever they are
        if not set(schema.get("required", ())) <= value.keys():
            return False
        for name, member in value.items():
            if name in known:
                if not self.allows(known[name], member):
                    return False
            elif other is not None and not self._allows_other(other, name, member):
                return False
        return True

    def _allows_other(self, other: Any, name: str, member: Any) -> bool:
        if other is False or not self._allows_text({}, name):
            return False
        return other is True or self.allows(other, member)

    def is_good(self, schema: Mapping[str, Any], body: bytes) -> bool:
        try:
            return self.allows(schema, read_strictly(body))
        except _NotJson:
            return False


# --- damage to JSON ---------------------------------------------------------------------------------------------------

_DEEP = 100_000
VALUES: dict[str, str] = {  # raw JSON, or what pretends to be it
    "null": "null",
    "true": "true",
    "false": "false",
    "zero": "0",
    "one": "1",
    "minus one": "-1",
    "minus zero": "-0",
    "a fraction": "1.5",
    "a whole fraction": "1.0",
    "an exponent": "1e0",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "1e999": "1e999",
    "-1e999": "-1e999",
    "1e-999": "1e-999",
    "2**31": str(2**31),
    "2**53+1": str(2**53 + 1),
    "2**63": str(2**63),
    "-2**63-1": str(-(2**63) - 1),
    "2**64": str(2**64),
    "400 digits": "9" * 400,
    "5000 digits": "9" * 5000,
    "a fraction of 5000 digits": "0." + "1" * 5000,
    "hexadecimal": "0x1F",
    "leading zero": "01",
    "plus sign": "+1",
    "empty text": '""',
    "spaces": '"   "',
    "a marked text": f'"{MARK}"',
    "markup": f'"<{MARK}>&\\"\'"',
    "a number as text": '"1"',
    "true as text": '"true"',
    "null as text": '"null"',
    "NUL": f'"{MARK}\\u0000"',
    "only NUL": '"\\u0000"',
    "a high surrogate": f'"{MARK}\\ud800"',
    "a low surrogate": f'"\\udfff{MARK}"',
    "surrogates the wrong way round": '"\\udc00\\ud800"',
    "an emoji in two": '"\\ud83d\\ude00"',
    "a control character": f'"{MARK}\\u0001\\u001b[31m"',
    "a raw control character": f'"{MARK}\x01"',
    "a line break": f'"{MARK}\\r\\nX-Broken: 1"',
    "right to left": f'"\\u202e{MARK}"',
    "zero width": '"\\u200b\\u200d\\ufeff"',
    "combining marks": '"' + "e" + "\\u0301" * 300 + '"',
    "300 characters": f'"{MARK * 43}"',
    "a long text": f'"{MARK * 9000}"',
    "a format string": f'"%s%n{{0}}{{{{7*7}}}}${{{MARK}}}"',
    "SQL": f'"\'; DROP TABLE x; -- {MARK}"',
    "a path": f'"../../{MARK}"',
    "two addresses": f'"{MARK}@school.example, b@school.example"',
    "an address with a line break": f'"{MARK}@school.example\\nBcc: b@school.example"',
    "an address with a name": f'"{MARK} <a@school.example>"',
    "a dummy key": f'"#{MARK}"',
    "a date with time": '"2026-11-22T00:00:00Z"',
    "a day that is not there": '"2026-02-30"',
    "year 0": '"0000-01-01"',
    "year 10000": '"10000-01-01"',
    "Arabic digits": '"\\u0662\\u0660\\u0662\\u0666-\\u0661\\u0661-\\u0662\\u0662"',
    "a wrong fingerprint": f'"s1:{"g" * 64}"',
    "a marked fingerprint": f'"{MARK}:{"0" * 64}"',
    "empty array": "[]",
    "an array of null": "[null]",
    "an array of an array": "[[]]",
    "an array of a marked text": f'["{MARK}"]',
    "an array of NaN": "[NaN]",
    "20,000 times null": "[" + "null," * 20_000 + "null]",
    "empty object": "{}",
    "a marked object": f'{{"{MARK}": "{MARK}"}}',
    "an empty name": '{"": 1}',
    "a name with NUL": f'{{"{MARK}\\u0000": 1}}',
    "a name with a surrogate": f'{{"{MARK}\\ud800": 1}}',
    "a name twice": f'{{"{MARK}": 1, "{MARK}": 2}}',
    "a prototype": '{"__proto__": {"x": 1}, "constructor": 1, "__class__": "x"}',
    "deep arrays": "[" * _DEEP + "]" * _DEEP,
    "deep objects": '{"a":' * _DEEP + "1" + "}" * _DEEP,
    "fairly deep arrays": "[" * 500 + "]" * 500,
    "never closed": "[" * 50,
    "single quotes": f"'{MARK}'",
    "bare word": MARK,
    "undefined": "undefined",
    "a comment": "/* x */ 1",
    "nothing": "",
    "a half escape": f'"{MARK}\\u12"',
    "an unknown escape": f'"{MARK}\\x"',
}


Place = tuple[str | int, ...]


def places_in(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value, the root included."""
    yield here
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places_in(member, (*here, name))


def at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value


def written(value: Any, place: Place, raw: str | None) -> str:
    """The JSON of `value` with `raw` standing at this place; None leaves the place out."""
    if not place:
        return raw or ""
    step, rest = place[0], place[1:]
    members = list(value.items() if isinstance(value, dict) else enumerate(value))
    texts = [
        (name, written(member, rest, raw) if name == step else json.dumps(member, ensure_ascii=False))
        for name, member in members
        if rest or name != step or raw is not None
    ]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts) + "}"
    return "[" + ", ".join(text for _, text in texts) + "]"


def damaged_objects(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, raw JSON): this object with its names damaged."""
    members = [f"{json.dumps(name)}: {json.dumps(member, ensure_ascii=False)}" for name, member in value.items()]
    inside = ", ".join(members)
    comma = ", " if members else ""
    yield "an unknown name", f'{{{inside}{comma}"{MARK}": 1}}'
    yield "an unknown name with a deep value", f'{{{inside}{comma}"{MARK}": {"[" * 400}{"]" * 400}}}'
    yield "an unknown name with NUL", f'{{{inside}{comma}"{MARK}\\u0000": 1}}'
    yield "an unknown name with a surrogate", f'{{{inside}{comma}"{MARK}\\udead": 1}}'
    yield "1,000 unknown names", "{" + inside + comma + ", ".join(f'"{MARK}{n}": 1' for n in range(1000)) + "}"
    yield "a trailing comma", "{" + inside + ",}"
    yield "unquoted names", "{" + inside.replace('"', "") + "}"
    for name, member in value.items():
        text = json.dumps(member, ensure_ascii=False)
        yield f"{name} twice, equal", f"{{{inside}, {json.dumps(name)}: {text}}}"
        yield f"{name} twice, first marked", f'{{{json.dumps(name)}: "{MARK}", {inside}}}'
        yield f"{name} twice, escaped", f'{{{inside}, "\\u{ord(name[0]):04x}{name[1:]}": {text}}}'
        yield f"{name} in capitals", json.dumps({(n.upper() if n == name else n): m for n, m in value.items()})
        yield f"{name} with a space", json.dumps({(f"{n} " if n == name else n): m for n, m in value.items()})


Wanted = Callable[[str], bool]  # is a case of this name sent? Asked before the case is made, for most are not


def everything(_name: str) -> bool:
    return True


def json_damages(good: Any, wanted: Wanted = everything) -> Iterator[tuple[str, bytes]]:
    """(name, body): every place of a good body damaged in every way."""
    for place in places_in(good):
        where = "json: /" + "/".join(map(str, place))
        for name, raw in VALUES.items():
            if wanted(f"{where}: {name}"):
                yield f"{where}: {name}", written(good, place, raw).encode()
        if place:
            yield f"{where}: left out", written(good, place, None).encode()
        here = at(good, place)
        own = json.dumps(here, ensure_ascii=False)
        yield f"{where}: in an array", written(good, place, f"[{own}]").encode()
        yield f"{where}: in an object", written(good, place, f'{{"{MARK}": {own}}}').encode()
        yield f"{where}: as text", written(good, place, json.dumps(own)).encode()
        if isinstance(here, dict):
            for name, raw in damaged_objects(here):
                yield f"{where}: {name}", written(good, place, raw).encode()
        if isinstance(here, list) and here:
            one = json.dumps(here[0], ensure_ascii=False)
            yield f"{where}: 10,001 times", written(good, place, "[" + ", ".join([one] * 10_001) + "]").encode()
            yield f"{where}: as an object", written(good, place, f'{{"0": {one}}}').encode()
