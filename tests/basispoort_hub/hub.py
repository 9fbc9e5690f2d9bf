"""A hub on a fresh database, and the people who call it."""

import gzip
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Engine, select

from services.basispoort_hub.coordinator_pages import make_pages
from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.main import create_app
from services.basispoort_hub.post import Post, senders
from services.basispoort_hub.settings import Settings
from services.basispoort_hub.tables import AccountRow, OutboxRow
from shared.clock import now
from shared.database import reading
from shared.mail import Mailer
from shared.outbox import SendFailed, deliver_due
from shared.roster import Roster, fingerprint
from shared.wire.rosters import WireRoster

OPERATOR_KEY = "operator-key-for-tests-0123456789abcdef"
BASE_URL = "http://testserver"
CODE = "99ZA00"
PASSWORD = "een paar losse woorden achter elkaar"
LINK = re.compile(BASE_URL + r"(/activeren/\S+)")


class MailsInMemory(Mailer):
    """Takes what would be sent; refuses addresses at weiger.example as a mail server would."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 1, "Basispoort <noreply@hub.example>")
        self.sent: list[tuple[str, str, str, str]] = []  # (to, subject, text, Message-ID)

    def send(self, to: str, subject: str, text: str, message_id: str) -> None:
        if to.endswith("@weiger.example"):
            raise SendFailed("the mail server refused the recipient (550)", permanent=True)
        self.sent.append((to, subject, text, message_id))


@dataclass
class Hub:
    """The hub under test. `post_all` does what the clock process does with the outbox."""

    app: FastAPI
    mails: MailsInMemory = field(default_factory=MailsInMemory)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.app.state.engine
        return engine

    @property
    def links(self) -> LinkMaker:
        links: LinkMaker = self.app.state.links
        return links

    def client(self, key: str | None = None) -> TestClient:
        """Somebody new at the door; with a bearer key when given."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return TestClient(self.app, base_url=BASE_URL, headers=headers, follow_redirects=False)

    def operator(self) -> TestClient:
        return self.client(OPERATOR_KEY)

    def add_school(self, code: str = CODE, name: str = "De Regenboog") -> int:
        return int(
            answered(self.operator().post("/api/v1/operator/scholen", json={"code": code, "naam": name}), 201)["id"]
        )

    def appoint(self, email: str = "ict@school.example", code: str = CODE) -> int:
        body = {"emailadres": email, "naam": "Mila de Wit", "reden": "eerste coördinator"}
        return int(
            answered(self.operator().post(f"/api/v1/operator/scholen/{code}/coordinatoren", json=body), 201)["id"]
        )

    def post_all(self) -> list[tuple[str, str, str, str]]:
        """Deliver what is due; returns the mails that left now."""
        before = len(self.mails.sent)
        post = Post(self.engine, self.mails, make_pages(BASE_URL).mails, self.links)
        while deliver_due(self.engine, OutboxRow, senders(post), now):
            pass
        return self.mails.sent[before:]

    def link_for(self, email: str) -> str:
        """The path of the last activation link that was mailed to this address."""
        self.post_all()
        texts = [text for to, _, text, _ in self.mails.sent if to == email]
        found = [match[1] for text in texts if (match := LINK.search(text))]
        return found[-1]

    def activate(self, email: str, password: str = PASSWORD) -> None:
        form = {"wachtwoord": password, "herhaling": password}
        answered(self.client().post(self.link_for(email), data=form), 303)

    def sign_in(self, email: str, password: str = PASSWORD) -> TestClient:
        """A client with this person's session."""
        client = self.client()
        answered(client.post("/inloggen", data={"gebruiker": email, "wachtwoord": password}), 303)
        return client

    def a_coordinator(self, email: str = "ict@school.example", code: str = CODE) -> TestClient:
        """Appointed, activated and signed in."""
        self.appoint(email, code)
        self.activate(email)
        return self.sign_in(email)

    def administration_key(self) -> str:
        path = "/api/v1/operator/administraties/EDUscope/sleutels"
        return str(answered(self.operator().post(path), 201)["sleutel"])

    def switch_on(self, coordinator: TestClient, key: str, code: str = CODE) -> None:
        tick, switch = {"aangezet": True}, {"administratie": "EDUscope", "actief": True}
        answered(self.client(key).put(f"/api/v1/scholen/{code}/aanmelding", json=tick), 204)
        answered(coordinator.put(f"/api/v1/scholen/{code}/koppeling", json=switch), 200)

    def push(self, key: str, roster: Roster, code: str = CODE) -> dict[str, Any]:
        """Send a whole roster, as EDUscope does."""
        client = self.client(key)
        token = client.get(f"/api/v1/scholen/{code}/stand").headers.get("etag")
        body = WireRoster.of(roster, fingerprint(roster), {}).model_dump_json().encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            **({"If-Match": token} if token else {"If-None-Match": "*"}),
        }
        path = f"/api/v1/scholen/{code}/leerlinggegevens"
        receipt: dict[str, Any] = answered(client.put(path, content=gzip.compress(body), headers=headers), 200)
        return receipt

    def account(self, email: str) -> AccountRow:
        with reading(self.engine) as db:
            return db.scalars(select(AccountRow).where(AccountRow.email == email)).one()


def open_mailing_hub(url: str) -> Hub:
    """A hub on a migrated database."""
    settings = Settings(
        database_url=url,
        base_url=BASE_URL,
        mail_from="Basispoort <noreply@hub.example>",
        operator_key=OPERATOR_KEY,
        link_keys="link-key-for-tests-0123456789abcdef",
    )
    return Hub(create_app(settings))


def answered(answer: Response, status: int) -> Any:
    """The body of an answer that must have this status."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return answer.json() if is_json and answer.content else None


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]  # year, month, day, ...
