"""What somebody or something becomes when a file says this of it (pure).

Law: what a file does not say stays as it is.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from services.eduscope_api.rules.exchange import PupilRecord, StaffRecord
from shared.edexml import EdexmlPupil, EdexmlStaff
from shared.roster import Group, Pupil, Role, StaffMember

P = TypeVar("P", Pupil, StaffMember)


def merge_group(before: Group | None, now: Group) -> Group:
    if before is None:
        return now
    return replace(now, year=now.year or before.year, description=now.description or before.description)


def merge_pupil(
    known: PupilRecord | None, entry: EdexmlPupil, key: str, group_keys: Mapping[str, str], *, names_composites: bool
) -> PupilRecord:
    """A file without composite groups (1.0.3, and many later ones) leaves those of a pupil alone."""
    pupil = replace(
        entry.pupil,
        key=key,
        home_group=group_keys[entry.pupil.home_group] if entry.pupil.home_group else None,
        composite_groups=frozenset(group_keys[group] for group in entry.pupil.composite_groups),
    )
    if known is None:
        return PupilRecord(0, pupil, entry.left_on, entry.joined_on)
    before = known.pupil
    merged = replace(
        _merge_names(before, pupil),
        year=pupil.year or before.year,
        home_group=pupil.home_group or before.home_group,
        composite_groups=pupil.composite_groups if names_composites else before.composite_groups,
    )
    return PupilRecord(known.id, merged, entry.left_on or known.left_on, entry.joined_on or known.came_on)


def merge_member(known: StaffRecord | None, entry: EdexmlStaff, key: str, group_keys: Mapping[str, str]) -> StaffRecord:
    """A file takes nobody's role as coordinator away, and gives nobody that role."""
    member = replace(
        entry.member,
        key=key,
        home_groups=frozenset(group_keys[group] for group in entry.member.home_groups),
        composite_groups=frozenset(group_keys[group] for group in entry.member.composite_groups),
    )
    if known is None:
        return StaffRecord(0, member)
    before = known.member
    teaches = bool(member.home_groups or member.composite_groups)
    coordinator = before.roles & {Role.ICT_COORDINATOR}
    merged = replace(
        _merge_names(before, member),
        email=member.email or before.email,
        roles=(member.roles | coordinator) if member.roles else before.roles,
        home_groups=member.home_groups if teaches else before.home_groups,
        composite_groups=member.composite_groups if teaches else before.composite_groups,
        ends_on=member.ends_on or before.ends_on,
    )
    return StaffRecord(known.id, merged, known.left_on, known.came_on)


def _merge_names(before: P, now: P) -> P:
    """A surname comes with its prefix, or with none. The key here stays, whatever key the file uses."""
    changed = replace(
        now,
        key=before.key,
        first_name=now.first_name or before.first_name,
        initials=now.initials or before.initials,
        eck_id=now.eck_id or before.eck_id,
    )
    if now.last_name is None:
        changed = replace(changed, last_name=before.last_name, prefix=before.prefix)
    return changed
