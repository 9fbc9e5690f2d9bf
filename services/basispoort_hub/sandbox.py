"""A publisher's own invented schools, and what its engineers can make happen to them; only where HUB_SANDBOX is on.

Everything goes the way of a real roster: brake, holds, accounts, answers and change feed follow. No other publisher
sees these schools.
"""

import secrets
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.coordinators import OPERATOR, save_coordinator
from services.basispoort_hub.intake import count_held
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.permissions import save_consent
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.rosters import Layer, Spelled, read_layers, read_roster, to_canonical
from services.basispoort_hub.rules.sandbox_school import (
    Event,
    a_small_school,
    a_whole_school,
    happen,
    with_held,
)
from services.basispoort_hub.tables import PermissionRow, PublisherRow, SchoolEndRow, SchoolRow
from services.basispoort_hub.valid_roster import Decision, Incoming, Settled, settle
from shared.clock import local_date
from shared.clock import now as present
from shared.database import Db, ReadDb
from shared.problems import NotFound, Problem
from shared.roster import Kind, Roster, fingerprint_of_canonical
from shared.wire.base import WireModel

BIG, NEIGHBOURS, MERGED = range(3)  # the schools of one sandbox
NAMES = ("Zandbakschool De Grote Proef", "Zandbakschool De Buren", "Zandbakschool De Opgegane")


class SandboxMissing(Problem):
    status, slug, title = 409, "sandbox-missing", "There is no sandbox yet; make it with alles-terug"
    uitleg = "Er is nog geen zandbak. Maak hem met POST /api/v1/sandbox/alles-terug."


class WireSandbox(WireModel):
    """`instelling` is the big school, `buren` one to merge, `opgegaan` one that merged long ago."""

    school: int = Field(alias="instelling")
    neighbours: int = Field(alias="buren")
    merged: int = Field(alias="opgegaan")
    has_consent: bool = Field(alias="toestemming")
    pupils: int = Field(alias="leerlingen")
    held: int = Field(alias="vastgehouden")


def check_sandbox(request: Request, _publisher: CallingPublisher) -> None:
    """Is there a sandbox here? Raises CallerUnknown first, then NotFound."""
    if not request.app.state.sandbox_pupils:
        raise NotFound


router = APIRouter(prefix="/api/v1/sandbox", tags=["zandbak"], dependencies=[Depends(check_sandbox)])


@router.get("")
def show_sandbox(publisher: CallingPublisher, db: ReadDb) -> WireSandbox:
    """How the caller's sandbox stands."""
    schools = _read_schools(db, publisher)
    if not schools:
        raise SandboxMissing
    return _wire(db, publisher, schools)


# Before the route with a word, so that this one is never taken for an event.
@router.post("/alles-terug")
def submit_reset(publisher: CallingPublisher, request: Request, db: Db) -> WireSandbox:
    """Make the sandbox, or put it back to how it was made.

    The schools keep their numbers, and so do their people; who left more than 30 days ago is forgotten, and gets a new
    one.
    """
    now, links = present(), _links(request)
    _lock_publisher(db, publisher)
    schools = _read_schools(db, publisher, lock=True) or _make_schools(db, publisher, now, links)
    domain = _domain(publisher)
    whole = a_whole_school(request.app.state.sandbox_pupils, domain)
    db.execute(delete(SchoolEndRow).where(SchoolEndRow.school_id.in_([each.id for each in schools])))
    for school in schools:
        school.is_active = True
    _receive_freely(db, schools[BIG], whole, now, links)
    _receive(db, schools[BIG], with_held(whole), now, links, {})
    _receive_freely(db, schools[NEIGHBOURS], a_small_school(domain), now, links)
    rebuild_answers(db, schools[NEIGHBOURS], now)  # their roster may be the same, and they merged into none any more
    _merge(db, schools[MERGED], schools[BIG], now)
    for school in schools:
        save_consent(db, school.id, publisher, None, given=True, now=now)
    return _wire(db, publisher, schools)


