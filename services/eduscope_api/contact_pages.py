"""The HTML about the contact details of one member of staff: add, change, mark for Basispoort, remove."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.eduscope_api.admin_pages import render_page, submit_form
from services.eduscope_api.administrators import AllowedSchool, ReadSchool
from services.eduscope_api.contacts import (
    WireContactChange,
    WireNewContact,
    read_contacts,
    remove_contact,
    save_contact,
    save_new_contact,
)
from services.eduscope_api.history import By
from services.eduscope_api.page_words import CONTACT_KINDS, say_all
from services.eduscope_api.people import RowId
from services.eduscope_api.staff import read_member
from services.eduscope_api.staff_pages import SENTENCES, frame_of, path_of
from shared.database import Db, ReadDb
from shared.forms import Faults
from shared.problems import NotFound

router = APIRouter(prefix="/scholen/{code}/personeel/{staff_id}/contactgegevens", include_in_schema=False)

EMAIL = "e-mail"


class ContactForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, alias="versie")
    kind: str = Field(EMAIL, alias="soort")
    value: str = Field("", alias="waarde")
    for_basispoort: str = Field("", alias="voorBasispoort")

    @property
    def match(self) -> str | None:
        """The member as it was when this form was shown."""
        return f'"{self.version}"' if self.version is not None else None


@router.get("/nieuw")
def show_new_contact(
    request: Request,
    school: ReadSchool,
    db: ReadDb,
    staff_id: RowId,
    kind: Annotated[str, Query(alias="soort", max_length=20)] = EMAIL,
) -> Response:
    """After the button Toevoegen: the kind, and what it is."""
    return _render_contact(request, school, db, staff_id, None, ContactForm(soort=kind))


@router.post("/nieuw")
def submit_new_contact(
    request: Request, own: AllowedSchool, staff_id: RowId, form: Annotated[ContactForm, Form()]
) -> Response:
    def change(db: Db, by: By) -> str:
        values = {"soort": form.kind, "waarde": form.value, "voorBasispoort": bool(form.for_basispoort)}
        body = WireNewContact.model_validate(values)
        save_new_contact(db, own.id, staff_id, body, by, form.match)
        return path_of(own, staff_id, "?melding=adres#contactgegevens")

    def again(db: Db, status: int, faults: Faults, changed: Sequence[str]) -> Response:
        kept = form.model_copy(update={"version": None}) if changed else form
        return _render_contact(request, own, db, staff_id, None, kept, status, faults)

    return submit_form(request, own, change, again, _contact_sentences(form.kind))


@router.get("/{contact_id}")
def show_contact(request: Request, school: ReadSchool, db: ReadDb, staff_id: RowId, contact_id: RowId) -> Response:
    return _render_contact(request, school, db, staff_id, contact_id, None)


@router.post("/{contact_id}")
def submit_contact(
    request: Request, own: AllowedSchool, staff_id: RowId, contact_id: RowId, form: Annotated[ContactForm, Form()]
) -> Response:
    def change(db: Db, by: By) -> str:
        marked = {"voorBasispoort": True} if form.for_basispoort else {}
        body = WireContactChange.model_validate({"waarde": form.value, **marked})
        save_contact(db, own.id, staff_id, contact_id, body, by, form.match)
        return path_of(own, staff_id, "?melding=adres#contactgegevens")

    def again(db: Db, status: int, faults: Faults, changed: Sequence[str]) -> Response:
        return _render_contact(request, own, db, staff_id, contact_id, None if changed else form, status, faults)

    return submit_form(request, own, change, again, _contact_sentences(form.kind))


@router.post("/{contact_id}/verwijderen")
def submit_contact_removal(request: Request, own: AllowedSchool, staff_id: RowId, contact_id: RowId) -> Response:
    def change(db: Db, by: By) -> str:
        remove_contact(db, own.id, staff_id, contact_id, by)
        return path_of(own, staff_id, "?melding=weg#contactgegevens")

    def again(db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render_contact(request, own, db, staff_id, contact_id, None, status, faults)

    return submit_form(request, own, change, again)


def _contact_sentences(kind: str) -> Mapping[str, str]:
    return {"waarde": SENTENCES["emailadres"]} if kind == EMAIL else {}


def _render_contact(
    request: Request,
    own: Any,
    db: Db,
    staff_id: int,
    contact_id: int | None,
    form: ContactForm | None,
    status: int = 200,
    faults: Faults = (),
) -> Response:
    """The form of one contact detail; `form` is what was typed, `contact_id` which one is changed."""
    member = read_member(db, own.id, staff_id)
    contacts = read_contacts(db, own.id, staff_id)
    contact = next((each for each in contacts if each.id == contact_id), None)
    if contact_id is not None and contact is None:
        raise NotFound
    kind = contact.kind if contact is not None else form.kind if form is not None else EMAIL
    if kind not in CONTACT_KINDS:
        raise NotFound
    marked = any(each.for_basispoort for each in contacts)
    return render_page(
        request,
        "contactgegeven.html",
        own,
        status_code=status,
        **frame_of(own, member, "Basis"),
        fouten=faults,
        soort=kind,
        soorten=say_all(CONTACT_KINDS),
        contact=contact,
        versie=form.version if form is not None and form.version is not None else member.version,
        waarde=form.value if form is not None else contact.value if contact is not None else "",
        voor_basispoort=(
            bool(form.for_basispoort) if form is not None and faults else contact.for_basispoort if contact else True
        ),
        heeft_adres=marked,
    )
