"""The HTML of Beheer: the connection, the sliders of the publishers, which data, withdrawing, telling the helpdesk."""

from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Path, Query, Request, Response

from services.basispoort_hub.frame import render_page
from services.basispoort_hub.management import ListedPublisher, read_management, save_sliders
from services.basispoort_hub.permissions import save_connection
from services.basispoort_hub.places import Place, read_managed_place
from services.basispoort_hub.shared_data import shared_fields
from services.basispoort_hub.sign_in import CurrentAccount, read_coordinator
from shared.browser import see_other
from shared.clock import now as present
from shared.database import Db, ReadDb
from shared.problems import NotFound
from shared.wire.base import Text
from shared.wire.rosters import ADMINISTRATION

router = APIRouter(prefix="/scholen/{code}/beheer", include_in_schema=False)
PublisherCode = Annotated[Text, Path(alias="uitgever")]
Codes = Annotated[list[Text], Form(max_length=1000)]


@router.get("")
def show_management(code: str, request: Request, _account: CurrentAccount, db: ReadDb) -> Response:
    place = read_managed_place(request, db, code)
    return render_page(
        request,
        "beheer.html",
        place,
        "Beheer",
        beheer=read_management(db, place.school_id),
        administraties=[(ADMINISTRATION, ADMINISTRATION)],
    )


@router.post("/koppeling")
def submit_connection(
    code: str,
    request: Request,
    _account: CurrentAccount,
    db: Db,
    administration: Annotated[Text, Form(alias="administratie")],
    ticked: Annotated[Literal["ja", ""], Form(alias="automatisch")] = "",
) -> Response:
    """The tick box *Automatische koppeling gebruiken*."""
    school = read_coordinator(request, db, code, lock=True).school
    save_connection(school, administration, is_on=ticked == "ja")
    return _back(school.code, "koppeling-aan" if ticked == "ja" else "koppeling-uit")


@router.post("/uitgeverijen")
def submit_consents(
    code: str,
    request: Request,
    _account: CurrentAccount,
    db: Db,
    ticked: Annotated[Codes, Form(alias="uitgeverij")] = [],  # noqa: B006  # FastAPI copies it
    was_on: Annotated[Codes, Form(alias="stond-aan")] = [],  # noqa: B006
) -> Response:
    """What was switched on counts at once; what was switched off is asked about first.

    Only sliders that the reader moved count: what a colleague switched meanwhile stays as it is.
    """
    coordinator = read_coordinator(request, db, code, lock=True)
    given, withdrawn = set(ticked) - set(was_on), set(was_on) - set(ticked)
    save_sliders(db, coordinator.school.id, coordinator.account_id, given, given=True, now=present())
    base = f"/scholen/{quote(coordinator.school.code)}/beheer"
    if withdrawn:
        return see_other(f"{base}/intrekken?" + urlencode([("uitgeverij", each) for each in sorted(withdrawn)]))
    if len(given) == 1:
        return see_other(f"{base}/uitgeverijen/{quote(given.pop(), safe='')}/melden")
    return see_other(f"{base}?melding={'toestemmingen' if given else 'ongewijzigd'}")


@router.get("/intrekken")
def show_withdrawal(
    code: str,
    request: Request,
    _account: CurrentAccount,
    db: ReadDb,
    codes: Annotated[list[Text], Query(alias="uitgeverij", max_length=1000)] = [],  # noqa: B006
) -> Response:
    """Names the publishers and what follows, and asks."""
    place = read_managed_place(request, db, code)
    asked = [each for each in read_management(db, place.school_id).publishers if each.code in codes and each.given_at]
    if not asked:
        raise NotFound
    return render_page(request, "intrekken.html", place, "Beheer", uitgeverijen=asked)


@router.post("/intrekken")
def submit_withdrawal(
    code: str,
    request: Request,
    _account: CurrentAccount,
    db: Db,
    codes: Annotated[Codes, Form(alias="uitgeverij")],
) -> Response:
    """The publisher's next call is refused."""
    coordinator = read_coordinator(request, db, code, lock=True)
    save_sliders(db, coordinator.school.id, coordinator.account_id, codes, given=False, now=present())
    return _back(coordinator.school.code, "ingetrokken")


@router.post("/uitgeverijen/{uitgever}/antwoord")
def submit_answer(
    code: str,
    publisher_code: PublisherCode,
    request: Request,
    _account: CurrentAccount,
    db: Db,
    answer: Annotated[Literal["ja", "nee"], Form(alias="antwoord")],
) -> Response:
    """The buttons under a publisher's request."""
    coordinator = read_coordinator(request, db, code, lock=True)
    given = answer == "ja"
    save_sliders(db, coordinator.school.id, coordinator.account_id, [publisher_code], given=given, now=present())
    if not given:
        return _back(coordinator.school.code, "geweigerd")
    base = f"/scholen/{quote(coordinator.school.code)}/beheer"
    return see_other(f"{base}/uitgeverijen/{quote(publisher_code, safe='')}/melden")


@router.get("/uitgeverijen/{uitgever}/gegevens")
def show_shared_data(
    code: str, publisher_code: PublisherCode, request: Request, _account: CurrentAccount, db: ReadDb
) -> Response:
    """*Welke gegevens?*: exactly the fields."""
    place, publisher = _read_publisher(request, db, code, publisher_code)
    return render_page(request, "gegevens.html", place, "Beheer", uitgeverij=publisher, velden=shared_fields())


@router.get("/uitgeverijen/{uitgever}/melden")
def show_report(
    code: str, publisher_code: PublisherCode, request: Request, _account: CurrentAccount, db: ReadDb
) -> Response:
    """*Meld de activatie bij de helpdesk*, with what can be filled in filled in."""
    place, publisher = _read_publisher(request, db, code, publisher_code)
    if publisher.given_at is None:
        raise NotFound
    lines = [
        f"Naam van de instelling: {place.name}",
        f"Basispoort-instellingsnummer: {place.school_id}",
        "Apps die gekoppeld moeten worden, met per app het e-mailadres of de gebruikersnaam van de beheerder:",
        *[f"- {app}: " for app in publisher.apps or ["(vul de naam van de app in)"]],
    ]
    subject = {"subject": "Activatie van de Basispoort-koppeling", "body": "\r\n".join(lines)}
    return render_page(
        request,
        "melden.html",
        place,
        "Beheer",
        uitgeverij=publisher,
        bericht="\n".join(lines),
        mailadres=f"mailto:{publisher.helpdesk}?{urlencode(subject, quote_via=quote)}" if publisher.helpdesk else "",
    )


def _read_publisher(request: Request, db: ReadDb, code: str, publisher_code: str) -> tuple[Place, ListedPublisher]:
    place = read_managed_place(request, db, code)
    return place, read_management(db, place.school_id).publisher(publisher_code)


def _back(code: str, message: str) -> Response:
    return see_other(f"/scholen/{quote(code)}/beheer?melding={message}")
