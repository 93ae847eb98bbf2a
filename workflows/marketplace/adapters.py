"""The user's own classes in place of the marketplace's: named by settings."""

from importlib import import_module
from typing import Any

from workflows.exceptions import SettingsError


def load_class(variable: str, path: str) -> Any:
    """Return the class that a setting names as `my.module:MyClass`.

    Raises:
        SettingsError: there is no such module, or nothing callable of that name.
    """
    module_name, _, name = path.partition(":")
    try:
        module = import_module(module_name)
    except ImportError as error:
        msg = f"{variable}={path}: cannot import {module_name}: {error}"
        raise SettingsError(msg) from error
    found = getattr(module, name, None)
    if not callable(found):
        msg = f"{variable}={path}: {module_name} has no class {name}"
        raise SettingsError(msg)
    return found
