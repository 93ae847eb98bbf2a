"""The one table of routes: Falcon's routing, roles and OpenAPI come from it.

The guide's six stand under `/api/v1/queue`; all others under plural nouns, so that no
queue or job can be named so that two routes mean the same path.
"""

from collections.abc import Iterable, Mapping
from functools import cache

import msgspec

from api import schemas
from api.call import Call, RawReply
from api.openapi import build_openapi
from api.parameters import CURSOR, LIMIT, QueryParameter
from api.resources import exposition, jobs, monitoring, queues, schedules
from api.route import Route
from api.workflow_routes import WORKFLOW_ROUTES
from workflows.engine.states import JobState

STATE = QueryParameter(
    name="state",
    description="The state to list.",
    required=True,
    choices=tuple(state.value for state in JobState),
)
AFTER = QueryParameter(
    name="after",
    description="Lines with greater numbers only.",
    default=0,
    minimum=0,
    maximum=999_999_999,
)
GUIDE = "/api/v1/queue"
QUEUE = "/api/v1/queues/{queue}"
JOB = "/api/v1/jobs/{jobId}"
SCHEDULE = "/api/v1/schedules/{scheduleId}"

_GUIDE_ROUTES = (
    Route(
        method="GET",
        path=f"{GUIDE}/metrics",
        role="viewer",
        handler=queues.all_metrics,
        data=schemas.AllMetrics,
        tag="queues",
    ),
    Route(
        method="GET",
        path=f"{GUIDE}/metrics/{{queue}}",
        role="viewer",
        handler=queues.metrics,
        data=schemas.QueueDetail,
        tag="queues",
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{GUIDE}/dead-letter/{{queue}}",
        role="viewer",
        handler=queues.dead_letters,
        data=schemas.DeadLetters,
        tag="queues",
        query=(LIMIT, CURSOR),
        errors=(404, 422),
    ),
    Route(
        method="POST",
        path=f"{GUIDE}/retry/{{queue}}/{{jobId}}",
        role="operator",
        handler=queues.retry,
        data=schemas.JobStateView,
        tag="queues",
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path=f"{GUIDE}/retry/{{queue}}",
        role="operator",
        handler=queues.retry_many,
        data=schemas.RetriedMany,
        tag="queues",
        body=schemas.StepLimit,
        body_optional=True,
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{GUIDE}/clean/{{queue}}",
        role="operator",
        handler=queues.clean,
        data=schemas.RemovedMany,
        tag="queues",
        body=schemas.StepLimit,
        body_optional=True,
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{GUIDE}/dashboard",
        role="viewer",
        handler=monitoring.dashboard,
        data=schemas.DashboardView,
        tag="monitoring",
    ),
)

_QUEUE_ROUTES = (
    Route(
        method="POST",
        path=f"{QUEUE}/jobs",
        role="operator",
        handler=jobs.add,
        data=schemas.AddedJob,
        tag="jobs",
        body=schemas.AddJob,
        success=(201, 200),
        errors=(404,),
        idempotent_by_key=True,
    ),
    Route(
        method="POST",
        path=f"{QUEUE}/batches",
        role="operator",
        handler=jobs.add_many,
        data=schemas.AddedJobs,
        tag="jobs",
        body=schemas.AddJobs,
        success=(201, 200),
        errors=(404,),
        idempotent_by_key=True,
    ),
    Route(
        method="GET",
        path=f"{QUEUE}/jobs",
        role="viewer",
        handler=jobs.list_jobs,
        data=schemas.JobList,
        tag="jobs",
        query=(STATE, LIMIT, CURSOR),
        errors=(404, 422),
    ),
    Route(
        method="POST",
        path=f"{QUEUE}/pause",
        role="operator",
        handler=queues.pause,
        data=schemas.QueueState,
        tag="queues",
        body=schemas.Pause,
        body_optional=True,
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{QUEUE}/resume",
        role="operator",
        handler=queues.resume,
        data=schemas.QueueState,
        tag="queues",
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=f"{QUEUE}/limits",
        role="operator",
        handler=queues.set_limits,
        data=schemas.QueueState,
        tag="queues",
        body=schemas.SetLimits,
        errors=(404,),
    ),
    Route(
        method="DELETE",
        path=f"{QUEUE}/limits",
        role="operator",
        handler=queues.reset_limits,
        data=schemas.QueueState,
        tag="queues",
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{QUEUE}/promote",
        role="operator",
        handler=queues.promote_all,
        data=schemas.PromotedMany,
        tag="queues",
        body=schemas.StepLimit,
        body_optional=True,
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{QUEUE}/drain",
        role="admin",
        handler=queues.drain,
        data=schemas.RemovedMany,
        tag="queues",
        body=schemas.Drain,
        body_optional=True,
        errors=(404,),
    ),
)

