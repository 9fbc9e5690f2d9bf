"""A hub in memory that keeps the wire contract, and a road to it on which requests and answers get lost."""

import copy
import gzip
import random
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from services.eduscope_api.hub_client import HubClient
from shared.roster import EMPTY, Kind, Roster, fingerprint
from shared.roster_delta import RosterDiverged, apply
from shared.service_client import ServiceClient
from shared.wire.rosters import WireAnnouncement, WireChanges, WireDelta, WireReceipt, WireRoster, WireStanding

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class HubSchool:
    """What the hub holds of one school."""

    roster: Roster = EMPTY
    token: str | None = None
    is_chosen: bool = True  # the coordinator's switch
    is_announced: bool = True  # the administrator's tick
    domains: dict[str, str] = field(default_factory=dict)  # announced: old -> new
    leavers: dict[Kind, dict[str, object]] = field(default_factory=dict)


class FakeHub:
    """Answers like the hub. `guards`: without it there is no compare-and-swap, for the tests' twins."""

    def __init__(self, *codes: str, guards: bool = True) -> None:
        self.schools = {code: HubSchool() for code in codes}
        self.guards = guards
        self.seen: list[tuple[str, str]] = []  # method and last segment of the path
        self.bodies: list[bytes] = []
        self.staff: dict[str, httpx.Response] = {}  # code -> the answer to a question for its staff
        self.answer_with: dict[str, httpx.Response] = {}  # code -> what every call for that school gets

    def client(self, road: "Road | None" = None) -> HubClient:
        handler = self.answer if road is None else road.travel
        return HubClient(ServiceClient("hub", "http://hub.example", "k", transport=httpx.MockTransport(handler)))

    @property
    def sent(self) -> list[str]:
        """The methods with which rosters came in."""
        return [method for method, last in self.seen if last == "leerlinggegevens"]

    def answer(self, request: httpx.Request) -> httpx.Response:
        *_, code, last = request.url.path.split("/")
        self.seen.append((request.method, last))
        if code in self.answer_with:
            return self.answer_with[code]
        school = self.schools.get(code)
        if school is None:
            return _problem(404, "not-found")
        if last == "aanmelding":
            body = WireAnnouncement.model_validate_json(request.content)
            school.is_announced = body.is_on
            school.domains = {each.old: each.new for each in body.domain_changes or ()}
            return httpx.Response(204)
        if last == "leerkrachten":
            return self.staff.get(code) or _problem(403, "teachers-not-readable")
        if last == "stand":
            return self._stand(school)
        return self._receive(request, school)

    def _stand(self, school: HubSchool) -> httpx.Response:
        held = school.token is not None
        body = WireStanding(
            fingerprint=fingerprint(school.roster) if held else None,
            received_at=NOON if held else None,
            is_on=school.is_chosen and school.is_announced,
            administration="EDUscope",
            waits_for=None if school.is_chosen else "de coördinator zet de koppeling aan",
            held=0,
        )
        return httpx.Response(200, text=body.model_dump_json(), headers={"ETag": f'"{school.token}"'} if held else {})

    def _receive(self, request: httpx.Request, school: HubSchool) -> httpx.Response:
        if not (school.is_chosen and school.is_announced):
            return _problem(409, "connection-inactive")
        match, none = request.headers.get("if-match"), request.headers.get("if-none-match")
        fits = match == f'"{school.token}"' if school.token is not None else none == "*"
        if self.guards and not fits:
            return _problem(409, "roster-diverged")
        packed = request.headers.get("content-encoding") == "gzip"
        content = gzip.decompress(request.content) if packed else request.content
        self.bodies.append(content)
        before = school.roster
        body: type[WireDelta | WireRoster] = WireDelta if request.method == "PATCH" else WireRoster
        incoming = body.model_validate_json(content)
        try:
            after = _result(before, incoming)
        except RosterDiverged:
            return _problem(409, "roster-diverged")
        school.roster, school.token = after, secrets.token_hex(8)
        school.leavers = {kind: dict(dates) for kind, dates in incoming.leavers.values().items()}
        receipt = WireReceipt(
            fingerprint=fingerprint(after),
            token=school.token,
            groups=_changed(before, after, Kind.GROUP),
            pupils=_changed(before, after, Kind.PUPIL),
            staff=_changed(before, after, Kind.STAFF),
            held=0,
            queued_mails=0,
        )
        return httpx.Response(200, text=receipt.model_dump_json(), headers={"ETag": f'"{school.token}"'})

    def backup(self) -> dict[str, HubSchool]:
        return {code: copy.copy(school) for code, school in self.schools.items()}

    def restore(self, backup: dict[str, HubSchool]) -> None:
        self.schools = {code: copy.copy(school) for code, school in backup.items()}


class Road:
    """The network. A lost request may arrive after all, when `deliver_late` is called."""

    def __init__(self, hub: FakeHub, chance: random.Random, loses: float = 0.4, late: float = 0.5) -> None:
        self._hub, self._chance, self._late = hub, chance, late
        self.loses = loses
        self.late: list[httpx.Request] = []

    def travel(self, request: httpx.Request) -> httpx.Response:
        if self._chance.random() < self.loses:
            if request.method != "GET" and self._chance.random() < self._late:
                self.late.append(request)
            raise httpx.ConnectError("lost", request=request)
        answer = self._hub.answer(request)
        if self._chance.random() < self.loses:
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    def deliver_late(self, most: int) -> None:
        for _ in range(min(most, len(self.late))):
            self._hub.answer(self.late.pop(self._chance.randrange(len(self.late))))


def _result(before: Roster, incoming: WireRoster | WireDelta) -> Roster:
    if isinstance(incoming, WireDelta):
        return apply(before, incoming.to_value())
    after = Roster.of(incoming.entries.values())
    if fingerprint(after) != incoming.target:
        raise RosterDiverged
    return after


def _changed(before: Roster, after: Roster, kind: Kind) -> WireChanges:
    old, new = before.of_kind(kind), after.of_kind(kind)
    changed = sum(key in old and old[key] != entry for key, entry in new.items())
    return WireChanges(new=len(new.keys() - old.keys()), changed=changed, removed=len(old.keys() - new.keys()))


def _problem(status: int, slug: str) -> httpx.Response:
    return httpx.Response(status, json={"type": f"/problems/{slug}", "title": slug, "status": status})
