"""The HTML of API keys: make one, see it once, revoke it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import ValidationError

from services.eduscope_api.admin_pages import render_page
from services.eduscope_api.administrators import AllowedSchool, LockedSchool, OwnSchool, calling
from services.eduscope_api.api_keys import TooManyKeys, WireMadeKey, WireNewKey, read_keys, revoke_key, save_new_key
from services.eduscope_api.page_words import say_all
from services.eduscope_api.rosters import lock_school
from services.eduscope_api.rules.scopes import SCOPES
from shared.browser import see_other
from shared.clock import now
from shared.database import Db, reading, writing
from shared.forms import FORM, Faults, form_faults, typed
from shared.language import mark, say
from shared.wire.base import RowId

router = APIRouter(prefix="/scholen/{code}/inrichten/sleutels", include_in_schema=False)

NOTICES = {"ingetrokken": mark("De sleutel is ingetrokken. Wie hem nog gebruikt, komt er niet meer in.")}
SENTENCES = {
    "naam": mark("Vul in waarvoor de sleutel is, met ten hoogste 256 tekens."),
    "bevoegdheden": mark("Kies ten minste één bevoegdheid."),
}


@router.get("")
def show_keys(request: Request, own: AllowedSchool) -> Response:
    """The school's keys, and the form for a new one."""
    return _render(request, own)


@router.post("")
def submit_key(
    request: Request,
    own: AllowedSchool,
    name: Annotated[str, Form(alias="naam", max_length=1000)] = "",
    scopes: Annotated[list[str] | None, Form(alias="bevoegdheden", max_length=100)] = None,
) -> Response:
    """Make a key. The answer shows it: after a redirect nobody could, since only its hash is kept."""
    chosen = scopes or []
    try:
        body = WireNewKey.model_validate({**typed(naam=name), "bevoegdheden": chosen})
        with writing(request.app.state.engine) as db:
            lock_school(db, own.id)
            made = save_new_key(db, own.id, body, calling(request), now())
    except ValidationError as error:
        return _render(request, own, form_faults(error, say_all(SENTENCES)), name, chosen)
    except TooManyKeys as problem:
        return _render(request, own, [(FORM, say(problem.uitleg))], name, chosen)
    return _render(request, own, made=made)


@router.post("/{key_id}/intrekken")
def submit_revocation(key_id: RowId, school: LockedSchool, db: Db) -> Response:
    """Revoke a key; it counts at once."""
    revoke_key(db, school.id, key_id, now())
    return see_other(f"/scholen/{school.code}/inrichten/sleutels?melding=ingetrokken")


def _render(
    request: Request,
    own: OwnSchool,
    faults: Faults = (),
    name: str = "",
    chosen: list[str] | None = None,
    made: WireMadeKey | None = None,
) -> Response:
    with reading(request.app.state.engine) as db:
        keys = read_keys(db, own.id)
    return render_page(
        request,
        "sleutels.html",
        own,
        menu="inrichten",
        crumbs=[(say("Inrichten"), f"/scholen/{own.code}/inrichten"), (say("API-sleutels"), "")],
        status_code=422 if faults else 200,
        notices=NOTICES,
        sleutels=keys,
        bevoegdheden=say_all(SCOPES),
        fouten=faults,
        naam=name,
        gekozen=chosen or [],
        nieuw=made,
    )
