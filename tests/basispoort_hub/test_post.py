"""The hub's mails: one addressee each, nobody else's data in them, and nothing that is no longer true."""

from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import select, update

from services.basispoort_hub import post
from services.basispoort_hub.tables import HeldRow, HoldRow, LinkRow, OutboxRow
from shared.brake import Cause
from shared.clock import now
from shared.database import reading, writing
from shared.outbox import save_message
from tests.basispoort_hub.hub import LINK, Hub

ANNA, BRAM = "anna@school.example", "bram@school.example"
TEMPLATES = Path(post.__file__).parent / "mails"


def open_hold(hub: Hub, topic: str = "hold", cause: Cause = Cause.REMOVALS) -> int:
    with writing(hub.engine) as db:
        hold = HoldRow(school_id=1, cause=cause, kind="pupil", opened_at=now())
        db.add(hold)
        db.flush()
        db.add_all(HeldRow(hold_id=hold.id, key=f"p{number}", newcomer=False) for number in range(7))
        save_message(db, OutboxRow, topic, {"hold": hold.id}, now())
        return hold.id


def test_the_activation_mail_says_what_how_and_until_when(hub: Hub) -> None:
    hub.add_school()
    with time_machine.travel("2027-03-01T00:00:00+01:00", tick=False):
        hub.appoint(ANNA)
        ((to, subject, text, message_id),) = hub.post_all()
    assert (to, subject, message_id) == (ANNA, "Activeer uw account bij Basispoort", "link-1")
    assert "De Regenboog" in text
    assert "geldig tot 15 maart 2027 00:00" in text
    assert LINK.search(text)


def test_a_link_that_is_void_when_the_mail_would_leave_is_not_sent(hub: Hub) -> None:
    hub.add_school()
    hub.appoint(ANNA)
    with writing(hub.engine) as db:
        db.execute(update(LinkRow).values(void_at=now()))
    assert hub.post_all() == []
    with reading(hub.engine) as db:
        assert db.scalars(select(OutboxRow.sent_at)).one() is not None, "and is not tried again"


@pytest.mark.parametrize("topic", ["hold", "hold-reminder"])
def test_a_hold_that_is_shared_again_after_a_kill_is_told_once(hub: Hub, topic: str) -> None:
    hub.add_school()
    for email in (ANNA, BRAM):
        hub.appoint(email)
    hub.post_all()
    open_hold(hub, topic)
    assert len(hub.post_all()) == 2
    with writing(hub.engine) as db:  # killed between sharing and the mark that says so
        db.execute(update(OutboxRow).where(OutboxRow.topic == topic).values(sent_at=None))
    assert hub.post_all() == []
    with writing(hub.engine) as db:  # the next one is another message, and is told
        save_message(db, OutboxRow, topic, {"hold": 1}, now())
    assert len(hub.post_all()) == 2


@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.parametrize(("topic", "subject"), [("hold", "Er wacht"), ("hold-reminder", "Herinnering: er wacht")])
def test_every_coordinator_is_told_of_a_hold(hub: Hub, topic: str, subject: str, cause: Cause) -> None:
    hub.add_school()
    for email in (ANNA, BRAM, "ict@weiger.example"):
        hub.appoint(email)
    hub.post_all()
    open_hold(hub, topic, cause)
    mails = hub.post_all()
    assert sorted(to for to, *_ in mails) == [ANNA, BRAM]
    for _, title, text, _ in mails:
        assert title.startswith(subject)
        assert "7 personen" in text
        assert "De Regenboog" in text


def test_a_hold_that_dissolved_is_not_mailed(hub: Hub) -> None:
    hub.add_school()
    hub.appoint(ANNA)
    hub.post_all()
    hold_id = open_hold(hub)
    with writing(hub.engine) as db:
        db.execute(update(HoldRow).where(HoldRow.id == hold_id).values(closed_at=now()))
    assert hub.post_all() == []


def test_a_refused_address_is_not_tried_again(hub: Hub) -> None:
    hub.add_school()
    hub.appoint("ict@weiger.example")
    assert hub.post_all() == []
    with time_machine.travel(now() + timedelta(days=1)):
        assert hub.post_all() == []
    with reading(hub.engine) as db:
        row = db.scalars(select(OutboxRow)).one()
    assert (row.attempts, row.failed_at is not None) == (1, True)
    assert "weiger" not in (row.last_error or "")


def test_every_mail_template_is_dutch_to_a_u_and_has_a_subject() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.txt")}
    assert len(texts) == 9
    for name, text in texts.items():
        subject, blank, *_ = text.splitlines()
        assert subject, name
        assert blank == "Goedendag,", name
        assert " je " not in text.lower(), name
        assert max(map(len, text.splitlines())) < 100, name
