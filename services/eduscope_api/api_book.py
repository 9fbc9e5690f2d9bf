"""How EDUscope's API description reads: its chapters, its examples, and the errors of every call."""

from collections.abc import Iterable, Mapping

from services.eduscope_api.administrators import INTEGRATION
from services.eduscope_api.api_keys import TooManyKeys
from services.eduscope_api.comparison import AddressTaken, ComparisonOutdated, NotComparable
from services.eduscope_api.edexml import OtherGroupKind, OtherSchool
from services.eduscope_api.edexml_preview import PreviewMoved
from services.eduscope_api.groups import GroupInUse
from services.eduscope_api.rules.readiness import NotReady
from services.eduscope_api.rules.scopes import PeopleOnly, ScopeMissing, scopes_for
from services.eduscope_api.sign_in import WrongPassword
from services.eduscope_api.undo import ChangedSince, NotUndoable
from services.eduscope_api.versions import ChangedMeanwhile
from shared.edexml import EdexmlError, EdexmlUnwritable
from shared.openapi import Book, Roles
from shared.problems import (
    BadBody,
    CallerUnknown,
    CrossSite,
    DatabaseBusy,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    Problem,
    TooLarge,
    TooManyAttempts,
)

INTRODUCTION = """
The school administration: schools, groups, pupils, staff, and the connection with Basispoort.

**Who calls.** A person with the session cookie of `/inloggen`, or a program with the key of an integration
(`Authorization: Bearer …`), which a school makes and revokes itself. A school that is not the caller's and a school
that does not exist are the same 404.

**Lists** come in pages: ask again with `cursor` = the `volgende` of the page before, and everything else the same,
until `volgende` is null. `limit` is 100 unless you say otherwise, at most 500. `sorteer` turns with a `-` before it.

**Changes** merge: a field that is left out stays as it is, null removes it. Every single resource has an `ETag`; send
it as `If-Match`, and nobody overwrites what somebody else changed meanwhile: 412 names the fields that did. What
changes nothing is no change: the version stays.

**History.** Every change is kept with who made it and when, and can be taken back while nobody went over it since.

**Errors** are problem details (RFC 9457) with a Dutch sentence in `uitleg`. A 422 lists every field in `errors`, with a
JSON pointer; what was sent is never repeated. After any error nothing has changed.

Dates are `JJJJ-MM-DD`. `instroomdatum` is the first day at the school, `uitstroomdatum` the first day no longer there,
`einddatum` the last day of work.
"""

CHAPTERS = {
    "inloggen": "Signing in and out with a form, for people.",
    "leerlingen": "Pupils, with their group and year. Who leaves is erased 30 days later.",
    "personeel": "Staff, with their roles and the groups they teach. A substitute has role `Inval`, groups and an "
    "`einddatum`.",
    "contactgegevens": "E-mail addresses and telephone numbers of staff. One address carries the mark for Basispoort.",
    "groepen": "Home groups (`groep`) and composite groups (`samengestelde_groep`), and who teaches them.",
    "jaarovergang": "Many changes at once, all or nothing, with a dry run: the end of a school year.",
    "geschiedenis": "Who changed what and when, and taking a change back.",
    "rapportages": "The check lists of the manual's first step, as JSON, CSV or spreadsheet.",
    "vergelijking": "Our staff beside the accounts in Basispoort.",
    "edexml": "EDEXML files in, with a preview before anything is written, and out.",
    "school": "Checks, the switch to Basispoort, the pause, and the nights.",
    "sleutels": "Keys of integrations: shown once, stored hashed, revocable.",
    "operator": "For whoever runs EDUscope: schools, boards, administrators.",
}

