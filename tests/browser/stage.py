"""What the browser tests know of: the processes, the people with their cookies, and the schools' files."""

from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from services.demo.school import a_school
from shared.clock import local_date, now
from shared.edexml import EdexmlFile, EdexmlStaff
from shared.edexml_write import write_edexml
from shared.identifiers import SchoolCode
from shared.roster import Role, StaffMember

CODE = "99ZA00"  # the school that is looked at
TOLD = {True: "99ZD00", False: "99ZE00"}  # the schools of the manual's story, with and without JavaScript
STRANGER = "99ZC00"  # not one of the administrator's
NAMES = {CODE: "OBS De Regenboog", TOLD[True]: "CBS De Ark", TOLD[False]: "De Klimboom", STRANGER: "OBS De Vreemde"}
OURS = (CODE, *TOLD.values())
DOMAIN = "deregenboog.example"
ADMINISTRATOR, COORDINATOR = "a.bos@deregenboog.example", f"ict@{DOMAIN}"
PASSWORD = "regenboog-paard-batterij"
OPERATOR_KEY = "schakel_browser_operator_0123456789"
HELPDESK = "helpdesk@woordhelder.example"


@dataclass(frozen=True)
class Person:
    """Somebody with a browser: the processes of the service they use, and the name and value of their cookie."""

    places: tuple[str, ...]
    cookie: tuple[str, str] | None = None


@dataclass
class Stage:
    """Addresses of what runs, and the numbers of what was seeded. `edu`, `hubs`: the two processes."""

    edu: tuple[str, str]
    hubs: tuple[str, str]
    portal: str
    letterbox: str  # where the mails are read
    cookie: str = ""  # of the signed-in administrator
    ids: dict[str, int | str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # of whom the hub knows by a key
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def hub(self) -> str:
        return self.hubs[0]

    @property
    def places(self) -> tuple[str, ...]:
        return (*self.edu, *self.hubs, self.portal, self.letterbox)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What the administrator does without a browser."""
        answer = httpx.request(method, self.edu[0] + path, cookies={"eduscope": self.cookie}, timeout=60, **more)
        answer.raise_for_status()
        return answer

    def get(self, path: str) -> Any:
        return self.call("GET", path).json()


def address(name: str, code: str) -> str:
    """An address at the school's own domain."""
    return f"{name}@{DOMAIN if code == CODE else f'school-{code.lower()}.example'}"


def small_school(code: str) -> EdexmlFile:
    """Three home groups of a generated school with their pupils and teachers, small enough for axe.

    Two teachers are there for the manual's steps: one without an address, one with an address with a slip in it.
    """
    domain = address("", code).removeprefix("@")
    whole = a_school(local_date(now()), OURS.index(code) + 1, SchoolCode.parse(code), domain)
    homes = [group for group in whole.groups if group.name in {"3A", "3/4", "4A"}]
    composites = [group for group in whole.groups if group.name == "Leesgroep maan"]
    kept = {group.key for group in (*homes, *composites)}
    pupils = []
    for group in homes:
        of_group = [entry for entry in whole.pupils if entry.pupil.home_group == group.key][:12]
        pupils += [
            replace(entry, pupil=replace(entry.pupil, composite_groups=entry.pupil.composite_groups & kept))
            for entry in of_group
        ]
    staff = [
        replace(
            entry,
            member=replace(
                entry.member,
                home_groups=entry.member.home_groups & kept,
                composite_groups=entry.member.composite_groups & kept,
            ),
        )
        for entry in whole.staff
        if entry.member.home_groups & kept and Role.SUBSTITUTE not in entry.member.roles
    ]
    without = StaffMember(key="M901", first_name="Piet", last_name="Jansen", roles=frozenset({Role.TEACHER}))
    slip = StaffMember(
        key="M902",
        first_name="Anna",
        last_name="de Wit",
        email=address("anna.de.wti", code),
        roles=frozenset({Role.TEACHER}),
    )
    staff += [EdexmlStaff(member=without), EdexmlStaff(member=slip)]
    return replace(whole, groups=(*homes, *composites), pupils=tuple(pupils), staff=tuple(staff))


def as_in_hub(code: str) -> EdexmlFile:
    """What the hub knows from the xml-maker: right addresses of the two teachers, and one whom EDUscope lacks."""
    file = small_school(code)
    right = {"M901": address("piet.jansen", code), "M902": address("anna.de.wit", code)}
    staff = [
        replace(entry, member=replace(entry.member, email=right.get(entry.member.key, entry.member.email)))
        for entry in file.staff
    ]
    coordinator = StaffMember(
        key="M900", first_name="Ida", last_name="Cate", email=COORDINATOR, roles=frozenset({Role.ICT_COORDINATOR})
    )
    left = StaffMember(
        key="M903",
        first_name="Bep",
        last_name="Vertrokken",
        email=address("bep", code),
        roles=frozenset({Role.TEACHER}),
    )
    return replace(file, staff=(*staff, EdexmlStaff(member=coordinator, is_ict=True), EdexmlStaff(member=left)))


def xml_of(file: EdexmlFile) -> bytes:
    return write_edexml(file, created_at=now(), author="test")


def done(answer: httpx.Response) -> Any:
    """The body of an answer that must be a good one."""
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None
