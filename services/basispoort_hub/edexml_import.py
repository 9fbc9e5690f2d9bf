"""A hand-made EDEXML file in, as before an administration was connected: adds and changes, never removes."""

import io
import uuid
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from sqlalchemy import Engine

from services.basispoort_hub.intake import ConnectionOn, take_by_hand, waits_for
from services.basispoort_hub.rosters import Layer, read_roster
from services.basispoort_hub.rules.file_keys import with_real_keys
from services.basispoort_hub.sign_in import CurrentAccount, read_coordinated_school
from shared.bodies import MEGABYTE
from shared.clock import local_date
from shared.clock import now as present
from shared.database import reading, writing
from shared.edexml import EdexmlFile
from shared.edexml_read import read_edexml
from shared.identifiers import SchoolCode
from shared.problems import Problem
from shared.roster import Roster
from shared.wire.base import WireModel
from shared.wire.rosters import WireReceipt

router = APIRouter(prefix="/api/v1/scholen/{code}", tags=["edexml"])

LIMIT = 50 * MEGABYTE


class OtherSchool(Problem):
    status, slug, title = 409, "other-school", "The file is of another school"
    uitleg = "Dit bestand is van een andere school. Er is niets gewijzigd."


class WireNotice(WireModel):
    sentence: str = Field(alias="melding")
    count: int = Field(alias="aantal")


class WireImport(WireModel):
    """What became of a file: what changed, and what a person should know about it."""

    receipt: WireReceipt = Field(alias="ontvangst")
    notices: list[WireNotice] = Field(alias="meldingen")


async def _raw_body(request: Request) -> bytes:
    return await request.body()


_FILE = {"type": "string", "format": "binary"}
_XML = {"requestBody": {"required": True, "content": {"application/xml": {"schema": _FILE}}}}


@router.post("/edexml", openapi_extra=_XML)
def submit_edexml(
    code: str, request: Request, _account: CurrentAccount, body: Annotated[bytes, Depends(_raw_body)]
) -> WireImport:
    """Take in a file.

    1. May this be done at all? Said before a large file is read.
    2. Read the file, outside a transaction.
    3. One transaction: the same checks again, and the same intake as a roster from an administration.
    """
    engine: Engine = request.app.state.engine
    with reading(engine) as db:
        school = read_coordinated_school(request, db, code)
        own_code = school.code
        if waits_for(school) is None:
            raise ConnectionOn
    file = read_edexml(io.BytesIO(body), limit_bytes=LIMIT)
    if file.school.school_code not in {None, SchoolCode.parse(own_code)}:
        raise OtherSchool
    now = present()
    with writing(engine) as db:
        school = read_coordinated_school(request, db, code, lock=True)
        roster = as_roster(file, read_roster(db, school.id, Layer.MIRROR), local_date(now))
        receipt = take_by_hand(db, school, roster, now, request.app.state.links)
    notices = [WireNotice(sentence=notice.text, count=notice.count) for notice in file.notices]
    return WireImport(receipt=receipt, notices=notices)


def as_roster(file: EdexmlFile, present_roster: Roster, today: date) -> Roster:
    """What of a file is exchanged: present pupils, and staff with a role that Basispoort knows."""
    return with_real_keys(
        file.groups,
        [each.pupil for each in file.pupils if not each.has_left(today)],
        [each.member for each in file.staff if each.member.roles],
        present_roster,
        lambda: f"hub-{uuid.uuid4()}",
    )
