"""A shop whose orders' time is kept by workflows, on the shop's one clock."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.clock import ManualClock
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.shop import Shop
from tests.integration.marketplace.story import ORDER
from tests.integration.workflow_world import Life, Mode
from workflows.client import BlockingClient, BlockingWorkflowHandle, WorkflowService
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.jobs.order_lifecycle.activities import OrderActivities
from workflows.jobs.order_lifecycle.waking import wake, workflow_id
from workflows.jobs.order_lifecycle.workflow import TASK_QUEUE, OrderLifecycle
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.change import LIFECYCLE, LIFECYCLE_QUEUE, Timers
from workflows.marketplace.database import Database
from workflows.runtime import parent_close, workflow_tasks, workflow_worker
from workflows.runtime.lease import MS as NS_OF_MS
from workflows.runtime.registration import Registry
from workflows.store import Store

MS = timedelta(milliseconds=1)


class LifecycleShop(Shop):
    """Jobs and workflows of one process; `code` is the class of the workflow."""

    def prepare(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let workflows have the time; a worker is born at its first work."""
        self.market = replace(self.market, timers=Timers.WORKFLOW)
        self.expirer = OrderExpirer(marketplace=self.market, payments=self.payments)
        self.client = BlockingClient(WorkflowService(self.store))
        self.loop = loop
        self.code: type[Any] = OrderLifecycle
        self.through: Callable[[Store], Any] = lambda store: store
        self.life: Life | None = None

    def born(self) -> Life:
        """Return the worker of workflows; a new one after a death."""
        if self.life is None:
            activities = OrderActivities(lambda: replace(self.expirer, actor=LIFECYCLE))
            registry = Registry([self.code], activities.all)
            store = self.through(self.store)
            self.life = Life(store, self.loop, Mode(), registry, TASK_QUEUE)
        return self.life

    def add(self, job: OutboxJob, delay: timedelta) -> bool:
        """Lead words for workflows to them, jobs to their queues."""
        if job.queue == LIFECYCLE_QUEUE:
            wake(self.client, job, delay)
            return True
        return super().add(job, delay)

    def run_until(self, moment: datetime) -> None:
        """Work on jobs and workflows that are due, each at its time, up to `moment`."""
        while True:
            while self.born().turn() or self._one_job():
                pass
            next_in_ms = self.born().tick()
            if next_in_ms == 0:
                continue
            if next_in_ms is None or self.now() + next_in_ms * MS > moment:
                break
            self.move_to(self.now() + next_in_ms * MS)
        self.move_to(moment)

    def _one_job(self) -> bool:
        task = self.huey.dequeue()
        if task is not None:
            self.huey.execute(task)
        return task is not None

    def ask(self, query: str, order_id: str = ORDER) -> Any:
        """Query the order's workflow while its worker works."""
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self.handle(order_id).query, query)
            while not answer.done():
                self.born().turn()
            return answer.result()

    def handle(self, order_id: str = ORDER) -> BlockingWorkflowHandle[Any, Any]:
        """Return a handle of the newest run of the order's workflow."""
        return self.client.get_workflow_handle(workflow_id(order_id))

    def events(self, order_id: str = ORDER) -> list[str]:
        """Return the types of the events of the newest run."""
        found = self.handle(order_id).fetch_history().events
        return [event.event_type for event in found]


def open_shop(
    store: Store,
    database: Database,
    deliveries: Deliveries,
    clock: ManualClock,
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> LifecycleShop:
    """Return a shop; leases are counted on its clock too."""
    for module in (workflow_tasks, workflow_worker, parent_close):
        monkeypatch.setattr(module, "boot_ns", lambda: clock.now * NS_OF_MS)
    shop = LifecycleShop(store, database, deliveries, clock)
    shop.prepare(loop)
    return shop
