"""The operations whose process is killed at every border, as their sender or person does and repeats them.

And faults to plant in them, each of which the comparison must catch.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

import httpx
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.app_connector import carry_out
from services.app_connector import mails as portal_mails
from services.app_connector import nightly as portal_nightly
from services.app_connector.main import create_app as create_portal
from services.app_connector.settings import Settings as PortalSettings
from services.app_connector.tables import ConnectionRow
from services.app_connector.tables import OutboxRow as PortalOutboxRow
from services.basispoort_hub import activation, post, valid_roster
from services.basispoort_hub.coordinator_pages import make_pages
from services.basispoort_hub.main import create_app as create_hub
from services.basispoort_hub.tables import AccountRow, LinkRow, OutboxRow
from services.demo.school import a_school
from services.eduscope_api import nightly
from services.eduscope_api.hub_client import HubClient
from services.eduscope_api.main import create_app as create_eduscope
from services.eduscope_api.rules.sending import How, decide_sending
from services.eduscope_api.settings import Settings as EduscopeSettings
from shared import database, outbox
from shared.clock import local_date
from shared.clock import now as present
from shared.database import reading, writing
from shared.edexml_write import write_edexml
from shared.mail import Mailer
from shared.outbox import deliver_due
from shared.passwords import hash_password
from shared.roster import Group, Pupil, Roster, StaffMember, fingerprint
from shared.service_client import ServiceClient
from tests.app_connector import portal as portal_worlds
from tests.app_connector.hub_simulator import SCHOOL, HubSimulator, a_teacher, some_pupils
from tests.basispoort_hub.a_hub import ADMINISTRATION_KEY, CODE, Hub, settings_for
from tests.eduscope_api.rows import add_school
from tests.factories import a_group, a_pupil, a_staff_member
from tests.kill_points import AT, Operation, World

PASSWORD = "een paar losse woorden achter elkaar"
BASE_URL = "http://testserver"


class MailsInFile(Mailer):
    """Takes what would be sent, durably: what it took survives the kill of the sender."""

    def __init__(self, world: World) -> None:
        super().__init__("127.0.0.1", 1, "noreply@school.example")
        self._world = world

    def send(self, to: str, subject: str, text: str, message_id: str) -> None:
        self._world.accept((to, message_id, f"{subject}\n{text}"))


# --- applications: made once in the parent, on no database at all -----------------------------------------------------


@cache
def hub_app() -> FastAPI:
    return _without_database(create_hub(settings_for("sqlite://").model_copy(update={"base_url": BASE_URL})))


@cache
def eduscope_app() -> FastAPI:
    settings = EduscopeSettings(
        database_url="sqlite://",
        base_url=BASE_URL,
        hub_url="http://hub.example",
        hub_key=SecretStr("k"),
        operator_key=SecretStr("schakel_operator_0123456789abcdef"),
        mail_from="eduscope@eduscope.example",
    )
    return _without_database(create_eduscope(settings))


@cache
def portal_app() -> FastAPI:
    settings = PortalSettings.model_validate(
        {
            "database_url": "sqlite://",
            "base_url": BASE_URL,
            "mail_from": "portaal@woordhelder.example",
            "hub_url": "http://hub.example",
            "hub_key": "hub-key",
            "operator_key": "schakel_operator_0123456789abcdef",
            "helpdesk_mail": "helpdesk@woordhelder.example",
        }
    )
    return _without_database(create_portal(settings))


def _without_database(app: FastAPI) -> FastAPI:
    app.state.engine.dispose()
    return app


# --- the hub ----------------------------------------------------------------------------------------------------------


def a_hub(world: World, *, promises: bool = True) -> Hub:
    """The hub, with its school as far as `prepare` brought it."""
    client = world.client(hub_app(), "basispoort_hub", promises=promises)
    hub = Hub(world.engines["basispoort_hub"], client, school_id=world.facts.get("school", 0))
    if "cookie" in world.facts:
        client.cookies.set("hub", world.facts["cookie"])
    return hub


def sender(client: TestClient) -> HubClient:
    """The way EDUscope talks to the hub."""

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        answered = client.request(request.method, request.url.path, content=request.content, headers=headers)
        return httpx.Response(answered.status_code, content=answered.content, headers=dict(answered.headers))

    transport = httpx.MockTransport(answer)
    return HubClient(ServiceClient("hub", "http://hub.example", ADMINISTRATION_KEY, transport=transport))


def rosters() -> tuple[Roster, Roster]:
    """A school on two nights: two teachers exchange addresses, one leaves, one gets a new address, one comes."""
    groups: list[Group] = [a_group(f"g{number}", name=f"Groep {number}") for number in (5, 6)]
    pupils: list[Pupil] = [a_pupil(f"p{number}", home_group=f"g{5 + number % 2}") for number in range(6)]
    staff: list[StaffMember] = [
        a_staff_member(f"m{number}", last_name=f"Hagen {number}", home_groups=frozenset({f"g{5 + number % 2}"}))
        for number in range(6)
    ]
    first = Roster.of([*groups, *pupils, *staff])
    changed = [
        replace(staff[0], email=staff[1].email),
        replace(staff[1], email=staff[0].email),
        replace(staff[3], email="nieuw@school.example"),
        *staff[4:],
        a_staff_member("m9", last_name="Nieuwkomer"),
    ]
    moved = [replace(pupils[1], home_group="g5", last_name="Anders"), *pupils[2:], a_pupil("p9", home_group="g6")]
    return first, Roster.of([*groups, *moved, *changed])


def without_many(roster: Roster) -> Roster:
    """A wave of removals, as a broken administration sends it: the brake holds it and asks the coordinator."""
    many = [a_pupil(f"w{number}", home_group="g5") for number in range(20)]
    return Roster.of([*roster.entries(), *many])


def a_connected_hub(world: World, *held: Roster, password: bool = True) -> dict[str, Any]:
    """A school that holds these rosters, one after another; one of its teachers has a password."""
    hub = a_hub(world)
    school = hub.open_school()
    for roster in held:
        assert hub.put(roster).status_code == 200
    if password:
        with writing(hub.engine) as db:
            db.execute(update(LinkRow).where(LinkRow.email == "m0@school.example").values(spent_at=present()))
            active = {"state": "active", "password_hash": hash_password(PASSWORD)}
            db.execute(update(AccountRow).where(AccountRow.email == "m0@school.example").values(**active))
    return {"school": school, "cookie": hub.client.cookies["hub"]}


def bring(world: World, roster: Roster, before: Roster | None) -> None:
    """What EDUscope does for one school: ask where the hub stands, send what is missing."""
    hub = sender(a_hub(world).client)
    standing = hub.fetch_standing(CODE)
    sent = (fingerprint(before), before) if before is not None else None
    sending = decide_sending(roster, standing.fingerprint, sent)
    if sending.how is How.NOTHING:
        return
    if sending.delta is None:
        hub.send_roster(CODE, roster, sending.target, {}, standing.token)
    elif not sending.delta.is_empty:
        hub.send_delta(CODE, sending.delta, {}, standing.token)


def prepare_put(world: World) -> dict[str, Any]:
    return a_connected_hub(world, password=False)


def put_roster(world: World) -> None:
    bring(world, rosters()[0], None)


def prepare_patch(world: World) -> dict[str, Any]:
    return a_connected_hub(world, rosters()[0])


def patch_roster(world: World) -> None:
    bring(world, rosters()[1], rosters()[0])


def prepare_wave(world: World) -> dict[str, Any]:
    return a_connected_hub(world, without_many(rosters()[0]))


def patch_wave(world: World) -> None:
    bring(world, rosters()[1], without_many(rosters()[0]))


def prepare_hold(world: World) -> dict[str, Any]:
    return a_connected_hub(world, without_many(rosters()[0]), rosters()[1])


def let_go(world: World) -> None:
    """The coordinator looks what is held, and lets it go."""
    hub = a_hub(world)
    for hold in hub.holds():
        assert hub.decide(hold, "loslaten").status_code == 200


def prepare_activation(world: World) -> dict[str, Any]:
    facts = a_connected_hub(world, rosters()[0], password=False)
    with reading(world.engines["basispoort_hub"]) as db:
        link = db.scalars(select(LinkRow).where(LinkRow.email == "m2@school.example")).one()
        return {**facts, "token": hub_app().state.links.token(link)}


def activate(world: World) -> None:
    """Somebody opens the link and chooses a password; the second time the link may say that it has been done."""
    client = a_hub(world).client
    client.cookies.clear()
    path = f"/activeren/{world.facts['token']}"
    shown = client.get(path)
    if shown.status_code == 200:
        chosen = client.post(path, data={"wachtwoord": PASSWORD, "herhaling": PASSWORD})
        assert chosen.status_code == 303, chosen.text
    else:
        assert shown.json()["type"] == "/problems/already-active", shown.text
    signed_in = client.post("/inloggen", data={"gebruiker": "m2@school.example", "wachtwoord": PASSWORD})
    assert signed_in.status_code == 303, "the password that was chosen does not work"


def prepare_hub_outbox(world: World) -> dict[str, Any]:
    return a_connected_hub(world, without_many(rosters()[0]), rosters()[1])


def deliver_hub(world: World) -> None:
    """A tick of the clock process: everything that is due leaves."""
    engine = world.engines["basispoort_hub"]
    sending = post.Post(engine, MailsInFile(world), make_pages(BASE_URL).mails, hub_app().state.links)
    while deliver_due(engine, OutboxRow, post.senders(sending), present):
        pass


# --- EDUscope ---------------------------------------------------------------------------------------------------------


def prepare_night(world: World) -> dict[str, Any]:
    facts = a_connected_hub(world, password=False)
    add_school(world.engines["eduscope_api"], CODE)
    return facts


def eduscope_night(world: World) -> None:
    """A tick of the night, with the hub in the same process: a kill takes both at once."""
    engine, hub = world.engines["eduscope_api"], a_hub(world, promises=False)
    nightly.run_tonight(engine, sender(hub.client), f"process-{world.stage}")


def prepare_import(world: World) -> dict[str, Any]:
    client = world.client(eduscope_app(), "eduscope_api")
    operator = {"Authorization": "Bearer schakel_operator_0123456789abcdef"}
    school = {"code": CODE, "naam": "De Regenboog"}
    assert client.post("/api/v1/operator/scholen", json=school, headers=operator).status_code == 201
    user = {"gebruiker": "beheer@regenboog.example", "wachtwoord": PASSWORD, "scholen": [CODE]}
    assert client.post("/api/v1/operator/beheerders", json=user, headers=operator).status_code == 201
    form = {"gebruiker": "beheer@regenboog.example", "wachtwoord": PASSWORD}
    assert client.post("/inloggen", data=form).status_code == 303
    return {"cookie": client.cookies["eduscope"], "file": write_edexml(_small_school(), created_at=AT, author="proef")}


def _small_school() -> Any:
    whole = a_school(local_date(AT))
    group = next(each for each in whole.groups if any(one.pupil.home_group == each.key for one in whole.pupils))
    pupils = tuple(each for each in whole.pupils if each.pupil.home_group == group.key)
    return replace(whole, groups=(group,), pupils=pupils[:5], staff=())


def import_file(world: World) -> None:
    client = world.client(eduscope_app(), "eduscope_api")
    client.cookies.set("eduscope", world.facts["cookie"])
    path, headers = f"/api/v1/scholen/{CODE}/edexml", {"Content-Type": "application/xml"}
    answer = client.post(path, content=BytesIO(world.facts["file"]), headers=headers)
    assert answer.status_code == 200, answer.text


# --- the portal -------------------------------------------------------------------------------------------------------


def a_portal(world: World, *, promises: bool = True) -> portal_worlds.Portal:
    """The portal, signed in, with its school's hub as `prepare` left it."""
    simulator = world.facts.get("hub") or HubSimulator(
        pupils=some_pupils(30), staff=[a_teacher(2001, "Lia", "Testman")]
    )
    client = world.client(portal_app(), "app_connector", promises=promises)
    portal_app().state.hub = simulator.client
    portal = portal_worlds.Portal(simulator, world.engines["app_connector"], client)
    if "cookie" in world.facts:
        client.cookies.set("portal", world.facts["cookie"])
    return portal


