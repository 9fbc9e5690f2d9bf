"""Passwords: which are good enough, and their argon2id hash (19 MiB, t=2, p=1, two at once per process).

Rules of NIST SP 800-63B-4: 15 characters or more (8 with a second factor), at most 128, all of Unicode, no composition
rules, common and local words refused. Hashing takes about 20 ms of a core: never do it inside a transaction.
"""

import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from shared.language import say

SHORTEST = 15
SHORTEST_WITH_SECOND_FACTOR = 8
LONGEST = 128
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Two threads of their own: more would not hash faster, and each thread that ever hashed keeps its 19 MiB.
_TWO_AT_ONCE = ThreadPoolExecutor(2, thread_name_prefix="argon2")
_SIGNS = re.compile(r"[\W\d_]+")
_RUNS = ("abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghij", "qwertyuiopasdfghjklzxcvbnm", "1q2w3e4r5t6y7u8i9o0p")


def objection(password: str, *, second_factor: bool = False, local_words: frozenset[str] = frozenset()) -> str | None:
    """Why this password is refused, as a sentence, or None. `local_words`: address, name, school, in any case."""
    shortest = SHORTEST_WITH_SECOND_FACTOR if second_factor else SHORTEST
    normal = unicodedata.normalize("NFC", password)
    if len(normal) < shortest:
        return say("Kies een wachtwoord van minstens %(least)s tekens.", least=shortest)
    if len(normal) > LONGEST:
        return say("Kies een wachtwoord van hoogstens %(most)s tekens.", most=LONGEST)
    folded = normal.casefold()
    if _is_easy(folded, local_words):
        return say("Dit wachtwoord is te gemakkelijk te raden. Kies een ander.")
    return None


def hash_password(password: str) -> str:
    return _TWO_AT_ONCE.submit(_HASHER.hash, unicodedata.normalize("NFC", password)).result()


def password_fits(hashed: str | None, password: str) -> bool:
    """Does it fit? With `hashed` None it takes as long and says no, so that unknown accounts cannot be timed."""
    try:
        fits = _TWO_AT_ONCE.submit(_HASHER.verify, hashed or _dummy(), unicodedata.normalize("NFC", password)).result()
    except VerifyMismatchError:
        return False
    return fits and hashed is not None


@cache
def _dummy() -> str:
    return _HASHER.hash("nobody has this password")


@cache
def _common_words() -> frozenset[str]:
    text = resources.files("shared").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _is_easy(folded: str, local_words: frozenset[str]) -> bool:
    """A common or local word with whatever digits and signs around it; words or a run repeated; a row of keys."""
    for length in range(1, len(folded) // 2 + 1):
        if folded == (folded[:length] * (len(folded) // length + 1))[: len(folded)]:
            return True
    if any(folded in run + run or folded in (run + run)[::-1] for run in _RUNS):
        return True
    local = {_SIGNS.sub("", word.casefold()) for word in local_words}
    words = {word for word in _SIGNS.split(folded) if word}
    easy = _common_words() | local
    return folded in easy or _SIGNS.sub("", folded) in easy or words <= easy
