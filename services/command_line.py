"""The `schakel` command: demo, serve, clock, migrate, night, seed, import and export of EDEXML."""

import gc
import importlib
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.identifiers import SchoolCode
from shared.problems import Problem
from shared.settings import SettingsMissing

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
        http="httptools",
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        date_header=True,
    )


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
    code: str, to: Annotated[Path | None, typer.Option(help="a file; standard output without it")] = None
) -> None:
    """Write a school as EDEXML 2.1."""
    from services.eduscope_api.edexml import export_file

    content, notices = export_file(_engine(Service.EDUSCOPE, _settings(Service.EDUSCOPE)), _code(code) or code)
    if to is None:
        sys.stdout.buffer.write(content)
    else:
        to.write_bytes(content)
    for notice in notices:
        err.print(notice.text, highlight=False)


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


def _stop(sentence: str) -> NoReturn:
    err.print(sentence, style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


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
