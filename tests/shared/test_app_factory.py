"""shared/app_factory.py: what holds for every answer of every service."""

import re
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.testclient import TestClient
from opentelemetry import trace
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.app_factory import describe_error, problem_types
from shared.problems import NotFound, NotSignedIn, TooManyAttempts
from shared.request_frame import SECURITY_HEADERS
from tests.factories import an_app

PAGE = {"Accept": "text/html,application/xhtml+xml"}
SECRET = "Zeldzaam-Geheim"


@pytest.fixture
def app() -> FastAPI:
    app = an_app()
    router = APIRouter()

    @router.get("/api/v1/missing")
    @router.get("/missing", include_in_schema=False)
    def show_missing() -> None:
        raise NotFound

    @router.get("/api/v1/fault")
    @router.get("/fault", include_in_schema=False)
    def show_fault() -> None:
        raise ZeroDivisionError(SECRET)

    @router.get("/api/v1/signed-in")
    @router.get("/signed-in", include_in_schema=False)
    def show_signed_in() -> None:
        raise NotSignedIn

    @router.get("/api/v1/patience")
    def show_patience() -> None:
        raise TooManyAttempts(headers={"Retry-After": "30"}, wait=30)

    @router.get("/api/v1/pool")
    def show_pool() -> None:
        raise PoolTimeout

    @router.post("/form")
    def submit_form(name: Annotated[str, Form(alias="naam", max_length=8)]) -> str:
        return name

    app.include_router(router)
    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


ADDRESSES = ["/healthz", "/readyz", "/metrics", "/docs", "/docs/start.js", "/openapi.json", "/static/stijl.css"]
ADDRESSES += ["/swagger/swagger-ui.css", "/problems/not-found", "/nothing", "/missing", "/fault", "/api/v1/fault"]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_carries_the_security_headers_and_a_request_id(
    client: TestClient, address: str, accept: str
) -> None:
    answer = client.get(address, headers={"Accept": accept})
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = dict(part.strip().split(" ", 1) for part in SECURITY_HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"


@pytest.mark.parametrize("address", ["/docs", "/problems/not-found", "/missing", "/fault"])
def test_a_page_obeys_its_own_policy(client: TestClient, address: str) -> None:
    page = client.get(address, headers=PAGE).text
    assert inline_in(page) == []
    assert elsewhere_in(page) == []


def inline_in(page: str) -> list[str]:
    """What a strict policy would block: inline styles, handlers and scripts."""
    return re.findall(r"<style\b|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\ssrc=)|javascript:", page)


def elsewhere_in(page: str) -> list[str]:
    return re.findall(r"(?:src|href|action)=\"((?:https?:)?//[^\"]*)", page)


def test_the_check_of_a_page_sees_what_it_looks_for() -> None:
    bad = '<p style="x"><script>1</script><img src="https://cdn.example/a.png" onload="x()"><style>'
    assert len(inline_in(bad)) == 4
    assert elsewhere_in(bad) == ["https://cdn.example/a.png"]


def test_the_api_documentation_works_without_the_internet(client: TestClient) -> None:
    page = client.get("/docs", headers=PAGE).text
    addresses = re.findall(r"(?:src|href)=\"(/[^\"]+)\"", page)
    assert "/swagger/swagger-ui-bundle.js" in addresses
    for address in addresses:
        assert client.get(address, headers=PAGE).status_code in {200, 404}, address
    files = [address for address in addresses if address.startswith(("/static", "/swagger", "/docs"))]
    assert len(files) >= 4
    assert {client.get(address).status_code for address in files} == {200}
    assert "http" not in client.get("/docs/start.js").text


def test_an_own_static_file_is_kept_for_a_year_only_under_its_hash(client: TestClient) -> None:
    page = client.get("/missing", headers=PAGE).text
    address = re.findall(r"href=\"(/static/stijl\.css\?v=[0-9a-f]{8})\"", page)[0]
    assert client.get(address).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/static/stijl.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/stijl.css?v=00000000").headers["Cache-Control"] == "no-cache"  # of another version
    assert client.get("/static/none.css?v=00000000").headers["Cache-Control"] == "no-store"
    assert client.get("/missing", headers=PAGE).headers["Cache-Control"] == "no-store"
    assert client.get("/api/v1/missing").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/x/%2e%2e/stijl.css", "/static/./stijl.css", "/static//stijl.css"])
def test_an_odd_spelling_of_a_static_file_is_an_answer_all_the_same(client: TestClient, path: str) -> None:
    answer = client.get(f"{path}?v=00000000")
    assert answer.status_code in {200, 404}
    assert "immutable" not in answer.headers["Cache-Control"]


def test_what_everybody_may_keep_sets_nobodys_language(client: TestClient) -> None:
    asked = {"Accept": "text/html"}
    assert "taal=en" in client.get("/missing?taal=en", headers=asked).headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get("/static/stijl.css?taal=en", headers=asked).headers


def test_a_program_gets_problem_details(client: TestClient) -> None:
    answer = client.get("/api/v1/patience")
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "30"
    assert answer.json() == {
        "type": "/problems/too-many-attempts",
        "title": "Too many attempts; wait before trying again",
        "status": 429,
        "uitleg": "Te veel pogingen. Wacht even en probeer het dan opnieuw.",
        "wait": 30,
        "instance": answer.headers["X-Request-Id"],
    }


def test_a_person_gets_a_dutch_page_with_a_reference_number(client: TestClient) -> None:
    answer = client.get("/missing", headers=PAGE)
    assert answer.status_code == 404
    assert answer.headers["Content-Language"] == "nl"
    assert "Deze pagina of deze gegevens bestaan niet." in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert answer.text.count("<h1") == 1


def test_a_program_never_gets_a_page_from_the_api(client: TestClient) -> None:
    assert client.get("/api/v1/missing", headers=PAGE).headers["content-type"] == "application/problem+json"


def test_who_is_not_signed_in_is_shown_the_way(client: TestClient) -> None:
    answer = client.get("/signed-in", headers=PAGE)
    assert answer.status_code == 401
    assert 'href="/inloggen"' in answer.text


@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("POST", 404)])
def test_an_unknown_address_is_a_problem_too(client: TestClient, method: str, status: int) -> None:
    answer = client.request(method, "/api/v1/nothing")
    assert (answer.status_code, answer.json()["type"]) == (status, "/problems/not-found")


