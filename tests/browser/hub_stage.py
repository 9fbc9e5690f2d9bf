"""The hub and the portal as they are visited: publishers with apps and tiles, something held, people of every kind."""

import base64
import re
import time
from dataclasses import replace
from typing import Any

import httpx
from sqlalchemy import select, update

from services.basispoort_hub.tables import AccountRow
from shared.clock import local_date, now
from shared.database import open_engine, writing
from shared.edexml import EdexmlFile, EdexmlStaff
from shared.passwords import hash_password
from shared.roster import Roster, fingerprint
from shared.wire.rosters import WireRoster
from tests.browser.stage import (
    CODE,
    COORDINATOR,
    HELPDESK,
    NAMES,
    OPERATOR_KEY,
    OURS,
    PASSWORD,
    Person,
    Stage,
    address,
    as_in_hub,
    done,
    small_school,
    xml_of,
)

XML = {"Content-Type": "application/xml"}
NEW = "99ZF00"  # nothing happened here yet
ENDED = "99ZG00"  # merged into CODE
NEIGHBOUR = "99ZJ00"  # invites a teacher of CODE
HUB_STORY = {True: "99ZH00", False: "99ZI00"}  # where the hub's own story is told, with and without JavaScript
MORE_NAMES = {
    NEW: "De Nieuwe School",
    ENDED: "De Oude School",
    NEIGHBOUR: "De Buurschool",
    HUB_STORY[True]: "De Mare",
    HUB_STORY[False]: "De Vliet",
}
TEACHER, IDLE = address("anna.de.wit", CODE), address("piet.jansen", CODE)  # one with tiles, one without
NEWCOMER, REMAINER, NEXT_DOOR = (f"{who}@{who}.example" for who in ("nieuw", "blijver", "buur"))
MINE, ASKING, THIRD = "ctrllearning", "voorbeeld", "zwaluw"
PUBLISHERS = {MINE: "CtrlLearning", ASKING: "Uitgeverij Voorbeeld", THIRD: "Uitgeverij Zwaluw"}
CIRCLE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48"><circle cx="24" cy="24" r="20" fill="teal"/></svg>'
)
ICON = "image/svg+xml," + base64.b64encode(CIRCLE.encode()).decode()
LIKA = f"/hosted-lika/management/lika/{MINE}"
APPS = "https://apps.example"
LINK = re.compile(r"/activeren/([^\s<>\"]+)")
MAIL_WITHIN_S = 60


def fill_hub(stage: Stage, operator: httpx.Client, database: str) -> None:
    """Schools, publishers, consent, tiles, a hold and an announced domain; signs everybody in."""
    numbers = {
        code: done(operator.post("/api/v1/operator/scholen", json={"code": code, "naam": name}))["id"]
        for code, name in {**{each: NAMES[each] for each in OURS}, **MORE_NAMES}.items()
    }
    for code in OURS:
        _appoint(operator, code, COORDINATOR, "Ida Cate")
    _appoint(operator, NEW, NEWCOMER, "Nora Nieuwenhuis")
    _appoint(operator, ENDED, REMAINER, "Bram Blijver")
    _appoint(operator, NEIGHBOUR, NEXT_DOOR, "Bo Buurman")
    for code, name in PUBLISHERS.items():
        new = {"code": code, "naam": name, "zin": f"Activeer de digitale methodes van {name}"}
        done(operator.post("/api/v1/operator/uitgevers", json=new))
        stage.keys[code] = done(operator.post(f"/api/v1/operator/uitgevers/{code}/sleutels"))["sleutel"]
    stage.keys["publisher"] = stage.keys[MINE]
    portal = {"naam": "Beheerportaal", "adres": f"{stage.portal}/", "helpdesk": HELPDESK}
    done(operator.put(f"/api/v1/operator/uitgevers/{MINE}/beheerportaal", json=portal))
    done(operator.put(f"/api/v1/operator/uitgevers/{MINE}/adressen", json={"adressen": [APPS]}))
    _activate(database, [COORDINATOR, NEWCOMER, REMAINER, NEXT_DOOR])
    chief = sign_in(stage.hub, COORDINATOR)
    for code in OURS:
        done(chief.post(f"/api/v1/scholen/{code}/edexml", content=xml_of(as_in_hub(code)), headers=XML))
    for code, email in ((ENDED, REMAINER), (NEIGHBOUR, NEXT_DOOR)):
        other = sign_in(stage.hub, email)
        done(other.post(f"/api/v1/scholen/{code}/edexml", content=xml_of(_few_people()), headers=XML))
    _end(operator)
    done(chief.put(f"/api/v1/scholen/{CODE}/uitgeverijen/{MINE}", json={"toestemming": True}))
    _ask(stage, numbers[CODE])
    _push(stage, chief)
    pupil = _licences(stage, numbers[CODE])
    _activate(database, [TEACHER, IDLE])
    stage.ids |= {"hub_pupil": pupil, "hub_school": numbers[CODE], "new_school": numbers[NEW]}
    live, used = _links(stage)
    stage.ids |= {"token": live, "used": used}
    stage.ids["mail"] = httpx.get(f"{stage.letterbox}/api/v1/berichten").json()[-1]["nummer"]
    for who, email in (
        ("coordinator", COORDINATOR),
        ("newcomer", NEWCOMER),
        ("remainer", REMAINER),
        ("teacher", TEACHER),
        ("idle teacher", IDLE),
    ):
        cookie = chief.cookies["hub"] if email == COORDINATOR else sign_in(stage.hub, email).cookies["hub"]
        stage.people[who] = Person(stage.hubs, ("hub", cookie))
    stage.people["stranger"] = Person(stage.hubs)
    stage.people["reader"] = Person((stage.letterbox,))


