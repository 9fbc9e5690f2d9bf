"""One good request for every door of every service, in a world in which it is carried out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from services.app_connector import nightly as portal_night
from services.app_connector.tables import AppAccountRow, AppPupilRow
from services.basispoort_hub.tables import PersonRow
from services.eduscope_api import main as eduscope_main
from services.eduscope_api.settings import Settings as EduscopeSettings
from services.eduscope_api.tables import GroupRow, PupilRow, StaffRow
from shared import migrate
from shared.clock import now
from shared.database import open_engine, reading, writing
from shared.edexml import EdexmlFile, EdexmlPupil, EdexmlSchool, EdexmlStaff
from shared.edexml_write import write_edexml
from shared.identifiers import SchoolCode
from shared.passwords import hash_password
from shared.roster import Pupil, Roster, fingerprint
from shared.roster_delta import diff
from shared.wire.rosters import WireDelta, WireRoster
from shared.wire.teachers import WireKnownMember, WireKnownStaff
from tests.app_connector import portal as portals
from tests.app_connector.hub_simulator import NAME, SCHOOL, a_teacher, some_pupils
from tests.basispoort_hub import hub as hubs
from tests.broken_bodies import Good
from tests.broken_json import Description
from tests.eduscope_api import doors, rows
from tests.eduscope_api.fake_hub import FakeHub
from tests.factories import a_group, a_pupil, a_roster, a_staff_member

Door = tuple[str, str]
BROWSER = {"Accept": "text/html"}
COMMON = ("/healthz", "/readyz", "/docs", "/docs/start.js", "/metrics", "/openapi.json")


@dataclass
class World:
    """`goods`: per door the requests that are carried out. `strangers`: doors that need no key."""

    app: FastAPI
    goods: list[Good] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.app.state.engine
        return engine

    @property
    def description(self) -> Description:
        return Description(self.app.openapi().get("components", {}).get("schemas", {}))

    def schema_of(self, method: str, template: str) -> Mapping[str, Any] | None:
        operation = self.app.openapi()["paths"].get(template, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {})
        schema: Mapping[str, Any] | None = content.get("application/json", {}).get("schema")
        return schema

    def add(self, method: str, template: str, headers: Mapping[str, str], content: Any = None, **more: Any) -> None:
        schema = self.schema_of(method, template)
        self.goods.append(Good(method, template, headers=headers, content=content, schema=schema, **more))

    def add_common(self) -> None:
        """What every service answers to everybody."""
        for path in COMMON:
            self.add("GET", path, {}, needs_key=False)
        for headers in ({}, BROWSER):
            self.add("GET", "/problems/{slug}", headers, values={"slug": "not-found"}, needs_key=False)
        for mount in ("static", "swagger"):
            name = {"static": "stijl.css", "swagger": "swagger-ui.css"}[mount]
            self.add("GET", f"/{mount}/{{path}}", {}, values={"path": name}, needs_key=False)
        for headers in ({}, BROWSER):
            self.add("GET", "/inloggen", headers, needs_key=False)
            self.add("POST", "/uitloggen", headers, needs_key=False)

    def add_sign_in(self, user: str, password: str) -> None:
        form = {"gebruiker": user, "wachtwoord": password}
        for headers in ({}, BROWSER):
            self.add("POST", "/inloggen", headers, form, is_form=True, needs_key=False)


def cookie_of(client: TestClient) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


PRESENT = (  # of the school of rows.py: who may be known, and whose key names somebody else
    a_pupil("#1", last_name="Bijl p2"),
    a_pupil("p3", first_name="Sem", prefix=None, last_name="Vos"),
)


def a_file(code: str, *more: Pupil) -> bytes:
    file = EdexmlFile(
        school=EdexmlSchool(school_code=SchoolCode.parse(code), school_year="2026-2027"),
        groups=(a_group(),),
        pupils=tuple(EdexmlPupil(pupil=each) for each in (a_pupil("p77", last_name="Kok"), *more)),
        staff=(EdexmlStaff(member=a_staff_member("m77")),),
    )
    return write_edexml(file, created_at=now(), author="test")


# --- EDUscope ---------------------------------------------------------------------------------------------------------

NAMES = {
    "roepnaam": "Noor",
    "voorvoegsel": "van der",
    "achternaam": "Bijl",
    "voorletters": "N.",
    "eckid": "https://ketenid.example/abc",
    "instroomdatum": "2026-08-01",
    "uitstroomdatum": "2027-07-31",
}
GROUP = {"soort": "groep", "naam": "Groep 7", "jaargroep": "7", "omschrijving": "de zevende"}


KNOWN = WireKnownStaff(  # what the hub says: the same teacher under another address
    staff=[
        WireKnownMember(
            key="m1",
            first_name="Joris",
            prefix=None,
            last_name="Hagen m1",
            email="joris@regenboog.example",
            groups=["Groep 5"],
            account="actief",
        )
    ]
)


@contextmanager
def eduscope(database_url: Callable[[str], str]) -> Iterator[World]:
    url = database_url("eduscope_api")
    engine = open_engine(url)
    migrate.upgrade(engine, "eduscope_api")
    engine.dispose()
    settings = EduscopeSettings.model_validate(
        {
            "database_url": url,
            "base_url": "http://testserver",
            "hub_url": "http://hub.example",
            "hub_key": "k",
            "operator_key": "schakel_operator_0123456789abcdef",
            "mail_from": "eduscope@eduscope.example",
        }
    )
    hub = FakeHub(rows.CODE, rows.OTHER_CODE)
    hub.staff[rows.CODE] = httpx.Response(200, text=KNOWN.model_dump_json())
    app = eduscope_main.create_app(settings, hub.client())
    world = World(app)
    client = TestClient(app)
    school = rows.add_school(world.engine)
    with writing(world.engine) as db:
        rows.add_group(db, school.id, "leeg")
        rows.add_group(db, school.id, "c1", kind="composite")
    password = "correct paard batterij nietje"
    doors.sign_in(client, school, password_hash=hash_password(password))
    _add_eduscope(world, cookie_of(client), password)
    _add_people_api(world, client)
    _add_eduscope_access(world, client)
    _add_people_pages(world, client)
    _add_imports(world, client)
    yield world
    world.engine.dispose()


def _add_eduscope(world: World, me: dict[str, str], password: str) -> None:
    with reading(world.engine) as db:
        groups = {key: str(row_id) for key, row_id in db.execute(select(GroupRow.key, GroupRow.id)).all()}
        pupil = str(db.scalars(select(PupilRow.id)).first())
        member = str(db.scalars(select(StaffRow.id)).first())
    operator, school = bearer("schakel_operator_0123456789abcdef"), {"code": rows.CODE}
    home, composite = int(groups["g5"]), int(groups["c1"])
    a_child = {**NAMES, "jaargroep": "5", "groep": home, "samengesteldeGroepen": [composite]}
    member_body = {
        **NAMES,
        "emailadres": "nieuw@regenboog.example",
        "rollen": ["Leerkracht"],
        "einddatum": "2027-07-31",
        "groepen": [home],
    }
    base = "/api/v1/scholen/{code}"
    for tail in (
        "controles",
        "groepen",
        "koppeling",
        "koppeling/nachten",
        "koppeling/proef",
        "leerlingen",
        "personeel",
    ):
        world.add("GET", f"{base}/{tail}", me, values=school)
    for tail in ("edexml", "rapportages/contactgegevens", "rapportages/leerkrachten-per-groep"):
        world.add("GET", f"{base}/{tail}", me, values=school)
    world.add("POST", f"{base}/edexml", {**me}, a_file(rows.CODE), values=school)
    world.add("POST", f"{base}/groepen", me, GROUP, values=school)
    world.add("DELETE", f"{base}/groepen/{{group_id}}", me, values={**school, "group_id": groups["leeg"]})
    taught = {**school, "group_id": groups["leeg"], "staff_id": member}
    world.add("PUT", f"{base}/groepen/{{group_id}}/docenten/{{staff_id}}", me, values=taught)
    taught = {**taught, "group_id": groups["g5"]}
    world.add("DELETE", f"{base}/groepen/{{group_id}}/docenten/{{staff_id}}", me, values=taught)
    world.add("PUT", f"{base}/koppeling", me, {"basispoort": False, "waarschuwingenGezien": 0}, values=school)
    world.add("POST", f"{base}/koppeling/nu", me, values=school)
    world.add("PUT", f"{base}/koppeling/pauze", me, {"tot": "2027-08-01"}, values=school)
    world.add("POST", f"{base}/leerlingen", me, a_child, values=school)
    world.add("PATCH", f"{base}/leerlingen/{{pupil_id}}", me, a_child, values={**school, "pupil_id": pupil})
    world.add("POST", f"{base}/personeel", me, member_body, values=school)
    world.add("PATCH", f"{base}/personeel/{{staff_id}}", me, member_body, values={**school, "staff_id": member})
    groups_of = {**school, "staff_id": member}
    world.add("PUT", f"{base}/personeel/{{staff_id}}/groepen", me, {"groepen": [home, composite]}, values=groups_of)
    world.add("POST", "/api/v1/operator/scholen", operator, {"code": "99ZB00", "naam": "De Beuk"})
    new = {
        "gebruiker": "nieuw@regenboog.example",
        "wachtwoord": "zeven losse woorden achter elkaar",
        "scholen": [rows.CODE],
    }
    world.add("POST", "/api/v1/operator/beheerders", operator, new)
    world.add("GET", "/", {**me, **BROWSER}, query={"school": rows.CODE}, needs_key=False)
    world.add("GET", "/", BROWSER, needs_key=False)
    world.add_sign_in(doors.USER, password)
    world.add_common()


def _add_people_api(world: World, client: TestClient) -> None:
    """One pupil, member of staff and group; contact details, history, and many changes at once."""
    me, school = cookie_of(client), {"code": rows.CODE}
    base, own = "/api/v1/scholen/{code}", f"/api/v1/scholen/{rows.CODE}"
    pupil = client.post(f"{own}/leerlingen", json={"roepnaam": "Fenna"}).json()["id"]
    member = client.post(f"{own}/personeel", json={"achternaam": "Vink"}).json()["id"]
    group = client.post(f"{own}/groepen", json={"naam": "Groep 9"}).json()["id"]
    phone = {"soort": "telefoon", "waarde": "030 1234567"}
    contact = client.post(f"{own}/personeel/{member}/contactgegevens", json=phone).json()["id"]
    change = client.get(f"{own}/geschiedenis").json()["wijzigingen"][0]["id"]
    places = {
        "leerlingen": {**school, "pupil_id": str(pupil)},
        "personeel": {**school, "staff_id": str(member)},
        "groepen": {**school, "group_id": str(group)},
    }
    for kind, place in places.items():
        name = next(each for each in place if each != "code")
        world.add("GET", f"{base}/{kind}/{{{name}}}", me, values=place)
        subject = {**school, "subject_id": place[name]}
        world.add("GET", f"{base}/{kind}/{{subject_id}}/geschiedenis", me, values=subject)
    world.add(
        "PATCH",
        f"{base}/groepen/{{group_id}}",
        me,
        {name: GROUP[name] for name in ("naam", "jaargroep", "omschrijving")},
        values=places["groepen"],
    )
    world.add("DELETE", f"{base}/leerlingen/{{pupil_id}}", me, values=places["leerlingen"])
    world.add("DELETE", f"{base}/personeel/{{staff_id}}", me, values=places["personeel"])
    world.add("PUT", f"{base}/personeel/{{staff_id}}/alle-groepen", me, values=places["personeel"])
    contacts = f"{base}/personeel/{{staff_id}}/contactgegevens"
    one = {**places["personeel"], "contact_id": str(contact)}
    world.add("GET", contacts, me, values=places["personeel"])
    email = {"soort": "e-mail", "waarde": "vink@regenboog.example", "voorBasispoort": True}
    world.add("POST", contacts, me, email, values=places["personeel"])
    changed = {"waarde": "030 7654321", "voorBasispoort": False}
    world.add("PATCH", f"{contacts}/{{contact_id}}", me, changed, values=one)
    world.add("DELETE", f"{contacts}/{{contact_id}}", me, values=one)
    world.add("GET", f"{base}/geschiedenis", me, values=school)
    undo = {**school, "change_id": str(change)}
    world.add("POST", f"{base}/geschiedenis/{{change_id}}/terugdraaien", me, values=undo)
    here = {"groep": group, "samengesteldeGroepen": [], "jaargroep": "5"}
    edits = [{"id": pupil, "etag": None, **NAMES, "eckid": None, **here}]
    world.add("PATCH", f"{base}/leerlingen", me, {"leerlingen": edits}, values=school)
    works = {"rollen": ["Inval"], "emailadres": "vink@regenboog.example", "einddatum": "2027-07-31", "groepen": [group]}
    edits = [{"id": member, "etag": None, **NAMES, "eckid": None, **works}]
    world.add("PATCH", f"{base}/personeel", me, {"personeel": edits}, values=school)
    transition = {
        "proef": False,
        "groepen": [
            {"ref": "nieuw", "id": None, "soort": "groep", "naam": "Groep 6", "jaargroep": "6", "omschrijving": "zes"}
        ],
        "leerlingen": [{"ids": [pupil], "groep": "nieuw", "jaargroep": "6"}],
        "uitstroom": {"ids": [pupil], "datum": "2027-07-31"},
        "docenten": [{"groep": "nieuw", "ids": [member]}],
        "verwijderGroepen": [],
    }
    world.add("POST", f"{base}/jaarovergang", me, transition, values=school)


def _add_eduscope_access(world: World, client: TestClient) -> None:
    """Boards, API keys, the comparison, announced domains, and their pages."""
    me, operator, school = cookie_of(client), bearer("schakel_operator_0123456789abcdef"), {"code": rows.CODE}
    base, pages = "/api/v1/scholen/{code}", "/scholen/{code}"
    own = f"/api/v1/scholen/{rows.CODE}"
    board = {"naam": "Stichting De Beuk", "scholen": [rows.CODE], "beheerders": [doors.USER]}
    made = client.post("/api/v1/operator/besturen", json={"naam": board["naam"]}, headers=operator).json()
    world.add("GET", "/api/v1/operator/besturen", operator)
    world.add("POST", "/api/v1/operator/besturen", operator, {"naam": "Stichting De Eik"})
    one = {"board_id": str(made["id"])}
    world.add("PUT", "/api/v1/operator/besturen/{board_id}", operator, board, values=one)
    new_key = {"naam": "Rooster", "bevoegdheden": ["leerlingen:lezen", "groepen:lezen"]}
    key = {**school, "key_id": str(client.post(f"{own}/sleutels", json=new_key).json()["id"])}
    world.add("GET", f"{base}/sleutels", me, values=school)
    world.add("POST", f"{base}/sleutels", me, new_key, values=school)
    world.add("DELETE", f"{base}/sleutels/{{key_id}}", me, values=key)
    world.add("GET", f"{pages}/inrichten/sleutels", {**me, **BROWSER}, values=school)
    form = {"naam": "Rooster", "bevoegdheden": "leerlingen:lezen"}
    world.add("POST", f"{pages}/inrichten/sleutels", {**me, **BROWSER}, form, values=school, is_form=True)
    world.add("POST", f"{pages}/inrichten/sleutels/{{key_id}}/intrekken", me, values=key)
    (line,) = (each for each in client.get(f"{own}/vergelijking").json()["regels"] if each["overneembaar"])
    taken = {"id": line["id"], "adres": line["basispoortAdres"], "eigen": line["eigenAdres"]}
    world.add("GET", f"{base}/vergelijking", me, values=school)
    some = {"personen": [taken], "alle": False, "versie": None}
    world.add("POST", f"{base}/vergelijking/overnemen", me, some, values=school)
    everybody = {"personen": [], "alle": True, "versie": client.get(f"{own}/vergelijking").json()["versie"]}
    world.add("POST", f"{base}/vergelijking/overnemen", me, everybody, values=school)
    form = {name: str(value) for name, value in taken.items()}
    world.add("POST", f"{pages}/vergelijking/overnemen", {**me, **BROWSER}, form, values=school, is_form=True)
    move = {"van": "regenboog.example", "naar": "nieuw.example"}
    assert client.put(f"{own}/koppeling/domeinen", json=move).status_code == 204
    world.add("GET", f"{base}/koppeling/domeinen", me, values=school)
    world.add("PUT", f"{base}/koppeling/domeinen", me, move, values=school)
    world.add("DELETE", f"{base}/koppeling/domeinen", me, values=school, query={"van": move["van"]})
    for report in ("contactgegevens", "leerkrachten-per-groep"):
        for kind in ("csv", "xlsx"):
            world.add("GET", f"{base}/rapportages/{report}", me, values=school, query={"formaat": kind})
        world.add("GET", f"{pages}/rapportages/{report}", {**me, **BROWSER}, values=school)
    for tail in ("rapportages", "controles", "vergelijking"):
        world.add("GET", f"{pages}/{tail}", {**me, **BROWSER}, values=school)


def _add_imports(world: World, client: TestClient) -> None:
    """EDEXML with its preview, the settings of the school, and the pages of both."""
    me, school = cookie_of(client), {"code": rows.CODE}
    base, pages, page = "/api/v1/scholen/{code}", "/scholen/{code}/inrichten", {**cookie_of(client), **BROWSER}
    file = a_file(rows.CODE, *PRESENT)
    kept = f"/api/v1/scholen/{rows.CODE}/edexml/voorbeelden"
    shown = client.post(kept, content=file, headers={"Content-Type": "application/xml"}).json()
    one = {**school, "import_id": str(shown["id"])}
    gone = [line["id"] for line in shown["leerkrachten"]["weg"]]
    offer, swap = shown["leerlingen"]["suggesties"][0], shown["leerlingen"]["wissels"][0]
    body = {
        "vingerafdruk": shown["vingerafdruk"],
        "uitstroomdatum": str(now().date()),
        "leerlingen": {
            "weg": [],
            "zelfde": [{"volgnummer": offer["volgnummer"], "id": offer["kandidaten"][0]["id"]}],
            "nieuw": [],
            "wissels": [{"volgnummer": swap["volgnummer"], "besluit": "ander"}],
        },
        "leerkrachten": {"weg": gone, "zelfde": [], "nieuw": [], "wissels": []},
    }
    world.add("GET", f"{base}/edexml/verlies", me, values=school, query={"versie": "2.0"})
    world.add("GET", f"{base}/edexml/voorbeelden", me, values=school)
    world.add("POST", f"{base}/edexml/voorbeelden", me, file, values=school)
    world.add("GET", f"{base}/edexml/voorbeelden/{{import_id}}", me, values=one)
    world.add("POST", f"{base}/edexml/voorbeelden/{{import_id}}/overnemen", me, body, values=one)
    world.add("DELETE", f"{base}/edexml/voorbeelden/{{import_id}}", me, values=one)
    world.add("PUT", f"{base}/instellingen", me, {"naam": "De Beuk"}, values=school)

    tab = f"{pages}/schoolinstellingen"
    for path in (pages, tab, f"{tab}/koppelingen", f"{tab}/koppelingen/vannacht", f"{pages}/edexml-importeren"):
        world.add("GET", path, page, values=school)
    world.add("GET", f"{pages}/edexml-exporteren", page, values=school, query={"versie": "2.0"})
    world.add("GET", f"{pages}/edexml-importeren/{{import_id}}", page, values=one)
    domains = {"van": "oud.example", "naar": "nieuw.example"}
    client.put(f"/api/v1/scholen/{rows.CODE}/koppeling/domeinen", json=domains)
    for path, form in (
        (tab, {"naam": "De Beuk"}),
        (f"{tab}/koppelingen", {"basispoort": "", "waarschuwingenGezien": ""}),
        (f"{tab}/koppelingen/pauze", {"formulier": "pauze", "tot": "2027-08-01"}),
        (f"{tab}/koppelingen/domeinen", domains),
        (f"{tab}/koppelingen/domeinen/intrekken", {"van": "oud.example"}),
    ):
        world.add("POST", path, page, form, values=school, is_form=True, free=frozenset(form) - {"formulier"})
    world.add("POST", f"{tab}/koppelingen/nu", page, values=school)
    form = {
        "vingerafdruk": shown["vingerafdruk"],
        "uitstroomdatum": str(now().date()),
        "weg-leerkrachten": str(gone[0]),
    }
    free = frozenset(form) - {"vingerafdruk"}
    world.add("POST", f"{pages}/edexml-importeren/{{import_id}}", page, form, values=one, is_form=True, free=free)
    world.add("POST", f"{pages}/edexml-importeren/{{import_id}}/weggooien", page, values=one)
    upload = {**page, "Content-Type": "multipart/form-data; boundary=grens"}
    around = b'--grens\r\nContent-Disposition: form-data; name="bestand"; filename="a.xml"\r\n\r\n%b\r\n--grens--\r\n'
    world.add("POST", f"{pages}/edexml-importeren", upload, around % file, values=school)


def _add_people_pages(world: World, client: TestClient) -> None:
    """The pages about staff, pupils, groups, the year transition and the history, with their forms."""
    me, school, base = {**cookie_of(client), **BROWSER}, {"code": rows.CODE}, "/scholen/{code}"
    own = f"/api/v1/scholen/{rows.CODE}"
    listed = {kind: client.get(f"{own}/{kind}").json()[kind] for kind in ("personeel", "leerlingen", "groepen")}
    member, pupil = (str(listed[kind][0]["id"]) for kind in ("personeel", "leerlingen"))
    group = str(next(each["id"] for each in listed["groepen"] if each["soort"] == "groep" and each["leerlingen"]))
    empty = str(next(each["id"] for each in listed["groepen"] if not each["leerlingen"]))
    phone = {"soort": "telefoon", "waarde": "020 1234567"}
    contact = str(client.post(f"{own}/personeel/{member}/contactgegevens", json=phone).json()["id"])
    change = str(client.get(f"{own}/personeel/{member}/geschiedenis").json()["wijzigingen"][0]["id"])
    version = str(client.get(f"{own}/personeel/{member}").json()["versie"])
    person = {"roepnaam": "Noor", "voorvoegsel": "van der", "achternaam": "Bijl", "voorletters": "N."}
    dates = {"instroomdatum": "2026-08-01", "uitstroomdatum": "2027-07-31"}
    staff_form = {**person, **dates, "rollen": "Leerkracht", "einddatum": "2027-07-01"}
    pupil_form = {**person, **dates, "jaargroep": "5", "groep": group}
    email = {"soort": "e-mail", "waarde": "tweede@regenboog.example", "voorBasispoort": "ja"}
    moves = {"groep": group, "naar": "weg", "omhoog": "ja", "datum": "2027-07-31"}
    shown = client.post(f"/scholen/{rows.CODE}/leerlingen/jaarovergang", data=moves).text
    seen = shown.partition('name="vingerafdruk" value="')[2].partition('"')[0]
    one, two, three = {**school, "staff_id": member}, {**school, "pupil_id": pupil}, {**school, "group_id": group}
    detail, taken_back = {**one, "contact_id": contact}, {**school, "change_id": change}
    for path, values in (
        *((f"{base}/{tail}", school) for tail in ("personeel", "personeel/nieuw", "leerlingen", "leerlingen/nieuw")),
        *((f"{base}/{tail}", school) for tail in ("groepen", "groepen/nieuw", "leerlingen/jaarovergang")),
        *((f"{base}/personeel/{{staff_id}}{tail}", one) for tail in ("", "/groepen", "/geschiedenis")),
        (f"{base}/personeel/{{staff_id}}/contactgegevens/nieuw", one),
        (f"{base}/personeel/{{staff_id}}/contactgegevens/{{contact_id}}", detail),
        *((f"{base}/leerlingen/{{pupil_id}}{tail}", two) for tail in ("", "/geschiedenis")),
        *((f"{base}/groepen/{{group_id}}{tail}", three) for tail in ("", "/leerlingen", "/docenten", "/geschiedenis")),
        (f"{base}/inrichten/geschiedenis", school),
        (f"{base}/inrichten/geschiedenis/{{change_id}}", taken_back),
    ):
        world.add("GET", path, me, values=values)
    free = frozenset(person | dates) | {"rollen", "einddatum", "emailadres", "jaargroep", "groep", "groepen"}
    free |= {"soort", "voorBasispoort", "naam", "omschrijving", "omhoog"}  # of a known contact the kind is not asked
    for path, form, values in (
        ("personeel/nieuw", {**staff_form, "emailadres": "nieuw@regenboog.example"}, school),
        ("personeel/{staff_id}", {**staff_form, "versie": version}, one),
        ("personeel/{staff_id}/groepen", {"groepen": group, "versie": version}, one),
        ("personeel/{staff_id}/contactgegevens/nieuw", email, one),
        ("personeel/{staff_id}/contactgegevens/{contact_id}", phone, detail),
        ("leerlingen/nieuw", pupil_form, school),
        ("leerlingen/{pupil_id}", {**pupil_form, "versie": "1"}, two),
        ("leerlingen/jaarovergang", moves, school),
        ("leerlingen/jaarovergang/uitvoeren", {**moves, "vingerafdruk": seen}, school),
        ("groepen/nieuw", {"soort": "groep", "naam": "6B", "jaargroep": "6", "omschrijving": "de zesde"}, school),
        ("groepen/{group_id}", {"naam": "6B", "jaargroep": "6", "versie": "1"}, three),
        ("groepen/{group_id}/docenten", {"docent": member}, {**school, "group_id": empty}),
    ):
        world.add("POST", f"{base}/{path}", me, form, values=values, is_form=True, free=free)
    for path, values in (
        ("personeel/{staff_id}/alle-groepen", one),
        ("personeel/{staff_id}/contactgegevens/{contact_id}/verwijderen", detail),
        ("groepen/{group_id}/verwijderen", {**school, "group_id": empty}),
        ("groepen/{group_id}/docenten/{staff_id}/verwijderen", {**three, "staff_id": member}),
        ("inrichten/geschiedenis/{change_id}", taken_back),
    ):
        world.add("POST", f"{base}/{path}", me, values=values)


# --- the hub ----------------------------------------------------------------------------------------------------------

OTHER, EMPTY = "99ZB00", "99ZC00"


@contextmanager
def basispoort(database_url: Callable[[str], str]) -> Iterator[World]:
    from services.basispoort_hub.main import create_app
    from services.basispoort_hub.settings import Settings

    settings = Settings.model_validate(
        {
            "database_url": database_url("basispoort_hub"),
            "base_url": hubs.BASE_URL,
            "mail_from": "noreply@hub.example",
            "operator_key": hubs.OPERATOR_KEY,
            "link_keys": "link-key-for-tests-0123456789abcdef",
            "sandbox": True,
        }
    )
    app = create_app(settings)
    app.state.sandbox_pupils = 20
    migrate.upgrade(app.state.engine, "basispoort_hub")
    world = World(app)
    _add_hub(world, hubs.Hub(app))
    yield world
    world.engine.dispose()


def _add_hub(world: World, hub: hubs.Hub) -> None:
    first, other, empty = hub.add_school(), hub.add_school(OTHER, "De Horizon"), hub.add_school(EMPTY, "De Leegte")
    assert len({first, other, empty}) == 3
    email = "ict@school.example"
    chief = hub.a_coordinator(email)
    for code in (OTHER, EMPTY):
        hub.appoint(email, code)
    hub.appoint("tweede@school.example")
    key = hub.administration_key()
    for code in (hubs.CODE, OTHER):
        hub.switch_on(chief, key, code)
    roster = a_roster(pupils=40, staff=2, groups=2)
    hub.push(key, roster)
    hub.activate("m1@school.example")
    hub.push(key, a_roster(pupils=1, staff=1), OTHER)  # m1 is asked at the other school: an invitation
    fewer = Roster.of(each for each in roster.entries() if not each.key.startswith("p") or each.key in {"p1", "p2"})
    hub.push(key, fewer)  # a wave: held
    operator = bearer(hubs.OPERATOR_KEY)
    publisher_body = {"code": "ctrllearning", "naam": "CtrlLearning", "zin": "Activeer"}
    hubs.answered(hub.operator().post("/api/v1/operator/uitgevers", json=publisher_body), 201)
    made = hubs.answered(hub.operator().post("/api/v1/operator/uitgevers/ctrllearning/sleutels"), 201)
    consent = {"toestemming": True}
    hubs.answered(chief.put(f"/api/v1/scholen/{hubs.CODE}/uitgeverijen/ctrllearning", json=consent), 200)
    me, publisher = cookie_of(chief), bearer(made["sleutel"])
    _add_hub_people(world, hub, me, operator)
    _add_hub_intake(world, hub, fewer, key)
    _add_hub_licences(world, hub, publisher, operator)
    _add_hub_pages(world, hub, me)
    for tail in ("", "/details", "/groepen", "/leerlingen", "/staf", "/uitgever/synchronizationpermission"):
        path = f"/rest/v2/instellingen/{{institution_id}}{tail}"
        world.add("GET", path, publisher, values={"institution_id": str(first)})
        if not tail.startswith("/uitgever"):
            world.add("HEAD", path, publisher, values={"institution_id": str(first)})
    for end in ("", "/"):
        world.add("GET", f"/rest/v2/instellingen{end}", publisher)
    for what in ("ingetrokken", "toegekend"):
        path = f"/rest/v2/instellingen/synchronizationpermission/{what}/{{day}}"
        world.add("GET", path, publisher, values={"day": "2026-11-22"})
    for tail, asked in (("leerlingen", [1, 2]), ("leerlingen_eckid", ["https://ketenid.example/x"])):
        path = f"/rest/v2/instellingen/{{institution_id}}/{tail}"
        world.add("POST", path, publisher, asked, values={"institution_id": str(first)})
    world.add("GET", "/api/v1/changes", publisher, query={"limit": "10"})
    world.add("PUT", "/api/v1/webhooks", publisher, {"adres": "https://uitgeverij.example/haak", "nieuwGeheim": False})
    hook = {"adres": "https://uitgeverij.example/haak"}
    hubs.answered(TestClient(world.app).put("/api/v1/webhooks", json=hook, headers=publisher), 200)
    for method in ("GET", "DELETE"):
        world.add(method, "/api/v1/webhooks", publisher)
    case = {"soort": "sluiten", "naar": None, "reden": "besluit", "vingerafdruk": None}
    world.add("POST", "/api/v1/operator/scholen/{code}/zaak", operator, case, values={"code": hubs.CODE})
    world.add("GET", "/leveranciers", BROWSER, needs_key=False)
    world.add("POST", "/api/v1/sandbox/alles-terug", publisher)
    hubs.answered(TestClient(world.app).post("/api/v1/sandbox/alles-terug", headers=publisher), 200)
    world.add("GET", "/api/v1/sandbox", publisher)
    world.add("POST", "/api/v1/sandbox/{gebeurtenis}", publisher, values={"gebeurtenis": "vertrek"})
    world.add("GET", "/rest/v2/nawsearch", publisher, query={"naam": "Regen", "brincode": "99ZA"})
    world.add("GET", "/", {**me, **BROWSER}, query={"school": hubs.CODE}, needs_key=False)
    world.add("GET", "/", BROWSER, needs_key=False)
    world.add("GET", "/inloggen", BROWSER, query={"bericht": "uitgelogd"}, needs_key=False)
    world.add_sign_in(email, hubs.PASSWORD)
    world.add_common()


def _add_hub_people(world: World, hub: hubs.Hub, me: dict[str, str], operator: dict[str, str]) -> None:
    teacher = cookie_of(hub.sign_in("m1@school.example"))
    ((hold,),) = [
        hubs.answered(TestClient(world.app).get(f"/api/v1/scholen/{hubs.CODE}/vastgehouden", headers=me), 200)
    ]
    (invitation,) = hubs.answered(TestClient(world.app).get("/api/v1/uitnodigingen", headers=teacher), 200)
    second = hub.account("tweede@school.example").id
    shown = hubs.answered(TestClient(world.app).get(f"/api/v1/scholen/{hubs.CODE}/leerkrachten", headers=me), 200)
    invited = next(each["id"] for each in shown["leerkrachten"] if each["emailadres"] == "m2@school.example")
    base, school = "/api/v1/scholen/{code}", {"code": hubs.CODE}
    for tail in ("koppeling", "leerkrachten", "uitgeverijen", "vastgehouden"):
        world.add("GET", f"{base}/{tail}", me, values=school)
    world.add("PUT", f"{base}/leerkrachtenlijst", me, {"leesbaar": True}, values=school)
    page = "/scholen/{code}/leerkrachten"
    world.add("GET", page, {**me, **BROWSER}, values=school)
    readable = {"formulier": "lijst", "leesbaar": "ja"}
    world.add("POST", f"{page}/lijst", {**me, **BROWSER}, readable, values=school, is_form=True)
    world.add("POST", f"{base}/edexml", me, a_file(EMPTY), values={"code": EMPTY})
    world.add("PUT", f"{base}/koppeling", me, {"administratie": "EDUscope", "actief": True}, values={"code": EMPTY})
    person = {**school, "person_id": str(invited)}
    world.add("POST", f"{base}/leerkrachten/{{person_id}}/activatielink", me, values=person)
    world.add("POST", f"{page}/{{person_id}}/activatielink", {**me, **BROWSER}, values=person)
    choice = {**school, "uitgever": "ctrllearning"}
    world.add("PUT", f"{base}/uitgeverijen/{{uitgever}}", me, {"toestemming": False}, values=choice)
    held = {**school, "hold_id": str(hold["id"])}
    world.add("POST", f"{base}/vastgehouden/{{hold_id}}", me, {"besluit": hold["keuzes"][0]}, values=held)
    form = {"school": hubs.CODE, "besluit": hold["keuzes"][0]}
    for headers in (me, {**me, **BROWSER}):
        decided = {"hold_id": str(hold["id"])}
        world.add("POST", "/vastgehouden/{hold_id}", headers, form, values=decided, is_form=True)
    world.add("GET", "/api/v1/uitnodigingen", teacher)
    number = {"number": str(invitation["id"])}
    world.add("POST", "/api/v1/uitnodigingen/{number}/aanvaarden", teacher, values=number)
    world.add("POST", "/uitnodigingen/{number}/aanvaarden", teacher, values=number)
    operated = "/api/v1/operator"
    world.add("POST", f"{operated}/administraties/{{name}}/sleutels", operator, values={"name": "EDUscope"})
    world.add("POST", f"{operated}/scholen", operator, {"code": "99ZD00", "naam": "De Dageraad"})
    appointed = {"emailadres": "derde@school.example", "naam": "Mila de Wit", "reden": "erbij"}
    world.add("POST", f"{operated}/scholen/{{code}}/coordinatoren", operator, appointed, values=school)
    gone = {**school, "account_id": str(second)}
    world.add("DELETE", f"{operated}/scholen/{{code}}/coordinatoren/{{account_id}}", operator, values=gone)
    new = {"code": "anderen", "naam": "Anderen", "zin": "Activeer de anderen"}
    world.add("POST", f"{operated}/uitgevers", operator, new)
    world.add("POST", f"{operated}/uitgevers/{{code}}/sleutels", operator, values={"code": "ctrllearning"})
    token = {"token": hub.link_for("tweede@school.example").rsplit("/", 1)[-1]}
    form = {"wachtwoord": hubs.PASSWORD, "herhaling": hubs.PASSWORD}
    for headers in ({}, BROWSER):
        world.add("GET", "/activeren/{token}", headers, values=token, needs_key=False)
        world.add("POST", "/activeren/{token}", headers, form, values=token, is_form=True, needs_key=False)
        world.add("POST", "/activeren/{token}/opnieuw", headers, values=token, needs_key=False)


def _add_hub_intake(world: World, hub: hubs.Hub, present: Roster, key: str) -> None:
    after = Roster.of(
        [
            *(each for each in present.entries() if each.key not in {"p1", "m2"}),
            a_pupil("p88", eck_id="https://ketenid.example/x", initials="N.", home_group="g1"),
            a_staff_member("m88", ends_on=date(2027, 7, 31), prefix="de", initials="J.", home_groups=frozenset({"g1"})),
            a_group("c9", kind=a_composite(), name="Plusgroep", year=None, description="op dinsdag"),
        ]
    )
    client = hub.client(key)
    token = client.get(f"/api/v1/scholen/{hubs.CODE}/stand").headers["etag"]
    administration, school = bearer(key), {"code": hubs.CODE}
    left = {kind: {gone: date(2026, 11, 20)} for kind, gone in leavers().items()}
    whole = WireRoster.of(after, fingerprint(after), left).model_dump(mode="json")
    delta = WireDelta.of(diff(present, after), left).model_dump(mode="json")
    base = "/api/v1/scholen/{code}"
    world.add("GET", f"{base}/stand", administration, values=school)
    announced = {"aangezet": True, "domeinwijzigingen": [{"van": "school.example", "naar": "nieuw.example"}]}
    world.add("PUT", f"{base}/aanmelding", administration, announced, values=school)
    world.add("GET", f"{base}/leerkrachten", administration, values=school)
    matched = {**administration, "If-Match": token}
    world.add("PUT", f"{base}/leerlinggegevens", matched, whole, values=school)
    world.add("PATCH", f"{base}/leerlinggegevens", matched, delta, values=school)


METHOD: dict[str, Any] = {
    "id": "rekenapp",
    "code": "rekenen",
    "naam": "Rekenapp",
    "icon": "image/svg+xml,PHN2Zy8+",
    "iconUrl": "https://cdn.example.org/icon.svg?query=value#anchor",
    "url": "https://app.example.org/start",
    "tags": ["leerkrachtApplicatie"],
}


def _add_hub_licences(world: World, hub: hubs.Hub, publisher: dict[str, str], operator: dict[str, str]) -> None:
    """Hosted-lika, what the operator sets for it, and a publisher's permission."""
    client, lika = TestClient(world.app), "/hosted-lika/management/lika"
    own, named = f"{lika}/ctrllearning", {"code": "ctrllearning"}
    allowed = {"adressen": ["https://app.example.org"]}
    path = "/api/v1/operator/uitgevers/{code}"
    world.add("GET", f"{path}/adressen", operator, values=named)
    world.add("PUT", f"{path}/adressen", operator, allowed, values=named)
    portal = {"naam": "Beheerportaal", "adres": "https://portaal.example", "helpdesk": "helpdesk@portaal.example"}
    world.add("PUT", f"{path}/beheerportaal", operator, portal, values=named)
    second = {**named, "identityCode": "tweede"}
    operated = f"/api/v1/operator/uitgevers/{named['code']}"
    for method in ("PUT", "DELETE"):
        world.add(method, f"{path}/lika/{{identityCode}}", operator, values=second)
    hubs.answered(client.put(f"{operated}/lika/tweede", headers=operator), 204)
    hubs.answered(client.put(f"{operated}/adressen", json=allowed, headers=operator), 204)
    address = {"straat": "Voorbeeldlaan", "huisnummer": "1", "postcode": "1234 ZZ", "woonplaats": "Testdorp"}
    more = {"telefoonNet": "099", "telefoonAbon": "1234567", "emailadres": "info@school.example"}
    everything = {**address, **more, "huisnummertoevoeging": "b", "bestuurscode": "99999", "schoolkey": "k1"}
    world.add("PUT", "/api/v1/operator/scholen/{code}/adres", operator, everything, values={"code": hubs.CODE})
    product = {**METHOD, "id": "rekenapp-5", "tags": []}
    hubs.answered(client.post(f"{own}/methode", json=METHOD, headers=publisher), 204)
    hubs.answered(client.post(f"{own}/methode/rekenapp/product", json=product, headers=publisher), 204)
    base = lika + "/{identityCode}"
    code, method_id = {"identityCode": "ctrllearning"}, {"identityCode": "ctrllearning", "mid": "rekenapp"}
    both = {**method_id, "pid": "rekenapp-5"}
    world.add("GET", f"{base}/methode", publisher, values=code)
    world.add("POST", f"{base}/methode", publisher, {**METHOD, "id": "taalapp"}, values=code)
    world.add("GET", f"{base}/methode/{{mid}}/product", publisher, values=method_id)
    new = {**product, "id": "rekenapp-6"}
    world.add("POST", f"{base}/methode/{{mid}}/product", publisher, new, values=method_id)
    (found,) = hubs.answered(client.get("/rest/v2/instellingen", headers=publisher), 200)
    staff = hubs.answered(client.get(f"/rest/v2/instellingen/{found}/staf", headers=publisher), 200)["medewerkers"]
    ids, pairs = [staff[0]["id"]], [{"instellingId": found, "eckId": "https://ketenid.example/x"}]
    for one, values, body in (("/methode/{mid}", method_id, METHOD), ("/methode/{mid}/product/{pid}", both, product)):
        for method, content in (("GET", None), ("PUT", body), ("DELETE", None)):
            world.add(method, base + one, publisher, content, values=values)
        for tail, users in (("gebruiker", ids), ("gebruiker_eckid", pairs)):
            list_ = {"gebruikers": users}
            for method, listed in (("GET", None), ("PUT", list_), ("DELETE", None)):
                world.add(method, f"{base}{one}/{tail}", publisher, listed, values=values)
            for end in ("addlist", "removelist"):
                world.add("POST", f"{base}{one}/{tail}/{end}", publisher, list_, values=values)
    bulk = {"methodes": ["rekenapp"], "producten": ["rekenapp-5"], "gebruikers": ids, "gebruikerEckIds": pairs}
    for what in ("grant", "revoke"):
        world.add("POST", f"{base}/permissions/{what}", publisher, bulk, values=code)
    school = {"institution_id": str(found)}
    permission = "/rest/v2/instellingen/{institution_id}/uitgever/synchronizationpermission"
    world.add("DELETE", permission, publisher, values=school)
    world.add("GET", permission, publisher, values=school, query={"request-permission": "false"})
    world.add("GET", "/rest/v2/instellingen/{institution_id}/ref", publisher, values=school)
    sought = {"adres": "laan 1", "postcode": "1234", "plaatsnaam": "Test", "bestuurscode": "99999"}
    world.add("GET", "/rest/v2/nawsearch", publisher, query={**sought, "activeOnly": "true"})


