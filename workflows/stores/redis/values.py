"""Small values beside the jobs."""

from collections.abc import Sequence

from workflows.exceptions import InvalidArgumentError
from workflows.store import MAX_STEP
from workflows.stores import validation
from workflows.stores.redis.records import as_fields
from workflows.stores.redis.scripts import Scripts, new_call
from workflows.stores.redis.wire import raw


class Values:
    """The key-value half of the store."""

    _scripts: Scripts

    def put_value(
        self, space: str, key: str, value: bytes, *, ttl_ms: int | None = None
    ) -> None:
        """See `workflows.store.KeyValues.put_value`."""
        validation.check_ttl(ttl_ms)
        self._scripts.run("put_value", space, key, raw(value), ttl_ms, None)

    def put_value_if_absent(
        self,
        space: str,
        key: str,
        value: bytes,
        *,
        ttl_ms: int | None = None,
        lease: tuple[str, str] | None = None,
    ) -> bool:
        """See `workflows.store.KeyValues.put_value_if_absent`."""
        validation.check_ttl(ttl_ms)
        args = (space, key, raw(value), ttl_ms, new_call(), *(lease or ()))
        return bool(self._scripts.run("put_value", *args))

    def get_values(self, space: str, keys: Sequence[str]) -> dict[str, bytes]:
        """See `workflows.store.KeyValues.get_values`."""
        found: dict[str, bytes] = {}
        for first in range(0, len(keys), MAX_STEP):
            found |= self._read(space, keys[first : first + MAX_STEP])
        return found

    def list_values(self, space: str) -> dict[str, bytes]:
        """See `workflows.store.KeyValues.list_values`."""
        return self._read(space, None)

    def _read(self, space: str, keys: Sequence[str] | None) -> dict[str, bytes]:
        flat = self._scripts.run("get_values", space, keys)
        return {key.decode(): value for key, value in as_fields(flat).items()}

    def pop_value(self, space: str, key: str) -> bytes | None:
        """See `workflows.store.KeyValues.pop_value`."""
        value: bytes | None = self._scripts.run_once("delete_value", space, key)
        return value

    def delete_value(self, space: str, key: str) -> bool:
        """See `workflows.store.KeyValues.delete_value`."""
        return self.pop_value(space, key) is not None

    def flush_values(self, space: str) -> None:
        """See `workflows.store.KeyValues.flush_values`."""
        self._scripts.run("flush_values", space)

    def increment(self, space: str, key: str, amount: int = 1) -> int:
        """See `workflows.store.KeyValues.increment`."""
        validation.check_amount(amount)
        digits = self._scripts.run_once("increment", space, key, str(amount))
        if digits is None:
            msg = f"value {key!r} of space {space!r} is not a counter"
            raise InvalidArgumentError(msg)
        return int(digits)
