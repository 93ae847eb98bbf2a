"""Runs one attempt of an activity, whoever leased it, and says how it ended."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import get_ident
from typing import Any

from workflows.activity import (
    CURRENT,
    ActivityCancellationDetails,
    ActivityDefinition,
    CompleteAsyncError,
    Context,
    Flag,
    Info,
)
from workflows.common import Priority, RetryPolicy, span_to_json
from workflows.converter import RawValue, payload_from_json
from workflows.engine.activity_task import ActivityTask
from workflows.exceptions import (
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    JobCancelled,
    JobInterrupt,
)
from workflows.runtime.codec import SyncConverter
from workflows.runtime.heartbeats import Heart, Hearts
from workflows.runtime.lease import MS, Lease, boot_ns, guarded, thread_interrupter
from workflows.store import Deadlines, Store

logger = logging.getLogger("workflows.activity")

Json = dict[str, Any]
SAYS_ITSELF = {"nonRetryable", "nextRetryDelay"}  # an ApplicationError that did


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The activity returned."""

    result: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """The attempt raised; `failure` is Temporal's JSON."""

    failure: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class WasCancelled:
    """The activity ended by the cancellation that was asked for."""

    failure: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletesElsewhere:
    """It raised `raise_complete_async`."""


Outcome = Succeeded | Failing | WasCancelled | CompletesElsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityHost:
    """What a worker process gives to its activities.

    `loop` runs async ones; `executor` sync ones that are not inline (None: they run on
    the slot's own thread). `shutdown` is set when the worker stops.
    """

    store: Store
    converter: SyncConverter
    definitions: Mapping[str, ActivityDefinition]
    dynamic: ActivityDefinition | None
    hearts: Hearts
    shutdown: Flag
    namespace: str
    task_queue: str
    loop: asyncio.AbstractEventLoop | None = None
    client: Any = None

    def find(self, name: str) -> ActivityDefinition | None:
        """Return the activity of a type."""
        return self.definitions.get(name, self.dynamic)


def run_attempt(
    host: ActivityHost, task: ActivityTask, lease: Lease, *, local: bool = False
) -> Outcome:
    """Run the attempt on the calling thread (async functions on the host's loop).

    Never raises: whatever the function raises, `sys.exit()` too, fails the attempt.
    """
    definition = host.find(task.activity_type)
    if definition is None:
        return unheard_of(host, task, host.task_queue)
    run = _Run(host, task, lease, definition, local=local)
    if not local:
        host.hearts.add(run.heart)
    try:
        return run.outcome()
    finally:
        host.hearts.remove(run.heart)


