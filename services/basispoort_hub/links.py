"""Activation links: a row's number plus an HMAC over number, purpose, account and address; no token is stored.

So a mail that is sent twice has the same link, and a stolen copy of the database opens nothing.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.basispoort_hub.tables import AccountRow, LinkRow, OutboxRow
from shared.outbox import save_message

ACTIVATION = "activation"
_TOKEN = re.compile(r"([1-9][0-9]{0,17})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class LinkMaker:
    """Writes and recognises links. The first key signs; all keys (two at most) recognise, so that keys can rotate.

    The base address comes from the settings, never from a request.
    """

    keys: Sequence[bytes]
    base_url: str
    lasts: timedelta = timedelta(days=14)

    def token(self, link: LinkRow) -> str:
        return f"{link.id}.{_signature(self.keys[0], link)}"

    def address(self, link: LinkRow) -> str:
        return f"{self.base_url.rstrip('/')}/activeren/{self.token(link)}"

    def recognises(self, signature: str, link: LinkRow) -> bool:
        return any(hmac.compare_digest(signature, _signature(key, link)) for key in self.keys)


def _signature(key: bytes, link: LinkRow) -> str:
    # lengths are not needed: only the last part can hold any text, and it stands last
    text = f"{link.id}\n{link.purpose}\n{link.account_id}\n{link.email}"
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).rstrip(b"=").decode()


def read_link(db: Session, token: str, links: LinkMaker) -> LinkRow | None:
    """The link that this token is for, spent or not; None when it is none of ours."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    link = db.get(LinkRow, int(match[1]))
    return link if link is not None and links.recognises(match[2], link) else None


def is_live(link: LinkRow, now: datetime) -> bool:
    return link.spent_at is None and link.void_at is None and link.expires_at > now


def save_activation_link(db: Session, account: AccountRow, now: datetime, links: LinkMaker) -> None:
    """A new link for this account, older ones void, and its mail queued; the mail is written when it is sent."""
    void_links(db, account.id, now)
    link = LinkRow(
        purpose=ACTIVATION, account_id=account.id, email=account.email, created_at=now, expires_at=now + links.lasts
    )
    db.add(link)
    db.flush()
    link.message_id = save_message(db, OutboxRow, "activation", {"link": link.id}, now)


def void_links(db: Session, account_id: int, now: datetime) -> None:
    """None of the account's links that are still unused can be used from here on."""
    db.execute(
        update(LinkRow)
        .where(LinkRow.account_id == account_id, LinkRow.spent_at.is_(None), LinkRow.void_at.is_(None))
        .values(void_at=now)
    )


def spend_link(db: Session, link_id: int, now: datetime) -> bool:
    """Use a link up: one atomic update, so that of many at once exactly one does it."""
    spent = db.execute(
        update(LinkRow)
        .where(LinkRow.id == link_id, LinkRow.spent_at.is_(None), LinkRow.void_at.is_(None), LinkRow.expires_at > now)
        .values(spent_at=now)
        .returning(LinkRow.id)
    ).first()
    return spent is not None


def read_last_links(db: Session, account_ids: Sequence[int]) -> dict[int, LinkRow]:
    """Account id -> the newest activation link that was made for it."""
    rows = db.scalars(
        select(LinkRow).where(LinkRow.account_id.in_(account_ids), LinkRow.purpose == ACTIVATION).order_by(LinkRow.id)
    )
    return {link.account_id: link for link in rows}
