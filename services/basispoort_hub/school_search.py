"""Finding an institution by name, BRIN, address or board; open to every publisher, also without permission.

The addresses are those of DUO's register; the operator fills them.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, Field
from sqlalchemy import ColumnElement, SQLColumnExpression, func, or_, select
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.intake import read_school
from services.basispoort_hub.operator_api import check_operator
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.tables import FormerCodeRow, SchoolRow
from shared.clock import now as present
from shared.database import Db, ReadDb
from shared.identifiers import tidy
from shared.names import fold
from shared.wire.base import Email, Text, WireModel
from shared.wire.schools import InstitutionSearchResult

MOST_REMEMBERED = 50_000  # folded texts: three of each school of the country, with room

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
    """Every institution that fits all that is given, by id; without anything given, none.

    Name, address (street and number) and town: a part, whatever the case, the accents and the punctuation. BRIN, also
    a former one, and postal code: the beginning. Board: exactly.
    """
    places: list[tuple[SQLColumnExpression[Any], str | None]] = [
        (SchoolRow.name, name),
        (SchoolRow.town, town),
        (_STREET, address),
    ]
    parts = [(place, fold(part)) for place, part in places if part]
    wanted: list[ColumnElement[bool]] = []
    if code := _compact(brincode):
        former = select(FormerCodeRow.school_id).where(FormerCodeRow.code.startswith(code, autoescape=True))
        wanted.append(or_(SchoolRow.code.startswith(code, autoescape=True), SchoolRow.id.in_(former)))
    if compact := _compact(postal_code):
        known = func.upper(func.replace(SchoolRow.postal_code, " ", ""))
        wanted.append(known.startswith(compact, autoescape=True))
    if board_code:
        wanted.append(SchoolRow.board_code == board_code)
    if not (parts or wanted):
        return []
    if active_only:
        wanted.append(SchoolRow.is_active.is_(True))
    wanted.append(or_(SchoolRow.sandbox_of.is_(None), SchoolRow.sandbox_of == publisher))
    if parts:
        wanted = [SchoolRow.id.in_(_read_containing(db, wanted, parts))]
    return [_found(school) for school in db.scalars(select(SchoolRow).where(*wanted).order_by(SchoolRow.id))]


_STREET = (
    func.coalesce(SchoolRow.street, "")
    + " "
    + func.coalesce(SchoolRow.house_number, "")
    + func.coalesce(SchoolRow.house_number_addition, "")
)


def _read_containing(
    db: Session, wanted: Sequence[ColumnElement[bool]], parts: Sequence[tuple[SQLColumnExpression[Any], str]]
) -> list[int]:
    """The schools whose texts contain these folded parts. Compared here, because databases do not fold alike.

    A part without a letter or a digit is nowhere.
    """
    texts, sought = [column for column, _ in parts], [part for _, part in parts]
    if not all(sought):
        return []
    return [
        number
        for number, *found in db.execute(select(SchoolRow.id, *texts).where(*wanted))
        if all(part in _fold(text or "") for part, text in zip(sought, found, strict=True))
    ]


_fold = lru_cache(MOST_REMEMBERED)(fold)


def _compact(text: str | None) -> str:
    return text.replace(" ", "").upper() if text else ""


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
