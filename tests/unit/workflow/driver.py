"""Feeds a workflow activations and hands back its commands, without any store."""

from typing import Any

from workflows.converter.conversion import WorkflowConversion
from workflows.engine.activation import (
    Activation,
    ActivationJob,
    Backoff,
    Cancelled,
    ChildStarted,
    Completed,
    Failed,
    FireTimer,
    Initialize,
    NotifyPatch,
    Query,
    Resolution,
    ResolveActivity,
    ResolveChild,
    ResolveChildStart,
    Signal,
)
from workflows.engine.commands import (
    Command,
    CompleteWorkflow,
    FailWorkflow,
    QueryResult,
)
from workflows.engine.definition import Definition
from workflows.engine.instance import Instance, InstanceOptions
from workflows.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
)

CONVERSION = WorkflowConversion()
START = 1_700_000_000_000
DRIVERS: list["Driver"] = []  # of the running test; each is torn down after it


class Driver:
    """One run of a workflow class."""

    def __init__(
        self,
        cls: type[Any],
        *args: Any,
        seed: str = "seed",
        attributes: dict[str, Any] | None = None,
        workflow_type: str = "",
        failure_exception_types: tuple[type[BaseException], ...] = (),
    ) -> None:
        definition = Definition.of(cls)
        self.initialize = Initialize(
            workflow_id="id",
            run_id="run",
            workflow_type=workflow_type or definition.name or "",
            arguments=CONVERSION.to_payloads(args),
            headers={},
            seed=seed,
            attributes={"taskQueue": {"name": "queue"}, **(attributes or {})},
            started_at=START,
        )
        options = InstanceOptions(
            conversion=CONVERSION, failure_exception_types=failure_exception_types
        )
        self.instance = Instance(definition, self.initialize, options)
        DRIVERS.append(self)
        self.now = START
        self.length = 3

    def start(self, *jobs: ActivationJob, replaying: bool = False) -> list[Command]:
        """Run the first activation; patches and signals may come with it."""
        patches = [job for job in jobs if isinstance(job, NotifyPatch)]
        rest = [job for job in jobs if not isinstance(job, NotifyPatch)]
        return self.send(self.initialize, *patches, *rest, replaying=replaying)

    def send(
        self, *jobs: ActivationJob, replaying: bool = False, suggested: bool = False
    ) -> list[Command]:
        """Run an activation, one second after the last one."""
        self.now += 1000
        self.length += 3
        activation = Activation(
            at=self.now,
            replaying=replaying,
            history_length=self.length,
            history_size=self.length * 100,
            continue_as_new_suggested=suggested,
            jobs=jobs,
        )
        return list(self.instance.activate(activation))

    def query(self, name: str, *args: Any) -> Any:
        """Ask; return the value or raise the failure."""
        query = Query(query_id="q", name=name, arguments=CONVERSION.to_payloads(args))
        (answer,) = self.send(query)
        assert isinstance(answer, QueryResult)
        if answer.failure is not None:
            raise CONVERSION.from_failure(answer.failure)
        assert answer.result is not None
        return CONVERSION.from_payloads((answer.result,))[0]


def signal(name: str, *args: Any) -> Signal:
    return Signal(name=name, arguments=CONVERSION.to_payloads(args))


def fire(seq: int) -> FireTimer:
    return FireTimer(seq=seq)


def completed(value: Any = None) -> Completed:
    return Completed(result=CONVERSION.to_payloads([value])[0])


def failed(cause: BaseException, kind: type[Any] = ActivityError) -> Failed:
    return Failed(failure=CONVERSION.to_failure(_wrapped(cause, kind)))


def cancelled(kind: type[Any] = ActivityError) -> Cancelled:
    error = _wrapped(CancelledError("Cancelled"), kind)
    return Cancelled(failure=CONVERSION.to_failure(error))


def activity_done(
    seq: int, value: Any = None, *, local: bool = False
) -> ResolveActivity:
    return ResolveActivity(seq=seq, resolution=completed(value), local=local)


def activity_ended(seq: int, resolution: Resolution | Backoff) -> ResolveActivity:
    return ResolveActivity(seq=seq, resolution=resolution)


def child_started(seq: int) -> ResolveChildStart:
    return ResolveChildStart(
        seq=seq, resolution=ChildStarted(run_id=f"child-run-{seq}")
    )


def child_done(seq: int, value: Any = None) -> ResolveChild:
    return ResolveChild(seq=seq, resolution=completed(value))


def result(commands: list[Command]) -> Any:
    """Return what the workflow returned; the last command must say so."""
    last = commands[-1]
    assert isinstance(last, CompleteWorkflow), commands
    assert last.result is not None
    return CONVERSION.from_payloads((last.result,))[0]


def failure(commands: list[Command]) -> BaseException:
    """Return why the workflow failed; the last command must say so."""
    last = commands[-1]
    assert isinstance(last, FailWorkflow), commands
    return CONVERSION.from_failure(last.failure)


def kinds(commands: list[Command]) -> list[str]:
    """Return the names of the commands."""
    return [type(command).__name__ for command in commands]


def _wrapped(cause: BaseException, kind: type[Any]) -> BaseException:
    common: dict[str, Any] = {"retry_state": None, "started_event_id": 6}
    error: BaseException
    if kind is ActivityError:
        error = ActivityError(
            "Activity task failed",
            scheduled_event_id=5,
            identity="worker",
            activity_type="greet",
            activity_id="1",
            **common,
        )
    else:
        assert kind is ChildWorkflowError
        error = ChildWorkflowError(
            "Child Workflow execution failed",
            namespace="default",
            workflow_id="child",
            run_id="child-run-1",
            workflow_type="Child",
            initiated_event_id=5,
            **common,
        )
    error.__cause__ = cause
    return error


def application(message: str = "boom") -> ApplicationError:
    return ApplicationError(message, type="Boom", non_retryable=True)
