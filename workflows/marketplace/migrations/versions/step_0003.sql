CREATE TABLE counters (
    name VARCHAR(64) NOT NULL,
    labels VARCHAR(200) NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name, labels),
    CHECK (value >= 0)
);
