"""The English catalogues: every text of a page has its line, no line is left over, no template forgot to mark one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from jinja2 import Environment, nodes

from services import catalogues
from services.catalogues import PACKAGES, ROOT, forms_of, python_texts, without_english
from shared.language import load_english
from tests.visible_texts import PROPER_NAMES, unmarked

TEMPLATES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.html"))
_VALUE = re.compile(r"%\(\w+\)[sd]|%%|%")
_MARKUP = re.compile(r"</?(?:a|code|em|span|strong)\b[^>]*>")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def mistaken(catalogue: Catalog) -> list[str]:
    """Lines whose English has other values, other markup or other ends than the Dutch."""
    found = []
    for message in catalogue:
        if not message.id:
            continue
        for own, said in zip(forms_of(message.id), forms_of(message.string), strict=True):
            alike = all(sorted(pattern.findall(own)) == sorted(pattern.findall(said)) for pattern in (_VALUE, _MARKUP))
            if said and not (alike and _ends(own) == _ends(said)):
                found.append(own)
        found += [forms_of(message.id)[0] for _ in message.check(catalogue)]
    return found


def _ends(text: str) -> tuple[bool, bool, str]:
    """Does it start or end with a space, and with which sign does the sentence end?"""
    sign = text.rstrip()[-1:]
    return text[:1].isspace(), text[-1:].isspace(), sign if sign in ".:?!…" else ""


@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_has_an_english_line(package: str) -> None:
    assert without_english(catalogues.updated(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_committed_catalogue_is_what_make_texts_writes(package: str) -> None:
    written = catalogues.written(catalogues.updated(package))
    assert catalogues.path_of(package).read_bytes() == written, "run `make texts`"


@pytest.mark.parametrize("package", PACKAGES)
def test_english_has_the_values_and_the_markup_of_the_dutch(package: str) -> None:
    assert mistaken(catalogues.read_catalogue(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_catalogue_is_what_the_pages_speak(package: str) -> None:
    texts = load_english(package.replace("/", ".")).texts
    for message in catalogues.read_catalogue(package):
        if message.id and isinstance(message.id, str):
            assert texts.gettext(message.id) == message.string


# --- the twins --------------------------------------------------------------------------------------------------------


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of one page and one module, with a catalogue."""
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    folder = tmp_path / "proef"
    folder.mkdir()
    (folder / "page.html").write_text(
        '<p title="{{ _("Groep") }}">{% trans aantal=3 %}{{ aantal }} mensen{% endtrans %}'
    )
    (folder / "code.py").write_text(
        'A = mark("Weg" " ermee")\n'
        'say("Op %(dag)s", dag=say("vrijdag"))\n'
        'say(A.get(1, mark("onbekend")))\n'
        'say_count("%(n)s dag", "%(n)s dagen", 3)\n'
        'class P(Problem):\n    uitleg = "Mis."\n'
    )
    return folder


def test_a_text_without_english_is_found_and_translated_ones_stay(planted: Path) -> None:
    texts = {
        *("Groep", "%(aantal)s mensen", "Weg ermee", "Op %(dag)s", "vrijdag", "onbekend", "Mis."),
        "%(n)s dag / %(n)s dagen",
    }
    assert set(without_english(catalogues.updated("proef"))) == texts
    made = catalogues.updated("proef")
    message = made.get("Groep")
    assert message is not None
    message.string = "Group"
    path = catalogues.path_of("proef")
    path.parent.mkdir()
    path.write_bytes(catalogues.written(made))
    assert set(without_english(catalogues.updated("proef"))) == texts - {"Groep"}
    (planted / "page.html").write_text("{{ _('Groep') }}{{ _('Nieuw') }}")
    (planted / "code.py").unlink()
    assert without_english(catalogues.updated("proef")) == ["Nieuw"]
    assert path.read_bytes() != catalogues.written(catalogues.updated("proef")), "a line is left over"


@pytest.mark.parametrize(
    ("dutch", "english"),
    [
        ("Op %(dag)s", "On %(day)s"),
        ("Op %(dag)s", "On Friday"),
        ("Vrijdag", "On %(dag)s"),
        ("100%% klaar", "100% done"),
        ("Lees <a href='/x'>dit</a>", "Read this"),
        ("Klaar.", "Done"),
        ("Fout: ", "Error:"),
        (("%(n)s dag", "%(n)s dagen"), ("one day", "%(n)s days")),
    ],
)
def test_english_that_does_not_fit_is_found(dutch: str | tuple[str, str], english: str | tuple[str, str]) -> None:
    catalogue = Catalog(locale="en")
    catalogue.add(dutch, english)
    assert mistaken(catalogue) != []


