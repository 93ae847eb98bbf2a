"""Tagged JSON: Python data that comes back as it was, without any type hints.

What JSON lacks is an object `{"$t": tag, "v": content}`: tuples, sets, bytes, dates,
exact numbers, errors. A dict that could be mistaken for one, or that has keys other
than strings, is itself tagged. Reading never imports and never calls by name: a tag
is one of those below or one that code of this process registered.

A subclass of a plain type (a StrEnum, an OrderedDict, a named tuple) comes back as
that plain type. A time keeps its offset, not the name of its zone.
"""

import builtins
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from workflows.engine.failure import failure_of
from workflows.engine.payload import (
    MAX_DEPTH,
    Encoder,
    Fault,
    basic,
    check_depth,
    load,
    scalar,
    text,
)
from workflows.exceptions import InvalidArgumentError, WorkflowsError

TAG, CONTENT = "$t", "v"
MAX_ERROR_ARGS = 16 * 1024  # bytes; of an error that carries more, the text is kept
BAD_CONTENT = "wrong content of a tag"
SCALARS: dict[str, type[Any]] = {
    kind.__name__: kind  # datetime before date, which it is a subclass of
    for kind in (bytes, bytearray, datetime, date, time, timedelta, Decimal, UUID)
}
SEQUENCES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (tuple, frozenset, set)
}
ERRORS = {  # rebuilt when read; any other class becomes a RemoteError
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}


class RemoteError(WorkflowsError):
    """An error of a class that reading does not rebuild; `type_name` names it."""

    def __init__(self, type_name: str, *args: Any) -> None:
        self.type_name = type_name
        super().__init__(type_name, *args)

    def __str__(self) -> str:
        return ": ".join(str(arg) for arg in self.args)


@dataclass(frozen=True, slots=True)
class Tag:
    """How one more type (exactly it, no subclass) is written and read.

    `write` gives data that tagged JSON can hold; `read` makes a value of such data
    and may raise any Exception if the data is not right.
    """

    name: str
    type: type[Any]
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


_by_type: dict[type[Any], Tag] = {}
_by_name: dict[str, Tag] = {}
RESERVED = {"dict", "error", *SCALARS, *SEQUENCES}


def register_tag(tag: Tag) -> None:
    """Let tagged JSON hold one more type, in this process; a repeat replaces it.

    Raises:
        InvalidArgumentError: the name is ours, or another type's.
    """
    known = _by_name.get(tag.name)
    if tag.name in RESERVED or (known is not None and known.type is not tag.type):
        msg = f"the tag {tag.name!r} is taken"
        raise InvalidArgumentError(msg)
    _by_name[tag.name] = _by_type[tag.type] = tag


# -- writing ---------------------------------------------------------------------------


class TaggedEncoder(Encoder):
    """Writes tagged JSON."""

    __slots__ = ()

    def mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        """Return an object, tagged if it would not come back as it was."""
        if TAG in value or not all(isinstance(key, str) for key in value):
            pairs = [list(pair) for pair in value.items()]
            return {TAG: "dict", CONTENT: self.items(pairs, depth)}
        return super().mapping(value, depth)

    def key(self, key: Any) -> str:
        """See `Encoder.key`; `mapping` lets only strings through."""
        return text(str.__str__(key))

    def special(self, value: Any, depth: int) -> Any:
        """See `Encoder.special`."""
        tag = _by_type.get(type(value))
        if tag is not None:
            self.enter((), depth)  # a tag that writes itself must end
            content = self.plain(_written(tag, value), depth + 1)
            return {TAG: tag.name, CONTENT: content}
        if isinstance(value, BaseException):
            return {TAG: "error", CONTENT: self._error(value, depth + 1)}
        for name, kind in SEQUENCES.items():
            if isinstance(value, kind):
                return {TAG: name, CONTENT: self.items(value, depth)}
        for name, kind in SCALARS.items():
            if isinstance(value, kind):
                return {TAG: name, CONTENT: scalar(value)}
        return self.plain(basic(value), depth)

    def _error(self, error: BaseException, depth: int) -> dict[str, Any]:
        """Return an error; it is never lost for the arguments that it carries."""
        kind, failure = type(error), failure_of(error)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if isinstance(error, RemoteError):  # passed on: still the first one's name
            name, args = error.type_name, error.args[1:]
        else:
            args = error.args
        self.enter((), depth)
        left = self._left
        try:
            plain = self.items(args, depth)
            small = len(msgspec.json.encode(plain)) <= MAX_ERROR_ARGS
        except Fault:
            plain, small, self._left = [], False, left
        return {
            "type": name.removeprefix("builtins."),
            "args": plain if small else [failure.message],
            "stackTrace": failure.stack_trace,
        }


