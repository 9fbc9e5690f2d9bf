"""Which e-mail addresses are probably mistyped, and which two are probably one with a slip of the finger (pure)."""

from collections import Counter

from rapidfuzz.distance import OSA

from shared.language import say

# Endings that are nearly always a slip of the finger; the right one beside it.
_SLIPS = {
    "gmail.nl": "gmail.com",
    "gmail.co": "gmail.com",
    "gmail.cm": "gmail.com",
    "gmail.om": "gmail.com",
    "hotmal.com": "hotmail.com",
    "hotmail.co": "hotmail.com",
    "outlook.co": "outlook.com",
    "ziggo.com": "ziggo.nl",
    "kpnmail.com": "kpnmail.nl",
    "live.n": "live.nl",
}
# Where teachers and substitutes have private mail. What differs one letter from these is nobody's domain.
KNOWN_DOMAINS = (
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "hotmail.nl",
    "outlook.com",
    "outlook.nl",
    "live.com",
    "live.nl",
    "msn.com",
    "yahoo.com",
    "icloud.com",
    "protonmail.com",
    "proton.me",
    "ziggo.nl",
    "kpnmail.nl",
    "kpnplanet.nl",
    "planet.nl",
    "hetnet.nl",
    "home.nl",
    "xs4all.nl",
    "upcmail.nl",
    "chello.nl",
    "casema.nl",
    "quicknet.nl",
    "telfort.nl",
    "solcon.nl",
    "caiway.nl",
    "freedom.nl",
)
_KNOWN = frozenset(KNOWN_DOMAINS)
_SHORTEST = 8  # shorter domains have real neighbours one letter away
RARE_DOMAIN_SHARE = 0.1


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def better_domain(domain: str, domains: Counter[str]) -> str | None:
    """The domain that was probably meant; `domains` counts how often each occurs at this school.

    A known slip, one letter away from a domain that everybody knows, or one letter away from the school's own.
    """
    if domain in _SLIPS:
        return _SLIPS[domain]
    if domain in _KNOWN:
        return None
    common, times = domains.most_common(1)[0] if domains else ("", 0)
    is_rare = domains[domain] <= max(1, int(times * RARE_DOMAIN_SHARE))
    if times >= 3 and domain != common and is_rare and is_one_slip(domain, common):
        return common
    if domains[domain] >= 3:
        return None  # so many people do not make the same mistake
    return next((known for known in KNOWN_DOMAINS if len(known) >= _SHORTEST and is_one_slip(domain, known)), None)


def is_one_slip(left: str, right: str) -> bool:
    """One letter more, less or other, or two neighbours swapped."""
    return OSA.distance(left, right, score_cutoff=1) == 1


def likely_slip(left: str, right: str) -> str:
    """What sets two addresses apart when it is probably a typing error, as a sentence; empty when it is not."""
    left_name, _, left_domain = left.rpartition("@")
    right_name, _, right_domain = right.rpartition("@")
    if left_name == right_name and left_domain != right_domain:
        if is_one_slip(left_domain, right_domain) or _SLIPS.get(left_domain) == right_domain:
            return say("Achter de @ verschilt één teken: waarschijnlijk een tikfout.")
        return say("Alleen het deel achter de @ verschilt.")
    if left_domain != right_domain or min(len(left_name), len(right_name)) < 4:
        return ""
    distance = OSA.distance(left_name, right_name, score_cutoff=2)
    if distance == 0 or distance > 2:
        return ""
    if distance == 1:
        return say("Vóór de @ verschilt één teken: waarschijnlijk een tikfout.")
    return say("Vóór de @ verschillen twee tekens: waarschijnlijk een tikfout.")
