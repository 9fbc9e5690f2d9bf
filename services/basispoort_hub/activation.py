"""The activation link: shows the form, sets the password; offers a new link when this one cannot be used any more.

GET changes nothing, because mail scanners open links. Only the POST that brings a password uses the link up.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import Engine, select, update

from services.basispoort_hub.account_book import AccountBook
from services.basispoort_hub.links import LinkMaker, is_live, read_last_links, read_link, spend_link
from services.basispoort_hub.rules.accounts import LinkAsked, PasswordChosen, State
from services.basispoort_hub.tables import AccountRow
from shared.browser import Pages, see_other
from shared.clock import now as present
from shared.database import reading, writing
from shared.language import say
from shared.passwords import hash_password, objection
from shared.problems import Problem

router = APIRouter(prefix="/activeren")

BETWEEN_NEW_LINKS = timedelta(minutes=5)  # an old link cannot be used to fill somebody's mailbox
LONGEST_TYPED = 1000


class ActivationLinkExpired(Problem):
    status, slug, title = 410, "activation-link-expired", "This activation link has expired or has been used"
    uitleg = "Deze activatielink is verlopen of al gebruikt."


class AlreadyActive(Problem):
    status, slug, title = 410, "already-active", "This account is already active"
    uitleg = "Uw account is al actief. Log in met uw e-mailadres en wachtwoord."


class PasswordRefused(Problem):
    """`reden` is the Dutch sentence that says why."""

    status, slug, title = 422, "password-refused", "This password cannot be used"
    uitleg = "Dit wachtwoord kan niet worden gebruikt. Er is niets gewijzigd."


class _Unusable(Exception):
    """The link cannot be used (any more). `is_active`: it was used, and the account is active."""

    def __init__(self, *, is_active: bool) -> None:
        super().__init__()
        self.is_active = is_active


@router.get("/{token}", include_in_schema=False)
def show_activation(token: str, request: Request) -> Response:
    """The form, or a calm page with what to do."""
    try:
        return _show_form(request, token, _read_address(request, token))
    except _Unusable as unusable:
        return _unusable(request, token, unusable)


@router.post("/{token}", status_code=303, include_in_schema=False)
def submit_password(
    token: str,
    request: Request,
    password: Annotated[str, Form(alias="wachtwoord", max_length=LONGEST_TYPED)] = "",
    again: Annotated[str, Form(alias="herhaling", max_length=LONGEST_TYPED)] = "",
) -> Response:
    """Activate the account with a password.

    1. Is the link usable, and is the password good enough? Nothing is written yet.
    2. Hash it, outside a transaction.
    3. One transaction: lock the account, use the link up with one atomic update, make the account active.
    """
    pages: Pages = request.app.state.pages
    try:
        email = _read_address(request, token)
        fault = _objection(email, password, again)
        if fault is not None and pages.wants_page(request):
            return _show_form(request, token, email, fault)
        if fault is not None:
            raise PasswordRefused(reden=fault)
        _activate(request, token, hash_password(password))
    except _Unusable as unusable:
        return _unusable(request, token, unusable)
    return see_other("/inloggen?bericht=geactiveerd")


@router.post("/{token}/opnieuw", status_code=202, include_in_schema=False)
def submit_new_link(token: str, request: Request) -> Response:
    """Queue a new link to the stored address, if there is an account to activate. The answer is the same either way."""
    engine: Engine = request.app.state.engine
    pages: Pages = request.app.state.pages
    links: LinkMaker = request.app.state.links
    now = present()
    with writing(engine) as db:
        link = read_link(db, token, links)
        if link is not None:
            book = AccountBook(db, now, links)
            email = book.open_one(link.account_id)
            last = read_last_links(db, [link.account_id])[link.account_id]
            if email == link.email and last.created_at <= now - BETWEEN_NEW_LINKS:
                book.happen(email, LinkAsked())
    if pages.wants_page(request):
        return pages.render(request, "nieuwe-link.html", 202)
    return Response(status_code=202)


def _read_address(request: Request, token: str) -> str:
    """The address whose password this link sets. Raises _Unusable."""
    with reading(request.app.state.engine) as db:
        link = read_link(db, token, request.app.state.links)
        if link is None:
            raise _Unusable(is_active=False)
        state = db.scalar(
            select(AccountRow.state).where(AccountRow.id == link.account_id, AccountRow.email == link.email)
        )
        if not is_live(link, present()) or state != State.INVITED:
            raise _Unusable(is_active=link.spent_at is not None and state == State.ACTIVE)
        return link.email


def _activate(request: Request, token: str, hashed: str) -> None:
    links: LinkMaker = request.app.state.links
    now = present()
    with writing(request.app.state.engine) as db:
        link = read_link(db, token, links)
        if link is None:
            raise _Unusable(is_active=False)
        book = AccountBook(db, now, links)
        email = book.open_one(link.account_id)
        account = book.account(email) if email is not None else None
        state = account.state if account is not None else None
        if not spend_link(db, link.id, now) or email != link.email or state is not State.INVITED:
            raise _Unusable(is_active=email == link.email and state is State.ACTIVE)
        book.happen(email, PasswordChosen())
        db.execute(update(AccountRow).where(AccountRow.id == link.account_id).values(password_hash=hashed))


def _objection(email: str, password: str, again: str) -> str | None:
    """Why this password is refused, as a sentence."""
    if password != again:
        return say("De twee wachtwoorden zijn niet gelijk. Typ ze allebei opnieuw.")
    local, _, domain = email.partition("@")
    return objection(password, local_words=frozenset({email, local, domain, local + domain, domain + local}))


def _show_form(request: Request, token: str, email: str, fault: str = "") -> Response:
    pages: Pages = request.app.state.pages
    return pages.render(request, "activeren.html", 422 if fault else 200, token=token, adres=email, fout=fault)


def _unusable(request: Request, token: str, unusable: _Unusable) -> Response:
    pages: Pages = request.app.state.pages
    if pages.wants_page(request):
        return pages.render(request, "link-verlopen.html", 410, token=token, actief=unusable.is_active)
    raise AlreadyActive if unusable.is_active else ActivationLinkExpired
