"""The HTML of the year transition: whole groups move on or leave, looked at before anything is written."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.eduscope_api.admin_pages import render_page, submit_form
from services.eduscope_api.administrators import AllowedSchool, ReadSchool
from services.eduscope_api.bulk import WireTransition, WireTransitionDone, move_year
from services.eduscope_api.group_pages import read_all_pupils
from services.eduscope_api.groups import GroupQuery, read_groups
from services.eduscope_api.history import By, by_page
from services.eduscope_api.history_pages import rows_of
from services.eduscope_api.pupil_pages import crumbs_above, path_of, tabs_of
from services.eduscope_api.rosters import lock_school
from shared.database import Db, ReadDb, reading, writing
from shared.forms import FORM, Faults, form_faults
from shared.language import mark, say
from shared.problems import InvalidRequest, Problem

router = APIRouter(prefix="/scholen/{code}/leerlingen/jaarovergang", include_in_schema=False)

LEAVES = "weg"
MOST = 500  # groups of one school
SHOWN = 50  # changes in the preview
COUNTS = {
    "leerling": mark("leerlingen naar een andere groep"),
    "leerlingUitstroom": mark("leerlingen verlaten de school"),
}


class TransitionChanged(Problem):
    status, slug, title = 409, "transition-changed", "The school has changed since the preview"
    uitleg = "De school is gewijzigd sinds het voorbeeld. Er is niets uitgevoerd; bekijk het voorbeeld opnieuw."


class TransitionForm(BaseModel):
    """`groups` and `targets` go side by side: a group and where its pupils go (a group, `weg`, or nowhere)."""

    model_config = ConfigDict(extra="forbid")

    groups: list[int] = Field([], alias="groep", max_length=MOST)
    targets: list[str] = Field([], alias="naar", max_length=MOST)
    year_on: str = Field("", alias="omhoog")
    left_on: str = Field("", alias="datum")
    seen: str = Field("", alias="vingerafdruk")

    @property
    def chosen(self) -> dict[int, str]:
        return dict(zip(self.groups, self.targets, strict=False))


@router.get("")
def show_transition(request: Request, school: ReadSchool, db: ReadDb) -> Response:
    """Every home group, and the choice where its pupils go."""
    return _render(request, school, db, TransitionForm(omhoog="ja"))


@router.post("")
def submit_preview(request: Request, own: AllowedSchool, form: Annotated[TransitionForm, Form()]) -> Response:
    """What would change; nothing is written."""
    engine = request.app.state.engine
    try:
        with writing(engine) as db:
            lock_school(db, own.id)
            done = move_year(db, own.id, _body(db, own.id, form, trial=True), by_page(request))
    except (ValidationError, InvalidRequest) as error:
        with reading(engine) as db:
            return _render(request, own, db, form, InvalidRequest.status, _faults(error))
    with reading(engine) as db:
        return _render_preview(request, own, db, form, done)


@router.post("/uitvoeren")
def submit_transition(request: Request, own: AllowedSchool, form: Annotated[TransitionForm, Form()]) -> Response:
    """Do exactly what the preview showed, or nothing."""

    def change(db: Db, by: By) -> str:
        done = move_year(db, own.id, _body(db, own.id, form, trial=False), by)
        if fingerprint_of(done) != form.seen:
            raise TransitionChanged
        return path_of(own, None, "?melding=jaarovergang")

    def again(db: Db, status: int, faults: Faults, _changed: Sequence[str]) -> Response:
        return _render(request, own, db, form, status, faults)

    return submit_form(request, own, change, again)


def fingerprint_of(done: WireTransitionDone) -> str:
    """What a transition changes, in a few signs: the same in the trial and in earnest."""
    changes = sorted(
        (each.kind, each.subject_id, sorted((name, field.before, field.after) for name, field in each.fields.items()))
        for each in done.changes
    )
    return hashlib.sha256(json.dumps(changes, default=str).encode()).hexdigest()


def _body(db: Db, school_id: int, form: TransitionForm, *, trial: bool) -> WireTransition:
    """Raises InvalidRequest and ValidationError for a choice that makes no sense, or for none at all."""
    moved: list[dict[str, Any]] = []
    leaving: list[int] = []
    for group_id, target in form.chosen.items():
        if not target:
            continue
        ids = [each.id for each in read_all_pupils(db, school_id, group_id) if each.home_group_id == group_id]
        if target == LEAVES:
            leaving += ids
        else:
            group = int(target) if target.isascii() and target.isdigit() and len(target) < 19 else 0
            moved.append({"ids": ids, "groep": group, **({"jaargroep": "+1"} if form.year_on else {})})
    if not moved and not leaving:
        raise InvalidRequest(
            errors=[{"pointer": "/body/naar", "code": "missing", "detail": say("Kies eerst een groep.")}]
        )
    gone = {"uitstroom": {"ids": leaving, "datum": form.left_on}} if leaving else {}
    return WireTransition.model_validate({"proef": trial, "leerlingen": moved, **gone})


def _faults(error: ValidationError | InvalidRequest) -> Faults:
    places = {"uitstroom": "datum", "naar": FORM, "leerlingen": FORM}
    said = {"uitstroom": say("Vul de datum in waarop deze leerlingen de school verlaten.")}
    return [(places.get(field, FORM), sentence) for field, sentence in form_faults(error, said)]


def _render(
    request: Request, own: Any, db: Db, form: TransitionForm, status: int = 200, faults: Faults = ()
) -> Response:
    groups = [each for each in read_groups(db, own.id, GroupQuery(limit=MOST)).groups if each.kind == "groep"]
    return render_page(
        request,
        "jaarovergang.html",
        own,
        menu="leerlingen",
        crumbs=[*crumbs_above(), (say("Leerlingen"), path_of(own)), (say("Jaarovergang"), "")],
        status_code=status,
        bladen=tabs_of(own),
        fouten=faults,
        groepen=groups,
        gekozen=form.chosen,
        omhoog=bool(form.year_on),
        datum=form.left_on,
        weg=LEAVES,
    )


def _render_preview(request: Request, own: Any, db: Db, form: TransitionForm, done: WireTransitionDone) -> Response:
    return render_page(
        request,
        "jaarovergang-voorbeeld.html",
        own,
        menu="leerlingen",
        crumbs=[
            *crumbs_above(),
            (say("Leerlingen"), path_of(own)),
            (say("Jaarovergang"), path_of(own, None, "/jaarovergang")),
            (say("Voorbeeld"), ""),
        ],
        aantallen=[(done.counts[word], say(text)) for word, text in COUNTS.items()],
        rijen=rows_of(db, own, done.changes[:SHOWN]),
        totaal=len(done.changes),
        keuzes=form.chosen,
        omhoog=form.year_on,
        datum=form.left_on,
        vingerafdruk=fingerprint_of(done),
    )
