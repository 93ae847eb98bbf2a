"""The blocking client as application code uses it, on each store."""

import itertools
from dataclasses import replace

import pytest
from pydantic import BaseModel

from tests.clock import ManualClock
from workflows.client import InvalidJobsError, JobClient, JobRequest, ScheduleRequest
from workflows.client.jobs import MAX_CLEAN
from workflows.engine.retry import retry_rule
from workflows.engine.schedule import CronSpec, IntervalSpec, Timetable
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.job_type import JobType
from workflows.store import (
    Bury,
    Claim,
    EnqueueStatus,
    NewJob,
    QueueClaim,
    QueueLimits,
    Store,
)


class Parcel(BaseModel):
    """What the jobs are about."""

    number: int
    to: str = ""


TYPES = {
    "send": JobType(
        name="send",
        queue="parcels",
        payload=Parcel,
        retry=retry_rule(None),
        priority=7,
        limits=QueueLimits(concurrency=2),
    ),
    "plain": JobType(name="plain", queue="plain", payload=None, retry=retry_rule(None)),
}
SEND = JobRequest(type="send", payload={"number": 1})
DAILY = Timetable(CronSpec("0 0 * * *"))


@pytest.fixture
def client(store: Store) -> JobClient:
    numbers = itertools.count()
    return JobClient(store, TYPES, lambda: f"id-{next(numbers)}")


def bury(store: Store, count: int) -> None:
    """Make dead letters in the queue of parcels."""
    for n in range(count):
        new = NewJob(id=f"dead-{n}", queue="parcels", type="send", payload=b"{}")
        store.enqueue([new], request_id=f"r-{n}")
        wanted = Claim(
            id=f"c-{n}",
            owner="w",
            queues=(QueueClaim("parcels", ("send",), 1),),
            slots=1,
        )
        (job,) = store.exchange(claim=wanted).jobs
        end = Bury(
            job_id=job.id, token=job.token, failure=b"", reason=DeadReason.MANUAL
        )
        store.exchange([end])


def test_a_job_gets_the_defaults_of_its_type(client: JobClient) -> None:
    added = client.add(SEND)
    record = client.get_job(added.id)
    assert added.status == EnqueueStatus.CREATED
    assert (record.queue, record.type, record.priority) == ("parcels", "send", 7)


def test_a_payload_may_be_a_model(client: JobClient) -> None:
    added = client.add(replace(SEND, payload=Parcel(number=3)))
    assert b'"number":3' in client.get_job(added.id).payload


def test_nothing_is_added_if_one_job_is_bad(client: JobClient) -> None:
    requests = [
        SEND,
        replace(SEND, payload={"number": "x", "to": 1}),
        replace(SEND, type="nobody"),
        replace(SEND, queue="letters"),
        replace(SEND, delay_ms=1, run_at=1),
        JobRequest(type="plain", payload={}),
    ]
    with pytest.raises(InvalidJobsError) as caught:
        client.add_many(requests)
    assert [(fault.path, fault.code) for fault in caught.value.faults] == [
        ("/1/payload/number", "int_parsing"),
        ("/1/payload/to", "string_type"),
        ("/2/type", "unknown_type"),
        ("/3/type", "wrong_queue"),
        ("/4/run_at", "conflict"),
        ("/5/payload", "invalid"),
    ]
    assert client.queue("parcels").counts.get(JobState.WAITING, 0) == 0


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_1_to_1000_jobs(client: JobClient, count: int) -> None:
    with pytest.raises(InvalidArgumentError, match=str(count)):
        client.add_many([SEND] * count)


def test_a_request_id_repeats_its_answer(client: JobClient) -> None:
    first = client.add_many([SEND, SEND], request_id="r1")
    assert client.add_many([SEND, SEND], request_id="r1") == first
    assert client.queue("parcels").counts[JobState.WAITING] == 2


def test_after_the_memory_of_requests_the_jobs_are_duplicates(
    client: JobClient, clock: ManualClock
) -> None:
    first = client.add(SEND, request_id="r1")
    clock.advance(3_600_000)
    again = client.add(SEND, request_id="r1")
    assert again.id == first.id
    assert client.queue("parcels").counts[JobState.WAITING] == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(SEND, payload={"number": 2}),
        replace(SEND, priority=1),
        replace(SEND, job_id="mine"),
        replace(SEND, delay_ms=5),
    ],
)
def test_a_request_id_means_one_set_of_jobs(
    client: JobClient, other: JobRequest
) -> None:
    client.add(SEND, request_id="r1")
    with pytest.raises(InvalidArgumentError, match="other jobs"):
        client.add(other, request_id="r1")
    with pytest.raises(InvalidArgumentError, match="other jobs"):
        client.add_many([SEND, SEND], request_id="r1")
    assert client.queue("parcels").counts[JobState.WAITING] == 1


