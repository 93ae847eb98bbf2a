"""What clients read of runs: executions, descriptions, histories, counts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from workflows.client.service import (
    HistoryPage,
    PendingActivity,
    RunDescription,
    shown_info,
)
from workflows.converter import DataConverter
from workflows.engine.history import (
    Event,
    decode_event,
    encode_event,
    from_temporal_json,
    to_temporal_json,
)
from workflows.exceptions import InvalidArgumentError
from workflows.runtime.codec import SyncConverter
from workflows.store import RunRecord, RunStatus

Json = Mapping[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNSET: Any = object()


class WorkflowExecutionStatus(IntEnum):
    """The status of a run; numbers are Temporal's."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7


def status_of(status: RunStatus) -> WorkflowExecutionStatus:
    """Return the store's status as clients see it."""
    return WorkflowExecutionStatus[status.name]


class WorkflowHistoryEventFilterType(IntEnum):
    """Which events of a history are fetched."""

    ALL_EVENT = 1
    CLOSE_EVENT = 2


# -- executions ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WorkflowExecution:
    """A run. `raw_info`: the store's record. Search attributes are lists by name."""

    close_time: datetime | None
    execution_time: datetime | None
    history_length: int
    id: str
    namespace: str
    parent_id: str | None
    parent_run_id: str | None
    root_id: str | None = None
    root_run_id: str | None = None
    raw_info: RunRecord
    run_id: str
    search_attributes: Mapping[str, Sequence[Any]]
    start_time: datetime
    status: WorkflowExecutionStatus | None
    task_queue: str
    workflow_type: str
    _converter: SyncConverter = field(repr=False)

    @property
    def data_converter(self) -> DataConverter:
        """The converter that reads the memo."""
        return self._converter.data_converter

    async def memo(self) -> Mapping[str, Any]:
        """Return the memo, decoded without hints."""
        return self.read_memo()

    async def memo_value(
        self, key: str, default: Any = UNSET, *, type_hint: type | None = None
    ) -> Any:
        """Return one value of the memo; see `read_memo_value`."""
        return self.read_memo_value(key, default, type_hint=type_hint)

    def read_memo(self) -> Mapping[str, Any]:
        """Return the memo, decoded without hints."""
        return {key: self.read_memo_value(key) for key in shown_info(self.raw_info)[0]}

    def read_memo_value(
        self, key: str, default: Any = UNSET, *, type_hint: type | None = None
    ) -> Any:
        """Return one value of the memo.

        Raises:
            KeyError: there is none, and no default.
        """
        found = shown_info(self.raw_info)[0].get(key)
        if found is not None:
            return self._converter.decode([self._converter.open(found)], [type_hint])[0]
        if default is UNSET:
            msg = f"Memo does not have a value for key {key}"
            raise KeyError(msg)
        return default


@dataclass(frozen=True, kw_only=True)
class WorkflowExecutionDescription(WorkflowExecution):
    """A run with what it waits for.

    `raw_description` has attributes as Temporal's response: `pending_activities`,
    `pending_children`, `pending_workflow_task`; `description` is all that is known.
    """

    raw_description: Any = field(repr=False)
    description: RunDescription = field(repr=False)
    _summary: str | None = None
    _details: str | None = None

    async def static_summary(self) -> str | None:
        """Return the summary that the start gave."""
        return self._summary

    async def static_details(self) -> str | None:
        """Return the details that the start gave."""
        return self._details


def execution_of(
    run: RunRecord, *, namespace: str, converter: SyncConverter
) -> WorkflowExecution:
    """Return a run as clients see it."""
    return WorkflowExecution(**_common(run, namespace, converter))


def description_of(
    found: RunDescription,
    first: Event | None,
    *,
    namespace: str,
    converter: SyncConverter,
) -> WorkflowExecutionDescription:
    """Return a description as clients see it. `first`: the run's first event."""
    said = dict(first.attributes) if first is not None else {}
    root = said.get("rootWorkflowExecution", {})
    metadata = first.extra.get("userMetadata", {}) if first is not None else {}
    common = _common(found.run, namespace, converter)
    return WorkflowExecutionDescription(
        **common
        | {"root_id": root.get("workflowId"), "root_run_id": root.get("runId")},
        raw_description=raw_description(found),
        description=found,
        _summary=_text(metadata.get("summary"), converter),
        _details=_text(metadata.get("details"), converter),
    )


def _common(run: RunRecord, namespace: str, converter: SyncConverter) -> dict[str, Any]:
    parent, search = run.parent, shown_info(run)[1]
    return {
        "close_time": _time(run.closed_at),
        "execution_time": _time(run.started_at),
        "history_length": run.length,
        "id": run.workflow_id,
        "namespace": namespace,
        "parent_id": parent.workflow_id if parent else None,
        "parent_run_id": parent.run_id if parent else None,
        "raw_info": run,
        "run_id": run.run_id,
        "search_attributes": {
            name: _listed(converter.decode([payload])[0])
            for name, payload in search.items()
        },
        "start_time": _time(run.started_at),
        "status": status_of(run.status),
        "task_queue": run.task_queue,
        "workflow_type": run.type,
        "_converter": converter,
    }


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _text(payload: Json | None, converter: SyncConverter) -> str | None:
    if payload is None:
        return None
    return str(converter.decode([converter.open(payload)], [str])[0])


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else EPOCH + timedelta(milliseconds=ms)


