"""How the hub's API description reads: its chapters, its examples, and every way in which a call can be refused."""

from collections.abc import Iterable, Mapping

from services.basispoort_hub.changes_feed import CursorTooOld, CursorUnknown
from services.basispoort_hub.coordinators import LastCoordinator
from services.basispoort_hub.edexml_import import OtherSchool
from services.basispoort_hub.fast_reads import PermissionMissing
from services.basispoort_hub.holds import ChoiceNotPossible, HoldGone
from services.basispoort_hub.intake import ConnectionOn, RosterInconsistent, SchoolEnded
from services.basispoort_hub.lika import ApplicationExists, ApplicationRefused
from services.basispoort_hub.lika_lists import ApplicationUnknown
from services.basispoort_hub.lika_operator import LikaCodeInUse, LikaCodeTaken
from services.basispoort_hub.merged_schools import CaseChanged, CaseNotPossible
from services.basispoort_hub.operator_api import SchoolExists
from services.basispoort_hub.permissions import UnknownAdministration
from services.basispoort_hub.publisher_callers import CertificateRefused
from services.basispoort_hub.publisher_operator import PublisherExists
from services.basispoort_hub.quota import QuotaSpent
from services.basispoort_hub.sandbox import SandboxMissing
from services.basispoort_hub.sign_in import SignInFailed
from services.basispoort_hub.staff_list import TeachersNotReadable
from services.basispoort_hub.teachers import AccountActive, NoAddress
from services.basispoort_hub.webhooks import WebhookAddressRefused, messages
from shared.bodies import BodyTooSlow
from shared.edexml import EdexmlError
from shared.openapi import Book
from shared.problems import (
    BadBody,
    CallerUnknown,
    ConnectionInactive,
    CrossSite,
    DatabaseBusy,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    PreconditionMissing,
    Problem,
    TooLarge,
    TooManyAttempts,
    WrongSchool,
)
from shared.roster_delta import RosterDiverged

INTRODUCTION = """
Rosters in from school administrations, accounts for teachers, rosters and licences out to publishers with consent.

**For publishers.** `/rest/v2` and `/hosted-lika` are the real Basispoort REST interface, to the letter: a client of it
works here when its base address and its certificate change. `/api/v1/changes`, `/api/v1/webhooks` and `/api/v1/sandbox`
are additions. `/leveranciers` says what is what, and which addresses will go.

**Who calls** stands with each call: a publisher with a client certificate or a key, an administration with its key,
the operator with the operator's, a person with the session cookie of `/inloggen`. A school, a publisher's code or a
number that is not the caller's and one that does not exist are the same 404.

**Errors** are problem details (RFC 9457) with a Dutch sentence in `uitleg`; each call names all that it has. A 422
lists the fields in `errors`, with a JSON pointer; what was sent is never repeated. After any error nothing has changed.
"""

CHAPTERS = {
    "uitgevers": "What a publisher reads: institutions, its permission, changes since a cursor, webhooks.",
    "hosted-lika": "A publisher's methods and products, and who may use them.",
    "zandbak": "Invented schools for a publisher's engineers, and what can happen to them.",
    "leerlinggegevens": "Rosters from an administration: whole, or what changed.",
    "beheer": "What the ICT coordinator switches on: the administration in, publishers out.",
    "leerkrachten": "Members of staff, their activation links and invitations.",
    "vastgehouden": "What the hub does not believe until the coordinator decides.",
    "edexml": "A file by hand, as before an administration was connected.",
    "inloggen": "Signing in and out with a form, for people.",
    "operator": "For whoever runs the hub: schools, coordinators, publishers, keys.",
}

VALUES = {
    "achternaam": "Bijl",
    "administratie": "EDUscope",
    "adres": "https://letters.example/haak",
    "adressen[]": "https://app.letters.example",
    "antwoord": "nee",
    "bestuurscode": "99999",
    "brincode": "99ZA",
    "code": "99ZA00",
    "cursor": "MS4wLjQyLjE3OTUzMDU2MDA",
    "dependancecode": "00",
    "eckId": "https://ketenid.nl/pilot/8f3b2a",
    "eckid": "https://ketenid.nl/pilot/8f3b2a",
    "emailadres": "n.vanderbijl@deregenboog.example",
    "emailadressen[]": "n.vanderbijl@deregenboog.example",
    "gebruiker": "ict@deregenboog.example",
    "gebruikers[]": 1,
    "helpdesk": "helpdesk@letters.example",
    "icon": "image/svg+xml,PHN2Zy8+",
    "iconUrl": "https://app.letters.example/icoon.svg",
    "id": "rekenen",
    "instellingId": 1,
    "instellingRef": "f1f7a5f2-6f0c-4b8e-9c53-2d1c0a4f7b11",
    "jaargroep": "5",
    "key": "l-41",
    "lasKey": "l-41",
    "methodes[]": "rekenen",
    "naam": "De Regenboog",
    "omschrijving": "Lokaal 5, boven",
    "onderwerp": "leerling",
    "postcode": "1234 ZZ",
    "producten[]": "rekenen-5",
    "reden": "eerste coördinator van de school",
    "roepnaam": "Noor",
    "rollen[]": "Leerkracht",
    "sleutel": "schakel_wordt-eenmaal-getoond",
    "soort": "sluiten",
    "straat": "Voorbeeldlaan",
    "huisnummer": "1",
    "huisnummertoevoeging": "b",
    "url": "https://app.letters.example/start",
    "voorletters": "N.",
    "voornaam": "Noor",
    "voorvoegsel": "van der",
    "wachtwoord": "vier losse woorden samen",
    "woonplaats": "Testdorp",
    "zin": "Activeer de digitale methodes van Letters",
}

