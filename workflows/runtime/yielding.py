"""Workflow code that does not yield: interrupted, so that its task fails and is seen.

Otherwise a loop without an `await` would keep a thread and its run for ever, with a
lease that is renewed, and look as if it worked.
"""

import sys
import threading
from collections.abc import Sequence

from workflows.engine.activation import Activation
from workflows.engine.commands import Command
from workflows.engine.workflow_instance import WorkflowInstance
from workflows.exceptions import JobInterrupt
from workflows.runtime.lease import MS, boot_ns, thread_interrupter

LIMIT_MS = 10_000
LOOKS = 8  # in the time of the limit


class UnyieldingError(RuntimeError):
    """Workflow code ran for too long without an `await`: its task fails."""


class NotYielding(JobInterrupt):
    """Raised inside workflow code that does not yield."""


class Guard:
    """One activation under way in one thread; interrupted at most as long as it runs.

    `at`: where it was when it was interrupted first; empty: it was not.
    """

    __slots__ = ("_ident", "_lock", "_open", "at", "since")

    def __init__(self) -> None:
        self.since = boot_ns()
        self.at = ""
        self._ident = threading.get_ident()
        self._open = True
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """Interrupt the activation, unless it is over; anew if it goes on (`since`)."""
        with self._lock:
            if self._open:
                self.since = boot_ns()
                self.at = self.at or _place(self._ident)
                thread_interrupter(self._ident)(NotYielding)

    def close(self) -> None:
        """The activation is over; take back an interrupt not yet delivered."""
        with self._lock:
            self._open = False
            if self.at:
                thread_interrupter(self._ident)(None)


class Watch:
    """Looks after the activations of one process; without `start` it only listens."""

    def __init__(self, limit_ms: int | None = LIMIT_MS) -> None:
        """`limit_ms` None: there is no limit."""
        self.limit_ms = limit_ms
        self.guards: set[Guard] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        if self.limit_ms is not None:
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def _run(self) -> None:
        limit_ms = self.limit_ms or LIMIT_MS
        while not self._stopped.wait(limit_ms / LOOKS / 1000):
            now = boot_ns()
            for guard in [*self.guards]:
                if now - guard.since > limit_ms * MS:
                    guard.interrupt()


class WatchedInstance:
    """A live workflow whose activations a Watch looks after."""

    def __init__(self, inner: WorkflowInstance, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def activate(self, activation: Activation) -> Sequence[Command]:
        """See `WorkflowInstance.activate`. UnyieldingError if it took too long."""
        guard = Guard()
        commands: Sequence[Command] = ()
        try:
            commands = self._guarded(guard, activation)
        except (Exception, NotYielding):
            if not guard.at:
                raise
        finally:
            self._watch.guards.discard(guard)
        if guard.at:
            msg = (
                f"Potential deadlock detected: workflow didn't yield within "
                f"{(self._watch.limit_ms or LIMIT_MS) / 1000:g} second(s), "
                f"at {guard.at}; await something, or do the work in an activity"
            )
            raise UnyieldingError(msg)
        return commands

    def _guarded(self, guard: Guard, activation: Activation) -> Sequence[Command]:
        """Activate it so that interrupts reach it, and nothing after it."""
        try:
            self._watch.guards.add(guard)
            return self._inner.activate(activation)
        finally:
            try:
                guard.close()
            except NotYielding:
                guard.close()
                raise

    def await_site(self) -> str:
        """See `WorkflowInstance.await_site`."""
        return self._inner.await_site()

    def evict(self) -> None:
        """See `WorkflowInstance.evict`."""
        self._inner.evict()


def _place(ident: int) -> str:
    """Return where a thread is in its code."""
    frame = sys._current_frames().get(ident)  # noqa: SLF001 - the documented way
    if frame is None:
        return "an unknown place"
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
