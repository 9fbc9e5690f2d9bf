"""What publishers get to read about a school, built in the transaction that changes it, stored as bytes with an ETag.

All parts are built from one picture, so they agree; answers with equal mutationTimestamp are equal.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import COUNTS
from services.basispoort_hub.rosters import Layer, read_people, read_roster
from services.basispoort_hub.tables import AccountRow, AnswerRow, AppointmentRow, CoordinatorRow, SchoolRow
from shared.roster import Group, GroupKind, Kind, Person, Pupil, Role, Roster, StaffMember

_TIME = TypeAdapter(datetime)
_TEXT = TypeAdapter(str)


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer: the whole JSON body and its ETag (without quotes)."""

    etag: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Coordinator:
    person_id: int
    name: str
    email: str
    outside_roster: bool


def read_answer(db: Session, school_id: int, part: str) -> Answer | None:
    row = db.execute(
        select(AnswerRow.etag, AnswerRow.body).where(AnswerRow.school_id == school_id, AnswerRow.part == part)
    ).first()
    return None if row is None else Answer(row.etag, row.body)


def rebuild_answers(db: Session, school: SchoolRow, now: datetime) -> None:
    """Build every part anew from the rows, after school data, coordinators or the valid roster changed."""
    db.flush()
    save_answers(db, school, read_roster(db, school.id, Layer.VALID), read_people(db, school.id), now)


def save_answers(
    db: Session, school: SchoolRow, roster: Roster, people: Mapping[tuple[Kind, str], int], now: datetime
) -> None:
    """The same, from a roster and numbers that are at hand. Moves the school's mutation time forward, always."""
    school.mutated_at = max(now, school.mutated_at + timedelta(microseconds=1))
    coordinators = _read_coordinators(db, school.id)
    groups, composites = _groups(roster, GroupKind.HOME), _groups(roster, GroupKind.COMPOSITE)
    pupils, staff = _pupils(roster, people), _staff(roster, people, coordinators)
    stamp = _TIME.dump_json(school.mutated_at)
    result = b'"metaResult":{"mutationTimestamp":' + stamp + b',"generationTimestamp":' + stamp + b"}"
    lists = {b"groepen": groups, b"subgroepen": composites, b"leerlingen": pupils, b"medewerkers": staff}
    state = b'"actief":true,"gefuseerdNaar":null'
    bodies = {
        "alles": [*_named(lists, lists), state],
        "groepen": _named(lists, (b"groepen", b"subgroepen")),
        "leerlingen": _named(lists, (b"leerlingen",)),
        "staf": _named(lists, (b"medewerkers",)),
        "details": [_details(school), state],
    }
    rows = []
    for part, members in bodies.items():
        body = b"{" + b",".join([*members, result]) + b"}"
        etag = hashlib.sha256(body).hexdigest()[:32]
        rows.append({"school_id": school.id, "part": part, "etag": etag, "mutated_at": school.mutated_at, "body": body})
    db.execute(delete(AnswerRow).where(AnswerRow.school_id == school.id))
    db.execute(insert(AnswerRow), rows)


def _named(lists: Mapping[bytes, bytes], names: Iterable[bytes]) -> list[bytes]:
    return [b'"' + name + b'":' + lists[name] for name in names]


def _details(school: SchoolRow) -> bytes:
    """InstitutionDetails: what the hub does not know about a school is null, as the real interface has it."""
    known = {
        "naam": school.name,
        "brincode": school.code[:4],
        "dependancecode": school.code[4:],
        "instellingRef": school.ref,
    }
    absent = ("straat", "huisnummer", "huisnummertoevoeging", "postcode", "woonplaats", "schoolkey", "bestuurscode")
    members = [b'"' + name.encode() + b'":' + _TEXT.dump_json(value) for name, value in known.items()]
    return b",".join([*members, *(b'"' + name.encode() + b'":null' for name in absent)])


