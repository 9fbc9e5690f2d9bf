"""Signs people in and out, and knows whose session and whose school a request is for."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.basispoort_hub.rules.accounts import State
from services.basispoort_hub.tables import AccountRow, AttemptRow, CoordinatorRow, SchoolRow, SessionRow
from shared.attempts import claim_attempt, forgive_attempt
from shared.browser import Pages, see_other
from shared.clock import now as present
from shared.database import Db, reading, writing
from shared.identifiers import SchoolCode, parse_email
from shared.language import mark, say
from shared.openapi import SessionCookie
from shared.passwords import password_fits
from shared.problems import NotFound, NotSignedIn, Problem, TooManyAttempts
from shared.sessions import end_session, read_user_id, start_session

router = APIRouter(tags=["inloggen"])

MESSAGES = {  # what a redirect may say on the sign-in page
    "geactiveerd": mark("Uw account is actief. U kunt nu inloggen met uw e-mailadres en wachtwoord."),
    "uitgelogd": mark("U bent uitgelogd."),
}
LONGEST_TYPED = 1000  # characters; nobody's password is longer, and hashing takes time


class SignInFailed(Problem):
    status, slug, title = 401, "sign-in-failed", "The user name or the password is wrong"
    uitleg = "Het e-mailadres of het wachtwoord klopt niet."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in."""

    account_id: int


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Who is signed in, and the school (as a row of the session that read it) for which she is coordinator."""

    account_id: int
    school: SchoolRow


def read_signed_in(request: Request, db: Session) -> SignedIn:
    """Whose session this request has. Raises NotSignedIn."""
    pages: Pages = request.app.state.pages
    account_id = read_user_id(db, SessionRow, request.cookies.get(pages.cookie), present())
    if account_id is None:
        raise NotSignedIn
    return SignedIn(account_id)


def _signed_in(request: Request, _cookie: SessionCookie) -> SignedIn:
    with reading(request.app.state.engine) as db:
        return read_signed_in(request, db)


# Looks before anything else does: a stranger gets 401 whatever the rest of the request holds.
CurrentAccount = Annotated[SignedIn, Depends(_signed_in)]


def read_coordinator(request: Request, db: Session, code: str, *, lock: bool = False) -> Coordinator:
    """The signed-in coordinator and the school of this code, locked when asked.

    Raises NotSignedIn, and NotFound for a school that does not exist as for one that is somebody else's.
    """
    signed_in = read_signed_in(request, db)
    try:
        normal = str(SchoolCode.parse(code))
    except ValueError:
        raise NotFound from None
    query = (
        select(SchoolRow)
        .join(CoordinatorRow, CoordinatorRow.school_id == SchoolRow.id)
        .where(SchoolRow.code == normal, CoordinatorRow.account_id == signed_in.account_id)
    )
    school = db.scalar(query.with_for_update(of=SchoolRow) if lock else query)
    if school is None:
        raise NotFound
    return Coordinator(signed_in.account_id, school)


def read_coordinated_school(request: Request, db: Session, code: str, *, lock: bool = False) -> SchoolRow:
    """The school of this code, for its signed-in coordinator. Raises as read_coordinator."""
    return read_coordinator(request, db, code, lock=lock).school


@router.get("/inloggen", include_in_schema=False)
def show_sign_in(request: Request, message: Annotated[str, Query(alias="bericht")] = "") -> Response:
    pages: Pages = request.app.state.pages
    return pages.render(request, "inloggen.html", melding=say(MESSAGES[message]) if message in MESSAGES else "")


@router.post("/inloggen", status_code=303, response_class=Response)
def submit_sign_in(
    request: Request,
    typed: Annotated[str, Form(alias="gebruiker", max_length=LONGEST_TYPED)] = "",
    password: Annotated[str, Form(alias="wachtwoord", max_length=LONGEST_TYPED)] = "",
) -> Response:
    """Start a session; the cookie comes with the answer.

    1. Count the attempt, before the password is looked at; a known and an unknown address are counted alike.
    2. Compare the password, outside a transaction; an unknown address takes as long as a wrong password.
    3. Start the session, if the account is still as it was.
    """
    engine: Engine = request.app.state.engine
    pages: Pages = request.app.state.pages
    now = present()
    email, network = _address(typed), _network(request)
    with writing(engine) as db:
        wait = claim_attempt(db, AttemptRow, email, network, now)
    if wait is not None:
        return _refuse(request, TooManyAttempts(headers={"Retry-After": str(int(wait.total_seconds()) + 1)}), typed)
    with reading(engine) as db:
        hashed = db.scalar(
            select(AccountRow.password_hash).where(AccountRow.email == email, AccountRow.state == State.ACTIVE)
        )
    fits = password_fits(hashed, password)
    cookie = _start(engine, request, email, hashed, network, now) if fits and hashed is not None else None
    if cookie is None:
        return _refuse(request, SignInFailed(), typed)
    answer = see_other("/")
    pages.set_session(answer, cookie)
    return answer


def _refuse(request: Request, problem: Problem, typed: str) -> Response:
    """The form again with the reason and what was typed; for a program the problem itself."""
    pages: Pages = request.app.state.pages
    if not pages.wants_page(request):
        raise problem
    page = pages.render(request, "inloggen.html", problem.status, fout=say(problem.uitleg), ingevuld=typed)
    page.headers.update(problem.headers)
    return page


def _start(engine: Engine, request: Request, email: str, hashed: str, network: str, now: datetime) -> str | None:
    pages: Pages = request.app.state.pages
    with writing(engine) as db:
        account_id = db.scalar(
            select(AccountRow.id)
            .where(AccountRow.email == email, AccountRow.password_hash == hashed, AccountRow.state == State.ACTIVE)
            .with_for_update()
        )
        if account_id is None:  # closed, or another password, since it was compared
            return None
        forgive_attempt(db, AttemptRow, email, network)
        if old := request.cookies.get(pages.cookie):
            end_session(db, SessionRow, old, now)
        return start_session(db, SessionRow, account_id, now)


def _address(typed: str) -> str:
    """The address as accounts have it; what is no address becomes a hash: nobody's, and counted all the same."""
    try:
        return parse_email(typed)
    except ValueError:
        return hashlib.sha256(typed.encode("utf-8", "replace")).hexdigest()


def _network(request: Request) -> str:
    return request.client.host if request.client is not None else ""


@router.post("/uitloggen", status_code=303, response_class=Response)
def submit_sign_out(request: Request, db: Db) -> Response:
    """End the session of this browser, if there is one."""
    pages: Pages = request.app.state.pages
    if cookie := request.cookies.get(pages.cookie):
        end_session(db, SessionRow, cookie, present())
    answer = see_other("/inloggen?bericht=uitgelogd")
    pages.clear_session(answer)
    return answer
