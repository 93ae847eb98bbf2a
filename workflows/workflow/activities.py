"""Starting activities on a task queue; `workflows.activity` is for writing them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, TypedDict, TypeVar, Unpack, overload

from workflows.activity import MARK, ActivityDefinition
from workflows.common import Priority, RetryPolicy
from workflows.engine.commands import CancellationType
from workflows.engine.definition import result_hint
from workflows.engine.instance.activities import ActivityCall, ActivityHandle
from workflows.engine.instance.context import current
from workflows.exceptions import InvalidArgumentError
from workflows.workflow.arguments import UNSET, arguments_of

R = TypeVar("R")


class ActivityCancellationType(IntEnum):
    """How a cancelled activity resolves; numbers are Temporal's."""

    TRY_CANCEL = 0
    WAIT_CANCELLATION_COMPLETED = 1
    ABANDON = 2


TRY_CANCEL = ActivityCancellationType.TRY_CANCEL


class ActivityConfig(TypedDict, total=False):
    """Options of `start_activity` and `execute_activity`, to unpack."""

    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    summary: str | None
    priority: Priority


@overload
def start_activity(
    activity: Callable[..., Awaitable[R]],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ActivityConfig],
) -> ActivityHandle[R]: ...


@overload
def start_activity(
    activity: Callable[..., R],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ActivityConfig],
) -> ActivityHandle[R]: ...


@overload
def start_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ActivityConfig],
) -> ActivityHandle[Any]: ...


def start_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    task_queue: str | None = None,
    result_type: type | None = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    heartbeat_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cancellation_type: ActivityCancellationType = TRY_CANCEL,
    activity_id: str | None = None,
    summary: str | None = None,
    priority: Priority = Priority.default,
) -> ActivityHandle[Any]:
    """Start an activity and return its handle, which is an asyncio task.

    Args:
        activity: its function or method, or its name.
        arg: its one argument.
        args: its arguments, if they are several.
        task_queue: whose workers run it; default is the workflow's own.
        result_type: what to decode the result to, if `activity` does not say so.
        schedule_to_close_timeout: for all attempts together, with their waits.
        schedule_to_start_timeout: for the wait until a worker takes it.
        start_to_close_timeout: for one attempt. This or schedule_to_close is needed.
        heartbeat_timeout: between two heartbeats.
        retry_policy: default is Temporal's: for ever, from 1 s, doubling to 100 s.
        cancellation_type: how the handle resolves when it is cancelled.
        activity_id: default is a number.
        summary: one line for people.
        priority: default is the workflow's own.

    Raises:
        InvalidArgumentError: no activity, or no timeout that ends it.
    """
    name, hint = activity_name(activity)
    return current().activities.start(
        ActivityCall(
            name=name,
            arguments=arguments_of(arg, args),
            result_hint=result_type or hint,
            task_queue=task_queue,
            schedule_to_close=schedule_to_close_timeout,
            schedule_to_start=schedule_to_start_timeout,
            start_to_close=start_to_close_timeout,
            heartbeat=heartbeat_timeout,
            retry_policy=retry_policy,
            cancellation_type=CancellationType[cancellation_type.name],
            activity_id=activity_id,
            summary=summary,
            priority=priority.priority_key or 0,
        )
    )


@overload
async def execute_activity(
    activity: Callable[..., Awaitable[R]],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ActivityConfig],
) -> R: ...


@overload
async def execute_activity(
    activity: Callable[..., R],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ActivityConfig],
) -> R: ...


@overload
async def execute_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ActivityConfig],
) -> Any: ...


async def execute_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type | None = None,
    **config: Unpack[ActivityConfig],
) -> Any:
    """Start an activity, wait for it and return its result; see `start_activity`.

    Raises:
        ActivityError: it failed, timed out or was cancelled; `cause` says how.
    """
    return await start_activity(
        activity, arg, args=args, result_type=result_type, **config
    )


def start_activity_class(
    activity: type[Any],
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **config: Unpack[ActivityConfig],
) -> ActivityHandle[Any]:
    """Start an activity that is a class with `__call__`; see `start_activity`."""
    return start_activity(activity, arg, args=args, **config)


async def execute_activity_class(
    activity: type[Any],
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **config: Unpack[ActivityConfig],
) -> Any:
    """Execute an activity that is a class with `__call__`; see `execute_activity`."""
    return await start_activity(activity, arg, args=args, **config)


start_activity_method = start_activity
execute_activity_method = execute_activity


def activity_name(activity: Any) -> tuple[str, Any]:
    """Return the name of an activity and the hint of its result."""
    if isinstance(activity, str):
        return activity, None
    mark: Any = getattr(activity, MARK, None)
    if mark is None:
        mark = ActivityDefinition.of(activity)  # which says what is wrong
    if mark.name is None:
        msg = f"{activity!r} is dynamic: pass the name of an activity instead"
        raise InvalidArgumentError(msg)
    body = activity
    if isinstance(activity, type) or not hasattr(activity, "__code__"):
        body = getattr(activity, "__func__", None) or activity.__call__
    return mark.name, result_hint(body)
