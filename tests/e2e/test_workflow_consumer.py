"""`huey_consumer` with workflows, stopped in the middle of an activity."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from workflows.client import BlockingClient

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
FLOWS = """
import os, time
from datetime import timedelta
from pathlib import Path

from workflows import activity, workflow
from workflows.app import huey


def note(name: str) -> None:
    with Path("notes").open("a") as notes:
        notes.write(f"{name} {activity.info().attempt} {os.getpid()}\\n")


@activity.defn
def first() -> None:
    note("first")
    time.sleep(2)


@activity.defn
def second() -> None:
    note("second")


@workflow.defn
class Two:
    @workflow.run
    async def run(self) -> str:
        for each in (first, second):
            await workflow.execute_activity(
                each, start_to_close_timeout=timedelta(minutes=1)
            )
        return "done"


huey.register_workflows("two", workflows=[Two], activities=[first, second])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKFLOWS_STORE", f"sqlite:///{tmp_path}/flows.db")
    monkeypatch.setenv("WORKFLOWS_IMPORTS", "flows")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    return tmp_path


@contextmanager
def consumer(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = (sys.executable, "-m", "huey.bin.huey_consumer", "workflows.main.huey")
    process = subprocess.Popen(
        [*command, "-g", "TERM", *options], stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def notes(folder: Path, count: int) -> list[list[str]]:
    """Wait for so many notes of activities."""
    path, until = folder / "notes", time.monotonic() + 30
    while time.monotonic() < until:
        found = path.read_text().splitlines() if path.exists() else []
        if len(found) >= count:
            return [line.split() for line in found]
        time.sleep(0.02)
    raise AssertionError(f"there are no {count} notes")


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_stop_lets_an_activity_end_and_begins_no_other(
    folder: Path, kind: str
) -> None:
    client = BlockingClient.connect()
    handle = client.start_workflow("Two", id="two", task_queue="two")
    with consumer("-k", kind, "-w", "1", "-t", "20") as stopping:
        notes(folder, 1)
        stopping.send_signal(signal.SIGTERM)
        assert stopping.wait(timeout=30) == 0
    assert [name for name, _, _ in notes(folder, 1)] == ["first"]
    with consumer("-k", kind, "-w", "1"):
        assert handle.result(rpc_timeout=timedelta(seconds=30)) == "done"
    ran = notes(folder, 2)
    assert [(name, attempt) for name, attempt, _ in ran] == [
        ("first", "1"),
        ("second", "1"),
    ]
    assert len({pid for _, _, pid in ran}) == 2
    assert client.store.fsck() == []
