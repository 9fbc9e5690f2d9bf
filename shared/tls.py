"""TLS with an optional client certificate, for uvicorn: who is at the other end stands in each request's scope."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PEER_CERTIFICATE = "schakel.peer_certificate"  # in the scope: DER, checked in the handshake against the known CAs
PEER_ADDRESS = "schakel.peer_address"  # in the scope: who opened the connection, whatever X-Forwarded-For says
# What TLS 1.2 may use: forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class PeerProtocol(HttpToolsProtocol):
    """HTTP/1.1 that remembers the other end of the connection: its address, and its certificate when it has one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        super().connection_made(transport)
        secured = transport.get_extra_info("ssl_object")
        self._certificate = secured.getpeercert(binary_form=True) if secured is not None else None
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # keys of our own
        scope[PEER_CERTIFICATE] = self._certificate
        scope[PEER_ADDRESS] = self._peer


def server_context(certificate: Path, key: Path, client_authorities: Path | None) -> ssl.SSLContext:
    """The server's side: TLS 1.2 and 1.3; a client certificate is asked for when `client_authorities` is there.

    A certificate of another CA, or one that has expired, ends the handshake; coming without one does not.
    Raises OSError (ssl.SSLError among them) for files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    if client_authorities is not None:
        context.load_verify_locations(client_authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def context_factory(context: ssl.SSLContext) -> Callable[[Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    """What uvicorn calls to get a context that is made already."""

    def give(_config: Config, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        return context

    return give
