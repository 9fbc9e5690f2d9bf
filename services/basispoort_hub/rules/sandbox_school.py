"""The invented school of a sandbox: every nasty case that a roster may hold, and what can happen to it (pure).

Nothing is drawn: the same number of pupils gives the same school, on every machine and every day.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum

from shared.roster import Entry, Group, GroupKind, Kind, Pupil, Role, Roster, StaffMember

PUPILS = 1_500
NEIGHBOURS = 30
PER_GROUP = 25
YEARS = "12345678"
ENDED = date(2099, 7, 31)

_FIRST = (
    "Noor", "Zoë", "Şeyma", "Łucja", "İpek", "Daan", "Jan-Willem", "Mohamed-Amin", "Chloë", "Sjoerd", "Ngọc", "Aïsha",
    "Björn", "D'Angelo", "Fenna", "Ömer", "Tygo", "Väinö", "Ilse", "Xin Yi", "Quirijn", "Eylül", "Wies",
)  # fmt: skip
_LAST = (
    ("van der", "Bijl"), (None, "Nuñez"), ("'t", "Hoen"), (None, "Åström"), ("de", "Groot-Çelik"), (None, "O’Testman"),
    ("van 't", "Proefje"), (None, "Şahinoğlu"), ("op den", "Test"), (None, "Nguyễn"), (None, "Voorbeeld"),
)  # fmt: skip
_LONG = "Johanna Wilhelmina Theodora Antoinette " * 5
_TWINS = ("p-0001", "p-0026", "p-0051")  # one name, in three groups; the first two of one year


class Event(StrEnum):
    """What a publisher's engineer can make happen."""

    NEW_PUPIL = "nieuwe-leerling"
    DEPARTURE = "vertrek"
    SWAP = "wissel"
    NEW_ADDRESS = "adreswijziging"
    NEW_YEAR = "jaarovergang"
    WAVE = "golf"
    MERGER = "fusie"
    CONSENT = "toestemming-geven"
    NO_CONSENT = "toestemming-intrekken"


