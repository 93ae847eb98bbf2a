"""Child workflows and other workflows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, TypedDict, TypeVar, Unpack, overload

from workflows.common import Priority, RetryPolicy, WorkflowIDReusePolicy
from workflows.engine.commands import CancellationType
from workflows.engine.definition import workflow_name
from workflows.engine.instance.children import ChildCall, ChildWorkflowHandle
from workflows.engine.instance.context import current
from workflows.engine.instance.external import ExternalWorkflowHandle
from workflows.workflow.arguments import UNSET, arguments_of

R = TypeVar("R")


class ParentClosePolicy(IntEnum):
    """What becomes of a child whose parent's run closes; numbers are Temporal's."""

    UNSPECIFIED = 0  # TERMINATE
    TERMINATE = 1
    ABANDON = 2
    REQUEST_CANCEL = 3


class ChildWorkflowCancellationType(IntEnum):
    """How a cancelled child resolves; numbers are Temporal's."""

    ABANDON = 0
    TRY_CANCEL = 1
    WAIT_CANCELLATION_COMPLETED = 2
    WAIT_CANCELLATION_REQUESTED = 3


WAIT_COMPLETED = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
ALLOW_DUPLICATE = WorkflowIDReusePolicy.ALLOW_DUPLICATE


class ChildWorkflowConfig(TypedDict, total=False):
    """Options of `start_child_workflow` and `execute_child_workflow`, to unpack."""

    id: str | None  # workflow id; default is a random one, the same in each replay
    task_queue: str | None  # whose workers run it; default is this workflow's own
    cancellation_type: ChildWorkflowCancellationType  # how a cancelled handle resolves
    parent_close_policy: ParentClosePolicy  # what becomes of it when this run closes
    execution_timeout: timedelta | None  # for all its runs together
    run_timeout: timedelta | None  # for one run
    task_timeout: timedelta | None  # for one workflow task
    id_reuse_policy: WorkflowIDReusePolicy  # whether a closed run's id may be used
    retry_policy: RetryPolicy | None  # default is not to retry
    cron_schedule: str  # start it again and again by a cron expression
    memo: Mapping[str, Any] | None  # data for people
    search_attributes: Any  # indexed data
    static_summary: str | None  # one line for people
    static_details: str | None  # more for people
    priority: Priority  # default is this workflow's own


@overload
async def start_child_workflow(
    workflow: Callable[..., Awaitable[R]],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[Any, R]: ...


@overload
async def start_child_workflow(
    workflow: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[Any, Any]: ...


async def start_child_workflow(
    workflow: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    id: str | None = None,
    task_queue: str | None = None,
    result_type: type | None = None,
    cancellation_type: ChildWorkflowCancellationType = WAIT_COMPLETED,
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    id_reuse_policy: WorkflowIDReusePolicy = ALLOW_DUPLICATE,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str = "",
    memo: Mapping[str, Any] | None = None,
    search_attributes: Any = None,
    static_summary: str | None = None,
    static_details: str | None = None,
    priority: Priority = Priority.default,
) -> ChildWorkflowHandle[Any, Any]:
    """Start a child workflow; returns its handle, an asyncio task, when it runs.

    `workflow` is its `@workflow.run` method or its type, `arg` its one argument or
    `args` several, `result_type` what to decode the result to, if `workflow` does not
    say so. For the other options see `ChildWorkflowConfig`.

    Raises:
        WorkflowAlreadyStartedError: the id is taken.
        ChildWorkflowError: it was cancelled before it started.
    """
    name, hint = workflow_name(workflow)
    instance = current()
    call = ChildCall(
        name=name,
        arguments=arguments_of(arg, args),
        result_hint=result_type or hint,
        task_queue=task_queue,
        execution_timeout=execution_timeout,
        run_timeout=run_timeout,
        task_timeout=task_timeout,
        parent_close_policy=(
            parent_close_policy or ParentClosePolicy.TERMINATE
        ).name.lower(),
        cancellation_type=CancellationType[cancellation_type.name],
        id_reuse_policy=id_reuse_policy.name.lower(),
        retry_policy=retry_policy,
        cron_schedule=cron_schedule,
        memo=memo,
        search_attributes=search_attributes,
        priority=priority.priority_key or 0,
        static_summary=static_summary,
        static_details=static_details,
    )
    return await instance.children.start(call, id or instance.streams.child_id())


@overload
async def execute_child_workflow(
    workflow: Callable[..., Awaitable[R]],
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ChildWorkflowConfig],
) -> R: ...


@overload
async def execute_child_workflow(
    workflow: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = ...,
    **config: Unpack[ChildWorkflowConfig],
) -> Any: ...


async def execute_child_workflow(
    workflow: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type | None = None,
    **config: Unpack[ChildWorkflowConfig],
) -> Any:
    """Start a child workflow, wait for it and return its result; see
    `start_child_workflow`.

    Raises:
        ChildWorkflowError: it failed, timed out or was cancelled; `cause` says how.
    """
    handle = await start_child_workflow(
        workflow, arg, args=args, result_type=result_type, **config
    )
    return await handle


def get_external_workflow_handle(
    workflow_id: str, *, run_id: str | None = None
) -> ExternalWorkflowHandle[Any]:
    """Return a handle to signal or cancel any workflow."""
    return ExternalWorkflowHandle(current().external, workflow_id, run_id)


def get_external_workflow_handle_for(
    workflow: Callable[..., Awaitable[Any]],  # noqa: ARG001 - for readers
    workflow_id: str,
    *,
    run_id: str | None = None,
) -> ExternalWorkflowHandle[Any]:
    """As `get_external_workflow_handle`, of a workflow named by its run method."""
    return get_external_workflow_handle(workflow_id, run_id=run_id)
