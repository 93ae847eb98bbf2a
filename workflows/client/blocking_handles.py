"""Handles of the blocking client: one run, one activity completed from elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from workflows.activity import ActivityCancellationDetails
from workflows.client.errors import (
    AsyncActivityCancelledError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    rpc_errors,
)
from workflows.client.executions import (
    UNSET,
    HistoryEvent,
    WorkflowExecutionDescription,
    WorkflowHistory,
    WorkflowHistoryEventFilterType,
    description_of,
    events_of,
    page_events,
    status_of,
)
from workflows.client.results import value_of
from workflows.client.service import (
    QUERY_TIMEOUT_S,
    ActivityRef,
    QueryFailedError,
    QueryRejectedError,
    RunOutcome,
)
from workflows.common import QueryRejectCondition
from workflows.engine.definition import QUERY, SIGNAL, handler_name, result_hint
from workflows.engine.history import decode_event
from workflows.service import RPCError, RPCStatusCode
from workflows.store import RunRef

if TYPE_CHECKING:
    from workflows.client.blocking import BlockingClient

SelfType = TypeVar("SelfType")
ReturnType = TypeVar("ReturnType")
Metadata = Mapping[str, str | bytes]
NONE: Metadata = {}
WAIT_S = 10.0


def arguments_of(arg: Any, args: Sequence[Any]) -> list[Any]:
    """Return the arguments of a call, given as one or as several.

    Raises:
        ValueError: both are given.
    """
    if arg is not UNSET:
        if args:
            msg = "Cannot have arg and args"
            raise ValueError(msg)
        return [arg]
    return list(args)


class BlockingWorkflowHandle(Generic[SelfType, ReturnType]):
    """A workflow, by its id. See `WorkflowHandle`, whose twin it is.

    `run_id` None: signals, queries and descriptions go to the current run; cancel and
    terminate too, but only in the chain of `first_execution_run_id`. The result is that
    of `result_run_id`, and of the runs that follow it.
    """

    def __init__(
        self,
        client: "BlockingClient",
        id: str,
        *,
        run_id: str | None = None,
        result_run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
        start_workflow_response: Any = None,
    ) -> None:
        self._client = client
        self._id = id
        self._run_id = run_id
        self._result_run_id = result_run_id
        self._first_execution_run_id = first_execution_run_id
        self._result_type = result_type
        self.start_workflow_response = start_workflow_response

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """The run that signals and queries go to; None: the current one."""
        return self._run_id

    @property
    def result_run_id(self) -> str | None:
        """The run whose result `result` waits for."""
        return self._result_run_id

    @property
    def first_execution_run_id(self) -> str | None:
        """The first run of the chain that cancel and terminate are meant for."""
        return self._first_execution_run_id

    @property
    def _ref(self) -> RunRef:
        return RunRef(workflow_id=self._id, run_id=self._run_id)

    @property
    def _guarded(self) -> RunRef:
        return RunRef(
            workflow_id=self._id,
            run_id=self._run_id,
            first_run_id=self._first_execution_run_id,
        )

    # -- results -----------------------------------------------------------------------

    def result(
        self,
        *,
        follow_runs: bool = True,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,
    ) -> ReturnType:
        """Wait for the end of the workflow and return its result.

        `follow_runs`: also of the runs that follow (continue-as-new, retry, cron).

        Raises:
            WorkflowFailureError: it ended otherwise; `cause` says how.
            WorkflowContinuedAsNewError: it continued, and runs are not followed.
            RPCError: NOT_FOUND; DEADLINE_EXCEEDED after `rpc_timeout`.
        """
        ref = self.result_ref()
        end = None if rpc_timeout is None else time.monotonic() + _seconds(rpc_timeout)
        while True:
            rest = WAIT_S if end is None else end - time.monotonic()
            outcome = self.poll_result(
                ref, follow=follow_runs, timeout_s=min(WAIT_S, max(0.0, rest))
            )
            if outcome is not None:
                return self.finish_result(outcome)
            if rest <= 0:
                raise late(rpc_timeout)

    def result_ref(self) -> RunRef:
        """Return the run whose result is meant. RPCError: there is none."""
        run_id = self._result_run_id or self._run_id
        ref = RunRef(workflow_id=self._id, run_id=run_id)
        if run_id is not None:
            return ref
        with rpc_errors():
            current = self._client.service.get(ref).run_id
        return RunRef(workflow_id=self._id, run_id=current)

    def poll_result(
        self, ref: RunRef, *, follow: bool, timeout_s: float
    ) -> RunOutcome | None:
        """Wait for the end of a run; None at the timeout."""
        with rpc_errors():
            return self._client.service.outcome(ref, follow=follow, timeout_s=timeout_s)

    def finish_result(self, outcome: RunOutcome) -> ReturnType:
        """Return or raise what the end of a run means."""
        value: ReturnType = value_of(outcome, self._client.converter, self._result_type)
        return value

    # -- writes ------------------------------------------------------------------------

    def signal(
        self,
        signal: str | Callable[..., Any],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> None:
        """Send a signal; it is kept when this returns.

        Raises:
            RPCError: NOT_FOUND: there is no such run, or it is closed.
        """
        payloads = self._client.converter.encode(arguments_of(arg, args))
        with rpc_errors():
            name = handler_name(signal, SIGNAL)
            self._client.service.signal(self._ref, name, payloads)

    def cancel(
        self,
        *,
        reason: str = "",
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> None:
        """Ask the workflow to cancel; nothing happens if it is closed.

        Raises:
            RPCError: NOT_FOUND: there is no such run.
        """
        with rpc_errors():
            self._client.service.cancel(self._guarded, reason=reason)

    def terminate(
        self,
        *args: Any,
        reason: str | None = None,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> None:
        """Close the workflow at once; `args` are kept as details.

        Raises:
            RPCError: NOT_FOUND: there is no such run, or it is closed.
        """
        details = self._client.converter.encode(args)
        with rpc_errors():
            self._client.service.terminate(
                self._guarded, reason=reason or "", details=details
            )

    # -- reads -------------------------------------------------------------------------

    def query(
        self,
        query: str | Callable[..., Any],
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        result_type: type | None = None,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Ask the workflow; it sees everything that was accepted before.

        Raises:
            WorkflowQueryFailedError: the handler raised, or there is none.
            WorkflowQueryRejectedError: by `reject_condition`.
            RPCError: NOT_FOUND; DEADLINE_EXCEEDED: no worker answered within
                `rpc_timeout` (10 s); RESOURCE_EXHAUSTED: too many are open.
        """
        client, hint = self._client, result_type
        if hint is None and not isinstance(query, str):
            hint = result_hint(query)
        payloads = client.converter.encode(arguments_of(arg, args))
        try:
            with rpc_errors():
                found = client.service.query(
                    self._ref,
                    handler_name(query, QUERY),
                    payloads,
                    reject=reject_condition
                    or client.default_workflow_query_reject_condition,
                    timeout_s=_seconds(rpc_timeout) if rpc_timeout else QUERY_TIMEOUT_S,
                )
        except QueryRejectedError as error:
            raise WorkflowQueryRejectedError(status_of(error.status)) from None
        except QueryFailedError as error:
            failure = client.converter.open(dict(error.failure))
            raise WorkflowQueryFailedError(failure.get("message", "")) from None
        if found is None:
            return None
        return client.converter.decode([client.converter.open(found)], [hint])[0]

    def describe(
        self,
        *,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> WorkflowExecutionDescription:
        """Return what is known of the run now. RPCError: NOT_FOUND."""
        with rpc_errors():
            found = self._client.service.describe(self._ref)
            first = self._client.store.read_history(found.run.run_id, limit=1)
        return description_of(
            found,
            decode_event(first[0]) if first else None,
            namespace=self._client.namespace,
            converter=self._client.converter,
        )

    def fetch_history(
        self,
        *,
        event_filter_type: WorkflowHistoryEventFilterType = (
            WorkflowHistoryEventFilterType.ALL_EVENT
        ),
        skip_archival: bool = False,  # noqa: ARG002 - there is no archive
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> WorkflowHistory:
        """Return all events so far. RPCError: NOT_FOUND."""
        if event_filter_type is WorkflowHistoryEventFilterType.CLOSE_EVENT:
            return WorkflowHistory(self._id, self.close_events())
        with rpc_errors():
            page = self._client.service.whole_history(self._ref)
        return WorkflowHistory(self._id, page_events(page))

    def close_events(self) -> list[HistoryEvent]:
        """Return the last event of a closed run; nothing of an open one."""
        with rpc_errors():
            run = self._client.service.get(self._ref)
            if run.closed_at is None:
                return []
            last = self._client.store.read_history(run.run_id, start=run.length)
        return events_of(last, run.length)

    def fetch_history_events(
        self,
        *,
        page_size: int | None = None,
        next_page_token: bytes | None = None,
        wait_new_event: bool = False,
        event_filter_type: WorkflowHistoryEventFilterType = (
            WorkflowHistoryEventFilterType.ALL_EVENT
        ),
        skip_archival: bool = False,  # noqa: ARG002
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> Iterator[HistoryEvent]:
        """Give the events one by one; `wait_new_event`: until the run is closed.

        Raises:
            RPCError: NOT_FOUND.
        """
        if event_filter_type is WorkflowHistoryEventFilterType.CLOSE_EVENT:
            if wait_new_event:
                self.poll_close()
            yield from self.close_events()
            return
        start: int | None = int(next_page_token or b"1")
        while start is not None:
            events, start = self.fetch_page(
                start, page_size or 1000, WAIT_S if wait_new_event else 0.0
            )
            yield from events
            if not events and not wait_new_event:
                return

    def poll_close(self) -> None:
        """Wait until the run is closed."""
        ref = self._ref
        while self.poll_result(ref, follow=False, timeout_s=WAIT_S) is None:
            pass

    def fetch_page(
        self, start: int, limit: int, wait_s: float
    ) -> tuple[list[HistoryEvent], int | None]:
        """Return events from number `start`, and where to go on (None: at its end)."""
        with rpc_errors():
            page = self._client.service.history(
                self._ref, start=start, limit=limit, wait_s=wait_s
            )
        return page_events(page), page.next_start


class BlockingAsyncActivityHandle:
    """An activity that is completed from elsewhere, by its token or its ids.

    All calls raise RPCError (NOT_FOUND) if the attempt is over or its run closed.
    """

    def __init__(
        self, client: "BlockingClient", id_or_token: ActivityRef | bytes
    ) -> None:
        self._client = client
        self._which = id_or_token

    def complete(
        self,
        result: Any = UNSET,
        *,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> None:
        """End the activity with a result (None, if none is given)."""
        value = None if result is UNSET else result
        payload = self._client.converter.encode([value])[0]
        with rpc_errors():
            self._client.service.activities.complete(self._which, payload)

    def fail(
        self,
        error: Exception,
        *,
        last_heartbeat_details: Sequence[Any] = (),
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> None:
        """End the attempt with a failure; it is retried as its policy says."""
        converter = self._client.converter
        details = converter.encode(last_heartbeat_details)
        failure = converter.failure(error)
        with rpc_errors():
            self._client.service.activities.fail(self._which, failure, details)

    def heartbeat(
        self,
        *details: Any,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> None:
        """Say that the activity lives; keep the details for its next attempt.

        Raises:
            AsyncActivityCancelledError: its cancellation is asked for.
        """
        payloads = self._client.converter.encode(details)
        with rpc_errors():
            beat = self._client.service.activities.heartbeat(self._which, payloads)
        if beat.cancel_requested:
            raise AsyncActivityCancelledError(
                ActivityCancellationDetails(cancel_requested=True)
            )

    def report_cancellation(
        self,
        *details: Any,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> None:
        """End the activity as cancelled. RPCError: INVALID_ARGUMENT: nobody asked."""
        payloads = self._client.converter.encode(details)
        with rpc_errors():
            self._client.service.activities.report_cancellation(self._which, payloads)


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


def late(timeout: timedelta | None) -> RPCError:
    """Return the error of a wait that was too long."""
    msg = f"the workflow did not end within {timeout}"
    return RPCError(msg, RPCStatusCode.DEADLINE_EXCEEDED)
