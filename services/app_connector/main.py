"""create_app(settings): puts the portal together."""

from fastapi import FastAPI

from services.app_connector import (
    helpdesk,
    holds,
    operator_api,
    overview,
    portal_pages,
    sign_in,
    syncs,
    wizard,
)
from services.app_connector.hub_client import HubClient, open_hub
from services.app_connector.settings import Settings
from shared import logs
from shared.app_factory import House, make_app
from shared.bodies import MEGABYTE
from shared.database import open_engine
from shared.service_auth import hash_key
from shared.settings import load

SERVICE = "app_connector"
PARTS = (portal_pages, sign_in, overview, helpdesk, wizard, syncs, holds, operator_api)


def create_app(settings: Settings, hub: HubClient | None = None) -> FastAPI:
    """The application; `hub` stands in for the real one in tests."""
    app = make_app(
        House(
            service=SERVICE,
            title="Beheerportaal (Schakel)",
            summary="Koppelt Basispoort aan Taalblobs en Rekenblobs",
            engine=open_engine(settings.database_url),
            pages=portal_pages.make_pages(settings.base_url),
            base_url=settings.base_url,
            body_limits={"appaccounts": 5 * MEGABYTE},
            routers=[part.router for part in PARTS],
        )
    )
    app.state.hub = hub or open_hub(settings.hub_url, settings.hub_key.get_secret_value())
    app.state.operator_key_hash = hash_key(settings.operator_key.get_secret_value())
    app.state.helpdesk_mail = settings.helpdesk_mail
    return app


def create() -> FastAPI:
    """For uvicorn's --factory: settings from the environment."""
    settings = load(Settings)
    logs.configure(SERVICE, settings.log_level)
    return create_app(settings)
