"""Payloads: what authors pass becomes durable JSON, and comes back by type hint.

`encode` writes plain JSON: dataclasses, pydantic models, enums, UUID, dates and
times, Decimal, bytes (base64), tuples and sets have their usual JSON form, and
`decode` makes them again if it is told the type. `encode_tagged` is for data without
hints (plain Huey tasks): see `workflows.engine.tags`. What would not come back as it
was is refused with the path of the fault. Pickle is nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from importlib import import_module
from math import isfinite
from re import findall, sub
from typing import Any, Protocol
from uuid import UUID

import msgspec
from pydantic import BaseModel, ValidationError

from workflows.engine.payload import (
    DEFAULT_MAX_BYTES,
    LARGEST_MAX_BYTES,
    MAX_DIGITS,
    Encoder,
    Fault,
    basic,
    check_depth,
    flat,
    load,
    pointer,
    scalar,
    text,
)
from workflows.engine.tags import (
    RemoteError,
    Tag,
    TaggedEncoder,
    register_tag,
)
from workflows.engine.tags import (
    decode_tagged as read_tagged,
)
from workflows.exceptions import InvalidArgumentError, PayloadError

__all__ = [
    "Codec",
    "Converter",
    "RemoteError",
    "Tag",
    "decode",
    "decode_tagged",
    "encode",
    "encode_tagged",
    "load_codec",
    "payload_error",
    "register_tag",
]

SCALARS = (bytes, bytearray, datetime, date, time, timedelta, Decimal, UUID)
SEQUENCES = (tuple, set, frozenset)
PLAIN = (str, int, float, bool)  # what JSON gives as it is asked for


class Codec(Protocol):
    """Changes the bytes on their way to and from the store: encryption, compression.

    `decode(encode(data)) == data`, in every process that shares the store. `decode`
    raises PayloadError on bytes that it cannot read.
    """

    def encode(self, data: bytes) -> bytes:
        """Return what to store."""

    def decode(self, data: bytes) -> bytes:
        """Return what was given to `encode`."""


@dataclass(frozen=True, slots=True)
class Converter:
    """Values to bytes and back, within a limit of `max_bytes` of JSON.

    The limit holds on the way in only: what another process, or an older setting, has
    accepted is read up to LARGEST_MAX_BYTES.
    """

    max_bytes: int = DEFAULT_MAX_BYTES
    codec: Codec | None = None

    def __post_init__(self) -> None:
        """Refuse a limit that no store is made for, and what is no codec."""
        if not 1 <= self.max_bytes <= LARGEST_MAX_BYTES:
            msg = f"max_bytes is 1 to {LARGEST_MAX_BYTES}, not {self.max_bytes}"
            raise InvalidArgumentError(msg)
        if self.codec is not None:
            check_codec(self.codec)

    def encode(self, value: Any) -> bytes:
        """Return a value as plain JSON, sealed.

        Raises:
            PayloadError: it cannot be stored; `path` names the place.
        """
        return self.seal(self.to_json(value))

    def to_json(self, value: Any) -> bytes:
        """Return a value as plain JSON that is not sealed yet. Raises PayloadError."""
        return PlainEncoder(self.max_bytes).encode(value)

    def decode(self, data: bytes, hint: Any = None) -> Any:
        """Return the value, as `hint` says (None: plain dicts, lists and scalars).

        Raises:
            PayloadError: not JSON, or not of that type; `path` names the place.
            InvalidArgumentError: a hint that nothing can be decoded to.
        """
        data = self.open(data)
        value = load(data, LARGEST_MAX_BYTES)
        check_depth(data, value)
        if hint is None or (hint in PLAIN and type(value) is hint):
            return value
        return _convert(value, hint)

    def encode_tagged(self, value: Any) -> bytes:
        """Return a value as tagged JSON, which needs no hint. Raises PayloadError."""
        return self.seal(TaggedEncoder(self.max_bytes).encode(value))

    def decode_tagged(self, data: bytes) -> Any:
        """Undo `encode_tagged`. Raises PayloadError."""
        return read_tagged(self.open(data), LARGEST_MAX_BYTES)

    def seal(self, data: bytes) -> bytes:
        """Return the bytes to store for JSON: what the codec makes of it."""
        return data if self.codec is None else self.codec.encode(data)

    def open(self, data: bytes) -> bytes:
        """Undo `seal`. PayloadError: the codec cannot read it."""
        return data if self.codec is None else self.codec.decode(data)


def load_codec(name: str) -> Codec:
    """Import the codec that `package.module:attribute` names.

    Raises:
        InvalidArgumentError: nothing is there, or it has no `encode` and `decode`.
    """
    module, _, attribute = name.partition(":")
    try:
        codec: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        msg = f"there is no {name!r}: {error}"
        raise InvalidArgumentError(msg) from None
    check_codec(codec)
    return codec  # type: ignore[no-any-return]  # its shape was checked


def check_codec(codec: object) -> None:
    """Refuse what is no codec, such as its class. Raises InvalidArgumentError."""
    methods = [getattr(codec, name, None) for name in ("encode", "decode")]
    if isinstance(codec, type) or not all(map(callable, methods)):
        msg = f"a codec is an object with encode and decode, not {codec!r}"
        raise InvalidArgumentError(msg)


DEFAULT = Converter()
encode = DEFAULT.encode
decode = DEFAULT.decode
encode_tagged = DEFAULT.encode_tagged
decode_tagged = DEFAULT.decode_tagged


class PlainEncoder(Encoder):
    """Writes plain JSON; types are known to whoever reads it."""

    __slots__ = ()

    def encode(self, value: Any) -> bytes:
        """See `Encoder.encode`. A model in which nothing can be wrong goes straight."""
        if isinstance(value, BaseModel):
            data = _dump_json(value)
            most = min(self._max_bytes, MAX_DIGITS)  # so no integer is too long
            if data is not None and len(data) <= most and flat(data):
                return data
        return super().encode(value)

    def key(self, key: Any) -> str:
        """See `Encoder.key`: strings, and what a hint makes again of a string."""
        if isinstance(key, Enum):
            key = key.value
        if isinstance(key, (date, Decimal, UUID)):
            key = scalar(key)
        if isinstance(key, str):
            return text(str.__str__(key))
        if isinstance(key, int) and not isinstance(key, bool):
            return str(self.plain(int.__int__(key), 0))
        msg = f"a key of type {type(key).__name__}"
        raise Fault(msg)

    def special(self, value: Any, depth: int) -> Any:
        """See `Encoder.special`."""
        if isinstance(value, Enum):
            return self.plain(value.value, depth)
        if isinstance(value, BaseModel):
            return self.mapping(_dump(value), depth)
        if is_dataclass(value) and not isinstance(value, type):
            names = (field.name for field in fields(value))
            return self.mapping({name: getattr(value, name) for name in names}, depth)
        if isinstance(value, SEQUENCES):
            return self.items(value, depth)
        if isinstance(value, SCALARS):
            return scalar(value)
        if isinstance(value, Mapping):
            return self.mapping(dict(value), depth)
        return self.plain(basic(value), depth)


def _dump_json(model: BaseModel) -> bytes | None:
    """Return a model's JSON; None if it has a fault (the long way finds the path)."""
    try:
        data = model.model_dump_json(by_alias=True).encode()
        return None if b"null" in data and _non_finite(model.model_dump()) else data
    except (ValueError, TypeError, RecursionError):
        return None


