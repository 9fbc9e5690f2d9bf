"""The comparison and announced changes of domain, from EDUscope's door to the real hub."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.eduscope_api.contacts import read_addresses, save_addresses
from services.eduscope_api.domains import ANNOUNCEMENT
from services.eduscope_api.hub_client import HubClient
from services.eduscope_api.main import create_app
from services.eduscope_api.nightly import School
from services.eduscope_api.schools import send_announcement
from services.eduscope_api.settings import Settings
from services.eduscope_api.tables import OutboxRow
from shared.clock import now
from shared.database import reading, writing
from shared.outbox import deliver_due
from shared.service_client import ServiceClient
from tests.basispoort_hub.hub import Hub, open_mailing_hub
from tests.eduscope_api.doors import sign_in
from tests.eduscope_api.rows import CODE, add_member, add_school

API = f"/api/v1/scholen/{CODE}"
TEACHERS = 12


@dataclass
class Chain:
    """Both services; `client` is a signed-in administrator, `chief` the coordinator."""

    hub: Hub
    key: str
    chief: TestClient
    client: TestClient
    to_hub: HubClient
    school: School

    @property
    def engine(self) -> Engine:
        app: Any = self.client.app
        engine: Engine = app.state.engine
        return engine

    def deliver(self) -> None:
        senders = {ANNOUNCEMENT: lambda _id, body: send_announcement(self.engine, self.to_hub, body)}
        deliver_due(self.engine, OutboxRow, senders, now)

    def run(self) -> str:
        return str(self.client.post(f"{API}/koppeling/nu").json()["uitkomst"])

    def held(self) -> int:
        return int(self.client.get(f"{API}/koppeling").json()["hub"]["vastgehouden"])

    def addresses(self) -> dict[int, str]:
        with reading(self.engine) as db:
            return read_addresses(db, self.school.id)

    def move(self, domain: str, *, rename: bool = False) -> None:
        """Everybody gets an address at this domain; `rename`: with another part before the @ too."""
        moved = {
            row_id: f"{'x' if rename else ''}{email.partition('@')[0]}@{domain}"
            for row_id, email in self.addresses().items()
        }
        with writing(self.engine) as db:
            save_addresses(db, dict(moved))


@pytest.fixture
def chain(migrated_url: Callable[[str], str]) -> Iterator[Chain]:
    hub = open_mailing_hub(migrated_url("basispoort_hub"))
    hub.add_school(CODE)
    key = hub.administration_key()
    door = hub.client(key)

    def travel(request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name not in {"host", "authorization"}}
        answer = door.request(request.method, request.url.path, content=request.content, headers=headers)
        return httpx.Response(answer.status_code, content=answer.content, headers=dict(answer.headers))

    to_hub = HubClient(ServiceClient("hub", "http://hub.example", key, transport=httpx.MockTransport(travel)))
    settings = Settings.model_validate(
        {
            "database_url": migrated_url("eduscope_api"),
            "base_url": "http://testserver",
            "hub_url": "http://hub.example",
            "hub_key": key,
            "operator_key": "schakel_operator_0123456789abcdef",
            "mail_from": "eduscope@eduscope.example",
        }
    )
    chief = hub.a_coordinator("ict@regenboog.example", CODE)
    with TestClient(create_app(settings, to_hub), follow_redirects=False) as client:
        engine: Engine = client.app.state.engine  # type: ignore[attr-defined]  # the application, as FastAPI makes it
        school = add_school(engine, ticked=False)
        with writing(engine) as db:
            for number in range(2, TEACHERS + 1):
                add_member(db, school.id, f"m{number}")
        sign_in(client, school)
        yield Chain(hub, key, chief, client, to_hub, school)
        engine.dispose()
    hub.engine.dispose()


def link(chain: Chain) -> None:
    """Both switches on, and the first night done."""
    seen = chain.client.get(f"{API}/controles").json()["waarschuwingen"]
    ticked = chain.client.put(f"{API}/koppeling", json={"basispoort": True, "waarschuwingenGezien": seen})
    assert ticked.status_code == 200, ticked.text
    chain.deliver()
    switch = {"administratie": "EDUscope", "actief": True}
    assert chain.chief.put(f"{API}/koppeling", json=switch).status_code == 200
    assert chain.run() == "alles"


def test_the_comparison_works_before_the_link_is_on_once_the_coordinator_allows_it(chain: Chain) -> None:
    """Step 1 and 2 of the manual: the hub knows a teacher by a hand-made file, under another address."""
    closed = chain.client.get(f"{API}/vergelijking").json()
    assert (closed["beschikbaar"], "leerkrachtenlijst" in closed["zin"]) == (False, True)
    allowed = {"formulier": "lijst", "leesbaar": "ja"}
    assert chain.chief.post(f"/scholen/{CODE}/leerkrachten/lijst", data=allowed).status_code == 303
    compared = chain.client.get(f"{API}/vergelijking").json()
    assert compared["aantallen"] == {"gelijk": 0, "adresVerschilt": 0, "ontbreektHier": 1, "ontbreektDaar": TEACHERS}


def test_an_address_of_the_hub_is_taken_over_and_then_all_is_equal(chain: Chain) -> None:
    link(chain)
    (first, *_) = sorted(chain.addresses())
    before = chain.addresses()[first]
    with writing(chain.engine) as db:
        save_addresses(db, {first: "verkeerd@regenboog.example"})
    (line,) = [each for each in chain.client.get(f"{API}/vergelijking").json()["regels"] if each["overneembaar"]]
    taken = {"id": line["id"], "adres": line["basispoortAdres"], "eigen": line["eigenAdres"]}
    assert chain.client.post(f"{API}/vergelijking/overnemen", json={"personen": [taken]}).status_code == 200
    assert chain.addresses()[first] == before
    after = chain.client.get(f"{API}/vergelijking").json()["aantallen"]
    assert (after["gelijk"], after["adresVerschilt"]) == (TEACHERS, 0)


def announce(chain: Chain, old: str = "regenboog.example", new: str = "nieuw.example") -> None:
    answer = chain.client.put(f"{API}/koppeling/domeinen", json={"van": old, "naar": f"@{new}"})
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("delivered", [True, False], ids=["told at once", "told only by the night"])
def test_an_announced_change_of_domain_flows_and_is_told_at_both_addresses(chain: Chain, delivered: bool) -> None:
    link(chain)
    chain.hub.post_all()
    announce(chain)
    if delivered:
        chain.deliver()
    chain.move("nieuw.example")
    assert chain.run() == "verschil"
    assert chain.held() == 0
    told = {to for to, subject, _, _ in chain.hub.post_all() if subject.startswith("De e-mailadressen")}
    assert told == {"ict@regenboog.example", "ict@nieuw.example"}


def test_a_change_of_domain_that_nobody_announced_is_held(chain: Chain) -> None:
    link(chain)
    chain.move("nieuw.example")
    assert chain.run() == "verschil"
    assert chain.held() == TEACHERS


def test_a_change_before_the_at_sign_is_held_although_its_domain_was_announced(chain: Chain) -> None:
    link(chain)
    announce(chain)
    chain.move("nieuw.example", rename=True)
    chain.run()
    assert chain.held() == TEACHERS


def test_an_announcement_that_is_taken_back_no_longer_counts(chain: Chain) -> None:
    link(chain)
    announce(chain)
    chain.deliver()
    assert chain.client.delete(f"{API}/koppeling/domeinen?van=regenboog.example").status_code == 204
    chain.deliver()
    chain.move("nieuw.example")
    chain.run()
    assert chain.held() == TEACHERS
