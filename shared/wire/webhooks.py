"""Publishers to hub, our addition to the real interface: where they want to hear that there are changes."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.identifiers import tidy
from shared.wire.base import WireModel

WebhookUrl = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1000), AfterValidator(tidy)]


class WireNewWebhook(WireModel):
    """PUT webhooks: where to tell. `nieuwGeheim`: also give out a new secret; the former signs for 7 more days."""

    url: WebhookUrl = Field(alias="adres")
    rotate: bool = Field(False, alias="nieuwGeheim", strict=True)


class WireWebhook(WireModel):
    """`geheim` is there once, when it was made."""

    url: str = Field(alias="adres")
    is_on: bool = Field(alias="actief")
    secret: str | None = Field(alias="geheim")
    failing_since: datetime | None = Field(alias="misluktSinds")
