"""From an address to a service."""

import os
import socket

from workflows.client.service import WorkflowService
from workflows.settings import load_settings
from workflows.store import StoreOptions
from workflows.stores import open_store

DEFAULT = "default"


def default_identity() -> str:
    """Return who acts if nobody is named: process@host."""
    return f"{os.getpid()}@{socket.gethostname()}"


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
    )
    if not lazy:
        service.store.ping()
    return service
