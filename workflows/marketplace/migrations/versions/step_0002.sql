CREATE TABLE customers (
    id VARCHAR(64) NOT NULL,
    name VARCHAR(200) NOT NULL,
    area VARCHAR(16) NOT NULL,
    phone VARCHAR(16),
    bsuid VARCHAR(140),
    status VARCHAR(16) NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
    PRIMARY KEY (id),
    UNIQUE (phone),
    UNIQUE (bsuid)
);

CREATE TABLE job_outbox (
    job_id VARCHAR(200) NOT NULL,
    queue VARCHAR(48) NOT NULL,
    payload JSON NOT NULL,
    run_at VARCHAR(27) NOT NULL,
    relayed_at VARCHAR(27),
    PRIMARY KEY (job_id)
);
CREATE INDEX ix_job_outbox_relayed ON job_outbox (relayed_at, run_at);

CREATE TABLE ledger_transactions (
    "key" VARCHAR(160) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    business_date DATE NOT NULL,
    posted_at VARCHAR(27) NOT NULL,
    posted INTEGER NOT NULL,
    reverses VARCHAR(160),
    PRIMARY KEY ("key"),
    CHECK (posted IN (0, 1)),
    UNIQUE (reverses),
    FOREIGN KEY(reverses) REFERENCES ledger_transactions ("key")
);

CREATE TABLE ops_tasks (
    "key" VARCHAR(160) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    subject VARCHAR(100) NOT NULL,
    text TEXT NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('open', 'done', 'dropped')),
    done_by VARCHAR(64),
    PRIMARY KEY ("key")
);
CREATE INDEX ix_ops_tasks_status ON ops_tasks (status, created_at);

CREATE TABLE order_events (
    id {{serial}} NOT NULL,
    order_id VARCHAR(64) NOT NULL,
    type VARCHAR(40) NOT NULL,
    actor VARCHAR(64) NOT NULL,
    data JSON NOT NULL,
    at VARCHAR(27) NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_order_events_at ON order_events (at, type);
CREATE INDEX ix_order_events_order ON order_events (order_id, id);

CREATE TABLE order_items (
    order_id VARCHAR(64) NOT NULL,
    line_no INTEGER NOT NULL,
    product_id VARCHAR(64) NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price_paisa BIGINT NOT NULL,
    vat_bps INTEGER NOT NULL,
    PRIMARY KEY (order_id, line_no),
    CHECK (quantity BETWEEN 1 AND 100000 AND unit_price_paisa > 0),
    CHECK (vat_bps BETWEEN 0 AND 10000)
);

CREATE TABLE reconciliation_runs (
    business_date DATE NOT NULL,
    started_at VARCHAR(27) NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('running', 'clean', 'exceptions', 'failed')),
    finished_at VARCHAR(27),
    PRIMARY KEY (business_date)
);

CREATE TABLE reports (
    report_type VARCHAR(16) NOT NULL CHECK (report_type IN ('orders', 'bidding', 'payments', 'suppliers', 'messaging', 'queues')),
    business_date DATE NOT NULL,
    revision INTEGER NOT NULL,
    is_empty BOOLEAN NOT NULL,
    content JSON NOT NULL,
    content_sha256 VARCHAR(64) NOT NULL,
    built_at VARCHAR(27) NOT NULL,
    PRIMARY KEY (report_type, business_date, revision),
    CHECK (revision >= 1)
);

CREATE TABLE rounds (
    id VARCHAR(64) NOT NULL,
    order_id VARCHAR(64) NOT NULL,
    round_no INTEGER NOT NULL,
    opens_at VARCHAR(27) NOT NULL,
    closes_at VARCHAR(27) NOT NULL,
    ceiling_paisa BIGINT NOT NULL,
    min_bids INTEGER NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('open', 'awarded', 'no_bids', 'cancelled')),
    winner_bid_id VARCHAR(64),
    closed_at VARCHAR(27),
    sweep_failures INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (order_id, round_no),
    CHECK (closes_at > opens_at AND min_bids >= 1 AND ceiling_paisa > 0),
    CHECK ((status = 'awarded') = (winner_bid_id IS NOT NULL)),
    CHECK ((status = 'open') = (closed_at IS NULL))
);
CREATE INDEX ix_rounds_due ON rounds (status, closes_at);
CREATE UNIQUE INDEX uq_rounds_open ON rounds (order_id) WHERE status = 'open';

