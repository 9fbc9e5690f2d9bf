"""The history of runs: what came of each, in words that an administrator understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.eduscope_api.hub_client import Standing
from services.eduscope_api.tables import RunRow
from shared.language import DUTCH, mark, say, say_count, speaking, spoken
from shared.problems import TooManyAttempts, UpstreamProblem
from shared.roster import Kind, Roster
from shared.service_client import RemoteProblem
from shared.wire.base import WireModel
from shared.wire.rosters import WireReceipt

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
    """What came of one run. `sentence` is Dutch, as it is kept; `counts` holds numbers only."""

    outcome: Outcome
    sentence: str
    counts: dict[str, Any] = field(default_factory=dict)
    hub_status: int | None = None
    hub_slug: str | None = None

    @property
    def failed(self) -> bool:
        return self.outcome in FAILURES

    @property
    def said(self) -> str:
        """The sentence in the language of the page."""
        return say_kept(self.outcome, self.sentence, self.counts)


EQUAL = Result(Outcome.EQUAL, mark("Basispoort heeft al precies deze gegevens; er hoefde niets te worden verstuurd."))
EMPTY = Result(
    Outcome.EMPTY,
    mark(
        "Er is niets verstuurd: in EDUscope staat voor deze school geen enkele actieve leerling. "
        "Controleer de gegevens."
    ),
)
NOT_TICKED = Result(
    Outcome.WAITS, mark("Er is niets verstuurd: in EDUscope is de koppeling met Basispoort nog niet aangevinkt.")
)
CRASHED = Result(
    Outcome.FAILED,
    mark("Er ging in EDUscope iets mis. Er is niets gewijzigd; de beheerder van EDUscope kan het nazien."),
)
_STARTED = mark("De run is begonnen.")
_NOT_ACTIVE = mark("Er is niets verstuurd: de koppeling is in Basispoort nog niet geactiveerd (Beheer, EDUscope).")
_HUB_SAYS = mark("Er is niets verstuurd. Basispoort meldt: %(reden)s")
_REFUSALS = {
    "caller-unknown": mark("Basispoort herkent EDUscope niet. De beheerder van EDUscope moet de sleutel nazien."),
    "not-found": mark("Basispoort kent deze school niet. Controleer de BRIN- en vestigingscode."),
    "roster-inconsistent": mark(
        "Basispoort nam de gegevens niet aan, omdat ze elkaar tegenspreken. Bekijk de controles."
    ),
    "roster-diverged": mark("De gegevens in Basispoort wijzigden tegelijkertijd; het wordt opnieuw geprobeerd."),
    "too-large": mark("Basispoort nam de gegevens niet aan, omdat het er te veel waren."),
}
_REFUSED = mark("Basispoort nam de gegevens niet aan.")
_TOO_LATE = mark("Basispoort gaf niet op tijd antwoord.")
_OUT_OF_REACH = mark("Basispoort was niet bereikbaar.")
_BROKEN = mark("Basispoort gaf een storing aan.")


def waiting(standing: Standing | None, refused: RemoteProblem | None = None) -> Result:
    """Nothing was sent, because the other switch is still off."""
    reason = standing.waits_for if standing is not None else None
    sentence = _HUB_SAYS % {"reden": reason} if reason else _NOT_ACTIVE
    return Result(Outcome.WAITS, sentence, {}, *_answer(refused))


def refusal(refused: RemoteProblem) -> Result:
    """The hub said no, and why."""
    if refused.remote_slug in {"connection-inactive", "wrong-school"}:
        return waiting(None, refused)
    sentence = _REFUSALS.get(refused.remote_slug, _REFUSED)
    objections = refused.remote_body.get("objections")
    counts = {"bezwaren": len(objections)} if isinstance(objections, list) else {}
    return Result(Outcome.REFUSED, sentence, counts, *_answer(refused))


def broken_road(problem: UpstreamProblem) -> Result:
    """The hub, or the road to it, failed."""
    if problem.status == 504:
        sentence = _TOO_LATE
    elif problem.status == 503:
        sentence = _OUT_OF_REACH
    else:
        sentence = _BROKEN
    status = problem.members.get("upstreamStatus")
    return Result(Outcome.FAILED, sentence, {}, status if isinstance(status, int) else None, problem.slug)


def received(outcome: Outcome, receipt: WireReceipt, roster: Roster) -> Result:
    """The hub took it in; the receipt says what changed there."""
    counts: dict[str, Any] = {
        "leerlingen": receipt.pupils.model_dump(),
        "leerkrachten": receipt.staff.model_dump(),
        "groepen": receipt.groups.model_dump(),
        "vastgehouden": receipt.held,
        "berichtenInWachtrij": receipt.queued_mails,
    }
    if outcome is Outcome.WHOLE:
        pupils, staff, groups = (len(roster.of_kind(kind)) for kind in (Kind.PUPIL, Kind.STAFF, Kind.GROUP))
        counts["verstuurd"] = {"leerlingen": pupils, "leerkrachten": staff, "groepen": groups}
    with speaking(DUTCH):  # what is kept is Dutch, whoever asked for this run
        sentence = _received(counts)
    return Result(outcome, sentence, counts, 200)


def _received(counts: Mapping[str, Any]) -> str:
    """What these counts say, in the language of the page."""
    what = _changes(counts) or say("in Basispoort veranderde er niets")
    if sent := counts.get("verstuurd"):
        said = say(
            "Alle gegevens zijn verstuurd (%(leerlingen)s leerlingen, %(leerkrachten)s personeelsleden, "
            "%(groepen)s groepen): %(wat)s.",
            **sent,
            wat=what,
        )
    else:
        said = say("De wijzigingen zijn verstuurd: %(wat)s.", wat=what)
    if held := counts["vastgehouden"]:
        said += " " + say("Basispoort houdt %(n)s wijziging(en) vast tot de ICT-coördinator ze heeft bekeken.", n=held)
    return said


def _changes(counts: Mapping[str, Any]) -> str:
    pupils, staff, groups = counts["leerlingen"], counts["leerkrachten"], counts["groepen"]
    new, changed, removed = "nieuw", "gewijzigd", "verwijderd"
    kinds = (
        (
            (pupils[new], say_count("%(n)s leerling nieuw", "%(n)s leerlingen nieuw", pupils[new])),
            (pupils[changed], say_count("%(n)s leerling gewijzigd", "%(n)s leerlingen gewijzigd", pupils[changed])),
            (pupils[removed], say_count("%(n)s leerling verwijderd", "%(n)s leerlingen verwijderd", pupils[removed])),
        ),
        (
            (staff[new], say_count("%(n)s personeelslid nieuw", "%(n)s personeelsleden nieuw", staff[new])),
            (
                staff[changed],
                say_count("%(n)s personeelslid gewijzigd", "%(n)s personeelsleden gewijzigd", staff[changed]),
            ),
            (
                staff[removed],
                say_count("%(n)s personeelslid verwijderd", "%(n)s personeelsleden verwijderd", staff[removed]),
            ),
        ),
        (
            (groups[new], say_count("%(n)s groep nieuw", "%(n)s groepen nieuw", groups[new])),
            (groups[changed], say_count("%(n)s groep gewijzigd", "%(n)s groepen gewijzigd", groups[changed])),
            (groups[removed], say_count("%(n)s groep verwijderd", "%(n)s groepen verwijderd", groups[removed])),
        ),
    )
    told = [", ".join(text for number, text in numbers if number) for numbers in kinds]
    return "; ".join(text for text in told if text)


def say_kept(outcome: str, sentence: str, counts: Mapping[str, Any]) -> str:
    """The sentence of a run in the language of the page: built anew of its counts, or it is one of ours or the hub's.

    A sentence that we do not say any more stays as it was kept.
    """
    if spoken() is DUTCH:
        return sentence
    if (outcome == Outcome.DELTA and counts) or (outcome == Outcome.WHOLE and "verstuurd" in counts):
        return _received(counts)
    start = _HUB_SAYS.partition("%")[0]
    if sentence.startswith(start):
        return say(_HUB_SAYS) % {"reden": say(sentence.removeprefix(start))}
    return say(sentence)


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
        sentence=_STARTED,
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
    return [
        WireRun(
            **{name: getattr(row, name) for name in WireRun.model_fields if name != "sentence"},
            sentence=say_kept(row.outcome, row.sentence, row.counts),
        )
        for row in rows
    ]
