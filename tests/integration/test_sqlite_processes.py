"""One SQLite file, several processes: forks, kills, contention, wake-ups."""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.builders import QUEUE, TYPE, add, claim, job, new, put
from workflows.engine.states import JobState
from workflows.exceptions import StoreRefusedError
from workflows.stores.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
SETUP = """
import sys, uuid
from tests.contract.builders import add, claim, new
from workflows.store import Complete
from workflows.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
def enqueue(job_id):
    store.enqueue([new(job_id)], request_id=uuid.uuid4().hex)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[SqliteStore]:
    made = SqliteStore(url)
    made.now()
    yield made
    made.close()


@contextmanager
def running(url: str, code: str, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    """Run code in a process of its own, which ends with the block."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", SETUP + code, url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def enqueue(store: SqliteStore, job_id: str) -> None:
    """Enqueue under an id that no forked copy of this process makes too."""
    store.enqueue([new(job_id)], request_id=uuid.uuid4().hex)


def waiting(store: SqliteStore) -> int:
    info = store.get_queue(QUEUE)
    assert info is not None
    return info.counts[JobState.WAITING]


# -- forks -------------------------------------------------------------------------


def in_child(act: Callable[[], None]) -> int:
    """Fork, act in the child, and return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def open_files() -> list[str]:
    links = Path("/proc/self/fd").iterdir()
    return [str(link.readlink()) for link in links if link.is_symlink()]


def test_a_forked_child_inherits_no_connection(store: SqliteStore) -> None:
    add(store, "a")
    store.get_job("a")
    assert any("store.db" in name for name in open_files())

    def child() -> None:
        assert not any("store.db" in name for name in open_files())

    assert in_child(child) == 0


def test_parent_and_child_go_on_after_a_fork(store: SqliteStore) -> None:
    add(store, "a")

    def child() -> None:
        assert job(store, "a").state is JobState.WAITING
        enqueue(store, "b")

    assert in_child(child) == 0
    add(store, "c")
    assert [job(store, name).state for name in "abc"] == [JobState.WAITING] * 3
    assert store.fsck() == []


def test_a_child_keeps_what_it_writes_after_its_parent_has_closed(
    store: SqliteStore, url: str
) -> None:
    """The last to close removes the log: it must know that the child is there."""
    add(store, "a")
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            enqueue(store, "b")
            os.write(ready[1], b".")
            os.read(go[0], 1)
            enqueue(store, "c")
            os._exit(0)
        finally:
            os._exit(70)
    os.read(ready[0], 1)
    store.close()
    os.write(go[1], b".")
    _, status = os.waitpid(pid, 0)
    assert status == 0
    assert [job(store, name).state for name in "abc"] == [JobState.WAITING] * 3
    assert store.fsck() == []


def test_a_fork_waits_for_writes_of_other_threads(store: SqliteStore) -> None:
    stop = threading.Event()
    counts = [0, 0, 0]

    def produce(thread: int) -> None:
        while not stop.is_set():
            add(store, f"{thread}-{counts[thread]}")
            counts[thread] += 1

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in range(10):

            def child(n: int = n) -> None:
                enqueue(store, f"child-{n}")

            assert in_child(child) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert waiting(store) == sum(counts) + 10
    assert store.fsck() == []


def test_a_fork_behind_pythons_back_is_refused(store: SqliteStore) -> None:
    store.now()
    store._connections._pid += 1  # as if the copy had been made by other means
    with pytest.raises(StoreRefusedError, match="forked"):
        store.now()
    store._connections._pid -= 1


# -- kills -------------------------------------------------------------------------


def test_a_killed_process_loses_nothing_it_was_answered(
    store: SqliteStore, url: str
) -> None:
    code = """
n = 0
while True:
    enqueue(f"job-{n}")
    print(f"job-{n}", flush=True)
    n += 1
"""
    acknowledged: list[str] = []
    for _ in range(3):
        with running(url, code.replace("job-", f"{len(acknowledged)}-")) as process:
            acknowledged += [said(process) for _ in range(50)]
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            rest = process.stdout.read().splitlines()
            acknowledged += [line for line in rest if line]
    assert len(acknowledged) >= 150
    assert all(store.get_job(name) is not None for name in acknowledged)
    assert store.fsck() == []


# -- contention --------------------------------------------------------------------


def test_eight_writers_never_meet_a_locked_file(store: SqliteStore, url: str) -> None:
    code = """
