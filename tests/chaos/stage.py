"""One run: consumers, producers and ledgers of a cell, from first job to last check."""

import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from tests.chaos import ledger
from tests.chaos.ledger import Ledger, Tail
from tests.chaos.places import (
    Cell,
    Consumer,
    Producer,
    SqliteFile,
    Valkey,
    medium,
    scratch,
)
from workflows.engine.states import JobState
from workflows.exceptions import StoreError
from workflows.store import MAX_STEP, JobRecord, Store, StoreOptions
from workflows.stores import open_store

QUEUE = "work"
LIVE_STATES = (JobState.WAITING, JobState.DELAYED, JobState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made of; seconds."""

    lease: float = 2.0
    sweep: float = 0.5
    workers: int = 8
    grace: float = 10.0
    sabotage: str = ""
    keep: Path | None = None


class Stage:
    """The running parts, and what the ledgers say so far."""

    app = "tests.chaos.app"
    producers_module = "tests.chaos.producer"

    def __init__(
        self, cell: Cell, folder: Path, store: SqliteFile | Valkey, settings: Settings
    ) -> None:
        self.cell = cell
        self.folder = folder
        self.medium = store
        self.settings = settings
        self.env = {
            "CHAOS_FOLDER": str(folder),
            "CHAOS_URL": store.url,
            "CHAOS_LEASE": str(settings.lease),
            "CHAOS_SWEEP": str(settings.sweep),
        }
        self.consumers: list[Consumer] = []
        self.producers: list[Producer] = []
        self.acked: dict[str, str] = {}
        self.effects: Counter[str] = Counter()
        self._open: dict[int, set[str]] = defaultdict(set)
        self._acks = Tail(folder / ledger.ACKS)
        self._runs = Tail(folder / ledger.RUNS)
        self._faults = Ledger(folder / ledger.FAULTS)
        self._store: Store | None = None

    # -- parts -------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The store, to look at from outside."""
        if self._store is None:
            options = StoreOptions(namespace="chaos")
            self._store = open_store(self.medium.url, options)
        return self._store

    def consumer(self) -> Consumer:
        """Start the next generation."""
        consumer = Consumer(
            len(self.consumers) + 1,
            self.cell.workers,
            {**self.env, "CHAOS_SABOTAGE": self.settings.sabotage},
            self.folder,
            count=self.settings.workers,
            grace=self.settings.grace,
            app=self.app,
        )
        self.consumers.append(consumer)
        return consumer

    def producer(self, *, longest_ms: int = 100, mixed: bool = True) -> Producer:
        """Start a producer."""
        number = len(self.producers) + 1
        producer = Producer(
            f"p{number}",
            self.env,
            self.folder,
            seed=number,
            longest_ms=longest_ms,
            mixed=mixed,
            module=self.producers_module,
        )
        self.producers.append(producer)
        return producer

    def fault(self, what: str, consumer: Consumer | None = None) -> None:
        """Write down what is about to be done, before it is done."""
        generation = {} if consumer is None else {"gen": consumer.number}
        self._faults.add(fault=what, **generation)

    def close(self) -> None:
        """End every process of this run."""
        for consumer in self.consumers:
            consumer.send(signal.SIGCONT)
            consumer.kill()
        for producer in self.producers:
            producer.abandon()
        if self._store is not None:
            self._store.close()

    # -- what the ledgers say ----------------------------------------------------------

    def look(self) -> None:
        """Read what is new."""
        for line in self._acks.new():
            self.acked[line["id"]] = line.get("kind", "")
        for line in self._runs.new():
            if line["e"] == "start":
                self._open[line["gen"]].add(line["id"])
            else:
                self._open[line["gen"]].discard(line["id"])
            if line["e"] == "effect":
                self.effects[line["id"]] += 1

    def running(self, consumer: Consumer) -> set[str]:
        """Return the jobs that a generation has started and not ended."""
        self.look()
        return self._open[consumer.number]

    def until(
        self, what: str, holds: Callable[[], bool], timeout: float = 60.0
    ) -> None:
        """Wait until something holds; what did not come true is an error."""
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                raise StageError(f"{self.cell}: {what} after {timeout:.0f} s")
            time.sleep(0.01)

    def until_running(
        self, consumer: Consumer, count: int, timeout: float = 30
    ) -> None:
        """Wait until a generation works on so many jobs at once."""

        def holds() -> bool:
            if consumer.ended:
                tail = consumer.log.read_text(errors="replace")[-3_000:]
                raise StageError(f"{self.cell}: the consumer ended by itself\n{tail}")
            return len(self.running(consumer)) >= count

        self.until(f"fewer than {count} jobs running", holds, timeout)

    # -- the end -----------------------------------------------------------------------

    def live(self) -> int:
        """Return how many jobs are not at their end, as the store counts them."""
        info = self.store.get_queue(QUEUE)
        return sum(info.counts.get(s, 0) for s in LIVE_STATES) if info else 0

    def settle_down(self, timeout: float) -> None:
        """Wait until every job is at its end, or nothing moves for many leases."""
        patience = 4 * self.settings.lease + 4 * self.settings.sweep + 3
        moved, seen = time.monotonic(), (-1, -1)
        deadline = moved + timeout
        while seen[0] and time.monotonic() < min(deadline, moved + patience):
            time.sleep(0.1)
            try:
                now = (self.live(), self._runs.place)
            except StoreError:
                continue
            self.look()
            if now != seen:
                moved, seen = time.monotonic(), now

    def dump(self) -> None:
        """Write every record of the store to a ledger, with counters and fsck."""
        out = Ledger(self.folder / ledger.RECORDS)
        for record in self._records():
            out.add(**_plain(record))
        info = self.store.get_queue(QUEUE)
        out.add(
            counts={state: count for state, count in info.counts.items() if count}
            if info
            else {},
            totals=dict(info.totals) if info else {},
            fsck=self.store.fsck(),
        )

    def _records(self) -> Iterator[JobRecord]:
        for state in JobState:
            cursor: str | None = None
            while True:
                page = self.store.list_jobs(QUEUE, state, limit=MAX_STEP, cursor=cursor)
                yield from page.jobs
                if (cursor := page.cursor) is None:
                    break


class StageError(Exception):
    """The scenario itself could not be played."""


def _plain(record: JobRecord) -> dict[str, object]:
    attempts = []
    for attempt in record.attempts:
        values = asdict(attempt)
        attempts.append({**values, "failure": attempt.failure.decode()[:200]})
    return {
        "id": record.id,
        "state": record.state,
        "reason": record.reason,
        "attempts_made": record.attempts_made,
        "stalls": record.stalls,
        "releases": record.releases,
        "result": record.result.decode() if record.result else "",
        "attempts": attempts,
    }


S = TypeVar("S", bound=Stage)


@contextmanager
def stage(cell: Cell, settings: Settings, name: str) -> Iterator[Stage]:
    """Make the place for a run of one scenario in one cell."""
    with stage_of(Stage, cell, settings, name) as made:
        yield made


@contextmanager
def stage_of(kind: type[S], cell: Cell, settings: Settings, name: str) -> Iterator[S]:
    """Make a place of a kind."""
    with (
        scratch(settings.keep, f"{name}-{cell}{settings.sabotage}") as folder,
        medium(cell, folder) as store,
    ):
        made = kind(cell, folder, store, settings)
        try:
            yield made
        finally:
            made.close()
