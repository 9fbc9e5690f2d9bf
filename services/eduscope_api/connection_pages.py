"""The HTML of Inrichten: what can be set up, the school's settings, and the tab Koppelingen with the tick box."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from services.eduscope_api.admin_pages import render_page, submit_form
from services.eduscope_api.administrators import AllowedSchool, OwnSchool, ReadSchool
from services.eduscope_api.checks import link_of, read_findings
from services.eduscope_api.domains import read_domains, remove_domain, save_domain
from services.eduscope_api.history import By
from services.eduscope_api.nightly import Preview, preview, run_asked, shown_name
from services.eduscope_api.rosters import lock_school
from services.eduscope_api.rules.readiness import Check, Finding, Weight
from services.eduscope_api.rules.sending import Change
from services.eduscope_api.runs import read_runs, refusal
from services.eduscope_api.schools import (
    WirePause,
    WireSchoolSettings,
    WireTick,
    ask_connection,
    change_name,
    change_pause,
    change_tick,
    for_night,
)
from shared.browser import see_other
from shared.database import Db, reading
from shared.forms import FORM, Faults, typed
from shared.language import mark, say
from shared.problems import TooManyAttempts, UpstreamProblem
from shared.roster import Kind, kind_of
from shared.service_client import RemoteProblem
from shared.wire.rosters import WireDomainChange

router = APIRouter(prefix="/scholen/{code}/inrichten", include_in_schema=False)

NOTICES = {
    "aangevinkt": mark(
        "De koppeling met Basispoort is geactiveerd. Laatste stap: activeer de koppeling in Basispoort onder Beheer."
    ),
    "uitgevinkt": mark("De koppeling met Basispoort is uitgezet. Er gaat niets meer naar Basispoort."),
    "zelfde": mark("Er is niets veranderd."),
    "nu": mark("De synchronisatie is gedaan. Wat ervan kwam, staat bovenaan bij Nachten."),
    "gepauzeerd": mark("De koppeling is gepauzeerd."),
    "doorgaan": mark("De koppeling is niet meer gepauzeerd."),
    "domein": mark("De wijziging van domein is aangekondigd. Basispoort hoort het vandaag nog."),
    "domein-weg": mark("De aankondiging is ingetrokken."),
}
RUNS_SHOWN = 20
NAMES_SHOWN = 3  # of those whom one check is about
TONIGHT_SHOWN = 200
KINDS = {Kind.PUPIL: mark("leerling"), Kind.STAFF: mark("personeelslid"), Kind.GROUP: mark("groep")}
TONIGHT = {  # what goes with an entry, as `preview` names it
    "mee": mark("mee"),
    Change.NEW.value: mark("nieuw"),
    Change.CHANGED.value: mark("gewijzigd"),
    Change.REMOVED.value: mark("verwijderd"),
}
TOPICS = {
    Check.NO_PUPIL: mark("Geen leerlingen"),
    Check.NO_GROUP: mark("Geen groepen"),
    Check.DOUBLE_ADDRESS: mark("E-mailadres dat dubbel voorkomt"),
    Check.LOOSE_END: mark("Gegevens die nergens bij horen"),
    Check.NO_HOME_GROUP: mark("Leerlingen die niet aan een administratieve groep zijn gekoppeld"),
    Check.NO_YEAR: mark("Leerlingen zonder leerjaar-indicatie"),
    Check.YEAR_DIFFERS: mark("Leerlingen met een leerjaar dat niet bij hun groep past"),
    Check.NO_ADDRESS: mark("Leerkrachten zonder e-mailadres"),
    Check.ODD_ADDRESS: mark("E-mailadressen die op een tikfout lijken"),
    Check.TEACHES_NOTHING: mark("Leerkrachten zonder groep"),
    Check.NOBODY_TEACHES: mark("Groepen zonder docent"),
}


def path_of(own: Any, rest: str = "") -> str:
    return f"/scholen/{own.code}/inrichten/schoolinstellingen{rest}"


def crumbs_above() -> list[tuple[str, str]]:
    return [(say("Inrichten"), ""), (say("Administratie"), ""), (say("Scholen"), "")]


@router.get("")
def show_index(request: Request, school: ReadSchool) -> Response:
    """Everything that can be set up for a school."""
    return render_page(request, "inrichten.html", school, menu="inrichten", crumbs=[(say("Inrichten"), "")])


# --- tab Basis --------------------------------------------------------------------------------------------------------


@router.get("/schoolinstellingen")
def show_basics(request: Request, own: AllowedSchool) -> Response:
    """Name and code of the school."""
    return _render_basics(request, own, own.name)


@router.post("/schoolinstellingen")
def submit_basics(request: Request, own: AllowedSchool, name: Annotated[str, Form(alias="naam")] = "") -> Response:
    def change(db: Db, by: By) -> str:
        body = WireSchoolSettings.model_validate(typed(naam=name))
        change_name(db, lock_school(db, own.id), body, by)
        return path_of(own, "?melding=opgeslagen")

    def again(_db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_basics(request, own, name, status, faults)

    return submit_form(
        request, own, change, again, {"naam": mark("Vul de naam van de school in, ten hoogste 256 tekens.")}
    )


def _render_basics(request: Request, own: OwnSchool, name: str, status: int = 200, faults: Faults = ()) -> Response:
    return _render(request, own, "Basis", "schoolinstellingen.html", status, fouten=faults, naam=name)


# --- tab Koppelingen --------------------------------------------------------------------------------------------------


@router.get("/schoolinstellingen/koppelingen")
def show_connection(request: Request, own: AllowedSchool) -> Response:
    """The checks, both sides' state, the nights, and the tick box."""
    return _render_connection(request, own)


