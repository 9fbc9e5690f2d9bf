"""Hosted-lika, the details: a publisher's methods and products, /hosted-lika/management/lika/{code}/methode."""

from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import APIRouter, Path
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.licences import (
    METHOD,
    PRODUCT,
    Lika,
    find_application,
    lock_lika,
    read_lika,
    read_method,
    read_methods,
    read_product,
    read_products,
    remove_application,
)
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.rules.icons import objection_to_icon
from services.basispoort_hub.rules.web_addresses import parse_web_address, stands_under
from services.basispoort_hub.tables import AllowedAddressRow, ApplicationRow
from shared.database import Db, ReadDb
from shared.problems import Problem
from shared.wire.base import Text
from shared.wire.licences import MethodDetails, Methods, ProductDetails, Products, Tag

router = APIRouter(prefix="/hosted-lika/management/lika/{identityCode}", tags=["hosted-lika"])


class ApplicationRefused(Problem):
    """Member `errors`: every objection, with a pointer to the field."""

    status, slug, title = 422, "application-refused", "The application cannot be kept like this"
    uitleg = "Deze methode of dit product kan zo niet worden opgeslagen. Er is niets gewijzigd."


class ApplicationExists(Problem):
    status, slug, title = 409, "application-exists", "There is a method or product with this id"
    uitleg = "Er is al een methode of product met deze id. Een id van een product is uniek binnen de hele lika."


LikaCode = Annotated[Text, Path(alias="identityCode")]
MethodId = Annotated[Text, Path(alias="mid")]
ProductId = Annotated[Text, Path(alias="pid")]


@router.get("/methode")
def show_methods(code: LikaCode, publisher: CallingPublisher, db: ReadDb) -> Methods:
    """Every method, by id."""
    return Methods(methods=[_method(row) for row in read_methods(db, read_lika(db, publisher, code))])


@router.post("/methode", status_code=204)
def submit_method(code: LikaCode, body: MethodDetails, publisher: CallingPublisher, db: Db) -> None:
    """A new method, with nobody in its list."""
    lika = lock_lika(db, publisher, code)
    if find_application(db, lika, METHOD, body.id) is not None:
        raise ApplicationExists
    _save(db, lika, ApplicationRow(lika_code=lika.code, kind=METHOD, key=body.id), body)


@router.get("/methode/{mid}")
def show_method(code: LikaCode, mid: MethodId, publisher: CallingPublisher, db: ReadDb) -> MethodDetails:
    """One method."""
    return _method(read_method(db, read_lika(db, publisher, code), mid))


@router.put("/methode/{mid}", status_code=204)
def submit_method_details(
    code: LikaCode, mid: MethodId, body: MethodDetails, publisher: CallingPublisher, db: Db
) -> None:
    """Make the method, or replace its details; its products and its users stay."""
    lika = lock_lika(db, publisher, code)
    _check_same_id(mid, body.id)
    known = find_application(db, lika, METHOD, mid)
    _save(db, lika, known or ApplicationRow(lika_code=lika.code, kind=METHOD, key=mid), body)


@router.delete("/methode/{mid}", status_code=204)
def submit_method_removal(code: LikaCode, mid: MethodId, publisher: CallingPublisher, db: Db) -> None:
    """With its products and all their lists."""
    remove_application(db, read_method(db, lock_lika(db, publisher, code), mid))


@router.get("/methode/{mid}/product")
def show_products(code: LikaCode, mid: MethodId, publisher: CallingPublisher, db: ReadDb) -> Products:
    """Every product of the method, by id."""
    method = read_method(db, read_lika(db, publisher, code), mid)
    return Products(products=[_product(row) for row in read_products(db, method)])


@router.post("/methode/{mid}/product", status_code=204)
def submit_product(code: LikaCode, mid: MethodId, body: ProductDetails, publisher: CallingPublisher, db: Db) -> None:
    """A new product, with nobody in its list; its id is unique among all products of the lika."""
    lika = lock_lika(db, publisher, code)
    method = read_method(db, lika, mid)
    if find_application(db, lika, PRODUCT, body.id) is not None:
        raise ApplicationExists
    _save(db, lika, ApplicationRow(lika_code=lika.code, kind=PRODUCT, key=body.id, method_id=method.id), body)


