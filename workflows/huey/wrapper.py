"""What `@huey.task`, `@huey.periodic_task` and `@huey.job` make of a function."""

import inspect
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from huey.api import Result, Task, TaskWrapper
from huey.exceptions import ConfigurationError
from pydantic import BaseModel

from workflows.engine.schedule import CatchUp, CronSpec, IntervalSpec, Timetable
from workflows.exceptions import InvalidArgumentError
from workflows.huey.message import payload_of
from workflows.huey.options import delay_of, timeout_of
from workflows.huey.repeat import Repeat
from workflows.job_type import JobType, milliseconds, requested_id
from workflows.runtime.ids import new_id
from workflows.store import Dedup, EnqueueStatus

if TYPE_CHECKING:
    from workflows.huey.instance import WorkflowHuey

CALL_OPTIONS = frozenset(
    [
        "id",
        "eta",
        "delay",
        "retries",
        "retry_delay",
        "retry_backoff",
        "priority",
        "expires",
        "timeout",
    ]
)


class JobResult(Result):  # type: ignore[misc]  # Huey ships no types
    """A handle to an enqueued job; `status` says whether it was accepted anew."""

    def __init__(
        self,
        huey: "WorkflowHuey",
        task: Task,
        status: EnqueueStatus = EnqueueStatus.CREATED,
        existing_id: str | None = None,
    ) -> None:
        super().__init__(huey, task)
        self.status = status
        self.existing_id = existing_id  # of the job that stands in the way

    @property
    def duplicate(self) -> bool:
        """Whether nothing was enqueued: the id is taken or the dedup_id is held."""
        return self.status is not EnqueueStatus.CREATED


