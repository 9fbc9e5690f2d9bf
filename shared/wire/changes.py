"""Hub to publishers, our addition to the real interface: what changed in the schools that consent."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.wire.base import WireModel


class Act(StrEnum):
    PUT = "put"
    REMOVE = "remove"
    REKEY = "rekey"  # a put of a person whose lasKey is another one than before
    READ_SCHOOL = "read-school"  # consent was given: read the whole school
    FORGET_SCHOOL = "forget-school"  # consent was withdrawn: erase what was handed over


class WireChange(WireModel):
    """One change. `waarde` has the shape of the institutions service; null where there is nothing any more."""

    act: Act = Field(alias="soort")
    subject: str | None = Field(alias="onderwerp")  # instelling, groep, subgroep, leerling, medewerker
    institution: int = Field(alias="instelling")
    id: int | None  # of a person
    key: str | None = Field(alias="lasKey")  # of a group, or of a person who is there
    value: dict[str, Any] | None = Field(alias="waarde")


class WireFeed(WireModel):
    """`meer`: there is more to read at once. Keep `cursor` only after the changes were taken over."""

    changes: list[WireChange] = Field(alias="wijzigingen")
    cursor: str
    more: bool = Field(alias="meer")