def prepare_portal(world: World) -> dict[str, Any]:
    """A school whose app has four pupils: two of them are paired by hand of the wizard, two are strangers."""
    portal = a_portal(world)
    coordinator = a_teacher(2002, "Ida", "Cate", roles=["ICTCoordinator"])
    portal.hub.staff.append(coordinator)
    portal.operator("scholen", {"instellingsnummer": SCHOOL, "naam": "Basisschool De Proef", "code": "99ZZ00"})
    user = {
        "gebruiker": "ict@deproef.example",
        "wachtwoord": portal_worlds.PASSWORD,
        "rol": "coordinator",
        "scholen": [SCHOOL],
    }
    assert portal.operator("gebruikers", user).status_code == 204
    with writing(portal.engine) as db:
        db.add(ConnectionRow(school_id=SCHOOL, activated_at=present()))
    portal.sign_in()
    one, other = (each["persoonsgegevens"] for each in portal.hub.pupils[:2])
    portal.seed(
        [
            portal_worlds.app_pupil(one["voornaam"], one["achternaam"], "6A", 120),
            portal_worlds.app_pupil(other["voornaam"], other["achternaam"], "5A", 7),
            portal_worlds.app_pupil("Oud", "Leerling", "Weg", 3),
            portal_worlds.app_pupil("Ook", "Vertrokken", "Weg", 4),
        ],
        [{"roepnaam": "Oud", "achternaam": "Docent", "emailadres": "oud@deproef.example"}],
    )
    return {"hub": portal.hub, "cookie": portal.client.cookies["portal"]}


