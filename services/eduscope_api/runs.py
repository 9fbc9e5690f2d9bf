"""The history of runs: what came of each, in words that an administrator understands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.eduscope_api.hub_client import Standing
from services.eduscope_api.tables import RunRow
from shared.problems import TooManyAttempts, UpstreamProblem
from shared.roster import Kind, Roster
from shared.service_client import RemoteProblem
from shared.wire.base import WireModel
from shared.wire.rosters import WireChanges, WireReceipt

ASKED_WINDOW = timedelta(minutes=10)
ASKED_AT_MOST = 10  # runs that people ask for, per school and window
HISTORY = 60


class Outcome(StrEnum):
    RUNNING = "bezig"
    EQUAL = "gelijk"
    DELTA = "verschil"
    WHOLE = "alles"
    WAITS = "wacht"  # one of the two switches is off
    EMPTY = "leeg"  # our own roster has nobody in it
    REFUSED = "geweigerd"
    FAILED = "mislukt"


FAILURES = frozenset({Outcome.EMPTY, Outcome.REFUSED, Outcome.FAILED})


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one run. `counts` holds numbers only."""

    outcome: Outcome
    sentence: str
    counts: dict[str, Any] = field(default_factory=dict)
    hub_status: int | None = None
    hub_slug: str | None = None

    @property
    def failed(self) -> bool:
        return self.outcome in FAILURES


EQUAL = Result(Outcome.EQUAL, "Basispoort heeft al precies deze gegevens; er hoefde niets te worden verstuurd.")
EMPTY = Result(
    Outcome.EMPTY,
    "Er is niets verstuurd: in EDUscope staat voor deze school geen enkele actieve leerling. Controleer de gegevens.",
)
NOT_TICKED = Result(
    Outcome.WAITS, "Er is niets verstuurd: in EDUscope is de koppeling met Basispoort nog niet aangevinkt."
)
CRASHED = Result(
    Outcome.FAILED, "Er ging in EDUscope iets mis. Er is niets gewijzigd; de beheerder van EDUscope kan het nazien."
)
_REFUSALS = {
    "caller-unknown": "Basispoort herkent EDUscope niet. De beheerder van EDUscope moet de sleutel nazien.",
    "not-found": "Basispoort kent deze school niet. Controleer de BRIN- en vestigingscode.",
    "roster-inconsistent": "Basispoort nam de gegevens niet aan, omdat ze elkaar tegenspreken. Bekijk de controles.",
    "roster-diverged": "De gegevens in Basispoort wijzigden tegelijkertijd; het wordt opnieuw geprobeerd.",
    "too-large": "Basispoort nam de gegevens niet aan, omdat het er te veel waren.",
}


def waiting(standing: Standing | None, refused: RemoteProblem | None = None) -> Result:
    """Nothing was sent, because the other switch is still off."""
    reason = standing.waits_for if standing is not None else None
    sentence = "Er is niets verstuurd: de koppeling is in Basispoort nog niet geactiveerd (Beheer, EDUscope)."
    if reason:
        sentence = f"Er is niets verstuurd. Basispoort meldt: {reason}"
    return Result(Outcome.WAITS, sentence, {}, *_answer(refused))


def refusal(refused: RemoteProblem) -> Result:
    """The hub said no, and why."""
    if refused.remote_slug in {"connection-inactive", "wrong-school"}:
        return waiting(None, refused)
    sentence = _REFUSALS.get(refused.remote_slug, "Basispoort nam de gegevens niet aan.")
    objections = refused.remote_body.get("objections")
    counts = {"bezwaren": len(objections)} if isinstance(objections, list) else {}
    return Result(Outcome.REFUSED, sentence, counts, *_answer(refused))


def broken_road(problem: UpstreamProblem) -> Result:
    """The hub, or the road to it, failed."""
    if problem.status == 504:
        sentence = "Basispoort gaf niet op tijd antwoord."
    elif problem.status == 503:
        sentence = "Basispoort was niet bereikbaar."
    else:
        sentence = "Basispoort gaf een storing aan."
    status = problem.members.get("upstreamStatus")
    return Result(Outcome.FAILED, sentence, {}, status if isinstance(status, int) else None, problem.slug)


def received(outcome: Outcome, receipt: WireReceipt, roster: Roster) -> Result:
    """The hub took it in; the receipt says what changed there."""
    parts = [
        text
        for word, plural, changed in (
            ("leerling", "leerlingen", receipt.pupils),
            ("personeelslid", "personeelsleden", receipt.staff),
            ("groep", "groepen", receipt.groups),
        )
        if (text := _changes(word, plural, changed))
    ]
    what = "; ".join(parts) or "in Basispoort veranderde er niets"
    if outcome is Outcome.WHOLE:
        sentence = f"Alle gegevens zijn verstuurd ({_size(roster)}): {what}."
    else:
        sentence = f"De wijzigingen zijn verstuurd: {what}."
    if receipt.held:
        sentence += f" Basispoort houdt {receipt.held} wijziging(en) vast tot de ICT-coördinator ze heeft bekeken."
    counts = {
        "leerlingen": receipt.pupils.model_dump(),
        "leerkrachten": receipt.staff.model_dump(),
        "groepen": receipt.groups.model_dump(),
        "vastgehouden": receipt.held,
        "berichtenInWachtrij": receipt.queued_mails,
    }
    return Result(outcome, sentence, counts, 200)


