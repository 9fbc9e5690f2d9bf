"""The school's staff for its administration: who may read it before the link is on, and what it says."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from sqlalchemy.orm import Session

from services.basispoort_hub.accounts import read_staff_states
from services.basispoort_hub.coordinators import read_coordinators
from services.basispoort_hub.intake import AdministrationKey, read_administration, waits_for
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.rosters import Layer, read_people, read_roster
from services.basispoort_hub.sign_in import CurrentAccount, SignedIn, read_coordinated_school, read_signed_in
from services.basispoort_hub.tables import SchoolRow
from shared.clock import now as present
from shared.database import Db, reading
from shared.openapi import SessionCookie
from shared.problems import Problem, WrongSchool
from shared.roster import Kind
from shared.wire.base import Flag, WireModel
from shared.wire.rosters import ADMINISTRATION
from shared.wire.teachers import WireKnownMember, WireKnownStaff

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["beheer"])


class TeachersNotReadable(Problem):
    status, slug, title = 403, "teachers-not-readable", "The coordinator has not let the administration read the staff"
    uitleg = "De ICT-coördinator heeft in Basispoort nog niet toegestaan dat EDUscope de leerkrachtenlijst leest."


class WireReadable(WireModel):
    """PUT leerkrachtenlijst: may the administration read the list before the link is on?"""

    is_readable: Flag = Field(alias="leesbaar")


@router.put("/leerkrachtenlijst")
def submit_readable(code: str, body: WireReadable, request: Request, _account: CurrentAccount, db: Db) -> WireReadable:
    """The coordinator's slider *EDUscope mag onze leerkrachtenlijst lezen*."""
    save_readable(request, db, code, is_readable=body.is_readable)
    return body


def save_readable(request: Request, db: Session, code: str, *, is_readable: bool) -> None:
    """Raises NotFound, WrongSchool for a school that the signed-in person does not coordinate."""
    school = read_coordinated_school(request, db, code, lock=True)
    school.teachers_readable = is_readable


def _reader(request: Request, _key: AdministrationKey, _cookie: SessionCookie) -> SignedIn | str:
    with reading(request.app.state.engine) as db:
        if "authorization" in request.headers:
            return read_administration(request, db)
        return read_signed_in(request, db)


# Who reads a school's staff: a person who signed in, or (its name) an administration with its key.
StaffReader = Annotated[SignedIn | str, Depends(_reader)]


def check_readable(school: SchoolRow, administration: str) -> None:
    """May this administration read the staff? Raises WrongSchool, TeachersNotReadable."""
    if administration != (school.administration or ADMINISTRATION):
        raise WrongSchool
    if not school.teachers_readable and waits_for(school) is not None:
        raise TeachersNotReadable


def read_known_staff(db: Session, school: SchoolRow, links: LinkMaker) -> WireKnownStaff:
    """The staff of the valid roster by key, and coordinators whom the roster lacks by account.

    Whether an address is known elsewhere cannot be seen: an invitation looks like a first activation, and of a
    coordinator outside the roster it is only said that she is one.
    """
    roster = read_roster(db, school.id, Layer.VALID)
    people = read_people(db, school.id)
    states = read_staff_states(db, school.id, present(), links)
    found = []
    for key, member in sorted(roster.staff.items()):
        state = states.get(people[Kind.STAFF, key])
        without = "geen e-mailadres" if member.email is None else "gesloten"
        found.append(
            WireKnownMember(
                key=key,
                first_name=member.first_name,
                prefix=member.prefix,
                last_name=member.last_name,
                email=member.email,
                groups=sorted(
                    roster.groups[each].name
                    for each in member.home_groups | member.composite_groups
                    if each in roster.groups
                ),
                account=state.account if state is not None else without,
            )
        )
    listed = {member.email for member in roster.staff.values()}
    for _, name, email, _ in read_coordinators(db, school.id):
        if email not in listed:
            found.append(
                WireKnownMember(
                    key=None,
                    first_name=None,
                    prefix=None,
                    last_name=name,
                    email=email,
                    groups=[],
                    account="ICT-coördinator",
                )
            )
    return WireKnownStaff(staff=found)
