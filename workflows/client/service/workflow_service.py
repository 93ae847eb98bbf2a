"""`WorkflowService`: everything that clients, REST and CLI do to workflows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from workflows.client.service.activities import AsyncActivities
from workflows.client.service.describing import RunDescription, describe_run
from workflows.client.service.histories import HistoryPage, read_all, read_page
from workflows.client.service.outcomes import (
    RunOutcome,
    find_run,
    wait_outcome,
)
from workflows.client.service.queries import Queries
from workflows.client.service.sending import send
from workflows.client.service.starting import StartRequest, check_start, start_run
from workflows.client.service.why import Wait, served_by, why
from workflows.common import QueryRejectCondition
from workflows.engine import inbox
from workflows.engine.limits import Limits
from workflows.engine.proto_json import json_payload
from workflows.exceptions import (
    ConflictError,
    NotFoundError,
    WorkflowAlreadyStartedError,
)
from workflows.runtime.effects import entry
from workflows.runtime.ids import new_id, new_run_id
from workflows.runtime.terminating import TRIES, close_open, termination
from workflows.store import (
    Close,
    InboxEntry,
    RunPage,
    RunRecord,
    RunRef,
    RunStatus,
    Started,
    StartStatus,
    Store,
)

Json = Mapping[str, Any]
TERMINATED = "terminated by user via frontend"  # Temporal's word, if no reason is given
REPLACED = "TerminateIfRunning WorkflowIdReusePolicy"
CLOSED = "workflow execution already completed"
QUERY_TIMEOUT_S = 10.0
MAX_QUERIES = 64


class WorkflowService:
    """Blocking functions over one store; payloads and failures are Temporal's JSON.

    A `request_id` makes a call safe to repeat for at least 15 minutes; without one it
    is still sent again by itself when a reply is lost. Every function may raise
    `StoreUnavailableError`; thread-safe.
    """

    def __init__(
        self,
        store: Store,
        *,
        namespace: str = "default",
        identity: str = "",
        limits: Limits | None = None,
        max_queries: int = MAX_QUERIES,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.store = store
        self.namespace = namespace
        self.identity = identity
        self.activities = AsyncActivities(store, identity)
        self.limits = limits or Limits()
        self._queries = Queries(store, limit=max_queries)
        self._new_id = make_id

    # -- writes ------------------------------------------------------------------------

    def start(self, request: StartRequest, *, request_id: str | None = None) -> Started:
        """Start a workflow, or use or replace the run that is there; see its policies.

        Raises:
            WorkflowAlreadyStartedError: the policies forbid another run.
            InvalidArgumentError: the request cannot be meant.
            StoreFullError: nothing was started; InboxFullError: nor signalled.
        """
        check_start(request, self.limits)
        request_id, run_id = request_id or self._new_id(), new_run_id()
        started = self._start(request, run_id, request_id)
        if started.status is StartStatus.REFUSED:
            raise WorkflowAlreadyStartedError(
                request.workflow_id,
                request.options.workflow_type,
                run_id=started.run_id,
                first_run_id=started.first_run_id,
            )
        return started

    def signal(
        self,
        ref: RunRef,
        name: str,
        arguments: Sequence[Json] = (),
        *,
        headers: Json | None = None,
        request_id: str | None = None,
    ) -> str:
        """Send a signal; return the run that gets it.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it is closed.
            InboxFullError: too many wait for it already.
        """
        self.limits.check_id("the signal name", name)
        request_id = request_id or self._new_id()
        said = inbox.signal(
            name,
            arguments,
            headers=headers,
            identity=self.identity,
            request_id=request_id,
        )
        sent = replace(entry(said), max_waiting=self.limits.max_signals)
        return self._send(ref, sent, request_id)

    def cancel(
        self, ref: RunRef, *, reason: str = "", request_id: str | None = None
    ) -> str:
        """Ask a run to cancel; of a closed one nothing is asked. NotFoundError."""
        said = entry(inbox.cancel(reason, identity=self.identity))
        try:
            return self._send(ref, said, request_id or self._new_id())
        except ConflictError:
            return find_run(self.store, ref).run_id

    def terminate(
        self,
        ref: RunRef,
        *,
        reason: str = "",
        details: Sequence[Json] = (),
        request_id: str | None = None,
    ) -> str:
        """Close a run at once, whatever its workflow does; return its run id.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it is closed.
        """
        request_id = request_id or self._new_id()
        run = find_run(self.store, ref)

        def make(found: RunRecord) -> Close:
            return self._terminated(found, reason or TERMINATED, details)

        return self._fixed(lambda: close_open(self.store, run, make, request_id))

    def _start(self, request: StartRequest, run_id: str, request_id: str) -> Started:
        """Start; again, if the run to replace made room for another meanwhile."""
        tries = 0
        while True:
            terminate, replaces = None, None
            if request.conflict_word == "terminate_existing":
                terminate, replaces = self._replaced(request.workflow_id, run_id)
                if tries >= TRIES:  # a run that never stands still ends as it is
                    terminate = replace(terminate, seen=None)
            start = start_run(
                request,
                run_id=run_id,
                at=self.store.now(),
                request_id=request_id,
                terminate=terminate,
                replaces=replaces,
                max_waiting=self.limits.max_signals,
            )
            try:
                return send(partial(self.store.start_run, start, request_id=request_id))
            except ConflictError:
                tries += 1

    def _send(self, ref: RunRef, said: InboxEntry, request_id: str) -> str:
        return self._fixed(
            lambda: self.store.send_to_run(ref, said, request_id=request_id), ref
        )

    def _fixed(self, call: Callable[[], str], ref: RunRef | None = None) -> str:
        """Send, and say in one way what is not there."""
        try:
            return send(call)
        except ConflictError as error:
            raise ConflictError(CLOSED) from error
        except NotFoundError as error:
            if ref is None:
                raise
            msg = f"workflow not found for ID: {ref.workflow_id}"
            raise NotFoundError(msg) from error

    def _replaced(self, workflow_id: str, run_id: str) -> tuple[Close, str]:
        """Return how the open run ends that a start replaces, and its id."""
        run = self.store.get_run(RunRef(workflow_id=workflow_id))
        details = [json_payload(f"terminated by new runID: {run_id}")]
        if run is None or run.status is not RunStatus.RUNNING:
            return Close(status=RunStatus.TERMINATED), ""
        return self._terminated(run, REPLACED, details), run.run_id

    def _terminated(
        self, run: RunRecord, reason: str, details: Sequence[Json]
    ) -> Close:
        return termination(
            self.store, run, reason=reason, details=details, identity=self.identity
        )

    # -- reads -------------------------------------------------------------------------

    def query(
        self,
        ref: RunRef,
        name: str,
        arguments: Sequence[Json] = (),
        *,
        headers: Json | None = None,
        reject: QueryRejectCondition | None = None,
        timeout_s: float = QUERY_TIMEOUT_S,
    ) -> Json | None:
        """Ask a run; see `Queries.ask`. NotFoundError."""
        self.limits.check_id("the query name", name)
        return self._queries.ask(
            find_run(self.store, ref),
            name,
            arguments,
            headers=headers or {},
            reject=reject,
            timeout_s=timeout_s,
        )

    def get(self, ref: RunRef) -> RunRecord:
        """Return a run. NotFoundError."""
        return find_run(self.store, ref)

    def outcome(
        self, ref: RunRef, *, follow: bool = True, timeout_s: float = 0.0
    ) -> RunOutcome | None:
        """Wait for the end of a run; see `wait_outcome`."""
        return wait_outcome(self.store, ref, follow=follow, timeout_s=timeout_s)

    def describe(self, ref: RunRef) -> RunDescription:
        """Return a run with what it waits for. NotFoundError."""
        return describe_run(self.store, ref)

    def why(self, found: RunDescription) -> Sequence[Wait]:
        """Return what a run waits for, since when, and what would unblock it."""
        queues = [found.run.task_queue, *(one.queue for one in found.activities)]
        return why(found, served_by(self.store, queues))

    def history(
        self, ref: RunRef, *, start: int = 1, limit: int = 1000, wait_s: float = 0.0
    ) -> HistoryPage:
        """Return a page of events; with `wait_s`, wait for the first. NotFoundError."""
        return read_page(self.store, ref, start=start, limit=limit, wait_s=wait_s)

    def whole_history(self, ref: RunRef) -> HistoryPage:
        """Return all events. NotFoundError."""
        return read_all(self.store, ref)

    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow_type: str | None = None,
        workflow_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> RunPage:
        """Return runs, newest first. InvalidArgumentError: a cursor of another list."""
        return self.store.list_runs(
            status=status,
            type=workflow_type,
            workflow_id=workflow_id,
            limit=limit,
            cursor=cursor,
        )

    def count(self) -> Mapping[RunStatus, int]:
        """Return how many runs are kept per status."""
        return self.store.count_runs()
