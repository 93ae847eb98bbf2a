"""How a run ended, read from its last event; and waiting for that."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.engine.history import decode_event
from workflows.exceptions import NotFoundError
from workflows.store import UNTIL_CLOSED, RunRecord, RunRef, RunStatus, Store

LOOK_S = 1.0  # a wait is only a hint: look again at least so often


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """The end of a run. `attributes`: of its last event, in Temporal's JSON."""

    workflow_id: str
    run_id: str
    status: RunStatus
    attributes: Mapping[str, Any]
    next_run_id: str | None

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The payload of a completed run, if it has one."""
        found = self.attributes.get("result", {}).get("payloads", ())
        return found[0] if found else None

    @property
    def failure(self) -> Mapping[str, Any] | None:
        """The failure of a failed run."""
        return self.attributes.get("failure")


def find_run(store: Store, ref: RunRef) -> RunRecord:
    """Return a run.

    Raises:
        NotFoundError: there is none.
    """
    run = store.get_run(ref)
    if run is None:
        msg = f"workflow not found for ID: {ref.workflow_id}"
        raise NotFoundError(msg)
    return run


def read_outcome(store: Store, run: RunRecord) -> RunOutcome:
    """Return the end of a closed run."""
    events = store.read_history(run.run_id, start=run.length, limit=1)
    if not events:
        msg = f"the history of run {run.run_id} was deleted"
        raise NotFoundError(msg)
    attributes = decode_event(events[0]).attributes
    return RunOutcome(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        status=run.status,
        attributes=attributes,
        next_run_id=attributes.get("newExecutionRunId"),
    )


def wait_outcome(
    store: Store, ref: RunRef, *, follow: bool, timeout_s: float
) -> RunOutcome | None:
    """Wait until a run is closed; None at the timeout.

    With `follow`: of the last run of its chain (continue-as-new, retry, cron).

    Raises:
        NotFoundError: there is no such run.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        rest = deadline - time.monotonic()
        if ref.run_id is not None and rest > 0:  # returns at once if it is closed
            wait_s = min(rest, LOOK_S)
            store.wait_run(ref.run_id, length=UNTIL_CLOSED, timeout_s=wait_s)
        run = find_run(store, ref)
        if run.status is not RunStatus.RUNNING:
            outcome = read_outcome(store, run)
            if not (follow and outcome.next_run_id):
                return outcome
            ref = RunRef(workflow_id=run.workflow_id, run_id=outcome.next_run_id)
        elif deadline - time.monotonic() <= 0:
            return None
        else:
            ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
