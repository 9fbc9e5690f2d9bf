"""ETag and If-Match of one resource: nobody overwrites what somebody else changed meanwhile."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Header, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.eduscope_api.rules.history import Subject
from services.eduscope_api.tables import ChangeRow
from shared.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(max_length=1000, description="The ETag that you saw last. Left out, or `*`: whatever the state is now."),
]
IfNoneMatch = Annotated[
    str | None, Header(max_length=1000, description="ETags that you have; 304 when one is present.")
]


class ChangedMeanwhile(Problem):
    """`gewijzigd` names the fields that changed since the version in If-Match, `etag` is the present one."""

    status, slug, title = 412, "changed-meanwhile", "It has changed since you read it"
    uitleg = "Een collega heeft dit intussen gewijzigd. Er is niets gewijzigd; controleer de gegevens."


def etag_of(version: int, derived: str = "") -> str:
    """The ETag of a version. `derived` tells apart what is shown along with it and changes without it."""
    return f'"{version}.{derived}"' if derived else f'"{version}"'


def has_version(header: str | None, etag: str) -> bool:
    """If-None-Match: does the caller have this already? Weak or strong does not matter."""
    return header is not None and any(each in {"*", etag} for each in _listed(header, weak=True))


def check_version(
    db: Session, school_id: int, kind: Subject, subject_id: int, version: int, match: str | None, etag: str = ""
) -> None:
    """Is the caller's If-Match the present version? None and `*` always are. Raises ChangedMeanwhile.

    `etag` is the present one where it says more than the version.

    Only the version counts, not what is shown along with it: a pupil who joined a group does not stop a new name.
    """
    if match is None:
        return
    given = list(_listed(match, weak=False))
    if any(each == "*" or _version_in(each) == version for each in given):
        return
    seen = [found for each in given if (found := _version_in(each)) is not None]
    etag = etag or etag_of(version)
    changed = read_fields_since(db, school_id, kind, subject_id, max(seen)) if seen else []
    raise ChangedMeanwhile(headers={"ETag": etag}, etag=etag, gewijzigd=changed)


def read_fields_since(db: Session, school_id: int, kind: Subject, subject_id: int, version: int) -> list[str]:
    """The names of the fields that changed after this version."""
    own = (ChangeRow.school_id == school_id, ChangeRow.kind == kind.value, ChangeRow.subject_id == subject_id)
    changes = db.scalars(select(ChangeRow.fields).where(*own, ChangeRow.version > version))
    return sorted({name for fields in changes for name in fields})


def put_etag(response: Response, etag: str) -> None:
    response.headers["ETag"] = etag


def not_modified(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": etag})


def _listed(header: str, *, weak: bool) -> Iterable[str]:
    for each in header.split(","):
        tag = each.strip()
        yield tag.removeprefix("W/") if weak else tag


def _version_in(tag: str) -> int | None:
    number = tag.strip('"').partition(".")[0]
    quoted = len(tag) > 2 and tag[0] == tag[-1] == '"'
    return int(number) if quoted and number.isascii() and number.isdigit() and len(number) <= 9 else None
