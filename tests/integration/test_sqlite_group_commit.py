"""Many threads, few commits: what one of them does never harms the others."""

import ctypes
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pysqlite3
import pytest

from tests.contract.builders import add, new
from workflows.engine.states import JobState
from workflows.exceptions import (
    NotFoundError,
    StoreFullError,
    StoreUnavailableError,
)
from workflows.store import Enqueued, QueueLimits
from workflows.stores.sqlite import SqliteStore
from workflows.stores.sqlite.accepting import insert
from workflows.stores.sqlite.transaction import Transaction

THREADS = 16
_NO_LIMITS = QueueLimits()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(f"sqlite:///{path}")
    made.now()
    yield made
    made.close()


@contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """Hold the write lock, so that operations queue up behind one that waits for it."""
    connection = pysqlite3.connect(str(path), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def together(
    store: SqliteStore, path: Path, *calls: Callable[[], object]
) -> list[Future[object]]:
    """Run calls in threads: the first leads a group alone, the others form the next."""
    with ThreadPoolExecutor(len(calls) + 1) as pool, write_lock(path):
        first = pool.submit(store.declare_queue, "lead", _NO_LIMITS)
        _until(lambda: len(store._writer._queue) == 1)
        futures = [pool.submit(call) for call in calls]
        _until(lambda: len(store._writer._queue) == len(calls) + 1)
    assert first.result() is None
    return futures


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def enqueue(store: SqliteStore, job_id: str) -> Callable[[], list[Enqueued]]:
    return lambda: store.enqueue([new(job_id)], request_id=f"request {job_id}")


def ids(store: SqliteStore) -> set[str]:
    page = store.list_jobs("mail", JobState.WAITING, limit=1000)
    return {job.id for job in page.jobs}


def test_what_waits_together_is_committed_together(
    store: SqliteStore, path: Path
) -> None:
    before = store._writer.commits
    names = {f"job-{n}" for n in range(THREADS)}
    futures = together(store, path, *(enqueue(store, name) for name in sorted(names)))
    assert {future.result()[0].id for future in futures} == names  # type: ignore[index]
    assert ids(store) == names
    assert store._writer.commits - before == 2
    assert store.fsck() == []


def test_a_refused_operation_does_not_hinder_its_group(
    store: SqliteStore, path: Path
) -> None:
    before = store._writer.commits
    futures = together(
        store,
        path,
        enqueue(store, "a"),
        lambda: store.remove("nobody"),
        enqueue(store, "b"),
    )
    assert isinstance(futures[1].exception(), NotFoundError)
    assert ids(store) == {"a", "b"}
    assert store._writer.commits - before == 2
    info = store.get_queue("mail")
    assert info is not None
    assert info.totals["enqueued"] == 2


def spoil(store: SqliteStore) -> Callable[[], object]:
    """An operation that fails after it has written."""

    def operation(tx: Transaction) -> None:
        insert(tx, [new("spoiler")])
        raise NotFoundError("too late")

    return lambda: store._write(operation)


def test_an_operation_that_fails_after_a_write_is_undone_alone(
    store: SqliteStore, path: Path
) -> None:
    futures = together(
        store, path, enqueue(store, "a"), spoil(store), enqueue(store, "b")
    )
    assert isinstance(futures[1].exception(), NotFoundError)
    assert futures[0].exception() is None
    assert futures[2].exception() is None
    assert ids(store) == {"a", "b"}
    assert store.fsck() == []


def test_a_disk_that_is_full_for_one_is_not_full_for_its_group(
    store: SqliteStore, path: Path
) -> None:
    add(store, *(f"old-{n}" for n in range(50)))
    connection = store._connections.write(lambda writer: writer)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    large = new("large", payload=b"x" * 200_000)
    futures = together(
        store,
        path,
        enqueue(store, "a"),
        lambda: store.enqueue([large], request_id="r"),
        enqueue(store, "b"),
    )
    assert isinstance(futures[1].exception(), StoreFullError)
    assert {"a", "b"} <= ids(store)
    assert "large" not in ids(store)
    assert store.fsck() == []


def test_a_failed_commit_is_told_to_the_whole_group(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_to_commit(transaction: Transaction) -> None:
        raise pysqlite3.OperationalError("disk I/O error")

    def break_it() -> None:
        monkeypatch.setattr(Transaction, "write_shared", fail_to_commit)

    with ThreadPoolExecutor(THREADS) as pool:
        with write_lock(path):
            break_it()
            futures = [pool.submit(enqueue(store, f"job-{n}")) for n in range(5)]
            _until(lambda: len(store._writer._queue) == 5)
        errors = [future.exception() for future in futures]
    assert all(isinstance(error, StoreUnavailableError) for error in errors)
    monkeypatch.undo()
    assert ids(store) == set()
    assert enqueue(store, "after")()[0].id == "after"


def test_an_interrupted_leader_leaves_a_working_store(
    store: SqliteStore, path: Path
) -> None:
    def interrupt(tx: Transaction) -> None:
        insert(tx, [new("half")])
        raise KeyboardInterrupt

    def interrupted() -> str:
        try:
            store._write(interrupt)
        except (KeyboardInterrupt, StoreUnavailableError) as error:
            return type(error).__name__
        return "none"

    futures = together(store, path, enqueue(store, "a"), interrupted)
    outcomes = [futures[0].exception(), futures[1].result()]
    assert isinstance(outcomes[0], StoreUnavailableError | KeyboardInterrupt)
    assert enqueue(store, "a")()[0].id == "a"  # the same ids again
    assert ids(store) == {"a"}
    assert store.fsck() == []


def test_threads_that_never_stop_writing_all_get_their_turn(
    store: SqliteStore,
) -> None:
    before = store._writer.commits

    def produce(thread: int) -> None:
        for n in range(25):
            enqueue(store, f"{thread}-{n}")()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(produce, range(THREADS)))
    assert len(ids(store)) == THREADS * 25
    assert store._writer.commits - before < THREADS * 25 / 2
    assert store.fsck() == []


class Interrupt(BaseException):
    """What a timeout or a cancellation raises in a running job."""


def test_interrupts_at_any_line_lose_no_answered_write_and_block_nobody(
    store: SqliteStore,
) -> None:
    answered: list[str] = []
    stop = threading.Event()

    def produce(name: int) -> None:
        n = 0
        while not stop.is_set():
            try:
                while not stop.is_set():
                    n += 1
                    enqueue(store, f"{name}-{n}")()
                    answered.append(f"{name}-{n}")
            except (Interrupt, StoreUnavailableError):
                continue

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    chance = random.Random(1)
    for _ in range(400):
        ident = chance.choice(threads).ident
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(ident or 0), ctypes.py_object(Interrupt)
        )
        time.sleep(chance.uniform(0.0005, 0.004))
    stop.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert len(answered) > 100
    assert all(store.get_job(name) is not None for name in answered)
    assert store.fsck() == []
    store.close()  # would wait for ever for a use that was not ended
