"""The pages that are made from the code are as the code is, and every setting and target is named where people look."""

import re
from pathlib import Path

import pytest

from services import documentation
from shared.settings import ServiceSettings

ROOT = documentation.ROOT


@pytest.mark.parametrize("path", documentation.made_pages(), ids=lambda path: path.name)
def test_a_made_page_is_as_the_code_says(path: Path) -> None:
    assert path.read_text() == documentation.made_pages()[path], "run `make docs`"


def test_a_changed_setting_makes_the_page_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation, "SERVICES", documentation.SERVICES[:2])
    assert (ROOT / "README.md").read_text() != documentation.made_pages()[ROOT / "README.md"]


def test_every_setting_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for settings in documentation.SERVICES:
        prefix = settings.model_config.get("env_prefix", "")
        for name in settings.model_fields:
            shown = f"`*_{name.upper()}`" if name in ServiceSettings.model_fields else f"`{prefix}{name.upper()}`"
            assert shown in readme


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_the_locks_name_no_address_and_hash_everything() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text()
        assert "://" not in text
        packages = re.findall(r"^[a-z0-9][^ =]*==", text, re.MULTILINE)
        assert len(packages) > 20
        assert text.count("--hash=sha256:") >= len(packages)