@router.post("/schoolinstellingen/koppelingen")
def submit_tick(
    request: Request,
    own: AllowedSchool,
    ticked: Annotated[str, Form(alias="basispoort", pattern="^(ja)?$")] = "",
    seen: Annotated[str, Form(alias="waarschuwingenGezien", pattern="^[0-9]{0,9}$")] = "",
) -> Response:
    """Tick or untick. Errors forbid the tick; warnings are named first, and then confirmed with their number."""
    wanted = ticked == "ja"

    def change(db: Db, by: By) -> str:
        school = lock_school(db, own.id)
        before = school.basispoort_on
        number = int(seen) if seen else None
        change_tick(db, school, WireTick(basispoort=wanted, warnings_seen=number), by)
        if school.basispoort_on == before:
            return path_of(own, "/koppelingen?melding=zelfde")
        return path_of(own, f"/koppelingen?melding={'aangevinkt' if wanted else 'uitgevinkt'}")

    def again(db: Db, status: int, _faults: Faults, _changed: Sequence[str]) -> Response:
        found = read_findings(db, own.id)
        errors = [(FORM, finding.sentence) for finding in found if finding.weight is Weight.ERROR]
        if errors:
            return _render_connection(request, own, status, errors, ticked=wanted)
        warnings = [finding.sentence for finding in found]
        faults = [("waarschuwingenGezien", say("Bevestig eerst dat u de aandachtspunten hebt gezien."))]
        return _render_connection(request, own, status, faults, ticked=wanted, confirm=warnings)

    return submit_form(request, own, change, again)


@router.post("/schoolinstellingen/koppelingen/nu")
def submit_run(request: Request, own: AllowedSchool) -> Response:
    """`Nu synchroniseren`: what the night does, at once."""
    try:
        run_asked(request.app.state.engine, request.app.state.hub, for_night(own))
    except TooManyAttempts as problem:
        faults = [("nu", say("Er is net al een paar keer gesynchroniseerd. Probeer het over tien minuten opnieuw."))]
        return _render_connection(request, own, problem.status, faults)
    return see_other(path_of(own, "/koppelingen?melding=nu"))


