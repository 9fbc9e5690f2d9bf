"""What an administrator sees first: the school, its counts, the checks and the last runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import Engine

from services.eduscope_api.administrators import OwnSchool, read_administrator, read_schools
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.rules.exchange import roster_of
from services.eduscope_api.rules.readiness import Finding, Weight, findings
from services.eduscope_api.runs import WireRun, read_runs
from shared.clock import local_date, now
from shared.database import reading

RUNS_SHOWN = 10
FINDINGS_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Overview:
    """`own` is None for an administrator without a school; the numbers are those that would travel today."""

    user_name: str
    schools: Sequence[tuple[str, str]]  # code and name, of all the administrator's schools
    own: OwnSchool | None = None
    groups: int = 0
    pupils: int = 0
    staff: int = 0
    errors: int = 0
    warnings: int = 0
    runs: Sequence[WireRun] = ()
    found: Sequence[Finding] = ()  # the first of the errors and warnings, errors first


def read_choices(engine: Engine, administrator_id: int | None) -> Sequence[tuple[str, str]]:
    """Code and name of the schools that somebody can switch between."""
    if administrator_id is None:
        return ()
    with reading(engine) as db:
        return [(row.code, row.name) for row in read_schools(db, administrator_id)]


def read_overview(engine: Engine, request: Request, code: str) -> Overview | None:
    """The overview of the school with this code, or of the first; None when nobody is signed in."""
    with reading(engine) as db:
        administrator = read_administrator(db, request)
        if administrator is None:
            return None
        rows = read_schools(db, administrator.id)
        schools = [(row.code, row.name) for row in rows]
        if not rows:
            return Overview(administrator.user_name, schools)
        row = next((row for row in rows if row.code == code), rows[0])
        picture = read_picture(db, row.id)
        today = local_date(now())
        roster, found = roster_of(picture, today), findings(picture, today)
        errors = sum(finding.weight is Weight.ERROR for finding in found)
        return Overview(
            administrator.user_name,
            schools,
            OwnSchool(row.id, row.code, row.name, row.basispoort_on),
            len(roster.groups),
            len(roster.pupils),
            len(roster.staff),
            errors,
            len(found) - errors,
            read_runs(db, row.id, RUNS_SHOWN),
            sorted(found, key=lambda finding: finding.weight is not Weight.ERROR)[:FINDINGS_SHOWN],
        )
