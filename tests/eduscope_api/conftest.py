"""EDUscope on a fresh database, with a hub in memory."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine

from services.eduscope_api.main import create_app
from services.eduscope_api.settings import Settings
from shared.passwords import hash_password
from tests.eduscope_api.fake_hub import FakeHub
from tests.eduscope_api.rows import CODE, OTHER_CODE

OPERATOR_KEY = "schakel_operator_0123456789abcdef"
PASSWORD = "correct paard batterij nietje"


@pytest.fixture
def engine(make_engine: Callable[[str], Engine]) -> Engine:
    return make_engine("eduscope_api")


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub(CODE, OTHER_CODE)


@pytest.fixture
def client(migrated_url: Callable[[str], str], hub: FakeHub) -> Iterator[TestClient]:
    """A stranger at EDUscope's door; `client.app.state.engine` is its database."""
    settings = Settings(
        database_url=migrated_url("eduscope_api"),
        base_url="http://testserver",
        hub_url="http://hub.example",
        hub_key=SecretStr("k"),
        operator_key=SecretStr(OPERATOR_KEY),
        mail_from="eduscope@eduscope.example",
    )
    with TestClient(create_app(settings, hub.client()), follow_redirects=False) as stranger:
        yield stranger
    stranger.app.state.engine.dispose()  # type: ignore[attr-defined]  # the application, as FastAPI makes it


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)
