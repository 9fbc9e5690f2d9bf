"""Writes and sends the mail to the administrators about a night that failed."""

from typing import Any

from jinja2 import Environment
from sqlalchemy import Engine

from services.eduscope_api.tables import AdministratorRow, RunRow, SchoolRow
from shared.database import reading
from shared.mail import Mailer, render_mail


def send_night_failed(
    engine: Engine,
    mailer: Mailer,
    mails: Environment,
    base_url: str,
    report_to: str,
    message_id: int,
    body: dict[str, Any],
) -> None:
    """The mail is written when it is sent; a repeat has the same Message-ID. Raises SendFailed."""
    with reading(engine) as db:
        run = db.get(RunRow, int(body["run"]))
        school = db.get(SchoolRow, run.school_id) if run is not None else None
        to = report_to
        if body["administrator"] is not None:
            administrator = db.get(AdministratorRow, int(body["administrator"]))
            to = administrator.user_name if administrator is not None else ""
        if run is None or school is None or not to:
            return  # the run, the school or the person is gone: there is nobody left to tell
        subject, text = render_mail(
            mails,
            "nacht_mislukt.txt",
            school=school.name,
            attempts=run.attempt,
            at=run.started_at,
            sentence=run.sentence,
            base_url=base_url,
        )
    mailer.send(to, subject, text, f"nacht-mislukt-{message_id}")
