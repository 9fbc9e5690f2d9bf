"""The link request: kept whatever is wrong, checked per field, completed once, told to every ICT coordinator."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from services.app_connector.helpdesk import ACTIVE_MAIL, REQUEST_MAIL
from services.app_connector.mails import Post, senders
from services.app_connector.portal_pages import make_pages
from services.app_connector.tables import LinkRequestRow, OutboxRow
from shared.clock import now
from shared.database import reading
from shared.mail import Mailer
from shared.outbox import deliver_due
from tests.app_connector.hub_simulator import NAME, SCHOOL, a_pupil, a_teacher
from tests.app_connector.portal import PASSWORD, Portal, a_portal

ASKED = {
    "naam": NAME,
    "instellingsnummer": SCHOOL,
    "apps": [{"app": "taalblobs", "beheerder": "Baas@deproef.example"}],
    "afzender": "ict@deproef.example",
}


class RememberingMailer(Mailer):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__("localhost", 1, "portaal@woordhelder.example")
        self.sent: list[tuple[str, str, str]] = []

    def send(self, to: str, subject: str, text: str, message_id: str) -> None:
        assert message_id
        self.sent.append((to, subject, text))


@pytest.fixture
def portal(make_engine: Callable[[str], Engine]) -> Portal:
    portal = a_portal(make_engine, connected=False)
    portal.hub.pupils = [a_pupil(1001, "Noor", "Bakker")]
    portal.hub.staff = [
        a_teacher(2001, "Lia", "Testman"),
        a_teacher(2002, "Ico", "Een", roles=["ICTCoordinator"]),
        a_teacher(2003, "Ica", "Twee", roles=["Leerkracht", "ICTCoordinator"]),
        a_teacher(2004, "Icu", "Zonder", roles=["ICTCoordinator"], email=None),
    ]
    portal.seed([])
    user = {"gebruiker": "helpdesk", "wachtwoord": PASSWORD, "rol": "helpdesk"}
    assert portal.operator("gebruikers", user).status_code == 204
    portal.sign_in("helpdesk")
    return portal


def ask(portal: Portal, **changes: Any) -> dict[str, Any]:
    answer = portal.client.post("/api/v1/koppelverzoeken", json={**ASKED, **changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def checks(answer: dict[str, Any]) -> dict[str, bool | None]:
    return {each["veld"]: each["goed"] for each in answer["controles"]}


def complete(portal: Portal, number: int, status: int = 200) -> dict[str, Any]:
    answer = portal.client.post(f"/api/v1/helpdesk/verzoeken/{number}/afronden")
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def topics(portal: Portal) -> list[str]:
    with reading(portal.engine) as db:
        return list(db.scalars(select(OutboxRow.topic)))


def mails(portal: Portal) -> list[tuple[str, str, str]]:
    mailer = RememberingMailer()
    templates = make_pages("http://testserver").mails
    post = Post(portal.engine, mailer, templates, "http://testserver", "helpdesk@woordhelder.example")
    deliver_due(portal.engine, OutboxRow, senders(post), now)
    return mailer.sent


def test_a_good_request_is_right_in_every_field(portal: Portal) -> None:
    assert checks(ask(portal)) == {"instellingsnummer": True, "naam": True, "toestemming": True, "apps/taalblobs": True}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"instellingsnummer": 9}, {"instellingsnummer", "apps/taalblobs"}),
        ({"naam": "De Verkeerde"}, {"naam"}),
        ({"apps": [{"app": "taalblobs", "beheerder": "ander@deproef.example"}]}, {"apps/taalblobs"}),
        ({"apps": [{"app": "rekenblobs", "beheerder": "baas@deproef.example"}]}, {"apps/rekenblobs"}),
    ],
)
def test_what_is_wrong_is_said_per_field_and_nothing_is_lost(
    portal: Portal, changes: dict[str, Any], wrong: set[str]
) -> None:
    answer = ask(portal, **changes)
    assert {field for field, is_right in checks(answer).items() if is_right is False} == wrong
    (kept,) = portal.client.get("/api/v1/helpdesk/verzoeken").json()
    assert {name: kept[name] for name in ASKED} == {**ASKED, **changes}
    assert topics(portal) == [REQUEST_MAIL]
    refused = complete(portal, answer["nummer"], 409)
    assert refused["type"] == "/problems/request-not-ready"


def test_without_consent_the_name_is_still_checked(portal: Portal) -> None:
    portal.hub.permitted = False
    assert checks(ask(portal)) == {
        "instellingsnummer": True,
        "naam": True,
        "toestemming": False,
        "apps/taalblobs": True,
    }
    assert checks(ask(portal, naam="Een Andere"))["naam"] is False


def test_a_hub_that_is_away_loses_no_request(portal: Portal) -> None:
    portal.hub.mood = "down"
    answer = ask(portal)
    assert set(checks(answer).values()) == {None, True}
    complete(portal, answer["nummer"], 409)
    portal.hub.mood = "ok"
    complete(portal, answer["nummer"])


def test_completing_tells_every_coordinator_once(portal: Portal) -> None:
    number = ask(portal)["nummer"]
    done = complete(portal, number)
    assert done["coordinatorenBericht"] == 2
    assert complete(portal, number)["actiefSinds"] == done["actiefSinds"]
    assert topics(portal).count(ACTIVE_MAIL) == 2
    sent = mails(portal)
    assert {to for to, _, _ in sent} == {
        "ico@deproef.example",
        "ica@deproef.example",
        "helpdesk@woordhelder.example",
    }
    (copy,) = [text for to, _, text in sent if to.startswith("helpdesk")]
    assert all(each in copy for each in (NAME, str(SCHOOL), "Taalblobs", "Baas@deproef.example"))


def test_before_it_is_completed_nobody_is_told(portal: Portal) -> None:
    """The twin of the test above."""
    ask(portal)
    assert {to for to, _, _ in mails(portal)} == {"helpdesk@woordhelder.example"}


def test_the_queue_is_for_the_helpdesk_alone(portal: Portal) -> None:
    number = ask(portal)["nummer"]
    portal.sign_in("ict@deproef.example")
    assert portal.client.get("/api/v1/helpdesk/verzoeken").json()["type"] == "/problems/role-missing"
    assert complete(portal, number, 403)["type"] == "/problems/role-missing"


def test_requests_are_limited_and_signing_in_is_not_hurt_by_it(portal: Portal) -> None:
    answers = [portal.client.post("/api/v1/koppelverzoeken", json=ASKED).status_code for _ in range(8)]
    assert answers[0] == 201
    assert answers[-1] == 429
    with reading(portal.engine) as db:
        assert db.scalar(select(func.count()).select_from(LinkRequestRow)) == answers.count(201)
    portal.sign_in("helpdesk")
