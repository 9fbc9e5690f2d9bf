"""The change feed: applying it to what one had gives what one would read, and nothing of schools without consent."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from services.basispoort_hub import changes_feed
from services.basispoort_hub.changes_feed import Position, read_cursor, remove_old_changes, write_cursor
from services.basispoort_hub.feed import compare_people
from services.basispoort_hub.permissions import save_consent
from services.basispoort_hub.tables import FeedRow, PublisherKeyRow, PublisherRow, SchoolRow
from shared.clock import now
from shared.database import open_engine, reading, writing
from shared.roster import Group, Pupil, Roster
from shared.service_auth import hash_key
from tests.basispoort_hub.a_hub import PUBLISHER_KEY, Hub, open_hub, wait_for_feed
from tests.factories import a_group, a_pupil, a_roster, a_staff_member, rosters

LISTS = {"groep": "groepen", "subgroep": "subgroepen", "leerling": "leerlingen", "medewerker": "medewerkers"}
OTHER_KEY = "schakel_other_publisher"


@pytest.fixture
def hub(migrated_url: Callable[[str], str]) -> Iterator[Hub]:
    engine = open_engine(migrated_url("basispoort_hub"))
    opened = open_hub(engine)
    opened.open_school()
    opened.put(a_roster(), token=None)
    yield opened
    opened.client.close()
    engine.dispose()
    opened.client.app.state.engine.dispose()  # type: ignore[attr-defined]


class Reader:
    """A publisher that keeps what it knows of schools, by the feed alone once it has read them."""

    def __init__(self, hub: Hub, key: str = PUBLISHER_KEY) -> None:
        self._hub, self._headers = hub, {"Authorization": f"Bearer {key}"}
        self.cursor: str | None = None
        self.known: dict[int, dict[str, Any]] = {}
        self.seen: list[dict[str, Any]] = []

    def get(self, path: str, **more: Any) -> Any:
        return self._hub.client.get(path, headers=self._headers, **more)

    def read_school(self, school_id: int) -> dict[str, Any]:
        whole = self.get(f"/rest/v2/instellingen/{school_id}").json()
        details = self.get(f"/rest/v2/instellingen/{school_id}/details").json()
        del details["metaResult"]
        people = {name: {each["id"]: each for each in whole[name]} for name in ("leerlingen", "medewerkers")}
        groups = {name: {each["lasKey"]: each for each in whole[name]} for name in ("groepen", "subgroepen")}
        return {**people, **groups, "details": details}

    def start(self) -> None:
        wait_for_feed(self._hub.engine)
        self.cursor = self.get("/api/v1/changes").json()["cursor"]
        self.known = {school_id: self.read_school(school_id) for school_id in self.get("/rest/v2/instellingen").json()}

    def follow(self, limit: int = 500) -> list[dict[str, Any]]:
        """Take over everything new; returns the changes."""
        taken = []
        wait_for_feed(self._hub.engine)
        while True:
            page = self.get("/api/v1/changes", params={"cursor": self.cursor, "limit": limit}).json()
            for change in page["wijzigingen"]:
                self.take_over(change)
            taken += page["wijzigingen"]
            self.cursor = page["cursor"]
            if not page["meer"]:
                return taken

    def take_over(self, change: dict[str, Any]) -> None:
        school_id, subject = change["instelling"], change["onderwerp"]
        if change["soort"] == "forget-school":
            self.known.pop(school_id, None)
        elif change["soort"] == "read-school":
            self.known[school_id] = self.read_school(school_id)
        elif school_id not in self.known:
            pass  # a school that is still to be read, as a later change says
        elif subject == "instelling":
            self.known[school_id]["details"] = change["waarde"]
        else:
            name = change["id"] if subject in {"leerling", "medewerker"} else change["lasKey"]
            if subject in {"groep", "subgroep"}:
                for each in ("groepen", "subgroepen"):
                    self.known[school_id][each].pop(name, None)
            if change["soort"] == "remove":
                self.known[school_id][LISTS[subject]].pop(name, None)
            else:
                self.known[school_id][LISTS[subject]][name] = change["waarde"]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=st.lists(rosters(), min_size=1, max_size=4), limit=st.integers(1, 5))
def test_applying_the_feed_gives_what_one_would_read(hub: Hub, history: list[Roster], limit: int) -> None:
    reader = Reader(hub)
    reader.start()
    for roster in history:
        assert hub.put(roster).status_code == 200
    reader.follow(limit)
    assert reader.known == {hub.school_id: reader.read_school(hub.school_id)}


def test_a_reader_that_misses_a_change_is_found_out(hub: Hub) -> None:
    reader = Reader(hub)
    hub.put(a_roster(pupils=3))
    reader.start()
    hub.put(a_roster(pupils=4))
    reader.get("/api/v1/changes", params={"cursor": reader.cursor})  # read, and not taken over
    assert reader.known != {hub.school_id: reader.read_school(hub.school_id)}


def test_an_unchanged_push_is_no_change(hub: Hub) -> None:
    reader = Reader(hub)
    hub.put(a_roster())
    reader.start()
    hub.put(a_roster())
    assert reader.follow() == []
    hub.put(a_roster(pupils=4))
    assert reader.follow() != []


def test_those_who_stayed_as_they_were_are_not_told(hub: Hub) -> None:
    reader, before = Reader(hub), a_roster(pupils=20)
    hub.put(before)
    reader.start()
    hub.put(_with(before, a_group("nieuw")))
    assert [(each["onderwerp"], each["lasKey"]) for each in reader.follow()] == [("groep", "nieuw")]
    moved = replace(before.staff["m1"], home_groups=frozenset({"g1", "nieuw"}))
    hub.put(Roster.of([*before.groups.values(), a_group("nieuw"), *before.pupils.values(), moved]))
    assert [(each["onderwerp"], each["lasKey"]) for each in reader.follow()] == [("medewerker", "m1")]


def test_a_person_under_a_new_key_is_a_rekey_with_the_same_number(hub: Hub) -> None:
    before = Roster.of([a_group(), a_staff_member("m1", email="kim@school.example"), a_pupil(home_group="g5")])
    after = Roster.of([a_group(), a_staff_member("m2", email="kim@school.example"), a_pupil(home_group="g5")])
    reader = Reader(hub)
    hub.put(before)
    reader.start()
    hub.put(after)
    (change,) = reader.follow()
    assert (change["soort"], change["onderwerp"], change["lasKey"]) == ("rekey", "medewerker", "m2")
    assert change["id"] in reader.known[hub.school_id]["medewerkers"]


def test_comparing_people_goes_by_number_and_not_by_key() -> None:
    same = compare_people({"a": "1"}, {"a": 7}, {"a": "1"}, {"a": 7})
    rekeyed = compare_people({"a": "1"}, {"a": 7}, {"b": "2"}, {"b": 7})
    replaced = compare_people({"a": "1"}, {"a": 7}, {"a": "1"}, {"a": 8})
    assert same == (frozenset(), frozenset())
    assert rekeyed == (frozenset({7}), frozenset({7}))
    assert replaced == (frozenset({7, 8}), frozenset())


def _other_publisher(hub: Hub) -> int:
    """One without consent."""
    with writing(hub.engine) as db:
        db.get_one(SchoolRow, hub.school_id, with_for_update=True)
        other = PublisherRow(code="other", name="Other", sentence="Activeer")
        db.add(other)
        db.flush()
        db.add(PublisherKeyRow(key_hash=hash_key(OTHER_KEY), publisher_id=other.id, created_at=now()))
        return other.id


def test_consent_is_a_change_and_without_it_there_are_none(hub: Hub) -> None:
    number = _other_publisher(hub)
    reader, consented = Reader(hub, OTHER_KEY), Reader(hub)
    reader.start()
    consented.start()
    hub.put(a_roster(pupils=6))
    assert reader.follow() == []
    assert len(consented.follow()) > 1  # the twin: there was something to see

    _consent(hub, number, given=True)
    assert [each["soort"] for each in reader.follow()][-1] == "read-school"
    assert reader.known == {hub.school_id: reader.read_school(hub.school_id)}
    assert consented.follow() == []  # another publisher's permission is nobody's business

    hub.put(a_roster(pupils=5))
    _consent(hub, number, given=False)
    assert [each["soort"] for each in reader.follow()] == ["forget-school"]
    assert reader.known == {}


def test_who_and_what_was_gone_before_consent_is_never_told(hub: Hub) -> None:
    number, stays = _other_publisher(hub), a_roster(pupils=20)
    hub.put(stays)
    reader, consented = Reader(hub, OTHER_KEY), Reader(hub)
    reader.start()
    consented.start()
    hub.put(_with(stays, a_group("geheim"), a_pupil("p99", home_group="geheim")))
    hub.put(stays)
    _consent(hub, number, given=True)
    assert [each["soort"] for each in reader.follow()] == ["read-school"]
    told = [(each["soort"], each["onderwerp"], each["lasKey"]) for each in consented.follow()]
    assert told == [("remove", "groep", "geheim"), ("remove", "leerling", None)]  # the twin: it was there to be told
    hub.put(_with(stays, a_group("nieuw")))
    assert [(each["soort"], each["lasKey"]) for each in reader.follow()] == [("put", "nieuw")]
    assert reader.known == {hub.school_id: reader.read_school(hub.school_id)}


def test_what_happened_between_two_consents_is_not_told_and_what_one_has_is_right_again(hub: Hub) -> None:
    number = _other_publisher(hub)
    _consent(hub, number, given=True)
    reader = Reader(hub, OTHER_KEY)
    reader.start()
    _consent(hub, number, given=False)
    hub.put(a_roster(pupils=4, groups=2))
    hub.put(a_roster(pupils=5))
    _consent(hub, number, given=True)
    assert [each["soort"] for each in reader.follow()] == ["read-school"]
    assert reader.known == {hub.school_id: reader.read_school(hub.school_id)}


def _with(roster: Roster, *more: Group | Pupil) -> Roster:
    return Roster.of([*roster.entries(), *more])


def _consent(hub: Hub, publisher_id: int, *, given: bool) -> None:
    with writing(hub.engine) as db:
        db.get_one(SchoolRow, hub.school_id, with_for_update=True)
        save_consent(db, hub.school_id, publisher_id, None, given=given, now=now())


def test_an_old_cursor_is_gone_and_a_foreign_one_unknown(hub: Hub) -> None:
    reader = Reader(hub)
    reader.start()
    ages = {"cursor-too-old": 46, None: 44}
    for slug, days in ages.items():
        cursor = write_cursor(Position(0, 0), now() - timedelta(days=days))
        answer = reader.get("/api/v1/changes", params={"cursor": cursor})
        assert answer.status_code == (200 if slug is None else 410)
        assert slug is None or answer.json()["type"].endswith(slug)
    for odd in ("x", "====", "MS4x", "é"):
        assert reader.get("/api/v1/changes", params={"cursor": odd}).status_code == 422
    ahead = write_cursor(Position(10**17, 1), now())
    assert reader.get("/api/v1/changes", params={"cursor": ahead}).status_code == 410


@given(transaction=st.integers(0, 10**18 - 1), number=st.integers(0, 10**18 - 1))
def test_a_cursor_reads_back(transaction: int, number: int) -> None:
    at = now().replace(microsecond=0)
    assert read_cursor(write_cursor(Position(transaction, number), at), now()) == (Position(transaction, number), at)


def test_rows_are_kept_longer_than_cursors_and_no_longer(hub: Hub) -> None:
    hub.put(a_roster())
    with writing(hub.engine) as db:
        db.execute(update(FeedRow).values(made_at=now() - timedelta(days=45, hours=12)))
    wait_for_feed(hub.engine)
    assert remove_old_changes(hub.engine, now()) == 0
    removed = remove_old_changes(hub.engine, now() + timedelta(days=1))
    with reading(hub.engine) as db:
        left = db.scalar(select(func.count()).select_from(FeedRow))
    assert (removed > 0, left) == (True, 1)  # the newest: see the next test


def test_a_cursor_outlives_a_quiet_summer(hub: Hub) -> None:
    hub.put(a_roster(pupils=4))
    reader = Reader(hub)
    reader.start()
    with writing(hub.engine) as db:
        db.execute(update(FeedRow).values(made_at=now() - timedelta(days=60)))
    wait_for_feed(hub.engine)
    assert remove_old_changes(hub.engine, now()) > 0
    assert reader.get("/api/v1/changes", params={"cursor": reader.cursor}).status_code == 200
    hub.put(a_roster(pupils=5))
    reader.follow()
    assert reader.known == {hub.school_id: reader.read_school(hub.school_id)}


def test_a_page_is_about_few_schools_and_the_next_has_the_others(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = hub.school_id, hub.open_school("99ZB00")
    hub.put(a_roster(), token=None, code="99ZB00")
    reader = Reader(hub)
    reader.start()
    hub.put(a_roster(pupils=5), code="99ZB00")
    hub.put(a_roster(pupils=6), token=_token(hub, first))
    monkeypatch.setattr(changes_feed, "MOST_SCHOOLS", 1)
    wait_for_feed(hub.engine)
    page = reader.get("/api/v1/changes", params={"cursor": reader.cursor}).json()
    assert ({each["instelling"] for each in page["wijzigingen"]}, page["meer"]) == ({second}, True)
    assert {each["instelling"] for each in reader.follow()} == {first, second}
    assert reader.known == {each: reader.read_school(each) for each in (first, second)}


def _token(hub: Hub, school_id: int) -> str | None:
    with reading(hub.engine) as db:
        return db.get_one(SchoolRow, school_id).token


def test_the_feed_itself_holds_no_names(hub: Hub) -> None:
    hub.put(Roster.of([a_group(), a_pupil(first_name="Zonnebloem", home_group="g5")]))
    with reading(hub.engine) as db:
        rows = [dict(row) for row in db.execute(select(FeedRow.__table__)).mappings()]
    assert rows
    assert "Zonnebloem" not in str(rows)