def prepare_plan(world: World) -> dict[str, Any]:
    facts = prepare_portal(world)
    world.facts = facts
    portal = a_portal(world)
    portal.put("wijze", {"wijze": "alles"})
    portal.post("automatisch")
    return {**facts, "plan": portal.post("controleren")}


def confirm_plan(world: World) -> None:
    a_portal(world).confirm(world.facts["plan"])


def prepare_synchronised(world: World) -> dict[str, Any]:
    world.facts = prepare_plan(world)
    confirm_plan(world)
    return world.facts


def take_back(world: World) -> None:
    """The coordinator looks at what taking back would do, and does it; nothing to take back: it has been done."""
    portal = a_portal(world)
    shown = portal.client.get(f"{portal.base}/terugdraaien")
    if shown.status_code != 404:
        undo = shown.json()
        portal.post("terugdraaien", {"vingerafdruk": undo["vingerafdruk"], "versie": undo["versie"]})


def prepare_changed(world: World) -> dict[str, Any]:
    """A night later: a wave of pupils has left, one has another name, two are new."""
    facts = prepare_synchronised(world)
    hub: HubSimulator = facts["hub"]
    hub.pupils = [*hub.pupils[12:], *some_pupils(2, start=5000)]
    hub.pupils[0]["persoonsgegevens"]["voorvoegsel"] = "van"
    return facts


