"""Commits: the result of one workflow task, checked whole and then written whole."""

from dataclasses import dataclass

from workflows.engine.states import DeadReason, JobState
from workflows.store import (
    Commit,
    Deliver,
    LeasedJob,
    SettleStatus,
    TaskRetry,
    task_job_id,
)
from workflows.stores.sqlite import activities, inbox, timers
from workflows.stores.sqlite.accepting import insert
from workflows.stores.sqlite.closing import close
from workflows.stores.sqlite.creating import any_exists
from workflows.stores.sqlite.ending import Endings, Held
from workflows.stores.sqlite.inlining import lease_inline, start_inline
from workflows.stores.sqlite.kinds import ACTIVITY, TASK
from workflows.stores.sqlite.memory import remember_settled
from workflows.stores.sqlite.runs import Run, Runs
from workflows.stores.sqlite.starting import start_child
from workflows.stores.sqlite.tasks import end_task, ensure_task, find_task, renew_task
from workflows.stores.sqlite.transaction import Transaction


@dataclass(slots=True)
class Committed:
    """What became of a commit."""

    status: SettleStatus
    state: JobState | None = None
    leased: LeasedJob | None = None  # inline


def commit(runs: Runs, endings: Endings, held: Held, asked: Commit) -> Committed:
    """Apply a commit whose lease holds; nothing of `endings` may be unwritten."""
    run = runs.by_id(asked.run_id)
    if run is None or not _fits(runs, held, run, asked):
        return Committed(SettleStatus.CONFLICT)
    if asked.close is not None and _would_drop(runs, run, asked):
        return Committed(SettleStatus.AGAIN)
    heard = run.inbox_seq
    inbox.take(runs.tx, run, asked.taken)
    runs.add_events(run, asked.events)
    run.last_at, run.changed = asked.at, True
    endings.free(held)
    if held.settled_token is not None:
        remember_settled(runs.tx, [(held.id, held.settled_token)])
    held.settled_token = held.token
    if asked.retry is not None:
        run.failure = asked.retry.failure
        return Committed(SettleStatus.OK, _retry(endings, held, asked.retry))
    run.failure = b""
    state = _end_lease(endings, held, asked)
    leased = _apply(runs, run, asked)
    if asked.close is not None:
        close(runs, run, asked.close, held=True)
    if held.kind == TASK:
        state = _go_on(runs, run, held)
    elif run.open and run.inbox_seq != heard and inbox.holds(runs.tx, run):
        ensure_task(runs.tx, run)
    return Committed(SettleStatus.OK, state, leased)


# -- checks --


def _fits(runs: Runs, held: Held, run: Run, asked: Commit) -> bool:
    """Return whether the commit's picture of the run is true."""
    tx = runs.tx
    if not run.open or run.length != asked.length:
        return False
    if not run.last_at <= asked.at <= tx.now:
        return False
    if not _may_write(tx, held, run, asked):
        return False
    new_ids = [child.run.run_id for child in asked.children]
    if asked.close is not None and asked.close.next_run is not None:
        if asked.close.next_run.workflow_id != run.workflow_id:
            return False
        new_ids.append(asked.close.next_run.run_id)
    return not (new_ids and any_exists(tx, new_ids))


def _may_write(tx: Transaction, held: Held, run: Run, asked: Commit) -> bool:
    """Return whether the lease is one that writes to this run."""
    if held.kind == TASK:
        return held.id == task_job_id(run.run_id)
    chains = held.kind == ACTIVITY and held.run == run.n and asked.retry is None
    return chains and find_task(tx, run) is None


def _would_drop(runs: Runs, run: Run, asked: Commit) -> bool:
    """Return whether closing drops entries that the committer has not seen."""
    carries = asked.close is not None and asked.close.carry
    but = inbox.SIGNAL if carries else None
    return inbox.holds(runs.tx, run, asked.taken, but=but)


# -- effects --


def _apply(runs: Runs, run: Run, asked: Commit) -> LeasedJob | None:
    """Write the effects, in the order of the contract."""
    tx = runs.tx
    timers.set_timers(tx, run, asked.timers)
    timers.cancel_timers(tx, run, asked.cancel_timers)
    leased = _schedule(tx, run, asked)
    for wish in asked.cancel_activities:
        activities.cancel(runs, run, wish)
    for child in asked.children:
        started = start_child(runs, child)
        inbox.add(runs, run, [child.started if started else child.refused])
    for delivery in asked.deliveries:
        _deliver(runs, run, delivery)
    if asked.inline is not None and leased is None:
        leased = lease_inline(tx, run, asked.inline)
    if asked.info is not None:
        run.info = asked.info
    return leased


def _schedule(tx: Transaction, run: Run, asked: Commit) -> LeasedJob | None:
    """Insert the activities; lease the first one in the same go, if that is asked."""
    first, wish = next(iter(asked.activities), None), asked.inline
    plain = asked.close is None and not asked.cancel_activities
    if first is not None and wish is not None and wish.job_id == first.id and plain:
        leased = start_inline(tx, run, first, wish)
        if leased is not None:
            insert(tx, asked.activities[1:], run)
            return leased
    insert(tx, asked.activities, run)
    return None


def _deliver(runs: Runs, run: Run, delivery: Deliver) -> None:
    target, entry = runs.resolve(delivery.to), delivery.entry
    found = False
    if target is not None and _may_hear(target, run, child_only=delivery.child_only):
        found = inbox.receive(runs, target, entry) or entry.kind == inbox.CANCEL
    answer = delivery.done if found else delivery.missing
    if answer is not None:
        inbox.add(runs, run, [answer])


def _may_hear(target: Run, run: Run, *, child_only: bool) -> bool:
    """Return whether a run may deliver to another one."""
    if target.workflow_id == run.workflow_id:
        return False
    return not child_only or target.parent_run_id == run.run_id


# -- the lease --


def _retry(endings: Endings, held: Held, retry: TaskRetry) -> JobState:
    """The task failed: it stays, and is due again later."""
    tx = endings.tx
    endings.spend(held, "retry", retry.failure)
    tx.total(held.queue, "retried", "retried")
    return endings.pend(held, tx.now + retry.delay_ms)


def _end_lease(endings: Endings, held: Held, asked: Commit) -> JobState:
    """End an activity, which frees its place; count the end of a task."""
    if held.kind == TASK:
        endings.finish_task(held)
        endings.flush()
        return JobState.COMPLETED
    if asked.failed:
        endings.spend(held, "dead", b"")
        state = endings.die(held, DeadReason.EXHAUSTED)
    else:
        state = endings.complete(held, None)
    endings.flush()
    return state


def _go_on(runs: Runs, run: Run, held: Held) -> JobState:
    """Make a new task if there is more to do."""
    if run.open and inbox.holds(runs.tx, run):
        renew_task(runs.tx, run, held)
        return JobState.WAITING
    end_task(runs.tx, held)
    return JobState.COMPLETED
