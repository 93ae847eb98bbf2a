"""Runs one leased job as a Huey task, and decides how its lease ends.

Huey's own `execute` writes results, follow-ups and retries one by one after the
function; here they are one settlement. Signals and post-execute hooks fire when that
write has answered, in Huey's order.
"""

import asyncio
import datetime as dt
import logging
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from huey import signals
from huey.api import Task
from huey.exceptions import CancelExecution
from huey.utils import SKIPPED

from workflows.engine.failure import failure_of
from workflows.engine.states import DeadReason
from workflows.exceptions import (
    JobCancelled,
    JobInterrupt,
    JobTimeout,
    LeaseLost,
    PayloadError,
    StoreError,
    WorkflowsError,
)
from workflows.huey.context import current_lease
from workflows.huey.outcome import Outcome, failed, succeeded
from workflows.runtime.lease import MS, Ended, Lease, guarded, thread_interrupter
from workflows.store import Bury, Cancel, Expire, Release, Settlement, SettleStatus

if TYPE_CHECKING:
    from workflows.huey.instance import WorkflowHuey

logger = logging.getLogger("workflows.huey")

CANCELED = ((signals.SIGNAL_CANCELED, ()),)
INTERRUPTED = ((signals.SIGNAL_INTERRUPTED, ()),)
INTERRUPT_SIGNAL = signal.SIGUSR2  # interrupts a job that runs in a main thread


