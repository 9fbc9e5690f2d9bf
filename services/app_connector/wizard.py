"""The wizard's steps over the draft of one app: mode, pairs, pupils, teachers."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from sqlalchemy.orm import Session

from services.app_connector.app_accounts import read_accounts, read_app_account
from services.app_connector.rosters import read_roster, refresh_roster
from services.app_connector.rules import wizard
from services.app_connector.rules.pairing import (
    Child,
    How,
    Match,
    app_children,
    hub_children,
    pair_automatically,
    suggest,
    twice,
)
from services.app_connector.rules.people import Accounts, HubRoster, Mode, full_name
from services.app_connector.rules.plan import chosen_pupils, chosen_teachers
from services.app_connector.rules.wizard import Draft, WizardOutOfOrder
from services.app_connector.sign_in import AsCoordinator
from services.app_connector.tables import AppAccountRow, ConnectionRow, DraftRow
from services.app_connector.wire import (
    AppName,
    Candidate,
    Candidates,
    DraftShown,
    ModeChosen,
    PairAsked,
    PairMade,
    PathId,
    PupilsChosen,
    SuggestionShown,
    TeachersChosen,
)
from shared.clock import local_date
from shared.clock import now as present
from shared.database import Db, ReadDb, writing
from shared.problems import ConnectionInactive, Problem

router = APIRouter(prefix="/api/v1/apps/{app}", tags=["koppelen"])

# The version of the draft that the caller looked at; without it the present one is taken.
IfMatch = Annotated[str | None, Header(max_length=40)]


class DraftOutdated(Problem):
    """Member: `versie`, the present one."""

    status, slug, title = 409, "draft-outdated", "Somebody else changed this draft meanwhile"
    uitleg = "Iemand anders heeft intussen iets gewijzigd. Er is niets opgeslagen; ververs en probeer het opnieuw."


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything one step of the wizard looks at, read under the app's lock when it will write."""

    account: AppAccountRow
    accounts: Accounts
    roster: HubRoster
    row: DraftRow
    draft: Draft | None

    @property
    def started(self) -> Draft:
        """The draft. Raises WizardOutOfOrder when no mode has been chosen."""
        if self.draft is None:
            raise WizardOutOfOrder(stap=0)
        return self.draft


def read_desk(
    db: Session, school_id: int, app: str, *, lock: bool = False, if_match: str | None = None, anew: bool = False
) -> Desk:
    """Raises NotFound, ConnectionInactive, RosterMissing, DraftOutdated when `if_match` is another version, and
    WizardOutOfOrder when no mode has been chosen yet, unless the wizard starts `anew`."""
    account = read_app_account(db, school_id, app, lock=lock)
    if db.get(ConnectionRow, school_id) is None:
        raise ConnectionInactive(school=school_id)
    row = db.get(DraftRow, account.id) or DraftRow(account_id=account.id, version=0, body=None, saved_at=present())
    version = re.sub(r'^(?:W/)?"(.*)"$', r"\1", if_match.strip()) if if_match is not None else None
    if version not in (None, "*", str(row.version)):
        raise DraftOutdated(versie=row.version)
    draft = wizard.from_json(row.body) if row.body is not None else None
    if draft is None and not anew:
        raise WizardOutOfOrder(stap=0)
    return Desk(account, read_accounts(db, account), read_roster(db, school_id), row, draft)


def save_draft(db: Session, row: DraftRow, draft: Draft | None) -> None:
    """Every save is a new version, also the one that ends the draft."""
    row.version += 1
    row.body = wizard.to_json(draft) if draft is not None else None
    row.saved_at = present()
    db.add(row)
    db.flush()


def _answer(db: Session, desk: Desk, draft: Draft, response: Response, *notices: str) -> DraftShown:
    if draft != desk.draft:
        save_draft(db, desk.row, draft)
    response.headers["ETag"] = f'"{desk.row.version}"'
    pairs = wizard.current_pairs(draft, desk.accounts, desk.roster)
    return DraftShown(
        version=desk.row.version,
        mode=draft.mode,
        step=int(draft.reached),
        pairs=[PairMade(app=match.app, hub=match.hub, how=match.how.value) for match in pairs],
        pupils=sorted(chosen_pupils(desk.roster, desk.accounts, draft)),
        teachers=sorted(chosen_teachers(desk.roster, draft, local_date(present()))),
        pupils_in_app=len(desk.accounts.pupils),
        unpaired=len(desk.accounts.pupils) - len(pairs),
        notices=[notice for notice in notices if notice],
    )


@router.get("/koppeling")
def show_draft(app: AppName, who: AsCoordinator, db: ReadDb, response: Response) -> DraftShown:
    """The draft as it is. Raises WizardOutOfOrder when there is none."""
    desk = read_desk(db, who.school_id, app)
    return _answer(db, desk, desk.started, response)


@router.put("/koppeling/wijze")
def choose_mode(
    app: AppName, body: ModeChosen, who: AsCoordinator, request: Request, response: Response, if_match: IfMatch = None
) -> DraftShown:
    """Start, or start again with another mode. The hub is asked first, so that the lists are fresh."""
    engine = request.app.state.engine
    refresh_roster(engine, request.app.state.hub, who.school_id)
    with writing(engine) as db:
        desk = read_desk(db, who.school_id, app, lock=True, if_match=if_match, anew=True)
        draft = wizard.choose_mode(desk.draft, desk.accounts, desk.roster, body.mode)
        return _answer(db, desk, draft, response)


@router.delete("/koppeling", status_code=204)
def cancel_draft(app: AppName, who: AsCoordinator, db: Db, if_match: IfMatch = None) -> None:
    """Throw the draft away; the app stays as it is."""
    desk = read_desk(db, who.school_id, app, lock=True, if_match=if_match, anew=True)
    if desk.draft is not None:
        save_draft(db, desk.row, None)


