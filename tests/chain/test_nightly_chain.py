"""The nights of EDUscope against the real hub, with a road on which requests and answers get lost or arrive late."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import Engine, select

from services.basispoort_hub.rosters import Layer
from services.basispoort_hub.tables import AccountRow, PersonRow
from shared.database import reading
from shared.roster import Roster
from tests.basispoort_hub.a_hub import Hub, open_hub
from tests.eduscope_api.fake_hub import FakeHub, HubSchool, Road
from tests.eduscope_api.rows import CODE
from tests.eduscope_api.test_nightly import History

HISTORIES = 12


class RealHub(FakeHub):
    """The real hub behind the same road as the one in memory."""

    def __init__(self, hub: Hub) -> None:
        self.real = hub
        super().__init__()

    @property
    def schools(self) -> dict[str, HubSchool]:
        return {CODE: HubSchool(roster=self.real.roster(Layer.MIRROR))}

    @schools.setter
    def schools(self, _value: object) -> None:
        pass

    def answer(self, request: httpx.Request) -> httpx.Response:
        last = request.url.path.rsplit("/", 1)[-1]
        self.seen.append((request.method, last))
        headers = {name: value for name, value in request.headers.items() if name not in {"host", "authorization"}}
        answer = self.real.client.request(
            request.method,
            request.url.path,
            content=request.content,
            headers={**headers, **self.real.as_administration},
        )
        return httpx.Response(answer.status_code, content=answer.content, headers=dict(answer.headers))


class ChainHistory(History):
    def __init__(self, url: str, hub: Hub, seed: int) -> None:
        super().__init__(url, seed, restores=False)
        self.hub = RealHub(hub)
        self.road = Road(self.hub, self.chance)
        self.client = self.hub.client(self.road)


@pytest.fixture
def open_hubs(make_engine: Callable[[str], Engine]) -> Iterator[Callable[[], Hub]]:
    hub = open_hub(make_engine("basispoort_hub"))
    yield lambda: hub
    hub.client.close()


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_history_against_the_real_hub_ends_right_after_one_good_night(
    open_hubs: Callable[[], Hub], quick_url: Callable[[str], str], seed: int
) -> None:
    hub = open_hubs()
    hub.open_school(CODE)
    history = ChainHistory(quick_url("eduscope_api"), hub, seed)
    history.run()
    assert history.is_right(), seed
    assert history.good_night() == "", "a second run sends nothing"
    assert nobody_is_doubled(hub)
    history.close()


def nobody_is_doubled(hub: Hub) -> bool:
    """Every person of the valid roster has one number, every address one account."""
    with reading(hub.engine) as db:
        people = db.execute(
            select(PersonRow.kind, PersonRow.key).where(PersonRow.left_at.is_(None), PersonRow.key.is_not(None))
        ).all()
        emails = db.scalars(select(AccountRow.email)).all()
    valid: Roster = hub.roster()
    return len(people) == len(set(people)) == len(valid.pupils) + len(valid.staff) and len(emails) == len(set(emails))
