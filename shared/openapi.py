"""Makes an API's description read like a book: chapters in order, plain names, an example of every body and error.

The examples are made from the schema itself, with values that a table gives per field, so that they cannot grow old.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Security
from fastapi.openapi.models import HTTPBase
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.base import SecurityBase

from shared.deprecation import Operations
from shared.problems import InvalidRequest, Problem

Operation = dict[str, Any]
Roles = Sequence[str] | None
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


# --- who is calling ---------------------------------------------------------------------------------------------------


def bearer_key(name: str, about: str) -> HTTPBearer:
    """A kind of key. A guard that stands with it is described so; the guard itself looks at the request."""
    return HTTPBearer(scheme_name=name, description=about, auto_error=False)


_NO_WORD = "mutual-tls"


class _ClientCertificate(SecurityBase):
    """The framework has no word for it, so that the description gets it afterwards."""

    def __init__(self, about: str) -> None:
        self.scheme_name = "clientcertificaat"
        self.model = HTTPBase(scheme=_NO_WORD, description=about)

    async def __call__(self) -> None:
        """Who shows which certificate is known from the connection, not from the request."""


_SESSION = APIKeyCookie(
    name="sessie", scheme_name="sessie", description="The cookie that `/inloggen` sets, for people.", auto_error=False
)
_OPERATOR = bearer_key("beheerderssleutel", "The key of whoever runs this service.")

# For the guards: what they take as proof. Beside these a service has keys of its own.
SessionCookie = Annotated[object, Security(_SESSION)]
OperatorKey = Annotated[object, Security(_OPERATOR)]
CLIENT_CERTIFICATE = Security(_ClientCertificate("A client certificate, in TLS or told by a trusted reverse proxy."))


def describe_callers(app: FastAPI, cookie: str) -> None:
    """Let the description say what the framework cannot: mutual TLS, and how the cookie of a session is called here."""

    def describe(schema: dict[str, Any]) -> None:
        schemes = schema.get("components", {}).get("securitySchemes", {})
        for name, scheme in schemes.items():
            if scheme.get("scheme") == _NO_WORD:
                schemes[name] = {"type": "mutualTLS", "description": scheme["description"]}
            elif scheme.get("in") == "cookie":
                scheme["name"] = cookie

    _refine(app, describe)


def describe_leaving(app: FastAPI, leaving: Operations) -> None:
    """Let the description say which operations will go. Raises ValueError, when made, for one that is not there."""

    def describe(schema: dict[str, Any]) -> None:
        for name, each in leaving.items():
            method, _, path = name.partition(" ")
            operation = schema["paths"].get(path, {}).get(method.lower())
            if operation is None:
                raise ValueError(f"no operation {name}")
            operation["deprecated"] = True
            until = f"Deprecated since {each.since:%Y-%m-%d}; stays until {each.until:%Y-%m-%d}."
            operation["description"] = f"{operation.get('description', '')}\n\n{until}".strip()

    _refine(app, describe)


def _refine(app: FastAPI, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the application's description when it is made."""
    describe, lock = app.openapi, threading.Lock()

    def described() -> dict[str, Any]:
        with lock:  # error handlers in several threads may ask for it at once
            before = app.openapi_schema
            schema = describe()
            if schema is not before:
                change(schema)
            return schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to change its description


# --- the book ---------------------------------------------------------------------------------------------------------


def _no_roles(_scheme: str, _method: str, _path: str) -> Roles:
    return ()


@dataclass(frozen=True, kw_only=True)
class Book:
    """How the description of one service reads.

    `chapters`: tag -> what it is about, in order. `values`: field on the wire -> an example of it. `errors_of` gives
    the problems of an operation by its id, method and path. `tells_all`: there are no others, so that no operation says
    that it may refuse in any way. `roles_of`: what a caller must be allowed, by scheme, method and path;
    None where that proof is never enough. `links`: operation -> other operation -> parameter -> where its value is.
    `sends`: the messages that the service itself sends to others.
    """

    introduction: str
    chapters: Mapping[str, str]
    values: Mapping[str, Any]
    errors_of: Callable[[str, str, str], Iterable[type[Problem]]]
    tells_all: bool = False
    roles_of: Callable[[str, str, str], Roles] = _no_roles
    links: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    sends: APIRouter = field(default_factory=APIRouter)


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
    app.webhooks.include_router(book.sends)
    _refine(app, lambda schema: _write(schema, book))


def _whole(value: Any) -> Any:
    """The same with whole numbers as such: the framework makes 2**63 a float, whose last digits are nothing."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _write(schema: dict[str, Any], book: Book) -> None:
    schema.update(_whole(schema))
    schema["info"]["description"] = book.introduction
    schema["tags"] = [{"name": name, "description": about} for name, about in book.chapters.items()]
    operations = _operations(schema["paths"])
    names = Counter(_function_name(*each) for each in operations)
    components = schema.get("components", {}).get("schemas", {})
    for method, path, operation in operations:
        name = _function_name(method, path, operation)
        if names[name] > 1:
            name = f"{operation['tags'][0]}_{name}"
        operation["operationId"] = name
        _put_roles(operation, book, method, path)
        _put_links(operation, book.links.get(name, {}))
        _put_summary(operation)
        _put_examples(operation, components, book.values)
        shape = operation["responses"].get("4XX", {}).get("content", {}).get("application/problem+json", {})
        for status, answer in errors(*book.errors_of(name, method, path)).items():
            if "schema" in shape:
                answer["content"]["application/problem+json"]["schema"] = shape["schema"]
            operation["responses"][status] = answer
        if book.tells_all:
            for wild in ("4XX", "5XX"):
                operation["responses"].pop(wild, None)
        operation["responses"] = dict(sorted(operation["responses"].items()))
    for method, name, operation in _operations(schema.get("webhooks", {})):
        operation["operationId"] = _function_name(method, name, operation)
        _put_summary(operation)
        _put_examples(operation, components, book.values)


def _operations(paths: Mapping[str, Mapping[str, Operation]]) -> list[tuple[str, str, Operation]]:
    return [
        (method, path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method in _METHODS
    ]


def _put_roles(operation: Operation, book: Book, method: str, path: str) -> None:
    """At each proof what else it takes; what is never enough goes."""
    proofs = [(name, book.roles_of(name, method, path)) for each in operation.get("security", ()) for name in each]
    if proofs:
        operation["security"] = [{name: list(roles)} for name, roles in proofs if roles is not None]


def _put_links(operation: Operation, links: Mapping[str, Mapping[str, str]]) -> None:
    for status, answer in operation["responses"].items():
        if links and status.startswith("2"):
            answer["links"] = {
                target: {"operationId": target, "parameters": dict(parameters)} for target, parameters in links.items()
            }


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


def _put_examples(operation: Operation, components: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    for body in _bodies(operation):
        if "example" not in body and "examples" not in body:
            body["example"] = sample(body["schema"], components, values)


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
    """A value that fits the schema: its own example, or for a field in `values` what stands there and fits its type."""
    target = schema.get("$ref", "").rpartition("/")[2]
    choices = [components[target]] if target else schema.get("anyOf") or schema.get("oneOf") or ()
    for choice in () if "examples" in schema else choices:
        if choice.get("type") != "null":
            return sample(choice, components, values, name)
    allowed = [schema["const"]] if "const" in schema else schema.get("examples") or schema.get("enum", [])
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
