"""The walk through the manual of the Beheerportaal: activation, both ways of synchronising, and what follows."""

from typing import Any

from services.demo.app_population import AppPopulation, app_population
from services.demo.scene import HELPDESK, NotPossible, Scene, Site, expect
from shared.clock import local_date, now

APPS = ("taalblobs", "rekenblobs")
PUBLISHER = "ctrllearning"


def fill_apps(scene: Scene) -> str:
    """Both apps were in use before: pupils with work and typing errors in their names, teachers, an administrator."""
    operator = scene.site("portal-operator")
    school_id, today = scene.facts["hub-id"], local_date(now())
    school = {"instellingsnummer": school_id, "naam": scene.school_name, "code": scene.code}
    operator.call("POST", "/api/v1/operator/scholen", json=school)
    coordinator = scene.facts["coordinators"][0]
    people = (
        {"gebruiker": coordinator, "wachtwoord": scene.secret("portal"), "rol": "coordinator", "scholen": [school_id]},
        {"gebruiker": HELPDESK, "wachtwoord": scene.secret("helpdesk"), "rol": "helpdesk", "scholen": []},
    )
    for person in people:
        operator.call("POST", "/api/v1/operator/gebruikers", json=person)
    for app in APPS:
        population = app_population(scene.school, app, today)
        scene.facts[app] = population
        operator.call("POST", "/api/v1/operator/appaccounts", json=_seeded(population, school_id))
    first = scene.facts[APPS[0]]
    work = sum(pupil.exercises_done for pupil in first.pupils)
    return f"{len(first.pupils)} leerlingen en {len(first.teachers)} docenten per app; {work} opdrachten in Taalblobs"


def _seeded(population: AppPopulation, school_id: int) -> dict[str, Any]:
    return {
        "instellingsnummer": school_id,
        "app": population.app,
        "beheerder": population.admin,
        "groepen": list(population.groups),
        "leerlingen": [
            {
                "roepnaam": pupil.first_name,
                "voorvoegsel": pupil.prefix,
                "achternaam": pupil.last_name,
                "groep": pupil.group,
                "opdrachten": pupil.exercises_done,
                "laatstGewerkt": pupil.last_worked_on and pupil.last_worked_on.isoformat(),
                "eckid": pupil.eck_id,
            }
            for pupil in population.pupils
        ],
        "docenten": [
            {
                "roepnaam": teacher.first_name,
                "voorvoegsel": teacher.prefix,
                "achternaam": teacher.last_name,
                "emailadres": teacher.email,
                "isBeheerder": teacher.is_admin,
            }
            for teacher in population.teachers
        ],
    }


def give_consent(scene: Scene) -> str:
    """The slider of the publisher; before it, the publisher gets nothing. Afterwards the tile is in Lesmateriaal."""
    publisher = scene.site("publisher")
    institution = f"/rest/v2/instellingen/{scene.facts['hub-id']}"
    refused = publisher.call("GET", institution, status=403).json()
    expect(refused["type"] == "/problems/permission-missing", "zonder toestemming kwam een andere weigering")
    consent = f"/api/v1/scholen/{scene.code}/uitgeverijen/{PUBLISHER}"
    scene.site("hub").call("PUT", consent, json={"toestemming": True})
    found = publisher.get(institution)
    again = publisher.call("GET", institution, status=200)
    unchanged = publisher.call("GET", institution, status=304, headers={"If-None-Match": again.headers["etag"]})
    expect(not unchanged.content, "een onveranderd antwoord had toch een inhoud")
    shown = publisher.get("/rest/v2/instellingen")
    expect(shown == [scene.facts["hub-id"]], "de uitgeverij ziet niet precies deze school")
    lessons = scene.site("hub").call("GET", f"/scholen/{scene.code}/lesmateriaal", headers={"Accept": "text/html"})
    expect(f'href="{scene.address("Beheerportaal")}/"' in lessons.text, "de tegel van het Beheerportaal ontbreekt")
    return (
        f"eerst geweigerd (403); daarna {len(found['leerlingen'])} leerlingen, {len(found['medewerkers'])} medewerkers;"
        " de tegel van het Beheerportaal staat in Lesmateriaal"
    )


