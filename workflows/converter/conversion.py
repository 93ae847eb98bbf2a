"""Conversion for live workflows: JSON forms in and out, by a DataConverter.

The codec is not applied here: it runs outside workflow code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.common import RawValue
from workflows.converter.data import DataConverter
from workflows.converter.payload import (
    Payload,
    PayloadConverter,
    payload_from_json,
    payload_to_json,
)


@dataclass(frozen=True, slots=True)
class WorkflowConversion:
    """Implements `workflows.engine.instance.Conversion`."""

    data_converter: DataConverter = DataConverter.default

    @property
    def payload_converter(self) -> PayloadConverter:
        """The converter of values."""
        return self.data_converter.payload_converter

    def to_payloads(self, values: Sequence[Any]) -> tuple[Mapping[str, Any], ...]:
        """Encode values."""
        return tuple(map(payload_to_json, self.payload_converter.to_payloads(values)))

    def from_payloads(
        self,
        payloads: Sequence[Mapping[str, Any]],
        hints: Sequence[Any] | None = None,
    ) -> list[Any]:
        """Decode payloads; those without a hint as they are."""
        given = list(hints or ())[: len(payloads)]
        if len(given) < len(payloads):
            given += [None] * (len(payloads) - len(given))
        found = [payload_from_json(payload) for payload in payloads]
        return self.payload_converter.from_payloads(found, given)

    def raw_values(self, payloads: Sequence[Mapping[str, Any]]) -> list[RawValue]:
        """Wrap payloads, undecoded."""
        return [RawValue(payload_from_json(payload)) for payload in payloads]

    def raw_payload(self, payload: Mapping[str, Any]) -> Payload:
        """Return a payload as an object."""
        return payload_from_json(payload)

    def to_failure(self, error: BaseException) -> dict[str, Any]:
        """Encode an exception with its causes."""
        failure: dict[str, Any] = {}
        converter = self.data_converter.failure_converter
        converter.to_failure(error, self.payload_converter, failure)
        return failure

    def from_failure(self, failure: Mapping[str, Any]) -> BaseException:
        """Decode a failure with its causes."""
        converter = self.data_converter.failure_converter
        return converter.from_failure(failure, self.payload_converter)