def _appoint(operator: httpx.Client, code: str, email: str, name: str) -> None:
    body = {"emailadres": email, "naam": name, "reden": "formulier van het bestuur"}
    done(operator.post(f"/api/v1/operator/scholen/{code}/coordinatoren", json=body))


def _activate(database: str, emails: list[str]) -> None:
    """These people have chosen a password; the stories show how one does."""
    engine, hashed = open_engine(database), hash_password(PASSWORD)
    with writing(engine) as db:
        chosen = {"password_hash": hashed, "state": "active"}
        db.execute(update(AccountRow).where(AccountRow.email.in_(emails)).values(chosen))
        known = set(db.scalars(select(AccountRow.email).where(AccountRow.email.in_(emails))))
    engine.dispose()
    assert known == set(emails)


def sign_in(base: str, email: str) -> httpx.Client:
    """A client with this person's cookie."""
    client = httpx.Client(base_url=base, timeout=60)
    answer = client.post("/inloggen", data={"gebruiker": email, "wachtwoord": PASSWORD})
    assert answer.status_code == 303, answer.text
    return client


def _few_people() -> EdexmlFile:
    """A few people of another school; one teacher works at CODE too, so that an invitation waits for her."""
    file = small_school(CODE)
    here = next(entry.member for entry in file.staff if entry.member.last_name == "de Wit")
    both = EdexmlStaff(member=replace(here, email=TEACHER, home_groups=frozenset(), composite_groups=frozenset()))
    school = replace(file.school, school_code=None)
    return replace(file, school=school, pupils=file.pupils[:5], staff=(both,))


def _end(operator: httpx.Client) -> None:
    case = {"soort": "fuseren", "naar": CODE, "reden": "besluit van het bestuur"}
    path = f"/api/v1/operator/scholen/{ENDED}/zaak"
    told = done(operator.post(path, json=case))
    done(operator.post(path, json={**case, "vingerafdruk": told["vingerafdruk"]}))


def _ask(stage: Stage, number: int) -> None:
    """A publisher asks for consent."""
    path = f"/rest/v2/instellingen/{number}/uitgever/synchronizationpermission?request-permission=true"
    done(httpx.get(stage.hub + path, headers=_bearer(stage.keys[ASKING]), timeout=60))


def _push(stage: Stage, chief: httpx.Client) -> None:
    """The link is on, and the first night lacks six pupils and a teacher: the brake holds them."""
    base, key = f"{stage.hub}/api/v1/scholen/{CODE}", _bearer(stage.keys["administration"])
    announced = [{"van": "oud.example", "naar": "deregenboog.example"}]
    done(httpx.put(f"{base}/aanmelding", json={"aangezet": True, "domeinwijzigingen": announced}, headers=key))
    done(chief.put(f"/api/v1/scholen/{CODE}/koppeling", json={"administratie": "EDUscope", "actief": True}))
    file, today = as_in_hub(CODE), local_date(now())
    pupils = [entry.pupil for entry in file.pupils if not entry.has_left(today)][6:]
    staff = [entry.member for entry in file.staff if entry.member.roles and entry.member.key != "M903"]
    roster = Roster.of([*file.groups, *pupils, *staff])
    token = httpx.get(f"{base}/stand", headers=key).headers["etag"]
    body = WireRoster.of(roster, fingerprint(roster), {}).model_dump(mode="json")
    receipt = done(httpx.put(f"{base}/leerlinggegevens", json=body, headers={**key, "If-Match": token}, timeout=60))
    assert receipt["vastgehouden"] == 7, receipt


