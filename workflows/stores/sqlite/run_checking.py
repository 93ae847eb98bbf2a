"""fsck for runs: what is wrong, and a query for the offenders."""

from workflows.stores.sqlite.runs import MAX_IN_RUN, RUN_BITS

RUN_INVARIANTS = (
    (
        "run {} is {} and has the workflow task {}",
        """
        SELECT run_id, status, id FROM jobs JOIN runs ON run_id = substr(id, 5)
        WHERE kind = 'workflow_task' AND closed_at IS NOT NULL
        """,
    ),
    (
        "run {} has entries in its inbox and no workflow task",
        f"""
        SELECT DISTINCT run_id FROM inbox JOIN runs ON runs.n = inbox.n >> {RUN_BITS}
        WHERE closed_at IS NULL AND 'wft:' || run_id NOT IN (SELECT id FROM jobs)
        """,  # noqa: S608 - a number
    ),
    (
        "inbox entry {} belongs to no open run",
        f"""
        SELECT n FROM inbox WHERE n >> {RUN_BITS} NOT IN
            (SELECT n FROM runs WHERE closed_at IS NULL)
        """,  # noqa: S608 - a number
    ),
    (
        "timer {} belongs to the run {}, which is not open",
        """
        SELECT key, run_id FROM timers WHERE run_id NOT IN
            (SELECT run_id FROM runs WHERE closed_at IS NULL)
        """,
    ),
    (
        "job {} ({}) belongs to no run",
        """
        SELECT id, kind FROM jobs WHERE kind IS NOT NULL AND kind != 'upkeep'
            AND iif(kind = 'workflow_task',
                    substr(id, 5) NOT IN (SELECT run_id FROM runs),
                    run IS NULL OR run NOT IN (SELECT n FROM runs))
        """,
    ),
    (
        "job {} is a workflow's own ({}) and is kept as {}",
        """
        SELECT id, kind, state FROM jobs
        WHERE kind IS NOT NULL AND finished_at IS NOT NULL
        """,
    ),
    (
        "activity {} of the closed run {} is {}",
        """
        SELECT id, run_id, state FROM jobs JOIN runs ON runs.n = run
        WHERE kind = 'activity' AND closed_at IS NOT NULL AND state != 'active'
        """,
    ),
    (
        "job {} has a deadline and is no activity",
        """
        SELECT id FROM jobs
        WHERE deadline_at IS NOT NULL AND kind IS NOT 'activity'
        """,
    ),
    (
        "workflow {} has {} open runs, or one that is not its newest",
        """
        SELECT workflow_id, sum(closed_at IS NULL) AS open FROM runs
        GROUP BY workflow_id
        HAVING open > 1 OR (open = 1 AND max(n) != max(iif(closed_at IS NULL, n, 0)))
        """,
    ),
    (
        "run {} is {} and closed at {}",
        """
        SELECT run_id, status, closed_at FROM runs
        WHERE (status = 'running') != (closed_at IS NULL)
        """,
    ),
    (
        "run {} has {} events, {} are kept",
        f"""
        SELECT run_id, length, kept FROM (
            SELECT run_id, length, (
                SELECT count(*) FROM events WHERE events.n
                BETWEEN runs.n << {RUN_BITS} AND (runs.n << {RUN_BITS}) + length
            ) AS kept FROM runs) WHERE length != kept
        """,  # noqa: S608 - a number
    ),
    (
        "run {} has {} bytes of events, {} are kept",
        f"""
        SELECT run_id, size, kept FROM (
            SELECT run_id, size, (
                SELECT sum(length(data)) FROM events WHERE events.n
                BETWEEN runs.n << {RUN_BITS} AND (runs.n << {RUN_BITS}) + {MAX_IN_RUN}
            ) AS kept FROM runs) WHERE size != kept
        """,  # noqa: S608 - a number
    ),
    (
        "events are kept of no run (number {})",
        f"""
        SELECT DISTINCT n >> {RUN_BITS} FROM events
        WHERE n >> {RUN_BITS} NOT IN (SELECT n FROM runs)
        """,  # noqa: S608 - a number
    ),
    (
        "runs: the counter of {} says {}, there are {}",
        """
        SELECT coalesce(c.status, r.status), coalesce(c.n, 0), coalesce(r.n, 0)
        FROM (SELECT substr(key, 5) AS status, n FROM counters
              WHERE queue = '' AND key LIKE 'run:%') AS c
        FULL JOIN (SELECT status, count(*) AS n FROM runs GROUP BY status) AS r
            ON c.status = r.status
        WHERE coalesce(c.n, 0) != coalesce(r.n, 0)
        """,
    ),
    (
        "queue {}: {} active jobs are counted as exempt, there are {}",
        """
        SELECT coalesce(c.queue, j.queue), coalesce(c.n, 0), coalesce(j.n, 0)
        FROM (SELECT queue, n FROM counters WHERE key = 'exempt:active') AS c
        FULL JOIN (SELECT queue, count(*) AS n FROM jobs WHERE state = 'active'
                   AND (kind IN ('workflow_task', 'query', 'upkeep')
                        OR lease_until = 9007199254740991)
                   GROUP BY queue) AS j ON c.queue = j.queue
        WHERE coalesce(c.n, 0) != coalesce(j.n, 0)
        """,
    ),
)