mine = uuid.uuid4().hex
for n in range(60):
    enqueue(f"{mine}-{n}")
    token = uuid.uuid4().hex
    jobs = store.exchange(claim=claim(token, 4)).jobs
    ends = [Complete(job_id=job.id, token=token) for job in jobs]
    assert set(store.exchange(ends).statuses) <= {"ok"}
print("done", flush=True)
"""
    with (
        running(url, code) as a,
        running(url, code) as b,
        running(url, code) as c,
        running(url, code) as d,
        running(url, code) as e,
        running(url, code) as f,
        running(url, code) as g,
        running(url, code) as h,
    ):
        assert [said(process) for process in (a, b, c, d, e, f, g, h)] == ["done"] * 8
    info = store.get_queue(QUEUE)
    assert info is not None
    assert info.totals["enqueued"] == 8 * 60
    assert info.totals["completed"] + info.counts[JobState.WAITING] == 8 * 60
    assert store.fsck() == []


# -- wake-ups ----------------------------------------------------------------------


def test_a_waiter_wakes_within_milliseconds_when_another_process_enqueues(
    store: SqliteStore, url: str
) -> None:
    code = """
import time
for n, line in enumerate(sys.stdin):
    time.sleep(0.02)
    sent = time.monotonic()
    enqueue(f"job-{n}")
    print(sent, flush=True)
"""
    late = []
    with running(url, code) as process:
        assert process.stdin is not None
        for n in range(20):
            process.stdin.write("go\n")
            process.stdin.flush()
            assert store.wait({QUEUE: [TYPE]}, 5.0)
            woken = time.monotonic()
            late.append(woken - float(said(process)))
            assert store.get_job(f"job-{n}") is not None
            store.drain(QUEUE)
    print(f"woken after {statistics.median(late) * 1000:.1f} ms (median)")
    assert statistics.median(late) < 0.05


def test_a_waiter_wakes_when_a_thread_of_its_process_enqueues(
    store: SqliteStore,
) -> None:
    woken: list[bool] = []
    waiter = threading.Thread(
        target=lambda: woken.append(store.wait({QUEUE: [TYPE]}, 10.0))
    )
    waiter.start()
    began = time.monotonic()
    add(store, "a")
    waiter.join()
    assert woken == [True]
    assert time.monotonic() - began < 1.0


def test_a_waiter_sleeps_on_for_jobs_of_other_types_and_queues(
    store: SqliteStore,
) -> None:
    put(store, new("a", type="other"), new("b", queue="elsewhere"))
    assert store.wait({QUEUE: [TYPE]}, 0.05) is False


def test_a_waiter_wakes_when_a_delayed_job_is_due(store: SqliteStore) -> None:
    began = time.monotonic()
    add(store, "a", delay_ms=100)
    assert store.wait({QUEUE: [TYPE]}, 5.0) is True
    assert 0.09 < time.monotonic() - began < 5.0


def test_a_waiter_does_not_wake_for_what_its_claim_has_just_passed_over(
    store: SqliteStore,
) -> None:
    """A suspect that may not start yet must not keep its claimer busy."""
    add(store, "a")
    store.exchange(claim=claim("t", 0, prefetch=0))
    assert store.wait({QUEUE: [TYPE]}, 0.05) is False
    add(store, "b")
    assert store.wait({QUEUE: [TYPE]}, 0.05) is True


def test_wake_ends_every_wait(store: SqliteStore) -> None:
    woken: list[bool] = []

    def wait() -> None:
        woken.append(store.wait({QUEUE: [TYPE]}, 10.0))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.wake()  # a thread may not have begun to wait yet
        time.sleep(0.001)
    assert woken == [True] * 3


# -- fsyncs ------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the fsyncs")
def test_a_loaded_consumer_syncs_at_most_once_in_five_jobs(
    store: SqliteStore, url: str, tmp_path: Path
) -> None:
    jobs = 2000
    for start in range(0, jobs, 1000):
        add(store, *(f"job-{n}" for n in range(start, start + 1000)))
    code = """
ends, total = [], 0
while True:
    token = uuid.uuid4().hex
    jobs = store.exchange(ends, claim(token, 16)).jobs
    ends = [Complete(job_id=job.id, token=token) for job in jobs]
    total += len(jobs)
    if not jobs:
        break
print(total, flush=True)
"""
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace))
    with running(url, code, *strace) as process:
        assert said(process) == str(jobs)
        process.wait()
    syncs = len(re.findall(r"\bf(?:data)?sync\(", trace.read_text()))
    assert jobs / 16 <= syncs <= jobs / 5
    print(f"{syncs / jobs:.3f} fsyncs a job")