CREATE TABLE schedule_runs (
    schedule VARCHAR(40) NOT NULL,
    period VARCHAR(32) NOT NULL,
    claimed_by VARCHAR(200) NOT NULL,
    claimed_at VARCHAR(27) NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('claimed', 'done', 'failed', 'skipped')),
    finished_at VARCHAR(27),
    PRIMARY KEY (schedule, period)
);

CREATE TABLE sequences (
    name VARCHAR(32) NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE suppliers (
    id VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL CHECK (kind IN ('vendor', 'wholesaler')),
    name VARCHAR(200) NOT NULL,
    areas JSON NOT NULL,
    phone VARCHAR(16),
    bsuid VARCHAR(140),
    status VARCHAR(16) NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
    priority INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (phone),
    UNIQUE (bsuid)
);

CREATE TABLE bids (
    id VARCHAR(64) NOT NULL,
    seq INTEGER NOT NULL,
    round_id VARCHAR(64) NOT NULL,
    supplier_id VARCHAR(64) NOT NULL,
    amount_paisa BIGINT NOT NULL,
    submitted_at VARCHAR(27) NOT NULL,
    ingested_at VARCHAR(27) NOT NULL,
    source VARCHAR(16) NOT NULL CHECK (source IN ('whatsapp', 'api', 'ops')),
    source_ref VARCHAR(200),
    eta_minutes INTEGER,
    status VARCHAR(16) NOT NULL CHECK (status IN ('active', 'superseded', 'withdrawn', 'rejected', 'won', 'lost')),
    reject_reason VARCHAR(32),
    PRIMARY KEY (id),
    CHECK (amount_paisa > 0),
    CHECK ((status = 'rejected') = (reject_reason IS NOT NULL)),
    UNIQUE (seq),
    FOREIGN KEY(round_id) REFERENCES rounds (id),
    FOREIGN KEY(supplier_id) REFERENCES suppliers (id),
    UNIQUE (source_ref)
);
CREATE UNIQUE INDEX uq_bids_live ON bids (round_id, supplier_id) WHERE status IN ('active', 'won');
CREATE UNIQUE INDEX uq_bids_won ON bids (round_id) WHERE status = 'won';

CREATE TABLE credit_accounts (
    id VARCHAR(64) NOT NULL,
    customer_id VARCHAR(64) NOT NULL,
    limit_paisa BIGINT NOT NULL,
    balance_paisa BIGINT NOT NULL,
    held_paisa BIGINT NOT NULL,
    terms_days INTEGER NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('active', 'on_hold', 'closed')),
    hold_reason VARCHAR(40),
    version INTEGER NOT NULL,
    PRIMARY KEY (id),
    CHECK (limit_paisa >= 0 AND held_paisa >= 0),
    CHECK (terms_days BETWEEN 0 AND 120),
    CHECK ((status = 'on_hold') = (hold_reason IS NOT NULL)),
    UNIQUE (customer_id),
    FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE TABLE invitations (
    round_id VARCHAR(64) NOT NULL,
    supplier_id VARCHAR(64) NOT NULL,
    reachable BOOLEAN NOT NULL,
    PRIMARY KEY (round_id, supplier_id),
    FOREIGN KEY(round_id) REFERENCES rounds (id),
    FOREIGN KEY(supplier_id) REFERENCES suppliers (id)
);

CREATE TABLE invoices (
    id VARCHAR(64) NOT NULL,
    number VARCHAR(32) NOT NULL,
    order_id VARCHAR(64) NOT NULL,
    customer_id VARCHAR(64) NOT NULL,
    subtotal_paisa BIGINT NOT NULL,
    vat_paisa BIGINT NOT NULL,
    total_paisa BIGINT NOT NULL,
    issued_on DATE NOT NULL,
    due_on DATE NOT NULL,
    settled_paisa BIGINT NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('open', 'paid', 'void', 'written_off')),
    disputed BOOLEAN NOT NULL,
    reminder_level INTEGER NOT NULL,
    reminders_paused_until DATE,
    version INTEGER NOT NULL,
    PRIMARY KEY (id),
    CHECK (total_paisa = subtotal_paisa + vat_paisa AND total_paisa > 0),
    CHECK (settled_paisa BETWEEN 0 AND total_paisa),
    CHECK (due_on >= issued_on AND reminder_level BETWEEN 0 AND 4),
    CHECK (status NOT IN ('open', 'paid') OR (status = 'paid') = (settled_paisa = total_paisa)),
    UNIQUE (number),
    UNIQUE (order_id),
    FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_invoices_customer ON invoices (customer_id, status);
CREATE INDEX ix_invoices_due ON invoices (status, due_on);

CREATE TABLE ledger_entries (
    "key" VARCHAR(160) NOT NULL,
    line_no INTEGER NOT NULL,
    account VARCHAR(4) NOT NULL CHECK (account IN ('1000', '1010', '1020', '1100', '1200', '2000', '2100', '2200', '2900', '4000', '5000', '6100', '6200', '6900')),
    side VARCHAR(1) NOT NULL CHECK (side IN ('D', 'C')),
    amount_paisa BIGINT NOT NULL,
    party_id VARCHAR(64),
    PRIMARY KEY ("key", line_no),
    CHECK (amount_paisa > 0),
    CHECK (account NOT IN ('1100', '2000', '2200') OR party_id IS NOT NULL),
    FOREIGN KEY("key") REFERENCES ledger_transactions ("key")
);
CREATE INDEX ix_ledger_entries_party ON ledger_entries (account, party_id);

CREATE TABLE payments (
    id VARCHAR(64) NOT NULL,
    provider VARCHAR(16) NOT NULL,
    provider_ref VARCHAR(80) NOT NULL,
    method VARCHAR(16) NOT NULL CHECK (method IN ('wallet', 'bank', 'cash', 'credit_note')),
    amount_paisa BIGINT NOT NULL,
    received_at VARCHAR(27) NOT NULL,
    customer_id VARCHAR(64),
    order_id VARCHAR(64),
    allocated_paisa BIGINT NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('initiated', 'pending', 'captured', 'failed', 'refunded')),
    version INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (provider, provider_ref),
    CHECK (amount_paisa > 0),
    CHECK (allocated_paisa BETWEEN 0 AND amount_paisa),
    FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_payments_customer ON payments (customer_id, status);
CREATE INDEX ix_payments_order ON payments (order_id);

CREATE TABLE reconciliation_items (
    business_date DATE NOT NULL,
    check_code VARCHAR(4) NOT NULL,
    subject VARCHAR(100) NOT NULL,
    expected_paisa BIGINT NOT NULL,
    actual_paisa BIGINT NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('auto_fixed', 'adjusted', 'open')),
    posting_key VARCHAR(160),
    PRIMARY KEY (business_date, check_code, subject),
    FOREIGN KEY(business_date) REFERENCES reconciliation_runs (business_date),
    FOREIGN KEY(posting_key) REFERENCES ledger_transactions ("key")
);

