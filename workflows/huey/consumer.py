"""Huey's consumer as a host of the runtime: its threads or processes are the slots."""

import logging
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from huey.consumer import BaseProcess, Consumer, Worker, WorkerRecycle

from workflows.engine.schedule import format_timetable, next_slot
from workflows.exceptions import StoreError
from workflows.huey.async_slots import AsyncSlots
from workflows.huey.handler import HueyHandler, install_interrupt_handler
from workflows.huey.workflow_host import WorkflowHosts
from workflows.job_type import milliseconds
from workflows.runtime.ids import new_id
from workflows.runtime.lease import MS
from workflows.runtime.parent_close import ParentClose
from workflows.runtime.process import JobProcess, ProcessOptions
from workflows.runtime.ticker import Ticker, TickerOptions
from workflows.store import Schedule

if TYPE_CHECKING:
    from workflows.huey.instance import WorkflowHuey

logger = logging.getLogger("workflows.huey")

RETRY_S = 1.0
GRACE_S = 30.0  # of a graceful stop for activities, if the consumer was given none
PARENT_CLOSE_NS = 1000 * MS  # workflow workers look more often


class SlotWorker(Worker):  # type: ignore[misc]  # Huey ships no types
    """One slot: takes a job from its process's pool, runs it, hands in its end."""

    consumer: "WorkflowConsumer"

    def initialize(self) -> None:
        """Join the process's pool; in a forked child, start that process first."""
        super().initialize()
        self._process, self._handler = self.consumer.enter()

    def loop(self, now: Any = None) -> None:
        """Run one job."""
        pool = self._process.threads
        lease = pool.take()
        if lease is None:
            if not self.stop_flag.is_set():  # an orphan: its parent will not stop it
                raise KeyboardInterrupt
            return
        pool.end(lease, self._handler.run(lease))
        self.task_count += 1
        if self.max_tasks and self.task_count >= self.max_tasks:
            raise WorkerRecycle

    def shutdown(self) -> None:
        """Write this slot's last end; in a forked child, end its process."""
        self._process.threads.flush()
        self.consumer.leave()
        super().shutdown()


class TickScheduler(BaseProcess):  # type: ignore[misc]  # Huey ships no types
    """Huey's scheduler, replaced by the ticker."""

    process_name = "Scheduler"
    consumer: "WorkflowConsumer"

    def __init__(
        self, huey: "WorkflowHuey", stop_flag: Any, interval: int, periodic: bool
    ) -> None:
        super().__init__(huey, stop_flag)
        self._periodic = periodic
        self._ticker: Ticker | None = None
        self._failing = False

    def loop(self, now: Any = None) -> None:
        """Do what is due, then sleep until something is, or until the stop."""
        if self.consumer.orphaned:
            raise KeyboardInterrupt
        if self._ticker is None:
            try:
                declare(self.huey)
            except StoreError as error:
                if not self._failing:
                    logger.warning("declare_failed error=%s", error)
                self._failing = True
                self.stop_flag.wait(RETRY_S)
                return
            self._ticker = make_ticker(self.huey, periodic=self._periodic)
        try:
            pause = self._ticker.step()
        except Exception:
            logger.exception("ticker_failed")
            pause = RETRY_S
        self.stop_flag.wait(pause)


