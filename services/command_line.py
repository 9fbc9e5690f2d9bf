"""The `schakel` command: demo, serve, clock, migrate, night, seed, checks, publishers, import and export of EDEXML."""

import gc
import importlib
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.edexml_versions import Version
from shared.identifiers import SchoolCode
from shared.problems import Problem
from shared.settings import SettingsMissing

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from services.basispoort_hub.tables import PublisherRow

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Schakel: rosters from administration to apps.")
out, err = Console(), Console(stderr=True)


class Service(StrEnum):
    EDUSCOPE = "eduscope_api"
    HUB = "basispoort_hub"
    CONNECTOR = "app_connector"


def _part(service: Service, module: str) -> Any:
    """A module of a service, imported when it is needed: the other services' libraries cost a command its start."""
    return importlib.import_module(f"services.{service}.{module}")


def _settings(service: Service) -> Any:
    from shared.settings import load

    return load(_part(service, "settings").Settings)


def _engine(service: Service, settings: Any) -> Engine:
    """The database of a service; stops with one sentence when it has not the newest revision."""
    from shared.database import open_engine
    from shared.migrate import is_current

    engine = open_engine(settings.database_url)
    if not is_current(engine, service):
        _stop(f"De database van {service} is niet bij. Voer eerst uit: schakel migrate {service}")
    return engine


@app.command()
def demo(
    edexml: Annotated[Path | None, typer.Option(help="an EDEXML file; without it a generated school")] = None,
    once: Annotated[bool, typer.Option("--once", help="stop after the last step: 0 when all is well, else 1")] = False,
) -> None:
    """The whole chain on this machine: services, clocks, a mail catcher, and a walk through both manuals."""
    from services.demo.run import run_demo

    raise typer.Exit(run_demo(edexml, once=once))


@app.command()
def serve(service: Service) -> None:
    """Answer requests, on the host and port of the settings."""
    import uvicorn

    from shared.tls import PeerProtocol

    settings = _settings(service)
    _engine(service, settings).dispose()
    check_port(settings.host, settings.port)
    application = _part(service, "main").create()
    _calm_collector()
    uvicorn.run(
        application,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=PeerProtocol,
        ssl_context_factory=_tls(settings),
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        date_header=True,
    )


def _tls(settings: Any) -> Any:
    """What uvicorn needs to end TLS itself; None for a service whose settings name no certificate."""
    from shared.tls import context_factory, server_context

    if not getattr(settings, "tls_cert", ""):
        return None
    authorities = Path(settings.tls_client_ca) if settings.tls_client_ca else None
    return context_factory(server_context(Path(settings.tls_cert), Path(settings.tls_key), authorities))


