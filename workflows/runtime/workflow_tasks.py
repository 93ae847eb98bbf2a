"""Runs workflow tasks: load, replay, decide, commit; and the inline chain behind them.

A task is one `Commit`. If that leases one of its own activities (*inline*), the same
thread runs it, and what it brings may be the next task at once: outcome, decision and
the next lease are then one write again. Whenever that is not possible, the outcome is
settled alone and the run goes its ordinary way.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from workflows.engine import flags
from workflows.engine.activation import Initialize
from workflows.engine.commands import UpsertMemo, UpsertSearchAttributes
from workflows.engine.decision import Decision
from workflows.engine.limits import Limits
from workflows.engine.nondeterminism import NondeterminismError
from workflows.engine.replay import Replay
from workflows.engine.workflow_instance import WorkflowInstance
from workflows.exceptions import InvalidArgumentError, StoreError
from workflows.runtime.activity_run import ActivityHost
from workflows.runtime.closing import close_of
from workflows.runtime.codec import SyncConverter
from workflows.runtime.effects import Effects, effects_of
from workflows.runtime.ids import new_id, new_run_id
from workflows.runtime.inbox_events import drained_events
from workflows.runtime.lease import MS, boot_ns
from workflows.runtime.local_activities import LocalRunner
from workflows.runtime.new_runs import RunFacts, close_policy, run_info
from workflows.runtime.run_cache import RunCache, Slot
from workflows.runtime.terminating import terminate
from workflows.runtime.yielding import Watch
from workflows.store import (
    Commit,
    Exchanged,
    InboxEntry,
    InlineLease,
    LeasedJob,
    LoadedRun,
    Release,
    RunRecord,
    RunStatus,
    SettleStatus,
    Store,
    TaskRetry,
)

logger = logging.getLogger("workflows.runtime")

BACKOFF_MS = (1_000, 60_000)  # of failing tasks: doubled from the first to the last
UPSERTS = (UpsertMemo, UpsertSearchAttributes)
WARN_EVERY = 1000  # events between two warnings of a long history
RETRIES = 10  # rounds after a commit that found news, before the task is given back

MakeInstance = Callable[[Initialize], WorkflowInstance]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowHost:
    """What a worker process brings to its workflow tasks.

    `inline` says whether an activity of this queue and type can run here at once.
    """

    store: Store
    converter: SyncConverter
    make_instance: MakeInstance
    cache: RunCache
    activities: ActivityHost
    owner: str
    identity: str
    namespace: str
    limits: Limits
    inline: Callable[[str, str], bool]
    lease_ms: int = 30_000
    watch: Watch = field(default_factory=Watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What a commit is written under: the task's lease, or an ended activity's."""

    job_id: str
    token: str
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A commit that was written: an activity leased inline, and the store's time then.

    `now` at boot time `at_ns` is how the next task of a chain estimates its time. The
    lease counts from `sent_ns`, before the write: the answer may have come late.
    """

    run_id: str
    inline: LeasedJob | None
    now: int
    at_ns: int
    sent_ns: int

    @property
    def estimate(self) -> int:
        """The store's time now, at the latest what it really is."""
        return self.now + (boot_ns() - self.at_ns) // MS


@dataclass(frozen=True, slots=True)
class OutcomeItem:
    """The outcome of an inline activity, as if it lay in the inbox."""

    at: int
    data: bytes
    seq: int = 0


def run_task(host: WorkflowHost, job: LeasedJob, *, inline: bool) -> Taken | None:
    """Run the workflow task that `job` leases; None if it was not written.

    `inline`: the calling thread can go on with one of its activities.

    Raises:
        StoreError: the store does not answer; the lease is still held.
    """
    for _ in range(RETRIES):
        with host.cache.borrow(job.run_id) as slot:
            status, taken = _round(host, job, slot, inline=inline)
        if status is SettleStatus.CONFLICT:  # our picture of the run is not true
            logger.warning("workflow_task_conflict run_id=%s", job.run_id)
            _release(host, job, started=True)
            return None
        if status is not SettleStatus.AGAIN:
            return taken
    logger.warning("workflow_task_starved run_id=%s", job.run_id)
    _release(host, job, started=False)
    return None


def _release(host: WorkflowHost, job: LeasedJob, *, started: bool) -> None:
    """Give a task back at once; `started`: one that comes back ever again stalls."""
    host.store.exchange([Release(job_id=job.id, token=job.token, started=started)])


