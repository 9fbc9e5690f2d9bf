"""Every environment variable of the portal. A default must be safe in production and public."""

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import OperatorKey, Port, ServiceSettings


class Settings(ServiceSettings):
    """Read from variables that start with CONNECTOR_."""

    model_config = SettingsConfigDict(env_prefix="CONNECTOR_", frozen=True, extra="ignore")

    port: Port = 8003
    hub_url: str  # where the hub answers
    hub_key: SecretStr  # the bearer key of the publisher at the hub
    operator_key: OperatorKey  # the bearer key of the operator's calls; 32 characters or more
    helpdesk_mail: str  # gets a copy of every link request, and stands on the pages