def test_english_that_fits_is_left_alone() -> None:
    catalogue = Catalog(locale="en")
    catalogue.add("Op %(dag)s is <b>%(wie)s</b> vrij.", "<b>%(wie)s</b> is free on %(dag)s.")
    catalogue.add(("%(n)s dag", "%(n)s dagen"), ("%(n)s day", "%(n)s days"))
    assert mistaken(catalogue) == []


# --- what templates forgot to mark, in every branch -------------------------------------------------------------------

_NAMES = {*PROPER_NAMES, "Nederlands", "English"}
_SPEAKS = {"_": 1, "gettext": 1, "ngettext": 2}  # how many of the arguments are texts
_JINJA = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True)
_JINJA.policies["ext.i18n.trimmed"] = True


def forgotten(source: str) -> list[str]:
    """Text of a template that is not marked: running text, attributes that people see or hear, sentences in code."""
    tree = _JINJA.parse(source)
    html = "".join(_running(tree))
    return [*unmarked(html, ()), *_sentences(tree)]


def _running(node: nodes.Node) -> Iterator[str]:
    """What stands between the code; the code itself is a digit, so that no word comes of it."""
    for each in node.iter_child_nodes():
        if isinstance(each, nodes.TemplateData):
            yield each.data
        elif isinstance(each, nodes.Expr):
            yield "0"
        else:
            yield from _running(each)


def _sentences(node: nodes.Node) -> Iterator[str]:
    """Strings in code that look like text: they begin with a capital, or hold a comma, a stop or a colon."""
    for each in node.iter_child_nodes():
        if isinstance(each, nodes.Call) and isinstance(each.node, nodes.Name) and each.node.name in _SPEAKS:
            for value in (*each.args[_SPEAKS[each.node.name] :], *(pair.value for pair in each.kwargs)):
                yield from _sentences(nodes.Output([value]))
            if not all(isinstance(arg, nodes.Const) for arg in each.args[: _SPEAKS[each.node.name]]):
                yield "_() of what is no text itself: it would be markup; take | zeg"
        elif isinstance(each, nodes.Const):
            if (
                isinstance(each.value, str)
                and each.value not in _NAMES
                and re.search(r"^\W?[A-ZÀ-Þ’‘](?![A-Z_]+$)|[a-z][.,:!?…]( |$)", each.value)
            ):
                yield each.value
        elif not isinstance(each, nodes.Extends | nodes.Import | nodes.FromImport | nodes.Include):
            yield from _sentences(each)


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_no_template_holds_a_text_that_cannot_be_said_in_english(path: Path) -> None:
    assert forgotten(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "<h1>Groep</h1>",
        "{% if x %}<p>{{ naam }} is weg</p>{% endif %}",
        '<input placeholder="Zoek">',
        '{% macro a(naam="Filter") %}{{ naam }}{% endmacro %}',
        '{{ o.letop("Er is iets mis.") }}',
        '{{ _("Van %(wie)s", wie="Niemand") }}',
        '{% set x = ["Naam"] %}',
        '{% block titel %}{{ "Fout: " if fout }}{% endblock %}',
        "{% for a in b %}{% else %}niets{% endfor %}",
        "{{ _(tekst) }}",
    ],
)
def test_a_text_that_nobody_marked_is_found(source: str) -> None:
    assert forgotten(source) != []


@pytest.mark.parametrize(
    "source",
    [
        '<h1>{{ _("Groep") }}</h1>',
        '<a class="knop tweede" href="/weg?x={{ y }}">{% trans %}Ga <b>weg</b>.{% endtrans %}</a>',
        '{{ o.veld("naam", _("Naam"), soort="text") }}',
        "{% trans n=x %}{{ n }} dag{% pluralize %}{{ n }} dagen{% endtrans %}",
        '{% extends "basis.html" %}{# Niets. #}',
        '<code>Stand</code><p lang="en">This is English</p> 1 – 2',
    ],
)
def test_what_is_marked_is_left_alone(source: str) -> None:
    assert forgotten(source) == []


def test_python_that_is_not_a_text_is_left_alone() -> None:
    assert list(python_texts('say(x)\nmark\nlog.info("iets")\nsay_count(a, b, 1)\nclass P:\n    title = "Wrong"')) == []
