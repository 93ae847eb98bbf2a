"""A workflow instance that asks for exactly what a recorded history says it asked."""

from collections.abc import Iterable, Sequence
from typing import Any

from workflows.engine import commands as c
from workflows.engine.activation import Activation, Initialize, ResolveActivity
from workflows.engine.events import EventType as E
from workflows.engine.history import Event, decode_event
from workflows.engine.markers import local_outcome, patch_of
from workflows.engine.proto_json import header_fields, payload_list, span_ms
from workflows.engine.replay import Replay
from workflows.engine.workflow_tasks import RecordedTask, TaskSplitter


class Mirror:
    """Says all commands of a task in its first activation.

    But one that closes the run: it waits for the local activities of the task.
    """

    def __init__(self, history: Iterable[bytes]) -> None:
        numbered = [(n, decode_event(one)) for n, one in enumerate(history, 1)]
        self.tasks = list(TaskSplitter().split(numbered))
        self.by_time = {task.started[0]: task for task in self.tasks}
        self.now: RecordedTask | None = None  # live: the task that is run anew
        self.seen: list[Activation] = []
        self._said: set[int] = set()
        self._locals = 0
        self._last: list[c.Command] = []
        self._seqs: dict[int, int] = {}  # event id -> seq
        self._next: dict[str, int] = {}

    def activate(self, activation: Activation) -> Sequence[c.Command]:
        self.seen.append(activation)
        task = self.now or self.by_time[activation.history_length]
        if task.started[0] in self._said:
            self._locals -= sum(isinstance(j, ResolveActivity) for j in activation.jobs)
            return self._end() if self._locals == 0 else []
        self._said.add(task.started[0])
        found = [self.command(*one) for one in task.commands]
        asked = [command for command in found if command is not None]
        self._locals = sum(isinstance(one, c.ScheduleLocalActivity) for one in asked)
        self._last = [one for one in asked if isinstance(one, c.TerminalCommand)]
        rest = [one for one in asked if not isinstance(one, c.TerminalCommand)]
        return rest if self._locals else [*rest, *self._end()]

    def _end(self) -> list[c.Command]:
        """Close the run, when the last local activity of the task has ended."""
        last, self._last = self._last, []
        return last

    def await_site(self) -> str:
        return "mirror"

    def evict(self) -> None:
        """Nothing to tear down."""

    def _seq(self, kind: str, event_id: int) -> int:
        self._next[kind] = self._seqs[event_id] = self._next.get(kind, 0) + 1
        return self._seqs[event_id]

    def command(self, event_id: int, event: Event) -> c.Command | None:  # noqa: PLR0912, C901
        said = event.attributes
        summary = event.extra.get("userMetadata", {}).get("summary")
        match event.type:
            case E.TIMER_STARTED:
                self._seqs[event_id] = seq = int(said["timerId"])
                return c.StartTimer(
                    seq=seq,
                    duration_ms=span_ms(said["startToFireTimeout"]) or 0,
                    summary=summary,
                )
            case E.TIMER_CANCELED:
                return c.CancelTimer(seq=self._seqs[int(said["startedEventId"])])
            case E.ACTIVITY_TASK_SCHEDULED:
                return self.activity(event_id, said, summary)
            case E.ACTIVITY_TASK_CANCEL_REQUESTED:
                return c.CancelActivity(seq=self._seqs[int(said["scheduledEventId"])])
            case E.START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                return self.child(event_id, event)
            case E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
                return self.cancel(event_id, said)
            case E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
                whom, child = said["workflowExecution"], said.get("childWorkflowOnly")
                return c.SignalExternal(
                    seq=self._seq("signal", event_id),
                    name=said["signalName"],
                    arguments=payload_list(said.get("input")),
                    headers=header_fields(said.get("header")),
                    workflow_id="" if child else whom["workflowId"],
                    run_id=whom.get("runId", ""),
                    child_workflow_id=whom["workflowId"] if child else "",
                )
            case E.MARKER_RECORDED:
                return self.marker(event)
            case E.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
                fields = said["searchAttributes"]["indexedFields"]
                if "TemporalChangeVersion" in fields:
                    return None  # the engine's own
                return c.UpsertSearchAttributes(attributes=fields)
            case E.WORKFLOW_PROPERTIES_MODIFIED:
                return c.UpsertMemo(fields=said["upsertedMemo"]["fields"])
            case E.WORKFLOW_EXECUTION_COMPLETED:
                result = payload_list(said.get("result"))
                return c.CompleteWorkflow(result=result[0] if result else None)
            case E.WORKFLOW_EXECUTION_FAILED:
                return c.FailWorkflow(failure=said["failure"])
            case E.WORKFLOW_EXECUTION_CANCELED:
                return c.CancelWorkflow()
            case _:
                return continue_as_new(said)

    def activity(
        self, event_id: int, said: dict[str, Any], summary: Any
    ) -> c.ScheduleActivity:
        return c.ScheduleActivity(
            seq=self._seq("activity", event_id),
            activity_id=said["activityId"],
            activity_type=said["activityType"]["name"],
            task_queue=said["taskQueue"]["name"],
            arguments=payload_list(said.get("input")),
            headers=header_fields(said.get("header")),
            schedule_to_close_ms=span_ms(said["scheduleToCloseTimeout"]),
            schedule_to_start_ms=span_ms(said["scheduleToStartTimeout"]),
            start_to_close_ms=span_ms(said["startToCloseTimeout"]),
            heartbeat_ms=span_ms(said["heartbeatTimeout"]),
            retry_policy=said["retryPolicy"],
            cancellation_type=c.CancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=said["priority"].get("priorityKey", 0),
            summary=summary,
        )

    def child(self, event_id: int, event: Event) -> c.StartChild:
        said = event.attributes
        metadata = event.extra.get("userMetadata", {})
        close = said["parentClosePolicy"].removeprefix("PARENT_CLOSE_POLICY_")
        reuse = said["workflowIdReusePolicy"].removeprefix("WORKFLOW_ID_REUSE_POLICY_")
        return c.StartChild(
            seq=self._seq("child", event_id),
            workflow_id=said["workflowId"],
            workflow_type=said["workflowType"]["name"],
            task_queue=said["taskQueue"]["name"],
            arguments=payload_list(said.get("input")),
            headers=header_fields(said.get("header")),
            execution_timeout_ms=span_ms(said.get("workflowExecutionTimeout")),
            run_timeout_ms=span_ms(said.get("workflowRunTimeout")),
            task_timeout_ms=span_ms(said.get("workflowTaskTimeout")),
            parent_close_policy=close.lower(),
            id_reuse_policy=reuse.lower(),
            retry_policy=said.get("retryPolicy"),
            memo=said.get("memo", {}).get("fields", {}),
            static_summary=metadata.get("summary"),
            static_details=metadata.get("details"),
        )

    def cancel(self, event_id: int, said: dict[str, Any]) -> c.Command:
        whom, reason = said["workflowExecution"], said.get("reason", "")
        if said.get("childWorkflowOnly"):
            child = next(
                number
                for task in self.tasks
                for number, event in task.commands
                if event.type is E.START_CHILD_WORKFLOW_EXECUTION_INITIATED
                and event.attributes["workflowId"] == whom["workflowId"]
            )
            return c.CancelChild(seq=self._seqs[child], reason=reason)
        return c.CancelExternal(
            seq=self._seq("cancel", event_id),
            workflow_id=whom["workflowId"],
            run_id=whom.get("runId", ""),
            reason=reason.partition(" with reason: ")[2],
        )

    def marker(self, event: Event) -> c.Command | None:
        patch = patch_of(event)
        if patch is not None:
            return c.SetPatchMarker(patch_id=patch[0], deprecated=patch[1])
        found = local_outcome(event)
        assert found is not None
        return c.ScheduleLocalActivity(
            seq=found[0].seq,
            activity_id=str(found[0].seq),
            activity_type=found[1],
            arguments=(),
        )


def continue_as_new(said: dict[str, Any]) -> c.ContinueAsNew:
    return c.ContinueAsNew(
        arguments=payload_list(said.get("input")),
        workflow_type=said["workflowType"]["name"],
        task_queue=said["taskQueue"]["name"],
        run_timeout_ms=span_ms(said.get("workflowRunTimeout")),
        memo=said.get("memo", {}).get("fields", {}),
    )


def mirrored(history: Iterable[bytes], run_id: str = "r") -> tuple[Replay, Mirror]:
    """Return a Replay whose workflow mirrors a history."""
    mirror = Mirror(history)

    def new_instance(_: Initialize) -> Mirror:
        return mirror

    return Replay("w", run_id, new_instance), mirror
