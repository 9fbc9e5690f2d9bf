"""Signs coordinators and the helpdesk in and out, and says for which school somebody works."""

import math
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.app_connector.tables import AttemptRow, SchoolRow, SessionRow, UserRow, UserSchoolRow
from services.app_connector.wire import SchoolChosen, SchoolNamed
from shared.attempts import claim_attempt, forgive_attempt
from shared.browser import see_other
from shared.clock import now as present
from shared.database import Db, reading, writing
from shared.identifiers import tidy
from shared.language import say
from shared.openapi import SessionCookie
from shared.passwords import LONGEST, password_fits
from shared.problems import NotFound, NotSignedIn, Problem, TooManyAttempts
from shared.sessions import end_session, hash_cookie, read_user_id, start_session

router = APIRouter(tags=["inloggen"])

COORDINATOR, HELPDESK = "coordinator", "helpdesk"


class WrongPassword(Problem):
    status, slug, title = 401, "wrong-password", "The user name or the password is not right"
    uitleg = "De gebruikersnaam of het wachtwoord klopt niet."


class RoleMissing(Problem):
    status, slug, title = 403, "role-missing", "Somebody with another role may do this"
    uitleg = "Dit is voor iemand met een andere rol."


class SchoolNotChosen(Problem):
    status, slug, title = 409, "school-not-chosen", "Choose a school first"
    uitleg = "Je werkt voor meer dan één school. Kies eerst een school."


@dataclass(frozen=True, slots=True)
class User:
    """Who is signed in. `school_id`: the school of this session, None for the helpdesk or before one is chosen."""

    id: int
    user_name: str
    role: str
    schools: tuple[int, ...]
    school_id: int | None


@dataclass(frozen=True, slots=True)
class Coordinator:
    user_id: int
    school_id: int


def fold_user_name(typed: str) -> str:
    """User names do not mind case or spaces around them. What cannot be stored becomes the name that nobody has."""
    try:
        return tidy(typed).casefold()
    except ValueError:
        return ""


def read_user(db: Session, cookie: str | None) -> User | None:
    """Whose session this cookie is, and for which school; None for a stranger."""
    user_id = read_user_id(db, SessionRow, cookie, present())
    row = db.get(UserRow, user_id) if user_id is not None else None
    if row is None or cookie is None:
        return None
    query = select(UserSchoolRow.school_id).where(UserSchoolRow.user_id == row.id).order_by(UserSchoolRow.school_id)
    schools = tuple(db.scalars(query))
    chosen = db.scalar(select(SessionRow.school_id).where(SessionRow.id_hash == hash_cookie(cookie)))
    only = schools[0] if len(schools) == 1 else None
    return User(row.id, row.user_name, row.role, schools, chosen if chosen in schools else only)


def signed_in(request: Request, _cookie: SessionCookie) -> User:
    """The signed-in user. Raises NotSignedIn. Its own short picture of the database: nothing stays open meanwhile."""
    with reading(request.app.state.engine) as db:
        user = read_user(db, request.cookies.get(request.app.state.pages.cookie))
    if user is None:
        raise NotSignedIn
    return user


def coordinator(user: Annotated[User, Depends(signed_in)]) -> Coordinator:
    """A coordinator with a school. Raises RoleMissing, SchoolNotChosen."""
    if user.role != COORDINATOR:
        raise RoleMissing
    if user.school_id is None:
        raise SchoolNotChosen
    return Coordinator(user.id, user.school_id)


def helpdesk(user: Annotated[User, Depends(signed_in)]) -> User:
    """Somebody of the helpdesk. Raises RoleMissing."""
    if user.role != HELPDESK:
        raise RoleMissing
    return user


SignedIn = Annotated[User, Depends(signed_in)]
AsCoordinator = Annotated[Coordinator, Depends(coordinator)]
AsHelpdesk = Annotated[User, Depends(helpdesk)]


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
    """1. Count the attempt. 2. Look at the password, without a transaction. 3. Forgive the attempt, start a session."""
    engine, pages = request.app.state.engine, request.app.state.pages
    user_name, network = fold_user_name(typed), network_of(request)
    with writing(engine) as db:
        wait = claim_attempt(db, AttemptRow, user_name, network, present())
        row = db.scalar(select(UserRow).where(UserRow.user_name == user_name))
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
            end_session(db, SessionRow, old, present())
        cookie = start_session(db, SessionRow, row.id, present())
    response = see_other("/")
    pages.set_session(response, cookie)
    return response


def network_of(request: Request) -> str:
    return request.client.host if request.client else ""


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
        end_session(db, SessionRow, cookie, present())
    response = see_other("/inloggen")
    pages.clear_session(response)
    return response


@router.put("/api/v1/school")
def choose_school(body: SchoolChosen, user: SignedIn, request: Request, db: Db) -> SchoolNamed:
    """The school this session works for from now on; one of the coordinator's own, or NotFound."""
    if body.school_id not in user.schools:
        raise NotFound
    school = db.get(SchoolRow, body.school_id)
    if school is None:
        raise NotFound
    cookie = request.cookies.get(request.app.state.pages.cookie) or ""
    db.execute(update(SessionRow).where(SessionRow.id_hash == hash_cookie(cookie)).values(school_id=school.id))
    return SchoolNamed(school_id=school.id, name=school.name)
