"""Opens the store that a URL names."""

from urllib.parse import urlsplit

from workflows.exceptions import InvalidArgumentError
from workflows.store import Store, StoreOptions


def open_store(url: str, options: StoreOptions | None = None) -> Store:
    """Return the adapter for `sqlite:///path`, `redis://…`, `rediss://…`, `unix://…`.

    Nothing is opened yet: connections are made at first use, in whichever process
    uses it, so a store may be made before a fork.

    Raises:
        InvalidArgumentError: the scheme is unknown or the URL incomplete.
    """
    options = options or StoreOptions()
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from workflows.stores.sqlite import SqliteStore  # noqa: PLC0415 - one driver

        return SqliteStore(url, options)
    if scheme in {"redis", "rediss", "unix"}:
        from workflows.stores.redis import RedisStore  # noqa: PLC0415 - one driver

        return RedisStore(url, options)
    msg = (
        f"store URL has the scheme {scheme!r}; use sqlite:///path/to/file.db, "
        "redis://host:port/db, rediss://… or unix:///path/to/socket"
    )
    raise InvalidArgumentError(msg)
