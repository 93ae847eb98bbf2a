"""Queues: metrics, dead letters, clean, drain, pause, limits."""

from api import schemas, views
from api.call import Call, Reply
from api.cursors import read_cursor, write_cursor
from api.problems import invalid_body
from workflows.client import Fault
from workflows.engine.states import JobState
from workflows.store import QueueLimits


def all_metrics(call: Call) -> Reply:
    """Read all queues in numbers."""
    queues = call.client.queues()
    return Reply(data=views.all_metrics(queues, call.client.now()))


def metrics(call: Call) -> Reply:
    """Read one queue in numbers."""
    queue = call.client.queue(call.ids["queue"])
    performance = call.client.performance(queue.name)
    return Reply(data=views.queue_detail(queue, performance, call.client.now()))


def dead_letters(call: Call) -> Reply:
    """List the dead letters of a queue."""
    name = call.client.queue_name(call.ids["queue"])
    scope = f"{name} {JobState.FAILED.value}"
    queue, page = call.client.dead_letters(
        name,
        limit=call.query["limit"],
        cursor=read_cursor(call.query["cursor"], scope=scope),
    )
    next_cursor = write_cursor(page.cursor, scope=scope)
    return Reply(data=views.dead_letters(queue, page.jobs), next_cursor=next_cursor)


def retry(call: Call) -> Reply:
    """Make one dead letter waiting again."""
    job_id = call.ids["jobId"]
    queue = call.client.retry_dead(call.ids["queue"], job_id)
    return Reply(
        data=schemas.JobStateView(
            job_id=job_id, queue_name=queue, state=JobState.WAITING
        )
    )


def retry_many(call: Call) -> Reply:
    """Make dead letters waiting again, oldest first."""
    queue = call.client.queue_name(call.ids["queue"])
    step = call.client.retry_all_dead(queue, limit=call.read(schemas.StepLimit).limit)
    return Reply(
        data=schemas.RetriedMany(queue_name=queue, retried=step.count, more=step.more)
    )


def clean(call: Call) -> Reply:
    """Delete dead letters, oldest first."""
    queue = call.client.queue_name(call.ids["queue"])
    step = call.client.clean(queue, limit=call.read(schemas.StepLimit).limit)
    return Reply(
        data=schemas.RemovedMany(queue_name=queue, removed=step.count, more=step.more)
    )


def drain(call: Call) -> Reply:
    """Delete waiting (and delayed) jobs."""
    queue = call.client.queue_name(call.ids["queue"])
    what = call.read(schemas.Drain)
    step = call.client.drain(queue, delayed=what.delayed, limit=what.limit)
    return Reply(
        data=schemas.RemovedMany(queue_name=queue, removed=step.count, more=step.more)
    )


def promote_all(call: Call) -> Reply:
    """Make delayed jobs waiting now, first due first."""
    queue = call.client.queue_name(call.ids["queue"])
    step = call.client.promote_all(queue, limit=call.read(schemas.StepLimit).limit)
    return Reply(
        data=schemas.PromotedMany(queue_name=queue, promoted=step.count, more=step.more)
    )


def pause(call: Call) -> Reply:
    """Start nothing from a queue until it is resumed."""
    call.client.pause(call.ids["queue"], by=call.read(schemas.Pause).by)
    return _state(call)


def resume(call: Call) -> Reply:
    """End a pause."""
    call.client.resume(call.ids["queue"])
    return _state(call)


def set_limits(call: Call) -> Reply:
    """Override the limits that code declares."""
    wanted = call.read(schemas.SetLimits)
    if (wanted.rate_max is None) != (wanted.rate_ms is None):
        missing = "rateMax" if wanted.rate_max is None else "rateMs"
        text = "a rate limit needs both rateMax and rateMs"
        raise invalid_body([Fault(f"/{missing}", "missing", text)])
    held = QueueLimits(
        concurrency=wanted.concurrency,
        rate_max=wanted.rate_max,
        rate_ms=wanted.rate_ms,
    )
    call.client.set_limits(call.ids["queue"], held)
    return _state(call)


def reset_limits(call: Call) -> Reply:
    """Go back to the limits that code declares."""
    call.client.set_limits(call.ids["queue"], None)
    return _state(call)


def _state(call: Call) -> Reply:
    return Reply(data=views.queue_state(call.client.queue(call.ids["queue"])))
