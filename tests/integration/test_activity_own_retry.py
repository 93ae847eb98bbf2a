"""`@activity.defn(retry=…)`: tenacity's strategies on activities, on a real worker."""

import asyncio
from datetime import timedelta

import pytest
import tenacity

from tests.clock import ManualClock
from workflows import activity, workflow
from workflows.client import (
    BlockingClient,
    Client,
    WorkflowFailureError,
    WorkflowService,
)
from workflows.common import RetryPolicy
from workflows.engine.states import JobState
from workflows.exceptions import (
    ActivityError,
    ApplicationError,
    InvalidArgumentError,
    RetryState,
)
from workflows.store import Store
from workflows.worker import Worker

pytestmark = pytest.mark.integration
MINUTE = timedelta(minutes=1)
CALLS: list[int] = []


class BusyError(Exception):
    """It passes."""


@activity.defn(
    retry={
        "retry": tenacity.retry_if_exception_type((BusyError, ApplicationError)),
        "stop": tenacity.stop_after_attempt(3),
        "wait": tenacity.wait_fixed(7),
    }
)
def patient(how: str) -> str:
    attempt = activity.info().attempt
    CALLS.append(attempt)
    if how == "busy for ever" or (how == "busy once" and attempt == 1):
        raise BusyError(how)
    if how == "says itself" and attempt == 1:
        raise ApplicationError(how, next_retry_delay=timedelta(seconds=1))
    if how == "broken":
        raise ValueError(how)
    return f"attempt {attempt}"


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, how: str, attempts: int) -> str:
        return await workflow.execute_activity(
            patient,
            how,
            start_to_close_timeout=MINUTE,
            retry_policy=RetryPolicy(maximum_attempts=attempts),
        )


async def jump(store: Store, clock: ManualClock, pauses: list[int]) -> None:
    """Go to the next attempt whenever one waits; time stands still otherwise."""
    while True:
        await asyncio.sleep(0.01)
        for job in store.list_jobs("q", JobState.DELAYED, limit=1).jobs:
            if job.ready_at > store.now():  # else a worker is about to take it
                pauses.append(job.ready_at - store.now())
                clock.advance(pauses[-1])


def call(
    store: Store, clock: ManualClock, how: str, attempts: int = 0
) -> tuple[str, list[int]]:
    """Run the workflow; return its result and the pauses between attempts, in ms."""
    pauses: list[int] = []

    async def main() -> str:
        client = Client.of(BlockingClient(WorkflowService(store)))
        jumping = asyncio.create_task(jump(store, clock, pauses))
        try:
            async with Worker(
                client, task_queue="q", workflows=[Calls], activities=[patient]
            ):
                result: str = await client.execute_workflow(
                    Calls.run, args=[how, attempts], id="c", task_queue="q"
                )
                return result
        finally:
            jumping.cancel()

    CALLS.clear()
    return asyncio.run(main()), pauses


@pytest.mark.parametrize(
    ("how", "pause_ms"), [("busy once", 7_000), ("says itself", 1_000)]
)
def test_its_wait_is_the_pause_unless_the_error_says_another(
    store: Store, clock: ManualClock, how: str, pause_ms: int
) -> None:
    assert call(store, clock, how) == ("attempt 2", [pause_ms])
    assert CALLS == [1, 2]


@pytest.mark.parametrize(
    ("how", "attempts", "calls", "state"),
    [
        ("busy for ever", 0, 3, RetryState.NON_RETRYABLE_FAILURE),
        ("busy for ever", 2, 2, RetryState.MAXIMUM_ATTEMPTS_REACHED),
        ("broken", 0, 1, RetryState.NON_RETRYABLE_FAILURE),
    ],
    ids=["its stop", "the stop of the call", "its retry"],
)
def test_retries_end_when_either_policy_says_so(
    store: Store,
    clock: ManualClock,
    how: str,
    attempts: int,
    calls: int,
    state: RetryState,
) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        call(store, clock, how, attempts)
    cause = caught.value.cause
    assert isinstance(cause, ActivityError)
    assert (len(CALLS), cause.retry_state) == (calls, state)


def test_what_is_no_policy_is_refused_where_it_is_declared() -> None:
    with pytest.raises(InvalidArgumentError, match="is not a retry policy"):
        activity.defn(retry=object())
