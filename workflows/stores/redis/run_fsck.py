"""The checker's part for runs: what their records say must stand, and does."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from workflows.store import task_job_id
from workflows.stores.redis.job_messages import read_timeouts

RUN_FIELDS = (b"workflow", b"status", b"started", b"closed", b"deadline", b"parent")
JOB_FIELDS = (b"kind", b"run", b"timeouts", b"created", b"started", b"beat")
SORTED_SETS = (
    *(b"runs", b"closed", b"overdue", b"activities", b"children", b"chain"),
    b"timers",
)
EXEMPT = (
    b"w",
    b"q",
    b"u",
    b"d",
)  # leases that take no place in their queue's concurrency
PENDING = (b"waiting", b"delayed")
PLACE = 16  # digits before the run id in `closed`

Record = dict[bytes, bytes]
Index = dict[bytes, dict[bytes, float | None]]  # key to members; None: any score


def broken_runs(
    runs: Mapping[bytes, Record],
    jobs: Mapping[bytes, Record],
    lists: Mapping[bytes, int],
) -> Iterator[str]:
    """What is wrong with runs and their jobs; `lists`: entries by key."""
    open_runs = Counter(run[b"workflow"] for run in runs.values() if is_open(run))
    for workflow, number in open_runs.items():
        if number > 1:
            yield f"workflow {shown(workflow)} has {number} open runs"
    for id, run in runs.items():
        yield from _broken_run(id, run, jobs, lists)
    for id, job in jobs.items():
        of = run_of(id, job)
        if of is not None and of not in runs:
            yield f"job {shown(id)} is of run {shown(of)}, which does not exist"
    for key in lists:
        if key.partition(b":")[2] not in runs:
            yield f"{shown(key)} is of no run"


def _broken_run(
    id: bytes, run: Record, jobs: Mapping[bytes, Record], lists: Mapping[bytes, int]
) -> Iterator[str]:
    has_task = task_job_id("").encode() + id in jobs
    has_inbox = b"inbox:" + id in lists
    if is_open(run) == (b"closed" in run):
        yield f"run {shown(id)} is {shown(run[b'status'])}, but its end says otherwise"
    if b"events:" + id not in lists:
        yield f"run {shown(id)} has no events"
    if is_open(run):
        if has_inbox and not has_task:
            yield f"run {shown(id)} has an inbox and no workflow task"
        return
    left = {
        "a workflow task": has_task,
        "an inbox": has_inbox,
        "timers": b"timer:" + id in lists,
        "pending activities": any(
            job.get(b"run") == id and job.get(b"kind") == b"a" and is_pending(job)
            for job in jobs.values()
        ),
    }
    for what, there in left.items():
        if there:
            yield f"run {shown(id)} is closed and has {what}"


def run_entries(
    runs: Mapping[bytes, Record], timers: Mapping[bytes, list[bytes]]
) -> Iterator[tuple[bytes, bytes, float | None]]:
    """Where runs have to stand: (key, member, score)."""
    chains: Index = defaultdict(dict)
    for id, run in runs.items():
        started = float(run[b"started"])
        chains[run[b"workflow"]][id] = started
        yield b"runs:" + run[b"status"], id, started
        if b"closed" in run:
            yield b"closed", id, float(run[b"closed"])
        elif b"deadline" in run:
            yield b"overdue", b"r" + id, float(run[b"deadline"])
        if b"parent" in run:
            yield b"children:" + run[b"parent"], id, started
    for workflow, chain in chains.items():
        if len(chain) > 1:
            for id, score in chain.items():
                yield b"chain:" + workflow, id, score
    for id, keys in timers.items():
        for key in keys:
            yield b"timers", id + b"\0" + key, None


def job_entries(id: bytes, job: Record) -> Iterator[tuple[bytes, bytes, float | None]]:
    """Where an engine-owned job has to stand beside where every job does."""
    kind = job.get(b"kind")
    if kind in {b"a", b"d"}:
        yield b"activities:" + job[b"run"], id, None
        deadline = _deadline(job)
        if deadline is not None:
            yield b"overdue", b"a" + id, deadline
    elif kind == b"q":
        yield b"queries:" + job[b"run"], id, None


def _deadline(job: Record) -> float | None:
    """See `workflows.store.Deadlines`."""
    timeouts = read_timeouts(job.get(b"timeouts"))
    if timeouts is None:
        return None
    ends = [(b"created", timeouts.schedule_to_close_ms)]
    if is_pending(job):
        ends.append((b"ready", timeouts.schedule_to_start_ms))
    else:
        alive = b"beat" if b"beat" in job else b"started"
        ends += [
            (b"started", timeouts.start_to_close_ms),
            (alive, timeouts.heartbeat_ms),
        ]
    times = [float(job[start]) + ms for start, ms in ends if ms is not None]
    return min(times, default=None)


def exempt_leases(jobs: Mapping[bytes, Record]) -> Counter[bytes]:
    """How many leases per queue take no place in its concurrency."""
    return Counter(
        job[b"queue"]
        for job in jobs.values()
        if job.get(b"kind") in EXEMPT and job.get(b"state") == b"active"
    )


def current_runs(
    current: Mapping[bytes, bytes], runs: Mapping[bytes, Record]
) -> Iterator[str]:
    """What is wrong with the current run of workflow ids."""
    for workflow, id in current.items():
        if runs.get(id, {}).get(b"workflow") != workflow:
            yield f"current run {shown(id)} of {shown(workflow)} is none of its runs"
    for id, run in runs.items():
        known = current.get(run[b"workflow"])
        if known is None or (is_open(run) and known != id):
            yield f"run {shown(id)} of {shown(run[b'workflow'])} is not its current run"


def run_of(id: bytes, job: Record) -> bytes | None:
    """Return the run that a job belongs to, if the engine owns it."""
    if job.get(b"kind") == b"w":
        return id[len(task_job_id("")) :]
    return job.get(b"run")


def is_open(run: Record) -> bool:
    """Whether a run is not closed."""
    return run[b"status"] == b"running"


def is_pending(job: Record) -> bool:
    """Whether nobody runs a job yet."""
    return job.get(b"state") in PENDING


def shown(name: bytes) -> str:
    """Return a name for people."""
    return name.decode(errors="backslashreplace")
