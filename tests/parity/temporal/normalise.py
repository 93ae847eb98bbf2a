"""Histories without what may differ between two engines: a closed list.

Everything that is not named here is compared. Event ids are numbered again without the
events of workflow tasks; run ids and other random ids keep only *which are the same*.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

Json = Any

IGNORED_EVENTS = frozenset(
    f"EVENT_TYPE_WORKFLOW_TASK_{name}"
    for name in ("SCHEDULED", "STARTED", "COMPLETED", "FAILED", "TIMED_OUT")
)
"""How work is grouped into workflow tasks is each engine's own affair."""

IGNORED_FIELDS = frozenset(
    {
        # times and positions
        "eventTime",
        "taskId",
        "eventId",
        "workflowExecutionExpirationTime",
        "workflowTaskCompletedEventId",
        "prevAutoResetPoints",
        "historySizeBytes",
        # who did it, and with which version of what
        "identity",
        "sdkMetadata",
        "workerVersion",
        "version",
        "versionOfSdk",
        "attributes_version",
        "userMetadataVersion",
        "deploymentVersion",
        "workerDeploymentVersion",
        "workerDeploymentName",
        "stackTrace",
        # ids that only servers pass to each other
        "requestId",
        "namespaceId",
        "parentWorkflowNamespaceId",
        "externalInitiatedEventNamespaceId",
        "useWorkflowBuildId",
        "inheritBuildId",
        "control",
        # which handler asked for a command: only the newest servers say it
        "eventGroupMarkers",
    }
)

IGNORED_IN_LOCAL_ACTIVITY_MARKERS = frozenset(
    {"complete_time", "original_schedule_time", "activation_index"}
)
"""Times, and a count of workflow tasks, inside a payload that the SDK itself writes."""

FOREIGN_REFERENCES = {
    "parentInitiatedEventId": "parentWorkflowExecution",
    "externalInitiatedEventId": "externalWorkflowExecution",
}
"""Fields that name an event of another run, and the field beside them that names it."""

EVENT_REFERENCE = re.compile(r".*EventId$")
RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Names:
    """Random ids in the order of their first appearance in one document."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """Replace each random id in `text` by its number."""
        return RANDOM_ID.sub(self._number, text)

    def _number(self, found: re.Match[str]) -> str:
        return self._known.setdefault(found[0], f"<id {len(self._known) + 1}>")


Numbers = Mapping[str, Mapping[str, int]]
"""By run id: the new number of each of its events that is kept."""


def normalise_runs(runs: Sequence[Mapping[str, Json]]) -> list[Json]:
    """Normalise the raw runs of one program, in order."""
    names = Names()
    kept = [_kept(run["history"]["events"]) for run in runs]
    numbers = {
        run["runId"]: {str(event["eventId"]): i for i, event in enumerate(events, 1)}
        for run, events in zip(runs, kept, strict=True)
    }
    return [
        {
            "workflowId": names.hide(run["workflowId"]),
            "status": run["status"],
            "events": [_Walk(names, numbers, run["runId"]).of(e) for e in events],
        }
        for run, events in zip(runs, kept, strict=True)
    ]


def hide_ids(value: Json) -> Json:
    """Replace the random ids in outcomes and notes, numbered from one."""
    return _Walk(Names(), {}, "").of(value)


def _kept(events: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    return [event for event in events if event["eventType"] not in IGNORED_EVENTS]


class _Walk:
    """Copies JSON of one run without what is ignored."""

    def __init__(self, names: Names, numbers: Numbers, run_id: str) -> None:
        self._names = names
        self._numbers = numbers
        self._run_id = run_id

    def of(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if isinstance(value, str):
            return self._names.hide(value)
        if not isinstance(value, dict):
            return value
        if "metadata" in value and set(value) <= {"metadata", "data"}:
            return self._payload(value)
        return {
            key: self._reference(key, value)
            if EVENT_REFERENCE.match(key)
            else self.of(value[key])
            for key in sorted(value)
            if key not in IGNORED_FIELDS
        }

    def _reference(self, key: str, beside: Mapping[str, Json]) -> Json:
        """Return the new number of an event; of a workflow task's: just that."""
        foreign = beside.get(FOREIGN_REFERENCES.get(key, ""), {})
        numbers = self._numbers.get(foreign.get("runId", self._run_id), {})
        return numbers.get(str(beside[key]), "a workflow task")

    def _payload(self, payload: Mapping[str, Json]) -> Json:
        metadata = {
            key: base64.b64decode(value).decode("utf-8", "replace")
            for key, value in payload["metadata"].items()
        }
        data = base64.b64decode(payload.get("data", ""))
        if not metadata.get("encoding", "").startswith("json/"):
            return {"payload": metadata, "data": data.decode("latin-1")}
        said = json.loads(self._names.hide(data.decode()))
        if isinstance(said, dict) and "original_schedule_time" in said:
            for key in IGNORED_IN_LOCAL_ACTIVITY_MARKERS:
                said.pop(key, None)
        return {"payload": metadata, "data": said}
