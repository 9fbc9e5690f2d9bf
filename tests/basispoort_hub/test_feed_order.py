"""The feed while two write at once: who began first and commits last is not passed over by a reader in between."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select, text, true
from sqlalchemy.orm import Session

from services.basispoort_hub import changes_feed
from services.basispoort_hub.feed import Changed, save_changes
from services.basispoort_hub.permissions import save_consent
from services.basispoort_hub.tables import PublisherRow, SchoolRow
from shared.clock import now
from shared.database import open_engine, writing
from tests.basispoort_hub.a_hub import CODE, PUBLISHER_KEY, Hub, open_hub
from tests.conftest import POSTGRES

OTHER = "99ZB00"
PATIENCE_S = 20  # the feed waits for every older transaction of the server, also those of other tests

pytestmark = pytest.mark.skipif(not POSTGRES, reason="on SQLite there is one writer at a time")


@pytest.fixture
def hub(migrated_url: Callable[[str], str]) -> Iterator[Hub]:
    """Two schools that consent to one publisher; `school_id` is the second."""
    engine = open_engine(migrated_url("basispoort_hub"))
    opened = open_hub(engine)
    opened.open_school(OTHER)
    opened.open_school()
    yield opened
    opened.client.close()
    engine.dispose()
    opened.client.app.state.engine.dispose()  # type: ignore[attr-defined]


def page(hub: Hub, cursor: str | None) -> tuple[set[str | None], str]:
    """The keys of the groups that changed since the cursor, and the new cursor."""
    parameters = {} if cursor is None else {"cursor": cursor}
    headers = {"Authorization": f"Bearer {PUBLISHER_KEY}"}
    found: dict[str, Any] = hub.client.get("/api/v1/changes", params=parameters, headers=headers).json()
    return {each["lasKey"] for each in found["wijzigingen"]}, found["cursor"]


def change(db: Session, code: str, group: str) -> None:
    school_id = db.scalars(select(SchoolRow.id).where(SchoolRow.code == code).with_for_update()).one()
    save_changes(db, school_id, Changed(groups=frozenset({group})), now())


@pytest.fixture
def overtaken(hub: Hub) -> Iterator[tuple[Session, str]]:
    """A transaction that began first and is still open, while a later one has committed; and a cursor from before."""
    cursor = page(hub, None)[1]
    with Session(hub.engine) as first:
        change(first, OTHER, "eerst")
        with writing(hub.engine) as db:
            change(db, CODE, "daarna")
        yield first, cursor


def test_a_reader_in_between_loses_nothing(hub: Hub, overtaken: tuple[Session, str]) -> None:
    first, cursor = overtaken
    told, cursor = page(hub, cursor)
    assert told == set()  # what committed waits for what began before it
    first.commit()
    deadline = time.monotonic() + PATIENCE_S
    while told != {"eerst", "daarna"}:
        more, cursor = page(hub, cursor)
        told |= more
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def test_of_two_who_wait_for_the_same_school_only_what_came_after_consent_is_told(hub: Hub) -> None:
    """The place in the feed is that of who began first; what counts for consent is who had the school first."""
    consent(hub, given=False)
    cursor = page(hub, None)[1]
    with Session(hub.engine) as consenting, Session(hub.engine) as changing:
        for each in (consenting, changing):  # both have a place in the feed from now on: the first before the second
            each.execute(text("select pg_current_xact_id()"))
        change(changing, CODE, "geheim")
        changing.commit()
        save(consenting, hub, given=True)
        consenting.commit()
    with writing(hub.engine) as db:
        change(db, CODE, "open")
    told, deadline = set[str | None](), time.monotonic() + PATIENCE_S
    while "open" not in told:
        more, cursor = page(hub, cursor)
        told |= more
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    assert told == {"open", None}  # None: that the school consents


def consent(hub: Hub, *, given: bool) -> None:
    with writing(hub.engine) as db:
        save(db, hub, given=given)


def save(db: Session, hub: Hub, *, given: bool) -> None:
    publisher_id = db.scalars(select(PublisherRow.id)).one()
    db.get_one(SchoolRow, hub.school_id, with_for_update=True)
    save_consent(db, hub.school_id, publisher_id, None, given=given, now=now())


def test_without_waiting_for_older_ones_it_would_lose_the_first(
    hub: Hub, overtaken: tuple[Session, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, cursor = overtaken
    monkeypatch.setattr(changes_feed, "_is_settled", lambda _db: true())
    told, cursor = page(hub, cursor)
    assert told == {"daarna"}
    first.commit()
    assert page(hub, cursor)[0] == set()  # and never will it hear of the first
