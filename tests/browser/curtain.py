"""Starts the services, two processes of each on one database, the letterbox beside them, and fills them over HTTP."""

import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx

from services.demo.processes import Processes
from tests.browser.hub_stage import XML, fill_hub, fill_portal
from tests.browser.stage import (
    ADMINISTRATOR,
    CODE,
    HELPDESK,
    NAMES,
    OPERATOR_KEY,
    OURS,
    PASSWORD,
    STRANGER,
    Person,
    Stage,
    done,
    small_school,
    xml_of,
)

COMMAND = "services.command_line"
PREFIXES = {"eduscope_api": "EDUSCOPE", "basispoort_hub": "HUB", "app_connector": "CONNECTOR"}


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
    *ports, smtp = free_ports(7)
    edu_0, edu_1, hub_0, hub_1, portal, letterbox = (f"http://127.0.0.1:{port}" for port in ports)
    stage = Stage((edu_0, edu_1), (hub_0, hub_1), portal, letterbox)
    processes.start("mail", "services.demo.mail_catcher", str(smtp), str(ports[-1]), env={})
    databases = {service: f"sqlite:///{folder / service}.sqlite" for service in PREFIXES}
    post = {"SMTP_PORT": str(smtp), "OUTBOX_TICK": "PT1S", "LINK_KEYS": "k" * 40}
    _start(processes, "basispoort_hub", stage.hubs, databases, **post)
    processes.start(
        "hub-clock", COMMAND, "clock", "basispoort_hub", env=_environment("basispoort_hub", hub_0, databases, post)
    )
    operator = httpx.Client(base_url=hub_0, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}, timeout=60)
    stage.keys["administration"] = done(operator.post("/api/v1/operator/administraties/EDUscope/sleutels"))["sleutel"]
    fill_hub(stage, operator, databases["basispoort_hub"])
    _start(processes, "eduscope_api", stage.edu, databases, HUB_URL=hub_0, HUB_KEY=stage.keys["administration"])
    stage.cookie = _fill(edu_0)
    stage.people["administrator"] = Person(stage.edu, ("eduscope", stage.cookie))
    stage.ids |= _numbers(stage)
    keys = {"HUB_URL": hub_0, "HUB_KEY": stage.keys["publisher"], "HELPDESK_MAIL": HELPDESK}
    _start(processes, "app_connector", (portal,), databases, **keys)
    fill_portal(stage)
    processes.wait_until_ready("mail", f"{letterbox}/healthz")
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
    content = xml_of(replace(file, pupils=(*later, *rest)))
    sent = stage.call("POST", f"/api/v1/scholen/{CODE}/edexml/voorbeelden", content=content, headers=XML)
    return int(sent.json()["id"])


def _environment(service: str, address: str, databases: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    settings = {
        "DATABASE_URL": databases[service],
        "BASE_URL": address,
        "PORT": address.rpartition(":")[2],
        "OPERATOR_KEY": OPERATOR_KEY,
        "MAIL_FROM": "noreply@school.example",
        **more,
    }
    return {f"{PREFIXES[service]}_{name}": value for name, value in settings.items()}


def _start(
    processes: Processes, service: str, addresses: tuple[str, ...], databases: Mapping[str, str], **more: str
) -> None:
    """Every process of a service, on its one database."""
    environments = [_environment(service, address, databases, more) for address in addresses]
    processes.run_once(f"{service}-migrate", COMMAND, "migrate", service, env=environments[0])
    for place, env in enumerate(environments):
        processes.start(f"{service}-{place}", COMMAND, "serve", service, env=env)
        processes.wait_until_ready(f"{service}-{place}", f"{addresses[place]}/readyz")


def _fill(base: str) -> str:
    operator = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}, timeout=60)
    for code, name in NAMES.items():
        done(operator.post("/api/v1/operator/scholen", json={"code": code, "naam": name}))
    for user, codes in ((ADMINISTRATOR, OURS), ("vreemd@school.example", [STRANGER])):
        person = {"gebruiker": user, "wachtwoord": PASSWORD, "scholen": list(codes)}
        done(operator.post("/api/v1/operator/beheerders", json=person))
    with httpx.Client(base_url=base, timeout=60) as client:
        client.post("/inloggen", data={"gebruiker": ADMINISTRATOR, "wachtwoord": PASSWORD})
        for code in OURS:
            done(client.post(f"/api/v1/scholen/{code}/edexml", content=xml_of(small_school(code)), headers=XML))
        return client.cookies["eduscope"]
