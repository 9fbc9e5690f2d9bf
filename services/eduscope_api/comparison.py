"""Our staff beside the hub's accounts: asked of the hub, compared, and addresses taken over with their history."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Self

from fastapi import APIRouter, Request
from pydantic import Field, model_validator
from sqlalchemy import Engine

from services.eduscope_api.administrators import AllowedSchool, OwnSchool, calling
from services.eduscope_api.contacts import save_addresses
from services.eduscope_api.history import By, Source, recording
from services.eduscope_api.hub_client import PERSON_WAITS_S, HubClient
from services.eduscope_api.rosters import lock_school, read_picture
from services.eduscope_api.rules.comparison import Known, Line, MatchedBy, Outcome, addresses_after, compare
from services.eduscope_api.rules.exchange import Picture
from services.eduscope_api.rules.history import Subject
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.language import mark, say
from shared.problems import Problem, UpstreamProblem
from shared.roster import full_name
from shared.service_client import RemoteProblem
from shared.wire.base import Email, Flag, Number, Text, WireModel
from shared.wire.teachers import WireKnownStaff

router = APIRouter(prefix="/api/v1/scholen/{code}/vergelijking", tags=["vergelijking"])

SILENT = mark("Basispoort is op dit moment niet bereikbaar. Probeer het later nog eens.")
REFUSALS = {
    "teachers-not-readable": mark(
        "De ICT-coördinator heeft nog niet toegestaan dat EDUscope de leerkrachtenlijst leest. "
        "Vraag om in Basispoort de schakelaar 'EDUscope mag onze leerkrachtenlijst lezen' aan te zetten."
    ),
    "wrong-school": mark("Deze school heeft in Basispoort voor een andere leerlingadministratie gekozen."),
    "not-found": mark("Basispoort kent deze school nog niet."),
}


class ComparisonOutdated(Problem):
    """What was shown no longer holds, at these people (`personen`)."""

    status, slug, title = 409, "comparison-outdated", "The comparison has changed since it was shown"
    uitleg = "De gegevens zijn intussen gewijzigd. Er is niets overgenomen; bekijk de vergelijking opnieuw."


class AddressTaken(Problem):
    """These people (`personen`) would share an address with somebody else of the school."""

    status, slug, title = 409, "address-taken", "An address would belong to two people"
    uitleg = "Een adres zou bij twee personeelsleden komen te staan. Er is niets overgenomen."


class NotComparable(Problem):
    """`detail` says why, in the language of the page."""

    status, slug, title = 409, "not-comparable", "The hub does not give its staff of this school now"
    uitleg = "Basispoort geeft de leerkrachtenlijst nu niet. Er is niets overgenomen."


class WireLine(WireModel):
    """One person of ours beside one account of the hub; either side may be missing."""

    outcome: Outcome = Field(alias="uitkomst")
    id: int | None
    name: str = Field(alias="naam")
    email: str | None = Field(alias="eigenAdres")
    groups: Sequence[str] = Field(alias="eigenGroepen")
    known_name: str | None = Field(alias="basispoortNaam")
    known_email: str | None = Field(alias="basispoortAdres")
    known_groups: Sequence[str] = Field(alias="basispoortGroepen")
    account: str | None
    matched_by: MatchedBy | None = Field(alias="gevondenOp")
    can_take_over: bool = Field(alias="overneembaar")
    hint: str = Field(alias="aanwijzing")


class WireOutcomes(WireModel):
    equal: int = Field(alias="gelijk")
    differs: int = Field(alias="adresVerschilt")
    missing_here: int = Field(alias="ontbreektHier")
    missing_there: int = Field(alias="ontbreektDaar")


class WireComparison(WireModel):
    """`version` stands for everything that can be taken over now; send it along to take over all."""

    available: bool = Field(alias="beschikbaar")
    sentence: str = Field(alias="zin")
    version: str = Field(alias="versie")
    counts: WireOutcomes = Field(alias="aantallen")
    lines: Sequence[WireLine] = Field(alias="regels")


class WireTaking(WireModel):
    """Of this person, the hub's address that was shown, and the own one beside it."""

    id: Number
    email: Email = Field(alias="adres")
    own: Email | None = Field(alias="eigen")


class WireTakeOver(WireModel):
    """Either people, or everything that can be taken over (with the version that was shown)."""

    people: tuple[WireTaking, ...] = Field((), alias="personen", max_length=5000)
    everybody: Flag = Field(False, alias="alle")
    version: Text | None = Field(None, alias="versie")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.people) == self.everybody:
            raise ValueError(say("kies personen, of alle"))
        if self.everybody and self.version is None:
            raise ValueError(say("geef bij alle ook de versie die u zag"))
        return self


class WireTaken(WireModel):
    ids: Sequence[int] = Field(alias="overgenomen")


@router.get("")
def show_comparison(school: AllowedSchool, request: Request) -> WireComparison:
    """Our staff beside the hub's. The hub is asked now, without a transaction; a hub that is silent is said calmly."""
    return ask_comparison(request.app.state.engine, request.app.state.hub, school)


@router.post("/overnemen")
def submit_take_over(body: WireTakeOver, school: AllowedSchool, request: Request) -> WireTaken:
    """Take the hub's addresses over: of these people, or all. What was shown must still hold; all or nothing."""
    by = By(calling(request), Source.COMPARISON, now())
    return take_over(request.app.state.engine, request.app.state.hub, school, body, by)


