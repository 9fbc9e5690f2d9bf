"""School settings: the Basispoort switch with both sides' state, the pause, runs that people ask for."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import AllowedSchool, LockedSchool, Operator, OwnSchool, ReadSchool
from services.eduscope_api.checks import read_findings
from services.eduscope_api.domains import ANNOUNCEMENT
from services.eduscope_api.history import By, by_api, recording
from services.eduscope_api.hub_client import PERSON_WAITS_S, HubClient
from services.eduscope_api.nightly import School, announce_tick, preview, run_asked, shown_name
from services.eduscope_api.rules.history import Subject
from services.eduscope_api.rules.readiness import check_ready
from services.eduscope_api.runs import HISTORY, Outcome, WireRun, read_runs
from services.eduscope_api.tables import OutboxRow, SchoolRow
from shared.clock import local_date, now
from shared.database import Db, ReadDb, reading
from shared.language import mark, say
from shared.outbox import SendFailed, save_message
from shared.problems import Problem, UpstreamProblem
from shared.roster import kind_of
from shared.service_client import RemoteProblem
from shared.wire.base import Code, Day, Flag, Number, Text, WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["school"])
operator_router = APIRouter(prefix="/api/v1/operator/scholen", tags=["operator"])


# --- bodies -----------------------------------------------------------------------------------------------------------


class WireHubSide(WireModel):
    """What the hub says, as far as it can be reached."""

    reachable: bool = Field(alias="bereikbaar")
    is_on: bool | None = Field(alias="koppelingActief")
    administration: str | None = Field(alias="administratie")
    received_at: datetime | None = Field(alias="ontvangenOp")
    held: int | None = Field(alias="vastgehouden")
    sentence: str = Field(alias="zin")


class WireConnection(WireModel):
    """Both switches, and what is still awaited."""

    basispoort: bool
    ticked_at: datetime | None = Field(alias="aangevinktOp")
    paused_until: date | None = Field(alias="gepauzeerdTot")
    sentence: str = Field(alias="zin")
    hub: WireHubSide


class WireTick(WireModel):
    basispoort: Flag
    warnings_seen: Number | None = Field(None, alias="waarschuwingenGezien")


class WireTicked(WireModel):
    basispoort: bool
    ticked_at: datetime | None = Field(alias="aangevinktOp")
    sentence: str = Field(alias="zin")


class WirePause(WireModel):
    until: Day | None = Field(alias="tot")


class WireSchoolSettings(WireModel):
    name: Text = Field(alias="naam")


class WireAskedRun(WireModel):
    run: int
    outcome: Outcome = Field(alias="uitkomst")
    sentence: str = Field(alias="zin")
    counts: dict[str, Any] = Field(alias="aantallen")


class WirePreviewed(WireModel):
    what: str = Field(alias="wat")
    kind: str = Field(alias="soort")
    name: str = Field(alias="naam")


class WirePreview(WireModel):
    how: str = Field(alias="hoe")
    sentence: str = Field(alias="zin")
    entries: Sequence[WirePreviewed] = Field(alias="wie")


class WireRuns(WireModel):
    runs: Sequence[WireRun] = Field(alias="runs")


class WireNewSchool(WireModel):
    code: Code
    name: Text = Field(alias="naam")


class WireSchool(WireModel):
    id: int
    code: str
    name: str = Field(alias="naam")


# --- the tick --------------------------------------------------------------------------------------------------------


@router.put("/koppeling")
def save_tick(body: WireTick, school: LockedSchool, db: Db, request: Request) -> WireTicked:
    """Tick or untick Basispoort. A tick needs a school without errors, and the warnings confirmed with their number."""
    change_tick(db, school, body, by_api(request))
    return WireTicked(basispoort=school.basispoort_on, ticked_at=school.ticked_at, sentence=_tick_sentence(school))


@router.put("/koppeling/pauze", status_code=204)
def save_pause(body: WirePause, school: LockedSchool, db: Db, request: Request) -> None:
    """No nights until this date, for the summer; null: go on tonight."""
    change_pause(db, school, body, by_api(request))


@router.put("/instellingen", status_code=204)
def save_settings(body: WireSchoolSettings, school: LockedSchool, db: Db, request: Request) -> None:
    """The name of the school, as pages and mails say it. The code is the operator's."""
    change_name(db, school, body, by_api(request))


def change_tick(db: Session, school: SchoolRow, body: WireTick, by: By) -> None:
    """Tick or untick the (locked) school, and tell the hub. Raises NotReady."""
    if body.basispoort:
        check_ready(read_findings(db, school.id), body.warnings_seen)
    if school.basispoort_on != body.basispoort:
        with recording(db, school.id, Subject.SCHOOL, [school.id], by):
            school.basispoort_on = body.basispoort
            school.ticked_at = by.at
        save_message(db, OutboxRow, ANNOUNCEMENT, {"school": school.id}, by.at)


def change_pause(db: Session, school: SchoolRow, body: WirePause, by: By) -> None:
    with recording(db, school.id, Subject.SCHOOL, [school.id], by):
        school.paused_until = body.until


