"""The HTML of Lesmateriaal, of the reasons behind it, and of what a pupil sees."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.basispoort_hub.frame import render_page
from services.basispoort_hub.materials import OF_PUPIL, read_material, tiles_of, words_for
from services.basispoort_hub.places import read_managed_place, read_place, read_schools, read_user_name
from services.basispoort_hub.pupil_list import read_pupil, read_pupils
from services.basispoort_hub.rules.tiles import Viewer
from services.basispoort_hub.sign_in import CurrentAccount
from shared.browser import Pages, see_other
from shared.database import ReadDb
from shared.wire.base import RowId

router = APIRouter(include_in_schema=False)


@router.get("/lesmateriaal")
def show_choice_of_school(request: Request, _account: CurrentAccount, db: ReadDb) -> Response:
    """Who works at several schools chooses first; everybody else goes straight on."""
    schools = read_schools(request, db)
    if len(schools) == 1:
        return see_other(f"/scholen/{schools[0][0]}/lesmateriaal")
    pages: Pages = request.app.state.pages
    return pages.render(request, "school-kiezen.html", scholen=schools, gebruiker=read_user_name(request, db))


@router.get("/scholen/{code}/lesmateriaal")
def show_material(code: str, request: Request, _account: CurrentAccount, db: ReadDb) -> Response:
    """The tiles of the signed-in person at this school."""
    place = read_place(request, db, code)
    material = read_material(db, place.school_id, place.viewer, place.person_ids, words_for(place.viewer))
    return render_page(request, "lesmateriaal.html", place, "Lesmateriaal", tegels=tiles_of(material))


@router.get("/scholen/{code}/lesmateriaal/waarom")
def show_reasons(code: str, request: Request, _account: CurrentAccount, db: ReadDb) -> Response:
    """*Waarom zie ik dit (niet)?*, per publisher and per application."""
    place = read_place(request, db, code)
    material = read_material(db, place.school_id, place.viewer, place.person_ids, words_for(place.viewer))
    return render_page(request, "waarom.html", place, "Lesmateriaal", uitgeverijen=material, leerling=None, tegels=[])


@router.get("/scholen/{code}/leerlingen")
def show_pupils(
    code: str,
    request: Request,
    _account: CurrentAccount,
    db: ReadDb,
    sought: Annotated[str, Query(alias="zoek", max_length=100)] = "",
) -> Response:
    """The pupils as publishers with consent see them."""
    place = read_managed_place(request, db, code)
    pupils = read_pupils(db, place.school_id)
    found = [pupil for pupil in pupils if sought.casefold() in pupil.name.casefold()]
    return render_page(request, "leerlingen.html", place, "Leerlingen", leerlingen=found, zoek=sought)


@router.get("/scholen/{code}/leerlingen/{person_id}")
def show_material_of_pupil(
    code: str, person_id: RowId, request: Request, _account: CurrentAccount, db: ReadDb
) -> Response:
    """*Wat ziet deze leerling?*, for the coordinator."""
    place = read_managed_place(request, db, code)
    pupil = read_pupil(db, place.school_id, person_id)
    material = read_material(db, place.school_id, Viewer(is_staff=False), [pupil.id], OF_PUPIL)
    return render_page(
        request, "waarom.html", place, "Leerlingen", uitgeverijen=material, leerling=pupil, tegels=tiles_of(material)
    )
