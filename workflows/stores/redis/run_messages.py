"""What runs are made, changed and closed with, on its way to the scripts."""

from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

from workflows.store import Close, Commit, InboxEntry, NewRun, StartRun
from workflows.stores.redis.job_messages import pack_job
from workflows.stores.redis.wire import Packed, raw


def pack_start(start: StartRun) -> Packed:
    """See scripts/start_run.lua."""
    return (
        pack_run(start.run),
        start.reuse,
        start.conflict,
        pack_close(start.terminate) if start.terminate else None,
        pack_sent(start.signal) if start.signal else None,
        start.replaces,
    )


def pack_run(run: NewRun) -> Packed:
    """See scripts/lib/start.lua."""
    return (
        run.workflow_id,
        run.run_id,
        run.type,
        run.task_queue,
        run.task_type,
        raw(run.started),
        run.first_run_id if run.first_run_id not in ("", run.run_id) else None,
        raw(run.info) if run.info else None,
        run.delay_ms,
        run.deadline_ms,
        run.deadline_at,
        float(run.priority) or None,
        (run.parent.workflow_id, run.parent.run_id) if run.parent else None,
        _list(map(pack_entry, run.inbox)),
    )


def pack_close(close: Close) -> Packed:
    """See scripts/lib/close.lua."""
    return (
        close.status.value,
        _list(map(raw, close.events)),
        _maybe(close.outcome),
        _list(map(pack_job, close.jobs)),
        pack_run(close.next_run) if close.next_run else None,
        close.carry,
        close.seen,
    )


def pack_commit(commit: Commit) -> Packed:
    """Return what only a commit has; see scripts/lib/commit.lua."""
    retry = commit.retry
    return (
        commit.run_id,
        commit.length,
        commit.at,
        commit.taken,
        _list(map(raw, commit.events)),
        _list((x.key, x.due_at, *pack_entry(x.entry)) for x in commit.timers),
        _list(commit.cancel_timers),
        _list(map(pack_job, commit.activities)),
        _list((x.job_id, pack_entry(x.entry)) for x in commit.cancel_activities),
        _list(
            (pack_run(x.run), x.reuse, pack_entry(x.started), pack_entry(x.refused))
            for x in commit.children
        ),
        _list(
            (
                *(x.to.workflow_id, x.to.run_id, x.to.first_run_id),
                *(pack_entry(x.entry), _maybe(x.done), _maybe(x.missing), x.child_only),
            )
            for x in commit.deliveries
        ),
        astuple(commit.inline) if commit.inline else None,
        None if commit.info is None else raw(commit.info),
        pack_close(commit.close) if commit.close else None,
        commit.failed,
        (raw(retry.failure), retry.delay_ms) if retry else None,
    )


def pack_entry(entry: InboxEntry) -> Packed:
    """Return an inbox entry as the scripts read it."""
    return (entry.kind, raw(entry.data))


def pack_sent(entry: InboxEntry) -> Packed:
    """Return an entry that a client sends: with the limit of the inbox."""
    return (*pack_entry(entry), entry.max_waiting)


def _maybe(entry: InboxEntry | None) -> Packed | None:
    return pack_entry(entry) if entry else None


def _list(items: Iterable[Any]) -> list[Any] | None:
    return list(items) or None
