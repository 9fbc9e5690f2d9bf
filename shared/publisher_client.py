"""A publisher's program for the hub: institutions, hosted-lika, changes and webhook; with retries.

The connector reads through it as any publisher does. Answers are pydantic values of shared/wire; names that a newer hub
adds are ignored, as clients of the real interface do. Everything raises the families of shared/service_client.py.
"""

import hashlib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.problems import UpstreamProblem, UpstreamUnavailable
from shared.publisher_lika import Lika
from shared.service_client import ServiceClient
from shared.wire.changes import WireChange, WireFeed
from shared.wire.schools import (
    InstitutionDetails,
    InstitutionGroups,
    InstitutionOverview,
    InstitutionPupils,
    InstitutionSearchResult,
    InstitutionStaff,
    SynchronizationPermission,
)
from shared.wire.webhooks import WireNewWebhook, WireWebhook

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

AGAIN = frozenset({429, 502, 503, 504})  # the same request may succeed a moment later
_CHANGED = frozenset({200, 201, 204})
_INSTITUTIONS = "/rest/v2/instellingen"
_WEBHOOK = "/api/v1/webhooks"
_NUMBERS = TypeAdapter(list[int])
_FOUND = TypeAdapter(list[InstitutionSearchResult])
_TEXT = TypeAdapter(str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often to try, and how long to wait in between: doubling, or as long as Retry-After says, never more than
    `longest_s`. When the hub asks for a longer wait, its refusal is the answer. A time-out is not tried again: its
    caller has waited long enough."""

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Fetched(Generic[M]):
    """An answer with the ETag to ask by the next time, and the JSON as it came."""

    value: M
    etag: str
    text: str


class PublisherClient:
    """One per process; safe to share between threads."""

    def __init__(self, client: ServiceClient, patience: Patience = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    def close(self) -> None:
        self._client.close()

    # --- institutions -------------------------------------------------------------------------------------------------

    def fetch_institutions(self) -> list[int]:
        """The institutions that give permission, by id."""
        return self._value(_NUMBERS, self._get(_INSTITUTIONS))

    def fetch_overview(self, institution: int, etag: str | None = None) -> Fetched[InstitutionOverview] | None:
        """Everything of one institution; None when it is still what `etag` says."""
        return self._conditional(InstitutionOverview, f"{_INSTITUTIONS}/{institution}", etag)

    def fetch_details(self, institution: int, etag: str | None = None) -> Fetched[InstitutionDetails] | None:
        return self._conditional(InstitutionDetails, f"{_INSTITUTIONS}/{institution}/details", etag)

    def fetch_groups(self, institution: int, etag: str | None = None) -> Fetched[InstitutionGroups] | None:
        return self._conditional(InstitutionGroups, f"{_INSTITUTIONS}/{institution}/groepen", etag)

    def fetch_pupils(self, institution: int, etag: str | None = None) -> Fetched[InstitutionPupils] | None:
        return self._conditional(InstitutionPupils, f"{_INSTITUTIONS}/{institution}/leerlingen", etag)

    def fetch_staff(self, institution: int, etag: str | None = None) -> Fetched[InstitutionStaff] | None:
        return self._conditional(InstitutionStaff, f"{_INSTITUTIONS}/{institution}/staf", etag)

    def fetch_pupils_by_id(self, institution: int, ids: Iterable[int]) -> InstitutionPupils:
        """Those of these pupils who are at this institution."""
        answer = self._ask("POST", f"{_INSTITUTIONS}/{institution}/leerlingen", _dump(list(ids)))
        return self._model(InstitutionPupils, answer)

    def fetch_pupils_by_eck_id(self, institution: int, eck_ids: Iterable[str]) -> InstitutionPupils:
        answer = self._ask("POST", f"{_INSTITUTIONS}/{institution}/leerlingen_eckid", _dump(list(eck_ids)))
        return self._model(InstitutionPupils, answer)

    def fetch_ref(self, institution: int) -> str:
        """The reference by which a shortcut names the institution."""
        return self._value(_TEXT, self._get(f"{_INSTITUTIONS}/{institution}/ref"))

    def fetch_permission(self, institution: int, *, ask: bool = False) -> bool:
        """Does the institution give permission? With `ask`, its coordinators are asked when it does not."""
        words = {"request-permission": "true" if ask else "false"}
        answer = self._get(f"{_INSTITUTIONS}/{institution}/uitgever/synchronizationpermission", words)
        return self._model(SynchronizationPermission, answer).has_permission

    def hand_back_permission(self, institution: int) -> None:
        self._ask("DELETE", f"{_INSTITUTIONS}/{institution}/uitgever/synchronizationpermission")

    def fetch_granted_on(self, day: date) -> list[int]:
        """The institutions that gave permission on that day in Amsterdam."""
        return self._value(_NUMBERS, self._get(f"{_INSTITUTIONS}/synchronizationpermission/toegekend/{day}"))

    def fetch_withdrawn_on(self, day: date) -> list[int]:
        return self._value(_NUMBERS, self._get(f"{_INSTITUTIONS}/synchronizationpermission/ingetrokken/{day}"))

    def search(
        self,
        *,
        name: str | None = None,
        brin_code: str | None = None,
        address: str | None = None,
        postcode: str | None = None,
        place: str | None = None,
        board_code: str | None = None,
        active_only: bool = True,
    ) -> list[InstitutionSearchResult]:
        """The institutions that fit all that is given; works without permission."""
        asked = {
            "naam": name,
            "brincode": brin_code,
            "adres": address,
            "postcode": postcode,
            "plaatsnaam": place,
            "bestuurscode": board_code,
            "activeOnly": "true" if active_only else "false",
        }
        params = {word: value for word, value in asked.items() if value is not None}
        return self._value(_FOUND, self._get("/rest/v2/nawsearch", params))

    # --- hosted-lika --------------------------------------------------------------------------------------------------

    def lika(self, code: str) -> Lika:
        """The methods, products and users under one of the publisher's codes."""
        return Lika(self, code)

    # --- the change feed, an addition to the real interface -----------------------------------------------------------

    def fetch_changes(self, cursor: str | None = None, limit: int = 500) -> WireFeed:
        """One page. Without a cursor: no changes, and the cursor to begin from."""
        params = {"limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
        return self._model(WireFeed, self._get("/api/v1/changes", params))

    def fetch_all_changes(self, cursor: str, limit: int = 500) -> Iterator[tuple[list[WireChange], str]]:
        """Page after page until there is no more; keep each cursor once its changes were taken over."""
        while True:
            page = self.fetch_changes(cursor, limit)
            cursor = page.cursor
            yield page.changes, cursor
            if not page.more:
                return

    # --- the webhook, another addition --------------------------------------------------------------------------------

    def fetch_webhook(self) -> WireWebhook:
        """Where the publisher hears of changes. Raises RemoteProblem (404) when it has no webhook."""
        return self._model(WireWebhook, self._get(_WEBHOOK))

    def save_webhook(self, url: str, *, new_secret: bool = False) -> WireWebhook:
        """Make it, or change where it leads. The secret is told once, so this is tried once: when the answer got lost,
        ask for a new secret."""
        body = WireNewWebhook(url=url, rotate=new_secret)
        return self._model(WireWebhook, self.send_once("PUT", _WEBHOOK, body))

    def remove_webhook(self) -> None:
        self._ask("DELETE", _WEBHOOK)

    # --- how it is sent -----------------------------------------------------------------------------------------------

    def fetch_model(self, kind: type[M], path: str) -> M:
        return self._model(kind, self._get(path))

    def send_change(self, method: str, path: str, body: BaseModel | None = None) -> None:
        """A change that may be made twice: all of hosted-lika replaces, adds to or takes from sets."""
        self._ask(method, path, None if body is None else body.model_dump_json(by_alias=True))

    def send_removal(self, path: str) -> None:
        """When it is tried again and is not there any more, it was the first try that removed it."""
        self._ask("DELETE", path, gone_is_done=True)

    def send_once(self, method: str, path: str, body: BaseModel) -> httpx.Response:
        """A change that a second time would be another one: tried once."""
        return self._client.send(method, path, json_text=body.model_dump_json(by_alias=True), expect=_CHANGED)

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> httpx.Response:
        return self._ask("GET", path, params=params)

    def _ask(
        self,
        method: str,
        path: str,
        json_text: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: frozenset[int] = _CHANGED,
        gone_is_done: bool = False,
    ) -> httpx.Response:
        """A request that may be made twice, tried again while that makes sense. `gone_is_done`: a 404 is no refusal
        once it was tried before."""
        patience, pause = self._patience, self._patience.first_s
        for left in reversed(range(patience.attempts)):
            if gone_is_done and left < patience.attempts - 1:
                expect |= {404}
            try:
                answer = self._client.send(
                    method,
                    path,
                    json_text=json_text,
                    params=dict(params or {}),
                    headers=dict(headers or {}),
                    expect=expect | AGAIN,
                )
            except UpstreamUnavailable:
                if left == 0:
                    raise
                wait = pause
            else:
                if answer.status_code in expect:
                    return answer
                asked = _retry_after(answer)
                if left == 0 or asked > patience.longest_s:
                    raise self._client.problem_of(answer)
                wait = max(pause, asked)
            patience.sleep(min(wait, patience.longest_s))
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _conditional(self, kind: type[M], path: str, etag: str | None) -> Fetched[M] | None:
        headers = {"If-None-Match": etag} if etag else {}
        answer = self._ask("GET", path, headers=headers, expect=frozenset({200, 304}))
        if answer.status_code == 304:
            return None
        text = answer.text
        known_by = answer.headers.get("etag") or f'"{hashlib.sha256(text.encode()).hexdigest()}"'
        return Fetched(self._model(kind, answer), known_by, text)

    def _model(self, kind: type[M], answer: httpx.Response) -> M:
        try:
            return kind.model_validate_json(answer.content, extra="ignore")
        except ValidationError:
            raise self._senseless() from None

    def _value(self, kind: TypeAdapter[T], answer: httpx.Response) -> T:
        try:
            return kind.validate_json(answer.content, extra="ignore")
        except ValidationError:
            raise self._senseless() from None

    def _senseless(self) -> UpstreamProblem:
        return UpstreamProblem(self._client.name, retry=True, detail="the answer makes no sense")


def open_publisher_client(
    url: str,
    *,
    key: str | None = None,
    certificate: Path | None = None,
    authorities: Path | None = None,
    patience: Patience = PATIENCE,
) -> PublisherClient:
    """The hub at `url`, with a bearer key, or with a certificate and its key in one PEM file.

    `authorities`: the CAs (PEM) that may have signed the hub's own certificate; without it those of the machine.
    Raises OSError for files that cannot be used.
    """
    context = None
    if certificate is not None or authorities is not None:
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
        if certificate is not None:
            context.load_cert_chain(certificate)
    return PublisherClient(ServiceClient("basispoort_hub", url, key, context=context), patience)


def _retry_after(answer: httpx.Response) -> float:
    """The seconds in Retry-After; 0 without one, or with a date, which the hub does not write."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0


def _dump(values: list[Any]) -> str:
    return TypeAdapter(list[Any]).dump_json(values).decode()
