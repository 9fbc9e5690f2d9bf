"""Receives rosters and deltas, and answers with a receipt.

The token is moved with one compare-and-swap in the transaction that writes the rows. So a lost request, a lost answer,
a repeat, a request that arrives an hour late and two senders at once all end in the right roster after one good night.
"""

import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response, Security
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.rosters import (
    Layer,
    Spelled,
    read_layers,
    recompute_fingerprint,
    to_canonical,
    to_roster,
)
from services.basispoort_hub.rules.intake import objections
from services.basispoort_hub.tables import AdministrationKeyRow, FormerCodeRow, HeldRow, HoldRow, SchoolRow
from services.basispoort_hub.valid_roster import Incoming, Settled, settle
from shared.bodies import ParsedOnce
from shared.clock import now as present
from shared.database import Db, ReadDb, reading, writing
from shared.identifiers import SchoolCode
from shared.language import say
from shared.logs import log
from shared.openapi import bearer_key
from shared.problems import CallerUnknown, ConnectionInactive, NotFound, PreconditionMissing, Problem, WrongSchool
from shared.roster import Kind, Roster, fingerprint_of_canonical
from shared.roster_delta import RosterDiverged
from shared.service_auth import bearer_hash
from shared.wire.rosters import WireChanges, WireDelta, WireEntries, WireReceipt, WireRoster, WireStanding

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["leerlinggegevens"], route_class=ParsedOnce)
AdministrationKey = Annotated[
    object, Security(bearer_key("administratiesleutel", "The key of an administration system."))
]


class RosterInconsistent(Problem):
    """The roster has faults of its own; all of them are listed in `objections`: code, kind, key, sentence."""

    status, slug, title = 422, "roster-inconsistent", "The roster is not consistent"
    uitleg = "De gegevens spreken zichzelf tegen. Er is niets gewijzigd."


class SchoolEnded(Problem):
    status, slug, title = 409, "school-ended", "This school has closed or merged"
    uitleg = "Deze school is gesloten of samengegaan met een andere; er komen geen gegevens meer bij."


class ConnectionOn(Problem):
    status, slug, title = 409, "connection-on", "An administration is connected; files by hand are refused"
    uitleg = "De automatische koppeling staat aan. Een bestand met de hand inlezen kan dan niet."


def read_school(db: Session, code: str, *, lock: bool = False) -> SchoolRow:
    """The school of this code, however it is written. Raises NotFound."""
    try:
        normal = str(SchoolCode.parse(code))
    except ValueError:
        raise NotFound from None
    query = select(SchoolRow).where(SchoolRow.code == normal)
    row = db.scalar(query.with_for_update() if lock else query)
    if row is None:
        former = select(FormerCodeRow.school_id).where(FormerCodeRow.code == normal)
        query = select(SchoolRow).where(SchoolRow.id == former.scalar_subquery())
        row = db.scalar(query.with_for_update(of=SchoolRow) if lock else query)
    if row is None:
        raise NotFound
    return row


def read_administration(request: Request, db: Session) -> str:
    """Which administration system is calling. Raises CallerUnknown."""
    name = db.scalar(
        select(AdministrationKeyRow.administration).where(
            AdministrationKeyRow.key_hash == bearer_hash(request), AdministrationKeyRow.revoked_at.is_(None)
        )
    )
    if name is None:
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})
    return name


def _calling(request: Request, _key: AdministrationKey) -> str:
    with reading(request.app.state.engine) as db:
        return read_administration(request, db)


# Looks before the body does: a stranger gets 401 whatever the rest of the request holds.
CallingAdministration = Annotated[str, Depends(_calling)]


def _check_chosen(school: SchoolRow, administration: str) -> None:
    if school.administration is not None and school.administration != administration:
        raise WrongSchool


def waits_for(school: SchoolRow) -> str | None:
    """What stands in the way of rosters, as a sentence; None when both switches are on."""
    if not school.is_active:
        return say(SchoolEnded.uitleg)
    if school.administration is None or not school.connection_on:
        return say("De ICT-coördinator heeft de koppeling in Basispoort nog niet geactiveerd.")
    if not school.administration_on:
        return say("%(administratie)s heeft de koppeling nog niet geactiveerd.", administratie=school.administration)
    return None


