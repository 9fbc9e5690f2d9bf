"""A publisher's program for hosted-lika: its methods, its products, and who may open them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from shared.wire.licences import (
    BulkRequest,
    EckUser,
    EckUsers,
    MethodDetails,
    Methods,
    ProductDetails,
    Products,
    Users,
)

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

USERS_AT_ONCE = 100_000  # in one request: written well within the client's patience
PAIRS_AT_ONCE = 50_000  # the same by ECK iD, which is looked up, and 15 times as long
LICENCES_AT_ONCE = 500_000  # users times applications


class Road(Protocol):
    """How a request gets there: shared/publisher_client.py."""

    def fetch_model(self, kind: type[M], path: str) -> M: ...

    def send_change(self, method: str, path: str, body: BaseModel | None = None) -> None: ...

    def send_removal(self, path: str) -> None: ...

    def send_once(self, method: str, path: str, body: BaseModel) -> httpx.Response: ...


class Lika:
    """Methods and products are named by their ids; `Users` are the publisher's view of who may open them."""

    def __init__(self, client: Road, code: str) -> None:
        self._client = client
        self._base = f"/hosted-lika/management/lika/{quote(code, safe='')}"

    def fetch_methods(self) -> list[MethodDetails]:
        return self._client.fetch_model(Methods, f"{self._base}/methode").methods

    def fetch_method(self, method: str) -> MethodDetails:
        return self._client.fetch_model(MethodDetails, self._at(method))

    def add_method(self, details: MethodDetails) -> None:
        """A new one. Raises RemoteProblem when there is one with this id; tried once."""
        self._client.send_once("POST", f"{self._base}/methode", details)

    def save_method(self, details: MethodDetails) -> None:
        """Make it, or replace what is known of it."""
        self._client.send_change("PUT", self._at(details.id), details)

    def remove_method(self, method: str) -> None:
        self._client.send_removal(self._at(method))

    def fetch_products(self, method: str) -> list[ProductDetails]:
        return self._client.fetch_model(Products, f"{self._at(method)}/product").products

    def fetch_product(self, method: str, product: str) -> ProductDetails:
        return self._client.fetch_model(ProductDetails, self._at(method, product))

    def add_product(self, method: str, details: ProductDetails) -> None:
        """A new one. Raises RemoteProblem when the lika has one with this id; tried once."""
        self._client.send_once("POST", f"{self._at(method)}/product", details)

    def save_product(self, method: str, details: ProductDetails) -> None:
        self._client.send_change("PUT", self._at(method, details.id), details)

    def remove_product(self, method: str, product: str) -> None:
        self._client.send_removal(self._at(method, product))

    # Lists of any length: a long one goes in parts, and when that breaks off it is safe to begin again.

    def fetch_users(self, method: str, product: str | None = None) -> list[int]:
        """Who may open it, ascending."""
        return self._client.fetch_model(Users, f"{self._at(method, product)}/gebruiker").users

    def replace_users(self, users: Iterable[int], method: str, product: str | None = None) -> None:
        """From now on exactly these; unknown ones are dropped silently. Who stays, loses nothing in between."""
        wanted = dict.fromkeys(users)
        if len(wanted) <= USERS_AT_ONCE:
            self._client.send_change("PUT", f"{self._at(method, product)}/gebruiker", Users(users=list(wanted)))
            return
        self.add_users(wanted, method, product)
        self.remove_users([user for user in self.fetch_users(method, product) if user not in wanted], method, product)

    def add_users(self, users: Iterable[int], method: str, product: str | None = None) -> None:
        for some in _in_parts(users, USERS_AT_ONCE):
            self._client.send_change("POST", f"{self._at(method, product)}/gebruiker/addlist", Users(users=some))

    def remove_users(self, users: Iterable[int], method: str, product: str | None = None) -> None:
        for some in _in_parts(users, USERS_AT_ONCE):
            self._client.send_change("POST", f"{self._at(method, product)}/gebruiker/removelist", Users(users=some))

    def clear_users(self, method: str, product: str | None = None) -> None:
        self._client.send_change("DELETE", f"{self._at(method, product)}/gebruiker")

    def fetch_eck_users(self, method: str, product: str | None = None) -> list[EckUser]:
        """The same users, by institution and ECK iD; who has none is not in it."""
        return self._client.fetch_model(EckUsers, f"{self._at(method, product)}/gebruiker_eckid").users

    def replace_eck_users(self, users: Iterable[EckUser], method: str, product: str | None = None) -> None:
        """From now on exactly these; users without an ECK iD are out too: it is one list. Of a long list the first part
        replaces and the others are added."""
        parts = list(_in_parts(users, PAIRS_AT_ONCE)) or [[]]
        body = EckUsers(users=parts[0])
        self._client.send_change("PUT", f"{self._at(method, product)}/gebruiker_eckid", body)
        for some in parts[1:]:
            self.add_eck_users(some, method, product)

    def add_eck_users(self, users: Iterable[EckUser], method: str, product: str | None = None) -> None:
        for some in _in_parts(users, PAIRS_AT_ONCE):
            path = f"{self._at(method, product)}/gebruiker_eckid/addlist"
            self._client.send_change("POST", path, EckUsers(users=some))

    def remove_eck_users(self, users: Iterable[EckUser], method: str, product: str | None = None) -> None:
        for some in _in_parts(users, PAIRS_AT_ONCE):
            path = f"{self._at(method, product)}/gebruiker_eckid/removelist"
            self._client.send_change("POST", path, EckUsers(users=some))

    def clear_eck_users(self, method: str, product: str | None = None) -> None:
        """All of the list, users without an ECK iD included: it is one list."""
        self._client.send_change("DELETE", f"{self._at(method, product)}/gebruiker_eckid")

    def grant(self, request: BulkRequest) -> None:
        """Every listed user for every listed method and product. Raises RemoteProblem for one that does not exist."""
        self._in_bulk("grant", request)

    def revoke(self, request: BulkRequest) -> None:
        """Every listed user loses every listed method and product; unknown ones are passed over."""
        self._in_bulk("revoke", request)

    def _in_bulk(self, what: str, request: BulkRequest) -> None:
        """In parts of so many users that each writes no more than `LICENCES_AT_ONCE`."""
        applications = len({*request.methods}) + len({*request.products})
        most = max(1, min(PAIRS_AT_ONCE, LICENCES_AT_ONCE // max(1, applications)))
        parts: list[dict[str, Any]] = [{}]
        if len(request.users) + len(request.eck_users) > most:
            parts = [{"users": some, "eck_users": []} for some in _in_parts(request.users, most)]
            parts += [{"users": [], "eck_users": some} for some in _in_parts(request.eck_users, most)]
        for part in parts:
            body = request.model_copy(update=part)
            self._client.send_change("POST", f"{self._base}/permissions/{what}", body)

    def _at(self, method: str, product: str | None = None) -> str:
        path = f"{self._base}/methode/{quote(method, safe='')}"
        return path if product is None else f"{path}/product/{quote(product, safe='')}"


def _in_parts(users: Iterable[T], size: int) -> Iterator[list[T]]:
    """Each user once."""
    once = iter(dict.fromkeys(users))
    while some := list(islice(once, size)):
        yield some