def a_whole_school(size: int, domain: str) -> Roster:
    """The school as it was before anything went wrong with it."""
    homes = max(4, size // PER_GROUP)
    groups: list[Entry] = [
        Group(key=f"g-{place:02}", kind=GroupKind.HOME, name=_group_name(place), year=_year(place))
        for place in range(1, homes + 1)
    ]
    groups += [
        Group(key="g-leeg", kind=GroupKind.HOME, name="Instroom (leeg)", year="1"),
        Group(key="g-combi", kind=GroupKind.HOME, name="7/8 combinatie", year="C"),
        Group(key="s-plus", kind=GroupKind.COMPOSITE, name="Plusklas", year=None, description="Verrijking, dinsdag"),
        Group(key="s-koor", kind=GroupKind.COMPOSITE, name="Schoolkoor “De Häns”", year=None),
        Group(key="s-leeg", kind=GroupKind.COMPOSITE, name="Taalklas (leeg)", year=None),
    ]
    pupils = [_pupil(place, homes, size) for place in range(1, size + 1)]
    return Roster.of([*groups, *pupils, *_staff(homes, domain)])


def with_held(school: Roster) -> Roster:
    """What its administration sent last: two keys have changed places, so both are held until a person decides.

    No removals are held: then every later departure would wait with them.
    """
    return swap(school, "p-0002", "p-0003")


def a_small_school(domain: str) -> Roster:
    """The neighbours: small enough to merge."""
    group = Group(key="b-1", kind=GroupKind.HOME, name="Groep 1 t/m 8", year=None)
    teacher = StaffMember(
        key="bm-1",
        first_name="Buur",
        last_name="Vrouw",
        email=f"buurvrouw@{domain}",
        roles=frozenset({Role.TEACHER}),
        home_groups=frozenset({"b-1"}),
    )
    pupils = [_neighbour(place) for place in range(1, NEIGHBOURS + 1)]
    return Roster.of([group, teacher, *pupils])


def _neighbour(place: int) -> Pupil:
    pupil = _pupil(place, 8, NEIGHBOURS)
    return replace(pupil, key=f"b-{place:04}", eck_id=None, home_group="b-1", composite_groups=frozenset())


def happen(event: Event, school: Roster, today: date) -> tuple[Roster, Mapping[Kind, Mapping[str, date]]]:
    """The roster after something happened to it, and the leaving dates that go with it."""
    match event:
        case Event.NEW_PUPIL:
            return _with_new_pupil(school), {}
        case Event.DEPARTURE:
            return _without_last_pupil(school, today)
        case Event.SWAP:
            return _with_swap(school), {}
        case Event.NEW_ADDRESS:
            return _with_new_address(school), {}
        case Event.NEW_YEAR:
            return _a_year_later(school, today)
        case Event.WAVE:
            return _three_quarters(school), {}
    raise ValueError(f"{event} does not happen to a roster")


def _with_swap(school: Roster) -> Roster:
    """Two with an ECK iD, so that it is seen: the fourth and fifth, or the last two. With fewer nothing happens."""
    known = [key for key, pupil in school.pupils.items() if pupil.eck_id is not None][:5]
    return school if len(known) < 2 else swap(school, known[-2], known[-1])


def swap(school: Roster, first: str, second: str) -> Roster:
    """Two pupils whose keys changed places: each key suddenly names another child."""
    one, other = school.pupils[first], school.pupils[second]
    changed = {first: replace(other, key=first), second: replace(one, key=second)}
    return _changed(school, changed)


def _changed(school: Roster, pupils: Mapping[str, Pupil]) -> Roster:
    return Roster.of(pupils.get(each.key, each) if isinstance(each, Pupil) else each for each in school.entries())


def _group_name(place: int) -> str:
    return f"{_year(place)}{chr(65 + (place - 1) // len(YEARS) % 26)}"


def _year(place: int) -> str:
    return YEARS[(place - 1) % len(YEARS)]


def _pupil(place: int, homes: int, size: int) -> Pupil:
    key = f"p-{place:04}"
    group = (place - 1) * homes // size + 1
    prefix, last = _LAST[place * 7 % len(_LAST)]
    pupil = Pupil(
        key=key,
        first_name=f"{_FIRST[place % len(_FIRST)]} {_roman(place // len(_FIRST))}".strip(),
        prefix=prefix,
        last_name=last,
        initials=None if place % 3 else f"{_FIRST[place % len(_FIRST)][0]}.",
        eck_id=None if place % 10 == 0 else f"https://ketenid.example/zandbak/{place:064x}",
        year=_year(group),
        home_group=f"g-{group:02}",
        composite_groups=frozenset({name for name, share in (("s-plus", 11), ("s-koor", 6)) if place % share == 0}),
    )
    if key in _TWINS:
        return replace(pupil, first_name="Noor", prefix="van der", last_name="Bijl")
    match place:
        case 6:
            return replace(pupil, first_name="Wimpie", prefix=None, last_name=None)  # a call name alone
        case 7:
            return replace(pupil, first_name=_LONG.strip(), last_name=f"{_LONG}-Achternaam"[:200])
        case 8:
            return replace(pupil, home_group=None, year=None, composite_groups=frozenset())
        case 9:
            return replace(pupil, first_name=None, prefix=None, last_name="Zondervoornaam")
        case _:
            return pupil


def _roman(number: int) -> str:
    """Tells the children apart who would have the same name; the first of them have none."""
    return "" if number == 0 else "".join("IVXLCDM"[int(digit) % 7] for digit in str(number))


def _staff(homes: int, domain: str) -> list[StaffMember]:
    staff = [
        StaffMember(
            key=f"m-{place:02}",
            first_name=_FIRST[place * 5 % len(_FIRST)],
            prefix=_LAST[place % len(_LAST)][0],
            last_name=_LAST[place % len(_LAST)][1],
            email=f"leerkracht{place}@{domain}",
            roles=frozenset({Role.TEACHER}),
            home_groups=frozenset({f"g-{place:02}"}),
        )
        for place in range(1, homes + 1)
    ]
    odd: list[tuple[str, str | None, frozenset[Role], date | None]] = [
        ("m-zonder-mail", None, frozenset({Role.TEACHER}), None),
        ("m-stagiair", f"stagiair@{domain}", frozenset({Role.TRAINEE}), None),
        ("m-inval", f"inval@{domain}", frozenset({Role.SUBSTITUTE}), ENDED),
        ("m-ib", f"ib@{domain}", frozenset({Role.INTERNAL_COACH, Role.TEACHER}), None),
    ]
    return staff + [
        StaffMember(
            key=key,
            first_name="Proef",
            last_name=key.removeprefix("m-").title(),
            email=email,
            roles=roles,
            home_groups=frozenset({"g-01", "g-combi"}),
            composite_groups=frozenset({"s-plus"}),
            ends_on=ends_on,
        )
        for key, email, roles, ends_on in odd
    ]


def _three_quarters(school: Roster) -> Roster:
    keep = set(sorted(school.pupils)[: len(school.pupils) * 3 // 4])
    return Roster.of(each for each in school.entries() if not isinstance(each, Pupil) or each.key in keep)


def _with_new_pupil(school: Roster) -> Roster:
    place = 1 + sum(key.startswith("n-") for key in school.pupils)
    while f"n-{place:04}" in school.pupils:
        place += 1
    some_group = next(group for key, group in sorted(school.groups.items()) if group.kind is GroupKind.HOME)
    pupil = Pupil(
        key=f"n-{place:04}",
        first_name=f"Nieuw {_roman(place)}".strip(),
        last_name="Komer",
        year=some_group.year,
        home_group=some_group.key,
    )
    return Roster.of([*school.entries(), pupil])


def _without_last_pupil(school: Roster, today: date) -> tuple[Roster, Mapping[Kind, Mapping[str, date]]]:
    if not school.pupils:
        return school, {}
    last = max(school.pupils)
    rest = Roster.of(each for each in school.entries() if not (isinstance(each, Pupil) and each.key == last))
    return rest, {Kind.PUPIL: {last: today}}


def _with_new_address(school: Roster) -> Roster:
    """The first teacher gets another address: the old one stops working, the new one is invited."""
    key = min(key for key, member in school.staff.items() if member.email is not None)
    name, _, domain = str(school.staff[key].email).partition("@")
    base, _, number = name.partition(".")
    email = f"{base}.{int(number or 0) + 1}@{domain}"
    return Roster.of(
        replace(each, email=email) if isinstance(each, StaffMember) and each.key == key else each
        for each in school.entries()
    )


def _a_year_later(school: Roster, today: date) -> tuple[Roster, Mapping[Kind, Mapping[str, date]]]:
    """Who is in year 8 leaves with a date; the others go up; the groups keep their keys."""
    leavers = {key: today for key, pupil in school.pupils.items() if pupil.year == YEARS[-1]}
    homes = {(group.year, number): key for year in YEARS for number, (key, group) in enumerate(_of_year(school, year))}
    moved: dict[str, Pupil] = {}
    for key, pupil in school.pupils.items():
        if key in leavers or pupil.year is None or pupil.year not in YEARS:
            continue
        year = YEARS[YEARS.index(pupil.year) + 1]
        present = [group_key for group_key, _ in _of_year(school, pupil.year)]
        number = present.index(pupil.home_group) if pupil.home_group in present else 0
        moved[key] = replace(pupil, year=year, home_group=homes.get((year, number), homes.get((year, 0))))
    rest = Roster.of(each for each in school.entries() if not (isinstance(each, Pupil) and each.key in leavers))
    return _changed(rest, moved), {Kind.PUPIL: leavers}


def _of_year(school: Roster, year: str) -> list[tuple[str, Group]]:
    return [
        (key, each) for key, each in sorted(school.groups.items()) if each.kind is GroupKind.HOME and each.year == year
    ]
