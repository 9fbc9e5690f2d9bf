"""The page Beheer: the connection with the administration, and every publisher with its consent, request and apps."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.licences import METHOD
from services.basispoort_hub.permissions import WireConnection, connection_of, read_consents, save_consent
from services.basispoort_hub.tables import ApplicationRow, LikaCodeRow, PublisherRow, SchoolRow
from shared.problems import NotFound


@dataclass(frozen=True, slots=True)
class ListedPublisher:
    """One slider. `apps`: the names of its methods; `asked_at`: it waits for an answer since then."""

    code: str
    name: str
    sentence: str
    given_at: datetime | None
    asked_at: datetime | None
    apps: Sequence[str]
    portal_name: str | None
    portal_url: str | None
    helpdesk: str | None


@dataclass(frozen=True, slots=True)
class Management:
    number: int
    connection: WireConnection
    publishers: Sequence[ListedPublisher]

    def publisher(self, code: str) -> ListedPublisher:
        """Raises NotFound."""
        found = next((each for each in self.publishers if each.code == code), None)
        if found is None:
            raise NotFound
        return found


def read_management(db: Session, school_id: int) -> Management:
    school = db.get_one(SchoolRow, school_id)
    rows = {row.code: row for row in db.scalars(select(PublisherRow))}
    apps: dict[int, list[str]] = {}
    methods = (
        select(LikaCodeRow.publisher_id, ApplicationRow.name)
        .join(LikaCodeRow, LikaCodeRow.code == ApplicationRow.lika_code)
        .where(ApplicationRow.kind == METHOD)
        .order_by(ApplicationRow.name, ApplicationRow.id)
    )
    for publisher_id, name in db.execute(methods):
        apps.setdefault(publisher_id, []).append(name)
    publishers = [
        ListedPublisher(
            code=consent.code,
            name=consent.name,
            sentence=consent.sentence,
            given_at=consent.given_at,
            asked_at=consent.asked_at,
            apps=apps.get(rows[consent.code].id, []),
            portal_name=rows[consent.code].portal_name,
            portal_url=rows[consent.code].portal_url,
            helpdesk=rows[consent.code].helpdesk_email,
        )
        for consent in read_consents(db, school_id)
    ]
    return Management(school.id, connection_of(school), publishers)


def save_sliders(
    db: Session, school_id: int, account_id: int, codes: Collection[str], *, given: bool, now: datetime
) -> None:
    """Give or withdraw consent of the (locked) school for each of these publishers. Raises NotFound for other codes."""
    wanted = set(codes)
    query = select(PublisherRow.id).where(PublisherRow.code.in_(sorted(wanted))).order_by(PublisherRow.id)
    publisher_ids = db.scalars(query).all()
    if len(publisher_ids) < len(wanted):
        raise NotFound
    for publisher_id in publisher_ids:
        save_consent(db, school_id, publisher_id, account_id, given=given, now=now)
