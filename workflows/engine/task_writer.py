"""Writes the events of one workflow task, in Temporal's order.

Inbox entries first, then WORKFLOW_TASK_SCHEDULED, STARTED and COMPLETED, then one event
per command. Numbers and sizes of the run are kept as it goes.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from workflows.engine.commands import TerminalCommand
from workflows.engine.decision import Decision, Issued
from workflows.engine.draining import events_of
from workflows.engine.events import CLOSE_COMMANDS
from workflows.engine.events import EventType as E
from workflows.engine.history import Event, encode_event
from workflows.engine.inbox import Item
from workflows.engine.limits import Limits
from workflows.engine.outgoing import LocalEnd, Outgoing
from workflows.engine.pending import Pending
from workflows.engine.proto_json import span_ms
from workflows.engine.workflow_tasks import Numbered

SDK_NAME = "huey-workflows"
NONDETERMINISM = "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"
UNHANDLED = "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE"
NAMESPACED = frozenset(
    {
        E.START_CHILD_WORKFLOW_EXECUTION_INITIATED,
        E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    }
)


class Run(Protocol):
    """What the writer needs of the run that it writes for."""

    length: int
    size: int
    started: dict[str, Any]
    cancel_requested: bool
    pending: Pending
    limits: Limits
    namespace: str


class TaskWriter:
    """The events of one task."""

    def __init__(self, run: Run, at: int, identity: str) -> None:
        self.events: list[bytes] = []
        self._run, self._at, self._identity = run, at, identity
        self._length = run.length
        self._scheduled_id = self._started_id = 0

    def _add(self, event: Event) -> Numbered:
        data = encode_event(event)
        self.events.append(data)
        self._run.length += 1
        self._run.size += len(data)
        return self._run.length, event

    def drain(self, item: Item) -> list[Numbered]:
        """Write what an inbox entry says; nothing if what it is about is over.

        The caller lets the run handle it before the next one comes.
        """
        asked, find = self._run.cancel_requested, self._run.pending.target
        events = events_of(item, self._run.length, find, cancel_requested=asked)
        return [self._add(event) for event in events]

    def begin(self, attempt: int) -> Numbered:
        """Write that the task is scheduled and started; return the latter."""
        self._scheduled_id, _ = self._add(
            Event(E.WORKFLOW_TASK_SCHEDULED, self._at, _scheduled(self._run, attempt))
        )
        size = self._run.size
        started: dict[str, Any] = {
            "scheduledEventId": str(self._scheduled_id),
            **_by(self._identity),
            "historySizeBytes": str(size),
        }
        if self._run.limits.suggests_continue_as_new(self._run.length, size):
            started["suggestContinueAsNew"] = True
        event = self._add(Event(E.WORKFLOW_TASK_STARTED, self._at, started))
        self._started_id = event[0]
        return event

    def complete(
        self, asked: Sequence[Outgoing], taken: int, flags: frozenset[int]
    ) -> Decision:
        """Write that it completed, and its commands but the terminal one."""
        completed: dict[str, Any] = {
            "scheduledEventId": str(self._scheduled_id),
            "startedEventId": str(self._started_id),
            **_by(self._identity),
        }
        if flags:
            metadata = {"langUsedFlags": sorted(flags), "sdkName": SDK_NAME}
            completed["sdkMetadata"] = metadata
        number, _ = self._add(Event(E.WORKFLOW_TASK_COMPLETED, self._at, completed))
        terminal: TerminalCommand | None = None
        issued = []
        for out in asked:
            if out.type in CLOSE_COMMANDS:
                assert isinstance(out.command, TerminalCommand)  # noqa: S101
                terminal = out.command
            else:
                issued.append(self._command(out, number))
        return Decision(
            length=self._length,
            at=self._at,
            taken=taken,
            events=tuple(self.events),
            issued=tuple(issued),
            terminal=terminal,
            completed_id=number,
        )

    def _command(self, out: Outgoing, completed_id: int) -> Issued:
        run_timeout = span_ms(self._run.started.get("workflowRunTimeout"))
        attributes = out.attributes(run_timeout)
        attributes["workflowTaskCompletedEventId"] = str(completed_id)
        if out.type in NAMESPACED and self._run.namespace:
            attributes["namespace"] = self._run.namespace
        event_id, _ = self._add(Event(out.type, self._at, attributes, out.extra()))
        command = out.command
        plain = command.command if isinstance(command, LocalEnd) else command
        return Issued(command=plain, event_id=event_id, attributes=attributes)


def failed_task(
    run: Run,
    committed: tuple[int, int],
    failure: dict[str, Any],
    at: int,
    identity: str,
    *,
    nondeterminism: bool,
) -> tuple[bytes, ...]:
    """Return the events of a failed task; `committed`: length and size before it."""
    length, size = committed
    scheduled = encode_event(Event(E.WORKFLOW_TASK_SCHEDULED, at, _scheduled(run, 1)))
    started = {
        "scheduledEventId": str(length + 1),
        **_by(identity),
        "historySizeBytes": str(size + len(scheduled)),
    }
    failed = {
        "scheduledEventId": str(length + 1),
        "startedEventId": str(length + 2),
        "cause": NONDETERMINISM if nondeterminism else UNHANDLED,
        "failure": failure,
        **_by(identity),
    }
    return (
        scheduled,
        encode_event(Event(E.WORKFLOW_TASK_STARTED, at, started)),
        encode_event(Event(E.WORKFLOW_TASK_FAILED, at, failed)),
    )


def _scheduled(run: Run, attempt: int) -> dict[str, Any]:
    return {
        "taskQueue": run.started.get("taskQueue", {}),
        "startToCloseTimeout": run.started.get("workflowTaskTimeout", "10s"),
        "attempt": attempt,
    }


def _by(identity: str) -> dict[str, str]:
    """Return who acted; the JSON has no empty fields."""
    return {"identity": identity} if identity else {}
