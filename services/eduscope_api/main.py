"""create_app(settings): puts EDUscope together."""

from fastapi import FastAPI

from services.eduscope_api import (
    admin_pages,
    administrators,
    edexml,
    groups,
    pupils,
    reports,
    schools,
    sign_in,
    staff,
)
from services.eduscope_api.hub_client import HubClient
from services.eduscope_api.settings import Settings
from shared.app_factory import House, make_app
from shared.database import open_engine
from shared.logs import configure
from shared.service_auth import hash_key
from shared.service_client import ServiceClient
from shared.settings import load


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
            body_limits={"edexml": edexml.LIMIT},
        )
    )
    app.state.hub = hub or HubClient(ServiceClient("hub", settings.hub_url, settings.hub_key.get_secret_value()))
    app.state.operator_key_hash = hash_key(settings.operator_key.get_secret_value())
    for subject in (sign_in, groups, pupils, staff, reports, edexml, schools, administrators, admin_pages):
        app.include_router(subject.router)
    app.include_router(schools.operator_router)
    return app


def create() -> FastAPI:
    """For `uvicorn --factory services.eduscope_api.main:create`."""
    settings = load(Settings)
    configure("eduscope_api", settings.log_level)
    return create_app(settings)
