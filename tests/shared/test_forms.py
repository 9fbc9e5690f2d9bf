"""shared/forms.py: what was wrong with a form, as sentences at its fields."""

from typing import Any

import pytest
from pydantic import Field, ValidationError

from shared.forms import FORM, Faults, form_faults, typed
from shared.problems import InvalidRequest
from shared.wire.base import Day, Email, Text, WireModel


class WireVisit(WireModel):
    name: Text = Field(alias="naam")
    email: Email | None = Field(None, alias="emailadres")
    day: Day | None = Field(None, alias="dag")


def faults(values: dict[str, Any], said: dict[str, str] | None = None) -> Faults:
    with pytest.raises(ValidationError) as caught:
        WireVisit.model_validate(values)
    return form_faults(caught.value, said)


def test_each_field_gets_one_sentence_without_what_was_typed() -> None:
    found = dict(faults({"naam": "x" * 300, "emailadres": "geheim@@x", "dag": "2026-02-30"}))
    assert list(found) == ["naam", "emailadres", "dag"]
    assert found["naam"] == "Deze tekst is te lang."
    assert found["dag"] == "Deze datum bestaat niet."
    assert "geheim" not in str(found)


def test_a_page_can_say_it_in_its_own_words() -> None:
    assert faults({"naam": "a", "emailadres": "x"}, {"emailadres": "Vul een adres in."}) == [
        ("emailadres", "Vul een adres in.")
    ]


def test_what_is_missing_or_said_by_our_own_validators_is_a_sentence() -> None:
    assert faults({}) == [("naam", "Vul dit veld in.")]
    assert faults({"naam": "a", "dag": "morgen"}) == [("dag", "Een datum is JJJJ-MM-DD.")]


def test_a_problem_of_the_subject_lands_at_its_field_and_one_without_a_place_at_the_form() -> None:
    errors = [{"pointer": "/body/groep/0", "code": "x", "detail": "Deze groep bestaat niet."}]
    assert form_faults(InvalidRequest(errors=errors)) == [("groep", "Deze groep bestaat niet.")]
    assert form_faults(InvalidRequest()) == [(FORM, InvalidRequest.uitleg)]


def test_an_empty_field_is_none() -> None:
    assert typed(naam=" Noor ", dag="  ", groep=None) == {"naam": "Noor", "dag": None, "groep": None}
