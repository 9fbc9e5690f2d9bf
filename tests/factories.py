"""Good values to start from, an empty house, and strategies for rosters with everything odd that the rules allow."""

import unicodedata
from datetime import date
from typing import Any

from fastapi import FastAPI
from hypothesis import strategies as st
from sqlalchemy import Engine

from shared.app_factory import House, make_app
from shared.browser import Pages
from shared.identifiers import tidy
from shared.roster import Group, GroupKind, Pupil, Role, Roster, StaffMember


def a_group(key: str = "g5", **changes: Any) -> Group:
    return Group(**{"key": key, "kind": GroupKind.HOME, "name": "Groep 5", "year": "5", **changes})


def a_pupil(key: str = "p1", **changes: Any) -> Pupil:
    values = {"first_name": "Noor", "prefix": "van der", "last_name": "Bijl", "year": "5", "home_group": "g5"}
    return Pupil(**{"key": key, **values, **changes})


def a_staff_member(key: str = "m1", **changes: Any) -> StaffMember:
    values: dict[str, Any] = {
        "first_name": "Joris",
        "last_name": "Hagen",
        "email": f"{key}@school.example",
        "roles": frozenset({Role.TEACHER}),
        "home_groups": frozenset({"g5"}),
    }
    return StaffMember(**{"key": key, **values, **changes})


def a_roster(pupils: int = 3, staff: int = 1, groups: int = 1) -> Roster:
    """A school without loose ends: groups g1.., pupils p1.. and teachers m1.. spread over them in turn."""
    keys = [f"g{number + 1}" for number in range(groups)]
    return Roster.of(
        [
            *(a_group(key, name=f"Groep {key[1:]}") for key in keys),
            *(
                a_pupil(f"p{number + 1}", first_name=f"Noor{number + 1}", home_group=keys[number % groups])
                for number in range(pupils)
            ),
            *(
                a_staff_member(f"m{number + 1}", home_groups=frozenset({keys[number % groups]}))
                for number in range(staff)
            ),
        ]
    )


def an_app(engine: Engine | None = None, base_url: str = "http://testserver", **changes: Any) -> FastAPI:
    """What every service has in common, and nothing else; the test adds its routes."""
    values: dict[str, Any] = {
        "service": "proef",
        "title": "Proef",
        "summary": "",
        "engine": engine,
        "pages": Pages("shared", "edu", "Proef", "proef", base_url),
        "base_url": base_url,
        "body_limits": {},
    }
    return make_app(House(**{**values, **changes}))


NAMES = [
    "Zoë",
    "Şeyma",
    "Łucja",
    "İpek",
    "Ngô",
    "D'Angelo",
    "Jan-Willem",
    "ßen",
    "O’Neill",
    "ﬁn",
    "Ωmega",
    "王",
    "اميرة",
]
_SIGNS = st.characters(exclude_categories=["Cs", "Cc"])

# texts as they come in: any sign, composed or decomposed; always something left after trimming
texts = (
    st.one_of(st.sampled_from(NAMES), st.text(_SIGNS, min_size=1, max_size=12))
    .map(str.strip)
    .flatmap(lambda text: st.sampled_from([unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)]))
    .filter(lambda text: tidy(text) != "")
)
keys = (
    st.one_of(st.text(_SIGNS, min_size=1, max_size=10), st.sampled_from(["a b", "1/2", "x?y&z", "é", "é", "K:1", "🙂"]))
    .map(tidy)
    .filter(lambda key: key != "" and not key.startswith("#"))
)
years = st.one_of(st.none(), st.sampled_from(["0", "1", "2", "3", "4", "5", "6", "7", "8", "11", "S", "N"]))
_names = {
    "first_name": texts,
    "prefix": st.one_of(st.none(), st.sampled_from(["de", "van der", "d'"])),
    "last_name": st.one_of(st.none(), texts),
    "initials": st.one_of(st.none(), st.just("A.B.")),
    "eck_id": st.one_of(st.none(), st.uuids().map(str)),
}


def _some(options: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(options), max_size=3) if options else st.just(frozenset())


@st.composite
def rosters(draw: st.DrawFn, most: int = 8) -> Roster:
    """A school without loose ends: every group that a person names exists, no address occurs twice."""
    groups = draw(
        st.lists(
            st.builds(
                Group,
                key=keys,
                kind=st.sampled_from(GroupKind),
                name=texts,
                year=years,
                description=st.one_of(st.none(), texts),
            ),
            max_size=4,
            unique_by=lambda group: group.key,
        )
    )
    home = [group.key for group in groups if group.kind is GroupKind.HOME]
    composite = [group.key for group in groups if group.kind is GroupKind.COMPOSITE]
    pupil = st.builds(
        Pupil,
        key=keys,
        **_names,
        year=years,
        home_group=st.one_of(st.none(), st.sampled_from(home)) if home else st.none(),
        composite_groups=_some(composite),
    )
    member = st.builds(
        StaffMember,
        key=keys,
        **_names,
        email=st.one_of(st.none(), st.integers(0, 10**6).map(lambda number: f"m{number}@school.example")),
        roles=st.frozensets(st.sampled_from(Role), min_size=1),
        home_groups=_some(home),
        composite_groups=_some(composite),
        ends_on=st.one_of(st.none(), st.dates(date(2000, 1, 1), date(2099, 12, 31))),
    )
    pupils = draw(st.lists(pupil, max_size=most, unique_by=lambda one: one.key))
    staff = draw(st.lists(member, max_size=most, unique_by=(lambda one: one.key, lambda one: one.email or one.key)))
    return Roster.of([*groups, *pupils, *staff])
