-- How many transactions have changed the file, so that a process can tell its own
-- commits from those of others.
ALTER TABLE store ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;

-- What makes a job engine-owned. All of it is NULL for plain jobs, and no index holds
-- them, so that they pay for it with one byte per column.
ALTER TABLE jobs ADD COLUMN kind TEXT;            -- NULL: plain
ALTER TABLE jobs ADD COLUMN run INTEGER;          -- of an activity or a query
ALTER TABLE jobs ADD COLUMN deadline_at INTEGER;  -- of an activity
ALTER TABLE jobs ADD COLUMN deadlines TEXT;       -- its four timeouts, as JSON
ALTER TABLE jobs ADD COLUMN beat_at INTEGER;      -- its newest heartbeat
ALTER TABLE jobs ADD COLUMN details BLOB;         -- what that said

CREATE INDEX jobs_of_run ON jobs (run) WHERE run IS NOT NULL;
CREATE INDEX jobs_deadline ON jobs (deadline_at) WHERE deadline_at IS NOT NULL;

-- Runs. `inbox_seq` is the number of the newest entry ever. The workflow-task job of a
-- run is found by its id.
CREATE TABLE runs (
    n INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    workflow_id TEXT NOT NULL,
    first_run_id TEXT NOT NULL,
    type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    task_type TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    closed_at INTEGER,
    length INTEGER NOT NULL,
    size INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    inbox_seq INTEGER NOT NULL,
    deadline_at INTEGER,
    cancel_requested INTEGER NOT NULL,
    priority REAL NOT NULL,
    parent_workflow_id TEXT,
    parent_run_id TEXT,
    next_run_id TEXT,
    failure BLOB NOT NULL,
    info BLOB NOT NULL
) STRICT;

CREATE INDEX runs_of_workflow ON runs (workflow_id, n);
CREATE INDEX runs_started ON runs (started_at, run_id);
CREATE INDEX runs_closed ON runs (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX runs_deadline ON runs (deadline_at)
    WHERE deadline_at IS NOT NULL AND closed_at IS NULL;
CREATE INDEX runs_of_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;

-- Events and inboxes: `n` is the run's number * 2^22 + the number in the run, so that
-- what belongs together lies together, and in order.
CREATE TABLE events (
    n INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE inbox (
    n INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE timers (
    run_id TEXT NOT NULL,
    key TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX timers_due ON timers (due_at);   -- then by run and key
