"""The tab Leerlingen: who is in the school, as publishers with consent see them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.basispoort_hub.rosters import Layer, read_people, read_roster
from shared.problems import NotFound
from shared.roster import Kind


@dataclass(frozen=True, slots=True)
class ListedPupil:
    """`id`: the number by which publishers know the pupil."""

    id: int
    name: str
    group: str
    year: str


def read_pupils(db: Session, school_id: int) -> Sequence[ListedPupil]:
    """Every pupil of the valid roster, by group and name."""
    roster, people = read_roster(db, school_id, Layer.VALID), read_people(db, school_id)
    names = {key: group.name for key, group in roster.groups.items()}
    found = [
        ListedPupil(
            id=people[Kind.PUPIL, key],
            name=pupil.full_name,
            group=names.get(pupil.home_group or "", ""),
            year=pupil.year or "",
        )
        for key, pupil in roster.pupils.items()
    ]
    return sorted(found, key=lambda pupil: (pupil.group, pupil.name.casefold(), pupil.id))


def read_pupil(db: Session, school_id: int, person_id: int) -> ListedPupil:
    """Raises NotFound for a number that is no pupil of this school now."""
    found = next((pupil for pupil in read_pupils(db, school_id) if pupil.id == person_id), None)
    if found is None:
        raise NotFound
    return found
