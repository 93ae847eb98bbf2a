"""Names and parameters of the client are those of temporalio 1.35, but for a list.

The file beside this test lists them: `*` is variadic, `!` keyword-only, null a
property.
"""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import workflows.client
import workflows.service

LISTED: Mapping[str, Mapping[str, str | None]] = json.loads(
    Path(__file__).with_name("temporal_client_signatures.json").read_text()
)
LATER = "a later part of Temporal's surface"
NO_WIRE = "there is no gRPC connection"
PLAIN = "data are plain objects, not Protobuf messages"
ABSENT: Mapping[str, Mapping[str, str]] = {
    LATER: {
        "Client": "count_activities list_activities start_activity execute_activity "
        "start_activity_class execute_activity_class start_activity_method "
        "execute_activity_method get_activity_handle count_nexus_operations "
        "list_nexus_operations get_nexus_operation_handle create_nexus_client "
        "create_schedule get_schedule_handle list_schedules "
        "start_update_with_start_workflow execute_update_with_start_workflow "
        "get_worker_build_id_compatibility get_worker_task_reachability "
        "update_worker_build_id_compatibility",
        "WorkflowHandle": "execute_update start_update get_update_handle "
        "get_update_handle_for",
        "AsyncActivityHandle": "with_context",
    },
    NO_WIRE: {
        "Client": "api_key rpc_metadata operator_service test_service workflow_service",
        "RPCError": "grpc_status",
    },
    "every one has it as `__cause__`": {
        "WorkflowContinuedAsNewError": "cause",
        "WorkflowQueryFailedError": "cause",
        "WorkflowQueryRejectedError": "cause",
        "AsyncActivityCancelledError": "cause",
    },
}
OTHER: Mapping[tuple[str, str], str] = {
    ("Client", "start_workflow"): "no stack is read: `stack_level` is not there",
    ("WorkflowExecution", "__init__"): PLAIN,
    ("WorkflowExecutionDescription", "__init__"): PLAIN,
    ("WorkflowExecutionAsyncIterator", "__init__"): "it is made by `list_workflows`",
    ("WorkflowExecutionAsyncIterator", "map_histories"): "passes its options on",
    ("AsyncActivityHandle", "__init__"): "no serialization contexts",
}
CASES = [(owner, name) for owner, names in LISTED.items() for name in names]


def reason(owner: str, name: str) -> str | None:
    for why, names in ABSENT.items():
        if name in names.get(owner, "").split():
            return why
    return None


def cls(owner: str) -> Any:
    module = workflows.service if owner == "RPCError" else workflows.client
    return getattr(module, owner)


def parameters(member: Any) -> str:
    signs: dict[Any, str] = {
        inspect.Parameter.VAR_POSITIONAL: "*{}",
        inspect.Parameter.KEYWORD_ONLY: "{}!",
    }
    return " ".join(
        signs.get(each.kind, "{}").format(each.name)
        for each in inspect.signature(member).parameters.values()
        if each.name not in {"self", "cls"} and not each.name.startswith("_")
    )


@pytest.mark.parametrize(("owner", "name"), CASES)
def test_the_client_has_temporals_names_and_parameters(owner: str, name: str) -> None:
    known = hasattr(cls(owner), name) or name in cls(owner).__annotations__
    if reason(owner, name) is not None:
        assert not known, f"{owner}.{name} is listed as absent"
        return
    assert known, f"{owner}.{name} is missing"
    wanted = LISTED[owner][name]
    if wanted is None:
        return
    found = parameters(getattr(cls(owner), name))
    if OTHER.get((owner, name)):
        assert found != wanted, f"{owner}.{name} is listed as different"
    else:
        assert found == wanted


def test_the_blocking_client_has_the_same_names_and_parameters() -> None:
    pairs = [
        (workflows.client.Client, workflows.client.BlockingClient),
        (workflows.client.WorkflowHandle, workflows.client.BlockingWorkflowHandle),
        (
            workflows.client.AsyncActivityHandle,
            workflows.client.BlockingAsyncActivityHandle,
        ),
    ]
    for twin, blocking in pairs:
        for name in LISTED[twin.__name__]:
            if reason(twin.__name__, name) is None and name != "__init__":
                ours, theirs = getattr(twin, name), getattr(blocking, name, None)
                if callable(ours) and callable(theirs):
                    assert parameters(ours) == parameters(theirs), name
