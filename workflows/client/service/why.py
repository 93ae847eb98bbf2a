"""Why a run does not go on: what it waits for, since when, what would unblock it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.client.monitoring import is_alive
from workflows.client.service.describing import (
    PendingActivity,
    PendingTask,
    RunDescription,
)
from workflows.store import RunStatus, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that a run waits for. Times are ms; `until` None: nobody knows."""

    what: str
    since: int
    until: int | None = None
    unblock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Who could do the work: types that living workers know per queue, and pauses."""

    types: Mapping[str, Collection[str]]
    paused: Collection[str]

    def hindrance(self, queue: str, job_type: str) -> str:
        """Say what keeps jobs of a type from being taken; empty: nothing."""
        if queue in self.paused:
            return f"queue {queue!r} is paused: resume it"
        if queue not in self.types:
            return f"no living worker serves the queue {queue!r}: start one"
        if job_type not in self.types[queue]:
            kind, _, name = job_type.partition("/")
            return (
                f"no living worker of the queue {queue!r} knows the {kind} {name!r}: "
                "register it there"
            )
        return ""


def served_by(store: Store, queues: Collection[str]) -> Served:
    """Look who serves these queues now."""
    now = store.now()
    types: dict[str, set[str]] = {}
    for worker in store.list_workers():
        if is_alive(worker, now):
            for queue, known in worker.queues.items():
                types.setdefault(queue, set()).update(known)
    infos = (store.get_queue(queue) for queue in set(queues))
    paused = {info.name for info in infos if info is not None and info.paused}
    return Served(types=types, paused=paused)


def why(found: RunDescription, served: Served) -> list[Wait]:
    """Return what a run waits for; nothing if it is closed."""
    if found.run.status is not RunStatus.RUNNING:
        return []
    waits = [
        *_task(found, served),
        *(_activity(one, served, found.now) for one in found.activities),
        *_timers(found),
        *_children(found),
    ]
    if not waits:
        since = found.run.last_at
        text = "somebody signals, cancels or terminates it"
        waits = [Wait(what="a signal", since=since, unblock=text)]
    return waits


def _task(found: RunDescription, served: Served) -> Iterator[Wait]:
    task, run = found.task, found.run
    if task is None:
        return
    if found.failure is not None or task.attempt > 1:
        said = _text(found.failure) or "see the worker's log"
        yield Wait(
            what=f"its workflow task, which fails (attempt {task.attempt}): {said}",
            since=task.scheduled_at,
            until=task.due_at,
            unblock="correct the workflow's code and restart its workers; it is "
            "tried again by itself",
        )
    elif task.state == "started":
        yield Wait(
            what=f"worker {task.worker}, which runs its workflow task",
            since=task.started_at or task.scheduled_at,
            unblock="the worker finishes; if it died, another takes over when the "
            "lease is over",
        )
    else:
        yield _waiting_task(task, run.task_queue, run.task_type, served, found.now)


def _waiting_task(
    task: PendingTask, queue: str, job_type: str, served: Served, now: int
) -> Wait:
    if task.due_at is not None and task.due_at > now:
        return Wait(
            what="the time of its first workflow task (start delay, retry or cron)",
            since=task.scheduled_at,
            until=task.due_at,
            unblock="time",
        )
    hindrance = served.hindrance(queue, job_type)
    return Wait(
        what=f"a worker to take its workflow task from the queue {queue!r}",
        since=task.scheduled_at,
        unblock=hindrance or "a worker with a free slot",
    )


def _activity(one: PendingActivity, served: Served, now: int) -> Wait:
    name = f"activity {one.type!r} (id {one.activity_id}, attempt {one.attempt})"
    if one.detached:
        return Wait(
            what=f"{name}, which somebody completes from outside",
            since=one.started_at or one.scheduled_at,
            unblock="its completion by token or ids, or its timeout",
        )
    if one.started_at is not None:
        return Wait(
            what=f"{name}, which worker {one.worker} runs",
            since=one.started_at,
            unblock="the activity ends, or its timeout",
        )
    failed = _text(one.last_failure)
    after = f"; it failed last with: {failed}" if one.last_failure else ""
    if one.next_attempt_at is not None and one.next_attempt_at > now:
        return Wait(
            what=f"the retry of {name}{after}",
            since=one.scheduled_at,
            until=one.next_attempt_at,
            unblock="time; or correct what it fails with",
        )
    hindrance = served.hindrance(one.queue, f"activity/{one.type}")
    return Wait(
        what=f"a worker to take {name} from the queue {one.queue!r}{after}",
        since=one.scheduled_at,
        unblock=hindrance or "a worker with a free slot",
    )


def _timers(found: RunDescription) -> Iterator[Wait]:
    for timer in found.timers:
        yield Wait(
            what=f"timer {timer.timer_id}",
            since=found.run.last_at,
            until=timer.due_at,
            unblock="time",
        )


def _children(found: RunDescription) -> Iterator[Wait]:
    for child in found.children:
        yield Wait(
            what=f"child workflow {child.workflow_id!r} ({child.type})",
            since=child.started_at,
            unblock=f"the child closes; ask why it does not: {child.workflow_id!r}",
        )


def _text(failure: Mapping[str, Any] | None) -> str:
    """Return the message of a failure, with its type in front if it has one."""
    said = failure or {}
    kind = said.get("applicationFailureInfo", {}).get("type")
    return ": ".join(part for part in (kind, said.get("message")) if part)
