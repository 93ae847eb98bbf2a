"""Payloads of workflows: a value as bytes with metadata that says how to read it.

Shapes and encodings are Temporal's (`temporalio.converter`): the first encoding that
takes a value wins, `metadata["encoding"]` picks the reader.
"""

from abc import ABC, abstractmethod
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from workflows.common import RawValue
from workflows.converter.json_form import Converter
from workflows.engine.payload import LARGEST_MAX_BYTES

JSON = Converter(max_bytes=LARGEST_MAX_BYTES)


@dataclass(frozen=True, slots=True)
class Payload:
    """One encoded value."""

    metadata: Mapping[str, bytes] = field(default_factory=dict)
    data: bytes = b""


def payload_to_json(payload: Payload) -> dict[str, Any]:
    """Return a payload in the JSON form of histories: base64, empty data left out."""
    form: dict[str, Any] = {
        "metadata": {
            key: _word(bytes(value)) for key, value in payload.metadata.items()
        }
    }
    if payload.data:
        form["data"] = b2a_base64(payload.data, newline=False).decode()
    return form


def payload_from_json(form: Mapping[str, Any]) -> Payload:
    """Read what `payload_to_json` made."""
    metadata = form.get("metadata") or {}
    return Payload(
        {key: _read_word(value) for key, value in metadata.items()},
        a2b_base64(form.get("data") or ""),
    )


@lru_cache(maxsize=1024)  # metadata: few values, over and over
def _word(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode()


@lru_cache(maxsize=1024)
def _read_word(value: str) -> bytes:
    return a2b_base64(value)


class EncodingPayloadConverter(ABC):
    """One encoding."""

    @property
    @abstractmethod
    def encoding(self) -> str:
        """Its name in `metadata["encoding"]`."""

    @abstractmethod
    def to_payload(self, value: Any) -> Payload | None:
        """Encode a value; None: not a value of this encoding."""

    @abstractmethod
    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """Decode a payload of this encoding."""


class PayloadConverter(ABC):
    """Values to payloads and back; used inside workflow code, so deterministic."""

    @abstractmethod
    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Encode values, one payload each. Raises for one that cannot be encoded."""

    @abstractmethod
    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: Sequence[Any] | None = None
    ) -> list[Any]:
        """Decode payloads; a hint says what to make of the one in its place."""

    def to_payload(self, value: Any) -> Payload:
        """Encode one value."""
        return self.to_payloads([value])[0]

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """Decode one payload."""
        return self.from_payloads([payload], [type_hint])[0]


class BinaryNullPayloadConverter(EncodingPayloadConverter):
    """None."""

    encoding = "binary/null"

    def to_payload(self, value: Any) -> Payload | None:
        """See base class."""
        return Payload({"encoding": b"binary/null"}) if value is None else None

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:  # noqa: ARG002
        """See base class."""
        return None


class BinaryPlainPayloadConverter(EncodingPayloadConverter):
    """Bytes as they are."""

    encoding = "binary/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """See base class."""
        if isinstance(value, bytes):
            return Payload({"encoding": b"binary/plain"}, value)
        return None

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:  # noqa: ARG002
        """See base class."""
        return payload.data


class JSONPlainPayloadConverter(EncodingPayloadConverter):
    """Everything that `workflows.converter.encode` takes, decoded by type hint."""

    encoding = "json/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """See base class. Raises PayloadError, which names the place of the fault."""
        return Payload({"encoding": b"json/plain"}, JSON.encode(value))

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """See base class. Raises PayloadError if the value is not of the hint."""
        hint = None if type_hint in (Any, object) else type_hint
        return JSON.decode(payload.data, hint)


class CompositePayloadConverter(PayloadConverter):
    """Encodings in order; the first one that takes a value encodes it."""

    def __init__(self, *converters: EncodingPayloadConverter) -> None:
        self.converters = {each.encoding: each for each in converters}

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """See base class."""
        return [self._encode(value) for value in values]

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: Sequence[Any] | None = None
    ) -> list[Any]:
        """See base class."""
        hints = list(type_hints or ())
        hints += [None] * (len(payloads) - len(hints))
        return [
            self._decode(payload, hint)
            for payload, hint in zip(payloads, hints, strict=False)
        ]

    def _encode(self, value: Any) -> Payload:
        if isinstance(value, RawValue):
            raw: Payload = value.payload
            return raw
        for each in self.converters.values():
            payload = each.to_payload(value)
            if payload is not None:
                return payload
        msg = f"Value of type {type(value).__name__} has no known converter"
        raise RuntimeError(msg)

    def _decode(self, payload: Payload, hint: Any) -> Any:
        if hint is RawValue:
            return RawValue(payload)
        encoding = payload.metadata.get("encoding", b"<unknown>").decode()
        converter = self.converters.get(encoding)
        if converter is None:
            msg = f"Unknown payload encoding {encoding}"
            raise KeyError(msg)
        return converter.from_payload(payload, hint)


class DefaultPayloadConverter(CompositePayloadConverter):
    """None, bytes, JSON."""

    def __init__(self) -> None:
        super().__init__(
            BinaryNullPayloadConverter(),
            BinaryPlainPayloadConverter(),
            JSONPlainPayloadConverter(),
        )