class JobWrapper(TaskWrapper):  # type: ignore[misc]  # Huey ships no types
    """A function whose calls are enqueued. Also accepts `async def`."""

    huey: "WorkflowHuey"
    job_type: JobType

    def __init__(
        self,
        huey: "WorkflowHuey",
        func: Callable[..., Any],
        *,
        declare: Callable[[str, bool], JobType] | None = None,
        **settings: Any,
    ) -> None:
        self.is_async = inspect.iscoroutinefunction(func)
        super().__init__(huey, func, **settings)
        cls = self.task_class
        plain_name = huey._registry.task_to_string(cls)
        self.job_type = huey.jobs.declare(
            cls, plain_name, declare, is_async=self.is_async
        )

    def create_task(
        self,
        func: Callable[..., Any],
        context: bool = False,
        name: str | None = None,
        **settings: Any,
    ) -> type[Task]:
        """Make the task's class, as Huey does; `execute` of an async one returns
        the coroutine.
        """
        declared = settings.pop("validate_datetime", None)
        if self.is_async:
            settings["is_async"] = True
        plain = func
        if self.is_async:

            def plain(*args: Any, **kwargs: Any) -> Any:
                return func(*args, **kwargs)

            plain.__name__, plain.__doc__ = func.__name__, func.__doc__
            plain.__module__ = func.__module__
        if declared is not None:
            settings["validate_datetime"] = declared
        settings["create_id"] = _create_id
        cls: type[Task] = super().create_task(plain, context, name, **settings)
        return cls

    def unregister(self) -> bool:
        """Forget the task: its waiting jobs become jobs of an unknown type."""
        self.huey.jobs.forget(self.job_type.name)
        return bool(super().unregister())

    # -- calls -----------------------------------------------------------------------

    def s(self, *args: Any, **kwargs: Any) -> Task:
        """Return a task to enqueue later, or to chain (Huey's signature)."""
        delay = kwargs.get("delay")
        task = super().s(*args, **kwargs)
        task.delay_ms = _delay_ms(delay)
        return task

    def schedule(self, args: Any = None, *more: Any, **options: Any) -> Result:
        """Enqueue for later: `delay=` seconds or `eta=` datetime (Huey's signature).

        A payload model may stand in place of the tuple of arguments.
        """
        if isinstance(args, BaseModel):
            args = (args,)
        delay = options.get("delay")
        if delay is None and options.get("eta") is None and _is_span(args):
            delay = args
        with self.huey.next_delay(_delay_ms(delay)):
            return super().schedule(args, *more, **options)

    def enqueue(
        self,
        payload: Any = None,
        *,
        job_id: str | None = None,
        delay: float | timedelta | None = None,
        priority: int | None = None,
        dedup_id: str | None = None,
        dedup: Dedup | None = None,
        expires: float | timedelta | None = None,
        request_id: str | None = None,
    ) -> JobResult:
        """Enqueue one job; see `enqueue_many` for the options of each.

        Repeating the call with the same `request_id` changes nothing and returns the
        same answer. Raises PayloadError, StoreUnavailableError, StoreFullError.
        """
        options = {
            "job_id": job_id,
            "delay": delay,
            "priority": priority,
            "dedup_id": dedup_id,
            "dedup": dedup,
            "expires": expires,
        }
        [result] = self.enqueue_many([(payload, options)], request_id=request_id)
        return result

    def enqueue_many(
        self,
        payloads: Iterable[Any],
        *,
        request_id: str | None = None,
    ) -> list[JobResult]:
        """Enqueue up to 1,000 jobs, all or none, in one write.

        Each is a payload, or a pair of a payload and its options: `job_id` (a job of
        that id that exists already is reported as a duplicate), `delay` (seconds),
        `priority` (0 is the most urgent), `dedup_id` (one live job per queue; `dedup`
        says how long it is held, and what becomes of a job that holds it), `expires`
        (seconds; not started by then: expired). With a `request_id` (of this call
        alone) the ids that are not given derive from it, so that a repeat asks for the
        same jobs.
        """
        tasks = []
        for index, item in enumerate(payloads):
            payload, options = item if isinstance(item, tuple) else (item, {})
            if request_id is not None and options.get("job_id") is None:
                options = {**options, "job_id": requested_id(request_id, index)}
            tasks.append(self._task(payload, **options))
        return self.huey.enqueue_tasks(tasks, request_id=request_id)

    def _task(
        self,
        payload: Any,
        *,
        job_id: str | None = None,
        delay: float | timedelta | None = None,
        priority: int | None = None,
        dedup_id: str | None = None,
        dedup: Dedup | None = None,
        expires: float | timedelta | None = None,
    ) -> Task:
        task = self.task_class(
            () if payload is None else (payload,), {}, id=job_id, priority=priority
        )
        if expires is not None:
            task.expires = timeout_of(expires)
        task.delay_ms = _delay_ms(delay)
        task.dedup_id, task.dedup = dedup_id, dedup
        return task

    # -- recurring -------------------------------------------------------------------

    def repeat(
        self,
        schedule_id: str | None = None,
        *,
        cron: str | None = None,
        tz: str = "UTC",
        every: float | timedelta | None = None,
        payload: Any = None,
        catch_up: CatchUp = CatchUp.ONCE,
        overlap: bool = True,
    ) -> Repeat:
        """Declare a schedule; the consumer creates it when it starts.

        Exactly one of `cron` (5 fields, or 6 with seconds first; in zone `tz`) and
        `every` (seconds). `catch_up` says what becomes of slots that passed while
        nobody ran: `skip`, `once` (one late run) or `all`. `overlap=False`: a slot
        whose predecessor's job is still live is skipped. The id is the job type's
        name unless given.
        """
        if (cron is None) == (every is None):
            msg = "give exactly one of cron= and every="
            raise InvalidArgumentError(msg)
        if cron is not None:
            spec: CronSpec | IntervalSpec = CronSpec(cron, tz)
        else:
            spec = IntervalSpec(_span(every or 0) // timedelta(milliseconds=1))
        task = self.task_class(() if payload is None else (payload,), {})
        repeat = Repeat(
            id=schedule_id or self.job_type.name,
            job_type=self.job_type,
            payload=payload_of(task, self.job_type),
            timetable=Timetable(spec, CatchUp(catch_up), skip_overlap=not overlap),
        )
        self.huey.jobs.add_repeat(repeat)
        return repeat


def check_payload_model(model: object) -> None:
    """Refuse a payload whose fields Huey's calls would take for options."""
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        msg = f"payload= takes a pydantic model class, not {model!r}"
        raise ConfigurationError(msg)
    names = {*model.model_fields}
    names |= {f.alias for f in model.model_fields.values() if f.alias}
    eaten = sorted(names & CALL_OPTIONS)
    if eaten:
        msg = (
            f"{model.__name__} has fields that Huey's calls take for options: "
            f"{', '.join(eaten)}; rename them"
        )
        raise ConfigurationError(msg)


def _create_id(_task: Task) -> str:
    return new_id()


def _is_span(value: Any) -> bool:
    return isinstance(value, int | float | timedelta) and not isinstance(value, bool)


def _span(value: float | timedelta) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _delay_ms(delay: float | timedelta | None) -> int | None:
    if delay is None:
        return None
    return milliseconds(max(delay_of(delay), timedelta(0)))
