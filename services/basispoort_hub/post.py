"""Writes and sends the hub's mails: by topic of the outbox, at the moment they leave.

A message holds only numbers. What is no longer true when the mail would leave is not sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from services.basispoort_hub.account_book import COUNTS, WAITS
from services.basispoort_hub.domains import addresses_elsewhere, read_announced_domains
from services.basispoort_hub.links import LinkMaker, is_live
from services.basispoort_hub.tables import (
    AccountRow,
    AppointmentRow,
    CoordinatorRow,
    HeldRow,
    HoldRow,
    LinkRow,
    OutboxRow,
    PermissionRequestRow,
    PublisherRow,
    SchoolRow,
)
from shared.brake import Cause
from shared.clock import now as present
from shared.database import reading, writing
from shared.logs import log
from shared.mail import Mailer, render_mail
from shared.outbox import Sender, save_message

WHAT_IS_HELD = {
    Cause.REMOVALS: "zij zouden uit de school verdwijnen",
    Cause.SWAP: "onder dezelfde sleutel staat ineens iemand anders",
    Cause.ADDRESSES: "hun e-mailadres zou wijzigen",
    Cause.COORDINATOR: "het e-mailadres van een ICT-coördinator zou wijzigen",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: to whom, from which template, with what."""

    to: str
    template: str
    values: Mapping[str, Any]
    message_id: str


@dataclass(frozen=True, slots=True)
class Post:
    """What every sender needs."""

    engine: Engine
    mailer: Mailer
    templates: Environment
    links: LinkMaker

    def send(self, letter: Letter | None) -> None:
        """Send a letter; None is one that makes no sense any more. Raises SendFailed."""
        if letter is not None:
            subject, text = render_mail(self.templates, letter.template, **letter.values)
            self.mailer.send(letter.to, subject, text, letter.message_id)


def senders(post: Post) -> dict[str, Sender]:
    """Topic of the outbox -> what sends it."""
    return {
        "activation": lambda _id, body: post.send(_read(post, _activation, body["link"])),
        "invitation": lambda number, body: post.send(_read(post, _invitation, number, body["person"])),
        "closed": lambda number, body: post.send(_read(post, _closed, number, body["account"])),
        "appointed": lambda number, body: post.send(_read(post, _appointed, number, body["account"], body["school"])),
        "silence": lambda number, body: post.send(_read(post, _silence, number, body["account"], body["school"])),
        "domain-moved": lambda number, body: post.send(
            _read(post, _domain_moved, number, body["account"], body["school"], body["people"], body["other"])
        ),
        "consent-asked": lambda number, body: post.send(
            _read(post, _consent_asked, number, body["request"], body["account"])
        ),
        "webhook-off": lambda number, body: post.send(_read(post, _webhook_off, number, body["publisher"])),
        "hold": lambda number, body: _share_hold(post, number, body["hold"], is_reminder=False),
        "hold-reminder": lambda number, body: _share_hold(post, number, body["hold"], is_reminder=True),
        "hold-told": lambda number, body: post.send(
            _read(post, _hold, number, body["hold"], body["account"], body["reminder"])
        ),
    }


def _read(post: Post, write: Any, *numbers: int) -> Letter | None:
    """Everything a letter needs, in one short reading transaction that is over before the mail leaves."""
    with reading(post.engine) as db:
        letter: Letter | None = write(db, post.links, *numbers)
        return letter


def _activation(db: Session, links: LinkMaker, link_id: int) -> Letter | None:
    link = db.get(LinkRow, link_id)
    if link is None or not is_live(link, present()):
        return None
    schools = db.scalars(
        select(SchoolRow.name)
        .join(AppointmentRow, AppointmentRow.school_id == SchoolRow.id)
        .where(AppointmentRow.account_id == link.account_id, AppointmentRow.state == COUNTS)
        .union(
            select(SchoolRow.name)
            .join(CoordinatorRow, CoordinatorRow.school_id == SchoolRow.id)
            .where(CoordinatorRow.account_id == link.account_id)
        )
    ).all()
    values = {
        "link": links.address(link),
        "geldig_tot": link.expires_at,
        "school": schools[0] if len(schools) == 1 else None,
    }
    return Letter(link.email, "activatie.txt", values, f"link-{link.id}")


def _invitation(db: Session, links: LinkMaker, number: int, person_id: int) -> Letter | None:
    row = db.execute(
        select(AccountRow.email, SchoolRow.name)
        .join(AppointmentRow, AppointmentRow.account_id == AccountRow.id)
        .join(SchoolRow, SchoolRow.id == AppointmentRow.school_id)
        .where(AppointmentRow.person_id == person_id, AppointmentRow.state == WAITS)
    ).first()
    if row is None:
        return None
    values = {"school": row.name, "adres": f"{links.base_url}/"}
    return Letter(row.email, "uitnodiging.txt", values, f"message-{number}")


def _closed(db: Session, _links: LinkMaker, number: int, account_id: int) -> Letter | None:
    email = _address(db, account_id)
    return None if email is None else Letter(email, "adres-gewijzigd.txt", {}, f"message-{number}")