@router.post("/schoolinstellingen/koppelingen/pauze")
def submit_pause(
    request: Request,
    own: AllowedSchool,
    form: Annotated[str, Form(alias="formulier", pattern="^pauze$")],  # noqa: ARG001  # an empty body ends no pause
    until: Annotated[str, Form(alias="tot")] = "",
) -> Response:
    def change(db: Db, by: By) -> str:
        body = WirePause.model_validate(typed(tot=until))
        change_pause(db, lock_school(db, own.id), body, by)
        return path_of(own, f"/koppelingen?melding={'gepauzeerd' if body.until else 'doorgaan'}")

    def again(_db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_connection(request, own, status, faults, filled={"tot": until})

    return submit_form(request, own, change, again, {"tot": mark("Kies een datum, of laat het veld leeg.")})


@router.post("/schoolinstellingen/koppelingen/domeinen")
def submit_domain(
    request: Request,
    own: AllowedSchool,
    old: Annotated[str, Form(alias="van")] = "",
    new: Annotated[str, Form(alias="naar")] = "",
) -> Response:
    """Announce that all addresses move to another mail domain."""

    def change(db: Db, by: By) -> str:
        save_domain(db, own.id, WireDomainChange.model_validate(typed(van=old, naar=new)), by.at)
        return path_of(own, "/koppelingen?melding=domein")

    def again(_db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_connection(request, own, status, faults, filled={"van": old, "naar": new})

    return submit_form(request, own, change, again)


@router.post("/schoolinstellingen/koppelingen/domeinen/intrekken")
def submit_domain_removal(
    request: Request, own: AllowedSchool, old: Annotated[str, Form(alias="van")] = ""
) -> Response:
    def change(db: Db, by: By) -> str:
        remove_domain(db, own.id, old, by.at)
        return path_of(own, "/koppelingen?melding=domein-weg")

    def again(_db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_connection(request, own, status, faults)

    return submit_form(request, own, change, again)


@router.get("/schoolinstellingen/koppelingen/vannacht")
def show_tonight(request: Request, own: AllowedSchool) -> Response:
    """A dry run: what tonight would send, and about whom. Nothing is sent."""
    shown: Preview | None = None
    try:
        shown = preview(request.app.state.engine, request.app.state.hub, for_night(own))
        sentence = shown.sentence
    except RemoteProblem as refused:
        sentence = refusal(refused).said
    except UpstreamProblem:
        sentence = say("Basispoort is op dit moment niet bereikbaar. Probeer het later opnieuw.")
    entries = shown.entries if shown is not None else []
    return render_page(
        request,
        "vannacht.html",
        own,
        menu="inrichten",
        crumbs=[*crumbs_above(), (say("Schoolinstellingen"), path_of(own, "/koppelingen")), (say("Vannacht"), "")],
        zin=sentence,
        aantal=len(entries),
        rijen=[
            [shown_name(entry), say(KINDS[kind_of(entry)]), say(TONIGHT[what])]
            for what, entry in entries[:TONIGHT_SHOWN]
        ],
        terug=path_of(own, "/koppelingen"),
    )


def _render_connection(
    request: Request,
    own: OwnSchool,
    status: int = 200,
    faults: Faults = (),
    *,
    ticked: bool | None = None,
    confirm: Sequence[str] = (),
    filled: Mapping[str, str] | None = None,
) -> Response:
    engine, hub = request.app.state.engine, request.app.state.hub
    connection = ask_connection(engine, hub, own)
    with reading(engine) as db:
        found, runs, domains = read_findings(db, own.id), read_runs(db, own.id, RUNS_SHOWN), read_domains(db, own.id)
    paused = connection.paused_until.isoformat() if connection.paused_until else ""
    return _render(
        request,
        own,
        "Koppelingen",
        "koppelingen.html",
        status,
        fouten=faults,
        controles=_checks(found, own.code),
        koppeling=connection,
        nachten=runs,
        domeinen=domains,
        aan=connection.basispoort if ticked is None else ticked,
        bevestigen=confirm,
        ingevuld={"tot": paused, "van": "", "naar": "", **(filled or {})},
    )


def _checks(found: Iterable[Finding], code: str) -> list[dict[str, Any]]:
    """One line per check that is not in order, errors first: sign, words with a number, and where to mend it."""
    grouped: dict[Check, list[Finding]] = {}
    for finding in found:
        grouped.setdefault(finding.check, []).append(finding)
    return [
        {
            "soort": "fout" if each[0].weight is Weight.ERROR else "let-op",
            "kop": f"{say(TOPICS[check])}: {len(each)}",
            "regel": _some([finding.name for finding in each if finding.name]),
            "adres": link_of(each[0], code) if len(each) == 1 else f"/scholen/{code}/controles",
        }
        for check, each in grouped.items()
    ]


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(names[:NAMES_SHOWN])
    return say("%(namen)s en %(aantal)s meer", namen=shown, aantal=more) if more > 0 else shown


def _render(request: Request, own: OwnSchool, tab: str, template: str, status: int, **values: Any) -> Response:
    return render_page(
        request,
        template,
        own,
        menu="inrichten",
        crumbs=[*crumbs_above(), (say("Schoolinstellingen"), "")],
        status_code=status,
        notices=NOTICES,
        bladen=[(say("Basis"), path_of(own)), (say("Koppelingen"), path_of(own, "/koppelingen"))],
        blad=say(tab),
        pad=path_of(own),
        **values,
    )
