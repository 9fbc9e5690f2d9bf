"""Webhooks: tells publishers that there are changes, so that nobody needs to ask. Signed per Standard Webhooks.

A message holds a cursor and the numbers of schools, never what changed. Per publisher one message at a time is on its
way; while it cannot be delivered, the outbox tries again with growing pauses. What it names counts as told once it is
delivered, so after one that the outbox gives up comes a fresh one with everything since. After days of that the webhook
is switched off and the publisher gets a mail.
"""

import asyncio
import base64
import ipaddress
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Header, Request, Response
from pydantic import Field
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from services.basispoort_hub.changes_feed import (
    Position,
    read_changed_schools,
    read_newest,
    read_own_cursor,
    write_cursor,
)
from services.basispoort_hub.publisher_callers import CallingPublisher
from services.basispoort_hub.tables import OutboxRow, PublisherRow, WebhookRow
from shared.clock import now as present
from shared.database import Db, ReadDb, reading, writing
from shared.outbox import SendFailed, save_message
from shared.problems import NotFound, Problem
from shared.wire.base import WireModel
from shared.wire.webhooks import WireNewWebhook, WireWebhook

TOPIC, MAIL_TOPIC = "webhook", "webhook-off"
FORMER_COUNTS = timedelta(days=7)  # an old secret signs too, so that the publisher can take its time
GIVES_UP = timedelta(days=5)
PATIENCE_S = 5.0  # for all of one delivery
MOST_NAMED = 1_000  # schools in one message; the next one has the others
_PORTS = range(1, 65536)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

router = APIRouter(prefix="/api/v1/webhooks", tags=["uitgevers"])
messages = APIRouter(tags=["uitgevers"])  # what goes out, for the description


class WebhookAddressRefused(Problem):
    status, slug, title = 422, "webhook-address-refused", "The address must be https and on the public internet"
    uitleg = "Dit adres kan niet: het moet met https beginnen en op het openbare internet staan."


class WireNews(WireModel):
    """`cursor`: how far this message tells. `scholen`: in which something changed, by the numbers of institutions."""

    cursor: str
    schools: list[int] = Field(alias="scholen", min_length=1, max_length=MOST_NAMED)


class WireMessage(WireModel):
    """`timestamp`: until when this message tells; it stays the same when the message is sent again."""

    type: Literal["changes"]
    timestamp: datetime
    data: WireNews


@messages.post(
    "changes",
    status_code=204,
    response_description="Taken, as every 2xx: what the message names is not told again.",
    responses={
        "410": {"description": "Gone: the webhook is switched off at once, and the helpdesk gets a mail."},
        "default": {"description": "Not taken, as with no answer within 5 seconds: the message is sent again later."},
    },
)
def receive_changes(
    _body: WireMessage,
    _id: Annotated[str, Header(alias="webhook-id", description="Of this message; a repeat has the same.")],
    _sent_at: Annotated[str, Header(alias="webhook-timestamp", description="When it was sent, in seconds since 1970.")],
    _signatures: Annotated[
        str,
        Header(
            alias="webhook-signature",
            description="`v1,` and the HMAC-SHA256, in base64, over id, timestamp and body with points in between. For "
            "7 days after a new secret was given out another one follows, after a space, made with the former.",
        ),
    ],
) -> None:
    """There are changes. The hub sends this to the address of the webhook, signed per Standard Webhooks.

    A message never says what changed: read that from the change feed, with your own cursor.
    """


@router.put("")
def submit_webhook(body: WireNewWebhook, publisher: CallingPublisher, request: Request, db: Db) -> WireWebhook:
    """Where the caller wants to hear of changes; also switches a webhook on that was switched off."""
    check_address(body.url, allow_loopback=is_loopback_url(request.app.state.links.base_url))
    db.scalars(select(PublisherRow.id).where(PublisherRow.id == publisher).with_for_update()).one()
    now, secret = present(), None
    row = db.get(WebhookRow, publisher)
    if row is None:
        secret, newest = new_secret(), read_newest(db)
        row = WebhookRow(
            publisher_id=publisher,
            url=body.url,
            secret=secret,
            created_at=now,
            told_transaction=newest.transaction,
            told_id=newest.id,
        )
        db.add(row)
    elif body.rotate:
        secret = new_secret()
        row.former_secret, row.former_until = row.secret, now + FORMER_COUNTS
        row.secret = secret
    # a message on its way was for what stood here before: a fresh one says the same, at once
    row.url, row.failing_since, row.disabled_at, row.message_id = body.url, None, None, None
    db.flush()
    return _wire(row, secret)


