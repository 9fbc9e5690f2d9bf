"""Which tiles does somebody see in Lesmateriaal, and why (not)? (pure)

The law: without consent of the school there is no tile of a publisher at all; with it, an application is a tile for
exactly its users, minus pupils when it is for teachers only, and a coordinator always has the tile of the management
portal. Methods and products have lists of their own, so each is judged by itself.
"""

from dataclasses import dataclass
from enum import StrEnum


class Tag(StrEnum):
    """The closed list of the real interface."""

    TEACHERS = "leerkrachtApplicatie"
    TEST = "toetsApplicatie"


class Verdict(StrEnum):
    SHOWN = "shown"
    SHOWN_AS_TEST = "shown as test"
    NO_CONSENT = "no consent"
    TEACHERS_ONLY = "teachers only"
    NO_LICENCE = "no licence"
    NOT_AT_SCHOOL = "not at school"
    NO_ADDRESS = "no address"
    COORDINATORS_ONLY = "coordinators only"

    @property
    def is_tile(self) -> bool:
        return self in {Verdict.SHOWN, Verdict.SHOWN_AS_TEST}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, at one school. `at_school`: sits in the school building; None when that is not known."""

    is_staff: bool
    is_coordinator: bool = False
    at_school: bool | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """A method or product, as this person meets it."""

    has_licence: bool
    tags: frozenset[Tag] = frozenset()
    has_address: bool = True


def judge(viewer: Viewer, application: Application, *, has_consent: bool) -> Verdict:
    """Is this application a tile for this person? If not, the first thing that would have to change."""
    if not has_consent:
        return Verdict.NO_CONSENT
    if Tag.TEACHERS in application.tags and not (viewer.is_staff or viewer.is_coordinator):
        return Verdict.TEACHERS_ONLY
    if not application.has_licence:
        return Verdict.NO_LICENCE
    if not application.has_address:
        return Verdict.NO_ADDRESS
    if Tag.TEST in application.tags:
        # where a person sits is only held against her when it is known: the app itself guards its tests
        return Verdict.NOT_AT_SCHOOL if viewer.at_school is False else Verdict.SHOWN_AS_TEST
    return Verdict.SHOWN


def judge_portal(viewer: Viewer, *, has_consent: bool, has_address: bool) -> Verdict:
    """Is the publisher's management portal a tile for this person? No licence is asked for."""
    if not has_consent:
        return Verdict.NO_CONSENT
    if not viewer.is_coordinator:
        return Verdict.COORDINATORS_ONLY
    return Verdict.SHOWN if has_address else Verdict.NO_ADDRESS
