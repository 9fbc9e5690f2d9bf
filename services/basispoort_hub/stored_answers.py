"""The answers about one institution that are served as they are stored: /rest/v2/instellingen/{id} and its parts.

Publishers ask these for whole countries of schools, so that what happens for each request is as little as possible.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field

from services.basispoort_hub.fast_reads import Reader, wanted_of
from services.basispoort_hub.publisher_callers import PROVEN
from shared.wire.schools import (
    InstitutionDetails,
    InstitutionGroups,
    InstitutionOverview,
    InstitutionPupils,
    InstitutionStaff,
)

LONGEST_TAGS = 2000
SAFE_DIGITS = 18  # of a number that certainly fits in 64 bits
CONDITIONAL: dict[int | str, dict[str, Any]] = {304: {"description": "Not Modified"}}
InstitutionId = Annotated[int, Field(ge=1, lt=2**63)]
IfNoneMatch = Annotated[str | None, Header(max_length=LONGEST_TAGS)]


class StoredAnswer(APIRoute):
    """Reads an ordinary request itself: a number and a header. The framework reads, and refuses, what is not ordinary.

    For endpoints that take an institution's number, the request, and the value of If-None-Match.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint, by_framework = self.endpoint, super().get_route_handler()

        async def handle(request: Request) -> Response:
            number, tags = request.path_params["institution_id"], request.headers.get("if-none-match")
            if not is_ordinary(number) or (tags is not None and len(tags) > LONGEST_TAGS):
                return await by_framework(request)
            answer: Response = await endpoint(int(number), request, tags)
            return answer

        return handle


def is_ordinary(number: str) -> bool:
    """Is it a number of an institution, beyond doubt?"""
    return number.isascii() and number.isdigit() and len(number) <= SAFE_DIGITS and number[0] != "0"


router = APIRouter(prefix="/rest/v2", tags=["uitgevers"], route_class=StoredAnswer, responses=CONDITIONAL)


@router.head("/instellingen/{institution_id}", include_in_schema=False)
@router.get("/instellingen/{institution_id}", response_model=InstitutionOverview, openapi_extra=PROVEN)
async def show_institution(
    institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None
) -> Response:
    """Everything of one institution in one answer, with an ETag; 304 when the caller has it already."""
    return await _serve(request, institution_id, "alles", if_none_match)


@router.head("/instellingen/{institution_id}/details", include_in_schema=False)
@router.get("/instellingen/{institution_id}/details", response_model=InstitutionDetails, openapi_extra=PROVEN)
async def show_details(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Name, BRIN and branch; what the hub does not know is null."""
    return await _serve(request, institution_id, "details", if_none_match)


@router.head("/instellingen/{institution_id}/groepen", include_in_schema=False)
@router.get("/instellingen/{institution_id}/groepen", response_model=InstitutionGroups, openapi_extra=PROVEN)
async def show_groups(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Home groups and composite groups."""
    return await _serve(request, institution_id, "groepen", if_none_match)


@router.head("/instellingen/{institution_id}/leerlingen", include_in_schema=False)
@router.get("/instellingen/{institution_id}/leerlingen", response_model=InstitutionPupils, openapi_extra=PROVEN)
async def show_pupils(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Every pupil, with the group and the year."""
    return await _serve(request, institution_id, "leerlingen", if_none_match)


@router.head("/instellingen/{institution_id}/staf", include_in_schema=False)
@router.get("/instellingen/{institution_id}/staf", response_model=InstitutionStaff, openapi_extra=PROVEN)
async def show_staff(institution_id: InstitutionId, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Every member of staff, the coordinators outside the roster too."""
    return await _serve(request, institution_id, "staf", if_none_match)


async def _serve(request: Request, institution_id: int, part: str, if_none_match: str | None) -> Response:
    reader: Reader = request.app.state.reader
    return await reader.serve(request, wanted_of(request, institution_id, part, if_none_match))
