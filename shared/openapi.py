"""Makes an API's description read like a book: chapters in order, plain names, an example of every body and error.

The examples are made from the schema itself, with values that a table gives per field, so that they cannot grow old.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from shared.problems import InvalidRequest, Problem

Operation = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_INSTANCE = "5f0c2b6e8d4a4a7c9a3e1b2c3d4e5f60"
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


@dataclass(frozen=True, kw_only=True)
class Book:
    """How the description of one service reads.

    `chapters`: tag -> what it is about, in order. `values`: field on the wire -> an example of it. `errors_of` gives
    the problems of an operation by its id, method and path.
    """

    introduction: str
    chapters: Mapping[str, str]
    values: Mapping[str, Any]
    errors_of: Callable[[str, str, str], Iterable[type[Problem]]]


def errors(*kinds: type[Problem]) -> dict[str, Any]:
    """The `responses` of an operation for these problems: per status one answer, with an example of every kind."""
    found: dict[str, Any] = {}
    for kind in kinds:
        answer = found.setdefault(
            str(kind.status), {"description": "", "content": {"application/problem+json": {"examples": {}}}}
        )
        answer["description"] = "; ".join(filter(None, (answer["description"], kind.title)))
        answer["content"]["application/problem+json"]["examples"][kind.slug] = {
            "summary": kind.title,
            "value": _example_of(kind),
        }
    return dict(sorted(found.items()))


def _example_of(kind: type[Problem]) -> dict[str, Any]:
    body = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "uitleg": kind.uitleg,
        "instance": _INSTANCE,
    }
    if issubclass(kind, InvalidRequest):
        wrong = {"pointer": "/body/roepnaam", "code": "string_type", "detail": "Dit moet tekst zijn."}
        return {"errors": [wrong], **body}
    return body


def bind_book(app: FastAPI, book: Book) -> None:
    """Let `/openapi.json` and `/docs` of this application read as the book says."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            _write(describe(), book)
        return describe()

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to change its description


def _write(schema: dict[str, Any], book: Book) -> None:
    schema["info"]["description"] = book.introduction
    schema["tags"] = [{"name": name, "description": about} for name, about in book.chapters.items()]
    operations = [
        (method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]
    names = Counter(_function_name(*each) for each in operations)
    components = schema.get("components", {}).get("schemas", {})
    for method, path, operation in operations:
        name = _function_name(method, path, operation)
        if names[name] > 1:
            name = f"{operation['tags'][0]}_{name}"
        operation["operationId"] = name
        _put_summary(operation)
        for answer in _bodies(operation):
            if "example" not in answer and "examples" not in answer:
                answer["example"] = sample(answer["schema"], components, book.values)
        shape = operation["responses"].get("4XX", {}).get("content", {}).get("application/problem+json", {})
        for status, answer in errors(*book.errors_of(name, method, path)).items():
            if "schema" in shape:
                answer["content"]["application/problem+json"]["schema"] = shape["schema"]
            operation["responses"][status] = answer
        operation["responses"] = dict(sorted(operation["responses"].items()))


def _function_name(method: str, path: str, operation: Operation) -> str:
    """The function behind the operation: FastAPI's id is its name, the path and the method."""
    tail = re.sub(r"\W", "_", path)
    return str(operation["operationId"]).removesuffix(f"{tail}_{method}")


def _put_summary(operation: Operation) -> None:
    """The first sentence of the docstring is the title, what follows the text; what it raises stands at the errors."""
    text = re.sub(r"(^| )Raises [^.]*\.", "", " ".join(operation.get("description", "").split())).strip()
    first, _, rest = text.partition(". ")
    if first:
        operation["summary"] = first.rstrip(".")
        operation["description"] = rest or text


def _bodies(operation: Operation) -> Iterable[dict[str, Any]]:
    """The JSON and form bodies that go in and come out, where they have a schema."""
    places: Sequence[Any] = (
        operation.get("requestBody", {}),
        *(answer for status, answer in operation["responses"].items() if status.startswith("2")),
    )
    for place in places:
        for kind, body in place.get("content", {}).items():
            if kind in {"application/json", "application/x-www-form-urlencoded"} and body.get("schema"):
                yield body


def sample(schema: Mapping[str, Any], components: Mapping[str, Any], values: Mapping[str, Any], name: str = "") -> Any:
    """A value that fits the schema; for a field in `values` the one that stands there, when it fits its type."""
    target = schema.get("$ref", "").rpartition("/")[2]
    choices = [components[target]] if target else schema.get("anyOf") or schema.get("oneOf") or ()
    for choice in choices:
        if choice.get("type") != "null":
            return sample(choice, components, values, name)
    allowed = [schema["const"]] if "const" in schema else schema.get("enum", [])
    kind = schema.get("type", "object")
    if name in values and (values[name] in allowed if allowed else isinstance(values[name], _TYPES[kind])):
        return values[name]
    if allowed:
        return allowed[0]
    if kind == "object":
        fields = schema.get("properties", {})
        return {each: sample(inner, components, values, each) for each, inner in fields.items()}
    if kind == "array":
        return [sample(schema.get("items", {}), components, values, f"{name}[]")]
    plain = {"string": _text(schema), "boolean": True}
    return plain.get(kind, max(1, schema.get("minimum", 1)))


def _text(schema: Mapping[str, Any]) -> str:
    return {"date": "2026-09-01", "date-time": "2026-09-01T10:00:00Z"}.get(schema.get("format", ""), "tekst")
