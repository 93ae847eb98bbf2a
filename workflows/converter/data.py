"""`DataConverter`: what clients and workers share to read each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Protocol

from workflows.converter.failure import DefaultFailureConverter, FailureConverter
from workflows.converter.payload import (
    DefaultPayloadConverter,
    Payload,
    PayloadConverter,
)
from workflows.exceptions import InvalidArgumentError


class PayloadCodec(Protocol):
    """Changes payloads on their way to and from the store: encryption, compression.

    Runs outside workflow code. `decode(encode(x)) == x` in every process.
    """

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return what to store."""

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return what was given to `encode`."""


@dataclass(frozen=True)
class DataConverter:
    """Values to stored payloads and back: conversion, then the codec."""

    payload_converter_class: type[PayloadConverter] = DefaultPayloadConverter
    payload_codec: PayloadCodec | None = None
    failure_converter_class: type[FailureConverter] = DefaultFailureConverter
    default: ClassVar["DataConverter"]

    @cached_property
    def payload_converter(self) -> PayloadConverter:
        """The converter of values, for workflow code too."""
        return self.payload_converter_class()

    @cached_property
    def failure_converter(self) -> FailureConverter:
        """The converter of exceptions."""
        return self.failure_converter_class()

    async def encode(self, values: Sequence[Any]) -> list[Payload]:
        """Convert and encode values."""
        payloads = self.payload_converter.to_payloads(values)
        if self.payload_codec is not None:
            payloads = await self.payload_codec.encode(payloads)
        return payloads

    async def decode(
        self, payloads: Sequence[Payload], type_hints: Sequence[Any] | None = None
    ) -> list[Any]:
        """Decode and convert payloads."""
        if self.payload_codec is not None:
            payloads = await self.payload_codec.decode(payloads)
        return self.payload_converter.from_payloads(payloads, type_hints)


DataConverter.default = DataConverter()


def load_data_converter(name: str) -> DataConverter:
    """Import the data converter that `package.module:attribute` names.

    Raises:
        InvalidArgumentError: nothing is there, or something else.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        msg = f"there is no {name!r}: {error}"
        raise InvalidArgumentError(msg) from None
    if not isinstance(found, DataConverter):
        msg = f"{name!r} is no workflows.converter.DataConverter but {found!r}"
        raise InvalidArgumentError(msg)
    return found
