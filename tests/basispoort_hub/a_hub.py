"""A hub for tests of what comes in and goes out: a connected school, an administration, a publisher with consent."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from httpx2 import Response
from sqlalchemy import Engine, func, insert, select, text
from starlette.testclient import TestClient

from services.basispoort_hub.main import create_app
from services.basispoort_hub.rosters import Layer, read_roster
from services.basispoort_hub.settings import Settings
from services.basispoort_hub.tables import (
    AccountRow,
    AdministrationKeyRow,
    CoordinatorRow,
    FeedRow,
    PermissionRow,
    PersonRow,
    PublisherKeyRow,
    PublisherRow,
    SchoolRow,
    SessionRow,
)
from shared.clock import local_date, now
from shared.database import reading, writing
from shared.roster import Kind, Roster, fingerprint
from shared.roster_delta import diff
from shared.service_auth import hash_key
from shared.sessions import start_session
from shared.wire.rosters import WireDelta, WireRoster

CODE = "99ZA00"
ADMINISTRATION_KEY = "schakel_administration"
PUBLISHER_KEY = "schakel_publisher"
OPERATOR_KEY = "schakel_operator_0123456789abcdef"
SECONDS_FOR_OTHERS = 60
NO_LEAVERS: Mapping[Kind, Mapping[str, date]] = {}


def settings_for(url: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": url,
            "base_url": "http://hub.example",
            "mail_from": "hub@hub.example",
            "operator_key": OPERATOR_KEY,
            "link_keys": "k" * 40,
        }
    )


@dataclass
class Hub:
    """A hub with its client; `token` is what the last answer's ETag said."""

    engine: Engine
    client: TestClient
    token: str | None = None
    school_id: int = 0

    def open_school(self, code: str = CODE, *, is_on: bool = True) -> int:
        """A school with a coordinator who is signed in, both switches on, and consent for the publisher."""
        at = now()
        with writing(self.engine) as db:
            school = SchoolRow(
                code=code,
                name="OBS De Proef",
                ref=f"ref-{code}",
                created_at=at,
                mutated_at=at,
                administration="EDUscope",
                connection_on=is_on,
                administration_on=is_on,
            )
            email = f"ict-{code.lower()}@school.example"
            account = AccountRow(email=email, state="active", password_hash="-", created_at=at)
            db.add_all([school, account])
            db.flush()
            number = PersonRow(school_id=school.id, kind=Kind.STAFF, created_at=at)
            db.add(number)
            db.flush()
            db.add(
                CoordinatorRow(
                    account_id=account.id,
                    school_id=school.id,
                    person_id=number.id,
                    name="Ida Cate",
                    appointed_at=at,
                    appointed_by="operator",
                    reason="test",
                )
            )
            if db.get(AdministrationKeyRow, hash_key(ADMINISTRATION_KEY)) is None:
                db.add(
                    AdministrationKeyRow(
                        key_hash=hash_key(ADMINISTRATION_KEY), administration="EDUscope", created_at=at
                    )
                )
                publisher = PublisherRow(code="ctrllearning", name="CtrlLearning", sentence="Activeer")
                db.add(publisher)
                db.flush()
                db.add(PublisherKeyRow(key_hash=hash_key(PUBLISHER_KEY), publisher_id=publisher.id, created_at=at))
                db.flush()
            publisher_id = db.scalars(select(PublisherRow.id)).one()
            db.execute(
                insert(PermissionRow).values(
                    school_id=school.id, publisher_id=publisher_id, granted_at=at, granted_on=local_date(at)
                )
            )
            cookie = start_session(db, SessionRow, account.id, at)
            self.school_id = school.id
        self.client.cookies.set("hub", cookie)
        return self.school_id

    @property
    def as_administration(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {ADMINISTRATION_KEY}"}

    def put(self, roster: Roster, token: str | None = "", **more: Any) -> Response:
        """Send a whole roster from the present token, or from the one given."""
        body = WireRoster.of(roster, fingerprint(roster), more.pop("leaving", NO_LEAVERS))
        return self._send("PUT", body.model_dump_json(), token, **more)

    def patch(self, before: Roster, after: Roster, token: str | None = "", **more: Any) -> Response:
        body = WireDelta.of(diff(before, after), more.pop("leaving", NO_LEAVERS))
        return self._send("PATCH", body.model_dump_json(), token, **more)

    def _send(self, method: str, content: str, token: str | None, code: str = CODE, **more: Any) -> Response:
        used = self.token if token == "" else token
        condition = {"If-None-Match": "*"} if used is None else {"If-Match": f'"{used}"'}
        headers = {**self.as_administration, "Content-Type": "application/json", **condition, **more}
        answer: Response = self.client.request(
            method, f"/api/v1/scholen/{code}/leerlinggegevens", content=content, headers=headers
        )
        if answer.status_code == 200:
            self.token = answer.headers["etag"].strip('"')
        return answer

    def standing(self) -> Response:
        answer: Response = self.client.get(f"/api/v1/scholen/{CODE}/stand", headers=self.as_administration)
        return answer

    def roster(self, layer: Layer = Layer.VALID) -> Roster:
        with reading(self.engine) as db:
            return read_roster(db, self.school_id, layer)

    def rest(self, path: str = "", **headers: str) -> Response:
        answer: Response = self.client.get(
            f"/rest/v2/instellingen/{self.school_id}{path}",
            headers={"Authorization": f"Bearer {PUBLISHER_KEY}", **headers},
        )
        return answer

    def holds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(f"/api/v1/scholen/{CODE}/vastgehouden").json()
        return found

    def decide(self, hold: dict[str, Any], choice: str) -> Response:
        answer: Response = self.client.post(
            f"/api/v1/scholen/{CODE}/vastgehouden/{hold['id']}", json={"besluit": choice}
        )
        return answer


def wait_for_feed(engine: Engine) -> None:
    """Until the feed's rows count: on PostgreSQL that is when no older transaction of the whole cluster still writes.

    Other tests work beside this one in the same cluster, so one that reads the feed waits for them first.
    """
    if engine.dialect.name != "postgresql":
        return
    until = time.monotonic() + SECONDS_FOR_OTHERS
    while True:
        with reading(engine) as db:
            newest = db.scalar(select(func.max(FeedRow.transaction))) or 0
            oldest = db.scalar(text("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
        if newest < oldest:
            return
        assert time.monotonic() < until, "a transaction of another test stays open"
        time.sleep(0.02)


def open_hub(engine: Engine) -> Hub:
    app = create_app(settings_for(engine.url.render_as_string(hide_password=False)))
    return Hub(engine, TestClient(app, base_url="http://hub.example"))
