"""Activities: the work of a workflow that touches the world. Shaped like
`temporalio.activity`.

`@activity.defn` marks a function, an async function, a method or a class with
`__call__`. Inside a running activity the functions of this module tell about it;
outside they raise RuntimeError.
"""

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_type_hints, overload

from workflows.common import Priority, RetryPolicy
from workflows.converter import PayloadConverter, RawValue
from workflows.engine.retry import RetryRule, retry_rule
from workflows.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from workflows.client import Client

CallableType = TypeVar("CallableType", bound=Callable[..., Any])
MARK = "__workflows_activity__"


# -- definition ------------------------------------------------------------------------


@dataclass(frozen=True)
class ActivityDefinition:
    """What a worker knows of an activity. `name` is None for the dynamic one."""

    name: str | None
    fn: Callable[..., Any]
    is_async: bool
    no_thread_cancel_exception: bool = False
    arg_types: Sequence[Any] | None = None  # None: no hints
    ret_type: Any = None
    retry: RetryRule | None = None  # its own, within what the workflow allows

    @staticmethod
    def of(fn: Callable[..., Any]) -> "ActivityDefinition":
        """Return the definition of a decorated callable, bound as it was given.

        Raises:
            InvalidArgumentError: it was not decorated with `@activity.defn`.
        """
        mark = getattr(fn, MARK, None) or getattr(type(fn), MARK, None)
        if mark is None:
            name = getattr(fn, "__qualname__", type(fn).__qualname__)
            msg = f"{name} is no activity: decorate it with @activity.defn"
            raise InvalidArgumentError(msg)
        body = _body(fn)
        types, result = hints_of(body)
        return ActivityDefinition(
            name=mark.name,
            fn=fn,
            is_async=inspect.iscoroutinefunction(body),
            no_thread_cancel_exception=mark.no_thread_cancel_exception,
            arg_types=types,
            ret_type=result,
            retry=mark.retry,
        )


@dataclass(frozen=True, slots=True)
class _Mark:
    name: str | None
    no_thread_cancel_exception: bool
    retry: RetryRule | None


@overload
def defn(fn: CallableType) -> CallableType: ...


@overload
def defn(
    *,
    name: str | None = None,
    no_thread_cancel_exception: bool = False,
    dynamic: bool = False,
    retry: object = None,
) -> Callable[[CallableType], CallableType]: ...


def defn(
    fn: CallableType | None = None,
    *,
    name: str | None = None,
    no_thread_cancel_exception: bool = False,
    dynamic: bool = False,
    retry: object = None,
) -> CallableType | Callable[[CallableType], CallableType]:
    """Mark a callable as an activity.

    Args:
        fn: the callable, if the decorator is used without parentheses.
        name: its type; default is the name of the function or class.
        no_thread_cancel_exception: a sync activity is not interrupted by an exception.
        dynamic: it takes the calls of all types that no other activity has; its one
            parameter is a sequence of RawValue.
        retry: a policy of its own, such as tenacity's (`tenacity.retry_if_…`, `stop_…`,
            `wait_…`, a mapping of these, `Retrying(…)`), asked of each exception in the
            worker: it sets the pause (as `next_retry_delay`) or ends the retries (as
            `non_retryable`). The `retry_policy` and timeouts of the call bound it, and
            decide alone of attempts that raised nothing (timeouts, lost workers).

    Raises:
        InvalidArgumentError: no retry policy, keyword-only parameters, or a dynamic
            one with a name or other parameters.
    """
    rule = None if retry is None else retry_rule(retry)

    def mark(target: CallableType) -> CallableType:
        _check(target, name=name, dynamic=dynamic)
        own = None if dynamic else name or target.__name__
        holder: Any = target
        setattr(holder, MARK, _Mark(own, no_thread_cancel_exception, rule))
        return target

    return mark if fn is None else mark(fn)


