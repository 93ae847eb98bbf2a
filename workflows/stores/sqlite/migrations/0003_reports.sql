-- What running jobs say of themselves: often, and so apart from their rows.
CREATE TABLE reports (
    n INTEGER PRIMARY KEY,
    progress BLOB NOT NULL,
    checkpoint BLOB NOT NULL,
    logged INTEGER NOT NULL                   -- lines since ever
) STRICT;

-- The newest of those lines; `k` counts from 1.
CREATE TABLE log_lines (
    job INTEGER NOT NULL,
    k INTEGER NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (job, k)
) STRICT, WITHOUT ROWID;
