"""Reads EDEXML 1.0.3, 2.0 and 2.1: strict where the roster would be wrong, tolerant where real files are.

Every file is read by the grammar of 2.1, which takes the older ones as they are.
"""

import re
import unicodedata
from dataclasses import replace
from datetime import date
from typing import BinaryIO

from shared.edexml import (
    COMBINATION,
    HISTORICAL,
    ICT,
    LENGTHS,
    LONGEST_PREFIX,
    ROLES,
    SUBSTITUTE,
    YEARS,
    EdexmlFile,
    EdexmlPupil,
    EdexmlSchool,
    EdexmlStaff,
    Notice,
)
from shared.edexml_stream import MEGABYTE, Findings, RawEntry, stream
from shared.identifiers import SchoolCode, holds_citizen_number, is_dummy_key, parse_email
from shared.language import mark, say
from shared.roster import Group, GroupKind, Pupil, Role, StaffMember

LIMIT = 50 * MEGABYTE
_MOST_ENTRIES = 20_000  # per kind; a large school has 1,500 pupils
_SCHOOL_YEAR = re.compile(r"([12][0-9]{3})-([12][0-9]{3})")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_VERSION = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2}){0,2}")
_UNTIL = re.compile(r"t/m ([0-9]{4}-[0-9]{2}-[0-9]{2})")
_WORDS = {
    "groep": mark("groep"),
    "samengestelde_groep": mark("groep"),
    "leerling": mark("leerling"),
    "leerkracht": mark("leerkracht"),
}


def read_edexml(source: BinaryIO, *, limit_bytes: int = LIMIT) -> EdexmlFile:
    """The roster in a file. Raises EdexmlError (lines and reasons, never content) or TooLarge; it takes all or nothing.

    Errors in the structure end the reading; those in keys, references, names and dates are raised together.
    """
    findings = Findings()
    reading = _Reading(findings)
    stream(source, limit_bytes, findings, reading.take)
    findings.raise_if_any()
    return reading.result()


