"""A DataConverter for threads: conversion and codec, on payloads in their JSON form.

Codecs are coroutines; here each call runs one to its end. Without a codec nothing is
awaited and nothing costs.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from workflows.converter import (
    DataConverter,
    Payload,
    PayloadCodec,
    PayloadConverter,
    payload_from_json,
    payload_to_json,
)
from workflows.engine.failure import encodable, text_of

logger = logging.getLogger("workflows.runtime")

Json = dict[str, Any]
T = TypeVar("T")
PAYLOAD_KEYS = frozenset({"metadata", "data"})


class SyncConverter:
    """Encodes and decodes; `seal` and `open` apply the codec alone."""

    def __init__(self, converter: DataConverter) -> None:
        self.data_converter = converter
        self.payload_converter: PayloadConverter = converter.payload_converter
        self._codec: PayloadCodec | None = converter.payload_codec

    # -- values ------------------------------------------------------------------------

    def encode(self, values: Sequence[Any]) -> list[Json]:
        """Return values as stored payloads."""
        payloads = self.payload_converter.to_payloads(values)
        return [payload_to_json(each) for each in self._encoded(payloads)]

    def decode(
        self, payloads: Sequence[Mapping[str, Any]], hints: Sequence[Any] | None = None
    ) -> list[Any]:
        """Return the values of payloads that `open` gave."""
        read = [payload_from_json(each) for each in payloads]
        return self.payload_converter.from_payloads(read, hints)

    def encode_bytes(self, values: Sequence[Any]) -> bytes:
        """Return values as one piece of bytes (heartbeat details)."""
        return msgspec.json.encode(self.encode(values))

    def decode_bytes(self, data: bytes) -> list[Any]:
        """Read what `encode_bytes` made; empty bytes are no values."""
        return self.decode(self.open(msgspec.json.decode(data))) if data else []

    def failure(self, error: BaseException) -> Json:
        """Return an exception as a stored failure. Never raises.

        One that cannot be converted or encoded becomes a failure that says why, with
        Temporal's text; what the exception itself says is in the log alone, since it
        may be what the codec is to hide.
        """
        form: Json = {}
        converter = self.data_converter
        try:
            converter.failure_converter.to_failure(error, self.payload_converter, form)
            return self.seal(form)
        except Exception as fault:
            logger.exception("failure_not_converted type=%s", type(error).__name__)
            why = encodable(text_of(fault))
            return {"message": f"Failed building exception result: {why}"}

    def error(self, failure: Mapping[str, Any]) -> BaseException:
        """Return the exception of a stored failure."""
        converter = self.data_converter.failure_converter
        return converter.from_failure(self.open(failure), self.payload_converter)

    # -- the codec alone ---------------------------------------------------------------

    def seal(self, form: T) -> T:
        """Return JSON with every payload in it encoded by the codec."""
        return form if self._codec is None else _changed(form, self._encoded)

    def open(self, form: T) -> T:
        """Return JSON with every payload in it decoded by the codec."""
        return form if self._codec is None else _changed(form, self._decoded)

    def _encoded(self, payloads: Sequence[Payload]) -> Sequence[Payload]:
        return payloads if self._codec is None else _run(self._codec.encode(payloads))

    def _decoded(self, payloads: Sequence[Payload]) -> Sequence[Payload]:
        return payloads if self._codec is None else _run(self._codec.decode(payloads))


def _changed(form: Any, change: Any) -> Any:
    """Return a copy of JSON in which every payload was changed."""
    if isinstance(form, Mapping):
        if form.keys() <= PAYLOAD_KEYS and isinstance(form.get("metadata"), Mapping):
            return payload_to_json(change([payload_from_json(form)])[0])
        return {key: _changed(value, change) for key, value in form.items()}
    if isinstance(form, (list, tuple)):
        return type(form)(_changed(each, change) for each in form)
    return form


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a codec's coroutine from a thread, whether or not it has a running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, coroutine).result()
