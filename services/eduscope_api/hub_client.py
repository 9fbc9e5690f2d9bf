"""Sends rosters and deltas to the hub, and asks where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

import httpx
from pydantic import ValidationError

from shared.language import mark
from shared.problems import UpstreamProblem
from shared.roster import Kind, Roster
from shared.roster_delta import Delta
from shared.service_client import ServiceClient
from shared.wire.rosters import WireAnnouncement, WireDelta, WireDomainChange, WireReceipt, WireRoster, WireStanding
from shared.wire.teachers import WireKnownStaff

W = TypeVar("W", WireStanding, WireReceipt, WireKnownStaff)
Leavers = Mapping[Kind, Mapping[str, date]]
PERSON_WAITS_S = 4.0  # how long a page waits for the hub before it says that the hub is silent
# The hub speaks Dutch to programs; these are its words for people, so that an English page can say them.
AWAITED = (
    mark("De ICT-coördinator heeft de koppeling in Basispoort nog niet geactiveerd."),
    mark("EDUscope heeft de koppeling nog niet geactiveerd."),
    mark("Deze school is gesloten of samengegaan met een andere; er komen geen gegevens meer bij."),
)
ACCOUNTS = (
    mark("actief"),
    mark("gesloten"),
    mark("uitnodiging verstuurd"),
    mark("geen e-mailadres"),
    mark("ICT-coördinator"),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the hub stands for one school. `token` guards the next roster; None: it holds none yet."""

    fingerprint: str | None
    token: str | None
    received_at: datetime | None
    is_on: bool
    administration: str | None
    waits_for: str | None
    held: int


class HubClient:
    """The hub as the administration sees it; safe to share between threads."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def fetch_standing(self, code: str, timeout_s: float | None = None) -> Standing:
        answer = self._client.send("GET", f"/api/v1/scholen/{code}/stand", timeout_s=timeout_s)
        wire = _parse(WireStanding, answer)
        token = answer.headers.get("etag")
        return Standing(
            fingerprint=wire.fingerprint,
            token=token.strip('"') if token else None,
            received_at=wire.received_at,
            is_on=wire.is_on,
            administration=wire.administration,
            waits_for=wire.waits_for,
            held=wire.held,
        )

    def send_announcement(self, code: str, ticked: bool, domains: Mapping[str, str]) -> None:
        """Tell the hub whether the administrator has ticked Basispoort, and which domains (old -> new) change.

        Repeating it is harmless.
        """
        changes = tuple(WireDomainChange(old=old, new=new) for old, new in sorted(domains.items()))
        self._client.send(
            "PUT",
            f"/api/v1/scholen/{code}/aanmelding",
            json_text=WireAnnouncement(is_on=ticked, domain_changes=changes).model_dump_json(),
            expect=frozenset({200, 204}),
        )

    def fetch_staff(self, code: str, timeout_s: float | None = None) -> WireKnownStaff:
        """Whom the hub knows at this school. Raises RemoteProblem teachers-not-readable until that is allowed."""
        answer = self._client.send("GET", f"/api/v1/scholen/{code}/leerkrachten", timeout_s=timeout_s)
        return _parse(WireKnownStaff, answer)

    def send_roster(self, code: str, roster: Roster, target: str, leavers: Leavers, token: str | None) -> WireReceipt:
        """The whole roster. Raises RemoteProblem 409 when the hub has moved on since `token`."""
        return self._send("PUT", code, WireRoster.of(roster, target, leavers), token)

    def send_delta(self, code: str, delta: Delta, leavers: Leavers, token: str | None) -> WireReceipt:
        """Only what changed. Raises RemoteProblem 409 when the hub has moved on since `token`."""
        return self._send("PATCH", code, WireDelta.of(delta, leavers), token)

    def _send(self, method: str, code: str, body: WireRoster | WireDelta, token: str | None) -> WireReceipt:
        guard = {"If-None-Match": "*"} if token is None else {"If-Match": f'"{token}"'}
        answer = self._client.send(
            method, f"/api/v1/scholen/{code}/leerlinggegevens", json_text=body.model_dump_json(), headers=guard
        )
        return _parse(WireReceipt, answer)


def _parse(kind: type[W], answer: httpx.Response) -> W:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError:
        raise UpstreamProblem("hub", retry=True, detail="the answer cannot be read") from None
