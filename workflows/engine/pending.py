"""Everything a run waits for, and the commands of its task that is open.

Commands come in call order (`ask`), history events in theirs (`handle`). Both answer
with jobs for the workflow. When the task is over, `take` hands out the commands in the
order of their events; each is then told its event's id (`recorded`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from workflows.engine import commands as c
from workflows.engine.activation import (
    Cancelled,
    ResolveActivity,
)
from workflows.engine.events import EventType as E
from workflows.engine.failure_json import cancelled_failure
from workflows.engine.history import Event
from workflows.engine.limits import Limits
from workflows.engine.local_activities import LocalOutcome
from workflows.engine.machines import (
    AT_ONCE,
    Activity,
    Child,
    ExternalCancel,
    ExternalSignal,
    Jobs,
    LocalActivity,
    Machine,
    Timer,
)
from workflows.engine.markers import change_versions
from workflows.engine.outgoing import EVENTS, LocalEnd, Outgoing, Recordable

BY_WORKFLOW = "Cancel requested by workflow with run id"
M = TypeVar("M", bound=Machine)
TARGETS: Mapping[E, str] = {
    E.ACTIVITY_TASK_STARTED: "scheduledEventId",
    E.ACTIVITY_TASK_COMPLETED: "scheduledEventId",
    E.ACTIVITY_TASK_FAILED: "scheduledEventId",
    E.ACTIVITY_TASK_TIMED_OUT: "scheduledEventId",
    E.ACTIVITY_TASK_CANCELED: "scheduledEventId",
    E.TIMER_FIRED: "startedEventId",
    E.START_CHILD_WORKFLOW_EXECUTION_FAILED: "initiatedEventId",
    E.CHILD_WORKFLOW_EXECUTION_STARTED: "initiatedEventId",
    E.CHILD_WORKFLOW_EXECUTION_COMPLETED: "initiatedEventId",
    E.CHILD_WORKFLOW_EXECUTION_FAILED: "initiatedEventId",
    E.CHILD_WORKFLOW_EXECUTION_CANCELED: "initiatedEventId",
    E.CHILD_WORKFLOW_EXECUTION_TIMED_OUT: "initiatedEventId",
    E.CHILD_WORKFLOW_EXECUTION_TERMINATED: "initiatedEventId",
    E.EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: "initiatedEventId",
    E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: "initiatedEventId",
    E.EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED: "initiatedEventId",
    E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: "initiatedEventId",
}
"""Events about something that a command began: where they name its event."""

LIMITED: Mapping[type[Machine], str] = {
    Activity: "activities",
    Child: "child workflows",
    ExternalSignal: "signals to other workflows",
    ExternalCancel: "cancel requests to other workflows",
}


class Pending:
    """What a run waits for. Used by one thread at a time."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self.by_event: dict[int, Machine] = {}
        self.outgoing: list[Outgoing] = []
        self.terminal: Outgoing | None = None
        self.local: dict[int, LocalActivity] = {}
        self.local_cancels: list[int] = []
        self.known_patches: set[str] = set()  # their markers are in the history
        self._patches: set[str] = set()  # their calls were seen
        self._asked: dict[tuple[type[Machine], int], Machine] = {}

    def check(self, asked: list[Outgoing], limits: Limits) -> None:
        """Refuse commands after which too much would be pending.

        Raises:
            InvalidArgumentError: the text names the kind and the limit.
        """
        new = Counter(type(out.machine) for out in asked if out.machine is not None)
        for kind, number in new.items():
            if kind in LIMITED:
                limits.check_pending(LIMITED[kind], self.count(kind) + number)

    def count(self, kind: type[Machine]) -> int:
        """Return how many of a kind are recorded and not ended."""
        return sum(isinstance(one, kind) for one in self.by_event.values())

    # -- events ------------------------------------------------------------------------

    def target(self, event: Event) -> Machine | None:
        """Return what an event of TARGETS is about; None if it ended or never was."""
        return self.by_event.get(event.id_of(TARGETS[event.type]))

    def handle(self, event: Event, event_id: int) -> Jobs:
        """Take an event of TARGETS whose target is there; return the jobs."""
        machine = self.by_event[event.id_of(TARGETS[event.type])]
        jobs = machine.handle(event, event_id)
        if machine.ended:
            self._forget(machine)
        return jobs

    def _forget(self, machine: Machine) -> None:
        self.by_event.pop(machine.event_id, None)
        self._asked.pop((type(machine), machine.seq), None)

    def _find(self, kind: type[M], seq: int) -> M | None:
        found = self._asked.get((kind, seq))
        return found if isinstance(found, kind) else None

    # -- commands ----------------------------------------------------------------------

    def ask(self, command: c.Command, *, replaying: bool) -> Jobs:  # noqa: C901, PLR0912
        """Take a command; return what it tells the workflow at once."""
        match command:
            case c.StartTimer():
                self._add(command, Timer(command.seq))
            case c.CancelTimer():
                self._cancel_timer(command)
            case c.ScheduleActivity():
                self._add(command, Activity(command.seq, command=command))
            case c.CancelActivity(local=True):
                return self._cancel_local(command)
            case c.CancelActivity():
                return self._cancel_activity(command)
            case c.ScheduleLocalActivity():
                self.local[command.seq] = LocalActivity(command.seq, command=command)
            case c.StartChild():
                self._add(command, Child(command.seq, command=command))
            case c.CancelChild():
                return self._cancel_child(command)
            case c.SignalExternal():
                self._add(command, ExternalSignal(command.seq))
            case c.CancelSignal():
                return self._cancel_signal(command)
            case c.CancelExternal():
                reason = f"{BY_WORKFLOW} {self._run_id} with reason: {command.reason}"
                request = replace(command, reason=reason)
                self._add(request, ExternalCancel(command.seq))
            case c.SetPatchMarker():
                self._patch(command, replaying=replaying)
            case c.UpsertMemo() | c.UpsertSearchAttributes():
                self._add(command)
            case _ if isinstance(command, c.TerminalCommand):
                if self.terminal is None:
                    self.terminal = Outgoing(EVENTS[type(command)], command)
        return ()

    def _add(
        self,
        command: Recordable,
        machine: Machine | None = None,
        target: Machine | None = None,
        *,
        derived: bool = False,
    ) -> None:
        kind = EVENTS[type(command)]
        out = Outgoing(kind, command, machine, target, derived=derived)
        self.outgoing.append(out)
        if machine is not None:
            self._asked[type(machine), machine.seq] = machine

    def _take_back(self, machine: Machine) -> None:
        for out in self.outgoing:
            if out.machine is machine:
                out.dropped = True
        self._forget(machine)

    def _cancel_timer(self, command: c.CancelTimer) -> None:
        timer = self._find(Timer, command.seq)
        if timer is None:
            return  # it fired in this very task
        if not timer.event_id:
            self._take_back(timer)
            return
        self._forget(timer)
        self._add(command, target=timer)

    def _cancel_activity(self, command: c.CancelActivity) -> Jobs:
        activity = self._find(Activity, command.seq)
        if activity is None or activity.cancel_asked or activity.command is None:
            return ()
        activity.cancel_asked = True
        if not activity.event_id:
            self._take_back(activity)
            return activity.cancelled()
        kind = activity.command.cancellation_type
        if kind is not c.CancellationType.ABANDON:
            self._add(command, target=activity)
        return activity.cancelled() if kind in AT_ONCE else ()

    def _cancel_child(self, command: c.CancelChild) -> Jobs:
        """Take back or cancel a child.

        WAIT_CANCELLATION_REQUESTED waits for the close too: so does Temporal's core.
        """
        child = self._find(Child, command.seq)
        if child is None or child.resolved or child.command is None:
            return ()
        if not child.event_id:
            self._take_back(child)
            return child.taken_back(command.reason)
        kind = child.command.cancellation_type
        if kind is not c.CancellationType.ABANDON:
            request = ExternalCancel(0, resolved=True)
            self._add(command, request, child)
        return child.cancelled() if kind in AT_ONCE else ()

    def _cancel_signal(self, command: c.CancelSignal) -> Jobs:
        signal = self._find(ExternalSignal, command.seq)
        if signal is None or signal.event_id:
            return ()  # it was sent
        self._take_back(signal)
        return signal.taken_back()

    def _patch(self, command: c.SetPatchMarker, *, replaying: bool) -> None:
        """Record a patch once, and the search attribute that names all of them.

        A replayed call that left no marker (old code, or deprecated) left no
        attribute either.
        """
        if command.patch_id in self._patches:
            return
        self._patches.add(command.patch_id)
        self._add(command)
        if not replaying or command.patch_id in self.known_patches:
            versions = change_versions(list(self._patches))
            self._add(c.UpsertSearchAttributes(attributes=versions), derived=True)

    # -- local activities --------------------------------------------------------------

    def _cancel_local(self, command: c.CancelActivity) -> Jobs:
        activity = self.local.get(command.seq)
        if activity is None or activity.command is None:
            return ()
        kind = activity.command.cancellation_type
        if kind is not c.CancellationType.ABANDON and activity.begun:
            self.local_cancels.append(command.seq)
        if kind not in AT_ONCE:
            return ()
        failure = cancelled_failure(message="Activity cancelled")
        cancelled = Cancelled(failure=failure)
        return self.end_local(LocalOutcome(seq=command.seq, resolution=cancelled, at=0))

    def end_local(self, outcome: LocalOutcome) -> Jobs:
        """Take the end of a local activity; nothing if nobody waits for it."""
        activity = self.local.pop(outcome.seq, None)
        if activity is None or activity.command is None:
            return ()
        self._add(LocalEnd(command=activity.command, outcome=outcome))
        told = activity.told(outcome.resolution)
        return (ResolveActivity(seq=outcome.seq, resolution=told, local=True),)

    # -- the end of a task -------------------------------------------------------------

    def take(self) -> list[Outgoing]:
        """Return the commands to record, in order; a terminal one comes last."""
        found = [out for out in self.outgoing if not out.dropped]
        if self.terminal is not None:
            found.append(self.terminal)
        self.outgoing = []
        return found

    def put_back(self, left: list[Outgoing]) -> None:
        """Keep commands that `take` gave and no event of that task recorded."""
        self.outgoing = left

    def recorded(self, out: Outgoing, event_id: int) -> None:
        """Tell a command the id of its event."""
        machine = out.machine
        if machine is not None:
            machine.event_id = event_id
            self.by_event[event_id] = machine
        if isinstance(out.command, c.CancelActivity) and isinstance(
            out.target, Activity
        ):
            out.target.cancel_id = event_id


def drop_deleted(known: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return memo fields or search attributes after a change; null ones go."""
    merged = {**known, **change}
    return {name: value for name, value in merged.items() if not _is_null(value)}


NULL_ENCODING = "YmluYXJ5L251bGw="  # binary/null
NULL_DATA = ("bnVsbA==", "W10=")  # null, []


def _is_null(payload: Any) -> bool:
    if payload is None:
        return True
    encoding = payload.get("metadata", {}).get("encoding", "")
    return encoding == NULL_ENCODING or payload.get("data", "") in NULL_DATA
