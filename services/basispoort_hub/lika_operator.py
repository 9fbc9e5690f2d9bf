"""What the operator sets for a publisher's applications: allowed addresses, more codes, the management portal."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import AfterValidator, Field
from sqlalchemy import delete, select

from services.basispoort_hub.operator_api import check_operator
from services.basispoort_hub.publisher_operator import read_publisher
from services.basispoort_hub.rules.web_addresses import parse_web_address
from services.basispoort_hub.tables import AllowedAddressRow, ApplicationRow, LikaCodeRow, PublisherRow
from shared.database import Db, ReadDb
from shared.problems import NotFound, Problem
from shared.wire.base import Email, Text, WireModel, shown_as

router = APIRouter(
    prefix="/api/v1/operator/uitgevers/{code}", tags=["operator"], dependencies=[Depends(check_operator)]
)


class LikaCodeTaken(Problem):
    status, slug, title = 409, "lika-code-taken", "The code belongs to another publisher"
    uitleg = "Deze code is al van een andere uitgeverij."


class LikaCodeInUse(Problem):
    status, slug, title = 409, "lika-code-in-use", "There are methods under this code"
    uitleg = "Onder deze code staan nog methodes. Verwijder die eerst."


def _absolute(text: str) -> str:
    parse_web_address(text)
    return text


def _base(text: str) -> str:
    if not parse_web_address(text).is_bare:
        raise ValueError("een toegelaten adres heeft geen ? of #")
    return text


# of what is accepted the part that everybody uses
_SHOWN = shown_as(
    r"^https?://[A-Za-z0-9]+([.-][A-Za-z0-9]+)*(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~/-]*)?$",
    256,
    examples=["https://app.letters.example"],
)
WebPage = Annotated[Text, AfterValidator(_absolute), _SHOWN]
PublisherCode = Annotated[Text, Path(alias="code")]
LikaCode = Annotated[Text, Path(alias="identityCode")]


class WireAllowedAddresses(WireModel):
    """What an application's `url` may start with: each address itself, and everything below it."""

    addresses: list[Annotated[Text, AfterValidator(_base), _SHOWN]] = Field(alias="adressen", max_length=100)


class WirePortal(WireModel):
    """The tile under which coordinators manage this publisher's applications, and where its helpdesk is."""

    name: Text | None = Field(None, alias="naam")
    url: WebPage | None = Field(None, alias="adres")
    helpdesk: Email | None = None


@router.get("/adressen")
def show_allowed_addresses(code: PublisherCode, db: ReadDb) -> WireAllowedAddresses:
    """Empty means: no application can have an address yet."""
    publisher_id = db.scalar(select(PublisherRow.id).where(PublisherRow.code == code))
    if publisher_id is None:
        raise NotFound
    query = select(AllowedAddressRow.address).where(AllowedAddressRow.publisher_id == publisher_id)
    return WireAllowedAddresses(addresses=list(db.scalars(query.order_by(AllowedAddressRow.address))))


@router.put("/adressen", status_code=204)
def submit_allowed_addresses(code: PublisherCode, body: WireAllowedAddresses, db: Db) -> None:
    """Replace the list. What is stored already keeps its address until it is sent again."""
    publisher = read_publisher(db, code)
    db.execute(delete(AllowedAddressRow).where(AllowedAddressRow.publisher_id == publisher.id))
    db.add_all(AllowedAddressRow(publisher_id=publisher.id, address=each) for each in sorted(set(body.addresses)))


@router.put("/lika/{identityCode}", status_code=204)
def submit_lika_code(code: PublisherCode, lika: LikaCode, db: Db) -> None:
    """One more code under which this publisher keeps licences. Twice is once."""
    publisher = read_publisher(db, code)
    known = db.get(LikaCodeRow, lika)
    owner = known.publisher_id if known else db.scalar(select(PublisherRow.id).where(PublisherRow.code == lika))
    if owner not in {None, publisher.id}:
        raise LikaCodeTaken
    if known is None:
        db.add(LikaCodeRow(code=lika, publisher_id=publisher.id))


@router.delete("/lika/{identityCode}", status_code=204)
def submit_lika_code_removal(code: PublisherCode, lika: LikaCode, db: Db) -> None:
    """Take a code without methods away; the publisher's own code stays."""
    publisher = read_publisher(db, code)
    known = db.get(LikaCodeRow, lika)
    if known is None or known.publisher_id != publisher.id:
        raise NotFound
    if db.scalar(select(ApplicationRow.id).where(ApplicationRow.lika_code == lika).limit(1)) is not None:
        raise LikaCodeInUse
    db.delete(known)


@router.put("/beheerportaal", status_code=204)
def submit_portal(code: PublisherCode, body: WirePortal, db: Db) -> None:
    """What a coordinator sees of this publisher besides its applications; null takes it away."""
    publisher = read_publisher(db, code)
    publisher.portal_name, publisher.portal_url, publisher.helpdesk_email = body.name, body.url, body.helpdesk
