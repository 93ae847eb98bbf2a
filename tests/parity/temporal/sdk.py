"""The library that the programs of this process are written against.

One process serves one library, because both refuse workflow classes made in functions:
`PARITY_SDK=temporalio` records on the real server, the default drives our own.
"""

import importlib
import os
from types import ModuleType
from typing import Any

LIBRARY = os.environ.get("PARITY_SDK", "workflows")


def missing() -> str | None:
    """Say what the chosen library lacks to run the programs; None if nothing."""
    for name, member in (
        ("activity", "defn"),
        ("client", "Client"),
        ("common", "RetryPolicy"),
        ("exceptions", "ApplicationError"),
        ("worker", "Worker"),
        ("workflow", "defn"),
    ):
        try:
            module = importlib.import_module(f"{LIBRARY}.{name}")
        except ImportError as error:
            return str(error)
        if not hasattr(module, member):
            return f"{LIBRARY}.{name}.{member} does not exist"
    return None


def _module(name: str) -> Any:
    """Load one module; an empty one while it does not exist, so that tools can look."""
    try:
        return importlib.import_module(f"{LIBRARY}.{name}")
    except ImportError:
        return ModuleType(name)


activity: Any = _module("activity")
client: Any = _module("client")
common: Any = _module("common")
exceptions: Any = _module("exceptions")
worker: Any = _module("worker")
workflow: Any = _module("workflow")
