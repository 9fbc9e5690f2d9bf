"""What every step of the walk works with: the services' addresses, signed-in clients, the mails, the school."""

import html
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.edexml import EdexmlFile
from shared.service_auth import new_key

PORTS = {"EDUscope": 8001, "Basispoort": 8002, "Beheerportaal": 8003, "mailpagina": 8025, "mail (SMTP)": 8026}
MAIL_WITHIN_S = 30
HELPDESK = "helpdesk@woordhelder.example"


class StepFailed(Exception):
    """The chain did not do what the manual says; the text is the reason."""


class NotPossible(Exception):
    """The file that came in cannot carry this step; nothing is invented."""


def expect(condition: object, reason: str) -> None:
    """Raises StepFailed with `reason` unless the condition holds."""
    if not condition:
        raise StepFailed(reason)


class Site:
    """One service as one person or program sees it: a session cookie or a bearer key, JSON in and out."""

    def __init__(self, name: str, base_url: str, key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.name, self.base_url = name, base_url
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=60)

    def call(
        self, method: str, path: str, *, status: int | tuple[int, ...] = (200, 201, 202, 204), **request: Any
    ) -> httpx.Response:
        """One request; raises StepFailed when the answer has another status than the expected ones."""
        answer = self._client.request(method, path, **request)
        wanted = (status,) if isinstance(status, int) else status
        if answer.status_code not in wanted:
            raise StepFailed(f"{self.name} antwoordde {answer.status_code} op {method} {path}: {_reason(answer)}")
        return answer

    def get(self, path: str, **request: Any) -> Any:
        return self.call("GET", path, **request).json()

    def get_all(self, path: str, member: str) -> list[dict[str, Any]]:
        """Everything of a list that comes in pages: the rows under `member`, from the first page to the last."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, params={"limit": 500} | ({"cursor": cursor} if cursor else {}))
            found += page[member]
            cursor = page["volgende"]
            if cursor is None:
                return found

    def sign_in(self, user: str, password: str) -> None:
        """Sign in with the form that a person uses; the cookie stays in this client."""
        answer = self._client.post("/inloggen", data={"gebruiker": user, "wachtwoord": password})
        expect(answer.status_code == 303, f"inloggen bij {self.name} lukte niet ({answer.status_code})")

    def close(self) -> None:
        self._client.close()


def _reason(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase
    if not isinstance(body, dict):
        return answer.reason_phrase
    return " ".join(str(body[name]) for name in ("uitleg", "detail", "errors", "objections") if body.get(name))


@dataclass
class Scene:
    """Everything the steps share. Passwords and keys are made anew for every demo."""

    folder: Path
    school: EdexmlFile
    school_name: str
    xml: bytes  # the file as it came in
    ports: Mapping[str, int] = field(default_factory=lambda: dict(PORTS))
    make_site: Callable[[str, str, str | None], Site] = Site
    secrets: dict[str, str] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)  # what one step found out and a later one needs

    @property
    def code(self) -> str:
        return str(self.school.school.school_code)

    def site(self, who: str) -> Site:
        return self.sites[who]

    def secret(self, name: str) -> str:
        """A password or key of this demo, made when it is first asked for."""
        if name not in self.secrets:
            self.secrets[name] = new_key() if name.endswith("key") else f"regenboog-{secrets.token_hex(8)}"
        return self.secrets[name]

    def address(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def open_site(self, who: str, service: str, key: str | None = None) -> Site:
        """Somebody at the door of a service, whom later steps find again as `who`."""
        self.sites[who] = self.make_site(service, self.address(service), key)
        return self.sites[who]

    def visitor(self, service: str) -> Site:
        """Somebody new at the door of a service; whoever opens it closes it."""
        return self.make_site(service, self.address(service), None)

    def mails_to(self, email: str) -> list[dict[str, Any]]:
        """The mails caught for one address, newest first."""
        found = self.sites["mail"].get("/api/v1/berichten", params={"aan": email})
        return list(found["berichten"] if isinstance(found, dict) else found)

    def wait_for_mail(self, email: str, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The newest mail to `email` that fits, once it is there. Raises StepFailed when none comes."""
        until = time.monotonic() + MAIL_WITHIN_S
        while time.monotonic() < until:
            for mail in self.mails_to(email):
                if is_it(mail):
                    return mail
            time.sleep(0.2)
        raise StepFailed("een verwachte e-mail kwam niet binnen")

    def activation_path(self, email: str) -> str:
        """The path of the newest activation link that was mailed to this address."""
        mail = self.wait_for_mail(email, lambda each: link_in(each) is not None)
        path = link_in(mail)
        assert path is not None
        return path


def link_in(mail: dict[str, Any]) -> str | None:
    """The path of the activation link in a mail."""
    found = re.search(r"https?://[^/\s]+(/activeren/[^\s<>\"]+)", html.unescape(str(mail.get("tekst", ""))))
    return found.group(1).rstrip(".") if found else None
