"""What pupils and staff have in common: names on the wire, keys of our own, and what may be changed in them."""

import uuid
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.tables import GroupRow
from shared.identifiers import holds_citizen_number
from shared.problems import InvalidRequest
from shared.roster import GroupKind
from shared.wire.base import Day, Text, WireModel

# Our own number of a row, in a path; so no key of a child ever stands in an address.
RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def _no_citizen_number(text: str) -> str:
    if holds_citizen_number(text):
        raise ValueError("dit lijkt een burgerservicenummer (BSN), dat hier niet thuishoort")
    return text


Word = Annotated[Text, AfterValidator(_no_citizen_number)]


class WireNames(WireModel):
    """The name of a person, and the chain pseudonym. Left out means: as it is; null means: none."""

    first_name: Word | None = Field(None, alias="roepnaam")
    prefix: Word | None = Field(None, alias="voorvoegsel")
    last_name: Word | None = Field(None, alias="achternaam")
    initials: Word | None = Field(None, alias="voorletters")
    eck_id: Word | None = Field(None, alias="eckid")
    came_on: Day | None = Field(None, alias="instroomdatum")
    left_on: Day | None = Field(None, alias="uitstroomdatum")


def new_key() -> str:
    """A key of our own for somebody who came without one; says nothing about the person."""
    return uuid.uuid4().hex


def given(body: WireModel, *names: str) -> dict[str, Any]:
    """The values of those fields that the caller gave, null included (merge semantics)."""
    return {name: getattr(body, name) for name in names if name in body.model_fields_set}


def refuse(pointer: str, detail: str) -> InvalidRequest:
    """The problem for one field of a body."""
    return InvalidRequest(errors=[{"pointer": f"/body/{pointer}", "code": "value_error", "detail": detail}])


def check_named(row: Any) -> None:
    """Has the person a call name or a surname? Raises InvalidRequest."""
    if not (row.first_name or row.last_name):
        raise refuse("achternaam", "Vul een roepnaam of een achternaam in.")


def check_groups(db: Session, school_id: int, ids: Iterable[int], pointer: str, kind: GroupKind | None = None) -> None:
    """Are these groups of this school, and of this kind? Raises InvalidRequest."""
    wanted = set(ids)
    statement = select(GroupRow.id).where(GroupRow.school_id == school_id)
    if kind is not None:
        statement = statement.where(GroupRow.kind == kind)
    if not wanted <= set(db.scalars(statement)):
        raise refuse(pointer, "Deze groep bestaat niet op deze school, of is van een andere soort.")