def portal_night(world: World) -> None:
    portal_nightly.tick(world.engines["app_connector"], a_portal(world).hub.client, present(), f"process-{world.stage}")


def prepare_portal_outbox(world: World) -> dict[str, Any]:
    world.facts = prepare_changed(world)
    portal_night(world)
    return world.facts


def deliver_portal(world: World) -> None:
    engine = world.engines["app_connector"]
    templates = portal_app().state.pages.mails
    sending = portal_mails.Post(engine, MailsInFile(world), templates, BASE_URL, "helpdesk@woordhelder.example")
    while deliver_due(engine, PortalOutboxRow, portal_mails.senders(sending), present):
        pass


HUB, EDUSCOPE, PORTAL = "basispoort_hub", "eduscope_api", "app_connector"

OPERATIONS: dict[str, Operation] = {
    "put": Operation((HUB,), prepare_put, put_roster),
    "patch": Operation((HUB,), prepare_patch, patch_roster),
    "patch-wave": Operation((HUB,), prepare_wave, patch_wave),
    "hold": Operation((HUB,), prepare_hold, let_go),
    "activation": Operation((HUB,), prepare_activation, activate),
    "hub-outbox": Operation((HUB,), prepare_hub_outbox, deliver_hub),
    "night": Operation((EDUSCOPE, HUB), prepare_night, eduscope_night),
    "import": Operation((EDUSCOPE,), prepare_import, import_file),
    "confirm": Operation((PORTAL,), prepare_plan, confirm_plan),
    "undo": Operation((PORTAL,), prepare_synchronised, take_back),
    "portal-night": Operation((PORTAL,), prepare_changed, portal_night),
    "portal-outbox": Operation((PORTAL,), prepare_portal_outbox, deliver_portal),
}


