"""The routes of workflows; part of the one table in `api.routes`."""

from api import schemas
from api.parameters import CURSOR, LIMIT, QueryParameter
from api.resources import workflows
from api.route import Route

WORKFLOWS = "/api/v1/workflows"
WORKFLOW = f"{WORKFLOWS}/{{workflowId}}"
MAX_WAIT_MS = 20_000  # below what a stopping server grants to its requests

RUN_ID = QueryParameter(
    name="runId", description="The run; default is the current one.", text=255
)
WAIT = QueryParameter(
    name="waitMs",
    description="How long to wait for news at most.",
    default=0,
    minimum=0,
    maximum=MAX_WAIT_MS,
)
START_ID = QueryParameter(
    name="startId",
    description="The id of the first event.",
    default=1,
    minimum=1,
    maximum=999_999_999,
)
FOLLOW = QueryParameter(
    name="follow",
    description="Whether the runs that follow count (continue-as-new, retry, cron).",
    default="true",
    choices=("true", "false"),
)
STATUS = QueryParameter(
    name="status", description="Only runs of this status.", choices=schemas.STATUSES
)
TYPE = QueryParameter(
    name="type", description="Only runs of this workflow type.", text=1000
)
ID = QueryParameter(
    name="workflowId", description="Only runs of this workflow.", text=1000
)

WORKFLOW_ROUTES = (
    Route(
        method="POST",
        path=WORKFLOWS,
        role="operator",
        handler=workflows.start,
        data=schemas.StartedWorkflow,
        tag="workflows",
        body=schemas.StartWorkflow,
        success=(201, 200),
        errors=(409,),
        idempotent_by_key=True,
    ),
    Route(
        method="GET",
        path=WORKFLOWS,
        role="viewer",
        handler=workflows.list_workflows,
        data=schemas.WorkflowList,
        tag="workflows",
        query=(STATUS, TYPE, ID, LIMIT, CURSOR),
    ),
    Route(
        method="GET",
        path=WORKFLOW,
        role="viewer",
        handler=workflows.describe,
        data=schemas.WorkflowDetail,
        tag="workflows",
        query=(RUN_ID,),
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{WORKFLOW}/history",
        role="viewer",
        handler=workflows.history,
        data=schemas.HistoryView,
        tag="workflows",
        query=(RUN_ID, START_ID, LIMIT, WAIT),
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{WORKFLOW}/result",
        role="viewer",
        handler=workflows.result,
        data=schemas.ResultView,
        tag="workflows",
        query=(RUN_ID, FOLLOW, WAIT),
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{WORKFLOW}/signals",
        role="operator",
        handler=workflows.signal,
        data=schemas.RunName,
        tag="workflows",
        query=(RUN_ID,),
        body=schemas.SignalIn,
        success=(202,),
        errors=(404, 409),
        idempotent_by_key=True,
    ),
    Route(
        method="POST",
        path=f"{WORKFLOW}/queries",
        role="operator",
        handler=workflows.query,
        data=schemas.QueryResult,
        tag="workflows",
        query=(RUN_ID,),
        body=schemas.QueryWorkflow,
        errors=(404, 409, 504),
    ),
    Route(
        method="POST",
        path=f"{WORKFLOW}/cancel",
        role="operator",
        handler=workflows.cancel,
        data=schemas.RunName,
        tag="workflows",
        query=(RUN_ID,),
        body=schemas.CancelWorkflow,
        body_optional=True,
        success=(202,),
        errors=(404,),
        idempotent_by_key=True,
    ),
    Route(
        method="POST",
        path=f"{WORKFLOW}/terminate",
        role="operator",
        handler=workflows.terminate,
        data=schemas.RunName,
        tag="workflows",
        query=(RUN_ID,),
        body=schemas.TerminateWorkflow,
        body_optional=True,
        errors=(404, 409),
        idempotent_by_key=True,
    ),
)
