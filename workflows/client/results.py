"""From the end of a run to a value or an error."""

from typing import Any

from workflows.client.errors import (
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
)
from workflows.client.service import RunOutcome
from workflows.engine.proto_json import payload_list
from workflows.exceptions import (
    CancelledError,
    TerminatedError,
    TimeoutError,  # noqa: A004 - Temporal's name
    TimeoutType,
)
from workflows.runtime.codec import SyncConverter
from workflows.store import RunStatus


def value_of(outcome: RunOutcome, converter: SyncConverter, hint: Any) -> Any:
    """Return what a run returned.

    Raises:
        WorkflowFailureError: it failed, was cancelled or terminated, or timed out.
        WorkflowContinuedAsNewError: it continued as new.
    """
    if outcome.status is RunStatus.COMPLETED:
        if outcome.result is None:
            return None
        return converter.decode([converter.open(outcome.result)], [hint])[0]
    if outcome.status is RunStatus.CONTINUED_AS_NEW:
        raise WorkflowContinuedAsNewError(outcome.next_run_id or "")
    raise WorkflowFailureError(cause=_cause(outcome, converter))


def _cause(outcome: RunOutcome, converter: SyncConverter) -> BaseException:
    said = outcome.attributes
    if outcome.status is RunStatus.FAILED:
        return converter.error(outcome.failure or {})
    if outcome.status is RunStatus.TIMED_OUT:
        return TimeoutError("Workflow timed out", type=TimeoutType.START_TO_CLOSE)
    details = converter.decode(
        [converter.open(each) for each in payload_list(said.get("details"))]
    )
    if outcome.status is RunStatus.CANCELED:
        return CancelledError("Workflow cancelled", *details)
    return TerminatedError(said.get("reason") or "Workflow terminated", *details)