class _Run:
    """One attempt under way."""

    def __init__(
        self,
        host: ActivityHost,
        task: ActivityTask,
        lease: Lease,
        definition: ActivityDefinition,
        *,
        local: bool,
    ) -> None:
        self._host = host
        self._task = task
        self._lease = lease
        self._definition = definition
        self._local = local
        self._running: asyncio.Task[Any] | None = None
        self._shields = 0
        self._held_back = False
        self._began_ns = boot_ns()
        job = lease.job
        self._context = Context(
            make_info=self._info,
            heartbeat=self._heartbeat,
            payload_converter=host.converter.payload_converter,
            worker_shutdown=host.shutdown,
            shield=None if definition.is_async else self._shield,
            client=host.client if definition.is_async else None,
        )
        timeout_ms = job.deadlines.heartbeat_ms if job.deadlines else None
        self.heart = Heart(
            host.store,
            job.id,
            job.token,
            rest_ns=host.hearts.throttle.rest_ns(timeout_ms),
            on_cancel=self._cancel,
        )

    # -- its end -----------------------------------------------------------------------

    def outcome(self) -> Outcome:
        """Run it and tell how it ended."""
        try:
            result = self._call(self._arguments())
            return Succeeded(result=self._host.converter.encode([result])[0])
        except CompleteAsyncError:
            self.heart.flush()
            return CompletesElsewhere()
        except (JobInterrupt, asyncio.CancelledError, CancelledError) as error:
            return self._interrupted(error)
        except BaseException as error:  # noqa: BLE001 - sys.exit() too ends it alone
            return self._failed(error)

    def _interrupted(self, error: BaseException) -> Outcome:
        details = self._context.details
        if details is not None and details.cancel_requested:
            given = error if isinstance(error, CancelledError) else CancelledError()
            return WasCancelled(failure=_failure(self._host, given))
        return self._failed(ApplicationError("", type="CancelledError"))

    def _failed(self, error: BaseException) -> Outcome:
        benign = (
            isinstance(error, ApplicationError)
            and error.category is ApplicationErrorCategory.BENIGN
        )
        level = logging.DEBUG if benign else logging.WARNING
        logger.log(
            level,
            "activity_failed type=%s attempt=%d workflow_id=%s",
            self._task.activity_type,
            self._lease.job.attempt,
            self._task.workflow_id,
            exc_info=error,
        )
        self.heart.flush()
        return Failing(failure=self._advised(_failure(self._host, error), error))

    def _advised(self, failure: Json, error: BaseException) -> Json:
        """Return the failure with what the activity's own retry policy says of it."""
        rule, job = self._definition.retry, self._lease.job
        info = dict(failure.get("applicationFailureInfo") or {})
        if rule is None or not info or info.keys() & SAYS_ITSELF:
            return failure
        ran_ms = (boot_ns() - self._began_ns) // MS
        elapsed = timedelta(milliseconds=job.started_at - job.created_at + ran_ms)
        advice = rule.decide(attempt=job.attempt, elapsed=elapsed, error=error)
        if advice.delay is None:
            info["nonRetryable"] = True
        else:
            info["nextRetryDelay"] = span_to_json(advice.delay)
        return {**failure, "applicationFailureInfo": info}

    # -- the call ----------------------------------------------------------------------

    def _arguments(self) -> list[Any]:
        payloads = self._host.converter.open(self._task.arguments)
        if self._definition.name is None:
            return [[RawValue(payload_from_json(each)) for each in payloads]]
        try:
            return self._host.converter.decode(payloads, self._definition.arg_types)
        except Exception as error:
            msg = "Failed decoding arguments"
            raise RuntimeError(msg) from error

    def _call(self, arguments: Sequence[Any]) -> Any:
        context = contextvars.copy_context()
        context.run(CURRENT.set, self._context)
        if self._definition.is_async:
            return self._call_async(arguments, context)
        return guarded(
            self._lease,
            lambda: context.run(self._definition.fn, *arguments),
            interrupter=self._thread_interrupter(),
            timeout_ns=None,
        )

    def _call_async(
        self, arguments: Sequence[Any], context: contextvars.Context
    ) -> Any:
        loop = self._host.loop
        if loop is None:
            msg = "an async activity needs the worker's event loop"
            raise RuntimeError(msg)
        done: Future[Any] = Future()

        async def main() -> Any:
            self._running = asyncio.current_task()
            if self._context.cancelled.is_set():
                raise asyncio.CancelledError
            try:
                return await self._definition.fn(*arguments)
            except (SystemExit, KeyboardInterrupt) as error:
                raise _LeftError(error) from None  # asyncio would end the whole loop

        def start() -> None:
            task = context.run(loop.create_task, main())
            task.add_done_callback(lambda ended: _hand_over(ended, done))

        loop.call_soon_threadsafe(start)
        try:
            return done.result()
        except _LeftError as left:
            raise left.error from None

    # -- cancellation ------------------------------------------------------------------

    def _cancel(self, details: ActivityCancellationDetails) -> None:
        """Tell the activity to end (heartbeat thread)."""
        self._context.details = details
        self._context.cancelled.set()
        if self._definition.is_async:
            loop, running = self._host.loop, self._running
            if loop is not None and running is not None:
                loop.call_soon_threadsafe(running.cancel)
        elif not self._definition.no_thread_cancel_exception:
            if self._shields:
                self._held_back = True
            else:
                self._lease.interrupt(JobCancelled)

    def _thread_interrupter(self) -> Callable[[type[JobInterrupt] | None], None]:
        return thread_interrupter(get_ident())

    @contextmanager
    def _shield(self) -> Iterator[None]:
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if not self._shields and self._held_back:
                self._held_back = False
                raise CancelledError

    # -- what it can ask ---------------------------------------------------------------

    def _heartbeat(self, *details: Any) -> None:
        if self._local:
            return
        self.heart.record(self._host.converter.encode_bytes(details))

    def _info(self) -> Info:
        task, job, spans = self._task, self._lease.job, self._lease.job.deadlines
        spans = spans or Deadlines()
        return Info(
            activity_id=task.activity_id,
            activity_type=task.activity_type,
            attempt=job.attempt,
            current_attempt_scheduled_time=_time(job.ready_at),
            heartbeat_details=self._host.converter.decode_bytes(job.details),
            heartbeat_timeout=_span(spans.heartbeat_ms),
            is_local=self._local,
            namespace=task.namespace,
            schedule_to_close_timeout=_span(spans.schedule_to_close_ms),
            scheduled_time=_time(job.created_at),
            start_to_close_timeout=_span(spans.start_to_close_ms),
            started_time=_time(job.started_at),
            task_queue=job.queue,
            task_token=f"{job.id} {job.token}".encode(),
            workflow_id=task.workflow_id,
            workflow_namespace=task.namespace,
            workflow_run_id=task.run_id,
            workflow_type=task.workflow_type,
            priority=Priority(priority_key=task.priority or None),
            retry_policy=(
                RetryPolicy.from_json(task.retry_policy) if task.retry_policy else None
            ),
        )


class _LeftError(Exception):
    """An async activity raised what ends a program."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def _hand_over(task: "asyncio.Task[Any]", done: "Future[Any]") -> None:
    """Give a task's end to the thread that waits for it."""
    if task.cancelled():
        done.set_exception(asyncio.CancelledError())
        return
    error = task.exception()
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(task.result())


def unheard_of(host: ActivityHost, task: ActivityTask, queue: str) -> Failing:
    """Return how an attempt in a queue ends whose type is not known there."""
    known = ", ".join(sorted(host.definitions) if queue == host.task_queue else ())
    error = ApplicationError(
        f"Activity function {task.activity_type} for workflow {task.workflow_id} "
        f"is not registered on this worker, available activities: {known}",
        type="NotFoundError",
    )
    return Failing(failure=_failure(host, error))


def _failure(host: ActivityHost, error: BaseException) -> Json:
    return host.converter.failure(error)


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def _span(ms: int | None) -> timedelta | None:
    return None if ms is None else timedelta(milliseconds=ms)
