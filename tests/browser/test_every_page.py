"""Every page of EDUscope, found in the application itself: no barrier, no report, no outside request, no wide page."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from fastapi.routing import APIRoute

from services.eduscope_api.main import SUBJECTS
from tests.browser.stage import CODE, Stage
from tests.browser.visits import Visitor

Visit = Callable[..., AbstractContextManager[Visitor]]


def page_paths() -> list[str]:
    """The paths of all GET routes that are not part of the API."""
    routes = [each for subject in SUBJECTS for each in subject.router.routes if isinstance(each, APIRoute)]
    return sorted({route.path for route in routes if "GET" in (route.methods or ()) and not route.include_in_schema})


@pytest.mark.parametrize("path", page_paths())
def test_every_page_can_be_used_by_everybody(path: str, visit: Visit, stage: Stage) -> None:
    address = path.format_map({"code": CODE, **stage.ids})  # an id that is missing here: put it into stage.ids
    kind = stage.call("GET", address, headers={"Accept": "text/html"}).headers["content-type"]
    if not kind.startswith("text/html"):
        return  # a file to download
    with visit() as visitor:
        look_at(visitor, address)


def look_at(visitor: Visitor, address: str) -> None:
    page = visitor.go(address)
    assert page.get_by_role("heading", level=1).count() == 1
    assert visitor.barriers() == []
    assert visitor.overflowing() == []
    assert visitor.cut_off_when_spaced() == []


IN_ENGLISH = (  # the busiest pages, since every page is tried in Dutch
    "/scholen/{code}/personeel/nieuw",
    "/scholen/{code}/groepen/{group_id}/docenten",
    "/scholen/{code}/controles",
    "/scholen/{code}/vergelijking",
    "/scholen/{code}/inrichten/schoolinstellingen/koppelingen",
    "/scholen/{code}/inrichten/edexml-importeren/{import_id}",
    "/scholen/{code}/leerlingen/jaarovergang",
)


@pytest.mark.parametrize("path", IN_ENGLISH)
def test_an_english_page_can_be_used_by_everybody(path: str, visit: Visit, stage: Stage) -> None:
    with visit(locale="en-GB") as visitor:
        look_at(visitor, path.format_map({"code": CODE, **stage.ids}))
        assert visitor.page.locator("html").get_attribute("lang") == "en"
        other = visitor.page.get_by_role("link", name="Nederlands", exact=True)
        assert other.get_attribute("lang") == "nl"
        other.click()
        assert visitor.page.locator("html").get_attribute("lang") == "nl"  # and it stays: the cookie says so
        visitor.go(f"/scholen/{CODE}/personeel")
        assert visitor.page.locator("html").get_attribute("lang") == "nl"


def test_there_are_pages_to_look_at() -> None:
    assert {"/", "/inloggen", "/scholen/{code}/personeel", "/scholen/{code}/groepen/{group_id}/docenten"} <= set(
        page_paths()
    )


def test_another_process_and_no_javascript_show_the_same_page(visit: Visit, stage: Stage) -> None:
    shown = []
    for base in stage.edu:
        for javascript in (True, False):
            with visit(at=base, javascript=javascript) as visitor:
                visitor.go(f"/scholen/{CODE}/personeel")
                shown.append(visitor.page.locator("main").inner_text())
    assert len(set(shown)) == 1


# --- the twins: each watch sees what it is there for ------------------------------------------------------------------

PLANTED = {
    "an outside picture": ("<img alt='' src='http://buiten.example/x.png'>", "outside request"),
    "an inline style": ("<p style='color: red'>rood</p>", "console"),
    "an inline script": ("<script>document.title = 'x'</script>", "console"),
    "a dead picture": ("<img alt='' src='/static/weg.png'>", "404 on GET"),
}


def plant(visitor: Visitor, html: str) -> None:
    """Send the next page with something in it that does not belong there."""

    def answer(route: object) -> None:
        sent = httpx.get(visitor.base + "/inloggen", headers={"Accept": "text/html"})
        body = sent.text.replace("</main>", html + "</main>")
        route.fulfill(status=200, headers=dict(sent.headers), body=body)  # type: ignore[attr-defined]  # Playwright's

    visitor.page.route("**/inloggen", answer)
    visitor.go("/inloggen")


@pytest.mark.parametrize("what", PLANTED)
def test_what_a_page_may_not_do_is_seen(what: str, visit: Visit) -> None:
    html, report = PLANTED[what]
    with visit(signed_in=False) as visitor:
        plant(visitor, html)
        visitor.page.wait_for_load_state("networkidle")
        assert any(fault.startswith(report) for fault in visitor.faults), visitor.faults
        visitor.faults.clear()


def test_what_keeps_people_out_is_seen(visit: Visit) -> None:
    with visit(signed_in=False) as visitor:
        plant(visitor, "<p class='etiket bleek'>bleek</p><input type='text'><div class='te-breed'>breed</div>")
        visitor.page.evaluate(
            """() => {
              const sheet = new CSSStyleSheet();
              sheet.replaceSync(".bleek { color: #bbb; background: #fff } .te-breed { width: 400px }");
              document.adoptedStyleSheets = [sheet];
            }"""
        )
        assert visitor.overflowing() == [320]
        found = " ".join(visitor.barriers())
        assert "color-contrast" in found
        assert "label" in found
