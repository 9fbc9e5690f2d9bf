"""The hub on a fresh, migrated database."""

from collections.abc import Callable, Iterator

import pytest

from tests.basispoort_hub.hub import Hub, open_mailing_hub


@pytest.fixture
def hub(migrated_url: Callable[[str], str]) -> Iterator[Hub]:
    opened = open_mailing_hub(migrated_url("basispoort_hub"))
    yield opened
    opened.engine.dispose()