def _calm_collector() -> None:
    """What is there after the start stays: the garbage collector need not look at it again, nor so often at the rest.

    A roster makes tens of thousands of values at once; with Python's own threshold each request is searched many times.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@app.command()
def clock(service: Service) -> None:
    """Run what this service does by itself: the night, messages, reminders."""
    settings = _settings(service)
    from shared.logs import configure

    configure(f"{service}-clock", settings.log_level)
    _part(service, "schedule").run(settings)


@app.command()
def migrate(service: Service) -> None:
    """Bring the database of a service to the newest revision."""
    from shared.database import open_engine
    from shared.migrate import upgrade

    upgrade(open_engine(_settings(service).database_url), service)
    out.print(f"{service}: de database is bij.")


@app.command()
def night(
    school: Annotated[str | None, typer.Option(help="only this school, for example 99ZA00")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be sent")] = False,
) -> None:
    """Do tonight's work at once, for one school or all; tonight's claim stays as it is."""
    from rich.table import Table

    from services.eduscope_api.hub_client import HubClient
    from services.eduscope_api.nightly import run_now
    from services.eduscope_api.runs import FAILURES
    from shared.logs import configure
    from shared.service_client import ServiceClient

    settings = _settings(Service.EDUSCOPE)
    configure(Service.EDUSCOPE, "WARNING")
    hub = HubClient(ServiceClient("hub", settings.hub_url, settings.hub_key.get_secret_value()))
    reports = run_now(_engine(Service.EDUSCOPE, settings), hub, _code(school), dry_run)
    table = Table("school", "uitkomst", "wat", "ms", box=None)
    for report in reports:
        table.add_row(report.code, report.outcome, report.sentence, str(report.took_ms))
    out.print(table if reports else "Geen enkele school heeft het vinkje bij Basispoort.")
    if any(report.outcome in FAILURES for report in reports):
        raise typer.Exit(1)


@app.command()
def seed(number: Annotated[int, typer.Option("--schools", min=1, max=1000, help="how many schools")] = 1) -> None:
    """Put generated schools into EDUscope: 400 pupils, 16 groups, 28 teachers each."""
    from io import BytesIO

    from services.demo.school import another_school
    from services.eduscope_api.edexml import import_file
    from shared.clock import local_date, now
    from shared.edexml_write import write_edexml

    engine = _engine(Service.EDUSCOPE, _settings(Service.EDUSCOPE))
    for place in range(1, number + 1):
        school = another_school(local_date(now()), place)
        import_file(engine, BytesIO(write_edexml(school, created_at=now(), author="Schakel")))
        code = school.school.school_code
        out.print(f"{code}: een school van {len(school.pupils)} leerlingen staat in EDUscope.", highlight=False)


@app.command()
def check(school: Annotated[str, typer.Argument(help="for example 99ZA00")]) -> None:
    """Print what is not in order at a school.

    Status 0: nothing. 1: warnings only. 2: errors, which forbid the link. 3: the school is not here.
    """
    from services.eduscope_api.checks import read_findings_of
    from services.eduscope_api.rules.readiness import Weight
    from shared.database import reading

    code = _code(school)
    assert code is not None
    with reading(_engine(Service.EDUSCOPE, _settings(Service.EDUSCOPE))) as db:
        found = read_findings_of(db, code)
    if found is None:
        _stop(f"School {code} staat niet in EDUscope.", 3)
    for finding in found:
        out.print(f"{finding.weight.value}: {finding.sentence}", markup=False, highlight=False, soft_wrap=True)
    errors = sum(finding.weight is Weight.ERROR for finding in found)
    out.print(f"{code}: fouten {errors}, waarschuwingen {len(found) - errors}", highlight=False)
    raise typer.Exit(2 if errors else 1 if found else 0)


@app.command("import-edexml")
def import_edexml(file: Path) -> None:
    """Take an EDEXML file (1.0.3, 2.0 or 2.1) into EDUscope: adds and changes, never removes."""
    from services.eduscope_api.edexml import import_file

    engine = _engine(Service.EDUSCOPE, _settings(Service.EDUSCOPE))
    try:
        with file.open("rb") as source:
            taken = import_file(engine, source)
    except OSError as error:
        _stop(f"{file} is niet te lezen: {error.strerror}.")
    out.print_json(taken.model_dump_json(by_alias=True))


@app.command("export-edexml")
def export_edexml(
    code: str,
    to: Annotated[Path | None, typer.Option(help="a file; standard output without it")] = None,
    version: Annotated[Version, typer.Option(help="of the format; what it cannot hold is said")] = Version.V2_1,
) -> None:
    """Write a school as EDEXML 2.1, 2.0 or 1.0.3."""
    from services.eduscope_api.edexml import export_file

    engine = _engine(Service.EDUSCOPE, _settings(Service.EDUSCOPE))
    content, notices = export_file(engine, _code(code) or code, version)
    if to is None:
        sys.stdout.buffer.write(content)
    else:
        to.write_bytes(content)
    for notice in notices:
        err.print(notice.text, highlight=False)


school_app = typer.Typer(no_args_is_help=True, help="Schools that close, merge or change their code.")
app.add_typer(school_app, name="school")

Reason = Annotated[str, typer.Option(help="why; it is kept")]
Confirm = Annotated[str | None, typer.Option(help="the fingerprint that was shown; without it nothing is done")]


@school_app.command("close")
def school_close(code: str, reason: Reason, confirm: Confirm = None) -> None:
    """The school stops; its institution goes on answering, with actief false."""
    _school_case("sluiten", code, None, reason, confirm)


@school_app.command("merge")
def school_merge(code: str, into: str, reason: Reason, confirm: Confirm = None) -> None:
    """The school goes up in another one, to which gefuseerdNaar points."""
    _school_case("fuseren", code, into, reason, confirm)


@school_app.command("recode")
def school_recode(code: str, new_code: str, reason: Reason, confirm: Confirm = None) -> None:
    """The school gets another BRIN or branch; the former one goes on leading to it."""
    _school_case("hernummeren", code, new_code, reason, confirm)


@school_app.command("reopen")
def school_reopen(code: str, reason: Reason, confirm: Confirm = None) -> None:
    """Take closing or merging back."""
    _school_case("terugdraaien", code, None, reason, confirm)


def _school_case(step: str, code: str, to: str | None, reason: str, confirm: str | None) -> None:
    from pydantic import ValidationError

    from services.basispoort_hub.merged_schools import WireCase, carry_out
    from shared.clock import now
    from shared.database import writing

    try:
        case = WireCase.model_validate({"soort": step, "naar": to, "reden": reason, "vingerafdruk": confirm})
    except ValidationError:
        _stop("De code, de reden of de vingerafdruk heeft niet de juiste vorm.")
    with writing(_engine(Service.HUB, _settings(Service.HUB))) as db:
        outcome = carry_out(db, code, case, now())
    for sentence in outcome.sentences:
        out.print(f"- {sentence}", highlight=False, soft_wrap=True)
    done = "Uitgevoerd." if outcome.done else f"Er is nog niets gedaan. Bevestig met --confirm {outcome.fingerprint}"
    out.print(done, highlight=False, soft_wrap=True)


publisher_app = typer.Typer(no_args_is_help=True, help="Publishers: who may call the hub, and with what.")
app.add_typer(publisher_app, name="publisher")

Folder = Annotated[Path, typer.Option(help="where the test CA and the certificates are kept")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="how long the certificate counts")]
FOLDER = Path("var/tls")
SHOWN = 12  # signs of a fingerprint: enough to tell those of a publisher apart


@publisher_app.command("add")
def publisher_add(
    code: str,
    name: Annotated[str, typer.Option(help="what schools know it by")],
    sentence: Annotated[str | None, typer.Option(help="what its slider says")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=0, help="its own quota; 0: no limit")] = None,
    folder: Folder = FOLDER,
    days: Days = 365,
) -> None:
    """Make a publisher with a certificate of the test CA (made when there is none) and a bearer key."""
    from pydantic import ValidationError

    from services.basispoort_hub.operator_api import WireNewPublisher
    from services.basispoort_hub.publisher_operator import check_publisher_code, save_publisher
    from shared.database import writing

    check_publisher_code(code)
    says = f"Activeer de digitale methodes van {name}" if sentence is None else sentence
    try:
        new = WireNewPublisher.model_validate({"code": code, "naam": name, "zin": says})
    except ValidationError:
        _stop("De naam of de zin is leeg of te lang.")
    engine = _engine(Service.HUB, _settings(Service.HUB))
    with writing(engine) as db:
        save_publisher(db, new.code, new.name, new.sentence, requests_per_minute)
    out.print(f"{code}: de uitgever is gemaakt.", highlight=False)
    _hand_out(engine, code, folder, days)


@publisher_app.command("rotate")
def publisher_rotate(code: str, folder: Folder = FOLDER, days: Days = 365) -> None:
    """A second certificate and key; the first ones count until they are revoked, replaced or expire."""
    _hand_out(_engine(Service.HUB, _settings(Service.HUB)), code, folder, days)


def _publisher(db: "Session", code: str) -> "PublisherRow":
    from services.basispoort_hub.publisher_operator import read_publisher
    from shared.problems import NotFound

    try:
        return read_publisher(db, code)
    except NotFound:
        _stop("Er is geen uitgever met deze code.")


def _hand_out(engine: Engine, code: str, folder: Path, days: int) -> None:
    """A new certificate in a file, and a new key on the screen. The file is there before the hub counts on it."""
    from datetime import timedelta

    from services.basispoort_hub.certificates import CA_FILE, issue_client, open_authority, write_private
    from services.basispoort_hub.publisher_callers import fingerprint_of
    from services.basispoort_hub.publisher_operator import (
        check_room_for_certificate,
        read_live_keys,
        save_certificate,
        save_publisher_key,
    )
    from shared.clock import now
    from shared.database import writing

    at = now()
    with writing(engine) as db:
        check_room_for_certificate(db, _publisher(db, code).id, at)
    issued = issue_client(open_authority(folder, at), code, at, timedelta(days=days))
    fingerprint = fingerprint_of(issued.der)
    file = folder / f"{code}-{fingerprint[:SHOWN]}.pem"
    write_private(file, issued.pem)
    with writing(engine) as db:
        publisher = _publisher(db, code)
        save_certificate(db, publisher.id, issued.der, issued.not_after, at)
        counted = read_live_keys(db, publisher.id)
        key = save_publisher_key(db, publisher.id, at)
        left = read_live_keys(db, publisher.id)
    for line in (
        f"Certificaat en sleutel: {file} (geldig tot {issued.not_after:%d-%m-%Y})",
        f"Vingerafdruk: {fingerprint}",
        f"CA, voor HUB_TLS_CLIENT_CA: {folder / CA_FILE}",
        f"Toegangssleutel, eenmalig getoond: {key}",
    ):
        out.print(line, highlight=False, soft_wrap=True)
    for each in counted:
        if each not in left:
            said = f"De oudste sleutel ({each.fingerprint[:SHOWN]}, van {each.created_at:%d-%m-%Y}) telt niet meer."
            out.print(said, highlight=False, soft_wrap=True)


@publisher_app.command("server")
def publisher_server(hosts: list[str], folder: Folder = FOLDER, days: Days = 365) -> None:
    """A server certificate of the test CA for these host names, for a hub that ends TLS itself on a test bed."""
    from datetime import timedelta

    from services.basispoort_hub.certificates import issue_server, open_authority, write_private
    from shared.clock import now

    at = now()
    issued = issue_server(open_authority(folder, at), hosts, at, timedelta(days=days))
    file = folder / f"server-{at:%Y%m%d%H%M%S}.pem"
    write_private(file, issued.pem)
    out.print(f"Voor HUB_TLS_CERT en HUB_TLS_KEY: {file}", highlight=False, soft_wrap=True)


@publisher_app.command("list")
def publisher_list() -> None:
    """Every publisher, its quota, what it calls with, and whether its webhook works."""
    from rich.table import Column, Table

    from services.basispoort_hub.publisher_operator import read_publishers
    from shared.clock import now
    from shared.database import reading

    at = now()
    # what is typed over is never cut off, whatever the width of the screen
    widths = {"sleutel": SHOWN, "gemaakt op": 10, "certificaat": SHOWN, "geldig tot": 10}
    headings = ("code", "naam", "per minuut", *widths, "webhook")
    table = Table(*(Column(name, min_width=widths.get(name)) for name in headings), box=None)
    with reading(_engine(Service.HUB, _settings(Service.HUB))) as db:
        for each in read_publishers(db):
            quota = "" if each.requests_per_minute is None else str(each.requests_per_minute)
            webhook = each.webhook.sentence if each.webhook is not None else ""
            keys = [(known.fingerprint[:SHOWN], f"{known.created_at:%d-%m-%Y}") for known in each.live_keys]
            live = [known for known in each.certificates if known.counts(at)]
            certificates = [(known.fingerprint[:SHOWN], f"{known.not_after:%d-%m-%Y}") for known in live]
            for place in range(max(len(keys), len(certificates), 1)):
                first = (each.code, each.name, quota) if place == 0 else ("", "", "")
                own_key, own_certificate = ((*known[place : place + 1], ("", ""))[0] for known in (keys, certificates))
                table.add_row(*first, *own_key, *own_certificate, webhook if place == 0 else "")
    out.print(table)


@publisher_app.command("revoke")
def publisher_revoke(
    code: str,
    fingerprint: Annotated[str | None, typer.Option(help="how that of the certificate or key begins")] = None,
    everything: Annotated[bool, typer.Option("--all", help="every certificate and key")] = False,
) -> None:
    """End one certificate or key, or everything the publisher calls with; it counts at the next request."""
    from services.basispoort_hub.publisher_operator import revoke
    from shared.clock import now
    from shared.database import writing
    from shared.problems import NotFound

    if everything == (fingerprint is not None):
        _stop("Zeg --fingerprint met het begin van een vingerafdruk (zie schakel publisher list), of --all.")
    with writing(_engine(Service.HUB, _settings(Service.HUB))) as db:
        publisher = _publisher(db, code)
        try:
            ended = revoke(db, publisher.id, fingerprint, now())
        except NotFound:
            _stop("Bij deze uitgever begint geen geldig certificaat en geen geldige sleutel zo, of meer dan één.")
    out.print(f"{code}: {ended} ingetrokken.", highlight=False)


def _code(text: str | None) -> str | None:
    """A school code in its one spelling; the command stops when it cannot be one."""
    if text is None:
        return None
    try:
        return str(SchoolCode.parse(text))
    except ValueError as error:
        _stop(f"{text!r} is geen schoolcode: {error}.")


def check_port(host: str, port: int) -> None:
    """Stop with one sentence when the port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _stop(f"Poort {port} op {host} is niet te gebruiken ({error.strerror}). Draait daar al iets?")


def _stop(sentence: str, status: int = 1) -> NoReturn:
    err.print(sentence, style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def _sentence(problem: Problem) -> str:
    """What a person needs to know; for a file with faults the first of them, with its line."""
    rows = problem.members.get("fouten") or []
    return problem.uitleg + "".join(f" Regel {row['regel']}: {row['reden']}" for row in rows[:1])


def main() -> None:
    """The command; every expected failure is one sentence and exit status 1."""
    try:
        app()
    except SettingsMissing as missing:
        err.print(
            f"Er ontbreekt een instelling, of er klopt er een niet: {missing}",
            style="red",
            highlight=False,
            soft_wrap=True,
        )
    except Problem as problem:
        err.print(_sentence(problem), style="red", highlight=False, soft_wrap=True)
    except OSError as error:
        err.print(f"Dit kan niet worden gelezen of geschreven: {error}", style="red", highlight=False, soft_wrap=True)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        err.print(f"De database is niet te gebruiken: {reason}", style="red", highlight=False, soft_wrap=True)
    else:
        return
    sys.exit(1)


if __name__ == "__main__":
    main()