_JOB_ROUTES = (
    Route(
        method="GET",
        path=JOB,
        role="viewer",
        handler=jobs.read,
        data=schemas.JobDetail,
        tag="jobs",
        errors=(404,),
    ),
    Route(
        method="DELETE",
        path=JOB,
        role="operator",
        handler=jobs.remove,
        data=schemas.Removed,
        tag="jobs",
        errors=(404, 409),
    ),
    Route(
        method="PATCH",
        path=JOB,
        role="operator",
        handler=jobs.amend,
        data=schemas.JobDetail,
        tag="jobs",
        body=schemas.AmendJob,
        errors=(404, 409),
    ),
    Route(
        method="GET",
        path=f"{JOB}/log",
        role="viewer",
        handler=jobs.log,
        data=schemas.JobLog,
        tag="jobs",
        query=(AFTER, LIMIT),
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{JOB}/attempts",
        role="viewer",
        handler=jobs.attempts,
        data=schemas.Attempts,
        tag="jobs",
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{JOB}/cancel",
        role="operator",
        handler=jobs.cancel,
        data=schemas.Cancelled,
        tag="jobs",
        success=(200, 202),
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path=f"{JOB}/promote",
        role="operator",
        handler=jobs.promote,
        data=schemas.JobStateView,
        tag="jobs",
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path=f"{JOB}/reschedule",
        role="operator",
        handler=jobs.reschedule,
        data=schemas.JobStateView,
        tag="jobs",
        body=schemas.Reschedule,
        errors=(404, 409),
    ),
)

_SCHEDULE_ROUTES = (
    Route(
        method="GET",
        path="/api/v1/schedules",
        role="viewer",
        handler=schedules.list_schedules,
        data=schemas.Schedules,
        tag="schedules",
    ),
    Route(
        method="GET",
        path=SCHEDULE,
        role="viewer",
        handler=schedules.read,
        data=schemas.ScheduleView,
        tag="schedules",
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=SCHEDULE,
        role="operator",
        handler=schedules.put,
        data=schemas.ScheduleView,
        tag="schedules",
        body=schemas.PutSchedule,
        success=(201, 200),
        errors=(409,),
    ),
    Route(
        method="DELETE",
        path=SCHEDULE,
        role="operator",
        handler=schedules.delete,
        data=schemas.DeletedSchedule,
        tag="schedules",
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path=f"{SCHEDULE}/pause",
        role="operator",
        handler=schedules.pause,
        data=schemas.ScheduleView,
        tag="schedules",
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{SCHEDULE}/resume",
        role="operator",
        handler=schedules.resume,
        data=schemas.ScheduleView,
        tag="schedules",
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{SCHEDULE}/run",
        role="operator",
        handler=schedules.run,
        data=schemas.AddedJob,
        tag="schedules",
        success=(201, 200),
        errors=(404,),
        idempotent_by_key=True,
    ),
)

_OTHER_ROUTES = (
    Route(
        method="GET",
        path="/api/v1/workers",
        role="viewer",
        handler=monitoring.workers,
        data=schemas.Workers,
        tag="monitoring",
    ),
    Route(
        method="GET",
        path="/health/live",
        role="public",
        handler=monitoring.live,
        data=schemas.Live,
        tag="monitoring",
        uses_store=False,
    ),
    Route(
        method="GET",
        path="/health/ready",
        role="public",
        handler=monitoring.ready,
        data=schemas.Ready,
        tag="monitoring",
    ),
)


def openapi(call: Call) -> RawReply:
    """Read the description of this API."""
    return RawReply(
        content_type="application/json",
        content=_description(market=call.open_market is not None),
    )


@cache
def _description(*, market: bool) -> bytes:
    return msgspec.json.encode(build_openapi(served(market=market)))


_RAW_ROUTES = (
    Route(
        method="GET",
        path="/metrics",
        role="viewer",
        handler=exposition.prometheus,
        tag="monitoring",
        media_type="text/plain",
        uses_store=False,  # a store that is down is a metric too
    ),
    Route(
        method="GET",
        path="/openapi.json",
        role="public",
        handler=openapi,
        tag="monitoring",
        uses_store=False,
    ),
)

ROUTES = (
    *_GUIDE_ROUTES,
    *_QUEUE_ROUTES,
    *_JOB_ROUTES,
    *_SCHEDULE_ROUTES,
    *WORKFLOW_ROUTES,
    *_OTHER_ROUTES,
    *_RAW_ROUTES,
)


def served(*, market: bool) -> tuple[Route, ...]:
    """Return the routes of an API with or without the marketplace."""
    if not market:
        return ROUTES
    from api.market_routes import MARKET_ROUTES  # noqa: PLC0415 - heavy libraries

    return (*ROUTES, *MARKET_ROUTES)


def by_path(routes: Iterable[Route]) -> Mapping[str, tuple[Route, ...]]:
    """Return the routes of each path."""
    paths: dict[str, tuple[Route, ...]] = {}
    for route in routes:
        paths[route.path] = (*paths.get(route.path, ()), route)
    return paths
