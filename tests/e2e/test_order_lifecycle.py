"""`huey_consumer workflows.main.huey` hosts the orders' workflows; it may be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.marketplace import people
from workflows.client import BlockingClient, WorkflowExecutionStatus, WorkflowService
from workflows.jobs.order_lifecycle.waking import wake, workflow_id
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.change import LIFECYCLE_QUEUE, Marketplace, Timers
from workflows.marketplace.database import Database
from workflows.marketplace.terms import Terms
from workflows.marketplace.transitions.orders import NewOrder, place
from workflows.store import StoreOptions
from workflows.stores import open_store

RUNNING = WorkflowExecutionStatus.RUNNING


@dataclass
class Words:
    """Leads words for workflows; what else is asked for waits for the consumer."""

    client: BlockingClient

    def add(self, job: OutboxJob, delay: timedelta) -> bool:
        if job.queue == LIFECYCLE_QUEUE:
            wake(self.client, job, delay)
        return job.queue == LIFECYCLE_QUEUE


class Stage:
    """A consumer that can be killed, and a marketplace that gives little time."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "consumer.log"
        self._env = {
            **os.environ,
            "WORKFLOWS_STORE": f"sqlite:///{folder}/jobs.db",
            "WORKFLOWS_LEASE": "1",
            "DATABASE_URL": f"sqlite:///{folder}/marketplace.db",
        }
        self.database = Database(self._env["DATABASE_URL"])
        options = StoreOptions(namespace="workflows")
        self.store = open_store(self._env["WORKFLOWS_STORE"], options)
        self.client = BlockingClient(WorkflowService(self.store))
        self.market = Marketplace(
            storage=self.database,
            clock=lambda: datetime.now(UTC),
            new_id=lambda: uuid4().hex,
            jobs=Words(self.client),
            terms=Terms(payment_ttl=timedelta(seconds=4)),
            timers=Timers.WORKFLOW,
        )
        self._consumer: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "huey.bin.huey_consumer"]
        command += ["workflows.main.huey", "-w", "4", "-g", "TERM", "-t", "5"]
        with self._log.open("ab") as log:
            self._consumer = subprocess.Popen(
                command, env=self._env, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        if self._consumer is not None:
            os.killpg(self._consumer.pid, signal.SIGKILL)
            self._consumer.wait()
            self._consumer = None

    def close(self) -> None:
        self.kill()
        self.store.close()
        self.database.close()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is true; the log says what happened if it never is."""
        for _ in range(600):
            if holds():
                return
            time.sleep(0.05)
        pytest.fail(self._log.read_text()[-3000:])


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def test_a_killed_consumer_closes_the_unpaid_order_in_its_next_life(
    stage: Stage,
) -> None:
    stage.start()
    with stage.database.begin() as work:
        people.move_in(work)
    wanted = NewOrder(id="o1", customer_id="cus_1", lines=people.LINES)
    stage.market.run("api", place, wanted)
    handle = stage.client.get_workflow_handle(workflow_id("o1"))

    def waits() -> bool:
        found = handle.fetch_history().events
        return any(event.event_type == "TIMER_STARTED" for event in found)

    stage.until(waits)
    stage.kill()
    stage.start()
    stage.until(lambda: handle.describe().status is not RUNNING)
    assert handle.result() == "expired"
    assert [moment["status"] for moment in handle.query("timeline")] == [
        "pending_payment",
        "expired",
    ]
    with stage.database.begin() as work:
        order = work.orders.get("o1")
    assert order is not None
    assert order.closed_reason == "unpaid"
