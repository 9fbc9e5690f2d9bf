"""Publishers to hub: methods, products and who may use them, in the shape of the real Basispoort REST interface.

Every key is answered, with null for what is unset; `iconUrl` and `icon` come back byte for byte.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from shared.identifiers import tidy
from shared.wire.base import Text, WholeId, WireModel, readable, shown_as

MOST_USERS = 50_000  # in one list by id: what is written within a second; more come with addlist
MOST_PAIRS = 50_000  # in one list by ECK iD
MOST_APPLICATIONS = 1_000  # methods, and products, in one bulk request
LONGEST_ICON = 140_000


def _id(text: str) -> str:
    if "/" in text or text in {".", ".."}:
        raise ValueError("een id bevat geen schuine streep")
    return text


def _storable(text: str) -> str:
    tidy(text)
    return text


_STORABLE = r"^[^\u0000]*$"

ApplicationId = Annotated[
    Text, AfterValidator(_id), shown_as(rf"^(?!\s*\.{{1,2}}\s*$){readable(but='/')[1:]}", 256, examples=["rekenen-5"])
]
Address = Annotated[str, StringConstraints(strict=True, max_length=2000, pattern=_STORABLE), AfterValidator(_storable)]
Icon = Annotated[
    str, StringConstraints(strict=True, max_length=LONGEST_ICON, pattern=_STORABLE), AfterValidator(_storable)
]
Tag = Literal["leerkrachtApplicatie", "toetsApplicatie"]
EckId = Annotated[
    str,
    StringConstraints(strict=True, max_length=1000, pattern=_STORABLE),
    AfterValidator(tidy),
    Field(examples=["https://ketenid.nl/pilot/8f3b2a"]),
]


class MethodDetails(WireModel):
    """An application: a tile in Lesmateriaal. `id` is chosen by the publisher."""

    id: ApplicationId
    code: Text | None = None
    name: Text = Field(alias="naam")
    icon: Icon | None = None
    icon_url: Address | None = Field(None, alias="iconUrl")
    url: Address | None = None
    tags: list[Tag] = Field(max_length=10)


class ProductDetails(WireModel):
    """A child application of one method; unlike a method it always has an address."""

    id: ApplicationId
    code: Text | None = None
    name: Text = Field(alias="naam")
    icon: Icon | None = None
    icon_url: Address | None = Field(None, alias="iconUrl")
    url: Address
    tags: list[Tag] = Field(max_length=10)


class Methods(WireModel):
    methods: list[MethodDetails] = Field(alias="methodes")


class Products(WireModel):
    products: list[ProductDetails] = Field(alias="producten")


class Users(WireModel):
    """A set of users by id: in any order on the way in, ascending on the way out."""

    users: list[WholeId] = Field(alias="gebruikers", max_length=MOST_USERS)


class EckUser(WireModel):
    school_id: WholeId = Field(alias="instellingId")
    eck_id: EckId = Field(alias="eckId")


class EckUsers(WireModel):
    """The same set, by school and ECK iD."""

    users: list[EckUser] = Field(alias="gebruikers", max_length=MOST_PAIRS)


class BulkRequest(WireModel):
    """Every listed user, for every listed method and product (product ids are unique within a lika)."""

    methods: list[Text] = Field(alias="methodes", max_length=MOST_APPLICATIONS)
    products: list[Text] = Field(alias="producten", max_length=MOST_APPLICATIONS)
    users: list[WholeId] = Field(alias="gebruikers", max_length=MOST_USERS)
    eck_users: list[EckUser] = Field(alias="gebruikerEckIds", max_length=MOST_PAIRS)