class HueyHandler:
    """The `Handler` of a Huey instance."""

    def __init__(self, huey: "WorkflowHuey") -> None:
        self._huey = huey

    def run(self, lease: Lease) -> Ended:
        """Run a job on the calling thread."""
        try:
            task = self.decode(lease)
            return task if isinstance(task, Ended) else self.run_task(lease, task)
        except BaseException as error:  # noqa: BLE001 - a hook may even exit
            return self._undecided(lease, error)

    def run_task(
        self, lease: Lease, task: Task, at: dt.datetime | None = None
    ) -> Ended:
        """Run a decoded job on the calling thread, as if it were `at`."""
        return self._hindered(lease, task, at) or self._call(lease, task)

    async def run_async(self, lease: Lease) -> Ended:
        """Run an `async def` job on the running loop."""
        try:
            task = self.decode(lease)
            if isinstance(task, Ended):
                return task
            return self._hindered(lease, task) or await self._await(lease, task)
        except BaseException as error:  # noqa: BLE001 - a hook may even exit
            return self._undecided(lease, error)

    def timed_out(self, lease: Lease) -> Ended:
        """Decide for a job whose time is up; its function still runs."""
        try:
            task = self._huey.translation.load(lease, collect=False)
            error = JobTimeout(f"ran longer than {task.timeout}s")
            return failed(self._huey, lease, task, error, linger=True).ended()
        except Exception as error:  # noqa: BLE001 - its time is up whatever fails here
            return self._bury(lease, error, DeadReason.TIMEOUT, linger=True)

    # -- before ----------------------------------------------------------------------

    def _hindered(
        self, lease: Lease, task: Task, at: dt.datetime | None = None
    ) -> Ended | None:
        """Ask all that may keep the job from running; None lets it run."""
        huey, job = self._huey, lease.job
        kind: type[Cancel | Expire]
        if self._revoked(task, at):
            kind, emitted = Cancel, signals.SIGNAL_REVOKED
        elif self._expired(task, at):
            kind, emitted = Expire, signals.SIGNAL_EXPIRED
        elif not self._pre_execute(task):
            kind, emitted = Cancel, signals.SIGNAL_CANCELED
        else:
            return None
        join = huey.translation.join_of(task, SKIPPED)
        settlement = kind(job_id=job.id, token=job.token, join=join)

        def tell(status: SettleStatus) -> None:
            if status is SettleStatus.LOST:
                return
            huey._emit(emitted, task)
            if emitted == signals.SIGNAL_REVOKED:
                huey.is_revoked(task, at, False)  # only now: it held for this run

        return Ended(settlement, tell)

    def decode(self, lease: Lease) -> Task | Ended:
        """Return the task of a lease, or the end of what cannot be one now or ever."""
        try:
            return self._huey.translation.load(lease)
        except StoreError as error:  # what a chord collects cannot be read now
            return self._undecided(lease, error)
        except Exception as error:
            logger.exception("undecodable job_id=%s", lease.job.id)
            if not isinstance(error, WorkflowsError):
                error = PayloadError(f"{type(error).__name__}: {error}")
            return self._bury(lease, error, DeadReason.UNDECODABLE, spend=False)

    def _undecided(self, lease: Lease, error: BaseException) -> Ended:
        """End a job that our own machinery failed around, so that no slot is held.

        If the store was away the job runs again; anything else would repeat for ever.
        """
        job = lease.job
        if isinstance(error, StoreError) or self._huey.interrupting:
            logger.warning("job_put_back job_id=%s error=%s", job.id, error)
            return Ended(Release(job_id=job.id, token=job.token, started=True))
        logger.error("job_undecided job_id=%s", job.id, exc_info=error)
        return self._bury(lease, error, DeadReason.NON_RETRYABLE)

    def _bury(
        self,
        lease: Lease,
        error: BaseException,
        reason: DeadReason,
        *,
        spend: bool = True,
        linger: bool = False,
    ) -> Ended:
        return Ended(
            Bury(
                job_id=lease.job.id,
                token=lease.job.token,
                failure=failure_of(error).to_json(),
                reason=reason,
                spend=spend,
                linger=linger,
            )
        )

    def _revoked(self, task: Task, at: dt.datetime | None) -> bool:
        huey = self._huey
        if not huey.revocations_exist:
            return False
        if huey.is_revoked(task, at):
            return True
        huey.is_revoked(task, at, False)  # let go of those whose time is over
        return False

    def _expired(self, task: Task, at: dt.datetime | None) -> bool:
        limit: dt.datetime | None = task.expires_resolved
        return limit is not None and limit < (at or self._huey._get_timestamp())

    def _pre_execute(self, task: Task) -> bool:
        self._huey._emit(signals.SIGNAL_EXECUTING, task)
        try:
            self._huey._run_pre_execute(task)
        except CancelExecution:
            return False
        return True

    # -- the call --------------------------------------------------------------------

    def _call(self, lease: Lease, task: Task) -> Ended:
        in_main = threading.current_thread() is threading.main_thread()
        interrupter = signal_interrupter if in_main else thread_interrupter
        flying = self._huey._tasks_in_flight
        reset = current_lease.set(lease)
        if task.timeout:
            task._deadline = time.monotonic() + task.timeout  # for check_timeout()
        try:
            flying.add(task)
            value = guarded(
                lease,
                task.execute,
                interrupter=interrupter(threading.get_ident()),
                timeout_ns=_timeout_ns(task),
            )
        except BaseException as error:  # noqa: BLE001 - SystemExit must not lose a job
            flying.discard(task)
            return self._raised(lease, task, error).ended()
        finally:
            flying.discard(task)
            current_lease.reset(reset)
        return self._returned(lease, task, value)

    async def _await(self, lease: Lease, task: Task) -> Ended:
        loop, running = asyncio.get_running_loop(), asyncio.current_task()
        assert running is not None  # noqa: S101 - inside a coroutine

        def interrupter(kind: type[JobInterrupt] | None) -> None:
            if kind is not None:
                loop.call_soon_threadsafe(running.cancel, kind)

        current_lease.set(lease)
        try:
            lease.begin(interrupter, _timeout_ns(task))
            coroutine: Coroutine[Any, Any, Any] = task.execute()
            value = await coroutine
        except asyncio.CancelledError as error:
            kind = lease.interrupt_type
            lease.finish()
            raised = kind("interrupted") if kind else error
            return self._raised(lease, task, raised).ended()
        except BaseException as error:  # noqa: BLE001 - SystemExit must not lose a job
            lease.finish()
            return self._raised(lease, task, error).ended()
        lease.finish()
        return self._returned(lease, task, value)

    # -- after -----------------------------------------------------------------------

    def _returned(self, lease: Lease, task: Task, value: Any) -> Ended:
        try:
            return succeeded(self._huey, lease, task, value).ended()
        except Exception as error:  # noqa: BLE001 - a result that cannot be kept
            return failed(self._huey, lease, task, error).ended()

    def _raised(self, lease: Lease, task: Task, error: BaseException) -> Outcome:
        job = lease.job
        if isinstance(error, JobCancelled):
            join = self._huey.translation.join_of(task, SKIPPED)
            settlement: Settlement = Cancel(job_id=job.id, token=job.token, join=join)
            return Outcome(self._huey, task, settlement, CANCELED)
        stopping = isinstance(error, KeyboardInterrupt) and self._huey.interrupting
        if stopping or isinstance(error, LeaseLost):
            settlement = Release(job_id=job.id, token=job.token, started=True)
            return Outcome(self._huey, task, settlement, INTERRUPTED)
        return failed(self._huey, lease, task, error)


def signal_interrupter(_ident: int) -> Callable[[type[JobInterrupt] | None], None]:
    """Return what interrupts the main thread, blocking calls included.

    Needs `install_interrupt_handler`; the lease that runs is the one interrupted.
    """

    def deliver(kind: type[JobInterrupt] | None) -> None:
        if kind is not None:
            signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT_SIGNAL)

    return deliver


def install_interrupt_handler() -> None:
    """Let INTERRUPT_SIGNAL raise, in the main thread, what its lease asks for."""

    def interrupt(_signum: int, _frame: object) -> None:
        lease = current_lease.get()
        if lease is not None and lease.interrupt_type is not None:
            kind = lease.interrupt_type
            if lease.running:
                raise kind(kind.__name__)

    signal.signal(INTERRUPT_SIGNAL, interrupt)


def _timeout_ns(task: Task) -> int | None:
    return round(task.timeout * 1000) * MS if task.timeout else None
