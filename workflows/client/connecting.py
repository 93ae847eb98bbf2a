"""From an address to a service."""

import os
import socket
from collections.abc import Callable
from typing import TypeVar

from workflows.client.service import WorkflowService
from workflows.converter import DataConverter, load_data_converter
from workflows.exceptions import InvalidArgumentError, SettingsError
from workflows.settings import Settings, load_settings, variable
from workflows.store import StoreOptions
from workflows.stores import open_store

DEFAULT = "default"

Found = TypeVar("Found")


def default_identity() -> str:
    """Return who acts if nobody is named: process@host."""
    return f"{os.getpid()}@{socket.gethostname()}"


def named_by_settings(
    field: str, load: Callable[[str], Found], settings: Settings
) -> Found | None:
    """Return the object of yours that a setting names, or None.

    Raises:
        SettingsError: it is not there, or something else.
    """
    name: str | None = getattr(settings, field)
    try:
        return None if name is None else load(name)
    except InvalidArgumentError as error:
        msg = f"{variable(Settings, field)}: {error}"
        raise SettingsError(msg) from None


def settings_converter(settings: Settings) -> DataConverter:
    """Return what turns the values of workflows into payloads. SettingsError."""
    found = named_by_settings("data_converter", load_data_converter, settings)
    return found or DataConverter.default


def connect_service(
    target: str | None, *, namespace: str, identity: str | None, lazy: bool
) -> WorkflowService:
    """Open the store that an address means.

    A URL (`redis://…`, `sqlite:///…`) is itself; `host:port` without a scheme, and
    None, are what the settings say. The namespace `default` is the one of the
    settings, where the consumer works.

    Raises:
        SettingsError: the settings are wrong.
        InvalidArgumentError: the address is.
        StoreUnavailableError: nobody answers there (not if `lazy`).
    """
    settings = load_settings()
    named = target is not None and "://" in target
    url = target if named and target is not None else settings.store_url
    own = settings.namespace if namespace == DEFAULT else namespace
    options = StoreOptions(namespace=own, overrides=frozenset(settings.allow))
    service = WorkflowService(
        open_store(url, options),
        namespace=namespace,
        identity=identity or default_identity(),
        limits=settings.limits,
    )
    if not lazy:
        service.store.ping()
    return service