@router.post("/{gebeurtenis}")
def submit_event(
    event: Annotated[Event, Path(alias="gebeurtenis")], publisher: CallingPublisher, request: Request, db: Db
) -> WireSandbox:
    """Make something happen to the big school; `fusie` merges the neighbours into it. Raises SandboxMissing."""
    now, links = present(), _links(request)
    schools = _read_schools(db, publisher, lock=True)
    if not schools:
        raise SandboxMissing
    big = schools[BIG]
    match event:
        case Event.CONSENT | Event.NO_CONSENT:
            save_consent(db, big.id, publisher, None, given=event is Event.CONSENT, now=now)
        case Event.MERGER:
            _merge(db, schools[NEIGHBOURS], big, now)
        case _:
            changed, leaving = happen(event, read_roster(db, big.id, Layer.MIRROR), local_date(now))
            _receive(db, big, changed, now, links, leaving)
    return _wire(db, publisher, schools)


def _links(request: Request) -> LinkMaker:
    links: LinkMaker = request.app.state.links
    return links


def _domain(publisher_id: int) -> str:
    return f"zandbak{publisher_id}.example"


def _lock_publisher(db: Session, publisher_id: int) -> None:
    """Two at once make one sandbox."""
    db.execute(select(PublisherRow.id).where(PublisherRow.id == publisher_id).with_for_update())


def _read_schools(db: Session, publisher_id: int, *, lock: bool = False) -> list[SchoolRow]:
    """The sandbox of a publisher, in the order of NAMES; empty when there is none."""
    query = select(SchoolRow).where(SchoolRow.sandbox_of == publisher_id).order_by(SchoolRow.id)
    return list(db.scalars(query.with_for_update() if lock else query))


def _make_schools(db: Session, publisher_id: int, now: datetime, links: LinkMaker) -> list[SchoolRow]:
    schools = [
        SchoolRow(
            code=_code(publisher_id * len(NAMES) + place),
            name=name,
            ref=str(uuid.uuid4()),
            created_at=now,
            mutated_at=now,
            sandbox_of=publisher_id,
            # no administration sends here: keys of real ones are refused
            administration="Zandbak",
        )
        for place, name in enumerate(NAMES)
    ]
    db.add_all(schools)
    db.flush()
    for school in schools:
        email = f"ict@{_domain(publisher_id)}"
        save_coordinator(db, school, email, "Ico van Buiten-Rooster", "zandbak", OPERATOR, now, links)
        rebuild_answers(db, school, now)
    return schools


def _code(number: int) -> str:
    """A code that no real school has: 99, two letters from the end of the alphabet, and a number."""
    letters, branch = divmod(number, 100)
    return f"99{chr(ord('Y') - letters // 26 % 20)}{chr(ord('A') + letters % 26)}{branch:02}"


def _receive_freely(db: Session, school: SchoolRow, roster: Roster, now: datetime, links: LinkMaker) -> None:
    """A roster of which nothing is held: whatever the brake stops is let go at once."""
    settled = _receive(db, school, roster, now, links, {})
    while settled.held:
        settled = settle(db, school, roster, now, links, decision=Decision(let_go=settled.held))


def _receive(
    db: Session,
    school: SchoolRow,
    roster: Roster,
    now: datetime,
    links: LinkMaker,
    leaving: Mapping[Kind, Mapping[str, date]],
) -> Settled:
    """A whole roster, as if an administration had sent it."""
    canonical = to_canonical(roster)
    incoming = Incoming(Spelled(roster, canonical), read_layers(db, school.id))
    school.token, school.fingerprint = secrets.token_hex(16), fingerprint_of_canonical(canonical)
    school.received_at = now
    is_first = school.first_received_at is None
    school.first_received_at = school.first_received_at or now
    return settle(db, school, roster, now, links, incoming=incoming, leaving=leaving, is_first_push=is_first)


def _merge(db: Session, school: SchoolRow, into: SchoolRow, now: datetime) -> None:
    """The school goes up into the other; its number stays, and says so. Twice is once."""
    if db.get(SchoolEndRow, school.id) is None:
        db.add(SchoolEndRow(school_id=school.id, into_id=into.id, ended_at=now, reason="zandbak"))
    school.is_active = False
    rebuild_answers(db, school, now)


def _wire(db: Session, publisher_id: int, schools: list[SchoolRow]) -> WireSandbox:
    big = schools[BIG]
    consent = select(PermissionRow.id).where(
        PermissionRow.school_id == big.id,
        PermissionRow.publisher_id == publisher_id,
        PermissionRow.withdrawn_at.is_(None),
    )
    return WireSandbox(
        school=big.id,
        neighbours=schools[NEIGHBOURS].id,
        merged=schools[MERGED].id,
        has_consent=db.scalar(consent) is not None,
        pupils=len(read_roster(db, big.id, Layer.VALID).pupils),
        held=count_held(db, big.id),
    )
