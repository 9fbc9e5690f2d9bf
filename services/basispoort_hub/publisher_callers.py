"""Which publisher is calling? By client certificate, from TLS itself or a trusted proxy's header, or by bearer key."""

import base64
import binascii
import hashlib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from fastapi import Depends, Request, Security
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.basispoort_hub.quota import Quota
from services.basispoort_hub.tables import PublisherCertificateRow, PublisherKeyRow, PublisherRow
from shared.clock import now as present
from shared.database import reading
from shared.logs import log
from shared.openapi import CLIENT_CERTIFICATE, bearer_key
from shared.problems import CallerUnknown
from shared.service_auth import bearer_hash
from shared.tls import PEER_ADDRESS, PEER_CERTIFICATE

LONGEST_HEADER = 16_384
KEY = Security(bearer_key("uitgeverssleutel", "A key of the publisher."))
# Either; for the description of routes without `CallingPublisher`. Not as dependencies: those cost every request time.
PROVEN: dict[str, Any] = {"security": [{"uitgeverssleutel": []}, {"clientcertificaat": []}]}
_CALLER, _HEADERS = "schakel.publisher", "schakel.headers"  # in the scope


class CertificateRefused(CallerUnknown):
    """Member `reden`: onleesbaar, onbekend, verlopen, ingetrokken, andere-uitgever, niet-van-proxy."""

    slug, title = "certificate-refused", "The client certificate is not one of a publisher's"
    uitleg = (
        "Het clientcertificaat is onbekend, verlopen of ingetrokken, hoort bij een andere uitgeverij, "
        "of staat in een kop die niet van de proxy komt."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyCertificates:
    """Which proxies end TLS for us, and in which header they put the client's certificate.

    `authorities`: who may have signed one; empty when the proxy alone checks that.
    """

    header: str = ""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    authorities: tuple[x509.Certificate, ...] = ()

    def trusts(self, address: str) -> bool:
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer  # as a socket for both kinds shows it
        return any(peer in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a caller shows: the fingerprint of a certificate, the hash of a key, or both.

    `has_key` without a `key_hash`: what stands there beside a certificate can be no key.
    """

    fingerprint: str | None
    key_hash: str | None
    has_key: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """A certificate as it is known here."""

    publisher_id: int
    not_after: datetime
    revoked_at: datetime | None


def shown_by(request: Request) -> Shown:
    """Raises CallerUnknown for who shows nothing, CertificateRefused for a header that holds no certificate."""
    certificate = _certificate_of(request)
    if certificate is None:
        return Shown(None, bearer_hash(request), has_key=True)
    key_hash = None
    has_key = "authorization" in request.headers
    if has_key:
        with suppress(CallerUnknown):  # the certificate is looked at first
            key_hash = bearer_hash(request)
    return Shown(fingerprint_of(certificate), key_hash, has_key)


def decide_caller(shown: Shown, certificate: Registered | None, key_of: int | None, now: datetime) -> int:
    """The publisher, from what is known of what was shown. `key_of`: whose live key it is.

    A certificate and a key together must be of one publisher. Raises CallerUnknown, CertificateRefused.
    """
    if shown.fingerprint is not None:
        if certificate is None:
            raise _refused("onbekend")
        if certificate.revoked_at is not None:
            raise _refused("ingetrokken")
        if certificate.not_after <= now:  # a connection can outlive its certificate
            raise _refused("verlopen")
        if not shown.has_key:
            return certificate.publisher_id
    if key_of is None:
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})
    if certificate is not None and certificate.publisher_id != key_of:
        raise _refused("andere-uitgever")
    return key_of


def calling_publisher(request: Request, db: Session) -> int:
    """The number of the publisher that is calling; takes one request from its quota.

    Raises CallerUnknown, CertificateRefused, QuotaSpent.
    """
    scope = request.scope
    if (known := scope.get(_CALLER)) is not None:  # asked before in this request
        return int(known)
    shown = shown_by(request)
    certificate, quota = _read_certificate(db, shown.fingerprint)
    key_of, quota_of_key = _read_key(db, shown.key_hash)
    publisher_id = decide_caller(shown, certificate, key_of, present())
    spend_request(request, publisher_id, quota_of_key if certificate is None else quota)
    return publisher_id


def spend_request(request: Request, publisher_id: int, own_quota: int | None) -> None:
    """Take one request from the quota of a publisher that proved who it is. Raises QuotaSpent."""
    quota: Quota = request.app.state.quota
    standing = quota.spend(publisher_id, own_quota)
    request.scope[_CALLER] = publisher_id
    if standing is not None:
        request.scope[_HEADERS] = standing.headers()


def _calling(
    request: Request, _key: Annotated[object, KEY], _certificate: Annotated[object, CLIENT_CERTIFICATE]
) -> int:
    with reading(request.app.state.engine) as db:
        return calling_publisher(request, db)


# Looks before the body does: a stranger gets 401 whatever the rest of the request holds.
CallingPublisher = Annotated[int, Depends(_calling)]


def fingerprint_of(der: bytes) -> str:
    """What a certificate is known by: the SHA-256 of its DER form, in hexadecimal."""
    return hashlib.sha256(der).hexdigest()


def _read_key(db: Session, key_hash: str | None) -> tuple[int | None, int | None]:
    """(the publisher whose live key it is, its own quota)."""
    query = (
        select(PublisherKeyRow.publisher_id, PublisherRow.requests_per_minute)
        .join(PublisherRow, PublisherRow.id == PublisherKeyRow.publisher_id)
        .where(PublisherKeyRow.key_hash == key_hash, PublisherKeyRow.revoked_at.is_(None))
    )
    row = None if key_hash is None else db.execute(query).first()
    return (None, None) if row is None else (row.publisher_id, row.requests_per_minute)


def _read_certificate(db: Session, fingerprint: str | None) -> tuple[Registered | None, int | None]:
    """(the certificate as it is known here, the quota of its publisher)."""
    columns = (
        PublisherCertificateRow.publisher_id,
        PublisherCertificateRow.not_after,
        PublisherCertificateRow.revoked_at,
    )
    query = (
        select(*columns, PublisherRow.requests_per_minute)
        .join(PublisherRow, PublisherRow.id == PublisherCertificateRow.publisher_id)
        .where(PublisherCertificateRow.fingerprint == fingerprint)
    )
    row = None if fingerprint is None else db.execute(query).first()
    return (None, None) if row is None else (Registered(*row[:3]), row.requests_per_minute)


def _certificate_of(request: Request) -> bytes | None:
    """The caller's certificate, from a trusted proxy or from the connection; None when it came without one."""
    proxies: ProxyCertificates = request.app.state.proxy_certificates
    if proxies.header and (given := request.headers.getlist(proxies.header)):
        client = request.scope.get("client")
        peer = request.scope.get(PEER_ADDRESS, client[0] if client else "")
        if proxies.trusts(peer):
            return _from_header(given, proxies)
        if any(given):  # somebody wrote it who may not, whoever else that caller may be
            log.warning("certificate_header_forged")
            raise _refused("niet-van-proxy")
    certificate: bytes | None = request.scope.get(PEER_CERTIFICATE)
    return certificate


def _from_header(given: list[str], proxies: ProxyCertificates) -> bytes | None:
    if given == [""]:  # the proxy asked, and the client had none
        return None
    if len(given) > 1 or len(given[0]) > LONGEST_HEADER:  # two: one of them is not the proxy's
        raise _refused("onleesbaar")
    der = parse_certificate_header(given[0])
    if der is None:
        raise _refused("onleesbaar")
    if proxies.authorities and not _is_signed_by(der, proxies.authorities):
        raise _refused("onbekend")
    return der


def parse_certificate_header(value: str) -> bytes | None:
    """The DER form of a certificate as RFC 9440 (`:base64:`) or nginx (URL-encoded PEM) writes it; None for neither."""
    try:
        if value.startswith(":") and value.endswith(":"):
            return base64.b64decode(value[1:-1], validate=True)
        return ssl.PEM_cert_to_DER_cert(unquote(value).strip())
    except (ValueError, binascii.Error):
        return None


@lru_cache(maxsize=1024)
def _is_signed_by(der: bytes, authorities: tuple[x509.Certificate, ...]) -> bool:
    try:
        certificate = x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise _refused("onleesbaar") from None
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return True
    return False


def _refused(reason: str) -> CertificateRefused:
    return CertificateRefused(reden=reason, headers={"WWW-Authenticate": "Bearer"})


class QuotaHeaders:
    """Puts on the answer what `calling_publisher` found out about the caller's quota."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and (headers := scope.get(_HEADERS)):
                added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
