"""The clock process: sends the outbox, tells of silence, reminds of holds, checks fingerprints, erases what is due."""

from collections.abc import Callable
from datetime import date, timedelta

from services.basispoort_hub import changes_feed, holds, intake, keeping, webhooks
from services.basispoort_hub.coordinator_pages import make_pages
from services.basispoort_hub.post import Post, senders
from services.basispoort_hub.settings import Settings
from services.basispoort_hub.tables import OutboxRow
from shared import logs
from shared.clock import local_date, local_time
from shared.clock import now as present
from shared.database import open_engine
from shared.mail import Mailer
from shared.outbox import deliver_due
from shared.settings import load
from shared.ticker import run_clock

EVENING = 20  # o'clock in Amsterdam
HOURLY = timedelta(hours=1)


def run(settings: Settings) -> None:
    """Tick until told to stop."""
    logs.configure("basispoort_hub", settings.log_level)
    engine = open_engine(settings.database_url)
    links = settings.link_maker()
    mailer = Mailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.mail_from,
        start_tls=settings.smtp_start_tls,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
    )
    by_topic = senders(Post(engine, mailer, make_pages(settings.base_url).mails, links))
    to_publishers = webhooks.WebhookPost(engine, webhooks.is_loopback_url(settings.base_url))
    by_topic[webhooks.TOPIC] = to_publishers.send

    def keep() -> None:
        now = present()
        keeping.close_ended(engine, now, links)
        keeping.forget_leavers(engine, now)
        keeping.forget_closed_accounts(engine, now, links)
        keeping.remove_old_rows(engine, now)
        changes_feed.remove_old_changes(engine, now)

    run_clock(
        {
            "outbox": (settings.outbox_tick, lambda: deliver_due(engine, OutboxRow, by_topic, present)),
            "webhooks": (settings.outbox_tick, lambda: webhooks.queue_messages(engine, present())),
            "silence": (settings.tick, lambda: keeping.tell_of_silence(engine, present())),
            "reminders": (settings.tick, lambda: holds.remind(engine, present())),
            "self-check": (
                settings.tick,
                OnceADay(EVENING, lambda: intake.check_all_fingerprints(engine, present())),
            ),
            "keeping": (HOURLY, keep),
        }
    )


class OnceADay:
    """Does its work at the first tick after an hour of the day in Amsterdam; after a restart it does it again.

    So only for work that may be done twice.
    """

    def __init__(self, hour: int, work: Callable[[], object]) -> None:
        self._hour, self._work = hour, work
        self._done_on: date | None = None

    def __call__(self) -> None:
        now = present()
        today = local_date(now)
        if self._done_on != today and now >= local_time(today, self._hour):
            self._work()
            self._done_on = today


if __name__ == "__main__":
    run(load(Settings))
