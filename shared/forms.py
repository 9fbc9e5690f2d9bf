"""What was wrong with a form, as sentences at its fields; the fields carry the names that travel in the API."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from shared.language import mark, say
from shared.problems import InvalidRequest

Faults = Sequence[tuple[str, str]]  # a field's name and its sentence, at most one per field, in the order of the body

# What a person must do, by pydantic's error type; whatever else is wrong is said by the validators themselves.
_SENTENCES = {
    "missing": mark("Vul dit veld in."),
    "extra_forbidden": mark("Dit formulier heeft een onbekend veld. Vernieuw de pagina en probeer het opnieuw."),
    "string_too_long": mark("Deze tekst is te lang."),
    "string_unicode": mark("Deze tekst bevat een teken dat niet kan worden opgeslagen."),
    "int_parsing": mark("Dit moet een geheel getal zijn."),
    "enum": mark("Kies een van de mogelijkheden."),
    "literal_error": mark("Kies een van de mogelijkheden."),
    "string_pattern_mismatch": mark("Kies een van de mogelijkheden."),
    "date_from_datetime_parsing": mark("Deze datum bestaat niet."),
    "date_parsing": mark("Deze datum bestaat niet."),
}
FORM = "formulier"  # the field of a fault that belongs to none


def form_faults(error: ValidationError | InvalidRequest, sentences: Mapping[str, str] | None = None) -> Faults:
    """The first fault of each field. `sentences`: field -> what to say there, whatever was wrong (said already)."""
    said = sentences or {}
    found: dict[str, str] = {}
    for field, sentence in _from_validation(error) if isinstance(error, ValidationError) else _from_problem(error):
        found.setdefault(field, said.get(field, sentence))
    return list(found.items()) or [(FORM, say(InvalidRequest.uitleg))]


def typed(**values: str | None) -> dict[str, str | None]:
    """What somebody typed, as the API takes it: an empty field is null."""
    return {name: value.strip() or None if value is not None else None for name, value in values.items()}


def _from_validation(error: ValidationError) -> list[tuple[str, str]]:
    return [(_field(each["loc"]), _sentence(each)) for each in error.errors(include_url=False, include_input=False)]


def _sentence(error: Any) -> str:
    if error["type"] == "value_error":  # raised by our own validators, whose texts never repeat the input
        text = str(error["ctx"]["error"])
        return f"{text[:1].upper()}{text[1:]}."
    return say(_SENTENCES.get(error["type"], mark("Deze waarde heeft niet de juiste vorm.")))


def _from_problem(problem: InvalidRequest) -> list[tuple[str, str]]:
    errors = problem.members.get("errors", ())
    return [(_field(str(each["pointer"]).removeprefix("/body/").split("/")), str(each["detail"])) for each in errors]


def _field(steps: Sequence[Any]) -> str:
    return str(steps[0]) if steps else FORM
