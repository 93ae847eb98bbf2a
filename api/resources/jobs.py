"""Jobs: add, read, list, cancel, remove, promote, reschedule."""

from dataclasses import replace

from api import schemas, views
from api.call import Call, Reply
from api.cursors import read_cursor, write_cursor
from api.problems import invalid_body
from workflows.client import Fault, InvalidJobsError, JobRequest
from workflows.engine.states import JobState
from workflows.store import Dedup, OnDuplicate

# A fault's place in a JobRequest -> in the body.
_FIELDS = {
    "type": "name",
    "payload": "data",
    "run_at": "opts/runAt",
    "dedup": "opts/dedup",
}


def _request(queue: str, job: schemas.AddJob, traceparent: str) -> JobRequest:
    return JobRequest(
        type=job.name,
        payload=job.data,
        queue=queue,
        job_id=job.opts.job_id,
        priority=job.opts.priority,
        delay_ms=job.opts.delay_ms,
        run_at=job.opts.run_at,
        expires_ms=job.opts.expires_ms,
        dedup_id=job.opts.dedup_id,
        dedup=_dedup(job.opts.dedup),
        trace=traceparent,
    )


def _dedup(rule: schemas.DedupRule | None) -> Dedup | None:
    if rule is None:
        return None
    return Dedup(
        ttl_ms=rule.ttl_ms,
        extend=rule.extend,
        on_duplicate=OnDuplicate(rule.on_duplicate),
    )


def _add(call: Call, jobs: list[schemas.AddJob], root: str) -> list[schemas.AddedJob]:
    """Add jobs; `root` is where the first lies in the body ("/jobs/" or "")."""
    queue = call.client.queue_name(call.ids["queue"])
    requests = [_request(queue, job, call.traceparent) for job in jobs]
    try:
        answers = call.client.add_many(requests, request_id=call.request_key)
    except InvalidJobsError as error:
        faults = [_in_body(fault, root) for fault in error.faults]
        raise invalid_body(faults) from None
    return [views.added_job(queue, answer) for answer in answers]


def _in_body(fault: Fault, root: str) -> Fault:
    """Name a fault's place as it is in the body."""
    _, index, field, *rest = fault.path.split("/")
    start = f"{root}/{index}" if root else ""
    return replace(fault, path="/".join((start, _FIELDS[field], *rest)))


def add(call: Call) -> Reply:
    """Add one job."""
    added = _add(call, [call.read(schemas.AddJob)], "")[0]
    created = added.status == "created"
    return Reply(
        data=added,
        status=201 if created else 200,
        location=f"/api/v1/jobs/{added.job_id}" if created else None,
    )


def add_many(call: Call) -> Reply:
    """Add many jobs, all or none."""
    added = _add(call, call.read(schemas.AddJobs).jobs, "/jobs")
    created = any(job.status == "created" for job in added)
    return Reply(data=schemas.AddedJobs(jobs=added), status=201 if created else 200)


def list_jobs(call: Call) -> Reply:
    """List the jobs of a queue in one state."""
    state = JobState(call.query["state"])
    queue = call.client.queue(call.ids["queue"])
    scope = f"{queue.name} {state.value}"
    page = call.client.list_jobs(
        queue.name,
        state,
        limit=call.query["limit"],
        cursor=read_cursor(call.query["cursor"], scope=scope),
    )
    listing = schemas.JobList(
        queue_name=queue.name,
        state=state,
        total=queue.counts.get(state, 0),
        jobs=[views.job_summary(record) for record in page.jobs],
    )
    next_cursor = write_cursor(page.cursor, scope=scope)
    return Reply(data=listing, next_cursor=next_cursor)


def read(call: Call) -> Reply:
    """Read a job with its attempts."""
    return Reply(data=views.job_detail(call.client.get_job(call.ids["jobId"])))


def attempts(call: Call) -> Reply:
    """Read the attempts of a job."""
    record = call.client.get_job(call.ids["jobId"])
    runs = [views.attempt(run) for run in record.attempts]
    return Reply(data=schemas.Attempts(job_id=record.id, attempts=runs))


def amend(call: Call) -> Reply:
    """Change the payload or the priority of a pending job or a dead letter."""
    change = call.read(schemas.AmendJob)
    if change.data is None and change.priority is None:
        raise invalid_body([Fault("", "one_of", "give data, priority or both")])
    try:
        record = call.client.amend(
            call.ids["jobId"], payload=change.data, priority=change.priority
        )
    except InvalidJobsError as error:
        faults = [
            replace(fault, path=fault.path.replace("/payload", "/data", 1))
            for fault in error.faults
        ]
        raise invalid_body(faults) from None
    return Reply(data=views.job_detail(record))


def log(call: Call) -> Reply:
    """Read what a job has logged."""
    job_id = call.ids["jobId"]
    page = call.client.log(job_id, after=call.query["after"], limit=call.query["limit"])
    return Reply(data=views.job_log(job_id, page))


def cancel(call: Call) -> Reply:
    """Cancel a pending job, or ask the worker of an active one."""
    job_id = call.ids["jobId"]
    status = call.client.cancel(job_id)
    cancelled = schemas.Cancelled(job_id=job_id, status=status)
    return Reply(data=cancelled, status=202 if status == "requested" else 200)


def remove(call: Call) -> Reply:
    """Delete a job that is not active."""
    job_id = call.ids["jobId"]
    call.client.remove(job_id)
    return Reply(data=schemas.Removed(job_id=job_id))


def promote(call: Call) -> Reply:
    """Make a delayed job waiting now."""
    job_id = call.ids["jobId"]
    queue = call.client.get_job(job_id).queue
    call.client.promote(job_id)
    return Reply(
        data=schemas.JobStateView(
            job_id=job_id, queue_name=queue, state=JobState.WAITING
        )
    )


def reschedule(call: Call) -> Reply:
    """Give a pending job a new due time."""
    due = call.read(schemas.Reschedule)
    if (due.delay_ms is None) == (due.run_at is None):
        text = "give exactly one of delayMs and runAt"
        raise invalid_body([Fault("", "one_of", text)])
    job_id = call.ids["jobId"]
    queue = call.client.get_job(job_id).queue
    state = call.client.reschedule(
        job_id, delay_ms=due.delay_ms or 0, run_at=due.run_at
    )
    return Reply(
        data=schemas.JobStateView(job_id=job_id, queue_name=queue, state=state)
    )
