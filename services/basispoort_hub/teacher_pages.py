"""The HTML of Leerkrachten: the accounts with their links, the coordinators, and who may read the list."""

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response

from services.basispoort_hub.frame import render_page
from services.basispoort_hub.places import read_managed_place
from services.basispoort_hub.sign_in import CurrentAccount
from services.basispoort_hub.staff_list import save_readable
from services.basispoort_hub.teachers import read_staff_picture, save_link_again
from shared.browser import see_other
from shared.database import Db, ReadDb
from shared.wire.base import RowId

router = APIRouter(prefix="/scholen/{code}/leerkrachten", include_in_schema=False)


@router.get("")
def show_teachers(code: str, request: Request, _account: CurrentAccount, db: ReadDb) -> Response:
    place = read_managed_place(request, db, code)
    picture = read_staff_picture(db, place.school_id, request.app.state.links)
    return render_page(request, "leerkrachten.html", place, "Leerkrachten", personeel=picture)


@router.post("/{person_id}/activatielink")
def submit_link_again(code: str, person_id: RowId, request: Request, _account: CurrentAccount, db: Db) -> Response:
    """The button beside an invitation."""
    save_link_again(request, db, code, person_id)
    return _back(code, "link-verstuurd")


@router.post("/lijst")
def submit_readable(
    code: str,
    request: Request,
    _account: CurrentAccount,
    db: Db,
    form: Annotated[Literal["lijst"], Form(alias="formulier")],  # noqa: ARG001  # an empty body switches nothing off
    ticked: Annotated[Literal["ja", ""], Form(alias="leesbaar")] = "",
) -> Response:
    """The slider *EDUscope mag onze leerkrachtenlijst lezen*."""
    save_readable(request, db, code, is_readable=ticked == "ja")
    return _back(code, "lijst-open" if ticked == "ja" else "lijst-dicht")


def _back(code: str, message: str) -> Response:
    return see_other(f"/scholen/{quote(code)}/leerkrachten?melding={message}")