def chain(
    host: WorkflowHost, taken: Taken, fence: Fence, entry: InboxEntry
) -> Taken | None:
    """Let the outcome of an inline activity be the next task; None if it cannot be.

    Then nothing was written, and the outcome must be settled alone.
    """
    with host.cache.borrow(taken.run_id) as slot:
        replay = slot.replay
        if replay is None or replay.closed:
            return None
        item = OutcomeItem(taken.estimate, entry.data)
        try:
            length = replay.length
            decision = replay.task([item], at=item.at, identity=host.identity)
            commit = _commit(host, replay, decision, fence, length=length, inline=True)
            sent = boot_ns()
            answer = host.store.exchange([commit])
        except StoreError:
            slot.drop()
            raise
        except Exception:  # noqa: BLE001 - the task that follows reports it
            slot.drop()
            return None
        return _written(host, slot, replay, commit, answer, sent=sent)


# -- one round -------------------------------------------------------------------------


def _round(
    host: WorkflowHost, job: LeasedJob, slot: Slot, *, inline: bool
) -> tuple[SettleStatus, Taken | None]:
    """Load the run and do its task once; AGAIN if news came in before a close."""
    loaded = load(host, job.run_id, slot)
    if loaded is None or loaded.run.status is not RunStatus.RUNNING:
        slot.drop()
        return SettleStatus.LOST, None
    run, fence = loaded.run, Fence(job_id=job.id, token=job.token)
    at = max([loaded.now, run.last_at, *(item.at for item in loaded.inbox)])
    replay = slot.replay
    try:
        if replay is None:
            slot.replay = replay = new_replay(host, run)
        replay.feed(loaded.events)
        decision = _decide(host, replay, loaded, at, job.attempt)
        commit = _commit(
            host, replay, decision, fence, length=run.length, inline=inline
        )
    except StoreError:
        slot.drop()
        raise
    except Exception as error:  # noqa: BLE001 - a bug of the workflow, or of ours
        status = _fail(host, loaded, replay, fence, error, at=at, attempt=job.attempt)
        slot.drop()
        return status, None
    sent = boot_ns()
    try:
        answer = host.store.exchange([commit])
    except InvalidArgumentError as error:  # the code asked for what no store can keep
        slot.drop()
        # Without the replay: it counts the events that were not written.
        failed = _fail(host, loaded, None, fence, error, at=at, attempt=job.attempt)
        return failed, None
    except BaseException:
        slot.drop()
        raise
    taken = _written(host, slot, replay, commit, answer, sent=sent)
    return answer.statuses[0], taken


def load(host: WorkflowHost, run_id: str, slot: Slot) -> LoadedRun | None:
    """Load what the cached instance does not know yet, or everything."""
    start = slot.replay.length + 1 if slot.replay else 1
    loaded = host.store.load_run(run_id, start=start)
    if slot.replay is not None and loaded and loaded.run.length < start - 1:
        slot.drop()  # it went ahead of a history that was never written
        loaded = host.store.load_run(run_id)
    return loaded


def new_replay(host: WorkflowHost, run: RunRecord) -> Replay:
    """Return a run as it is before its first event."""
    replay = Replay(
        run.workflow_id, run.run_id, host.make_instance, host.limits, host.namespace
    )
    replay.parent_close_policy = close_policy(run.info)
    return replay


def _decide(
    host: WorkflowHost, replay: Replay, loaded: LoadedRun, at: int, attempt: int
) -> Decision:
    local = LocalRunner(host.activities, replay, namespace=host.namespace)
    try:
        return replay.task(
            loaded.inbox,
            at=at,
            identity=host.identity,
            attempt=attempt,
            rules=flags.CURRENT,
            local=local,
        )
    finally:
        local.stop()


def _keep_within_limits(host: WorkflowHost, slot: Slot, replay: Replay) -> None:
    """Warn of a long history; terminate the run of one that is over the limit."""
    limits, length, size = host.limits, replay.length, replay.size
    over = limits.exceeded(length, size)
    if over:
        logger.error("workflow_terminated run_id=%s reason=%s", replay.run_id, over)
        slot.drop()
        terminate(host.store, replay.workflow_id, replay.run_id, over, host.identity)
    elif limits.warns(length, size) and length // WARN_EVERY != replay.warned:
        replay.warned = length // WARN_EVERY
        logger.warning(
            "history_long run_id=%s events=%d bytes=%d: continue as new",
            replay.run_id,
            length,
            size,
        )


def _written(
    host: WorkflowHost,
    slot: Slot,
    replay: Replay,
    commit: Commit,
    answer: Exchanged,
    *,
    sent: int,
) -> Taken | None:
    """Keep the instance if its decision holds; return what the chain needs."""
    if answer.statuses[0] is not SettleStatus.OK:
        slot.drop()
        return None
    if replay.closed:
        slot.drop()
    else:
        _keep_within_limits(host, slot, replay)
    leased = next((job for job in answer.jobs if _is_inline(job, commit)), None)
    return Taken(
        run_id=commit.run_id,
        inline=leased,
        now=answer.now,
        at_ns=boot_ns(),
        sent_ns=sent,
    )


