"""Memory of the processes that the other measurements do not start, after their start and after many pages."""

import time

import httpx

from benchmarks.measure import resident_mb
from benchmarks.night import Memory
from benchmarks.stage import MODULE, Databases, environment, free_port, start_service
from services.demo.processes import Processes

SETTLE_S = 3.0
NAMES = {"eduscope_api": "EDUscope", "basispoort_hub": "hub", "app_connector": "Beheerportaal"}


def measure_memory(databases: Databases, processes: Processes, requests: int) -> list[Memory]:
    """`serve` of the two other services under pages and refused calls, and the two other clocks at rest."""
    found = []
    for service in ("eduscope_api", "app_connector"):
        url, _ = databases.new(service)
        name = f"{service} for its memory"
        port = start_service(processes, service, url, name)
        start = resident_mb(processes.pid_of(name))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(requests):
                client.get("/inloggen")
                client.get("/api/v1/operator/onbekend")
        after = resident_mb(processes.pid_of(name))
        found.append(Memory(f"{NAMES[service]}, serve ({databases.name})", start, after, f"{2 * requests} requests"))
    for service in ("basispoort_hub", "app_connector"):
        url, _ = databases.new(service)
        name = f"{service} clock for its memory"
        processes.start(name, MODULE, "clock", service, env=environment(service, url, free_port()))
        time.sleep(SETTLE_S)
        start = resident_mb(processes.pid_of(name))
        time.sleep(SETTLE_S)
        after = resident_mb(processes.pid_of(name))
        found.append(Memory(f"{NAMES[service]}, clock ({databases.name})", start, after, "some seconds of ticking"))
    return found
