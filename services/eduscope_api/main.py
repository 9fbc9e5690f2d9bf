"""create_app(settings): puts EDUscope together."""

from fastapi import FastAPI

from services.eduscope_api import (
    admin_pages,
    administrators,
    api_keys,
    boards,
    bulk,
    check_pages,
    checks,
    comparison,
    comparison_pages,
    connection_pages,
    contact_pages,
    contacts,
    domains,
    edexml,
    edexml_pages,
    edexml_preview,
    group_pages,
    groups,
    history,
    history_pages,
    key_pages,
    pupil_pages,
    pupils,
    report_pages,
    reports,
    schools,
    sign_in,
    staff,
    staff_pages,
    transition_pages,
    undo,
)
from services.eduscope_api.api_book import BOOK
from services.eduscope_api.hub_client import HubClient
from services.eduscope_api.settings import Settings
from shared.app_factory import House, make_app
from shared.database import open_engine
from shared.logs import configure
from shared.openapi import bind_book
from shared.service_auth import hash_key
from shared.service_client import ServiceClient
from shared.settings import load

SUBJECTS = (
    sign_in,
    groups,
    pupils,
    staff,
    contacts,
    bulk,
    history,
    undo,
    reports,
    edexml,
    edexml_preview,
    schools,
    checks,
    comparison,
    domains,
    api_keys,
    administrators,
    boards,
    admin_pages,
    staff_pages,
    contact_pages,
    group_pages,
    transition_pages,
    pupil_pages,
    history_pages,
    check_pages,
    comparison_pages,
    key_pages,
    report_pages,
    connection_pages,
    edexml_pages,
)


def create_app(settings: Settings, hub: HubClient | None = None) -> FastAPI:
    """The application; `hub` stands in for the real one in tests."""
    app = make_app(
        House(
            service="eduscope_api",
            title="EDUscope",
            summary="De schooladministratie: leerlingen, groepen, personeel, en de koppeling met Basispoort.",
            engine=open_engine(settings.database_url),
            pages=admin_pages.make_pages(settings.base_url),
            base_url=settings.base_url,
            body_limits={
                "edexml": edexml.LIMIT,
                "voorbeelden": edexml.LIMIT,
                "edexml-importeren": edexml_pages.UPLOAD_LIMIT,
            },
            routers=[*(subject.router for subject in SUBJECTS), schools.operator_router],
        )
    )
    app.state.hub = hub or HubClient(ServiceClient("hub", settings.hub_url, settings.hub_key.get_secret_value()))
    app.state.operator_key_hash = hash_key(settings.operator_key.get_secret_value())
    bind_book(app, BOOK)
    return app


def create() -> FastAPI:
    """For `uvicorn --factory services.eduscope_api.main:create`."""
    settings = load(Settings)
    configure("eduscope_api", settings.log_level)
    return create_app(settings)
