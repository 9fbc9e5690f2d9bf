"""The hub's last usable answer about a school: fetch it, keep it, read it."""

from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.app_connector.hub_client import Answer, HubClient, InstitutionUnknown, PermissionMissing, parse_school
from services.app_connector.rules.people import HubRoster
from services.app_connector.tables import ConnectionRow, HubRosterRow, SchoolRow
from shared.clock import now as present
from shared.database import reading, writing
from shared.language import mark
from shared.problems import ConnectionInactive, Problem, UpstreamProblem

TROUBLE = {
    PermissionMissing: mark("Basispoort geeft geen toegang: de school heeft daar (nog) geen toestemming gegeven."),
    InstitutionUnknown: mark("Basispoort kent dit instellingsnummer niet."),
}
NO_ANSWER = mark("Basispoort gaf geen bruikbaar antwoord.")


class RosterMissing(Problem):
    status, slug, title = 409, "roster-missing", "Nothing has been fetched from Basispoort for this school yet"
    uitleg = "Er zijn nog geen gegevens uit Basispoort opgehaald."


def check_usable(roster: HubRoster) -> None:
    """A school without one pupil is a fault at the other side, never an order to remove them all."""
    if not roster.pupils:
        raise UpstreamProblem("basispoort_hub", retry=True, detail="the hub's answer holds no pupil at all")


def refresh_roster(engine: Engine, hub: HubClient, school_id: int) -> bool:
    """Ask the hub, conditionally, and keep what it says; answers whether it was new.

    Whatever is no usable answer leaves the kept roster alone, is remembered as trouble, and raised.
    """
    with reading(engine) as db:
        if db.get(ConnectionRow, school_id) is None:
            raise ConnectionInactive(school=school_id)
        etag = db.scalar(select(HubRosterRow.etag).where(HubRosterRow.school_id == school_id))
    try:
        answer = hub.fetch_school(school_id, etag)
        if answer is not None:
            check_usable(parse_school(answer.body))
    except Problem as problem:
        with writing(engine) as db:
            _lock_connection(db, school_id).trouble = TROUBLE.get(type(problem), NO_ANSWER)
        raise
    with writing(engine) as db:
        connection = _lock_connection(db, school_id)
        connection.asked_at, connection.trouble = present(), None
        if answer is not None:
            save_roster(db, school_id, answer, present())
    return answer is not None


def _lock_connection(db: Session, school_id: int) -> ConnectionRow:
    db.scalars(select(SchoolRow.id).where(SchoolRow.id == school_id).with_for_update()).one()
    return db.scalars(select(ConnectionRow).where(ConnectionRow.school_id == school_id)).one()


def save_roster(db: Session, school_id: int, answer: Answer, now: datetime) -> None:
    row = db.get(HubRosterRow, school_id)
    if row is None:
        db.add(HubRosterRow(school_id=school_id, etag=answer.etag, body=answer.body, fetched_at=now))
    else:
        row.etag, row.body, row.fetched_at = answer.etag, answer.body, now
    db.flush()


def read_roster(db: Session, school_id: int) -> HubRoster:
    """The kept roster. Raises RosterMissing."""
    body = db.scalar(select(HubRosterRow.body).where(HubRosterRow.school_id == school_id))
    if body is None:
        raise RosterMissing
    return parse_school(body)
