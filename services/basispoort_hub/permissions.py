"""What a school switches on: its administration in, publishers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.domains import save_announced_domains
from services.basispoort_hub.feed import save_permission_change
from services.basispoort_hub.intake import CallingAdministration, SchoolEnded, read_school, waits_for
from services.basispoort_hub.shared_data import shared_sentences
from services.basispoort_hub.sign_in import CurrentAccount, read_coordinated_school, read_coordinator
from services.basispoort_hub.tables import PermissionRequestRow, PermissionRow, PublisherRow, SchoolRow
from shared.clock import local_date
from shared.clock import now as present
from shared.database import Db, ReadDb
from shared.problems import NotFound, Problem, WrongSchool
from shared.wire.base import Flag, Text, WireModel
from shared.wire.rosters import ADMINISTRATION, WireAnnouncement

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["beheer"])


class UnknownAdministration(Problem):
    status, slug, title = 422, "unknown-administration", "This administration system is not known"
    uitleg = f"Deze leerlingadministratie is niet bekend. Kies {ADMINISTRATION}."


class WireSwitch(WireModel):
    """PUT koppeling: which administration, and is the coordinator's switch on?"""

    administration: Text = Field(alias="administratie")
    is_on: Flag = Field(alias="actief")


class WireConnection(WireModel):
    """Both switches, and what is still awaited."""

    administration: str | None = Field(alias="administratie")
    is_on: bool = Field(alias="actief")
    administration_is_on: bool = Field(alias="administratieAan")
    flows: bool = Field(alias="koppelingActief")
    waits_for: str | None = Field(alias="wachtOp")
    heard_at: datetime | None = Field(alias="laatstGehoord")
    received_at: datetime | None = Field(alias="laatstOntvangen")


class WireConsent(WireModel):
    given: Flag = Field(alias="toestemming")


class WirePublisher(WireModel):
    """One publisher as a coordinator sees it. `sentence` stands beside the slider."""

    code: str
    name: str = Field(alias="naam")
    sentence: str = Field(alias="zin")
    given: bool = Field(alias="toestemming")
    given_at: datetime | None = Field(alias="sinds")
    asked_at: datetime | None = Field(alias="gevraagdOp")  # the publisher asks, and nobody has answered yet
    shared_data: list[str] = Field(alias="gegevens")


@dataclass(frozen=True, slots=True)
class Consent:
    """A publisher, since when it may read this school's roster, and since when it waits for an answer."""

    code: str
    name: str
    sentence: str
    given_at: datetime | None
    asked_at: datetime | None


@router.put("/aanmelding", status_code=204)
def receive_announcement(code: str, body: WireAnnouncement, administration: CallingAdministration, db: Db) -> None:
    """The administration tells that its administrator ticked, or unticked, Basispoort, and announces new domains."""
    school = read_school(db, code, lock=True)
    # before a school has chosen, only the administration that can be chosen counts
    if administration != (school.administration or ADMINISTRATION):
        raise WrongSchool
    school.administration_on, school.heard_at = body.is_on, present()
    if body.domain_changes is not None:
        save_announced_domains(db, school.id, {each.old: each.new for each in body.domain_changes})


@router.get("/koppeling")
def show_connection(code: str, request: Request, _account: CurrentAccount, db: ReadDb) -> WireConnection:
    """Both switches, and what is awaited."""
    return connection_of(read_coordinated_school(request, db, code))


@router.put("/koppeling")
def submit_connection(
    code: str, body: WireSwitch, request: Request, _account: CurrentAccount, db: Db
) -> WireConnection:
    """The coordinator's switch. Nothing is exchanged until the administrator's tick is there too."""
    school = read_coordinated_school(request, db, code, lock=True)
    save_connection(school, body.administration, is_on=body.is_on)
    return connection_of(school)


def save_connection(school: SchoolRow, administration: str, *, is_on: bool) -> None:
    """Set the switch of the (locked) school. Raises UnknownAdministration, SchoolEnded."""
    if administration != ADMINISTRATION:
        raise UnknownAdministration
    if is_on and not school.is_active:
        raise SchoolEnded
    school.administration, school.connection_on = administration, is_on


