"""Mutants of the Redis adapter's run operations."""

from functools import partial

from tests.mutants.mutant import Mutant

_mutant = partial(Mutant, "redis")

MUTANTS = [
    _mutant(
        "length of the history not checked",
        "runs_commit_fences",
        "scripts/lib/commit.lua",
        "if not runs.is_open(run) or call('LLEN', prefix .. 'events:' .. run.id)"
        " ~= c.length\n    or c.at",
        "if not runs.is_open(run)\n    or c.at",
    ),
    _mutant(
        "commit may be older than the last",
        "runs_commit_fences",
        "scripts/lib/commit.lua",
        "    or c.at < tonumber(run.last) or c.at > now\n",
        "    or c.at > now\n",
    ),
    _mutant(
        "taken entries stay",
        "runs_commit",
        "scripts/lib/commit.lua",
        "  runs.take(run, c.taken)\n",
        "",
    ),
    _mutant(
        "unseen entries dropped at the end",
        "runs_commit",
        "scripts/lib/commit.lua",
        "elseif c.ending and runs.would_drop(run, c.taken, c.ending[6]) then",
        "elseif false then",
    ),
    _mutant(
        "repeated commit forgotten",
        "runs_commit_fences",
        "scripts/lib/task.lua",
        "  remember_done(job.token, job.id)\n",
        "",
    ),
    _mutant(
        "chain beside a task",
        "runs_inline",
        "scripts/lib/commit.lua",
        "    and not c.retry and not runs.has_task(run)\n",
        "    and not c.retry\n",
    ),
    _mutant(
        "inline lease beyond concurrency",
        "runs_inline",
        "scripts/lib/commit.lua",
        "  if room_in(queue, limits, now) < 1 then\n    return\n  end\n",
        "",
    ),
    _mutant(
        "signals not carried",
        "runs_commit",
        "scripts/lib/close.lua",
        "    if carry then\n",
        "    if false then\n",
    ),
    _mutant(
        "no task for what is sent",
        "runs_send",
        "scripts/lib/inbox.lua",
        "    runs.ensure_task(run, now)\n",
        "",
    ),
    _mutant(
        "second cancel taken",
        "runs_send",
        "scripts/lib/inbox.lua",
        "    if run.cancel then\n      return false\n    end\n",
        "",
    ),
    _mutant(
        "request id of a send forgotten",
        "runs_send",
        "scripts/send_to_run.lua",
        "remember(memory, run.id, now, REQUEST_MEMORY_MS)\n",
        "",
    ),
    _mutant(
        "closed run keeps its timers",
        "runs_send",
        "scripts/lib/close.lua",
        "  runs.cancel_all_timers(run)\n",
        "",
    ),
    _mutant(
        "closed run keeps its pending activities",
        "runs_send",
        "scripts/lib/close.lua",
        "  stop_activities(run, now)\n",
        "",
    ),
    _mutant(
        "start that another run follows forgotten",
        "runs_start",
        "scripts/lib/start.lua",
        "    runs.remember_start(old, now)\n",
        "",
    ),
    _mutant(
        "reuse after a success",
        "runs_start",
        "scripts/lib/start.lua",
        "FAILED[run.status] or false",
        "true",
    ),
    _mutant(
        "every delay of a task ends early",
        "runs_start",
        "scripts/lib/task.lua",
        "elseif state == 'delayed' and run.cancel and not started then",
        "elseif state == 'delayed' then",
    ),
    _mutant(
        "delivery to what is no child",
        "runs_family",
        "scripts/lib/commit.lua",
        " and (not child_only or to.parent == run.id)",
        "",
    ),
    _mutant(
        "timer fires twice",
        "runs_timers",
        "scripts/lib/timer.lua",
        "    call('HDEL', timer_key(id), key)\n    call('ZREM', timers, member)\n",
        "",
    ),
    _mutant(
        "outcome of a closed run's activity written",
        "runs_activities",
        "scripts/lib/owned.lua",
        "  if not runs.is_open(run) then\n    return false\n  end\n",
        "",
    ),
    _mutant(
        "lost activity taken back",
        "runs_activity_deadlines",
        "scripts/sweep.lua",
        "  if job.kind == 'a' then -- whoever swept settles it\n",
        "  if false then\n",
    ),
    _mutant(
        "detached activity keeps its place",
        "runs_activity_elsewhere",
        "scripts/lib/owned.lua",
        "  call('HINCRBY', queue_key(job.queue), 'exempt', 1)\n",
        "",
    ),
    _mutant(
        "repeated claim returns a detached activity",
        "runs_activities",
        "scripts/lib/owned.lua",
        "  zrem(prefix .. 'held:' .. job.token, job.id)\n  if job.locked",
        "  if job.locked",
    ),
    _mutant(
        "heartbeat of an earlier attempt counts",
        "runs_activities",
        "scripts/lib/activity.lua",
        "    call('HDEL', job_key(job.id), 'beat')\n",
        "",
    ),
    _mutant(
        "waiting query of a pruned run stays",
        "runs_reads",
        "scripts/prune_runs.lua",
        "    runs.remove(id, kind, now)\n",
        "",
    ),
]
