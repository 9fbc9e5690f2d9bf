"""Schools that close, merge, or change their code: first told exactly, then carried out by the fingerprint of that.

Nobody's number changes. The old institution keeps its people and goes on answering, with actief false and
gefuseerdNaar; at the new school the same pupil has the number that school gave, and the ECK iD leads to it.
"""

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.intake import read_school
from services.basispoort_hub.operator_api import check_operator
from services.basispoort_hub.tables import FormerCodeRow, PersonRow, SchoolEndRow, SchoolRow
from shared.clock import now as present
from shared.database import Db
from shared.problems import Problem
from shared.roster import Kind
from shared.wire.base import Code, LongText, WireModel

router = APIRouter(prefix="/api/v1/operator", tags=["operator"], dependencies=[Depends(check_operator)])


class Step(StrEnum):
    CLOSE = "sluiten"
    MERGE = "fuseren"
    RECODE = "hernummeren"
    REOPEN = "terugdraaien"  # of closing and merging; a code is given back by giving the former one again


class CaseNotPossible(Problem):
    """Member `reden` says why, in Dutch."""

    status, slug, title = 409, "case-not-possible", "This cannot be done with this school as it is now"
    uitleg = "Dit kan niet met deze school zoals zij nu is. Er is niets gewijzigd."


class CaseChanged(Problem):
    """Members `stappen` and `vingerafdruk`: what would happen now."""

    status, slug, title = 409, "case-changed", "What would happen is not what was confirmed; nothing was done"
    uitleg = "Er zou nu iets anders gebeuren dan u bevestigde. Er is niets gewijzigd."


class WireCase(WireModel):
    """Without `vingerafdruk` nothing is done: the answer tells what would be."""

    step: Step = Field(alias="soort")
    to: Code | None = Field(None, alias="naar")  # the school merged into, or the new code
    reason: LongText = Field(alias="reden")
    confirmed: Annotated[str, StringConstraints(strict=True, pattern="^[0-9a-f]{64}$")] | None = Field(
        None,
        alias="vingerafdruk",
        examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    )


class WireOutcome(WireModel):
    """`stappen`: what happens, or happened, one sentence each."""

    done: bool = Field(alias="uitgevoerd")
    sentences: list[str] = Field(alias="stappen")
    fingerprint: str = Field(alias="vingerafdruk")


@router.post("/scholen/{code}/zaak")
def submit_case(code: str, body: WireCase, db: Db) -> WireOutcome:
    """Close, merge or recode a school, or take closing and merging back."""
    return carry_out(db, code, body, present())


def carry_out(db: Session, code: str, case: WireCase, now: datetime) -> WireOutcome:
    """Tell what would happen; do it when exactly that was confirmed. Raises NotFound, CaseNotPossible, CaseChanged."""
    school = _lock_schools(db, code, case)
    end = db.get(SchoolEndRow, school.id)
    into = _check(db, school, end, case)
    sentences = _tell(db, school, end, into, case)
    fingerprint = hashlib.sha256(json.dumps([school.id, case.step, str(case.to), sentences]).encode()).hexdigest()
    if case.confirmed is None:
        return WireOutcome(done=False, sentences=sentences, fingerprint=fingerprint)
    if case.confirmed != fingerprint:
        raise CaseChanged(stappen=sentences, vingerafdruk=fingerprint)
    match case.step:
        case Step.CLOSE | Step.MERGE:
            into_id = None if into is None else into.id
            db.add(SchoolEndRow(school_id=school.id, into_id=into_id, ended_at=now, reason=case.reason))
            school.is_active = school.connection_on = False
        case Step.REOPEN:
            db.delete(end)
            school.is_active = True
        case Step.RECODE:
            _give_code(db, school, str(case.to), now)
    rebuild_answers(db, school, now)
    return WireOutcome(done=True, sentences=sentences, fingerprint=fingerprint)


def _lock_schools(db: Session, code: str, case: WireCase) -> SchoolRow:
    """The school, locked; of a merger both schools, by number, so that two mergers never wait for each other."""
    if case.step is Step.MERGE and case.to is not None:
        ids = {read_school(db, each).id for each in (code, case.to)}
        db.execute(select(SchoolRow.id).where(SchoolRow.id.in_(ids)).order_by(SchoolRow.id).with_for_update())
        db.expire_all()  # what was read before the locks may be old
    return read_school(db, code, lock=True)