def _is_inline(job: LeasedJob, commit: Commit) -> bool:
    wanted = commit.inline
    return wanted is not None and (job.id, job.token) == (wanted.job_id, wanted.token)


# -- the write -------------------------------------------------------------------------


def facts_of(host: WorkflowHost, replay: Replay) -> RunFacts:
    """Return what effects need to know of the run."""
    started = replay.started
    return RunFacts(
        workflow_id=replay.workflow_id,
        run_id=replay.run_id,
        workflow_type=started.get("workflowType", {}).get("name", ""),
        task_queue=started.get("taskQueue", {}).get("name", ""),
        namespace=host.namespace,
        started=started,
        began_at=replay.began_at,
        new_run_id=new_run_id,
        parent_close_policy=replay.parent_close_policy,
    )


def _commit(
    host: WorkflowHost,
    replay: Replay,
    decision: Decision,
    fence: Fence,
    *,
    length: int,
    inline: bool,
) -> Commit:
    """Return the one write of a decision."""
    facts = facts_of(host, replay)
    effects = effects_of(facts, decision)
    close = close_of(facts, replay, decision) if decision.terminal else None
    return Commit(
        job_id=fence.job_id,
        token=fence.token,
        failed=fence.failed,
        run_id=replay.run_id,
        length=length,
        at=decision.at,
        taken=decision.taken,
        events=decision.events,
        timers=tuple(effects.timers),
        cancel_timers=tuple(effects.cancel_timers),
        activities=tuple(effects.activities),
        cancel_activities=tuple(effects.cancel_activities),
        children=tuple(effects.children),
        deliveries=tuple(effects.deliveries),
        inline=_inline(host, effects) if inline and not close else None,
        info=_info(replay, decision),
        close=close,
    )


def _inline(host: WorkflowHost, effects: Effects) -> InlineLease | None:
    """Choose the activity that this worker runs at once, if it may run any."""
    for job in effects.activities:
        if host.inline(job.queue, job.type):
            return InlineLease(
                job_id=job.id, token=new_id(), owner=host.owner, lease_ms=host.lease_ms
            )
    return None


def _info(replay: Replay, decision: Decision) -> bytes | None:
    """Return what readers see of the run, if this task changed it."""
    if not any(isinstance(each.command, UPSERTS) for each in decision.issued):
        return None
    return run_info(replay.parent_close_policy, replay.memo, replay.search_attributes)


def _fail(
    host: WorkflowHost,
    loaded: LoadedRun,
    replay: Replay | None,
    fence: Fence,
    error: Exception,
    *,
    at: int,
    attempt: int,
) -> SettleStatus:
    """Write that the task failed: the run goes on later, visibly failing.

    What lay in the inbox is in the history before that, in the order in which it came.
    """
    run = loaded.run
    logger.error(
        "workflow_task_failed workflow_id=%s run_id=%s type=%s attempt=%d",
        run.workflow_id,
        run.run_id,
        run.type,
        attempt,
        exc_info=error,
        extra={"__temporal_error_identifier": "WorkflowTaskFailure"},
    )
    failure = host.converter.failure(error)
    events: Sequence[bytes] = ()
    taken = 0
    if replay is not None and replay.length:
        taken, drained = _drained(host, loaded)
        events = replay.failed_task(
            failure,
            at=at,
            identity=host.identity,
            attempt=attempt,
            nondeterminism=isinstance(error, NondeterminismError),
            drained=drained,
        )
    low, high = BACKOFF_MS
    commit = Commit(
        job_id=fence.job_id,
        token=fence.token,
        run_id=run.run_id,
        length=run.length,
        at=at,
        taken=taken,
        events=tuple(events),
        retry=TaskRetry(
            delay_ms=min(low * 2 ** min(attempt - 1, 10), high),
            failure=msgspec.json.encode(failure),
        ),
    )
    return host.store.exchange([commit]).statuses[0]


def _drained(host: WorkflowHost, loaded: LoadedRun) -> tuple[int, Sequence[bytes]]:
    """Return what a failed task takes from the inbox: up to which entry, as events."""
    try:
        run = loaded.run
        events = drained_events(host.store, run.run_id, run.length, loaded.inbox)
    except InvalidArgumentError:
        return 0, ()  # that is why it failed: it stays where it is
    return max((item.seq for item in loaded.inbox), default=0), events
