"""What an instance says about itself: where it waits, and what it can be asked."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from workflows.engine.activation import Payload
from workflows.engine.instance.places import is_library, is_ours

NOWHERE = "not started"


def await_site(task: "asyncio.Task[Any] | None") -> str:
    """Return `file:line in function` of the innermost await in the author's code."""
    site = NOWHERE
    for frame in _frames(task):
        if _is_authors(frame):
            site = _place(frame)
    return site


def stack_traces(tasks: "Iterable[asyncio.Task[Any]]") -> str:
    """Return where each task waits, outermost await first, one block per task."""
    blocks = []
    for task in tasks:
        lines = [
            f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, '
            f"in {frame.f_code.co_name}"
            for frame in _frames(task)
            if _is_authors(frame)
        ]
        header = f"Stack for {task.get_name()} (most recent call last):"
        blocks.append("\n".join([header, *lines]))
    return "\n\n".join(blocks)


def stack_locations(tasks: "Iterable[asyncio.Task[Any]]") -> dict[str, Any]:
    """Return the same as data, as Temporal's EnhancedStackTrace, without sources."""
    return {
        "sdk": {"name": "huey-workflows"},
        "stacks": [
            {
                "locations": [
                    {
                        "filePath": frame.f_code.co_filename,
                        "line": frame.f_lineno,
                        "functionName": frame.f_code.co_name,
                        "internalCode": not _is_authors(frame),
                    }
                    for frame in _frames(task)
                ]
            }
            for task in tasks
        ],
    }


def message_payload(form: dict[str, Any], message: str) -> Payload:
    """Return a payload as Temporal's tools expect it of a proto message."""
    return {
        "metadata": {
            "encoding": _base64("json/protobuf"),
            "messageType": _base64(message),
        },
        "data": _base64(json.dumps(form)),
    }


def interactions(handlers: Iterable[Any]) -> list[dict[str, str]]:
    """Return name and description of handlers, by name."""
    found = [
        {"name": each.name or "", "description": each.description or ""}
        for each in handlers
    ]
    return sorted(found, key=lambda each: each["name"])


def _frames(task: "asyncio.Task[Any] | None") -> Iterator[FrameType]:
    """Yield the frames of the coroutines that a task is suspended in."""
    waiting: Any = None if task is None or task.done() else task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            yield frame
        waiting = getattr(waiting, "cr_await", None) or getattr(
            waiting, "gi_yieldfrom", None
        )


def _is_authors(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return not is_ours(name) and not is_library(name)


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
