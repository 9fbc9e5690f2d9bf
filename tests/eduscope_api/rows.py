"""Schools with people in them, as rows, for the tests of EDUscope."""

from datetime import date
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from services.eduscope_api.contacts import save_addresses
from services.eduscope_api.nightly import School
from services.eduscope_api.tables import GroupRow, PupilRow, SchoolRow, StaffRoleRow, StaffRow, TeachingRow
from shared.database import writing

CODE, OTHER_CODE = "99ZZ00", "99ZY01"


def add_school(engine: Engine, code: str = CODE, *, ticked: bool = True, pupils: int = 3) -> School:
    """A school with one group, its teacher and some pupils."""
    with writing(engine) as db:
        row = SchoolRow(code=code, name=f"De Regenboog {code}", basispoort_on=ticked)
        db.add(row)
        db.flush()
        if pupils:
            group = add_group(db, row.id, "g5")
            add_member(db, row.id, "m1", groups=[group])
            for number in range(pupils):
                add_pupil(db, row.id, f"p{number + 1}", home_group_id=group)
        return School(row.id, code, ticked)


def add_group(db: Session, school_id: int, key: str, **changes: Any) -> int:
    values = {"kind": "home", "name": f"Groep {key[1:]}", "year": "5"}
    row = GroupRow(school_id=school_id, key=key, **{**values, **changes})
    db.add(row)
    db.flush()
    return row.id


def add_pupil(db: Session, school_id: int, key: str, **changes: Any) -> int:
    values = {"first_name": "Noor", "prefix": "van der", "last_name": f"Bijl {key}", "year": "5"}
    row = PupilRow(school_id=school_id, key=key, **{**values, **changes})
    db.add(row)
    db.flush()
    return row.id


def add_member(
    db: Session, school_id: int, key: str, *, roles: tuple[str, ...] = ("Leerkracht",), groups: Any = (), **changes: Any
) -> int:
    email = changes.pop("email", f"{key}@regenboog.example")
    values = {"first_name": "Joris", "last_name": f"Hagen {key}"}
    row = StaffRow(school_id=school_id, key=key, **{**values, **changes})
    db.add(row)
    db.flush()
    save_addresses(db, {row.id: email})
    if roles:
        db.execute(insert(StaffRoleRow), [{"staff_id": row.id, "role": role} for role in roles])
    if groups:
        db.execute(insert(TeachingRow), [{"staff_id": row.id, "group_id": group} for group in groups])
    return row.id


def leave(engine: Engine, pupil_id: int, left_on: date) -> None:
    with writing(engine) as db:
        db.get_one(PupilRow, pupil_id).left_on = left_on
