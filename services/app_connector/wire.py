"""The bodies of the portal's own interface."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from services.app_connector.rules.people import Mode, Origin
from shared.wire.base import Code, Day, Email, Flag, Key, Number, Text, WireModel

AppName = Literal["taalblobs", "rekenblobs"]
Id = Annotated[Number, Field(ge=1)]
Count = Annotated[Number, Field(ge=0, lt=2**31)]  # an INTEGER of PostgreSQL; more of anything is a mistake
PathId = Annotated[int, Field(ge=1, lt=2**63)]  # in a path every number is text
Fingerprint = Annotated[str, StringConstraints(strict=True, pattern=r"^p1:[0-9a-f]{64}$")]
Secret = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]


# --- helpdesk ---------------------------------------------------------------------------------------------------------


class RequestedApp(WireModel):
    app: AppName
    admin: Text = Field(alias="beheerder")


class LinkRequest(WireModel):
    """What a school tells the helpdesk."""

    name: Text = Field(alias="naam")
    school_id: Id = Field(alias="instellingsnummer")
    apps: list[RequestedApp] = Field(min_length=1, max_length=4)
    sender: Email = Field(alias="afzender")


class Check(WireModel):
    """One field looked at. `is_right` None: it could not be found out now."""

    field: str = Field(alias="veld")
    is_right: bool | None = Field(alias="goed")
    sentence: str = Field(alias="zin")


class LinkRequestReceived(WireModel):
    number: int = Field(alias="nummer")
    checks: list[Check] = Field(alias="controles")


class LinkRequestListed(WireModel):
    number: int = Field(alias="nummer")
    name: str = Field(alias="naam")
    school_id: int = Field(alias="instellingsnummer")
    apps: list[RequestedApp]
    sender: str = Field(alias="afzender")
    received_at: datetime = Field(alias="ontvangenOp")
    completed_at: datetime | None = Field(alias="afgerondOp")


class LinkRequestCompleted(WireModel):
    number: int = Field(alias="nummer")
    active_since: datetime = Field(alias="actiefSinds")
    coordinators_told: int = Field(alias="coordinatorenBericht")


# --- overview ---------------------------------------------------------------------------------------------------------


class SchoolNamed(WireModel):
    school_id: int = Field(alias="instellingsnummer")
    name: str = Field(alias="naam")


class SchoolChosen(WireModel):
    school_id: Id = Field(alias="instellingsnummer")


class Differences(WireModel):
    """What a run would do now, in numbers."""

    new_pupils: int = Field(alias="nieuweLeerlingen")
    gone_pupils: int = Field(alias="vertrokkenLeerlingen")
    changed_pupils: int = Field(alias="gewijzigdeLeerlingen")
    new_teachers: int = Field(alias="nieuweDocenten")
    gone_teachers: int = Field(alias="vertrokkenDocenten")
    changed_teachers: int = Field(alias="gewijzigdeDocenten")
    sentence: str = Field(alias="zin")


class AppSummary(WireModel):
    app: str
    state: str = Field(alias="staat")
    mode: Mode | None = Field(alias="wijze")
    pupils: int = Field(alias="leerlingen")
    teachers: int = Field(alias="docenten")
    waiting: int = Field(alias="wachtend")
    held: int = Field(alias="vastgehouden")
    differences: Differences | None = Field(alias="verschillen")


class Overview(WireModel):
    school: SchoolNamed
    schools: list[SchoolNamed] = Field(alias="scholen")
    active_since: datetime | None = Field(alias="koppelingActiefSinds")
    asked_at: datetime | None = Field(alias="laatstGevraagd")
    trouble: str | None = Field(alias="storing")
    apps: list[AppSummary]


class AppPerson(WireModel):
    id: int
    first_name: str | None = Field(alias="roepnaam")
    prefix: str | None = Field(alias="voorvoegsel")
    last_name: str | None = Field(alias="achternaam")
    origin: Origin = Field(alias="herkomst")
    basispoort_id: int | None = Field(alias="basispoort")


class PupilInApp(AppPerson):
    group: str | None = Field(alias="groep")
    exercises_done: int = Field(alias="opdrachten")
    last_worked_on: date | None = Field(alias="laatstGewerkt")


class TeacherInApp(AppPerson):
    email: str | None = Field(alias="emailadres")
    is_admin: bool = Field(alias="isBeheerder")
    groups: list[str] = Field(alias="groepen")


class DraftSummary(WireModel):
    version: int = Field(alias="versie")
    mode: Mode = Field(alias="wijze")
    step: int = Field(alias="stap")


class AppOverview(WireModel):
    app: str
    state: str = Field(alias="staat")
    mode: Mode | None = Field(alias="wijze")
    synced_at: datetime | None = Field(alias="gesynchroniseerdOp")
    pupil_seats: int | None = Field(alias="plaatsen")
    teacher_seats: int | None = Field(alias="plaatsenDocenten")
    pupils: list[PupilInApp] = Field(alias="leerlingen")
    teachers: list[TeacherInApp] = Field(alias="docenten")
    draft: DraftSummary | None = Field(alias="concept")
    differences: Differences | None = Field(alias="verschillen")


# --- wizard -----------------------------------------------------------------------------------------------------------


class ModeChosen(WireModel):
    mode: Mode = Field(alias="wijze")


class PairAsked(WireModel):
    app: Id = Field(alias="leerling")
    hub: Id = Field(alias="basispoort")


class PairMade(WireModel):
    app: int = Field(alias="leerling")
    hub: int = Field(alias="basispoort")
    how: str = Field(alias="hoe")


class PupilsChosen(WireModel):
    pupils: list[Id] = Field(alias="basispoort", max_length=10_000)


class TeachersChosen(WireModel):
    teachers: list[Id] = Field(alias="basispoort", max_length=10_000)


class DraftShown(WireModel):
    """The draft after a step. `notices`: Dutch sentences for the person who did it."""

    version: int = Field(alias="versie")
    mode: Mode = Field(alias="wijze")
    step: int = Field(alias="stap")
    pairs: list[PairMade] = Field(alias="paren")
    pupils: list[int] = Field(alias="leerlingen")
    teachers: list[int] = Field(alias="docenten")
    pupils_in_app: int = Field(alias="leerlingenInApp")
    unpaired: int = Field(alias="ongekoppeld")
    notices: list[str] = Field(alias="meldingen")


class SuggestionShown(WireModel):
    app: int = Field(alias="leerling")
    hub: int = Field(alias="basispoort")
    score: int
    reason: str = Field(alias="reden")


class Candidate(WireModel):
    """A person in Basispoort who can be chosen or paired."""

    id: int = Field(alias="basispoort")
    name: str = Field(alias="naam")
    groups: list[str] = Field(alias="groepen")
    year: str | None = Field(alias="jaargroep")
    is_chosen: bool = Field(alias="gekozen")


class Candidates(WireModel):
    pupils: list[Candidate] = Field(alias="leerlingen")
    teachers: list[Candidate] = Field(alias="docenten")


class Change(WireModel):
    field: str = Field(alias="veld")
    old: Any = Field(alias="oud")
    new: Any = Field(alias="nieuw")


class PersonPlanned(WireModel):
    account: int | None = Field(alias="id")
    basispoort_id: int | str | None = Field(alias="basispoort")
    name: str = Field(alias="naam")
    group: str | None = Field(alias="groep")
    action: str = Field(alias="actie")
    changes: list[Change] = Field(alias="wijzigingen")
    note: str | None = Field(alias="toelichting")
    exercises_done: int | None = Field(alias="opdrachten")


class PlanCounts(WireModel):
    stay: int = Field(alias="blijven")
    change: int = Field(alias="wijzigen")
    new: int = Field(alias="nieuw")
    removed: int = Field(alias="verwijderd")


class PlanShown(WireModel):
    """Step 4, completely. `newcomers`: selective only, who could still be ticked."""

    fingerprint: str = Field(alias="vingerafdruk")
    version: int = Field(alias="versie")
    mode: Mode = Field(alias="wijze")
    pupils: list[PersonPlanned] = Field(alias="leerlingen")
    teachers: list[PersonPlanned] = Field(alias="docenten")
    groups: list[PersonPlanned] = Field(alias="groepen")
    pupil_counts: PlanCounts = Field(alias="aantallenLeerlingen")
    teacher_counts: PlanCounts = Field(alias="aantallenDocenten")
    newcomers: list[int] = Field(alias="nieuwkomers")
    sentences: list[str] = Field(alias="zinnen")
    not_undone: list[str] = Field(alias="nietTeruggedraaid")


class Confirmation(WireModel):
    fingerprint: Fingerprint = Field(alias="vingerafdruk")
    version: Count = Field(alias="versie")


class RunShown(WireModel):
    run: int
    done_at: datetime = Field(alias="uitgevoerdOp")
    pupil_counts: PlanCounts = Field(alias="aantallenLeerlingen")
    teacher_counts: PlanCounts = Field(alias="aantallenDocenten")
    sentence: str = Field(alias="zin")


class HeldPerson(WireModel):
    number: int = Field(alias="nummer")
    subject: str = Field(alias="soort")
    cause: str = Field(alias="reden")
    name: str = Field(alias="naam")
    since: datetime = Field(alias="sinds")
    decision: str | None = Field(alias="besluit")


class HoldDecision(WireModel):
    """`numbers` None: everybody who is held."""

    decision: Literal["loslaten", "houden"] = Field(alias="besluit")
    numbers: list[Id] | None = Field(None, alias="nummers", max_length=10_000)


# --- operator ---------------------------------------------------------------------------------------------------------


class SchoolSeeded(WireModel):
    school_id: Id = Field(alias="instellingsnummer")
    name: Text = Field(alias="naam")
    code: Code


class PupilSeeded(WireModel):
    first_name: Text | None = Field(None, alias="roepnaam")
    prefix: Text | None = Field(None, alias="voorvoegsel")
    last_name: Text | None = Field(None, alias="achternaam")
    group: Text | None = Field(None, alias="groep")
    year: Text | None = Field(None, alias="jaargroep")
    exercises_done: Count = Field(0, alias="opdrachten")
    last_worked_on: Day | None = Field(None, alias="laatstGewerkt")
    eck_id: Text | None = Field(None, alias="eckid")
    las_key: Key | None = Field(None, alias="lasKey")


class TeacherSeeded(WireModel):
    first_name: Text | None = Field(None, alias="roepnaam")
    prefix: Text | None = Field(None, alias="voorvoegsel")
    last_name: Text | None = Field(None, alias="achternaam")
    email: Email | None = Field(None, alias="emailadres")
    is_admin: Flag = Field(False, alias="isBeheerder")


class AppAccountSeeded(WireModel):
    """An app as a school used it before it was linked."""

    school_id: Id = Field(alias="instellingsnummer")
    app: AppName
    admin: Text = Field(alias="beheerder")
    pupil_seats: Count | None = Field(None, alias="plaatsen")
    teacher_seats: Count | None = Field(None, alias="plaatsenDocenten")
    groups: list[Text] = Field(default_factory=list, alias="groepen", max_length=1_000)
    pupils: list[PupilSeeded] = Field(default_factory=list, alias="leerlingen", max_length=10_000)
    teachers: list[TeacherSeeded] = Field(default_factory=list, alias="docenten", max_length=1_000)


class AppAccountMade(WireModel):
    id: int
    pupils: int = Field(alias="leerlingen")
    teachers: int = Field(alias="docenten")


class UserSeeded(WireModel):
    user_name: Text = Field(alias="gebruiker")
    password: Secret = Field(alias="wachtwoord")
    role: Literal["coordinator", "helpdesk"] = Field(alias="rol")
    schools: list[Id] = Field(default_factory=list, alias="scholen", max_length=100)


class NightAsked(WireModel):
    school_id: Id | None = Field(None, alias="instellingsnummer")


class NightReport(WireModel):
    """What a night did for one school; `error` is a problem's slug."""

    school_id: int = Field(alias="instellingsnummer")
    app: str | None
    outcome: str = Field(alias="uitkomst")
    error: str | None = Field(alias="fout")
    counts: dict[str, Any] | None = Field(alias="aantallen")
