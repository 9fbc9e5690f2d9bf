"""shared/service_client.py: which errors are answers, and which are broken roads."""

import gzip
import json

import httpx
import pytest
import respx
import structlog

from shared import service_client
from shared.problems import Problem, UpstreamProblem, UpstreamTimeout, UpstreamUnavailable
from shared.service_client import GZIP_FROM, RemoteProblem, ServiceClient

HUB = "http://hub.example"


@pytest.fixture
def client() -> ServiceClient:
    return ServiceClient("hub", HUB, "schakel_key")


@respx.mock
def test_a_request_carries_key_and_request_id(client: ServiceClient) -> None:
    route = respx.get(f"{HUB}/api/v1/stand").respond(json={})
    with structlog.contextvars.bound_contextvars(request="abcdef123456"):
        client.send("GET", "/api/v1/stand", headers={"If-None-Match": "*"})
    sent = route.calls.last.request.headers
    assert sent["Authorization"] == "Bearer schakel_key"
    assert sent["X-Request-Id"] == "abcdef123456"
    assert sent["If-None-Match"] == "*"


@respx.mock
@pytest.mark.parametrize("size", [10, GZIP_FROM * 3])
def test_a_large_body_travels_compressed(client: ServiceClient, size: int) -> None:
    route = respx.put(f"{HUB}/x").respond(json={})
    text = json.dumps({"a": "é" * size}, ensure_ascii=False)
    client.send("PUT", "/x", json_text=text)
    sent = route.calls.last.request
    packed = sent.headers.get("Content-Encoding") == "gzip"
    assert packed is (size > GZIP_FROM)
    assert (gzip.decompress(sent.content) if packed else sent.content).decode() == text


@respx.mock
def test_a_refusal_is_an_answer_with_its_reason(client: ServiceClient) -> None:
    respx.get(f"{HUB}/x").respond(409, json={"type": "/problems/roster-diverged", "actual": "r1:0"})
    with pytest.raises(RemoteProblem) as refused:
        client.send("GET", "/x")
    assert (refused.value.remote_status, refused.value.remote_slug) == (409, "roster-diverged")
    assert str(refused.value) == "Another service refused the request: 409 roster-diverged"
    assert refused.value.remote_body["actual"] == "r1:0"
    assert "actual" not in refused.value.body("id"), "what another service says is not passed on"


@respx.mock
@pytest.mark.parametrize(
    ("status", "content", "retry"),
    [(500, b"oops", True), (503, b'{"type": "/problems/x"}', True), (404, b"<html>", False), (302, b"", False)],
)
def test_anything_else_is_a_failing_service(client: ServiceClient, status: int, content: bytes, retry: bool) -> None:
    respx.get(f"{HUB}/x").respond(status, content=content)
    with pytest.raises(UpstreamProblem) as failed:
        client.send("GET", "/x")
    assert failed.value.retry is retry


@respx.mock
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("no"), UpstreamUnavailable),
        (httpx.RemoteProtocolError("no"), UpstreamUnavailable),
        (httpx.ConnectTimeout("no"), UpstreamTimeout),
        (httpx.ReadTimeout("no"), UpstreamTimeout),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_broken_road_may_be_tried_again(client: ServiceClient, error: Exception, kind: type[Problem]) -> None:
    respx.get(f"{HUB}/x").mock(side_effect=error)
    with pytest.raises(kind) as failed:
        client.send("GET", "/x")
    assert isinstance(failed.value, UpstreamProblem)
    assert failed.value.retry


@respx.mock
def test_an_expected_status_is_no_error(client: ServiceClient) -> None:
    respx.get(f"{HUB}/x").respond(304)
    assert client.send("GET", "/x", expect=frozenset({200, 304})).status_code == 304


@respx.mock
def test_an_answer_without_end_is_refused(client: ServiceClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_client, "LARGEST_ANSWER", 100)
    respx.get(f"{HUB}/x").respond(content=b"x" * 101)
    with pytest.raises(UpstreamProblem, match="too large"):
        client.send("GET", "/x")


@respx.mock
@pytest.mark.parametrize("kind", ["/problems/Naam-Van-Kind", "https://elsewhere.example/x", "", 3, None])
def test_only_a_slug_of_ours_is_taken_over(client: ServiceClient, kind: object) -> None:
    respx.get(f"{HUB}/x").respond(400, json={"type": kind})
    with pytest.raises(RemoteProblem) as refused:
        client.send("GET", "/x")
    assert refused.value.remote_slug == ""