def _appointed(db: Session, links: LinkMaker, number: int, account_id: int, school_id: int) -> Letter | None:
    email = _coordinator_address(db, account_id, school_id)
    if email is None:
        return None
    values = {"school": db.get_one(SchoolRow, school_id).name, "adres": f"{links.base_url}/"}
    return Letter(email, "aangesteld.txt", values, f"message-{number}")


def _silence(db: Session, links: LinkMaker, number: int, account_id: int, school_id: int) -> Letter | None:
    email = _coordinator_address(db, account_id, school_id)
    school = db.get_one(SchoolRow, school_id)
    told = school.silence_told_at
    if email is None or school.heard_at is None or told is None or told < school.heard_at:
        return None  # it was heard of again
    values = {
        "school": school.name,
        "administratie": school.administration,
        "sinds": school.heard_at,
        "adres": f"{links.base_url}/",
    }
    return Letter(email, "koppeling-stil.txt", values, f"message-{number}")


def _domain_moved(
    db: Session, links: LinkMaker, number: int, account_id: int, school_id: int, people: int, is_other: bool
) -> Letter | None:
    """To the coordinator's address; `is_other`: to the same address at the other domain, if there is one."""
    email = _coordinator_address(db, account_id, school_id)
    if email is None:
        return None
    addresses = [*([] if is_other else [email]), *addresses_elsewhere(email, read_announced_domains(db, school_id))]
    if not addresses:
        return None
    school = db.get_one(SchoolRow, school_id)
    values = {
        "school": school.name,
        "aantal": people,
        "adres": f"{links.base_url}/scholen/{school.code}/leerkrachten",
    }
    return Letter(addresses[0], "domein-gewijzigd.txt", values, f"message-{number}")


def _consent_asked(db: Session, links: LinkMaker, number: int, request_id: int, account_id: int) -> Letter | None:
    asked = db.get_one(PermissionRequestRow, request_id)
    email = _coordinator_address(db, account_id, asked.school_id)
    if email is None or asked.closed_at is not None:
        return None
    school = db.get_one(SchoolRow, asked.school_id)
    values = {
        "uitgever": db.get_one(PublisherRow, asked.publisher_id).name,
        "school": school.name,
        "adres": f"{links.base_url}/scholen/{school.code}/beheer",
    }
    return Letter(email, "toestemming-gevraagd.txt", values, f"message-{number}")


def _webhook_off(db: Session, links: LinkMaker, number: int, publisher_id: int) -> Letter | None:
    publisher = db.get_one(PublisherRow, publisher_id)
    if publisher.helpdesk_email is None:  # the operator is the only one left: this line, and `schakel publisher list`
        log.error("webhook_off_untold", publisher=publisher_id)
        return None
    values = {"uitgever": publisher.name, "adres": f"{links.base_url}/"}
    return Letter(publisher.helpdesk_email, "webhook-uit.txt", values, f"message-{number}")


def _hold(
    db: Session, links: LinkMaker, number: int, hold_id: int, account_id: int, is_reminder: bool
) -> Letter | None:
    hold = db.get_one(HoldRow, hold_id)
    email = _coordinator_address(db, account_id, hold.school_id)
    if email is None or hold.closed_at is not None:
        return None
    people = select(func.count()).select_from(HeldRow).where(HeldRow.hold_id == hold_id, HeldRow.newcomer.is_(False))
    values = {
        "herinnering": is_reminder,
        "sinds": hold.opened_at,
        "school": db.get_one(SchoolRow, hold.school_id).name,
        "aantal": db.scalar(people) or 0,
        "wat": WHAT_IS_HELD[Cause(hold.cause)],
        "adres": f"{links.base_url}/",
    }
    return Letter(email, "vastgehouden.txt", values, f"message-{number}")


def _share_hold(post: Post, number: int, hold_id: int, *, is_reminder: bool) -> None:
    """A hold concerns every coordinator: one message each, so that one refused address costs nobody else a mail.

    Message `number` may be shared again, after a kill before it was marked as sent: who has a message from it already
    gets no second one.
    """
    now = present()
    with writing(post.engine) as db:
        school_id = db.get_one(HoldRow, hold_id).school_id
        db.scalars(select(SchoolRow.id).where(SchoolRow.id == school_id).with_for_update()).one()
        later = select(OutboxRow.body).where(OutboxRow.id > number, OutboxRow.topic == "hold-told")
        told = {body["account"] for body in db.scalars(later) if body.get("from") == number}
        for account_id in read_coordinator_ids(db, school_id):
            if account_id not in told:
                body = {"hold": hold_id, "account": account_id, "reminder": is_reminder, "from": number}
                save_message(db, OutboxRow, "hold-told", body, now)


def read_coordinator_ids(db: Session, school_id: int) -> list[int]:
    """The accounts that manage a school."""
    query = select(CoordinatorRow.account_id).where(CoordinatorRow.school_id == school_id)
    return list(db.scalars(query.order_by(CoordinatorRow.account_id)))


def _address(db: Session, account_id: int) -> str | None:
    """The address of an account that has not been forgotten."""
    email = db.scalar(select(AccountRow.email).where(AccountRow.id == account_id))
    return email if email is not None and "@" in email else None


def _coordinator_address(db: Session, account_id: int, school_id: int) -> str | None:
    """The same, if the account still manages this school."""
    return None if db.get(CoordinatorRow, (account_id, school_id)) is None else _address(db, account_id)
