"""`make demo`: starts the chain on this machine, walks the two manuals over HTTP, and shows what came of each step."""

import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.demo import walk_eduscope as eduscope
from services.demo import walk_portal as portal
from services.demo.processes import DidNotStart, Processes, check_ports
from services.demo.scene import HELPDESK, PORTS, NotPossible, Scene, StepFailed
from services.demo.school import SCHOOL_NAME, a_school
from shared.clock import local_date, now
from shared.edexml import EdexmlFile
from shared.edexml_read import read_edexml
from shared.edexml_write import write_edexml
from shared.identifiers import SchoolCode
from shared.problems import Problem

FOLDER = Path("var/demo")
WIDE = 120  # columns, where the output goes to a file
NO_CODE = SchoolCode("99ZZ", "99")  # for a file that does not say which school it is

STEPS: Sequence[tuple[str, str, Callable[[Scene], str]]] = (
    ("EDUscope", "De school komt binnen uit EDEXML", eduscope.bring_school_in),
    ("EDUscope", "Een kapot bestand wordt geweigerd", eduscope.refuse_broken_file),
    ("Basispoort", "School geopend, eerste ICT-coördinator", eduscope.open_school_in_hub),
    ("Basispoort", "Zoals het was: met de hand inlezen (xml-maker)", eduscope.import_by_hand),
    ("apps", "Taalblobs en Rekenblobs zijn al in gebruik", portal.fill_apps),
    ("EDUscope", "Stap 1  Vergelijk de leerkrachten", eduscope.compare),
    ("EDUscope", "Stap 2  Neem de Basispoort-adressen over", eduscope.correct_addresses),
    ("EDUscope", "Stap 3  Leerkrachten aan groepen, vervangersaccount", eduscope.link_teachers),
    ("EDUscope", "Stap 4  Algemene controles", eduscope.check),
    ("EDUscope", "Stap 5  Vinkje bij Basispoort", eduscope.tick),
    ("Basispoort", "Stap 6  Activeer de koppeling met EDUscope", eduscope.switch_on),
    ("nacht", "De nacht: alles gaat naar Basispoort", eduscope.first_night),
    ("Basispoort", "Een leerkracht activeert het account", eduscope.activate_one),
    ("Basispoort", "Schuifje: toestemming voor CtrlLearning", portal.give_consent),
    ("Beheerportaal", "Melding bij de helpdesk, met controle per gegeven", portal.ask_for_connection),
    ("Beheerportaal", "Helpdesk rondt af; bevestiging per e-mail", portal.complete_request),
    ("Taalblobs", "Alles  Stap 1  Leerlingen koppelen", portal.pair_everything),
    ("Taalblobs", "Alles  Stap 2-4  Controleren en synchroniseren", portal.synchronise_everything),
    ("Rekenblobs", "Selectief  Stap 1-3  Koppelen en kiezen", portal.choose_some),
    ("Rekenblobs", "Selectief  Stap 4  Precies wat getoond is", portal.synchronise_some),
    ("nacht", "Tweede nacht: precies de wijzigingen", eduscope.second_night),
    ("Beheerportaal", "De apps volgen", portal.follow_changes),
    ("nacht", "De rem: een golf van verwijderingen", eduscope.brake),
    ("Rekenblobs", "Terugdraaien", portal.take_back),
)
TO_COME = (("Basispoort", "Inloggen in de apps via Basispoort"),)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one step: `sign` is ✓, ✗ or –."""

    sign: str
    where: str
    what: str
    result: str
    seconds: float


def run_demo(edexml: Path | None, *, once: bool) -> int:
    """The demo; returns the exit status: 0 when every step did, or rightly refused, what its manual says."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    try:
        scene = make_scene(edexml, FOLDER, PORTS)
        check_ports(PORTS)
    except (DidNotStart, OSError, Problem) as refused:
        console.print(_said(refused), style="red")
        return 1
    processes = Processes(FOLDER)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end is as good as Ctrl-C
    try:
        with console.status("De diensten starten ..."):
            start(scene, processes)
        outcomes = _walk(scene, processes, console)
        _show(console, scene, outcomes)
        if not once:
            _show_entrances(console, scene)
        failed = [each for each in outcomes if each.sign == "✗"]
        if not once:
            _stay_up(console, processes)
        return 1 if failed else 0
    except (DidNotStart, StepFailed) as stopped:
        console.print(str(stopped), style="red")
        return 1
    except KeyboardInterrupt:
        console.print("\nGestopt.")
        return 130 if once else 0
    finally:
        for site in scene.sites.values():
            site.close()
        processes.stop()


