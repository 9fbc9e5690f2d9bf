"""The mails of the portal, written when they are sent: a queued message holds numbers, never names or addresses."""

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from sqlalchemy import Engine

from services.app_connector.app_accounts import APP_NAMES
from services.app_connector.helpdesk import ACTIVE_MAIL, REQUEST_MAIL
from services.app_connector.nightly import HOLD_MAIL
from services.app_connector.rosters import RosterMissing, read_roster
from services.app_connector.rules.people import HubTeacher, full_name
from services.app_connector.tables import LinkRequestRow, SchoolRow
from shared.database import reading
from shared.mail import Mailer, render_mail
from shared.outbox import Sender, SendFailed
from shared.problems import UpstreamProblem


@dataclass(frozen=True, slots=True)
class Post:
    """What every mail needs."""

    engine: Engine
    mailer: Mailer
    templates: Environment
    base_url: str
    helpdesk: str


def senders(post: Post) -> dict[str, Sender]:
    """Topic -> who sends it."""

    def send_request(message_id: int, body: dict[str, Any]) -> None:
        with reading(post.engine) as db:
            row = db.get(LinkRequestRow, body["request"])
        if row is None:
            raise SendFailed("the request is gone", permanent=True)
        apps = [(APP_NAMES[each["app"]], each["admin"]) for each in row.apps]
        subject, text = render_mail(post.templates, "koppelverzoek.txt", verzoek=row, apps=apps, portaal=post.base_url)
        post.mailer.send(post.helpdesk, subject, text, f"koppelverzoek-{message_id}")

    def send_active(message_id: int, body: dict[str, Any]) -> None:
        _send_to_coordinator(post, "koppeling_actief.txt", message_id, body)

    def send_hold(message_id: int, body: dict[str, Any]) -> None:
        _send_to_coordinator(post, "vastgehouden.txt", message_id, body, app=APP_NAMES[body["app"]])

    return {REQUEST_MAIL: send_request, ACTIVE_MAIL: send_active, HOLD_MAIL: send_hold}


def _send_to_coordinator(post: Post, template: str, message_id: int, body: dict[str, Any], **values: object) -> None:
    with reading(post.engine) as db:
        school = db.get(SchoolRow, body["school"])
        try:
            member: HubTeacher | None = read_roster(db, body["school"]).staff.get(body["person"])
        except (RosterMissing, UpstreamProblem):
            member = None
    if school is None or member is None or member.email is None:
        raise SendFailed("this coordinator is not there any more", permanent=True)
    subject, text = render_mail(
        post.templates,
        template,
        school=school.name,
        naam=full_name(member),
        portaal=post.base_url,
        helpdesk=post.helpdesk,
        **values,
    )
    post.mailer.send(member.email, subject, text, f"{template.removesuffix('.txt')}-{message_id}")
