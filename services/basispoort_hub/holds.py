"""What the brake holds: show it to the coordinator, let it go or keep it, remind."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.basispoort_hub.rosters import Layer, read_roster
from services.basispoort_hub.sign_in import CurrentAccount, read_coordinated_school
from services.basispoort_hub.tables import HoldRow, OutboxRow, SchoolRow
from services.basispoort_hub.valid_roster import Decision, read_holds, settle
from shared.brake import Cause, Held
from shared.clock import now as present
from shared.database import Db, ReadDb, reading, writing
from shared.language import mark, say
from shared.outbox import save_message
from shared.problems import Problem
from shared.roster import Kind, Person, Roster
from shared.wire.base import RowId, WireModel

KEPT = timedelta(days=60)
REMINDED_EVERY = timedelta(days=1)

router = APIRouter(prefix="/api/v1/scholen/{code}/vastgehouden", tags=["vastgehouden"])


class Choice(StrEnum):
    LET_GO = "loslaten"
    KEEP = "vasthouden"
    TRANSFER = "overzetten"  # the held people go on under the new keys that seem to be theirs
    SAME_PERSON = "zelfde-persoon"
    OTHER_PERSON = "iemand-anders"


CHOICES = {
    Cause.REMOVALS: frozenset({Choice.LET_GO, Choice.KEEP, Choice.TRANSFER}),
    Cause.SWAP: frozenset({Choice.SAME_PERSON, Choice.OTHER_PERSON, Choice.KEEP}),
    Cause.ADDRESSES: frozenset({Choice.LET_GO, Choice.KEEP}),
    Cause.COORDINATOR: frozenset({Choice.LET_GO, Choice.KEEP}),
}

REASONS = {
    (Cause.REMOVALS, Kind.PUPIL): mark(
        "Zoveel leerlingen tegelijk verdwijnen zelden echt. Ze blijven staan tot u beslist."
    ),
    (
        Cause.REMOVALS,
        Kind.STAFF,
    ): mark("Zoveel leerkrachten tegelijk verdwijnen zelden echt. Ze blijven staan tot u beslist."),
    (Cause.SWAP, Kind.PUPIL): mark("Onder dezelfde sleutel staat nu een heel andere naam of een ander ECK iD."),
    (Cause.SWAP, Kind.STAFF): mark("Onder dezelfde sleutel staat nu een heel andere naam of een ander ECK iD."),
    (Cause.ADDRESSES, Kind.STAFF): mark(
        "Er wijzigen veel e-mailadressen tegelijk. De oude blijven gelden tot u bevestigt."
    ),
    (
        Cause.COORDINATOR,
        Kind.STAFF,
    ): mark("Het e-mailadres van een ICT-coördinator wijzigt alleen als een mens dat bevestigt."),
}


class ChoiceNotPossible(Problem):
    status, slug, title = 409, "choice-not-possible", "This hold does not know that choice"
    uitleg = "Deze keuze past niet bij wat er wordt vastgehouden."


class HoldGone(Problem):
    """Also for a number that this school never had."""

    status, slug, title = 404, "hold-gone", "This is not held any more"
    uitleg = "Hierover is al besloten, of het loste vanzelf op. Kijk op het overzicht wat er nu wordt vastgehouden."


class WireHeldPerson(WireModel):
    name: str = Field(alias="naam")
    would: str = Field(alias="watErZouGebeuren")


class WireHold(WireModel):
    id: int
    cause: str = Field(alias="oorzaak")
    kind: str = Field(alias="soort")
    reason: str = Field(alias="reden")
    opened_at: datetime = Field(alias="sinds")
    kept_until: datetime | None = Field(alias="vastgehoudenTot")
    people: list[WireHeldPerson] = Field(alias="personen")
    choices: list[str] = Field(alias="keuzes")


class WireDecision(WireModel):
    choice: Choice = Field(alias="besluit")


class WireOutcome(WireModel):
    """How many people of the school are still held."""

    held: int = Field(alias="vastgehouden")


@router.get("")
def show_holds(code: str, _account: CurrentAccount, request: Request, db: ReadDb) -> list[WireHold]:
    """Everything that is held for this school: per person what would happen, and why."""
    school = read_coordinated_school(request, db, code)
    valid, mirror = read_roster(db, school.id, Layer.VALID), read_roster(db, school.id, Layer.MIRROR)
    shown = []
    for hold_id, held in read_holds(db, school.id).items():
        row = db.get_one(HoldRow, hold_id)
        shown.append(
            WireHold(
                id=hold_id,
                cause=held.cause,
                kind=held.kind,
                reason=say(REASONS[held.cause, held.kind]),
                opened_at=row.opened_at,
                kept_until=row.kept_until,
                people=[
                    WireHeldPerson(name=name, would=would) for name, would in sorted(describe_held(held, valid, mirror))
                ],
                choices=sorted(CHOICES[held.cause]),
            )
        )
    return shown


def describe_held(held: Held, valid: Roster, mirror: Roster) -> list[tuple[str, str]]:
    """Per person the name and what would happen without the hold."""
    before, after = valid.of_kind(held.kind), mirror.of_kind(held.kind)
    found = [(_name(before, key), _consequence(held.cause)) for key in held.keys]
    return found + [(_name(after, key), say("staat klaar onder een nieuwe sleutel")) for key in held.newcomers]


def _name(people: Mapping[str, object], key: str) -> str:
    person = people.get(key)
    return person.full_name if isinstance(person, Person) else say("onbekend")


def _consequence(cause: Cause) -> str:
    return {
        Cause.REMOVALS: say("zou verdwijnen"),
        Cause.SWAP: say("zou iemand anders worden"),
        Cause.ADDRESSES: say("zou een ander e-mailadres krijgen"),
        Cause.COORDINATOR: say("zou een ander e-mailadres krijgen"),
    }[cause]


@router.post("/{hold_id}")
def submit_decision(
    code: str, hold_id: RowId, _account: CurrentAccount, body: WireDecision, request: Request, db: Db
) -> WireOutcome:
    """Decide about a whole hold; what follows from it happens in this transaction."""
    return WireOutcome(held=save_decision(request, db, code, hold_id, body.choice))


def save_decision(request: Request, db: Session, code: str, hold_id: int, choice: Choice) -> int:
    """Carry out what the coordinator decided; returns how many people of the school are still held.

    Raises NotFound for a school that is not hers, HoldGone, ChoiceNotPossible.
    """
    school = read_coordinated_school(request, db, code, lock=True)
    held = read_holds(db, school.id).get(hold_id)
    if held is None:
        raise HoldGone
    if choice not in CHOICES[held.cause]:
        raise ChoiceNotPossible(choices=sorted(CHOICES[held.cause]))
    now = present()
    if choice is Choice.KEEP:
        db.get_one(HoldRow, hold_id).kept_until = now + KEPT
    mirror = read_roster(db, school.id, Layer.MIRROR)
    settled = settle(db, school, mirror, now, request.app.state.links, decision=decision_of(choice, held))
    return settled.held_people


def decision_of(choice: Choice, held: Held) -> Decision:
    """What a choice lets flow."""
    match choice:
        case Choice.KEEP:
            return Decision()
        case Choice.TRANSFER:
            return Decision(transferred={held.kind: {old: new for new, old in held.newcomers.items()}})
        case Choice.OTHER_PERSON:
            return Decision(let_go=(held,), other_person={held.kind: held.keys})
        case _:
            return Decision(let_go=(held,))


def remind(engine: Engine, now: datetime) -> int:
    """Queue the daily reminder for every open hold; one that was kept asks again when its 60 days are over."""
    with reading(engine) as db:
        school_ids = sorted({row.school_id for row in _due_holds(db, now)})
    reminded = 0
    for school_id in school_ids:
        with writing(engine) as db:
            db.get_one(SchoolRow, school_id, with_for_update=True)  # so that no decision of this moment is overwritten
            for row in _due_holds(db, now):
                if row.school_id == school_id:
                    row.reminded_at, row.kept_until = now, None
                    save_message(db, OutboxRow, "hold-reminder", {"hold": row.id}, now)
                    reminded += 1
    return reminded


def _due_holds(db: Session, now: datetime) -> list[HoldRow]:
    open_ones = select(HoldRow).join(SchoolRow, SchoolRow.id == HoldRow.school_id).where(HoldRow.closed_at.is_(None))
    # the people of an invented school get no mail
    rows = db.scalars(open_ones.where(SchoolRow.sandbox_of.is_(None)).order_by(HoldRow.id))
    return [
        row
        for row in rows
        if (row.reminded_at or row.opened_at) <= now - REMINDED_EVERY
        and (row.kept_until is None or row.kept_until <= now)
    ]
