"""Mutants of the SQLite adapter's run operations."""

from functools import partial

from tests.mutants.mutant import Mutant

_mutant = partial(Mutant, "sqlite")

MUTANTS = [
    _mutant(
        "fence of commits dropped",
        "runs_commit",
        "settling.py",
        "if job is None or job.token != settlement.token:",
        "if job is None or (\n"
        "            job.token != settlement.token and type(settlement) is not Commit\n"
        "        ):",
    ),
    _mutant(
        "length of the history not checked",
        "runs_commit",
        "committing.py",
        "if not run.open or run.length != asked.length:",
        "if not run.open:",
    ),
    _mutant(
        "commit may be older than the last",
        "runs_commit",
        "committing.py",
        "if not run.last_at <= asked.at <= tx.now:",
        "if not asked.at <= tx.now:",
    ),
    _mutant(
        "taken entries stay",
        "runs_commit",
        "committing.py",
        "    inbox.take(runs.tx, run, asked.taken)\n",
        "",
    ),
    _mutant(
        "unseen entries dropped at the end",
        "runs_commit",
        "committing.py",
        "if asked.close is not None and _would_drop(runs, run, asked):",
        "if False:",
    ),
    _mutant(
        "repeated commit forgotten",
        "runs_commit",
        "tasks.py",
        "    remember_settled(tx, [(held.id, held.token)])\n",
        "",
    ),
    _mutant(
        "task anew with an empty inbox",
        "runs_commit",
        "committing.py",
        "    if run.open and inbox.holds(runs.tx, run):\n        renew_task",
        "    if run.open:\n        renew_task",
    ),
    _mutant(
        "chain beside a task",
        "runs_commit",
        "committing.py",
        "return chains and task is None",
        "return chains",
    ),
    _mutant(
        "inline lease beyond concurrency",
        "runs_commit",
        "inlining.py",
        "return queue if queue.room(tx.now, taken) >= 1 else None",
        "return queue",
    ),
    _mutant(
        "signals not carried",
        "runs_commit",
        "closing.py",
        "        if end.carry:\n",
        "        if False:\n",
    ),
    _mutant(
        "no task for what is sent",
        "runs_send",
        "inbox.py",
        "    if add(runs, run, entries):\n        ensure_task(runs.tx, run)\n",
        "    add(runs, run, entries)\n",
    ),
    _mutant(
        "second cancel taken",
        "runs_send",
        "inbox.py",
        "            if run.cancel_requested:\n                continue\n",
        "",
    ),
    _mutant(
        "request id of a send held per run",
        "runs_send",
        "starting.py",
        "settled_key(ref.workflow_id, request_id)",
        'settled_key(ref.run_id or "", request_id)',
    ),
    _mutant(
        "closed run keeps its timers",
        "runs_send",
        "closing.py",
        "    timers.cancel_all(tx, run)\n",
        "",
    ),
    _mutant(
        "closed run keeps its pending activities",
        "runs_send",
        "closing.py",
        "    activities.cancel_all(tx, run)\n",
        "",
    ),
    _mutant(
        "every delay of a task ends early",
        "runs_start",
        "tasks.py",
        "if run.cancel_requested and state == JobState.DELAYED and started_at is None:",
        "if state == JobState.DELAYED:",
    ),
    _mutant(
        "reuse after a success",
        "runs_start",
        "starting.py",
        "return closed.status not in _NOT_FAILED",
        "return True",
    ),
    _mutant(
        "closed parent hears of its child",
        "runs_family",
        "inbox.py",
        "if run is None or not run.open:",
        "if run is None:",
    ),
    _mutant(
        "delivery to what is no child",
        "runs_family",
        "committing.py",
        "    return not child_only or target.parent_run_id == run.run_id\n",
        "    return True\n",
    ),
    _mutant(
        "delivery to oneself",
        "runs_family",
        "committing.py",
        "    if target.workflow_id == run.workflow_id:\n        return False\n",
        "",
    ),
    _mutant(
        "no cancel for a closed run",
        "runs_family",
        "committing.py",
        " or entry.kind == inbox.CANCEL\n",
        "\n",
    ),
    _mutant(
        "timer fires twice",
        "runs_timers",
        "timers.py",
        "    tx.executemany(_CANCEL, [row[:2] for row in rows])\n",
        "",
    ),
    _mutant(
        "outcome lost by a retry after a cancel request",
        "runs_activities",
        "settling.py",
        "        if settlement.outcome is not None:\n",
        "        if settlement.outcome is not None and not held.cancel_requested:\n",
    ),
    _mutant(
        "heartbeat of an earlier attempt counts",
        "runs_activities",
        "deadlines.py",
        "ready_at), None, n))",
        "ready_at), beat_at, n))",
    ),
    _mutant(
        "lost activity taken back",
        "runs_activities",
        "leases.py",
        "    if held.kind == ACTIVITY:\n",
        "    if False:\n",
    ),
    _mutant(
        "detached activity keeps its place",
        "runs_activities",
        "activities.py",
        "    tx.exempt(held.queue, 1)\n",
        "",
    ),
]
