"""A school and the same children as an app knows them: names damaged the way people damage them, with the truth kept.

The names are of this file alone; the rules were tuned on others (speed.md section 6 describes the damage).
"""

import random
import unicodedata
from dataclasses import dataclass, replace

from services.app_connector.rules.pairing import Child

_FIRST = """
Aaliyah Abel Adam Aiden Amira Amélie Anouk Arjen Aylin Benthe Bente Bilal Boaz Brechtje Cato Chloë Daphne Dewi Dex
Djoeke Eefje Elin Eline Esmée Esra Evi Fabian Faas Femke Fenna Ferhat Fien Fleur Floor Floris Gideon Guusje Hafsa
Hidde Hugo Ilse Imke Ismaël Ivy Jade Jafar Jelle Jelmer Jens Jesper Joëlle Jorn Jort Julan Jurre Juul Kaan Kai Keano
Keet Kyra Lauren Lenthe Levi Lieke Linde Loïs Lotus Luuk Lynn Maaike Madelief Maud Mees Melle Merel Milou Mirte Morris
Myrthe Naomi Nienke Nina Noud Nynke Olivier Oskar Otis Pepijn Philou Pleun Puck Quinten Rayan Renske Rowan Ruben Saar
Sanne Sayenna Senna Siebe Silke Sietse Sjoerd Skye Storm Suze Sven Tess Tieme Tygo Tyme Valerie Veerle Vera Wessel
Wietse Wout Xavi Yara Ymke Youssef Yfke Zara Zoë Zohra Zev
"""
FIRST = _FIRST.split()
_LAST = """
Achterberg Aydın Baltus Beekhuis Benali Bloemendaal Boersma Bogaard Bos Bosgra Brandsma Bruinsma Çelik Coenders
Dekkers Dijkhuizen Dölle Doornbos Drenth Eggink Elbers Engelen Faber Feenstra Frencken Geurts Gijzen Goossens Haanstra
Haverkort Heijmans Hendrickx Hoekstra Hofstede Huizinga Idrissi Jonkman Kamphuis Kerkhof Kılıç Kleinveld Knol Koopmans
Kroon Kuijpers Lambrechts Leemhuis Linders Lubbers Mähler Marijnissen Meeuwis Molenaar Mutsaers Nagtegaal Nijboer
Nijhuis Oosterveen Özdemir Paulissen Pelgrim Pinto Postma Quaedvlieg Reinders Reijnders Rietveld Roelofs Ruijter
Sanders Schoenmaker Schuurman Sikkema Smeets Spronk Staal Steenbergen Strijbosch Szymański Tempelman Terpstra Thijssen
Timmer Uitdehaag Veldhuis Verhagen Vermeer Visser Vonk Waanders Wesselink Wiersma Wijnands Witteveen Wolters Ypma
Zandstra Zijlstra Zuiderveld Zwart
"""
LAST = _LAST.split()
PREFIXES = ["van der", "van den", "van de", "van", "de", "den", "ten", "ter", "van 't", "in 't"]
NICK = [
    ("Johannes", "Hans"), ("Elisabeth", "Lies"), ("Matthijs", "Thijs"), ("Charlotte", "Lotte"), ("Sebastiaan", "Bas"),
    ("Alexander", "Sander"), ("Maximiliaan", "Max"), ("Christina", "Tina"), ("Benjamin", "Ben"), ("Josephine", "Fien"),
    ("Frederique", "Fred"), ("Annabelle", "Anna"), ("Nathaniel", "Nathan"), ("Timotheus", "Tim"), ("Laurens", "Lau"),
]  # fmt: skip
SECOND = ["Marie", "Jan", "Anna", "Piet", "Rosa", "Fatima", "Lea"]
SOUNDS = [
    ("ij", "ey"), ("ei", "ij"), ("c", "k"), ("k", "c"), ("y", "ij"), ("ph", "f"), ("f", "ph"), ("th", "t"), ("t", "th"),
    ("ou", "au"), ("oo", "o"), ("ee", "e"), ("s", "z"), ("z", "s"), ("uu", "u"), ("ie", "i"), ("i", "ie"),
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What pairing gets, and the truth: app id -> hub id, None for a child that the hub does not know."""

    app: list[Child]
    hub: list[Child]
    truth: dict[int, int | None]


def groups_of(children: int) -> list[tuple[str, str]]:
    return [(f"{year}{letter}", str(year)) for year in range(1, 9) for letter in "AB"[: 1 + (children > 220)]]


def a_damaged_school(seed: int, children: int = 400, *, hard: bool = False) -> Case:
    chance = random.Random(seed)
    prefix: str | None
    groups = groups_of(children)
    hub: list[Child] = []
    families: list[tuple[str | None, str]] = []
    while len(hub) < children:
        group, year = chance.choice(groups)
        first = chance.choice(NICK)[0] if chance.random() < 0.08 else chance.choice(FIRST)
        if families and chance.random() < 0.10:
            prefix, last = chance.choice(families)
        else:
            prefix, last = (chance.choice(PREFIXES) if chance.random() < 0.3 else None), chance.choice(LAST)
            if chance.random() < 0.06:
                last = f"{last}-{chance.choice(LAST)}"
        families.append((prefix, last))
        if hub and chance.random() < (0.015 if hard else 0.008):  # a namesake, mostly in another group
            other = chance.choice(hub)
            first, prefix, last = other.first_name or "", other.prefix, other.last_name or ""
        hub.append(Child(id=1000 + len(hub), first_name=first, prefix=prefix, last_name=last, group=group, year=year))
    app: list[Child] = []
    truth: dict[int, int | None] = {}
    for child in chance.sample(hub, round(children * 0.95)):
        moved = chance.random() < (0.2 if hard else 0.08)
        group = chance.choice(groups)[0] if moved else child.group or ""
        spelt = _retyped(chance, replace(child, id=len(app) + 1, group=_group_spelling(chance, group), year=None))
        app.append(_damaged(chance, spelt) if chance.random() < (0.4 if hard else 0.25) else spelt)
        truth[len(app)] = child.id
    known = {(child.first_name, child.last_name) for child in hub}
    while len(app) < children:  # strangers: children who left, half of them brothers and sisters
        prefix, last = chance.choice(families) if chance.random() < 0.5 else (None, chance.choice(LAST))
        first = chance.choice(FIRST)
        if (first, last) not in known:
            group = _group_spelling(chance, chance.choice(groups)[0])
            app.append(Child(id=len(app) + 1, first_name=first, prefix=prefix, last_name=last, group=group))
            truth[len(app)] = None
    chance.shuffle(app)
    return Case(app, hub, truth)


def _group_spelling(chance: random.Random, group: str) -> str:
    return chance.choice([group, f"Groep {group}", f"groep {group.lower()}", f"gr. {group}", f"{group[0]} {group[1:]}"])


def _plain(text: str) -> str:
    taken_apart = unicodedata.normalize("NFD", text.replace("ı", "i"))
    return "".join(letter for letter in taken_apart if not unicodedata.combining(letter))


def _retyped(chance: random.Random, child: Child) -> Child:
    """What every hand-made list does: other case, lost diacritics, the prefix somewhere else."""
    first, last = child.first_name or "", child.last_name or ""
    prefix: str | None = child.prefix
    if chance.random() < 0.5:
        first, last = _plain(first), _plain(last)
    if chance.random() < 0.05:
        first, last = first.lower(), last.upper()
    if prefix and chance.random() < 0.5:
        last = chance.choice([f"{prefix} {last}", f"{last}, {prefix}", f"{prefix.title()} {last}"])
        prefix = None
    return replace(child, first_name=first, prefix=prefix, last_name=last)


def _typo(chance: random.Random, word: str) -> str:
    at = chance.randrange(max(1, len(word) - 1))
    kind = chance.randrange(4)
    letter = chance.choice("aeiounrstl")
    if kind == 0 and len(word) > 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1 and len(word) > 3:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + letter + word[at:]
    return word[:at] + letter + word[at + 1 :]


def _damaged(chance: random.Random, child: Child) -> Child:
    first, prefix, last = child.first_name or "", child.prefix, child.last_name or ""
    nick = dict(NICK).get(first)
    match chance.choice(
        ["typo", "typo", "typo", "sound", "sound", "nick", "second", "initial", "swap", "half", "prefix"]
    ):
        case "nick" if nick:
            first = nick
        case "second":
            first = f"{first} {chance.choice(SECOND)}"
        case "initial":
            first = f"{first[0]}."
        case "swap":
            first, last = last, first
        case "half" if "-" in last:
            last = chance.choice(last.split("-"))
        case "prefix" if prefix:
            short = prefix.replace("van der", "v.d.").replace("van den", "v.d.").replace("van", "v.")
            glued = f"{prefix}{last}".replace(" ", "").replace("'", "")
            prefix, last = chance.choice([(None, last), (short, last), (None, glued)])
        case "sound":
            old, new = chance.choice([pair for pair in SOUNDS if pair[0] in f"{first}{last}".lower()] or [("a", "aa")])
            if old in first.lower():
                first = first.lower().replace(old, new, 1).title()
            else:
                last = last.lower().replace(old, new, 1).title()
        case _:
            if chance.random() < 0.5:
                first = _typo(chance, first)
            else:
                last = _typo(chance, last)
    return replace(child, first_name=first, prefix=prefix, last_name=last)