def connection_of(school: SchoolRow) -> WireConnection:
    awaited = waits_for(school)
    return WireConnection(
        administration=school.administration,
        is_on=school.connection_on,
        administration_is_on=school.administration_on,
        flows=awaited is None,
        waits_for=awaited,
        heard_at=school.heard_at,
        received_at=school.received_at,
    )


@router.get("/uitgeverijen")
def show_publishers(code: str, request: Request, _account: CurrentAccount, db: ReadDb) -> list[WirePublisher]:
    """Every publisher, with its sentence, what it would get to read, and whether this school consents."""
    school = read_coordinated_school(request, db, code)
    return [_wire(consent) for consent in read_consents(db, school.id)]


@router.put("/uitgeverijen/{uitgever}")
def submit_consent(
    code: str,
    publisher_code: Annotated[Text, Path(alias="uitgever")],
    body: WireConsent,
    request: Request,
    _account: CurrentAccount,
    db: Db,
) -> WirePublisher:
    """Give or withdraw consent; it counts at once, on the day it is in Amsterdam. Twice is once."""
    coordinator = read_coordinator(request, db, code, lock=True)
    publisher = db.scalar(select(PublisherRow).where(PublisherRow.code == publisher_code))
    if publisher is None:
        raise NotFound
    save_consent(db, coordinator.school.id, publisher.id, coordinator.account_id, given=body.given, now=present())
    return next(
        _wire(consent) for consent in read_consents(db, coordinator.school.id) if consent.code == publisher.code
    )


def save_consent(
    db: Session, school_id: int, publisher_id: int, account_id: int | None, *, given: bool, now: datetime
) -> None:
    """Give or withdraw consent at the (locked) school; also the answer to an open request. Twice is once.

    `account_id`: the coordinator who decided; None when the publisher hands its permission back.
    """
    open_one = db.scalar(
        select(PermissionRow).where(
            PermissionRow.school_id == school_id,
            PermissionRow.publisher_id == publisher_id,
            PermissionRow.withdrawn_at.is_(None),
        )
    )
    if given and open_one is None:
        db.add(
            PermissionRow(
                school_id=school_id,
                publisher_id=publisher_id,
                granted_at=now,
                granted_on=local_date(now),
                granted_by=account_id,
            )
        )
    elif not given and open_one is not None:
        open_one.withdrawn_at, open_one.withdrawn_on, open_one.withdrawn_by = now, local_date(now), account_id
    if given == (open_one is None):
        save_permission_change(db, school_id, publisher_id, now)
    how = "toegestaan" if given else "teruggetrokken" if account_id is None else "geweigerd"
    db.execute(
        update(PermissionRequestRow)
        .where(
            PermissionRequestRow.school_id == school_id,
            PermissionRequestRow.publisher_id == publisher_id,
            PermissionRequestRow.closed_at.is_(None),
        )
        .values(closed_at=now, closed_how=how)
    )
    db.flush()


def read_consents(db: Session, school_id: int) -> Sequence[Consent]:
    """Every publisher by name, with this school's open consent or the open request for it."""
    rows = db.execute(
        select(
            PublisherRow.code,
            PublisherRow.name,
            PublisherRow.sentence,
            PermissionRow.granted_at,
            PermissionRequestRow.asked_at,
        )
        .outerjoin(
            PermissionRow,
            (PermissionRow.publisher_id == PublisherRow.id)
            & (PermissionRow.school_id == school_id)
            & PermissionRow.withdrawn_at.is_(None),
        )
        .outerjoin(
            PermissionRequestRow,
            (PermissionRequestRow.publisher_id == PublisherRow.id)
            & (PermissionRequestRow.school_id == school_id)
            & PermissionRequestRow.closed_at.is_(None),
        )
        .order_by(PublisherRow.name, PublisherRow.id)
    )
    return [Consent(*row) for row in rows]


def _wire(consent: Consent) -> WirePublisher:
    return WirePublisher(
        code=consent.code,
        name=consent.name,
        sentence=consent.sentence,
        given=consent.given_at is not None,
        given_at=consent.given_at,
        asked_at=consent.asked_at,
        shared_data=shared_sentences(),
    )
