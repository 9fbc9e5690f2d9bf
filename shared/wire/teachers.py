"""Hub to EDUscope: the accounts and staff of one school, to be laid beside the administration's own."""

from collections.abc import Sequence

from pydantic import Field

from shared.wire.base import Email, Key, Text, WireModel


class WireKnownMember(WireModel):
    """One member of staff, or one account made by hand (then without a key). The address is the user name.

    `account` says how things stand in Dutch, never whether the address is known at another school.
    """

    key: Key | None = Field(alias="lasKey")
    first_name: Text | None = Field(alias="roepnaam")
    prefix: Text | None = Field(alias="voorvoegsel")
    last_name: Text | None = Field(alias="achternaam")
    email: Email | None = Field(alias="emailadres")
    groups: Sequence[Text] = Field(alias="groepen")
    account: Text


class WireKnownStaff(WireModel):
    """GET leerkrachten, for an administration."""

    staff: Sequence[WireKnownMember] = Field(alias="leerkrachten")