@router.get("/stand")
def show_standing(code: str, administration: CallingAdministration, response: Response, db: ReadDb) -> WireStanding:
    """Which roster does the hub hold, and is the connection on? The ETag is the token for If-Match."""
    school = read_school(db, code)
    _check_chosen(school, administration)
    awaited = waits_for(school)
    chosen = school.administration is not None
    if chosen and school.token is not None:
        response.headers["ETag"] = f'"{school.token}"'
    return WireStanding(
        fingerprint=school.fingerprint if chosen else None,
        received_at=school.received_at if chosen else None,
        is_on=awaited is None,
        administration=school.administration,
        waits_for=awaited,
        held=count_held(db, school.id),
    )


def count_held(db: Session, school_id: int) -> int:
    query = select(func.count()).select_from(HeldRow).join(HoldRow, HoldRow.id == HeldRow.hold_id)
    return db.scalar(query.where(HoldRow.school_id == school_id, HoldRow.closed_at.is_(None))) or 0


def _precondition(
    if_match: Annotated[str | None, Header(max_length=200, pattern=r"^[^\x00]*$")] = None,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> str | None:
    """The token the sender starts from; None for a school without a roster. Raises PreconditionMissing."""
    if if_match is not None:
        return if_match.strip().removeprefix("W/").strip('"')
    if if_none_match is not None and if_none_match.strip() == "*":
        return None
    raise PreconditionMissing


Precondition = Annotated[str | None, Depends(_precondition)]


@router.put("/leerlinggegevens")
def receive_roster(
    code: str,
    administration: CallingAdministration,
    body: WireRoster,
    token: Precondition,
    request: Request,
    response: Response,
    db: Db,
) -> WireReceipt:
    """Take over a whole roster."""
    school = _open_school(db, code, administration)
    roster = _as_roster(body.entries)
    after = Spelled(roster, to_canonical(roster))
    if fingerprint_of_canonical(after.canonical) != body.target:
        raise RosterDiverged("the roster does not have the fingerprint it says it has")
    return _accept(request, response, db, school, Incoming(after, read_layers(db, school.id)), token, body)


@router.patch("/leerlinggegevens")
def receive_delta(
    code: str,
    administration: CallingAdministration,
    body: WireDelta,
    token: Precondition,
    request: Request,
    response: Response,
    db: Db,
) -> WireReceipt:
    """Take over what changed. `base` must be the fingerprint the hub holds, the result must be `target`."""
    school = _open_school(db, code, administration)
    if school.fingerprint != body.base:
        raise RosterDiverged(actual=school.fingerprint)
    stored = read_layers(db, school.id)
    after = {kind: dict(entries) for kind, entries in stored[Layer.MIRROR].items()}
    removed = {Kind.GROUP: body.remove.groups, Kind.PUPIL: body.remove.pupils, Kind.STAFF: body.remove.staff}
    for kind, keys in removed.items():
        for key in keys:
            after[kind].pop(key, None)
    for kind, entries in to_canonical(_as_roster(body.put)).items():
        after[kind].update(entries)
    if (reached := fingerprint_of_canonical(after)) != body.target:
        raise RosterDiverged(actual=reached)
    incoming = Incoming(Spelled(to_roster(after), after), stored)
    return _accept(request, response, db, school, incoming, token, body)


def _open_school(db: Session, code: str, administration: str) -> SchoolRow:
    school = read_school(db, code, lock=True)
    _check_chosen(school, administration)
    if waits_for(school) is not None:
        raise ConnectionInactive
    return school


def _accept(
    request: Request,
    response: Response,
    db: Session,
    school: SchoolRow,
    incoming: Incoming,
    if_match: str | None,
    body: WireRoster | WireDelta,
) -> WireReceipt:
    """Steps of one accepted roster, all in one transaction.

    1. Is it consistent? All objections at once, or none.
    2. Move the token with a compare-and-swap; whoever was overtaken gets roster-diverged.
    3. Save what changed in the mirror; let the valid roster, accounts, holds and answers follow.
    """
    now = present()
    mirror = incoming.mirror.roster
    if found := objections(mirror):
        raise RosterInconsistent(
            objections=[
                {"code": each.code, "soort": each.kind, "key": each.key, "uitleg": each.sentence}
                for each in found[:500]
            ]
        )
    is_first = school.first_received_at is None
    _move_token(db, school, if_match, body.target, now)
    links: LinkMaker = request.app.state.links
    settled = settle(
        db, school, mirror, now, links, incoming=incoming, leaving=body.leavers.values(), is_first_push=is_first
    )
    school.first_received_at = school.first_received_at or now
    assert school.token is not None
    response.headers["ETag"] = f'"{school.token}"'
    return _receipt(school, incoming, settled)


def _move_token(db: Session, school: SchoolRow, if_match: str | None, target: str, now: datetime) -> None:
    values = {
        "token": secrets.token_hex(16),
        "fingerprint": target,
        "received_at": now,
        "heard_at": now,
        "silence_told_at": None,
    }
    held = SchoolRow.token.is_(None) if if_match is None else SchoolRow.token == if_match
    moved = db.execute(
        update(SchoolRow).where(SchoolRow.id == school.id, held).values(values).returning(SchoolRow.id)
    ).first()
    if moved is None:
        raise RosterDiverged("the token is not the present one")
    for name, value in values.items():
        set_committed_value(school, name, value)


def _receipt(school: SchoolRow, incoming: Incoming, settled: Settled) -> WireReceipt:
    before, after = incoming.stored[Layer.MIRROR], incoming.mirror.canonical
    assert school.fingerprint is not None
    assert school.token is not None
    return WireReceipt(
        fingerprint=school.fingerprint,
        token=school.token,
        groups=_changes(before[Kind.GROUP], after[Kind.GROUP]),
        pupils=_changes(before[Kind.PUPIL], after[Kind.PUPIL]),
        staff=_changes(before[Kind.STAFF], after[Kind.STAFF]),
        held=settled.held_people,
        queued_mails=settled.queued_mails,
    )


def _changes(before: dict[str, str], after: dict[str, str]) -> WireChanges:
    return WireChanges(
        new=len(after.keys() - before.keys()),
        changed=sum(before[key] != after[key] for key in before.keys() & after.keys()),
        removed=len(before.keys() - after.keys()),
    )


def _as_roster(entries: WireEntries) -> Roster:
    try:
        return Roster.of(entries.values())
    except ValueError:  # a key twice
        raise RosterInconsistent(
            objections=[{"code": "double-key", "uitleg": "Een sleutel komt twee keer voor."}]
        ) from None


def take_by_hand(db: Session, school: SchoolRow, entries: Roster, now: datetime, links: LinkMaker) -> WireReceipt:
    """A hand-made file: adds and changes, never removes.

    Raises ConnectionOn while an administration is connected, SchoolEnded for a school that closed or merged.
    """
    if not school.is_active:
        raise SchoolEnded
    if school.connection_on and school.administration_on:
        raise ConnectionOn
    stored = read_layers(db, school.id)
    given = to_canonical(entries)
    after = {kind: {**stored[Layer.MIRROR][kind], **given[kind]} for kind in Kind}
    mirror = to_roster(after)
    if found := objections(mirror):
        raise RosterInconsistent(
            objections=[{"code": each.code, "soort": each.kind, "uitleg": each.sentence} for each in found[:500]]
        )
    school.token, school.fingerprint = secrets.token_hex(16), fingerprint_of_canonical(after)
    incoming = Incoming(Spelled(mirror, after), stored)
    return _receipt(school, incoming, settle(db, school, mirror, now, links, incoming=incoming))


def check_all_fingerprints(engine: Engine, now: datetime) -> int:
    """The evening's self-check: recompute every school's fingerprint from its rows; returns how many had drifted.

    A school that drifted gives up its fingerprint, so that tonight's sender sends the whole roster.
    """
    with reading(engine) as db:
        school_ids = list(db.scalars(select(SchoolRow.id).where(SchoolRow.fingerprint.is_not(None))))
    drifted = 0
    for school_id in school_ids:
        with reading(engine) as db:
            on_record = db.get_one(SchoolRow, school_id).fingerprint
            agrees = recompute_fingerprint(db, school_id) == on_record
        if agrees:
            continue
        with writing(engine) as db:
            school = db.get_one(SchoolRow, school_id, with_for_update=True)
            actual = recompute_fingerprint(db, school_id)
            if school.fingerprint != actual:
                school.fingerprint, school.token, school.drift_found_at = actual, secrets.token_hex(16), now
                drifted += 1
                log.error("roster_drifted", school=school_id)
    return drifted
