"""The HTML of EDEXML importeren, with its preview and the choices in it, and EDEXML exporteren."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response
from pydantic import ValidationError

from services.eduscope_api.admin_pages import render_page
from services.eduscope_api.administrators import AllowedSchool, LockedSchool, OwnSchool, ReadSchool, calling
from services.eduscope_api.edexml import LIMIT, OtherGroupKind, OtherSchool, by_file, read_losses
from services.eduscope_api.edexml_preview import (
    PreviewMoved,
    read_plan,
    read_preview,
    read_waiting,
    remove_import,
    save_file,
    take_over,
)
from services.eduscope_api.edexml_wire import (
    WireDifference,
    WireImportPreview,
    WireSheet,
    WireSuggestion,
    WireSwap,
    WireTakeOver,
)
from services.eduscope_api.people import RowId
from services.eduscope_api.rules.imports import offered_exactly
from shared.browser import see_other
from shared.clock import local_date, now
from shared.database import Db, ReadDb
from shared.edexml import EdexmlError
from shared.edexml_versions import Version
from shared.forms import FORM, Faults, form_faults, typed
from shared.language import mark, say
from shared.problems import InvalidRequest, TooLarge

router = APIRouter(prefix="/scholen/{code}/inrichten", include_in_schema=False)

NOTICES = {
    "overgenomen": mark("Het bestand is overgenomen, precies zoals het voorbeeld het liet zien."),
    "weggegooid": mark("Het voorbeeld is weggegooid. Er is niets overgenomen."),
}
UPLOAD_LIMIT = LIMIT + 64 * 1024  # the file, and what a form puts around it
SHOWN = 200  # lines per table; all of them are taken over
ASKED = 100  # lines per table with a choice; a form holds a thousand fields at most
FAULTS_SHOWN = 20
FIELDS = {
    "naam": mark("naam"),
    "omschrijving": mark("omschrijving"),
    "roepnaam": mark("roepnaam"),
    "voorvoegsel": mark("voorvoegsel"),
    "achternaam": mark("achternaam"),
    "voorletters": mark("voorletters"),
    "eckid": mark("ECK iD"),
    "jaargroep": mark("leerjaar"),
    "emailadres": mark("e-mailadres"),
    "rollen": mark("functie"),
    "einddatum": mark("einddatum"),
    "groepen": mark("groepen"),
    "instroomdatum": mark("instroomdatum"),
    "uitstroomdatum": mark("uitstroomdatum"),
}


def path_of(own: Any, rest: str = "") -> str:
    return f"/scholen/{own.code}/inrichten/edexml-importeren{rest}"


# --- a file comes in --------------------------------------------------------------------------------------------------


@router.get("/edexml-importeren")
def show_upload(request: Request, school: ReadSchool, db: ReadDb) -> Response:
    """The file field, and previews that wait."""
    return _render_upload(request, school, read_waiting(db, school.id))


@router.post("/edexml-importeren")
def submit_upload(
    request: Request, own: AllowedSchool, upload: Annotated[UploadFile | None, File(alias="bestand")] = None
) -> Response:
    """Keep the file and go to its preview; a file that cannot be taken in is said with its lines."""
    if upload is None or not upload.filename:
        return _render_upload(request, own, (), 422, [("bestand", say("Kies eerst een EDEXML-bestand."))])
    try:
        shown = save_file(request.app.state.engine, own, upload.file, calling(request).administrator_id)
    except EdexmlError as error:
        lines = [
            ("bestand", say("Regel %(regel)s: %(reden)s.", regel=each["regel"], reden=each["reden"]))
            for each in error.members["fouten"]
        ]
        more = error.members["aantalFouten"] - FAULTS_SHOWN
        rest = [("bestand", say("En nog %(aantal)s andere fouten.", aantal=more))] if more > 0 else []
        return _render_upload(request, own, (), error.status, [*lines[:FAULTS_SHOWN], *rest])
    except (OtherSchool, OtherGroupKind, TooLarge) as problem:
        return _render_upload(request, own, (), problem.status, [("bestand", say(problem.uitleg))])
    return see_other(path_of(own, f"/{shown.id}"))


def _render_upload(
    request: Request, school: Any, waiting: Sequence[Any], status: int = 200, faults: Faults = ()
) -> Response:
    return render_page(
        request,
        "edexml-importeren.html",
        school,
        menu="inrichten",
        crumbs=[(say("Inrichten"), f"/scholen/{school.code}/inrichten"), (say("EDEXML importeren"), "")],
        status_code=status,
        notices=NOTICES,
        fouten=faults,
        wachtend=waiting,
        pad=path_of(school),
    )


# --- the preview ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filled:
    """What somebody filled in below a preview: (field, value) of each choice, the date, the box for equal names."""

    choices: frozenset[tuple[str, str]] = frozenset()
    leaving: str | None = None
    exact: bool = False
    fingerprint: str = ""  # of the preview below which it was filled in


@router.get("/edexml-importeren/{import_id}")
def show_preview(request: Request, own: AllowedSchool, import_id: RowId) -> Response:
    """What the file would do, with everything unticked that a person must decide."""
    return _render_preview(request, own, import_id)


@router.post("/edexml-importeren/{import_id}")
def submit_preview(
    request: Request,
    own: AllowedSchool,
    import_id: RowId,
    fingerprint: Annotated[str, Form(alias="vingerafdruk")] = "",
    leaving: Annotated[str, Form(alias="uitstroomdatum")] = "",
    exact: Annotated[str, Form(alias="zelfdeAlle")] = "",
    gone_pupils: Annotated[tuple[str, ...], Form(alias="weg-leerlingen")] = (),
    gone_staff: Annotated[tuple[str, ...], Form(alias="weg-leerkrachten")] = (),
    who_pupils: Annotated[tuple[str, ...], Form(alias="wie-leerlingen")] = (),
    who_staff: Annotated[tuple[str, ...], Form(alias="wie-leerkrachten")] = (),
    swap_pupils: Annotated[tuple[str, ...], Form(alias="wissel-leerlingen")] = (),
    swap_staff: Annotated[tuple[str, ...], Form(alias="wissel-leerkrachten")] = (),
) -> Response:
    """Take over exactly what was shown, with these choices; when something moved, show the preview anew with them."""
    fields = {
        "weg-leerlingen": gone_pupils,
        "weg-leerkrachten": gone_staff,
        "wie-leerlingen": who_pupils,
        "wie-leerkrachten": who_staff,
        "wissel-leerlingen": swap_pupils,
        "wissel-leerkrachten": swap_staff,
    }
    choices = frozenset((name, value) for name, values in fields.items() for value in values)
    filled = Filled(choices, leaving, exact == "ja", fingerprint)
    engine = request.app.state.engine
    sure: tuple[dict[int, int], dict[int, int]] = ({}, {})
    if filled.exact:
        plan = read_plan(engine, own.id, import_id)
        sure = offered_exactly(plan.pupils), offered_exactly(plan.staff)
    try:
        body = WireTakeOver.model_validate(
            {
                "vingerafdruk": fingerprint,
                **typed(uitstroomdatum=leaving),
                "leerlingen": _choices(gone_pupils, who_pupils, swap_pupils, sure[0]),
                "leerkrachten": _choices(gone_staff, who_staff, swap_staff, sure[1]),
            }
        )
        take_over(engine, own, import_id, body, by_file(request))
    except (ValidationError, InvalidRequest) as error:
        faults = form_faults(
            error, {"uitstroomdatum": say("Kies een datum van de laatste 30 dagen of van het komende jaar.")}
        )
        return _render_preview(request, own, import_id, InvalidRequest.status, faults, filled)
    except PreviewMoved as problem:
        return _render_preview(request, own, import_id, problem.status, (), filled)
    return see_other(path_of(own, "?melding=overgenomen"))


@router.post("/edexml-importeren/{import_id}/weggooien")
def submit_removal(school: LockedSchool, db: Db, import_id: RowId) -> Response:
    remove_import(db, school.id, import_id)
    return see_other(path_of(school, "?melding=weggegooid"))


def _choices(gone: Iterable[str], who: Iterable[str], swaps: Iterable[str], sure: dict[int, int]) -> dict[str, Any]:
    """What one kind's fields say. Each choice is `number:answer`; an empty one leaves it open."""
    same: dict[int, Any] = dict(sure)
    new: list[int] = []
    for number, answer in _pairs(who):
        same.pop(number, None)
        if answer == "nieuw":
            new.append(number)
        else:
            same[number] = _number(answer)
    return {
        "weg": [_number(each) for each in gone],
        "zelfde": [{"volgnummer": number, "id": row_id} for number, row_id in same.items()],
        "nieuw": new,
        "wissels": [{"volgnummer": number, "besluit": answer} for number, answer in _pairs(swaps)],
    }