def _licences(stage: Stage, number: int) -> int:
    """Methods, a product, a test and something for teachers only; returns the pupil who has some of it."""
    client = httpx.Client(base_url=stage.hub, headers=_bearer(stage.keys[MINE]), timeout=60)
    everybody = done(client.get(f"/rest/v2/instellingen/{number}"))
    pupil = everybody["leerlingen"][0]["id"]
    teacher = next(
        each["id"] for each in everybody["medewerkers"] if each["persoonsgegevens"]["achternaam"] == "de Wit"
    )
    for name, tags, users in (
        ("Taalblobs", [], [pupil, teacher]),
        ("Rekenblobs", [], []),
        ("Taaltoets", ["toetsApplicatie"], [pupil, teacher]),
        ("Handleidingen", ["leerkrachtApplicatie"], [pupil, teacher]),
    ):
        method: dict[str, Any] = {"id": name.lower(), "naam": name, "url": f"{APPS}/{name.lower()}", "tags": tags}
        done(client.post(f"{LIKA}/methode", json={**method, "icon": ICON}))
        done(client.put(f"{LIKA}/methode/{name.lower()}/gebruiker", json={"gebruikers": users}))
    product = {"id": "taalblobs-4", "naam": "Taalblobs groep 4", "url": f"{APPS}/taalblobs/4", "tags": []}
    done(client.post(f"{LIKA}/methode/taalblobs/product", json=product))
    done(client.put(f"{LIKA}/methode/taalblobs/product/taalblobs-4/gebruiker", json={"gebruikers": [pupil]}))
    return int(pupil)


def _links(stage: Stage) -> tuple[str, str]:
    """The token of an activation link that can be used, and of one that was."""
    invited = [
        entry.member.email
        for entry in small_school(CODE).staff
        if entry.member.email and "wti" not in entry.member.email
    ]
    live, used = (token_for(stage, str(email)) for email in invited[:2])
    chosen = {"wachtwoord": PASSWORD, "herhaling": PASSWORD}
    assert httpx.post(f"{stage.hub}/activeren/{used}", data=chosen, timeout=60).status_code == 303
    return live, used


def token_for(stage: Stage, email: str) -> str:
    """Of the activation link that was mailed to this address last, once it is there."""
    until = time.monotonic() + MAIL_WITHIN_S
    while time.monotonic() < until:
        mails = httpx.get(f"{stage.letterbox}/api/v1/berichten", params={"aan": email}).json()
        found = [match.group(1) for mail in mails if (match := LINK.search(mail["tekst"]))]
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError("no activation link was mailed")


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def fill_portal(stage: Stage) -> None:
    """A school with a link, one without, and the helpdesk."""
    operator = httpx.Client(base_url=stage.portal, headers=_bearer(OPERATOR_KEY), timeout=60)
    for code, number in ((CODE, stage.ids["hub_school"]), (NEW, stage.ids["new_school"])):
        name = {**NAMES, **MORE_NAMES}[code]
        body = {"instellingsnummer": number, "naam": name, "code": code}
        done(operator.post("/api/v1/operator/scholen", json=body))
    taken = {"instellingsnummer": stage.ids["hub_school"], "app": "taalblobs", "beheerder": "beheer@school.example"}
    done(operator.post("/api/v1/operator/appaccounts", json=taken))
    people = {
        "portal coordinator": (COORDINATOR, "coordinator", [stage.ids["hub_school"]]),
        "portal newcomer": (NEWCOMER, "coordinator", [stage.ids["new_school"]]),
        "helpdesk": (HELPDESK, "helpdesk", []),
    }
    for who, (email, role, schools) in people.items():
        person = {"gebruiker": email, "wachtwoord": PASSWORD, "rol": role, "scholen": schools}
        done(operator.post("/api/v1/operator/gebruikers", json=person))
        cookie = sign_in(stage.portal, email).cookies["portal"]
        stage.people[who] = Person((stage.portal,), ("portal", cookie))
    stage.people["portal stranger"] = Person((stage.portal,))
    asked = {
        "naam": NAMES[CODE],
        "instellingsnummer": stage.ids["hub_school"],
        "apps": [{"app": "taalblobs", "beheerder": "beheer@school.example"}],
        "afzender": COORDINATOR,
    }
    number = done(operator.post("/api/v1/koppelverzoeken", json=asked))["nummer"]
    done(sign_in(stage.portal, HELPDESK).post(f"/api/v1/helpdesk/verzoeken/{number}/afronden"))
