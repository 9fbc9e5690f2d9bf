"""EDUscope to hub: standing, whole roster, delta, receipt.

This conversation is ours (the real one is not public); the names are those of UWLR and EDEXML. When the real
specification arrives, only this file changes.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.roster import Entry, Group, GroupKind, Kind, Pupil, Role, Roster, StaffMember
from shared.roster_delta import Delta
from shared.wire.base import Day, Domain, Email, Fingerprint, Flag, Key, LongText, Text, WireModel

GROUP_KINDS = {"groep": GroupKind.HOME, "samengestelde_groep": GroupKind.COMPOSITE}
ADMINISTRATION = "EDUscope"
# More than twice the largest school there is; so that no body keeps the hub busy for longer than a second.
MOST_PUPILS, MOST_OTHERS = 5_000, 1_000  # others: groups, members of staff

Year = Annotated[str, Field(strict=True, pattern=r"^(?:[BD0-8SVCNH]|1[1-6])$")]  # EDEXML 2.1 jaargroep


class WireGroup(WireModel):
    key: Key
    kind: Literal["groep", "samengestelde_groep"] = Field(alias="soort")
    name: Text = Field(alias="naam")
    year: Year | None = Field(None, alias="jaargroep")
    description: LongText | None = Field(None, alias="omschrijving")

    def to_value(self) -> Group:
        return Group(
            key=self.key,
            kind=GROUP_KINDS[self.kind],
            name=self.name,
            year=self.year,
            description=self.description,
        )

    @classmethod
    def of(cls, group: Group) -> "WireGroup":
        kind: Literal["groep", "samengestelde_groep"] = (
            "groep" if group.kind is GroupKind.HOME else "samengestelde_groep"
        )
        return cls(key=group.key, kind=kind, name=group.name, year=group.year, description=group.description)


class WirePupil(WireModel):
    key: Key
    eck_id: Text | None = Field(None, alias="eckid")
    first_name: Text | None = Field(None, alias="roepnaam")
    prefix: Text | None = Field(None, alias="voorvoegsel")
    last_name: Text | None = Field(None, alias="achternaam")
    initials: Text | None = Field(None, alias="voorletters")
    year: Year | None = Field(None, alias="jaargroep")
    home_group: Key | None = Field(None, alias="groep")
    composite_groups: frozenset[Key] = Field(frozenset(), alias="samengestelde_groepen")

    def to_value(self) -> Pupil:
        return Pupil(**vars(self))  # the same names; model_dump would copy every one

    @classmethod
    def of(cls, pupil: Pupil) -> "WirePupil":
        return cls.model_construct(**{name: getattr(pupil, name) for name in cls.model_fields})


class WireStaffMember(WireModel):
    key: Key
    eck_id: Text | None = Field(None, alias="eckid")
    first_name: Text | None = Field(None, alias="roepnaam")
    prefix: Text | None = Field(None, alias="voorvoegsel")
    last_name: Text | None = Field(None, alias="achternaam")
    initials: Text | None = Field(None, alias="voorletters")
    email: Email | None = Field(None, alias="emailadres")
    roles: frozenset[Role] = Field(alias="rollen")
    home_groups: frozenset[Key] = Field(frozenset(), alias="groepen")
    composite_groups: frozenset[Key] = Field(frozenset(), alias="samengestelde_groepen")
    ends_on: Day | None = Field(None, alias="einddatum")

    def to_value(self) -> StaffMember:
        return StaffMember(**vars(self))

    @classmethod
    def of(cls, member: StaffMember) -> "WireStaffMember":
        return cls.model_construct(**{name: getattr(member, name) for name in cls.model_fields})


class WireEntries(WireModel):
    """Entries of all kinds, each at most once."""

    groups: tuple[WireGroup, ...] = Field((), alias="groepen", max_length=MOST_OTHERS)
    pupils: tuple[WirePupil, ...] = Field((), alias="leerlingen", max_length=MOST_PUPILS)
    staff: tuple[WireStaffMember, ...] = Field((), alias="leerkrachten", max_length=MOST_OTHERS)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "WireEntries":
        kinds: tuple[list[WireGroup], list[WirePupil], list[WireStaffMember]] = ([], [], [])
        for entry in entries:
            match entry:
                case Group():
                    kinds[0].append(WireGroup.of(entry))
                case Pupil():
                    kinds[1].append(WirePupil.of(entry))
                case StaffMember():
                    kinds[2].append(WireStaffMember.of(entry))
        return cls.model_construct(groups=tuple(kinds[0]), pupils=tuple(kinds[1]), staff=tuple(kinds[2]))

    def values(self) -> list[Entry]:
        return [
            *(group.to_value() for group in self.groups),
            *(pupil.to_value() for pupil in self.pupils),
            *(member.to_value() for member in self.staff),
        ]


class WireKeys(WireModel):
    groups: frozenset[Key] = Field(frozenset(), alias="groepen", max_length=MOST_OTHERS)
    pupils: frozenset[Key] = Field(frozenset(), alias="leerlingen", max_length=MOST_PUPILS)
    staff: frozenset[Key] = Field(frozenset(), alias="leerkrachten", max_length=MOST_OTHERS)


class WireLeavers(WireModel):
    """Recorded leaving dates of people who are no longer in the roster, by key. Not part of the roster."""

    pupils: dict[Key, Day] = Field(default_factory=dict, alias="leerlingen", max_length=MOST_PUPILS)
    staff: dict[Key, Day] = Field(default_factory=dict, alias="leerkrachten", max_length=MOST_OTHERS)

    @classmethod
    def of(cls, leavers: Mapping[Kind, Mapping[str, date]]) -> "WireLeavers":
        return cls(pupils=dict(leavers.get(Kind.PUPIL, {})), staff=dict(leavers.get(Kind.STAFF, {})))

    def values(self) -> dict[Kind, dict[str, date]]:
        return {Kind.PUPIL: self.pupils, Kind.STAFF: self.staff}


class WireRoster(WireModel):
    """PUT leerlinggegevens: a whole roster. `target` is its fingerprint."""

    target: Fingerprint
    entries: WireEntries = Field(alias="gegevens")
    leavers: WireLeavers = Field(default_factory=WireLeavers, alias="vertrokken")

    @classmethod
    def of(cls, roster: Roster, target: str, leavers: Mapping[Kind, Mapping[str, date]]) -> "WireRoster":
        return cls.model_construct(
            target=target, entries=WireEntries.of(roster.entries()), leavers=WireLeavers.of(leavers)
        )


class WireDelta(WireModel):
    """PATCH leerlinggegevens: what leads from the roster `base` to the roster `target`."""

    base: Fingerprint
    target: Fingerprint
    put: WireEntries = Field(default_factory=WireEntries, alias="wijzigingen")
    remove: WireKeys = Field(default_factory=WireKeys, alias="verwijderd")
    leavers: WireLeavers = Field(default_factory=WireLeavers, alias="vertrokken")

    @classmethod
    def of(cls, delta: Delta, leavers: Mapping[Kind, Mapping[str, date]]) -> "WireDelta":
        keys = WireKeys.model_construct(
            groups=delta.remove.get(Kind.GROUP, frozenset()),
            pupils=delta.remove.get(Kind.PUPIL, frozenset()),
            staff=delta.remove.get(Kind.STAFF, frozenset()),
        )
        return cls.model_construct(
            base=delta.base,
            target=delta.target,
            put=WireEntries.of(delta.put),
            remove=keys,
            leavers=WireLeavers.of(leavers),
        )

    def to_value(self) -> Delta:
        removed = {Kind.GROUP: self.remove.groups, Kind.PUPIL: self.remove.pupils, Kind.STAFF: self.remove.staff}
        return Delta(self.base, self.target, tuple(self.put.values()), removed)


class WireDomainChange(WireModel):
    """Addresses move from one mail domain to another; what stands before the `@` stays."""

    old: Domain = Field(alias="van")
    new: Domain = Field(alias="naar")


class WireAnnouncement(WireModel):
    """PUT aanmelding: the tick in the administration, and the changes of domain announced there.

    Changes left out mean: as they were. A list is the whole list.
    """

    is_on: Flag = Field(alias="aangezet")
    domain_changes: tuple[WireDomainChange, ...] | None = Field(None, alias="domeinwijzigingen", max_length=20)


class WireStanding(WireModel):
    """GET stand: which roster does the hub hold, and is the connection on? The ETag header carries the token."""

    fingerprint: Fingerprint | None = Field(alias="vingerafdruk")
    received_at: datetime | None = Field(alias="ontvangenOp")
    is_on: bool = Field(alias="koppelingActief")
    administration: str | None = Field(alias="administratie")
    waits_for: str | None = Field(alias="wachtOp")  # Dutch, for a person; None when nothing is awaited
    held: int = Field(alias="vastgehouden")  # people held back or held fast now


class WireChanges(WireModel):
    """How many entries of one kind changed."""

    new: int = Field(alias="nieuw")
    changed: int = Field(alias="gewijzigd")
    removed: int = Field(alias="verwijderd")


class WireReceipt(WireModel):
    """What the hub did with a roster or delta. Repeats fingerprint and token; counts, never names."""

    fingerprint: Fingerprint = Field(alias="vingerafdruk")
    token: str
    groups: WireChanges = Field(alias="groepen")
    pupils: WireChanges = Field(alias="leerlingen")
    staff: WireChanges = Field(alias="leerkrachten")
    held: int = Field(alias="vastgehouden")
    queued_mails: int = Field(alias="berichtenInWachtrij")
