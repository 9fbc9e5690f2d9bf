"""Webhooks: signed, to public addresses only, told again with the same id, switched off after days of failure."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from services.basispoort_hub import webhooks
from services.basispoort_hub.tables import OutboxRow, PublisherRow, WebhookRow
from services.basispoort_hub.webhooks import (
    TOPIC,
    WebhookAddressRefused,
    WebhookPost,
    check_address,
    queue_messages,
)
from shared.clock import now
from shared.database import open_engine, reading, writing
from shared.outbox import deliver_due
from tests.basispoort_hub.a_hub import PUBLISHER_KEY, Hub, open_hub, wait_for_feed
from tests.factories import a_roster

ADDRESS = "https://uitgeverij.example/haak"
PUBLIC, INSIDE = "93.184.215.14", "10.1.2.3"
AS_PUBLISHER = {"Authorization": f"Bearer {PUBLISHER_KEY}"}


@pytest.fixture
def hub(migrated_url: Callable[[str], str]) -> Iterator[Hub]:
    engine = open_engine(migrated_url("basispoort_hub"))
    opened = open_hub(engine)
    opened.open_school()
    yield opened
    opened.client.close()
    engine.dispose()
    opened.client.app.state.engine.dispose()  # type: ignore[attr-defined]


@dataclass
class Receiver:
    """The publisher's side: answers with `status`, and keeps what came."""

    hub: Hub
    status: int = 204
    leads_to: list[str] = field(default_factory=lambda: [PUBLIC])
    received: list[httpx.Request] = field(default_factory=list)
    offset: timedelta = timedelta()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        return httpx.Response(self.status)

    def deliver(self) -> None:
        """What the clock process does in a tick."""
        wait_for_feed(self.hub.engine)
        queue_messages(self.hub.engine, now())
        transport = httpx.MockTransport(self._answer)
        post = WebhookPost(self.hub.engine, allow_loopback=False, resolve=lambda *_: self.leads_to, transport=transport)
        topics = {TOPIC: post.send, "webhook-off": lambda *_: None}
        deliver_due(self.hub.engine, OutboxRow, topics, lambda: now() + self.offset)


def _register(hub: Hub, **more: Any) -> httpx.Response:
    body = {"adres": ADDRESS, **more}
    return hub.client.put("/api/v1/webhooks", json=body, headers=AS_PUBLISHER)  # type: ignore[return-value]


def test_a_change_is_told_with_a_signature_and_without_personal_data(hub: Hub) -> None:
    secret = _register(hub).json()["geheim"]
    receiver = Receiver(hub)
    receiver.deliver()
    assert receiver.received == []  # nothing happened yet
    hub.put(a_roster(), token=None)
    receiver.deliver()
    (request,) = receiver.received
    body = Webhook(secret).verify(request.content, dict(request.headers))
    assert body == {"type": "changes", "data": {"cursor": body["data"]["cursor"], "scholen": [hub.school_id]}}
    assert (request.url.host, request.headers["host"]) == (PUBLIC, "uitgeverij.example")
    changed = request.content.replace(b"changes", b"chanqes")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(changed, dict(request.headers))
    receiver.deliver()
    assert len(receiver.received) == 1


def _answer_in_letters(listener: socket.socket) -> None:
    """A publisher that always has one letter more to say, until the other side hangs up."""
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 204 No Content\r\nX-Long: ")
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)


