"""Hub to publishers: school, groups, pupils, staff, permission, in the shape of the real Basispoort REST interface.

Paths, names, types and nulls are kept to the letter, oddities included; nothing is left out because it is null.
"""

from datetime import date, datetime

from pydantic import Field

from shared.roster import Role
from shared.wire.base import WireModel


class ResultMetadata(WireModel):
    mutation_timestamp: datetime = Field(alias="mutationTimestamp")
    generation_timestamp: datetime = Field(alias="generationTimestamp")


class RestGroup(WireModel):
    key: str | None = Field(alias="lasKey")
    name: str | None = Field(alias="naam")
    year: str | None = Field(alias="jaargroep")
    description: str | None = Field(alias="omschrijving")


class PersonalData(WireModel):
    last_name: str | None = Field(alias="achternaam")
    first_name: str | None = Field(alias="voornaam")
    prefix: str | None = Field(alias="voorvoegsel")
    initials: str | None = Field(alias="voorletters")


class RestPupil(WireModel):
    id: int
    eck_id: str | None = Field(alias="eckid")
    key: str | None = Field(alias="lasKey")
    personal_data: PersonalData = Field(alias="persoonsgegevens")
    year: str | None = Field(alias="jaargroep")
    home_group: str | None = Field(alias="groep")
    composite_groups: list[str] = Field(alias="subgroepen")


class RestStaffMember(WireModel):
    id: int
    eck_id: str | None = Field(alias="eckid")
    key: str | None = Field(alias="lasKey")
    personal_data: PersonalData = Field(alias="persoonsgegevens")
    email: str | None = Field(alias="emailadres")
    ends_on: date | None = Field(alias="einddatum")
    roles: list[Role] = Field(alias="rollen")
    home_groups: list[str] = Field(alias="groepen")
    composite_groups: list[str] = Field(alias="subgroepen")


class InstitutionGroups(WireModel):
    groups: list[RestGroup] = Field(alias="groepen")
    composite_groups: list[RestGroup] = Field(alias="subgroepen")
    result: ResultMetadata = Field(alias="metaResult")


class InstitutionPupils(WireModel):
    pupils: list[RestPupil] = Field(alias="leerlingen")
    result: ResultMetadata = Field(alias="metaResult")


class InstitutionStaff(WireModel):
    staff: list[RestStaffMember] = Field(alias="medewerkers")
    result: ResultMetadata = Field(alias="metaResult")


class InstitutionOverview(WireModel):
    groups: list[RestGroup] = Field(alias="groepen")
    composite_groups: list[RestGroup] = Field(alias="subgroepen")
    pupils: list[RestPupil] = Field(alias="leerlingen")
    staff: list[RestStaffMember] = Field(alias="medewerkers")
    is_active: bool = Field(alias="actief")
    merged_into: int | None = Field(alias="gefuseerdNaar")
    result: ResultMetadata = Field(alias="metaResult")


class InstitutionDetails(WireModel):
    """`brincode` is without the branch here, which stands in `dependancecode`."""

    name: str | None = Field(alias="naam")
    street: str | None = Field(alias="straat")
    house_number: str | None = Field(alias="huisnummer")
    house_number_addition: str | None = Field(alias="huisnummertoevoeging")
    postal_code: str | None = Field(alias="postcode")
    town: str | None = Field(alias="woonplaats")
    brin: str | None = Field(alias="brincode")
    branch: str | None = Field(alias="dependancecode")
    school_key: str | None = Field(alias="schoolkey")
    ref: str | None = Field(alias="instellingRef")
    board_code: str | None = Field(alias="bestuurscode")
    is_active: bool = Field(alias="actief")
    merged_into: int | None = Field(alias="gefuseerdNaar")
    result: ResultMetadata = Field(alias="metaResult")


class InstitutionSearchResult(WireModel):
    """Oddities of the real interface kept: brincode with branch, a capital T in huisnummerToevoeging."""

    id: int
    name: str = Field(alias="naam")
    is_active: bool = Field(alias="actief")
    brin: str | None = Field(alias="brincode")
    street: str | None = Field(alias="straat")
    house_number: str | None = Field(alias="huisnummer")
    house_number_addition: str | None = Field(alias="huisnummerToevoeging")
    postal_code: str | None = Field(alias="postcode")
    town: str | None = Field(alias="woonplaats")
    phone_area: str | None = Field(alias="telefoonNet")
    phone_subscriber: str | None = Field(alias="telefoonAbon")
    email: str | None = Field(alias="emailadres")
    board_code: str | None = Field(alias="bestuurscode")


class SynchronizationPermission(WireModel):
    has_permission: bool = Field(alias="hasSynchronizationPermission")
