"""The tab Leerkrachten: who is known here, under which address, with which groups; links sent again; invitations."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import WAITS, AccountBook
from services.basispoort_hub.accounts import AccountState, place_coordinator, read_staff_states
from services.basispoort_hub.answers import rebuild_answers
from services.basispoort_hub.coordinators import read_coordinators
from services.basispoort_hub.domains import read_announced_domains
from services.basispoort_hub.intake import read_school
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.rosters import Layer, read_people, read_roster
from services.basispoort_hub.rules.accounts import Accepted, Appointment, LinkAsked, State
from services.basispoort_hub.sign_in import CurrentAccount, read_coordinated_school, read_signed_in
from services.basispoort_hub.staff_list import StaffReader, check_readable, read_known_staff
from services.basispoort_hub.tables import AppointmentRow, PersonRow, SchoolRow
from shared.clock import now as present
from shared.database import Db, ReadDb
from shared.language import mark
from shared.problems import NotFound, Problem
from shared.roster import Kind, Roster, StaffMember
from shared.wire.base import RowId, WireModel
from shared.wire.teachers import WireKnownStaff

router = APIRouter(prefix="/api/v1", tags=["leerkrachten"])


class NoAddress(Problem):
    status, slug, title = 409, "no-address", "This member of staff has no account to activate"
    uitleg = "Deze leerkracht heeft geen e-mailadres, of is niet meer in dienst. Er is niets verstuurd."


class AccountActive(Problem):
    status, slug, title = 409, "account-active", "This account is already active"
    uitleg = "Dit account is al actief. Er is geen activatielink nodig."


class WireLink(WireModel):
    """What became of the last link: in wachtrij, verstuurd, geweigerd, verlopen, gebruikt."""

    state: str = Field(alias="stand")
    at: datetime | None = Field(alias="op")
    until: datetime | None = Field(alias="geldigTot")


class WireTeacher(WireModel):
    """One member of staff. The address is the user name."""

    id: int
    name: str = Field(alias="naam")
    email: str | None = Field(alias="emailadres")
    groups: list[str] = Field(alias="groepen")
    roles: list[str] = Field(alias="rollen")
    account: str  # uitnodiging verstuurd, actief, gesloten, geen e-mailadres
    link: WireLink | None = Field(alias="activatielink")


class WireCoordinator(WireModel):
    name: str = Field(alias="naam")
    email: str = Field(alias="emailadres")
    is_active: bool = Field(alias="actief")


class WireTeachers(WireModel):
    teachers: list[WireTeacher] = Field(alias="leerkrachten")
    coordinators: list[WireCoordinator] = Field(alias="ictCoordinatoren")


class WireInvitation(WireModel):
    """A school at which the signed-in person may start to work under this account."""

    id: int
    school: str


@dataclass(frozen=True, slots=True)
class StaffPicture:
    """The tab as its coordinator sees it. `domains`: (old, new) of every announced change of mail domain."""

    teachers: Sequence[WireTeacher]
    accounts: Sequence[tuple[str, int]]
    coordinators: Sequence[WireCoordinator]
    is_readable: bool
    domains: Sequence[tuple[str, str]]


@router.get("/scholen/{code}/leerkrachten")
def show_teachers(code: str, request: Request, reader: StaffReader, db: ReadDb) -> WireTeachers | WireKnownStaff:
    """Every member of staff of the school, with the state of the account.

    For a coordinator with a session; and for the administration with its key, when the coordinator has allowed that
    (teachers-not-readable otherwise) or the link is on.
    """
    if isinstance(reader, str):
        known = read_school(db, code)
        check_readable(known, reader)
        return read_known_staff(db, known, request.app.state.links)
    school = read_coordinated_school(request, db, code)
    teachers = read_teachers(db, school, request.app.state.links)
    return WireTeachers(teachers=teachers, coordinators=_read_coordinators(db, school.id))


def _read_coordinators(db: Session, school_id: int) -> list[WireCoordinator]:
    return [
        WireCoordinator(name=name, email=email, is_active=state == State.ACTIVE)
        for _, name, email, state in read_coordinators(db, school_id)
    ]


def read_staff_picture(db: Session, school_id: int, links: LinkMaker) -> StaffPicture:
    """Everything on the tab."""
    school = db.get_one(SchoolRow, school_id)
    teachers = read_teachers(db, school, links)
    return StaffPicture(
        teachers=teachers,
        accounts=count_accounts(teachers),
        coordinators=_read_coordinators(db, school_id),
        is_readable=school.teachers_readable,
        domains=sorted(read_announced_domains(db, school_id)),
    )


def count_accounts(teachers: Sequence[WireTeacher]) -> Sequence[tuple[str, int]]:
    """(state, how many) of the accounts."""
    return sorted(Counter(teacher.account for teacher in teachers).items())


def read_teachers(db: Session, school: SchoolRow, links: LinkMaker) -> list[WireTeacher]:
    """The staff of the valid roster by name, each with account and link."""
    roster = read_roster(db, school.id, Layer.VALID)
    people = read_people(db, school.id)
    states = read_staff_states(db, school.id, present(), links)
    found = []
    for key, member in roster.staff.items():
        person_id = people[Kind.STAFF, key]
        found.append(_teacher(person_id, member, roster, states.get(person_id)))
    return sorted(found, key=lambda teacher: (teacher.name.casefold(), teacher.id))


def _teacher(person_id: int, member: StaffMember, roster: Roster, state: AccountState | None) -> WireTeacher:
    keys = member.home_groups | member.composite_groups
    link = None
    if state is not None and state.link is not None:
        link = WireLink(state=state.link, at=state.link_at, until=state.link_until)
    without = mark("geen e-mailadres") if member.email is None else mark("gesloten")
    return WireTeacher(
        id=person_id,
        name=member.full_name,
        email=member.email,
        groups=sorted(roster.groups[key].name for key in keys if key in roster.groups),
        roles=sorted(member.roles),
        account=state.account if state is not None else without,
        link=link,
    )


@router.post("/scholen/{code}/leerkrachten/{person_id}/activatielink", status_code=202)
def submit_link_again(code: str, person_id: RowId, request: Request, _account: CurrentAccount, db: Db) -> None:
    """Send the activation link, or the invitation, again."""
    save_link_again(request, db, code, person_id)


def save_link_again(request: Request, db: Session, code: str, person_id: int) -> None:
    """Queue the mail to this member of staff of the coordinator's school. Raises NotFound, NoAddress, AccountActive."""
    school = read_coordinated_school(request, db, code, lock=True)
    person = db.scalar(
        select(PersonRow.id).where(
            PersonRow.id == person_id, PersonRow.school_id == school.id, PersonRow.kind == Kind.STAFF
        )
    )
    if person is None:
        raise NotFound
    book = AccountBook(db, present(), request.app.state.links)
    book.open_by(people=[person_id])
    email = book.address_of(person_id)
    account = book.account(email) if email is not None else None
    if email is None or account is None:
        raise NoAddress
    one = Appointment(school.id, person_id)
    if one in account.counting and account.state is State.ACTIVE:
        raise AccountActive
    book.happen(email, LinkAsked(one))


