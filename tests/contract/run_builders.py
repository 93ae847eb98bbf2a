"""Short ways to say what a test of runs means: starts, tasks, commits, activities."""

from itertools import count
from typing import Any

from tests.contract.builders import LEASE_MS, ME, claim
from workflows.store import (
    CancelActivity,
    Close,
    Commit,
    Deadlines,
    Deliver,
    Exchanged,
    InboxEntry,
    InboxItem,
    InlineLease,
    JobKind,
    LeasedJob,
    LoadedRun,
    NewJob,
    NewRun,
    NewTimer,
    Parent,
    RunRecord,
    RunRef,
    RunStatus,
    SettleStatus,
    StartChild,
    Started,
    StartRun,
    Store,
    task_job_id,
)

TASKS, TASK = "tasks", "workflow/Order"
WORK, ACTIVITY = "work", "activity/charge"
UPKEEP, CHORE = "upkeep", "chore"
_ids = count(1)


def fresh(word: str) -> str:
    """An id that nothing else has."""
    return f"{word}-{next(_ids)}"


def entry(
    kind: str = "signal", data: bytes = b"s", max_waiting: int | None = None
) -> InboxEntry:
    """An inbox entry."""
    return InboxEntry(kind=kind, data=data, max_waiting=max_waiting)


def new_run(run_id: str = "r", workflow_id: str = "w", **fields: Any) -> NewRun:
    """A run `r` of workflow `w` on the queue `tasks`, unless told otherwise."""
    return NewRun(
        **{
            "workflow_id": workflow_id,
            "run_id": run_id,
            "type": "Order",
            "task_queue": TASKS,
            "task_type": TASK,
            "started": b"started",
            **fields,
        }
    )


def start(
    store: Store,
    run_id: str = "r",
    workflow_id: str = "w",
    *,
    request_id: str = "",
    reuse: Any = "allow_duplicate",
    conflict: Any = "fail",
    terminate: Close | None = None,
    replaces: str | None = None,
    signal: InboxEntry | None = None,
    **fields: Any,
) -> Started:
    """Start a run, under a fresh request id unless one is given."""
    wanted = StartRun(
        run=new_run(run_id, workflow_id, **fields),
        reuse=reuse,
        conflict=conflict,
        terminate=terminate,
        replaces=replaces,
        signal=signal,
    )
    return store.start_run(wanted, request_id=request_id or fresh("request"))


def ref(run_id: str | None = "r", workflow_id: str = "w", **fields: Any) -> RunRef:
    """Names a run."""
    return RunRef(workflow_id=workflow_id, run_id=run_id, **fields)


def send(
    store: Store,
    what: InboxEntry | None = None,
    to: RunRef | None = None,
    *,
    request_id: str = "",
) -> str:
    """Send an entry to a run (signal to `r`)."""
    return store.send_to_run(
        to or ref(), what or entry(), request_id=request_id or fresh("request")
    )


def end(
    store: Store,
    close: Close | None = None,
    of: RunRef | None = None,
    *,
    request_id: str = "",
) -> str:
    """Close a run from outside (terminate `r`)."""
    return store.close_run(
        of or ref(), close or closed(), request_id=request_id or fresh("request")
    )


def closed(status: RunStatus = RunStatus.TERMINATED, **fields: Any) -> Close:
    """The end of a run."""
    return Close(status=status, **fields)


def run(store: Store, run_id: str = "r") -> RunRecord:
    """The record of a run that exists."""
    return load(store, run_id).run


def load(store: Store, run_id: str = "r") -> LoadedRun:
    """A run that exists, with its events and its inbox."""
    loaded = store.load_run(run_id)
    assert loaded is not None, f"no run {run_id}"
    return loaded


def inbox(store: Store, run_id: str = "r") -> list[tuple[int, str, bytes]]:
    """What lies in the inbox of a run: number, kind, data."""
    return [(item.seq, item.kind, item.data) for item in load(store, run_id).inbox]


def item(seq: int, at: int, kind: str = "signal", data: bytes = b"s") -> InboxItem:
    """An entry as it lies in an inbox."""
    return InboxItem(seq=seq, at=at, kind=kind, data=data)


def take_task(store: Store, token: str = "t", **fields: Any) -> LeasedJob:
    """Claim the one workflow task that waits."""
    (job,) = take_tasks(store, token, 1, **fields)
    return job


