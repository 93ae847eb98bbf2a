"""The store: the one protocol behind which all truth lives, and its records.

Every operation is one atomic write (one SQLite transaction, one Lua script): it
validates everything, checks its fences, and only then writes. Whoever calls makes
all ids beforehand, so that a call whose reply was lost can be sent again; a
repeated id gets the same answer and changes nothing.

Times are the store's own, integer milliseconds since the epoch (`…_at`); spans are
integer milliseconds (`…_ms`). A store made with a `clock` works in *test mode*: it
takes every "now" from that clock. Only a namespace created in test mode accepts
this, and such a namespace accepts nothing else.

Order: one sequence numbers the *places* of the whole store. Every entry into waiting
or delayed takes the next place; only a stall and a release keep the old one. Waiting
jobs are ordered by (priority, place), delayed by (run_at, place), leases by (end, job
id), ended jobs by (finished_at, job id).

Limits and steps: a `limit` is 1 to MAX_STEP, or the call is refused. A step on an
unknown queue finds nothing. Refused means InvalidArgumentError and no change.

Any operation may raise `StoreUnavailableError`; those that grow the store may raise
`StoreFullError`. Adapters: `workflows.stores.sqlite`, `workflows.stores.redis`.

Whoever uses the store imports from here; the modules inside are for reading.
"""

from workflows.store.claims import Beat, Claim, LeasedJob, QueueClaim, Renewed, Swept
from workflows.store.jobs import (
    Deadlines,
    Dedup,
    Enqueued,
    EnqueueStatus,
    JobKind,
    NewJob,
    OnDuplicate,
)
from workflows.store.limits import (
    MAX_DUE,
    MAX_HISTORY,
    MAX_LOG,
    MAX_LOG_LINE,
    MAX_RELEASES,
    MAX_STEP,
    REQUEST_MEMORY_MS,
    UNTIL_CLOSED,
)
from workflows.store.options import StoreOptions
from workflows.store.protocol import Store
from workflows.store.queues import Minute, QueueInfo, QueueLimits, WorkerInfo
from workflows.store.records import Attempt, JobPage, JobRecord, Step
from workflows.store.reports import LogLine, LogPage, Report
from workflows.store.runs import (
    CancelActivity,
    Close,
    Deliver,
    InboxEntry,
    InboxItem,
    InlineLease,
    LoadedRun,
    NewRun,
    NewTimer,
    Overdue,
    Parent,
    PendingWork,
    RunPage,
    RunRecord,
    RunRef,
    RunStatus,
    StartChild,
    Started,
    StartRun,
    StartStatus,
    task_job_id,
)
from workflows.store.schedules import FireStatus, Schedule
from workflows.store.settlements import (
    Bury,
    Cancel,
    Commit,
    Complete,
    Detach,
    Exchanged,
    Expire,
    Join,
    Release,
    Retry,
    Return,
    Settlement,
    SettleStatus,
    TaskRetry,
    Value,
)
from workflows.store.values import KeyValues

__all__ = [
    "MAX_DUE",
    "MAX_HISTORY",
    "MAX_LOG",
    "MAX_LOG_LINE",
    "MAX_RELEASES",
    "MAX_STEP",
    "REQUEST_MEMORY_MS",
    "UNTIL_CLOSED",
    "Attempt",
    "Beat",
    "Bury",
    "Cancel",
    "CancelActivity",
    "Claim",
    "Close",
    "Commit",
    "Complete",
    "Deadlines",
    "Dedup",
    "Deliver",
    "Detach",
    "EnqueueStatus",
    "Enqueued",
    "Exchanged",
    "Expire",
    "FireStatus",
    "InboxEntry",
    "InboxItem",
    "InlineLease",
    "JobKind",
    "JobPage",
    "JobRecord",
    "Join",
    "KeyValues",
    "LeasedJob",
    "LoadedRun",
    "LogLine",
    "LogPage",
    "Minute",
    "NewJob",
    "NewRun",
    "NewTimer",
    "OnDuplicate",
    "Overdue",
    "Parent",
    "PendingWork",
    "QueueClaim",
    "QueueInfo",
    "QueueLimits",
    "Release",
    "Renewed",
    "Report",
    "Retry",
    "Return",
    "RunPage",
    "RunRecord",
    "RunRef",
    "RunStatus",
    "Schedule",
    "SettleStatus",
    "Settlement",
    "StartChild",
    "StartRun",
    "StartStatus",
    "Started",
    "Step",
    "Store",
    "StoreOptions",
    "Swept",
    "TaskRetry",
    "Value",
    "WorkerInfo",
    "task_job_id",
]
