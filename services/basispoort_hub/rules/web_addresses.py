"""Which web addresses may an application have? Absolute http(s), and under an address that the operator allowed (pure).

The law: an address stands under another only when a browser that follows it stays on that host and below that path.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0<>\"\u2028\u2029]")
_NOT_IN_HOST = re.compile(r"[`{|}^]")  # a browser refuses them there; behind the host clients write them as they are
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class WebAddress:
    """What counts of an address when two are compared."""

    scheme: str
    host: str
    port: int
    path: str
    is_bare: bool  # no query and no fragment


def parse_web_address(text: str) -> WebAddress:
    """Raises ValueError, in Dutch and without the address in it, for what is no absolute http(s) address."""
    if _UNSEEN.search(text):
        raise ValueError("een adres bevat geen spaties of onzichtbare tekens")
    if "\\" in re.split("[?#]", text, maxsplit=1)[0]:  # a browser takes it for a slash
        raise ValueError("dit is geen volledig webadres")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("dit is geen volledig webadres") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("een adres is volledig en begint met http:// of https://")
    if "@" in parts.netloc:
        raise ValueError("een adres bevat geen gebruikersnaam of wachtwoord")
    bare = "?" not in text and "#" not in text
    host = parts.hostname.lower().rstrip(".")
    if not host or port == 0 or _NOT_IN_HOST.search(host):
        raise ValueError("dit is geen volledig webadres")
    return WebAddress(parts.scheme, host, port or _PORTS[parts.scheme], parts.path, bare)


def stands_under(address: WebAddress, allowed: WebAddress) -> bool:
    """Is `address` the allowed one, or below it? A name that merely begins alike does not count, nor does `..`."""
    if (address.scheme, address.host, address.port) != (allowed.scheme, allowed.host, allowed.port):
        return False
    if {".", ".."} & set(unquote(address.path).replace("\\", "/").split("/")):
        return False
    base = allowed.path.rstrip("/")
    return not base or address.path == base or address.path.startswith(base + "/")
