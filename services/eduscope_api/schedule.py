"""The clock process of EDUscope: ticks every minute, claims tonight, retries until the morning; sends the outbox."""

import os
import secrets
import socket
from typing import Any

from services.eduscope_api.admin_pages import make_pages
from services.eduscope_api.domains import ANNOUNCEMENT
from services.eduscope_api.hub_client import HubClient
from services.eduscope_api.night_mails import send_night_failed
from services.eduscope_api.nightly import NIGHT_FAILED, run_tonight
from services.eduscope_api.retention import remove_expired
from services.eduscope_api.schools import send_announcement
from services.eduscope_api.settings import Settings
from services.eduscope_api.tables import OutboxRow
from shared.clock import now
from shared.database import open_engine
from shared.logs import configure
from shared.mail import Mailer
from shared.outbox import deliver_due
from shared.service_client import ServiceClient
from shared.settings import load
from shared.ticker import run_clock


def run(settings: Settings) -> None:
    """Tick until the process is told to stop."""
    configure("eduscope_api", settings.log_level)
    engine = open_engine(settings.database_url)
    hub = HubClient(ServiceClient("hub", settings.hub_url, settings.hub_key.get_secret_value()))
    mailer = Mailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.mail_from,
        start_tls=settings.smtp_start_tls,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
    )
    mails = make_pages(settings.base_url).mails
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def announce(_message_id: int, body: dict[str, Any]) -> None:
        send_announcement(engine, hub, body)

    def mail_night(message_id: int, body: dict[str, Any]) -> None:
        send_night_failed(engine, mailer, mails, settings.base_url, settings.report_to, message_id, body)

    senders = {ANNOUNCEMENT: announce, NIGHT_FAILED: mail_night}
    run_clock(
        {
            "night": (settings.tick, lambda: run_tonight(engine, hub, holder, settings.report_to)),
            "outbox": (settings.outbox_tick, lambda: deliver_due(engine, OutboxRow, senders, now)),
            "retention": (settings.tick * 60, lambda: remove_expired(engine, now())),
        }
    )


if __name__ == "__main__":
    run(load(Settings))
