"""What the settings of every service have in common, and how a missing one is said in one sentence."""

from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound="ServiceSettings")

Port = Annotated[int, Field(ge=1, le=65535)]
Interval = Annotated[timedelta, Field(ge=timedelta(seconds=1))]
WebAddress = Annotated[str, Field(pattern=r"^https?://[^/?#\s]+/?$")]
OperatorKey = Annotated[SecretStr, Field(min_length=32)]
Sender = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$|^[^<>]*<[^@\s<>]+@[^@\s<>]+>$")]


class SettingsMissing(Exception):
    """The environment lacks a setting, or holds one that makes no sense; the text is for the operator."""


class ServiceSettings(BaseSettings):
    """A default must be safe in production and public; secrets have none. Nothing is read at import time."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str  # sqlite:///path or postgresql://user:password@host/name
    base_url: WebAddress  # how browsers reach this service; links in mails start with it
    host: str = "127.0.0.1"  # the address to listen on
    trusted_proxies: str = ""  # addresses of reverse proxies whose X-Forwarded-For counts, with commas; empty: nobody's
    port: Port  # the port to listen on (EDUscope, hub, Beheerportaal)
    log_level: Literal["DEBUG", "INFO", "WARNING"] = "INFO"  # DEBUG, INFO or WARNING
    tick: Interval = timedelta(minutes=1)  # how often the clock process looks at the night, as an ISO 8601 duration
    outbox_tick: Interval = timedelta(seconds=5)  # how often it looks at messages to send
    smtp_host: str = "127.0.0.1"  # the mail server
    smtp_port: Port = 25  # its port
    smtp_start_tls: bool = False  # must the connection to it be encrypted with STARTTLS?
    smtp_user: str = ""  # who signs in there; empty: nobody does
    smtp_password: SecretStr = SecretStr("")  # that user's password
    mail_from: Sender  # the From address of every mail


def load(kind: type[S]) -> S:
    """The settings from the environment. Raises SettingsMissing that names the variables, never their values."""
    prefix = kind.model_config.get("env_prefix", "")
    try:
        return kind()
    except ValidationError as error:
        faults = [
            f"{prefix}{'_'.join(str(step) for step in each['loc']).upper()} {_reason(each)}".strip()
            if each["loc"]
            else str(each["ctx"]["error"])
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsMissing("; ".join(faults) + ". Alle instellingen staan in de README.") from None


def _reason(error: Any) -> str:
    """Why a setting cannot be, without its value: our own validators write that in Dutch and never repeat it."""
    if error["type"] == "missing":
        return "is niet ingesteld"
    if error["type"] == "too_short":
        return f"is te kort: minstens {error['ctx']['min_length']} tekens"
    own = f": {error['ctx']['error']}" if error["type"] == "value_error" else ""
    return f"heeft een waarde die niet kan{own}"