def change_name(db: Session, school: SchoolRow, body: WireSchoolSettings, by: By) -> None:
    with recording(db, school.id, Subject.SCHOOL, [school.id], by):
        school.name = body.name


@router.get("/koppeling")
def show_connection(school: AllowedSchool, request: Request) -> WireConnection:
    """Both sides' state. The hub is asked now, without a transaction; a silent hub is said calmly."""
    return ask_connection(request.app.state.engine, request.app.state.hub, school)


def ask_connection(engine: Engine, hub: HubClient, school: OwnSchool) -> WireConnection:
    with reading(engine) as db:
        row = db.get_one(SchoolRow, school.id)
        ticked_at, paused_until, sentence = row.ticked_at, row.paused_until, _tick_sentence(row)
    return WireConnection(
        basispoort=school.basispoort_on,
        ticked_at=ticked_at,
        paused_until=paused_until,
        sentence=sentence,
        hub=_ask_hub(hub, school.code),
    )


def _ask_hub(hub: HubClient, code: str) -> WireHubSide:
    nothing: dict[str, Any] = {"is_on": None, "administration": None, "received_at": None, "held": None}
    try:
        standing = hub.fetch_standing(code, timeout_s=PERSON_WAITS_S)
    except UpstreamProblem:
        sentence = say("Basispoort is op dit moment niet bereikbaar. Wat u hier invoert, blijft bewaard.")
        return WireHubSide(reachable=False, sentence=sentence, **nothing)
    except RemoteProblem as refused:
        sentences = {
            "wrong-school": mark("Basispoort wacht tot de coördinator onder Beheer voor EDUscope kiest."),
            "not-found": mark("Basispoort kent deze school nog niet."),
        }
        sentence = say(sentences.get(refused.remote_slug, mark("Basispoort wil nu geen antwoord geven.")))
        return WireHubSide(reachable=True, sentence=sentence, **{**nothing, "is_on": False})
    if standing.is_on:
        sentence = say("De koppeling is in Basispoort geactiveerd.")
    else:
        sentence = say(standing.waits_for or mark("De koppeling is in Basispoort nog niet geactiveerd."))
    return WireHubSide(
        reachable=True,
        is_on=standing.is_on,
        administration=standing.administration,
        received_at=standing.received_at,
        held=standing.held,
        sentence=sentence,
    )


def _tick_sentence(school: SchoolRow) -> str:
    if not school.basispoort_on:
        return say("De koppeling met Basispoort is in EDUscope niet aangevinkt.")
    if school.paused_until is not None and school.paused_until > local_date(now()):
        return say("De koppeling is aangevinkt, en gepauzeerd tot %(dag)s.", dag=f"{school.paused_until:%d-%m-%Y}")
    return say("De koppeling is aangevinkt. Gegevens gaan één keer per dag, om 00:00 uur, naar Basispoort.")


# --- runs -------------------------------------------------------------------------------------------------------------


@router.post("/koppeling/nu")
def submit_run(school: AllowedSchool, request: Request) -> WireAskedRun:
    """`Nu synchroniseren`: the same unit as at night, at once. Raises TooManyAttempts."""
    run, result = run_asked(request.app.state.engine, request.app.state.hub, for_night(school))
    return WireAskedRun(run=run, outcome=result.outcome, sentence=result.sentence, counts=result.counts)


@router.get("/koppeling/proef")
def show_preview(school: AllowedSchool, request: Request) -> WirePreview:
    """A dry run: what tonight would send, and about whom."""
    shown = preview(request.app.state.engine, request.app.state.hub, for_night(school))
    entries = [WirePreviewed(what=what, kind=kind_of(entry), name=shown_name(entry)) for what, entry in shown.entries]
    return WirePreview(how=shown.how, sentence=shown.sentence, entries=entries)


@router.get("/koppeling/nachten")
def show_runs(school: ReadSchool, db: ReadDb) -> WireRuns:
    """The history of runs, newest first."""
    return WireRuns(runs=read_runs(db, school.id, HISTORY))


def for_night(school: OwnSchool) -> School:
    return School(school.id, school.code, school.basispoort_on)


# --- the operator, and the message to the hub -------------------------------------------------------------------------


@operator_router.post("", status_code=201, dependencies=[Operator])
def save_school(body: WireNewSchool, db: Db) -> WireSchool:
    """Make a school, or give a known one its name."""
    row = db.scalar(select(SchoolRow).where(SchoolRow.code == body.code).with_for_update())
    if row is None:
        row = SchoolRow(code=body.code, name=body.name)
        db.add(row)
    row.name = body.name
    db.flush()
    return WireSchool(id=row.id, code=row.code, name=row.name)


def send_announcement(engine: Engine, hub: HubClient, body: dict[str, Any]) -> None:
    """Tell the hub how the tick stands now, not how it stood when the message was queued: an old one does no harm."""
    try:
        announce_tick(engine, hub, int(body["school"]))
    except Problem as problem:
        raise SendFailed(problem.title, permanent=False) from None
