"""What clients and workers do with runs, and what is to be seen of them."""

from collections.abc import Mapping

from workflows.exceptions import (
    ConflictError,
    InboxFullError,
    InvalidArgumentError,
    NotFoundError,
)
from workflows.store import (
    MAX_STEP,
    Beat,
    Close,
    InboxEntry,
    LoadedRun,
    Overdue,
    PendingWork,
    RunPage,
    RunRecord,
    RunRef,
    RunStatus,
    Started,
    StartRun,
    StartStatus,
    Step,
)
from workflows.stores import run_validation, validation
from workflows.stores.redis import run_records
from workflows.stores.redis.connection import Connections
from workflows.stores.redis.run_messages import pack_close, pack_sent, pack_start
from workflows.stores.redis.scripts import Scripts, refuse_if_told
from workflows.stores.redis.wire import raw


class Runs:
    """The run operations of the store."""

    _scripts: Scripts
    _connections: Connections

    # -- clients --

    def start_run(self, start: StartRun, *, request_id: str) -> Started:
        """See `workflows.store.run_operations.Runs.start_run`."""
        run_validation.check_start(start)
        validation.check_text("a request id", request_id)
        reply = self._scripts.run("start_run", request_id, *pack_start(start))
        status, run_id, *rest = refuse_if_told(reply)
        if status == b"other":
            msg = f"run {run_id.decode()!r} is open and not as it was seen"
            raise ConflictError(msg)
        if status == b"full":
            limit = start.signal.max_waiting if start.signal else None
            raise InboxFullError(start.run.workflow_id, limit or 0)
        first_run_id, run_status = rest
        return Started(
            status=StartStatus(status.decode()),
            run_id=run_id.decode(),
            first_run_id=first_run_id.decode(),
            run_status=RunStatus(run_status.decode()),
        )

    def send_to_run(self, run: RunRef, entry: InboxEntry, *, request_id: str) -> str:
        """See `workflows.store.run_operations.Runs.send_to_run`."""
        run_validation.check_ref(run)
        run_validation.check_entry(entry)
        validation.check_text("a request id", request_id)
        reply = self._scripts.run(
            "send_to_run", request_id, *_parts(run), pack_sent(entry)
        )
        if reply[0] == b"full":
            raise InboxFullError(run.workflow_id, entry.max_waiting or 0)
        return _run_id(run, *reply)

    def close_run(self, run: RunRef, close: Close, *, request_id: str) -> str:
        """See `workflows.store.run_operations.Runs.close_run`."""
        run_validation.check_ref(run)
        run_validation.check_close(close, run.workflow_id)
        validation.check_text("a request id", request_id)
        reply = self._scripts.run(
            "close_run", request_id, *_parts(run), pack_close(close)
        )
        return _run_id(run, *reply)

    # -- workers --

    def beat(self, job_id: str, token: str, details: bytes) -> Beat:
        """See `workflows.store.run_operations.Runs.beat`."""
        held, asked = self._scripts.run("beat", job_id, token, raw(details))
        return Beat(held=bool(held), cancel_requested=bool(asked))

    def list_unknown(self, *, grace_ms: int) -> list[tuple[str, str]]:
        """See `workflows.store.run_operations.Runs.list_unknown`."""
        validation.check_grace(grace_ms)
        pairs = self._scripts.run("list_unknown", grace_ms, MAX_STEP)
        return sorted((queue.decode(), name.decode()) for queue, name in pairs)

    def list_overdue(self, *, limit: int = MAX_STEP) -> list[Overdue]:
        """See `workflows.store.run_operations.Runs.list_overdue`."""
        validation.check_limit(limit)
        return run_records.overdue(self._scripts.run("list_overdue", limit))

    # -- reads --

    def get_run(self, run: RunRef) -> RunRecord | None:
        """See `workflows.store.run_operations.Runs.get_run`."""
        run_validation.check_ref(run)
        row = self._scripts.run("get_run", *_parts(run))
        return run_records.run_record(row) if row else None

    def load_run(self, run_id: str, *, start: int = 1) -> LoadedRun | None:
        """See `workflows.store.run_operations.Runs.load_run`."""
        reply = self._scripts.run("load_run", run_id, start)
        return run_records.loaded_run(reply) if reply else None

    def read_history(
        self, run_id: str, *, start: int = 1, limit: int = MAX_STEP
    ) -> tuple[bytes, ...]:
        """See `workflows.store.run_operations.Runs.read_history`."""
        validation.check_limit(limit)
        key = self._scripts.prefix + b"events:" + run_id.encode()
        last = start + limit - 2
        return tuple(self._connections.execute("LRANGE", key, start - 1, last))

    def pending_work(self, run_id: str) -> PendingWork | None:
        """See `workflows.store.run_operations.Runs.pending_work`."""
        reply = self._scripts.run("pending_work", run_id)
        return run_records.pending_work(reply) if reply else None

    def list_runs(
        self,
        *,
        status: RunStatus | None = None,
        type: str | None = None,
        workflow_id: str | None = None,
        parent_run_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> RunPage:
        """See `workflows.store.run_operations.Runs.list_runs`."""
        validation.check_limit(limit)
        wanted = (status.value if status else None, type, workflow_id, parent_run_id)
        seen = run_records.read_run_cursor(cursor) if cursor is not None else ()
        rows, last = self._scripts.run("list_runs", limit, *wanted, *seen)
        following = run_records.make_run_cursor(*last) if last else None
        return RunPage(tuple(map(run_records.run_record, rows)), following)

    def count_runs(self) -> Mapping[RunStatus, int]:
        """See `workflows.store.run_operations.Runs.count_runs`."""
        statuses = list(RunStatus)
        counts = self._scripts.run("count_runs", [status.value for status in statuses])
        return {
            status: count
            for status, count in zip(statuses, counts, strict=True)
            if count
        }

    # -- upkeep --

    def prune_runs(self, *, age_ms: int, limit: int = MAX_STEP) -> Step:
        """See `workflows.store.run_operations.Runs.prune_runs`."""
        validation.check_limit(limit)
        count, more = self._scripts.run("prune_runs", age_ms, limit)
        return Step(count, bool(more))


def _parts(run: RunRef) -> tuple[str, str | None, str | None]:
    return run.workflow_id, run.run_id, run.first_run_id


def _run_id(asked: RunRef, outcome: bytes, run_id: bytes | None = None) -> str:
    """Return the run that was written to, or say why none was."""
    if outcome == b"missing":
        which = "no such run" if asked.run_id or asked.first_run_id else "no run"
        msg = f"there is {which} of workflow {asked.workflow_id!r}"
        raise NotFoundError(msg)
    shown = (run_id or b"").decode()
    if outcome == b"gone on":
        msg = f"run {shown!r} of workflow {asked.workflow_id!r} has gone on"
        raise ConflictError(msg)
    if outcome == b"conflict":
        msg = f"run {shown!r} of workflow {asked.workflow_id!r} is closed"
        raise ConflictError(msg)
    if outcome == b"taken":
        msg = f"the next run's id {shown!r} is that of another run"
        raise InvalidArgumentError(msg)
    return shown
