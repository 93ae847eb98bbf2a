"""The same call on the oracle and on every adapter, and what must be equal."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

from tests.clock import ManualClock
from tests.oracle import OracleStore
from workflows.engine.states import JobState
from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.store import (
    MAX_STEP,
    Claim,
    Exchanged,
    JobPage,
    Minute,
    PendingWork,
    QueueInfo,
    RunRef,
    Settlement,
    Store,
    WorkerInfo,
)

SPACES = ("result", "value", "revoked", "lock", "join", "metric")
REFUSALS = (ConflictError, InvalidArgumentError, NotFoundError)


class World:
    """One oracle and some adapters that see one clock and the same calls."""

    def __init__(self, clock: ManualClock, adapters: Mapping[str, Store]) -> None:
        self.clock = clock
        self.oracle = OracleStore(clock)
        self.adapters = dict(adapters)
        self.calls: Counter[str] = Counter()
        self.broken = False
        self._program: list[str] = []

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Call all; return the oracle's answer once every adapter gave the same."""
        with self._step(name, *args, **options):
            expected = answer(getattr(self.oracle, name), args, options)
            for kind, adapter in self.adapters.items():
                got = answer(getattr(adapter, name), args, options)
                compare(kind, got, expected)
        return expected

    def exchange(
        self, settlements: Sequence[Settlement], claim: Claim | None, *, fresh: bool
    ) -> Exchanged:
        """Exchange; a repeated claim is free in when it says to look again."""
        for settlement in settlements:
            self.calls[f"settle {type(settlement).__name__}"] += 1
        self.calls["claim" if fresh else "claim again"] += claim is not None
        with self._step("exchange", settlements, claim):
            expected = self.oracle.exchange(settlements, claim)
            for kind, adapter in self.adapters.items():
                got = adapter.exchange(settlements, claim)
                bound = expected.next_in_ms
                compare(kind, replace(got, next_in_ms=bound), expected)
                if (
                    fresh
                    and claim is not None
                    and not soon_enough(got.next_in_ms, bound)
                ):
                    msg = f"{kind} looks again in {got.next_in_ms} ms, not {bound}"
                    raise AssertionError(msg)
        return expected

    def pages(self, queue: str, state: JobState, limit: int) -> None:
        """Read a list page by page, each store with its own cursors."""
        with self._step("list_jobs", queue, state, limit):
            expected = whole(self.oracle, queue, state, limit)
            for kind, adapter in self.adapters.items():
                compare(kind, whole(adapter, queue, state, limit), expected)

    def pages_of_runs(self, limit: int, **filters: Any) -> None:
        """Read a list of runs page by page, each store with its own cursors."""
        with self._step("list_runs", limit, **filters):
            expected = all_runs(self.oracle, limit, **filters)
            for kind, adapter in self.adapters.items():
                compare(kind, all_runs(adapter, limit, **filters), expected)

    def sleep(self, ms: int) -> None:
        """Let time pass."""
        with self._step("sleep", ms):
            self.clock.advance(ms)

    def check(self) -> str:
        """Compare everything that can be read, check all; return a digest of it."""
        with self._step("fsck"):
            expected = snapshot(self.oracle)
            compare("the oracle's fsck", self.oracle.fsck(), [])
            for kind, adapter in self.adapters.items():
                got = snapshot(adapter)
                for part, value in expected.items():
                    compare(f"{kind}, {part}", got[part], value)
                compare(f"{kind}, fsck", adapter.fsck(), [])
        return hashlib.sha256(repr(expected).encode()).hexdigest()

    @contextmanager
    def _step(self, name: str, *args: Any, **options: Any) -> Iterator[None]:
        """Note the step; a difference shows the program that led to it."""
        self.calls[name] += 1
        shown = [brief(arg) for arg in args]
        shown += [f"{key}={brief(value)}" for key, value in options.items()]
        self._program.append(f"{name}({', '.join(shown)})")
        try:
            yield
        except BaseException as error:
            self.broken = True
            error.add_note("after the program:\n  " + "\n  ".join(self._program))
            raise


