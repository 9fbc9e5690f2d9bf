"""Signs administrators in and out: one answer for unknown and wrong, growing pauses, a session as a row."""

import math
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import select

from services.eduscope_api.administrators import fold_user_name
from services.eduscope_api.tables import AdministratorRow, AttemptRow, SessionRow
from shared.attempts import claim_attempt, forgive_attempt
from shared.browser import see_other
from shared.clock import now
from shared.database import Db, writing
from shared.language import say
from shared.passwords import LONGEST, password_fits
from shared.problems import Problem, TooManyAttempts
from shared.sessions import end_session, start_session

router = APIRouter(tags=["inloggen"])


class WrongPassword(Problem):
    status, slug, title = 401, "wrong-password", "The user name or the password is not right"
    uitleg = "De gebruikersnaam of het wachtwoord klopt niet."


@router.get("/inloggen", include_in_schema=False)
def show_sign_in(request: Request) -> Response:
    response: Response = request.app.state.pages.render(request, "inloggen.html")
    return response


@router.post("/inloggen", status_code=303)
def submit_sign_in(
    request: Request,
    typed: Annotated[str, Form(alias="gebruiker", max_length=320)],
    password: Annotated[str, Form(alias="wachtwoord", max_length=1000)],
) -> Response:
    """Sign in with the form; the answer sets the cookie of the session.

    1. Count the attempt. 2. Look at the password, outside a transaction. 3. Forgive the attempt, start a session.
    """
    engine, pages = request.app.state.engine, request.app.state.pages
    user_name = fold_user_name(typed)
    network = request.client.host if request.client else ""
    with writing(engine) as db:
        wait = claim_attempt(db, AttemptRow, user_name, network, now())
        row = db.scalar(select(AdministratorRow).where(AdministratorRow.user_name == user_name))
    if wait is not None:
        problem = TooManyAttempts(headers={"Retry-After": str(math.ceil(wait.total_seconds()))})
        return _refuse(request, problem, typed)
    hashed = row.password_hash if row is not None and len(password) <= LONGEST else None
    if not password_fits(hashed, password[:LONGEST]) or row is None:
        return _refuse(request, WrongPassword(), typed)
    with writing(engine) as db:
        forgive_attempt(db, AttemptRow, user_name, network)
        old = request.cookies.get(pages.cookie)
        if old:
            end_session(db, SessionRow, old, now())
        cookie = start_session(db, SessionRow, row.id, now())
    response = see_other("/")
    pages.set_session(response, cookie)
    return response


def _refuse(request: Request, problem: Problem, typed: str) -> Response:
    pages = request.app.state.pages
    if not pages.wants_page(request):
        raise problem
    page: Response = pages.render(
        request, "inloggen.html", status_code=problem.status, fout=say(problem.uitleg), ingevuld=typed
    )
    page.headers.update(problem.headers)
    return page


@router.post("/uitloggen", status_code=303)
def submit_sign_out(request: Request, db: Db) -> Response:
    """End the session of this cookie, if there is one."""
    pages = request.app.state.pages
    cookie = request.cookies.get(pages.cookie)
    if cookie:
        end_session(db, SessionRow, cookie, now())
    response = see_other("/inloggen")
    pages.clear_session(response)
    return response
