"""The folder of a test is its kind, and its marker."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with the name of its folder."""
    for item in items:
        item.add_marker(item.path.relative_to(TESTS).parts[0])