CREATE TABLE supplier_prices (
    supplier_id VARCHAR(64) NOT NULL,
    product_id VARCHAR(64) NOT NULL,
    price_paisa BIGINT NOT NULL,
    available BOOLEAN NOT NULL,
    PRIMARY KEY (supplier_id, product_id),
    CHECK (price_paisa > 0),
    FOREIGN KEY(supplier_id) REFERENCES suppliers (id)
);

CREATE TABLE allocations (
    payment_id VARCHAR(64) NOT NULL,
    invoice_id VARCHAR(64) NOT NULL,
    amount_paisa BIGINT NOT NULL,
    at VARCHAR(27) NOT NULL,
    PRIMARY KEY (payment_id, invoice_id),
    CHECK (amount_paisa > 0),
    FOREIGN KEY(payment_id) REFERENCES payments (id),
    FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);
CREATE INDEX ix_allocations_invoice ON allocations (invoice_id);

CREATE TABLE confirmations (
    id VARCHAR(64) NOT NULL,
    order_id VARCHAR(64) NOT NULL,
    attempt_no INTEGER NOT NULL,
    supplier_id VARCHAR(64) NOT NULL,
    source VARCHAR(16) NOT NULL CHECK (source IN ('bid', 'direct', 'fallback')),
    amount_paisa BIGINT NOT NULL,
    requested_at VARCHAR(27) NOT NULL,
    respond_by VARCHAR(27) NOT NULL,
    bid_id VARCHAR(64),
    status VARCHAR(16) NOT NULL CHECK (status IN ('pending', 'confirmed', 'rejected', 'timed_out', 'withdrawn', 'superseded')),
    answered_at VARCHAR(27),
    answer_ref VARCHAR(200),
    reason VARCHAR(40),
    nudged_at VARCHAR(27),
    sweep_failures INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (order_id, attempt_no),
    CHECK (respond_by > requested_at AND attempt_no >= 1),
    CHECK (amount_paisa > 0),
    FOREIGN KEY(supplier_id) REFERENCES suppliers (id),
    FOREIGN KEY(bid_id) REFERENCES bids (id),
    UNIQUE (answer_ref)
);
CREATE INDEX ix_confirmations_due ON confirmations (status, respond_by);
CREATE UNIQUE INDEX uq_confirmations_live ON confirmations (order_id) WHERE status IN ('pending', 'confirmed');