# -- descriptions in Temporal's words --------------------------------------------------


def raw_description(found: RunDescription) -> SimpleNamespace:
    """Return what a run waits for, with the attributes of Temporal's response."""
    task = found.task
    return SimpleNamespace(
        pending_activities=[_activity(each) for each in found.activities],
        pending_children=[
            SimpleNamespace(
                workflow_id=child.workflow_id,
                run_id=child.run_id,
                workflow_type_name=child.type,
            )
            for child in found.children
        ],
        pending_workflow_task=(
            None
            if task is None
            else SimpleNamespace(
                state=f"PENDING_WORKFLOW_TASK_STATE_{task.state.upper()}",
                attempt=task.attempt,
                scheduled_time=_time(task.scheduled_at),
                started_time=_time(task.started_at),
            )
        ),
    )


def _activity(one: PendingActivity) -> SimpleNamespace:
    return SimpleNamespace(
        activity_id=one.activity_id,
        activity_type=SimpleNamespace(name=one.type),
        state=f"PENDING_ACTIVITY_STATE_{one.state.upper()}",
        attempt=one.attempt,
        maximum_attempts=one.maximum_attempts,
        scheduled_time=_time(one.next_attempt_at or one.scheduled_at),
        last_started_time=_time(one.started_at),
        last_heartbeat_time=_time(one.heartbeat_at),
        heartbeat_details=list(one.heartbeat_details),
        last_failure=one.last_failure,
        last_worker_identity=one.worker or "",
    )


# -- histories -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event of a history; `attributes` are Temporal's, in JSON."""

    event_id: int
    event: Event

    @property
    def event_type(self) -> str:
        """Its type, as in `WORKFLOW_EXECUTION_STARTED`."""
        return str(self.event.type)

    @property
    def event_time(self) -> datetime:
        """When it happened."""
        return EPOCH + timedelta(milliseconds=self.event.at)

    @property
    def attributes(self) -> Json:
        """What it says."""
        return self.event.attributes


@dataclass(frozen=True)
class WorkflowHistory:
    """The events of a run, from the first one."""

    workflow_id: str
    events: Sequence[HistoryEvent]

    @property
    def run_id(self) -> str:
        """The run's id, from its first event.

        Raises:
            RuntimeError: the history does not begin with a start.
        """
        said = self.events[0].attributes if self.events else {}
        if "originalExecutionRunId" not in said:
            msg = "First event is not workflow start"
            raise RuntimeError(msg)
        return str(said["originalExecutionRunId"])

    @staticmethod
    def from_json(workflow_id: str, history: str | dict[str, Any]) -> "WorkflowHistory":
        """Read what `to_json`, Temporal's SDK or its command wrote.

        Raises:
            InvalidArgumentError: it is no history; the text says where.
        """
        if isinstance(history, str):
            try:
                history = json.loads(history)
            except ValueError as error:
                msg = f"not JSON: {error}"
                raise InvalidArgumentError(msg) from None
        if not isinstance(history, Mapping):
            msg = "a history is an object with a list of events"
            raise InvalidArgumentError(msg)
        return WorkflowHistory(workflow_id, events_of(from_temporal_json(history)))

    def to_json(self) -> str:
        """Return it as JSON that Temporal's tools read."""
        return json.dumps(self.to_json_dict())

    def to_json_dict(self) -> dict[str, Any]:
        """Return it as an object."""
        return to_temporal_json(self.stored)

    @property
    def stored(self) -> tuple[bytes, ...]:
        """The events as the store keeps them."""
        return tuple(encode_event(each.event) for each in self.events)


def events_of(stored: Iterable[bytes], start: int = 1) -> list[HistoryEvent]:
    """Return stored events; the first of them is event `start`."""
    return [
        HistoryEvent(number, decode_event(data))
        for number, data in enumerate(stored, start)
    ]


def page_events(page: HistoryPage) -> list[HistoryEvent]:
    """Return the events of a page."""
    return events_of(page.events, page.start)


# -- counts ----------------------------------------------------------------------------


@dataclass(frozen=True)
class WorkflowExecutionCountAggregationGroup:
    """How many runs have these values of what was grouped by."""

    count: int
    group_values: Sequence[Any]


@dataclass(frozen=True)
class WorkflowExecutionCount:
    """How many runs; with GROUP BY also per group."""

    count: int
    groups: Sequence[WorkflowExecutionCountAggregationGroup] = ()