class WorkflowConsumer(Consumer):  # type: ignore[misc]  # Huey ships no types
    """Runs threads in this process, or forked processes with one slot each."""

    worker_class = SlotWorker
    scheduler_class = TickScheduler

    def __init__(self, huey: "WorkflowHuey", **options: Any) -> None:
        self._parent = os.getpid()
        self._process: JobProcess | None = None
        self._handler = HueyHandler(huey)
        self._async: AsyncSlots | None = None
        self._workflows: WorkflowHosts | None = None
        self._entering = threading.Lock()
        self._abandoned = False
        self._hurried = False
        super().__init__(huey, **options)

    def get_environment(self, worker_type: str) -> Any:
        """Return Huey's means of starting workers. Raises ValueError (greenlets)."""
        if worker_type not in {"thread", "process"}:
            msg = "worker type must be thread or process; greenlets are not supported"
            raise ValueError(msg)
        return super().get_environment(worker_type)

    def _create_worker(self) -> SlotWorker:
        worker: SlotWorker = super()._create_worker()
        worker.consumer = self
        return worker

    def _create_scheduler(self) -> TickScheduler:
        scheduler: TickScheduler = super()._create_scheduler()
        scheduler.consumer = self
        return scheduler

    # -- one process -----------------------------------------------------------------

    @property
    def forks(self) -> bool:
        """Whether each worker is a process of its own."""
        return bool(self.environment.forks)

    @property
    def orphaned(self) -> bool:
        """Whether this is a forked child whose consumer is gone."""
        return os.getpid() != self._parent and os.getppid() != self._parent

    def enter(self) -> tuple[JobProcess, HueyHandler]:
        """Return the running side of the calling process, started on first use."""
        with self._entering:
            if self._process is None:
                self._process = self._start_process()
            return self._process, self._handler

    def leave(self) -> None:
        """In a forked child: its only slot ends, so its process does."""
        if self.forks and self._process is not None:
            self._stop_process(0.0 if self.huey.interrupting else self._grace_s)

    def _start_process(self) -> JobProcess:
        huey = self.huey
        if self.forks:
            install_interrupt_handler()
            signal.signal(self._interrupt_sig, self._interrupted)
        options = ProcessOptions(
            threads=huey.jobs.types_by_queue(is_async=False),
            loop=huey.jobs.types_by_queue(is_async=True),
            slots=1 if self.forks else self.workers,
            loop_slots=huey.async_slots,
            weights=huey.weights,
            lease_ms=huey.lease_ms,
            schedules=tuple(huey.jobs.repeats),
            kill_stuck=self.forks,
        )
        process = JobProcess(
            huey.store,
            self._handler,
            options,
            stop_wanted=self._stop_wanted,
            on_revocations=self._hear_revocations,
        )
        process.start()
        if process.loop is not None:
            self._async = AsyncSlots(process.loop, self._handler)
            self._async.start()
        if huey.workflows:
            self._workflows = WorkflowHosts(
                huey.store,
                huey.workflows,
                threads=2 if self.forks else self.workers,
                lease_ms=huey.lease_ms,
                sweep_interval_ms=huey.sweep_interval_ms,
                namespace=huey.name,
                limits=huey.limits,
            )
            self._workflows.start()
        return process

    def _interrupted(self, _signum: int, _frame: object) -> None:
        """The parent's grace is over: what a forked child runs is given back."""
        if self.huey._tasks_in_flight:
            self.huey.interrupting = True
            raise KeyboardInterrupt

    def _hear_revocations(self, exist: bool) -> None:
        self.huey.revocations_exist = exist

    def _stop_wanted(self) -> bool:
        return self.orphaned or bool(self.stop_flag.is_set())

    @property
    def _grace_s(self) -> float:
        """How long activities may go on in a graceful stop."""
        given = self.shutdown_timeout
        return GRACE_S if given is None else float(given)

    def _stop_process(self, grace_s: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.stop_claiming()
        if self._async is not None:
            self._async.stop()
        if self._workflows is not None:
            self._workflows.stop(grace_s)
        process.stop()

    # -- the consumer ----------------------------------------------------------------

    def start(self) -> None:
        """Start the slots and the ticker.

        The signal handlers come first: a stop right after the start is a stop too.
        """
        self._set_signal_handlers()
        huey = self.huey
        logging.getLogger("huey.consumer").debug("store %s", huey.storage.name)
        super().start()

    def stop(self, graceful: bool = False) -> None:
        """Stop: start nothing more, let jobs finish if graceful, give back the rest."""
        self.stop_flag.set()
        self.huey.interrupting = not graceful
        until = time.monotonic() + self._grace_s
        if self._process is not None:
            self._process.stop_claiming()
            if self._workflows is not None:
                self._workflows.stop_claiming()
            if graceful and self._async is not None:
                self._async.drain(self.shutdown_timeout)
        super().stop(graceful)
        self.huey.interrupting = True
        self._abandoned = bool(self.huey._tasks_in_flight) and not self.forks
        if not self.forks:
            left = max(until - time.monotonic(), 0.0)
            self._stop_process(0.0 if self._hurried else left)

    def _interrupt_workers(self) -> None:
        """Wait no longer: the grace is over, or somebody asked twice."""
        self._hurried = True
        super()._interrupt_workers()

    def run(self) -> None:
        """Run until a signal ends it."""
        super().run()
        if self._abandoned:  # threads still run jobs that were given back: no more
            logging.shutdown()
            os._exit(0)


# -- what code declares --------------------------------------------------------------


def declare(huey: "WorkflowHuey") -> None:
    """Make queues, limits and schedules of the code known to the store. Repeatable."""
    for job_type in huey.job_types.values():
        huey.store.declare_queue(job_type.queue, job_type.limits)
    now = huey.store.now()
    for repeat in huey.jobs.repeats.values():
        job_type = repeat.job_type
        schedule = Schedule(
            id=repeat.id,
            queue=job_type.queue,
            type=job_type.name,
            payload=repeat.payload,
            spec=format_timetable(repeat.timetable),
            priority=job_type.priority,
            max_stalls=job_type.max_stalls,
            expires_ms=milliseconds(job_type.expires) if job_type.expires else None,
            next_at=next_slot(repeat.timetable.spec, now),
            declared=True,
        )
        huey.store.upsert_schedule(schedule)


def make_ticker(huey: "WorkflowHuey", *, periodic: bool = True) -> Ticker:
    """Return a ticker for all that an instance declares."""
    options = TickerOptions(
        timetables={one.id: one.timetable for one in huey.jobs.repeats.values()},
        retention={
            job_type.queue: (job_type.keep_completed, job_type.keep_failed)
            for job_type in huey.job_types.values()
        },
        sweep_interval_ms=huey.sweep_interval_ms,
        periodic=periodic,
    )
    owner = f"{socket.gethostname()}:{os.getpid()}"
    parent_close = ParentClose(
        huey.store, new_id, identity=socket.gethostname(), owner=owner
    )
    return Ticker(huey.store, options, chores=[(PARENT_CLOSE_NS, parent_close.step)])
