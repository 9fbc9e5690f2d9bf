"""A publisher and its permission at one school: read it, ask for it, hand it back.

Asking is the one GET here that writes, as the real interface has it. It never changes a no into a yes: it makes a task
and a mail for the coordinators, at most one open per school and publisher, and none within 30 days of their no.
"""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.basispoort_hub.intake import SchoolEnded
from services.basispoort_hub.permissions import save_consent
from services.basispoort_hub.post import read_coordinator_ids
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.tables import OutboxRow, PermissionRequestRow, PermissionRow, SchoolRow
from shared.clock import now as present
from shared.database import Db, reading, writing
from shared.outbox import save_message
from shared.problems import NotFound
from shared.wire.base import RowId
from shared.wire.schools import SynchronizationPermission

REST_AFTER_NO = timedelta(days=30)

router = APIRouter(prefix="/rest/v2/instellingen/{institution_id}/uitgever", tags=["uitgevers"])


@router.get("/synchronizationpermission")
def show_permission(
    institution_id: RowId,
    publisher: CallingPublisher,
    request: Request,
    ask: Annotated[bool, Query(alias="request-permission")] = False,
) -> SynchronizationPermission:
    """Has this institution given the caller permission? With `request-permission=true` it is asked, if it has not.

    Raises NotFound, and SchoolEnded when one is asked that has closed or merged.
    """
    engine: Engine = request.app.state.engine
    with reading(engine) as db:
        school = db.get(SchoolRow, institution_id)
        if school is None or school.sandbox_of not in {None, publisher}:
            raise NotFound
        given = has_permission(db, institution_id, publisher)
    if ask and not given:
        with writing(engine) as db:
            given = ask_permission(db, institution_id, publisher, present())
    return SynchronizationPermission(has_permission=given)


@router.delete("/synchronizationpermission", status_code=204)
def submit_handed_back(institution_id: RowId, publisher: CallingPublisher, db: Db) -> None:
    """The caller gives its permission back, or its request up; without either nothing happens."""
    school = db.scalar(select(SchoolRow).where(SchoolRow.id == institution_id).with_for_update())
    if school is None or school.sandbox_of not in {None, publisher}:
        raise NotFound
    save_consent(db, institution_id, publisher, None, given=False, now=present())


def has_permission(db: Session, school_id: int, publisher_id: int) -> bool:
    return (
        db.scalar(
            select(PermissionRow.id).where(
                PermissionRow.school_id == school_id,
                PermissionRow.publisher_id == publisher_id,
                PermissionRow.withdrawn_at.is_(None),
            )
        )
        is not None
    )


def ask_permission(db: Session, school_id: int, publisher_id: int, now: datetime) -> bool:
    """Make the request, unless one is open or the school just said no; returns whether there is permission by now.

    Raises SchoolEnded: nobody there would answer.
    """
    school = db.get_one(SchoolRow, school_id, with_for_update=True)
    if has_permission(db, school_id, publisher_id):
        return True
    if not school.is_active:
        raise SchoolEnded
    if _is_asked(db, school_id, publisher_id) or _said_no(db, school_id, publisher_id, now - REST_AFTER_NO):
        return False
    asked = PermissionRequestRow(school_id=school_id, publisher_id=publisher_id, asked_at=now)
    db.add(asked)
    db.flush()
    for account_id in read_coordinator_ids(db, school_id) if school.sandbox_of is None else ():
        save_message(db, OutboxRow, "consent-asked", {"request": asked.id, "account": account_id}, now)
    return False


def _is_asked(db: Session, school_id: int, publisher_id: int) -> bool:
    query = select(PermissionRequestRow.id).where(
        PermissionRequestRow.school_id == school_id,
        PermissionRequestRow.publisher_id == publisher_id,
        PermissionRequestRow.closed_at.is_(None),
    )
    return db.scalar(query) is not None


def _said_no(db: Session, school_id: int, publisher_id: int, since: datetime) -> bool:
    """Has a coordinator refused, or withdrawn, after `since`?"""
    refused = select(PermissionRequestRow.id).where(
        PermissionRequestRow.school_id == school_id,
        PermissionRequestRow.publisher_id == publisher_id,
        PermissionRequestRow.closed_how == "geweigerd",
        PermissionRequestRow.closed_at > since,
    )
    withdrawn = select(PermissionRow.id).where(
        PermissionRow.school_id == school_id,
        PermissionRow.publisher_id == publisher_id,
        PermissionRow.withdrawn_by.is_not(None),
        PermissionRow.withdrawn_at > since,
    )
    return db.scalar(refused.limit(1)) is not None or db.scalar(withdrawn.limit(1)) is not None
