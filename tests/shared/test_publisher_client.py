"""The publishers' client: what it asks, when it asks again and when not, and the real hub through it."""

import gzip
import json
import re
import ssl
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from shared import publisher_lika
from shared.problems import UpstreamProblem, UpstreamTimeout, UpstreamUnavailable
from shared.publisher_client import Patience, PublisherClient, open_publisher_client
from shared.publisher_lika import Lika
from shared.roster import Roster
from shared.service_client import RemoteProblem, ServiceClient
from shared.wire.licences import BulkRequest, EckUser, MethodDetails, ProductDetails
from tests.basispoort_hub.a_hub import OPERATOR_KEY, PUBLISHER_KEY, Hub, open_hub, wait_for_feed
from tests.basispoort_hub.real_tls import serve, serve_hub
from tests.factories import a_pupil, a_roster

ROOT = Path(__file__).parents[2]
STAMPS = {"mutationTimestamp": "2026-11-22T00:00:00Z", "generationTimestamp": "2026-11-22T00:00:00Z"}
STAFF = {"medewerkers": [], "metaResult": STAMPS}


class Script:
    """A hub that gives these answers in turn, and remembers what it was asked and how long the client waited."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **changes: Any) -> PublisherClient:
        patience = Patience(**{"sleep": self.waits.append, **changes})
        return PublisherClient(ServiceClient("hub", "http://hub.example", "k", httpx.MockTransport(self)), patience)


def problem(status: int, slug: str = "database-busy", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"type": f"/problems/{slug}", "status": status}, headers=headers)


@pytest.mark.parametrize("first", [429, 502, 503, 504, httpx.ConnectError("nobody")])
def test_what_may_be_asked_twice_is_asked_again(first: int | Exception) -> None:
    script = Script(first if isinstance(first, Exception) else problem(first), httpx.Response(200, json=[4711]))
    assert script.client().fetch_institutions() == [4711]
    assert script.waits == [0.5]


def test_pauses_grow_and_end() -> None:
    script = Script(*[problem(503) for _ in range(5)])
    with pytest.raises(UpstreamProblem):
        script.client().fetch_institutions()
    assert len(script.asked) == 5
    assert script.waits == [0.5, 1.0, 2.0, 4.0]


def test_retry_after_is_waited_for_and_a_long_one_is_the_answer() -> None:
    script = Script(problem(429, "quota-spent", **{"Retry-After": "7"}), httpx.Response(200, json=[]))
    assert script.client().fetch_institutions() == []
    assert script.waits == [7.0]
    script = Script(problem(429, "quota-spent", **{"Retry-After": "61"}))
    with pytest.raises(RemoteProblem) as refused:
        script.client().fetch_institutions()
    assert (refused.value.remote_status, script.waits) == (429, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_what_will_not_get_better_is_not_asked_again(status: int) -> None:
    script = Script(problem(status, "permission-missing"))
    with pytest.raises((RemoteProblem, UpstreamProblem)):
        script.client().fetch_overview(1)
    assert (len(script.asked), script.waits) == (1, [])


def test_a_time_out_is_not_asked_again_and_a_dead_road_ends() -> None:
    with pytest.raises(UpstreamTimeout):
        Script(httpx.ReadTimeout("slow")).client().fetch_institutions()
    with pytest.raises(UpstreamUnavailable):
        Script(*[httpx.ConnectError("nobody")] * 2).client(attempts=2).fetch_institutions()


def test_a_new_method_is_made_once_because_twice_would_be_refused() -> None:
    method = MethodDetails(id="m", name="M", tags=[])
    script = Script(problem(503))
    with pytest.raises(UpstreamProblem):
        script.client().lika("letters").add_method(method)
    assert len(script.asked) == 1
    script = Script(problem(503), httpx.Response(204))
    script.client().lika("letters").save_method(method)  # a replacement may be made twice
    assert [request.method for request in script.asked] == ["PUT", "PUT"]
    assert b'"iconUrl":null' in script.asked[0].content  # every key is sent


@pytest.mark.parametrize("what", ["method", "product"])
def test_what_is_gone_at_the_second_try_was_removed_by_the_first(what: str) -> None:
    def remove(script: Script) -> None:
        lika = script.client().lika("letters")
        lika.remove_method("m") if what == "method" else lika.remove_product("m", "p")

    script = Script(httpx.ReadError("the answer got lost"), problem(404, "not-found"))
    remove(script)
    assert [request.method for request in script.asked] == ["DELETE", "DELETE"]
    with pytest.raises(RemoteProblem):  # the twin: it was never there
        remove(Script(problem(404, "not-found")))


def test_a_product_is_made_once_and_a_webhook_too_because_its_secret_is_told_once() -> None:
    product = ProductDetails(id="p", name="P", url="https://app.example/", tags=[])
    scripts = [Script(problem(503)), Script(problem(503))]
    with pytest.raises(UpstreamProblem):
        scripts[0].client().lika("letters").add_product("m", product)
    with pytest.raises(UpstreamProblem):
        scripts[1].client().save_webhook("https://app.example/haak")
    assert [len(script.asked) for script in scripts] == [1, 1]


class Sets:
    """A hub that keeps one list of users, and remembers how much each request brought."""

    def __init__(self) -> None:
        self.users: set[int] = set()
        self.asked: list[tuple[str, int]] = []
        self.least = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        what = request.url.path.rsplit("/", 1)[-1]
        if request.method == "GET":
            return httpx.Response(200, json={"gebruikers": sorted(self.users)})
        content = request.content
        named = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        sent = [each if isinstance(each, int) else int(each["eckId"]) for each in named["gebruikers"]]
        sent += [int(each["eckId"]) for each in named.get("gebruikerEckIds", [])]
        self.asked.append((what, len(sent)))
        match what:
            case "gebruiker" | "gebruiker_eckid":
                self.users = set(sent)
            case "addlist" | "grant":
                self.users |= set(sent)
            case _:
                self.users -= set(sent)
        self.least = min(self.least, len(self.users))
        return httpx.Response(204)

    def lika(self) -> Lika:
        transport = httpx.MockTransport(self)
        return PublisherClient(ServiceClient("hub", "http://hub.example", "k", transport)).lika("letters")


def test_a_long_list_goes_in_parts_and_who_stays_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_lika, "USERS_AT_ONCE", 3)
    hub = Sets()
    hub.lika().replace_users([3, 1, 2, 3], "m")
    assert (hub.users, hub.asked) == ({1, 2, 3}, [("gebruiker", 3)])
    hub.least = 3
    hub.lika().replace_users([2, 3, 4, 5, 6, 7, 8], "m")
    assert hub.users == {2, 3, 4, 5, 6, 7, 8}
    assert hub.asked[1:] == [("addlist", 3), ("addlist", 3), ("addlist", 1), ("removelist", 1)]
    assert hub.least == 3
    hub.lika().remove_users(range(10), "m")
    assert hub.users == set()


def test_a_long_list_by_eck_id_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_lika, "PAIRS_AT_ONCE", 2)
    hub, pairs = Sets(), [EckUser(school_id=1, eck_id=str(each)) for each in range(5)]
    hub.users = {9}
    hub.lika().replace_eck_users(pairs, "m")
    assert (hub.users, hub.asked) == (set(range(5)), [("gebruiker_eckid", 2), ("addlist", 2), ("addlist", 1)])
    hub.lika().remove_eck_users(pairs[1:], "m")
    assert hub.users == {0}
    hub.lika().replace_eck_users([], "m")
    assert hub.users == set()


def test_a_large_bulk_request_goes_in_parts_and_a_small_one_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_lika, "LICENCES_AT_ONCE", 6)
    hub, pairs = Sets(), [EckUser(school_id=1, eck_id=str(each)) for each in (7, 8)]
    hub.lika().grant(BulkRequest(methods=["a", "b"], products=[], users=[1], eck_users=pairs))
    assert (hub.users, hub.asked) == ({1, 7, 8}, [("grant", 3)])
    hub.lika().revoke(BulkRequest(methods=["a", "b"], products=["c"], users=[1, 2, 3], eck_users=pairs[:1]))
    assert (hub.users, hub.asked[1:]) == ({8}, [("revoke", 2), ("revoke", 1), ("revoke", 1)])


def test_an_answer_that_makes_no_sense_is_an_error_and_unknown_names_are_none() -> None:
    bodies: list[Any] = [{"medewerkers": None, "metaResult": STAMPS}, {"metaResult": STAMPS}, [], "x"]
    for body in bodies:
        with pytest.raises(UpstreamProblem):
            Script(httpx.Response(200, json=body)).client().fetch_staff(1)
    newer = {**STAFF, "nieuw": 1, "metaResult": {**STAMPS, "nieuw": 1}}
    found = Script(httpx.Response(200, json=newer)).client().fetch_staff(1)
    assert found is not None
    assert found.value.staff == []


def test_pages_of_the_feed_are_read_until_there_is_no_more() -> None:
    def page(cursor: str, *, more: bool) -> httpx.Response:
        change = {
            "soort": "forget-school",
            "onderwerp": None,
            "instelling": 1,
            "id": None,
            "lasKey": None,
            "waarde": None,
        }
        return httpx.Response(200, json={"wijzigingen": [change], "cursor": cursor, "meer": more})

    script = Script(page("b", more=True), page("c", more=False))
    pages = list(script.client().fetch_all_changes("a", limit=1))
    assert [(len(changes), cursor) for changes, cursor in pages] == [(1, "b"), (1, "c")]
    assert [request.url.params["cursor"] for request in script.asked] == ["a", "b"]


# --- against the real hub ---------------------------------------------------------------------------------------------


@pytest.fixture
def hub(make_engine: Callable[[str], Engine]) -> Iterator[Hub]:
    opened = open_hub(make_engine("basispoort_hub"))
    opened.open_school()
    roster = a_roster(pupils=4, staff=1, groups=1)
    assert opened.put(roster, token=None).status_code == 200
    yield opened
    opened.client.close()


@pytest.fixture
def served(hub: Hub) -> Iterator[tuple[Hub, PublisherClient]]:
    with serve(hub.client.app) as url:  # type: ignore[arg-type]  # a FastAPI application
        client = open_publisher_client(url, key=PUBLISHER_KEY, patience=Patience(attempts=1))
        yield hub, client
        client.close()


def test_the_whole_institutions_service_is_read_through_it(served: tuple[Hub, PublisherClient]) -> None:
    hub, client = served
    school = hub.school_id
    assert client.fetch_institutions() == [school]
    whole = client.fetch_overview(school)
    assert whole is not None
    assert client.fetch_overview(school, whole.etag) is None
    assert [pupil.key for pupil in whole.value.pupils] == ["p1", "p2", "p3", "p4"]
    parts = client.fetch_groups(school), client.fetch_pupils(school), client.fetch_staff(school)
    assert all(part is not None for part in parts)
    details = client.fetch_details(school)
    assert details is not None
    assert details.value.name == "OBS De Proef"
    ids = [pupil.id for pupil in whole.value.pupils]
    assert [pupil.id for pupil in client.fetch_pupils_by_id(school, ids[:2]).pupils] == ids[:2]
    assert client.fetch_pupils_by_eck_id(school, []).pupils == []
    assert client.fetch_ref(school) == details.value.ref
    assert client.fetch_permission(school)
    assert client.fetch_granted_on(date(2020, 1, 1)) == client.fetch_withdrawn_on(date(2020, 1, 1)) == []
    assert [found.id for found in client.search(name="proef", brin_code="99ZA")] == [school]
    assert client.search(name="proef", place="elders") == []
    client.hand_back_permission(school)
    with pytest.raises(RemoteProblem) as refused:
        client.fetch_overview(school, whole.etag)
    assert (refused.value.remote_status, refused.value.remote_slug) == (403, "permission-missing")


def test_hosted_lika_and_the_feed_are_used_through_it(served: tuple[Hub, PublisherClient]) -> None:
    hub, client = served
    path = "/api/v1/operator/uitgevers/ctrllearning/adressen"
    allowed = {"adressen": ["https://app.example/"]}
    operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    assert hub.client.put(path, json=allowed, headers=operator).status_code == 204
    whole = client.fetch_overview(hub.school_id)
    assert whole is not None
    ids = [pupil.id for pupil in whole.value.pupils]
    lika = client.lika("ctrllearning")
    lika.add_method(MethodDetails(id="m", name="M", tags=[]))
    lika.add_product("m", ProductDetails(id="p", name="P", url="https://app.example/", tags=[]))
    lika.save_product("m", ProductDetails(id="p", name="P", url="https://app.example/x?y#z", tags=[]))
    assert [each.id for each in lika.fetch_methods()] == ["m"]
    assert [each.url for each in lika.fetch_products("m")] == ["https://app.example/x?y#z"]
    lika.replace_users(reversed(ids), "m")
    lika.remove_users(ids[:1], "m")
    assert lika.fetch_users("m") == ids[1:]
    lika.grant(BulkRequest(methods=[], products=["p"], users=ids[:2], eck_users=[]))
    assert lika.fetch_users("m", "p") == ids[:2]
    lika.clear_users("m", "p")
    assert lika.fetch_users("m", "p") == []
    lika.remove_product("m", "p")
    lika.remove_method("m")
    assert lika.fetch_methods() == []
    wait_for_feed(hub.engine)
    cursor = client.fetch_changes().cursor
    more = a_roster(pupils=4, staff=1, groups=1)
    after = type(more).of([*more.entries(), a_pupil("p5", home_group="g1")])
    assert hub.patch(more, after).status_code == 200
    wait_for_feed(hub.engine)
    [(changes, _)] = client.fetch_all_changes(cursor)
    assert [(change.act, change.key) for change in changes if change.subject == "leerling"] == [("put", "p5")]


def test_users_are_kept_by_eck_id_through_it(served: tuple[Hub, PublisherClient]) -> None:
    hub, client = served
    before = a_roster(pupils=4, staff=1, groups=1)
    new = [a_pupil(f"p{each}", home_group="g1", eck_id=f"eck-{each}") for each in (5, 6)]
    assert hub.patch(before, Roster.of([*before.entries(), *new])).status_code == 200
    pairs = [EckUser(school_id=hub.school_id, eck_id=f"eck-{each}") for each in (5, 6)]
    lika = client.lika("ctrllearning")
    lika.add_method(MethodDetails(id="m", name="M", tags=[]))
    lika.replace_eck_users(pairs[:1], "m")
    lika.add_eck_users([*pairs, EckUser(school_id=1, eck_id="onbekend")], "m")
    assert lika.fetch_eck_users("m") == pairs
    lika.remove_eck_users(pairs[:1], "m")
    assert lika.fetch_eck_users("m") == pairs[1:]
    lika.clear_eck_users("m")
    assert lika.fetch_users("m") == []


def test_the_webhook_is_kept_through_it(served: tuple[Hub, PublisherClient]) -> None:
    _, client = served
    with pytest.raises(RemoteProblem) as absent:
        client.fetch_webhook()
    assert absent.value.remote_status == 404
    made = client.save_webhook("https://app.example/haak")
    assert made.secret is not None
    assert client.fetch_webhook() == made.model_copy(update={"secret": None})
    assert client.save_webhook("https://app.example/haak").secret is None
    assert client.save_webhook("https://app.example/haak", new_secret=True).secret not in {None, made.secret}
    client.remove_webhook()
    client.remove_webhook()  # twice is once
    with pytest.raises(RemoteProblem):
        client.fetch_webhook()


def test_a_certificate_is_all_a_client_needs(make_engine: Callable[[str], Engine], tmp_path: Path) -> None:
    with serve_hub(make_engine("basispoort_hub"), tmp_path, ("letters",)) as made:
        file, authorities = made.certificate("letters"), tmp_path / "ca.pem"
        client = open_publisher_client(made.url, certificate=file, authorities=authorities)
        assert client.fetch_institutions() == []
        client.close()
        with pytest.raises(UpstreamUnavailable):  # the machine does not trust the test CA
            open_publisher_client(made.url, certificate=file, patience=Patience(attempts=1)).fetch_institutions()
        with pytest.raises(OSError, match=r".*"):
            open_publisher_client(made.url, certificate=tmp_path / "absent.pem")
        assert issubclass(ssl.SSLError, OSError)


def test_the_example_in_the_documents_runs(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "suppliers.md").read_text()
    found = re.search(r"<!-- example -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    example = found.group(1)
    assert len(example.splitlines()) <= 20
    with serve(hub.client.app) as url:  # type: ignore[arg-type]  # a FastAPI application
        exec(
            compile(example.replace("https://hub.example", url).replace("MIJN-SLEUTEL", PUBLISHER_KEY), "x", "exec"), {}
        )
    assert "4 leerlingen" in capsys.readouterr().out