def _check(db: Session, school: SchoolRow, end: SchoolEndRow | None, case: WireCase) -> SchoolRow | None:
    """The school merged into, if that is what is asked."""
    if (case.to is None) is (case.step in {Step.MERGE, Step.RECODE}):
        raise CaseNotPossible(reden="Alleen bij fuseren en hernummeren hoort een andere code, en daar altijd.")
    if case.step is Step.REOPEN and end is None:
        raise CaseNotPossible(reden="De school is niet gesloten of gefuseerd.")
    if case.step in {Step.CLOSE, Step.MERGE} and end is not None:
        raise CaseNotPossible(reden="De school is al gesloten of gefuseerd.")
    if case.step is Step.MERGE:
        into = read_school(db, case.to or "")
        if into.id == school.id:
            raise CaseNotPossible(reden="Een school kan niet met zichzelf fuseren.")
        if db.get(SchoolEndRow, into.id) is not None:
            raise CaseNotPossible(reden="De andere school is zelf gesloten of gefuseerd.")
        return into
    if case.step is Step.RECODE:
        other = db.scalar(select(SchoolRow.id).where(SchoolRow.code == case.to))
        former = db.get(FormerCodeRow, case.to)
        if other is not None or (former is not None and former.school_id != school.id):
            raise CaseNotPossible(reden="Deze code is of was van een school.")
    if case.step is Step.CLOSE and db.scalar(select(SchoolEndRow.school_id).where(SchoolEndRow.into_id == school.id)):
        raise CaseNotPossible(reden="Een andere school is in deze opgegaan; fuseer deze school in plaats daarvan.")
    return None


def _tell(
    db: Session, school: SchoolRow, end: SchoolEndRow | None, into: SchoolRow | None, case: WireCase
) -> list[str]:
    """Exactly what will happen, in Dutch for the operator."""
    rows = db.execute(
        select(PersonRow.kind, func.count().label("number"))
        .where(PersonRow.school_id == school.id, PersonRow.left_at.is_(None))
        .group_by(PersonRow.kind)
    )
    counts = {row.kind: row.number for row in rows}
    people = f"{counts.get(Kind.PUPIL, 0)} leerlingen en {counts.get(Kind.STAFF, 0)} medewerkers"
    kept = f"De {people} van nummer {school.id} houden hun nummer."
    if case.step is Step.RECODE:
        return [
            f"De code van school {school.id} wordt {case.to} in plaats van {school.code}.",
            f"Onder {school.code} blijft de school te vinden.",
            kept,
        ]
    if case.step is Step.REOPEN and end is not None:
        where = "" if end.into_id is None else f" en gefuseerdNaar (nu {end.into_id}) weer leeg"
        return [
            f"School {school.id} ({school.code}) wordt weer actief{where}.",
            "De koppeling met de administratie blijft uit, tot de ICT-coördinator haar aanzet.",
            kept,
        ]
    sentences = [f"School {school.id} ({school.code}) krijgt actief: false."]
    if into is not None:
        sentences.append(f"Zij krijgt gefuseerdNaar: {into.id} ({into.code}).")
        also = db.scalar(select(func.count()).select_from(SchoolEndRow).where(SchoolEndRow.into_id == school.id)) or 0
        if also:
            sentences.append(f"Naar deze school verwijzen al {also} eerdere scholen; die verwijzingen blijven staan.")
    if school.connection_on:
        sentences.append("De koppeling met de administratie gaat uit.")
    return [*sentences, kept, "Uitgeverijen met toestemming lezen de gegevens zoals zij nu zijn, tot die vervalt."]


def _give_code(db: Session, school: SchoolRow, code: str, now: datetime) -> None:
    """The former code goes on leading here; one that is taken back is no former code any more."""
    if (back := db.get(FormerCodeRow, code)) is not None:
        db.delete(back)
        db.flush()
    db.add(FormerCodeRow(code=school.code, school_id=school.id, until=now))
    school.code = code
