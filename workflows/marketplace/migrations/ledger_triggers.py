"""The database's own rules of the ledger: it balances, and nothing is changed."""

from alembic import op

# A transaction is written unposted, gets its entries, and is posted if it balances;
# from then on it cannot be changed, nor can any entry ever be.
_BALANCE = (
    "(SELECT COALESCE(SUM(CASE side WHEN 'D' THEN amount_paisa ELSE -amount_paisa END),"
    " 0) FROM ledger_entries WHERE key = NEW.key)"
)
_LINES = "(SELECT COUNT(*) FROM ledger_entries WHERE key = NEW.key)"
_POSTED = "(SELECT posted FROM ledger_transactions WHERE key = NEW.key)"
_RULES = (
    ("le_no_update", "UPDATE ON ledger_entries", None, "the ledger is append-only"),
    ("le_no_delete", "DELETE ON ledger_entries", None, "the ledger is append-only"),
    ("le_unposted", "INSERT ON ledger_entries", f"{_POSTED} = 1", "already posted"),
    (
        "lt_balanced",
        "UPDATE ON ledger_transactions",
        f"NEW.posted = 1 AND ({_LINES} < 2 OR {_BALANCE} <> 0)",
        "the transaction does not balance",
    ),
    (
        "lt_frozen",
        "UPDATE ON ledger_transactions",
        "OLD.posted = 1",
        "posted already; post a reversal",
    ),
    (
        "lt_no_insert",
        "INSERT ON ledger_transactions",
        "NEW.posted = 1",
        "write the entries first",
    ),
    (
        "lt_no_delete",
        "DELETE ON ledger_transactions",
        "OLD.posted = 1",
        "the ledger is append-only",
    ),
)


def make_ledger_triggers() -> None:
    """Make the triggers, for SQLite or PostgreSQL."""
    connection = op.get_bind()
    on_sqlite = connection.dialect.name == "sqlite"
    make = _for_sqlite if on_sqlite else _for_postgresql
    for rule in _RULES:
        for statement in make(*rule):
            connection.exec_driver_sql(statement)


def _for_sqlite(name: str, event: str, when: str | None, text: str) -> list[str]:
    condition = "" if when is None else f"WHEN {when} "
    head = f"CREATE TRIGGER {name} BEFORE {event}"
    return [f"{head} {condition}BEGIN SELECT RAISE(ABORT, '{text}'); END"]


def _for_postgresql(name: str, event: str, when: str | None, text: str) -> list[str]:
    refuse = f"RAISE EXCEPTION '{text}' USING ERRCODE = '23000';"
    body = refuse if when is None else f"IF {when} THEN {refuse} END IF;"
    back = "OLD" if event.startswith("DELETE") else "NEW"
    function = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
    return [
        f"{function} AS $$ BEGIN {body} RETURN {back}; END $$",
        f"CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
