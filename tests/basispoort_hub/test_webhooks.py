"""Webhooks: signed, to public addresses only, told again with the same id, switched off after days of failure."""

import contextlib
import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from sqlalchemy import func, insert, select, update
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from services.basispoort_hub import webhooks
from services.basispoort_hub.changes_feed import read_own_cursor
from services.basispoort_hub.permissions import save_consent
from services.basispoort_hub.tables import FeedRow, OutboxRow, PublisherRow, SchoolRow, WebhookRow
from services.basispoort_hub.webhooks import (
    GIVES_UP,
    TOPIC,
    WebhookAddressRefused,
    WebhookPost,
    WireMessage,
    check_address,
    queue_messages,
)
from shared.clock import now
from shared.database import open_engine, reading, writing
from shared.outbox import LONGEST_PAUSE, deliver_due
from tests.basispoort_hub.a_hub import PUBLISHER_KEY, Hub, open_hub, wait_for_feed
from tests.factories import a_roster

ROOT = Path(__file__).parents[2]
ADDRESS = "https://uitgeverij.example/haak"
MONDAY = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
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


def _state(hub: Hub) -> dict[str, Any]:
    found: dict[str, Any] = hub.client.get("/api/v1/webhooks", headers=AS_PUBLISHER).json()
    return found


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
    cursor = body["data"]["cursor"]
    until = datetime.fromisoformat(body["timestamp"])
    assert body == {
        "type": "changes",
        "timestamp": body["timestamp"],
        "data": {"cursor": cursor, "scholen": [hub.school_id]},
    }
    assert timedelta(0) <= now() - until < timedelta(minutes=1)
    assert read_own_cursor(cursor)[1] == until
    assert (request.url.host, request.headers["host"]) == (PUBLIC, "uitgeverij.example")
    changed = request.content.replace(b"changes", b"chanqes")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(changed, dict(request.headers))
    receiver.deliver()
    assert len(receiver.received) == 1


