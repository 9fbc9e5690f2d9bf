"""Pictures of every page for a person to look at: `python -m tests.browser.pictures`, into var/pictures."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from services.demo.processes import Processes
from tests.browser.stage import CODE, raise_curtain
from tests.browser.test_every_page import page_paths

FOLDER = Path("var/pictures")


def take(only: list[str]) -> None:
    """At 1200 and 320 pixels wide; `only`: pages whose path holds one of these words."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        processes = Processes(Path(folder))
        try:
            stage = raise_curtain(Path(folder), processes)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            context = browser.new_context(locale="nl-NL")
            context.add_cookies([{"name": "eduscope", "value": stage.cookie, "url": stage.edu[0]}])
            page = context.new_page()
            for path in page_paths():
                if only and not any(word in path for word in only):
                    continue
                name = path.strip("/").replace("scholen/{code}", "").strip("/").translate(str.maketrans("/{}", "---"))
                for width in (1200, 320):
                    page.set_viewport_size({"width": width, "height": 800})
                    page.goto(stage.edu[0] + path.format_map({"code": CODE, **stage.ids}))
                    page.screenshot(path=FOLDER / f"{name or 'overzicht'}-{width}.png", full_page=True)
        finally:
            processes.stop()


if __name__ == "__main__":
    take(sys.argv[1:])
