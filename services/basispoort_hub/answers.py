"""What publishers get to read about a school, built in the transaction that changes it, stored as bytes with an ETag.

All parts are built from one picture. A part keeps its bytes, and its mutationTimestamp, until something in it changes;
the whole changes whenever a part does. So answers with equal mutationTimestamp agree, whole and parts alike.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import COUNTS
from services.basispoort_hub.feed import Changed, save_changes
from services.basispoort_hub.rosters import Layer, read_people, read_roster
from services.basispoort_hub.tables import (
    AccountRow,
    AnswerRow,
    AppointmentRow,
    CoordinatorRow,
    SchoolEndRow,
    SchoolRow,
)
from shared.roster import Group, GroupKind, Kind, Person, Pupil, Role, Roster, StaffMember

GZIP_LEVEL = 3  # on rosters as quick as 1 and nearly as small as 6
_TIME = TypeAdapter(datetime)


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer: the whole JSON body, the same in gzip, and its ETag (without quotes)."""

    etag: str
    body: bytes
    packed: bytes | None


@dataclass(frozen=True, slots=True)
class _Coordinator:
    person_id: int
    name: str
    email: str


class _Piece:
    """A member of an answer. Hashed and packed once, however many answers it stands in."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(self.text).digest()

    @cached_property
    def packed(self) -> bytes:
        """As deflate blocks that end on a byte and look back at nothing, so that they fit anywhere in a stream."""
        packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.text) + packer.flush(zlib.Z_FULL_FLUSH)


def read_answer(db: Session, school_id: int, part: str) -> Answer | None:
    row = db.execute(
        select(AnswerRow.etag, AnswerRow.body, AnswerRow.packed).where(
            AnswerRow.school_id == school_id, AnswerRow.part == part
        )
    ).first()
    return None if row is None else Answer(row.etag, row.body, row.packed)


def select_pupils(body: bytes, wanted: Callable[[dict[str, Any]], bool]) -> bytes:
    """The stored answer about pupils with only those asked for."""
    answer = json.loads(body)
    answer["leerlingen"] = [pupil for pupil in answer["leerlingen"] if wanted(pupil)]
    return to_json(answer)


def rebuild_answers(db: Session, school: SchoolRow, now: datetime) -> None:
    """Build anew from the rows what changed with school data or coordinators."""
    db.flush()
    save_answers(db, school, read_roster(db, school.id, Layer.VALID), read_people(db, school.id), Changed(), now)


_STORED = select(AnswerRow.part, AnswerRow.content_hash).where(AnswerRow.school_id == bindparam("school_id"))


def save_answers(
    db: Session,
    school: SchoolRow,
    roster: Roster,
    people: Mapping[tuple[Kind, str], int],
    changed: Changed,
    now: datetime,
) -> None:
    """The same, from a roster and numbers that are at hand. `changed`: who and what of the roster is not as before.

    Moves the school's mutation time forward when an answer changed, and tells the feed.
    """
    coordinators = _read_coordinators(db, school.id)
    staff = _staff(roster, people, coordinators)
    home, composite = _groups(roster, GroupKind.HOME), _groups(roster, GroupKind.COMPOSITE)
    lists = {
        name: _Piece(b'"' + name.encode() + b'":' + to_json(values))
        for name, values in {
            "groepen": home,
            "subgroepen": composite,
            "leerlingen": _pupils(roster, people),
            "medewerkers": staff,
        }.items()
    }
    state = _Piece(_state(db, school.id))
    parts = {
        "alles": [*lists.values(), state],
        "groepen": [lists["groepen"], lists["subgroepen"]],
        "leerlingen": [lists["leerlingen"]],
        "staf": [lists["medewerkers"]],
        "details": [_Piece(_details(school)), state],
    }
    hashes = {
        part: hashlib.sha256(b"".join(each.digest for each in pieces)).hexdigest() for part, pieces in parts.items()
    }
    stored = {row.part: row.content_hash for row in db.execute(_STORED, {"school_id": school.id})}
    stale = [part for part in parts if stored.get(part) != hashes[part]]
    if not stale:
        return
    school_changed = "details" in stale
    before = _stored_staff(db, school.id) if "staf" in stale else staff
    school.mutated_at = max(now, school.mutated_at + timedelta(microseconds=1))
    stamp = _TIME.dump_json(school.mutated_at)
    times = b',"metaResult":{"mutationTimestamp":' + stamp + b',"generationTimestamp":' + stamp + b"}}"
    rows = [
        {
            "school_id": school.id,
            "part": part,
            "etag": hashlib.sha256(hashes[part].encode() + stamp).hexdigest()[:32],
            "mutated_at": school.mutated_at,
            "content_hash": hashes[part],
            "body": body,
            "packed": packed,
        }
        for part in stale
        for body, packed in [_bodies(parts[part], times)]
    ]
    db.execute(delete(AnswerRow).where(AnswerRow.school_id == school.id, AnswerRow.part.in_(stale)))
    db.execute(insert(AnswerRow), rows)
    save_changes(db, school.id, changed.with_staff(before, staff, school_changed=school_changed), now)


def _bodies(pieces: list[_Piece], times: bytes) -> tuple[bytes, bytes]:
    """An answer as such and in gzip, the latter put together from pieces that are packed already."""
    plain, packed = [], []
    for place, piece in enumerate(pieces):
        begin = b"," if place else b"{"
        plain += [begin, piece.text]
        packed += [_as_it_is(begin), piece.packed]
    body = b"".join([*plain, times])
    trailer = struct.pack("<LL", zlib.crc32(body), len(body) & 0xFFFFFFFF)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return body, b"".join([header, *packed, _as_it_is(times, is_last=True), trailer])


def _as_it_is(text: bytes, *, is_last: bool = False) -> bytes:
    """A deflate block that is not compressed."""
    return struct.pack("<BHH", is_last, len(text), len(text) ^ 0xFFFF) + text


def _stored_staff(db: Session, school_id: int) -> list[dict[str, Any]]:
    """The staff as the stored answer has it."""
    answer = read_answer(db, school_id, "staf")
    found: list[dict[str, Any]] = [] if answer is None else json.loads(answer.body)["medewerkers"]
    return found


def _state(db: Session, school_id: int) -> bytes:
    end = db.execute(select(SchoolEndRow.into_id).where(SchoolEndRow.school_id == school_id)).first()
    if end is None:
        return b'"actief":true,"gefuseerdNaar":null'
    return b'"actief":false,"gefuseerdNaar":' + to_json(end.into_id)


def _details(school: SchoolRow) -> bytes:
    """InstitutionDetails: what the hub does not know about a school is null, as the real interface has it."""
    values = {
        "naam": school.name,
        "straat": school.street,
        "huisnummer": school.house_number,
        "huisnummertoevoeging": school.house_number_addition,
        "postcode": school.postal_code,
        "woonplaats": school.town,
        "brincode": school.code[:4],
        "dependancecode": school.code[4:],
        "schoolkey": school.school_key,
        "instellingRef": school.ref,
        "bestuurscode": school.board_code,
    }
    return to_json(values)[1:-1]


# The values below have the shape of shared/wire/schools.py, name by name. They are plain because a whole school is
# written at every intake; a test reads them back through the models and compares.
def _groups(roster: Roster, kind: GroupKind) -> list[dict[str, Any]]:
    return [_rest_group(group) for _, group in sorted(roster.groups.items()) if group.kind is kind]


def _rest_group(group: Group) -> dict[str, Any]:
    return {"lasKey": group.key, "naam": group.name, "jaargroep": group.year, "omschrijving": group.description}


def _pupils(roster: Roster, people: Mapping[tuple[Kind, str], int]) -> list[dict[str, Any]]:
    return [_rest_pupil(pupil, people[Kind.PUPIL, key]) for key, pupil in sorted(roster.pupils.items())]


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


def _staff(
    roster: Roster, people: Mapping[tuple[Kind, str], int], coordinators: list[_Coordinator]
) -> list[dict[str, Any]]:
    leading: dict[int, _Coordinator] = {}
    for each in coordinators:
        leading.setdefault(each.person_id, each)  # who has two accounts here is told once, by the first
    numbers = {key: people[Kind.STAFF, key] for key in sorted(roster.staff)}
    found = [
        _rest_member(roster.staff[key], number, is_coordinator=number in leading) for key, number in numbers.items()
    ]
    inside = set(numbers.values())
    found += [_rest_outsider(each) for number, each in leading.items() if number not in inside]
    return found


def _rest_member(member: StaffMember, person_id: int, *, is_coordinator: bool) -> dict[str, Any]:
    roles = member.roles | ({Role.ICT_COORDINATOR} if is_coordinator else set())
    return {
        "id": person_id,
        "eckid": member.eck_id,
        "lasKey": member.key,
        "persoonsgegevens": _personal_data(member),
        "emailadres": member.email,
        "einddatum": None if member.ends_on is None else member.ends_on.isoformat(),
        "rollen": [str(role) for role in sorted(roles)],
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
        "rollen": [str(Role.ICT_COORDINATOR)],
        "groepen": [],
        "subgroepen": [],
    }


def _read_coordinators(db: Session, school_id: int) -> list[_Coordinator]:
    """Every coordinator of the school, by number: that of the work done here under the account, or the role's own."""
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
            found.append(_Coordinator(person_id, name, email))
    return found
