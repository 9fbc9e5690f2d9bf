"""Every environment variable of the hub; the names start with HUB_."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from cryptography import x509
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.basispoort_hub.links import LinkMaker
from services.basispoort_hub.publisher_callers import ProxyCertificates
from shared.settings import OperatorKey, Port, ServiceSettings

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]*$")]


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="HUB_", frozen=True, extra="ignore")

    port: Port = 8002
    operator_key: OperatorKey  # the bearer key of the operator's calls; 32 characters or more
    link_keys: SecretStr  # one key for activation links, or two with a comma between: the first signs, both count
    activation_days: Annotated[int, Field(ge=1, le=90)] = 14  # how long an activation link can be used
    tls_cert: str = ""  # the server's certificate, with intermediates (PEM); empty: a proxy ends TLS, not the hub
    tls_key: str = ""  # its private key (PEM)
    tls_client_ca: str = ""  # the CAs (PEM) whose client certificates are taken; empty: none, or as the proxy decides
    certificate_header: HeaderName = ""  # where a trusted proxy puts a client's certificate; empty: no proxy does
    certificate_proxies: str = ""  # addresses or networks, with commas, that this header is taken from
    requests_per_minute: Annotated[int, Field(ge=0)] = 12_000  # of a publisher without a number of its own; 0: no limit
    sandbox: bool = False  # may publishers make and change an invented school for themselves?

    @field_validator("link_keys")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        keys = value.get_secret_value().split(",")
        if len(keys) > 2 or any(len(key.strip()) < 32 for key in keys):
            raise ValueError("één of twee sleutels van minstens 32 tekens, met een komma ertussen")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("HUB_TLS_CERT en HUB_TLS_KEY horen bij elkaar")
        if bool(self.certificate_header) != bool(self.certificate_proxies):
            raise ValueError("HUB_CERTIFICATE_HEADER en HUB_CERTIFICATE_PROXIES horen bij elkaar")
        try:
            for network in self._networks():
                ip_network(network)
        except ValueError:
            raise ValueError("HUB_CERTIFICATE_PROXIES heeft een adres of netwerk dat niet kan") from None
        return self

    def _networks(self) -> list[str]:
        return [each.strip() for each in self.certificate_proxies.split(",") if each.strip()]

    def proxy_certificates(self) -> ProxyCertificates:
        """Raises OSError for a file that cannot be read."""
        pem = Path(self.tls_client_ca).read_bytes() if self.tls_client_ca else b""
        return ProxyCertificates(
            header=self.certificate_header.lower(),
            networks=tuple(ip_network(each) for each in self._networks()),
            authorities=tuple(x509.load_pem_x509_certificates(pem)) if pem else (),
        )

    def link_maker(self) -> LinkMaker:
        keys = [key.strip().encode() for key in self.link_keys.get_secret_value().split(",")]
        return LinkMaker(keys, self.base_url.rstrip("/"), timedelta(days=self.activation_days))
