"""The oracle's key-value side."""

from collections.abc import Sequence

from tests.oracle.memory import Memory, Stored
from workflows.exceptions import InvalidArgumentError
from workflows.stores import validation


class Values(Memory):
    """Values by (space, key); one whose time is over does not exist."""

    def _live(self, space: str, key: str) -> Stored | None:
        stored = self._values.get((space, key))
        if stored and stored.until is not None and stored.until <= self.now():
            del self._values[space, key]
            return None
        return stored

    def put_value(
        self, space: str, key: str, value: bytes, *, ttl_ms: int | None = None
    ) -> None:
        validation.check_ttl(ttl_ms)
        until = None if ttl_ms is None else self.now() + ttl_ms
        self._values[space, key] = Stored(value, until)

    def put_value_if_absent(
        self,
        space: str,
        key: str,
        value: bytes,
        *,
        ttl_ms: int | None = None,
        lease: tuple[str, str] | None = None,
    ) -> bool:
        validation.check_ttl(ttl_ms)
        if self._live(space, key):
            return False
        if lease is not None and self._lease(lease) is None:
            return False
        self.put_value(space, key, value, ttl_ms=ttl_ms)
        self._values[space, key].lease = lease
        return True

    def get_values(self, space: str, keys: Sequence[str]) -> dict[str, bytes]:
        found = {key: self._live(space, key) for key in keys}
        return {key: stored.value for key, stored in found.items() if stored}

    def pop_value(self, space: str, key: str) -> bytes | None:
        stored = self._live(space, key)
        self._values.pop((space, key), None)
        return stored.value if stored else None

    def delete_value(self, space: str, key: str) -> bool:
        return self.pop_value(space, key) is not None

    def list_values(self, space: str) -> dict[str, bytes]:
        keys = [key for name, key in self._values if name == space]
        return self.get_values(space, keys)

    def flush_values(self, space: str) -> None:
        for pair in [pair for pair in self._values if pair[0] == space]:
            del self._values[pair]

    def increment(self, space: str, key: str, amount: int = 1) -> int:
        validation.check_amount(amount)
        stored = self._live(space, key) or Stored(b"0")
        try:
            number = int(stored.value) + amount
        except ValueError:
            raise InvalidArgumentError(f"{space}:{key} is not a counter") from None
        stored.value = str(number).encode()
        self._values[space, key] = stored
        return number
