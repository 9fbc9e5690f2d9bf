"""Passwords: which are good enough, and their argon2id hash (19 MiB, t=2, p=1, two at once per process).

Rules of NIST SP 800-63B-4: 15 characters or more (8 with a second factor), at most 128, all of Unicode, no composition
rules, common and local words refused. Hashing takes about 20 ms of a core: never do it inside a transaction.
"""

import threading
import unicodedata
from functools import cache
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

SHORTEST = 15
SHORTEST_WITH_SECOND_FACTOR = 8
LONGEST = 128
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_TWO_AT_ONCE = threading.BoundedSemaphore(2)


def objection(password: str, *, second_factor: bool = False, local_words: frozenset[str] = frozenset()) -> str | None:
    """Why this password is refused, as a Dutch sentence, or None. `local_words`: address, name and school, folded."""
    shortest = SHORTEST_WITH_SECOND_FACTOR if second_factor else SHORTEST
    normal = unicodedata.normalize("NFC", password)
    if len(normal) < shortest:
        return f"Kies een wachtwoord van minstens {shortest} tekens."
    if len(normal) > LONGEST:
        return f"Kies een wachtwoord van hoogstens {LONGEST} tekens."
    folded = normal.casefold()
    if _is_repeated_or_common(folded) or folded in local_words:
        return "Dit wachtwoord is te gemakkelijk te raden. Kies een ander."
    return None


def hash_password(password: str) -> str:
    with _TWO_AT_ONCE:
        return _HASHER.hash(unicodedata.normalize("NFC", password))


def password_fits(hashed: str | None, password: str) -> bool:
    """Does it fit? With `hashed` None it takes as long and says no, so that unknown accounts cannot be timed."""
    with _TWO_AT_ONCE:
        try:
            return _HASHER.verify(hashed or _dummy(), unicodedata.normalize("NFC", password)) and hashed is not None
        except VerifyMismatchError:
            return False


@cache
def _dummy() -> str:
    return _HASHER.hash("nobody has this password")


@cache
def _common_words() -> frozenset[str]:
    text = resources.files("shared").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _is_repeated_or_common(folded: str) -> bool:
    """A common word, one word or short run repeated, or a common word with only digits and signs around it."""
    for length in range(1, len(folded) // 2 + 1):
        if folded == (folded[:length] * (len(folded) // length + 1))[: len(folded)]:
            return True
    core = folded.strip("0123456789 !?.,-_@#$%&*+=")
    return folded in _common_words() or not core or core in _common_words()
