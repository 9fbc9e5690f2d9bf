"""The quota of a publisher: what is granted, what is refused, and what the answers say of it. Time is an argument."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from services.basispoort_hub.quota import Quota, QuotaSpent
from services.basispoort_hub.tables import PublisherRow
from shared.database import writing
from tests.basispoort_hub.a_hub import PUBLISHER_KEY, open_hub

HERS = {"Authorization": f"Bearer {PUBLISHER_KEY}"}


@dataclass
class Clock:
    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def granted(quota: Quota, publisher_id: int = 1, own: int | None = None) -> bool:
    try:
        quota.spend(publisher_id, own)
    except QuotaSpent:
        return False
    return True


def test_a_minutes_worth_goes_at_once_and_then_as_fast_as_it_refills() -> None:
    clock = Clock()
    quota = Quota(60, clock)
    assert [granted(quota) for _ in range(61)] == [True] * 60 + [False]
    clock.at += 0.5
    assert not granted(quota)
    clock.at += 0.5
    assert [granted(quota) for _ in range(2)] == [True, False]
    clock.at += 10_000
    assert sum(granted(quota) for _ in range(100)) == 60  # a long silence saves up no more than a minute's worth


def test_retry_after_says_when_the_next_request_is_granted() -> None:
    clock = Clock()
    quota = Quota(6, clock)
    for _ in range(6):
        quota.spend(1, None)
    with pytest.raises(QuotaSpent) as refused:
        quota.spend(1, None)
    wait = int(refused.value.headers["Retry-After"])
    assert wait == 10
    clock.at += wait
    assert granted(quota)


def test_publishers_do_not_eat_from_each_others_bucket_and_may_have_a_size_of_their_own() -> None:
    quota = Quota(2, Clock())
    assert [granted(quota, 1) for _ in range(3)] == [True, True, False]
    assert [granted(quota, 2, own=3) for _ in range(4)] == [True, True, True, False]
    assert all(granted(quota, 3, own=0) for _ in range(100))  # 0 is no limit


@given(
    per_minute=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 120, allow_nan=False), max_size=200),
)
def test_never_more_than_the_bucket_and_what_refilled(per_minute: int, pauses: list[float]) -> None:
    clock, total = Clock(), 0
    quota = Quota(per_minute, clock)
    for pause in pauses:
        clock.at += pause
        total += granted(quota)
    assert total <= per_minute + (clock.at - 1000) * per_minute / 60 + 1e-6


def test_the_default_lets_a_nightly_reading_of_the_whole_country_through() -> None:
    """6,500 schools, four requests each, as fast as one process answers them."""
    clock = Clock()
    quota, refused, began = Quota(12_000, clock), 0, clock.at
    for _ in range(6_500 * 4):
        clock.at += 0.002  # 500 a second
        if not granted(quota):
            refused += 1
            clock.at += 1  # what Retry-After says
            assert granted(quota)
    assert clock.at - began < 150
    assert refused < 200


def test_the_answers_say_what_is_left_and_the_last_is_a_problem(make_engine: Callable[[str], Engine]) -> None:
    hub = open_hub(make_engine("basispoort_hub"))
    hub.open_school()
    with writing(hub.engine) as db:
        db.execute(update(PublisherRow).values(requests_per_minute=2))
    first = hub.client.get("/rest/v2/instellingen", headers=HERS)
    assert (first.status_code, first.headers["ratelimit-policy"]) == (200, '"publisher";q=2;w=60')
    assert first.headers["ratelimit"].startswith('"publisher";r=1;t=')
    assert hub.client.get("/rest/v2/nawsearch", headers=HERS).status_code == 200
    refused = hub.client.get("/rest/v2/instellingen", headers=HERS)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/quota-spent")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert "ratelimit" in refused.headers
    stranger = hub.client.get("/rest/v2/instellingen", headers={"Authorization": "Bearer schakel_x"})
    assert "ratelimit" not in stranger.headers


def test_one_request_takes_one_from_the_bucket(make_engine: Callable[[str], Engine]) -> None:
    hub = open_hub(make_engine("basispoort_hub"))
    hub.open_school()
    for left in (11_999, 11_998):
        answer = hub.client.get(f"/rest/v2/instellingen/{hub.school_id}", headers=HERS)
        assert int(answer.headers["ratelimit"].split(";")[1].removeprefix("r=")) in {left, left + 1}
