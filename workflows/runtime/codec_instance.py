"""A live workflow behind a payload codec: it sees and says only plain payloads."""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from workflows.engine.activation import Activation, Initialize
from workflows.engine.commands import Command
from workflows.engine.workflow_instance import NewInstance, WorkflowInstance
from workflows.runtime.codec import SyncConverter

T = TypeVar("T")


class CodecInstance:
    """Decodes every payload of an activation and encodes every one of its commands.

    History and inbox hold what the codec made; this runs outside workflow code.
    """

    def __init__(self, inner: WorkflowInstance, converter: SyncConverter) -> None:
        self._inner = inner
        self._converter = converter

    def activate(self, activation: Activation) -> Sequence[Command]:
        """See `WorkflowInstance.activate`."""
        jobs = tuple(_mapped(job, self._converter.open) for job in activation.jobs)
        commands = self._inner.activate(replace(activation, jobs=jobs))
        return [_mapped(command, self._converter.seal) for command in commands]

    def await_site(self) -> str:
        """See `WorkflowInstance.await_site`."""
        return self._inner.await_site()

    def evict(self) -> None:
        """See `WorkflowInstance.evict`."""
        self._inner.evict()


def with_codec(make: NewInstance, converter: SyncConverter) -> NewInstance:
    """Return what makes instances behind the converter's codec, if it has one."""
    if converter.data_converter.payload_codec is None:
        return make

    def made(start: Initialize) -> WorkflowInstance:
        return CodecInstance(make(_mapped(start, converter.open)), converter)

    return made


def _mapped(record: T, change: Callable[[Any], Any]) -> T:
    """Return a record with every payload in its fields changed."""
    if not is_dataclass(record) or isinstance(record, type):
        return record
    changed: dict[str, Any] = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if is_dataclass(value):
            changed[each.name] = _mapped(value, change)
        elif isinstance(value, dict | tuple | list):
            changed[each.name] = change(value)
    return replace(record, **changed)
