"""A pytest plugin: Huey's own tests, run on WorkflowHuey. See test_huey_suite.

Each deselected test says what plain Huey does that we do otherwise, on purpose.
"""

import os
import uuid

import pytest
from huey.tests import base
from huey.tests.test_api import TestError

from workflows.huey import WorkflowHuey
from workflows.store import StoreOptions

DIRECT = "a delayed task goes straight to the schedule, never through the queue"
CHORD_EVENT = "the chord's callback is enqueued by the store; nobody sees the moment"

DESELECTED = {
    "TestQueue::test_pending_scheduled_unregistered": DIRECT,
    "TestQueue::test_read_schedule": DIRECT,
    "TestQueue::test_reschedule": DIRECT,
    "TestQueue::test_retry_backoff": "due tasks are promoted by the store's clock, "
    "not popped by read_schedule",
    "TestQueue::test_retrytask_eta_delay": "times are whole milliseconds",
    "TestQueue::test_schedule_s": DIRECT,
    "TestQueue::test_scheduling": DIRECT,
    "TestQueue::test_scheduling_expires": DIRECT,
    "TestAsyncTasks::test_async_task_rejected": "async functions are accepted",
    "TestDecorators::test_task_id": DIRECT,
    "TestChordPrimitive::test_chord_bookkeeping_cleared": "reads MemoryStorage inside",
    "TestChordPrimitive::test_chord_error_cb": "the retried task takes its place "
    "before the error handler that it announces",
    "TestChordPrimitive::test_chord_scheduling": DIRECT,
    "TestTaskChaining::test_pipeline_error_retries_then_downstream": "the retried "
    "task takes its place before the error handler that it announces",
    "TestStorageWrappers::test_storage_wrappers": DIRECT,
    "TestSignals::test_signals_chord": CHORD_EVENT,
    "TestSignals::test_signals_chord_error": CHORD_EVENT,
    "TestSignals::test_signals_simple": DIRECT,
    "TestPriority::test_schedule_priority": DIRECT,
}

opened: list[WorkflowHuey] = []


def _make(_self: object) -> WorkflowHuey:
    options = StoreOptions(namespace=f"parity-{uuid.uuid4().hex[:12]}")
    url = os.environ["PARITY_STORE"]
    if url.startswith("sqlite:"):
        url = f"{url}/{options.namespace}.db"
    huey = WorkflowHuey(
        "parity", url=url, options=options, utc=False, errors=[TestError]
    )
    opened.append(huey)
    return huey


base.BaseTestCase.get_huey = _make


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        name = item.nodeid.partition("::")[2]
        (dropped if name in DESELECTED else kept).append(item)
    assert len(dropped) == len(DESELECTED), "a deselected test is gone from Huey"
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)


def pytest_runtest_teardown() -> None:
    while opened:
        opened.pop().store.close()
