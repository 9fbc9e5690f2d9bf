"""What pupils and staff have in common: names on the wire, keys of our own, and what may be changed in them."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.rules.history import Fields
from services.eduscope_api.rules.people import check_name
from services.eduscope_api.states import DAYS
from services.eduscope_api.tables import GroupRow
from shared.clock import local_date, now
from shared.identifiers import holds_citizen_number
from shared.language import say
from shared.names import sort_name
from shared.problems import InvalidRequest
from shared.roster import GroupKind
from shared.wire.base import Day, Text, WireModel

MOST_ERRORS = 50
KEPT = timedelta(days=30)  # who left longer ago is erased: a slip in the year would do that in the coming minute
LAST_DAYS = frozenset({"uitstroomdatum", "einddatum"})

# Our own number of a row, in a path; so no key of a child ever stands in an address.
RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def _no_citizen_number(text: str) -> str:
    if holds_citizen_number(text):
        raise ValueError(say("dit lijkt een burgerservicenummer (BSN), dat hier niet thuishoort"))
    return text


Word = Annotated[Text, AfterValidator(_no_citizen_number)]
# The lengths are those of EDEXML 2.1, so that a name that is typed here fits in every file.
CallName = Annotated[Word, StringConstraints(max_length=64), AfterValidator(check_name)]
Surname = Annotated[Word, StringConstraints(max_length=200), AfterValidator(check_name)]


class WireNames(WireModel):
    """The name of a person, and the chain pseudonym. Left out means: as it is; null means: none."""

    first_name: CallName | None = Field(None, alias="roepnaam")
    prefix: CallName | None = Field(None, alias="voorvoegsel")
    last_name: Surname | None = Field(None, alias="achternaam")
    initials: CallName | None = Field(None, alias="voorletters")
    eck_id: Word | None = Field(None, alias="eckid")
    came_on: Day | None = Field(None, alias="instroomdatum")
    left_on: Day | None = Field(None, alias="uitstroomdatum")


def new_key() -> str:
    """A key of our own for somebody who came without one; says nothing about the person."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Wanted:
    """One row and what is wanted of it: name on the wire -> value. `pointer`: where in the body this stands."""

    row: Any
    fields: Fields
    pointer: str = ""


def fields_of(body: WireModel) -> dict[str, Any]:
    """The fields that the caller gave, null included (merge semantics), as JSON values by their name on the wire."""
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True)


def apply_fields(wanted: Wanted, columns: Mapping[str, str]) -> None:
    """Write these fields into the columns of the row."""
    for name, column in columns.items():
        if name in wanted.fields:
            value = wanted.fields[name]
            is_day = column in DAYS and value is not None
            setattr(wanted.row, column, date.fromisoformat(value) if is_day else value)


def apply_person(wanted: Wanted, columns: Mapping[str, str]) -> list[dict[str, str]]:
    """Write these fields into the row of a person; gives what would then be wrong with the person."""
    apply_fields(wanted, columns)
    row = wanted.row
    row.sort_name = sort_name(row.first_name, row.prefix, row.last_name)
    found = []
    if not (row.first_name or row.last_name):
        found.append(error_at(wanted, "achternaam", say("Vul een roepnaam of een achternaam in.")))
    if row.came_on is not None and row.left_on is not None and row.left_on < row.came_on:
        found.append(error_at(wanted, "uitstroomdatum", say("Deze dag ligt vóór de instroomdatum.")))
    found += [
        error_at(wanted, name, say("Deze dag ligt 30 dagen of langer terug. Kies een latere dag."))
        for name in LAST_DAYS & wanted.fields.keys()
        if (day := wanted.fields[name]) is not None and date.fromisoformat(day) <= local_date(now()) - KEPT
    ]
    return found


def error_at(wanted: Wanted, name: str, detail: str) -> dict[str, str]:
    """One error of a body, at one field."""
    return {"pointer": f"/body{wanted.pointer}/{name}", "code": "value_error", "detail": detail}


def refuse(pointer: str, detail: str) -> InvalidRequest:
    """The problem for one field of a body."""
    return InvalidRequest(errors=[{"pointer": f"/body/{pointer}", "code": "value_error", "detail": detail}])


def refuse_all(errors: list[dict[str, str]]) -> None:
    """Raises InvalidRequest when there are errors."""
    if errors:
        raise InvalidRequest(errors=errors[:MOST_ERRORS])


def read_group_kinds(db: Session, school_id: int) -> dict[int, GroupKind]:
    """Every group of the school with its kind."""
    found = db.execute(select(GroupRow.id, GroupRow.kind).where(GroupRow.school_id == school_id))
    return {row_id: GroupKind(kind) for row_id, kind in found}


def wrong_groups(
    wanted: Wanted,
    name: str,
    ids: Collection[int],
    groups: Mapping[int, GroupKind],
    kind: GroupKind | None = None,
) -> list[dict[str, str]]:
    """An error at this field unless all of these are groups of the school, and of this kind."""
    if all(each in groups and kind in {None, groups[each]} for each in ids):
        return []
    return [error_at(wanted, name, say("Deze groep bestaat niet op deze school, of is van een andere soort."))]
