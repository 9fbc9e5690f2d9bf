"""Makes bad requests out of good ones: body, text, transport, path, query and headers damaged.

A generated request is `refusable` when no reading of it is the good request: then nothing may come of it. Whether a
damaged JSON body is still a valid one is judged here, by the API description and a strict reading of our own, so that
the judge and the judged share no code.
"""

import gzip
import json
import random
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from tests.broken_json import (
    MARK,
    VALUES,
    Description,
    Wanted,
    everything,
    is_json_text,
    json_damages,
    places_in,
    written,
)

MEGABYTE = 1024 * 1024
LARGEST = 50 * MEGABYTE  # the largest limit of any address

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it travels. `parts`: pieces of the body, each with how many times it is sent."""

    name: str
    method: str
    path: bytes
    query: bytes = b""
    headers: Headers = ()
    parts: tuple[tuple[bytes, int], ...] = ()
    refusable: bool = False
    cut_off: bool = False  # the caller goes away before the end
    slow: bool = False  # the second part comes too late

    @property
    def body(self) -> bytes:
        return b"".join(part * times for part, times in self.parts)

    def with_header(self, name: str, *values: bytes) -> Headers:
        """The headers with this one replaced; without a value it is taken out."""
        key = name.lower().encode()
        return (*(each for each in self.headers if each[0] != key), *((key, value) for value in values))


@dataclass(frozen=True, slots=True)
class Good:
    """A request that its caller may make, and that a service carries out: what the damage starts from.

    `content` is a JSON value, a form (a dict, `is_form`) or bytes; None where the address takes no body.
    """

    method: str
    template: str
    values: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Any = None
    schema: Mapping[str, Any] | None = None
    is_form: bool = False
    free: frozenset[str] = frozenset()  # fields of a form that may be empty or hold any text
    query: Mapping[str, str] = field(default_factory=dict)
    expected: int = 0  # when it is not 2xx or 3xx: why is said in the world that made it
    needs_key: bool = True  # a stranger may not

    @property
    def takes_body(self) -> bool:
        return self.content is not None

    @property
    def media(self) -> bytes:
        if self.is_form:
            return b"application/x-www-form-urlencoded"
        if isinstance(self.content, bytes):
            return self.headers.get("Content-Type", "application/xml").encode()
        return b"application/json"

    def raw(self) -> bytes:
        if not self.takes_body:
            return b""
        if isinstance(self.content, bytes):
            return self.content
        if self.is_form:
            return urlencode(self.content).encode()
        return json.dumps(self.content, ensure_ascii=False).encode()

    def path(self, **changes: str) -> bytes:
        filled = {name: quote(value, safe="") for name, value in self.values.items()} | changes
        return re.sub(r"\{(\w+)\}", lambda found: filled[found[1]], self.template).encode()

    def request(self, name: str = "undamaged") -> Request:
        sent = {key.lower(): value.encode() for key, value in self.headers.items()}
        if self.takes_body:
            sent["content-type"] = self.media
        headers = tuple((key.encode(), value) for key, value in sent.items())
        return Request(
            name,
            self.method,
            self.path(),
            urlencode(self.query).encode(),
            headers,
            ((self.raw(), 1),) * self.takes_body,
        )


# --- damage to the text and the transport of a body -------------------------------------------------------------------

XML = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "{MARK}">]><a>&b;</a>'.encode()
BOMB = gzip.compress(b" " * (LARGEST + MEGABYTE), 9)
MULTIPART = b"multipart/form-data; boundary=x"
CHARSETS = ["utf-16", "iso-8859-1", "utf-7", "undefined", "unicode_escape", "idna", "punycode", "rot13", "zlib", MARK]


def multipart(fields: list[tuple[str, str]], disposition: str = "", ending: bytes = b"--x--\r\n") -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"{disposition}\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    return b"".join(parts) + ending


def text_damages(body: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, body): a body in another encoding, cut or with something round it."""
    text = body.decode("utf-8", "replace")
    yield "UTF-16", text.encode("utf-16")
    yield "UTF-16 without a mark", text.encode("utf-16-le")
    yield "UTF-16 the other way", text.encode("utf-16-be")
    yield "UTF-32", text.encode("utf-32")
    yield "UTF-7", text.encode("utf-7")[:-1]
    yield "a byte order mark", b"\xef\xbb\xbf" + body
    yield "latin-1", body[:-1] + f"Zo\xeb{MARK}".encode("latin-1") + body[-1:]
    yield "an overlong NUL", body[:-1] + b"\xc0\x80" + body[-1:]
    yield "a surrogate in UTF-8", body[:-1] + b"\xed\xa0\x80" + body[-1:]
    yield "a raw NUL", body[: len(body) // 2] + b"\x00" + body[len(body) // 2 :]
    yield "twice in a row", body + body
    yield "something behind it", body + MARK.encode()
    yield "only the first byte", body[:1]
    yield "without the last byte", body[:-1]
    yield "half", body[: len(body) // 2]
    yield "white space", b" \r\n\t"
    yield "gzip, not declared", gzip.compress(body)
    yield "bytes of chance", random.Random(body).randbytes(200)


def encoding_damages(body: bytes) -> Iterator[tuple[str, tuple[bytes, ...], bytes, bool]]:
    """(name, Content-Encoding headers, body, refusable whatever the address does with a body)."""
    packed = gzip.compress(body or MARK.encode())
    yield "gzip, cut off", (b"gzip",), packed[:-5], True
    yield "gzip, cut off early", (b"gzip",), packed[:4], True
    yield "gzip, damaged", (b"gzip",), packed[:12] + b"\xff\xff\xff" + packed[12:], True
    yield "gzip, wrong check sum", (b"gzip",), packed[:-8] + b"\x00" * 8, True
    yield "gzip, something behind it", (b"gzip",), packed + MARK.encode(), True
    yield "gzip, two in a row", (b"gzip",), packed + packed, True
    yield "gzip in gzip", (b"gzip",), gzip.compress(packed), False
    yield "not gzip", (b"gzip",), b"{" + MARK.encode() + b"}", True
    yield "a gzip bomb", (b"gzip",), BOMB, True
    yield "a bomb in a bomb", (b"gzip",), gzip.compress(BOMB), False
    yield "zlib as gzip", (b"gzip",), zlib.compress(body), True
    yield "deflate", (b"deflate",), zlib.compress(body), True
    yield "brotli", (b"br",), packed, True
    yield "zstd", (b"zstd",), packed, True
    yield "gzip, gzip", (b"gzip, gzip",), gzip.compress(packed), True
    yield "gzip twice in two lines", (b"gzip", b"gzip"), packed, True
    yield "gzip and identity", (b"gzip", b"identity"), packed, True
    yield "identity and gzip", (b"identity", b"gzip"), packed, True
    yield "an unknown encoding", (MARK.encode(),), body, True
    yield "odd bytes as encoding", (b"\xff\xfe",), body, True


def content_types(media: bytes) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """(name, Content-Type headers) under which a body is not what the address takes."""
    wrong = [b"text/plain", b"application/xml", b"text/json", b"application/x-www-form-urlencoded", b"application/json"]
    wrong += [MULTIPART, b"multipart/form-data", b"multipart/mixed; boundary=x", b"application/octet-stream", b""]
    wrong += [b"application/jsonp", b"*/*", b"\xff\xfe", MARK.encode(), b"application/json/" + MARK.encode(), b";;;==="]
    for each in wrong:
        if each.split(b";")[0] != media:
            yield f"as {each.decode('latin-1') or 'nothing'}", (each,)
    yield "without a type", ()


def transport_damages(good: Good) -> Iterator[Request]:
    """A good body in a bad coat. Where an address takes no body, one that can be read is nobody's concern."""
    start = good.request()
    body, takes = good.raw() or b'{"a": 1}', good.takes_body
    is_json = takes and good.media == b"application/json"
    if not takes:
        start = replace(start, headers=start.with_header("content-type", b"application/json"), parts=((body, 1),))
    for name, text in text_damages(body):
        bad_json = (is_json or not takes) and not is_json_text(text)
        yield replace(start, name=f"text: {name}", parts=((text, 1),), refusable=bad_json)
    if is_json:
        # an empty body is no body: without one even an address that needs it has nothing to carry out
        yield replace(start, name="text: empty", parts=(), refusable=True)
    for name, encodings, text, always in encoding_damages(body):
        headers = start.with_header("content-encoding", *encodings)
        refusable = always or is_json or not takes
        yield replace(start, name=f"encoding: {name}", headers=headers, parts=((text, 1),), refusable=refusable)
    for name, types in content_types(good.media):
        headers = start.with_header("content-type", *types)
        yield replace(start, name=f"type: {name}", headers=headers, refusable=is_json)
        if takes:
            yield replace(start, name=f"type: XML {name}", headers=headers, parts=((XML, 1),), refusable=takes)
    nan = b'{"a": NaN, "' + MARK.encode() + b'": 1, "a": 1e999}'
    for types in ((b"application/json", b"text/plain"), (b"text/plain", b"application/json")):
        headers = start.with_header("content-type", *types)
        yield replace(
            start, name=f"type: {b' and '.join(types).decode()}", headers=headers, parts=((nan, 1),), refusable=takes
        )
        yield replace(start, name=f"type: good, {b' and '.join(types).decode()}", headers=headers)
    for charset in CHARSETS:
        headers = start.with_header("content-type", good.media + b"; charset=" + charset.encode())
        yield replace(start, name=f"charset: {charset}", headers=headers)
        if takes:
            bad = replace(start, headers=headers, parts=((f'{{"{MARK}": "\xeb"}}'.encode("latin-1"), 1),))
            yield replace(bad, name=f"charset: latin-1 called {charset}", refusable=is_json)
    yield from _sizes(start, body, refusable=takes)


def _sizes(start: Request, body: bytes, *, refusable: bool) -> Iterator[Request]:
    huge = ((b" " * MEGABYTE, 100),)
    declared = start.with_header("content-length", str(100 * MEGABYTE).encode())
    yield replace(start, name="size: 100 MB declared", headers=declared, parts=huge, refusable=True)
    yield replace(start, name="size: 100 MB declared, nothing sent", headers=declared, parts=(), refusable=True)
    yield replace(start, name="size: 100 MB streamed", parts=huge, refusable=True)
    yield replace(start, name="size: 100 MB behind a good body", parts=((body, 1), *huge), refusable=True)
    for length in (b"-1", b"1e9", b"\xd9\xa1", MARK.encode(), b"9" * 5000):
        headers = start.with_header("content-length", length)
        refused = length.isdigit()
        yield replace(start, name=f"length: {length[:9].decode()}", headers=headers, refusable=refused)
    half = len(body) // 2
    yield replace(start, name="cut off at half", parts=((body[:half], 1),), cut_off=True, refusable=True)
    yield replace(start, name="cut off before the end", parts=((body, 1),), cut_off=True, refusable=True)
    yield replace(start, name="cut off at once", parts=(), cut_off=True, refusable=True)
    slow = ((body[:half], 1), (body[half:], 1))
    yield replace(start, name="slow", parts=slow, slow=True, refusable=True)
    pieces = tuple((body[index : index + 1], 1) for index in range(min(len(body), 300)))
    yield replace(
        start, name="a byte at a time, short", parts=pieces[:-1], refusable=refusable and not good_form(start)
    )


def good_form(request: Request) -> bool:
    """A form or a file cut short can still be one; the service decides."""
    return dict(request.headers).get(b"content-type", b"") != b"application/json"


def form_damages(good: Good) -> Iterator[Request]:
    """Fields left out, twice, as an array, too long, not decodable, in another coat."""
    start, fields = good.request(), list(good.content.items())
    bad = [MARK, f"<{MARK}>&\"'", "", " ", "\x00", f"{MARK}\x00", "\r\nX: 1", MARK * 300, MARK * 9000, "\u202e"]
    raw = [
        b"%00",
        b"%ED%A0%80",
        b"%FF%FE",
        b"%u0041",
        b"%",
        b"%zz",
        b"%25%30%30",
        b"+",
        b"\xff",
        b"\xed\xa0\x80",
        b"\x00",
    ]

    def sending(name: str, body: bytes, media: bytes = good.media, *, refusable: bool = True) -> Request:
        headers = start.with_header("content-type", media)
        return replace(start, name=f"form: {name}", headers=headers, parts=((body, 1),), refusable=refusable)

    for at_field, (name, value) in enumerate(fields):
        others = fields[:at_field] + fields[at_field + 1 :]
        sent = partial(sending, refusable=name not in good.free)
        yield sent(f"without {name}", urlencode(others).encode())
        for number, each in enumerate(bad):
            yield sent(f"{name} bad {number}", urlencode([*others, (name, each)]).encode())
            for disposition in ("", f'; filename="{MARK}.txt"', "; filename*=utf-8''%00"):
                body = multipart([*others, (name, each)], disposition)
                yield sent(f"{name} bad {number} in parts{disposition}", body, MULTIPART)
            for charset in CHARSETS:
                body = multipart([*others, (name, f"{each}\\ud800\\xff")])
                yield sent(
                    f"{name} bad {number} in parts, {charset}", body, MULTIPART + b"; charset=" + charset.encode()
                )
        for each_raw in raw:
            body = urlencode(others).encode() + b"&" + name.encode() + b"=" + each_raw
            yield sent(f"{name} raw {each_raw!r}", body)
            yield sent(f"{name} raw {each_raw!r} in front", each_raw + b"&" + body)
            part = multipart([]).replace(b"--x--\r\n", b"")
            part += b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + each_raw + b"\r\n"
            yield sent(f"{name} raw {each_raw!r} in parts", multipart(others, ending=part + b"--x--\r\n"), MULTIPART)
        for name_then in (f"{name}[]", f"{name}[0]", f"{name}.x", name.upper(), f" {name}", f"{name}\x00"):
            yield sent(f"{name} called {name_then!r}", urlencode([*others, (name_then, value)]).encode())
        # twice: the last or the first may count, but nothing else
        yield sent(f"{name} twice", urlencode([*fields, (name, MARK)]).encode(), refusable=False)
        yield sent(f"{name} twice, good last", urlencode([(name, MARK), *fields]).encode(), refusable=False)
        yield sent(f"{name} 2,000 times", urlencode([*others, *[(name, MARK)] * 2000]).encode())
        yield sent(f"{name} 2,000 times in parts", multipart([*others, *[(name, MARK)] * 2000]), MULTIPART)
    body, sent = multipart(fields), partial(sending)
    yield sent("as JSON", json.dumps(good.content).encode(), b"application/json")
    yield sent("5,000 unknown fields", urlencode([(f"{MARK}{n}", "") for n in range(5000)]).encode())
    yield sent("only separators", b"&=&;=&" * 500)
    yield sent("in parts, cut off", body[:-30], MULTIPART, refusable=False)
    yield sent("in parts, cut off early", body[:20], MULTIPART)
    yield sent("in parts, no end", multipart(fields, ending=b""), MULTIPART, refusable=False)
    yield sent("in parts, other boundary", body, b"multipart/form-data; boundary=y")
    yield sent("in parts, no boundary", body, b"multipart/form-data")
    yield sent("in parts, empty boundary", body, b"multipart/form-data; boundary=")
    yield sent("in parts, odd boundary", body, b"multipart/form-data; boundary=\xff")
    yield sent("in parts, long boundary", body, b"multipart/form-data; boundary=" + b"x" * 5000)
    yield sent("in parts, no name", body.replace(b'name="', b'nome="'), MULTIPART)
    yield sent("in parts, odd header", body.replace(b"Content-Disposition", b"Content\xff\x00Disposition"), MULTIPART)
    yield sent("in parts, long header", body.replace(b"form-data;", b"form-data; x=" + b"y" * 20_000 + b";"), MULTIPART)
    yield sent(
        "in parts, encoded",
        body.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        MULTIPART,
        refusable=False,
    )


# --- damage to the address and the headers ----------------------------------------------------------------------------

PATHS = [
    "%00",
    f"{MARK}%00",
    "%ED%A0%80",
    "%FF%FE",
    f"{MARK}",
    f"%3C{MARK}%3E",
    "-1",
    "0",
    "1.5",
    "1e3",
    "9" * 19,
    "9" * 40,
]
PATHS += ["9" * 5000, "0x1", "NaN", "true", "null", "%D9%A1", "..%2F..%2Fetc", "%2e%2e", "%252e%252e", "%2500"]
PATHS += [MARK * 1000, "%27%20OR%201=1--", "%F0%9F%98%80", "%0d%0aX-Broken:%201", "99ZX99", "99", "%20", "2026-02-30"]
PATHS += ["0000-00-00", "1700000000", "%", "%zz", "*", ";a=b", "%3Fa=b", "{code}", "%7Bcode%7D", "%u0031"]
ALIKE = {"1_0", "01", "%201", "%2B1", "1.0", "2026-11-22T00:00:00"}  # what could be read as something good
QUERIES = [
    b"%00",
    b"%ED%A0%80",
    b"%FF",
    MARK.encode(),
    b"%3C" + MARK.encode() + b"%3E",
    b"9" * 4000,
    b"-1",
    b"%",
    b"+",
    b"%25",
]
QUERIES += [MARK.encode() * 100, b"%F0%9F%98%80", b"_", b"%25%25", b"%5C", b"%27", b"[]", b"%0d%0aX-Broken:%201"]
ODD = [
    b"",
    b" ",
    b"\xff\xfe",
    b"\x00",
    MARK.encode(),
    b"a" * 9000,
    b'"',
    b'""',
    b'"\xeb"',
    b'W/"' + MARK.encode() + b'"',
    b"*, *",
]
ODD += [
    b'"a", "b"',
    b"%00",
    b"-1",
    b"9" * 400,
    b"<" + MARK.encode() + b">",
    b"null",
    b"\xc3\x28",
    b"NaN",
    b"\xed\xa0\x80",
    b"=?utf-8?B?AA==?=",
]
KEYS = [
    b"",
    b"Bearer",
    b"Bearer ",
    b"Bearer  ",
    b"bearer\t" + MARK.encode(),
    b"Bearer " + MARK.encode(),
    b"Bearer " + b"a" * 201,
]
KEYS += [
    b"Bearer " + b"a" * 9000,
    b"Bearer \xff\xfe",
    b"Bearer \x00",
    b"Bearer \xed\xa0\x80",
    b"Basic Zm9vOmJhcg==",
    b"Basic",
]
KEYS += [
    b"Digest username=" + MARK.encode(),
    b"Negotiate YII=",
    MARK.encode(),
    b"Bearer null",
    b"Bearer [object Object]",
    b"\xff",
]
METHODS = ["PUT", "PATCH", "POST", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", MARK.upper(), "get", ""]
NOISE = {
    "accept": [b"text/html", b"text/html;q=0", b"*/*;q=x", b"\xff", b"a" * 9000, MARK.encode()],
    "accept-language": [b"\xff", MARK.encode(), b"a" * 9000],
    "host": [b"", MARK.encode() + b".example", b"\xff", b"[::1", b"a:b:c", b"a" * 300],
    "x-forwarded-host": [MARK.encode() + b".example"],
    "x-forwarded-for": [MARK.encode(), b"\xff"],
    "forwarded": [b"host=" + MARK.encode()],
    "x-request-id": [MARK.encode() + b"\r\n", b"\xff" * 8, b"a" * 9000, b"<" + MARK.encode() + b">"],
    "x-http-method-override": [b"DELETE"],
    "range": [b"bytes=0-", b"bytes=-1", b"bytes=9-1", b"bytes=" + b"0-1," * 2000, b"\xff", MARK.encode()],
    "if-none-match": ODD,
    "if-match": ODD,
    "if-modified-since": [b"\xff", MARK.encode(), b"Thu, 99 Foo 99999 99:99:99 GMT"],
    "transfer-encoding": [b"gzip", MARK.encode()],
    "expect": [b"100-continue", MARK.encode()],
    "cookie": [
        b"",
        b"=",
        b";;;",
        b"\xff\xfe",
        MARK.encode() + b"=" + MARK.encode(),
        b'a="\\377\\000"',
        b"a=b; " * 2000,
    ],
}


def address_damages(good: Good) -> Iterator[Request]:
    """Each parameter of the path, and of the query where it is only read."""
    start = good.request()
    for name in good.values:
        for value in [*PATHS, *sorted(ALIKE)]:
            # any text may be the name of an administration; only what cannot be stored may not
            refusable = value not in ALIKE and (name != "name" or value in {"%00", f"{MARK}%00", "%20", MARK * 1000})
            path = good.path(**{name: value})
            yield replace(start, name=f"path: {name} = {value[:40]}", path=path, refusable=refusable)
    if good.method in {"GET", "HEAD"}:
        for known in (*good.query, "school", MARK):
            for odd in QUERIES:
                query = known.encode() + b"=" + odd
                yield replace(start, name=f"query: {known} = {odd[:40]!r}", query=query)
                yield replace(start, name=f"query: {known} twice, {odd[:40]!r}", query=query + b"&" + query)
    for tail in (b"/", b"//", b"/%00", b"/..", b"/" + MARK.encode(), b"%20", b"%0a"):
        yield replace(start, name=f"path: {tail!r} behind it", path=start.path + tail)


def header_damages(good: Good) -> Iterator[Request]:
    """Keys and cookies that are none, preconditions that name nothing, and headers that nobody reads."""
    start = good.request()
    known = {key.decode(): value for key, value in start.headers}
    for name in sorted({"authorization", "cookie"} & known.keys()):
        own = known[name]
        nearly = [own + b"x", own[:-1], own[:9] + own[9:].swapcase()]
        for value in [*(KEYS if name == "authorization" else NOISE["cookie"]), *nearly]:
            headers = start.with_header(name, value)
            yield replace(start, name=f"{name}: {value[:30]!r}", headers=headers, refusable=good.needs_key)
        yield replace(start, name=f"{name}: left out", headers=start.with_header(name), refusable=good.needs_key)
    for name, values in NOISE.items():
        if name == "cookie" and good.needs_key:
            continue
        # a precondition that names nothing must stop what it stands before; elsewhere nobody reads it
        refusable = name in {"if-match", "if-none-match"} & known.keys() and good.method not in {"GET", "HEAD"}
        for value in values:
            headers = start.with_header(name, value)
            yield replace(start, name=f"{name}: {value[:30]!r}", headers=headers, refusable=refusable)
    yield from _from_elsewhere(good, start)
    for method in METHODS if good.method == "GET" else ():
        yield replace(start, name=f"method: {method}", method=method)


def _from_elsewhere(good: Good, start: Request) -> Iterator[Request]:
    elsewhere = {
        "sec-fetch-site": [b"cross-site", b"same-site", b"\xff", MARK.encode()],
        "origin": [b"null", b"https://" + MARK.encode() + b".example", b"\xff", b""],
    }
    for name, values in elsewhere.items():
        for value in values:
            headers = start.with_header(name, value)
            yield replace(
                start, name=f"{name}: {value!r}", headers=headers, refusable=good.method not in {"GET", "HEAD"}
            )


# --- all of it --------------------------------------------------------------------------------------------------------


def body_damages(good: Good, description: Description, wanted: Wanted) -> Iterator[Request]:
    start = good.request()
    if good.schema is not None:
        for name, body in json_damages(good.content, wanted):
            if wanted(name):
                refusable = not description.is_good(good.schema, body)
                yield replace(start, name=name, parts=((body, 1),), refusable=refusable)
    if good.is_form:
        yield from (request for request in form_damages(good) if wanted(request.name))
    if good.method not in {"GET", "HEAD"}:
        yield from (request for request in transport_damages(good) if wanted(request.name))


def all_damages(good: Good, description: Description, wanted: Wanted = everything) -> Iterator[Request]:
    """The whole table of one door, or of it what is wanted."""
    yield from body_damages(good, description, wanted)
    yield from (request for request in address_damages(good) if wanted(request.name))
    yield from (request for request in header_damages(good) if wanted(request.name))


def random_damages(good: Good, description: Description, chance: random.Random) -> Iterator[Request]:
    """Without end: two fields at once, bytes turned round, pieces moved, and cuts anywhere."""
    start, body = good.request(), good.raw()
    places = list(places_in(good.content)) if good.schema is not None else []
    raws = [raw for raw in VALUES.values() if len(raw) < 2000]
    while True:
        if good.schema is not None and chance.random() < 0.6:
            text = written(good.content, chance.choice(places), chance.choice(raws))
            try:
                again = json.loads(text)
                text = written(again, chance.choice(list(places_in(again))), chance.choice(raws))
            except (ValueError, RecursionError, TypeError):
                pass
            made = text.encode("utf-8", "surrogatepass")
        else:
            made = _shaken(body, chance)
        refusable = good.schema is not None and not description.is_good(good.schema, made)
        yield replace(start, name="chance", parts=((made, 1),), refusable=refusable)


def _shaken(body: bytes, chance: random.Random) -> bytes:
    """The body with a few bytes changed, put in, taken out or moved."""
    made = bytearray(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        spot = chance.randrange(len(made) + 1)
        size = chance.choice((1, 1, 2, 4, 16))
        match chance.randrange(5):
            case 0:
                made[spot : spot + size] = chance.randbytes(size)
            case 1:
                made[spot:spot] = chance.choice(
                    [b'"', b"{", b"[", b",", b"\\u0000", b"\xff", b"NaN", b"1e999", b"\x00", b"<", b"&"]
                )
            case 2:
                del made[spot : spot + size]
            case 3:
                other = chance.randrange(len(made) + 1)
                made[spot:spot] = made[other : other + size]
            case _:
                del made[spot:]
    return bytes(made)
