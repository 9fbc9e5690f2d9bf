"""A certificate authority of one's own, in a folder: for publishers' client certificates, and a server's on a test bed.

Private keys are written to files that only their owner can read, and nowhere else.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LASTS = timedelta(days=3650)
SLACK = timedelta(minutes=5)  # clocks differ
CA_FILE, CA_KEY_FILE = "ca.pem", "ca.key"


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key. `pem` holds both, as clients of the real interface want it: one file."""

    der: bytes
    pem: bytes
    not_after: datetime


def open_authority(folder: Path, now: datetime) -> Authority:
    """The CA in this folder, made when there is none. Raises OSError for files that are no CA."""
    if not (folder / CA_FILE).exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = make_authority(now)
        write_private(folder / CA_KEY_FILE, _key_pem(made.key))
        (folder / CA_FILE).write_bytes(made.certificate.public_bytes(Encoding.PEM))
        return made
    try:
        key = load_pem_private_key((folder / CA_KEY_FILE).read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes())
    except ValueError as error:
        raise OSError(f"{folder} bevat geen CA die Schakel kan lezen") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OSError(f"de CA in {folder} heeft een ander soort sleutel dan Schakel maakt")
    return Authority(certificate, key)


def make_authority(now: datetime, name: str = "Schakel test-CA") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue_client(authority: Authority, code: str, now: datetime, lasts: timedelta) -> Issued:
    """A client certificate with the publisher's code as its name; what it may do is decided by the hub, not by it."""
    return _issue(authority, code, now, lasts, ExtendedKeyUsageOID.CLIENT_AUTH, ())


def issue_server(authority: Authority, hosts: Sequence[str], now: datetime, lasts: timedelta) -> Issued:
    """A server certificate for these host names and addresses."""
    return _issue(authority, hosts[0], now, lasts, ExtendedKeyUsageOID.SERVER_AUTH, hosts)


def _issue(
    authority: Authority,
    name: str,
    now: datetime,
    lasts: timedelta,
    purpose: x509.ObjectIdentifier,
    hosts: Sequence[str],
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    not_after = (now + lasts).replace(microsecond=0)  # a certificate counts in seconds
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now - SLACK, not_after - SLACK))
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    pem = certificate.public_bytes(Encoding.PEM) + _key_pem(key)
    return Issued(certificate.public_bytes(Encoding.DER), pem, not_after)


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_private(path: Path, content: bytes) -> None:
    """A new file that only its owner can read. Raises FileExistsError: a key is never written over."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
