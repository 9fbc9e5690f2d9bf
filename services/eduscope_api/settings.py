"""Every environment variable of EDUscope; the names start with EDUSCOPE_."""

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import OperatorKey, Port, ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="EDUSCOPE_", frozen=True, extra="ignore")

    port: Port = 8001
    hub_url: str  # where the hub is
    hub_key: SecretStr  # the bearer key that the hub gave this administration
    operator_key: OperatorKey  # the bearer key of the operator's calls; 32 characters or more
    report_to: str = ""  # gets the mail about a failed night when no administrator of the school has an address