@router.get("/uitnodigingen")
def show_invitations(account: CurrentAccount, db: ReadDb) -> list[WireInvitation]:
    """Which schools wait for the signed-in person to accept."""
    return [WireInvitation(id=number, school=name) for number, name in read_invitations(db, account.account_id)]


def read_invitations(db: Session, account_id: int) -> Sequence[tuple[int, str]]:
    """(number, name of the school) of every appointment that waits for this account, at schools that still exist."""
    rows = db.execute(
        select(AppointmentRow.person_id, SchoolRow.name)
        .join(SchoolRow, SchoolRow.id == AppointmentRow.school_id)
        .where(AppointmentRow.account_id == account_id, AppointmentRow.state == WAITS, SchoolRow.is_active.is_(True))
        .order_by(AppointmentRow.person_id)
    )
    return [(number, name) for number, name in rows]


@router.post("/uitnodigingen/{number}/aanvaarden", status_code=204)
def submit_acceptance(number: RowId, request: Request, _account: CurrentAccount, db: Db) -> None:
    """Accept a school: from now on the account counts there too. Raises NotFound for what is not one's own."""
    accept(db, read_signed_in(request, db).account_id, number, request.app.state.links)


def accept(db: Session, account_id: int, number: int, links: LinkMaker) -> None:
    """The signed-in person accepts the appointment of this number. Accepting twice is accepting once."""
    appointment = db.execute(
        select(AppointmentRow.school_id, AppointmentRow.state).where(
            AppointmentRow.person_id == number, AppointmentRow.account_id == account_id
        )
    ).first()
    if appointment is None:
        raise NotFound
    if appointment.state == WAITS:
        school = select(SchoolRow.is_active).where(SchoolRow.id == appointment.school_id)
        if not db.scalar(school.with_for_update()):
            raise NotFound  # the school closed or merged while the page was open
        now = present()
        book = AccountBook(db, now, links)
        email = book.open_one(account_id)
        one = Appointment(appointment.school_id, number)
        account = book.account(email) if email is not None else None
        if email is None or account is None or one not in account.waiting:
            raise NotFound  # it ended, or was accepted, while we waited for the lock
        book.happen(email, Accepted(one))
        place_coordinator(db, book, email, one, now)
        rebuild_answers(db, db.get_one(SchoolRow, one.school), now)
