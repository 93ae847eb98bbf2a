"""What clients of the crash tests say to workflows, in the store's own words.

Everything may be said again, with the same ids, until it was acknowledged.
"""

from typing import Any

from tests.chaos.flows import QUEUE, Plan
from tests.chaos.ledger import Line
from workflows.converter import DataConverter, payload_from_json, payload_to_json
from workflows.engine import inbox
from workflows.engine.history import decode_event
from workflows.engine.starting import StartOptions, start_event
from workflows.runtime.effects import entry
from workflows.runtime.new_runs import new_run
from workflows.store import (
    Complete,
    RunRecord,
    RunRef,
    RunStatus,
    SettleStatus,
    StartRun,
    Store,
)

_converter = DataConverter.default.payload_converter


def start(store: Store, kind: str, flow: str, plan: Plan, *, queue: str = QUEUE) -> str:
    """Start a workflow with id `flow`; its first run's id says the same."""
    run_id = f"run-{flow}"
    options = StartOptions(
        workflow_type=kind, task_queue=queue, arguments=[_payload(plan)]
    )
    made = start_event(options, workflow_id=flow, run_id=run_id, at=store.now())
    run = new_run(made, workflow_id=flow)
    return store.start_run(StartRun(run=run), request_id=f"start-{flow}").run_id


def signal(store: Store, flow: str, number: int) -> None:
    """Send the signal `number` to the current run of a workflow."""
    said = inbox.signal("number", [_payload(number)])
    request = f"signal-{flow}-{number}"
    store.send_to_run(RunRef(workflow_id=flow), entry(said), request_id=request)


def cancel(store: Store, flow: str) -> None:
    """Ask the current run of a workflow to cancel."""
    request = f"cancel-{flow}"
    store.send_to_run(
        RunRef(workflow_id=flow), entry(inbox.cancel()), request_id=request
    )


def complete(store: Store, task_token: str, result: str) -> SettleStatus:
    """Complete an activity from outside."""
    job_id, token = task_token.split(" ")
    job = store.get_job(job_id)
    if job is None:
        return SettleStatus.ALREADY
    start_of_it = inbox.Start(at=job.started_at or job.created_at)
    scheduled = int(job_id.rpartition(":")[2])
    said = inbox.activity_completed(scheduled, start_of_it, _payload(result))
    ended = Complete(job_id=job_id, token=token, outcome=entry(said))
    return store.exchange([ended]).statuses[0]


def result_of(store: Store, run: RunRecord) -> Any:
    """Return what a run returned; None if it did not."""
    if run.status is not RunStatus.COMPLETED:
        return None
    last = decode_event(store.read_history(run.run_id, start=run.length)[0])
    payload = last.attributes["result"]["payloads"][0]
    return _converter.from_payload(payload_from_json(payload))


def dump(store: Store) -> list[Line]:
    """Return a line per run, and one of the store."""
    lines: list[Line] = []
    cursor: str | None = None
    while True:
        page = store.list_runs(cursor=cursor)
        lines += [
            {
                "flow": run.workflow_id,
                "run": run.run_id,
                "status": run.status.value,
                "result": result_of(store, run),
            }
            for run in page.runs
        ]
        if (cursor := page.cursor) is None:
            break
    counts = {status.value: count for status, count in store.count_runs().items()}
    return [*lines, {"counts": counts, "fsck": store.fsck()}]


def _payload(value: Any) -> dict[str, Any]:
    return payload_to_json(_converter.to_payload(value))
