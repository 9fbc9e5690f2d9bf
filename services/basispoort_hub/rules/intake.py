"""May this roster come in, and what of it counts? Loose ends, double addresses, roles that no roster can give.

Everything that is wrong is listed at once: nobody should mend one fault per night. No objection repeats a name or an
address; kind and key say where to look.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared.roster import GroupKind, Kind, Pupil, Role, Roster, StaffMember


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason why a roster cannot come in. `sentence` is Dutch, for the administrator."""

    code: str
    kind: Kind
    key: str
    sentence: str


def objections(roster: Roster) -> list[Objection]:
    """Everything that makes this roster inconsistent; empty when it may come in."""
    return [
        *(found for pupil in roster.pupils.values() for found in _of_pupil(pupil, roster)),
        *(found for member in roster.staff.values() for found in _of_member(member, roster)),
        *_double_addresses(roster),
    ]


def _of_pupil(pupil: Pupil, roster: Roster) -> Iterator[Objection]:
    if pupil.first_name is None and pupil.last_name is None:
        yield Objection("no-name", Kind.PUPIL, pupil.key, "Deze leerling heeft geen naam.")
    if pupil.home_group is not None and not _is(roster, pupil.home_group, GroupKind.HOME):
        yield Objection("loose-end", Kind.PUPIL, pupil.key, "De groep van deze leerling bestaat niet.")
    if not all(_is(roster, key, GroupKind.COMPOSITE) for key in pupil.composite_groups):
        yield Objection("loose-end", Kind.PUPIL, pupil.key, "Een samengestelde groep van deze leerling bestaat niet.")


def _of_member(member: StaffMember, roster: Roster) -> Iterator[Objection]:
    if member.first_name is None and member.last_name is None:
        yield Objection("no-name", Kind.STAFF, member.key, "Deze leerkracht heeft geen naam.")
    if not member.roles:
        yield Objection("no-role", Kind.STAFF, member.key, "Deze medewerker heeft geen rol die Basispoort kent.")
    if not all(_is(roster, key, GroupKind.HOME) for key in member.home_groups):
        yield Objection("loose-end", Kind.STAFF, member.key, "Een groep van deze leerkracht bestaat niet.")
    if not all(_is(roster, key, GroupKind.COMPOSITE) for key in member.composite_groups):
        yield Objection(
            "loose-end", Kind.STAFF, member.key, "Een samengestelde groep van deze leerkracht bestaat niet."
        )


def _double_addresses(roster: Roster) -> Iterator[Objection]:
    times = Counter(member.email for member in roster.staff.values() if member.email is not None)
    for member in roster.staff.values():
        if member.email is not None and times[member.email] > 1:
            yield Objection("double-address", Kind.STAFF, member.key, "Dit e-mailadres hoort bij twee leerkrachten.")


def _is(roster: Roster, key: str, kind: GroupKind) -> bool:
    group = roster.groups.get(key)
    return group is not None and group.kind is kind


def effective(mirror: Roster) -> Roster:
    """What of the mirror counts: no roster makes anybody a coordinator, and staff without another role stay out."""
    if not any(Role.ICT_COORDINATOR in member.roles for member in mirror.staff.values()):
        return mirror
    staff = {}
    for key, member in mirror.staff.items():
        roles = member.roles - {Role.ICT_COORDINATOR}
        if roles:
            staff[key] = replace(member, roles=roles) if roles != member.roles else member
    return Roster(mirror.groups, mirror.pupils, staff)
