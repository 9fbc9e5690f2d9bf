"""The general checks of the manual's fourth step: for programs, and for the command `schakel check`."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import ReadSchool
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.rules.readiness import Check, CheckLine, Finding, Weight, check_lines, findings
from services.eduscope_api.tables import SchoolRow
from shared.clock import local_date, now
from shared.database import ReadDb
from shared.wire.base import WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["school"])


class WireFinding(WireModel):
    """`link` is the page on which it can be mended."""

    weight: Weight = Field(alias="zwaarte")
    check: Check = Field(alias="controle")
    kind: str | None = Field(alias="soort")
    id: int | None
    name: str = Field(alias="naam")
    sentence: str = Field(alias="zin")
    link: str = Field(alias="koppeling")


class WireFindings(WireModel):
    errors: int = Field(alias="fouten")
    warnings: int = Field(alias="waarschuwingen")
    findings: Sequence[WireFinding] = Field(alias="bevindingen")


@router.get("/controles")
def show_findings(school: ReadSchool, db: ReadDb) -> WireFindings:
    """Errors, which forbid the Basispoort tick, and warnings, which are confirmed with their number."""
    return wire_findings(read_findings(db, school.id), school.code)


def read_findings(db: Session, school_id: int) -> list[Finding]:
    """What is not right at this school today, errors first."""
    return findings(read_picture(db, school_id), local_date(now()))


def read_findings_of(db: Session, code: str) -> list[Finding] | None:
    """The same for the school with this code, for the command; None when there is no such school."""
    school_id = db.scalar(select(SchoolRow.id).where(SchoolRow.code == code))
    return None if school_id is None else read_findings(db, school_id)


def read_check_lines(db: Session, school_id: int) -> list[CheckLine]:
    """Every check with what contradicts it, for a page."""
    picture, today = read_picture(db, school_id), local_date(now())
    return check_lines(picture, findings(picture, today), today)


def wire_findings(found: Sequence[Finding], code: str) -> WireFindings:
    errors = sum(finding.weight is Weight.ERROR for finding in found)
    return WireFindings(
        errors=errors, warnings=len(found) - errors, findings=[_wire(finding, code) for finding in found]
    )


def link_of(finding: Finding, code: str) -> str:
    """The page on which this can be mended."""
    return f"/scholen/{code}/{finding.place}"


def _wire(finding: Finding, code: str) -> WireFinding:
    return WireFinding(
        weight=finding.weight,
        check=finding.check,
        kind=finding.kind,
        id=finding.id,
        name=finding.name,
        sentence=finding.sentence,
        link=link_of(finding, code),
    )
