"""Lists in pages: an opaque cursor, a stable order, and a search that does not mind case or accents.

A cursor says where the last page ended, not how many rows to skip: what comes or goes meanwhile neither doubles nor
hides anybody.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Select, and_, bindparam, case, false, func, tuple_
from sqlalchemy.orm import Session

from shared.identifiers import tidy
from shared.language import say
from shared.names import fold
from shared.problems import InvalidRequest
from shared.wire.base import WireModel

DEFAULT_LIMIT = 100
MOST = 500
Cursor = Annotated[str, StringConstraints(max_length=4000)]
Sought = Annotated[str, StringConstraints(max_length=200)]
# What a list is sorted by; each ends in the row number, so that the order is always the same.
Orders = Mapping[str, Sequence[ColumnElement[Any]]]


class ListQuery(WireModel):
    """What every list takes. `cursor`: the `volgende` of the page before, with all else the same."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MOST, description="How many at most.")
    cursor: Cursor | None = Field(None, description="`volgende` of the page before this one.")
    sort: str = Field("naam", alias="sorteer", max_length=20, description="By what; `-` before it turns the order.")
    search: Sought | None = Field(
        None, alias="zoek", description="Words that stand in the name; case and accents do not matter."
    )


def storable(text: str) -> bool:
    """Can a database hold this text at all?"""
    try:
        tidy(text)
    except ValueError:
        return False
    return True


def refuse_query(name: str, code: str, detail: str) -> InvalidRequest:
    """The problem for one parameter of an address."""
    return InvalidRequest(errors=[{"pointer": f"/query/{name}", "code": code, "detail": detail}])


def nulls_last(column: ColumnElement[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Two columns that sort a column with empty places the same way in every database: the empty ones at the end."""
    return case((column.is_(None), 1), else_=0), func.coalesce(column, "")


def has_words(column: ColumnElement[str], search: str) -> ColumnElement[bool]:
    """Is every word of the search somewhere in this folded column? A search without a letter finds nothing."""
    words = [word for each in search.split() if (word := fold(each))] if storable(search) else []
    return and_(*(column.contains(word, autoescape=True) for word in words)) if words else false()


def read_page(
    db: Session, name: str, school_id: int, base: Select[Any], orders: Orders, query: ListQuery
) -> tuple[list[Any], str | None, int]:
    """The rows of one page of `base`, the cursor of the next one, and how many rows there are in all.

    `base` selects the rows of one school, filtered; `name` tells lists apart. Raises InvalidRequest for an order that
    does not exist and for a cursor that is not of this list, school and question.
    """
    turned = query.sort.startswith("-")
    keys = orders.get(query.sort.removeprefix("-"))
    if keys is None:
        raise refuse_query("sorteer", "enum", say("Sorteren kan op: %(namen)s.", namen=", ".join(orders)))
    total = db.scalar(base.with_only_columns(func.count(), maintain_column_froms=True)) or 0
    question = _question(name, school_id, query)
    if query.cursor is not None:
        values = _read_cursor(query.cursor, question, keys)
        start = tuple_(*(bindparam(None, value, type_=key.type) for key, value in zip(keys, values, strict=True)))
        base = base.where(tuple_(*keys) < start if turned else tuple_(*keys) > start)
    ordered = base.order_by(*(key.desc() if turned else key.asc() for key in keys))
    rows = db.execute(ordered.add_columns(*keys).limit(query.limit + 1)).all()
    page = rows[: query.limit]
    following = _write_cursor(question, page[-1][-len(keys) :]) if len(rows) > query.limit else None
    return [row[0] for row in page], following, total


def _question(name: str, school_id: int, query: ListQuery) -> str:
    """A short mark of all that must stay the same from page to page."""
    asked = query.model_dump(mode="json", exclude={"cursor", "limit"})
    return hashlib.sha256(json.dumps([name, school_id, asked], sort_keys=True).encode()).hexdigest()[:12]


def _write_cursor(question: str, values: Sequence[Any]) -> str:
    text = json.dumps([question, *values], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str, question: str, keys: Sequence[ColumnElement[Any]]) -> list[Any]:
    """The values that the last page ended with. Raises InvalidRequest for anything that is no such cursor."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not (isinstance(found, list) and found[:1] == [question] and len(found) == len(keys) + 1):
        raise refuse_query(
            "cursor", "cursor", say("Deze cursor hoort niet bij deze lijst. Begin opnieuw zonder cursor.")
        )
    values: list[Any] = found[1:]
    if not all(_fits(value, key) for value, key in zip(values, keys, strict=True)):
        raise refuse_query("cursor", "cursor", say("Deze cursor is beschadigd. Begin opnieuw zonder cursor."))
    return values


def _fits(value: Any, key: ColumnElement[Any]) -> bool:
    if key.type.python_type is int:
        return type(value) is int and -(2**63) <= value < 2**63
    return type(value) is str and storable(value)