def ask_for_connection(scene: Scene) -> str:
    """The message to the helpdesk: what is wrong is said per field, and the message is kept."""
    anyone = scene.open_site("sender", "Beheerportaal")
    request = {
        "naam": scene.school_name,
        "instellingsnummer": scene.facts["hub-id"],
        "apps": [{"app": app, "beheerder": scene.facts[app].admin} for app in APPS],
        "afzender": scene.facts["coordinators"][0],
    }
    wrong = {**request, "naam": "Een andere school", "apps": [{"app": APPS[0], "beheerder": "niemand@school.example"}]}
    checks = anyone.call("POST", "/api/v1/koppelverzoeken", json=wrong).json()["controles"]
    faults = [each["veld"] for each in checks if each["goed"] is False]
    expect(len(faults) == 2, f"twee velden waren fout, gemeld werden er {len(faults)}")
    received = anyone.call("POST", "/api/v1/koppelverzoeken", json=request).json()
    expect(all(each["goed"] for each in received["controles"]), "een goed verzoek werd afgekeurd")
    scene.facts["request"] = received["nummer"]
    scene.wait_for_mail(HELPDESK, lambda _mail: True)
    return f"{len(faults)} fouten per veld gemeld; daarna {len(received['controles'])} controles goed; kopie gemaild"


def complete_request(scene: Scene) -> str:
    """The helpdesk completes the request; every ICT coordinator gets a confirmation."""
    helpdesk = scene.open_site("helpdesk", "Beheerportaal")
    helpdesk.sign_in(HELPDESK, scene.secret("helpdesk"))
    waiting = helpdesk.get("/api/v1/helpdesk/verzoeken")
    helpdesk.call("POST", f"/api/v1/helpdesk/verzoeken/{scene.facts['request']}/afronden")
    for email in scene.facts["coordinators"]:
        scene.wait_for_mail(email, lambda mail: "/activeren/" not in str(mail.get("tekst", "")))
    portal = scene.open_site("portal", "Beheerportaal")
    portal.sign_in(scene.facts["coordinators"][0], scene.secret("portal"))
    overview = portal.get("/api/v1/overzicht")
    expect(overview["koppelingActiefSinds"], "de koppeling is niet actief")
    told = len(scene.facts["coordinators"])
    return f"{len(waiting)} verzoeken in de rij, één afgerond; {told} ICT-coördinatoren kregen bericht"


def pair_everything(scene: Scene) -> str:
    """Step 1: pair automatically, look at each suggestion, pair the rest by hand, undo a pair."""
    return _pair(scene, "taalblobs", "alles")


def _pair(scene: Scene, app: str, mode: str) -> str:
    """Step 1 as a coordinator who knows the children does it; held against what is true.

    1. Automatically: not one pair may be wrong.
    2. The suggestions one by one: the right ones are confirmed.
    3. By hand what is left and known; strangers stay unpaired.
    4. A pair is undone and made again.
    """
    if not any(pupil.truth for pupil in _population(scene, app).pupils):
        raise NotPossible("het bestand heeft geen leerlingen met een hele naam")
    portal, path, truth = scene.site("portal"), f"/api/v1/apps/{app}/koppeling", _truth(scene, app)
    portal.call("PUT", f"{path}/wijze", json={"wijze": mode})
    automatic = portal.call("POST", f"{path}/automatisch").json()["paren"]
    wrong = sum(truth.get(pair["leerling"]) != pair["basispoort"] for pair in automatic)
    expect(wrong == 0, f"{wrong} leerlingen zijn automatisch aan een ander kind gekoppeld")
    first: dict[int, dict[str, Any]] = {}
    for each in portal.get(f"{path}/voorstellen"):
        first.setdefault(each["leerling"], each)
    right = {one: each["basispoort"] for one, each in first.items() if truth.get(one) == each["basispoort"]}
    known = {pair["leerling"] for pair in automatic} | right.keys()
    by_hand = {one: hub_id for one, hub_id in truth.items() if one not in known}
    for pairs in (right, by_hand):
        body = [{"leerling": one, "basispoort": hub_id} for one, hub_id in pairs.items()]
        if body:
            portal.call("POST", f"{path}/paren", json=body)
    one, hub_id = next(iter(truth.items()))
    portal.call("DELETE", f"{path}/paren/{one}")
    made = portal.call("POST", f"{path}/paren", json=[{"leerling": one, "basispoort": hub_id}]).json()
    expect(len(made["paren"]) == len(truth), "niet elke leerling die bekend is, is gekoppeld")
    return (
        f"{len(automatic)} automatisch, geen verkeerd; {len(right)} van {len(first)} voorstellen bevestigd; "
        f"{len(by_hand)} met de hand; {made['ongekoppeld']} over"
    )