def _pairs(values: Iterable[str]) -> list[tuple[int, str]]:
    pairs = [value.partition(":") for value in values if value]
    return [(_number(number), answer) for number, _, answer in pairs]


def _number(text: str) -> int:
    """A number of ours, as the form wrote it; 0, which nothing has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _render_preview(
    request: Request,
    own: OwnSchool,
    import_id: int,
    status: int = 200,
    faults: Faults = (),
    filled: Filled = Filled(),
) -> Response:
    """`filled` stands there again where it can still be chosen; says so when it was another preview."""
    shown = read_preview(request.app.state.engine, own.id, import_id)
    if filled != Filled() and filled.fingerprint != shown.fingerprint:
        moved = f"{say(PreviewMoved.uitleg)} {say('Uw keuzes staan er nog, als ze nog kunnen.')}"
        faults = [(FORM, moved), *faults]
    kinds = [
        _kind("leerlingen", say("Leerlingen"), shown.pupils),
        _kind("leerkrachten", say("Leerkrachten"), shown.staff),
    ]
    return render_page(
        request,
        "edexml-voorbeeld.html",
        own,
        menu="inrichten",
        crumbs=[
            (say("Inrichten"), f"/scholen/{own.code}/inrichten"),
            (say("EDEXML importeren"), path_of(own)),
            (say("Voorbeeld"), ""),
        ],
        status_code=status,
        fouten=faults,
        voorbeeld=shown,
        soorten=kinds,
        groepen=_groups(shown),
        precies=_sure(shown.pupils) + _sure(shown.staff),
        ingevuld=filled,
        vandaag=local_date(now()).isoformat(),
        pad=path_of(own, f"/{import_id}"),
    )


def _kind(name: str, title: str, sheet: WireSheet) -> dict[str, Any]:
    """The tables of one kind, each cut to what a page can hold, with how many there are."""
    none = say("geen groep")
    return {
        "naam": name,
        "kop": title,
        "gelijk": sheet.same,
        "nieuw": _cut(sheet.new, lambda line: [line.name, _values(line.values)]),
        "gewijzigd": _cut(sheet.changed, lambda line: [line.name, _differences(line.differences)]),
        "verplaatst": _cut(sheet.moved, lambda line: [line.name, line.old or none, line.new or none]),
        "weg": {"aantal": len(sheet.gone), "rijen": sheet.gone[:SHOWN]},
        "suggesties": {"aantal": len(sheet.suggestions), "rijen": [_offer(each) for each in sheet.suggestions[:ASKED]]},
        "wissels": {
            "aantal": len(sheet.swaps),
            "rijen": [(swap, _differences(swap.differences), _decisions(swap)) for swap in sheet.swaps[:ASKED]],
        },
    }


def _offer(offer: WireSuggestion) -> tuple[int, str, list[tuple[str, str]]]:
    """Number, label, and the answers, of which none is given in advance."""
    groups = offer.values.get("groepen")
    options = [("", say("sla over")), (f"{offer.number}:nieuw", say("iemand die nieuw is"))]
    for one in offer.candidates:
        told = [*([one.groups] if one.groups else []), *one.reasons, *([say("uitgestroomd")] if one.left_on else [])]
        options.append(
            (
                f"{offer.number}:{one.id}",
                say("dezelfde als %(naam)s (%(waarom)s)", naam=one.name, waarom=", ".join(told)),
            )
        )
    who = f"{offer.name} ({groups})" if groups else offer.name
    return offer.number, say("%(naam)s is", naam=who), options


def _decisions(swap: WireSwap) -> list[tuple[str, str]]:
    options = [("", say("niet overnemen"))]
    if swap.can_be_same:
        options.append((f"{swap.number}:zelfde", say("dezelfde persoon, met gewijzigde gegevens")))
    return [*options, (f"{swap.number}:ander", say("iemand anders"))]


def _groups(shown: WireImportPreview) -> dict[str, Any]:
    sheet = shown.groups
    return {
        "gelijk": sheet.same,
        "nieuw": _cut(sheet.new, lambda line: [line.name, _values(line.values)]),
        "gewijzigd": _cut(sheet.changed, lambda line: [line.name, _differences(line.differences)]),
        "weg": _cut(sheet.gone, lambda line: [line.name]),
    }


def _sure(sheet: WireSheet) -> int:
    """How many suggestions `offered_exactly` would confirm at once."""
    equal = [[one.id for one in offer.candidates if one.score == 100] for offer in sheet.suggestions]
    times = Counter(ids[0] for ids in equal if len(ids) == 1)
    return sum(each == 1 for each in times.values())


def _cut(lines: Sequence[Any], cells: Callable[[Any], list[str]]) -> dict[str, Any]:
    return {"aantal": len(lines), "rijen": [cells(line) for line in lines[:SHOWN]]}


def _values(values: Any) -> str:
    told = [f"{say(FIELDS[name])} {value}" for name, value in values.items() if name not in _IN_THE_NAME]
    return ", ".join(told)


_IN_THE_NAME = {"naam", "roepnaam", "voorvoegsel", "achternaam"}


def _differences(differences: Iterable[WireDifference]) -> str:
    empty = say("leeg")
    return "; ".join(
        say(
            "%(gegeven)s: %(oud)s wordt %(nieuw)s",
            gegeven=say(FIELDS[each.name]),
            oud=each.old or empty,
            nieuw=each.new or empty,
        )
        for each in differences
    )


# --- a file goes out --------------------------------------------------------------------------------------------------


@router.get("/edexml-exporteren")
def show_export(request: Request, own: AllowedSchool, version: Annotated[str, Query(alias="versie")] = "") -> Response:
    """Choose a version, see what it cannot hold, download."""
    chosen = Version(version) if version in set(Version) else Version.V2_1
    return render_page(
        request,
        "edexml-exporteren.html",
        own,
        menu="inrichten",
        crumbs=[(say("Inrichten"), f"/scholen/{own.code}/inrichten"), (say("EDEXML exporteren"), "")],
        versies=[(each.value, f"EDEXML {each}") for each in reversed(Version)],
        versie=chosen.value,
        verlies=read_losses(request.app.state.engine, own.code, chosen),
        bestand=f"/api/v1/scholen/{own.code}/edexml?versie={chosen}",
    )
