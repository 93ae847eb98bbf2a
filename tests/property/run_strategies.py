"""Small worlds of runs, so that they meet: few workflow ids, queues, keys, times."""

from typing import Any

from hypothesis import strategies as st

from workflows.engine.states import DeadReason
from workflows.store import (
    Bury,
    Cancel,
    Close,
    Complete,
    Deadlines,
    Expire,
    InboxEntry,
    JobKind,
    NewJob,
    NewRun,
    Parent,
    Release,
    Retry,
    Return,
    RunStatus,
    Settlement,
    TaskRetry,
    Value,
)

TASKS, WORK = "tasks", "work"
TASK, QUERY, ACTIVITY, PLAIN = "workflow/Order", "query/Order", "activity/pay", "send"
CHORE = "chore"  # upkeep
TYPES = {TASKS: (TASK, QUERY, PLAIN, CHORE), WORK: (TASK, ACTIVITY, PLAIN, CHORE)}

queues = st.sampled_from([TASKS, WORK])
workflow_ids = st.sampled_from(["w0", "w1", "w2"])
small = st.binary(max_size=3)
picks = st.integers(0, 999)  # an index into whatever there is
spans = st.sampled_from([900, 2500, 30_000, 30_000])
delays = st.sampled_from([0, 0, 300, 2000])
moments = st.sampled_from([1, 50, 200, 500, 900, 2001])
booleans = st.booleans()
seldom = st.sampled_from([False, False, False, True])
priorities = st.sampled_from([0, 0, 0, 1, -1, 0.1 + 0.2])
reuses = st.sampled_from(
    ["allow_duplicate", "allow_duplicate_failed_only", "reject_duplicate"]
)
conflicts = st.sampled_from(["fail", "use_existing", "terminate_existing"])
entries = st.builds(
    InboxEntry,
    kind=st.sampled_from(["signal", "signal", "update", "cancel"]),
    data=small,
)
maybe_entries = st.one_of(st.none(), entries)
ends = st.sampled_from([status for status in RunStatus if status != "running"])
keys = st.sampled_from(["t0", "t1", "t2"])
timeouts = st.sampled_from([None, 300, 900, 2000])
deadlines = st.one_of(
    st.none(),
    st.builds(
        Deadlines,
        schedule_to_start_ms=timeouts,
        start_to_close_ms=timeouts,
        schedule_to_close_ms=timeouts,
        heartbeat_ms=timeouts,
    ).filter(lambda spans: spans != Deadlines()),
)
retries = st.builds(TaskRetry, delay_ms=delays, failure=st.sampled_from([b"", b"bug"]))
values = st.builds(Value, key=keys, value=small)


@st.composite
def new_runs(
    draw: Any, run_id: str, workflow_id: str, parent: Parent | None = None
) -> NewRun:
    return NewRun(
        workflow_id=workflow_id,
        run_id=run_id,
        type=draw(st.sampled_from(["Order", "Order", "Refund"])),
        task_queue=draw(st.sampled_from([TASKS, TASKS, WORK])),
        task_type=TASK,
        started=draw(small),
        first_run_id=draw(st.sampled_from(["", "", "run-001"])),
        info=draw(small),
        delay_ms=draw(delays),
        deadline_ms=draw(st.sampled_from([None, None, 900, 5000])),
        priority=draw(priorities),
        parent=parent,
        inbox=tuple(draw(st.lists(entries, max_size=1))),
    )


@st.composite
def closes(draw: Any, next_run: NewRun | None = None) -> Close:
    return Close(
        status=draw(ends),
        events=tuple(draw(st.lists(small, max_size=2))),
        outcome=draw(maybe_entries),
        jobs=tuple(draw(st.lists(st.one_of(plain_jobs(), chores()), max_size=1))),
        next_run=next_run,
        carry=next_run is not None and not draw(seldom),
    )


@st.composite
def chores(draw: Any) -> NewJob:
    return NewJob(
        id=f"chore-{draw(st.integers(0, 9))}",
        queue=draw(queues),
        type=CHORE,
        payload=draw(small),
        delay_ms=draw(delays),
        kind=JobKind.UPKEEP,
    )


@st.composite
def plain_jobs(draw: Any) -> NewJob:
    return NewJob(
        id=f"plain-{draw(st.integers(0, 9))}",
        queue=draw(queues),
        type=PLAIN,
        payload=draw(small),
        delay_ms=draw(delays),
    )


@st.composite
def activities(draw: Any, job_id: str, run_id: str) -> NewJob:
    return NewJob(
        id=job_id,
        queue=WORK,
        type=ACTIVITY,
        payload=draw(small),
        headers=draw(st.sampled_from([b"", b"h"])),
        priority=draw(priorities),
        delay_ms=draw(delays),
        max_stalls=draw(st.sampled_from([0, 3])),
        kind=JobKind.ACTIVITY,
        run_id=run_id,
        deadlines=draw(deadlines),
    )


@st.composite
def queries(draw: Any, job_id: str, run_id: str) -> NewJob:
    return NewJob(
        id=job_id,
        queue=TASKS,
        type=QUERY,
        payload=draw(small),
        expires_ms=draw(st.sampled_from([None, 500, 3000])),
        kind=JobKind.QUERY,
        run_id=run_id,
    )


@st.composite
def settlements(draw: Any, job_id: str, token: str) -> Settlement:
    """The end of an activity, of a query, of a plain job."""
    kind = draw(st.sampled_from(KINDS))
    fields: dict[str, Any] = {"job_id": job_id, "token": token}
    fields["outcome"] = draw(maybe_entries)
    if draw(seldom):
        fields["values"] = (draw(values),)
    if draw(seldom):
        fields["jobs"] = (draw(plain_jobs()),)
    match kind.__name__:
        case "Complete":
            fields["result"] = draw(st.sampled_from([None, b"1"]))
        case "Retry":
            fields["delay_ms"] = draw(delays)
            fields["failure"] = draw(st.sampled_from([b"", b"boom"]))
            fields["spend"] = draw(booleans)
            fields["linger"] = draw(seldom)
        case "Bury":
            fields["failure"] = draw(st.sampled_from([b"", b"dead"]))
            fields["reason"] = draw(st.sampled_from(DeadReason))
            fields["spend"] = draw(booleans)
            fields["linger"] = draw(seldom)
        case "Release":
            fields["started"] = draw(booleans)
    settlement: Settlement = kind(**fields)
    return settlement


KINDS: tuple[Any, ...] = (*(Complete, Retry, Bury, Release, Cancel, Expire, Return),)
