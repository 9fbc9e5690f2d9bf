"""Reads a school through the hub's supplier interface, as any publisher does.

A refused, empty or broken answer is an error here, never a school without people.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.app_connector.rules.people import HubGroup, HubPupil, HubRoster, HubTeacher
from shared.problems import Problem, UpstreamProblem
from shared.roster import Role
from shared.service_client import RemoteProblem, ServiceClient
from shared.wire.schools import InstitutionOverview

_BASE = "/rest/v2/instellingen"


class PermissionMissing(Problem):
    status, slug, title = 409, "permission-missing-at-hub", "The school has not given permission in Basispoort"
    uitleg = "De school geeft in Basispoort (nog) geen toestemming. Zet daar het schuifje van de uitgever aan."


class InstitutionUnknown(Problem):
    status, slug, title = 409, "institution-unknown-at-hub", "Basispoort does not know this institution"
    uitleg = "Basispoort kent dit instellingsnummer niet."


@dataclass(frozen=True, slots=True)
class Answer:
    """One usable answer about a school: its ETag and its body as it came."""

    etag: str
    body: str


class HubClient:
    """One client per process; safe to share between threads."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def fetch_school(self, school_id: int, etag: str | None = None) -> Answer | None:
        """Everything of one school; None when it is still what `etag` says.

        Raises PermissionMissing, InstitutionUnknown, UpstreamProblem (also for an answer that makes no sense).
        """
        headers = {"If-None-Match": etag} if etag else {}
        answer = self._send(f"{_BASE}/{school_id}", headers, frozenset({200, 304}))
        if answer.status_code == 304:
            return None
        text = answer.text
        parse_school(text)
        return Answer(answer.headers.get("etag") or f'"{hashlib.sha256(text.encode()).hexdigest()}"', text)

    def fetch_name(self, school_id: int) -> str | None:
        """The name of a school that gave permission. Raises as `fetch_school`."""
        return _text(self._object(f"{_BASE}/{school_id}/details").get("naam"))

    def fetch_permission(self, school_id: int) -> bool:
        """Does the school give permission? Raises InstitutionUnknown, UpstreamProblem."""
        found = self._object(f"{_BASE}/{school_id}/uitgever/synchronizationpermission")
        return found.get("hasSynchronizationPermission") is True

    def fetch_is_known_as(self, school_id: int, name: str) -> bool:
        """Does the public search find this number under this name? Works without permission."""
        answer = self._send("/rest/v2/nawsearch", {}, frozenset({200}), {"naam": name, "activeOnly": "false"})
        found = _json(answer)
        return isinstance(found, list) and any(isinstance(each, dict) and each.get("id") == school_id for each in found)

    def _object(self, path: str) -> dict[str, Any]:
        found = _json(self._send(path, {}, frozenset({200})))
        if not isinstance(found, dict):
            raise _senseless()
        return found

    def _send(
        self, path: str, headers: dict[str, str], expect: frozenset[int], params: dict[str, str] | None = None
    ) -> Any:
        try:
            return self._client.send("GET", path, headers=headers, expect=expect, params=params)
        except RemoteProblem as refused:
            if refused.remote_status == 403:
                raise PermissionMissing from refused
            if refused.remote_status == 404:
                raise InstitutionUnknown from refused
            raise


def open_hub(url: str, key: str) -> HubClient:
    """The hub at `url`, for the publisher that has `key`."""
    return HubClient(ServiceClient("basispoort_hub", url, key))


def _json(answer: Any) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise _senseless() from None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _senseless() -> UpstreamProblem:
    return UpstreamProblem("basispoort_hub", retry=True, detail="the answer of the hub makes no sense")


def parse_school(body: str) -> HubRoster:
    """The roster in an answer. Raises UpstreamProblem for one that makes no sense or holds nobody at all."""
    try:
        found = InstitutionOverview.model_validate_json(body)
    except ValidationError:
        raise _senseless() from None
    if not found.pupils and not found.staff:
        raise UpstreamProblem("basispoort_hub", retry=True, detail="the hub's answer holds nobody at all")
    if not found.is_active:
        raise UpstreamProblem("basispoort_hub", retry=False, detail="the hub says that this institution is closed")
    groups = {group.key: HubGroup(key=group.key, name=group.name or group.key, year=group.year)
              for group in found.groups if group.key is not None}  # fmt: skip
    pupils = {
        pupil.id: HubPupil(
            id=pupil.id,
            first_name=pupil.personal_data.first_name,
            prefix=pupil.personal_data.prefix,
            last_name=pupil.personal_data.last_name,
            key=pupil.key,
            eck_id=pupil.eck_id,
            group=pupil.home_group,
            year=pupil.year,
        )
        for pupil in found.pupils
    }
    staff = {
        member.id: HubTeacher(
            id=member.id,
            first_name=member.personal_data.first_name,
            prefix=member.personal_data.prefix,
            last_name=member.personal_data.last_name,
            email=member.email,
            roles=frozenset(member.roles),
            groups=tuple(sorted(member.home_groups)),
            ends_on=member.ends_on,
        )
        for member in found.staff
    }
    if len(pupils) < len(found.pupils) or len(staff) < len(found.staff) or pupils.keys() & staff.keys():
        raise _senseless()
    return HubRoster(groups=groups, pupils=pupils, staff=staff)


def coordinators(roster: HubRoster) -> list[HubTeacher]:
    """The ICT coordinators of a school who can be reached by mail."""
    found = [member for member in roster.staff.values() if Role.ICT_COORDINATOR in member.roles and member.email]
    return sorted(found, key=lambda member: member.id)
