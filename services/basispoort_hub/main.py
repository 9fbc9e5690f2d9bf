"""create_app(settings): puts the hub together."""

from fastapi import FastAPI

from services.basispoort_hub import (
    activation,
    changes_feed,
    consent_pages,
    coordinator_pages,
    edexml_import,
    holds,
    intake,
    lika,
    lika_lists,
    lika_operator,
    material_pages,
    merged_schools,
    operator_api,
    permission_requests,
    permissions,
    publisher_api,
    sandbox,
    school_search,
    sign_in,
    staff_list,
    stored_answers,
    supplier_pages,
    teacher_pages,
    teachers,
    webhooks,
)
from services.basispoort_hub.api_book import BOOK
from services.basispoort_hub.fast_reads import Reader
from services.basispoort_hub.publisher_callers import QuotaHeaders
from services.basispoort_hub.quota import Quota
from services.basispoort_hub.rules.sandbox_school import PUPILS
from services.basispoort_hub.settings import Settings
from shared import logs
from shared.app_factory import House, make_app
from shared.bodies import MEGABYTE
from shared.database import open_engine
from shared.openapi import bind_book
from shared.service_auth import hash_key
from shared.settings import load

SERVICE = "basispoort_hub"
PARTS = (
    publisher_api,
    activation,
    changes_feed,
    consent_pages,
    coordinator_pages,
    edexml_import,
    holds,
    intake,
    lika,
    lika_lists,
    lika_operator,
    merged_schools,
    material_pages,
    operator_api,
    permission_requests,
    permissions,
    sandbox,
    school_search,
    sign_in,
    staff_list,
    supplier_pages,
    teacher_pages,
    teachers,
    webhooks,
)


def create_app(settings: Settings) -> FastAPI:
    """The hub, ready to serve."""
    app = make_app(
        House(
            service=SERVICE,
            title="Basispoort (Schakel)",
            summary="Rosters in from the administration, accounts for teachers, rosters out to publishers with consent",
            engine=open_engine(settings.database_url),
            pages=coordinator_pages.make_pages(settings.base_url),
            base_url=settings.base_url,
            body_limits={
                "edexml": edexml_import.LIMIT,
                "leerlinggegevens": 20 * MEGABYTE,
                **lika_lists.BODY_LIMITS,
                **publisher_api.BODY_LIMITS,
            },
            leaving=supplier_pages.LEAVING,
            first=stored_answers.router,  # asked for most
            routers=[part.router for part in PARTS],
        )
    )
    app.state.links = settings.link_maker()
    app.state.reader = Reader(app.state.engine)
    app.state.proxy_certificates = settings.proxy_certificates()
    app.state.quota = Quota(settings.requests_per_minute)
    app.state.sandbox_pupils = PUPILS if settings.sandbox else 0
    app.add_middleware(QuotaHeaders)
    app.state.operator_key_hash = hash_key(settings.operator_key.get_secret_value())
    bind_book(app, BOOK)
    return app


def create() -> FastAPI:
    """For uvicorn's --factory: settings from the environment."""
    settings = load(Settings)
    logs.configure(SERVICE, settings.log_level)
    return create_app(settings)
