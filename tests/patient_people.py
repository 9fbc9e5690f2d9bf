"""The people of the demo's walk, for a chain whose processes are killed: they wait, look what came of it, and repeat.

GET and PUT are simply repeated. Before they repeat a POST that would make something twice, they look for it.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx

from services.demo import walk_eduscope
from services.demo.scene import Scene, Site

PATIENCE_S = 120
UNCLEAR_S = 5
BROKEN_ROAD = {502, 503, 504}  # the service is there, the one behind it is not
Looks = Callable[["PatientSite", str, dict[str, Any]], httpx.Response | None]


class PatientSite(Site):
    """A site that may be down for a while. `before_call` is told of every request, so that something can be killed."""

    def __init__(self, name: str, base_url: str, key: str | None, before_call: Callable[[], None]) -> None:
        super().__init__(name, base_url, key)
        self._before_call = before_call
        self.repeated = 0

    def call(
        self, method: str, path: str, *, status: int | tuple[int, ...] = (200, 201, 202, 204), **request: Any
    ) -> httpx.Response:
        wanted = (status,) if isinstance(status, int) else status
        until = time.monotonic() + PATIENCE_S
        lost = False
        self._before_call()
        while True:
            try:
                if lost and (there := self._look(method, path, request, wanted)) is not None:
                    return there
                answer = self._client.request(method, path, **request)
            except httpx.TransportError:
                lost = True
            else:
                if _is_unclear(answer):
                    time.sleep(UNCLEAR_S)
                elif answer.status_code not in BROKEN_ROAD - set(wanted):
                    return _checked(answer, wanted, self.name, method, path)
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name} stays away")
            self.repeated += 1
            time.sleep(0.2)

    def sign_in(self, user: str, password: str) -> None:
        self.call("POST", "/inloggen", status=303, data={"gebruiker": user, "wachtwoord": password})

    def _look(self, method: str, path: str, request: dict[str, Any], wanted: tuple[int, ...]) -> httpx.Response | None:
        """After an answer that got lost: is it done already? None: repeat."""
        if method == "DELETE" and "/paren/" in path:
            return self._if_refused(method, path, wanted)
        if method != "POST" or not {200, 201, 204, 303} & set(wanted):
            return None
        for part, look in LOOKS.items():
            if part in path:
                return look(self, path, request)
        return None

    def _if_refused(self, method: str, path: str, wanted: tuple[int, ...]) -> httpx.Response | None:
        answer = self._client.request(method, path)
        return answer if answer.status_code in {*wanted, 404, 409} else None


def _is_unclear(answer: httpx.Response) -> bool:
    """Did the portal say of a request to connect that it could not be checked now, or that it came too often?"""
    if not answer.request.url.path.startswith(("/api/v1/koppelverzoeken", "/api/v1/helpdesk/verzoeken/")):
        return False
    checks = answer.json().get("controles") or []
    return answer.status_code == 429 or any(each["goed"] is None for each in checks)


def _checked(answer: httpx.Response, wanted: tuple[int, ...], name: str, method: str, path: str) -> httpx.Response:
    assert answer.status_code in wanted, f"{name} answered {answer.status_code} to {method} {path}: {answer.text[:500]}"
    return answer


# --- what one looks at ------------------------------------------------------------------------------------------------


def _same_name(site: PatientSite, path: str, request: dict[str, Any]) -> httpx.Response | None:
    """A person who was added: is there somebody of this name?"""
    found = site._client.get(path).json()
    wanted = request["json"]
    for row in next(iter(found.values())):
        if (row["roepnaam"], row["achternaam"]) == (wanted["roepnaam"], wanted["achternaam"]):
            return httpx.Response(201, json=row)
    return None


def _repeat_unless_there(site: PatientSite, path: str, request: dict[str, Any]) -> httpx.Response | None:
    """Something that can exist once only: the refusal says that it is there, and which number it has."""
    answer = site._client.post(path, **request)
    return httpx.Response(201, json=answer.json()) if answer.status_code == 409 else _unless_broken(answer)


def _repeat_unless_active(site: PatientSite, path: str, request: dict[str, Any]) -> httpx.Response | None:
    """The link: a calm page says that the account is active already."""
    answer = site._client.post(path, **request)
    if answer.status_code == 410 and answer.json()["type"] == "/problems/already-active":
        return httpx.Response(303)
    return _unless_broken(answer)


def _pairs_there(site: PatientSite, path: str, request: dict[str, Any]) -> httpx.Response | None:
    """Pairs that were made by hand: does the wizard show them?"""
    shown = site._client.get(path.removesuffix("/paren"))
    there = {(pair["leerling"], pair["basispoort"]) for pair in shown.json()["paren"]}
    wanted = {(pair["leerling"], pair["basispoort"]) for pair in request["json"]}
    return shown if wanted <= there else None


def _unless_broken(answer: httpx.Response) -> httpx.Response | None:
    return None if answer.status_code >= 400 else answer


LOOKS: dict[str, Looks] = {
    "/personeel": _same_name,
    "/leerlingen": _same_name,
    "/api/v1/operator/scholen": _repeat_unless_there,
    "/api/v1/operator/appaccounts": _repeat_unless_there,
    "/activeren/": _repeat_unless_active,
    "/paren": _pairs_there,
}


# --- the night, as an operator types it -------------------------------------------------------------------------------

run_night, last_run = walk_eduscope.run_night, walk_eduscope.last_run
TRIES = 6
FAILED = {"mislukt", "bezig"}


def run_night_until_it_works(scene: Scene, code: str) -> None:
    """Look what came of it; a run that failed, or was killed half-way, is asked for again."""
    for _ in range(TRIES):
        run_night(scene, code)
        if last_run(scene)["uitkomst"] not in FAILED:
            return
        time.sleep(1)


def last_run_that_did_something(scene: Scene) -> dict[str, Any]:
    """The newest run; "equal" right after a failed one means that the failed one had arrived."""
    runs = scene.site("eduscope").get(f"/api/v1/scholen/{scene.code}/koppeling/nachten")["runs"]
    newest: dict[str, Any] = runs[0]
    if newest["uitkomst"] == "gelijk" and len(runs) > 1 and runs[1]["uitkomst"] in FAILED:
        return {**newest, "uitkomst": "verschil"}
    return newest
