"""An import plan as it goes over the wire and onto the page: names and values in Dutch, beside each other."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import Field

from services.eduscope_api.rules.exchange import GroupRecord, Picture, PupilRecord, StaffRecord
from services.eduscope_api.rules.import_plan import Candidate, How, Plan, Sheet, Step, Suggestion, Swap, Why, person_of
from services.eduscope_api.rules.imports import Choices, Decision
from shared.edexml import Notice
from shared.language import mark, say
from shared.roster import Pupil, full_name
from shared.wire.base import Day, Number, WireModel

Record = GroupRecord | PupilRecord | StaffRecord

_WHY = {
    Why.ECK_ID: mark("De sleutel is dezelfde, maar het ECK iD is een ander."),
    Why.NAME: mark("De sleutel of het ECK iD is hetzelfde, maar de naam is een heel andere."),
    Why.TAKEN: mark("De persoon hier met deze sleutel staat elders in het bestand, onder een andere sleutel."),
}


# --- what is shown ----------------------------------------------------------------------------------------------------


class WireNotice(WireModel):
    kind: str = Field(alias="soort")
    count: int = Field(alias="aantal")
    sentence: str = Field(alias="zin")


class WireDifference(WireModel):
    """One field before and after, as text; null is: nothing."""

    name: str = Field(alias="veld")
    old: str | None = Field(alias="oud")
    new: str | None = Field(alias="nieuw")


class WireIncoming(WireModel):
    """Somebody or something of the file; `volgnummer` is its place there."""

    number: int = Field(alias="volgnummer")
    name: str = Field(alias="naam")
    values: Mapping[str, str] = Field(alias="gegevens")


class WireChangedLine(WireModel):
    id: int
    name: str = Field(alias="naam")
    how: How = Field(alias="herkendAan")
    differences: Sequence[WireDifference] = Field(alias="wijzigingen")


class WireMoved(WireModel):
    id: int
    name: str = Field(alias="naam")
    old: str = Field(alias="van")
    new: str = Field(alias="naar")


class WireGone(WireModel):
    """Here, and not in the file. Leaves only when it is chosen."""

    id: int
    name: str = Field(alias="naam")
    groups: str = Field(alias="groepen")


class WireCandidate(WireModel):
    id: int
    name: str = Field(alias="naam")
    groups: str = Field(alias="groepen")
    score: int
    reasons: Sequence[str] = Field(alias="redenen")
    left_on: date | None = Field(alias="uitgestroomdOp")
    differences: Sequence[WireDifference] = Field(alias="wijzigingen")


class WireSuggestion(WireModel):
    """Stays out until somebody says who it is, or that it is somebody new."""

    number: int = Field(alias="volgnummer")
    name: str = Field(alias="naam")
    values: Mapping[str, str] = Field(alias="gegevens")
    candidates: Sequence[WireCandidate] = Field(alias="kandidaten")


class WireSwap(WireModel):
    """Stays out until somebody decides; `zelfdeKan` says whether it can be the same person at all."""

    number: int = Field(alias="volgnummer")
    id: int
    name: str = Field(alias="naamHier")
    file_name: str = Field(alias="naamInBestand")
    why: Why = Field(alias="reden")
    sentence: str = Field(alias="zin")
    can_be_same: bool = Field(alias="zelfdeKan")
    differences: Sequence[WireDifference] = Field(alias="wijzigingen")


class WireGroupSheet(WireModel):
    new: Sequence[WireIncoming] = Field(alias="nieuw")
    changed: Sequence[WireChangedLine] = Field(alias="gewijzigd")
    gone: Sequence[WireGone] = Field(alias="weg")
    same: int = Field(alias="gelijk")


class WireSheet(WireModel):
    new: Sequence[WireIncoming] = Field(alias="nieuw")
    changed: Sequence[WireChangedLine] = Field(alias="gewijzigd")
    moved: Sequence[WireMoved] = Field(alias="verplaatst")
    gone: Sequence[WireGone] = Field(alias="weg")
    suggestions: Sequence[WireSuggestion] = Field(alias="suggesties")
    swaps: Sequence[WireSwap] = Field(alias="wissels")
    same: int = Field(alias="gelijk")


class WireImportPreview(WireModel):
    """What a file would do. Nothing has been written yet."""

    id: int
    fingerprint: str = Field(alias="vingerafdruk")
    uploaded_at: datetime = Field(alias="ontvangenOp")
    kept_until: datetime = Field(alias="bewaardTot")
    school_year: str = Field(alias="schooljaar")
    groups: WireGroupSheet = Field(alias="groepen")
    pupils: WireSheet = Field(alias="leerlingen")
    staff: WireSheet = Field(alias="leerkrachten")
    notices: Sequence[WireNotice] = Field(alias="meldingen")


# --- what is chosen ---------------------------------------------------------------------------------------------------


class WireSame(WireModel):
    number: Number = Field(alias="volgnummer")
    id: Number


class WireDecision(WireModel):
    number: Number = Field(alias="volgnummer")
    decision: Decision = Field(alias="besluit")


MOST = 20_000  # as many as a file holds


class WireChoices(WireModel):
    """What was chosen for one kind; whoever is not named stays as they are, and stays out."""

    gone: tuple[Number, ...] = Field((), alias="weg", max_length=MOST)
    same: tuple[WireSame, ...] = Field((), alias="zelfde", max_length=MOST)
    new: tuple[Number, ...] = Field((), alias="nieuw", max_length=MOST)
    swaps: tuple[WireDecision, ...] = Field((), alias="wissels", max_length=MOST)

    def to_value(self) -> Choices:
        return Choices(
            frozenset(self.gone),
            {each.number: each.id for each in self.same},
            frozenset(self.new),
            {each.number: each.decision for each in self.swaps},
        )


class WireTakeOver(WireModel):
    """`vingerafdruk` is that of the preview that was looked at; `uitstroomdatum` is today when it is left out."""

    fingerprint: str = Field(alias="vingerafdruk", max_length=128)
    leaving: Day | None = Field(None, alias="uitstroomdatum")
    pupils: WireChoices = Field(WireChoices(), alias="leerlingen")
    staff: WireChoices = Field(WireChoices(), alias="leerkrachten")


# --- from a plan ------------------------------------------------------------------------------------------------------


def wire_notices(notices: Iterable[Notice]) -> list[WireNotice]:
    return [WireNotice(kind=each.kind, count=each.count, sentence=each.text) for each in notices]


def wire_sheets(picture: Picture, plan: Plan) -> dict[str, Any]:
    """The members `groups`, `pupils`, `staff` and `notices` of a preview."""
    names = {record.group.key: record.group.name for record in picture.groups}
    names |= {step.now.group.key: step.now.group.name for step in plan.groups.changed}
    names |= {new.now.group.key: new.now.group.name for new in plan.groups.new}
    return {
        "groups": WireGroupSheet(
            new=[
                WireIncoming(number=new.number, name=_name(new.now), values=_filled(new.now, names))
                for new in plan.groups.new
            ],
            changed=[_changed(step, names) for step in plan.groups.changed],
            gone=[WireGone(id=record.id, name=_name(record), groups="") for record in plan.groups.gone],
            same=plan.groups.same,
        ),
        "pupils": _sheet(plan.pupils, names),
        "staff": _sheet(plan.staff, names),
        "notices": wire_notices(plan.notices),
    }


def _sheet(sheet: Sheet[Any], names: Mapping[str, str]) -> WireSheet:
    moved = [step for step in sheet.changed if _groups(step.before) != _groups(step.now)]
    lines = [_changed(step, names) for step in sheet.changed]
    return WireSheet(
        new=[WireIncoming(number=new.number, name=_name(new.now), values=_filled(new.now, names)) for new in sheet.new],
        changed=[line for line in lines if line.differences],
        moved=[
            WireMoved(
                id=step.before.id,
                name=_name(step.before),
                old=_group_names(step.before, names),
                new=_group_names(step.now, names),
            )
            for step in moved
        ],
        gone=[WireGone(id=record.id, name=_name(record), groups=_group_names(record, names)) for record in sheet.gone],
        suggestions=[_suggestion(offer, names) for offer in sheet.suggestions],
        swaps=[_swap(swap, names) for swap in sheet.swaps],
        same=sheet.same,
    )


def _suggestion(offer: Suggestion[Any], names: Mapping[str, str]) -> WireSuggestion:
    return WireSuggestion(
        number=offer.number,
        name=_name(offer.as_new),
        values=_filled(offer.as_new, names),
        candidates=[_candidate(one, names) for one in offer.candidates],
    )


def _candidate(one: Candidate[Any], names: Mapping[str, str]) -> WireCandidate:
    return WireCandidate(
        id=one.before.id,
        name=_name(one.before),
        groups=_group_names(one.before, names),
        score=one.score,
        reasons=one.reasons,
        left_on=one.before.left_on,
        differences=_differences(one.before, one.now, names, groups=True),
    )


def _swap(swap: Swap[Any], names: Mapping[str, str]) -> WireSwap:
    return WireSwap(
        number=swap.number,
        id=swap.before.id,
        name=_name(swap.before),
        file_name=_name(swap.as_other),
        why=swap.why,
        sentence=say(_WHY[swap.why]),
        can_be_same=swap.as_same is not None,
        differences=_differences(swap.before, swap.as_same or swap.as_other, names, groups=True),
    )


def _changed(step: Step[Any], names: Mapping[str, str]) -> WireChangedLine:
    return WireChangedLine(
        id=step.before.id,
        name=_name(step.before),
        how=step.how,
        differences=_differences(step.before, step.now, names, groups=False),
    )


def _differences(before: Record, now: Record, names: Mapping[str, str], *, groups: bool) -> list[WireDifference]:
    old, new = _values(before, names), _values(now, names)
    return [
        WireDifference(name=name, old=old[name], new=new[name])
        for name in old
        if old[name] != new[name] and (groups or name != "groepen")
    ]


def _filled(record: Record, names: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in _values(record, names).items() if value is not None}


def _values(record: Record, names: Mapping[str, str]) -> dict[str, str | None]:
    """Every value that is stored of a record, as text, by its name on the wire."""
    if isinstance(record, GroupRecord):
        group = record.group
        return {"naam": group.name, "jaargroep": group.year, "omschrijving": group.description}
    person = person_of(record)
    values: dict[str, str | None] = {
        "roepnaam": person.first_name,
        "voorvoegsel": person.prefix,
        "achternaam": person.last_name,
        "voorletters": person.initials,
        "eckid": person.eck_id,
    }
    if isinstance(person, Pupil):
        values["jaargroep"] = person.year
    else:
        values["emailadres"] = person.email
        values["rollen"] = ", ".join(sorted(person.roles)) or None
        values["einddatum"] = _day(person.ends_on)
    values["groepen"] = _group_names(record, names) or None
    values["instroomdatum"], values["uitstroomdatum"] = _day(record.came_on), _day(record.left_on)
    return values


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _groups(record: PupilRecord | StaffRecord) -> frozenset[str]:
    person = person_of(record)
    home = person.home_groups if not isinstance(person, Pupil) else {person.home_group} - {None}
    return frozenset(key for key in home if key) | person.composite_groups


def _group_names(record: PupilRecord | StaffRecord, names: Mapping[str, str]) -> str:
    return ", ".join(sorted(names[key] for key in _groups(record)))


def _name(record: Record) -> str:
    return record.group.name if isinstance(record, GroupRecord) else full_name(person_of(record))
