"""Mutants of the SQLite adapter."""

from functools import partial

from tests.mutants.mutant import Mutant

_mutant = partial(Mutant, "sqlite")

MUTANTS = [
    _mutant(
        "fence dropped",
        "settle",
        "settling.py",
        "if job is None or job.token != settlement.token:",
        "if job is None:",
    ),
    _mutant(
        "token is the attempt number",
        "settle",
        "granting.py",
        "owner = :owner, token = :token,",
        "owner = :owner, token = cast(attempts + 1 AS TEXT),",
    ),
    _mutant(
        "renewal without a fence",
        "renew",
        "leases.py",
        "WHERE id = ? AND token = ? AND state = 'active' AND lease_until",
        "WHERE id = ? AND ? != '' AND state = 'active' AND lease_until",
    ),
    _mutant(
        "dedup id leaked",
        "enqueue",
        "duplicates.py",
        "dedup_id = ? AND finished_at IS NULL",
        "dedup_id = ?",
    ),
    _mutant(
        "enqueued counted twice",
        "counts",
        "accepting.py",
        'tx.total(job.queue, "enqueued", "enqueued")',
        'tx.total(job.queue, "enqueued", "enqueued", 2)',
    ),
    _mutant(
        "state not counted when it expires",
        "due",
        "pending.py",
        "            tx.moved(queue, JobState(state), JobState.EXPIRED)\n",
        "",
    ),
    _mutant(
        "sweep without the gap rule",
        "sweep",
        "leases.py",
        "if swept_at is None or tx.now - swept_at > 2 * interval_ms:",
        "if False:",
    ),
    _mutant(
        "lease extended twice",
        "sweep",
        "leases.py",
        "    WHERE state = 'active' AND lease_until < ?1 AND extended = 0\n",
        "    WHERE state = 'active' AND lease_until < ?1\n",
    ),
    _mutant(
        "gap over before all were extended",
        "sweep",
        "leases.py",
        "        if not all_extended:\n            return swept  # the gap lasts\n",
        "",
    ),
    _mutant(
        "concurrency not counted",
        "limits",
        "transaction.py",
        "return self.counter(queue, _ACTIVE) - exempt",
        "return 0",
    ),
    _mutant(
        "lingering not counted",
        "release",
        "claiming.py",
        "lingering(tx, queue.name) + tx.places(queue.name)",
        "tx.places(queue.name)",
    ),
    _mutant(
        "follow-ups before the record goes",
        "follow_ups",
        "settling.py",
        """\
            self._flush()
            self._write_follow_ups(settlement)
        return state
""",
        """\
            self._write_follow_ups(settlement)
            self._flush()
        return state
""",
    ),
    _mutant(
        "request memory forgotten",
        "enqueue",
        "accepting.py",
        "    if answers:\n        _remember(tx, request_id, answers)\n",
        "",
    ),
    _mutant(
        "claim memory forgotten",
        "claims_repeated",
        "claiming.py",
        '    remember(tx, "claim", wanted.id, as_json(numbers))\n',
        "",
    ),
    _mutant(
        "tombstone missing",
        "settle",
        "deletion.py",
        "    remember_settled_of(tx, as_list)\n",
        "",
    ),
    _mutant(
        "settlement not idempotent",
        "settle",
        "settling.py",
        "            return SettleStatus.ALREADY\n",
        "            return SettleStatus.LOST\n",
    ),
    _mutant(
        "rate refund missing",
        "limits",
        "settling.py",
        "            refund(self._tx, held.queue, held.started_at)\n",
        "            pass\n",
    ),
    _mutant(
        "refund into a later window",
        "limits",
        "queues.py",
        " or started_at < queue.window_at:",
        ":",
    ),
    _mutant(
        "stall spends the attempt",
        "sweep",
        "ending.py",
        "        held.stalls += 1\n",
        "        held.stalls += 1\n        held.attempts += 1\n",
    ),
    _mutant(
        "one stall too few",
        "sweep",
        "ending.py",
        "held.stalls > held.max_stalls",
        "held.stalls >= held.max_stalls",
    ),
    _mutant(
        "release takes a new place",
        "claim_order",
        "ending.py",
        "self._pend(held, JobState.WAITING, held.seq, None)",
        "self._pend(held, JobState.WAITING, self._tx.next_seq(), None)",
    ),
    _mutant(
        "slot fires without compare-and-set",
        "schedules",
        "schedules.py",
        "WHERE id = ? AND next_at = ? AND NOT paused",
        "WHERE id = ? AND ? > 0 AND NOT paused",
    ),
    _mutant(
        "lock not freed",
        "values",
        "settling.py",
        "        else:\n            self._endings.free(held)\n",
        "        else:\n            pass\n",
    ),
    _mutant(
        "lock of a lease that does not hold",
        "values",
        "values.py",
        "if tx.execute(_HOLDS, holds).fetchone() is None:",
        "if tx.execute(_HOLDS, holds) is None:",
    ),
    _mutant(
        "expiry ignored by claims",
        "claim_order",
        "claiming.py",
        "        expire_due(tx, MAX_STEP)\n",
        "",
    ),
    _mutant(
        "suspects prefetched",
        "claim_order",
        "claiming.py",
        "len(granted) < self._claim.slots and suspects < self._claim.suspects",
        "suspects < self._claim.suspects",
    ),
    _mutant(
        "pause ignored",
        "limits",
        "queues.py",
        "        if self.paused:\n            return 0\n",
        "",
    ),
    _mutant(
        "priority reversed",
        "claim_order",
        "claiming.py",
        '" ORDER BY priority, seq"',
        '" ORDER BY priority DESC, seq"',
    ),
    _mutant(
        "unknown types without the gap rule",
        "workers",
        "unknown.py",
        "if looked_at is None or tx.now - looked_at > 2 * interval_ms:",
        "if looked_at is None:",
    ),
    _mutant(
        "cancel request lost by a retry",
        "cancel",
        "settling.py",
        "        if held.cancel_requested:\n"
        "            return self._endings.cancel(held, settlement.failure)\n",
        "",
    ),
    _mutant(
        "join counts every report",
        "follow_ups",
        "settling.py",
        "        if not inserted:\n            return\n",
        "",
    ),
    _mutant(
        "dead letter takes its dedup id again",
        "enqueue",
        "operating.py",
        "dedup_id = NULL, expires_at",
        "expires_at",
    ),
    _mutant(
        "a throttle never ends",
        "duplicates",
        "duplicates.py",
        "AND key = ? AND expires_at > ?",
        "AND key = ? AND coalesce(expires_at, 0) > ? - 1000000",
    ),
    _mutant(
        "a running job is replaced",
        "duplicates",
        "duplicates.py",
        "is OnDuplicate.REPLACE and state is JobState.DELAYED:",
        "is OnDuplicate.REPLACE and state in PENDING:",
    ),
    _mutant(
        "reports without a fence",
        "reports",
        "reporting.py",
        "WHERE id = ? AND token = ? AND kind IS NULL",
        "WHERE id = ? AND coalesce(token, ?) IS NOT NULL",
    ),
    _mutant(
        "log never shortened",
        "reports",
        "reporting.py",
        "        tx.execute(_SHORTEN, (n, logged - MAX_LOG))\n",
        "",
    ),
]
