"""The commands about workflows: start, list, show, result, signal, query and so on."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from workflows.client import BlockingClient, WorkflowExecution
from workflows.client.blocking import Handle
from workflows.client.service import RunDescription, Wait
from workflows.client.visibility import read_status, status_name
from workflows.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from workflows.engine.descriptions import describe_event
from workflows.engine.proto_json import timestamp
from workflows.exceptions import InvalidArgumentError
from workflows.store import RunStatus

Commands = Any  # argparse's subparsers have no public type
SHOWN_EVENTS = 1000


def add_workflow_commands(commands: Commands) -> None:
    """Add the parsers of these commands."""
    start = commands.add_parser("start", help="start a workflow")
    start.add_argument("type", help="the workflow type")
    start.add_argument("--task-queue", required=True, help="the queue of its workers")
    start.add_argument("--id", help="the workflow id; default is a fresh one")
    _add_arguments(start)
    start.add_argument(
        "--delay", type=_seconds, default=0.0, help="seconds before its first task"
    )
    start.add_argument(
        "--reuse",
        type=_policy(WorkflowIDReusePolicy),
        default=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        help="allow_duplicate, allow_duplicate_failed_only or reject_duplicate: "
        "if the newest run of the id is closed",
    )
    start.add_argument(
        "--conflict",
        type=_policy(WorkflowIDConflictPolicy),
        default=WorkflowIDConflictPolicy.FAIL,
        help="fail, use_existing or terminate_existing: if it is open",
    )
    start.set_defaults(command=_start)

    _add_reads(commands)
    _add_sends(commands)


def _add_reads(commands: Commands) -> None:
    listed = commands.add_parser("list", help="list workflows, newest first")
    listed.add_argument("--status", type=_status, help="only of this status")
    listed.add_argument("--type", help="only of this type")
    listed.add_argument("--limit", type=int, default=50, help="how many (%(default)s)")
    listed.set_defaults(command=_list)

    show = _of_a_run(commands, "show", "show a workflow and its history")
    show.set_defaults(command=_show)
    why = _of_a_run(commands, "why", "say what a workflow waits for")
    why.set_defaults(command=_why)
    result = _of_a_run(commands, "result", "wait for a workflow's result")
    result.add_argument(
        "--timeout", type=_seconds, help="seconds; default is to wait for ever"
    )
    result.set_defaults(command=_result)
    export = _of_a_run(commands, "export", "write a history as JSON")
    export.add_argument("--output", type=Path, help="a file; default is the output")
    export.set_defaults(command=_export)


def _add_sends(commands: Commands) -> None:
    signal = _of_a_run(commands, "signal", "send a signal")
    signal.add_argument("name", help="the signal")
    _add_arguments(signal)
    signal.set_defaults(command=_signal)
    query = _of_a_run(commands, "query", "ask a workflow")
    query.add_argument("name", help="the query")
    _add_arguments(query)
    query.add_argument(
        "--timeout", type=_seconds, default=10.0, help="seconds (%(default)s)"
    )
    query.set_defaults(command=_query)
    cancel = _of_a_run(commands, "cancel", "ask a workflow to cancel")
    cancel.add_argument("--reason", default="", help="why")
    cancel.set_defaults(command=_cancel)
    end = _of_a_run(commands, "terminate", "close a workflow at once")
    end.add_argument("--reason", default="", help="why")
    end.set_defaults(command=_terminate)


def _of_a_run(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.add_argument("id", help="the workflow id")
    parser.add_argument("--run-id", help="the run; default is the current one")
    return parser


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--arg",
        dest="arguments",
        type=_json,
        action="append",
        default=[],
        metavar="JSON",
        help="an argument; may be given several times",
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        msg = f"not JSON ({error}); text needs quotes of its own: '\"text\"'"
        raise argparse.ArgumentTypeError(msg) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 10**9:
        msg = f"{text!r} is not a number of seconds"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _status(text: str) -> RunStatus:
    try:
        return read_status(text)
    except InvalidArgumentError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _policy(kind: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return kind[text.upper()]
        except KeyError:
            names = ", ".join(each.name.lower() for each in kind if each.value)
            msg = f"{text!r} is none of {names}"
            raise argparse.ArgumentTypeError(msg) from None

    return read


# -- commands --------------------------------------------------------------------------


def _connect() -> BlockingClient:
    return BlockingClient.connect(lazy=True)


def _handle(options: argparse.Namespace) -> Handle:
    return _connect().get_workflow_handle(options.id, run_id=options.run_id)


def _start(options: argparse.Namespace) -> int:
    workflow_id = options.id or uuid4().hex
    handle = _connect().start_workflow(
        options.type,
        args=options.arguments,
        id=workflow_id,
        task_queue=options.task_queue,
        start_delay=timedelta(seconds=options.delay) if options.delay else None,
        id_reuse_policy=options.reuse,
        id_conflict_policy=options.conflict,
    )
    print(f"{workflow_id} run {handle.result_run_id}")
    return 0


def _list(options: argparse.Namespace) -> int:
    parts = []
    if options.status:
        parts.append(f"ExecutionStatus = '{status_name(options.status)}'")
    if options.type:
        parts.append(f'WorkflowType = "{options.type}"')
    client = _connect()
    found = client.list_workflows(" AND ".join(parts), limit=options.limit)
    for run in found:
        print(_line(run))
    return 0


def _line(run: WorkflowExecution) -> str:
    record = run.raw_info
    failing = " failing" if record.failure else ""
    started = timestamp(record.started_at)
    return f"{record.status:<16} {started:<24} {run.workflow_type} {run.id}{failing}"


def _show(options: argparse.Namespace) -> int:
    handle = _handle(options)
    run = handle.describe().raw_info
    facts = {
        "workflow id": run.workflow_id,
        "run id": run.run_id,
        "type": run.type,
        "task queue": run.task_queue,
        "status": run.status,
        "started": timestamp(run.started_at),
        "closed": timestamp(run.closed_at) if run.closed_at else "",
        "overdue at": timestamp(run.deadline_at) if run.deadline_at else "",
        "next run": run.next_run_id or "",
        "parent": run.parent.workflow_id if run.parent else "",
        "history": f"{run.length} events, {run.size} bytes",
    }
    for name, fact in facts.items():
        if fact:
            print(f"{name:<12} {fact}")
    events = handle.fetch_history().events
    for event in events[:SHOWN_EVENTS]:
        at = timestamp(event.event.at)
        print(f"{event.event_id:>6} {at:<24} {describe_event(event.event)}")
    if len(events) > SHOWN_EVENTS:
        print(f"… and {len(events) - SHOWN_EVENTS} more; see `workflows export`")
    return 0


def _why(options: argparse.Namespace) -> int:
    handle = _handle(options)
    found = handle.describe().description
    for line in why_lines(found, _connect().service.why(found)):
        print(line)
    return 0


def why_lines(found: RunDescription, waits: Sequence[Wait]) -> Iterator[str]:
    """Say what a run waits for, since when, and what would unblock it."""
    run = found.run
    if run.status is not RunStatus.RUNNING:
        at = timestamp(run.closed_at or 0)
        yield f"{run.workflow_id} waits for nothing: it is {run.status} since {at}"
        if run.next_run_id:
            yield f"  it goes on as run {run.next_run_id}"
        return
    yield f"{run.workflow_id} ({run.type}) waits for"
    for wait in waits:
        yield f"- {wait.what}"
        yield f"  since    {timestamp(wait.since)} ({_ago(found.now - wait.since)})"
        if wait.until is not None:
            left = max(0, wait.until - found.now)
            yield f"  until    {timestamp(wait.until)} (in {_span(left)})"
        yield f"  unblock  {wait.unblock}"


def _ago(ms: int) -> str:
    return f"{_span(max(0, ms))} ago"


def _span(ms: int) -> str:
    return str(timedelta(seconds=ms // 1000))


def _result(options: argparse.Namespace) -> int:
    limit = options.timeout
    found = _handle(options).result(
        rpc_timeout=None if limit is None else timedelta(seconds=limit)
    )
    _print_json(found)
    return 0


def _export(options: argparse.Namespace) -> int:
    text = _handle(options).fetch_history().to_json()
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text + "\n")
    return 0


def _signal(options: argparse.Namespace) -> int:
    _handle(options).signal(options.name, args=options.arguments)
    return 0


def _query(options: argparse.Namespace) -> int:
    answer = _handle(options).query(
        options.name,
        args=options.arguments,
        rpc_timeout=timedelta(seconds=options.timeout),
    )
    _print_json(answer)
    return 0


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False)
    print()


def _cancel(options: argparse.Namespace) -> int:
    _handle(options).cancel(reason=options.reason)
    return 0


def _terminate(options: argparse.Namespace) -> int:
    _handle(options).terminate(reason=options.reason)
    return 0
