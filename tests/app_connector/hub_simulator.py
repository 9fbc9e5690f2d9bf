"""A hub that holds one school and answers as the real one does; tests change the school and its moods."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.app_connector.hub_client import HubClient
from shared.service_client import ServiceClient

SCHOOL = 4711
CODE = "99ZZ00"
NAME = "Basisschool De Proef"
STAMP = "2026-11-22T00:00:00Z"
_UNKNOWN = dict.fromkeys(["straat", "huisnummer", "postcode", "woonplaats", "bestuurscode"])
FOUND = {
    **_UNKNOWN,
    **dict.fromkeys(["huisnummerToevoeging", "telefoonNet", "telefoonAbon", "emailadres"]),
    "id": SCHOOL,
    "naam": NAME,
    "actief": True,
    "brincode": CODE,
}
DETAILS = {
    **_UNKNOWN,
    **dict.fromkeys(["huisnummertoevoeging", "schoolkey", "instellingRef"]),
    "naam": NAME,
    "brincode": CODE[:4],
    "dependancecode": CODE[4:],
    "actief": True,
    "gefuseerdNaar": None,
    "metaResult": {"mutationTimestamp": STAMP, "generationTimestamp": STAMP},
}


def a_group(key: str, name: str, year: str | None = None) -> dict[str, Any]:
    return {"lasKey": key, "naam": name, "jaargroep": year, "omschrijving": None}


def a_name(first: str | None, last: str | None, prefix: str | None = None) -> dict[str, Any]:
    return {"voornaam": first, "achternaam": last, "voorvoegsel": prefix, "voorletters": None}


def a_pupil(number: int, first: str, last: str, group: str | None = "g5", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "eckid": more.get("eck_id"),
        "lasKey": f"l-{number}",
        "persoonsgegevens": a_name(first, last, more.get("prefix")),
        "jaargroep": more.get("year", "5"),
        "groep": group,
        "subgroepen": [],
    }


def a_teacher(number: int, first: str, last: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "eckid": None,
        "lasKey": f"m-{number}",
        "persoonsgegevens": a_name(first, last),
        "emailadres": more.get("email", f"{first.lower()}@deproef.example"),
        "einddatum": more.get("ends_on"),
        "rollen": more.get("roles", ["Leerkracht"]),
        "groepen": more.get("groups", ["g5"]),
        "subgroepen": [],
    }


@dataclass
class HubSimulator:
    """`mood`: ok, forbidden, missing, broken, cut-off, empty, down."""

    pupils: list[dict[str, Any]] = field(default_factory=list)
    staff: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=lambda: [a_group("g5", "5A", "5"), a_group("g6", "6A", "6")])
    permitted: bool = True
    mood: str = "ok"
    asked: int = 0

    @property
    def client(self) -> HubClient:
        return HubClient(ServiceClient("hub", "http://hub.example", "key", httpx.MockTransport(self.answer)))

    def overview(self) -> dict[str, Any]:
        return {
            "groepen": self.groups,
            "subgroepen": [],
            "leerlingen": self.pupils,
            "medewerkers": self.staff,
            "actief": True,
            "gefuseerdNaar": None,
            "metaResult": {"mutationTimestamp": STAMP, "generationTimestamp": STAMP},
        }

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        path = request.url.path
        if self.mood == "down":
            raise httpx.ConnectError("nobody there", request=request)
        if self.mood == "broken":
            return httpx.Response(502, text="<html>Bad gateway</html>")
        if path == "/rest/v2/nawsearch":
            found = [FOUND] if request.url.params.get("naam") == NAME else []
            return httpx.Response(200, json=found)
        if f"/instellingen/{SCHOOL}" not in path or self.mood == "missing":
            return _problem(404, "not-found")
        if path.endswith("/synchronizationpermission"):
            return httpx.Response(200, json={"hasSynchronizationPermission": self.permitted})
        return self._school(request)

    def _school(self, request: httpx.Request) -> httpx.Response:
        if not self.permitted or self.mood == "forbidden":
            return _problem(403, "permission-missing")
        if request.url.path.endswith("/details"):
            return httpx.Response(200, json=DETAILS)
        return self._roster(request)

    def _roster(self, request: httpx.Request) -> httpx.Response:
        if self.mood == "empty":
            overview = {**self.overview(), "leerlingen": [], "medewerkers": []}
            return httpx.Response(200, json=overview, headers={"ETag": '"empty"'})
        if self.mood == "no-pupils":
            return httpx.Response(200, json={**self.overview(), "leerlingen": []}, headers={"ETag": '"none"'})
        if self.mood == "text":
            return httpx.Response(200, text="er ging iets mis", headers={"ETag": '"text"'})
        body = json.dumps(self.overview())
        etag = f'"{hash(body)}"'
        if self.mood == "cut-off":
            return httpx.Response(200, text=body[: len(body) // 2], headers={"ETag": '"half"'})
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"ETag": etag})
        return httpx.Response(200, text=body, headers={"ETag": etag})


def _problem(status: int, slug: str) -> httpx.Response:
    return httpx.Response(status, json={"type": f"/problems/{slug}", "status": status, "title": slug})


_FIRST = "Noor Daan Mila Finn Tess Bram Lotte Sem Yara Teun Evi Jurre Saar Gijs Fenna Ties"
_LAST = "Bakker Visser Mulder Hoekstra Postma Kuipers Jansen Dijkstra Vos Prins Smeets Wolters"
FIRST, LAST = _FIRST.split(), _LAST.split()


def some_pupils(count: int, start: int = 1000) -> list[dict[str, Any]]:
    """Pupils with names of their own, half of them in each group."""
    return [
        a_pupil(
            start + each,
            f"{FIRST[each % len(FIRST)]}{'' if each < len(FIRST) * len(LAST) else each}",
            LAST[(each // len(FIRST)) % len(LAST)],
            group="g5" if each % 2 else "g6",
            year="5" if each % 2 else "6",
        )
        for each in range(count)
    ]