def test_an_address_with_a_slash_too_many_is_not_sent_on_to_the_host_that_the_caller_wrote(client: TestClient) -> None:
    answer = client.get("/missing/", headers={"Host": "elsewhere.example"}, follow_redirects=False)
    assert answer.status_code == 404
    assert "elsewhere" not in answer.text + str(answer.headers)


def test_a_wrong_method_names_the_right_one(client: TestClient) -> None:
    answer = client.put("/api/v1/missing")
    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert answer.headers["Allow"] == "GET"


def test_a_fault_of_ours_tells_nothing_but_a_reference(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    answer = client.get("/api/v1/fault")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/server-fault")
    assert SECRET not in answer.text
    logged = capsys.readouterr().out
    assert '"event": "server_fault"' in logged
    assert '"error": "ZeroDivisionError"' in logged
    assert "show_fault" in logged, "the place of the fault is in the log"
    assert SECRET not in logged


def test_a_fault_is_counted(client: TestClient) -> None:
    client.get("/api/v1/fault")
    assert 'http_requests_total{method="GET",route="/api/v1/fault",status="500"} 1.0' in client.get("/metrics").text


def test_metrics_hold_patterns_and_known_methods_only(client: TestClient) -> None:
    client.get(f"/problems/{SECRET.lower()}")
    client.request(SECRET.upper(), "/missing")
    metrics = client.get("/metrics").text
    assert SECRET.lower() not in metrics.lower()
    assert 'route="/problems/{slug}"' in metrics


def test_an_empty_pool_is_busy_and_not_a_fault(client: TestClient) -> None:
    answer = client.get("/api/v1/pool")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    ("sent", "kept"), [("abcdef12-3456", True), ("x", False), ("a b c d e f g h", False), ("a" * 65, False)]
)
def test_a_request_id_travels_along_when_it_has_the_right_form(client: TestClient, sent: str, kept: bool) -> None:
    answer = client.get("/healthz", headers={"X-Request-Id": sent})
    assert (answer.headers["X-Request-Id"] == sent) is kept


CROSS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Origin": "http://testserver:8000"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
]
OWN = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://testserver"}]


@pytest.mark.parametrize("headers", CROSS, ids=repr)
def test_a_form_from_another_site_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/form", data={"naam": "Noor"}, headers={**headers, **PAGE})
    assert answer.status_code == 403
    assert "vanaf een andere website" in answer.text
    assert client.get("/missing", headers=headers).status_code == 404, "a link from elsewhere is no attack"


@pytest.mark.parametrize("headers", OWN, ids=repr)
def test_an_own_form_and_a_program_pass(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/form", data={"naam": "Noor"}, headers=headers).status_code == 200


def test_a_form_with_a_wrong_field_is_refused_without_repeating_it(client: TestClient) -> None:
    answer = client.post("/form", data={"naam": SECRET})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/body/naam", "code": "string_too_long", "detail": "Deze tekst is te lang."}
    ]
    assert SECRET not in answer.text


def test_a_form_that_cannot_be_read_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/form", content=b"--y\r\n" + SECRET.encode(), headers=headers)
    assert answer.status_code in {400, 422}
    assert SECRET not in answer.text


def test_an_unknown_error_is_described_without_its_value() -> None:
    error = {"type": "new_in_pydantic", "loc": ("body", "naam", 3, SECRET), "msg": SECRET, "input": SECRET}
    described = describe_error(error, frozenset({"body", "naam"}))
    assert described == {
        "pointer": "/body/naam/3/?",
        "code": "new_in_pydantic",
        "detail": "Deze waarde heeft niet de juiste vorm.",
    }


@pytest.mark.parametrize("slug", sorted(problem_types()))
def test_every_problem_type_has_a_page(client: TestClient, slug: str) -> None:
    answer = client.get(f"/problems/{slug}", headers=PAGE)
    assert answer.status_code == 200
    assert slug in answer.text


def test_a_method_that_an_address_does_not_take_is_told_all_that_it_takes() -> None:
    app = an_app()

    @app.get("/dingen/{number}")
    def show_thing(number: int) -> int:
        return number

    @app.put("/dingen/{number}")
    def submit_thing(number: int) -> int:
        return number

    answer = TestClient(app).delete("/dingen/1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT")


def test_no_trace_of_a_request_leaves_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets up tracing in the process would else collect addresses, and with them the numbers of children."""
    monkeypatch.setattr(trace, "get_tracer_provider", _Provider)
    traced = []
    for app in (an_app(), FastAPI()):

        @app.get("/traced")
        def show(request: Request) -> bool:
            return "fastapi.telemetry" in request.scope

        traced.append(TestClient(app).get("/traced").json())
    assert traced == [False, True]  # the second is the twin: an application as the framework makes it


class _Provider(trace.TracerProvider):
    """A provider that somebody set up, and not the one that stands in until then."""

    def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
        return trace.NoOpTracer()
