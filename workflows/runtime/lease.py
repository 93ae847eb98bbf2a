"""A granted job inside this process: when it may start, and how to interrupt it."""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from workflows.exceptions import JobInterrupt
from workflows.store import LeasedJob, Settlement, SettleStatus

MS = 1_000_000  # ns
T = TypeVar("T")


def boot_ns() -> int:
    """Return the boot-time clock: monotonic, and it counts suspended time too."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Ended(NamedTuple):
    """How a run ended: what to write, and what to tell once the write answered."""

    settlement: Settlement
    after: Callable[[SettleStatus], None] | None = None


class Handler(Protocol):
    """Runs one job; the host brings it."""

    def run(self, lease: "Lease") -> Ended:
        """Run the job to its end. Never raises."""

    def timed_out(self, lease: "Lease") -> Ended:
        """Decide for a job whose time is up while its function runs. Never raises."""


class Lease:
    """A job this process holds, from its grant until its settlement is written.

    At most one interrupt is ever delivered to a run, and none after it finished:
    `begin` and `finish` bracket the user's function, under the lock that `interrupt`
    takes.
    """

    __slots__ = (
        "_lock",
        "_running",
        "deadline_ns",
        "ends_ns",
        "granted_ns",
        "interrupt_type",
        "interrupter",
        "job",
        "killed_ns",
        "lost",
        "settled",
        "started",
    )

    def __init__(self, job: LeasedJob, *, ends_ns: int, granted_ns: int) -> None:
        self.job = job
        self.ends_ns = ends_ns  # nothing starts after this (boot-time clock)
        self.granted_ns = granted_ns
        self.started = False
        self.settled = False  # by a timeout; the function's own end is refused
        self.lost = False
        self.deadline_ns: int | None = None
        self.killed_ns: int | None = None  # when the timeout was delivered
        self.interrupt_type: type[JobInterrupt] | None = None
        self.interrupter: Callable[[type[JobInterrupt] | None], None] | None = None
        self._lock = threading.Lock()
        self._running = False

    @property
    def suspect(self) -> bool:
        """Whether the job stalled before: it may take this process down."""
        return self.job.stalls > 0

    @property
    def running(self) -> bool:
        """Whether the user's function is being called right now."""
        return self._running

    def startable(self, now_ns: int) -> bool:
        """Whether the job may still start here."""
        return not self.lost and now_ns < self.ends_ns

    def begin(
        self,
        interrupter: Callable[[type[JobInterrupt] | None], None],
        timeout_ns: int | None,
    ) -> None:
        """Enter the user's function: from here on interrupts are delivered."""
        with self._lock:
            self.interrupter = interrupter
            self._running = True
            if timeout_ns is not None:
                self.deadline_ns = boot_ns() + timeout_ns

    def finish(self) -> None:
        """Leave the user's function; takes back an interrupt not yet delivered."""
        with self._lock:
            was_running, self._running = self._running, False
            self.deadline_ns = None
            if was_running and self.interrupt_type and self.interrupter:
                self.interrupter(None)

    def interrupt(self, kind: type[JobInterrupt]) -> bool:
        """Deliver `kind` to the running function; False if too late or repeated."""
        with self._lock:
            if not self._running or self.interrupt_type or self.interrupter is None:
                return False
            self.interrupt_type = kind
            self.interrupter(kind)
            return True


def thread_interrupter(ident: int) -> Callable[[type[JobInterrupt] | None], None]:
    """Return what raises an exception in a thread when it next runs Python code.

    None takes back one that was not raised yet.
    """

    def deliver(kind: type[JobInterrupt] | None) -> None:
        target = ctypes.py_object(kind) if kind else ctypes.py_object()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), target)

    return deliver


def guarded(
    lease: Lease,
    function: Callable[[], T],
    *,
    interrupter: Callable[[type[JobInterrupt] | None], None],
    timeout_ns: int | None,
) -> T:
    """Call the user's function so that interrupts reach it, and nothing after it.

    An interrupt that strikes between the function's last line and `finish` is raised
    here, inside the bracket, and so counts as having hit the function.
    """
    try:
        lease.begin(interrupter, timeout_ns)
        return function()
    finally:
        try:
            lease.finish()
        except JobInterrupt:
            lease.finish()
            raise