CREATE TABLE credit_holds (
    order_id VARCHAR(64) NOT NULL,
    account_id VARCHAR(64) NOT NULL,
    amount_paisa BIGINT NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    status VARCHAR(16) NOT NULL CHECK (status IN ('active', 'consumed', 'released')),
    closed_at VARCHAR(27),
    PRIMARY KEY (order_id),
    CHECK (amount_paisa > 0),
    CHECK ((status = 'active') = (closed_at IS NULL)),
    FOREIGN KEY(account_id) REFERENCES credit_accounts (id)
);
CREATE INDEX ix_credit_holds_account ON credit_holds (account_id, status);

CREATE TABLE invoice_reminders (
    invoice_id VARCHAR(64) NOT NULL,
    level INTEGER NOT NULL,
    business_date DATE NOT NULL,
    days_overdue INTEGER NOT NULL,
    outstanding_paisa BIGINT NOT NULL,
    message_key VARCHAR(160),
    at VARCHAR(27) NOT NULL,
    PRIMARY KEY (invoice_id, level),
    UNIQUE (invoice_id, business_date),
    CHECK (level BETWEEN 1 AND 4 AND outstanding_paisa > 0),
    FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);

CREATE TABLE reconciled_accounts (
    business_date DATE NOT NULL,
    account_id VARCHAR(64) NOT NULL,
    PRIMARY KEY (business_date, account_id),
    FOREIGN KEY(business_date) REFERENCES reconciliation_runs (business_date),
    FOREIGN KEY(account_id) REFERENCES credit_accounts (id)
);

CREATE TABLE strikes (
    confirmation_id VARCHAR(64) NOT NULL,
    supplier_id VARCHAR(64) NOT NULL,
    at VARCHAR(27) NOT NULL,
    PRIMARY KEY (confirmation_id),
    FOREIGN KEY(confirmation_id) REFERENCES confirmations (id),
    FOREIGN KEY(supplier_id) REFERENCES suppliers (id)
);
CREATE INDEX ix_strikes_supplier ON strikes (supplier_id, at);

-- columns of the tables that were there before
ALTER TABLE messages ADD COLUMN subject VARCHAR(100);
ALTER TABLE orders ADD COLUMN customer_id VARCHAR(64) REFERENCES customers (id);
ALTER TABLE orders ADD COLUMN area VARCHAR(16) DEFAULT '' NOT NULL;
ALTER TABLE orders ADD COLUMN mode VARCHAR(16) DEFAULT 'bidding' NOT NULL
    CHECK (mode IN ('bidding', 'direct'));
ALTER TABLE orders ADD COLUMN payment_mode VARCHAR(16) DEFAULT 'prepaid' NOT NULL
    CHECK (payment_mode IN ('prepaid', 'credit'));
ALTER TABLE orders ADD COLUMN vat_paisa BIGINT DEFAULT 0 NOT NULL
    CHECK (vat_paisa >= 0 AND vat_paisa < total_paisa);
ALTER TABLE orders ADD COLUMN ceiling_paisa BIGINT DEFAULT 0 NOT NULL
    CHECK (ceiling_paisa >= 0);