def _add_hub_pages(world: World, hub: hubs.Hub, me: dict[str, str]) -> None:
    """Lesmateriaal, Leerlingen and Beheer."""
    reader, school = {**me, **BROWSER}, {"code": hubs.CODE}
    with reading(world.engine) as db:
        query = select(PersonRow.id).where(PersonRow.kind == "pupil", PersonRow.left_at.is_(None))
        pupil = db.scalars(query.order_by(PersonRow.id).limit(1)).one()
    world.add("GET", "/lesmateriaal", reader)
    for tail in ("lesmateriaal", "lesmateriaal/waarom", "leerlingen", "beheer"):
        world.add("GET", f"/scholen/{{code}}/{tail}", reader, values=school)
    world.add("GET", "/scholen/{code}/leerlingen", reader, values=school, query={"zoek": "noor"})
    one = {**school, "person_id": str(pupil)}
    world.add("GET", "/scholen/{code}/leerlingen/{person_id}", reader, values=one)
    base, publisher = "/scholen/{code}/beheer", {**school, "uitgever": "ctrllearning"}
    for tail in ("gegevens", "melden"):
        world.add("GET", f"{base}/uitgeverijen/{{uitgever}}/{tail}", reader, values=publisher)
    world.add("GET", f"{base}/intrekken", reader, values=school, query={"uitgeverij": "ctrllearning"})
    chosen = {"administratie": "EDUscope", "automatisch": "ja"}
    world.add("POST", f"{base}/koppeling", reader, chosen, values={"code": EMPTY}, is_form=True)
    world.add("POST", f"{base}/uitgeverijen", reader, {"uitgeverij": "ctrllearning"}, values=school, is_form=True)
    world.add("POST", f"{base}/intrekken", reader, {"uitgeverij": "ctrllearning"}, values=school, is_form=True)
    answer = {"antwoord": "nee"}
    path = f"{base}/uitgeverijen/{{uitgever}}/antwoord"
    world.add("POST", path, reader, answer, values={**publisher, "code": EMPTY}, is_form=True)


