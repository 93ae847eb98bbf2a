"""A client's start as the store takes it."""

from dataclasses import dataclass, replace
from typing import Literal

from workflows.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from workflows.engine import inbox
from workflows.engine.cron import check_cron, next_cron_delay
from workflows.engine.limits import Limits
from workflows.engine.starting import StartOptions, start_event
from workflows.exceptions import InvalidArgumentError
from workflows.runtime.effects import entry
from workflows.runtime.new_runs import new_run
from workflows.store import Close, StartRun

Conflict = Literal["fail", "use_existing", "terminate_existing"]
Reuse = Literal["allow_duplicate", "allow_duplicate_failed_only", "reject_duplicate"]
CONFLICT: dict[WorkflowIDConflictPolicy, Conflict] = {
    WorkflowIDConflictPolicy.FAIL: "fail",
    WorkflowIDConflictPolicy.USE_EXISTING: "use_existing",
    WorkflowIDConflictPolicy.TERMINATE_EXISTING: "terminate_existing",
}
REUSE: dict[WorkflowIDReusePolicy, Reuse] = {
    WorkflowIDReusePolicy.ALLOW_DUPLICATE: "allow_duplicate",
    WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY: "allow_duplicate_failed_only",
    WorkflowIDReusePolicy.REJECT_DUPLICATE: "reject_duplicate",
    WorkflowIDReusePolicy.TERMINATE_IF_RUNNING: "allow_duplicate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSignal:
    """The signal of a signal-with-start; arguments are payloads in JSON."""

    name: str
    arguments: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A workflow to start. What the engine records of it is in `options`."""

    workflow_id: str
    options: StartOptions
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    conflict: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED
    signal: StartSignal | None = None

    @property
    def conflict_word(self) -> Conflict:
        """The store's word for what happens to an open run."""
        if self.reuse is WorkflowIDReusePolicy.TERMINATE_IF_RUNNING:
            return "terminate_existing"
        if self.conflict is WorkflowIDConflictPolicy.UNSPECIFIED:
            return "fail" if self.signal is None else "use_existing"
        return CONFLICT[self.conflict]


def check_start(request: StartRequest, limits: Limits) -> None:
    """Refuse a start that cannot be meant.

    Raises:
        InvalidArgumentError: the text says what is wrong.
    """
    options = request.options
    limits.check_id("the workflow id", request.workflow_id)
    limits.check_id("the workflow type", options.workflow_type)
    limits.check_id("the task queue", options.task_queue)
    if request.signal is not None:
        limits.check_id("the signal name", request.signal.name)
    terminates = request.reuse is WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
    if terminates and request.conflict is not WorkflowIDConflictPolicy.UNSPECIFIED:
        _refuse("TERMINATE_IF_RUNNING cannot be combined with a conflict policy")
    spans = {
        "execution timeout": options.execution_timeout_ms,
        "run timeout": options.run_timeout_ms,
        "task timeout": options.task_timeout_ms,
        "start delay": options.delay_ms,
    }
    for name, span in spans.items():
        if span is not None and span < 0:
            _refuse(f"the {name} is negative")
    if options.cron_schedule:
        check_cron(options.cron_schedule)
        if options.delay_ms:
            _refuse("a cron schedule and a start delay cannot be combined")


def start_run(
    request: StartRequest,
    *,
    run_id: str,
    at: int,
    request_id: str,
    terminate: Close | None,
    replaces: str | None,
    max_waiting: int | None = None,
) -> StartRun:
    """Return the write of a start at `at` (store time, ms).

    `terminate`: how the run `replaces` ends, if the start replaces one.
    """
    options = request.options
    if options.cron_schedule:
        delay = next_cron_delay(options.cron_schedule, began_at=at, at=at)
        if delay is None:
            _refuse(f"the cron schedule {options.cron_schedule!r} is never due")
        options = replace(options, delay_ms=delay or 0)
    made = start_event(options, workflow_id=request.workflow_id, run_id=run_id, at=at)
    said = None
    if request.signal is not None:
        said = replace(
            entry(
                inbox.signal(
                    request.signal.name,
                    request.signal.arguments,
                    headers=options.headers,
                    identity=options.identity,
                    request_id=request_id,
                )
            ),
            max_waiting=max_waiting,
        )
    return StartRun(
        run=new_run(made, workflow_id=request.workflow_id),
        reuse=REUSE[request.reuse],
        conflict=request.conflict_word,
        terminate=terminate,
        replaces=replaces,
        signal=said,
    )


def _refuse(problem: str) -> None:
    raise InvalidArgumentError(problem)
