"""Names for invented people: call names, prefixes and surnames as Dutch schools have them."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words("""
    Emma Noah Mila Liam Sophie Luca Julia Lucas Tess Finn Zoë Daan Sara Levi Nora James Yara Noud Saar Mees Lotte Sem
    Eva Milan Olivia Bram Nina Luuk Evi Lieke Jesse Fenna Hugo Anna Teun Maud Gijs Sofie Boaz Elin Adam Lina Ravi Noor
    Mats Romy Siem Isa Jens Lynn Ties Amira Björn Esmée Daniël Chloé Raphaël Anaïs José Renée Ömer Élise Çağlar Zoé
    Şevval Fatima Mohamed Aya Youssef Ilse Ayoub Malak Zakaria Jasmijn Imran Hanna Ibrahim Nadia Kaan Ceyda Emir Elif
    Łukasz Zofia Jakub Maja Wiktor Ola Sven Pleun Jip Bente Guus Juul Stijn Roos Koen Fleur Ruben Vera Joris Floor
    Pepijn Isabel Tobias Marit Casper Puck Quinten Jill Wout Merel Tijn Loïs Joep Benthe Rayan Inaya Dex Liv Aaron
    Naomi Salomé Timo Abel Ella Hidde Suze Kasper Veerle Rik Amber Mick Lola Jurre Iris Sjoerd Femke Wessel Hilde
    Rein Tjitske Douwe Sietske
""")

# The name at the register -> the name in class: an app often knows the one where the school knows the other.
CALL_NAMES = {
    "Sebastiaan": "Bas",
    "Elisabeth": "Lisa",
    "Maximiliaan": "Max",
    "Alexander": "Lex",
    "Katharina": "Katja",
    "Benjamin": "Ben",
    "Matthijs": "Thijs",
    "Josephine": "Fien",
    "Samantha": "Sam",
    "Nicolaas": "Klaas",
    "Isabella": "Bella",
    "Frederik": "Freek",
}

_SURNAMES_BY_PREFIX = {
    "": """
        Jansen Bakker Visser Smit Meijer Mulder Bos Vos Peters Hendriks Dekker Brouwer Koster Prins Blom Huisman Kuipers
        Willems Hoekstra Dijkstra Postma Kramer Schouten Çelik Yıldız Özdemir Şahin Nowak Kowalczyk Müller Fernández
        Núñez Benali Haddad Bouzid Tahiri Singh Pinas Şahin-Bakker Bakker-Smit Pérez Lindström Nguyễn Okafor Terpstra
        Zijlstra Wiersma Boersma Veenstra Sijtsma Kok Groen Timmermans Verhoeven
    """,
    "de": "Vries Jong Boer Groot Wit Graaf Haan Bruijn Lange Ruiter",
    "van": "Dijk Leeuwen Vliet Dam Loon Beek Rooij Schaik Es",
    "van der": "Meer Linden Veen Heijden Wal Laan Horst Zwaan",
    "van den": "Berg Brink Heuvel Bosch Broek",
    "van de": "Ven Kamp Velde Pol",
    "ter": "Horst Braak",
    "ten": "Have Brinke",
    "van 't": "Hof Hek",
    "in 't": "Veld Hout",
    "op de": "Beek Laak",
    "uit den": "Boogaard",
    "el": "Amrani Idrissi Khattabi",
    "den": "Hartog Ouden",
    "d'": "Ancona",
}
# prefix (None for none), surname
SURNAMES = tuple((prefix or None, name) for prefix, names in _SURNAMES_BY_PREFIX.items() for name in _words(names))

TEACHER_FIRST_NAMES = _words("""
    Marieke Jeroen Annelies Pieter Karin Fatma Wim Ingrid Bart Desirée Saskia Erik Monique Willemijn Rob Thérèse Jolanda
    Sander Mirjam Hans Petra Vincent Yvonne Dennis Marloes Ahmed Linda Maarten Carla Niels Wendy Harm Anouk Gerard Leila
    Joke Frank Astrid Geert Ellen Jan Sylvia Rutger Corrie Aslı Theo Heleen
""")
