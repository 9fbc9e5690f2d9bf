"""The services that the browser tests visit: a real hub, and two EDUscopes on one database, filled over HTTP."""

import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import update

from services.basispoort_hub.tables import AccountRow
from services.demo.processes import Processes
from services.demo.school import a_school
from shared.clock import local_date, now
from shared.database import open_engine, writing
from shared.edexml import EdexmlFile, EdexmlStaff
from shared.edexml_write import write_edexml
from shared.identifiers import SchoolCode
from shared.passwords import hash_password
from shared.roster import Role, StaffMember

CODE = "99ZA00"  # the school that is looked at
TOLD = {True: "99ZD00", False: "99ZE00"}  # the schools of the manual's story, with and without JavaScript
STRANGER = "99ZC00"  # not one of the administrator's
NAMES = {CODE: "OBS De Regenboog", TOLD[True]: "CBS De Ark", TOLD[False]: "De Klimboom", STRANGER: "OBS De Vreemde"}
OURS = (CODE, *TOLD.values())
DOMAIN = "deregenboog.example"
ADMINISTRATOR, COORDINATOR = "a.bos@deregenboog.example", f"ict@{DOMAIN}"
PASSWORD = "regenboog-paard-batterij"
OPERATOR_KEY = "schakel_browser_operator"
COMMAND = "services.command_line"


@dataclass
class Stage:
    """Addresses of what runs, and the numbers of what was seeded. `edu`: the two processes."""

    edu: tuple[str, str]
    hub: str
    cookie: str  # of the signed-in administrator
    ids: dict[str, int] = field(default_factory=dict)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What the administrator does without a browser."""
        answer = httpx.request(method, self.edu[0] + path, cookies={"eduscope": self.cookie}, timeout=60, **more)
        answer.raise_for_status()
        return answer

    def get(self, path: str) -> Any:
        return self.call("GET", path).json()


def address(name: str, code: str) -> str:
    """An address at the school's own domain."""
    return f"{name}@{DOMAIN if code == CODE else f'school-{code.lower()}.example'}"


def small_school(code: str) -> EdexmlFile:
    """Three home groups of a generated school with their pupils and teachers, small enough for axe.

    Two teachers are there for the manual's steps: one without an address, one with an address with a slip in it.
    """
    domain = address("", code).removeprefix("@")
    whole = a_school(local_date(now()), OURS.index(code) + 1, SchoolCode.parse(code), domain)
    homes = [group for group in whole.groups if group.name in {"3A", "3/4", "4A"}]
    composites = [group for group in whole.groups if group.name == "Leesgroep maan"]
    kept = {group.key for group in (*homes, *composites)}
    pupils = []
    for group in homes:
        of_group = [entry for entry in whole.pupils if entry.pupil.home_group == group.key][:12]
        pupils += [
            replace(entry, pupil=replace(entry.pupil, composite_groups=entry.pupil.composite_groups & kept))
            for entry in of_group
        ]
    staff = [
        replace(
            entry,
            member=replace(
                entry.member,
                home_groups=entry.member.home_groups & kept,
                composite_groups=entry.member.composite_groups & kept,
            ),
        )
        for entry in whole.staff
        if entry.member.home_groups & kept and Role.SUBSTITUTE not in entry.member.roles
    ]
    without = StaffMember(key="M901", first_name="Piet", last_name="Jansen", roles=frozenset({Role.TEACHER}))
    slip = StaffMember(
        key="M902",
        first_name="Anna",
        last_name="de Wit",
        email=address("anna.de.wti", code),
        roles=frozenset({Role.TEACHER}),
    )
    staff += [EdexmlStaff(member=without), EdexmlStaff(member=slip)]
    return replace(whole, groups=(*homes, *composites), pupils=tuple(pupils), staff=tuple(staff))


def as_in_hub(code: str) -> EdexmlFile:
    """What the hub knows from the xml-maker: the two teachers have the right addresses there."""
    file = small_school(code)
    right = {"M901": address("piet.jansen", code), "M902": address("anna.de.wit", code)}
    staff = [
        replace(entry, member=replace(entry.member, email=right.get(entry.member.key, entry.member.email)))
        for entry in file.staff
    ]
    coordinator = StaffMember(
        key="M900", first_name="Ida", last_name="Cate", email=COORDINATOR, roles=frozenset({Role.ICT_COORDINATOR})
    )
    return replace(file, staff=(*staff, EdexmlStaff(member=coordinator, is_ict=True)))


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def raise_curtain(folder: Path, processes: Processes) -> Stage:
    """Start everything and fill it; whoever calls stops the processes."""
    hub_port, *edu_ports = free_ports(3)
    hub = f"http://127.0.0.1:{hub_port}"
    edu = (f"http://127.0.0.1:{edu_ports[0]}", f"http://127.0.0.1:{edu_ports[1]}")
    hub_database = f"sqlite:///{folder / 'hub'}.sqlite"
    _start(processes, "basispoort_hub", "hub", hub, hub_database, HUB_LINK_KEYS="k" * 40)
    operator = httpx.Client(base_url=hub, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}, timeout=60)
    key = _done(operator.post("/api/v1/operator/administraties/EDUscope/sleutels"))["sleutel"]
    appointed = {"emailadres": COORDINATOR, "naam": "Ida Cate", "reden": "formulier van het bestuur"}
    for code in OURS:
        _done(operator.post("/api/v1/operator/scholen", json={"code": code, "naam": NAMES[code]}))
        _done(operator.post(f"/api/v1/operator/scholen/{code}/coordinatoren", json=appointed))
    _give_password(hub_database)
    with httpx.Client(base_url=hub, timeout=60) as coordinator:
        coordinator.post("/inloggen", data={"gebruiker": COORDINATOR, "wachtwoord": PASSWORD})
        for code in OURS:
            _send_file(coordinator, code, as_in_hub(code))
    more = {"EDUSCOPE_HUB_URL": hub, "EDUSCOPE_HUB_KEY": key}
    eduscope_database = f"sqlite:///{folder / 'eduscope'}.sqlite"
    for place, address in enumerate(edu):
        _start(processes, "eduscope_api", f"eduscope-{place}", address, eduscope_database, **more)
    stage = Stage(edu, hub, _fill(edu[0]))
    stage.ids = _numbers(stage)
    return stage


