"""The page Lesmateriaal: every publisher's applications as one person meets them, with the reason for each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.basispoort_hub.rules.icons import media_type
from services.basispoort_hub.rules.tiles import Application, Tag, Verdict, Viewer, judge, judge_portal
from services.basispoort_hub.tables import ApplicationRow, LicenceRow, LikaCodeRow, PermissionRow, PublisherRow
from shared.language import mark, say

PORTAL = "Beheerportaal"  # what a management portal is called when the publisher gave it no name

SENTENCES = {  # for who looks for herself
    Verdict.SHOWN: mark("U ziet dit: u hebt er een licentie voor."),
    Verdict.SHOWN_AS_TEST: mark("U ziet dit: u hebt er een licentie voor. Een toets opent alleen op school."),
    Verdict.NO_CONSENT: mark(
        "Uw school heeft deze uitgeverij geen toestemming gegeven. Uw ICT-coördinator regelt dat onder Beheer."
    ),
    Verdict.TEACHERS_ONLY: mark("Dit is alleen voor leerkrachten."),
    Verdict.NO_LICENCE: mark(
        "De uitgeverij heeft u hiervoor geen licentie gegeven. "
        "Uw ICT-coördinator kan licenties bij de uitgeverij aan u of uw groep koppelen."
    ),
    Verdict.NOT_AT_SCHOOL: mark("Dit is een toets, en die opent alleen op school."),
    Verdict.NO_ADDRESS: mark("Dit opent niet als geheel; u ziet wel de onderdelen waarvoor u een licentie hebt."),
    Verdict.COORDINATORS_ONLY: mark("Dit is alleen voor ICT-coördinatoren."),
}
OF_COORDINATOR = {  # for a coordinator who looks for herself
    **SENTENCES,
    Verdict.NO_CONSENT: mark("Uw school heeft deze uitgeverij geen toestemming gegeven. U regelt dat onder Beheer."),
    Verdict.NO_LICENCE: mark(
        "De uitgeverij heeft u hiervoor geen licentie gegeven. "
        "U kunt licenties bij de uitgeverij aan uzelf of aan een groep koppelen."
    ),
}
OF_PUPIL = {  # for a coordinator who looks at what a pupil sees
    Verdict.SHOWN: mark("Zichtbaar: deze leerling heeft er een licentie voor."),
    Verdict.SHOWN_AS_TEST: mark(
        "Zichtbaar: deze leerling heeft er een licentie voor. Een toets opent alleen op school."
    ),
    Verdict.NO_CONSENT: mark(
        "Niet zichtbaar: uw school heeft deze uitgeverij geen toestemming gegeven. U regelt dat onder Beheer."
    ),
    Verdict.TEACHERS_ONLY: mark("Niet zichtbaar: dit is alleen voor leerkrachten."),
    Verdict.NO_LICENCE: mark(
        "Niet zichtbaar: de uitgeverij heeft deze leerling geen licentie gegeven. "
        "Koppel bij de uitgeverij een licentie aan de leerling of de groep."
    ),
    Verdict.NOT_AT_SCHOOL: mark("Niet zichtbaar: dit is een toets, en die opent alleen op school."),
    Verdict.NO_ADDRESS: mark("Niet zichtbaar als geheel; de onderdelen met een licentie wel."),
    Verdict.COORDINATORS_ONLY: mark("Niet zichtbaar: dit is alleen voor ICT-coördinatoren."),
}
NO_PORTAL = mark("De uitgeverij heeft nog geen adres van haar beheerportaal opgegeven.")


@dataclass(frozen=True, slots=True)
class Piece:
    """One application, or the management portal. `under`: the method that a product belongs to."""

    name: str
    publisher: str
    under: str
    verdict: Verdict
    sentence: str
    url: str
    picture: str  # a data address, or nothing
    is_portal: bool = False

    @property
    def is_tile(self) -> bool:
        return self.verdict.is_tile

    @property
    def is_test(self) -> bool:
        return self.verdict is Verdict.SHOWN_AS_TEST


@dataclass(frozen=True, slots=True)
class OfPublisher:
    """Everything of one publisher. Without consent of the school it is one sentence."""

    name: str
    has_consent: bool
    sentence: str
    pieces: Sequence[Piece]


def read_material(
    db: Session, school_id: int, viewer: Viewer, person_ids: Collection[int], words: Mapping[Verdict, str]
) -> Sequence[OfPublisher]:
    """Every publisher by name, its portal first, then each method with its products.

    What one has to look at, is what is there now: consent, lists and people are read in one picture.
    """
    publishers = db.execute(
        select(PublisherRow, PermissionRow.id)
        .outerjoin(
            PermissionRow,
            (PermissionRow.publisher_id == PublisherRow.id)
            & (PermissionRow.school_id == school_id)
            & PermissionRow.withdrawn_at.is_(None),
        )
        .order_by(PublisherRow.name, PublisherRow.id)
    ).all()
    consenting = [publisher.id for publisher, consent in publishers if consent is not None]
    applications = _read_applications(db, consenting)
    licensed = set(db.scalars(select(LicenceRow.application_id).where(LicenceRow.person_id.in_(sorted(person_ids)))))
    found = []
    for publisher, consent in publishers:
        own = applications.get(publisher.id, [])
        if consent is None:
            found.append(OfPublisher(publisher.name, False, say(words[Verdict.NO_CONSENT]), []))
            continue
        pieces = [_portal(publisher, viewer, words)]
        pieces += [_piece(publisher, viewer, row, row.id in licensed, own, words) for row in own]
        found.append(OfPublisher(publisher.name, True, "", pieces))
    return found


def words_for(viewer: Viewer) -> Mapping[Verdict, str]:
    """The sentences for who looks for herself."""
    return OF_COORDINATOR if viewer.is_coordinator else SENTENCES


def tiles_of(material: Sequence[OfPublisher]) -> Sequence[Piece]:
    """What is shown, management portals first."""
    shown = [piece for publisher in material for piece in publisher.pieces if piece.is_tile]
    return sorted(shown, key=lambda piece: (not piece.is_portal, piece.name.casefold()))


def _read_applications(db: Session, publisher_ids: Sequence[int]) -> dict[int, list[ApplicationRow]]:
    """Publisher -> its methods by name, each followed by its products by name."""
    rows = db.execute(
        select(LikaCodeRow.publisher_id, ApplicationRow)
        .join(LikaCodeRow, LikaCodeRow.code == ApplicationRow.lika_code)
        .where(LikaCodeRow.publisher_id.in_(publisher_ids))
    ).all()
    methods = {row.id: row for _, row in rows if row.method_id is None}
    found: dict[int, list[ApplicationRow]] = {}
    for publisher_id, row in sorted(rows, key=lambda each: _order(each[1], methods)):
        found.setdefault(publisher_id, []).append(row)
    return found


def _order(row: ApplicationRow, methods: Mapping[int, ApplicationRow]) -> tuple[str, int, bool, str, int]:
    method = row if row.method_id is None else methods[row.method_id]
    return (method.name.casefold(), method.id, row.method_id is not None, row.name.casefold(), row.id)


def _piece(
    publisher: PublisherRow,
    viewer: Viewer,
    row: ApplicationRow,
    has_licence: bool,
    own: Sequence[ApplicationRow],
    words: Mapping[Verdict, str],
) -> Piece:
    tags = frozenset(Tag(tag) for tag in row.tags.split())
    verdict = judge(viewer, Application(has_licence, tags, row.url is not None), has_consent=True)
    shown = verdict.is_tile
    return Piece(
        name=row.name,
        publisher=publisher.name,
        under=next((each.name for each in own if each.id == row.method_id), ""),
        verdict=verdict,
        sentence=say(words[verdict]),
        url=(row.url or "") if shown else "",
        picture=f"data:{media_type(row.icon)};base64,{row.icon.rpartition(',')[2]}" if shown and row.icon else "",
    )


def _portal(publisher: PublisherRow, viewer: Viewer, words: Mapping[Verdict, str]) -> Piece:
    verdict = judge_portal(viewer, has_consent=True, has_address=publisher.portal_url is not None)
    sentence = {
        Verdict.SHOWN: mark("U ziet dit: u bent ICT-coördinator, en uw school geeft deze uitgeverij toestemming."),
        Verdict.NO_ADDRESS: NO_PORTAL,
    }.get(verdict, words[verdict])
    return Piece(
        name=publisher.portal_name or PORTAL,
        publisher=publisher.name,
        under="",
        verdict=verdict,
        sentence=say(sentence),
        url=(publisher.portal_url or "") if verdict.is_tile else "",
        picture="",
        is_portal=True,
    )
