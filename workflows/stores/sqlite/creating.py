"""Creating a run: its row, its first event, its first workflow task."""

from collections.abc import Iterable

from workflows.store import InboxEntry, NewRun
from workflows.stores.sqlite.inbox import add
from workflows.stores.sqlite.runs import Run, Runs
from workflows.stores.sqlite.tasks import make_task
from workflows.stores.sqlite.transaction import Transaction

_EXISTS = "SELECT 1 FROM runs WHERE run_id = ?"


def create(runs: Runs, new: NewRun, *entries: InboxEntry) -> Run:
    """Create a run; `entries` lie in its inbox after its own. Its id must be free."""
    run = runs.insert(new)
    add(runs, run, [*new.inbox, *entries])
    make_task(runs.tx, run, new.delay_ms)
    return run


def any_exists(tx: Transaction, run_ids: Iterable[str]) -> bool:
    """Return whether one of these ids is a run's already."""
    return any(tx.execute(_EXISTS, (run_id,)).fetchone() for run_id in run_ids)
