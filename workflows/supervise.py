"""Child processes that begin and end together: what `workflows run` is made of."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Self

_POLL_S = 0.1


class ProcessGroup:
    """Starts processes, watches them, and stops all as soon as one ends.

    Each child has a process group of its own, so that Ctrl-C in a terminal reaches
    this process only, which then asks every child to stop (SIGTERM). Nothing is
    restarted. A second Ctrl-C, or the end of the grace, kills what is left.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._signals = 0

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing running, whatever went wrong."""
        self._kill()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self._signals > 0

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a child under a name for messages."""
        self._children[name] = subprocess.Popen(  # noqa: S603 - our own command lines
            command, env=self._env, process_group=0, stdin=subprocess.DEVNULL
        )

    def ended(self) -> dict[str, int]:
        """Return the exit codes of the children that have ended."""
        codes = {name: child.poll() for name, child in self._children.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def watch(self) -> int:
        """Wait until a stop is asked for or a child ends by itself; stop the others.

        Returns 0 if it was asked to stop and every child then ended cleanly, else 1.
        """
        while not self.stopping and not self.ended():
            time.sleep(_POLL_S)
        return self.stop()

    def stop(self, grace_s: float = 60.0) -> int:
        """Ask every child to stop and wait for it; returns as `watch` does."""
        early = self.ended()
        for name, code in early.items():
            _say(f"{name} ended by itself ({_describe(code)}); stopping the rest")
        seen, until = self._signals, time.monotonic() + grace_s
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        while len(self.ended()) < len(self._children):
            if self._signals > seen or time.monotonic() > until:
                _say("killing what has not stopped; its jobs run again later")
                self._kill()
                return 1
            time.sleep(_POLL_S)
        late = {n: c for n, c in self.ended().items() if c and n not in early}
        for name, code in late.items():
            _say(f"{name} did not stop cleanly ({_describe(code)})")
        return 1 if early or late else 0

    def _kill(self) -> None:
        for child in self._children.values():
            if child.poll() is None:
                child.kill()
            child.wait()


def _describe(code: int) -> str:
    """Say how a process ended."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _say(message: str) -> None:
    sys.stderr.write(f"workflows run: {message}\n")
    sys.stderr.flush()
