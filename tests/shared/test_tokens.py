"""static/stijl.css: the design tokens have the contrast that people need (WCAG 2.2 AA)."""

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).parents[2] / "shared/static/stijl.css").read_text(encoding="utf-8")
ENVIRONMENTS = ["beheer", "hub", "edu"]
TEXT, SHAPE = 4.5, 3.0

TEXT_PAIRS = [
    ("inkt", "vlak"),
    ("inkt", "grond"),
    ("inkt", "geel-licht"),
    ("inkt", "rood-licht"),
    ("inkt", "groen-licht"),
    ("inkt", "accent-licht"),
    ("gedempt", "vlak"),
    ("gedempt", "grond"),
    ("vlak", "accent"),
    ("vlak", "accent-diep"),
    ("accent", "vlak"),
    ("accent", "grond"),
    ("accent", "accent-licht"),
    ("accent-diep", "accent-licht"),
    ("vlak", "groen"),
    ("groen", "groen-licht"),
    ("groen-diep", "groen-licht"),
    ("groen-diep", "vlak"),
    ("geel", "geel-licht"),
    ("vlak", "geel"),
    ("geel", "vlak"),
    ("vlak", "rood"),
    ("vlak", "rood-diep"),
    ("rood", "vlak"),
    ("rood", "grond"),
    ("rood", "rood-licht"),
    ("rood-diep", "rood-licht"),
]
SHAPE_PAIRS = [
    ("lijn", "vlak"),
    ("lijn", "grond"),
    ("accent", "grond"),
    ("accent", "vlak"),
    ("groen", "vlak"),
    ("rood", "vlak"),
]


def tokens(environment: str) -> dict[str, str]:
    """The colours by name as they hold in one environment."""
    found: dict[str, str] = {}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", STYLE):
        others = [other for other in ENVIRONMENTS if other != environment and f'"{other}"' in selector]
        if ":root" in selector and (f'"{environment}"' in selector or not others):
            found |= dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6})", body))
    return found


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(("front", "ground"), TEXT_PAIRS)
def test_text_can_be_read(environment: str, front: str, ground: str) -> None:
    colours = tokens(environment)
    assert contrast(colours[front], colours[ground]) >= TEXT


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(("front", "ground"), SHAPE_PAIRS)
def test_borders_and_shapes_can_be_seen(environment: str, front: str, ground: str) -> None:
    colours = tokens(environment)
    assert contrast(colours[front], colours[ground]) >= SHAPE


def test_the_contrast_is_computed_as_the_guidelines_do() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#1b7a3d") == pytest.approx(5.39, abs=0.01)
    assert contrast("#dee2e6", "#ffffff") == pytest.approx(1.30, abs=0.01)  # a border that cannot be seen


def test_each_environment_has_its_own_accent() -> None:
    assert {tokens(environment)["accent"] for environment in ENVIRONMENTS} == {"#0b5a8f", "#5a3a8c", "#1f6361"}


def test_colours_are_written_in_tokens_only() -> None:
    parts = re.sub(r":root[^{]*\{[^}]*\}", "", STYLE)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", parts) == []
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", STYLE))
    assert used <= set(re.findall(r"--([a-z0-9-]+):", STYLE)), "a token that is used is defined"


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
