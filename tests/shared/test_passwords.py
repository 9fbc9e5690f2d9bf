"""shared/passwords.py: what is good enough, and how long a "no" takes."""

import unicodedata

import pytest

from shared import passwords
from shared.passwords import LONGEST, hash_password, objection, password_fits

GOOD = "paarse fietsbel op zolder"


@pytest.mark.parametrize(
    "password",
    [GOOD, "х" * 3 + "длинный пароль", "正しい馬の電池のホッチキスですよね", "x7" + "q" * 3 + " zolder raam"],
)
def test_a_long_phrase_in_any_script_is_good(password: str) -> None:
    assert objection(password) is None


@pytest.mark.parametrize(
    "password",
    [
        "",
        "kort",
        "a" * 14,
        "a" * 20,
        "abcabcabcabcabcabc",
        "12345678901234567890",
        "welkom01welkom01",
        "Welkom2026!!!!!!!!!",
        "x" * 129,
    ],
)
def test_short_long_repeated_and_common_ones_are_refused(password: str) -> None:
    assert objection(password) is not None


def test_length_counts_signs_and_not_bytes() -> None:
    assert objection("é" * 7 + "paarse ö") is None
    decomposed = unicodedata.normalize("NFD", "é" * 13)
    assert len(decomposed) == 26
    assert objection(decomposed) == "Kies een wachtwoord van minstens 15 tekens."
    assert objection(("paarse fietsbel " * 9)[: LONGEST + 1]) == "Kies een wachtwoord van hoogstens 128 tekens."


def test_with_a_second_factor_eight_are_enough() -> None:
    assert objection("fiets op", second_factor=True) is None
    assert objection("fiets op") is not None
    assert objection("wachtwoord", second_factor=True) is not None


def test_the_own_address_is_no_password() -> None:
    assert objection("j.hagen@school.example", local_words=frozenset({"j.hagen@school.example"})) is not None
    assert objection("j.hagen@school.example") is None


def test_a_hash_fits_its_password_only_in_either_normal_form() -> None:
    hashed = hash_password("paarse fiétsbel op zolder")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password_fits(hashed, unicodedata.normalize("NFD", "paarse fiétsbel op zolder"))
    assert not password_fits(hashed, "paarse fietsbel op zolder")
    assert hash_password(GOOD) != hash_password(GOOD)


def test_an_unknown_account_costs_the_same_work_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[str] = []
    verify = passwords._HASHER.verify

    class Counting:
        hash = passwords._HASHER.hash

        def verify(self, hashed: str, password: str) -> bool:
            worked.append(hashed.rsplit("$", 2)[0])  # kind and cost, without salt and hash
            return bool(verify(hashed, password))

    hashed = hash_password(GOOD)
    monkeypatch.setattr(passwords, "_HASHER", Counting())
    assert not password_fits(hashed, "iets heel anders dan dat")
    assert not password_fits(None, "iets heel anders dan dat")
    assert not password_fits(None, GOOD)
    assert len(worked) == 3
    assert len(set(worked)) == 1, "one hash of the same cost, whoever it is"
