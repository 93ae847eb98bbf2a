"""Huey's serializer, as tagged JSON: reading a message never runs code."""

from typing import Any

from huey import exceptions
from huey.serializer import Serializer
from huey.utils import SKIPPED, Error

from workflows import converter
from workflows.converter import Converter


def register_error(kind: type[Exception]) -> None:
    """Let errors of a class arrive at `on_error` tasks as themselves.

    Any class that is neither built in nor registered arrives as a RemoteError:
    reading a message never imports or calls what its text names.
    """
    name = f"{kind.__module__}.{kind.__qualname__}"
    tag = converter.Tag(
        name, kind, lambda error: list(error.args), lambda args: kind(*args)
    )
    converter.register_tag(tag)


converter.register_tag(
    converter.Tag("huey.Error", Error, lambda error: error.metadata, Error)
)
converter.register_tag(
    converter.Tag(
        "huey.SKIPPED", type(SKIPPED), lambda _skipped: None, lambda _content: SKIPPED
    )
)

for known in (
    exceptions.CancelExecution,
    exceptions.RateLimitExceeded,
    exceptions.RetryTask,
    exceptions.TaskException,
    exceptions.TaskLockedException,
    exceptions.TaskTimeout,
):
    register_error(known)


class JsonSerializer(Serializer):  # type: ignore[misc]  # Huey ships no types
    """Encodes results, values and errors as a converter does."""

    def __init__(self, values: Converter = converter.DEFAULT) -> None:
        super().__init__()
        self._converter = values

    def _serialize(self, data: Any) -> bytes:
        return self._converter.encode_tagged(data)

    def _deserialize(self, data: bytes) -> Any:
        return self._converter.decode_tagged(data)
