"""What the settings of every service have in common, and how a missing one is said in one sentence."""

from datetime import timedelta
from typing import Literal, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound="ServiceSettings")


class SettingsMissing(Exception):
    """The environment lacks a setting, or holds one that makes no sense; the text is for the operator."""


class ServiceSettings(BaseSettings):
    """A default must be safe in production and public; secrets have none. Nothing is read at import time."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str  # sqlite:///path or postgresql://user:password@host/name
    base_url: str  # how browsers reach this service; links in mails start with it
    host: str = "127.0.0.1"
    port: int
    log_level: Literal["DEBUG", "INFO", "WARNING"] = "INFO"
    tick: timedelta = timedelta(minutes=1)  # how often the clock process looks at the night
    outbox_tick: timedelta = timedelta(seconds=5)  # how often it looks at messages to send
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 25
    smtp_start_tls: bool = False
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: str


def load(kind: type[S]) -> S:
    """The settings from the environment. Raises SettingsMissing that names the variables, never their values."""
    prefix = kind.model_config.get("env_prefix", "")
    try:
        return kind()
    except ValidationError as error:
        faults = [
            f"{prefix}{'_'.join(str(step) for step in each['loc']).upper()} "
            + ("is not set" if each["type"] == "missing" else "has a value that makes no sense")
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsMissing("; ".join(faults) + ". The README lists every setting.") from None
