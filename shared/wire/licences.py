"""Publishers to hub: methods, products and who may use them, in the shape of the real Basispoort REST interface.

Every key is answered, with null for what is unset; `naam`, `code`, `iconUrl` and `icon` come back byte for byte. As at
the real interface a field that nobody knows is passed over, and lists are as long as a body can be.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from shared.identifiers import tidy
from shared.wire.base import Text, WholeId, WireModel, readable, readable_as_sent, shown_as

LONGEST_NAME = 2000
LONGEST_ICON = 140_000


class LikaModel(WireModel):
    """A body of hosted-lika."""

    model_config = ConfigDict(extra="ignore")


def _id(text: str) -> str:
    if "/" in text or text in {".", ".."}:
        raise ValueError("een id bevat geen schuine streep")
    return text


def _storable(text: str) -> str:
    tidy(text)
    return text


def _unset(value: object) -> object:
    """Some clients write "" for what is not there. It is answered as null: an empty address breaks who reads it."""
    return None if value == "" else value


_UNSET = BeforeValidator(_unset)


_STORABLE = r"^[^\u0000]*$"

ApplicationId = Annotated[
    Text, AfterValidator(_id), shown_as(rf"^(?!\s*\.{{1,2}}\s*$){readable(but='/')[1:]}", 256, examples=["rekenen-5"])
]
Name = Annotated[
    str,
    StringConstraints(strict=True, max_length=LONGEST_NAME),
    AfterValidator(readable_as_sent),
    shown_as(readable(), LONGEST_NAME, examples=["Rekenen 5"]),
]
Label = Annotated[  # which may be empty, and is then null
    str,
    StringConstraints(strict=True, max_length=LONGEST_NAME),
    AfterValidator(readable_as_sent),
    shown_as(rf"^$|{readable()}", LONGEST_NAME, minLength=0, examples=["R5"]),
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


class MethodDetails(LikaModel):
    """An application: a tile in Lesmateriaal. `id` is chosen by the publisher."""

    id: ApplicationId
    code: Annotated[Label | None, _UNSET] = None
    name: Name = Field(alias="naam")
    icon: Annotated[Icon | None, _UNSET] = None
    icon_url: Annotated[Address | None, _UNSET] = Field(None, alias="iconUrl")
    url: Annotated[Address | None, _UNSET] = None
    tags: list[Tag] = Field(max_length=10)


class ProductDetails(LikaModel):
    """A child application of one method; unlike a method it always has an address."""

    id: ApplicationId
    code: Annotated[Label | None, _UNSET] = None
    name: Name = Field(alias="naam")
    icon: Annotated[Icon | None, _UNSET] = None
    icon_url: Annotated[Address | None, _UNSET] = Field(None, alias="iconUrl")
    url: Address
    tags: list[Tag] = Field(max_length=10)


class Methods(LikaModel):
    methods: list[MethodDetails] = Field(alias="methodes")


class Products(LikaModel):
    products: list[ProductDetails] = Field(alias="producten")


class Users(LikaModel):
    """A set of users by id: in any order on the way in, ascending on the way out."""

    users: list[WholeId] = Field(alias="gebruikers")


class EckUser(LikaModel):
    school_id: WholeId = Field(alias="instellingId")
    eck_id: EckId = Field(alias="eckId")


class EckUsers(LikaModel):
    """The same set, by school and ECK iD."""

    users: list[EckUser] = Field(alias="gebruikers")


class BulkRequest(LikaModel):
    """Every listed user, for every listed method and product (product ids are unique within a lika)."""

    methods: list[Text] = Field(alias="methodes")
    products: list[Text] = Field(alias="producten")
    users: list[WholeId] = Field(alias="gebruikers")
    eck_users: list[EckUser] = Field(alias="gebruikerEckIds")