def _truth(scene: Scene, app: str) -> dict[int, int]:
    """App pupil id -> the number of the pupil in Basispoort whom the population says it is."""
    numbers = {row["lasKey"]: row["id"] for row in _hub_pupils(scene)}
    known = {_mark(row): row["id"] for row in _registered(scene, app)["leerlingen"]}
    found = {}
    for pupil in _population(scene, app).pupils:
        mark = (pupil.first_name, pupil.prefix, pupil.last_name, pupil.group, pupil.exercises_done)
        if pupil.truth in numbers and mark in known:
            found[known[mark]] = numbers[pupil.truth]
    return found


def _mark(row: dict[str, Any]) -> tuple[Any, ...]:
    """What tells two pupils of one name in one group apart: the work they did."""
    return row["roepnaam"], row["voorvoegsel"], row["achternaam"], row["groep"], row["opdrachten"]


def synchronise_everything(scene: Scene) -> str:
    """Steps 2 to 4: the plan is shown whole; another fingerprint does nothing; then exactly the plan happens."""
    return _synchronise(scene, "taalblobs")


def choose_some(scene: Scene) -> str:
    """Selective: pair, then choose: the paired pupils, the others of groups 5 and 6, and eight teachers."""
    paired_how = _pair(scene, "rekenblobs", "selectief")
    portal, path = scene.site("portal"), "/api/v1/apps/rekenblobs/koppeling"
    candidates = portal.get(f"{path}/kandidaten")
    paired = {pair["basispoort"] for pair in portal.get(path)["paren"]}
    others = {one["basispoort"] for one in candidates["leerlingen"] if one["jaargroep"] in {"5", "6"}} - paired
    portal.call("PUT", f"{path}/leerlingen", json={"basispoort": sorted(paired | others)})
    teachers = [one["basispoort"] for one in candidates["docenten"]][:8]
    portal.call("PUT", f"{path}/docenten", json={"basispoort": teachers})
    return f"{paired_how}; {len(others)} uit groep 5 en 6 erbij, {len(teachers)} docenten"


def synchronise_some(scene: Scene) -> str:
    """Step 4 of selective: exactly what was shown."""
    return _synchronise(scene, "rekenblobs")


def _synchronise(scene: Scene, app: str) -> str:
    portal, path = scene.site("portal"), f"/api/v1/apps/{app}/koppeling"
    before = {row["id"]: row for row in _registered(scene, app)["leerlingen"]}
    scene.facts[f"{app}-before"] = before
    plan = portal.call("POST", f"{path}/controleren").json()
    wrong = {"vingerafdruk": "p1:" + "0" * 64, "versie": plan["versie"]}
    portal.call("POST", f"{path}/bevestigen", json=wrong, status=409)
    expect(len(_registered(scene, app)["leerlingen"]) == len(before), "een geweigerde bevestiging heeft iets gewijzigd")
    right = {"vingerafdruk": plan["vingerafdruk"], "versie": plan["versie"]}
    portal.call("POST", f"{path}/bevestigen", json=right)
    _expect_plan_carried_out(scene, app, plan, before)
    pupils, teachers = plan["aantallenLeerlingen"], plan["aantallenDocenten"]
    return (
        f"leerlingen: {pupils['blijven'] + pupils['wijzigen']} blijven met hun werk, {pupils['nieuw']} nieuw, "
        f"{pupils['verwijderd']} verwijderd (30 dagen bewaard); docenten: {teachers['nieuw']} nieuw, "
        f"{teachers['verwijderd']} verwijderd"
    )


