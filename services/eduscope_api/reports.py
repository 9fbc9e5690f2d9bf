"""The two check lists of the manual's first step: staff with their contact details, and staff per group."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.administrators import ReadSchool
from services.eduscope_api.page_words import role_words
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.rules.contacts import ContactKind
from services.eduscope_api.rules.exchange import Picture
from services.eduscope_api.spreadsheets import MEDIA, Format, csv_bytes, download, xlsx_bytes
from services.eduscope_api.tables import ContactRow, SchoolRow, StaffRow
from shared.browser import say_time
from shared.clock import local_date, now
from shared.database import ReadDb
from shared.language import mark, named_language, say, speaking
from shared.roster import full_name
from shared.wire.base import WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/rapportages", tags=["rapportages"])

CONTACT_HEADINGS = (
    mark("Naam"),
    mark("Functie"),
    mark("E-mail voor Basispoort"),
    mark("Andere e-mailadressen"),
    mark("Telefoon"),
    mark("Groepen"),
)
TEACHING_HEADINGS = (mark("Groep"), mark("Leerjaar"), mark("Docent"), mark("E-mail voor Basispoort"))
Details = Mapping[int, Sequence[tuple[str, str, bool]]]  # row number of a member -> kind, value, for Basispoort


class WireContact(WireModel):
    """`email` is the address marked for Basispoort; `emails` and `phones` are all there are."""

    id: int
    name: str = Field(alias="naam")
    roles: Sequence[str] = Field(alias="functies")
    email: str | None = Field(alias="emailadres")
    emails: Sequence[str] = Field(alias="emailadressen")
    phones: Sequence[str] = Field(alias="telefoonnummers")
    groups: Sequence[str] = Field(alias="groepen")


class WireContacts(WireModel):
    made_at: datetime = Field(alias="gemaaktOp")
    staff: Sequence[WireContact] = Field(alias="personeel")


class WireTeacher(WireModel):
    id: int
    name: str = Field(alias="naam")
    email: str | None = Field(alias="emailadres")


class WireTaughtGroup(WireModel):
    id: int
    name: str = Field(alias="groep")
    year: str | None = Field(alias="jaargroep")
    teachers: Sequence[WireTeacher] = Field(alias="leerkrachten")


class WireTeaching(WireModel):
    made_at: datetime = Field(alias="gemaaktOp")
    groups: Sequence[WireTaughtGroup] = Field(alias="groepen")


AsFile = Annotated[Format | None, Query(alias="formaat", description="As a file for a spreadsheet instead of JSON.")]
InLanguage = Annotated[
    Literal["nl", "en"],
    Query(alias="taal", description="The language of a file: of its headings and of our own words in it."),
]
_PACKAGE = "services.eduscope_api"
_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {each.partition(";")[0]: {} for each in MEDIA.values()}}}


@router.get("/contactgegevens", response_model=WireContacts, responses=_FILES)
def show_contacts(
    school: ReadSchool, db: ReadDb, kind: AsFile = None, language: InLanguage = "nl"
) -> WireContacts | Response:
    """The contact details of all staff that work here now, with their e-mail addresses."""
    report = read_contact_report(db, school.id)
    if kind is None:
        return report
    with speaking(named_language(language, _PACKAGE)):
        rows = [contact_cells(contact) for contact in report.staff]
        title = say("Contactgegevens personeel")
        return _file(kind, "contactgegevens", title, CONTACT_HEADINGS, rows, school, report.made_at)


@router.get("/leerkrachten-per-groep", response_model=WireTeaching, responses=_FILES)
def show_teaching(
    school: ReadSchool, db: ReadDb, kind: AsFile = None, language: InLanguage = "nl"
) -> WireTeaching | Response:
    """Who is tied to which groups; groups without anybody are shown too."""
    report = read_teaching_report(db, school.id)
    if kind is None:
        return report
    rows = [cells for group in report.groups for cells in teaching_cells(group)]
    with speaking(named_language(language, _PACKAGE)):
        title = say("Leerkrachten per groep")
        return _file(kind, "leerkrachten-per-groep", title, TEACHING_HEADINGS, rows, school, report.made_at)


def read_contact_report(db: Session, school_id: int) -> WireContacts:
    made_at = now()
    staff = build_contacts(read_picture(db, school_id), _read_details(db, school_id), made_at)
    return WireContacts(made_at=made_at, staff=staff)


def read_teaching_report(db: Session, school_id: int) -> WireTeaching:
    made_at = now()
    return WireTeaching(made_at=made_at, groups=build_teaching(read_picture(db, school_id), made_at))


def _read_details(db: Session, school_id: int) -> Details:
    rows = db.execute(
        select(ContactRow.staff_id, ContactRow.kind, ContactRow.value, ContactRow.for_basispoort)
        .join(StaffRow, StaffRow.id == ContactRow.staff_id)
        .where(StaffRow.school_id == school_id)
        .order_by(ContactRow.id)
    )
    found: dict[int, list[tuple[str, str, bool]]] = {}
    for staff_id, kind, value, for_basispoort in rows:
        found.setdefault(staff_id, []).append((kind, value, for_basispoort))
    return found


def build_contacts(picture: Picture, details: Details, at: datetime) -> list[WireContact]:
    today = local_date(at)
    names = {record.group.key: record.group.name for record in picture.groups}
    contacts = []
    for record in picture.staff:
        if not record.is_active(today):
            continue
        own = details.get(record.id, ())
        contacts.append(
            WireContact(
                id=record.id,
                name=full_name(record.member),
                roles=sorted(record.member.roles),
                email=record.member.email,
                emails=[value for kind, value, _ in own if kind == ContactKind.EMAIL],
                phones=[value for kind, value, _ in own if kind == ContactKind.PHONE],
                groups=sorted(names[key] for key in record.member.home_groups | record.member.composite_groups),
            )
        )
    return sorted(contacts, key=lambda contact: (contact.name.casefold(), contact.id))


def build_teaching(picture: Picture, at: datetime) -> list[WireTaughtGroup]:
    today = local_date(at)
    active = [record for record in picture.staff if record.is_active(today)]
    groups = [
        WireTaughtGroup(
            id=record.id,
            name=record.group.name,
            year=record.group.year,
            teachers=[
                WireTeacher(id=each.id, name=full_name(each.member), email=each.member.email)
                for each in active
                if record.group.key in each.member.home_groups | each.member.composite_groups
            ],
        )
        for record in picture.groups
    ]
    return sorted(groups, key=lambda group: (group.name.casefold(), group.id))


def contact_cells(contact: WireContact) -> list[str]:
    """One row under CONTACT_HEADINGS."""
    others = [each for each in contact.emails if each != contact.email]
    return [
        contact.name,
        role_words(contact.roles),
        contact.email or "",
        ", ".join(others),
        ", ".join(contact.phones),
        ", ".join(contact.groups),
    ]


def teaching_cells(group: WireTaughtGroup) -> list[list[str]]:
    """The rows of one group under TEACHING_HEADINGS; one without a name when nobody teaches it."""
    year = group.year or ""
    if not group.teachers:
        return [[group.name, year, "", ""]]
    return [[group.name, year, each.name, each.email or ""] for each in group.teachers]


def _file(
    kind: Format,
    name: str,
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    school: SchoolRow,
    made_at: datetime,
) -> Response:
    """The table with its heads, which are marked, in the language that is spoken."""
    heads = [say(heading) for heading in headings]
    if kind is Format.CSV:
        content = csv_bytes(heads, rows)
    else:
        about = [title, f"{school.name} ({school.code})", say("Gemaakt op %(tijd)s", tijd=say_time(made_at))]
        content = xlsx_bytes(title, heads, rows, about)
    return download(content, kind, name, school.code, local_date(made_at))
