"""A store that cannot be reached, for what must work without one."""

from typing import TYPE_CHECKING, Any

from workflows.exceptions import StoreUnavailableError

if TYPE_CHECKING:
    from workflows.store import Store

    UnreachableStore: type[Store]
else:

    class UnreachableStore:
        """Every operation fails as if the server were down."""

        def __getattr__(self, name: str) -> Any:
            def fail(*_: Any, **__: Any) -> Any:
                msg = "the server is down"
                raise StoreUnavailableError(msg)

            return fail
