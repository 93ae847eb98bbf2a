"""What travels in an activity's job record: all that its runs need, as JSON."""

from typing import Any

import msgspec

from workflows.exceptions import PayloadError


class ActivityTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An activity as its worker gets it. Times are ms, payloads JSON as in activation.

    `retry_policy` is Temporal's JSON with every default filled in.
    """

    activity_id: str
    activity_type: str
    workflow_id: str
    workflow_type: str
    run_id: str
    namespace: str
    scheduled_event_id: int
    arguments: list[dict[str, Any]] = []
    headers: dict[str, dict[str, Any]] = {}
    retry_policy: dict[str, Any] = {}
    priority: int = 0

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)

    @staticmethod
    def from_json(data: bytes) -> "ActivityTask":
        """Read what `to_json` wrote. Raises PayloadError."""
        try:
            return msgspec.json.decode(data, type=ActivityTask)
        except (msgspec.MsgspecError, UnicodeError) as error:
            msg = f"not an activity task: {error}"
            raise PayloadError(msg) from None


def activity_job_id(run_id: str, scheduled_event_id: int) -> str:
    """Return the id of an activity's job record."""
    return f"act:{run_id}:{scheduled_event_id}"


def run_id_of(activity_job_id: str) -> str:
    """Return the run that an activity's job record belongs to."""
    return activity_job_id.removeprefix("act:").rpartition(":")[0]