_ROSTER = (WrongSchool, ConnectionInactive, RosterDiverged, RosterInconsistent, PreconditionMissing, TooLarge)
# Operation -> what it may answer besides what every call of its kind may.
_OWN: Mapping[str, tuple[type[Problem], ...]] = {
    "show_changes": (CursorUnknown, CursorTooOld),
    "submit_webhook": (WebhookAddressRefused,),
    "show_webhook": (NotFound,),
    "show_sandbox": (SandboxMissing, NotFound),
    "submit_reset": (NotFound,),
    "submit_event": (SandboxMissing,),
    "show_permission": (SchoolEnded,),
    "submit_edexml": (EdexmlError, OtherSchool, ConnectionOn, SchoolEnded, RosterInconsistent),
    "submit_decision": (HoldGone, ChoiceNotPossible),
    "show_standing": (WrongSchool,),
    "receive_roster": _ROSTER,
    "receive_delta": _ROSTER,
    "receive_announcement": (WrongSchool,),
    "submit_connection": (UnknownAdministration, SchoolEnded),
    "show_teachers": (CallerUnknown, WrongSchool, TeachersNotReadable),
    "submit_link_again": (NoAddress, AccountActive),
    "submit_sign_in": (SignInFailed, TooManyAttempts),
    "submit_method": (ApplicationExists, ApplicationRefused),
    "submit_method_details": (ApplicationRefused,),
    "submit_product": (ApplicationExists, ApplicationRefused),
    "submit_product_details": (ApplicationExists, ApplicationRefused),
    "submit_grant": (ApplicationUnknown,),
    "submit_lika_code": (LikaCodeTaken,),
    "submit_lika_code_removal": (LikaCodeInUse,),
    "submit_case": (CaseNotPossible, CaseChanged),
    "submit_school": (SchoolExists,),
    "operator_submit_removal": (LastCoordinator,),
    "submit_publisher": (PublisherExists,),
}
# How an address begins, or else ends -> who calls there; the rest is for somebody with a session.
_PUBLISHER = ("/rest/", "/hosted-lika/", "/api/v1/changes", "/api/v1/webhooks", "/api/v1/sandbox")
_ADMINISTRATION = ("/stand", "/aanmelding", "/leerlinggegevens")

# What of an answer, or of the question, leads to which operation: operation -> target -> parameter -> where it is.
_CODE, _METHOD, _MADE = "$request.path.identityCode", "$request.path.mid", "$request.body#/id"
LINKS = {
    "show_institutions": {
        target: {"institution_id": "$response.body#/0"}
        for target in ("show_institution", "show_details", "show_groups", "show_pupils", "show_staff", "show_ref")
    },
    "show_changes": {"show_changes": {"cursor": "$response.body#/cursor"}},
    "submit_method": {
        "show_method": {"identityCode": _CODE, "mid": _MADE},
        "submit_method_users": {"identityCode": _CODE, "mid": _MADE},
        "submit_product": {"identityCode": _CODE, "mid": _MADE},
        "submit_method_removal": {"identityCode": _CODE, "mid": _MADE},
    },
    "submit_product": {
        "show_product": {"identityCode": _CODE, "mid": _METHOD, "pid": _MADE},
        "submit_product_users": {"identityCode": _CODE, "mid": _METHOD, "pid": _MADE},
        "submit_product_removal": {"identityCode": _CODE, "mid": _METHOD, "pid": _MADE},
    },
    "submit_method_users": {"show_method_users": {"identityCode": _CODE, "mid": _METHOD}},
    "submit_school": {
        "submit_coordinator": {"code": "$response.body#/code"},
        "submit_case": {"code": "$response.body#/code"},
        "submit_address": {"code": "$response.body#/code"},
    },
    "submit_coordinator": {
        "operator_submit_removal": {"code": "$request.path.code", "account_id": "$response.body#/id"}
    },
    "submit_publisher": {
        "submit_publisher_key": {"code": "$request.body#/code"},
        "submit_allowed_addresses": {"code": "$request.body#/code"},
    },
}


def _caller(path: str) -> Iterable[type[Problem]]:
    if path.startswith(_PUBLISHER):
        return CallerUnknown, CertificateRefused, QuotaSpent
    if path.startswith("/api/v1/operator/") or path.endswith(_ADMINISTRATION):
        return (CallerUnknown,)
    return (NotSignedIn,) if path.startswith("/api/") else ()


def errors_of(name: str, method: str, path: str) -> Iterable[type[Problem]]:
    """All problems that this operation may answer with."""
    yield from (DatabaseBusy, InvalidRequest)
    yield from _caller(path)
    if "{" in path:
        yield NotFound
    if path.startswith("/rest/v2/instellingen/{institution_id}") and "/uitgever/" not in path:
        yield PermissionMissing
    if method != "get":
        yield from (CrossSite, BadBody, TooLarge, BodyTooSlow)
    yield from _OWN.get(name, ())


BOOK = Book(
    introduction=INTRODUCTION.strip(),
    chapters=CHAPTERS,
    values=VALUES,
    errors_of=errors_of,
    tells_all=True,
    links=LINKS,
    sends=messages,
)