@router.get("")
def show_webhook(publisher: CallingPublisher, db: ReadDb) -> WireWebhook:
    """Where the caller hears of changes, and whether that works."""
    row = db.get(WebhookRow, publisher)
    if row is None:
        raise NotFound
    return _wire(row, None)


@router.delete("", status_code=204)
def submit_removal(publisher: CallingPublisher, db: Db) -> Response:
    """No more messages. Twice is once."""
    db.scalars(select(PublisherRow.id).where(PublisherRow.id == publisher).with_for_update()).one()
    row = db.get(WebhookRow, publisher)
    if row is not None:
        db.delete(row)
        db.flush()
    return Response(status_code=204)


def _wire(row: WebhookRow, secret: str | None) -> WireWebhook:
    return WireWebhook(url=row.url, is_on=row.disabled_at is None, secret=secret, failing_since=row.failing_since)


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def check_address(url: str, *, allow_loopback: bool) -> None:
    """What can be seen of an address without looking it up. Raises WebhookAddressRefused."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", 443 if parts.port is None else parts.port
    except ValueError:
        raise WebhookAddressRefused from None
    clean = url.isascii() and url.isprintable() and " " not in url
    if not clean or not host or parts.username is not None or parts.fragment or port not in _PORTS:
        raise WebhookAddressRefused
    if allow_loopback and _is_loopback(host) and parts.scheme in {"http", "https"}:
        return
    if parts.scheme != "https" or host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        raise WebhookAddressRefused
    address = _as_address(host)
    if address is not None and not _is_public(address):
        raise WebhookAddressRefused


def is_loopback_url(url: str) -> bool:
    """Does this hub itself live on a loopback address? Then publishers do too: it is a demo or a test."""
    return _is_loopback(urlsplit(url).hostname or "")


def _is_loopback(host: str) -> bool:
    address = _as_address(host)
    return address is not None and address.is_loopback


def _as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if address in _NAT64:
        mapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.is_global and not address.is_multicast and (mapped is None or mapped.is_global)


def queue_messages(engine: Engine, now: datetime) -> int:
    """Queue a message for every webhook that has something to hear and none on its way; returns how many."""
    queued = 0
    with reading(engine) as db:
        publishers = list(db.scalars(select(WebhookRow.publisher_id).where(WebhookRow.disabled_at.is_(None))))
    for publisher_id in publishers:
        with writing(engine) as db:
            db.scalars(select(PublisherRow.id).where(PublisherRow.id == publisher_id).with_for_update()).one()
            row = db.get(WebhookRow, publisher_id)
            if row is None or row.disabled_at is not None or _is_under_way(db, row):
                continue
            since, newest = Position(row.told_transaction, row.told_id), read_newest(db)
            schools, left = read_changed_schools(db, publisher_id, since, MOST_NAMED) if newest > since else ([], None)
            if not schools:
                row.told_transaction, row.told_id = newest.transaction, newest.id
                continue
            cursor = write_cursor(newest, now) if left is None else write_cursor(*left)
            body = {"publisher": publisher_id, "cursor": cursor, "schools": sorted(schools)}
            row.message_id = save_message(db, OutboxRow, TOPIC, body, now)
            queued += 1
    return queued


def _is_under_way(db: Session, row: WebhookRow) -> bool:
    if row.message_id is None:
        return False
    message = db.get(OutboxRow, row.message_id)
    return message is not None and message.sent_at is None and message.failed_at is None


Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises OSError."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


@dataclass(frozen=True, slots=True)
class WebhookPost:
    """Sends the messages of the topic `webhook`. `allow_loopback`: for a hub that lives there itself."""

    engine: Engine
    allow_loopback: bool
    resolve: Resolve = resolve
    transport: httpx.AsyncBaseTransport | None = None

    def send(self, number: int, body: Mapping[str, Any]) -> None:
        """Deliver one message; a repeat has the same id and body. Raises SendFailed."""
        publisher_id, now = int(body["publisher"]), present()
        with reading(self.engine) as db:
            row = db.get(WebhookRow, publisher_id)
        if row is None or row.disabled_at is not None or row.message_id != number:
            return  # taken away meanwhile, or a fresh message goes in its place
        told, at = read_own_cursor(body["cursor"])
        news = WireNews(cursor=body["cursor"], schools=body["schools"])
        text = WireMessage(type="changes", timestamp=at, data=news).model_dump_json()
        try:
            status = self._deliver(row, f"hub-{number}", text, now)
        except (WebhookAddressRefused, OSError, httpx.HTTPError, ValueError) as error:
            is_off = self._remember_failure(publisher_id, number, now, gone=False)
            raise SendFailed(f"the webhook cannot be reached ({type(error).__name__})", permanent=is_off) from None
        if 200 <= status < 300:  # what HTTP calls success
            self._remember_success(publisher_id, number, told)
            return
        is_off = self._remember_failure(publisher_id, number, now, gone=status == httpx.codes.GONE)
        raise SendFailed(f"the webhook answered {status}", permanent=is_off)

    def _deliver(self, row: WebhookRow, message_id: str, text: str, now: datetime) -> int:
        check_address(row.url, allow_loopback=self.allow_loopback)
        parts = urlsplit(row.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = self.resolve(host, port)
        for address in addresses:  # all of them: a name that also leads inside is no name to trust
            at = ipaddress.ip_address(address)
            if not (_is_public(at) or (self.allow_loopback and at.is_loopback)):
                raise WebhookAddressRefused
        # to the address that was looked at, so that a second look-up cannot lead elsewhere
        target = httpx.URL(row.url).copy_with(host=addresses[0])
        secrets_ = [row.secret]
        if row.former_secret is not None and row.former_until is not None and row.former_until > now:
            secrets_.append(row.former_secret)
        headers = {
            "Host": parts.netloc,
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(
                Webhook(each).sign(message_id, now.astimezone(UTC), text) for each in secrets_
            ),
        }
        return asyncio.run(self._post(target, text, headers, host))

    async def _post(self, target: httpx.URL, text: str, headers: dict[str, str], host: str) -> int:
        """The status of the answer. Asynchronous, so that one who answers a letter at a time keeps nobody waiting."""
        async with (
            asyncio.timeout(PATIENCE_S),
            # it goes where it is told, not where the environment says
            httpx.AsyncClient(transport=self.transport, timeout=PATIENCE_S, trust_env=False) as client,
            client.stream(
                "POST", target, content=text, headers=headers, extensions={"sni_hostname": host}, follow_redirects=False
            ) as answer,
        ):
            return answer.status_code  # its body is nothing to us, however long it is

    def _remember_success(self, publisher_id: int, number: int, told: Position) -> None:
        with writing(self.engine) as db:
            db.execute(
                update(WebhookRow)
                .where(WebhookRow.publisher_id == publisher_id, WebhookRow.message_id == number)
                .values(failing_since=None, told_transaction=told.transaction, told_id=told.id)
            )

    def _remember_failure(self, publisher_id: int, number: int, now: datetime, *, gone: bool) -> bool:
        """Switch the webhook off when it has failed for days, or says that it is gone, and tell the publisher.

        Is it over with this message?
        """
        with writing(self.engine) as db:
            row = db.get(WebhookRow, publisher_id, with_for_update=True)
            if row is None or row.message_id != number or row.disabled_at is not None:
                return True
            row.failing_since = row.failing_since or now
            if not gone and row.failing_since > now - GIVES_UP:
                return False
            row.disabled_at = now
            save_message(db, OutboxRow, MAIL_TOPIC, {"publisher": publisher_id}, now)
            return True