def _check(target: Callable[..., Any], *, name: str | None, dynamic: bool) -> None:
    parameters = [
        each
        for each in inspect.signature(_body(target)).parameters.values()
        if each.name != "self"
    ]
    label = getattr(target, "__qualname__", repr(target))
    if any(each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters):
        msg = f"Activity {label} cannot have keyword-only arguments"
        raise InvalidArgumentError(msg)
    if not dynamic:
        return
    if name is not None:
        msg = f"Activity {label} cannot have a name and be dynamic"
        raise InvalidArgumentError(msg)
    types, _ = hints_of(target)
    if len(parameters) != 1 or (types and types[0] != Sequence[RawValue]):
        msg = f"Dynamic activity {label} must accept one parameter, Sequence[RawValue]"
        raise InvalidArgumentError(msg)


def _body(target: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that runs: the callable itself or its `__call__`."""
    if inspect.isroutine(target):
        return target
    call: Callable[..., Any] = getattr(target, "__call__")  # noqa: B004, B009
    return call


def hints_of(fn: Callable[..., Any]) -> tuple[Sequence[Any] | None, Any]:
    """Return the types of a callable's positional parameters and of its result.

    Parameters without a hint count as Any; (None, None) if hints cannot be resolved.
    """
    body = _body(fn)
    try:
        hints = get_type_hints(body)
        parameters = list(inspect.signature(body).parameters.values())
    except (NameError, TypeError, ValueError):
        return None, None
    if parameters and parameters[0].name == "self" and not inspect.ismethod(body):
        parameters = parameters[1:]
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    types = [hints.get(each.name, Any) for each in parameters if each.kind in kinds]
    return types, hints.get("return")


# -- the running activity --------------------------------------------------------------


@dataclass(frozen=True)
class Info:
    """About the running activity; names and meaning are Temporal's."""

    activity_id: str
    activity_type: str
    attempt: int
    current_attempt_scheduled_time: datetime
    heartbeat_details: Sequence[Any]
    heartbeat_timeout: timedelta | None
    is_local: bool
    namespace: str
    schedule_to_close_timeout: timedelta | None
    scheduled_time: datetime
    start_to_close_timeout: timedelta | None
    started_time: datetime
    task_queue: str
    task_token: bytes
    workflow_id: str | None
    workflow_namespace: str | None
    workflow_run_id: str | None
    workflow_type: str | None
    priority: Priority = Priority.default
    retry_policy: RetryPolicy | None = None
    activity_run_id: str | None = None

    @property
    def in_workflow(self) -> bool:
        """Whether a workflow started it."""
        return self.workflow_id is not None


@dataclass(frozen=True)
class ActivityCancellationDetails:
    """Why an activity is cancelled."""

    not_found: bool = False
    cancel_requested: bool = False
    paused: bool = False
    timed_out: bool = False
    reset: bool = False
    worker_shutdown: bool = False


class Flag:
    """An event that threads and coroutines can wait for; set once."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._lock = threading.Lock()

    def set(self) -> None:
        """Set it, and wake everybody."""
        with self._lock:
            self._event.set()
            waiters, self._waiters = self._waiters, []
        for loop, event in waiters:
            loop.call_soon_threadsafe(event.set)

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait in a coroutine."""
        event = asyncio.Event()
        with self._lock:
            if self._event.is_set():
                return
            self._waiters.append((asyncio.get_running_loop(), event))
        await event.wait()

    def wait_sync(self, timeout: float | None = None) -> None:
        """Wait in a thread."""
        self._event.wait(timeout)


@dataclass
class Context:
    """What the worker gives to a running activity."""

    make_info: Callable[[], Info]
    heartbeat: Callable[..., None]
    payload_converter: PayloadConverter
    cancelled: Flag = field(default_factory=Flag)
    worker_shutdown: Flag = field(default_factory=Flag)
    details: ActivityCancellationDetails | None = None
    shield: Callable[[], Any] | None = None  # of a sync activity's interrupt
    client: "Client | None" = None

    @cached_property
    def info(self) -> Info:
        """What is known of the activity; made for those that ask."""
        return self.make_info()


CURRENT: ContextVar[Context] = ContextVar("workflows.activity")


class CompleteAsyncError(BaseException):
    """What `raise_complete_async` raises; the worker then reports no result."""


def _current() -> Context:
    context = CURRENT.get(None)
    if context is None:
        msg = "Not in activity context"
        raise RuntimeError(msg)
    return context


def in_activity() -> bool:
    """Return whether the caller runs in an activity."""
    return CURRENT.get(None) is not None


def info() -> Info:
    """Return what is known of the running activity."""
    return _current().info


def heartbeat(*details: Any) -> None:
    """Say that the activity lives, and remember `details` for its next attempt.

    Cheap to call often: what reaches the store is the newest one, at 0.8 times the
    heartbeat timeout. Cancellation is noticed by heartbeats only.
    """
    _current().heartbeat(*details)


def is_cancelled() -> bool:
    """Return whether cancellation was noticed."""
    return _current().cancelled.is_set()


async def wait_for_cancelled() -> None:
    """Wait until cancellation is noticed (async activities)."""
    await _current().cancelled.wait()


def wait_for_cancelled_sync(timeout: timedelta | float | None = None) -> None:
    """Wait until cancellation is noticed, or for `timeout` (sync activities)."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    _current().cancelled.wait_sync(seconds)


def cancellation_details() -> ActivityCancellationDetails | None:
    """Return why it is cancelled; None while it is not."""
    return _current().details


def is_worker_shutdown() -> bool:
    """Return whether the worker stops."""
    return _current().worker_shutdown.is_set()


async def wait_for_worker_shutdown() -> None:
    """Wait until the worker stops (async activities)."""
    await _current().worker_shutdown.wait()


def wait_for_worker_shutdown_sync(timeout: timedelta | float | None = None) -> None:
    """Wait until the worker stops, or for `timeout` (sync activities)."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    _current().worker_shutdown.wait_sync(seconds)


def raise_complete_async() -> NoReturn:
    """End the function; the activity is completed later, from elsewhere.

    Whoever has `info().task_token` completes, fails or heartbeats it through
    `Client.get_async_activity_handle`. Its timeouts go on.
    """
    raise CompleteAsyncError


@contextmanager
def shield_thread_cancel_exception() -> Iterator[None]:
    """Put off the interrupt of a cancelled sync activity to the end of the block."""
    shield = _current().shield
    if shield is None:
        yield
    else:
        with shield():
            yield


def payload_converter() -> PayloadConverter:
    """Return the worker's payload converter."""
    return _current().payload_converter


def client() -> "Client":
    """Return the worker's client (async activities only)."""
    found = _current().client
    if found is None:
        msg = "No client here: only async activities have one"
        raise RuntimeError(msg)
    return found


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Adds the activity to messages and to `extra`; switches as in Temporal's."""

    activity_info_on_message = True
    activity_info_on_extra = True
    full_activity_info_on_extra = False

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add what is known of the running activity."""
        context = CURRENT.get(None)
        if context is not None:
            details = _details(context.info)
            extra: dict[str, Any] = dict(kwargs.get("extra") or {})
            if self.activity_info_on_message:
                msg = f"{msg} ({details})"
            if self.activity_info_on_extra:
                extra["temporal_activity"] = details
            if self.full_activity_info_on_extra:
                extra["activity_info"] = context.info
            kwargs["extra"] = extra
        return msg, kwargs


def _details(about: Info) -> Mapping[str, Any]:
    return {
        "activity_id": about.activity_id,
        "activity_type": about.activity_type,
        "attempt": about.attempt,
        "namespace": about.namespace,
        "task_queue": about.task_queue,
        "workflow_id": about.workflow_id,
        "workflow_run_id": about.workflow_run_id,
        "workflow_type": about.workflow_type,
    }


logger = LoggerAdapter(logging.getLogger(__name__), None)
