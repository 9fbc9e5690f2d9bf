"""Every environment variable of the hub; the names start with HUB_."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.basispoort_hub.links import LinkMaker
from shared.settings import Port, ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="HUB_", frozen=True, extra="ignore")

    port: Port = 8002
    operator_key: SecretStr  # the bearer key of the operator's calls
    link_keys: SecretStr  # one key for activation links, or two with a comma between: the first signs, both count
    activation_days: Annotated[int, Field(ge=1, le=90)] = 14  # how long an activation link can be used

    @field_validator("link_keys")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        keys = value.get_secret_value().split(",")
        if len(keys) > 2 or any(len(key.strip()) < 32 for key in keys):
            raise ValueError("one or two keys of 32 characters or more")
        return value

    def link_maker(self) -> LinkMaker:
        keys = [key.strip().encode() for key in self.link_keys.get_secret_value().split(",")]
        return LinkMaker(keys, self.base_url.rstrip("/"), timedelta(days=self.activation_days))
