"""httpx with time-outs, bearer key and request id; problem bodies and broken roads become exceptions.

Two families: a `RemoteProblem` is an answer that the other side gave on purpose; an `UpstreamProblem` is a failing
service or a failing road. Callers catch the family, tests assert the leaf.
"""

import gzip
import re
import ssl
from typing import Any, ClassVar

import httpx
import structlog

from shared.problems import Problem, UpstreamProblem, UpstreamTimeout, UpstreamUnavailable

TIMEOUT = httpx.Timeout(30, connect=10)
GZIP_FROM = 10_000  # bytes
LARGEST_ANSWER = 64 * 1024 * 1024


class RemoteProblem(Problem):
    """The service that was called refused, and said why, in `remote_status` and `remote_slug`."""

    status: ClassVar[int] = 502
    slug, title = "refused-upstream", "Another service refused the request"
    uitleg = "Een ander systeem weigerde het verzoek."

    def __init__(self, upstream: str, status: int, body: dict[str, Any]) -> None:
        self.remote_status = status
        kind = str(body.get("type", ""))
        self.remote_slug = kind.rsplit("/", 1)[-1] if re.fullmatch(r"/problems/[a-z-]+", kind) else ""
        self.remote_body = body
        super().__init__(upstream=upstream, upstreamStatus=status, upstreamProblem=self.remote_slug)

    def __str__(self) -> str:
        """For whoever reads a traceback: what the other service answered; never what was asked."""
        return f"{self.title}: {self.remote_status} {self.remote_slug}".strip()


class ServiceClient:
    """One long-lived client for one other service; safe to share between threads."""

    def __init__(
        self,
        name: str,
        base_url: str,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`context`: which CAs to trust, and the client certificate to show; without it those of the machine."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.name = name
        self._client = httpx.Client(
            base_url=base_url,
            headers=headers,
            timeout=TIMEOUT,
            transport=transport,
            verify=True if context is None else context,
        )

    def close(self) -> None:
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        json_text: str | None = None,
        headers: dict[str, str] | None = None,
        expect: frozenset[int] = frozenset({200}),
        params: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """One request. Raises RemoteProblem for a 4xx that is a problem body, UpstreamProblem for everything else
        that is not an expected status. `timeout_s`: less patience than usual, for a page that a person waits for."""
        sent = dict(headers or {})
        if (request_id := structlog.contextvars.get_contextvars().get("request")) is not None:
            sent["X-Request-Id"] = str(request_id)
        content = None
        if json_text is not None:
            content = json_text.encode()
            sent["Content-Type"] = "application/json"
            if len(content) >= GZIP_FROM:
                content = gzip.compress(content, compresslevel=6)
                sent["Content-Encoding"] = "gzip"
        try:
            patience = TIMEOUT if timeout_s is None else httpx.Timeout(timeout_s)
            answer = self._client.request(method, path, content=content, headers=sent, params=params, timeout=patience)
        except httpx.TimeoutException as error:
            raise UpstreamTimeout(self.name, retry=True) from error
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(self.name, retry=True) from error
        if answer.status_code in expect:
            if len(answer.content) > LARGEST_ANSWER:
                raise UpstreamProblem(self.name, retry=False, detail="the answer is too large")
            return answer
        raise self.problem_of(answer)

    def problem_of(self, answer: httpx.Response) -> Problem:
        """What `send` raises for an answer that is not expected."""
        try:
            body = answer.json()
        except ValueError:
            body = None
        if 400 <= answer.status_code < 500 and isinstance(body, dict):
            return RemoteProblem(self.name, answer.status_code, body)
        return UpstreamProblem(self.name, retry=answer.status_code >= 500, upstreamStatus=answer.status_code)
