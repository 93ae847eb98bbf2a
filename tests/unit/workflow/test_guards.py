# ruff: noqa: PLW0108 - each lambda is the author's code, on a line of its own
"""What a workflow must not call raises, names the line, and says what to do."""

import asyncio
import builtins
import datetime as dt
import importlib
import io
import logging
import os
import pathlib
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import date
from time import monotonic as by_name
from typing import Any

import pytest

from tests.unit.workflow.driver import Driver, result
from workflows import workflow
from workflows.engine.datetime_calls import datetime_calls
from workflows.engine.instance import guards


def run_nothing() -> None:
    nothing = asyncio.sleep(0)
    try:
        asyncio.run(nothing)
    finally:
        nothing.close()


CALLS: dict[str, Callable[[], Any]] = {
    "time.time": lambda: time.time(),
    "time.monotonic": lambda: time.monotonic(),
    "monotonic": lambda: by_name(),
    "time.perf_counter": lambda: time.perf_counter(),
    "time.sleep": lambda: time.sleep(0),
    "random.random": lambda: random.random(),
    "random.randint": lambda: random.randint(1, 2),
    "random.choice": lambda: random.choice([1]),
    "random.shuffle": lambda: random.shuffle([1]),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "os.urandom": lambda: os.urandom(1),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "builtins.open": lambda: builtins.open(os.devnull).close(),  # noqa: PTH123
    "io.open": lambda: pathlib.Path(os.devnull).read_text(),
    "socket": lambda: socket.socket().close(),
    "Popen": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
    "Thread.start": lambda: threading.Thread(target=int).start(),
    "asyncio.run": lambda: run_nothing(),
}
INSTEAD = {
    "time.time": "workflow.now",
    "time.sleep": "await workflow.sleep",
    "random.random": "workflow.random()",
    "uuid.uuid4": "workflow.uuid4()",
    "builtins.open": "an activity",
    "Thread.start": "asyncio.create_task",
}


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, name: str, passing: bool) -> str:
        if not passing:
            CALLS[name]()
            return "called"
        with workflow.unsafe.sandbox_unrestricted():
            await asyncio.sleep(0)
            CALLS[name]()
        assert not workflow.unsafe.is_sandbox_unrestricted()
        return "passed"


@pytest.mark.parametrize("name", CALLS)
def test_a_workflow_may_not_call(name: str) -> None:
    with pytest.raises(workflow.ForbiddenCallError) as caught:
        Driver(Calls, name, False).start()
    text = str(caught.value)
    line = CALLS[name].__code__.co_firstlineno
    if name != "asyncio.run":  # called by a helper, on a line of its own
        assert text.startswith(f"{__file__}:{line}: workflow code called ")
    assert name.rsplit(".", maxsplit=1)[-1] in text
    assert INSTEAD.get(name, "use ") in text


@pytest.mark.parametrize("name", [name for name in CALLS if name != "asyncio.run"])
def test_a_call_may_be_let_through(name: str) -> None:
    assert result(Driver(Calls, name, True).start()) == "passed"


@pytest.mark.parametrize("name", CALLS)
def test_outside_of_workflows_nothing_is_forbidden(name: str) -> None:
    guards.install()
    guards.install()
    CALLS[name]()


@workflow.defn
class Imports:
    @workflow.run
    async def run(self) -> str:
        importlib.import_module("looks_at_the_clock")
        workflow.logger.warning("a log line")
        logging.getLogger("other").warning("another")
        try:
            _ = 1 // 0
        except ZeroDivisionError:
            workflow.logger.exception("with a traceback")
        return "fine"


def test_imports_and_logging_are_not_guarded(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "looks_at_the_clock.py"
    module.write_text("import time, uuid\nNOW = time.time(), uuid.uuid4()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        assert result(Driver(Imports).start()) == "fine"
    finally:
        logging.getLogger().removeHandler(handler)
    assert "ZeroDivisionError" in stream.getvalue()


@workflow.defn
class Blocks:
    @workflow.run
    async def run(self) -> str:
        with workflow.unsafe.sandbox_unrestricted():
            found: list[float] = []
            thread = threading.Thread(target=lambda: found.append(time.time()))
            thread.start()
            thread.join()
        return "other threads are free" if found else "not"


def test_other_threads_are_free_while_a_workflow_runs() -> None:
    assert result(Driver(Blocks).start()) == "other threads are free"


def test_a_guarded_function_binds_to_no_self_as_a_builtin_does() -> None:
    guards.install()

    class Holder:
        clock = time.time
        draw = random.random

    assert Holder().clock() > 0  # type: ignore[misc]
    assert 0 <= Holder().draw() < 1


def reads_the_clock() -> None:
    class Clock:
        async def run(self) -> None:
            self.at = [dt.datetime.now(dt.UTC)]
            self.later = [date.today() for _ in range(2)]  # noqa: DTZ011
            self.fine = dt.timedelta(1), workflow.now()

    sites = datetime_calls(Clock)
    line = Clock.run.__code__.co_firstlineno
    assert sites == [
        f"{__file__}:{line + 1}: datetime.now()",
        f"{__file__}:{line + 2}: date.today()",
    ]


def test_datetime_now_is_found_when_the_class_is_defined() -> None:
    reads_the_clock()
    with pytest.warns(RuntimeWarning, match=r"use workflow\.now"):
        workflow.defn(ReadsClock)


class ReadsClock:
    @workflow.run
    async def run(self) -> str:
        return str(dt.datetime.now(dt.UTC))