# The values below have the shape of shared/wire/schools.py, name by name. They are plain because a whole school is
# written at every intake; a test reads them back through the models and compares.
def _groups(roster: Roster, kind: GroupKind) -> bytes:
    return to_json([_rest_group(group) for _, group in sorted(roster.groups.items()) if group.kind is kind])


def _rest_group(group: Group) -> dict[str, Any]:
    return {"lasKey": group.key, "naam": group.name, "jaargroep": group.year, "omschrijving": group.description}


def _pupils(roster: Roster, people: Mapping[tuple[Kind, str], int]) -> bytes:
    return to_json([_rest_pupil(pupil, people[Kind.PUPIL, key]) for key, pupil in sorted(roster.pupils.items())])


def _rest_pupil(pupil: Pupil, person_id: int) -> dict[str, Any]:
    return {
        "id": person_id,
        "eckid": pupil.eck_id,
        "lasKey": pupil.key,
        "persoonsgegevens": _personal_data(pupil),
        "jaargroep": pupil.year,
        "groep": pupil.home_group,
        "subgroepen": sorted(pupil.composite_groups),
    }


def _personal_data(person: Person) -> dict[str, str | None]:
    return {
        "achternaam": person.last_name,
        "voornaam": person.first_name,
        "voorvoegsel": person.prefix,
        "voorletters": person.initials,
    }


def _staff(roster: Roster, people: Mapping[tuple[Kind, str], int], coordinators: list[_Coordinator]) -> bytes:
    leading = {each.person_id for each in coordinators}
    found = [
        _rest_member(member, people[Kind.STAFF, key], is_coordinator=people[Kind.STAFF, key] in leading)
        for key, member in sorted(roster.staff.items())
    ]
    found += [_rest_outsider(each) for each in coordinators if each.outside_roster]
    return to_json(found)


def _rest_member(member: StaffMember, person_id: int, *, is_coordinator: bool) -> dict[str, Any]:
    roles = member.roles | ({Role.ICT_COORDINATOR} if is_coordinator else set())
    return {
        "id": person_id,
        "eckid": member.eck_id,
        "lasKey": member.key,
        "persoonsgegevens": _personal_data(member),
        "emailadres": member.email,
        "einddatum": member.ends_on,
        "rollen": sorted(roles),
        "groepen": sorted(member.home_groups),
        "subgroepen": sorted(member.composite_groups),
    }


def _rest_outsider(coordinator: _Coordinator) -> dict[str, Any]:
    return {
        "id": coordinator.person_id,
        "eckid": None,
        "lasKey": None,
        "persoonsgegevens": {
            "achternaam": coordinator.name,
            "voornaam": None,
            "voorvoegsel": None,
            "voorletters": None,
        },
        "emailadres": coordinator.email,
        "einddatum": None,
        "rollen": [Role.ICT_COORDINATOR],
        "groepen": [],
        "subgroepen": [],
    }


def _read_coordinators(db: Session, school_id: int) -> list[_Coordinator]:
    """Every coordinator of the school; one whose account has an appointment here is a member of the roster."""
    rows = db.execute(
        select(CoordinatorRow.person_id, CoordinatorRow.name, AccountRow.email, AppointmentRow.person_id)
        .join(AccountRow, AccountRow.id == CoordinatorRow.account_id)
        .outerjoin(
            AppointmentRow,
            (AppointmentRow.account_id == CoordinatorRow.account_id)
            & (AppointmentRow.school_id == CoordinatorRow.school_id)
            & (AppointmentRow.state == COUNTS),
        )
        .where(CoordinatorRow.school_id == school_id)
        .order_by(AccountRow.id)
    )
    found = []
    for own_id, name, email, appointed_id in rows:
        person_id = appointed_id if appointed_id is not None else own_id
        if person_id is not None:
            found.append(_Coordinator(person_id, name, email, outside_roster=appointed_id is None))
    return found
