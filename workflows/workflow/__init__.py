"""Workflows: deterministic code that survives. Shaped like `temporalio.workflow`.

A class with `@workflow.defn` and an async method with `@workflow.run` is a workflow.
What the functions of this package do is recorded in the run's history; after a crash
the code runs again and finds its past there. So it must do the same each time: time,
chance and waiting come from here, everything that touches the world is an activity.
"""

from workflows.engine.definition import HandlerUnfinishedPolicy
from workflows.engine.instance.activities import ActivityHandle
from workflows.engine.instance.children import ChildWorkflowHandle
from workflows.engine.instance.context import in_workflow
from workflows.engine.instance.errors import (
    ContinueAsNewError,
    ForbiddenCallError,
    NotInWorkflowError,
    ReadOnlyContextError,
    UnfinishedSignalHandlersWarning,
)
from workflows.engine.instance.external import ExternalWorkflowHandle
from workflows.engine.instance.info import Info, ParentInfo, RootInfo
from workflows.engine.nondeterminism import NondeterminismError
from workflows.workflow import unsafe
from workflows.workflow.activities import (
    ActivityCancellationType,
    ActivityConfig,
    execute_activity,
    execute_activity_class,
    execute_activity_method,
    start_activity,
    start_activity_class,
    start_activity_method,
)
from workflows.workflow.children import (
    ChildWorkflowCancellationType,
    ChildWorkflowConfig,
    ParentClosePolicy,
    execute_child_workflow,
    get_external_workflow_handle,
    get_external_workflow_handle_for,
    start_child_workflow,
)
from workflows.workflow.clock import (
    new_random,
    now,
    random,
    random_seed,
    sleep,
    time,
    time_ns,
    uuid4,
    uuid7,
)
from workflows.workflow.continuing import continue_as_new
from workflows.workflow.definition import defn, init, query, run, signal
from workflows.workflow.handlers import (
    all_handlers_finished,
    get_dynamic_query_handler,
    get_dynamic_signal_handler,
    get_query_handler,
    get_signal_handler,
    set_dynamic_query_handler,
    set_dynamic_signal_handler,
    set_query_handler,
    set_signal_handler,
)
from workflows.workflow.local_activities import (
    LocalActivityConfig,
    execute_local_activity,
    execute_local_activity_class,
    execute_local_activity_method,
    start_local_activity,
    start_local_activity_class,
    start_local_activity_method,
)
from workflows.workflow.log import LoggerAdapter, logger
from workflows.workflow.running import (
    cancellation_reason,
    deprecate_patch,
    get_current_details,
    get_last_completion_result,
    get_last_failure,
    has_last_completion_result,
    info,
    instance,
    is_failure_exception,
    memo,
    memo_value,
    patched,
    payload_converter,
    set_current_details,
    upsert_memo,
    upsert_search_attributes,
)
from workflows.workflow.waiting import as_completed, wait, wait_condition

__all__ = [
    "ActivityCancellationType",
    "ActivityConfig",
    "ActivityHandle",
    "ChildWorkflowCancellationType",
    "ChildWorkflowConfig",
    "ChildWorkflowHandle",
    "ContinueAsNewError",
    "ExternalWorkflowHandle",
    "ForbiddenCallError",
    "HandlerUnfinishedPolicy",
    "Info",
    "LocalActivityConfig",
    "LoggerAdapter",
    "NondeterminismError",
    "NotInWorkflowError",
    "ParentClosePolicy",
    "ParentInfo",
    "ReadOnlyContextError",
    "RootInfo",
    "UnfinishedSignalHandlersWarning",
    "all_handlers_finished",
    "as_completed",
    "cancellation_reason",
    "continue_as_new",
    "defn",
    "deprecate_patch",
    "execute_activity",
    "execute_activity_class",
    "execute_activity_method",
    "execute_child_workflow",
    "execute_local_activity",
    "execute_local_activity_class",
    "execute_local_activity_method",
    "get_current_details",
    "get_dynamic_query_handler",
    "get_dynamic_signal_handler",
    "get_external_workflow_handle",
    "get_external_workflow_handle_for",
    "get_last_completion_result",
    "get_last_failure",
    "get_query_handler",
    "get_signal_handler",
    "has_last_completion_result",
    "in_workflow",
    "info",
    "init",
    "instance",
    "is_failure_exception",
    "logger",
    "memo",
    "memo_value",
    "new_random",
    "now",
    "patched",
    "payload_converter",
    "query",
    "random",
    "random_seed",
    "run",
    "set_current_details",
    "set_dynamic_query_handler",
    "set_dynamic_signal_handler",
    "set_query_handler",
    "set_signal_handler",
    "signal",
    "sleep",
    "start_activity",
    "start_activity_class",
    "start_activity_method",
    "start_child_workflow",
    "start_local_activity",
    "start_local_activity_class",
    "start_local_activity_method",
    "time",
    "time_ns",
    "unsafe",
    "upsert_memo",
    "upsert_search_attributes",
    "uuid4",
    "uuid7",
    "wait",
    "wait_condition",
]
