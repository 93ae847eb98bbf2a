"""Huey's serializer, as tagged JSON: reading a message never runs code."""

from typing import Any

from huey.serializer import Serializer

from workflows import converter


class JsonSerializer(Serializer):  # type: ignore[misc]  # Huey ships no types
    """Encodes results, values and errors as `workflows.converter` does."""

    def _serialize(self, data: Any) -> bytes:
        return converter.encode_tagged(data)

    def _deserialize(self, data: bytes) -> Any:
        return converter.decode_tagged(data)