def _said(refused: Exception) -> str:
    if isinstance(refused, Problem):
        rows = refused.members.get("fouten") or [refused.members]
        where = f" Regel {rows[0]['regel']}: {rows[0]['reden']}" if rows and "regel" in rows[0] else ""
        return f"{refused.uitleg}{where}"
    if isinstance(refused, OSError):
        return f"Het EDEXML-bestand is niet te lezen: {refused.strerror}."
    return str(refused)


def make_scene(edexml: Path | None, folder: Path, ports: Mapping[str, int]) -> Scene:
    """The school of the walk, from a file or generated. Raises OSError and Problem for a file that cannot be read."""
    if edexml is None:
        school = a_school(local_date(now()))
        xml, name = write_edexml(school, created_at=now(), author="Schakel"), SCHOOL_NAME
    else:
        xml = edexml.read_bytes()
        school, name = read_edexml(BytesIO(xml)), f"De school uit {edexml.name}"
    return Scene(folder, _with_code(school), name, xml, ports)


def _with_code(school: EdexmlFile) -> EdexmlFile:
    if school.school.school_code is not None:
        return school
    return replace(school, school=replace(school.school, school_code=NO_CODE))


def start(scene: Scene, processes: Processes) -> None:
    """Start mail, hub, EDUscope and Beheerportaal, in that order: the hub hands out the keys the others need."""
    os.umask(0o077)  # what the demo keeps is for the person who runs it alone
    shutil.rmtree(scene.folder, ignore_errors=True)
    scene.folder.mkdir(parents=True)
    mail = str(scene.ports["mail (SMTP)"])
    processes.start("mail", "services.demo.mail_catcher", mail, str(scene.ports["mailpagina"]), env={})
    processes.wait_until_ready("mail", f"{scene.address('mailpagina')}/healthz")
    scene.open_site("mail", "mailpagina")
    _start_service(scene, processes, "basispoort_hub", "HUB", "Basispoort", {"LINK_KEYS": scene.secret("link key")})
    hub = scene.open_site("hub-operator", "Basispoort", scene.secret("hub operator key"))
    keys = hub.call("POST", "/api/v1/operator/administraties/EDUscope/sleutels").json()
    publisher = {
        "code": "ctrllearning",
        "naam": "CtrlLearning",
        "zin": "Activeer de digitale methodes van CtrlLearning",
    }
    hub.call("POST", "/api/v1/operator/uitgevers", json=publisher)
    publisher_keys = hub.call("POST", "/api/v1/operator/uitgevers/ctrllearning/sleutels").json()
    hub.call("PUT", "/api/v1/operator/uitgevers/ctrllearning/beheerportaal", json=management_portal(scene))
    ctrllearning = scene.open_site("publisher", "Basispoort", publisher_keys["sleutel"])
    for app in portal.APPS:  # what the slider and the message to the helpdesk name
        method = {"id": app, "naam": app.title(), "tags": []}
        ctrllearning.call("POST", "/hosted-lika/management/lika/ctrllearning/methode", json=method)
    hub_url = scene.address("Basispoort")
    _start_service(
        scene, processes, "eduscope_api", "EDUSCOPE", "EDUscope", {"HUB_URL": hub_url, "HUB_KEY": keys["sleutel"]}
    )
    _start_service(
        scene,
        processes,
        "app_connector",
        "CONNECTOR",
        "Beheerportaal",
        {"HUB_URL": hub_url, "HUB_KEY": publisher_keys["sleutel"], "HELPDESK_MAIL": HELPDESK},
    )
    scene.open_site("eduscope-operator", "EDUscope", scene.secret("eduscope operator key"))
    scene.open_site("portal-operator", "Beheerportaal", scene.secret("connector operator key"))
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(scene.facts["settings"].items()))
    environment = scene.folder / "environment"
    environment.touch(mode=0o600)
    environment.write_text(lines)
    scene.facts["environment"] = {**os.environ, **scene.facts["settings"]}


def management_portal(scene: Scene) -> dict[str, str]:
    """What coordinators see of CtrlLearning in Lesmateriaal: the tile, where it leads, and where its helpdesk is."""
    return {"naam": "Beheerportaal", "adres": f"{scene.address('Beheerportaal')}/", "helpdesk": HELPDESK}


