"""The hub on a fresh, migrated database."""

from collections.abc import Callable, Iterator

import pytest

from services.basispoort_hub.main import create_app
from services.basispoort_hub.settings import Settings
from shared import migrate
from tests.basispoort_hub.hub import BASE_URL, OPERATOR_KEY, Hub


@pytest.fixture
def hub(database_url: Callable[[str], str]) -> Iterator[Hub]:
    settings = Settings(
        database_url=database_url("basispoort_hub"),
        base_url=BASE_URL,
        mail_from="Basispoort <noreply@hub.example>",
        operator_key=OPERATOR_KEY,
        link_keys="link-key-for-tests-0123456789abcdef",
    )
    app = create_app(settings)
    migrate.upgrade(app.state.engine, "basispoort_hub")
    yield Hub(app)
    app.state.engine.dispose()
