"""Pictures of every page for a person to look at: `python -m tests.browser.pictures`, into var/pictures."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from services.demo.processes import Processes
from tests.browser.curtain import raise_curtain
from tests.browser.stage import CODE
from tests.browser.test_every_page import page_paths
from tests.browser.test_every_page_of_the_hub import SIGHTS
from tests.browser.visits import open_context

FOLDER = Path("var/pictures")


def take(only: list[str]) -> None:
    """At 1200 and 320 pixels wide; `only`: pages whose path holds one of these words."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        processes = Processes(Path(folder))
        try:
            stage = raise_curtain(Path(folder), processes)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            looks = [("administrator", path, CODE) for path in page_paths()]
            looks += [(each.who, each.path, each.code) for each in SIGHTS]
            for who, path, code in looks:
                name = f"{who} {path.replace('scholen/{code}', code if code != CODE else '')}".translate(
                    str.maketrans("/{}?=& ", "-------")
                )
                if only and not any(word in name for word in only):
                    continue
                context, person = open_context(browser), stage.people[who]
                if person.cookie:
                    context.add_cookies(
                        [{"name": person.cookie[0], "value": person.cookie[1], "url": person.places[0]}]
                    )
                page = context.new_page()
                for width in (1200, 320):
                    page.set_viewport_size({"width": width, "height": 800})
                    page.goto(person.places[0] + path.format_map({"code": code, **stage.ids}))
                    page.screenshot(path=FOLDER / f"{name.strip('-')}-{width}.png", full_page=True)
                context.close()
        finally:
            processes.stop()


if __name__ == "__main__":
    take(sys.argv[1:])
