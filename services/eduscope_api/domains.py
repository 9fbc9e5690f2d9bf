"""Announced changes of mail domain: told to the hub with the tick, so that they are not held as a wave."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import LockedSchool, ReadSchool
from services.eduscope_api.listing import storable
from services.eduscope_api.people import refuse
from services.eduscope_api.tables import AnnouncedDomainRow, OutboxRow
from shared.clock import now
from shared.database import Db, ReadDb
from shared.language import say
from shared.outbox import save_message
from shared.problems import NotFound
from shared.wire.base import Domain, WireModel
from shared.wire.rosters import WireDomainChange

router = APIRouter(prefix="/api/v1/scholen/{code}/koppeling/domeinen", tags=["school"])

ANNOUNCEMENT = "aanmelding"  # topic of the message that tells the hub about the tick and the domains
MOST = 20


class WireAnnouncedDomain(WireModel):
    old: str = Field(alias="van")
    new: str = Field(alias="naar")
    announced_at: datetime = Field(alias="aangekondigdOp")


class WireDomains(WireModel):
    changes: Sequence[WireAnnouncedDomain] = Field(alias="domeinwijzigingen")


@router.get("")
def show_domains(school: ReadSchool, db: ReadDb) -> WireDomains:
    """The changes of mail domain that are announced."""
    return WireDomains(changes=read_domains(db, school.id))


@router.put("", status_code=204)
def submit_domain(body: WireDomainChange, school: LockedSchool, db: Db) -> None:
    """Announce that addresses move from one domain to another. An earlier announcement for the old one is replaced."""
    save_domain(db, school.id, body, now())


@router.delete("", status_code=204)
def submit_domain_removal(
    school: LockedSchool, db: Db, old: Annotated[Domain, Query(alias="van", description="The old domain.")]
) -> None:
    """Take an announcement back: from now on such changes are weighed like all others. Raises NotFound."""
    remove_domain(db, school.id, old, now())


def read_domains(db: Session, school_id: int) -> list[WireAnnouncedDomain]:
    rows = db.scalars(
        select(AnnouncedDomainRow)
        .where(AnnouncedDomainRow.school_id == school_id)
        .order_by(AnnouncedDomainRow.old_domain)
    )
    return [WireAnnouncedDomain(old=row.old_domain, new=row.new_domain, announced_at=row.announced_at) for row in rows]


def read_announced(db: Session, school_id: int) -> dict[str, str]:
    """Old domain -> new domain, as the hub hears it."""
    return {each.old: each.new for each in read_domains(db, school_id)}


def save_domain(db: Session, school_id: int, body: WireDomainChange, at: datetime) -> None:
    """Announce a change of the (locked) school. Raises InvalidRequest."""
    if body.old == body.new:
        raise refuse("naar", say("Het nieuwe domein is hetzelfde als het oude."))
    row = db.get(AnnouncedDomainRow, (school_id, body.old))
    if row is None:
        if len(read_domains(db, school_id)) >= MOST:
            raise refuse("van", say("Er zijn al %(n)s wijzigingen aangekondigd. Verwijder er eerst een.", n=MOST))
        row = AnnouncedDomainRow(school_id=school_id, old_domain=body.old)
        db.add(row)
    row.new_domain, row.announced_at = body.new, at
    save_message(db, OutboxRow, ANNOUNCEMENT, {"school": school_id}, at)


def remove_domain(db: Session, school_id: int, old: str, at: datetime) -> None:
    """Raises NotFound."""
    row = db.get(AnnouncedDomainRow, (school_id, old)) if storable(old) else None
    if row is None:
        raise NotFound
    db.delete(row)
    save_message(db, OutboxRow, ANNOUNCEMENT, {"school": school_id}, at)
