"""Finding an institution by name, BRIN, address or board; open to every publisher, also without permission.

The addresses are those of DUO's register; the operator fills them.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, Field
from sqlalchemy import ColumnElement, SQLColumnExpression, func, or_, select

from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.intake import read_school
from services.basispoort_hub.operator_api import check_operator
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.tables import SchoolRow
from shared.clock import now as present
from shared.database import Db, ReadDb
from shared.identifiers import tidy
from shared.wire.base import Email, Text, WireModel
from shared.wire.schools import InstitutionSearchResult

MOST_FOUND = 100

router = APIRouter()
Sought = Annotated[str | None, AfterValidator(lambda text: None if text is None else tidy(text))]
STORABLE = r"^[^\x00]*$"


class WireSchoolAddress(WireModel):
    """What DUO's register knows of a school; what is left out, is not known."""

    street: Text | None = Field(None, alias="straat")
    house_number: Text | None = Field(None, alias="huisnummer")
    house_number_addition: Text | None = Field(None, alias="huisnummertoevoeging")
    postal_code: Text | None = Field(None, alias="postcode")
    town: Text | None = Field(None, alias="woonplaats")
    phone_area: Text | None = Field(None, alias="telefoonNet")
    phone_subscriber: Text | None = Field(None, alias="telefoonAbon")
    email: Email | None = Field(None, alias="emailadres")
    board_code: Text | None = Field(None, alias="bestuurscode")
    school_key: Text | None = Field(None, alias="schoolkey")


@router.get("/rest/v2/nawsearch", tags=["uitgevers"])
def search_institutions(
    publisher: CallingPublisher,
    db: ReadDb,
    name: Annotated[Sought, Query(alias="naam", max_length=200, pattern=STORABLE)] = None,
    brincode: Annotated[Sought, Query(max_length=10, pattern=STORABLE)] = None,
    address: Annotated[Sought, Query(alias="adres", max_length=200, pattern=STORABLE)] = None,
    postal_code: Annotated[Sought, Query(alias="postcode", max_length=10, pattern=STORABLE)] = None,
    town: Annotated[Sought, Query(alias="plaatsnaam", max_length=200, pattern=STORABLE)] = None,
    board_code: Annotated[Sought, Query(alias="bestuurscode", max_length=20, pattern=STORABLE)] = None,
    active_only: Annotated[bool, Query(alias="activeOnly")] = True,
) -> list[InstitutionSearchResult]:
    """Institutions that fit all that is given, the first 100 by id; without anything given, none.

    Name, address (street and number) and town: a part, whatever the case. BRIN and postal code: the beginning. Board:
    exactly.
    """
    wanted = [
        *_contains(SchoolRow.name, name),
        *_contains(SchoolRow.town, town),
        *_contains(_STREET, address),
        *_begins(SchoolRow.code, brincode),
        *_begins(func.replace(SchoolRow.postal_code, " ", ""), postal_code),
        *([SchoolRow.board_code == board_code] if board_code else []),
    ]
    if not wanted:
        return []
    if active_only:
        wanted.append(SchoolRow.is_active.is_(True))
    query = select(SchoolRow).where(*wanted, or_(SchoolRow.sandbox_of.is_(None), SchoolRow.sandbox_of == publisher))
    return [_found(school) for school in db.scalars(query.order_by(SchoolRow.id).limit(MOST_FOUND))]


_STREET = (
    func.coalesce(SchoolRow.street, "")
    + " "
    + func.coalesce(SchoolRow.house_number, "")
    + func.coalesce(SchoolRow.house_number_addition, "")
)


def _contains(column: SQLColumnExpression[Any], text: str | None) -> list[ColumnElement[bool]]:
    return [column.icontains(text, autoescape=True)] if text else []


def _begins(column: SQLColumnExpression[Any], text: str | None) -> list[ColumnElement[bool]]:
    folded = text.replace(" ", "").upper() if text else ""
    return [column.startswith(folded, autoescape=True)] if folded else []


def _found(school: SchoolRow) -> InstitutionSearchResult:
    return InstitutionSearchResult(
        id=school.id,
        name=school.name,
        is_active=school.is_active,
        brin=school.code,
        street=school.street,
        house_number=school.house_number,
        house_number_addition=school.house_number_addition,
        postal_code=school.postal_code,
        town=school.town,
        phone_area=school.phone_area,
        phone_subscriber=school.phone_subscriber,
        email=school.email,
        board_code=school.board_code,
    )


@router.put(
    "/api/v1/operator/scholen/{code}/adres",
    tags=["operator"],
    dependencies=[Depends(check_operator)],
    status_code=204,
)
def submit_address(code: str, body: WireSchoolAddress, db: Db) -> None:
    """Replace everything of a school's address."""
    school = read_school(db, code, lock=True)
    for name in WireSchoolAddress.model_fields:
        setattr(school, name, getattr(body, name))
    rebuild_answers(db, school, present())
