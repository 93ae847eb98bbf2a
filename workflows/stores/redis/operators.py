"""What people do to jobs and queues."""

from typing import Any, Literal

from workflows.engine.states import JobState
from workflows.exceptions import ConflictError, NotFoundError
from workflows.store import MAX_STEP, QueueLimits, Step
from workflows.stores import validation
from workflows.stores.redis.scripts import Scripts
from workflows.stores.redis.wire import raw

_LIMITS = ("concurrency", "rate_max", "rate_ms")


class Operators:
    """Cancel, reschedule, remove; the dead-letter queue; limits and pauses."""

    _scripts: Scripts

    def cancel(self, job_id: str) -> Literal["cancelled", "requested"]:
        """See `workflows.store.Store.cancel`."""
        outcome = self._scripts.run("cancel", job_id)
        done = _done(job_id, outcome, conflict="it has ended")
        return "requested" if done == "requested" else "cancelled"

    def reschedule(
        self, job_id: str, *, delay_ms: int = 0, run_at: int | None = None
    ) -> JobState:
        """See `workflows.store.Store.reschedule`."""
        validation.check_due(delay_ms, run_at)
        conflict = "it is not waiting or delayed"
        args = (delay_ms, run_at, False)
        return JobState(self._change("reschedule", job_id, *args, conflict=conflict))

    def promote(self, job_id: str) -> None:
        """See `workflows.store.Store.promote`."""
        args = (0, None, True)
        self._change("reschedule", job_id, *args, conflict="it is not delayed")

    def amend(
        self,
        job_id: str,
        *,
        payload: bytes | None = None,
        priority: float | None = None,
    ) -> None:
        """See `workflows.store.Store.amend`."""
        validation.check_amendment(priority)
        args = (
            None if payload is None else raw(payload),
            None if priority is None else float(priority),
        )
        conflict = "it is neither pending nor a dead letter"
        self._change("amend", job_id, *args, conflict=conflict)

    def remove(self, job_id: str) -> None:
        """See `workflows.store.Store.remove`."""
        self._change("remove", job_id, conflict="it is active")

    def retry_dead(self, job_id: str) -> None:
        """See `workflows.store.Store.retry_dead`."""
        self._change("retry_dead", job_id, conflict="it is not a dead letter")

    def _change(self, script: str, job_id: str, *args: Any, conflict: str) -> str:
        outcome = self._scripts.run_once(script, job_id, *args)
        return _done(job_id, outcome, conflict=conflict)

    # -- bounded steps: one that is sent again after a lost reply does the next step --

    def retry_dead_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """See `workflows.store.Store.retry_dead_all`."""
        return self._step("retry_dead_all", queue, limit)

    def promote_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """See `workflows.store.Store.promote_all`."""
        return self._step("promote_all", queue, limit)

    def clean(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """See `workflows.store.Store.clean`."""
        return self.prune(queue, JobState.FAILED, age_ms=None, keep=0, limit=limit)

    def drain(
        self, queue: str, *, delayed: bool = False, limit: int = MAX_STEP
    ) -> Step:
        """See `workflows.store.Store.drain`."""
        return self._step("drain", queue, limit, delayed)

    def prune(
        self,
        queue: str,
        state: JobState,
        *,
        age_ms: int | None,
        keep: int | None,
        limit: int = MAX_STEP,
    ) -> Step:
        """See `workflows.store.Store.prune`."""
        validation.check_prune(state, age_ms, keep, limit)
        return self._step("prune", queue, limit, state.value, age_ms, keep)

    def _step(self, script: str, queue: str, limit: int, *args: Any) -> Step:
        validation.check_limit(limit)
        count, more = self._scripts.run(script, queue, *args, limit)
        return Step(count, bool(more))

    # -- queues --

    def declare_queue(self, queue: str, limits: QueueLimits) -> None:
        """See `workflows.store.Store.declare_queue`."""
        validation.check_queue(queue, limits)
        self._set_queue(queue, *_limit_fields("declared", limits), create=True)

    def set_limits(self, queue: str, limits: QueueLimits | None) -> None:
        """See `workflows.store.Store.set_limits`."""
        if limits is not None:
            validation.check_limits(limits)
        clear, fields = _limit_fields("operator", limits or QueueLimits())
        if limits is None:
            self._set_queue(queue, [*clear, "overridden"], fields)
        else:
            self._set_queue(queue, clear, [*fields, "overridden", 1])

    def pause(self, queue: str, *, by: str = "") -> None:
        """See `workflows.store.Store.pause`."""
        self._set_queue(queue, [], ["paused", 1, "paused_by", by])

    def resume(self, queue: str) -> None:
        """See `workflows.store.Store.resume`."""
        self._set_queue(queue, ["paused", "paused_by"], [])

    def _set_queue(
        self,
        queue: str,
        clear: list[str],
        fields: list[str | int],
        *,
        create: bool = False,
    ) -> None:
        if not self._scripts.run("set_queue", queue, create, clear, fields):
            msg = f"there is no queue {queue!r}"
            raise NotFoundError(msg)


def _done(job_id: str, reply: bytes, *, conflict: str) -> str:
    """Return what was done to a job, or say why nothing was."""
    outcome = reply.decode()
    if outcome == "missing":
        msg = f"there is no job {job_id!r}"
        raise NotFoundError(msg)
    if outcome == "owned":
        msg = f"job {job_id!r} is a workflow's own: act on its run instead"
        raise ConflictError(msg)
    if outcome == "conflict":
        msg = f"job {job_id!r}: {conflict}"
        raise ConflictError(msg)
    return outcome


def _limit_fields(whose: str, limits: QueueLimits) -> tuple[list[str], list[str | int]]:
    """Return which fields of a queue to delete, and which to set."""
    clear: list[str] = []
    fields: list[str | int] = []
    for name in _LIMITS:
        value = getattr(limits, name)
        if value is None:
            clear.append(f"{whose}_{name}")
        else:
            fields += [f"{whose}_{name}", value]
    return clear, fields
