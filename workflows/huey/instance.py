"""`WorkflowHuey`: a Huey whose tasks are leased jobs in a durable store."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from typing import Any

from huey import signals
from huey.api import Huey, ResultGroup, Task, chord, group
from huey.exceptions import ConfigurationError, HueyException
from huey.storage import MemoryStorage
from pydantic import BaseModel

from workflows.converter import Codec, Converter, DataConverter
from workflows.engine.limits import Limits
from workflows.engine.payload import DEFAULT_MAX_BYTES
from workflows.engine.retry import retry_rule
from workflows.engine.states import LIVE, JobState
from workflows.exceptions import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
)
from workflows.huey import message
from workflows.huey.consumer import WorkflowConsumer
from workflows.huey.options import (
    check_queue,
    limits_of,
    retention_of,
    stalls_of,
    timeout_of,
)
from workflows.huey.registry import JobRegistry
from workflows.huey.runner import claim_one, run_claimed
from workflows.huey.serializer import JsonSerializer, register_error
from workflows.huey.storage import HueyStorage
from workflows.huey.translation import Translation, check_priority
from workflows.huey.workflow_host import Registrations
from workflows.huey.wrapper import JobResult, JobWrapper, check_payload_model
from workflows.job_type import (
    KEEP_ALL,
    KEEP_COMPLETED,
    JobType,
)
from workflows.runtime.ids import new_id
from workflows.store import Enqueued, Store, StoreOptions
from workflows.stores import open_store
from workflows.telemetry import adopt_huey_logs

Plain = Callable[..., Any]


class WorkflowHuey(Huey):  # type: ignore[misc]  # Huey ships no types
    """A Huey that loses nothing: `WorkflowHuey("shop", url="sqlite:///shop.db")`.

    `url`: `sqlite:///path`, `redis://…`; `name` is the namespace in the store unless
    `options` says another. `lease` (seconds): how long a silent worker keeps its jobs;
    `sweep_interval` (seconds): how often expired leases are looked for; `weights`:
    queue → its part of the slots (default 1); `async_slots`: `async def` jobs at once
    per process; `errors`: your exception classes that `on_error` tasks get as
    themselves; `max_payload`: bytes of JSON that a payload or result may have;
    `codec`: changes them on their way to and from the store (`Codec`);
    `data_converter`: does so for the values of workflows; `limits`: of workflows.
    Everything else is Huey's. docs/coming-from-huey.md says what differs.
    """

    storage: Any  # Huey sets it

    def __init__(  # noqa: PLR0913 - keyword-only settings
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
        max_payload: int = DEFAULT_MAX_BYTES,
        codec: Codec | None = None,
        data_converter: DataConverter = DataConverter.default,
        limits: Limits | None = None,
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
        self.revocations_exist = True  # until a claim says otherwise
        self.interrupting = False  # the process was told to drop what it runs
        for kind in errors:
            register_error(kind)
        self._next_delay: ContextVar[int | None] = ContextVar("delay", default=None)
        self.converter = _converter(max_payload, codec)
        settings.setdefault("serializer", JsonSerializer(self.converter))
        self.jobs = JobRegistry(name, self.converter, utc=settings.get("utc", True))
        self.workflows = Registrations()
        self.data_converter = data_converter
        self.limits = limits or Limits()
        super().__init__(name, **settings)
        self.translation = Translation(self)

    @property
    def store(self) -> Store:
        """The store behind this instance."""
        if self._store is None:
            msg = "this instance has no store: it was made for immediate mode only"
            raise ConfigurationError(msg)
        return self._store

    @contextmanager
    def working_on(self, store: Store) -> Iterator[None]:
        """Use another store inside, a test's for example; for all threads."""
        own, storage = self._store, self.storage
        self._store = store
        self.storage = self.create_storage()
        try:
            yield
        finally:
            self._store, self.storage = own, storage

    @property
    def job_types(self) -> Mapping[str, JobType]:
        """The declared job types, by name."""
        return self.jobs.job_types

    def register_workflows(
        self,
        task_queue: str,
        *,
        workflows: Sequence[type[Any]] = (),
        activities: Sequence[Callable[..., Any]] = (),
        data_converter: DataConverter | None = None,
        max_cached_workflows: int = 1000,
    ) -> None:
        """Let every consumer of this instance host workflows and activities.

        Each process of `huey_consumer` then works on `task_queue` beside its jobs.
        `data_converter`: default is the instance's.

        Raises:
            InvalidArgumentError: the queue has a registration, or a class or function
                is not decorated.
        """
        self.workflows.add(
            task_queue,
            workflows,
            activities,
            data_converter=data_converter or self.data_converter,
            cached=max_cached_workflows,
        )

    # -- Huey's seams ----------------------------------------------------------------

    def get_storage(self, **options: Any) -> HueyStorage:
        """Return the storage face of the store; `dequeue` here does not block."""
        storage = HueyStorage(
            self.name, self.store, utc=self.utc, converter=self.converter, **options
        )
        storage.blocking = False
        return storage

    def get_task_wrapper_class(self) -> type[JobWrapper]:
        """Return what decorated functions become."""
        return JobWrapper

    def create_consumer(self, **options: Any) -> WorkflowConsumer:
        """Return the consumer that `huey_consumer` runs."""
        adopt_huey_logs()
        return WorkflowConsumer(self, **options)

    def enqueue(self, task: Any) -> Any:
        """Enqueue a task, a group or a chord; it is durable when this returns."""
        if self._immediate or isinstance(task, group | chord):
            return super().enqueue(task)
        if task.expires and self.jobs.is_plain(task):
            task.resolve_expires(self.utc)
        [result] = self.enqueue_tasks([task])
        if result.duplicate and self.jobs.is_plain(task) and self._forget_chain(task):
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

    def add_schedule(self, task: Task) -> None:
        """Keep a task until its eta: it is a delayed job like any other."""
        if self._immediate:
            super().add_schedule(task)
        else:
            self.enqueue_tasks([task])

    def serialize_task(self, task: Task) -> bytes:
        """Return a task as tagged JSON."""
        self._registry.string_to_task(self._registry.task_to_string(type(task)))
        return message.dump_task(task, self.converter)

    def deserialize_task(self, data: bytes) -> Task:
        """Return the task of `serialize_task`."""
        try:
            return message.load_task(data, self.jobs.classes, self.converter)
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
        check_queue(queue)
        check_priority(priority)
        seconds = timeout_of(timeout)
        template = JobType(
            name="",
            queue=queue,
            payload=payload,
            retry=retry_rule(retry),
            priority=priority,
            timeout=seconds,
            expires=timeout_of(expires),
            max_stalls=stalls_of(max_stalls),
            limits=limits_of(concurrency, limiter),
            keep_completed=retention_of(remove_on_complete),
            keep_failed=retention_of(remove_on_fail),
            converter=self.converter,
        )
        return self._decorator(template, name=name, context=context)

    def _decorator(
        self, template: JobType, *, name: str | None, context: bool
    ) -> Callable[[Plain], JobWrapper]:
        def declare(type_name: str, is_async: bool) -> JobType:
            return replace(template, name=type_name, is_async=is_async)

        def decorate(function: Plain) -> JobWrapper:
            timeout = template.timeout
            return JobWrapper(
                self,
                function.func if isinstance(function, JobWrapper) else function,
                declare=declare,
                name=name,
                job_context=context,
                default_timeout=timeout and timeout.total_seconds(),
            )

        return decorate

    # -- tasks and jobs --------------------------------------------------------------

    @contextmanager
    def next_delay(self, delay_ms: int | None) -> Iterator[None]:
        """Let the task enqueued inside start `delay_ms` from the store's now."""
        reset = self._next_delay.set(delay_ms)
        try:
            yield
        finally:
            self._next_delay.reset(reset)

    @property
    def next_delay_ms(self) -> int | None:
        """The delay that `next_delay` asks for."""
        return self._next_delay.get()

    def enqueue_tasks(
        self, tasks: Iterable[Task], *, request_id: str | None = None
    ) -> list[JobResult]:
        """Enqueue tasks in one write; see `Store.enqueue`."""
        tasks = list(tasks)
        jobs = [self.translation.to_job(task) for task in tasks]
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

    def _enqueue_chord(self, chord_obj: chord) -> Any:
        """As in Huey, where a chord that ended may be enqueued again.

        The store skips a callback whose id is taken: so that of the last time goes.
        """
        callback = chord_obj.callback
        if not self._immediate and self.jobs.is_plain(callback):
            self._forget_chain(callback)
        return super()._enqueue_chord(chord_obj)

    def _forget_chain(self, task: Task) -> bool:
        """Free the ids of a pipeline whose first task ended; else return False."""
        freed = self._forget_ended(task.id)
        rest = task.on_complete
        while freed and rest is not None:
            self._forget_ended(rest.id)
            rest = rest.on_complete
        return freed

    def _forget_ended(self, job_id: str) -> bool:
        """Free the id of a job that ended: plain Huey may enqueue a task twice.

        A live one stays: between its removal and the second enqueue it would exist
        nowhere.
        """
        record = self.store.get_job(job_id)
        if record is not None and record.state in LIVE:
            return False
        try:
            self.store.remove(job_id)
        except NotFoundError:
            return True
        except ConflictError:
            return False
        return True

    def _tasks(self, state: JobState, limit: int | None) -> list[Task]:
        if isinstance(self.storage, MemoryStorage):
            kind = super().pending if state is JobState.WAITING else super().scheduled
            return list(kind(limit))
        records = self.storage.records(state, limit)
        known = [one for one in records if one.type in self.job_types]
        return [self.translation.task_of(one) for one in known]


def _converter(max_payload: int, codec: Codec | None) -> Converter:
    try:
        return Converter(max_payload, codec)
    except InvalidArgumentError as error:
        msg = str(error).replace("max_bytes", "max_payload")
        raise ConfigurationError(msg) from None