def _dump(model: BaseModel) -> Any:
    name = type(model).__name__
    try:
        data = model.model_dump(mode="json", by_alias=True)
        lost = _non_finite(model.model_dump())
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"{name} has no JSON: {type(error).__name__}"
        raise Fault(msg) from None
    if lost and not _non_finite(data):  # pydantic wrote null, as for a field of Any
        msg = f"{name}: NaN and infinity have no JSON"
        raise Fault(msg)
    return data


def _non_finite(value: Any) -> bool:
    """Return whether a NaN or an infinity is somewhere in a dumped model."""
    kind = type(value)
    if kind is float:
        return not isfinite(value)
    if kind is dict:
        return any(map(_non_finite, value.values()))
    if kind in (list, tuple, set, frozenset):
        return any(map(_non_finite, value))
    return False


# -- decoding by hint ------------------------------------------------------------------


def _convert(value: Any, hint: Any) -> Any:
    try:
        return msgspec.convert(value, hint, dec_hook=_build, str_keys=True)
    except msgspec.ValidationError as error:
        raise _located(error) from None
    except (TypeError, NameError, NotImplementedError) as error:
        msg = f"cannot decode to {hint!r}: {error}"
        raise InvalidArgumentError(msg) from None


def _build(kind: type[Any], value: Any) -> Any:
    """Make what msgspec leaves to us: pydantic models."""
    if kind is object:
        return value
    if not issubclass(kind, BaseModel):
        msg = f"{kind.__name__} is not a type of payloads"
        raise NotImplementedError(msg)
    try:
        return kind.model_validate_json(msgspec.json.encode(value))
    except ValidationError as error:
        raise payload_error(error) from None


def _located(error: msgspec.ValidationError) -> PayloadError:
    """Turn msgspec's `… - at `$.a[0]`` into a path; inner faults follow it."""
    problem, _, place = str(error).partition(" - at ")
    parts = findall(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]", place)
    path = pointer(name or index.replace("...", "*") for name, index in parts)
    cause = error.__cause__
    if isinstance(cause, PayloadError):
        problem = str(cause).removesuffix(f" (at {cause.path})")
        path += cause.path
    return PayloadError(sub(r"^(Invalid enum value) .*", r"\1", problem), path=path)


def payload_error(error: ValidationError) -> PayloadError:
    """Name pydantic's first fault without repeating the offending value."""
    first = error.errors(include_url=False, include_input=False)[0]
    return PayloadError(first["msg"], path=pointer(first["loc"]))
