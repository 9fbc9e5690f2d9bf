"""The demo's mail server with its page: real SMTP on loopback, every mail kept in memory and shown, none sent on."""

import re
import sys
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import default
from itertools import count

import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from shared import logs
from shared.app_factory import House, make_app
from shared.browser import Pages
from shared.clock import now
from shared.language import mark
from shared.problems import NotFound
from shared.wire.base import WireModel

HOST = "127.0.0.1"
MOST_MAILS = 5_000
LARGEST_MAIL = 1024 * 1024
REFUSED_DOMAIN = "weiger.example"  # its recipients get a 550, so that a refusal can be seen
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtMail:
    number: int
    to: str
    subject: str
    message_id: str
    text: str
    received_at: datetime

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """The text in pieces; True marks a link."""
        pieces, end = [], 0
        for found in _LINK.finditer(self.text):
            pieces += [(self.text[end : found.start()], False), (found.group(), True)]
            end = found.end()
        return [*pieces, (self.text[end:], False)]


class Letterbox:
    """The mails that came in, newest first, at most `MOST_MAILS`. One thread adds, others read."""

    def __init__(self) -> None:
        self._mails: deque[CaughtMail] = deque(maxlen=MOST_MAILS)
        self._numbers = count(1)

    def add(self, to: str, content: bytes) -> None:
        subject, message_id, text = _read_mail(content)
        mail = CaughtMail(
            number=next(self._numbers), to=to, subject=subject, message_id=message_id, text=text, received_at=now()
        )
        self._mails.appendleft(mail)

    def mails(self, to: str | None = None) -> list[CaughtMail]:
        wanted = to.casefold() if to else None
        return [mail for mail in self._mails.copy() if wanted is None or mail.to.casefold() == wanted]

    def find(self, number: int) -> CaughtMail | None:
        return next((mail for mail in self._mails.copy() if mail.number == number), None)

    def clear(self) -> None:
        self._mails.clear()

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.rpartition("@")[2].lower() == REFUSED_DOMAIN:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        for address in envelope.rcpt_tos:
            self.add(address, content)
        return "250 OK"


def _read_mail(content: bytes) -> tuple[str, str, str]:
    """Subject, Message-ID and plain text; what cannot be read is shown as it came."""
    try:
        message = message_from_bytes(content, EmailMessage, policy=default)
        body = message.get_body(("plain",))
        text = str(body.get_content()).replace("\r\n", "\n") if body is not None else ""
        return str(message.get("Subject", "")), str(message.get("Message-ID", "")).strip(" <>"), text
    except (MessageError, LookupError, ValueError, KeyError):
        return "", "", content.decode("utf-8", "replace")


class WireMail(WireModel):
    number: int = Field(alias="nummer")
    to: str = Field(alias="aan")
    subject: str = Field(alias="onderwerp")
    message_id: str = Field(alias="berichtId")
    received_at: datetime = Field(alias="ontvangenOp")
    text: str = Field(alias="tekst")

    @classmethod
    def of(cls, mail: CaughtMail) -> "WireMail":
        return cls(**{name: getattr(mail, name) for name in cls.model_fields})


def create_app(box: Letterbox, base_url: str) -> FastAPI:
    """The pages and the API over the mails in `box`."""
    pages = Pages("services.demo", "beheer", mark("Postvak van de demo"), "mails", base_url)
    app = make_app(
        House(
            service="mail_catcher",
            title="Postvak van de demo",
            summary="Every mail that the demo sent",
            engine=None,
            pages=pages,
            base_url=base_url,
            body_limits={},
        )
    )

    @app.get("/", include_in_schema=False)
    def show_mails(request: Request) -> Response:
        return pages.render(request, "postvak.html", mails=box.mails(), refused_domain=REFUSED_DOMAIN)

    @app.get("/berichten/{number}", include_in_schema=False)
    def show_mail(request: Request, number: int) -> Response:
        mail = box.find(number)
        if mail is None:
            raise NotFound
        return pages.render(request, "mailbericht.html", mail=mail)

    @app.get("/api/v1/berichten")
    def list_mails(to: str | None = Query(None, alias="aan")) -> list[WireMail]:
        return [WireMail.of(mail) for mail in box.mails(to)]

    @app.delete("/api/v1/berichten", status_code=204)
    def remove_mails() -> None:
        box.clear()

    return app


def open_smtp(box: Letterbox, port: int) -> Controller:
    """A running SMTP server that puts everything into `box`; the caller stops it. Raises OSError for a port in use."""
    server = Controller(box, hostname=HOST, port=port, data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True)
    server.start()
    return server


def run(smtp_port: int, http_port: int) -> None:
    """Catch mails until the process is ended."""
    logs.configure("mail_catcher", "WARNING")
    box = Letterbox()
    server = open_smtp(box, smtp_port)
    try:
        app = create_app(box, f"http://{HOST}:{http_port}")
        uvicorn.run(app, host=HOST, port=http_port, log_config=None, access_log=False)
    finally:
        server.stop()


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]))