def a_composite() -> Any:
    from shared.roster import GroupKind

    return GroupKind.COMPOSITE


def leavers() -> dict[Any, str]:
    from shared.roster import Kind

    return {Kind.PUPIL: "p1", Kind.STAFF: "m2"}


# --- the portal -------------------------------------------------------------------------------------------------------

SYNCED, DRAFTED = "taalblobs", "rekenblobs"


@contextmanager
def portal(make_engine: Callable[[str], Engine]) -> Iterator[World]:
    made = portals.a_portal(make_engine)
    app = made.client.app
    assert isinstance(app, FastAPI)
    world = World(app)
    _add_portal(world, made)
    yield world
    world.engine.dispose()


def _add_portal(world: World, made: portals.Portal) -> None:
    made.hub.pupils = some_pupils(40)
    made.hub.staff = [a_teacher(2001, "Lia", "Testman"), a_teacher(2003, "Ico", "Baas", roles=["ICTCoordinator"])]
    known = [portals.app_pupil("Noor", "Bakker", work=77), portals.app_pupil("Xaviera", "Onbekend")]
    made.seed(known)
    made.synchronise_everything()
    made.hub.pupils = some_pupils(10)
    portal_night.tick(made.engine, made.hub.client, now(), "me")  # a wave: held
    made.seed(known, app=DRAFTED)
    made.base = f"/api/v1/apps/{DRAFTED}/koppeling"
    with writing(made.engine) as db:  # as if it had been linked by hand before: then there can be differences
        db.execute(update(AppAccountRow).where(AppAccountRow.app == DRAFTED).values(mode="selectief"))
    made.put("wijze", {"wijze": "selectief"})
    made.put("leerlingen", {"basispoort": [each["id"] for each in made.hub.pupils[:3]]})
    made.put("docenten", {"basispoort": [2001]})
    helpdesk = {"gebruiker": "helpdesk", "wachtwoord": portals.PASSWORD, "rol": "helpdesk", "scholen": []}
    assert made.operator("gebruikers", helpdesk).status_code == 204
    me = cookie_of(made.client)
    desk = TestClient(world.app)
    form = {"gebruiker": "helpdesk", "wachtwoord": portals.PASSWORD}
    assert desk.post("/inloggen", data=form, follow_redirects=False).status_code == 303
    asked = {
        "naam": NAME,
        "instellingsnummer": SCHOOL,
        "apps": [{"app": SYNCED, "beheerder": "baas@deproef.example"}],
        "afzender": "ict@deproef.example",
    }
    number = desk.post("/api/v1/koppelverzoeken", json=asked).json()["nummer"]
    world.add("POST", "/api/v1/koppelverzoeken", {}, asked, needs_key=False)
    world.add("GET", "/api/v1/helpdesk/verzoeken", cookie_of(desk))
    path = "/api/v1/helpdesk/verzoeken/{number}/afronden"
    world.add("POST", path, cookie_of(desk), values={"number": str(number)})
    _add_portal_steps(world, made, me)
    _add_portal_operator(world)
    for path in ("/api/v1/ik", "/api/v1/overzicht"):
        world.add("GET", path, me)
    world.add("PUT", "/api/v1/school", me, {"instellingsnummer": SCHOOL})
    world.add("GET", "/", {**me, **BROWSER}, needs_key=False)
    world.add("GET", "/", BROWSER, needs_key=False)
    world.add_sign_in("ict@deproef.example", portals.PASSWORD)
    world.add_common()


