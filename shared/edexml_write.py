"""Writes EDEXML 2.1, 2.0 and 1.0.3: valid by the schema, with nothing in it that we do not exchange."""

import re
from collections.abc import Iterable
from datetime import date, datetime

from lxml import etree

from shared.clock import AMSTERDAM
from shared.edexml import (
    COMBINATION,
    ICT,
    LENGTHS,
    NO_ACCESS,
    SUBSTITUTE,
    EdexmlFile,
    EdexmlPupil,
    EdexmlSchool,
    EdexmlStaff,
    EdexmlUnwritable,
    Notice,
)
from shared.edexml_versions import PROFILES, Profile, Version, as_held, losses_of_version, surname_of
from shared.language import say
from shared.roster import Group, GroupKind, Person, Role

_CODES = {Role.TEACHER: "LRK", Role.INTERNAL_COACH: "IB", Role.TRAINEE: "STA", Role.ICT_COORDINATOR: ICT}
# XML 1.0 cannot hold these, not even escaped.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_edexml(file: EdexmlFile, *, created_at: datetime, author: str, version: Version = Version.V2_1) -> bytes:
    """The file as EDEXML in UTF-8. Raises EdexmlUnwritable for a school without pupils.

    `losses` says what such a file cannot hold as it is. The true school year is written, also where the published
    schema ends before it: all else stays valid, and a receiver that renews its list of years takes the file.
    """
    if not file.pupils:
        raise EdexmlUnwritable
    file, profile = as_held(file, version), PROFILES[version]
    root = etree.Element("EDEX")
    _write_school(root, file.school, created_at.astimezone(AMSTERDAM), author, profile)
    if file.groups:
        groups = etree.SubElement(root, "groepen")
        for group in file.groups:
            _write_group(groups, group)
    pupils = etree.SubElement(root, "leerlingen")
    for pupil in file.pupils:
        _write_pupil(pupils, pupil, profile)
    if file.staff:
        staff = etree.SubElement(root, "leerkrachten")
        for member in file.staff:
            _write_member(staff, member, profile)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def losses(file: EdexmlFile, version: Version = Version.V2_1) -> tuple[Notice, ...]:
    """What a written file cannot hold as it is, counted, for the person who makes it."""
    newest, longest = PROFILES[version].newest_year, PROFILES[version].surname_length
    people: list[Person] = [each.pupil for each in file.pupils]
    people += [each.member for each in file.staff]
    counted = (
        (
            "school-year",
            int(file.school.school_year > newest),
            say(
                "Een ontvanger met een oud EDEXML-schema (tot en met %(newest)s) kan dit schooljaar weigeren.",
                newest=newest,
            ),
        ),
        (
            "long-prefixes",
            sum(len(person.prefix or "") > LENGTHS["voorvoegsel"] for person in people),
            say("Voorvoegsels van meer dan 10 tekens staan in het bestand vooraan in de achternaam."),
        ),
        (
            "shortened",
            sum(_is_shortened(person, longest) for person in people)
            + sum(_is_long_group(group) for group in file.groups),
            say("Namen of omschrijvingen die langer zijn dan EDEXML toelaat, zijn in het bestand ingekort."),
        ),
        (
            "end-dates",
            sum(_loses_its_end(staff, version) for staff in file.staff),
            say("EDEXML kent geen einddatum van medewerkers; alleen die van invallers staat in een bestand vanaf 2.0."),
        ),
    )
    own = tuple(Notice(kind, count, text) for kind, count, text in counted if count)
    return (*own, *losses_of_version(file, version))


def _write_school(root: etree._Element, school: EdexmlSchool, created: datetime, author: str, profile: Profile) -> None:
    element = etree.SubElement(root, "school")
    _text(element, "schooljaar", school.school_year)
    if profile.holds_details:
        _text(element, "peildatum", (school.as_of or created.date()).isoformat())
    if school.school_code:
        _text(element, "brincode", school.school_code.brin)
        _text(element, "dependancecode", school.school_code.branch)
    _text(element, "schoolkey", school.school_key)
    _text(element, "aanmaakdatum", created.strftime("%Y-%m-%dT%H:%M:%S"))
    _text(element, "auteur", author)
    _text(element, "xsdversie", profile.spelled)


