"""Where a signed-in person stands: at which school, as whom, whom she can ask, and where else she could be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import COUNTS
from services.basispoort_hub.coordinators import read_coordinators
from services.basispoort_hub.intake import read_school
from services.basispoort_hub.rules.tiles import Viewer
from services.basispoort_hub.sign_in import read_signed_in
from services.basispoort_hub.tables import AccountRow, AppointmentRow, CoordinatorRow, SchoolEndRow, SchoolRow
from shared.problems import NotFound


@dataclass(frozen=True, slots=True)
class SchoolEnd:
    """The school closed, or went on in the one called `into`."""

    at: datetime
    into: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """One person at one school. `person_ids`: the numbers publishers know her by there."""

    account_id: int
    email: str
    school_id: int
    code: str
    name: str
    is_coordinator: bool
    person_ids: frozenset[int]
    schools: Sequence[tuple[str, str]]  # (code, name) of everywhere she works, this school too
    coordinators: Sequence[str]  # their names
    end: SchoolEnd | None

    @property
    def viewer(self) -> Viewer:
        return Viewer(is_staff=True, is_coordinator=self.is_coordinator)


def read_schools(request: Request, db: Session) -> Sequence[tuple[str, str]]:
    """(code, name) of every school where the signed-in person works or coordinates. Raises NotSignedIn."""
    return _read_schools(db, read_signed_in(request, db).account_id)


def read_user_name(request: Request, db: Session) -> str:
    """The address under which somebody is signed in. Raises NotSignedIn."""
    return db.get_one(AccountRow, read_signed_in(request, db).account_id).email


def read_place(request: Request, db: Session, code: str) -> Place:
    """Raises NotSignedIn, and NotFound for a school that does not exist as for one where she has no work."""
    account_id = read_signed_in(request, db).account_id
    school, schools = read_school(db, code), _read_schools(db, account_id)
    if school.code not in {known for known, _ in schools}:
        raise NotFound
    role = db.get(CoordinatorRow, (account_id, school.id))
    appointed = db.scalars(
        select(AppointmentRow.person_id).where(
            AppointmentRow.account_id == account_id,
            AppointmentRow.school_id == school.id,
            AppointmentRow.state == COUNTS,
        )
    )
    own = {role.person_id} if role is not None and role.person_id is not None else set()
    return Place(
        account_id=account_id,
        email=db.get_one(AccountRow, account_id).email,
        school_id=school.id,
        code=school.code,
        name=school.name,
        is_coordinator=role is not None,
        person_ids=frozenset(own | set(appointed)),
        schools=schools,
        coordinators=[name for _, name, _, _ in read_coordinators(db, school.id)],
        end=_read_end(db, school.id),
    )


def _read_end(db: Session, school_id: int) -> SchoolEnd | None:
    query = (
        select(SchoolEndRow.ended_at, SchoolRow.name)
        .outerjoin(SchoolRow, SchoolRow.id == SchoolEndRow.into_id)
        .where(SchoolEndRow.school_id == school_id)
    )
    found = db.execute(query).first()
    return SchoolEnd(*found) if found is not None else None


def read_managed_place(request: Request, db: Session, code: str) -> Place:
    """The same, for its coordinator only. Raises NotFound for everybody else."""
    place = read_place(request, db, code)
    if not place.is_coordinator:
        raise NotFound
    return place


def _read_schools(db: Session, account_id: int) -> Sequence[tuple[str, str]]:
    appointed = select(AppointmentRow.school_id).where(
        AppointmentRow.account_id == account_id, AppointmentRow.state == COUNTS
    )
    coordinated = select(CoordinatorRow.school_id).where(CoordinatorRow.account_id == account_id)
    query = (
        select(SchoolRow.code, SchoolRow.name)
        .where(SchoolRow.id.in_(appointed.union(coordinated)))
        .order_by(SchoolRow.name, SchoolRow.code)
    )
    return [(code, name) for code, name in db.execute(query)]
