"""What a running job says of itself, and its log."""

from workflows.exceptions import NotFoundError
from workflows.store import MAX_LOG, LogLine, LogPage, Report
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Transaction

_HELD = "SELECT n FROM jobs WHERE id = ? AND token = ? AND kind IS NULL"
_REPORT = """
INSERT INTO reports (n, progress, checkpoint, logged)
VALUES (:n, coalesce(:progress, x''), coalesce(:checkpoint, x''), :lines)
ON CONFLICT DO UPDATE SET progress = coalesce(:progress, progress),
    checkpoint = coalesce(:checkpoint, checkpoint), logged = logged + :lines
RETURNING logged
"""
_LINE = "INSERT INTO log_lines (job, k, at, text) VALUES (?, ?, ?, ?)"
_SHORTEN = "DELETE FROM log_lines WHERE job = ? AND k <= ?"
_LINES = """
SELECT k, at, text FROM log_lines WHERE job = ? AND k > ? ORDER BY k LIMIT 0 + ?
"""


def report(tx: Transaction, job_id: str, token: str, said: Report) -> bool:
    """Keep what a job says, if its lease holds."""
    row = tx.execute(_HELD, (job_id, token)).fetchone()
    if row is None:
        return False
    (n,) = row
    news = {
        "n": n,
        "progress": said.progress,
        "checkpoint": said.checkpoint,
        "lines": len(said.lines),
    }
    ((logged,),) = tx.execute(_REPORT, news).fetchall()
    if said.lines:
        first = logged - len(said.lines) + 1
        lines = [(n, k, tx.now, text) for k, text in enumerate(said.lines, first)]
        tx.executemany(_LINE, lines)
        tx.execute(_SHORTEN, (n, logged - MAX_LOG))
    if said.payload is not None:
        tx.execute("UPDATE messages SET payload = ? WHERE n = ?", (said.payload, n))
    return True


def list_log(connection: Connection, job_id: str, after: int, limit: int) -> LogPage:
    """Return lines of a job, oldest first."""
    row = connection.execute("SELECT n FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        msg = f"no job {job_id!r}"
        raise NotFoundError(msg)
    found = connection.execute(_LINES, (row[0], after, limit + 1)).fetchall()
    return LogPage(tuple(LogLine(*line) for line in found[:limit]), len(found) > limit)
