"""Creating a run: its row, its first event, its first workflow task."""

from collections.abc import Iterable

from workflows.store import InboxEntry, NewRun
from workflows.stores.sqlite.inbox import add
from workflows.stores.sqlite.memory import as_json
from workflows.stores.sqlite.runs import Run, Runs
from workflows.stores.sqlite.tasks import make_task
from workflows.stores.sqlite.transaction import Transaction


def create(runs: Runs, new: NewRun, *entries: InboxEntry) -> Run:
    """Create a run; `entries` lie in its inbox after its own. Its id must be free."""
    run = runs.insert(new)
    runs.add_events(run, [new.started])
    add(runs, run, [*new.inbox, *entries])
    make_task(runs.tx, run, new.delay_ms)
    return run


def any_exists(tx: Transaction, run_ids: Iterable[str]) -> bool:
    """Return whether one of these ids is a run's already."""
    row = tx.execute(
        "SELECT 1 FROM runs WHERE run_id IN (SELECT value FROM json_each(?)) LIMIT 1",
        (as_json(run_ids),),
    ).fetchone()
    return row is not None
