"""A job shows its progress, logs, changes its payload, and goes on where it was."""

from typing import Any

import pytest
from pydantic import BaseModel

from tests.conftest import ADAPTERS, MakeStore
from workflows.client import JobClient
from workflows.exceptions import LeaseLost
from workflows.huey import JobContext, WorkflowHuey
from workflows.huey.handler import HueyHandler
from workflows.runtime.lease import Lease
from workflows.store import Claim, JobRecord, LeasedJob, QueueClaim, Store


class Backwards:
    """A codec whose bytes nobody takes for JSON."""

    def encode(self, data: bytes) -> bytes:
        return data[::-1]

    def decode(self, data: bytes) -> bytes:
        return data[::-1]


class Import(BaseModel):
    rows: int


@pytest.fixture(params=ADAPTERS)
def store(request: pytest.FixtureRequest, make_store: MakeStore) -> Store:
    return make_store(request.param)


def leased(store: Store, number: int = 1) -> LeasedJob:
    wanted = QueueClaim("imports", ("load",), 1)
    claim = Claim(id=f"c{number}", owner="me", queues=(wanted,), slots=1)
    (job,) = store.exchange(claim=claim).jobs
    return job


def run(huey: WorkflowHuey, job: LeasedJob) -> None:
    """Run a leased job as a consumer's thread does, and settle it."""
    ended = HueyHandler(huey).run(Lease(job, ends_ns=2**62, granted_ns=0))
    huey.store.exchange([ended.settlement])


def record(store: Store, job_id: str) -> JobRecord:
    found = store.get_job(job_id)
    assert found is not None
    return found


def test_a_job_goes_on_where_its_last_attempt_was(store: Store) -> None:
    huey = WorkflowHuey("reports", store=store)
    began_at: list[Any] = []

    @huey.job(queue="imports", payload=Import, name="load", retry=2, context=True)
    def load(work: Import, *, job: JobContext) -> int:
        first = job.last_checkpoint(int) or 0
        began_at.append(first)
        for row in range(first, work.rows):
            if row == 3 and job.attempt == 1:
                raise OSError
            job.checkpoint(row + 1)
            job.update_progress({"done": row + 1})
            job.log(f"row {row}")
        return work.rows

    load.enqueue(Import(rows=5), job_id="a")
    run(huey, leased(store))
    assert record(store, "a").progress == b'{"done":3}'
    run(huey, leased(store, 2))
    assert began_at == [0, 3]
    found = record(store, "a")
    assert (found.state, found.progress) == ("completed", b'{"done":5}')
    lines = [line.text for line in store.list_log("a").lines]
    assert lines == [f"row {row}" for row in range(5)]


def test_a_payload_that_a_job_changes_is_valid_and_used_next(store: Store) -> None:
    huey = WorkflowHuey("reports", store=store)
    seen: list[int] = []

    @huey.job(queue="imports", payload=Import, name="load", retry=2, context=True)
    def load(work: Import, *, job: JobContext) -> None:
        seen.append(work.rows)
        if job.attempt == 1:
            with pytest.raises(ValueError, match="rows"):
                job.update_payload({"rows": "many"})
            job.update_payload(Import(rows=work.rows - 1))
            raise OSError

    load.enqueue(Import(rows=5), job_id="a")
    run(huey, leased(store))
    run(huey, leased(store, 2))
    assert seen == [5, 4]


def test_a_run_that_lost_its_lease_ends_at_its_next_report(store: Store) -> None:
    huey = WorkflowHuey("reports", store=store)
    after: list[str] = []

    @huey.job(queue="imports", payload=Import, name="load", context=True)
    def load(_work: Import, *, job: JobContext) -> None:
        store.sweep(interval_ms=10**9)
        zombie = job.reports
        assert zombie is not None
        object.__setattr__(zombie, "_job", stale)
        with pytest.raises(LeaseLost):
            job.update_progress(1)
        job.checkpoint(1)
        after.append("never")

    load.enqueue(Import(rows=5), job_id="a")
    job = leased(store)
    stale = LeasedJob(
        **{name: getattr(job, name) for name in job.__slots__} | {"token": "old"}
    )
    run(huey, job)
    assert after == []
    assert record(store, "a").checkpoint == b""
    assert record(store, "a").state == "waiting"


def test_what_a_job_reports_is_sealed_by_the_codec(store: Store) -> None:
    huey = WorkflowHuey("reports", store=store, codec=Backwards())

    @huey.job(queue="imports", payload=Import, name="load", retry=2, context=True)
    def load(work: Import, *, job: JobContext) -> None:
        assert job.last_checkpoint() in (None, [1, 2])
        job.checkpoint([1, 2])
        job.update_progress("half")
        if job.attempt == 1:
            raise OSError

    load.enqueue(Import(rows=5), job_id="a")
    run(huey, leased(store))
    run(huey, leased(store, 2))
    found = record(store, "a")
    assert (found.state, found.checkpoint) == ("completed", b"]2,1[")
    client = JobClient(store, huey.job_types, lambda: "id", huey.converter)
    shown = client.get_job("a")
    assert (shown.checkpoint, shown.progress) == (b"[1,2]", b'"half"')


def test_a_line_too_long_is_cut(store: Store) -> None:
    huey = WorkflowHuey("reports", store=store)

    @huey.job(queue="imports", payload=Import, name="load", context=True)
    def load(_work: Import, *, job: JobContext) -> None:
        job.log("ä" * 9000, "a\0b", "\ud800")

    load.enqueue(Import(rows=5), job_id="a")
    run(huey, leased(store))
    long, *others = (line.text for line in store.list_log("a").lines)
    assert long.endswith("ä [cut]")
    assert len(long.encode()) <= 8192
    assert others == ["a�b", "?"]


def test_a_context_made_by_hand_says_nothing() -> None:
    context = JobContext.__new__(JobContext)
    object.__setattr__(context, "reports", None)
    context.log("a")
    context.update_progress(1)
    context.update_payload({})
    context.checkpoint(1)
    assert context.last_checkpoint() is None
