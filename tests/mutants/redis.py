"""Mutants of the Redis adapter."""

from functools import partial

from tests.mutants.mutant import Mutant

_mutant = partial(Mutant, "redis")

MUTANTS = [
    _mutant(
        "fence dropped",
        "settle",
        "scripts/lib/settle.lua",
        "if job.state ~= 'active' or job.token ~= token then",
        "if job.state ~= 'active' then",
    ),
    _mutant(
        "token is the attempt number",
        "settle",
        "scripts/lib/grant.lua",
        "local token, owner, lease_ms = claim[1], claim[2], claim[7]",
        "local token, owner, lease_ms = ((job[4] or 0) + 1) .. '', claim[2], claim[7]",
    ),
    _mutant(
        "renewal revives a lost lease",
        "renew",
        "scripts/renew.lua",
        "if state == 'active' and held == token then",
        "if queue then",
    ),
    _mutant(
        "renewal without a fence",
        "renew",
        "scripts/renew.lua",
        "if state == 'active' and held == token then",
        "if state == 'active' then",
    ),
    _mutant(
        "dedup id leaked",
        "enqueue",
        "scripts/lib/leave.lua",
        "  zadd(state_key(state, queue), now, id)\n  release_dedup(id, queue, dedup)\n",
        "  zadd(state_key(state, queue), now, id)\n",
    ),
    _mutant(
        "dead letter takes its dedup id again",
        "enqueue",
        "scripts/lib/dead.lua",
        "'releases', 'dedup', 'expires'",
        "'releases', 'expires'",
    ),
    _mutant(
        "reports without a fence",
        "reports",
        "scripts/report.lua",
        "elseif state ~= 'active' or held ~= token or kind then",
        "elseif state ~= 'active' or kind then",
    ),
    _mutant(
        "log outlives its job",
        "reports",
        "scripts/lib/leave.lua",
        "call('DEL', key, prefix .. 'log:' .. id)",
        "call('DEL', key)",
    ),
    _mutant(
        "amended priority not in the order",
        "operators",
        "scripts/amend.lua",
        "    zadd(pending_key(queue, type, stalls), priority, place .. id)\n",
        "",
    ),
    _mutant(
        "completed counted twice",
        "counts",
        "scripts/lib/settle.lua",
        "  count(queue, 'completed')\n",
        "  count(queue, 'completed', 2)\n",
    ),
    _mutant(
        "sweep without the gap rule",
        "sweep",
        "scripts/sweep.lua",
        "local gap = not swept_at or now - swept_at > 2 * interval",
        "local gap = false",
    ),
    _mutant(
        "lease extended twice",
        "sweep",
        "scripts/sweep.lua",
        "if not was_extended(id, name) then",
        "if true then",
    ),
    _mutant(
        "gap over before all were extended",
        "sweep",
        "scripts/sweep.lua",
        "if not gap_lasts then",
        "if true then",
    ),
    _mutant(
        "concurrency not counted",
        "limits",
        "scripts/lib/queue.lua",
        "room = math.max(0, limits.concurrency - held)",
        "room = limits.concurrency",
    ),
    _mutant(
        "lingering not counted",
        "release",
        "scripts/lib/queue.lua",
        "- limits.exempt\n      + call('ZCARD', prefix .. 'lingering:' .. queue)\n",
        "- limits.exempt\n",
    ),
    _mutant(
        "rate window never used",
        "limits",
        "scripts/lib/queue.lua",
        "limits.used = limits.used + claims",
        "limits.used = limits.used",
    ),
    _mutant(
        "overlap checked before the slot moves",
        "schedules",
        "scripts/fire_schedule.lua",
        "call('HSET', key, 'last_slot', slot)\n",
        "if skip_overlap and last_job\n"
        "  and LIVE[call('HGET', job_key(last_job), 'state')] then\n"
        "  return 'overlap'\nend\n"
        "call('HSET', key, 'last_slot', slot)\n",
    ),
    _mutant(
        "end of lingering written before its begin",
        "release",
        "scripts/lib/settle.lua",
        "    flush_sets() -- it may have begun to linger in this very call\n",
        "",
    ),
    _mutant(
        "request memory forgotten",
        "enqueue",
        "scripts/enqueue.lua",
        "accept(jobs, answers, created, now, whole and request)",
        "accept(jobs, answers, created, now, nil)",
    ),
    _mutant(
        "claim memory forgotten",
        "claims_repeated",
        "scripts/lib/grant.lua",
        "    remember(prefix .. 'claim:' .. token, '', now, lease_ms)\n",
        "",
    ),
    _mutant(
        "tombstone missing",
        "settle",
        "scripts/lib/leave.lua",
        "  if token then\n    remember_done(token, id)\n  end\n",
        "",
    ),
    _mutant(
        "settlement not idempotent",
        "settle",
        "scripts/lib/settle.lua",
        "    return ALREADY\n",
        "    return LOST\n",
    ),
    _mutant(
        "swept lease counts as settled",
        "settle",
        "scripts/sweep.lua",
        "  call('HDEL', job_key(id), 'token')\n",
        "",
    ),
    _mutant(
        "rate refund missing",
        "limits",
        "scripts/lib/settle.lua",
        "    refund(job, now)\n",
        "",
    ),
    _mutant(
        "refund into a later window",
        "limits",
        "scripts/lib/settle.lua",
        "    and started >= limits.window and now",
        "    and now",
    ),
    _mutant(
        "stall spends the attempt",
        "sweep",
        "scripts/lib/lease.lua",
        "  return put_back(job, now, record(job, job.attempts + 1, now, 'stalled'))",
        "  return put_back(job, now, 'attempts', job.attempts + 1,\n"
        "    record(job, job.attempts + 1, now, 'stalled'))",
    ),
    _mutant(
        "one stall too few",
        "sweep",
        "scripts/lib/lease.lua",
        "if stalls > most then",
        "if stalls >= most then",
    ),
    _mutant(
        "release takes a new place",
        "claim_order",
        "scripts/lib/lease.lua",
        "  call('HSET', job_key(job.id), 'state', 'waiting', 'ready', ready, ...)\n",
        "  place = next_place()\n"
        "  call('HSET', job_key(job.id), 'state', 'waiting', 'ready', ready, 'place',\n"
        "    place, ...)\n",
    ),
    _mutant(
        "slot fires without compare-and-set",
        "schedules",
        "scripts/fire_schedule.lua",
        "if not due or tonumber(due) ~= slot or paused then",
        "if not due or paused then",
    ),
    _mutant(
        "lock not freed",
        "values",
        "scripts/lib/lease.lua",
        "  if job.locked == job.token then\n"
        "    release_locks(lease_name(job.id, job.token))\n"
        "  end\n",
        "",
    ),
    _mutant(
        "expiry ignored by claims",
        "claim_order",
        "scripts/exchange.lua",
        "local expired = expire_due(now, MAX_STEP)",
        "local expired = 0",
    ),
    _mutant(
        "suspects prefetched",
        "claim_order",
        "scripts/lib/grant.lua",
        "local suspect = #chosen < slots and chosen.suspects < suspects",
        "local suspect = chosen.suspects < suspects",
    ),
    _mutant(
        "pause ignored",
        "limits",
        "scripts/lib/queue.lua",
        "  if limits.paused then\n    return 0\n  end\n",
        "",
    ),
    _mutant(
        "priority reversed between types",
        "claim_order",
        "scripts/lib/heads.lua",
        "    return x < y\n",
        "    return x > y\n",
    ),
    _mutant(
        "unknown types without the gap rule",
        "workers",
        "scripts/bury_unknown.lua",
        "if run_at and now - run_at > 2 * interval then",
        "if false then",
    ),
    _mutant(
        "cancel request lost by a retry",
        "cancel",
        "scripts/lib/settle.lua",
        "  if job.cancel then\n    return end_cancelled(job, now, failure)\n  end\n",
        "",
    ),
    _mutant(
        "join counts every report",
        "follow_ups",
        "scripts/lib/settle.lua",
        "  if call('SADD', members, index) == 0 then\n    return\n  end\n",
        "  call('SADD', members, index)\n",
    ),
]
