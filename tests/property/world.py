"""The same call on the oracle and on every adapter, and what must be equal."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.clock import ManualClock
from tests.oracle import OracleStore
from workflows.engine.states import JobState
from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.store import (
    MAX_STEP,
    Exchanged,
    JobPage,
    Minute,
    QueueInfo,
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

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Call all; return the oracle's answer once every adapter gave the same."""
        self.calls[name] += 1
        self.broken = True  # until it is known to be right
        expected = answer(getattr(self.oracle, name), args, options)
        for kind, adapter in self.adapters.items():
            got = answer(getattr(adapter, name), args, options)
            agreed = agree(expected, got)
            assert agreed, (
                f"{name}{args}{options or ''}:\n{kind:>8}: {got!r}\n"
                f"{'oracle':>8}: {expected!r}"
            )
        self.broken = False
        return expected

    def exchange(self, settlements: Any, claim: Any, *, fresh: bool) -> Exchanged:
        """Exchange; a repeated claim is free in when it says to look again."""
        for settlement in settlements:
            self.calls[f"settle {type(settlement).__name__}"] += 1
        self.calls["claim" if fresh else "claim again"] += claim is not None
        self.calls["exchange"] += 1
        self.broken = True
        expected = self.oracle.exchange(settlements, claim)
        for kind, adapter in self.adapters.items():
            got = adapter.exchange(settlements, claim)
            same = replace(got, next_in_ms=expected.next_in_ms) == expected
            assert same, (
                f"exchange({settlements}, {claim}):\n{kind:>8}: {got!r}\n"
                f"{'oracle':>8}: {expected!r}"
            )
            if fresh and claim is not None:
                assert soon_enough(got.next_in_ms, expected.next_in_ms), (
                    f"exchange({settlements}, {claim}): {kind} looks again in "
                    f"{got.next_in_ms} ms, the oracle in {expected.next_in_ms} ms"
                )
        self.broken = False
        return expected

    def pages(self, queue: str, state: JobState, limit: int) -> None:
        """Read a list page by page, each store with its own cursors."""
        self.calls["list_jobs"] += 1
        self.broken = True
        stores = {"oracle": self.oracle, **self.adapters}
        lists = {name: whole(s, queue, state, limit) for name, s in stores.items()}
        for kind in self.adapters:
            assert lists[kind] == lists["oracle"], (
                f"{kind}: {state} jobs of {queue} by {limit}"
            )
        self.broken = False

    def check(self) -> str:
        """Compare everything that can be read, check all; return a digest of it."""
        self.calls["fsck"] += 1
        expected = snapshot(self.oracle)
        faults = self.oracle.fsck()
        assert faults == [], f"oracle: {faults}"
        for kind, adapter in self.adapters.items():
            got = snapshot(adapter)
            for part, value in expected.items():
                assert got[part] == value, (
                    f"{part}:\n{kind:>8}: {got[part]!r}\n{'oracle':>8}: {value!r}"
                )
            faults = adapter.fsck()
            assert faults == [], f"{kind}: {faults}"
        return hashlib.sha256(repr(expected).encode()).hexdigest()


def answer(act: Callable[..., Any], args: Any, options: Any) -> Any:
    """Return what a call returns, or the kind of its refusal."""
    try:
        return plain(act(*args, **options))
    except REFUSALS as error:
        return next(kind.__name__ for kind in REFUSALS if isinstance(error, kind))


def agree(expected: Any, got: Any) -> bool:
    """Compare kinds too: True is not 1."""
    return bool(expected == got) and type(expected) is type(got)


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
    return parts
