"""fsck: every invariant as a query that must find nothing."""

from workflows.store import MAX_HISTORY, MAX_LOG
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.run_checking import RUN_INVARIANTS

# What is wrong, and a query for the offenders.
_INVARIANTS = (
    (
        "queue {}: the counter {} says {}, there are {} records",
        """
        SELECT coalesce(c.queue, j.queue), coalesce(c.key, j.key),
               coalesce(c.n, 0), coalesce(j.n, 0)
        FROM (SELECT * FROM counters WHERE key LIKE 'state:%') AS c
        FULL JOIN (SELECT queue, 'state:' || state AS key, count(*) AS n FROM jobs
                   GROUP BY queue, state) AS j ON c.queue = j.queue AND c.key = j.key
        WHERE coalesce(c.n, 0) != coalesce(j.n, 0)
        """,
    ),
    (
        "queue {}: the counter {} is negative: {}",
        "SELECT queue, key, n FROM counters WHERE n < 0",
    ),
    (
        "queue {}: {} jobs were enqueued, {} have ended or are kept",
        """
        SELECT queue, sum(iif(key = 'total:enqueued', n, 0)) AS enqueued,
               sum(iif(key IN ('state:waiting', 'state:delayed', 'state:active',
                               'state:failed', 'total:completed', 'total:cancelled',
                               'total:expired'), n, 0)) AS known
        FROM counters GROUP BY queue HAVING known > enqueued
        """,
    ),
    (
        "job {}: its queue {} is not known",
        "SELECT id, queue FROM jobs WHERE queue NOT IN (SELECT name FROM queues)",
    ),
    (
        "job {} is in the unknown state {}",
        """
        SELECT id, state FROM jobs WHERE state NOT IN ('waiting', 'delayed', 'active',
            'completed', 'failed', 'cancelled', 'expired')
        """,
    ),
    (
        "job {} is {} and due at {}",
        (
            "SELECT id, state, run_at FROM jobs "
            "WHERE (state = 'delayed') != (run_at IS NOT NULL)"
        ),
    ),
    (
        "job {} is {} and ended at {}",
        """
        SELECT id, state, finished_at FROM jobs
        WHERE (state IN ('completed', 'failed', 'cancelled', 'expired'))
            != (finished_at IS NOT NULL)
        """,
    ),
    (
        "job {} is active without a whole lease",
        """
        SELECT id FROM jobs WHERE (state = 'active') != (token IS NOT NULL
            AND lease_until IS NOT NULL AND lease_ms IS NOT NULL AND owner IS NOT NULL
            AND started_at IS NOT NULL AND first_started_at IS NOT NULL)
            AND (state = 'active' OR token IS NOT NULL)
        """,
    ),
    (
        "job {} is active under the token {}, which has settled it",
        "SELECT id, token FROM jobs WHERE state = 'active' AND token = settled_token",
    ),
    (
        "job {} is {} and shows a request to cancel it",
        "SELECT id, state FROM jobs WHERE cancel_requested AND state != 'active'",
    ),
    (
        "job {} is {} with the reason {}",
        (
            "SELECT id, state, reason FROM jobs "
            "WHERE (state = 'failed') != (reason IS NOT NULL)"
        ),
    ),
    (
        "two live jobs have the place {}",
        (
            "SELECT seq FROM jobs WHERE finished_at IS NULL "
            "GROUP BY seq HAVING count(*) > 1"
        ),
    ),
    (
        "job {} has the place {}, which was not given out",
        "SELECT id, seq FROM jobs WHERE seq > (SELECT seq FROM store)",
    ),
    (
        "two live jobs of queue {} hold the dedup id {}",
        (
            "SELECT queue, dedup_id FROM jobs WHERE dedup_id IS NOT NULL "
            "AND finished_at IS NULL GROUP BY queue, dedup_id HAVING count(*) > 1"
        ),
    ),
    (
        "job {} has {} recorded attempts, {} are kept",
        f"""
        SELECT id, history, kept FROM (
            SELECT id, history, (SELECT count(*) FROM attempts WHERE job = n) AS kept
            FROM jobs) WHERE kept != min(history, {MAX_HISTORY})
        """,  # noqa: S608 - a number
    ),
    (
        "job {} and its message are not together",
        """
        SELECT coalesce(id, 'number ' || messages.n)
        FROM jobs FULL JOIN messages ON jobs.n = messages.n
        WHERE jobs.n IS NULL
            OR (kind IS 'workflow_task') != (messages.n IS NULL)
        """,
    ),
    (
        "an attempt belongs to no job (number {})",
        "SELECT DISTINCT job FROM attempts WHERE job NOT IN (SELECT n FROM jobs)",
    ),
    (
        "a report belongs to no job (number {})",
        "SELECT n FROM reports WHERE n NOT IN (SELECT n FROM jobs WHERE kind IS NULL)",
    ),
    (
        "job number {} has said {} lines, {} are kept",
        f"""
        SELECT job, coalesce(logged, 0), kept FROM (
            SELECT job, count(*) AS kept FROM log_lines GROUP BY job)
        LEFT JOIN reports ON n = job WHERE kept != min(coalesce(logged, 0), {MAX_LOG})
        """,  # noqa: S608 - a number
    ),
    (
        "value {} of space {} belongs to the lost lease of job {}",
        """
        SELECT key, space, job_id FROM kv WHERE job_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM jobs
                            WHERE jobs.id = kv.job_id AND jobs.token = kv.token)
            AND NOT EXISTS (SELECT 1 FROM lingering AS l
                            WHERE l.job_id = kv.job_id AND l.token = kv.token)
        """,
    ),
    (
        "job {} is active under the token {}, which lingers",
        "SELECT id, token FROM jobs JOIN lingering USING (token) WHERE id = job_id",
    ),
)


def fsck(connection: Connection) -> list[str]:
    """Return one sentence per violation."""
    faults = [
        f"the file is damaged: {text}"
        for (text,) in connection.execute("PRAGMA integrity_check(20)")
        if text != "ok"
    ]
    for sentence, query in (*_INVARIANTS, *RUN_INVARIANTS):
        faults += [sentence.format(*row) for row in connection.execute(query)]
    return faults
