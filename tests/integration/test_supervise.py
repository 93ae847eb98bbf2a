"""A process group: all children end together, and the exit code says how."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from workflows.supervise import ProcessGroup

OBEDIENT = (  # no pause(): a signal just before it would be waited for for ever
    "import os, signal, sys, time;"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.write(1, b'up\\n');"
    "[time.sleep(0.02) for _ in iter(int, 1)]"
)
STUBBORN = (
    "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "os.write(1, b'up\\n'); [signal.pause() for _ in iter(int, 1)]"
)
RUN = """
import os, sys
from workflows.supervise import ProcessGroup
with ProcessGroup(os.environ) as group:
    for name, code in zip(sys.argv[1::2], sys.argv[2::2]):
        group.start(name, [sys.executable, "-c", code])
    sys.exit(group.watch())
"""


@contextmanager
def running(**children: str) -> Iterator[subprocess.Popen[str]]:
    """A group of the given children, all of which said that they are up."""
    arguments = [word for pair in children.items() for word in pair]
    group = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert group.stdout is not None
        for code in children.values():  # one write each, so that no two lines mix
            if "up" in code:
                assert group.stdout.readline() == "up\n"
        yield group
    finally:
        while not _gone(group):  # its children hold the pipes: let it end them
            group.send_signal(signal.SIGINT)
        group.communicate()


def test_a_stop_that_every_child_obeys_is_a_success() -> None:
    with running(one=OBEDIENT, two=OBEDIENT) as group:
        group.send_signal(signal.SIGINT)
        _, errors = group.communicate(timeout=20)
        assert (group.returncode, errors) == (0, "")


def test_a_child_that_ends_by_itself_stops_the_others_and_fails_the_group() -> None:
    with running(one=OBEDIENT, two="raise SystemExit(0)") as group:
        _, errors = group.communicate(timeout=20)
        assert group.returncode == 1
        assert "two ended by itself (exit code 0)" in errors


def test_a_child_that_dies_of_the_stop_signal_did_not_stop_cleanly() -> None:
    with running(one="import signal; print('up', flush=True); signal.pause()") as group:
        group.send_signal(signal.SIGTERM)
        _, errors = group.communicate(timeout=20)
        assert group.returncode == 1
        assert "one did not stop cleanly (killed by SIGTERM)" in errors


def test_a_second_signal_kills_what_does_not_stop() -> None:
    with running(one=STUBBORN) as group:
        assert group.stderr is not None
        while group.poll() is None and not _gone(group):
            group.send_signal(signal.SIGINT)
        assert group.returncode == 1
        assert "killing" in group.stderr.read()


def _gone(group: subprocess.Popen[str]) -> bool:
    """Give the group a moment; return whether it has ended."""
    try:
        group.wait(timeout=0.3)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_leaving_the_group_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with ProcessGroup(os.environ) as group:
        group.start("one", [sys.executable, "-c", STUBBORN])
    assert list(group.ended()) == ["one"]
