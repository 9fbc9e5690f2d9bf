"""The rule of going: an operation that is marked says so in its answers, in the description and on the page."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.basispoort_hub import supplier_pages
from services.basispoort_hub.coordinator_pages import make_pages
from services.basispoort_hub.quota import Quota
from shared.app_factory import House, make_app
from shared.deprecation import Leaving
from shared.problems import NotFound

SINCE, UNTIL = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 6, 30, 23, 59, 59, tzinfo=UTC)
GOES = Leaving(since=SINCE, until=UNTIL, more="/leveranciers#v3")
PAGE = {"Accept": "text/html"}


def an_app(**leaving: Leaving) -> FastAPI:
    """With an operation /oud, one /blijft, and the page for suppliers."""
    app = make_app(
        House(
            service="basispoort_hub",
            title="Proef",
            summary="proef",
            engine=None,
            pages=make_pages("http://testserver"),
            base_url="http://testserver",
            body_limits={},
            leaving={f"GET /{name}": each for name, each in leaving.items()},
        )
    )
    app.state.quota, app.state.sandbox_pupils = Quota(0), 0
    app.include_router(supplier_pages.router)

    @app.get("/oud/{number}", include_in_schema=False)
    def show_other(number: int) -> int:
        return number

    @app.head("/oud", include_in_schema=False)
    @app.get("/oud")
    def show_old(found: bool = True) -> int:
        """What was. Use something else."""
        if not found:
            raise NotFound
        return 1

    @app.get("/blijft")
    def show_new() -> int:
        return 1

    return app


def test_a_marked_operation_says_so_in_every_answer_and_in_the_description() -> None:
    client = TestClient(an_app(oud=GOES))
    for answer in (client.get("/oud"), client.head("/oud"), client.get("/oud?found=false"), client.get("/oud?found=x")):
        assert answer.headers["deprecation"] == f"@{int(SINCE.timestamp())}"
        assert parsedate_to_datetime(answer.headers["sunset"]) == UNTIL
        assert answer.headers["link"] == '</leveranciers#v3>; rel="deprecation"; type="text/html"'
    described = client.get("/openapi.json").json()["paths"]["/oud"]["get"]
    assert described["deprecated"] is True
    assert "stays until 2028-06-30" in described["description"]
    page = client.get("/leveranciers", headers=PAGE).text
    assert "GET /oud" in page
    assert "30 juni 2028" in page


def test_one_that_stays_says_nothing() -> None:
    client = TestClient(an_app(oud=GOES))
    for answer in (client.get("/blijft"), client.get("/oud/3"), client.get("/nergens")):
        assert {"deprecation", "sunset", "link"} & set(answer.headers) == set()
    assert "deprecated" not in client.get("/openapi.json").json()["paths"]["/blijft"]["get"]
    without = TestClient(an_app())
    assert "deprecation" not in without.get("/oud").headers
    assert "verdwijnt er geen enkel adres" in without.get("/leveranciers", headers=PAGE).text


def test_twelve_months_are_the_least_and_a_name_that_is_no_operation_is_an_error() -> None:
    with pytest.raises(ValueError, match="12 months"):
        Leaving(since=SINCE, until=SINCE + timedelta(days=364), more="/leveranciers")
    Leaving(since=SINCE, until=SINCE + timedelta(days=365), more="/leveranciers")
    with pytest.raises(ValueError, match="no operation GET /bestaat-niet"):
        an_app(**{"bestaat-niet": GOES}).openapi()
