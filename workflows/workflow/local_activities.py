"""Starting activities inside the workflow task, in the workflow's own worker."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypedDict, TypeVar, Unpack, overload

from workflows.common import RetryPolicy
from workflows.engine.commands import CancellationType
from workflows.engine.instance.activities import ActivityCall, ActivityHandle
from workflows.engine.instance.context import current
from workflows.workflow.activities import (
    TRY_CANCEL,
    ActivityCancellationType,
    activity_name,
)
from workflows.workflow.arguments import UNSET, arguments_of

R = TypeVar("R")


class LocalActivityConfig(TypedDict, total=False):
    """Options of `start_local_activity` and `execute_local_activity`, to unpack."""

    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    summary: str | None


@overload
def start_local_activity(
    activity: Callable[..., Awaitable[R]],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[LocalActivityConfig],
) -> ActivityHandle[R]: ...


@overload
def start_local_activity(
    activity: Callable[..., R],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[LocalActivityConfig],
) -> ActivityHandle[R]: ...


@overload
def start_local_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[LocalActivityConfig],
) -> ActivityHandle[Any]: ...


def start_local_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type | None = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    local_retry_threshold: timedelta | None = None,
    cancellation_type: ActivityCancellationType = TRY_CANCEL,
    activity_id: str | None = None,
    summary: str | None = None,
) -> ActivityHandle[Any]:
    """Start a short activity in the worker that runs the workflow; it runs at least
    once, whatever its policy. As `start_activity`, but:

    Args:
        activity: as there.
        arg: as there.
        args: as there.
        result_type: as there.
        schedule_to_close_timeout: as there.
        schedule_to_start_timeout: as there.
        start_to_close_timeout: as there.
        retry_policy: as there.
        local_retry_threshold: a longer wait for the next attempt is a durable timer.
        cancellation_type: as there.
        activity_id: as there.
        summary: as there.
    """
    name, hint = activity_name(activity)
    return current().activities.start(
        ActivityCall(
            name=name,
            arguments=arguments_of(arg, args),
            result_hint=result_type or hint,
            local=True,
            schedule_to_close=schedule_to_close_timeout,
            schedule_to_start=schedule_to_start_timeout,
            start_to_close=start_to_close_timeout,
            retry_policy=retry_policy,
            local_retry_threshold=local_retry_threshold,
            cancellation_type=CancellationType[cancellation_type.name],
            activity_id=activity_id,
            summary=summary,
        )
    )


@overload
async def execute_local_activity(
    activity: Callable[..., Awaitable[R]],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[LocalActivityConfig],
) -> R: ...


@overload
async def execute_local_activity(
    activity: Callable[..., R],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[LocalActivityConfig],
) -> R: ...


@overload
async def execute_local_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[LocalActivityConfig],
) -> Any: ...


async def execute_local_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type | None = None,
    **config: Unpack[LocalActivityConfig],
) -> Any:
    """Start a local activity, wait for it and return its result.

    Raises:
        ActivityError: it failed, timed out or was cancelled; `cause` says how.
    """
    return await start_local_activity(
        activity, arg, args=args, result_type=result_type, **config
    )


def start_local_activity_class(
    activity: type[Any],
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **config: Unpack[LocalActivityConfig],
) -> ActivityHandle[Any]:
    """Start a local activity that is a class with `__call__`."""
    return start_local_activity(activity, arg, args=args, **config)


async def execute_local_activity_class(
    activity: type[Any],
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **config: Unpack[LocalActivityConfig],
) -> Any:
    """Execute a local activity that is a class with `__call__`."""
    return await start_local_activity(activity, arg, args=args, **config)


start_local_activity_method = start_local_activity
execute_local_activity_method = execute_local_activity
