"""The clock process: asks the hub every five minutes of the night, sends the outbox, erases what is due."""

import os
import secrets
import socket
from datetime import date

from services.app_connector import nightly
from services.app_connector.hub_client import open_hub
from services.app_connector.mails import Post, senders
from services.app_connector.portal_pages import make_pages
from services.app_connector.settings import Settings
from services.app_connector.tables import AttemptRow, OutboxRow
from shared import logs
from shared.attempts import remove_old_attempts
from shared.clock import local_date
from shared.clock import now as present
from shared.database import open_engine, writing
from shared.mail import Mailer
from shared.outbox import deliver_due
from shared.settings import load
from shared.ticker import run_clock


def run(settings: Settings) -> None:
    """Tick until told to stop."""
    logs.configure("app_connector", settings.log_level)
    engine = open_engine(settings.database_url)
    hub = open_hub(settings.hub_url, settings.hub_key.get_secret_value())
    mailer = Mailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.mail_from,
        start_tls=settings.smtp_start_tls,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
    )
    post = Post(engine, mailer, make_pages(settings.base_url).mails, settings.base_url, settings.helpdesk_mail)
    by_topic = senders(post)
    holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    kept_on: date | None = None

    def keep_house() -> None:
        """Once a local day, and again after a restart: erasing what is erased does nothing."""
        nonlocal kept_on
        now = present()
        if kept_on != local_date(now):
            nightly.keep_house(engine, now)
            with writing(engine) as db:
                remove_old_attempts(db, AttemptRow, now)
            kept_on = local_date(now)

    run_clock(
        {
            "night": (nightly.EVERY, lambda: nightly.tick(engine, hub, present(), holder)),
            "outbox": (settings.outbox_tick, lambda: deliver_due(engine, OutboxRow, by_topic, present)),
            "keeping": (settings.tick, keep_house),
        }
    )


if __name__ == "__main__":
    run(load(Settings))