@router.get("/methode/{mid}/product/{pid}")
def show_product(
    code: LikaCode, mid: MethodId, pid: ProductId, publisher: CallingPublisher, db: ReadDb
) -> ProductDetails:
    """One product of the method."""
    return _product(read_product(db, read_lika(db, publisher, code), mid, pid))


@router.put("/methode/{mid}/product/{pid}", status_code=204)
def submit_product_details(
    code: LikaCode, mid: MethodId, pid: ProductId, body: ProductDetails, publisher: CallingPublisher, db: Db
) -> None:
    """Make the product, or replace its details; its users stay. It does not move to another method."""
    lika = lock_lika(db, publisher, code)
    _check_same_id(pid, body.id)
    method, known = read_method(db, lika, mid), find_application(db, lika, PRODUCT, pid)
    if known is not None and known.method_id != method.id:
        raise ApplicationExists
    _save(db, lika, known or ApplicationRow(lika_code=lika.code, kind=PRODUCT, key=pid, method_id=method.id), body)


@router.delete("/methode/{mid}/product/{pid}", status_code=204)
def submit_product_removal(code: LikaCode, mid: MethodId, pid: ProductId, publisher: CallingPublisher, db: Db) -> None:
    """With its list."""
    remove_application(db, read_product(db, lock_lika(db, publisher, code), mid, pid))


def _check_same_id(in_path: str, in_body: str) -> None:
    if in_path != in_body:
        raise ApplicationRefused(
            errors=[{"pointer": "/body/id", "detail": "De id in het bericht is een andere dan die in het adres."}]
        )


def _save(db: Session, lika: Lika, row: ApplicationRow, details: MethodDetails | ProductDetails) -> None:
    """Raises ApplicationRefused, with everything that is wrong."""
    objections = list(_objections(db, lika, details))
    if objections:
        raise ApplicationRefused(errors=[{"pointer": f"/body/{field}", "detail": why} for field, why in objections])
    row.code, row.name, row.icon, row.icon_url = details.code, details.name, details.icon, details.icon_url
    row.url, row.tags = details.url, " ".join(dict.fromkeys(details.tags))
    db.add(row)
    db.flush()


def _objections(db: Session, lika: Lika, details: MethodDetails | ProductDetails) -> Iterator[tuple[str, str]]:
    """(field, Dutch sentence)."""
    if details.icon is not None and (why := objection_to_icon(details.icon)) is not None:
        yield "icon", f"Deze waarde klopt niet: {why}."
    if details.icon_url is not None:
        try:
            parse_web_address(details.icon_url)
        except ValueError as error:
            yield "iconUrl", f"Deze waarde klopt niet: {error}."
    if details.url is None:
        return
    try:
        address = parse_web_address(details.url)
    except ValueError as error:
        yield "url", f"Deze waarde klopt niet: {error}."
        return
    query = select(AllowedAddressRow.address).where(AllowedAddressRow.publisher_id == lika.publisher_id)
    allowed = db.scalars(query).all()
    if not any(stands_under(address, parse_web_address(each)) for each in allowed):
        yield (
            "url",
            "Dit adres begint niet met een adres dat de beheerder voor deze uitgeverij heeft toegelaten."
            if allowed
            else "Voor deze uitgeverij zijn nog geen adressen toegelaten. Vraag de beheerder van Basispoort erom.",
        )


def _method(row: ApplicationRow) -> MethodDetails:
    # what is stored has been checked when it came in
    return MethodDetails.model_construct(
        id=row.key, code=row.code, name=row.name, icon=row.icon, icon_url=row.icon_url, url=row.url, tags=_tags(row)
    )


def _product(row: ApplicationRow) -> ProductDetails:
    assert row.url is not None
    return ProductDetails.model_construct(
        id=row.key, code=row.code, name=row.name, icon=row.icon, icon_url=row.icon_url, url=row.url, tags=_tags(row)
    )


def _tags(row: ApplicationRow) -> list[Tag]:
    return cast("list[Tag]", row.tags.split())
