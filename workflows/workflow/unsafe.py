"""What only code beside the workflow's own way should ask for."""

from collections.abc import Iterator
from contextlib import contextmanager

from workflows.engine.instance.context import current
from workflows.engine.instance.guards import is_passing_through, passing_through

__all__ = [
    "imports_passed_through",
    "in_sandbox",
    "is_imports_passed_through",
    "is_read_only",
    "is_replaying",
    "is_replaying_history_events",
    "is_sandbox_unrestricted",
    "sandbox_unrestricted",
]

sandbox_unrestricted = passing_through
is_sandbox_unrestricted = is_passing_through


def is_replaying() -> bool:
    """Return whether the code runs again what it did before."""
    return current().core.replaying


def is_replaying_history_events() -> bool:
    """As `is_replaying`, but never true in a query."""
    core = current().core
    return core.replaying and not core.querying


def is_read_only() -> bool:
    """Return whether nothing may be changed now, as in a query."""
    return current().core.read_only


def in_sandbox() -> bool:
    """Return False: there is no sandbox."""
    return False


@contextmanager
def imports_passed_through() -> Iterator[None]:
    """Do nothing: imports are not isolated."""
    yield


def is_imports_passed_through() -> bool:
    """Return True: imports are not isolated."""
    return True
