"""A hub that is served over real TLS on loopback, and publishers with certificates of every kind."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from services.basispoort_hub import certificates
from services.basispoort_hub.certificates import Authority, Issued
from services.basispoort_hub.main import create_app
from services.basispoort_hub.publisher_operator import read_publisher, save_certificate, save_publisher
from shared.clock import now
from shared.database import writing
from shared.tls import PeerProtocol, context_factory, server_context
from tests.basispoort_hub.a_hub import settings_for

YEAR = timedelta(days=365)
LIST = "/rest/v2/instellingen"


@dataclass
class Served:
    """`folder` holds ca.pem and one file per client."""

    engine: Engine
    authority: Authority
    folder: Path
    url: str = ""

    def certificate(self, code: str | None, name: str = "", lasts: timedelta = YEAR, **more: Authority) -> Path:
        """A file with a certificate and its key; registered for the publisher `code`, or for nobody."""
        return self.registered(code, self.issue(name or code or "x", lasts, **more), name or f"{code}")

    def issue(self, name: str, lasts: timedelta = YEAR, authority: Authority | None = None) -> Issued:
        return certificates.issue_client(authority or self.authority, name, now(), lasts)

    def registered(self, code: str | None, issued: Issued, name: str) -> Path:
        if code is not None:
            with writing(self.engine) as db:
                save_certificate(db, read_publisher(db, code).id, issued.der, issued.not_after, now())
        file = self.folder / f"{name}.pem"
        certificates.write_private(file, issued.pem)
        return file

    def client(self, certificate: Path | None = None, key: str | None = None, **headers: str) -> httpx.Client:
        """A publisher's program: trusts the test CA and shows a certificate, a key or both."""
        context = ssl.create_default_context(cafile=str(self.folder / certificates.CA_FILE))
        if certificate is not None:
            context.load_cert_chain(certificate)
        given = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, verify=context, headers={**given, **headers})


@contextmanager
def serve(app: FastAPI, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The application on a free port, as `schakel serve` serves it; gives its address."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            http=PeerProtocol,
            log_config=None,
            access_log=False,
            proxy_headers=True,
            forwarded_allow_ips="127.0.0.1",
            ssl_context_factory=context_factory(context) if context else None,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < give_up, "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def serve_hub(engine: Engine, folder: Path, codes: tuple[str, ...], **changes: str) -> Iterator[Served]:
    """A hub with these publishers over TLS; `changes` are settings."""
    at: datetime = now()
    authority = certificates.open_authority(folder, at)
    server = certificates.issue_server(authority, ["127.0.0.1", "localhost"], at, YEAR)
    certificates.write_private(folder / "server.pem", server.pem)
    with writing(engine) as db:
        for code in codes:
            save_publisher(db, code, code.title(), "Activeer")
    settings = settings_for(engine.url.render_as_string(hide_password=False)).model_copy(
        update={"tls_client_ca": str(folder / certificates.CA_FILE), **changes}
    )
    app = create_app(settings)
    context = server_context(folder / "server.pem", folder / "server.pem", folder / certificates.CA_FILE)
    served = Served(engine, authority, folder)
    with serve(app, context) as served.url:
        yield served
    app.state.engine.dispose()
