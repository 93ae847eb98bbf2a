"""What an instance's code declares: job types, their task classes, schedules."""

from collections.abc import Callable
from datetime import timedelta

from huey.api import PeriodicTask, Task
from huey.exceptions import ConfigurationError, HueyException

from workflows.converter import Converter
from workflows.engine.retry import BackoffRule, RetryRule, retry_rule
from workflows.huey import message
from workflows.huey.options import limits_of
from workflows.huey.repeat import Repeat, periodic
from workflows.job_type import JobType

QUEUE_FIELDS = ("limits", "keep_completed", "keep_failed")


class JobRegistry:
    """Job types by name. Their names are what the store knows them by."""

    def __init__(self, default_queue: str, converter: Converter, *, utc: bool) -> None:
        self.job_types: dict[str, JobType] = {}
        self.classes: dict[str, type[Task]] = {}
        self.repeats: dict[str, Repeat] = {}
        self._default_queue = default_queue
        self._utc = utc
        self._converter = converter

    def declare(
        self,
        cls: type[Task],
        plain_name: str,
        declare: Callable[[str, bool], JobType] | None,
        *,
        is_async: bool,
    ) -> JobType:
        """Register a task class: as what `declare` says, or as a plain Huey task.

        Raises:
            ConfigurationError: its name is taken, or its queue is declared otherwise.
        """
        if declare is None:
            job_type = self._plain_type(cls, plain_name, is_async=is_async)
        else:
            job_type = declare(cls.__name__, is_async)
        if job_type.name in self.job_types:
            msg = f"job type {job_type.name!r} is declared twice; give one a name="
            raise ConfigurationError(msg)
        self._check_queue(job_type)
        self.job_types[job_type.name] = job_type
        self.classes[job_type.name] = cls
        cls.type_name = job_type.name
        if issubclass(cls, PeriodicTask):
            payload = message.payload_of(cls(), job_type)
            self.add_repeat(periodic(cls, job_type, payload, utc=self._utc))
        return job_type

    def forget(self, name: str) -> None:
        """Undo `declare`."""
        self.job_types.pop(name, None)
        self.classes.pop(name, None)
        mine = [one.id for one in self.repeats.values() if one.job_type.name == name]
        for repeat_id in mine:
            del self.repeats[repeat_id]

    def add_repeat(self, repeat: Repeat) -> None:
        """Declare a schedule for the consumer to create. ConfigurationError: twice."""
        if repeat.id in self.repeats:
            msg = f"schedule {repeat.id!r} is declared twice; give one another id"
            raise ConfigurationError(msg)
        self.repeats[repeat.id] = repeat

    def type_of(self, task: Task) -> JobType:
        """Return the job type of a task. HueyException: it is not registered."""
        name = getattr(type(task), "type_name", "")
        if name not in self.job_types:
            msg = f"{name or type(task).__name__} not found in TaskRegistry"
            raise HueyException(msg)
        return self.job_types[name]

    def is_plain(self, task: Task) -> bool:
        """Whether a task is plain Huey's, not a `@huey.job`."""
        return self.type_of(task).payload is None

    def rule_of(self, task: Task) -> RetryRule:
        """Return the rule of a task: its type's, or Huey's retries if it says any."""
        job_type = self.type_of(task)
        if job_type.payload is not None and not task.initial_retries:
            return job_type.retry
        return BackoffRule(
            attempts=task.initial_retries + 1,
            delay=timedelta(seconds=task.retry_delay or 0),
            coefficient=task.retry_backoff or 1,
        )

    def types_by_queue(
        self, *, is_async: bool | None = None
    ) -> dict[str, tuple[str, ...]]:
        """Return the job types of each queue: all, the async ones, or the others."""
        queues: dict[str, tuple[str, ...]] = {}
        for name, job_type in self.job_types.items():
            if is_async is None or job_type.is_async is is_async:
                queues[job_type.queue] = (*queues.get(job_type.queue, ()), name)
        return queues

    def _plain_type(self, cls: type[Task], name: str, *, is_async: bool) -> JobType:
        """Return the type of a plain task; its decorator's `queue=` holds."""
        return JobType(
            name=name,
            queue=str(getattr(cls, "queue", self._default_queue)),
            payload=None,
            retry=retry_rule(None),
            limits=limits_of(getattr(cls, "concurrency", None), None),
            is_async=is_async,
            converter=self._converter,
        )

    def _check_queue(self, job_type: JobType) -> None:
        for other in self.job_types.values():
            if other.queue != job_type.queue:
                continue
            for field in QUEUE_FIELDS:
                if getattr(other, field) != getattr(job_type, field):
                    msg = (
                        f"job types {other.name!r} and {job_type.name!r} share the "
                        f"queue {job_type.queue!r} but differ in {field}, which "
                        "belongs to the queue"
                    )
                    raise ConfigurationError(msg)
