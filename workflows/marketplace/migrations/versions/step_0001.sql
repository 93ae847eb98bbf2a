CREATE TABLE channel (
    id INTEGER NOT NULL,
    open_since VARCHAR(27),
    probe_at VARCHAR(27),
    code VARCHAR(40),
    PRIMARY KEY (id),
    CHECK (id = 1)
);

CREATE TABLE messages (
    id VARCHAR(64) NOT NULL,
    dedupe_key VARCHAR(160) NOT NULL,
    purpose VARCHAR(40) NOT NULL,
    to_phone VARCHAR(16),
    to_bsuid VARCHAR(140),
    content JSON NOT NULL,
    fallback JSON,
    delivery VARCHAR(16) NOT NULL,
    order_id VARCHAR(64),
    not_before VARCHAR(27),
    not_after VARCHAR(27),
    created_at VARCHAR(27) NOT NULL,
    status VARCHAR(12) NOT NULL,
    attempts INTEGER NOT NULL,
    deferrals INTEGER NOT NULL,
    slot_at VARCHAR(27),
    lease_until VARCHAR(27),
    ambiguous_at VARCHAR(27),
    wamid VARCHAR(200),
    pacing VARCHAR(32),
    error_code VARCHAR(40),
    error_scope VARCHAR(8),
    error_detail TEXT,
    accepted_at VARCHAR(27),
    status_at VARCHAR(27),
    failed_at VARCHAR(27),
    job_id VARCHAR(200),
    job_started_at VARCHAR(27),
    version INTEGER NOT NULL,
    PRIMARY KEY (id),
    CHECK (status IN ('queued', 'parked', 'sending', 'ambiguous', 'accepted', 'sent', 'delivered', 'read', 'failed', 'expired', 'suppressed')),
    CHECK (to_phone IS NOT NULL OR to_bsuid IS NOT NULL),
    UNIQUE (dedupe_key),
    UNIQUE (wamid)
);
CREATE INDEX ix_messages_order ON messages (order_id);
CREATE INDEX ix_messages_status ON messages (status, created_at, id);

CREATE TABLE orders (
    id VARCHAR(64) NOT NULL,
    customer_phone VARCHAR(16) NOT NULL,
    total_paisa BIGINT NOT NULL,
    placed_at VARCHAR(27) NOT NULL,
    expires_at VARCHAR(27),
    status VARCHAR(32) NOT NULL,
    payment_status VARCHAR(16) NOT NULL,
    paid_paisa BIGINT NOT NULL,
    expiry_epoch INTEGER NOT NULL,
    closed_reason VARCHAR(40),
    PRIMARY KEY (id),
    CHECK (status IN ('pending_payment', 'placed', 'bidding', 'awaiting_confirmation', 'fallback', 'confirmed', 'delivered', 'completed', 'expired', 'cancelled')),
    CHECK (payment_status IN ('unpaid', 'partial', 'paid', 'on_credit', 'refund_due', 'refunded')),
    CHECK (total_paisa > 0 AND paid_paisa >= 0 AND expiry_epoch >= 1),
    CHECK (status NOT IN ('expired', 'cancelled') OR closed_reason IS NOT NULL)
);
CREATE INDEX ix_orders_due ON orders (status, expires_at);

CREATE TABLE recipients (
    "key" VARCHAR(140) NOT NULL,
    last_inbound_at VARCHAR(27),
    suppressed_until VARCHAR(27),
    opted_out BOOLEAN NOT NULL,
    pair_tat VARCHAR(27),
    PRIMARY KEY ("key")
);