def _written(tag: Tag, value: Any) -> Any:
    try:
        return tag.write(value)
    except Exception as error:  # noqa: BLE001 - code of whoever registered the tag
        msg = f"a {tag.name} cannot be written: {type(error).__name__}"
        raise Fault(msg) from None


# -- reading ---------------------------------------------------------------------------


def decode_tagged(data: bytes, max_bytes: int) -> Any:
    """Return the value that TaggedEncoder wrote.

    Raises:
        PayloadError: it is not tagged JSON, or has a tag that nobody here knows.
    """
    value = load(data, max_bytes)
    if b"$t" not in data and b"\\u" not in data:  # no tag, however it is spelled
        check_depth(data, value)
        return value
    try:
        return _read(value, 0)
    except Fault as fault:
        raise fault.error() from None


def _read(value: Any, depth: int) -> Any:
    """Undo `TaggedEncoder.plain`, with the same depths."""
    if isinstance(value, list):
        return _read_items(value, depth)
    if not isinstance(value, dict):
        return value
    if TAG in value:
        return _read_tag(value, depth)
    _check_depth(depth)
    key, found = "", {}
    try:
        for key, item in value.items():
            found[key] = _read(item, depth + 1)
    except Fault as fault:
        fault.parts.append(key)
        raise
    return found


def _read_items(values: Any, depth: int) -> list[Any]:
    if not isinstance(values, list):
        raise Fault(BAD_CONTENT)
    _check_depth(depth)
    index, found = 0, []
    try:
        for index, value in enumerate(values):  # noqa: B007 - named in a fault
            found.append(_read(value, depth + 1))
    except Fault as fault:
        fault.parts.append(index)
        raise
    return found


def _read_tag(value: dict[str, Any], depth: int) -> Any:
    name = value[TAG]
    if value.keys() != {TAG, CONTENT} or not isinstance(name, str):
        msg = f"an object with {TAG} that is no tag"
        raise Fault(msg)
    content = value[CONTENT]
    try:
        if name in SEQUENCES:
            return SEQUENCES[name](_read_items(content, depth))
        if name in SCALARS:
            return msgspec.convert(content, SCALARS[name])
        if name == "dict":
            return dict(_read_items(content, depth))
        if name == "error":
            return _read_error(content, depth + 1)
        tag = _by_name.get(name)
        if tag is not None:
            return tag.read(_read(content, depth + 1))
    except Fault:
        raise
    except Exception as error:  # noqa: BLE001 - content that its reader cannot take
        msg = f"{BAD_CONTENT} {name:.40}: {type(error).__name__}"
        raise Fault(msg) from None
    msg = f"the tag {name[:40]!r} is not known here"
    raise Fault(msg)


def _read_error(content: dict[str, Any], depth: int) -> Exception:
    name, args = content["type"], _read_items(content["args"], depth)
    stack_trace = content.get("stackTrace")
    try:
        error = ERRORS[name](*args)
    except Exception:  # noqa: BLE001 - not a builtin, or not its arguments
        error = RemoteError(str(name), *args)
    if isinstance(stack_trace, str) and stack_trace:
        error.add_note(f"It was raised at:\n{stack_trace}")
    return error


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        msg = f"nested deeper than {MAX_DEPTH} levels"
        raise Fault(msg)
