"""What users' tests get: a store of their own, a frozen clock, drains, assertions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from tests.conftest import MakeStore
from workflows.engine.states import JobState
from workflows.exceptions import Snooze
from workflows.huey import JobContext, JobWrapper, WorkflowHuey
from workflows.testing.jobs import JobsUnderTest, jobs_under_test

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Email(BaseModel):
    to: str
    tries: int = 0


@pytest.fixture
def huey(make_store: MakeStore) -> WorkflowHuey:
    return WorkflowHuey("tested", store=make_store("sqlite"))


@pytest.fixture
def sent() -> list[str]:
    return []


@pytest.fixture
def send(huey: WorkflowHuey, sent: list[str]) -> JobWrapper:
    @huey.job(
        queue="emails",
        payload=Email,
        retry={"attempts": 2, "backoff": {"type": "fixed", "delay": 5000}},
        context=True,
    )
    def send(email: Email, *, job: JobContext) -> None:
        if email.tries >= job.attempt:
            raise ConnectionError(email.to)
        sent.append(email.to)

    wrapper: JobWrapper = send
    return wrapper


@pytest.fixture
def jobs(huey: WorkflowHuey) -> Iterator[JobsUnderTest]:
    with jobs_under_test(huey, now=NOON) as jobs:
        yield jobs


def test_nothing_reaches_the_own_store(huey: WorkflowHuey, send: JobWrapper) -> None:
    own = huey.store
    with jobs_under_test(huey):
        send.enqueue(Email(to="ann"))
        assert len(huey.storage.enqueued_items()) == 0  # another queue than its own
        assert huey.store is not own
    assert huey.store is own
    assert own.list_queues() == []
    send.enqueue(Email(to="ann"))
    assert [queue.name for queue in own.list_queues()] == ["emails"]


def test_what_is_enqueued_waits_until_it_is_drained(
    send: JobWrapper, sent: list[str], jobs: JobsUnderTest
) -> None:
    for name in ("ann", "bob"):
        send.enqueue(Email(to=name))
    assert sent == []
    assert jobs.drain("emails").completed == 2
    assert sent == ["ann", "bob"]
    assert jobs.drain("emails").completed == 0


def test_what_is_pending_is_asserted(send: JobWrapper, jobs: JobsUnderTest) -> None:
    send.enqueue(Email(to="ann"))
    send.enqueue(Email(to="bob"), delay=60)
    jobs.assert_enqueued(send)
    jobs.assert_enqueued(send, times=2)
    jobs.assert_enqueued(send, to="bob", delay=60)
    jobs.assert_enqueued(send, to="ann", delay=0, times=1)
    jobs.assert_not_enqueued(send, to="eve")
    for wrong in ({"to": "eve"}, {"times": 1}, {"to": "bob", "delay": 61}):
        with pytest.raises(AssertionError, match=r"to='bob'.* in 60000 ms"):
            jobs.assert_enqueued(send, **wrong)
    with pytest.raises(AssertionError, match="instead of 0"):
        jobs.assert_not_enqueued(send, to="ann")


def test_delayed_jobs_run_when_the_clock_has_moved(
    send: JobWrapper, sent: list[str], jobs: JobsUnderTest
) -> None:
    send.enqueue(Email(to="ann"), delay=60)
    assert jobs.drain("emails").completed == 0
    jobs.advance(59.999)
    assert jobs.drain("emails").completed == 0
    jobs.advance(timedelta(milliseconds=1))
    assert jobs.drain("emails").completed == 1
    assert sent == ["ann"]


def test_a_drain_of_delayed_jobs_moves_the_clock_to_each(
    send: JobWrapper, sent: list[str], jobs: JobsUnderTest
) -> None:
    send.enqueue(Email(to="later"), delay=3600)
    send.enqueue(Email(to="again", tries=1))
    send.enqueue(Email(to="never", tries=9))
    done = jobs.drain("emails", delayed=True)
    assert (done.completed, done.retried, done.dead) == (2, 2, 1)
    assert done.errors[0].endswith("ConnectionError: again")
    assert sent == ["again", "later"]
    assert jobs.clock.now == int(NOON.timestamp() * 1000) + 3_600_000


def test_a_chain_without_an_end_is_a_failure(
    huey: WorkflowHuey, jobs: JobsUnderTest
) -> None:
    @huey.job(queue="loop", payload=Email)
    def again(_email: Email) -> None:
        raise Snooze(1)

    again.enqueue(Email(to="x"))
    with pytest.raises(AssertionError, match="does not end"):
        jobs.drain("loop", delayed=True)


def test_inline_jobs_have_run_when_the_call_returns(
    huey: WorkflowHuey, send: JobWrapper, sent: list[str]
) -> None:
    @huey.job(queue="orders", payload=Email)
    def order(email: Email) -> None:
        send.enqueue(email)
        sent.append("ordered")

    @huey.job(queue="async", payload=Email)
    async def later(email: Email) -> None:
        sent.append(f"async {email.to}")

    with jobs_under_test(huey, inline=True) as jobs:
        order.enqueue(Email(to="ann"))
        assert sent == ["ordered", "ann"]
        later.enqueue(Email(to="bob"))
        assert sent[2:] == ["async bob"]
        send.enqueue(Email(to="eve"), delay=5)
        assert len(sent) == 3
        jobs.assert_enqueued(send, to="eve")
        with pytest.raises(AssertionError, match="ConnectionError: flaky"):
            send.enqueue(Email(to="flaky", tries=1))
    assert not huey.store.list_queues()


def test_plain_tasks_and_results_work_inline(huey: WorkflowHuey) -> None:
    double = huey.task(name="double")(lambda n: 2 * n)
    with jobs_under_test(huey, inline=True):
        assert double(4).get() == 8


def test_what_failed_for_good_is_a_dead_letter(
    send: JobWrapper, jobs: JobsUnderTest
) -> None:
    result = send.enqueue(Email(to="ann", tries=9))
    jobs.drain("emails", delayed=True)
    record = jobs.store.get_job(result.id)
    assert record is not None
    assert record.state is JobState.FAILED
