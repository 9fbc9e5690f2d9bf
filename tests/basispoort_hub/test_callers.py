"""Who calls: certificates over real TLS, a proxy's header, bearer keys; and everybody who must be refused."""

import base64
import ssl
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Engine, update

from services.basispoort_hub import certificates
from services.basispoort_hub.publisher_callers import fingerprint_of, parse_certificate_header
from services.basispoort_hub.publisher_operator import (
    TooManyCertificates,
    read_publisher,
    revoke,
    save_certificate,
    save_publisher_key,
)
from services.basispoort_hub.tables import PublisherCertificateRow
from shared.clock import now
from shared.database import writing
from shared.problems import NotFound
from shared.tls import server_context
from tests.basispoort_hub.real_tls import LIST, YEAR, Served, serve, serve_hub
from tests.factories import an_app

HEADER = "Client-Cert"
Make = Callable[..., Served]


@pytest.fixture
def hub(make_engine: Callable[[str], Engine], tmp_path: Path) -> Iterator[Served]:
    """Over TLS; nobody is trusted as a proxy."""
    with serve_hub(make_engine("basispoort_hub"), tmp_path, ("letters", "cijfers")) as served:
        yield served


@pytest.fixture
def behind_proxy(make_engine: Callable[[str], Engine], tmp_path: Path) -> Iterator[Served]:
    """Over TLS; what comes from loopback is the proxy."""
    settings = {"certificate_header": HEADER, "certificate_proxies": "127.0.0.0/8"}
    with serve_hub(make_engine("basispoort_hub"), tmp_path, ("letters", "cijfers"), **settings) as served:
        yield served


@pytest.fixture
def proxy_elsewhere(make_engine: Callable[[str], Engine], tmp_path: Path) -> Iterator[Served]:
    """Over TLS; the trusted proxy is another machine than the caller."""
    settings = {"certificate_header": HEADER, "certificate_proxies": "192.0.2.7"}
    with serve_hub(make_engine("basispoort_hub"), tmp_path, ("letters", "cijfers"), **settings) as served:
        yield served


def rfc9440(der: bytes) -> str:
    return f":{base64.b64encode(der).decode()}:"


def nginx(der: bytes) -> str:
    return quote(ssl.DER_cert_to_PEM_cert(der))


def a_key(hub: Served, code: str) -> str:
    with writing(hub.engine) as db:
        return save_publisher_key(db, read_publisher(db, code).id, now())


def refusal(answer: httpx.Response) -> tuple[int, str, str | None]:
    body = answer.json()
    return answer.status_code, body["type"].removeprefix("/problems/"), body.get("reden")


def test_a_certificate_lets_its_publisher_in_over_both_versions_of_tls(hub: Served) -> None:
    file = hub.certificate("letters")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=str(hub.folder / certificates.CA_FILE))
        context.load_cert_chain(file)
        context.minimum_version = context.maximum_version = version
        with httpx.Client(base_url=hub.url, verify=context) as client:
            answer = client.get(LIST)
        assert (answer.status_code, answer.json()) == (200, [])