def compare(kind: str, got: Any, expected: Any) -> None:
    """Compare kinds too: True is not 1."""
    if got == expected and type(got) is type(expected):
        return
    message = f"{kind} differs:\n  it: {brief(got)}\n  oracle: {brief(expected)}"
    raise AssertionError(message)


def brief(value: Any) -> str:
    """Show records without the fields that have their default."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(brief(one) for one in value)}]"
    if not is_dataclass(value):
        return repr(value) if not isinstance(value, StrEnum) else value.value
    shown = [
        f"{one.name}={brief(getattr(value, one.name))}"
        for one in fields(value)
        if getattr(value, one.name) != one.default
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def answer(act: Callable[..., Any], args: Any, options: Any) -> Any:
    """Return what a call returns, or the kind of its refusal."""
    try:
        return plain(act(*args, **options))
    except REFUSALS as error:
        return next(kind.__name__ for kind in REFUSALS if isinstance(error, kind))


def soon_enough(got: int | None, bound: int | None) -> bool:
    """Whether a worker that waits so long misses nothing that time alone brings."""
    if bound is None:
        return got is None or got >= 0
    return got is not None and 0 <= got <= bound


def plain(value: Any) -> Any:
    """Bring answers into one form: missing counts are 0, sequences are tuples."""
    match value:
        case QueueInfo():
            counts = {state: value.counts.get(state, 0) for state in JobState}
            return replace(value, counts=counts, totals=nonzero(value.totals))
        case Minute():
            return replace(value, counts=nonzero(value.counts))
        case WorkerInfo():
            queues = {name: tuple(types) for name, types in value.queues.items()}
            return replace(
                value, queues=queues, schedules=tuple(sorted(value.schedules))
            )
        case PendingWork():
            timers, tokens = dict(value.timers), dict(value.tokens)
            return replace(value, timers=timers, tokens=tokens)
        case Mapping():
            return nonzero(value)
        case list():
            return [plain(one) for one in value]
    return value


def nonzero(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: number for key, number in sorted(counts.items()) if number}


def whole(store: Store, queue: str, state: JobState, limit: int) -> list[Any]:
    """Return a whole list of jobs, read in pages of `limit`."""
    records: list[Any] = []
    cursor: str | None = None
    while True:
        page: JobPage = store.list_jobs(queue, state, limit=limit, cursor=cursor)
        assert len(page.jobs) <= limit
        records += page.jobs
        cursor = page.cursor
        if cursor is None:
            return records


def all_runs(store: Store, limit: int, **filters: Any) -> list[Any]:
    """Return a whole list of runs, read in pages of `limit`."""
    records: list[Any] = []
    cursor: str | None = None
    while True:
        page = store.list_runs(limit=limit, cursor=cursor, **filters)
        assert len(page.runs) <= limit
        records += page.runs
        cursor = page.cursor
        if cursor is None:
            return records


def snapshot(store: Store) -> dict[str, Any]:
    """Return all that can be read of a store, in parts that can be compared."""
    queues = plain(store.list_queues())
    parts: dict[str, Any] = {"now": store.now(), "queues": queues}
    for info in queues:
        minutes = [one for one in store.series(info.name, since_minute=0) if one.counts]
        parts[f"minutes of {info.name}"] = plain(minutes)
        for state in JobState:
            jobs = whole(store, info.name, state, MAX_STEP)
            parts[f"{state} jobs of {info.name}"] = jobs
            assert len(jobs) == info.counts[state], f"count of {state} {info.name}"
    parts["schedules"] = store.list_schedules()
    parts["workers"] = plain(store.list_workers())
    for space in SPACES:
        parts[f"values of {space}"] = dict(sorted(store.list_values(space).items()))
    runs = all_runs(store, MAX_STEP)
    parts["runs"] = runs
    parts["runs per status"] = plain(store.count_runs())
    parts["overdue"] = store.list_overdue()
    parts["unknown"] = store.list_unknown(grace_ms=0)
    for run in runs:
        parts[f"run {run.run_id}"] = store.load_run(run.run_id)
        parts[f"what {run.run_id} waits for"] = plain(store.pending_work(run.run_id))
        ref = RunRef(workflow_id=run.workflow_id)
        parts[f"current run of {run.workflow_id}"] = store.get_run(ref)
    return parts