def ask_comparison(engine: Engine, hub: HubClient, school: OwnSchool) -> WireComparison:
    """The comparison, or the sentence that says why there is none."""
    try:
        known = fetch_known(hub, school.code)
    except NotComparable as reason:
        return _wire([], Picture(), sentence=reason.detail or say(reason.uitleg), available=False)
    except UpstreamProblem:
        return _wire([], Picture(), sentence=say(SILENT), available=False)
    with reading(engine) as db:
        picture = read_picture(db, school.id)
    lines = compare(picture, known, local_date(now()))
    return _wire(lines, picture, sentence=_summary(lines))


def fetch_known(hub: HubClient, code: str) -> list[Known]:
    """Whom the hub knows. Raises UpstreamProblem, NotComparable."""
    try:
        answer = hub.fetch_staff(code, timeout_s=PERSON_WAITS_S)
    except RemoteProblem as refused:
        detail = REFUSALS.get(refused.remote_slug, mark("Basispoort wil nu geen antwoord geven."))
        raise NotComparable(say(detail)) from None
    return known_of(answer)


def known_of(answer: WireKnownStaff) -> list[Known]:
    return [
        Known(
            key=each.key,
            name=" ".join(part for part in (each.first_name, each.prefix, each.last_name) if part),
            email=each.email,
            groups=tuple(each.groups),
            account=each.account,
        )
        for each in answer.staff
    ]


def take_over(engine: Engine, hub: HubClient, school: OwnSchool, body: WireTakeOver, by: By) -> WireTaken:
    """Take addresses over.

    1. Ask the hub again, before anything is locked.
    2. Compare with our rows, locked: what was shown must be what is there. Raises ComparisonOutdated.
    3. No address may end up at two people. Raises AddressTaken.
    4. Save, with the history.
    """
    known = fetch_known(hub, school.code)
    with writing(engine) as db:
        lock_school(db, school.id)
        picture = read_picture(db, school.id)
        today = local_date(by.at)
        lines = compare(picture, known, today)
        chosen = _choose(lines, body)
        active = [record for record in picture.staff if record.is_active(today)]
        holders = Counter(addresses_after(active, chosen))
        if clashes := sorted(row_id for row_id, address in chosen.items() if holders[address] > 1):
            raise AddressTaken(personen=clashes)
        with recording(db, school.id, Subject.STAFF, list(chosen), by):
            save_addresses(db, chosen)
        return WireTaken(ids=sorted(chosen))


def _choose(lines: Sequence[Line], body: WireTakeOver) -> dict[int, str]:
    """Row number -> the address to take over. Raises ComparisonOutdated."""
    if body.everybody:
        if body.version != version_of(lines):
            raise ComparisonOutdated
        return {row_id: address for row_id, (_, address) in _offers(lines).items()}
    shown = {
        (line.own.id, line.own.member.email, line.known.email)
        for line in lines
        if line.own is not None and line.known is not None and line.outcome is Outcome.DIFFERS
    }
    moved = {each.id for each in body.people if (each.id, each.own, each.email) not in shown}
    if moved:
        raise ComparisonOutdated(personen=sorted(moved))
    return {each.id: each.email for each in body.people}


def _offers(lines: Sequence[Line]) -> dict[int, tuple[str | None, str]]:
    """Row number -> (our address, the hub's), of everything that can be taken over."""
    return {line.own.id: (line.own.member.email, line.offer) for line in lines if line.own and line.offer}


def version_of(lines: Sequence[Line]) -> str:
    """Equal exactly as long as the same addresses can be taken over from and to."""
    offers = json.dumps(sorted(_offers(lines).items()))
    return hashlib.sha256(offers.encode()).hexdigest()[:32]


def _summary(lines: Sequence[Line]) -> str:
    different = sum(line.outcome is not Outcome.EQUAL for line in lines)
    if not lines:
        return say("Basispoort en EDUscope kennen allebei nog geen leerkrachten van deze school.")
    if not different:
        return say("Alle leerkrachten staan in Basispoort met hetzelfde e-mailadres.")
    return say("Bij %(n)s van %(alle)s is er een verschil met Basispoort.", n=different, alle=len(lines))


def _wire(lines: Sequence[Line], picture: Picture, *, sentence: str, available: bool = True) -> WireComparison:
    names = {record.group.key: record.group.name for record in picture.groups}
    counts = Counter(line.outcome for line in lines)
    return WireComparison(
        available=available,
        sentence=sentence,
        version=version_of(lines),
        counts=WireOutcomes(
            equal=counts[Outcome.EQUAL],
            differs=counts[Outcome.DIFFERS],
            missing_here=counts[Outcome.MISSING_HERE],
            missing_there=counts[Outcome.MISSING_THERE],
        ),
        lines=[_wire_line(line, names) for line in lines],
    )


def _wire_line(line: Line, names: dict[str, str]) -> WireLine:
    own, known = line.own, line.known
    taught = own.member.home_groups | own.member.composite_groups if own is not None else frozenset[str]()
    return WireLine(
        outcome=line.outcome,
        id=own.id if own is not None else None,
        name=full_name(own.member) if own is not None else line.name,
        email=own.member.email if own is not None else None,
        groups=sorted(names[key] for key in taught if key in names),
        known_name=known.name if known is not None else None,
        known_email=known.email if known is not None else None,
        known_groups=known.groups if known is not None else (),
        account=say(known.account) if known is not None else None,
        matched_by=line.matched_by,
        can_take_over=line.offer is not None,
        hint=line.hint,
    )