def take_tasks(
    store: Store, token: str = "t", slots: int = 10, **fields: Any
) -> tuple[LeasedJob, ...]:
    """Claim workflow tasks."""
    wanted = claim(token, slots, queues=(TASKS,), types=(TASK,), **fields)
    return store.exchange(claim=wanted).jobs


def take_work(
    store: Store, token: str = "a", slots: int = 1, **fields: Any
) -> tuple[LeasedJob, ...]:
    """Claim activities."""
    wanted = claim(token, slots, queues=(WORK,), types=(ACTIVITY,), **fields)
    return store.exchange(claim=wanted).jobs


def commit(store: Store, run_id: str = "r", token: str = "t", **fields: Any) -> Commit:
    """A commit of the workflow task of a run, true of the run as it is now."""
    record = run(store, run_id)
    return Commit(
        **{
            "job_id": task_job_id(run_id),
            "token": token,
            "run_id": run_id,
            "length": record.length,
            "at": store.now(),
            "taken": record.inbox_seq,
            **fields,
        }
    )


def exchange(store: Store, *commits: Any) -> Exchanged:
    """Settle."""
    return store.exchange(commits)


def do(store: Store, run_id: str = "r", **fields: Any) -> Exchanged:
    """Claim the task of the one run that has one, and commit; it has to be OK."""
    token = fresh("token")
    assert take_task(store, token).run_id == run_id
    done = store.exchange([commit(store, run_id, token, **fields)])
    assert done.statuses == (SettleStatus.OK,)
    return done


def activity(job_id: str = "act", run_id: str = "r", **fields: Any) -> NewJob:
    """An activity of the run, on the queue `work`."""
    return NewJob(
        **{
            "id": job_id,
            "queue": WORK,
            "type": ACTIVITY,
            "payload": b"input",
            "kind": JobKind.ACTIVITY,
            "run_id": run_id,
            **fields,
        }
    )


def limits(**spans: int) -> Deadlines:
    """Timeouts in ms, by their names without `_ms`."""
    return Deadlines(**{f"{name}_ms": ms for name, ms in spans.items()})


def query(job_id: str = "q", run_id: str = "r", **fields: Any) -> NewJob:
    """A query of the run."""
    return NewJob(
        **{
            "id": job_id,
            "queue": TASKS,
            "type": "query/Order",
            "payload": b"question",
            "kind": JobKind.QUERY,
            "run_id": run_id,
            **fields,
        }
    )


def upkeep(job_id: str = "u", **fields: Any) -> NewJob:
    """Something that a worker of any kind does for the engine."""
    return NewJob(
        **{
            "id": job_id,
            "queue": UPKEEP,
            "type": CHORE,
            "payload": b"what",
            "kind": JobKind.UPKEEP,
            **fields,
        }
    )


def timer(key: str, due_at: int, data: bytes = b"") -> NewTimer:
    """A timer whose entry has its key as data."""
    return NewTimer(
        key=key, due_at=due_at, entry=entry("timer_fired", data or key.encode())
    )


def inline(job_id: str = "act", token: str = "in") -> InlineLease:
    """A wish to run the activity here and now."""
    return InlineLease(job_id=job_id, token=token, owner=ME, lease_ms=LEASE_MS)


def unscheduled(job_id: str = "act") -> CancelActivity:
    """A wish to cancel an activity."""
    return CancelActivity(job_id=job_id, entry=entry("activity_canceled"))


def child(run_id: str = "c", workflow_id: str = "cw", **fields: Any) -> StartChild:
    """A child of `r`."""
    reuse = fields.pop("reuse", "allow_duplicate")
    parent = Parent(workflow_id="w", run_id="r")
    return StartChild(
        run=new_run(run_id, workflow_id, **{"parent": parent, **fields}),
        reuse=reuse,
        started=entry("child_started", run_id.encode()),
        refused=entry("child_refused", run_id.encode()),
    )


def deliver(to: RunRef, kind: str = "signal", **fields: Any) -> Deliver:
    """An entry for another run, with answers."""
    return Deliver(
        to=to,
        entry=entry(kind, b"from r"),
        done=entry("delivered"),
        missing=entry("undelivered"),
        **fields,
    )
