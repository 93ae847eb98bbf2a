"""The history side of a run: feeds a workflow its history, then new workflow tasks.

Order of an activation's jobs, as in Temporal's core: initialize, patches, signals, all
the rest; inside a class in history order. What a command resolves at once (a cancel
with TRY_CANCEL, something taken back) comes in a further activation of the same task,
and so does the end of each local activity, alone, when nothing else is left to do.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from workflows.engine import flags
from workflows.engine.activation import (
    Activation,
    ActivationJob,
    CancelRequested,
    Initialize,
    NotifyPatch,
    Query,
    Signal,
)
from workflows.engine.commands import QueryResult, UpsertMemo, UpsertSearchAttributes
from workflows.engine.decision import Decision
from workflows.engine.descriptions import (
    describe_command,
    describe_event,
    event_lines,
)
from workflows.engine.events import CLOSES, UPDATES
from workflows.engine.events import EventType as E
from workflows.engine.history import Event, decode_event
from workflows.engine.inbox import Item
from workflows.engine.limits import Limits
from workflows.engine.local_activities import LocalActivities, LocalOutcome
from workflows.engine.machines import Jobs
from workflows.engine.markers import local_outcome, patch_of
from workflows.engine.matching import Mismatch, match
from workflows.engine.nondeterminism import NondeterminismError
from workflows.engine.outgoing import Outgoing
from workflows.engine.pending import TARGETS, Pending, drop_deleted
from workflows.engine.proto_json import header_fields, payload_list
from workflows.engine.task_writer import SDK_NAME, TaskWriter, failed_task
from workflows.engine.workflow_instance import NewInstance, WorkflowInstance
from workflows.engine.workflow_tasks import Numbered, RecordedTask, TaskSplitter
from workflows.exceptions import InvalidArgumentError, WorkflowsError

NextLocal = Callable[[], Jobs]


class Replay:
    """One run, as long as it is cached: its instance and where it stands.

    Used by one thread at a time. After any exception, and if a Decision was not
    committed, it must be evicted and built anew from event 1.

    `length` and `size` (bytes) are those of the history it has seen or made; `started`
    are the attributes of the run's first event.
    """

    def __init__(
        self,
        workflow_id: str,
        run_id: str,
        new_instance: NewInstance,
        limits: Limits | None = None,
        namespace: str = "",
    ) -> None:
        self.workflow_id, self.run_id = workflow_id, run_id
        self.length, self.size = 0, 0
        self.started: dict[str, Any] = {}
        self.began_at = 0
        self.warned = -1  # thousands of events when its host last warned
        self.parent_close_policy = ""  # the host's: no event of the run says it
        self.memo: dict[str, Any] = {}
        self.search_attributes: dict[str, Any] = {}
        self.cancel_requested = False
        self.closed = False
        self.flags: frozenset[int] = frozenset()
        self.pending = Pending(run_id)
        self.limits = limits or Limits()
        self.namespace = namespace
        self._new_instance = new_instance
        self._instance: WorkflowInstance | None = None
        self._splitter = TaskSplitter()
        self._fed: dict[int, Event] = {}
        self._committed = (0, 0)
        self._time = 0
        self._ended: list[LocalOutcome] = []
        self._task = (0, 0, False)  # history length and size, continue as new suggested

    # -- history -----------------------------------------------------------------------

    def feed(self, events: Iterable[bytes]) -> None:
        """Replay the events that follow those known so far.

        They must end where a commit ended. What no completed task answers yet waits
        for the next `task`.

        Raises:
            NondeterminismError: the code asked for something else.
            InvalidArgumentError: no events of a run, or updates, which are not known
                here.
        """
        numbered: list[Numbered] = []
        for data in events:
            self.length, self.size = self.length + 1, self.size + len(data)
            numbered.append((self.length, decode_event(data)))
        self._committed = self.length, self.size
        self._fed = dict(numbered)
        for task in self._splitter.split(numbered):
            self._replay(task)
        self._fed = {}
        self.closed |= any(event.type in CLOSES for _, event in self._splitter.tail)

    def _replay(self, task: RecordedTask) -> None:
        self._begin(*task.started)
        self._keep_flags(task)
        jobs = [job for one in task.told for job in self._handle(*one)]
        for _, event in task.commands:
            patch = patch_of(event)
            if patch is not None:
                self.pending.known_patches.add(patch[0])
                jobs.append(NotifyPatch(patch_id=patch[0]))
        markers = [found[0] for _, e in task.commands if (found := local_outcome(e))]
        self._drive(jobs, lambda: self._recorded_local(markers), replaying=True)
        matched = match(self.pending.take(), task.commands)
        if isinstance(matched, Mismatch):
            raise self._mismatch(matched, task)
        self.pending.put_back(matched.left)
        for out, event_id in matched.pairs:
            self._record(out, event_id)
        self.closed |= any(event.type in CLOSES for _, event in task.commands)

    def _keep_flags(self, task: RecordedTask) -> None:
        """Follow the rules that the run's first task wrote down."""
        self.flags |= _flags(task.completed[1])
        strange = flags.unknown(self.flags)
        if strange:
            kind = self.started.get("workflowType", {}).get("name", "")
            reason = "a newer program began this run, by rules unknown to this one"
            raise NondeterminismError(
                reason,
                workflow=f"{kind}/{self.workflow_id}",
                event_id=task.completed[0],
                recorded=f"logic flags {sorted(self.flags)}",
                attempted=f"logic flags {sorted(flags.CURRENT)} are all that is known",
                around=event_lines(self._fed, task.completed[0]),
                advice=(
                    "  likely   : this worker is older than the one that began it",
                    "  fix      : run this workflow on workers of the newer version",
                ),
            )

    def _recorded_local(self, markers: Sequence[LocalOutcome]) -> Jobs:
        for outcome in markers:
            if outcome.seq in self.pending.local:
                return self._end_local(outcome)
        return ()

    def _mismatch(self, found: Mismatch, task: RecordedTask) -> NondeterminismError:
        last = task.commands[-1] if task.commands else task.completed
        event_id = found.event[0] if found.event else last[0] + 1
        return self._error(
            found.reason,
            event_id,
            describe_event(found.event[1]) if found.event else "",
            describe_command(found.command) if found.command else "",
        )

    def _error(
        self, reason: str, event_id: int, recorded: str, attempted: str
    ) -> NondeterminismError:
        kind = self.started.get("workflowType", {}).get("name", "")
        return NondeterminismError(
            reason,
            workflow=f"{kind}/{self.workflow_id}",
            event_id=event_id,
            recorded=recorded,
            attempted=attempted,
            site=self._instance.await_site() if self._instance else "",
            around=event_lines(self._fed, event_id),
        )

    # -- new tasks ---------------------------------------------------------------------

    def task(
        self,
        inbox: Sequence[Item],
        *,
        at: int,
        identity: str = "",
        attempt: int = 1,
        rules: frozenset[int] = frozenset(),
        local: LocalActivities | None = None,
    ) -> Decision:
        """Run one workflow task on new inbox entries, at `at` (ms).

        `attempt`: of this task. `rules`: the logic flags of this program; a run's first
        task writes them into the history, and the run keeps to them. `local` runs
        local activities.

        Raises:
            InvalidArgumentError: the run is closed, an entry cannot be read, or a
                local activity is asked for without `local`, or too much would be
                pending.
            Exception: what the workflow's code raised: the task failed.
        """
        if self.closed:
            msg = "a closed run has no workflow tasks"
            raise InvalidArgumentError(msg)
        writer = TaskWriter(self, at, identity)
        tail, self._splitter.tail = self._splitter.tail, []
        jobs = [job for one in tail for job in self._handle(*one)]
        for item in inbox:
            for one in writer.drain(item):
                jobs += self._handle(*one)
        taken = max((item.seq for item in inbox), default=0)
        if not writer.events and not jobs:
            return Decision(length=self.length, at=at, taken=taken)
        first = self._instance is None
        if first:
            self.flags = rules
        self._begin(*writer.begin(attempt))
        self._drive(jobs, lambda: self._live_local(local), replaying=False)
        asked = self.pending.take()
        self.pending.check(asked, self.limits)
        decision = writer.complete(asked, taken, rules if first else frozenset())
        for out, issued in zip(asked, decision.issued, strict=False):
            self._record(out, issued.event_id)
        self.closed = decision.terminal is not None
        self._committed = self.length, self.size
        return decision

    def _live_local(self, local: LocalActivities | None) -> Jobs:
        pending = self.pending
        if not pending.local and not pending.local_cancels:
            return ()
        if local is None:
            msg = "nobody here runs local activities"
            raise InvalidArgumentError(msg)
        if pending.terminal is not None:
            pending.local_cancels += [
                s for s, one in pending.local.items() if one.begun
            ]
            pending.local.clear()
        for seq in pending.local_cancels:
            local.cancel(seq)
        pending.local_cancels = []
        for activity in list(pending.local.values()):
            if not activity.begun and activity.command is not None:
                activity.begun = True
                local.start(activity.command, self._time)
        return self._next_outcome(local)

    def _next_outcome(self, local: LocalActivities) -> Jobs:
        while self.pending.local:
            if not self._ended:
                self._ended = list(local.wait())
            jobs = self._end_local(self._ended.pop(0))
            if jobs:
                return jobs
        return ()

    def _end_local(self, outcome: LocalOutcome) -> Jobs:
        self._time = max(self._time, outcome.at)
        return self.pending.end_local(outcome)

    def failed_task(
        self,
        failure: dict[str, Any],
        *,
        at: int,
        identity: str = "",
        attempt: int = 1,
        nondeterminism: bool = False,
        drained: Sequence[bytes] = (),
    ) -> tuple[bytes, ...]:
        """Return the events of a failed task: its inbox's, and of a first attempt more.

        They follow the history as it is stored, not what the failed task made of it.
        The next task takes up what is drained.
        """
        if attempt > 1:
            return tuple(drained)
        length, size = self._committed
        before = length + len(drained), size + sum(map(len, drained))
        failed = failed_task(
            self, before, failure, at, identity, nondeterminism=nondeterminism
        )
        return (*drained, *failed)

    # -- queries and the end -----------------------------------------------------------

    def query(self, query: Query) -> QueryResult:
        """Ask the workflow as it stands; nothing changes, also in a closed run.

        Raises:
            InvalidArgumentError: its first task has not run yet.
        """
        if self._instance is None:
            msg = "the run's first workflow task has not run yet"
            raise InvalidArgumentError(msg)
        commands = self._instance.activate(self._activation((query,), replaying=True))
        for command in commands:
            if isinstance(command, QueryResult):
                return command
        msg = f"the workflow gave no answer to query {query.name!r}"
        raise WorkflowsError(msg)

    def await_site(self) -> str:
        """Return where the workflow's code waits; empty before its first task."""
        return self._instance.await_site() if self._instance else ""

    def evict(self) -> None:
        """Tear the instance down."""
        if self._instance is not None:
            self._instance.evict()
            self._instance = None

    # -- driving -----------------------------------------------------------------------

    def _begin(self, started_id: int, started: Event) -> None:
        said = started.attributes
        self._time = max(self._time, started.at)
        size = int(said.get("historySizeBytes", 0))
        self._task = started_id, size, bool(said.get("suggestContinueAsNew"))
        self._ended = []

    def _drive(
        self, jobs: Sequence[ActivationJob], local: NextLocal, *, replaying: bool
    ) -> None:
        """Activate until nothing is left to tell.

        A task that brings no jobs may still end local activities of one before it.
        """
        while True:
            while jobs:
                jobs = self._activate(jobs, replaying=replaying)
            jobs = local()
            if not jobs:
                return

    def _activate(
        self, jobs: Sequence[ActivationJob], *, replaying: bool
    ) -> list[ActivationJob]:
        ordered = tuple(sorted(jobs, key=_job_class) if len(jobs) > 1 else jobs)
        if self._instance is None:
            begin = ordered[0]
            if not isinstance(begin, Initialize):
                msg = "a history begins with the run's start"
                raise InvalidArgumentError(msg)
            self._instance = self._new_instance(begin)
        activation = self._activation(ordered, replaying=replaying)
        follow_ups: list[ActivationJob] = []
        for command in self._instance.activate(activation):
            follow_ups += self.pending.ask(command, replaying=replaying)
        return follow_ups

    def _activation(self, jobs: Jobs, *, replaying: bool) -> Activation:
        length, size, suggested = self._task
        return Activation(
            at=self._time,
            replaying=replaying,
            history_length=length,
            history_size=size,
            continue_as_new_suggested=suggested,
            jobs=jobs,
            flags=self.flags,
        )

    def _record(self, out: Outgoing, event_id: int) -> None:
        self.pending.recorded(out, event_id)
        if isinstance(out.command, UpsertMemo):
            self.memo = drop_deleted(self.memo, out.command.fields)
        elif isinstance(out.command, UpsertSearchAttributes):
            change = out.command.attributes
            self.search_attributes = drop_deleted(self.search_attributes, change)

    # -- events ------------------------------------------------------------------------

    def _handle(self, event_id: int, event: Event) -> Jobs:
        """Take one event that is no command; return the jobs it makes."""
        said = event.attributes
        if event.type in TARGETS:
            if self.pending.target(event) is None:
                reason = "the code never asked for what this event is about"
                raise self._error(reason, event_id, describe_event(event), "")
            return self.pending.handle(event, event_id)
        match event.type:
            case E.WORKFLOW_EXECUTION_STARTED:
                return (self._initialize(event),)
            case E.WORKFLOW_EXECUTION_SIGNALED:
                return (_signal(event),)
            case E.WORKFLOW_EXECUTION_CANCEL_REQUESTED:
                self.cancel_requested = True
                return (CancelRequested(reason=said.get("cause", "")),)
        if event.type in UPDATES:
            msg = f"event {event_id} is of an update, which is not known here"
            raise InvalidArgumentError(msg)
        return ()

    def _initialize(self, event: Event) -> Initialize:
        self.started = said = event.attributes
        self.began_at = event.at
        self._time = max(self._time, event.at)
        self.memo = dict(said.get("memo", {}).get("fields", {}))
        fields = said.get("searchAttributes", {}).get("indexedFields", {})
        self.search_attributes = dict(fields)
        return Initialize(
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            workflow_type=said.get("workflowType", {}).get("name", ""),
            arguments=payload_list(said.get("input")),
            headers=header_fields(said.get("header")),
            seed=said.get("originalExecutionRunId", self.run_id),
            attributes=said,
            started_at=event.at,
        )


def _signal(event: Event) -> Signal:
    said = event.attributes
    return Signal(
        name=said.get("signalName", ""),
        arguments=payload_list(said.get("input")),
        headers=header_fields(said.get("header")),
        identity=said.get("identity", ""),
    )


def _job_class(job: ActivationJob) -> int:
    match job:
        case Initialize():
            return 0
        case NotifyPatch():
            return 1
        case Signal():
            return 2
        case _:
            return 3


def _flags(completed: Event) -> frozenset[int]:
    """Return the flags that a task wrote; those of another engine say nothing here."""
    metadata = completed.attributes.get("sdkMetadata", {})
    if metadata.get("sdkName") != SDK_NAME:
        return frozenset()
    return frozenset(metadata.get("langUsedFlags", ()))
