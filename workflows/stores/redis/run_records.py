"""Runs and what belongs to them, as the scripts reply them (scripts/lib/show.lua)."""

import base64
import binascii
from collections.abc import Iterable, Sequence

from msgspec import Raw

from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    InboxItem,
    JobRecord,
    LoadedRun,
    Overdue,
    Parent,
    PendingWork,
    RunRecord,
    RunStatus,
)
from workflows.stores.redis.connection import Reply
from workflows.stores.redis.records import as_fields, job_record
from workflows.stores.redis.wire import raw


def run_record(row: Sequence[Reply]) -> RunRecord:
    """Read a run; scripts/lib/run.lua lists its fields."""
    id, flat, length, inbox, info = row
    fields = as_fields(flat)
    failure = fields.pop(b"failure", b"")
    text = {name: value.decode() for name, value in fields.items()}
    get = text.get
    parent = None
    if b"parent" in text:
        parent = Parent(workflow_id=text[b"parent_workflow"], run_id=text[b"parent"])
    closed, deadline = get(b"closed"), get(b"deadline")
    return RunRecord(
        workflow_id=text[b"workflow"],
        run_id=id.decode(),
        first_run_id=get(b"first", id.decode()),
        type=text[b"type"],
        task_queue=text[b"queue"],
        task_type=text[b"task_type"],
        status=RunStatus(text[b"status"]),
        started_at=int(text[b"started"]),
        closed_at=int(closed) if closed else None,
        length=length,
        size=int(text[b"size"]),
        last_at=int(text[b"last"]),
        inbox=inbox,
        inbox_seq=int(get(b"seq", "0")),
        deadline_at=int(deadline) if deadline else None,
        cancel_requested=b"cancel" in text,
        priority=float(get(b"priority", "0")),
        parent=parent,
        next_run_id=get(b"next"),
        info=info or b"",
        failure=failure,
    )


def loaded_run(reply: Sequence[Reply]) -> LoadedRun:
    """Read the reply of scripts/load_run.lua."""
    row, events, inbox, now = reply
    run = run_record(row)
    oldest = run.inbox_seq - len(inbox) + 1
    items = tuple(_inbox_item(oldest + i, item) for i, item in enumerate(inbox))
    return LoadedRun(run=run, events=tuple(events), inbox=items, now=now)


def _inbox_item(seq: int, item: bytes) -> InboxItem:
    """See scripts/lib/inbox.lua."""
    at, size, rest = item.split(b" ", 2)
    length = int(size)
    return InboxItem(
        seq=seq, at=int(at), kind=rest[:length].decode(), data=rest[length:]
    )


def pending_work(reply: Sequence[Reply]) -> PendingWork:
    """Read the reply of scripts/pending_work.lua."""
    task, activities, timers, children = reply
    return PendingWork(
        task=_job(task) if task else None,
        activities=tuple(map(_job, activities)),
        timers={key.decode(): int(float(due_at)) for key, due_at in timers},
        children=tuple(map(run_record, children)),
        tokens=dict(filter(None, map(_token, activities))),
    )


def _token(row: Sequence[Reply]) -> tuple[str, str] | None:
    """Return the job id and the lease token of an active job."""
    id, flat, *_ = row
    fields = as_fields(flat)
    if fields[b"state"] != b"active":
        return None
    return id.decode(), fields[b"token"].decode()


def overdue(rows: Iterable[Sequence[Reply]]) -> list[Overdue]:
    """Read the reply of scripts/list_overdue.lua."""
    found = []
    for what, row in rows:
        if what == b"r":
            found.append(Overdue(run=run_record(row)))
        else:
            _, token = _token(row) or ("", "")
            found.append(Overdue(activity=_job(row), token=token))
    return found


def _job(row: Sequence[Reply]) -> JobRecord:
    id, flat, *lease_end = row
    fields = as_fields(flat)
    return job_record(id.decode(), fields, lease_end[0] if lease_end else None)


# -- pages ---------------------------------------------------------------------------


def make_run_cursor(started: bytes, run_id: bytes) -> str:
    """Return the opaque place of a run in the order of starts."""
    return base64.urlsafe_b64encode(b"%s %s" % (started, run_id)).decode()


def read_run_cursor(cursor: str) -> tuple[float, Raw]:
    """Return the start and the run id that a cursor holds, for list_runs.lua.

    Raises:
        InvalidArgumentError: `make_run_cursor` did not make it.
    """
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        started, run_id = text.split(b" ", 1)
        run_id.decode()
        return float(int(started)), raw(run_id)
    except (ValueError, binascii.Error, UnicodeError):
        msg = "this is not a cursor of a list of runs"
        raise InvalidArgumentError(msg) from None