def _from_the_page(mark: str, language: str) -> str:
    page = (ROOT / "docs" / "suppliers.md").read_text()
    found = re.search(rf"<!-- {mark} -->\n```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_message_on_the_page_for_suppliers_is_one() -> None:
    message = WireMessage.model_validate_json(_from_the_page("message", "json"))
    read_own_cursor(message.data.cursor)


def test_the_check_on_the_page_for_suppliers_takes_what_comes_and_nothing_else(hub: Hub) -> None:
    secret = _register(hub).json()["geheim"]
    hub.put(a_roster(), token=None)
    receiver = Receiver(hub)
    receiver.deliver()
    (request,) = receiver.received
    names: dict[str, Any] = {}
    exec(_from_the_page("signature", "python"), names)
    assert names["take"](secret, request.content, dict(request.headers)) == 204
    assert names["take"](secret, request.content + b" ", dict(request.headers)) == 401
    assert names["take"](webhooks.new_secret(), request.content, dict(request.headers)) == 401


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


def _pass_time(receiver: Receiver, clock: time_machine.Traveller, span: timedelta) -> None:
    """Let the clock process run for as long; from moment to moment at which something is due, so that it is quick."""
    until = now() + span
    while now() < until:
        receiver.deliver()
        with reading(receiver.hub.engine) as db:
            waits = OutboxRow.topic == TOPIC, OutboxRow.sent_at.is_(None), OutboxRow.failed_at.is_(None)
            due_at = db.scalar(select(func.min(OutboxRow.due_at)).where(*waits))
        hour = now() + timedelta(hours=1)
        clock.move_to(min(until, due_at if due_at is not None and now() < due_at < hour else hour))


def _told(receiver: Receiver) -> list[list[int]]:
    return [json.loads(request.content)["data"]["scholen"] for request in receiver.received]


def test_an_address_that_fails_for_a_day_hears_of_the_change_when_it_is_back(hub: Hub) -> None:
    receiver = Receiver(hub, status=503)
    with time_machine.travel(MONDAY, tick=False) as clock:
        _register(hub)
        hub.put(a_roster(), token=None)
        _pass_time(receiver, clock, timedelta(hours=24))
        failed = len(receiver.received)
        receiver.status = 204
        _pass_time(receiver, clock, LONGEST_PAUSE)
        assert _told(receiver)[failed:] == [[hub.school_id]]
        _pass_time(receiver, clock, timedelta(days=12))
        assert len(receiver.received) == failed + 1  # once
    assert failed > 12  # the twin: more than the outbox tries one message


def test_an_address_that_fails_for_days_is_tried_until_then_and_the_publisher_told_once(hub: Hub) -> None:
    receiver = Receiver(hub, status=503)
    with time_machine.travel(MONDAY, tick=False) as clock:
        _register(hub)
        hub.put(a_roster(), token=None)
        _pass_time(receiver, clock, GIVES_UP - timedelta(minutes=1))
        assert _state(hub)["actief"] is True
        times = [int(request.headers["webhook-timestamp"]) for request in receiver.received]
        pauses = [later - earlier for earlier, later in itertools.pairwise([*times, int(now().timestamp())])]
        assert max(pauses) <= LONGEST_PAUSE.total_seconds()

        _pass_time(receiver, clock, timedelta(days=1))
        asked = len(receiver.received)
        assert _state(hub)["actief"] is False
        _pass_time(receiver, clock, timedelta(days=7))
        assert len(receiver.received) == asked
        with reading(hub.engine) as db:
            mails = db.scalars(select(OutboxRow).where(OutboxRow.topic == "webhook-off")).all()
        assert len(mails) == 1

        receiver.status = 204
        assert _register(hub).json()["actief"] is True
        receiver.deliver()
        assert _told(receiver)[asked:] == [[hub.school_id]]  # what it has missed


def test_a_new_address_hears_at_once_what_the_old_one_did_not_take(hub: Hub) -> None:
    _register(hub)
    hub.put(a_roster(), token=None)
    receiver = Receiver(hub, status=503)
    receiver.deliver()
    _register(hub, adres="https://elders.example/haak")
    receiver.status = 204
    receiver.deliver()
    receiver.offset = timedelta(minutes=2)
    receiver.deliver()
    assert [request.headers["host"] for request in receiver.received] == ["uitgeverij.example", "elders.example"]
    assert _told(receiver)[1] == [hub.school_id]


def _change(hub: Hub, school_id: int, people: int) -> None:
    """As much in the feed as when so many people of a school change."""
    rows = [
        {"transaction": 0, "school_id": school_id, "kind": "pupil", "person_id": number + 1, "made_at": now()}
        for number in range(people)
    ]
    with writing(hub.engine) as db:
        db.get_one(SchoolRow, school_id, with_for_update=True)
        db.execute(insert(FeedRow), rows)


def test_a_school_with_many_changes_does_not_push_out_another(hub: Hub) -> None:
    first, second = hub.school_id, hub.open_school("99ZB00")
    _register(hub)
    _change(hub, first, 1_100)
    _change(hub, second, 1)
    receiver = Receiver(hub)
    receiver.deliver()
    assert _told(receiver) == [[first, second]]


def test_schools_that_do_not_fit_in_a_message_are_named_in_the_next(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_NAMED", 2)
    schools = [hub.school_id, *(hub.open_school(f"99Z{letter}00") for letter in "BCDE")]
    _register(hub)
    for school_id in [*schools, schools[0]]:
        _change(hub, school_id, 3)
    receiver = Receiver(hub)
    for _ in range(5):
        receiver.deliver()
    assert _told(receiver) == [schools[:2], schools[2:4], [schools[0], schools[4]]]
    cursors = [json.loads(request.content)["data"]["cursor"] for request in receiver.received]
    for named, cursor in zip(_told(receiver)[1:], cursors, strict=False):  # what a message did not tell lies after it
        page = hub.client.get("/api/v1/changes", params={"cursor": cursor}, headers=AS_PUBLISHER).json()
        assert {each["instelling"] for each in page["wijzigingen"]} >= set(named)


def test_what_changes_without_consent_is_not_told(hub: Hub) -> None:
    with reading(hub.engine) as db:
        publisher_id = db.scalars(select(PublisherRow.id)).one()
    _register(hub)
    _consent(hub, publisher_id, given=False)
    receiver = Receiver(hub)
    receiver.deliver()
    hub.put(a_roster(), token=None)
    receiver.deliver()
    assert len(receiver.received) == 1  # that it was withdrawn, and nothing after that
    _consent(hub, publisher_id, given=True)
    receiver.deliver()
    receiver.deliver()
    assert _told(receiver) == [[hub.school_id]] * 2


def _consent(hub: Hub, publisher_id: int, *, given: bool) -> None:
    with writing(hub.engine) as db:
        db.get_one(SchoolRow, hub.school_id, with_for_update=True)
        save_consent(db, hub.school_id, publisher_id, None, given=given, now=now())


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
