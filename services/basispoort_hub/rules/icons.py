"""Which pictures may an application have? SVG without anything that runs or loads, or an image, not too large (pure).

An icon is `<mime>,<base64>` of an SVG or a PNG, or the base64 alone of those or of another kind of image, which its
bytes tell; it is never changed, only looked at.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import DefusedXMLParser

LARGEST = 100_000  # bytes of the picture itself
LONGEST = 140_000  # characters of the text; base64 makes four of three, and the mime type comes before it
SVG, PNG = "image/svg+xml", "image/png"
_BEGINS = (
    (PNG, re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
)
_ACTIVE = frozenset({
    "script", "foreignobject", "iframe", "object", "embed", "audio", "video", "handler", "listener", "discard",
    "animate", "set", "animatemotion", "animatetransform",
})  # fmt: skip
_OUTSIDE = re.compile(r"@import|expression\(|image-set\(|url\((?!['\"]?#)")
_ENTITY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)")
_EMBEDDED = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,")


def objection_to_icon(icon: str) -> str | None:
    """What is wrong with this icon, in Dutch; None when it can be kept."""
    mime, comma, encoded = icon.rpartition(",")
    if comma and mime not in {SVG, PNG}:
        return "een icoon is image/svg+xml of image/png, een komma, en de afbeelding in base64"
    try:
        picture = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return "de afbeelding is geen geldige base64"
    if len(picture) > LARGEST:
        return f"de afbeelding is groter dan {LARGEST // 1000} kB"
    kind = _kind(picture)
    if mime == PNG:
        return None if kind == PNG else "de afbeelding is geen PNG"
    if kind == SVG:
        return _objection_to_svg(picture)
    return None if not mime else "de afbeelding is geen SVG"


def media_type(icon: str) -> str:
    """The mime type of an icon that has been accepted, also of one that does not say it."""
    mime, _, encoded = icon.rpartition(",")
    return mime or _kind(base64.b64decode(encoded[:16]))


def _kind(picture: bytes) -> str:
    """What the first bytes say it is; an SVG when they say nothing, which is then read as one."""
    return next((kind for kind, begins in _BEGINS if begins.match(picture)), SVG)


class _SvgParser(DefusedXMLParser):
    """Takes the DOCTYPE that drawing programs write and never fetches what it names; one that declares is refused."""

    def __init__(self) -> None:
        super().__init__(forbid_dtd=True)

    def defused_start_doctype_decl(
        self, name: str, sysid: str | None, pubid: str | None, has_internal_subset: int
    ) -> None:
        if has_internal_subset:
            raise DTDForbidden(name, sysid, pubid)


def _objection_to_svg(picture: bytes) -> str | None:
    if b"\x00" in picture or b"<?xml-" in picture:
        return "de SVG verwijst naar iets buiten zichzelf"
    # under a DOCTYPE the parser passes over what it does not know in an attribute, where a browser may know it
    if b"<!DOCTYPE" in picture and _ENTITY.search(picture):
        return "de SVG verwijst naar iets buiten zichzelf"
    try:
        picture.decode("utf-8")
        parser = _SvgParser()
        parser.feed(picture)
        root = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return "de afbeelding is geen leesbare SVG"
    if _local(root.tag) != "svg":
        return "de afbeelding is geen leesbare SVG"
    return "de SVG bevat een script of verwijst naar iets buiten zichzelf" if any(_dangers(root)) else None


def _dangers(root: Element) -> Iterator[bool]:
    for element in root.iter():
        name = _local(element.tag)
        yield name in _ACTIVE
        yield name == "style" and _OUTSIDE.search(_plain("".join(element.itertext()))) is not None
        for attribute, value in element.attrib.items():
            yield _is_dangerous(_local(attribute), _plain(value))


def _is_dangerous(attribute: str, value: str) -> bool:
    if attribute.startswith("on") or "javascript:" in value or _OUTSIDE.search(value) is not None:
        return True
    return attribute in {"href", "src"} and not (value.startswith("#") or _EMBEDDED.match(value) is not None)


def _plain(text: str) -> str:
    """Without the white space, comments and escapes behind which a style hides what it says."""
    unescaped = re.sub(r"\\([0-9a-fA-F]{1,6})\s?", lambda found: chr(min(int(found[1], 16), 0x10FFFF)), text)
    return re.sub(r"/\*.*?\*/|[\s\x00-\x1f\\]", "", unescaped, flags=re.DOTALL).lower()


def _local(name: object) -> str:
    return str(name).rpartition("}")[2].lower()