def _start_service(
    scene: Scene, processes: Processes, service: str, prefix: str, name: str, more: dict[str, str]
) -> None:
    settings = {
        "DATABASE_URL": f"sqlite:///{(scene.folder / service).absolute()}.sqlite",
        "BASE_URL": scene.address(name),
        "PORT": str(scene.ports[name]),
        "OPERATOR_KEY": scene.secret(f"{prefix.lower()} operator key"),
        "SMTP_PORT": str(scene.ports["mail (SMTP)"]),
        "MAIL_FROM": f"{name} <noreply@{name.lower()}.example>",
        "OUTBOX_TICK": "PT1S",
        **more,
    }
    env = {f"{prefix}_{key}": value for key, value in settings.items()}
    scene.facts.setdefault("settings", {}).update(env)
    command = "services.command_line"
    processes.run_once(f"{service}-migrate", command, "migrate", service, env=env)
    processes.start(service, command, "serve", service, env=env)
    processes.wait_until_ready(service, f"{scene.address(name)}/readyz")
    processes.start(f"{service}-clock", command, "clock", service, env=env)


def _walk(scene: Scene, processes: Processes, console: Console) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for number, (where, what, step) in enumerate(STEPS, start=1):
        began = time.perf_counter()
        with console.status(f"{number:2}/{len(STEPS)}  {where}: {what} ..."):
            outcome = _do(scene, where, what, step, began)
        if (ended := processes.ended()) and outcome.sign != "✗":
            reason = f"{', '.join(ended)} stopte; zie {processes.folder}/logs"
            outcome = Outcome("✗", where, what, reason, outcome.seconds)
        outcomes.append(outcome)
        console.print(f"{outcome.sign} {number:2}/{len(STEPS)}  {where}: {what}  ({outcome.seconds:.1f} s)")
        if outcome.sign == "✗":
            console.print(f"  {outcome.result}", style="red")
            break
    return outcomes


def _do(scene: Scene, where: str, what: str, step: Callable[[Scene], str], began: float) -> Outcome:
    try:
        sign, result = "✓", step(scene)
    except NotPossible as reason:
        sign, result = "–", f"niet mogelijk: {reason}"
    except StepFailed as reason:
        sign, result = "✗", str(reason)
    return Outcome(sign, where, what, result, time.perf_counter() - began)


def _show(console: Console, scene: Scene, outcomes: list[Outcome]) -> None:
    table = Table(title=f"{scene.school_name} ({scene.code}) door de hele keten", title_justify="left")
    for column in ("", "waar", "wat", "uitkomst"):
        table.add_column(column)
    table.add_column("s", justify="right")
    for each in outcomes:
        table.add_row(each.sign, each.where, each.what, each.result, f"{each.seconds:.1f}")
    if len(outcomes) == len(STEPS):
        for where, what in TO_COME:
            table.add_row("–", where, what, "komt nog", "")
    console.print(table)


def _show_entrances(console: Console, scene: Scene) -> None:
    console.print("Kijk zelf rond:")
    for who, service, user, secret in (
        ("beheerder", "EDUscope", "beheerder@eduscope.example", "beheerder"),
        ("ICT-coördinator", "Basispoort", next(iter(scene.facts.get("coordinators", [])), "–"), "coordinator"),
        ("leerkracht", "Basispoort", str(scene.facts.get("teacher", "–")), "teacher"),
        ("ICT-coördinator", "Beheerportaal", next(iter(scene.facts.get("coordinators", [])), "–"), "portal"),
        ("helpdesk", "Beheerportaal", HELPDESK, "helpdesk"),
    ):
        if secret in scene.secrets:
            console.print(
                f"  {scene.address(service)}  {service}, {who}: {user}  {scene.secrets[secret]}", soft_wrap=True
            )
    console.print(f"  {scene.address('mailpagina')}  alle verstuurde e-mails")
    console.print(
        f"De tegel van het Beheerportaal: {scene.address('Basispoort')}/scholen/{scene.code}/lesmateriaal"
        " (log in als ICT-coördinator)",
        soft_wrap=True,
    )
    night = f"set -a; . {scene.folder}/environment; set +a; .venv/bin/schakel night --dry-run"
    console.print(f"Zelf een nacht proberen: {night}", soft_wrap=True)


def _stay_up(console: Console, processes: Processes) -> None:
    console.print("De diensten blijven aan tot Ctrl-C.")
    while True:
        time.sleep(1)
        if ended := processes.ended():
            raise DidNotStart(f"{', '.join(ended)} stopte; zie {processes.folder}/logs.")
