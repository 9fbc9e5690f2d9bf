"""What the operator does for a publisher: make it, hand out and end its keys and certificates, see how it stands."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.publisher_callers import fingerprint_of
from services.basispoort_hub.tables import (
    LikaCodeRow,
    PublisherCertificateRow,
    PublisherKeyRow,
    PublisherRow,
    WebhookRow,
)
from shared.clock import AMSTERDAM
from shared.problems import NotFound, Problem
from shared.service_auth import hash_key, new_key

PUBLISHER_CODE = "^[A-Za-z0-9_-]{1,64}$"  # it stands in certificates, addresses and names of files
LIVE = 2  # keys, and certificates, that count at once: so that one can be replaced without a night lost


class PublisherExists(Problem):
    status, slug, title = 409, "publisher-exists", "There is a publisher with this code"
    uitleg = "Er is al een uitgever met deze code."


class TooManyCertificates(Problem):
    """A third is refused, never the oldest dropped: that one may still be what the publisher's night runs on."""

    status, slug, title = 409, "too-many-certificates", "This publisher has two certificates that count already"
    uitleg = "Deze uitgever heeft al twee geldige certificaten. Trek er eerst één in met `schakel publisher revoke`."


class PublisherCodeImpossible(Problem):
    status, slug, title = 422, "publisher-code-impossible", "A publisher's code has letters, digits, - and _ only"
    uitleg = "De code van een uitgever heeft alleen letters, cijfers, - en _, en hooguit 64 tekens."


@dataclass(frozen=True, slots=True)
class CertificateState:
    fingerprint: str
    not_after: datetime
    revoked_at: datetime | None

    def counts(self, now: datetime) -> bool:
        return self.revoked_at is None and self.not_after > now


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key that counts. `fingerprint` is of the key, which itself is stored nowhere."""

    fingerprint: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookState:
    failing_since: datetime | None
    disabled_at: datetime | None
    has_helpdesk: bool

    @property
    def sentence(self) -> str:
        """In Dutch, for the operator. Who has no helpdesk could not be told that the webhook is off."""
        if self.disabled_at is not None:
            untold = "" if self.has_helpdesk else "; niemand gemaild: geen helpdeskadres"
            return f"uit sinds {self.disabled_at.astimezone(AMSTERDAM):%d-%m-%Y}{untold}"
        if self.failing_since is not None:
            return f"mislukt sinds {self.failing_since.astimezone(AMSTERDAM):%d-%m-%Y}"
        return "aan"


@dataclass(frozen=True, slots=True)
class PublisherState:
    code: str
    name: str
    requests_per_minute: int | None
    live_keys: Sequence[KeyState]
    certificates: Sequence[CertificateState]
    webhook: WebhookState | None


def check_publisher_code(code: str) -> None:
    """Can it be a name in a certificate, in an address and of a file? Raises PublisherCodeImpossible."""
    if not re.fullmatch(PUBLISHER_CODE, code):
        raise PublisherCodeImpossible


def save_publisher(
    db: Session, code: str, name: str, sentence: str, requests_per_minute: int | None = None
) -> PublisherRow:
    """A new publisher, to which no school consents yet. Raises PublisherExists.

    Also when the code is one under which another publisher keeps licences: its own would never open for it.
    """
    known = db.scalar(select(PublisherRow.id).where(PublisherRow.code == code))
    if known is not None or db.get(LikaCodeRow, code) is not None:
        raise PublisherExists
    publisher = PublisherRow(code=code, name=name, sentence=sentence, requests_per_minute=requests_per_minute)
    db.add(publisher)
    db.flush()
    return publisher


def read_publisher(db: Session, code: str) -> PublisherRow:
    """The publisher of this code, its row locked: two at once cannot both be the second. Raises NotFound."""
    publisher = db.scalar(select(PublisherRow).where(PublisherRow.code == code).with_for_update())
    if publisher is None:
        raise NotFound
    return publisher


def save_publisher_key(db: Session, publisher_id: int, now: datetime) -> str:
    """A new bearer key; of more than two the oldest stops working. Returns the key, which is stored nowhere."""
    newest_first = [each.fingerprint for each in reversed(read_live_keys(db, publisher_id))]
    _end_keys(db, newest_first[LIVE - 1 :], now)
    key = new_key()
    db.add(PublisherKeyRow(key_hash=hash_key(key), publisher_id=publisher_id, created_at=now))
    return key


def _end_keys(db: Session, hashes: Sequence[str], now: datetime) -> None:
    db.execute(update(PublisherKeyRow).where(PublisherKeyRow.key_hash.in_(hashes)).values(revoked_at=now))


def check_room_for_certificate(db: Session, publisher_id: int, now: datetime) -> None:
    """Raises TooManyCertificates."""
    if sum(each.counts(now) for each in _read_certificates(db, publisher_id)) >= LIVE:
        raise TooManyCertificates


def save_certificate(db: Session, publisher_id: int, der: bytes, not_after: datetime, now: datetime) -> None:
    """From here on this certificate is the publisher's. Raises TooManyCertificates."""
    check_room_for_certificate(db, publisher_id, now)
    db.add(
        PublisherCertificateRow(
            fingerprint=fingerprint_of(der), publisher_id=publisher_id, created_at=now, not_after=not_after
        )
    )


def revoke(db: Session, publisher_id: int, beginning: str | None, now: datetime) -> int:
    """End the certificate or the key whose fingerprint begins so; without one all of them. Returns how many.

    Raises NotFound when none, or more than one, begins so.
    """
    live = [each.fingerprint for each in _read_certificates(db, publisher_id) if each.revoked_at is None]
    certificates = [each for each in live if each.startswith(beginning or "")]
    keys = [each.fingerprint for each in read_live_keys(db, publisher_id)]
    keys = [each for each in keys if each.startswith(beginning or "")]
    ended = len(certificates) + len(keys)
    if beginning is not None and ended != 1:
        raise NotFound
    known = PublisherCertificateRow.fingerprint.in_(certificates)
    db.execute(update(PublisherCertificateRow).where(known).values(revoked_at=now))
    _end_keys(db, keys, now)
    return ended


def read_live_keys(db: Session, publisher_id: int) -> list[KeyState]:
    """The keys that count, oldest first."""
    rows = db.scalars(
        select(PublisherKeyRow)
        .where(PublisherKeyRow.publisher_id == publisher_id, PublisherKeyRow.revoked_at.is_(None))
        .order_by(PublisherKeyRow.created_at, PublisherKeyRow.key_hash)
    )
    return [KeyState(row.key_hash, row.created_at) for row in rows]


def read_publishers(db: Session) -> list[PublisherState]:
    """Every publisher by code, with what it calls with."""
    found = []
    for row in db.scalars(select(PublisherRow).order_by(PublisherRow.code)):
        live_keys = read_live_keys(db, row.id)
        certificates = _read_certificates(db, row.id)
        hook = db.get(WebhookRow, row.id)
        has_helpdesk = row.helpdesk_email is not None
        webhook = None if hook is None else WebhookState(hook.failing_since, hook.disabled_at, has_helpdesk)
        found.append(PublisherState(row.code, row.name, row.requests_per_minute, live_keys, certificates, webhook))
    return found


def _read_certificates(db: Session, publisher_id: int) -> list[CertificateState]:
    rows = db.scalars(
        select(PublisherCertificateRow)
        .where(PublisherCertificateRow.publisher_id == publisher_id)
        .order_by(PublisherCertificateRow.created_at, PublisherCertificateRow.fingerprint)
    )
    return [CertificateState(row.fingerprint, row.not_after, row.revoked_at) for row in rows]
