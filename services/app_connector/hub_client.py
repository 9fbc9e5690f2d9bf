"""Reads a school through the hub's supplier interface, as any publisher does.

A refused, empty or broken answer is an error here, never a school without people.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from services.app_connector.rules.people import HubGroup, HubPupil, HubRoster, HubTeacher
from shared.problems import Problem, UpstreamProblem
from shared.publisher_client import Patience, PublisherClient
from shared.roster import Role
from shared.service_client import RemoteProblem, ServiceClient
from shared.wire.schools import InstitutionOverview

PATIENCE = Patience(attempts=2, first_s=0.2, longest_s=1.0)  # a person may be waiting


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
        self._client = PublisherClient(client, PATIENCE)

    def fetch_school(self, school_id: int, etag: str | None = None) -> Answer | None:
        """Everything of one school; None when it is still what `etag` says.

        Raises PermissionMissing, InstitutionUnknown, UpstreamProblem (also for an answer that makes no sense).
        """
        with _as_ours():
            found = self._client.fetch_overview(school_id, etag)
        if found is None:
            return None
        _roster_of(found.value)
        return Answer(found.etag, found.text)

    def fetch_name(self, school_id: int) -> str | None:
        """The name of a school that gave permission. Raises as `fetch_school`."""
        with _as_ours():
            found = self._client.fetch_details(school_id)
        assert found is not None, "without an ETag there is always an answer"
        return found.value.name

    def fetch_permission(self, school_id: int) -> bool:
        """Does the school give permission? Raises InstitutionUnknown, UpstreamProblem."""
        with _as_ours():
            return self._client.fetch_permission(school_id)

    def fetch_is_known_as(self, school_id: int, name: str) -> bool:
        """Does the public search find this number under this name? Works without permission."""
        with _as_ours():
            return any(each.id == school_id for each in self._client.search(active_only=False, name=name))


def open_hub(url: str, key: str) -> HubClient:
    """The hub at `url`, for the publisher that has `key`."""
    return HubClient(ServiceClient("basispoort_hub", url, key))


@contextmanager
def _as_ours() -> Iterator[None]:
    """What the hub refuses a publisher, in the words of this service."""
    try:
        yield
    except RemoteProblem as refused:
        if refused.remote_status == 403:
            raise PermissionMissing from refused
        if refused.remote_status == 404:
            raise InstitutionUnknown from refused
        raise


def _senseless() -> UpstreamProblem:
    return UpstreamProblem("basispoort_hub", retry=True, detail="the answer of the hub makes no sense")


def parse_school(body: str) -> HubRoster:
    """The roster in an answer. Raises UpstreamProblem for one that makes no sense or holds nobody at all."""
    try:
        return _roster_of(InstitutionOverview.model_validate_json(body, extra="ignore"))
    except ValidationError:
        raise _senseless() from None


def _roster_of(found: InstitutionOverview) -> HubRoster:
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
