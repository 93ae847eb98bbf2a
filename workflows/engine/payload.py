"""Durable JSON: what may be stored, within limits, exact or refused.

JSON here is the strict one: no NaN, no infinity, no lone surrogates; integers of any
size that Python converts (4,299 digits). A fault names its place as a JSON pointer
and never repeats the value, which may be a secret.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from math import isfinite
from typing import Any, NoReturn

import msgspec

from workflows.exceptions import PayloadError

MAX_DEPTH = 64  # nested containers
DEFAULT_MAX_BYTES = 256 * 1024
LARGEST_MAX_BYTES = 2 * 1024 * 1024
MAX_DIGITS = 4299  # Python and msgspec convert 4,300 characters, the sign included
INT_LIMIT = 10**MAX_DIGITS


class Fault(Exception):  # noqa: N818 - becomes a PayloadError once its path is known
    """A value that cannot be stored, on its way up to the root."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.parts: list[str | int] = []  # the path, innermost first
        super().__init__(problem)

    def error(self) -> PayloadError:
        """Return the error to raise, with the path."""
        return PayloadError(self.problem, path=pointer(self.parts[::-1]))


class Encoder(ABC):
    """Turns one value into plain JSON data. `special` says what else is allowed."""

    __slots__ = ("_left", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes  # every item takes a byte at least

    def encode(self, value: Any) -> bytes:
        """Return the JSON of a value.

        Raises:
            PayloadError: it cannot be stored, is too deep (or a cycle), or too big.
        """
        try:
            data = msgspec.json.encode(self.plain(value, 0))
            if len(data) > self._max_bytes:
                self.too_big()
        except Fault as fault:
            raise fault.error() from None
        return data

    def plain(self, value: Any, depth: int) -> Any:
        """Return what a value is in JSON; `depth` containers are around it."""
        kind = type(value)
        if kind is str:
            return value if value.isascii() else text(value)
        if kind is int:
            if not -INT_LIMIT < value < INT_LIMIT:
                msg = f"an integer of more than {MAX_DIGITS} digits"
                raise Fault(msg)
            return value
        if kind is bool or value is None:
            return value
        if kind is float:
            if not isfinite(value):
                msg = "NaN and infinity have no JSON"
                raise Fault(msg)
            return value
        if kind is dict:
            return self.mapping(value, depth)
        if kind is list:
            return self.items(value, depth)
        return self.special(value, depth)

    def items(self, values: Sequence[Any] | Iterable[Any], depth: int) -> list[Any]:
        """Return an array."""
        self.enter(values, depth)
        index, found = 0, []
        try:
            for index, value in enumerate(values):  # noqa: B007 - named in a fault
                found.append(self.plain(value, depth + 1))
        except Fault as fault:
            fault.parts.append(index)
            raise
        return found

    def mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        """Return an object."""
        self.enter(value, depth)
        key: Any = None
        found: dict[str, Any] = {}
        try:
            for key, item in value.items():
                name = key if type(key) is str and key.isascii() else self.key(key)
                found[name] = self.plain(item, depth + 1)
        except Fault as fault:
            fault.parts.append(str(key) if isinstance(key, (str, int)) else "?")
            raise
        if len(found) < len(value):
            msg = "two keys are the same in JSON"
            raise Fault(msg)
        return found

    def enter(self, values: Any, depth: int) -> None:
        """Count a container in. A tree of shared branches cannot grow unseen."""
        if depth >= MAX_DEPTH:
            msg = f"nested deeper than {MAX_DEPTH} levels, or a cycle"
            raise Fault(msg)
        self._left -= len(values)
        if self._left < 0:
            self.too_big()

    def too_big(self) -> NoReturn:
        """Refuse what is over the limit."""
        msg = f"larger than the limit of {self._max_bytes} bytes (max_payload)"
        raise Fault(msg)

    @abstractmethod
    def key(self, key: Any) -> str:
        """Return the JSON key for a key that is not an ASCII string."""

    @abstractmethod
    def special(self, value: Any, depth: int) -> Any:
        """Return what a value that is not plain JSON data is in JSON."""


def load(data: bytes, max_bytes: int) -> Any:
    """Return plain data from strict JSON. The caller minds the depth.

    Raises:
        PayloadError: too big, not UTF-8, or not JSON.
    """
    if len(data) > max_bytes:
        msg = f"larger than {max_bytes} bytes"
        raise PayloadError(msg)
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        msg = f"not JSON: {error}"
        raise PayloadError(msg) from None
    except RecursionError:
        msg = f"nested deeper than {MAX_DEPTH} levels"
        raise PayloadError(msg) from None


def flat(data: bytes) -> bool:
    """Return whether JSON has too few brackets to nest too deep (False: maybe)."""
    return data.count(b"[") + data.count(b"{") <= MAX_DEPTH


def check_depth(data: bytes, value: Any) -> None:
    """Refuse data whose JSON nests deeper than MAX_DEPTH. Raises PayloadError."""
    if flat(data):
        return
    containers = [value]
    for _ in range(MAX_DEPTH):
        containers = [
            inner
            for outer in containers
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not containers:
            return
    msg = f"nested deeper than {MAX_DEPTH} levels"
    raise PayloadError(msg)


def pointer(parts: Iterable[str | int]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    names = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    path = "".join(f"/{name}" for name in names)
    return path.encode(errors="backslashreplace").decode()


def text(value: str) -> str:
    """Return a text as it is, or refuse it. Raises Fault."""
    try:
        value.encode()
    except UnicodeEncodeError:
        msg = "text with a lone surrogate"
        raise Fault(msg) from None
    return value


def basic(value: Any) -> Any:
    """Return a value of a subclass of a JSON type as that type. Raises Fault."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list):
        return list(value)
    msg = f"a value of type {type(value).__name__} cannot be stored"
    raise Fault(msg)


def scalar(value: Any) -> Any:
    """Return a date, time, span, Decimal, UUID or bytes as msgspec writes it.

    Raises:
        Fault: it would not come back as it is.
    """
    if isinstance(value, (datetime, time)):
        offset = value.utcoffset()
        if offset is not None and offset % timedelta(minutes=1):
            msg = "a UTC offset with seconds"
            raise Fault(msg)
    try:
        return msgspec.to_builtins(value)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        msg = f"a value of type {type(value).__name__} cannot be stored: {error}"
        raise Fault(msg) from None
