"""What one workflow task tells a workflow: the jobs of an activation.

Names and meaning follow Temporal's core: an activation is everything that happened
since the last one, at one moment of workflow time. A payload is its JSON form
(`{"metadata": {…}, "data": …}`, base64 as in Temporal's JSON), a failure is the JSON
form of Temporal's Failure; the engine looks inside neither.

`seq` numbers what the workflow asked for, from 1 per kind (timer, activity, child,
external signal, external cancel), in the order of the calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Payload = Mapping[str, Any]
Failure = Mapping[str, Any]
Payloads = tuple[Payload, ...]
Headers = Mapping[str, Payload]


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialize:
    """The run begins; always the first job of a run's first activation.

    `attributes` are those of its WORKFLOW_EXECUTION_STARTED event (type, task queue,
    timeouts, parent, attempt, memo, search attributes …); `seed` feeds `random`.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    arguments: Payloads
    headers: Headers
    seed: str
    attributes: Mapping[str, Any]
    started_at: int  # ms, of the event


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyPatch:
    """A marker of this patch is in the history."""

    patch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal arrived."""

    name: str
    arguments: Payloads
    headers: Headers = field(default_factory=dict)
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FireTimer:
    """A timer is due."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A resolution: a result; None: no payload was recorded."""

    result: Payload | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A resolution: a failure (of an activity: an ActivityFailure with its cause)."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """A resolution: it was cancelled; the failure is as for Failed."""

    failure: Failure


Resolution = Completed | Failed | Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A local activity is to be run again by the workflow, after a timer."""

    attempt: int
    delay_ms: int
    scheduled_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveActivity:
    """An activity ended, or needs no more waiting for (cancelled with TRY_CANCEL)."""

    seq: int
    resolution: Resolution | Backoff
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted:
    """The child runs."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildNotStarted:
    """Its workflow id is taken."""

    workflow_id: str
    workflow_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveChildStart:
    """A child started, could not start, or was cancelled before it started."""

    seq: int
    resolution: ChildStarted | ChildNotStarted | Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveChild:
    """A child closed, or needs no more waiting for."""

    seq: int
    resolution: Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveSignalExternal:
    """A signal to another workflow was delivered, or not (`failure`)."""

    seq: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveCancelExternal:
    """A cancel request to another workflow was delivered, or not (`failure`)."""

    seq: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Somebody asked to cancel this workflow; once per run."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question; never in an activation with other jobs."""

    query_id: str
    name: str
    arguments: Payloads
    headers: Headers = field(default_factory=dict)


ActivationJob = (
    Initialize
    | NotifyPatch
    | Signal
    | FireTimer
    | ResolveActivity
    | ResolveChildStart
    | ResolveChild
    | ResolveSignalExternal
    | ResolveCancelExternal
    | CancelRequested
    | Query
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One workflow task, as the workflow sees it. `at` is workflow time, in ms.

    `jobs` are in the order of `workflows.engine.replay`: by class (initialize,
    patches, signals, the rest, queries), inside a class in history order. `flags` are
    the run's logic flags (`workflows.engine.flags`).
    """

    at: int
    replaying: bool
    history_length: int
    history_size: int
    continue_as_new_suggested: bool
    jobs: tuple[ActivationJob, ...]
    flags: frozenset[int] = frozenset()
