"""What the status page shows: how things stand for the signed-in person's school, read in one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import COUNTS
from services.basispoort_hub.holds import CHOICES, REASONS, Choice, describe_held
from services.basispoort_hub.permissions import Consent, WireConnection, connection_of, read_consents
from services.basispoort_hub.places import Place, read_place, read_schools
from services.basispoort_hub.rosters import Layer, read_roster
from services.basispoort_hub.sign_in import read_signed_in
from services.basispoort_hub.tables import AccountRow, AppointmentRow, CoordinatorRow, EntryRow, HoldRow, SchoolRow
from services.basispoort_hub.teachers import count_accounts, read_invitations, read_teachers
from services.basispoort_hub.valid_roster import read_holds
from shared.brake import Cause, Held
from shared.database import reading
from shared.language import mark, say, say_count
from shared.problems import NotSignedIn
from shared.roster import Kind, Roster

BUTTONS = {
    Choice.TRANSFER: mark("Overzetten: het zijn dezelfde personen"),
    Choice.SAME_PERSON: mark("Zelfde persoon: laat de wijziging door"),
    Choice.OTHER_PERSON: mark("Iemand anders: geef een nieuw nummer"),
    Choice.LET_GO: mark("Loslaten: laat het doorgaan"),
    Choice.KEEP: mark("Vasthouden, 60 dagen"),
}


@dataclass(frozen=True, slots=True)
class OpenHold:
    """What the brake holds now: who, what would happen, why, and what can be decided; all said already."""

    id: int
    what: str  # 8 leerlingen zouden verdwijnen
    reason: str
    since: datetime
    kept_until: datetime | None
    people: Sequence[tuple[str, str]]  # name, what would happen
    choices: Sequence[tuple[Choice, str]]  # value, text of the button


@dataclass(frozen=True, slots=True)
class SchoolPicture:
    """One school, as its coordinator sees it."""

    name: str
    code: str
    number: int
    connection: WireConnection
    people: Mapping[str, int]  # kind -> how many in the valid roster
    accounts: Sequence[tuple[str, int]]  # state -> how many
    holds: Sequence[OpenHold]
    consents: Sequence[Consent]


@dataclass(frozen=True, slots=True)
class Overview:
    """Who is signed in, which schools she coordinates, the chosen one, where she works, what waits for her."""

    email: str
    schools: Sequence[tuple[str, str]]  # (code, name)
    own: SchoolPicture | None
    works_at: Sequence[str]
    invitations: Sequence[tuple[int, str]]
    place: Place | None  # for the menu; None for who works nowhere yet


def read_overview(engine: Engine, request: Request, chosen: str) -> Overview | None:
    """None for a stranger. `chosen` is the code of a school; anything else gives the first one."""
    with reading(engine) as db:
        try:
            account_id = read_signed_in(request, db).account_id
        except NotSignedIn:
            return None
        schools = db.scalars(
            select(SchoolRow)
            .join(CoordinatorRow, CoordinatorRow.school_id == SchoolRow.id)
            .where(CoordinatorRow.account_id == account_id)
            .order_by(SchoolRow.name)
        ).all()
        own = next((school for school in schools if school.code == chosen), schools[0] if schools else None)
        works_at = db.scalars(
            select(SchoolRow.name)
            .join(AppointmentRow, AppointmentRow.school_id == SchoolRow.id)
            .where(AppointmentRow.account_id == account_id, AppointmentRow.state == COUNTS)
            .order_by(SchoolRow.name)
        ).all()
        everywhere = read_schools(request, db)
        here = own.code if own is not None else everywhere[0][0] if everywhere else None
        return Overview(
            place=read_place(request, db, here) if here is not None else None,
            email=db.get_one(AccountRow, account_id).email,
            schools=[(school.code, school.name) for school in schools],
            own=_read_school(db, request, own) if own is not None else None,
            works_at=works_at,
            invitations=read_invitations(db, account_id),
        )


def _read_school(db: Session, request: Request, school: SchoolRow) -> SchoolPicture:
    rows = db.execute(
        select(EntryRow.kind, func.count())
        .where(EntryRow.school_id == school.id, EntryRow.layer == Layer.VALID)
        .group_by(EntryRow.kind)
    )
    counts = {Kind(kind): count for kind, count in rows}
    return SchoolPicture(
        name=school.name,
        code=school.code,
        number=school.id,
        connection=connection_of(school),
        people={kind.value: counts.get(kind, 0) for kind in Kind},
        accounts=count_accounts(read_teachers(db, school, request.app.state.links)),
        holds=_read_open_holds(db, school.id),
        consents=read_consents(db, school.id),
    )


def _read_open_holds(db: Session, school_id: int) -> list[OpenHold]:
    holds = read_holds(db, school_id)
    if not holds:
        return []
    valid, mirror = read_roster(db, school_id, Layer.VALID), read_roster(db, school_id, Layer.MIRROR)
    return [_open_hold(db.get_one(HoldRow, hold_id), held, valid, mirror) for hold_id, held in holds.items()]


def _open_hold(row: HoldRow, held: Held, valid: Roster, mirror: Roster) -> OpenHold:
    return OpenHold(
        id=row.id,
        what=_what(held),
        reason=say(REASONS[held.cause, held.kind]),
        since=row.opened_at,
        kept_until=row.kept_until,
        people=sorted(describe_held(held, valid, mirror)),
        choices=[(choice, say(BUTTONS[choice])) for choice in BUTTONS if _makes_sense(choice, held)],
    )


def _what(held: Held) -> str:
    count = len(held.keys)
    match held.cause, held.kind:
        case Cause.REMOVALS, Kind.PUPIL:
            return say_count("%(n)s leerling zou verdwijnen", "%(n)s leerlingen zouden verdwijnen", count)
        case Cause.REMOVALS, _:
            return say_count("%(n)s leerkracht zou verdwijnen", "%(n)s leerkrachten zouden verdwijnen", count)
        case Cause.SWAP, Kind.PUPIL:
            return say_count(
                "%(n)s leerling lijkt iemand anders te worden", "%(n)s leerlingen lijken iemand anders te worden", count
            )
        case Cause.SWAP, _:
            return say_count(
                "%(n)s leerkracht lijkt iemand anders te worden",
                "%(n)s leerkrachten lijken iemand anders te worden",
                count,
            )
        case Cause.ADDRESSES, _:
            return say_count(
                "%(n)s leerkracht zou een ander e-mailadres krijgen",
                "%(n)s leerkrachten zouden een ander e-mailadres krijgen",
                count,
            )
        case _:
            return say_count(
                "%(n)s leerkracht zou als ICT-coördinator een ander e-mailadres krijgen",
                "%(n)s leerkrachten zouden als ICT-coördinator een ander e-mailadres krijgen",
                count,
            )


def _makes_sense(choice: Choice, held: Held) -> bool:
    return choice in CHOICES[held.cause] and (choice is not Choice.TRANSFER or bool(held.newcomers))
