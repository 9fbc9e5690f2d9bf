"""Writes the pages that are made from the code (`make docs`): settings, problems, the life of an account.

A test makes them again and fails when what is committed differs, so these pages cannot lie.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from services.app_connector.settings import Settings as ConnectorSettings
from services.basispoort_hub.rules.account_table import account_page
from services.basispoort_hub.settings import Settings as HubSettings
from services.eduscope_api.settings import Settings as EduscopeSettings
from shared.app_factory import problem_types
from shared.settings import ServiceSettings

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- settings: made by `make docs` -->", "<!-- end of settings -->"
DEMO_BEGIN, DEMO_END = "<!-- demo: made by `make docs-demo` -->", "<!-- end of demo -->"
SERVICES: tuple[type[ServiceSettings], ...] = (EduscopeSettings, HubSettings, ConnectorSettings)


def made_pages() -> dict[Path, str]:
    """Every made page with its text."""
    readme = (ROOT / "README.md").read_text()
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        ROOT / "README.md": f"{before}{BEGIN}\n{settings_table()}{END}{after}",
        ROOT / "docs" / "problems.md": problems_page(),
        ROOT / "docs" / "account-states.md": account_page(),
    }


def settings_table() -> str:
    """One row per environment variable; those that every service has are listed once, with * for its prefix."""
    common = set(ServiceSettings.model_fields)
    rows = [("`*_" + name.upper() + "`", *_described(ServiceSettings, name)) for name in ServiceSettings.model_fields]
    for settings in SERVICES:
        prefix = settings.model_config.get("env_prefix", "")
        own = [name for name in settings.model_fields if name not in common]
        rows += [(f"`{prefix}{name.upper()}`", *_described(settings, name)) for name in own]
    lines = ["| Variable | Default | What |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {default} | {what} |" for name, default, what in rows)]) + "\n"


def _described(settings: type[ServiceSettings], name: str) -> tuple[str, str]:
    field = settings.model_fields[name]
    default = field.get_default()
    if name == "port":
        shown = ", ".join(f"`{one.model_fields[name].get_default()}`" for one in SERVICES)
    elif isinstance(default, timedelta):
        shown = f"`PT{default.total_seconds():.0f}S`"
    elif field.is_required():
        shown = "–"
    elif isinstance(default, SecretStr) or default == "":
        shown = "empty"
    else:
        shown = f"`{default}`"
    found = re.search(rf"^    {name}: .*?  # (.+)$", inspect.getsource(settings), re.MULTILINE)
    if found is None:
        raise LookupError(f"{settings.__module__}: {name} has no comment that says what it is")
    return shown, found.group(1)


def problems_page() -> str:
    """docs/problems.md: every kind of problem by slug."""
    lines = [
        "# Problems",
        "",
        "Every refusal is a problem (RFC 9457) with one of these kinds. `type` is `/problems/<slug>` on the service",
        "itself; slugs never change. `uitleg` is the Dutch sentence for a person. Made by `make docs`.",
        "",
        "| Slug | Status | What it means | Uitleg |",
        "|---|---|---|---|",
        *_problem_rows(),
    ]
    return "\n".join(lines) + "\n"


def _problem_rows() -> Iterator[str]:
    _load_services()
    for slug, kind in sorted(problem_types().items()):
        if slug != "problem":
            yield f"| `{slug}` | {kind.status} | {kind.title} | {kind.uitleg} |"


def _load_services() -> None:
    """A problem is known once the module that defines it is loaded."""
    import services.app_connector.main
    import services.basispoort_hub.main
    import services.eduscope_api.main  # noqa: F401  # loading it is the point


def with_demo(readme: str, printed: str) -> str:
    """The README with the table that `make demo ONCE=1` printed; what the demo prints of passwords stays out."""
    table = re.search(r"^[^\n]* door de hele keten.*?^└[^\n]*┘$", printed, re.MULTILINE | re.DOTALL)
    if table is None:
        raise LookupError("this is not what the demo prints when all its steps were done")
    before, _, rest = readme.partition(DEMO_BEGIN)
    _, _, after = rest.partition(DEMO_END)
    lines = "\n".join(line.rstrip() for line in table.group(0).splitlines())
    return f"{before}{DEMO_BEGIN}\n```\n{lines}\n```\n{DEMO_END}{after}"


def main() -> None:
    """Write the made pages; with the demo's output on standard input (`--demo`) also the README's example."""
    if "--demo" in sys.argv:
        readme = ROOT / "README.md"
        readme.write_text(with_demo(readme.read_text(), sys.stdin.read()))
    for path, text in made_pages().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
