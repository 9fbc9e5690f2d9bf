"""A plan as a value: its steps, the one spelling that is fingerprinted, stored and carried out, and its numbers.

Work and times are no part of a plan, so its fingerprint says what is written and nothing else.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from services.app_connector.rules.people import Mode
from shared.problems import Problem

PLAN_VERSION = "p1"

Values = Mapping[str, Any]  # English field name -> plain JSON value


class Subject(StrEnum):
    GROUP = "groep"
    PUPIL = "leerling"
    TEACHER = "docent"


class PlanOutdated(Problem):
    """Member: `vingerafdruk`, of the plan as it is now."""

    status, slug, title = 409, "plan-outdated", "Something changed since this plan was shown"
    uitleg = "Er is iets gewijzigd sinds je dit overzicht zag. Er is niets uitgevoerd; bekijk het nieuwe overzicht."


class Action(StrEnum):
    STAYS = "blijft"
    CHANGES = "wijzigt"
    NEW = "nieuw"
    REMOVED = "wordt verwijderd"


class Note(StrEnum):
    """Why a step is not what one would expect at first sight."""

    SAME_ADDRESS = "zelfde e-mailadres als een gekozen docent: dit account blijft"
    LAST_ADMIN = "laatste beheerder van dit account: wordt nooit verwijderd"
    RETURNS = "komt terug, met het eerdere werk"
    HELD = "vastgehouden tot iemand er ja of nee op zegt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One step. `account`: the row in the app, None for somebody new; `source`: group key or hub number, if there is
    one. `before` holds the values now in the app, `after` those that will be there; both empty where nobody is.
    """

    subject: Subject
    action: Action
    account: int | None
    source: str | int | None
    before: Values = field(default_factory=dict)
    after: Values = field(default_factory=dict)
    note: Note | None = None


def order(step: Planned) -> tuple[str, str, int]:
    """One order of steps on every machine, whatever order the rows came in."""
    return (step.subject, "" if step.source is None else str(step.source), -1 if step.account is None else step.account)


@dataclass(frozen=True, slots=True)
class Plan:
    """`waiting`: hub numbers of newcomers for whom the licence has no seat (nightly runs only)."""

    mode: Mode
    steps: tuple[Planned, ...]
    waiting: tuple[int, ...] = ()

    @property
    def fingerprint(self) -> str:
        return f"{PLAN_VERSION}:{hashlib.sha256(canonical(self).encode()).hexdigest()}"

    def of(self, subject: Subject, *actions: Action) -> list[Planned]:
        return [step for step in self.steps if step.subject is subject and (not actions or step.action in actions)]

    @property
    def changes_nothing(self) -> bool:
        return all(step.action is Action.STAYS for step in self.steps)


def canonical(plan: Plan) -> str:
    """The one JSON spelling of the steps and the values they write: what is fingerprinted, stored and carried out."""
    steps = [
        {
            "subject": step.subject.value,
            "action": step.action.value,
            "account": step.account,
            "source": step.source,
            "before": dict(step.before),
            "after": dict(step.after),
            "note": step.note.value if step.note else None,
        }
        for step in plan.steps
    ]
    body = {"mode": plan.mode.value, "steps": steps, "waiting": list(plan.waiting)}
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def without_names(plan: Plan) -> Plan:
    """Who and what, by number alone: all that is kept of a plan in the long run."""
    return replace(plan, steps=tuple(replace(step, before={}, after={}) for step in plan.steps))


def from_canonical(text: str) -> Plan:
    """The plan that `canonical` wrote."""
    body = json.loads(text)
    steps = tuple(
        Planned(
            subject=Subject(step["subject"]),
            action=Action(step["action"]),
            account=step["account"],
            source=step["source"],
            before=step["before"],
            after=step["after"],
            note=Note(step["note"]) if step["note"] else None,
        )
        for step in body["steps"]
    )
    return Plan(Mode(body["mode"]), steps, tuple(body["waiting"]))
