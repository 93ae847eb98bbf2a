"""Finding `datetime.now()` and its like, which no guard can catch: they are C code."""

import datetime as dt
import dis
import inspect
from collections.abc import Iterator
from types import CodeType
from typing import Any

READS_CLOCK = ("now", "utcnow", "today")
CLASSES = (dt.datetime, dt.date)


def datetime_calls(cls: type[Any]) -> list[str]:
    """Return `file:line: datetime.now()` for each such call in a class's methods."""
    found: list[str] = []
    for member in vars(cls).values():
        if inspect.isfunction(member):
            for code in _codes(member.__code__):
                found += _calls(code, member.__globals__)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _calls(code: CodeType, names: dict[str, Any]) -> Iterator[str]:
    """Follow each global name through its attributes to a method that reads clocks."""
    holder: Any = None
    line = code.co_firstlineno
    for step in dis.get_instructions(code):
        line = step.starts_line or line
        if step.opname == "LOAD_GLOBAL":
            holder = names.get(step.argval)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and holder is not None:
            if holder in CLASSES and step.argval in READS_CLOCK:
                name = f"{holder.__name__}.{step.argval}"
                yield f"{code.co_filename}:{line}: {name}()"
            holder = vars(dt).get(step.argval) if holder is dt else None
        elif step.opname not in ("PRECALL", "CACHE"):
            holder = None
