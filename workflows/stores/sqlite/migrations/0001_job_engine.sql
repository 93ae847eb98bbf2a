-- The one row of facts about the whole store. `now` and `wall` are the clock,
-- `seq` the last place given out.
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    namespace TEXT NOT NULL,
    test_mode INTEGER NOT NULL,
    now INTEGER NOT NULL,
    wall INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    swept_at INTEGER,          -- of the last sweep
    unknown_at INTEGER         -- of the last look for unknown types
) STRICT;

-- Every job, whatever its state. `seq` is its place. More invariants than the two
-- checks below are in checking.py: each check costs time in every write.
CREATE TABLE jobs (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    seq INTEGER NOT NULL,
    priority REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    stalls INTEGER NOT NULL DEFAULT 0,
    suspect INTEGER NOT NULL GENERATED ALWAYS AS (stalls > 0) VIRTUAL,
    releases INTEGER NOT NULL DEFAULT 0,
    max_stalls INTEGER NOT NULL,
    history INTEGER NOT NULL DEFAULT 0,       -- attempts recorded since ever
    dead_retries INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    run_at INTEGER,
    ready_at INTEGER NOT NULL,
    expires_at INTEGER,
    first_started_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    owner TEXT,
    token TEXT,
    lease_until INTEGER,
    lease_ms INTEGER,
    extended INTEGER NOT NULL DEFAULT 0,      -- by a sweep, since its last renewal
    settled_token TEXT,                       -- of the newest settlement
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    dedup_id TEXT,
    reason TEXT,
    trace TEXT NOT NULL,
    failure BLOB NOT NULL DEFAULT x'',
    result BLOB,
    CHECK ((state = 'active') = (token IS NOT NULL)),
    CHECK ((state = 'active') = (lease_until IS NOT NULL))
) STRICT;

-- What a job carries: written once, so that no change of state writes it again.
CREATE TABLE messages (
    n INTEGER PRIMARY KEY,
    headers BLOB NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE INDEX jobs_waiting ON jobs (queue, type, suspect, priority, seq)
    WHERE state = 'waiting';
CREATE INDEX jobs_due ON jobs (run_at, seq) WHERE state = 'delayed';
CREATE INDEX jobs_delayed ON jobs (queue, type, run_at, seq) WHERE state = 'delayed';
CREATE INDEX jobs_active ON jobs (lease_until) WHERE state = 'active';
CREATE INDEX jobs_finished ON jobs (queue, state, finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_expiring ON jobs (expires_at)
    WHERE expires_at IS NOT NULL AND state IN ('waiting', 'delayed');
CREATE UNIQUE INDEX jobs_dedup ON jobs (queue, dedup_id)
    WHERE dedup_id IS NOT NULL AND finished_at IS NULL;

-- Tokens whose function still runs although their job was settled.
CREATE TABLE lingering (
    job_id TEXT NOT NULL,
    token TEXT NOT NULL,
    queue TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL,
    extended INTEGER NOT NULL,
    PRIMARY KEY (job_id, token)
) STRICT, WITHOUT ROWID;

-- The ended runs of a job, but not the one that completed it: the job's own row tells
-- that one (`attempts`, `started_at`, `finished_at`, `owner`).
CREATE TABLE attempts (
    job INTEGER NOT NULL,
    k INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    outcome TEXT NOT NULL,
    failure BLOB NOT NULL,
    PRIMARY KEY (job, k)
) STRICT, WITHOUT ROWID;

-- What callers may send again, by when it was first said (in steps of `bucket`), so
-- that the oldest go first: answers to requests, grants of claims, older settlements.
CREATE TABLE memories (
    bucket INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL DEFAULT 0,
    paused_by TEXT NOT NULL DEFAULT '',
    concurrency INTEGER,       -- the limits that code declares
    rate_max INTEGER,
    rate_ms INTEGER,
    overridden INTEGER NOT NULL DEFAULT 0,    -- then these hold instead
    own_concurrency INTEGER,
    own_rate_max INTEGER,
    own_rate_ms INTEGER,
    window_at INTEGER,         -- begin of the rate window
    window_used INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- `key`: `state:<state>` counts records, `total:<total>` only grows.
CREATE TABLE counters (
    queue TEXT NOT NULL,
    key TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE minutes (
    queue TEXT NOT NULL,
    minute INTEGER NOT NULL,
    key TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (queue, minute, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE kv (
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER,
    job_id TEXT,               -- the lease that it belongs to
    token TEXT,
    PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX kv_expiring ON kv (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX kv_leased ON kv (job_id, token) WHERE job_id IS NOT NULL;

CREATE TABLE schedules (
    id TEXT PRIMARY KEY,
    queue TEXT NOT NULL,
    type TEXT NOT NULL,
    payload BLOB NOT NULL,
    spec TEXT NOT NULL,
    headers BLOB NOT NULL,
    priority REAL NOT NULL,
    max_stalls INTEGER NOT NULL,
    expires_ms INTEGER,
    next_at INTEGER,
    declared INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    last_slot INTEGER,
    last_fired_at INTEGER,
    last_job_id TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    owner TEXT PRIMARY KEY,
    seen_at INTEGER NOT NULL,
    info TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Since when no living worker has known a type that waits.
CREATE TABLE unknown_types (
    queue TEXT NOT NULL,
    type TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (queue, type)
) STRICT, WITHOUT ROWID;
