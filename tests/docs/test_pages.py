"""The pages are complete, and what they name is there."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.docs.test_snippets import NAMES, PAGES, ROOT
from workflows.cli import main
from workflows.marketplace.settings import MarketplaceSettings
from workflows.settings import Settings, variable

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), f"{target}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """The names of the headings of a page, as GitHub makes them."""
    plain = [
        re.sub(r"[^\w\- ]", "", text) for text in HEADING.findall(page.read_text())
    ]
    return {text.strip().lower().replace(" ", "-") for text in plain}


def test_the_settings_page_names_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    shown = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? *\|", page, re.M)
    assert len(shown) == len(dict(shown)), "a setting is named twice"
    assert dict(shown) == {
        variable(model, name): _text(field.default)
        for model in (Settings, MarketplaceSettings)
        for name, field in model.model_fields.items()
    }


def _text(default: object) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default is None else str(default).removesuffix("/")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make ([\w.-]+)`", (ROOT / page).read_text()))
    assert targets
    assert {t for t in targets if not re.search(rf"^{t}:", makefile, re.M)} == set()


def test_the_ci_program_runs_the_test_command_of_the_readme() -> None:
    assert "`make test`" in (ROOT / "README.md").read_text()
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


HELD_BY = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("name", ["guarantees", "race-bank"])
def test_every_promise_names_tests_that_exist(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    promises = re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |^#|\Z)", page, re.M | re.S)
    assert [int(number) for number, _ in promises] == [*range(1, len(promises) + 1)]
    assert [number for number, text in promises if not HELD_BY.search(text)] == []
    missing = [
        f"{file}::{test}"
        for file, test in HELD_BY.findall(page)
        if not re.search(rf"^(def|class) {test}\b", _source(ROOT / file), re.M)
    ]
    assert missing == []


def _source(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_the_page_of_the_command_names_every_verb(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    verbs = re.findall(r"^    ([a-z]+)(?: |$)", capsys.readouterr().out, re.M)
    page = (ROOT / "docs" / "command.md").read_text()
    named = re.findall(r"^\| `workflows ([a-z]+)", page, re.M)
    assert sorted(named) == sorted(verbs)
