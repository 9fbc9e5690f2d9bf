"""What stands in a service's database, written so that two runs which came to the same have the same.

Numbers that the database gave are replaced by their rank, instants by the fact that they are there, and what is drawn
by chance or counts attempts is left out.
"""

import gzip
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Engine, MetaData, Table, select, text

from services.app_connector import tables as connector
from services.basispoort_hub import tables as hub
from services.eduscope_api import tables as eduscope
from shared.database import UtcDateTime, reading

State = dict[str, list[str]]  # service.table -> its rows, sorted

METADATA: Mapping[str, MetaData] = {
    "eduscope_api": eduscope.Base.metadata,
    "basispoort_hub": hub.Base.metadata,
    "app_connector": connector.Base.metadata,
}
NO_PART = {"sessions", "sign_in_attempts"}  # whoever repeats signs in again
# there, or not; the last two come from numbers that PostgreSQL does not give again after a transaction that was undone
PRESENT = {
    "token",
    "password_hash",
    "kept_password_hash",
    "etag",
    "night_etag",
    "key_hash",
    "content_hash",
    "transaction",
}
LEFT_OUT = {
    *{"attempts", "claimed_until", "due_at", "last_error"},  # outbox: how often it was tried
    *{"holder", "fence", "lease_until"},  # nights: who did it
    *{
        "took_ms",
        "started_at",
        "outcome",
        "sentence",
        "counts",
        "hub_status",
        "hub_slug",
    },  # runs: a repeat finds it done
}
KEPT_COUNTS = {"syncs"}  # whose counts are part of what was promised
POINTS_TO = {
    "kept_for_person_id": "people",
    "person_id": "people",
    "removed_by": "syncs",
    "undone_id": "changes",
}  # columns without a foreign key
SUBJECTS = {"pupil": "pupils", "staff": "staff", "group": "groups", "school": "schools"}  # of a change, by its kind
NAME_GROUPS = {"groep", "groepen", "samengesteldeGroepen"}  # fields of a change that hold numbers of groups
BODY_POINTS_TO = {
    "basispoort_hub": {"link": "links", "account": "accounts", "person": "people", "hold": "holds", "from": "outbox"},
    "eduscope_api": {"run": "runs"},
    "app_connector": {"request": "link_requests"},
}


def read_state(service: str, engine: Engine) -> State:
    """Every table of the service that keeps something."""
    metadata = METADATA[service]
    ranks: dict[str, dict[Any, str]] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    with reading(engine) as db:
        for table in metadata.sorted_tables:
            if table.name in NO_PART:
                continue
            order = list(table.primary_key.columns)
            rows[table.name] = [dict(row._mapping) for row in db.execute(select(table).order_by(*order))]
            if "id" in table.columns:
                numbers = [row["id"] for row in rows[table.name]]
                ranks[table.name] = {number: f"{table.name}#{rank}" for rank, number in enumerate(numbers)}
    return {
        f"{service}.{name}": sorted(_written(service, metadata.tables[name], row, ranks) for row in found)
        for name, found in rows.items()
    }


def read_ranks(engine: Engine) -> list[tuple[int, int]]:
    """Every message of the outbox with its rank."""
    with reading(engine) as db:
        numbers = db.execute(text("SELECT id FROM outbox ORDER BY id")).scalars()
        return [(number, rank) for rank, number in enumerate(numbers)]


def _written(service: str, table: Table, row: Mapping[str, Any], ranks: Mapping[str, Mapping[Any, str]]) -> str:
    shown = {}
    for column in table.columns:
        if column.name == "id" or (column.name in LEFT_OUT and table.name not in KEPT_COUNTS):
            continue
        if (table.name, column.name) == ("changes", "subject_id"):
            shown[column.name] = ranks[SUBJECTS[row["kind"]]].get(row[column.name], row[column.name])
            continue
        if (table.name, column.name) == ("changes", "fields"):
            shown[column.name] = {
                name: _groups_ranked(value, ranks["groups"]) if name in NAME_GROUPS else value
                for name, value in row[column.name].items()
            }
            continue
        shown[column.name] = _shown(service, table, column, row[column.name], ranks)
    return json.dumps(shown, sort_keys=True, default=str)


def _shown(
    service: str, table: Table, column: "Column[Any]", value: Any, ranks: Mapping[str, Mapping[Any, str]]
) -> Any:
    if value is None:
        return None
    if column.name in PRESENT or isinstance(column.type, UtcDateTime):
        return "there"
    target = POINTS_TO.get(column.name) or next((key.column.table.name for key in column.foreign_keys), None)
    if target is not None:
        return ranks.get(target, {}).get(value, value)
    if table.name == "outbox" and column.name == "body":
        points = BODY_POINTS_TO[service]
        return {name: ranks[points[name]].get(each, each) if name in points else each for name, each in value.items()}
    if table.name == "answers" and column.name in {"body", "packed"}:
        body = gzip.decompress(value) if column.name == "packed" else value
        return _ranked(json.loads(body), ranks["people"])
    return value.isoformat() if isinstance(value, datetime) else value


def _groups_ranked(value: Any, groups: Mapping[Any, str]) -> Any:
    """A number of a group, or any list of them, by rank."""
    return [_groups_ranked(each, groups) for each in value] if isinstance(value, list) else groups.get(value, value)


def _ranked(body: Any, people: Mapping[Any, str]) -> Any:
    if isinstance(body, dict):
        return {
            name: people.get(value, value) if name == "id" and isinstance(value, int) else _ranked(value, people)
            for name, value in body.items()
            if not name.lower().endswith(("timestamp", "metaresult"))
        }
    return [_ranked(each, people) for each in body] if isinstance(body, list) else body
