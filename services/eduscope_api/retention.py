"""Erases what has been kept long enough: people who left, old runs, sessions and attempts."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, or_, select
from sqlalchemy.orm import Session

from services.eduscope_api.people import KEPT
from services.eduscope_api.rosters import lock_school
from services.eduscope_api.tables import (
    AttemptRow,
    ChangeRow,
    ContactRow,
    FileKeyRow,
    ImportRow,
    PupilCompositeRow,
    PupilRow,
    RunRow,
    SchoolRow,
    SessionRow,
    StaffRoleRow,
    StaffRow,
    TeachingRow,
)
from shared.attempts import remove_old_attempts
from shared.clock import local_date
from shared.database import reading, writing
from shared.logs import log
from shared.roster import Kind

RUNS = timedelta(days=396)  # 13 months
IMPORTS = timedelta(days=1)
SESSIONS = timedelta(days=1)


def remove_expired(engine: Engine, now: datetime) -> int:
    """Leave only a tombstone (number and hash of the key) of people who left long ago; returns how many.

    A school at a time, each in its own transaction.
    """
    with reading(engine) as db:
        school_ids = db.scalars(select(SchoolRow.id).order_by(SchoolRow.id)).all()
    erased = sum(_clear_school(engine, school_id, now) for school_id in school_ids)
    with writing(engine) as db:
        db.execute(delete(SessionRow).where(SessionRow.expires_at < now - SESSIONS))
        remove_old_attempts(db, AttemptRow, now)
    if erased:
        log.info("people_erased", count=erased)
    return erased


def _clear_school(engine: Engine, school_id: int, now: datetime) -> int:
    gone_since = local_date(now) - KEPT
    with writing(engine) as db:
        lock_school(db, school_id)
        db.execute(delete(RunRow).where(RunRow.school_id == school_id, RunRow.started_at < now - RUNS))
        db.execute(delete(ImportRow).where(ImportRow.school_id == school_id, ImportRow.uploaded_at < now - IMPORTS))
        pupils = db.scalars(
            select(PupilRow).where(
                PupilRow.school_id == school_id, PupilRow.erased_at.is_(None), PupilRow.left_on <= gone_since
            )
        ).all()
        staff = db.scalars(
            select(StaffRow).where(
                StaffRow.school_id == school_id,
                StaffRow.erased_at.is_(None),
                or_(StaffRow.left_on <= gone_since, StaffRow.ends_on < gone_since),
            )
        ).all()
        for pupil in pupils:
            db.execute(delete(PupilCompositeRow).where(PupilCompositeRow.pupil_id == pupil.id))
            pupil.home_group_id = None
            _bury(db, Kind.PUPIL, pupil, now)
        for member in staff:
            db.execute(delete(StaffRoleRow).where(StaffRoleRow.staff_id == member.id))
            db.execute(delete(TeachingRow).where(TeachingRow.staff_id == member.id))
            db.execute(delete(ContactRow).where(ContactRow.staff_id == member.id))
            _bury(db, Kind.STAFF, member, now)
        return len(pupils) + len(staff)


def _bury(db: Session, kind: Kind, row: Any, now: datetime) -> None:
    own = (ChangeRow.school_id == row.school_id, ChangeRow.kind == kind, ChangeRow.subject_id == row.id)
    db.execute(delete(ChangeRow).where(*own))  # a history tells names too
    given = (FileKeyRow.school_id == row.school_id, FileKeyRow.kind == kind, FileKeyRow.person_id == row.id)
    db.execute(delete(FileKeyRow).where(*given))
    row.key = f"erased:{hashlib.sha256(row.key.encode()).hexdigest()}"
    row.first_name = row.prefix = row.last_name = row.initials = row.eck_id = None
    row.sort_name = ""
    row.erased_at = now
