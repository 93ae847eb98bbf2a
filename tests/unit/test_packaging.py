"""What is shipped declares what it imports, and carries what it reads."""

import ast
import re
import sys
from configparser import ConfigParser
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("workflows", "api")
THROUGH = {"dotenv", "pydantic_core"}  # they come with what is declared


def setup() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return parser


def declared() -> set[str]:
    lines = setup()["options"]["install_requires"].split("\n")
    return {re.split(r"[ <>=\[]", line)[0].lower() for line in lines if line}


@cache
def imported() -> set[str]:
    """Return the top-level names that the shipped modules import."""
    names: set[str] = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names.add((node.module or "").split(".")[0])
    return names - set(sys.stdlib_module_names) - set(PACKAGES)


def test_every_imported_distribution_is_declared() -> None:
    known = packages_distributions()
    missing = {
        name
        for name in imported() - THROUGH
        if not {d.lower() for d in known.get(name, [])} & declared()
    }
    assert missing == set()


def test_every_declared_distribution_is_imported() -> None:
    known = packages_distributions()
    used = {d.lower() for name in imported() for d in known.get(name, [])}
    by_themselves = {"tzdata"}  # zoneinfo looks for it
    assert declared() - used == by_themselves


def test_every_file_that_is_no_module_is_packaged() -> None:
    patterns = setup()["options.package_data"]["*"].split(", ")
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*"):
            if file.suffix in {".py", ".pyc"} or file.is_dir():
                continue
            home = file.parent
            while not (home / "__init__.py").is_file():
                home = home.parent
            assert any(file in home.glob(pattern) for pattern in patterns), file


def test_every_folder_of_modules_is_a_package() -> None:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            assert (file.parent / "__init__.py").is_file(), file
