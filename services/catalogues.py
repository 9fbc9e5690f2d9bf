"""Collects the texts of the pages into the English catalogues (`make texts`); a test fails on a text without a line."""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from shared.language import CATALOGUE

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "services/eduscope_api", "services/basispoort_hub", "services/app_connector", "services/demo")
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}  # of the templates
HEADER = (
    "# The English texts of these pages, by their Dutch ones. `make texts` adds what is new and drops what is gone."
)
OPTIONS = {"trimmed": "true", "trim_blocks": "true", "newstyle_gettext": "true"}  # as the pages' environment reads them
Text = str | tuple[str, str]


def path_of(package: str) -> Path:
    return ROOT / package / CATALOGUE


def texts_of(package: str) -> Iterator[tuple[Text, str]]:
    """Every text that a package can show on a page, and the file it stands in, in order."""
    folder = ROOT / package
    for path in sorted(folder.rglob("*.html")):
        found = extract_from_file("jinja2", path, keywords=KEYWORDS, options=OPTIONS)
        for _line, text, _comments, _context in found:
            yield (text if isinstance(text, str) else (text[0], text[1])), _name(path)
    for path in sorted(folder.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for text in python_texts(path.read_text(encoding="utf-8"), module):
            yield text, _name(path)


def python_texts(source: str, module: str = "") -> Iterator[Text]:
    """What is marked or said, also within what is said (which Babel's own reader passes by), and every `uitleg`.

    `module` is where the source can be imported, for an `uitleg` that is made with a constant.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="say" | "mark"), args=[ast.Constant(value=str(text)), *_]):
                yield text
            case ast.Call(
                func=ast.Name(id="say_count"),
                args=[ast.Constant(value=str(one)), ast.Constant(value=str(many)), *_],
            ):
                yield one, many
            case ast.ClassDef():
                yield from _explanations(node, module)


def _explanations(node: ast.ClassDef, module: str) -> Iterator[str]:
    """The `uitleg` of a problem class, which a page shows."""
    for each in node.body:
        match each:
            case ast.Assign(targets=[ast.Name(id="uitleg")], value=ast.Constant(value=str(text))):
                yield text
            case ast.Assign(targets=[ast.Name(id="uitleg")], value=ast.JoinedStr()):
                yield getattr(import_module(module), node.name).uitleg
            case ast.AnnAssign(target=ast.Name(id="uitleg"), value=ast.Constant(value=str(text))):
                yield text


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def updated(package: str) -> Catalog:
    """The catalogue with exactly the texts of today: what was translated stays, what is new is empty."""
    before, now = read_catalogue(package), Catalog(locale="en", header_comment=HEADER)
    for text, place in texts_of(package):
        known = before.get(text[0] if isinstance(text, tuple) else text)
        said = known.string if known is not None and isinstance(known.id, str) == isinstance(text, str) else ""
        # a place is a file without a line, so that the catalogue changes with the texts alone
        now.add(text, said, locations=[(place, 0)], flags=_flags(text))
    return now


def _flags(text: Text) -> tuple[str, ...]:
    whole = text if isinstance(text, str) else "".join(text)
    return ("python-format",) if "%(" in whole else ()


def read_catalogue(package: str) -> Catalog:
    path = path_of(package)
    if not path.exists():
        return Catalog(locale="en")
    with path.open("rb") as file:
        return read_po(file, locale="en")


def written(catalogue: Catalog) -> bytes:
    """The file: no dates, lines or widths, so that two people's changes meet in one text only."""
    out = BytesIO()
    write_po(out, catalogue, width=0, omit_header=True, include_lineno=False, sort_output=True)
    return (
        f"{HEADER}\n".encode() + b'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n' + out.getvalue()
    )


def forms_of(text: object) -> tuple[str, ...]:
    """The one form of a text, or the two of a text that counts; an empty one where there is none."""
    return tuple(str(each) for each in text) if isinstance(text, tuple | list) else (str(text or ""),)


def without_english(catalogue: Catalog) -> list[str]:
    """The texts that have no English yet."""
    return [" / ".join(forms_of(each.id)) for each in catalogue if each.id and not all(forms_of(each.string))]


def main() -> int:
    """Bring every catalogue up to date and say what still has no English."""
    missing = 0
    for package in PACKAGES:
        catalogue = updated(package)
        path_of(package).parent.mkdir(exist_ok=True)
        path_of(package).write_bytes(written(catalogue))
        for text in without_english(catalogue):
            missing += 1
            sys.stdout.write(f"{package}: {text}\n")
    sys.stdout.write(f"{missing} texts without English\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
