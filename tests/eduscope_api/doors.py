"""Signing in at EDUscope, for tests."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.eduscope_api.nightly import School
from services.eduscope_api.tables import AdministratorRow, AdministratorSchoolRow, SessionRow
from shared.clock import now
from shared.database import writing
from shared.sessions import start_session

USER = "beheer@regenboog.example"


def engine_of(client: TestClient) -> Engine:
    app: Any = client.app
    engine: Engine = app.state.engine
    return engine


def sign_in(client: TestClient, *schools: School, user_name: str = USER, password_hash: str = "-") -> int:
    """An administrator of these schools, signed in with this client; returns the id."""
    with writing(engine_of(client)) as db:
        row = AdministratorRow(user_name=user_name, password_hash=password_hash, created_at=now())
        db.add(row)
        db.flush()
        db.add_all(AdministratorSchoolRow(administrator_id=row.id, school_id=school.id) for school in schools)
        client.cookies.set("eduscope", start_session(db, SessionRow, row.id, now()))
        return row.id
