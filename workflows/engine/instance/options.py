"""What an instance is given beside its definition and its first job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workflows.engine.activation import Failure, Payloads


class Conversion(Protocol):
    """Values and exceptions of workflow code, to and from their JSON forms."""

    @property
    def payload_converter(self) -> Any:
        """What `workflow.payload_converter()` returns."""

    def to_payloads(self, values: Sequence[Any]) -> Payloads:
        """Encode values."""

    def from_payloads(
        self, payloads: Payloads, hints: Sequence[Any] | None = None
    ) -> list[Any]:
        """Decode payloads; a missing or None hint takes what is there."""

    def raw_values(self, payloads: Payloads) -> list[Any]:
        """Wrap payloads as RawValue, undecoded."""

    def raw_payload(self, payload: Any) -> Any:
        """Return one payload as the author's Payload object."""

    def to_failure(self, error: BaseException) -> Failure:
        """Encode an exception with its causes."""

    def from_failure(self, failure: Failure) -> BaseException:
        """Decode a failure with its causes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOptions:
    """Options of the worker. `failure_exception_types`: more errors that fail a
    workflow, where others fail the workflow task.
    """

    conversion: Conversion
    namespace: str = "default"
    failure_exception_types: tuple[type[BaseException], ...] = ()
