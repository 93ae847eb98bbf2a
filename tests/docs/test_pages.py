"""The pages are complete, and what they name is there."""

import re
from pathlib import Path

import pytest

from tests.docs.test_snippets import NAMES, PAGES, ROOT
from workflows.settings import Settings, variable

LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    targets = [page.parent / target for target in LINK.findall(page.read_text())]
    assert [target for target in targets if not target.exists()] == []


def test_the_settings_page_names_every_setting_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    named = set(re.findall(r"^\| `((?:WORKFLOWS|REDIS)_\w+)`", page, re.M))
    assert named == {variable(Settings, field) for field in Settings.model_fields}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make ([\w.-]+)`", (ROOT / page).read_text()))
    assert targets
    assert {t for t in targets if not re.search(rf"^{t}:", makefile, re.M)} == set()


def test_the_ci_program_runs_the_test_command_of_the_readme() -> None:
    assert "`make test`" in (ROOT / "README.md").read_text()
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()
