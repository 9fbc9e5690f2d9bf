"""shared/mail.py against the demo's mail catcher: real SMTP, and what a refusal means."""

import socket
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from fastapi.testclient import TestClient
from jinja2 import DictLoader, Environment, StrictUndefined, UndefinedError

from services.demo.mail_catcher import MOST_MAILS, Letterbox, create_app, open_smtp
from shared.mail import Mailer, render_mail
from shared.outbox import SendFailed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def box() -> Letterbox:
    return Letterbox()


@pytest.fixture
def server(box: Letterbox) -> Iterator[Controller]:
    server = open_smtp(box, free_port())
    yield server
    server.stop()


@pytest.fixture
def mailer(server: Controller) -> Mailer:
    return Mailer("127.0.0.1", server.port, "Basispoort <niet-antwoorden@basispoort.example>")


@pytest.fixture
def page(box: Letterbox) -> TestClient:
    return TestClient(create_app(box, "http://testserver"))


def send(mailer: Mailer, to: str = "m@school.example", text: str = "Dag Zoë", number: int = 1) -> None:
    mailer.send(to, "Activeer uw account – Zoë", text, f"mail-{number}")


def test_a_mail_arrives_as_it_was_written(mailer: Mailer, box: Letterbox) -> None:
    send(mailer, text="Dag Zoë,\n\nKlik op http://hub.example/a?b=1.\n")
    mail = box.mails()[0]
    assert (mail.to, mail.subject) == ("m@school.example", "Activeer uw account – Zoë")
    assert mail.text == "Dag Zoë,\n\nKlik op http://hub.example/a?b=1.\n"
    assert mail.message_id == "mail-1@basispoort.example"


def test_a_repeated_mail_has_the_same_message_id(mailer: Mailer, box: Letterbox) -> None:
    send(mailer)
    send(mailer)
    assert len({mail.message_id for mail in box.mails()}) == 1


@pytest.mark.parametrize("to", ["zoë@school.example", "o'neill@school.example", "a+b@school.example"])
def test_an_odd_address_is_still_one_recipient(mailer: Mailer, box: Letterbox, to: str) -> None:
    send(mailer, to)
    assert [mail.to for mail in box.mails()] == [to]


def test_two_addresses_in_one_are_never_two_recipients(mailer: Mailer, box: Letterbox) -> None:
    send(mailer, "a@school.example, b@elsewhere.example")
    assert [mail.to for mail in box.mails()] == ['"a@school.example, b"@elsewhere.example']


def test_a_refused_recipient_is_permanent_and_not_named(mailer: Mailer, box: Letterbox) -> None:
    with pytest.raises(SendFailed, match=r"refused the recipient \(550\)") as refused:
        send(mailer, "geheim@weiger.example")
    assert refused.value.permanent
    assert "geheim" not in str(refused.value)
    assert box.mails() == []


def test_a_server_that_cannot_be_reached_is_tried_again() -> None:
    with pytest.raises(SendFailed, match="cannot be reached") as failed:
        send(Mailer("127.0.0.1", free_port(), "niet-antwoorden@basispoort.example"))
    assert not failed.value.permanent


def test_the_first_line_of_a_template_is_the_subject() -> None:
    templates = Environment(
        loader=DictLoader({"welkom.txt": "Welkom {{ naam }}\n\nDag {{ naam }},\n"}), undefined=StrictUndefined
    )
    assert render_mail(templates, "welkom.txt", naam="Zoë <x>") == ("Welkom Zoë <x>", "Dag Zoë <x>,\n")
    with pytest.raises(UndefinedError):
        render_mail(templates, "welkom.txt")


def test_the_page_lists_the_newest_first_and_shows_links(page: TestClient, mailer: Mailer) -> None:
    send(mailer, "eerst@school.example", "Zie http://hub.example/a?b=1&c=<script>.")
    send(mailer, "later@school.example")
    listed = page.get("/").text
    assert listed.index("later@school.example") < listed.index("eerst@school.example")
    shown = page.get("/berichten/1").text
    assert '<a href="http://hub.example/a?b=1&amp;c=">http://hub.example/a?b=1&amp;c=</a>&lt;script&gt;' in shown
    assert page.get("/berichten/9").status_code == 404


def test_the_api_filters_on_the_recipient_and_empties_the_box(page: TestClient, mailer: Mailer) -> None:
    send(mailer, "eerst@school.example", number=1)
    send(mailer, "later@school.example", number=2)
    found = page.get("/api/v1/berichten", params={"aan": "Eerst@school.example"}).json()
    assert [mail["aan"] for mail in found] == ["eerst@school.example"]
    assert found[0].keys() == {"nummer", "aan", "onderwerp", "berichtId", "ontvangenOp", "tekst"}
    assert page.delete("/api/v1/berichten").status_code == 204
    assert page.get("/api/v1/berichten").json() == []


def test_the_box_keeps_the_newest_only(box: Letterbox) -> None:
    message = EmailMessage()
    message.set_content("Dag")
    for _ in range(MOST_MAILS + 3):
        box.add("m@school.example", b"\n")
    assert len(box.mails()) == MOST_MAILS
    assert box.find(3) is None
    assert box.find(MOST_MAILS + 3) is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"Subject: =?utf-8?b?!!!?=\n\nx",
        b"Content-Type: text/plain; charset=nonsense\n\n\xff",
        b"To: <<>>\n\n",
    ],
)
def test_a_broken_mail_is_kept_too(box: Letterbox, page: TestClient, content: bytes) -> None:
    box.add("m@school.example", content)
    assert page.get("/berichten/1").status_code == 200
    assert page.get("/").status_code == 200
