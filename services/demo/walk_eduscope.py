"""The walk through the manual of EDUscope: six steps, the night, activation, and the second night."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

from services.demo.scene import NotPossible, Scene, StepFailed, expect
from services.demo.school import an_older_file, coordinators
from shared.clock import local_date, now
from shared.edexml_write import write_edexml

EXISTING = 6  # teachers who already sign in to the hub before the school is connected
TEACHER = "leraar"  # how the demo names a teacher's password among its secrets
ADMINISTRATOR = "beheerder@eduscope.example"


def bring_school_in(scene: Scene) -> str:
    """The school comes in from the EDEXML file, as it is."""
    operator = scene.site("eduscope-operator")
    operator.call("POST", "/api/v1/operator/scholen", json={"code": scene.code, "naam": scene.school_name})
    admin = {"gebruiker": ADMINISTRATOR, "wachtwoord": scene.secret("beheerder"), "scholen": [scene.code]}
    operator.call("POST", "/api/v1/operator/beheerders", json=admin)
    eduscope = scene.open_site("eduscope", "EDUscope")
    eduscope.sign_in(ADMINISTRATOR, scene.secret("beheerder"))
    answer = eduscope.call(
        "POST", _edu(scene, "edexml"), content=scene.xml, headers={"Content-Type": "application/xml"}
    )
    expect(answer.json(), "EDUscope zei niet wat er binnenkwam")
    pupils, staff, groups = _pupils(scene), _staff(scene), _groups(scene)
    today = local_date(now())
    wanted = sum(not entry.has_left(today) for entry in scene.school.pupils)
    expect(
        len([one for one in pupils if not _has_left(one, today.isoformat())]) == wanted,
        "niet elke leerling kwam binnen",
    )
    expect(len(groups) == len(scene.school.groups), "niet elke groep kwam binnen")
    scene.facts["pupils"] = wanted
    return f"{wanted} leerlingen, {len(groups)} groepen, {len(staff)} personeelsleden"


def _has_left(pupil: dict[str, Any], today: str) -> bool:
    return pupil["uitstroomdatum"] is not None and str(pupil["uitstroomdatum"]) <= today


def refuse_broken_file(scene: Scene) -> str:
    """A file that is cut off names the line and changes nothing."""
    before = len(_pupils(scene))
    answer = scene.site("eduscope").call(
        "POST",
        _edu(scene, "edexml"),
        content=scene.xml[: len(scene.xml) * 2 // 3],
        headers={"Content-Type": "application/xml"},
        status=422,
    )
    rows = answer.json().get("fouten") or [answer.json()]
    expect(rows and rows[0].get("regel"), "de fout noemt geen regel")
    expect(len(_pupils(scene)) == before, "een kapot bestand heeft iets gewijzigd")
    return f"geweigerd met regel {rows[0]['regel']}; niets gewijzigd"


def open_school_in_hub(scene: Scene) -> str:
    """The operator opens the school in Basispoort; its first coordinator activates the account from the mail."""
    operator = scene.site("hub-operator")
    made = operator.call(
        "POST", "/api/v1/operator/scholen", json={"code": scene.code, "naam": scene.school_name}
    ).json()
    scene.facts["hub-id"] = made["id"]
    people = coordinators(scene.school)
    addresses = [member.email for member in people if member.email] or ["ict@school.example"]
    names = [member.full_name for member in people] or ["ICT-coördinator"]
    for email, name in zip(addresses, names, strict=False):
        operator.call(
            "POST",
            f"/api/v1/operator/scholen/{scene.code}/coordinatoren",
            json={"emailadres": email, "naam": name, "reden": "formulier van het bestuur"},
        )
    scene.facts["coordinators"] = addresses
    _activate(scene, addresses[0], scene.secret("coordinator"))
    hub = scene.open_site("hub", "Basispoort")
    hub.sign_in(addresses[0], scene.secret("coordinator"))
    return f"{len(addresses)} ICT-coördinator(en); de eerste heeft een wachtwoord gekozen"


def import_by_hand(scene: Scene) -> str:
    """How it went before: a file of the xml-maker, read into Basispoort by hand; teachers got accounts that way."""
    old = an_older_file(scene.school)
    body = write_edexml(old, created_at=now(), author="xml-maker")
    scene.site("hub").call("POST", _edu(scene, "edexml"), content=body, headers={"Content-Type": "application/xml"})
    with_address = [entry.member.email for entry in old.staff if entry.member.email]
    if not with_address:
        raise NotPossible("het bestand heeft geen e-mailadressen, dus geen leerkracht heeft al een account")
    known = set(scene.facts["coordinators"])
    existing = [email for email in with_address if email not in known][:EXISTING]
    # one of them signs in with an address that EDUscope does not have: the manual's steps 1 and 2 are about that one
    present = {entry.member.email for entry in scene.school.staff}
    other = next((email for email in with_address if email not in present and email not in known), None)
    if other is not None and other not in existing:
        existing[-1] = other
    for email in existing:
        _activate(scene, email, scene.secret(f"{TEACHER}-{email}"))
    scene.facts["existing"] = existing
    scene.facts["ids-before"] = {
        row["emailadres"]: row["id"] for row in _teachers(scene) if row["emailadres"] in existing
    }
    return f"{len(with_address)} leerkrachten met adres, {len(existing)} met een werkend inlogaccount"


def compare(scene: Scene) -> str:
    """Step 1: the list of teachers in Basispoort beside the two reports of EDUscope."""
    contacts = scene.site("eduscope").get(_edu(scene, "rapportages/contactgegevens"))["personeel"]
    per_group = scene.site("eduscope").get(_edu(scene, "rapportages/leerkrachten-per-groep"))["groepen"]
    there = {row["naam"]: row["emailadres"] for row in _teachers(scene)}
    expect(len(per_group) > 0, "het rapport met groepen is leeg")
    differs = [
        (row["id"], there[row["naam"]])
        for row in contacts
        if there.get(row["naam"]) and row["emailadres"] != there[row["naam"]]
    ]
    equal = sum(1 for row in contacts if row["emailadres"] and row["emailadres"] == there.get(row["naam"]))
    scene.facts["differs"] = differs
    return f"{len(contacts)} vergeleken: {equal} gelijk, {len(differs)} anders"


def correct_addresses(scene: Scene) -> str:
    """Step 2: take the Basispoort addresses over, so that the existing accounts go on working."""
    differs = scene.facts["differs"]
    if not differs:
        raise NotPossible("er is geen adres dat in Basispoort anders is")
    for staff_id, email in differs:
        scene.site("eduscope").call("PATCH", _edu(scene, f"personeel/{staff_id}"), json={"emailadres": email})
    contacts = scene.site("eduscope").get(_edu(scene, "rapportages/contactgegevens"))["personeel"]
    now_there = {row["id"]: row["emailadres"] for row in contacts}
    expect(all(now_there[staff_id] == email for staff_id, email in differs), "een adres is niet overgenomen")
    return f"{len(differs)} adressen overgenomen"


def link_teachers(scene: Scene) -> str:
    """Step 3: teachers to groups, and a substitute account with a real mailbox and all groups."""
    eduscope, groups = scene.site("eduscope"), [row for row in _groups(scene) if row["soort"] == "groep"]
    if not groups:
        raise NotPossible("het bestand heeft geen groepen")
    made = eduscope.call(
        "POST",
        _edu(scene, "personeel"),
        json={
            "roepnaam": "Vervanger",
            "achternaam": "Regenboog",
            "emailadres": "vervanger@school.example",
            "rollen": ["Inval"],
            "einddatum": (local_date(now()) + timedelta(days=200)).isoformat(),
        },
    ).json()
    for group in groups:
        eduscope.call("PUT", _edu(scene, f"groepen/{group['id']}/docenten/{made['id']}"))
    without = [group for group in _groups(scene) if group["docenten"] == [made["id"]]]
    scene.facts["substitute"] = "vervanger@school.example"
    linked = sum(len(group["docenten"]) for group in _groups(scene))
    return f"{linked} koppelingen; vervangersaccount bij {len(groups)} groepen; {len(without)} groepen met alleen die"


def check(scene: Scene) -> str:
    """Step 4: the checks. Errors forbid the tick, warnings are confirmed with their number."""
    found = scene.site("eduscope").get(_edu(scene, "controles"))
    scene.facts["warnings"] = found["waarschuwingen"]
    expect(found["fouten"] == 0, f"de controles melden {found['fouten']} fouten in de gegevens")
    return f"geen fouten, {found['waarschuwingen']} waarschuwingen"


def tick(scene: Scene) -> str:
    """Step 5: the tick; refused when the warnings were not seen; nothing is exchanged until the hub is on too."""
    eduscope = scene.site("eduscope")
    wrong = {"basispoort": True, "waarschuwingenGezien": scene.facts["warnings"] + 1}
    eduscope.call("PUT", _edu(scene, "koppeling"), json=wrong, status=409)
    right = {"basispoort": True, "waarschuwingenGezien": scene.facts["warnings"]}
    eduscope.call("PUT", _edu(scene, "koppeling"), json=right)
    run_night(scene, scene.code)
    connection = eduscope.get(_edu(scene, "koppeling"))
    expect(not connection["hub"]["koppelingActief"], "er is uitgewisseld terwijl de koppeling in Basispoort uit staat")
    return "vinkje staat; wacht op Basispoort; er gaat nog niets over"


def switch_on(scene: Scene) -> str:
    """Step 6: the coordinator chooses EDUscope and switches the connection on; files by hand are refused then."""
    hub = scene.site("hub")
    hub.call("PUT", _edu(scene, "koppeling"), json={"administratie": "EDUscope", "actief": True})
    state = hub.get(_edu(scene, "koppeling"))
    expect(state["koppelingActief"], f"de koppeling is niet actief: {state['wachtOp']}")
    body = write_edexml(an_older_file(scene.school), created_at=now(), author="xml-maker")
    hub.call("POST", _edu(scene, "edexml"), content=body, headers={"Content-Type": "application/xml"}, status=409)
    return "beide kanten aan; een handmatig bestand wordt nu geweigerd"


def first_night(scene: Scene) -> str:
    """The night: everything that changed goes over; existing accounts stay what they were."""
    run_night(scene, scene.code)
    last = last_run(scene)
    expect(last["uitkomst"] in {"alles", "verschil"}, f"de nacht stuurde niets: {last['zin']}")
    teachers = _teachers(scene)
    by_email = {row["emailadres"]: row for row in teachers}
    for email in scene.facts.get("existing", []):
        expect(email in by_email, "een bestaand account is verdwenen")
        expect(by_email[email]["account"] == "actief", "een bestaand account moet opnieuw geactiveerd worden")
        before = scene.facts["ids-before"].get(email)
        expect(by_email[email]["id"] == before, "een leerkracht kreeg een ander nummer")
        visitor = scene.visitor("Basispoort")
        visitor.sign_in(email, scene.secret(f"{TEACHER}-{email}"))
        visitor.close()
    kept = len(scene.facts.get("existing", []))
    return f"{len(teachers)} leerkrachten in Basispoort; {kept} bestaande accounts ongewijzigd ({last['zin']})"


def activate_one(scene: Scene) -> str:
    """One teacher opens the mail. Looking at the link changes nothing; choosing a password does, once."""
    invited = [
        row["emailadres"] for row in _teachers(scene) if row["account"] == "uitnodiging verstuurd" and row["emailadres"]
    ]
    if not invited:
        raise NotPossible("er is geen leerkracht met een e-mailadres die nog moet activeren")
    email = scene.facts.get("substitute") if scene.facts.get("substitute") in invited else invited[0]
    path = scene.activation_path(str(email))
    visitor = scene.visitor("Basispoort")
    for _ in range(3):  # a mail scanner opens links
        visitor.call("GET", path, status=200)
        visitor.call("HEAD", path, status=(200, 405))
    password = scene.secret("teacher")
    visitor.call("POST", path, data={"wachtwoord": "welkom2026", "herhaling": "welkom2026"}, status=(400, 422))
    visitor.call("POST", path, data={"wachtwoord": password, "herhaling": password}, status=(200, 303))
    visitor.call("POST", path, data={"wachtwoord": password, "herhaling": password}, status=(200, 303, 409, 410))
    visitor.sign_in(str(email), password)
    visitor.close()
    scene.facts["teacher"] = email
    return f"{len(invited)} uitgenodigd; één activeerde, een kort wachtwoord werd geweigerd, de link werkt één keer"


def second_night(scene: Scene) -> str:
    """A second night with one new pupil, one leaver and one changed address sends exactly those changes."""
    eduscope = scene.site("eduscope")
    pupils = [row for row in _pupils(scene) if row["uitstroomdatum"] is None]
    home = next((row["groep"] for row in pupils if row["groep"] is not None), None)
    newcomer = {
        "roepnaam": "Yfke",
        "voorvoegsel": "van 't",
        "achternaam": "Zandbergen",
        "jaargroep": "5",
        "groep": home,
    }
    eduscope.call("POST", _edu(scene, "leerlingen"), json=newcomer)
    leaver = pupils[len(pupils) // 2]
    eduscope.call(
        "PATCH",
        _edu(scene, f"leerlingen/{leaver['id']}"),
        json={"uitstroomdatum": local_date(now()).isoformat()},
    )
    changed = _change_one_address(scene)
    preview = eduscope.get(_edu(scene, "koppeling/proef"))
    planned = [row for row in preview["wie"] if row["soort"] != "group"]
    wanted = 3 if changed else 2
    expect(len(planned) == wanted, f"de proef noemt {len(planned)} wijzigingen in plaats van {wanted}")
    run_night(scene, scene.code)
    first = last_run(scene)
    expect(first["uitkomst"] == "verschil", f"de nacht stuurde geen wijzigingen: {first['zin']}")
    run_night(scene, scene.code)
    second = last_run(scene)
    expect(second["uitkomst"] == "gelijk", f"de tweede keer was er nog iets te sturen: {second['zin']}")
    scene.facts["newcomer"], scene.facts["leaver"] = newcomer, leaver
    if changed:
        _see_changed_address(scene, *changed)
    return f"{wanted} wijzigingen gestuurd, daarna niets meer"


def _change_one_address(scene: Scene) -> tuple[str, str] | None:
    """Somebody with a working account, no coordinator, gets another address; (old, new)."""
    old = next(iter(scene.facts.get("existing", [])), None)
    if old is None:
        return None
    staff = next(row for row in _staff(scene) if row["emailadres"] == old)
    new = f"nieuw.{old}"
    scene.site("eduscope").call("PATCH", _edu(scene, f"personeel/{staff['id']}"), json={"emailadres": new})
    return old, new


def _see_changed_address(scene: Scene, old: str, new: str) -> None:
    """The old address is off at once, the new one has an activation link, the teacher's number is the same."""
    password = scene.secret(f"{TEACHER}-{old}")
    visitor = scene.visitor("Basispoort")
    refused = visitor.call("POST", "/inloggen", data={"gebruiker": old, "wachtwoord": password}, status=(401, 403, 422))
    expect(refused.status_code != 303, "het oude adres werkt nog")
    visitor.close()
    row = next(row for row in _teachers(scene) if row["emailadres"] == new)
    expect(row["id"] == scene.facts["ids-before"][old], "de leerkracht kreeg een ander nummer")
    scene.activation_path(new)
    scene.wait_for_mail(old, lambda mail: "/activeren/" not in str(mail.get("tekst", "")))


