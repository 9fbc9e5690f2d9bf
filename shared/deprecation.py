"""An operation that will go: since when it says so, until when it stays, and where to read on (RFC 9745, RFC 8594)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

SHORTEST = timedelta(days=365)  # what docs/suppliers.md promises


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Nobody should begin with it from `since` on; from `until` on it may be gone. `more`: the page that says why.

    Raises ValueError for less time between the two than was promised.
    """

    since: datetime
    until: datetime
    more: str

    def __post_init__(self) -> None:
        if self.until - self.since < SHORTEST:
            raise ValueError("an operation stays at least 12 months after it said that it will go")

    def headers(self) -> dict[str, str]:
        """What every answer of the operation says."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.until.astimezone(UTC), usegmt=True),
            "Link": f'<{self.more}>; rel="deprecation"; type="text/html"',
        }


Operations = Mapping[str, Leaving]  # method and path as in the API description: "GET /rest/v2/instellingen"


def headers_of(leaving: Operations, method: str, path: str) -> dict[str, str]:
    """For one answer; none when the operation stays."""
    if not leaving:
        return {}
    found = leaving.get(f"{'GET' if method == 'HEAD' else method} {path}")
    return {} if found is None else found.headers()