def _add_portal_steps(world: World, made: portals.Portal, me: dict[str, str]) -> None:
    with reading(world.engine) as db:
        theirs = list(db.scalars(select(AppPupilRow.id).order_by(AppPupilRow.id.desc()).limit(2)))
    pupils = [each["id"] for each in made.hub.pupils]
    made.post("paren", [{"leerling": theirs[0], "basispoort": pupils[1]}])
    plan = made.post("controleren")
    drafted, synced = {"app": DRAFTED}, {"app": SYNCED}
    base, matched = "/api/v1/apps/{app}/koppeling", {**me, "If-Match": f'"{plan["versie"]}"'}
    for tail in ("", "/controleren", "/kandidaten", "/voorstellen"):
        world.add("GET", f"{base}{tail}", me, values=drafted)
    world.add("GET", "/api/v1/apps/{app}", me, values=drafted)
    world.add("GET", "/api/v1/apps/{app}/vastgehouden", me, values=synced)
    held = made.client.get(f"/api/v1/apps/{SYNCED}/vastgehouden").json()
    assert held, "the world has somebody who is held"
    decision = {"besluit": "loslaten", "nummers": [held[0]["nummer"]]}
    world.add("POST", "/api/v1/apps/{app}/vastgehouden", me, decision, values=synced)
    undo = made.client.get(f"/api/v1/apps/{SYNCED}/koppeling/terugdraaien").json()
    back = {"vingerafdruk": undo["vingerafdruk"], "versie": undo["versie"]}
    world.add("GET", f"{base}/terugdraaien", me, values=synced)
    world.add("POST", f"{base}/terugdraaien", me, back, values=synced)
    world.add("POST", f"{base}/synchroniseren", me, values=drafted)
    confirmed = {"vingerafdruk": plan["vingerafdruk"], "versie": plan["versie"]}
    world.add("POST", f"{base}/bevestigen", me, confirmed, values=drafted)
    world.add("POST", f"{base}/controleren", me, values=drafted)
    world.add("DELETE", base, matched, values=drafted)
    world.add("POST", f"{base}/automatisch", matched, values=drafted)
    world.add("PUT", f"{base}/wijze", matched, {"wijze": "alles"}, values=drafted)
    world.add("PUT", f"{base}/docenten", matched, {"basispoort": [2001, 2003]}, values=drafted)
    world.add("PUT", f"{base}/leerlingen", matched, {"basispoort": pupils[:4]}, values=drafted)
    pair = [{"leerling": theirs[1], "basispoort": pupils[0]}]
    world.add("POST", f"{base}/paren", matched, pair, values=drafted)
    world.add("DELETE", f"{base}/paren/{{pupil}}", matched, values={**drafted, "pupil": str(theirs[0])})


