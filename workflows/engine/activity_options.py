"""The timeouts of an activity, with those filled in that were not given."""

from workflows.engine.commands import ScheduleActivity


def scheduled_timeouts(
    command: ScheduleActivity, run_timeout_ms: int | None
) -> dict[str, int]:
    """Return the four timeouts of ACTIVITY_TASK_SCHEDULED (ms; 0: none).

    As Temporal's server: what is missing comes from schedule_to_close, else from the
    run's timeout, and nothing is longer than the run may be.
    """
    whole, each = command.schedule_to_close_ms or 0, command.start_to_close_ms or 0
    queue, beat = command.schedule_to_start_ms or 0, command.heartbeat_ms or 0
    run = run_timeout_ms or 0
    if whole:
        queue, each = _least(queue or whole, whole), _least(each or whole, whole)
    else:
        whole, queue = run, queue or run
    found = {
        "scheduleToCloseTimeout": whole,
        "scheduleToStartTimeout": queue,
        "startToCloseTimeout": each,
    }
    capped = {name: _least(ms, run) for name, ms in found.items()}
    beat = _least(beat, capped["startToCloseTimeout"])
    return {**capped, "heartbeatTimeout": beat}


def _least(ms: int, limit: int) -> int:
    """Return `ms`, at most `limit`; a limit of 0 is none."""
    return min(ms, limit) if limit else ms