def test_one_who_answers_a_letter_at_a_time_does_not_keep_the_mails_waiting(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    _register(hub)
    hub.put(a_roster(), token=None)
    wait_for_feed(hub.engine)
    queue_messages(hub.engine, now())
    monkeypatch.setattr(webhooks, "PATIENCE_S", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_in_letters, args=[listener], daemon=True).start()
        with writing(hub.engine) as db:
            db.execute(update(WebhookRow).values(url=f"http://127.0.0.1:{listener.getsockname()[1]}/haak"))
        began = time.monotonic()
        deliver_due(hub.engine, OutboxRow, {TOPIC: WebhookPost(hub.engine, allow_loopback=True).send}, now)
    assert time.monotonic() - began < 5
    with reading(hub.engine) as db:
        reason = db.scalars(select(OutboxRow.last_error).where(OutboxRow.topic == TOPIC)).one()
    assert reason == "the webhook cannot be reached (TimeoutError)"


def test_a_failed_message_is_told_again_with_the_same_id_and_body(hub: Hub) -> None:
    _register(hub)
    hub.put(a_roster(), token=None)
    receiver = Receiver(hub, status=503)
    receiver.deliver()
    assert hub.client.get("/api/v1/webhooks", headers=AS_PUBLISHER).json()["misluktSinds"] is not None
    hub.put(a_roster(pupils=4))
    receiver.status, receiver.offset = 204, timedelta(minutes=2)
    receiver.deliver()
    first, second = receiver.received
    assert (first.headers["webhook-id"], first.content) == (second.headers["webhook-id"], second.content)
    assert hub.client.get("/api/v1/webhooks", headers=AS_PUBLISHER).json()["misluktSinds"] is None
    receiver.deliver()  # what changed meanwhile is told now
    assert len(receiver.received) == 3
    assert receiver.received[2].headers["webhook-id"] != first.headers["webhook-id"]


@pytest.mark.parametrize(("days", "is_on"), [(4, True), (6, False)])
def test_after_days_of_failure_it_is_switched_off_and_the_publisher_told(hub: Hub, days: int, is_on: bool) -> None:
    _register(hub)
    with writing(hub.engine) as db:
        db.execute(update(WebhookRow).values(failing_since=now() - timedelta(days=days)))
        db.execute(update(PublisherRow).values(helpdesk_email="techniek@uitgeverij.example"))
    hub.put(a_roster(), token=None)
    Receiver(hub, status=500).deliver()
    assert hub.client.get("/api/v1/webhooks", headers=AS_PUBLISHER).json()["actief"] is is_on
    with reading(hub.engine) as db:
        topics = set(db.scalars(select(OutboxRow.topic)))
    assert ("webhook-off" in topics) is not is_on
    assert _register(hub).json()["actief"] is True


def test_an_address_that_says_it_is_gone_is_not_asked_again(hub: Hub) -> None:
    _register(hub)
    hub.put(a_roster(), token=None)
    Receiver(hub, status=410).deliver()
    assert hub.client.get("/api/v1/webhooks", headers=AS_PUBLISHER).json()["actief"] is False


def test_a_name_that_leads_inside_gets_nothing(hub: Hub) -> None:
    _register(hub)
    hub.put(a_roster(), token=None)
    receiver = Receiver(hub, leads_to=[PUBLIC, INSIDE])
    receiver.deliver()
    assert receiver.received == []
    receiver.leads_to, receiver.offset = [PUBLIC], timedelta(minutes=2)
    receiver.deliver()
    assert len(receiver.received) == 1


def test_during_a_rotation_both_secrets_sign_and_later_the_new_one_alone(hub: Hub) -> None:
    old = _register(hub).json()["geheim"]
    assert _register(hub).json()["geheim"] is None  # shown once
    new = _register(hub, nieuwGeheim=True).json()["geheim"]
    hub.put(a_roster(), token=None)
    receiver = Receiver(hub)
    receiver.deliver()
    for secret in (old, new):
        Webhook(secret).verify(receiver.received[0].content, dict(receiver.received[0].headers))
    with writing(hub.engine) as db:
        db.execute(update(WebhookRow).values(former_until=now() - timedelta(seconds=1)))
    hub.put(a_roster(pupils=4))
    receiver.deliver()
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(receiver.received[1].content, dict(receiver.received[1].headers))


def test_a_webhook_that_was_taken_away_is_quiet(hub: Hub) -> None:
    _register(hub)
    hub.put(a_roster(), token=None)
    wait_for_feed(hub.engine)
    queue_messages(hub.engine, now())
    for _ in range(2):
        assert hub.client.delete("/api/v1/webhooks", headers=AS_PUBLISHER).status_code == 204
    receiver = Receiver(hub)
    receiver.deliver()
    assert receiver.received == []
    assert hub.client.get("/api/v1/webhooks", headers=AS_PUBLISHER).status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "http://uitgeverij.example/haak",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::1]/",
        "https://localhost/",
        "https://dienst.internal/",
        "https://kim@uitgeverij.example/",
        "https://uitgeverij.example:0/",
        "https://uitgeverij.example:99999/",
        "https:///haak",
        "ftp://uitgeverij.example/",
        "https://uitgeverij.example/ haak",
        "https://uitgeverij.example/#deel",
        "http://127.0.0.1:8000/",
        "haak",
    ],
)
def test_addresses_that_are_refused(hub: Hub, address: str) -> None:
    answer = _register(hub, adres=address)
    assert answer.status_code == 422
    assert json.dumps(address)[1:-1] not in answer.text or address == "haak"


def test_a_hub_on_a_loopback_address_tells_programs_there() -> None:
    check_address("http://127.0.0.1:8000/haak", allow_loopback=True)
    with pytest.raises(WebhookAddressRefused):
        check_address("http://127.0.0.1:8000/haak", allow_loopback=False)
    with pytest.raises(WebhookAddressRefused):
        check_address("http://10.0.0.1/haak", allow_loopback=True)