def _numbers(stage: Stage) -> dict[str, int]:
    """What stands in the paths of pages: Piet Jansen (a telephone and no address), a pupil, a group, a change."""
    api = f"/api/v1/scholen/{CODE}"
    staff_id = next(
        row["id"] for row in stage.get(f"{api}/personeel?zoek=jansen")["personeel"] if not row["emailadres"]
    )
    phone = {"soort": "telefoon", "waarde": "+31 6 00000000", "voorBasispoort": False}
    contact = stage.call("POST", f"{api}/personeel/{staff_id}/contactgegevens", json=phone).json()
    return {
        "staff_id": staff_id,
        "contact_id": contact["id"],
        "pupil_id": stage.get(f"{api}/leerlingen")["leerlingen"][0]["id"],
        "group_id": next(row["id"] for row in stage.get(f"{api}/groepen")["groepen"] if row["naam"] == "3A"),
        "import_id": _preview(stage),
        "change_id": stage.get(f"{api}/personeel/{staff_id}/geschiedenis")["wijzigingen"][0]["id"],
    }


def _preview(stage: Stage) -> int:
    """A file that waits, in which somebody is new, changed, moved, gone, perhaps known, and another one swapped."""
    file = small_school(CODE)
    changed, moved, dummy, swapped, _gone, *rest = file.pupils
    other = next(group.key for group in file.groups if group.key != moved.pupil.home_group)
    later = [
        replace(changed, pupil=replace(changed.pupil, initials="Q")),
        replace(moved, pupil=replace(moved.pupil, home_group=other)),
        replace(dummy, pupil=replace(dummy.pupil, key="#1", eck_id=None)),
        replace(
            swapped, pupil=replace(swapped.pupil, first_name="Xanthe", prefix=None, last_name="Quist", eck_id=None)
        ),
        replace(dummy, pupil=replace(dummy.pupil, key="nieuw", first_name="Zeger", last_name="Ypma", eck_id=None)),
    ]
    content = write_edexml(replace(file, pupils=(*later, *rest)), created_at=now(), author="test")
    kept = f"/api/v1/scholen/{CODE}/edexml/voorbeelden"
    sent = stage.call("POST", kept, content=content, headers={"Content-Type": "application/xml"})
    return int(sent.json()["id"])


def _start(processes: Processes, service: str, name: str, address: str, database: str, **more: str) -> None:
    prefix = "HUB" if service == "basispoort_hub" else "EDUSCOPE"
    env = {
        f"{prefix}_DATABASE_URL": database,
        f"{prefix}_BASE_URL": address,
        f"{prefix}_PORT": address.rpartition(":")[2],
        f"{prefix}_OPERATOR_KEY": OPERATOR_KEY,
        f"{prefix}_MAIL_FROM": f"noreply@{prefix.lower()}.example",
        **more,
    }
    processes.run_once(f"{name}-migrate", COMMAND, "migrate", service, env=env)
    processes.start(name, COMMAND, "serve", service, env=env)
    processes.wait_until_ready(name, f"{address}/readyz")


def _give_password(url: str) -> None:
    """The coordinator has chosen a password; without a mail server nobody can follow the link."""
    engine = open_engine(url)
    with writing(engine) as db:
        chosen = {"password_hash": hash_password(PASSWORD), "state": "active"}
        db.execute(update(AccountRow).where(AccountRow.email == COORDINATOR).values(chosen))
    engine.dispose()


def _fill(base: str) -> str:
    operator = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}, timeout=60)
    for code, name in NAMES.items():
        _done(operator.post("/api/v1/operator/scholen", json={"code": code, "naam": name}))
    for user, codes in ((ADMINISTRATOR, OURS), ("vreemd@school.example", [STRANGER])):
        person = {"gebruiker": user, "wachtwoord": PASSWORD, "scholen": list(codes)}
        _done(operator.post("/api/v1/operator/beheerders", json=person))
    with httpx.Client(base_url=base, timeout=60) as client:
        client.post("/inloggen", data={"gebruiker": ADMINISTRATOR, "wachtwoord": PASSWORD})
        for code in OURS:
            _send_file(client, code, small_school(code))
        return client.cookies["eduscope"]


def _send_file(client: httpx.Client, code: str, file: EdexmlFile) -> None:
    content = write_edexml(file, created_at=now(), author="test")
    _done(client.post(f"/api/v1/scholen/{code}/edexml", content=content, headers={"Content-Type": "application/xml"}))


def _done(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()
