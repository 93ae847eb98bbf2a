"""Both shipped jobs in a real consumer, sending to the stub in its own process."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.marketplace.stub import TOKEN, StubProcess
from tests.unit.marketplace.rows import message
from workflows.engine.states import JobState
from workflows.huey.wrapper import JobWrapper
from workflows.job_type import new_job
from workflows.jobs import expire_order, send_whatsapp_message
from workflows.marketplace.database import Database
from workflows.marketplace.message import Message, MessageStatus
from workflows.marketplace.order import Order, OrderStatus
from workflows.runtime.ids import new_id
from workflows.store import JobRecord, StoreOptions
from workflows.stores import open_store

PHONE = "+9779841000001"
SEED = {"phoneNumber": "+9779800000000", "message": "Hello!"}


class Shop:
    """A consumer process that can be killed, and its two databases."""

    def __init__(self, folder: Path, stub: StubProcess) -> None:
        self.stub = stub
        self._log = folder / "consumer.log"
        self._env = {
            **os.environ,
            "WORKFLOWS_STORE": f"sqlite:///{folder}/jobs.db",
            "WORKFLOWS_LEASE": "1",
            "DATABASE_URL": f"sqlite:///{folder}/marketplace.db",
            "WHATSAPP_TRANSPORT": "graph",
            "WHATSAPP_GRAPH_BASE_URL": stub.url,
            "WHATSAPP_PHONE_NUMBER_ID": "1055501",
            "WHATSAPP_ACCESS_TOKEN": TOKEN,
            "WHATSAPP_MAX_MPS": "60",
            "TOKEN_SECRET": "a secret of the tests",
        }
        self.database = Database(self._env["DATABASE_URL"])
        options = StoreOptions(namespace="workflows")
        self.store = open_store(self._env["WORKFLOWS_STORE"], options)
        self._consumer: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a consumer; it is a process group of its own."""
        command = [sys.executable, "-m", "huey.bin.huey_consumer"]
        command += ["workflows.main.huey", "-w", "8", "-g", "TERM", "-t", "10"]
        with self._log.open("ab") as log:
            self._consumer = subprocess.Popen(
                command, env=self._env, stdout=log, stderr=log, start_new_session=True
            )

    def end(self, number: signal.Signals) -> int:
        """End the consumer by a signal; return its exit code."""
        assert self._consumer is not None
        os.killpg(self._consumer.pid, number)
        code = self._consumer.wait(timeout=30)
        self._consumer = None
        return code

    def close(self) -> None:
        if self._consumer is not None:
            self.end(signal.SIGKILL)
        self.store.close()
        self.database.close()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def add(self, task: JobWrapper, payload: dict[str, Any], delay_ms: int = 0) -> str:
        data = task.job_type.encode(payload)
        job = new_job(task.job_type, data, job_id=new_id(), delay_ms=delay_ms)
        self.store.enqueue([job], request_id=new_id())
        return job.id

    def place(self, order_id: str, expires_at: datetime, phone: str = PHONE) -> None:
        order = Order(
            id=order_id,
            customer_phone=phone,
            total_paisa=4_859_000,
            placed_at=datetime.now(UTC),
            expires_at=expires_at,
        )
        with self.database.begin() as work:
            work.orders.add(order)

    def job(self, job_id: str) -> JobRecord:
        record = self.store.get_job(job_id)
        assert record is not None
        return record

    def notice(self, order_id: str) -> Message:
        """Return the message about an order; adding its key again changes nothing."""
        key = f"order_expired:{order_id}"
        with self.database.begin() as work:
            return work.messages.add(replace(message(), id=key, dedupe_key=key))

    def count(self, *states: JobState) -> int:
        """Count message jobs in these states."""
        queue = self.store.get_queue("whatsapp-message-send")
        assert queue is not None
        return sum(queue.counts[state] for state in states)

    def until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.02)

    def until_sent(self, count: int) -> None:
        self.until(lambda: len(self.stub.messages()) >= count)

    def until_completed(self, job_id: str) -> JobRecord:
        self.until(lambda: self.job(job_id).state is JobState.COMPLETED)
        return self.job(job_id)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with StubProcess() as stub:
        shop = Shop(tmp_path, stub)
        yield shop
        shop.close()


def test_the_documented_calls_work_and_leave_no_secret(shop: Shop) -> None:
    shop.place("order-123", datetime.now(UTC) + timedelta(seconds=1))
    shop.start()
    hello = shop.add(send_whatsapp_message, SEED)
    expiry = shop.add(expire_order, {"orderId": "order-123"}, delay_ms=500)
    unknown = shop.add(expire_order, {"orderId": "order-404"})
    shop.until_completed(hello)
    shop.until_completed(expiry)
    shop.until(lambda: shop.job(unknown).state is JobState.FAILED)
    shop.until(lambda: len(shop.stub.messages()) == 2)
    kinds = {sent["request"]["type"] for sent in shop.stub.messages()}
    assert kinds == {"text", "template"}
    assert shop.end(signal.SIGTERM) == 0
    assert TOKEN not in shop.log


def test_a_retry_waits_two_and_four_seconds(shop: Shop) -> None:
    shop.stub.script(status=500, code=131016, times=2)
    shop.start()
    job = shop.add(send_whatsapp_message, SEED)
    assert shop.until_completed(job).attempts_made == 3
    first, second, third = [call["at"] for call in shop.stub.calls()]
    assert 2000 <= second - first < 3000
    assert 4000 <= third - second < 5000


def test_wa_15_a_consumer_killed_during_a_call_sends_nothing_blindly(
    shop: Shop,
) -> None:
    shop.stub.script(status=200, delayMs=5000)
    shop.start()
    job = shop.add(send_whatsapp_message, SEED)
    shop.until(lambda: len(shop.stub.calls()) == 1)
    shop.end(signal.SIGKILL)
    shop.start()
    shop.until(lambda: shop.job(job).stalls == 1)
    shop.until(lambda: shop.job(job).state is JobState.DELAYED)
    outcomes = [attempt.outcome for attempt in shop.job(job).attempts]
    assert outcomes == ["stalled", "snoozed"]
    assert shop.job(job).attempts_made == 0
    assert len(shop.stub.calls()) == 1


def test_no_order_is_forgotten_when_consumers_are_killed(shop: Shop) -> None:
    names = [f"ord_{n}" for n in range(100)]
    jobs = []
    for number, name in enumerate(names):
        phone = f"+97798410{number:05}"
        shop.place(name, datetime.now(UTC), phone)
        jobs.append(shop.add(expire_order, {"orderId": name}))
    for _ in range(3):
        shop.start()
        shop.until_sent(len(shop.stub.messages()) + 5)
        shop.end(signal.SIGKILL)
    shop.start()
    for job in jobs:
        shop.until_completed(job)
    shop.until(lambda: shop.count(JobState.WAITING, JobState.ACTIVE) == 0)
    with shop.database.begin() as work:
        orders = [work.orders.get(name) for name in names]
    assert {order and order.status for order in orders} == {OrderStatus.EXPIRED}
    told = [sent["to"] for sent in shop.stub.messages()]
    assert len(set(told)) == len(told)
    statuses = Counter(shop.notice(name).status for name in names)
    unsure = statuses[MessageStatus.SENDING] + statuses[MessageStatus.AMBIGUOUS]
    assert statuses[MessageStatus.ACCEPTED] + unsure == len(names)
    assert unsure <= 3 * 5  # calls that a kill cut off
    assert unsure == shop.count(JobState.DELAYED, JobState.WAITING, JobState.ACTIVE)
