"""Files as values, and what a school would be after one, without a database."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import count

from services.eduscope_api.rules.exchange import Picture
from services.eduscope_api.rules.import_plan import Plan
from services.eduscope_api.rules.imports import Choices, Import, carry_out
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlSchool, EdexmlStaff
from shared.identifiers import SchoolCode
from shared.roster import Group, Kind, Pupil, StaffMember
from tests.eduscope_api.rows import CODE

TODAY = date(2026, 11, 22)
NOTHING = Choices()


def a_file(*entries: Group | Pupil | StaffMember, code: str | None = CODE) -> EdexmlFile:
    return EdexmlFile(
        school=EdexmlSchool(school_code=SchoolCode.parse(code) if code else None, school_year="2026-2027"),
        groups=tuple(entry for entry in entries if isinstance(entry, Group)),
        pupils=tuple(EdexmlPupil(pupil=entry) for entry in entries if isinstance(entry, Pupil)),
        staff=tuple(EdexmlStaff(member=entry) for entry in entries if isinstance(entry, StaffMember)),
    )


def fresh_keys(word: str = "eigen") -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{word}-{next(numbers)}"


def after(picture: Picture, taken: Import) -> Picture:
    """The school as the rows would have it."""
    present = [each.id for kind in (picture.groups, picture.pupils, picture.staff) for each in kind]
    ids = count(1 + max(present, default=0))
    return Picture(
        (
            *(taken.groups.changed.get(each.id, each) for each in picture.groups),
            *(replace(each, id=next(ids)) for each in taken.groups.new),
        ),
        (
            *(taken.pupils.changed.get(each.id, each) for each in picture.pupils),
            *(replace(each, id=next(ids)) for each in taken.pupils.new),
        ),
        (
            *(taken.staff.changed.get(each.id, each) for each in picture.staff),
            *(replace(each, id=next(ids)) for each in taken.staff.new),
        ),
    )


FileKeys = dict[Kind, dict[str, int]]


def keys_after(picture: Picture, taken: Import, before: FileKeys | None = None) -> FileKeys:
    """The keys of the file that are remembered after it, by row number."""
    here = {
        Kind.PUPIL: {record.pupil.key: record.id for record in picture.pupils},
        Kind.STAFF: {record.member.key: record.id for record in picture.staff},
    }
    return {
        kind: {**(before or {}).get(kind, {}), **{key: here[kind][own] for key, own in taken.file_keys[kind].items()}}
        for kind in here
    }


def taken_over(plan: Plan, pupils: Choices = NOTHING, staff: Choices = NOTHING, leaving: date = TODAY) -> Import:
    return carry_out(plan, pupils, staff, leaving, fresh_keys())
