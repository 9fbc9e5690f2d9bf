"""One good request for every door of every service, in a world in which it is carried out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from services.app_connector import nightly as portal_night
from services.app_connector.tables import AppAccountRow, AppPupilRow
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
from shared.roster import Roster, fingerprint
from shared.roster_delta import diff
from shared.wire.rosters import WireDelta, WireRoster
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


def a_file(code: str) -> bytes:
    file = EdexmlFile(
        school=EdexmlSchool(school_code=SchoolCode.parse(code), school_year="2026-2027"),
        groups=(a_group(),),
        pupils=(EdexmlPupil(pupil=a_pupil("p77")),),
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
    "uitstroomdatum": "2027-07-31",
}
GROUP = {"soort": "groep", "naam": "Groep 7", "jaargroep": "7", "omschrijving": "de zevende"}


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
            "operator_key": "schakel_operator",
            "mail_from": "eduscope@eduscope.example",
        }
    )
    app = eduscope_main.create_app(settings, FakeHub(rows.CODE, rows.OTHER_CODE).client())
    world = World(app)
    client = TestClient(app)
    school = rows.add_school(world.engine)
    with writing(world.engine) as db:
        rows.add_group(db, school.id, "leeg")
        rows.add_group(db, school.id, "c1", kind="composite")
    password = "correct paard batterij nietje"
    doors.sign_in(client, school, password_hash=hash_password(password))
    _add_eduscope(world, cookie_of(client), password)
    yield world
    world.engine.dispose()


def _add_eduscope(world: World, me: dict[str, str], password: str) -> None:
    with reading(world.engine) as db:
        groups = {key: str(row_id) for key, row_id in db.execute(select(GroupRow.key, GroupRow.id)).all()}
        pupil = str(db.scalars(select(PupilRow.id)).first())
        member = str(db.scalars(select(StaffRow.id)).first())
    operator, school = bearer("schakel_operator"), {"code": rows.CODE}
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
        }
    )
    app = create_app(settings)
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
    for tail in ("", "/details", "/groepen", "/leerlingen", "/staf", "/uitgever/synchronizationpermission"):
        path = f"/rest/v2/instellingen/{{institution_id}}{tail}"
        world.add("GET", path, publisher, values={"institution_id": str(first)})
    world.add("GET", "/rest/v2/instellingen", publisher)
    for what in ("ingetrokken", "toegekend"):
        path = f"/rest/v2/instellingen/synchronizationpermission/{what}/{{day}}"
        world.add("GET", path, publisher, values={"day": "2026-11-22"})
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
    world.add("POST", f"{base}/edexml", me, a_file(EMPTY), values={"code": EMPTY})
    world.add("PUT", f"{base}/koppeling", me, {"administratie": "EDUscope", "actief": True}, values={"code": EMPTY})
    person = {**school, "person_id": str(invited)}
    world.add("POST", f"{base}/leerkrachten/{{person_id}}/activatielink", me, values=person)
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
    world.add("PUT", f"{base}/aanmelding", administration, {"aangezet": True}, values=school)
    matched = {**administration, "If-Match": token}
    world.add("PUT", f"{base}/leerlinggegevens", matched, whole, values=school)
    world.add("PATCH", f"{base}/leerlinggegevens", matched, delta, values=school)


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