class _Reading:
    """What was read until now. Groups come before the people in them, so every reference can be checked at once."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._school: EdexmlSchool | None = None
        self._groups: dict[str, Group] = {}
        self._pupils: list[EdexmlPupil] = []
        self._staff: list[EdexmlStaff] = []
        self._lines: dict[str, dict[str, int]] = {}  # kind of key -> key -> line
        self._unsaid: list[int] = []  # places in _staff of people without a word about roles or groups
        self._roles_seen = False
        self._other_roles = 0
        self._bad_addresses: list[int] = []

    def take(self, entry: RawEntry) -> None:
        match entry.element:
            case "school":
                self._take_school(entry)
            case "groep" | "samengestelde_groep":
                self._take_group(entry)
            case "leerling":
                self._take_pupil(entry)
            case "leerkracht":
                self._take_member(entry)

    def result(self) -> EdexmlFile:
        if self._school is None:
            self._findings.stop(1, say("<school> ontbreekt"))
        if not self._roles_seen:  # 1.0.3 has no roles: whoever is on the list teaches
            for place in self._unsaid:
                self._staff[place] = _as_teacher(self._staff[place])
        return EdexmlFile(
            school=self._school,
            groups=tuple(self._groups.values()),
            pupils=tuple(self._pupils),
            staff=tuple(self._staff),
            notices=tuple(self._notices()),
        )

    def _take_school(self, entry: RawEntry) -> None:
        fields = entry.fields
        self._check_texts(entry)
        year = fields.get("schooljaar", "")
        match_ = _SCHOOL_YEAR.fullmatch(year)
        if not match_ or int(match_[2]) != int(match_[1]) + 1:
            self._findings.note(entry.line, say("<schooljaar> is geen schooljaar, zoals 2025-2026"))
        version = fields.get("xsdversie", "")
        created = _as_date(fields.get("aanmaakdatum", "")[:10])
        self._school = EdexmlSchool(
            school_code=self._code(entry),
            school_key=_nfc(fields["schoolkey"]) if "schoolkey" in fields else None,
            school_year=year,
            as_of=self._date(entry, "peildatum") or created,
            version=version if _VERSION.fullmatch(version) else None,
        )

    def _code(self, entry: RawEntry) -> SchoolCode | None:
        brin, branch = entry.fields.get("brincode"), entry.fields.get("dependancecode", "")
        if brin is None:
            return None
        try:
            return SchoolCode.parse(brin if len(brin) > 4 and brin.endswith(branch) else brin + branch)
        except ValueError:
            reason = say("<brincode> en <dependancecode> zijn samen geen schoolcode, zoals 99ZZ en 00")
            self._findings.note(entry.line, reason)
            return None

    def _take_group(self, entry: RawEntry) -> None:
        fields = entry.fields
        key = self._own_key(entry)
        self._check_texts(entry)
        if "naam" not in fields:
            self._findings.note(entry.line, say("deze groep heeft geen naam"))
        is_home = entry.element == "groep"
        year = self._year(entry)
        if is_home and "jaargroep" not in fields:
            self._findings.note(entry.line, say("deze groep heeft geen jaargroep"))
        if key is None or "naam" not in fields:
            return
        self._groups[key] = Group(
            key=key,
            kind=GroupKind.HOME if is_home else GroupKind.COMPOSITE,
            name=fields["naam"],
            year=year,
            description=fields.get("omschrijving"),
        )

    def _take_pupil(self, entry: RawEntry) -> None:
        fields = entry.fields
        key = self._own_key(entry)
        self._check_person(entry)
        homes, composites = self._group_keys(entry)
        home = next(iter(homes), None)
        own_year = self._year(entry)
        left_on = self._date(entry, "uitstroomdatum")
        if own_year == HISTORICAL:
            left_on = self._left_by_now(left_on)
        joined_on = self._date(entry, "instroomdatum")
        if key is None:
            return
        pupil = Pupil(
            key=key,
            first_name=fields.get("roepnaam") or fields.get("voornamen"),
            last_name=fields.get("achternaam"),
            prefix=fields.get("voorvoegsel"),
            initials=_initials(fields),
            eck_id=fields.get("eckid"),
            year=_sensible(own_year) or _sensible(self._groups[home].year if home else None),
            home_group=home,
            composite_groups=composites,
        )
        self._pupils.append(EdexmlPupil(pupil=pupil, joined_on=joined_on, left_on=left_on))

    def _left_by_now(self, left_on: date | None) -> date:
        """`H` says that the pupil has left; the latest possible day stands in for a missing date."""
        school = self._school
        start = _SCHOOL_YEAR.match(school.school_year) if school else None
        latest = (school and school.as_of) or date(int(start[1]) if start else 1900, 8, 1)
        return min(left_on or latest, latest)

    def _take_member(self, entry: RawEntry) -> None:
        fields = entry.fields
        key = self._own_key(entry)
        self._check_person(entry)
        homes, composites = self._group_keys(entry)
        roles, ends_on = self._roles(entry, teaches=bool(homes or composites))
        email = self._email(entry)
        if key is None:
            return
        member = StaffMember(
            key=key,
            first_name=fields.get("roepnaam") or fields.get("voornamen"),
            last_name=fields.get("achternaam"),
            prefix=fields.get("voorvoegsel"),
            initials=_initials(fields),
            eck_id=fields.get("eckid"),
            email=email,
            roles=roles,
            home_groups=homes,
            composite_groups=composites,
            ends_on=ends_on,
        )
        if not entry.roles and not roles:
            self._unsaid.append(len(self._staff))
        self._staff.append(EdexmlStaff(member=member, is_ict=("rol", ICT) in entry.roles))

    def _roles(self, entry: RawEntry, *, teaches: bool) -> tuple[frozenset[Role], date | None]:
        """Our roles, and the last day of a substitute. Without a word about roles, whoever has groups is a teacher."""
        self._roles_seen = self._roles_seen or bool(entry.roles)
        if not entry.roles:
            return frozenset({Role.TEACHER} if teaches else ()), None
        roles = {ROLES[text] for name, text in entry.roles if name == "rol" and text in ROLES}
        ends_on = None
        for name, text in entry.roles:
            if name == "rolomschrijving" and text.casefold().startswith(SUBSTITUTE.casefold()):
                roles.add(Role.SUBSTITUTE)
                until = _UNTIL.search(text)
                ends_on = _as_date(until[1]) if until else ends_on
        if not roles and ("rol", ICT) not in entry.roles:
            self._other_roles += 1
        return frozenset(roles), ends_on

    def _email(self, entry: RawEntry) -> str | None:
        text = entry.fields.get("emailadres")
        if text is None:
            return None
        try:
            return parse_email(text)
        except ValueError:
            self._bad_addresses.append(entry.line)
            return None

    def _own_key(self, entry: RawEntry) -> str | None:
        """The entry's key when it is good; keys and ECK iDs that occur twice are noted with both lines."""
        word = _WORDS[entry.element]
        good: str | None = None
        for name, called in (("key", mark("sleutel")), ("eckid", mark("ECK iD"))):
            if name not in entry.fields:
                continue
            value = _nfc(entry.fields[name])
            if len(value) > LENGTHS["key"]:
                reason = say("de %(key)s is langer dan %(most)s tekens", key=say(called), most=LENGTHS["key"])
                self._findings.note(entry.line, reason)
                continue
            lines = self._lines.setdefault(f"{word} {name}", {})
            if value in lines:
                same = say(
                    "deze %(word)s heeft dezelfde %(key)s als die op regel %(line)s",
                    word=say(word),
                    key=say(called),
                    line=lines[value],
                )
                self._findings.note(entry.line, same)
                continue
            lines[value] = entry.line
            if len(lines) > _MOST_ENTRIES:
                self._findings.stop(entry.line, say("er staan meer mensen of groepen in dan een school kan hebben"))
            if name == "key":
                good = value
        if "key" not in entry.fields:
            self._findings.note(entry.line, say("deze %(word)s heeft geen sleutel", word=say(word)))
        return good

    def _check_texts(self, entry: RawEntry) -> None:
        fields = entry.fields
        for name, text in fields.items():
            limit = LONGEST_PREFIX if name == "voorvoegsel" else LENGTHS.get(name, 256)
            if len(text) > limit and name not in {"key", "eckid"}:
                self._findings.note(entry.line, say("<%(name)s> is langer dan %(most)s tekens", name=name, most=limit))
        if holds_citizen_number("\n".join(fields.values())):
            reason = say("in een sleutel, naam of tekst staat een getal dat een burgerservicenummer kan zijn")
            self._findings.note(entry.line, reason)

    def _check_person(self, entry: RawEntry) -> None:
        fields = entry.fields
        self._check_texts(entry)
        if "achternaam" not in fields and "roepnaam" not in fields:
            self._findings.note(entry.line, say("achternaam en roepnaam ontbreken allebei"))
        elif "voorvoegsel" in fields and "achternaam" not in fields:
            self._findings.note(entry.line, say("er staat een voorvoegsel zonder achternaam"))

    def _group_keys(self, entry: RawEntry) -> tuple[frozenset[str], frozenset[str]]:
        found: dict[GroupKind, set[str]] = {kind: set() for kind in GroupKind}
        for reference in entry.references:
            group = self._groups.get(_nfc(reference.key))
            if group is None or group.kind is not reference.kind:
                if reference.kind is GroupKind.HOME:
                    reason = say("hier staat een groep die niet in het bestand voorkomt")
                else:
                    reason = say("hier staat een samengestelde groep die niet in het bestand voorkomt")
                self._findings.note(reference.line, reason)
            else:
                found[group.kind].add(group.key)
        return frozenset(found[GroupKind.HOME]), frozenset(found[GroupKind.COMPOSITE])

    def _year(self, entry: RawEntry) -> str | None:
        year = entry.fields.get("jaargroep")
        if year is not None and year not in YEARS:
            self._findings.note(entry.line, say("<jaargroep> heeft een waarde die EDEXML niet kent"))
        return year

    def _date(self, entry: RawEntry, name: str) -> date | None:
        text = entry.fields.get(name)
        day = _as_date(text or "")
        if text and day is None:
            self._findings.note(entry.line, say("<%(name)s> is geen datum, zoals 2025-09-01", name=name))
        return day

    def _notices(self) -> list[Notice]:
        findings = self._findings
        people = [pupil.has_dummy_key for pupil in self._pupils] + [member.has_dummy_key for member in self._staff]
        lines = ", ".join(str(line) for line in self._bad_addresses[:10])
        kinds = ", ".join(sorted(map(say, findings.dropped)))
        sentences = (
            (
                "dropped",
                findings.dropped.total(),
                say("Niet overgenomen, want dit wordt niet uitgewisseld: %(kinds)s.", kinds=kinds),
            ),
            ("additions", findings.additions, say("Eigen toevoegingen van de leverancier zijn niet overgenomen.")),
            ("branches", findings.branches, say("De lijst van vestigingen is niet overgenomen.")),
            (
                "ict",
                sum(each.is_ict for each in self._staff),
                say(
                    "Medewerkers met de functie ICT-coördinator: een bestand maakt niemand coördinator, "
                    "dat doet een mens."
                ),
            ),
            (
                "other-roles",
                self._other_roles,
                say("Medewerkers met een functie die geen toegang geeft. Zij gaan niet mee naar Basispoort."),
            ),
            (
                "bad-addresses",
                len(self._bad_addresses),
                say("E-mailadressen die niet kloppen en niet zijn overgenomen (regel %(lines)s).", lines=lines),
            ),
            (
                "dummy-keys",
                sum(people) + sum(map(is_dummy_key, self._groups)),
                say("Tijdelijke sleutels (#): die krijgen hier hun bestaande of een eigen sleutel."),
            ),
        )
        return [Notice(kind, count, text) for kind, count, text in sentences if count]


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _initials(fields: dict[str, str]) -> str | None:
    """Without dots and spaces, as EDEXML wants them."""
    return re.sub(r"[.\s]", "", fields.get("voorletters-1", "")) or None


def _sensible(year: str | None) -> str | None:
    """The year of a pupil: a combination of years or 'left' is none."""
    return None if year in {COMBINATION, HISTORICAL} else year


def _as_date(text: str) -> date | None:
    match_ = _DATE.fullmatch(text)
    try:
        return date.fromisoformat(match_[1]) if match_ else None
    except ValueError:
        return None


def _as_teacher(staff: EdexmlStaff) -> EdexmlStaff:
    return replace(staff, member=replace(staff.member, roles=frozenset({Role.TEACHER})))