def _write_group(parent: etree._Element, group: Group) -> None:
    is_home = group.kind is GroupKind.HOME
    element = etree.SubElement(parent, "groep" if is_home else "samengestelde_groep", key=_clean(group.key))
    _text(element, "naam", group.name)
    if is_home:
        _text(element, "jaargroep", group.year or COMBINATION)
    _text(element, "omschrijving", group.description)


def _write_pupil(parent: etree._Element, entry: EdexmlPupil, profile: Profile) -> None:
    pupil = entry.pupil
    element = _person(parent, "leerling", pupil)
    if profile.holds_details or not pupil.home_group:
        _text(element, "jaargroep", pupil.year)
    if pupil.home_group:
        etree.SubElement(element, "groep", key=_clean(pupil.home_group))
    if pupil.composite_groups:
        wrapper = etree.SubElement(element, "samengestelde_groepen")
        _references(wrapper, "samengestelde_groep", pupil.composite_groups)
    _text(element, "instroomdatum", _day(entry.joined_on))
    _text(element, "uitstroomdatum", _day(entry.left_on))


def _write_member(parent: etree._Element, entry: EdexmlStaff, profile: Profile) -> None:
    member = entry.member
    element = _person(parent, "leerkracht", member)
    if profile.holds_details:
        _write_address_and_roles(element, entry)
    if member.home_groups or member.composite_groups:
        wrapper = etree.SubElement(element, "groepen")
        _references(wrapper, "groep", member.home_groups)
        _references(wrapper, "samengestelde_groep", member.composite_groups)


def _write_address_and_roles(element: etree._Element, entry: EdexmlStaff) -> None:
    member = entry.member
    _text(element, "emailadres", member.email)
    roles = member.roles | ({Role.ICT_COORDINATOR} if entry.is_ict else set())
    for role in sorted(roles & _CODES.keys()):
        _text(element, "rol", _CODES[role])
    if Role.SUBSTITUTE in roles:
        _text(element, "rolomschrijving", SUBSTITUTE + (f" t/m {member.ends_on.isoformat()}" if member.ends_on else ""))
    elif not roles:
        _text(element, "rolomschrijving", NO_ACCESS)


def _person(parent: etree._Element, name: str, person: Person) -> etree._Element:
    element = etree.SubElement(parent, name, key=_clean(person.key))
    if person.eck_id:
        element.set("eckid", _clean(person.eck_id))
    prefix, surname = surname_of(person)
    if surname:  # without a surname the format holds a call name and nothing else
        _text(element, "achternaam", surname)
        _text(element, "voorvoegsel", prefix)
        _text(element, "voorletters-1", _initials(person))
    _text(element, "roepnaam", person.first_name)
    return element


def _initials(person: Person) -> str | None:
    return re.sub(r"[.\s]", "", person.initials or "") or None


def _references(parent: etree._Element, name: str, keys: Iterable[str]) -> None:
    for key in sorted(keys):
        etree.SubElement(parent, name, key=_clean(key))


def _text(parent: etree._Element, name: str, text: str | None) -> None:
    """An element with that text, cut to the length of the format; none where there is no text."""
    kept = _clean(text or "")[: LENGTHS.get(name)].rstrip()
    if kept:
        etree.SubElement(parent, name).text = kept


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("", text)


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _is_shortened(person: Person, longest_surname: int) -> bool:
    if len(surname_of(person)[1] or "") > longest_surname:
        return True
    texts = (("roepnaam", person.first_name), ("voorletters-1", _initials(person)))
    return any(len(text or "") > LENGTHS[name] for name, text in texts)


def _is_long_group(group: Group) -> bool:
    return len(group.name) > LENGTHS["naam"] or len(group.description or "") > LENGTHS["omschrijving"]


def _loses_its_end(entry: EdexmlStaff, version: Version) -> bool:
    is_written = PROFILES[version].holds_details and Role.SUBSTITUTE in entry.member.roles
    return entry.member.ends_on is not None and not is_written
