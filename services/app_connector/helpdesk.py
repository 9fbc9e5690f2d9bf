"""A school asks for a connection: keep the request, check every field, complete it, tell the coordinators."""

import math
from datetime import datetime

from fastapi import APIRouter, Request
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.app_connector.app_accounts import APP_NAMES, is_known_admin
from services.app_connector.hub_client import (
    Answer,
    HubClient,
    InstitutionUnknown,
    PermissionMissing,
    coordinators,
    parse_school,
)
from services.app_connector.rosters import save_roster
from services.app_connector.rules.people import HubRoster
from services.app_connector.sign_in import AsHelpdesk, network_of
from services.app_connector.tables import AttemptRow, ConnectionRow, LinkRequestRow, OutboxRow, SchoolRow
from services.app_connector.wire import (
    Check,
    LinkRequest,
    LinkRequestCompleted,
    LinkRequestListed,
    LinkRequestReceived,
    PathId,
    RequestedApp,
)
from shared.attempts import claim_attempt
from shared.clock import now as present
from shared.database import ReadDb, reading, writing
from shared.names import squeeze
from shared.outbox import save_message
from shared.problems import NotFound, Problem, TooManyAttempts, UpstreamProblem
from shared.service_client import RemoteProblem

router = APIRouter(prefix="/api/v1", tags=["helpdesk"])

REQUEST_MAIL, ACTIVE_MAIL = "koppelverzoek", "koppeling-actief"
UNCLEAR = "Dit kon nu niet worden nagegaan: Basispoort is niet bereikbaar."


class RequestNotReady(Problem):
    """Member: `controles`, every field with what is wrong about it."""

    status, slug, title = 409, "request-not-ready", "Not everything in this request is right yet"
    uitleg = "Nog niet alles in dit verzoek klopt. Bekijk per veld wat er moet gebeuren."


@router.post("/koppelverzoeken", status_code=201)
def submit_request(body: LinkRequest, request: Request) -> LinkRequestReceived:
    """Open to anybody, a limited number of times. The request is kept and mailed to the helpdesk, whatever is wrong."""
    engine: Engine = request.app.state.engine
    now = present()
    # counted apart from signing in: a busy form must not keep a school out of its portal
    subject, network = f"koppelverzoek {body.school_id}", f"koppelverzoek {network_of(request)}"
    with writing(engine) as db:
        wait = claim_attempt(db, AttemptRow, subject, network, now)
        number = _save_request(db, body, now) if wait is None else 0
    if wait is not None:
        raise TooManyAttempts(headers={"Retry-After": str(math.ceil(wait.total_seconds()))})
    return LinkRequestReceived(number=number, checks=_check(engine, request.app.state.hub, body))


def _save_request(db: Session, body: LinkRequest, now: datetime) -> int:
    row = LinkRequestRow(
        school_name=body.name,
        school_id=body.school_id,
        apps=[{"app": each.app, "admin": each.admin} for each in body.apps],
        sender=body.sender,
        received_at=now,
    )
    db.add(row)
    db.flush()
    save_message(db, OutboxRow, REQUEST_MAIL, {"request": row.id}, now)
    return row.id


def _check(engine: Engine, hub: HubClient, asked: LinkRequest) -> list[Check]:
    """Every field by itself: number, name, permission, and per app its administrator."""
    checks = _check_at_hub(hub, asked)
    with reading(engine) as db:
        for each in asked.apps:
            known = is_known_admin(db, asked.school_id, each.app, each.admin)
            name = APP_NAMES[each.app]
            sentence = (
                f"Het account van {name} is gevonden."
                if known
                else f"Er is geen account van {name} met deze beheerder bij dit instellingsnummer."
            )
            checks.append(Check(field=f"apps/{each.app}", is_right=known, sentence=sentence))
    return checks


