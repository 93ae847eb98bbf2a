"""Guards: what a workflow must not call raises, and names what to call instead.

`install` wraps functions of the standard library once per process. A wrapper looks
whether this thread runs workflow code; if not, it only passes the call on. Calls of
imports, logging and warnings pass, and those inside `passing_through`. Names that a
module of workflows bound before (`from time import time`) are wrapped by `cover`;
methods of C types cannot be (see `workflows.engine.datetime_calls`).
"""

import asyncio
import builtins
import io
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import tokenize  # noqa: F401 - it binds the plain `open`, which tracebacks need
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from workflows.engine.instance.errors import ForbiddenCallError
from workflows.engine.instance.places import is_library, is_ours
from workflows.engine.loop import WorkflowLoop

ACTIVITY = "an activity"
NOW, TIME = "workflow.now() or workflow.time()", "workflow.time()"
SLEEP = "await workflow.sleep(…)"
RANDOM, UUID4 = "workflow.random()", "workflow.uuid4()"

PASSING_MODULES = ("importlib", "logging", "warnings", "traceback", "linecache")

# module or class, names, what to do instead
FORBIDDEN: tuple[tuple[Any, Sequence[str], str], ...] = (
    (time, ("time", "time_ns"), NOW),
    (
        time,
        ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        TIME,
    ),
    (time, ("sleep",), SLEEP),
    (
        random,
        [
            "betavariate",
            "choice",
            "choices",
            "expovariate",
            "gammavariate",
            "gauss",
            "getrandbits",
            "lognormvariate",
            "normalvariate",
            "paretovariate",
            "randbytes",
            "randint",
            "random",
            "randrange",
            "sample",
            "seed",
            "shuffle",
            "triangular",
            "uniform",
            "vonmisesvariate",
            "weibullvariate",
        ],
        RANDOM,
    ),
    (uuid, ("uuid1", "uuid4"), UUID4),
    (os, ("urandom", "getrandom"), RANDOM),
    (
        secrets,
        (
            "choice",
            "randbelow",
            "randbits",
            "token_bytes",
            "token_hex",
            "token_urlsafe",
        ),
        RANDOM,
    ),
    (os, ("system", "fork", "posix_spawn"), ACTIVITY),
    (builtins, ("open",), ACTIVITY),
    (io, ("open",), ACTIVITY),
    (socket.socket, ("__init__",), ACTIVITY),
    (subprocess.Popen, ("__init__",), ACTIVITY),
    (threading.Thread, ("start",), f"asyncio.create_task(…) or {ACTIVITY}"),
    (asyncio, ("run",), "await"),
)

_passing: ContextVar[bool] = ContextVar("workflow_guards_pass", default=False)
_lock = threading.Lock()
_originals: dict[str, Callable[..., Any]] = {}
_guards: dict[int, Any] = {}  # by the id of the original
_covered: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # how many names


@contextmanager
def passing_through() -> Iterator[None]:
    """Let the calls inside the block through, in this task; the author answers for
    their determinism.
    """
    token = _passing.set(True)
    try:
        yield
    finally:
        _passing.reset(token)


def is_passing_through() -> bool:
    """Return whether the caller is inside `passing_through`."""
    return _passing.get()


def install() -> None:
    """Wrap what is forbidden; a repeat does nothing."""
    if _originals:
        return
    with _lock:
        if _originals:
            return
        for holder, names, instead in FORBIDDEN:
            for name in names:
                original = getattr(holder, name, None)
                if original is not None:
                    label = f"{holder.__name__}.{name}".removesuffix(".__init__")
                    guard: Any = _guarded(original, label, instead)
                    if not isinstance(holder, type):
                        guard = staticmethod(guard)  # as a builtin, it binds to no self
                        _guards[id(original)] = guard
                    setattr(holder, name, guard)
                    _originals[label] = original


def cover(function: Callable[..., Any]) -> None:
    """Wrap what a function's module bound by name before `install`.

    A repeat does nothing, and looks only if the module has bound more names since.
    """
    namespace = function.__globals__
    if _covered.get(function) == len(namespace):
        return
    _covered[function] = len(namespace)
    for name, value in list(namespace.items()):
        guard = _guards.get(id(value))
        if guard is not None:
            namespace[name] = guard


def _guarded(
    original: Callable[..., Any], label: str, instead: str
) -> Callable[..., Any]:
    running_loop = asyncio._get_running_loop  # noqa: SLF001 - per thread, in C

    @wraps(original)
    def guard(*args: Any, **kwargs: Any) -> Any:
        if type(running_loop()) is WorkflowLoop:
            _check(label, instead)
        return original(*args, **kwargs)

    return guard


def _check(label: str, instead: str) -> None:
    """Raise if it is the author's code that calls."""
    if _passing.get():
        return
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the only way to know the caller
    site = ""
    while frame is not None and not is_ours(frame.f_code.co_filename):
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in PASSING_MODULES:
            return
        if not site and not is_library(frame.f_code.co_filename):
            site = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    if not site:  # called by this package or by the standard library for itself
        return
    msg = (
        f"{site}: workflow code called {label}, which is not the same when it is "
        f"replayed; use {instead} (or, if you must, "
        "`with workflow.unsafe.sandbox_unrestricted():`)"
    )
    raise ForbiddenCallError(msg)