@router.post("/koppeling/automatisch")
def pair_by_name(app: AppName, who: AsCoordinator, db: Db, response: Response, if_match: IfMatch = None) -> DraftShown:
    """Automatisch koppelen: adds certain pairs, never undoes one."""
    desk = read_desk(db, who.school_id, app, lock=True, if_match=if_match)
    draft = desk.started
    ours, theirs = _left(desk, draft)
    found = pair_automatically(ours, theirs)
    draft = wizard.add_pairs(draft, found, desk.accounts, desk.roster)
    doubtful = twice(ours, theirs, found)
    return _answer(
        db,
        desk,
        draft,
        response,
        f"{len(found)} {'leerling' if len(found) == 1 else 'leerlingen'} gekoppeld.",
        f"{doubtful} namen komen vaker voor: koppel deze zelf." if doubtful > 1 else "",
        "1 naam komt vaker voor: koppel deze zelf." if doubtful == 1 else "",
    )


def _left(desk: Desk, draft: Draft) -> tuple[list[Child], list[Child]]:
    pairs = wizard.current_pairs(draft, desk.accounts, desk.roster)
    ours, theirs = {match.app for match in pairs}, {match.hub for match in pairs}
    return (
        [child for child in app_children(desk.accounts) if child.id not in ours],
        [child for child in hub_children(desk.roster) if child.id not in theirs],
    )


@router.get("/koppeling/voorstellen")
def show_suggestions(app: AppName, who: AsCoordinator, db: ReadDb) -> list[SuggestionShown]:
    """For the pupils that are left: who is probably who, best first."""
    desk = read_desk(db, who.school_id, app)
    return [
        SuggestionShown(app=each.app, hub=each.hub, score=each.score, reason=each.reason)
        for each in suggest(*_left(desk, desk.started))
    ]


@router.get("/koppeling/kandidaten")
def show_candidates(app: AppName, who: AsCoordinator, db: ReadDb) -> Candidates:
    """Everybody in Basispoort who can be paired or chosen, with whether the draft has chosen them."""
    desk = read_desk(db, who.school_id, app)
    draft, roster, today = desk.started, desk.roster, local_date(present())
    pupils, teachers = chosen_pupils(roster, desk.accounts, draft), chosen_teachers(roster, draft, today)

    def names(*keys: str | None) -> list[str]:
        return [roster.groups[key].name for key in keys if key is not None and key in roster.groups]

    return Candidates(
        pupils=[
            Candidate(
                id=each.id,
                name=full_name(each),
                groups=names(each.group),
                year=each.year,
                is_chosen=each.id in pupils,
            )
            for each in roster.pupils.values()
        ],
        teachers=[
            Candidate(
                id=each.id, name=full_name(each), groups=names(*each.groups), year=None, is_chosen=each.id in teachers
            )
            for each in roster.staff.values()
            if each.goes_along(today)
        ],
    )


@router.post("/koppeling/paren")
def add_pairs(
    app: AppName,
    body: list[PairAsked],
    who: AsCoordinator,
    db: Db,
    response: Response,
    if_match: IfMatch = None,
) -> DraftShown:
    """Koppelen by hand: all of these pairs, or none."""
    desk = read_desk(db, who.school_id, app, lock=True, if_match=if_match)
    matches = [Match(pair.app, pair.hub, How.BY_HAND) for pair in body]
    return _answer(db, desk, wizard.add_pairs(desk.started, matches, desk.accounts, desk.roster), response)


@router.delete("/koppeling/paren/{pupil}")
def remove_pair(
    app: AppName, pupil: PathId, who: AsCoordinator, db: Db, response: Response, if_match: IfMatch = None
) -> DraftShown:
    """Ontkoppelen of one app pupil."""
    desk = read_desk(db, who.school_id, app, lock=True, if_match=if_match)
    return _answer(db, desk, wizard.remove_pair(desk.started, pupil), response)


@router.put("/koppeling/leerlingen")
def choose_pupils(
    app: AppName, body: PupilsChosen, who: AsCoordinator, db: Db, response: Response, if_match: IfMatch = None
) -> DraftShown:
    """Step 2, selective: who goes along; paired pupils always do."""
    desk = read_desk(db, who.school_id, app, lock=True, if_match=if_match)
    draft = wizard.choose_pupils(desk.started, body.pupils, desk.accounts, desk.roster)
    return _answer(db, desk, draft, response)


@router.put("/koppeling/docenten")
def choose_teachers(
    app: AppName, body: TeachersChosen, who: AsCoordinator, db: Db, response: Response, if_match: IfMatch = None
) -> DraftShown:
    """Step 3, selective."""
    desk = read_desk(db, who.school_id, app, lock=True, if_match=if_match)
    draft = wizard.choose_teachers(desk.started, body.teachers, desk.accounts, desk.roster)
    return _answer(db, desk, draft, response)


@router.post("/koppeling/synchroniseren")
def prepare_differences(app: AppName, who: AsCoordinator, request: Request, response: Response) -> DraftShown:
    """Alles synchroniseren, for a selective app: straight to step 4 with all differences, newcomers unticked."""
    engine = request.app.state.engine
    refresh_roster(engine, request.app.state.hub, who.school_id)
    with writing(engine) as db:
        desk = read_desk(db, who.school_id, app, lock=True, anew=True)
        if desk.account.mode != Mode.SELECTIVE:
            raise WizardOutOfOrder(stap=0)
        draft = wizard.differences(desk.accounts, desk.roster)
        return _answer(db, desk, draft, response)