def _expect_plan_carried_out(scene: Scene, app: str, plan: dict[str, Any], before: dict[int, dict[str, Any]]) -> None:
    """What is in the app now is what step 4 showed, and nobody who stays lost work."""
    after = {row["id"]: row for row in _registered(scene, app)["leerlingen"]}
    gone = {each["id"] for each in plan["leerlingen"] if each["actie"] == "wordt verwijderd"}
    kept = {each["id"] for each in plan["leerlingen"] if each["actie"] in {"blijft", "wijzigt"}}
    new = sum(each["actie"] == "nieuw" for each in plan["leerlingen"])
    expect(not gone & after.keys(), "iemand die verwijderd zou worden, staat er nog")
    expect(kept <= after.keys(), "iemand die zou blijven, is weg")
    expect(len(after) == len(kept) + new, "er staan anderen in de app dan stap 4 liet zien")
    expect(gone | kept == before.keys(), "stap 4 liet niet iedereen zien")
    lost = [one for one in kept if after[one]["opdrachten"] != before[one]["opdrachten"]]
    expect(not lost, f"{len(lost)} leerlingen verloren werk")


def follow_changes(scene: Scene) -> str:
    """After the night: with everything the newcomer comes by itself; selective shows it and waits."""
    scene.site("portal-operator").call(
        "POST", "/api/v1/operator/nacht", json={"instellingsnummer": scene.facts["hub-id"]}
    )
    newcomer = scene.facts["newcomer"]["roepnaam"]
    registered = _registered(scene, "taalblobs")["leerlingen"]
    names = [row["roepnaam"] for row in registered]
    waits = _registered(scene, "rekenblobs")
    if scene.site("portal").get("/api/v1/apps/taalblobs")["wijze"] is None:
        raise NotPossible("geen van de apps is gesynchroniseerd")
    expect(newcomer in names, "de nieuwe leerling kwam niet vanzelf in Taalblobs")
    expect(newcomer not in [row["roepnaam"] for row in waits["leerlingen"]], "selectief liet een leerling vanzelf toe")
    numbers = {row["id"] for row in _hub_pupils(scene)}
    expect({row["basispoort"] for row in registered} == numbers, "in Taalblobs staan anderen dan in Basispoort")
    sentence = (waits["verschillen"] or {}).get("zin", "niets te doen")
    return f"Taalblobs: nieuwe leerling erbij, vertrokken leerling eruit; Rekenblobs wacht: {sentence}"


def take_back(scene: Scene) -> str:
    """The run of Rekenblobs is taken back: the same pupils as before, with their names and work of then."""
    before = scene.facts.get("rekenblobs-before")
    if before is None:
        raise NotPossible("Rekenblobs is niet gesynchroniseerd")
    portal, path = scene.site("portal"), "/api/v1/apps/rekenblobs/koppeling/terugdraaien"
    undo = portal.get(path)
    right = {"vingerafdruk": undo["vingerafdruk"], "versie": undo["versie"]}
    portal.call("POST", path, json=right)
    after = _registered(scene, "rekenblobs")
    pupils = {row["id"]: row for row in after["leerlingen"]}
    expect(pupils.keys() == before.keys(), "er staan andere leerlingen in de app dan voor de synchronisatie")
    expect(all(_mark(pupils[one]) == _mark(before[one]) for one in before), "een leerling is niet als voorheen")
    return (
        f"{len(pupils)} leerlingen precies als voor de synchronisatie, met hun werk; de app staat op {after['staat']}"
    )


def _population(scene: Scene, app: str) -> AppPopulation:
    population: AppPopulation = scene.facts[app]
    return population


def _registered(scene: Scene, app: str) -> dict[str, Any]:
    found: dict[str, Any] = scene.site("portal").get(f"/api/v1/apps/{app}")
    return found


def _hub_pupils(scene: Scene) -> list[dict[str, Any]]:
    publisher: Site = scene.site("publisher")
    return list(publisher.get(f"/rest/v2/instellingen/{scene.facts['hub-id']}/leerlingen")["leerlingen"])
