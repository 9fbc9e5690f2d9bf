"""Hosted-lika: methods, products and lists of users, as a real client of the interface meets them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import Engine, select

from services.basispoort_hub.tables import PersonRow
from shared.database import reading
from shared.roster import Kind
from tests.basispoort_hub.a_hub import OPERATOR_KEY, PUBLISHER_KEY, Hub, open_hub
from tests.factories import a_roster

SHARED = Path(__file__).parents[2].parent / "shared"
EXAMPLES = SHARED / "standards" / "data" / "basispoort-rest" / "examples"
LIKA = "/hosted-lika/management/lika/ctrllearning"
METHOD: dict[str, Any] = {
    "id": "rekenapp",
    "code": None,
    "naam": "Rekenapp",
    "icon": None,
    "iconUrl": None,
    "url": "https://app.example.org/start",
    "tags": [],
}
PRODUCT: dict[str, Any] = {**METHOD, "id": "rekenapp-5", "naam": "Rekenapp groep 5"}


@dataclass
class Publisher:
    """A publisher with a bearer key, and its lika."""

    hub: Hub
    key: str = PUBLISHER_KEY
    base: str = LIKA

    def send(self, method: str, path: str, body: Any = None) -> Response:
        answer: Response = self.hub.client.request(
            method, f"{self.base}{path}", json=body, headers={"Authorization": f"Bearer {self.key}"}
        )
        return answer

    def done(self, method: str, path: str, body: Any = None) -> None:
        """A mutation: it must succeed, with an empty body."""
        answer = self.send(method, path, body)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    def got(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def users(self, path: str = "/methode/rekenapp/gebruiker") -> list[int]:
        found: list[int] = self.got(path)["gebruikers"]
        return found


@pytest.fixture
def publisher(make_engine: Callable[[str], Engine]) -> Iterator[Publisher]:
    opened = open_hub(make_engine("basispoort_hub"))
    opened.open_school()
    opened.put(a_roster(pupils=6, staff=2), token=None)
    allow(opened, "https://app.example.org")
    yield Publisher(opened)
    opened.client.close()


def allow(hub: Hub, *addresses: str, code: str = "ctrllearning") -> None:
    answer = hub.client.put(
        f"/api/v1/operator/uitgevers/{code}/adressen",
        json={"adressen": list(addresses)},
        headers={"Authorization": f"Bearer {OPERATOR_KEY}"},
    )
    assert answer.status_code == 204, answer.text


def pupils_of(hub: Hub) -> list[int]:
    with reading(hub.engine) as db:
        query = select(PersonRow.id).where(PersonRow.school_id == hub.school_id, PersonRow.kind == Kind.PUPIL)
        return list(db.scalars(query.order_by(PersonRow.id)))


def test_a_method_is_made_read_replaced_and_removed(publisher: Publisher) -> None:
    assert publisher.got("/methode") == {"methodes": []}
    publisher.done("POST", "/methode", METHOD)
    assert publisher.got("/methode") == {"methodes": [METHOD]}
    assert publisher.got("/methode/rekenapp") == METHOD
    changed = {**METHOD, "naam": "Rekenen", "url": None, "tags": ["toetsApplicatie", "leerkrachtApplicatie"]}
    publisher.done("PUT", "/methode/rekenapp", changed)
    assert publisher.got("/methode/rekenapp") == changed
    publisher.done("DELETE", "/methode/rekenapp")
    assert publisher.send("GET", "/methode/rekenapp").status_code == 404


def test_every_method_of_the_collection_is_there_by_id(publisher: Publisher) -> None:
    for name in ("b", "a", "c"):
        publisher.done("POST", "/methode", {**METHOD, "id": name})
    assert [each["id"] for each in publisher.got("/methode")["methodes"]] == ["a", "b", "c"]


def test_a_method_that_exists_is_not_made_again(publisher: Publisher) -> None:
    publisher.done("POST", "/methode", METHOD)
    answer = publisher.send("POST", "/methode", {**METHOD, "naam": "Anders"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/application-exists")
    assert publisher.got("/methode/rekenapp") == METHOD


def test_put_makes_or_replaces_and_the_users_stay(publisher: Publisher) -> None:
    people = pupils_of(publisher.hub)
    publisher.done("PUT", "/methode/rekenapp", METHOD)
    publisher.done("PUT", "/methode/rekenapp/gebruiker", {"gebruikers": people[:2]})
    publisher.done("PUT", "/methode/rekenapp/product/rekenapp-5", PRODUCT)
    publisher.done("PUT", "/methode/rekenapp", {**METHOD, "naam": "Rekenen"})
    assert publisher.users() == people[:2]
    assert publisher.got("/methode/rekenapp/product") == {"producten": [PRODUCT]}


def test_a_product_belongs_to_one_method_and_its_id_to_one_lika(publisher: Publisher) -> None:
    publisher.done("POST", "/methode", METHOD)
    publisher.done("POST", "/methode", {**METHOD, "id": "taalapp"})
    publisher.done("POST", "/methode/rekenapp/product", PRODUCT)
    assert publisher.got("/methode/rekenapp/product/rekenapp-5") == PRODUCT
    assert publisher.got("/methode/taalapp/product") == {"producten": []}
    assert publisher.send("GET", "/methode/taalapp/product/rekenapp-5").status_code == 404
    assert publisher.send("POST", "/methode/taalapp/product", PRODUCT).status_code == 409
    assert publisher.send("PUT", "/methode/taalapp/product/rekenapp-5", PRODUCT).status_code == 409
    assert publisher.send("POST", "/methode/leesapp/product", {**PRODUCT, "id": "x"}).status_code == 404
    publisher.done("PUT", "/methode/rekenapp/product/rekenapp-5", {**PRODUCT, "naam": "Vijf"})
    assert publisher.got("/methode/rekenapp/product/rekenapp-5")["naam"] == "Vijf"
    publisher.done("DELETE", "/methode/rekenapp/product/rekenapp-5")
    assert publisher.got("/methode/rekenapp/product") == {"producten": []}


def test_a_method_and_a_product_may_share_an_id(publisher: Publisher) -> None:
    publisher.done("POST", "/methode", METHOD)
    publisher.done("POST", "/methode/rekenapp/product", {**PRODUCT, "id": "rekenapp"})
    publisher.done("DELETE", "/methode/rekenapp/product/rekenapp")
    assert publisher.got("/methode/rekenapp") == METHOD


def test_a_removed_method_takes_its_products_and_lists_along(publisher: Publisher) -> None:
    people = pupils_of(publisher.hub)
    publisher.done("POST", "/methode", METHOD)
    publisher.done("POST", "/methode/rekenapp/product", PRODUCT)
    for path in ("/methode/rekenapp", "/methode/rekenapp/product/rekenapp-5"):
        publisher.done("PUT", f"{path}/gebruiker", {"gebruikers": people})
    publisher.done("DELETE", "/methode/rekenapp")
    publisher.done("POST", "/methode", METHOD)
    publisher.done("POST", "/methode/rekenapp/product", PRODUCT)
    assert publisher.users() == []
    assert publisher.users("/methode/rekenapp/product/rekenapp-5/gebruiker") == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"tags": ["leerkracht"]}, "/body/tags/0"),
        ({"tags": None}, "/body/tags"),
        ({"naam": None}, "/body/naam"),
        ({"id": "a/b"}, "/body/id"),
        ({"id": ".."}, "/body/id"),
        ({"id": 5}, "/body/id"),
        ({"icon": "image/gif,R0lGODlh"}, "/body/icon"),
        ({"icon": "data:image/png;base64,iVBORw0KGgo="}, "/body/icon"),
        ({"iconUrl": "/icon.svg"}, "/body/iconUrl"),
        ({"iconUrl": "https://a|b.example/"}, "/body/iconUrl"),
        ({"naam": ""}, "/body/naam"),
        ({"url": "app.example.org/start"}, "/body/url"),
        ({"url": "javascript:alert(1)"}, "/body/url"),
        ({"url": "https://app.example.org.evil.example/"}, "/body/url"),
        ({"url": "http://app.example.org/start"}, "/body/url"),
        ({"naam": "a\nb"}, "/body/naam"),
    ],
    ids=str,
)
def test_what_would_break_a_client_is_refused_with_a_pointer(
    publisher: Publisher, change: dict[str, Any], pointer: str
) -> None:
    answer = publisher.send("POST", "/methode", {**METHOD, **change})
    assert answer.status_code == 422
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert publisher.got("/methode") == {"methodes": []}


def test_a_product_needs_an_address_and_a_method_does_not(publisher: Publisher) -> None:
    publisher.done("POST", "/methode", {**METHOD, "url": None})
    assert publisher.send("POST", "/methode/rekenapp/product", {**PRODUCT, "url": None}).status_code == 422


def test_what_is_unset_may_be_left_out_and_is_answered_as_null(publisher: Publisher) -> None:
    publisher.done("POST", "/methode", {"id": "kaal", "naam": "Kaal", "tags": []})
    nothing = dict.fromkeys(("code", "icon", "iconUrl", "url"))
    assert publisher.got("/methode/kaal") == {"id": "kaal", "naam": "Kaal", "tags": [], **nothing}


def test_an_empty_text_where_null_is_meant_is_null_but_a_product_has_an_address(publisher: Publisher) -> None:
    unset = dict.fromkeys(("code", "icon", "iconUrl", "url"), "")
    publisher.done("POST", "/methode", {**METHOD, **unset})
    assert publisher.got("/methode/rekenapp") == {**METHOD, **dict.fromkeys(unset)}
    assert publisher.send("POST", "/methode/rekenapp/product", {**PRODUCT, "url": ""}).status_code == 422


def test_a_field_that_nobody_knows_is_passed_over(publisher: Publisher) -> None:
    person = pupils_of(publisher.hub)[0]
    publisher.done("POST", "/methode", {**METHOD, "omschrijving": "x"})
    publisher.done("POST", "/methode/rekenapp/product", {**PRODUCT, "volgorde": 1})
    assert publisher.got("/methode") == {"methodes": [METHOD]}
    publisher.done("PUT", "/methode/rekenapp/gebruiker", {"gebruikers": [person], "aantal": 1})
    pair = {"instellingId": publisher.hub.school_id, "eckId": "x", "naam": "x"}
    publisher.done("POST", "/methode/rekenapp/gebruiker_eckid/addlist", {"gebruikers": [pair], "aantal": 1})
    named = {"methodes": ["rekenapp"], "producten": [], "gebruikers": [], "gebruikerEckIds": [pair], "reden": "x"}
    publisher.done("POST", "/permissions/grant", named)
    assert publisher.users() == [person]
    assert publisher.send("PUT", "/methode/rekenapp/gebruiker", {"gebruiker": []}).status_code == 422  # the twin


@pytest.mark.parametrize("name", [" Rekenen ", "Re\u0301kenen", "Rekenen" * 100], ids=["spaces", "not in NFC", "long"])
def test_a_name_and_a_code_come_back_as_they_were_sent(publisher: Publisher, name: str) -> None:
    publisher.done("POST", "/methode", {**METHOD, "naam": name, "code": name})
    assert publisher.got("/methode/rekenapp") == {**METHOD, "naam": name, "code": name}


def test_without_allowed_addresses_the_refusal_says_whom_to_ask(publisher: Publisher) -> None:
    allow(publisher.hub)
    answer = publisher.send("POST", "/methode", METHOD)
    assert "Vraag de beheerder" in answer.json()["errors"][0]["detail"]


def test_the_id_in_the_body_is_that_in_the_address(publisher: Publisher) -> None:
    assert publisher.send("PUT", "/methode/ander", METHOD).status_code == 422


@pytest.mark.parametrize(
    "address",
    [
        "https://cdn.example.org/icon.svg?query=value#anchor",
        "HTTPS://CDN.example.org:443/%7Ea/?",
        "http://x.example",
        "https://cdn.example.org/a|b^c?a=1|2^3{4}`5\\6#{7|8}",
    ],
)
def test_an_icon_address_comes_back_byte_for_byte(publisher: Publisher, address: str) -> None:
    publisher.done("POST", "/methode", {**METHOD, "iconUrl": address})
    assert publisher.got("/methode/rekenapp")["iconUrl"] == address


@pytest.mark.parametrize(
    "icon", ["image/svg+xml,PHN2Zy8+", "PHN2Zy8+", "image/png,iVBORw0KGgoAAAAN", "iVBORw0KGgo=", "/9j/4AAQSkY="]
)
def test_an_icon_comes_back_byte_for_byte(publisher: Publisher, icon: str) -> None:
    publisher.done("POST", "/methode", {**METHOD, "icon": icon})
    assert publisher.got("/methode/rekenapp")["icon"] == icon


def test_another_publishers_code_is_answered_like_one_that_does_not_exist(publisher: Publisher) -> None:
    operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    new = {"code": "anders", "naam": "Anders", "zin": "Activeer Anders"}
    assert publisher.hub.client.post("/api/v1/operator/uitgevers", json=new, headers=operator).status_code == 201
    path = "/api/v1/operator/uitgevers/anders/sleutels"
    key = publisher.hub.client.post(path, headers=operator).json()["sleutel"]
    publisher.done("POST", "/methode", METHOD)
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/methode", None),
        ("GET", "/methode/rekenapp", None),
        ("POST", "/methode", {**METHOD, "id": "x"}),
        ("PUT", "/methode/rekenapp", {**METHOD, "naam": "Gekaapt"}),
        ("DELETE", "/methode/rekenapp", None),
        ("PUT", "/methode/rekenapp/gebruiker", {"gebruikers": []}),
        ("POST", "/permissions/revoke", {"methodes": [], "producten": [], "gebruikers": [], "gebruikerEckIds": []}),
    ]
    for method, tail, body in calls:
        answers = [
            Publisher(publisher.hub, key, f"/hosted-lika/management/lika/{code}").send(method, tail, body)
            for code in ("ctrllearning", "bestaatniet")
        ]
        bodies = [{**each.json(), "instance": ""} for each in answers]
        assert [each.status_code for each in answers] == [404, 404]
        assert bodies[0] == bodies[1]
    assert publisher.got("/methode") == {"methodes": [METHOD]}
    assert Publisher(publisher.hub, key, "/hosted-lika/management/lika/anders").got("/methode") == {"methodes": []}


def test_the_operator_gives_a_publisher_more_codes(publisher: Publisher) -> None:
    operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    path = "/api/v1/operator/uitgevers/ctrllearning/lika/tweede"
    second = Publisher(publisher.hub, base="/hosted-lika/management/lika/tweede")
    assert second.send("GET", "/methode").status_code == 404
    assert publisher.hub.client.put(path, headers=operator).status_code == 204
    second.done("POST", "/methode", METHOD)
    assert publisher.got("/methode") == {"methodes": []}
    assert publisher.hub.client.delete(path, headers=operator).json()["type"] == "/problems/lika-code-in-use"
    second.done("DELETE", "/methode/rekenapp")
    assert publisher.hub.client.delete(path, headers=operator).status_code == 204
    assert second.send("GET", "/methode").status_code == 404


def test_a_code_of_another_publisher_is_not_given_away(publisher: Publisher) -> None:
    operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    new = {"code": "anders", "naam": "Anders", "zin": "Activeer Anders"}
    publisher.hub.client.post("/api/v1/operator/uitgevers", json=new, headers=operator)
    answer = publisher.hub.client.put("/api/v1/operator/uitgevers/anders/lika/ctrllearning", headers=operator)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/lika-code-taken")


def test_a_new_publisher_does_not_get_a_code_of_anothers_licences(publisher: Publisher) -> None:
    operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    path = "/api/v1/operator/uitgevers/ctrllearning/lika/tweede"
    assert publisher.hub.client.put(path, headers=operator).status_code == 204
    new = {"code": "tweede", "naam": "Tweede", "zin": "Activeer Tweede"}
    answer = publisher.hub.client.post("/api/v1/operator/uitgevers", json=new, headers=operator)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/publisher-exists")
    assert publisher.hub.client.delete(path, headers=operator).status_code == 204
    answer = publisher.hub.client.post("/api/v1/operator/uitgevers", json=new, headers=operator)
    assert answer.status_code == 201  # the twin


def example(name: str) -> Any:
    if not EXAMPLES.is_dir():
        pytest.skip("the examples of the real interface are not on this machine")
    return json.loads((EXAMPLES / name).read_text())


def test_the_example_of_a_method_is_accepted_and_comes_back(publisher: Publisher) -> None:
    body = example("POST_methode.request.json")
    publisher.done("POST", "/methode", body)
    assert publisher.got("/methode/rekenapp") == body


def test_the_example_of_a_bulk_request_is_accepted(publisher: Publisher) -> None:
    publisher.done("POST", "/methode", METHOD)
    publisher.done("POST", "/methode/rekenapp/product", PRODUCT)
    publisher.done("POST", "/permissions/grant", example("POST_permissions_grant.request.json"))


def test_answers_have_the_shape_of_the_examples(publisher: Publisher) -> None:
    methods = example("GET_methode.json")
    publisher.done("POST", "/methode", methods["methodes"][0])
    assert publisher.got("/methode") == methods
    products = example("GET_product.json")
    publisher.done("POST", "/methode/rekenapp/product", products["producten"][0])
    assert publisher.got("/methode/rekenapp/product") == products
    for name in ("gebruiker", "gebruiker_eckid"):
        assert publisher.got(f"/methode/rekenapp/{name}").keys() == example(f"GET_{name}.json").keys()


@pytest.mark.parametrize("name", ["GET_gebruiker.json", "GET_gebruiker_eckid.json"])
def test_the_examples_of_lists_are_accepted(publisher: Publisher, name: str) -> None:
    publisher.done("POST", "/methode", METHOD)
    for method, tail in (("PUT", ""), ("POST", "/addlist"), ("POST", "/removelist")):
        list_ = name.removeprefix("GET_").removesuffix(".json")
        publisher.done(method, f"/methode/rekenapp/{list_}{tail}", example(name))


def test_users_of_very_many_schools_come_in_one_request(publisher: Publisher) -> None:
    publisher.done("POST", "/methode", METHOD)
    pairs = [{"instellingId": number, "eckId": "https://ketenid.example/x"} for number in range(-100, 6500)]
    publisher.done("PUT", "/methode/rekenapp/gebruiker_eckid", {"gebruikers": pairs})