def an_old_client(ca: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.set_ciphers("ALL:@SECLEVEL=0")  # otherwise this side would refuse before the server could
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def test_an_older_tls_ends_in_the_handshake(hub: Served) -> None:
    context = an_old_client(hub.folder / certificates.CA_FILE)
    with httpx.Client(base_url=hub.url, verify=context) as client, pytest.raises(httpx.ConnectError):
        client.get(LIST)


def test_a_server_that_takes_an_older_tls_is_noticed(hub: Served) -> None:
    lax = server_context(hub.folder / "server.pem", hub.folder / "server.pem", None)
    lax.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        lax.minimum_version = ssl.TLSVersion.TLSv1
    context = an_old_client(hub.folder / certificates.CA_FILE)
    with serve(an_app(), lax) as url, httpx.Client(base_url=url, verify=context) as client:
        assert client.get("/healthz").status_code == 200


def test_a_bearer_key_lets_its_publisher_in(hub: Served) -> None:
    with hub.client(key=a_key(hub, "letters")) as client:
        assert client.get(LIST).status_code == 200


def test_without_certificate_or_key_nobody_comes_in(hub: Served) -> None:
    with hub.client() as client:
        assert refusal(client.get(LIST)) == (401, "caller-unknown", None)
        assert client.get("/healthz").status_code == 200  # twin: the connection itself is good


def test_a_certificate_of_an_unknown_ca_ends_in_the_handshake(hub: Served) -> None:
    stranger = certificates.make_authority(now(), "Schakel test-CA")
    file = hub.certificate("letters", authority=stranger)
    with hub.client(file) as client, pytest.raises(httpx.TransportError):
        client.get(LIST)


def test_an_expired_certificate_ends_in_the_handshake(hub: Served) -> None:
    file = hub.certificate("letters", lasts=timedelta(seconds=-10))
    with hub.client(file) as client, pytest.raises(httpx.TransportError):
        client.get(LIST)


def test_a_certificate_that_expires_during_a_connection_counts_no_longer(hub: Served) -> None:
    with hub.client(hub.certificate("letters")) as client:
        assert client.get(LIST).status_code == 200
        with writing(hub.engine) as db:
            db.execute(update(PublisherCertificateRow).values(not_after=now() - timedelta(seconds=1)))
        assert refusal(client.get(LIST)) == (401, "certificate-refused", "verlopen")


def test_a_good_certificate_that_nobody_registered_is_refused(hub: Served) -> None:
    with hub.client(hub.certificate(None, "letters")) as client:
        assert refusal(client.get(LIST)) == (401, "certificate-refused", "onbekend")


def test_a_revoked_certificate_is_refused_at_once_also_on_an_open_connection(hub: Served) -> None:
    with hub.client(hub.certificate("letters")) as client:
        assert client.get(LIST).status_code == 200
        with writing(hub.engine) as db:
            assert revoke(db, read_publisher(db, "letters").id, None, now()) == 1
        assert refusal(client.get(LIST)) == (401, "certificate-refused", "ingetrokken")


def test_a_key_of_one_publisher_with_the_certificate_of_another_is_refused(hub: Served) -> None:
    file = hub.certificate("letters")
    with hub.client(file, key=a_key(hub, "cijfers")) as client:
        assert refusal(client.get(LIST)) == (401, "certificate-refused", "andere-uitgever")
    with hub.client(file, key=a_key(hub, "letters")) as client:
        assert client.get(LIST).status_code == 200


def test_two_certificates_live_and_a_third_is_refused_until_one_is_revoked(hub: Served) -> None:
    issued = [hub.issue(f"letters-{number}") for number in range(3)]
    files = [hub.registered("letters", each, f"letters-{place}") for place, each in enumerate(issued[:2])]
    for file in files:
        with hub.client(file) as client:
            assert client.get(LIST).status_code == 200
    with writing(hub.engine) as db:
        publisher_id = read_publisher(db, "letters").id
        with pytest.raises(TooManyCertificates):
            save_certificate(db, publisher_id, issued[2].der, issued[2].not_after, now())
        with pytest.raises(NotFound):
            revoke(db, publisher_id, "geen", now())
        oldest = fingerprint_of(issued[0].der)
        assert revoke(db, publisher_id, oldest[:12], now()) == 1
        save_certificate(db, publisher_id, issued[2].der, issued[2].not_after, now())
    with hub.client(files[0]) as client:
        assert refusal(client.get(LIST))[2] == "ingetrokken"
    with hub.client(files[1]) as client:
        assert client.get(LIST).status_code == 200


@pytest.mark.parametrize("spelled", [rfc9440, nginx])
def test_a_trusted_proxy_says_whose_certificate_it_saw(behind_proxy: Served, spelled: Callable[[bytes], str]) -> None:
    issued = behind_proxy.issue("letters")
    behind_proxy.registered("letters", issued, "letters")
    with behind_proxy.client() as client:
        assert client.get(LIST, headers={HEADER: spelled(issued.der)}).status_code == 200
        assert refusal(client.get(LIST, headers={HEADER: ""})) == (401, "caller-unknown", None)
        assert refusal(client.get(LIST)) == (401, "caller-unknown", None)


def test_what_a_proxy_saw_is_judged_as_strictly_as_a_handshake(behind_proxy: Served) -> None:
    stranger = certificates.make_authority(now(), "Schakel test-CA")
    cases = {
        "onbekend": behind_proxy.issue("letters", authority=stranger),
        "verlopen": behind_proxy.issue("letters", timedelta(seconds=-10)),
    }
    for reason, issued in cases.items():
        behind_proxy.registered("letters", issued, reason)
        with behind_proxy.client() as client:
            answer = client.get(LIST, headers={HEADER: rfc9440(issued.der)})
            assert refusal(answer) == (401, "certificate-refused", reason)


@pytest.mark.parametrize("value", [":geen base64:", "%%%", "::", rfc9440(b"\x30\x03\x02\x01"), "x" * 20_000])
def test_a_header_that_holds_no_certificate_is_refused(behind_proxy: Served, value: str) -> None:
    with behind_proxy.client() as client:
        assert refusal(client.get(LIST, headers={HEADER: value}))[:2] == (401, "certificate-refused")


def test_a_certificate_of_a_version_that_does_not_exist_is_refused(behind_proxy: Served) -> None:
    der = behind_proxy.issue("letters").der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    with behind_proxy.client() as client:
        answer = client.get(LIST, headers={HEADER: rfc9440(der)})
    assert refusal(answer) == (401, "certificate-refused", "onleesbaar")


def test_two_headers_are_refused_because_one_is_not_the_proxys(behind_proxy: Served) -> None:
    issued = behind_proxy.issue("letters")
    behind_proxy.registered("letters", issued, "letters")
    twice = [(HEADER, rfc9440(issued.der))] * 2
    with behind_proxy.client() as client:
        assert refusal(client.get(LIST, headers=twice)) == (401, "certificate-refused", "onleesbaar")


def test_a_forged_header_is_refused_and_logged(proxy_elsewhere: Served, capsys: pytest.CaptureFixture[str]) -> None:
    issued = proxy_elsewhere.issue("letters")
    proxy_elsewhere.registered("letters", issued, "letters")
    forged = {HEADER: rfc9440(issued.der), "X-Forwarded-For": "192.0.2.7"}
    with proxy_elsewhere.client() as client:
        assert refusal(client.get(LIST, headers=forged)) == (401, "certificate-refused", "niet-van-proxy")
    assert "certificate_header_forged" in capsys.readouterr().out
    other = proxy_elsewhere.certificate("cijfers")
    with proxy_elsewhere.client(other) as client:
        assert client.get(LIST).status_code == 200
        assert refusal(client.get(LIST, headers=forged)) == (401, "certificate-refused", "niet-van-proxy")


def test_a_forged_header_counts_for_nothing_where_no_proxy_is_set_up(hub: Served) -> None:
    issued = hub.issue("letters")
    hub.registered("letters", issued, "letters")
    with hub.client() as client:
        assert refusal(client.get(LIST, headers={HEADER: rfc9440(issued.der)})) == (401, "caller-unknown", None)


def test_both_spellings_of_a_certificate_give_the_same_bytes() -> None:
    der = certificates.issue_client(certificates.make_authority(now()), "letters", now(), YEAR).der
    assert parse_certificate_header(rfc9440(der)) == parse_certificate_header(nginx(der)) == der
    assert parse_certificate_header("niets") is None