def brake(scene: Scene) -> str:
    """A slip in the administration signs out a third of the pupils: nobody disappears. Mended, the hold dissolves."""
    eduscope, hub = scene.site("eduscope"), scene.site("hub")
    present = [row for row in _pupils(scene) if row["uitstroomdatum"] is None]
    slip = present[: len(present) // 3]
    if len(slip) < 10:
        raise NotPossible("de school is te klein voor een golf")
    today = local_date(now()).isoformat()
    for row in slip:
        eduscope.call("PATCH", _edu(scene, f"leerlingen/{row['id']}"), json={"uitstroomdatum": today})
    run_night(scene, scene.code)
    publisher = f"/rest/v2/instellingen/{scene.facts['hub-id']}/leerlingen"
    expect(len(scene.site("publisher").get(publisher)["leerlingen"]) == len(present), "er zijn leerlingen verdwenen")
    [hold] = hub.get(_edu(scene, "vastgehouden"))
    expect(len(hold["personen"]) == len(slip), "de rem houdt niet precies deze leerlingen vast")
    for row in slip:
        eduscope.call("PATCH", _edu(scene, f"leerlingen/{row['id']}"), json={"uitstroomdatum": None})
    run_night(scene, scene.code)
    expect(hub.get(_edu(scene, "vastgehouden")) == [], "de rem loste niet vanzelf op")
    return f"{len(slip)} leerlingen per ongeluk uitgeschreven: vastgehouden, niemand weg; hersteld: vanzelf opgelost"


def run_night(scene: Scene, code: str) -> None:
    """`schakel night --school CODE`, as an operator types it."""
    done = subprocess.run(
        [sys.executable, "-m", "services.command_line", "night", "--school", code],
        env={**scene.facts["environment"]},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode not in {0, 1}:
        raise StepFailed(f"schakel night stopte met {done.returncode}: {done.stderr[-300:]}")


def last_run(scene: Scene) -> dict[str, Any]:
    """The newest run of the school, as its administrator sees it."""
    runs: list[dict[str, Any]] = scene.site("eduscope").get(_edu(scene, "koppeling/nachten"))["runs"]
    expect(runs, "er is geen nacht vastgelegd")
    return runs[0]


def _activate(scene: Scene, email: str, password: str) -> None:
    path = scene.activation_path(email)
    visitor = scene.visitor("Basispoort")
    visitor.call("POST", path, data={"wachtwoord": password, "herhaling": password}, status=(200, 303))
    visitor.close()


def _edu(scene: Scene, rest: str) -> str:
    return f"/api/v1/scholen/{scene.code}/{rest}"


def _pupils(scene: Scene) -> list[dict[str, Any]]:
    return scene.site("eduscope").get_all(_edu(scene, "leerlingen"), "leerlingen")


def _staff(scene: Scene) -> list[dict[str, Any]]:
    return scene.site("eduscope").get_all(_edu(scene, "personeel"), "personeel")


def _groups(scene: Scene) -> list[dict[str, Any]]:
    return scene.site("eduscope").get_all(_edu(scene, "groepen"), "groepen")


def _teachers(scene: Scene) -> list[dict[str, Any]]:
    return list(scene.site("hub").get(_edu(scene, "leerkrachten"))["leerkrachten"])