def _check_at_hub(hub: HubClient, asked: LinkRequest) -> list[Check]:
    try:
        permitted = hub.fetch_permission(asked.school_id)
        name = hub.fetch_name(asked.school_id) if permitted else None
        is_name = (
            squeeze(name) == squeeze(asked.name)
            if name is not None
            else hub.fetch_is_known_as(asked.school_id, asked.name)
        )
    except InstitutionUnknown:
        return [
            Check(field="instellingsnummer", is_right=False, sentence="Basispoort kent dit instellingsnummer niet."),
            Check(field="naam", is_right=None, sentence="Zonder geldig nummer is de naam niet na te gaan."),
            Check(field="toestemming", is_right=None, sentence="Zonder geldig nummer is dit niet na te gaan."),
        ]
    except (PermissionMissing, UpstreamProblem, RemoteProblem):
        return [
            Check(field=each, is_right=None, sentence=UNCLEAR) for each in ("instellingsnummer", "naam", "toestemming")
        ]
    return [
        Check(field="instellingsnummer", is_right=True, sentence="Dit nummer is bekend bij Basispoort."),
        Check(
            field="naam",
            is_right=is_name,
            sentence="De naam klopt." if is_name else "Bij dit nummer hoort in Basispoort een andere naam.",
        ),
        Check(
            field="toestemming",
            is_right=permitted,
            sentence="De school heeft toestemming gegeven."
            if permitted
            else "Zet in Basispoort het schuifje ‘Activeer de digitale methodes van CtrlLearning’ aan.",
        ),
    ]


@router.get("/helpdesk/verzoeken")
def show_requests(_who: AsHelpdesk, db: ReadDb) -> list[LinkRequestListed]:
    """The newest first; open ones before those that were completed."""
    rows = db.scalars(
        select(LinkRequestRow).order_by(LinkRequestRow.completed_at.is_not(None), LinkRequestRow.id.desc()).limit(500)
    )
    return [
        LinkRequestListed(
            number=row.id,
            name=row.school_name,
            school_id=row.school_id,
            apps=_apps(row),
            sender=row.sender,
            received_at=row.received_at,
            completed_at=row.completed_at,
        )
        for row in rows
    ]


def _apps(row: LinkRequestRow) -> list[RequestedApp]:
    return [RequestedApp.model_validate({"app": each["app"], "beheerder": each["admin"]}) for each in row.apps]


@router.post("/helpdesk/verzoeken/{number}/afronden")
def complete_request(number: PathId, who: AsHelpdesk, request: Request) -> LinkRequestCompleted:
    """Switch the connection on and tell every ICT coordinator; twice is once.

    1. Check every field again. Raises RequestNotReady with all of them.
    2. Fetch the school, to know its coordinators.
    3. Switch on, and queue one mail per coordinator, in one transaction.
    """
    engine: Engine = request.app.state.engine
    hub: HubClient = request.app.state.hub
    with reading(engine) as db:
        row = db.get(LinkRequestRow, number)
        if row is None:
            raise NotFound
        asked = LinkRequest(name=row.school_name, school_id=row.school_id, apps=_apps(row), sender=row.sender)
    checks = _check(engine, hub, asked)
    if not all(check.is_right for check in checks):
        raise RequestNotReady(controles=[check.model_dump() for check in checks])
    answer = hub.fetch_school(asked.school_id)
    if answer is None:
        raise NotFound
    return _switch_on(engine, number, asked.school_id, answer, parse_school(answer.body), who.id)


def _switch_on(
    engine: Engine, number: int, school_id: int, answer: Answer, roster: HubRoster, user_id: int
) -> LinkRequestCompleted:
    now = present()
    with writing(engine) as db:
        school = db.get(SchoolRow, school_id, with_for_update=True)
        row = db.get(LinkRequestRow, number)
        if school is None or row is None:
            raise NotFound
        connection = db.get(ConnectionRow, school_id)
        told = 0
        if connection is None:
            connection = ConnectionRow(school_id=school_id, activated_at=now)
            db.add(connection)
        if row.completed_at is None:
            row.completed_at, row.completed_by = now, user_id
            for member in coordinators(roster):
                save_message(db, OutboxRow, ACTIVE_MAIL, {"school": school_id, "person": member.id}, now)
                told += 1
        connection.asked_at = now
        save_roster(db, school_id, answer, now)
        return LinkRequestCompleted(number=number, active_since=connection.activated_at, coordinators_told=told)
