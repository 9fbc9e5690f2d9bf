"""A portal with one school, signed in, as tests need it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.app_connector.main import create_app
from services.app_connector.settings import Settings
from services.app_connector.tables import ConnectionRow
from shared.clock import now
from shared.database import writing
from tests.app_connector.hub_simulator import CODE, NAME, SCHOOL, HubSimulator

OPERATOR = {"Authorization": "Bearer schakel_operator_0123456789abcdef"}
PASSWORD = "een lang wachtwoord voor de proef"


@dataclass
class Portal:
    hub: HubSimulator
    engine: Engine
    client: TestClient
    base: str = "/api/v1/apps/taalblobs/koppeling"

    def operator(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.post(f"/api/v1/operator/{path}", json=body, headers=OPERATOR)

    def sign_in(self, user: str = "ict@deproef.example") -> None:
        answer = self.client.post("/inloggen", data={"gebruiker": user, "wachtwoord": PASSWORD}, follow_redirects=False)
        assert answer.status_code == 303, answer.text

    def connect(self) -> None:
        with writing(self.engine) as db:
            db.add(ConnectionRow(school_id=SCHOOL, activated_at=now()))

    def seed(self, pupils: list[dict[str, Any]], teachers: list[dict[str, Any]] | None = None, **more: Any) -> None:
        groups = sorted({pupil["groep"] for pupil in pupils if pupil.get("groep")})
        body = {
            "instellingsnummer": SCHOOL,
            "app": "taalblobs",
            "beheerder": "baas@deproef.example",
            "groepen": groups,
            "leerlingen": pupils,
            "docenten": teachers or [],
            **more,
        }
        answer = self.operator("appaccounts", body)
        assert answer.status_code == 201, answer.text

    def get(self, step: str, status: int = 200) -> Any:
        return _checked(self.client.get(f"{self.base}/{step}"), status)

    def post(self, step: str, body: Any = None, status: int = 200) -> Any:
        return _checked(self.client.post(f"{self.base}/{step}", json=body), status)

    def put(self, step: str, body: Any, status: int = 200) -> Any:
        return _checked(self.client.put(f"{self.base}/{step}", json=body), status)

    def app(self) -> Any:
        return _checked(self.client.get("/api/v1/apps/taalblobs"), 200)

    def confirm(self, plan: dict[str, Any], status: int = 200) -> Any:
        return self.post("bevestigen", {"vingerafdruk": plan["vingerafdruk"], "versie": plan["versie"]}, status)

    def synchronise_everything(self) -> Any:
        """The whole wizard with 'alles', and the run."""
        self.put("wijze", {"wijze": "alles"})
        self.post("automatisch")
        return self.confirm(self.post("controleren"))


def _checked(answer: Any, status: int) -> Any:
    assert answer.status_code == status, (answer.status_code, answer.text)
    return answer.json() if answer.content else None


def a_portal(make_engine: Callable[[str], Engine], *, connected: bool = True) -> Portal:
    engine = make_engine("app_connector")
    settings = Settings.model_validate(
        {
            "database_url": engine.url.render_as_string(hide_password=False),
            "base_url": "http://testserver",
            "mail_from": "portaal@woordhelder.example",
            "hub_url": "http://hub.example",
            "hub_key": "hub-key",
            "operator_key": "schakel_operator_0123456789abcdef",
            "helpdesk_mail": "helpdesk@woordhelder.example",
        }
    )
    hub = HubSimulator()
    portal = Portal(hub, engine, TestClient(create_app(settings, hub.client)))
    portal.operator("scholen", {"instellingsnummer": SCHOOL, "naam": NAME, "code": CODE})
    user = {"gebruiker": "ict@deproef.example", "wachtwoord": PASSWORD, "rol": "coordinator", "scholen": [SCHOOL]}
    assert portal.operator("gebruikers", user).status_code == 204
    if connected:
        portal.connect()
    portal.sign_in()
    return portal


def app_pupil(first: str, last: str, group: str | None = "Groep 5a", work: int = 10, **more: Any) -> dict[str, Any]:
    return {"roepnaam": first, "achternaam": last, "groep": group, "opdrachten": work, **more}