def test_a_bad_job_does_not_use_up_its_request_id(client: JobClient) -> None:
    with pytest.raises(InvalidJobsError):
        client.add(replace(SEND, payload={}), request_id="r1")
    assert client.add(SEND, request_id="r1").status == EnqueueStatus.CREATED


# -- names of queues ------------------------------------------------------------------


def test_the_dead_letter_name_means_the_queue(client: JobClient) -> None:
    assert client.queue_name("parcels") == "parcels"
    assert client.queue_name("parcels-dlq") == "parcels"
    for unknown in ("nowhere", "nowhere-dlq", "-dlq", "parcels-dlq-dlq"):
        with pytest.raises(NotFoundError):
            client.queue_name(unknown)


def test_a_real_queue_of_that_name_wins(client: JobClient, store: Store) -> None:
    new = NewJob(id="a", queue="parcels-dlq", type="t", payload=b"{}")
    store.enqueue([new], request_id="r")
    assert client.queue_name("parcels-dlq") == "parcels-dlq"


def test_reading_makes_no_queue_and_pausing_makes_the_declared_one(
    client: JobClient, store: Store
) -> None:
    assert [queue.name for queue in client.queues()] == ["parcels", "plain"]
    assert client.dashboard().statistics.queues == 2
    assert store.list_queues() == []
    client.pause("parcels", by="Ann")
    (stored,) = store.list_queues()
    assert (stored.name, stored.paused) == ("parcels", True)
    assert stored.limits == QueueLimits(concurrency=2)


# -- bounded work ---------------------------------------------------------------------


def test_clean_goes_on_over_the_bounds_of_one_step(
    client: JobClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.client.jobs.MAX_STEP", 2)
    bury(store, 7)
    step = client.clean("parcels", limit=5)
    assert (step.count, step.more) == (5, True)
    step = client.clean("parcels", limit=5)
    assert (step.count, step.more) == (2, False)


@pytest.mark.parametrize("limit", [0, -1, MAX_CLEAN + 1])
def test_bulk_limits_are_bounded(client: JobClient, limit: int) -> None:
    for bulk in (client.clean, client.drain, client.retry_all_dead):
        with pytest.raises(InvalidArgumentError):
            bulk("parcels", limit=limit)


# -- schedules ------------------------------------------------------------------------


def request(timetable: Timetable = DAILY) -> ScheduleRequest:
    return ScheduleRequest(
        id="nightly", type="send", payload={"number": 1}, timetable=timetable
    )


def test_a_schedule_starts_with_the_next_slot_and_keeps_it(
    client: JobClient, clock: ManualClock
) -> None:
    assert client.schedules.put(request()) is True
    first = client.schedules.get("nightly")
    assert first.next_at is not None
    assert first.next_at > client.now()
    assert (first.queue, first.priority) == ("parcels", 7)
    assert client.schedules.put(request()) is False
    assert client.schedules.get("nightly") == first
    client.schedules.put(request(Timetable(IntervalSpec(60_000))))
    changed = client.schedules.get("nightly")
    assert changed.next_at == (clock() // 60_000 + 1) * 60_000


def test_what_code_declares_is_changed_in_code(client: JobClient, store: Store) -> None:
    client.schedules.put(request())
    store.upsert_schedule(replace(client.schedules.get("nightly"), declared=True))
    with pytest.raises(ConflictError):
        client.schedules.put(request())
    with pytest.raises(ConflictError):
        client.schedules.delete("nightly")
    client.schedules.pause("nightly")
    assert client.schedules.get("nightly").paused


def test_running_a_schedule_now_leaves_its_slots_alone(client: JobClient) -> None:
    client.schedules.put(request())
    client.schedules.pause("nightly")
    before = client.schedules.get("nightly")
    schedule, first = client.schedules.run_now("nightly", request_id="r")
    _, again = client.schedules.run_now("nightly", request_id="r")
    assert first.id == again.id
    assert client.get_job(first.id).payload == schedule.payload
    assert client.schedules.get("nightly") == before
    _, other = client.schedules.run_now("nightly")
    assert other.id != first.id