# --- faults to plant --------------------------------------------------------------------------------------------------


def _plant(module: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(what was there)` in its place; the process that does it ends with its one operation."""
    setattr(module, name, make(getattr(module, name)))


def _commit_half_way(db: Session) -> None:
    """What was written so far can no longer be undone together with what follows."""
    connection = db.connection()
    connection.dialect.do_commit(connection.connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _commit_before(work: Any) -> Any:
    def commit_first(db: Session, *rest: Any) -> Any:
        _commit_half_way(db)
        return work(db, *rest)

    return commit_first


def _commit_after(work: Any) -> Any:
    def commit_then(db: Session, *rest: Any) -> Any:
        done = work(db, *rest)
        _commit_half_way(db)
        return done

    return commit_then


def accounts_follow_later() -> None:
    """The roster is saved in one transaction, the accounts in the next."""
    _plant(valid_roster, "follow_staff", _commit_before)


def link_spent_first() -> None:
    """The link is used up in one transaction, the password saved in the next."""
    _plant(activation, "spend_link", _commit_after)


def run_recorded_first() -> None:
    """The run is recorded in one transaction, the people follow in the next."""
    _plant(carry_out, "_remove_people", _commit_before)


def answer_before_commit() -> None:
    """The answer leaves first, the commit follows."""

    def open_transaction(request: Request, background: BackgroundTasks) -> Session:
        transaction = writing(request.app.state.engine)
        background.add_task(transaction.__exit__, None, None, None)
        return transaction.__enter__()

    hub_app().dependency_overrides[database._transaction] = open_transaction


def mark_before_sending() -> None:
    """A message counts as sent once it is claimed."""

    def early(mark: Any) -> Any:
        def mark_early(db: Session, rows: Any, number: int, attempts: int, values: dict[str, Any]) -> None:
            sent = {"sent_at": present()} if values.get("claimed_until") else {}
            mark(db, rows, number, attempts, {**values, **sent})

        return mark_early

    _plant(outbox, "_mark", early)


def another_message_id() -> None:
    """A repeated mail cannot be recognised as one."""

    def anew(send: Any) -> Any:
        def send_anew(self: post.Post, letter: post.Letter | None) -> None:
            changed = letter and replace(letter, message_id=f"{letter.message_id}-{present():%H-%M}")
            send(self, changed)

        return send_anew

    _plant(post.Post, "send", anew)


def hold_shared_anew() -> None:
    """A hold that is shared with the coordinators again is told again."""

    def forgetful(save: Any) -> Any:
        def save_without_origin(db: Session, rows: Any, topic: str, body: dict[str, Any], due_at: Any) -> Any:
            return save(db, rows, topic, {name: value for name, value in body.items() if name != "from"}, due_at)

        return save_without_origin

    _plant(post, "save_message", forgetful)


PLANTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        accounts_follow_later,
        answer_before_commit,
        link_spent_first,
        run_recorded_first,
        mark_before_sending,
        another_message_id,
        hold_shared_anew,
    )
}
