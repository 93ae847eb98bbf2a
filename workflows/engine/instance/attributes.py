"""Memo and search attributes: what people see of a run from outside."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from workflows.engine.activation import Payload
from workflows.engine.commands import UpsertMemo, UpsertSearchAttributes
from workflows.engine.instance.core import Core
from workflows.engine.instance.options import Conversion
from workflows.exceptions import InvalidArgumentError

NULL = b64encode(b"binary/null").decode()


class Attributes:
    """The memo and the search attributes of a run, as payloads."""

    def __init__(self, core: Core) -> None:
        self._core = core
        given = core.start.attributes
        self.memo: dict[str, Payload] = dict(given.get("memo", {}).get("fields", {}))
        self.search: dict[str, Payload] = dict(
            given.get("searchAttributes", {}).get("indexedFields", {})
        )

    def memo_value(self, key: str, hint: Any = None) -> Any:
        """Return a decoded field. Raises KeyError if there is none."""
        if key not in self.memo:
            msg = f"Memo does not have a value for key {key}"
            raise KeyError(msg)
        return self._core.conversion.from_payloads((self.memo[key],), [hint])[0]

    def upsert_memo(self, updates: Mapping[str, Any]) -> None:
        """Set fields; None removes one. Recorded in the history."""
        self._core.require_writable("upsert memo")
        if not updates:
            return
        payloads = self._core.conversion.to_payloads([*updates.values()])
        fields = dict(zip(updates, payloads, strict=True))
        self._core.emit(UpsertMemo(fields=fields))
        _merge(self.memo, fields)

    def upsert_search(self, updates: Any) -> None:
        """Set search attributes; see `encode_search_attributes`."""
        self._core.require_writable("upsert search attributes")
        encoded = encode_search_attributes(self._core.conversion, updates)
        if encoded:
            self._core.emit(UpsertSearchAttributes(attributes=encoded))
            _merge(self.search, encoded)


def encode_search_attributes(conversion: Conversion, values: Any) -> dict[str, Payload]:
    """Encode search attributes: a mapping of name to a list of values (an empty list
    removes one), or updates and pairs, each with `key` (name, type) and `value`.
    """
    if not values:
        return {}
    if isinstance(values, Mapping):
        for name, value in values.items():
            if not isinstance(value, Sequence) or isinstance(value, str):
                msg = f"search attribute {name}: pass a list of values, not {value!r}"
                raise InvalidArgumentError(msg)
        payloads = conversion.to_payloads([list(value) for value in values.values()])
        return dict(zip(values, payloads, strict=True))
    encoded: dict[str, Payload] = {}
    for one in values:
        payload = conversion.to_payloads([one.value])[0]
        kind = b64encode(str(one.key.metadata_type).encode()).decode()
        metadata = {**payload["metadata"], "type": kind}
        encoded[one.key.name] = {**payload, "metadata": metadata}
    return encoded


def _merge(known: dict[str, Payload], changes: Mapping[str, Payload]) -> None:
    for key, payload in changes.items():
        if payload.get("metadata", {}).get("encoding") == NULL:
            known.pop(key, None)
        else:
            known[key] = payload
