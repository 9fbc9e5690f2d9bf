"""Names folded for comparison: what is one name, what is not, and that folding takes any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.names import fold, long_prefix, name_key, name_words, split_name, squeeze


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Noor  ", "noor"),
        ("ÇELİK", "celik"),
        ("Yılmaz", "yilmaz"),
        ("Chloë", "chloe"),
        ("Chloe\u0308", "chloe"),
        ("Straße", "strasse"),
        ("Jan-Willem", "jan willem"),
        ("d'Hondt", "dhondt"),
        ("d’Hondt", "dhondt"),
        ("Søren Łukasz", "soren lukasz"),
        ("Ĳsbrand", "ijsbrand"),
        ("J.P.", "j p"),
        ("", ""),
        ("-", ""),
    ],
)
def test_case_marks_hyphens_and_apostrophes_are_folded(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("first", "prefix", "last"),
    [
        ("Jan", "van der", "Berg"),
        ("jan", "VAN DER", "berg"),
        ("Jan", None, "van der Berg"),
        ("Jan", "", "Berg, van der"),
        ("Jan", None, "Berg van der"),
        ("Jan van der", None, "Berg"),
        ("Jan", "van", "der Berg"),
        ("Jan", None, "Vanderberg"),
    ],
)
def test_the_prefix_is_found_wherever_it_stands(first: str, prefix: str | None, last: str) -> None:
    assert name_key(first, prefix, last) == ("jan", "vanderberg")


@pytest.mark.parametrize(
    ("first", "prefix", "last"),
    [("Jan", "van", "Berg"), ("Jan", None, "Berg"), ("Berg", "van der", "Jan"), ("Jans", "van der", "Berg")],
)
def test_another_name_has_another_key(first: str, prefix: str | None, last: str) -> None:
    assert name_key(first, prefix, last) != name_key("Jan", "van der", "Berg")


def test_a_surname_that_is_only_a_prefix_stays_a_surname() -> None:
    assert split_name("Anna", None, "Van") == ("anna", "", "van")
    assert split_name("Li", None, "De Van") == ("li", "de", "van")


def test_words_that_tell_people_apart_leave_the_prefix_out() -> None:
    assert name_words("Jan", "van der", "Berg") == {"jan", "berg"}
    assert not name_words("Jan", "van der", "Berg") & name_words("Piet", "van der", "Meer")
    assert name_words(None, None, None) == frozenset()


@pytest.mark.parametrize(("short", "written_out"), [("v d", "van der"), ("vd", "van der"), ("v", "van"), ("de", "de")])
def test_abbreviated_prefixes_are_written_out(short: str, written_out: str) -> None:
    assert long_prefix(short) == written_out


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert " " not in squeeze(text)


@given(st.text(max_size=20), st.text(max_size=10), st.text(max_size=20))
def test_any_three_texts_are_a_name(first: str, prefix: str, last: str) -> None:
    assert name_key(first, prefix, last) == name_key(first.swapcase().swapcase(), prefix, f" {last} ")
