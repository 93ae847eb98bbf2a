"""A marketplace under test: real queue, real tables, one clock, time that is told."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.clock import ManualClock
from tests.integration.marketplace.stub import StubProcess
from tests.unit.marketplace.rows import message
from workflows.exceptions import ConflictError, NotFoundError
from workflows.huey import WorkflowHuey
from workflows.huey.context import JobContext
from workflows.jobs.order_expiry import policy as expiry_policy
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.jobs.whatsapp_message_send import policy
from workflows.jobs.whatsapp_message_send.payload import WhatsAppMessageSend
from workflows.jobs.whatsapp_message_send.processor import Result, WhatsAppSender
from workflows.marketplace.message import JobRun, Message
from workflows.marketplace.order import Order
from workflows.marketplace.pair_limit import PairLimit
from workflows.marketplace.ports import MessageTransport, Storage
from workflows.store import JobRecord, Store

START = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)  # 10:00 in Kathmandu
MS = timedelta(milliseconds=1)
PHONE = "+9779841000001"


def ms(moment: datetime) -> int:
    """Return a time as the store counts it."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MS


@dataclass
class Shop:
    """Both jobs on a queue; the clock moves only in `run_until`."""

    store: Store
    storage: Storage
    transport: MessageTransport
    clock: ManualClock
    stub: StubProcess | None = None
    started: datetime = START
    ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def __post_init__(self) -> None:
        self.huey = WorkflowHuey("shop", store=self.store)
        self.sender = WhatsAppSender(
            storage=self.storage,
            transport=self.transport,
            queue=self,
            clock=self.now,
            new_id=self.new_id,
            pair_limit=PairLimit(),
            ambiguous_check=timedelta(seconds=60),
        )
        self.expirer = OrderExpirer(
            storage=self.storage, queue=self, clock=self.now, new_id=self.new_id
        )

        @self.huey.job(
            name=policy.QUEUE,
            queue=policy.QUEUE,
            payload=WhatsAppMessageSend,
            retry=policy.RETRY,
            context=True,
        )
        def send(message: WhatsAppMessageSend, *, job: JobContext) -> Result:
            run = JobRun(
                job_id=job.id, started_at=job.first_started_at, attempt=job.attempt
            )
            return self.sender.run(message, run)

        @self.huey.job(
            name=expiry_policy.QUEUE,
            queue=expiry_policy.QUEUE,
            payload=OrderExpiry,
            retry=expiry_policy.RETRY,
        )
        def expire(order: OrderExpiry) -> dict[str, object]:
            return self.expirer.run(order)

        self._send, self._expire = send, expire

    # -- time --

    def now(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + self.clock.now * MS

    def new_id(self) -> str:
        return f"{self.ids():04}"

    def move_to(self, moment: datetime) -> None:
        """Set every clock."""
        self.clock.now = ms(moment)
        if self.stub is not None:
            self.stub.stand_at(self.clock.now)

    def run_until(self, moment: datetime) -> None:
        """Run every job that is due, at its time, up to and including `moment`."""
        while True:
            while (task := self.huey.dequeue()) is not None:
                self.huey.execute(task)
            _, next_in_ms = self.store.promote_due()
            if next_in_ms == 0:
                continue
            if next_in_ms is None or self.now() + next_in_ms * MS > moment:
                break
            self.move_to(self.now() + next_in_ms * MS)
        self.move_to(moment)

    def run_for(self, seconds: float = 0) -> None:
        self.run_until(self.now() + timedelta(seconds=seconds))

    def seconds(self, moment: int | datetime) -> float:
        """Return a time as seconds since the shop's start."""
        at = moment if isinstance(moment, int) else ms(moment)
        return (at - ms(self.started)) / 1000

    # -- jobs --

    def add(self, payload: dict[str, Any], job_id: str | None = None) -> str:
        """Enqueue a message's job; return its id."""
        result = self._send.enqueue(payload, job_id=job_id)
        return str(result.id)

    def say(self, text: str = "Hello!", **more: Any) -> str:
        """Enqueue a text."""
        return self.add({"phoneNumber": PHONE, "message": text} | more)

    def add_expiry(self, delay: float = 0, **payload: Any) -> str:
        """Enqueue an order's expiry; return the job's id."""
        result = self._expire.enqueue(payload, delay=delay)
        return str(result.id)

    def job(self, job_id: str) -> JobRecord:
        record = self.store.get_job(job_id)
        assert record is not None
        return record

    def result(self, job_id: str) -> dict[str, Any]:
        """Return what a completed job returned."""
        record = self.job(job_id)
        assert record.result is not None, record
        value: dict[str, Any] = self.huey.serializer.deserialize(record.result)
        return value

    # -- rows --

    def message_of(self, job_id: str) -> Message:
        """Return the row that a job's payload made."""
        return self.message_with(f"adhoc:{job_id}")

    def message_with(self, dedupe_key: str) -> Message:
        """Return a row; adding one with its key returns it and changes nothing."""
        with self.storage.begin() as work:
            return work.messages.add(replace(message(), dedupe_key=dedupe_key))

    def order(self, order_id: str) -> Order:
        with self.storage.begin() as work:
            found = work.orders.get(order_id)
        assert found is not None
        return found

    # -- JobQueue --

    def enqueue(self, message: Message) -> None:
        payload = WhatsAppMessageSend(message_id=message.id)
        self._send.enqueue(payload, job_id=f"{policy.QUEUE}:{message.id}")

    def promote(self, job_id: str) -> None:
        try:
            self.store.promote(job_id)
        except (NotFoundError, ConflictError):
            pass

    def retry_dead(self, job_id: str) -> None:
        try:
            self.store.retry_dead(job_id)
        except (NotFoundError, ConflictError):
            pass
