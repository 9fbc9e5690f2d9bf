"""A webhook that is switched off while nobody has an address for it: the operator sees it, in the log and in a list."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.basispoort_hub.publisher_operator import read_publishers
from services.basispoort_hub.tables import OutboxRow, PublisherRow, WebhookRow
from services.basispoort_hub.webhooks import MAIL_TOPIC
from shared.clock import now
from shared.database import reading, writing
from shared.outbox import save_message
from tests.basispoort_hub.hub import Hub, answered, open_mailing_hub

HELPDESK = "helpdesk@uitgeverij.example"


@pytest.fixture
def hub(migrated_url: Callable[[str], str]) -> Iterator[Hub]:
    opened = open_mailing_hub(migrated_url("basispoort_hub"))
    body = {"code": "letters", "naam": "Letters", "zin": "Activeer Letters"}
    number = answered(opened.operator().post("/api/v1/operator/uitgevers", json=body), 201)["id"]
    with writing(opened.engine) as db:
        db.add(
            WebhookRow(
                publisher_id=number,
                url="https://uitgeverij.example/haak",
                secret="geheim",
                created_at=now(),
                told_transaction=0,
                told_id=0,
            )
        )
    yield opened
    opened.engine.dispose()


def switch_off(hub: Hub) -> None:
    """As after days of failure."""
    with writing(hub.engine) as db:
        db.execute(update(WebhookRow).values(failing_since=now() - timedelta(days=6), disabled_at=now()))
        row = db.query(WebhookRow).one()
        save_message(db, OutboxRow, MAIL_TOPIC, {"publisher": row.publisher_id}, now())


def sentence(hub: Hub) -> str:
    with reading(hub.engine) as db:
        (publisher,) = read_publishers(db)
    return publisher.webhook.sentence if publisher.webhook is not None else ""


def test_without_a_helpdesk_the_operator_reads_it_in_the_log_and_in_the_list(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence(hub) == "aan"
    switch_off(hub)
    assert hub.post_all() == []
    line = next(each for each in capsys.readouterr().out.splitlines() if '"event": "webhook_off_untold"' in each)
    assert '"publisher": 1' in line
    assert sentence(hub).endswith("niemand gemaild: geen helpdeskadres")


def test_a_helpdesk_is_mailed_and_the_operator_is_left_alone(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    with writing(hub.engine) as db:
        db.execute(update(PublisherRow).values(helpdesk_email=HELPDESK))
    switch_off(hub)
    assert [to for to, *_ in hub.post_all()] == [HELPDESK]
    assert "webhook_off_untold" not in capsys.readouterr().out
    assert sentence(hub) == f"uit sinds {now():%d-%m-%Y}"
