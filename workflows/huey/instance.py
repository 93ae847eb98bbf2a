"""`WorkflowHuey`: a Huey whose tasks are leased jobs in a durable store."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from huey import signals
from huey.api import Huey, PeriodicTask, ResultGroup, Task, chord, group
from huey.exceptions import ConfigurationError, HueyException
from huey.storage import MemoryStorage
from huey.utils import Error, normalize_expire_time, normalize_time
from pydantic import BaseModel

from workflows.engine.retry import BackoffRule, RetryRule, retry_rule
from workflows.engine.states import JobState
from workflows.exceptions import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
)
from workflows.huey import message
from workflows.huey.consumer import WorkflowConsumer
from workflows.huey.context import job_context
from workflows.huey.options import limits_of, retention_of, timeout_of
from workflows.huey.repeat import Repeat, naive, periodic
from workflows.huey.runner import claim_one, run_claimed
from workflows.huey.serializer import JsonSerializer, register_error
from workflows.huey.storage import HueyStorage
from workflows.huey.wrapper import JobResult, JobWrapper, check_payload_model
from workflows.job_type import (
    KEEP_ALL,
    KEEP_COMPLETED,
    MAX_PRIORITY,
    JobType,
    milliseconds,
    new_job,
)
from workflows.runtime.lease import Lease
from workflows.runtime.process import new_id
from workflows.store import Enqueued, JobRecord, Join, NewJob, Store, StoreOptions
from workflows.stores import open_store

Plain = Callable[..., Any]


class WorkflowHuey(Huey):  # type: ignore[misc]  # Huey ships no types
    """A Huey that loses nothing: `WorkflowHuey("shop", url="sqlite:///shop.db")`.

    `url`: `sqlite:///path`, `redis://…`; `name` is the namespace in the store unless
    `options` says another. `lease` (seconds): how long a silent worker keeps its jobs;
    `sweep_interval` (seconds): how often expired leases are looked for; `weights`:
    queue → its part of the slots (default 1); `async_slots`: `async def` jobs at once
    per process; `errors`: your exception classes that `on_error` tasks get as
    themselves. Everything else is Huey's. docs/huey.md says what differs.
    """

    def __init__(
        self,
        name: str = "workflows",
        *,
        url: str | None = None,
        store: Store | None = None,
        options: StoreOptions | None = None,
        lease: float = 30.0,
        sweep_interval: float = 5.0,
        weights: Mapping[str, int] | None = None,
        async_slots: int = 256,
        errors: Iterable[type[Exception]] = (),
        **settings: Any,
    ) -> None:
        if (url is None) == (store is None) and not settings.get("immediate"):
            msg = "give exactly one of url= and store="
            raise ConfigurationError(msg)
        self._store = store
        if store is None and url is not None:
            self._store = open_store(url, options or StoreOptions(namespace=name))
        self.lease_ms = round(lease * 1000)
        self.sweep_interval_ms = round(sweep_interval * 1000)
        self.weights = dict(weights or {})
        self.async_slots = async_slots
        self.job_types: dict[str, JobType] = {}
        self.repeats: dict[str, Repeat] = {}
        self.revocations_exist = True  # until a claim says otherwise
        self.interrupting = False  # the process was told to drop what it runs
        self._classes: dict[str, type[Task]] = {}
        for kind in errors:
            register_error(kind)
        self._next_delay: ContextVar[int | None] = ContextVar("delay", default=None)
        settings.setdefault("serializer", JsonSerializer())
        super().__init__(name, **settings)

    @property
    def store(self) -> Store:
        """The store behind this instance."""
        if self._store is None:
            msg = "this instance has no store: it was made for immediate mode only"
            raise ConfigurationError(msg)
        return self._store

    # -- Huey's seams ----------------------------------------------------------------

    def get_storage(self, **options: Any) -> HueyStorage:
        """Return the storage face of the store."""
        return HueyStorage(self.name, self.store, utc=self.utc, **options)

    def get_task_wrapper_class(self) -> type[JobWrapper]:
        """Return what decorated functions become."""
        return JobWrapper

    def create_consumer(self, **options: Any) -> WorkflowConsumer:
        """Return the consumer that `huey_consumer` runs."""
        return WorkflowConsumer(self, **options)

    def enqueue(self, task: Any) -> Any:
        """Enqueue a task, a group or a chord; it is durable when this returns."""
        if self._immediate or isinstance(task, group | chord):
            return super().enqueue(task)
        if task.expires and self.is_plain(task):
            task.resolve_expires(self.utc)
        [result] = self.enqueue_tasks([task])
        if result.duplicate and self.is_plain(task) and self._forget_ended(task.id):
            [result] = self.enqueue_tasks([task])
        if not self.results:
            return None
        if task.on_complete is None:
            return result
        rest = self._pipeline_results(task.on_complete)
        return ResultGroup([result, *rest])

    def dequeue(self) -> Task | None:
        """Claim one job, without waiting; `execute` settles it."""
        if self._immediate:
            return super().dequeue()
        return claim_one(self)

    def execute(self, task: Task, timestamp: dt.datetime | None = None) -> Any:
        """Run a task: a claimed one is settled, any other runs as in plain Huey."""
        if getattr(task, "lease", None) is None:
            return super().execute(task, timestamp)
        return run_claimed(self, task, timestamp)

    def serialize_task(self, task: Task) -> bytes:
        """Return a task as tagged JSON."""
        self._registry.string_to_task(self._registry.task_to_string(type(task)))
        return message.dump_task(task)

    def deserialize_task(self, data: bytes) -> Task:
        """Return the task of `serialize_task`."""
        try:
            return message.load_task(data, self._classes)
        except KeyError as error:
            msg = f"{error.args[0]} not found in TaskRegistry"
            raise HueyException(msg) from None

    def pending(self, limit: int | None = None) -> list[Task]:
        """Return the waiting tasks of this instance's own queue, next first."""
        return self._tasks(JobState.WAITING, limit)

    def scheduled(self, limit: int | None = None) -> list[Task]:
        """Return the delayed tasks of this instance's own queue, soonest first."""
        return self._tasks(JobState.DELAYED, limit)

    # -- declaring -------------------------------------------------------------------

    def job(  # noqa: PLR0913 - everything a job type can say
        self,
        *,
        queue: str,
        payload: type[BaseModel],
        name: str | None = None,
        retry: object = None,
        priority: int = 0,
        timeout: float | timedelta | None = None,
        expires: float | timedelta | None = None,
        max_stalls: int = 3,
        concurrency: int | None = None,
        limiter: Mapping[str, int] | None = None,
        remove_on_complete: object = KEEP_COMPLETED,
        remove_on_fail: object = KEEP_ALL,
        context: bool = False,
    ) -> Callable[[Plain], JobWrapper]:
        """Declare a job type; the function takes its validated payload model.

        `retry`: whatever `engine.retry.retry_rule` accepts; `priority`: 0 is the most
        urgent; `timeout`, `expires`: seconds; `max_stalls`: how often its worker may
        die under it; `concurrency`, `limiter` (`{"max": 10, "duration": 1000}` in ms):
        of the whole queue, over all processes; `remove_on_complete`, `remove_on_fail`:
        True, a count, or `{"age": seconds, "count": n}`; `context=True`: the function
        also gets `job`, a `JobContext`.

        Raises:
            ConfigurationError, InvalidArgumentError: a setting is not acceptable.
        """
        check_payload_model(payload)
        _check_priority(priority)
        rule = retry_rule(retry)
        limits = limits_of(concurrency, limiter)

        def declare(type_name: str, is_async: bool) -> JobType:
            return JobType(
                name=type_name,
                queue=queue,
                payload=payload,
                retry=rule,
                priority=priority,
                timeout=timeout_of(timeout),
                expires=timeout_of(expires),
                max_stalls=max_stalls,
                limits=limits,
                keep_completed=retention_of(remove_on_complete),
                keep_failed=retention_of(remove_on_fail),
                is_async=is_async,
            )

        def decorate(function: Plain) -> JobWrapper:
            seconds = timeout_of(timeout)
            return JobWrapper(
                self,
                function.func if isinstance(function, JobWrapper) else function,
                declare=declare,
                name=name,
                job_context=context,
                default_timeout=seconds and seconds.total_seconds(),
            )

        return decorate

    def plain_type(
        self, cls: type[Task], name: str, *, is_async: bool = False
    ) -> JobType:
        """Return the job type of a plain Huey task; `queue=` of its decorator holds."""
        return JobType(
            name=name,
            queue=str(getattr(cls, "queue", self.name)),
            payload=None,
            retry=retry_rule(None),
            limits=limits_of(getattr(cls, "concurrency", None), None),
            is_async=is_async,
        )

    def register_type(self, job_type: JobType, cls: type[Task]) -> None:
        """Know a job type. Two functions cannot be the same type."""
        if job_type.name in self.job_types:
            msg = f"job type {job_type.name!r} is declared twice; give one a name="
            raise ConfigurationError(msg)
        self._check_queue(job_type)
        self.job_types[job_type.name] = job_type
        self._classes[job_type.name] = cls
        if issubclass(cls, PeriodicTask):
            payload = message.payload_of(cls(), job_type)
            self.add_repeat(periodic(cls, job_type, payload, utc=self.utc))

    def forget_type(self, name: str) -> None:
        """Undo `register_type`."""
        self.job_types.pop(name, None)
        self._classes.pop(name, None)
        self.repeats = {
            key: repeat
            for key, repeat in self.repeats.items()
            if repeat.job_type.name != name
        }

    def add_repeat(self, repeat: Repeat) -> None:
        """Declare a schedule for the consumer to create."""
        if repeat.id in self.repeats:
            msg = f"schedule {repeat.id!r} is declared twice; give one another id"
            raise ConfigurationError(msg)
        self.repeats[repeat.id] = repeat

    def _check_queue(self, job_type: JobType) -> None:
        for other in self.job_types.values():
            if other.queue != job_type.queue:
                continue
            for field in ("limits", "keep_completed", "keep_failed"):
                if getattr(other, field) != getattr(job_type, field):
                    msg = (
                        f"job types {other.name!r} and {job_type.name!r} share the "
                        f"queue {job_type.queue!r} but differ in {field}, which "
                        "belongs to the queue"
                    )
                    raise ConfigurationError(msg)

    # -- tasks and jobs --------------------------------------------------------------

    @contextmanager
    def next_delay(self, delay_ms: int | None) -> Iterator[None]:
        """Let the task enqueued inside start `delay_ms` from the store's now."""
        reset = self._next_delay.set(delay_ms)
        try:
            yield
        finally:
            self._next_delay.reset(reset)

    def enqueue_tasks(
        self, tasks: Iterable[Task], *, request_id: str | None = None
    ) -> list[JobResult]:
        """Enqueue tasks in one write; see `Store.enqueue`."""
        tasks = list(tasks)
        jobs = [self.to_job(task) for task in tasks]
        answers: list[Enqueued] = self.store.enqueue(
            jobs, request_id=request_id or new_id()
        )
        results = []
        for task, answer in zip(tasks, answers, strict=True):
            result = JobResult(self, task, answer.status, answer.id)
            if not result.duplicate:
                self._emit(signals.SIGNAL_ENQUEUED, task)
                if task.eta is not None:
                    self._emit(signals.SIGNAL_SCHEDULED, task)
            results.append(result)
        return results

    def to_job(self, task: Task) -> NewJob:
        """Return the job of a task. Raises PayloadError, HueyException (unknown)."""
        job_type = self._type_of(task)
        delay_ms, run_at = self._due(task)
        if job_type.payload is None:
            priority: float = -(task.priority or 0)
        else:
            priority = job_type.priority if task.priority is None else task.priority
            _check_priority(priority)
        return new_job(
            job_type,
            message.payload_of(task, job_type),
            job_id=task.id,
            priority=priority,
            delay_ms=delay_ms,
            run_at=run_at,
            expires_ms=self._expires_ms(task, job_type),
            dedup_id=getattr(task, "dedup_id", None),
            headers=message.headers_of(task),
        )

    def load(self, lease: Lease) -> Task:
        """Return the task of a leased job. Raises what a bad message can raise."""
        job = lease.job
        job_type = self.job_types[job.type]
        task = message.load_leased(
            job.type,
            job.id,
            job.payload,
            job.headers,
            classes=self._classes,
            job_type=job_type,
        )
        message.resume(task, job.attempt - 1, job.priority, plain=self.is_plain(task))
        if getattr(task, "job_context", False):
            task.kwargs = {**task.kwargs, "job": job_context(lease)}
        self._collect(task)
        task.lease = lease
        return task

    def retry_rule_of(self, task: Task) -> RetryRule:
        """Return the rule of a task: its type's, or Huey's retries if it says any."""
        job_type = self._type_of(task)
        if job_type.payload is not None and not task.initial_retries:
            return job_type.retry
        return BackoffRule(
            attempts=task.initial_retries + 1,
            delay=timedelta(seconds=task.retry_delay or 0),
            coefficient=task.retry_backoff or 1,
        )

    def is_plain(self, task: Task) -> bool:
        """Whether a task is plain Huey's, not a `@huey.job`."""
        return self._type_of(task).payload is None

    def join_of(
        self, task: Task, value: Any, *, whole_chain: bool = True
    ) -> Join | None:
        """Return the report to a chord, of the task or of the rest of its pipeline."""
        tail: Task | None = task
        while tail is not None:
            if tail.chord_config is not None:
                chord_config = tail.chord_config
                key = f"chord:{chord_config.cid}"
                callback = chord_config.callback
                callback.joins = (key, chord_config.size)
                return Join(
                    key=key,
                    index=chord_config.idx,
                    size=chord_config.size,
                    value=self.serializer.serialize(value),
                    job=self.to_job(callback),
                )
            tail = tail.on_complete if whole_chain else None
        return None

    def error_result(self, task: Task, error: BaseException) -> Error:
        """Return what a failed task leaves as its result."""
        return Error(self.build_error_result(task, error))

    def forget_run(self, task: Task, *, final: bool) -> None:
        """Clear what only the run needed: its revocation; at last, what it joined."""
        if self.revocations_exist and not isinstance(task, PeriodicTask):
            self.delete(task.revoke_id)
        joins = getattr(task, "joins", None)
        if joins and final:
            key, size = joins
            for index in range(size):
                self.store.delete_value("join", f"{key}:{index}")

    def until(self, eta: dt.datetime) -> timedelta:
        """Return the time from now to an eta given as Huey takes it."""
        due: timedelta = normalize_time(eta, utc=self.utc) - self._get_timestamp()
        return due

    def _forget_ended(self, job_id: str) -> bool:
        """Free the id of a job that ended: plain Huey may enqueue a task twice."""
        try:
            self.store.remove(job_id)
        except NotFoundError:
            return True
        except ConflictError:
            return False
        return True

    # -- inside ----------------------------------------------------------------------

    def _type_of(self, task: Task) -> JobType:
        name = getattr(type(task), "type_name", None)
        if name is None or name not in self.job_types:
            unknown = name or self._registry.task_to_string(type(task))
            msg = f"{unknown} not found in TaskRegistry"
            raise HueyException(msg)
        return self.job_types[name]

    def _due(self, task: Task) -> tuple[int, int | None]:
        delay_ms = self._next_delay.get()
        if delay_ms is None:
            delay_ms = getattr(task, "delay_ms", None)
        if delay_ms is not None:
            return delay_ms, None
        if task.eta is None:
            return 0, None
        zone = dt.UTC if self.utc else None
        moment = task.eta if task.eta.tzinfo else task.eta.replace(tzinfo=zone)
        return 0, round(moment.timestamp() * 1000)

    def _expires_ms(self, task: Task, job_type: JobType) -> int | None:
        """Let the store expire a job, unless a chord must hear of it."""
        if job_type.payload is None or task.expires is None:
            return None
        if task.chord_config is not None:
            task.resolve_expires(self.utc)
            return None
        left = normalize_expire_time(task.expires, self.utc) - self._get_timestamp()
        return max(milliseconds(left), 1)

    def _collect(self, task: Task) -> None:
        joins = getattr(task, "joins", None)
        if not joins:
            return
        key, size = joins
        names = [f"{key}:{index}" for index in range(size)]
        found = self.store.get_values("join", names)
        results = [self.serializer.deserialize(found[name]) for name in names]
        task.extend_data((results,))

    def _tasks(self, state: JobState, limit: int | None) -> list[Task]:
        if isinstance(self.storage, MemoryStorage):
            kind = super().pending if state is JobState.WAITING else super().scheduled
            return list(kind(limit))
        records = self.storage.records(state, limit)
        return [self._task(one) for one in records if one.type in self.job_types]

    def _task(self, record: JobRecord) -> Task:
        task = message.load_leased(
            record.type,
            record.id,
            record.payload,
            record.headers,
            classes=self._classes,
            job_type=self.job_types[record.type],
        )
        spent, plain = record.attempts_made, self.is_plain(task)
        message.resume(task, spent, record.priority, plain=plain)
        if record.run_at is not None:
            task.eta = naive(record.run_at, utc=self.utc)
        if plain:  # Huey writes the grown delay of the next retry into the message
            task.retry_delay = (task.retry_delay or 0) * (
                task.retry_backoff or 1
            ) ** spent
        return task


def _check_priority(priority: object) -> None:
    if isinstance(priority, bool) or not isinstance(priority, int):
        msg = f"priority must be a whole number, not {type(priority).__name__}"
        raise InvalidArgumentError(msg)
    if not 0 <= priority <= MAX_PRIORITY:
        msg = f"priority must be between 0 (the most urgent) and {MAX_PRIORITY}"
        raise InvalidArgumentError(msg)