VALUES = {
    "roepnaam": "Noor",
    "voorvoegsel": "van der",
    "achternaam": "Bijl",
    "voorletters": "N.",
    "naam": "Noor van der Bijl",
    "key": "8c1f0a52b7d94e0f9a3b6c7d8e9f0a1b",
    "eckid": "https://ketenid.nl/pilot/8f3b2a",
    "emailadres": "n.vanderbijl@deregenboog.example",
    "waarde": "n.vanderbijl@deregenboog.example",
    "gebruiker": "beheer@deregenboog.example",
    "wie": "beheer@deregenboog.example",
    "wachtwoord": "vier losse woorden samen",
    "jaargroep": "5",
    "rollen[]": "Leerkracht",
    "omschrijving": "Lokaal 5, boven",
    "code": "99ZZ00",
    "scholen[]": "99ZZ00",
    "etag": '"4"',
    "versie": 4,
    "ref": "groep-8",
    "volgende": "WyI5ZjIiLCJiaWpsIG5vb3IiLDQxXQ",
    "totaal": 412,
    "bron": "api",
    "velden": {"roepnaam": {"voor": "Noor", "na": "Noortje"}},
    "bevoegdheden[]": "leerlingen:lezen",
    "uitstroomdatum": "2027-07-31",
    "einddatum": "2027-07-31",
    "datum": "2027-07-31",
    "van": "regenboog.example",
    "naar": "deregenboog.example",
    "zin": "De koppeling is aangevinkt.",
}

_WITH_VERSION = (ChangedMeanwhile,)
# Operation -> what it may answer besides what every call of its kind may.
_OWN: Mapping[str, tuple[type[Problem], ...]] = {
    "submit_sign_in": (WrongPassword, TooManyAttempts),
    "submit_pupil": _WITH_VERSION,
    "submit_pupil_gone": _WITH_VERSION,
    "submit_pupils": _WITH_VERSION,
    "submit_member": _WITH_VERSION,
    "submit_member_gone": _WITH_VERSION,
    "submit_staff": _WITH_VERSION,
    "submit_taught_groups": _WITH_VERSION,
    "submit_all_groups": _WITH_VERSION,
    "submit_new_contact": _WITH_VERSION,
    "submit_contact": _WITH_VERSION,
    "submit_contact_gone": _WITH_VERSION,
    "submit_group": _WITH_VERSION,
    "submit_group_gone": (ChangedMeanwhile, GroupInUse),
    "submit_undo": (ChangedSince, NotUndoable, GroupInUse),
    "save_file": (EdexmlError, OtherSchool, OtherGroupKind),
    "show_file": (EdexmlUnwritable,),
    "show_losses": (EdexmlUnwritable,),
    "save_upload": (EdexmlError, OtherSchool, OtherGroupKind),
    "edexml_show_preview": (OtherSchool, OtherGroupKind),
    "submit_preview": (PreviewMoved, OtherSchool, OtherGroupKind),
    "save_tick": (NotReady,),
    "show_comparison": (NotComparable,),
    "submit_take_over": (NotComparable, ComparisonOutdated, AddressTaken),
    "submit_key": (TooManyKeys,),
    "submit_run": (TooManyAttempts,),
}


def errors_of(name: str, method: str, path: str) -> Iterable[type[Problem]]:
    """The problems that this operation may answer with."""
    yield InvalidRequest
    yield DatabaseBusy
    if method != "get":
        yield CrossSite
    if method in {"post", "put", "patch"}:
        yield BadBody
        yield TooLarge
    if path.startswith("/api/v1/operator/"):
        yield CallerUnknown
    elif path.startswith("/api/v1/scholen/"):
        yield NotSignedIn
        yield CallerUnknown
        yield PeopleOnly if "/sleutels" in path else ScopeMissing
        yield NotFound
    yield from _OWN.get(name, ())


def roles_of(scheme: str, method: str, path: str) -> Roles:
    """The scopes that the key of an integration must have; None where no key may."""
    return scopes_for(path, method.upper()) if scheme == INTEGRATION else ()


BOOK = Book(introduction=INTRODUCTION.strip(), chapters=CHAPTERS, values=VALUES, errors_of=errors_of, roles_of=roles_of)
