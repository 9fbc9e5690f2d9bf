"""What every browser test gets: the services, Debian's chromium, and a visitor whom nothing bad may happen to."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from services.demo.processes import Processes
from tests.browser.curtain import raise_curtain
from tests.browser.stage import Stage
from tests.browser.visits import Visitor, open_context, open_page

MUST = bool(os.environ.get("CI") or os.environ.get("SCHAKEL_CI"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
turns = itertools.count()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With xdist, all browser tests go to one worker: they share the services."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if "browser" in item.path.parts:
                item.add_marker(pytest.mark.xdist_group("browser"))


def the_browser() -> str:
    """Where chromium is. Without it the tests fail where they must run, and are skipped at a person's own machine."""
    found = shutil.which("chromium")
    if found is None and MUST:
        pytest.fail("there is no chromium: apt-get install chromium")
    if found is None:
        pytest.skip("there is no chromium on this machine (apt-get install chromium)")
    return found


# Per package and not per session: Playwright keeps an event loop running in this thread until it is stopped.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = the_browser()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    the_browser()
    folder = tmp_path_factory.mktemp("stage")
    processes = Processes(folder)
    try:
        yield raise_curtain(folder, processes)
        assert processes.ended() == []
    finally:
        processes.stop()


@pytest.fixture
def visit(browser: Browser, stage: Stage) -> Callable[..., AbstractContextManager[Visitor]]:
    """Gives `visit(javascript=True, signed_in=True, at="", who="", locale="")`: a visitor, judged at the end.

    Without more it is EDUscope's administrator; `who` is one of stage.people, at their own service.
    """

    @contextmanager
    def visiting(
        *,
        javascript: bool = True,
        signed_in: bool = True,
        at: str = "",
        who: str = "administrator",
        locale: str = "nl-NL",
    ) -> Iterator[Visitor]:
        person = stage.people[who]
        base = at or person.places[next(turns) % len(person.places)]
        context = open_context(browser, javascript=javascript, locale=locale)
        if signed_in and person.cookie:
            name, value = person.cookie
            context.add_cookies([{"name": name, "value": value, "url": base}])
        visitor = open_page(context, base, *stage.places, javascript=javascript)
        try:
            yield visitor
            assert visitor.faults == []
        finally:
            context.close()

    return visiting