def _add_portal_operator(world: World) -> None:
    operator, base = dict(portals.OPERATOR), "/api/v1/operator"
    child = {
        "roepnaam": "Noor",
        "voorvoegsel": "van der",
        "achternaam": "Bijl",
        "groep": "Groep 5",
        "jaargroep": "5",
        "opdrachten": 3,
        "laatstGewerkt": "2026-11-20",
        "eckid": "https://ketenid.example/abc",
        "lasKey": "l-77",
    }
    teacher = {
        "roepnaam": "Joris",
        "voorvoegsel": "de",
        "achternaam": "Hagen",
        "emailadres": "joris@deproef.example",
        "isBeheerder": True,
    }
    account = {
        "instellingsnummer": SCHOOL + 1,
        "app": SYNCED,
        "beheerder": "baas@deproef.example",
        "plaatsen": 100,
        "plaatsenDocenten": 10,
        "groepen": ["Groep 5"],
        "leerlingen": [child],
        "docenten": [teacher],
    }
    user = {
        "gebruiker": "nieuw@deproef.example",
        "wachtwoord": "zeven losse woorden",
        "rol": "coordinator",
        "scholen": [SCHOOL],
    }
    other = {"instellingsnummer": SCHOOL + 1, "naam": "De Tweede", "code": "99ZY00"}
    made = TestClient(world.app).post(f"{base}/scholen", json=other, headers=operator)
    assert made.status_code == 201
    world.add("POST", f"{base}/scholen", operator, {**other, "naam": "De Tweede School"})
    world.add("POST", f"{base}/appaccounts", operator, account)
    world.add("POST", f"{base}/gebruikers", operator, user)
    world.add("POST", f"{base}/nacht", operator, {"instellingsnummer": SCHOOL})
