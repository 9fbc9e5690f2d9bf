"""A person with a browser, and what may never happen to one: reports, outside requests, errors, barriers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

AXE = Axe()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = (320, 768, 1200)
# Lists that scroll are opened wide, so that axe can judge the colours in them; the policy does not forbid such sheets.
OPEN_BOXES = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(".tabel { overflow: visible !important }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""
CLOSE_BOXES = "() => { document.adoptedStyleSheets = [] }"
# WCAG 1.4.12
SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    * { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
    p { margin-bottom: 2em !important }`);
  document.adoptedStyleSheets = [sheet];
}"""
# Text that is cut off where it stands: wider or higher than the box that hides the rest.
CUT_OFF = """() => [...document.querySelectorAll("main *, header *, nav *")].filter((one) => {
  const style = getComputedStyle(one);
  const hides = [style.overflowX, style.overflowY].some((value) => value === "hidden" || value === "clip");
  if (!hides || one.closest(".alleen-horen") || !one.textContent.trim()) return false;
  return one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1;
}).map((one) => one.outerHTML.slice(0, 120))"""
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Is what has the focus in view, with nothing over it?
IN_SIGHT = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "nothing has the focus";
  const box = one.getBoundingClientRect();
  const [x, y] = [box.left + Math.min(box.width / 2, 20), box.top + Math.min(box.height / 2, 12)];
  if (box.width === 0 || x < 0 || y < 0 || x > innerWidth || y > innerHeight) return "out of view: " + one.outerHTML;
  const top = document.elementFromPoint(x, y);
  if (!(one.contains(top) || top?.contains(one))) return "covered: " + one.outerHTML;
  const style = getComputedStyle(one);
  if (style.outlineStyle === "none" && one.tagName !== "MAIN") return "no outline: " + one.outerHTML;
  return "";
}"""


@dataclass
class Visitor:
    """A page and everything wrong that it met so far; `base` is the process it talks to."""

    page: Page
    base: str
    javascript: bool = True
    faults: list[str] = field(default_factory=list)
    bearable: set[int] = field(default_factory=set)  # statuses that a test asks for
    insides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        self.page.on("request", self._request)
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        expected = any(f"status of {status}" in message.text for status in self.bearable)
        if message.type in {"error", "warning"} and not expected:
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((*self.insides, "data:")):
            self.faults.append(f"outside request: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.bearable:
            self.faults.append(f"{response.status} on {response.request.method} {response.url}")

    @contextmanager
    def refused(self, status: int) -> Iterator[None]:
        """Inside, answers with this status are what the test asks for."""
        self.bearable.add(status)
        yield
        self.bearable.discard(status)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def said(self, text: str) -> None:
        """The page's one live region says this."""
        expect(self.page.locator("#melding")).to_contain_text(text)

    def row(self, text: str) -> Locator:
        return self.page.locator("tbody tr").filter(has_text=text)

    def barriers(self) -> list[str]:
        """What axe finds wrong with the page as it is now, and the colours that it could not judge."""
        seen = len(self.faults)
        self.page.evaluate(OPEN_BOXES)
        found = AXE.run(self.page, options={"runOnly": RULES}).response
        self.page.evaluate(CLOSE_BOXES)
        self.page.evaluate("() => 0")  # one more round trip: the reports that axe itself causes are in
        del self.faults[seen:]
        wrong = [_told(each) for each in found["violations"]]
        return wrong + [_told(each) for each in found["incomplete"] if each["id"] == "color-contrast"]

    def overflowing(self) -> list[int]:
        """The widths at which the page would have to be scrolled sideways."""
        before = self.page.viewport_size
        wide = []
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 800})
            if self.page.evaluate(WIDER) > 0:
                wide.append(width)
        if before is not None:
            self.page.set_viewport_size(before)
        return wide

    def cut_off_when_spaced(self) -> list[str]:
        """Texts that are lost when somebody sets letters, words and lines wider apart."""
        self.page.evaluate(SPACED)
        found: list[str] = self.page.evaluate(CUT_OFF)
        if self.page.evaluate(WIDER) > 0:
            found.append("the page grew wider than the window")
        self.page.evaluate(CLOSE_BOXES)
        return found

    def tab_to(self, name: str, limit: int = 80) -> None:
        """Press Tab until the control with this accessible name has the focus, looking at each stop on the way."""
        for _ in range(limit):
            self.page.keyboard.press("Tab")
            hidden = self.page.evaluate(IN_SIGHT)
            assert hidden == "", hidden
            if self.focused() == name:
                return
        raise AssertionError(f"{name} was not reached with {limit} times Tab")

    def focused(self) -> str:
        """The name of what has the focus, as a person would call it."""
        words: str = self.page.evaluate(
            """() => {
              const one = document.activeElement;
              const label = one.labels?.length ? one.labels[0].innerText : null;
              return (label || one.getAttribute("aria-label") || one.innerText || "").trim();
            }"""
        )
        return words


def _told(rule: dict[str, Any]) -> str:
    places = [" ".join(map(str, node["target"])) + " " + node["html"][:160] for node in rule["nodes"][:4]]
    return f"{rule['id']} ({rule['help']}): {places}"


def open_context(browser: Browser, *, javascript: bool = True, locale: str = "nl-NL") -> BrowserContext:
    """The one place where they are made: most people here read Dutch, while Chromium by itself asks for English."""
    return browser.new_context(java_script_enabled=javascript, viewport={"width": 1200, "height": 800}, locale=locale)


def open_page(context: BrowserContext, base: str, *others: str, javascript: bool = True) -> Visitor:
    return Visitor(context.new_page(), base, javascript, insides=(base, *others))
