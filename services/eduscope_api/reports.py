"""The two check lists of the manual's first step: staff with their e-mail, and staff per group."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from services.eduscope_api.administrators import ReadSchool
from services.eduscope_api.rosters import read_picture
from services.eduscope_api.rules.exchange import Picture
from shared.clock import local_date, now
from shared.database import ReadDb
from shared.roster import full_name
from shared.wire.base import WireModel

router = APIRouter(prefix="/api/v1/scholen/{code}/rapportages", tags=["rapportages"])


class WireContact(WireModel):
    id: int
    name: str = Field(alias="naam")
    roles: Sequence[str] = Field(alias="functies")
    email: str | None = Field(alias="emailadres")
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


@router.get("/contactgegevens")
def show_contacts(school: ReadSchool, db: ReadDb) -> WireContacts:
    """The contact details of all staff that work here now, with their e-mail addresses."""
    made_at = now()
    return WireContacts(made_at=made_at, staff=build_contacts(read_picture(db, school.id), made_at))


@router.get("/leerkrachten-per-groep")
def show_teaching(school: ReadSchool, db: ReadDb) -> WireTeaching:
    """Who is tied to which groups; groups without anybody are shown too."""
    made_at = now()
    return WireTeaching(made_at=made_at, groups=build_teaching(read_picture(db, school.id), made_at))


def build_contacts(picture: Picture, at: datetime) -> list[WireContact]:
    today = local_date(at)
    names = {record.group.key: record.group.name for record in picture.groups}
    contacts = [
        WireContact(
            id=record.id,
            name=full_name(record.member),
            roles=sorted(record.member.roles),
            email=record.member.email,
            groups=sorted(names[key] for key in record.member.home_groups | record.member.composite_groups),
        )
        for record in picture.staff
        if record.is_active(today)
    ]
    return sorted(contacts, key=lambda contact: contact.name.casefold())


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
    return sorted(groups, key=lambda group: group.name.casefold())