def _size(roster: Roster) -> str:
    pupils, staff, groups = (len(roster.of_kind(kind)) for kind in (Kind.PUPIL, Kind.STAFF, Kind.GROUP))
    return f"{pupils} leerlingen, {staff} personeelsleden, {groups} groepen"


def _changes(word: str, plural: str, changed: WireChanges) -> str:
    numbers = ((changed.new, "nieuw"), (changed.changed, "gewijzigd"), (changed.removed, "verwijderd"))
    said = [f"{number} {word if number == 1 else plural} {what}" for number, what in numbers if number]
    return ", ".join(said)


def _answer(refused: RemoteProblem | None) -> tuple[int | None, str | None]:
    return (refused.remote_status, refused.remote_slug) if refused is not None else (None, None)


def save_run(
    db: Session,
    school_id: int,
    result: Result,
    started_at: datetime,
    ended_at: datetime,
    *,
    night: date,
    attempt: int,
    next_attempt_at: datetime | None,
) -> int:
    """Keep what came of a night's attempt; returns the id of the run."""
    row = RunRow(school_id=school_id, started_at=started_at, night=night, attempt=attempt)
    _fill(row, result, ended_at)
    row.next_attempt_at = next_attempt_at
    db.add(row)
    db.flush()
    return row.id


def save_asked_run(db: Session, school_id: int, now: datetime) -> int:
    """Begin a run that a person asked for; returns its id. Raises TooManyAttempts. The school's row is locked."""
    since = now - ASKED_WINDOW
    asked = db.scalars(
        select(RunRow.started_at)
        .where(RunRow.school_id == school_id, RunRow.night.is_(None), RunRow.started_at > since)
        .order_by(RunRow.started_at)
    ).all()
    if len(asked) >= ASKED_AT_MOST:
        wait = int((asked[len(asked) - ASKED_AT_MOST] - since).total_seconds()) + 1
        raise TooManyAttempts(headers={"Retry-After": str(wait)})
    row = RunRow(
        school_id=school_id,
        started_at=now,
        attempt=1,
        outcome=Outcome.RUNNING,
        sentence="De run is begonnen.",
        counts={},
    )
    db.add(row)
    db.flush()
    return row.id


def save_result(db: Session, run_id: int, result: Result, ended_at: datetime) -> None:
    _fill(db.get_one(RunRow, run_id), result, ended_at)


def _fill(row: RunRow, result: Result, ended_at: datetime) -> None:
    row.took_ms = round((ended_at - row.started_at).total_seconds() * 1000)
    row.outcome, row.sentence, row.counts = result.outcome, result.sentence, result.counts
    row.hub_status, row.hub_slug = result.hub_status, result.hub_slug


def read_last_attempts(db: Session, night: date) -> dict[int, RunRow]:
    """School id -> its last attempt of this night."""
    last = (
        select(RunRow.school_id, func.max(RunRow.attempt).label("attempt"))
        .where(RunRow.night == night)
        .group_by(RunRow.school_id)
        .subquery()
    )
    rows = db.scalars(
        select(RunRow)
        .join(last, (RunRow.school_id == last.c.school_id) & (RunRow.attempt == last.c.attempt))
        .where(RunRow.night == night)
    )
    return {row.school_id: row for row in rows}


class WireRun(WireModel):
    """One run in the history of a school."""

    night: date | None = Field(alias="nacht")
    attempt: int = Field(alias="poging")
    started_at: datetime = Field(alias="begonnenOp")
    took_ms: int | None = Field(alias="duurMs")
    outcome: Outcome = Field(alias="uitkomst")
    sentence: str = Field(alias="zin")
    counts: dict[str, Any] = Field(alias="aantallen")
    hub_status: int | None = Field(alias="antwoordStatus")
    hub_slug: str | None = Field(alias="antwoordSoort")
    next_attempt_at: datetime | None = Field(alias="volgendePogingOp")


def read_runs(db: Session, school_id: int, most: int = HISTORY) -> Sequence[WireRun]:
    """The latest runs of one school, newest first."""
    rows = db.scalars(select(RunRow).where(RunRow.school_id == school_id).order_by(RunRow.id.desc()).limit(most))
    return [WireRun(**{name: getattr(row, name) for name in WireRun.model_fields}) for row in rows]
